"""Whom do we owe something: who was wrongly acted on, and which victims are to be refunded?"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

import pandas as pd

from riskbench.data.money import LARGEST_SUM, NO_CURRENCY, Currency
from riskbench.display import Fact, Result, number, result
from riskbench.display.mask import masked
from riskbench.display.wording import clean
from riskbench.errors import ParameterError, listed, nearest
from riskbench.incidents.wording import Scrubber

#: Undo what was done to somebody honest; pay back what a victim lost.
REMEDIES = ("reverse", "refund")
ROLES = ("buyer", "seller", "creator")
STATUSES = ("open", "done", "refused")
#: The most rows of one call.
MOST = 100_000
#: What a spreadsheet would take for a formula when a cell begins with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_COLUMNS = "remedy role subject what amount currency status note at".split()


@result
class RemedyList(Result):
    """Who was wrongly acted on and is to be put right, and which victims are to be refunded.

    Attributes
    ----------
    remedies : DataFrame
        One row a person and thing: remedy ("reverse", "refund"), role, subject (masked unless asked otherwise),
        what, amount (major units; none where no money is owed), currency, status ("open", "done", "refused"), note.
    totals : DataFrame
        remedy, role, status, currency, people, amount.
    """

    kind: ClassVar[str] = "remedy_list"
    title: ClassVar[str] = "Whom to put right"
    main: ClassVar[str] = "remedies"
    repr_table: ClassVar[str] = "totals"
    repr_tables: ClassVar[tuple[str, ...]] = ("remedies",)
    next_step: ClassVar[str] = ".csv() for the team that pays and reverses; it holds the ids"

    remedies: pd.DataFrame
    totals: pd.DataFrame
    held: tuple[Mapping[str, Any], ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return how many are still to be reversed and refunded, and the money that is owed."""
        facts = []
        for remedy in REMEDIES:
            rows = [row for row in self.held if row["remedy"] == remedy]
            waiting = [row for row in rows if row["status"] == "open"]
            note = f"of {number(len({row['subject'] for row in rows}), 'count')} listed"
            facts.append(Fact(f"To {remedy}", len({row["subject"] for row in waiting}), "count", note=note))
        owed: dict[str, int] = {}
        for row in self.held:
            if row["status"] == "open" and row["minor"] is not None:
                owed[row["currency"]] = owed.get(row["currency"], 0) + row["minor"]
        facts += [
            Fact("Money still owed", Currency.of(code).major(minor), "money", currency=code)
            for code, minor in sorted(owed.items())[:4]
        ]
        return tuple(facts)

    def csv(self) -> str:
        """Return all rows with their ids as CSV; no cell can be taken for a formula.

        A cell that begins like a formula gets an apostrophe before it, so an id such as `-7` is written `'-7`.
        """
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(_COLUMNS)
        for row in self.held:
            cells = [row["remedy"], row["role"], row["subject"], row["what"], _exact(row), row["currency"]]
            writer.writerow([_safe(cell) for cell in (*cells, row["status"], row["note"], row["at"])])
        return out.getvalue()


def remedy_list(rows: Iterable[Mapping[str, Any]], *, show_ids: bool = False, currency: str = "") -> RemedyList:
    """Return the list of whom to put right, ids masked unless they are asked for.

    Examples
    --------
    >>> rows = checked_rows([{"remedy": "refund", "role": "buyer", "subject": "BUY-000123", "what": "stolen card",
    ...     "amount": 120.5, "currency": "BRL"}])
    >>> remedy_list(rows)
    RemedyList(To reverse: 0; To refund: 1; Money still owed: BRL 120)
    >>> remedy_list(rows).frame()["subject"].iloc[0]
    'BUY…23'
    """
    held = tuple({"at": "", **row, "currency": row["currency"] or currency} for row in rows)
    told = str if show_ids else Scrubber(row["subject"] for row in held)
    shown = [
        [
            row["remedy"],
            row["role"],
            row["subject"] if show_ids else masked(row["subject"]),
            told(row["what"]),
            None if row["minor"] is None else Currency.of(row["currency"]).major(row["minor"]),
            row["currency"],
            row["status"],
            told(row["note"]),
        ]
        for row in held
    ]
    people: dict[tuple[str, ...], set[str]] = {}
    sums: dict[tuple[str, ...], int | None] = {}
    for row in held:
        key = (row["remedy"], row["role"], row["status"], row["currency"])
        people.setdefault(key, set()).add(row["subject"])
        before = sums.setdefault(key, None)
        sums[key] = before if row["minor"] is None else (before or 0) + row["minor"]
    summed = []
    for group in sorted(people):
        minor = sums[group]
        summed.append((*group, len(people[group]), None if minor is None else Currency.of(group[3]).major(minor)))
    notes = () if show_ids or not held else ("Ids are masked on pages; .csv() holds them.",)
    return RemedyList(
        remedies=pd.DataFrame(shown, columns=_COLUMNS[:-1]),
        totals=pd.DataFrame(summed, columns=["remedy", "role", "status", "currency", "people", "amount"]),
        held=held,
        notes=notes,
    )


