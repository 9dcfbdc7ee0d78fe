"""What did being troubled change? Troubled events against untroubled ones that looked the same before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Fewer troubled customers than this, or fewer comparable ones: nothing is told.
LEAST = 30


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """How troubled events are set against untroubled ones of their stratum.

    Attributes
    ----------
    treated, control : ndarray of int64
        The rows that are compared.
    level, stratum : ndarray of int64, shape (treated,)
        Which stratification each troubled row was matched in, and its stratum there.
    weight : ndarray of float64, shape (control,)
        How many troubled rows each untroubled row stands for.
    left_over : int
        Troubled rows without a comparable one.
    """

    treated: Ints
    control: Ints
    level: Ints
    stratum: Ints
    weight: Floats
    left_over: int
    levels: tuple[Ints, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One measure of the troubled beside what is usual for their like.

    Attributes
    ----------
    troubled, usual, change, lower, upper : float or None
        Means an event, and their difference with its 95 % interval; None where too few are comparable.
    naive : float or None
        The plain difference between all troubled and all untroubled.
    n, customers, controls : int
        Troubled events compared, whose they are, and untroubled events beside them.
    why : str
        Why it is not measurable.
    """

    troubled: float | None
    usual: float | None
    change: float | None
    lower: float | None
    upper: float | None
    naive: float | None
    n: int
    customers: int
    controls: int
    why: str = ""


def match(treated: Mask, control: Mask, levels: Sequence[Ints]) -> Matches:
    """Set each troubled row against the untroubled ones of its finest stratum that holds at least two.

    Parameters
    ----------
    treated, control : ndarray of bool, shape (rows,)
        Which rows are troubled, and which are not.
    levels : sequence of ndarray of int, shape (rows,)
        Each row's stratum, from the finest stratification to the coarsest.

    >>> held = match(np.array([1, 0, 0, 0], bool), np.array([0, 1, 1, 1], bool), [np.array([7, 7, 7, 8])])
    >>> held.weight.tolist(), held.left_over
    ([0.5, 0.5, 0.0], 0)
    """
    rows, others = np.flatnonzero(treated), np.flatnonzero(control)
    level = np.full(len(rows), -1, dtype=np.int64)
    stratum = np.zeros(len(rows), dtype=np.int64)
    weight = np.zeros(len(others))
    packed = tuple(np.unique(codes, return_inverse=True)[1].astype(np.int64) for codes in levels)
    for place, codes in enumerate(packed):
        size = int(codes.max()) + 1 if len(codes) else 0
        held = np.bincount(codes[others], minlength=size)
        fits = (level < 0) & (held[codes[rows]] >= 2)
        level[fits], stratum[fits] = place, codes[rows][fits]
        own = np.bincount(codes[rows][fits], minlength=size)
        weight += (own / np.maximum(held, 1))[codes[others]]
    kept = level >= 0
    return Matches(rows[kept], others, level[kept], stratum[kept], weight, int((~kept).sum()), packed)


def changes(
    held: Matches, measures: Sequence[Floats], *, alike: Floats, cluster: Ints, least: int = LEAST
) -> list[Change]:
    """Return what being troubled changed in each measure, on average over the troubled.

    Within a stratum what still differs is taken off by a line fitted to the untroubled. The interval is clustered
    by customer and uses Student's t with the degrees of freedom that the spread of the clusters leaves.

    Parameters
    ----------
    held : Matches
        Which rows are compared.
    measures : sequence of ndarray of float, shape (rows,)
        What came after each row: left or not, orders, money.
    alike : ndarray of float, shape (rows, columns)
        What was known before: the line's columns.
    cluster : ndarray of int, shape (rows,)
        Each row's customer.
    least : int
        So many troubled and so many comparable customers are needed.

    Source: Abadie, A. and Imbens, G. (2011), Bias-corrected matching estimators, JBES 29, 1-11; Bell, R. and
    McCaffrey, D. (2002), Survey Methodology 28, 169-181 (degrees of freedom).
    """
    treated, control = held.treated, held.control
    n, many = len(treated), len(np.unique(cluster[treated]))
    used = control[held.weight > 0]
    others = len(np.unique(cluster[used]))
    if many < least or others < least:
        told = (
            f"{many} troubled customers can be compared" if many < least else f"{others} untroubled customers are alike"
        )
        return [Change(None, None, None, None, None, None, n, many, len(used), f"only {told}") for _ in measures]
    slopes = _Line(held, alike)
    return [_change(held, value, slopes, cluster, many) for value in measures]


