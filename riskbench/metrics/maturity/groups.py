"""Which delay curve speaks for which event? One a source and group where enough verdicts bear it, else a wider one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.metrics.maturity.curve import FEWEST, DelayCurve, delay_curve

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Where a smaller share of the frauds is told by now, nothing is corrected: it is not measurable yet.
LEAST_SHARE = 0.3
#: So much of each source that matters must be told too; a source matters that tells so much of the frauds.
LEAST_OF_SOURCE, MATTERS = 0.1, 0.1
#: So many verdicts bear a curve of their own.
OWN = 60
#: So many frauds of the usual rate lean that of a group.
_LEANT = 4.0
#: So many verdicts bear the end of a curve at the least.
LEAST_AT_END = 5
ALL = "all"


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The curves, and which one speaks for which event.

    Attributes
    ----------
    curves : mapping of str to DelayCurve
        By name: the group and, where there are sources, the source.
    bearer : ndarray of int64, shape (rows,)
        The curve of each known fraud, as a place in `curves`; -1 of other events.
    group : ndarray of int64, shape (rows,)
        The group of each event, once small ones are pooled.
    names : tuple of str
        The groups' names.
    edges : ndarray of float64, shape (groups,)
        The age in days from which on a group's events are old enough.
    share : ndarray of float64, shape (rows,)
        The share told by each event's age: of a known fraud by its source, of others by the group.
    mixtures : tuple of (Floats, Floats)
        Each group's share told by age, over its sources: days and shares.
    parts : tuple of tuple of (str, int, float)
        Each group's sources: the name, its place in `curves`, and its share of the group's frauds in the end.
    rate : ndarray of float64, shape (groups,)
        The frauds an event of each group comes to in the end, leant on all events where few are told.
    """

    curves: dict[str, DelayCurve]
    bearer: Ints
    group: Ints
    names: tuple[str, ...]
    edges: Floats
    share: Floats
    mixtures: tuple[tuple[Floats, Floats], ...]
    parts: tuple[tuple[tuple[str, int, float], ...], ...]
    rate: Floats


def cells(dataset: Dataset, timed: Mask, delay: Floats, age: Floats, by: Sequence[str]) -> Cells:
    """Return the curves of all groups, and each event's share told by its age."""
    source, sources = _sources(dataset)
    group, names, wider = _pooled(dataset, timed, by)
    curves: dict[str, DelayCurve] = {ALL: _curve(delay[timed], age[timed])}
    place = {ALL: 0}
    bearer = np.full(dataset.rows, -1, dtype=np.int64)
    share = np.zeros(dataset.rows)
    edges = np.zeros(len(names))
    mixtures, parts = [], []
    old = np.nan_to_num(age, nan=np.inf)

    thin = np.bincount(source[timed], minlength=max(len(sources), 1)) < OWN

    def curve_of(mask: Mask, name: str, *, least: int = OWN) -> int | None:
        if name not in place:
            if int(np.count_nonzero(mask)) < least:
                return None
            place[name] = len(curves)
            curves[name] = _curve(delay[mask], age[mask])
        return place[name]

    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(len(names) + 1))
    for number, name in enumerate(names):
        rows = order[ends[number] : ends[number + 1]]
        # A group over all regions rests on the verdicts of all, also of regions that have curves of their own.
        mine = wider[name] if name in wider else timed & (group == number)
        told = np.flatnonzero(mine) if name in wider else rows[timed[rows]]
        speaks = np.zeros(len(told), dtype=np.int64)
        for code in np.unique(source[told]).tolist() if sources else []:
            found = curve_of(mine & (source == code), _named(name, sources[code]))
            if found is None:
                found = curve_of(timed & (source == code), _named(ALL, sources[code]))
            if found is None:
                # Beside a source with a curve of its own, the curve of all would hold that source's delays too.
                found = curve_of(timed & thin[source], _named(ALL, "other sources"), least=FEWEST)
            speaks[source[told] == code] = place[ALL] if found is None else found
        if not sources:
            found = place[ALL] if name == ALL else curve_of(mine, name)
            speaks[:] = place[ALL] if found is None else found
        inside = group[told] == number
        bearer[told[inside]] = speaks[inside]
        held = list(curves.values())
        weight = _weights(held, speaks, old[told])
        days, shares, edges[number] = _mixture(held, weight)
        mixtures.append((days, shares))
        parts.append(_parts(weight, speaks, source[told], sources))
        share[rows] = np.concatenate(([0.0], shares))[np.searchsorted(days, old[rows], side="right")]
    rate = _rates(group, timed, share, len(names))
    for number, curve in enumerate(curves.values()):
        own = np.flatnonzero(bearer == number)
        share[own] = curve.at(old[own])
    return Cells(curves, bearer, group, names, edges, share, tuple(mixtures), tuple(parts), rate)


def _rates(group: Ints, timed: Mask, share: Floats, size: int) -> Floats:
    """Return the frauds an event of each group comes to in the end, leant on all events where few are told."""
    told = np.bincount(group[timed], minlength=size).astype(np.float64)
    due = np.bincount(group, weights=share, minlength=size)
    whole = float(told.sum()) / max(float(due.sum()), 1e-300)
    return np.ones(size) if whole <= 0 else np.asarray((told + _LEANT) / (due + _LEANT / whole))


