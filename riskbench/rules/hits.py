"""Which rules hit which events, and which rule decides each: the one thing that every report reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.labels import FRAUD, GOOD, STATES, UNKNOWN, LabelState, label_state
from riskbench.data.outcomes import ladder
from riskbench.data.velocity import velocity
from riskbench.engine.bits import Bits, pack
from riskbench.engine.kernel import evaluate
from riskbench.engine.tree import Node
from riskbench.metrics.costs import Costs, Worth, account_value, worth
from riskbench.rules.book import RuleBook
from riskbench.rules.force import checked_day, day_of, in_force
from riskbench.rules.rule import Rule

if TYPE_CHECKING:
    from riskbench.rules.signature import Signatures


@dataclass(frozen=True, eq=False)
class Hits:
    """A rule book's hits on events.

    Attributes
    ----------
    book : RuleBook
        The rules in force: with the values of regional deviations, and behind the written rules one a list that acts.
    dataset : Dataset
        The events, with the book's velocity features, up to the as-of moment.
    bits : Bits
        One line a rule, in book order.
    asof : str or Timestamp or None
        Only verdicts known by then count.
    lapsed : tuple of str
        What of the book no longer acts by then.
    day : str or None
        The ISO date whose lists and deviations act; None where no day is known, then nothing has lapsed.
    given : RuleBook or None
        The book as it was handed in; None where nothing tells it from the one in force.
    costs : Costs or None
        Stated costs that say what an account is worth; see `at`.
    """

    book: RuleBook
    dataset: Dataset
    bits: Bits
    asof: str | pd.Timestamp | None = None
    lapsed: tuple[str, ...] = ()
    day: str | None = None
    given: RuleBook | None = None
    costs: Costs | None = None

    def at(self, costs: Costs) -> Hits:
        """Return the hits with their money under stated costs: other ones only where these price accounts otherwise."""
        if (self.worth.account, self.worth.stated) == account_value(self.dataset, costs):
            return self
        return replace(self, costs=costs)

    @property
    def written(self) -> RuleBook:
        """The book as it is written: its lists with kind, owner and expiry, its deviations apart."""
        return self.book if self.given is None else self.given

    @cached_property
    def labels(self) -> LabelState:
        """What is known about each event; nothing where there is no label."""
        if self.dataset.roles.label is None:
            nothing = np.full(self.dataset.rows, UNKNOWN, dtype=np.int8)
            counts = tuple(self.dataset.rows if state == UNKNOWN else 0 for state in range(len(STATES)))
            return LabelState(nothing, counts, None, None, "no label given")
        return label_state(self.dataset, asof=self.asof)

    @cached_property
    def kinds(self) -> npt.NDArray[np.int8]:
        """What is known of each event: 0 good, 1 fraud, 2 unlabelled."""
        return np.minimum(self.labels.state, np.int8(2))

    @cached_property
    def stake(self) -> npt.NDArray[np.int64]:
        """What is at stake in each event, in minor units: a fraud's loss, a good event's margin, else 0."""
        state = self.labels.state
        return np.where(state == FRAUD, self.worth.loss, np.where(state == GOOD, self.worth.margin, 0))

    @cached_property
    def worth(self) -> Worth:
        """Each event's money."""
        return worth(self.dataset, self.costs)

    @cached_property
    def scale(self) -> float:
        """Minor units in one major unit; NaN without money, so that no value is measured."""
        return float(self.dataset.currency.scale) if self.worth.money else np.nan

    @cached_property
    def live(self) -> tuple[int, ...]:
        """The places of the live rules, in the order in which they decide."""
        return deciding_order(self.book)

    @cached_property
    def resolution(self) -> Resolution:
        """The deciding rule and outcome of each event."""
        return resolve(self.book, self.bits)

    @property
    def alerts(self) -> npt.NDArray[np.bool_]:
        """Which events get an outcome that does something."""
        effects = np.array([rung.effect != "none" for rung in ladder(self.book.domain).rungs])
        return effects[self.resolution.level]

    @cached_property
    def signatures(self) -> Signatures:
        """The distinct sets of rules that hit an event, with counts and money; built on first need."""
        from riskbench.rules.signature import signatures

        return signatures(self)


@dataclass(frozen=True, eq=False)
class Resolution:
    """What a book decides about each event.

    Attributes
    ----------
    rule : ndarray of int16, shape (rows,)
        The place in the book of the rule that decides; -1 where no live rule hits.
    level : ndarray of int8, shape (rows,)
        The outcome's place on the domain's ladder; 0 (the mildest) where no live rule hits.
    """

    rule: npt.NDArray[np.int16]
    level: npt.NDArray[np.int8]