class _Line:
    """The least-squares line of a measure on what was known before, within the finest strata of the untroubled."""

    def __init__(self, held: Matches, alike: Floats) -> None:
        treated, control = held.treated, held.control
        codes = held.levels[0][control]
        size = int(held.levels[0].max()) + 1
        count = np.maximum(np.bincount(codes, minlength=size), 1)
        means = np.stack([np.bincount(codes, weights=col, minlength=size) / count for col in alike[control].T], axis=1)
        spread = alike[control] - means[codes]
        free = int((np.bincount(codes, minlength=size) > 0).sum())
        self.within, self.alike, self.codes, self.count = spread, alike, codes, count
        usable = spread.std(axis=0) > 1e-9
        if len(control) - free < 10 * max(1, int(usable.sum())):
            usable[:] = False
        self.usable = usable
        self.inverse = np.linalg.pinv(spread[:, usable].T @ spread[:, usable])
        self.usual = np.zeros((len(treated), alike.shape[1]))
        for place, codes_ in enumerate(held.levels):
            mine = held.level == place
            if not mine.any():
                continue
            width = int(codes_.max()) + 1
            each = np.maximum(np.bincount(codes_[control], minlength=width), 1)
            for col in range(alike.shape[1]):
                mean = np.bincount(codes_[control], weights=alike[control, col], minlength=width) / each
                self.usual[mine, col] = mean[held.stratum[mine]]
        self.apart = (alike[treated] - self.usual)[:, usable].mean(axis=0)

    def fit(self, value: Floats) -> Floats:
        """Return the slopes of a measure of the untroubled rows."""
        own = value - (np.bincount(self.codes, weights=value, minlength=len(self.count)) / self.count)[self.codes]
        return self.inverse @ (self.within[:, self.usable].T @ own)


def _change(held: Matches, value: Floats, line: _Line, cluster: Ints, many: int) -> Change:
    treated, control = held.treated, held.control
    n, own, other = len(treated), value[treated], value[control]
    slopes = line.fit(other)
    tilted = line.alike[:, line.usable] @ slopes
    usual = np.zeros(n)
    pull = np.zeros(len(control))
    for place, codes in enumerate(held.levels):
        mine = held.level == place
        if not mine.any():
            continue
        size = int(codes.max()) + 1
        count = np.bincount(codes[control], minlength=size)
        flat = np.bincount(codes[control], weights=other - tilted[control], minlength=size) / np.maximum(count, 1)
        usual[mine] = flat[held.stratum[mine]] + tilted[treated[mine]]
        share = np.bincount(held.stratum[mine], minlength=size) / np.maximum(count, 1)
        rest = other - tilted[control] - flat[codes[control]]
        few = np.sqrt(count / np.maximum(count - 1, 1))
        pull -= (share * few)[codes[control]] * rest / n
    centre = np.bincount(line.codes, weights=other - tilted[control], minlength=len(line.count)) / line.count
    left = other - tilted[control] - centre[line.codes]
    pull -= (line.within[:, line.usable] @ (line.inverse @ line.apart)) * left
    change = float((own - usual).mean())
    push = (own - usual - change) / n * np.sqrt(many / max(1, many - 1))
    size = int(cluster.max()) + 1
    sums: Floats = np.bincount(cluster[treated], weights=push, minlength=size).astype(np.float64)
    sums += np.bincount(cluster[control], weights=pull, minlength=size)
    half = float(np.hypot(spread(sums), 1.96 * _rare(own)))
    naive = float(own.mean() - other.mean())
    return Change(
        float(own.mean()),
        float(usual.mean()),
        change,
        change - half,
        change + half,
        naive,
        n,
        many,
        int((held.weight > 0).sum()),
    )


def _rare(own: Floats) -> float:
    """Return the standard error that a share still has where nearly none or nearly all of the troubled show it."""
    if not np.isin(own, (0.0, 1.0)).all():
        return 0.0
    n, k = len(own), float(own.sum())
    seen, least = k / n * (1 - k / n), (k + 1) / (n + 2) * (1 - (k + 1) / (n + 2))
    return float(np.sqrt(max(0.0, least - seen) / n))


def spread(parts: Floats) -> float:
    """Return half of the 95 % interval of a sum of independent parts that are centred at 0.

    Student's t with the degrees of freedom that the parts' own spread leaves: few large parts, few degrees.

    >>> round(spread(np.ones(400)), 1)
    39.3
    """
    from scipy.special import stdtrit

    second, fourth = float((parts**2).sum()), float((parts**4).sum())
    count = int(np.count_nonzero(parts))
    if count < 2 or second <= 0:
        return 0.0
    excess = fourth - second**2 / count
    free = float(count - 1) if excess <= 0 else min(count - 1.0, 2 * second**2 / excess)
    return float(stdtrit(max(free, 2.0), 0.975)) * float(np.sqrt(second))