def _curve(delay: Floats, age: Floats) -> DelayCurve:
    """Return the curve of some verdicts; where they are few, fewer must bear its end, else late ones have no part."""
    return delay_curve(delay, age, fewest=int(np.clip(len(delay) // 5, LEAST_AT_END, FEWEST)))


def _weights(curves: list[DelayCurve], bearer: Ints, age: Floats) -> dict[int, float]:
    """Return which curves speak for a group's frauds, and for how large a share of them in the end."""
    used = np.unique(bearer)
    if not len(used):
        return {0: 1.0}
    # All over the same ages, else a slow source would lack those at which too little of it is told.
    since = max((curves[number].age_of(LEAST_SHARE) or 0.0 for number in used.tolist()), default=0.0)
    weight = np.zeros(len(used))
    for place, number in enumerate(used.tolist()):
        told = curves[number].at(age[(bearer == number) & (age >= since)])
        weight[place] = float((1.0 / told[told >= LEAST_SHARE]).sum())
    weight = weight / weight.sum() if weight.sum() > 0 else np.full(len(used), 1.0 / len(used))
    return dict(zip(used.tolist(), weight.tolist(), strict=True))


def _parts(
    weight: dict[int, float], bearer: Ints, source: Ints, sources: tuple[str, ...]
) -> tuple[tuple[str, int, float], ...]:
    """Return a group's sources: each with its curve and its share; sources of one curve share it by their verdicts."""
    out = []
    for number, part in weight.items():
        codes, counts = np.unique(source[bearer == number], return_counts=True)
        if not sources or not len(codes):
            out.append(("", number, part))
            continue
        out += [
            (sources[code], number, part * count / counts.sum())
            for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
        ]
    return tuple(out)


def _mixture(curves: list[DelayCurve], weights: dict[int, float]) -> tuple[Floats, Floats, float]:
    """Return the share told by age over several sources, and the age from which on events are old enough."""
    used, weight = np.array(list(weights)), np.array(list(weights.values()))
    days = np.unique(np.concatenate([curves[number].days for number in used.tolist()]))
    if not len(days):
        return np.zeros(0), np.zeros(0), 0.0
    shares = sum(
        (part * curves[n].at(days) for part, n in zip(weight, used.tolist(), strict=True)), np.zeros(len(days))
    )
    edge = float(days[min(int(np.searchsorted(shares, LEAST_SHARE - 1e-12)), len(days) - 1)])
    for part, number in zip(weight.tolist(), used.tolist(), strict=True):
        first = curves[number].age_of(LEAST_OF_SOURCE)
        if part >= MATTERS and first is not None:
            edge = max(edge, first)
    return days, np.minimum(shares, 1.0), edge


def _pooled(dataset: Dataset, timed: Mask, by: Sequence[str]) -> tuple[Ints, tuple[str, ...], dict[str, Mask]]:
    """Return each event's group, the finest that enough verdicts bear: columns are left out from the last.

    Where not even the region alone is borne, the others speak over all regions; the verdicts of such groups come too.
    """
    region = dataset.roles.region
    columns = list(dict.fromkeys(dataset.resolve(name) for name in ([region] if region else []) + list(by)))
    columns = [name for name in columns if name != dataset.roles.label_source]
    group = np.zeros(dataset.rows, dtype=np.int64)
    names, wider = [ALL], dict[str, Mask]()
    open_ = np.ones(dataset.rows, dtype=bool)
    others = columns[1:] if region and dataset.resolve(region) in columns[:1] else []
    for some in [*(columns[:n] for n in range(len(columns), 0, -1)), *(others[:n] for n in range(len(others), 0, -1))]:
        codes, words = _crossed(dataset, some)
        enough = np.bincount(codes[timed], minlength=len(words)) >= OWN
        for code in np.flatnonzero(enough).tolist():
            own = open_ & (codes == code)
            if own.any():
                name = words[code] if some[0] == columns[0] else _named(ALL, words[code])
                if some[0] != columns[0]:
                    wider[name] = timed & (codes == code)
                group[own] = len(names)
                names.append(name)
                open_ &= ~own
    used, inverse = np.unique(group, return_inverse=True)
    return inverse.astype(np.int64), tuple(names[number] for number in used.tolist()) or (ALL,), wider


def _crossed(dataset: Dataset, columns: Sequence[str]) -> tuple[Ints, list[str]]:
    codes, words = np.zeros(dataset.rows, dtype=np.int64), [""]
    for column in columns:
        code, names = dataset.segment(column)
        used, codes = np.unique(codes * len(names) + code, return_inverse=True)
        words = [
            _named(words[number // len(names)], names[number % len(names)])
            if words[number // len(names)]
            else names[number % len(names)]
            for number in used.tolist()
        ]
    return codes.astype(np.int64), words


def _sources(dataset: Dataset) -> tuple[Ints, tuple[str, ...]]:
    if dataset.roles.label_source is None:
        return np.zeros(dataset.rows, dtype=np.int64), ()
    codes, names = dataset.segment(dataset.roles.label_source)
    return codes.astype(np.int64), names


def _named(group: str, part: str) -> str:
    return f"{group} · {part}"
