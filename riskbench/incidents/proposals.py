"""Which changes of the rule book might contain an incident? New rules, moved cuts, promoted rules, lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.outcomes import ladder
from riskbench.data.velocity import Feature
from riskbench.engine.columns import DAY
from riskbench.errors import RiskbenchError
from riskbench.incidents.scope import Scope
from riskbench.rules.book import RuleBook
from riskbench.rules.lists import MAX_VALUES, NamedList
from riskbench.rules.mining.pieces import column_text
from riskbench.rules.near import near_misses
from riskbench.rules.param import is_number
from riskbench.rules.placing import priority_for
from riskbench.rules.rule import Rule, Status

Mask = npt.NDArray[np.bool_]

#: A list is to be looked at again after so many days.
EXPIRES = 14
#: A moved cut is tried for the live and shadow rules that so large a share of the suspected events just missed.
_MANY = 0.05
#: Where a parameter stands in no plain comparison, these multiples of it are tried.
_TRIED = (0.25, 0.5, 0.75, 1.5, 2.0, 4.0)


@dataclass(frozen=True, eq=False)
class Proposal:
    """One change of the rule book.

    Attributes
    ----------
    name : str
        The rule's id; `RULE.parameter=value` for a moved cut.
    source : {"incident", "segment", "mined", "parameter", "promoted", "attribution", "list"}
        Where it comes from.
    rule : Rule
        The rule as it would be, live.
    features : mapping of str to Feature
        Velocity features that the book would need.
    lists : mapping of str to NamedList
        Lists that the book would need: all members known; the rule was tried with those known where it was found.
    replaces : str or None
        The rule of the book that it changes; None: it is added.
    blind : bool
        Whether it was found without the events that it is checked on.
    """

    name: str
    source: str
    rule: Rule
    features: Mapping[str, Feature] = field(default_factory=dict)
    lists: Mapping[str, NamedList] = field(default_factory=dict)
    replaces: str | None = None
    blind: bool = True

    @property
    def condition(self) -> str:
        """What it hits, in words."""
        text = self.rule.in_words()
        for name, held in self.lists.items():
            said = f"(list of {len(held.values):,})"
            text = re.sub(rf":{re.escape(name)}\b", said, text)
        return text

    def in_book(self, book: RuleBook, status: Status = "live") -> RuleBook:
        """Return the book with the change, as a rule of some status."""
        features = {name: feature.to_mapping() for name, feature in self.features.items() if name not in book.features}
        book = replace(book, features={**book.features, **features}, lists={**book.lists, **self.lists})
        if self.replaces is None:
            return book.with_rule(replace(self.rule, status=status))
        if self.source == "promoted":
            return book.with_status(self.replaces, status)
        if status == "live":
            return book.with_rule(replace(self.rule, id=self.replaces, status="live"))
        own = free_id(book, f"{self.replaces}-B")
        return book.with_rule(replace(self.rule, id=own, status=status))


def free_id(book: RuleBook, wanted: str) -> str:
    """Return an id that no rule of the book bears."""
    taken = {rule.id for rule in book.rules}
    name, more = wanted, 2
    while name in taken:
        name, more = f"{wanted}-{more}", more + 1
    return name


def with_outcome(proposal: Proposal, book: RuleBook, outcome: str) -> Proposal:
    """Return an added rule with another outcome, and the priority that goes with it."""
    return replace(proposal, rule=replace(proposal.rule, outcome=outcome, priority=priority_for(book, outcome)))


def added(
    book: RuleBook, dataset: Dataset, found: Iterable[str | Rule], source: str, *, blind: bool
) -> tuple[list[Proposal], list[str]]:
    """Return a proposal for each condition or rule that can be read, and a remark for each that cannot."""
    made: list[Proposal] = []
    notes = []
    for one in found:
        name = free_id(book, f"CONTAIN-{source.upper()}-{len(made) + 1}")
        outcome = ladder(dataset.domain).first("review")
        try:
            rule = Rule(name, one, outcome) if isinstance(one, str) else replace(one, id=name, outcome=outcome)
            rule = replace(rule, status="live")
            rule.bind(dataset.kinds, aliases=dataset.roles.named())
        except RiskbenchError as wrong:
            notes.append(f"A condition found ({source}) cannot stand in a rule: {wrong.what}")
            continue
        made.append(Proposal(name, source, rule, blind=blind))
    return made, notes


def moved_cuts(book: RuleBook, dataset: Dataset, rows: npt.NDArray[np.intp]) -> list[Proposal]:
    """Return live and shadow rules with a cut moved so that they catch events that they just missed."""
    events = dataset.take(rows)
    made: dict[str, Proposal] = {}
    for rule in book.rules:
        if rule.status not in ("live", "shadow") or ladder(book.domain).level(rule.outcome) == 0:
            continue
        for miss in near_misses(rule, events):
            if miss.param is None or int(miss.missed.sum()) < max(2, _MANY * len(rows)):
                continue
            spec = rule.params[miss.param]
            wanted: Sequence[float | None] = (miss.cut_for(0.5), miss.cut_for(0.9))
            if miss.op is None and is_number(spec.default):
                wanted = [float(f"{float(spec.default) * factor:.4g}") for factor in _TRIED]  # type: ignore[arg-type]
            for cut in wanted:
                if cut is None or not np.isfinite(cut):
                    continue
                value = cut if spec.min is None else max(cut, float(spec.min))
                value = value if spec.max is None else min(value, float(spec.max))
                value = int(value) if float(value).is_integer() else value
                if value == spec.default:
                    continue
                name = f"{rule.id}.{miss.param}={value:.15g}"
                moved = replace(rule.with_params({miss.param: value}), status="live")
                made[name] = Proposal(name, "parameter", moved, replaces=rule.id)
    return list(made.values())


def promoted(book: RuleBook) -> list[Proposal]:
    """Return each shadow rule made live."""
    return [
        Proposal(f"{rule.id} made live", "promoted", replace(rule, status="live"), replaces=rule.id)
        for rule in book.rules
        if rule.status == "shadow"
    ]


def listed_members(
    scope: Scope, members: pd.DataFrame, rows: npt.NDArray[np.intp], *, known: npt.NDArray[np.intp], blind: bool
) -> list[Proposal]:
    """Return block lists of ring members that suspected events bear, one a column.

    Parameters
    ----------
    members : DataFrame
        entity, column; as a ring finder gives them.
    rows : ndarray of intp
        All suspected events: the list that a book gets.
    known : ndarray of intp
        Those from before the check: the list that is tried.
    """
    book, dataset = scope.book, scope.dataset
    made: list[Proposal] = []
    expires = str(pd.Timestamp(scope.incident.window[1] + EXPIRES * DAY, unit="us").date())
    for column in dict.fromkeys(str(name) for name in members["column"]):
        if column not in dataset.table or dataset.kinds[column] not in ("string", "int"):
            continue
        wanted = {str(value) for value in members.loc[members["column"] == column, "entity"]}
        every, tried = (
            tuple(value for value in _values(dataset, column, some) if str(value) in wanted)[:MAX_VALUES]
            for some in (rows, known)
        )
        if not tried:
            continue
        stem = re.sub(r"[^A-Za-z0-9_]+", "_", column)[:50].strip("_") or "entities"
        name = f"incident_{stem}"
        while name in book.lists:
            name += "_2"
        rule = Rule(
            free_id(book, f"CONTAIN-LIST-{len(made) + 1}"),
            f"{column_text(column)} IN :{name}",
            ladder(dataset.domain).first("stop"),
            status="live",
            title=f"Ring members by {stem}, until {expires}",
            lists={name: tried},
        )
        held = NamedList(every, expires=expires, reason="Members of rings found in an incident")
        made.append(Proposal(rule.id, "list", rule, lists={name: held}, blind=blind))
    return made


def within(proposals: Iterable[Proposal], where: str) -> list[Proposal]:
    """Return the added rules, each only for events that meet a condition; their effect elsewhere was not looked at."""
    found = [one for one in proposals if one.replaces is None]
    return [replace(one, rule=replace(one.rule, when=f"({where}) AND ({one.rule.when})")) for one in found]


def _values(dataset: Dataset, column: str, rows: npt.NDArray[np.intp]) -> list[Any]:
    """Return the distinct values of a column at some events, in order."""
    held = dataset.table.column(column)
    used = np.unique(held.values[rows][held.present[rows]])
    if held.words is not None:
        return sorted(str(held.words[int(code)].as_py()) for code in used)
    return [int(value) for value in used]