def checked_rows(rows: object) -> list[dict[str, Any]]:
    """Return rows of remedies as they are kept: one form, money in minor units.

    Raises
    ------
    ParameterError
        When a row lacks a part, or has one that is unknown or has a wrong form.
    """
    if isinstance(rows, pd.DataFrame):
        rows = rows.astype(object).where(rows.notna(), None).to_dict("records")
    if isinstance(rows, str | Mapping) or not isinstance(rows, Iterable):
        raise ParameterError("Remedies are rows", got=type(rows).__name__, allowed="a list of mappings, or a DataFrame")
    held = []
    for place, row in enumerate(rows):
        if place >= MOST:
            raise ParameterError("These are too many rows for one call", allowed=f"up to {MOST:,}")
        held.append(_row(row, place))
    if not held:
        raise ParameterError("There is no row")
    if sum(row["minor"] or 0 for row in held) > LARGEST_SUM:
        raise ParameterError("The amounts sum past what stays exact")
    return held


def _row(row: object, place: int) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise ParameterError(f"Row {place + 1} is no mapping", got=repr(row)[:60])
    known = [name for name in _COLUMNS if name != "at"]
    for name in row:
        if name not in known:
            close = nearest(str(name), known)
            raise ParameterError(
                f"Row {place + 1} has an unknown part {str(name)[:40]!r}",
                allowed=listed(known),
                hint=f"did you mean {close!r}?" if close else None,
            )
    minor, currency = _money(row.get("amount"), row.get("currency"), place)
    return {
        "remedy": one_of(row.get("remedy"), REMEDIES, f"Row {place + 1}: the remedy"),
        "role": one_of(row.get("role"), ROLES, f"Row {place + 1}: the role"),
        "subject": clean(_as_text(row.get("subject")), f"Row {place + 1}: the subject", most=200),
        "what": clean(row.get("what") or "", f"Row {place + 1}: what", most=200, empty=True),
        "minor": minor,
        "currency": currency,
        "status": one_of(row.get("status") or "open", STATUSES, f"Row {place + 1}: the status"),
        "note": clean(row.get("note") or "", f"Row {place + 1}: the note", most=500, empty=True),
    }


def _as_text(subject: object) -> object:
    return str(subject) if isinstance(subject, int) and not isinstance(subject, bool) else subject


def _money(amount: object, currency: object, place: int) -> tuple[int | None, str]:
    if amount is None:
        return None, "" if currency is None else Currency.of(str(currency)).code
    held = Currency.of(clean(currency or NO_CURRENCY, f"Row {place + 1}: the currency", most=10))
    wrong = f"Row {place + 1}: the amount is money of {held.code}, 0 or more, {held.decimals} decimals at most"
    if isinstance(amount, bool):
        raise ParameterError(wrong, got=repr(amount)[:40])
    try:
        minor = Decimal(str(amount)) * held.scale
        whole = int(minor)
    except (InvalidOperation, ValueError, OverflowError):
        raise ParameterError(wrong, got=repr(amount)[:40]) from None
    if minor != whole or not 0 <= whole <= LARGEST_SUM:
        raise ParameterError(wrong, got=repr(amount)[:40])
    return whole, held.code


def one_of(value: object, choices: tuple[str, ...], what: str) -> str:
    """Return a word that is among some choices.

    Raises
    ------
    ParameterError
        When it is not, naming the nearest.
    """
    if value in choices:
        return str(value)
    close = nearest(str(value), choices)
    raise ParameterError(
        f"{what} is unknown",
        got=repr(value)[:60],
        allowed=listed(choices),
        hint=f"did you mean {close!r}?" if close else None,
    )


def _exact(row: Mapping[str, Any]) -> str:
    """Return an amount as exact text in major units."""
    if row["minor"] is None:
        return ""
    held = Currency.of(row["currency"])
    return f"{Decimal(row['minor']).scaleb(-held.decimals):.{held.decimals}f}"


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
