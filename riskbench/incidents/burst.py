"""Which entities had a burst of frauds, and which of those bursts are one thing?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.display.mask import masked
from riskbench.engine.columns import DAY
from riskbench.incidents.incident import Incident
from riskbench.incidents.measure import Measure
from riskbench.incidents.scope import Scope
from riskbench.incidents.sweep import value_text
from riskbench.metrics.burst import bursts
from riskbench.rules.mining.pieces import column_text

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

#: Bursts that begin within so much of each other may be one thing.
_TOGETHER = DAY
#: A condition lists so many values at most.
_LISTED = 50


@dataclass(frozen=True, slots=True, eq=False)
class EntityBurst:
    """One entity's burst.

    Attributes
    ----------
    column, value : str
        Who.
    said : str or None
        The same as rule text.
    first, last : int
        The first and the last hit, microseconds since 1970, UTC.
    rows : ndarray of intp
        The events of the entity in that time.
    frauds : int
        Hits that no stronger burst explains.
    hits : ndarray of intp
        All hits among the rows.
    expected, strength, q : float
        Hits at the usual rate, the likelihood ratio, the q-value.
    """

    column: str
    value: str
    said: str | None
    first: int
    last: int
    rows: npt.NDArray[np.intp]
    hits: npt.NDArray[np.intp]
    frauds: int
    expected: float
    strength: float
    q: float


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Bursts of one column that began together."""

    bursts: tuple[EntityBurst, ...]

    @property
    def strength(self) -> float:
        """The sum of the likelihood ratios."""
        return sum(burst.strength for burst in self.bursts)

    @property
    def said(self) -> str:
        """Who, in words, without a whole id."""
        first = self.bursts[0]
        if len(self.bursts) == 1:
            return f"{first.column} {masked(first.value)}"
        return f"{len(self.bursts)} of {first.column}, from {masked(first.value)} on"

    @property
    def ends(self) -> tuple[int, int]:
        """From the first hit to just after the last, microseconds since 1970, UTC."""
        return min(burst.first for burst in self.bursts), max(burst.last for burst in self.bursts) + 1_000_000

    @property
    def condition(self) -> str | None:
        """The rule text that picks them; None where a value cannot be written as one."""
        said = [burst.said for burst in self.bursts[:_LISTED]]
        if any(text is None for text in said):
            return None
        known = [str(text) for text in said]
        name = column_text(self.bursts[0].column)
        head = f"{name} = "
        if len(known) == 1 or not all(text.startswith(head) for text in known):
            return " OR ".join(known)
        return f"{name} IN ({', '.join(text.removeprefix(head) for text in known)})"


def swept_entities(
    scope: Scope, hit: Measure, columns: Sequence[str], inside: Mask, *, since: int | None, level: float
) -> tuple[list[EntityBurst], int]:
    """Return the entities that had a burst of hits, the strongest first, and how many were looked at."""
    dataset = scope.dataset
    exposure = np.ones(dataset.rows) if hit.exposure is None else np.asarray(hit.exposure, dtype=np.float64)
    used = np.flatnonzero(inside & (exposure > 0))
    codes: list[Ints] = []
    for name in columns:
        column = dataset.column(name)
        held = _codes(column.values[used])
        codes.append(np.where(column.present[used], held, -1))
    times = scope.times[used]
    hits = np.asarray(hit.amount)[used] > 0
    found = bursts(codes, times, hits, exposure[used], since=since, level=level)
    out = []
    order: dict[int, tuple[Ints, Ints]] = {}
    for place in range(len(found.entity)):
        which = int(found.column[place])
        if which not in order:
            rank = np.argsort(codes[which], kind="stable")
            order[which] = rank, codes[which][rank]
        rank, ranked = order[which]
        code = int(found.entity[place])
        rows = rank[np.searchsorted(ranked, code) : np.searchsorted(ranked, code, side="right")]
        rows = rows[(times[rows] >= found.first[place]) & (times[rows] <= found.last[place])]
        name = columns[which]
        value = _value(dataset, name, int(used[rows[0]]))
        out.append(
            EntityBurst(
                name, value, value_text(name, value, dataset.kinds[name]), int(found.first[place]),
                int(found.last[place]), used[rows], used[rows[hits[rows]]], int(found.hits[place]),
                float(found.expected[place]), float(found.strength[place]), float(found.q[place]),
            )
        )  # fmt: skip
    return out, found.tests


def grouped(found: Sequence[EntityBurst], *, explained: Sequence[Mask]) -> list[Group]:
    """Return bursts of one column that began together as one group, without those that an alarm explains."""
    left = [burst for burst in found if not any(mask[burst.hits].mean() >= 0.5 for mask in explained)]
    groups: list[list[EntityBurst]] = []
    for burst in left:
        for group in groups:
            head = group[0]
            both = min(head.last, burst.last) - max(head.first, burst.first)
            either = max(head.last, burst.last) - min(head.first, burst.first)
            near = abs(head.first - burst.first) <= _TOGETHER and abs(head.last - burst.last) <= _TOGETHER
            if head.column == burst.column and (near or (both >= 0.8 * either > 0)):
                group.append(burst)
                break
        else:
            groups.append([burst])
    made = [Group(tuple(group)) for group in groups]
    return sorted(made, key=lambda group: (-group.strength, group.bursts[0].column, group.bursts[0].value))


def draft(group: Group, hit: Measure, baseline: tuple[str, str] | None) -> Incident:
    """Return a group of bursts as an incident to investigate."""
    first, last = (pd.Timestamp(moment, unit="us").isoformat() for moment in group.ends)
    return Incident(
        first,
        last,
        baseline=baseline,
        where=group.condition,
        title=f"{hit.title}: {group.said}"[:120],
        measure=hit.name,
    )


def _codes(values: npt.NDArray[np.generic]) -> Ints:
    if values.dtype == np.int32:  # words are coded already
        return values.astype(np.int64)
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _value(dataset: Dataset, name: str, row: int) -> str:
    column = dataset.column(name)
    if column.kind == "string" and column.words is not None:
        return str(column.words[int(column.values[row])].as_py())
    return str(column.values[row].item())