def deciding_order(book: RuleBook) -> tuple[int, ...]:
    """Return the places of the live rules: smallest priority first, then the harsher outcome, then book order."""
    steps = ladder(book.domain)
    live = [place for place, rule in enumerate(book.rules) if rule.status == "live"]
    return tuple(sorted(live, key=lambda i: (book.rules[i].priority, -steps.level(book.rules[i].outcome), i)))


def resolve(book: RuleBook, bits: Bits) -> Resolution:
    """Return which live rule decides each event, and what it decides."""
    steps = ladder(book.domain)
    rule = np.full(bits.rows, -1, dtype=np.int16)
    level = np.zeros(bits.rows, dtype=np.int8)
    for place in reversed(deciding_order(book)):
        where = bits.positions(place)
        rule[where] = place
        level[where] = steps.level(book.rules[place].outcome)
    return Resolution(rule, level)


def prepared(book: RuleBook, dataset: Dataset, *, asof: str | pd.Timestamp | None = None) -> Dataset:
    """Return the events up to a moment, with the velocity features that the book names."""
    absent = {name: spec for name, spec in book.features.items() if name not in dataset.table}
    if absent:
        dataset = velocity(dataset, absent)
    if asof is not None and dataset.has("time"):
        column = dataset.column("time")
        dataset = dataset.where(column.present & (column.values <= micros(asof)))
    return dataset


def acting(book: RuleBook, dataset: Dataset, *, asof: str | pd.Timestamp | None = None) -> RuleBook:
    """Return a book as it acts on events: with the lists and regional deviations in force at a moment."""
    return in_force(book, day_of(dataset, asof)).book


def hits(
    book: RuleBook,
    dataset: Dataset,
    *,
    asof: str | pd.Timestamp | None = None,
    on: str | pd.Timestamp | None = None,
) -> Hits:
    """Apply every rule of a book to every event.

    Parameters
    ----------
    book : RuleBook
        The rules.
    dataset : Dataset
        The events.
    asof : str or Timestamp, optional
        Only events and verdicts up to then count (UTC).
    on : str or Timestamp, optional
        The day whose lists and deviations act: by default that of `asof`, else of the last event.

    Raises
    ------
    RuleError
        When a rule does not fit the events' columns.
    ParameterError
        When `on` is no day.
    """
    events = prepared(book, dataset, asof=asof)
    day = day_of(events, asof) if on is None else checked_day(on)
    stands = in_force(book, day)
    bits = apply(stands.book.rules, events)
    return Hits(stands.book, events, bits, asof, stands.lapsed, day, None if stands.book is book else book)


def apply(rules: Sequence[Rule], dataset: Dataset) -> Bits:
    """Return which events each rule hits; a region's parameters hold in that region.

    The rules are those in force: `in_force` puts in a book's lists and deviations.
    """
    nodes: list[Node] = []
    owner: list[tuple[int, str | None]] = []
    for place, rule in enumerate(rules):
        for region, node in variants(rule, dataset).items():
            nodes.append(node)
            owner.append((place, region))
    bits = evaluate(nodes, dataset.table)
    if len(nodes) == len(rules):
        return bits
    codes, names = dataset.regions
    within = {region: pack(_inside(codes, names, region)) for _, region in owner if region is not None}
    words = np.zeros((len(rules), bits.words.shape[1]), dtype=np.uint64)
    for line, (place, region) in enumerate(owner):
        if region is not None:
            words[place] |= bits.words[line] & within[region]
        else:
            elsewhere = bits.words[line].copy()
            for other in (r for p, r in owner if p == place and r is not None):
                elsewhere &= ~within[other]
            words[place] |= elsewhere
    return Bits(words, bits.rows)


def _inside(codes: npt.NDArray[np.int32], names: Sequence[str], region: str) -> npt.NDArray[np.bool_]:
    """Return the events of a region; a missing one and one that is called (missing) are one region."""
    return np.isin(codes, [place for place, name in enumerate(names) if name == region])


def variants(rule: Rule, dataset: Dataset) -> dict[str | None, Node]:
    """Return a rule's bound condition: under None with its defaults, and one a region with its own parameters."""
    aliases = dataset.roles.named()
    present = set(dataset.regions[1]) if rule.apart else set()
    regions: list[str | None] = [None, *(region for region in rule.apart if region in present)]
    return {region: rule.bind(dataset.kinds, region=region, aliases=aliases) for region in regions}
