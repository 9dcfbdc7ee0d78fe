"""What of a book is in force on a day: which lists act, which deviations hold, and what has lapsed?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.outcomes import ladder
from riskbench.data.roles import Domain
from riskbench.errors import ParameterError, listed
from riskbench.rules.deviation import Deviation
from riskbench.rules.lists import PREFIX, NamedList
from riskbench.rules.mining.pieces import column_text
from riskbench.rules.rule import Rule

if TYPE_CHECKING:
    from riskbench.rules.book import RuleBook

#: How a text says which day it holds for.
DAY_OF = "Lists and deviations are those of"


@dataclass(frozen=True, slots=True)
class Standing:
    """A book as it acts on a day.

    Attributes
    ----------
    book : RuleBook
        The rules with the values of the deviations that hold, and behind them one rule a list that acts. The
        places of the written rules stay. The same object where the book has neither.
    lapsed : tuple of str
        What no longer acts, in sentences.
    """

    book: RuleBook
    lapsed: tuple[str, ...] = ()


def in_force(book: RuleBook, day: str | None) -> Standing:
    """Return a book as it acts on a day (an ISO date; None where the day is not known: then nothing has lapsed)."""
    if not book.deviations and all(held.plain for held in book.lists.values()):
        return Standing(book)
    lapsed = tuple(_lapsed(book, day))
    rules = [_deviated(rule, book.deviations, day) for rule in book.rules]
    lists = {}
    for name, held in book.lists.items():
        values = held.on(day)
        lists[name] = held if held.plain else NamedList(values)
        own = list_rule(name, held, book.domain) if values else None
        if own is not None:
            rules.append(own)
    stands = replace(book, rules=tuple(rules), lists=lists, deviations=(), source=None)
    return Standing(stands, lapsed)


def list_rule(name: str, held: NamedList, domain: Domain) -> Rule | None:
    """Return the rule by which a list acts; None where it does not act by itself."""
    if not held.acts or held.column is None:
        return None
    names = ladder(domain).names
    outcome = (held.outcome or names[-1]) if held.kind == "block" else names[0]
    words = {"allow": "Allow list", "vip": "VIP list", "block": "Block list"}
    return Rule(
        f"{PREFIX}{name}",
        f"{column_text(held.column)} IN :{name}",
        outcome,
        priority=held.priority,
        status="live",
        owner=held.owner,
        title=f"{words[str(held.kind)]} {name}",
        lists={name: held.values},
    )


def _deviated(rule: Rule, deviations: tuple[Deviation, ...], day: str | None) -> Rule:
    own = [held for held in deviations if held.rule == rule.id and held.holds(day)]
    if not own:
        return rule
    regions = {region: dict(values) for region, values in rule.regions.items()}
    for held in own:
        if held.params:
            regions.setdefault(held.region, {}).update(held.params)
    off = tuple(dict.fromkeys([*rule.off, *(held.region for held in own if held.off)]))
    return replace(rule, regions=regions, off=off)


def _lapsed(book: RuleBook, day: str | None) -> Iterator[str]:
    for held in book.deviations:
        if not held.holds(day):
            yield (
                f"The deviation of {held.region} from {held.rule} ({held.what}) expired on {held.expires}: "
                "the book's own value holds."
            )
    for name, named in book.lists.items():
        gone = len(named.values) - len(named.on(day))
        if gone and gone == len(named.values) and named.expires is not None and named.acts:
            yield f"The list {name} expired on {named.expires}: it no longer acts."
        elif gone:
            yield f"{gone:,} of {len(named.values):,} entries of the list {name} have expired and no longer count."


def day_told(book: RuleBook, day: str | None) -> tuple[str, ...]:
    """Return what a reader of a book as it acts on a day must know: the day, what has lapsed, and what lapses next.

    Nothing where no day changes the book.
    """
    if day is None or (not book.deviations and all(held.plain for held in book.lists.values())):
        return ()
    ends = [(held.expires, f"the deviation of {held.region} from {held.rule}") for held in book.deviations]
    for name, named in book.lists.items():
        if named.acts and named.expires is not None:
            ends.append((named.expires, f"the list {name}"))
        ends += [(mark.expires, f"an entry of the list {name}") for _, mark in named.marks if mark.expires is not None]
    ahead = [end for end, _ in ends if end >= day]
    told = [f"{DAY_OF} {day}.", *_lapsed(book, day)]
    if ahead:
        first = min(ahead)
        what = dict.fromkeys(name for end, name in ends if end == first)
        told.append(f"Holds until {first}; then lapses: {listed(what, most=20)}. Write it anew then.")
    return tuple(told)


def lapsed_between(book: RuleBook, one: str, other: str) -> tuple[str, ...]:
    """Return what of a book acts on one of two days only, in sentences."""
    early, late = sorted((one, other))
    known = set(_lapsed(book, early))
    return tuple(told for told in _lapsed(book, late) if told not in known)


def checked_day(value: object) -> str:
    """Return the ISO date that a date, a text or a Timestamp names.

    Raises
    ------
    ParameterError
        When it names none.

    >>> checked_day("2026-12-31"), checked_day(pd.Timestamp("2026-12-31 08:00"))
    ('2026-12-31', '2026-12-31')
    """
    if isinstance(value, date) and not pd.isna(value):
        return value.date().isoformat() if isinstance(value, datetime) else value.isoformat()
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ParameterError("'on' is not a date", got=repr(value)[:200], allowed="2026-12-31") from None


def day_of(dataset: Dataset, asof: str | pd.Timestamp | None = None) -> str | None:
    """Return the day by which a book is judged: that of the as-of moment, else of the last event; None without time.

    The date is that of the events' time zone.
    """
    if asof is not None:
        moment = pd.Timestamp(micros(asof), unit="us")
    elif dataset.span is not None:
        moment = dataset.span[1]
    else:
        return None
    return moment.tz_localize("UTC").tz_convert(dataset.time_zone).date().isoformat()
