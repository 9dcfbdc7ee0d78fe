"""By how much do segments move from stretch to stretch when nothing is wrong? Learned from the baseline itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from riskbench.errors import ParameterError
from riskbench.metrics.segment_space import Floats, Ints, added

#: Fewer stretches than this say too little.
FEWEST_STRETCHES = 6
#: A segment tells something from so many events a stretch on, counted in units of chance.
_LEAST = 1.0
#: No cell counts for more than this chi-square, so that an old incident in the baseline teaches nothing.
_CLIP = 9.0
#: The mean of chi-square with one degree of freedom, cut at the clip.
_MEAN = 0.995
#: The share of cells of which the largest counts are not taken as usual is 1 less this.
_SEEN = 0.9
#: No segment is taken to sway by more than this.
_MOST = 1.5


@dataclass(frozen=True)
class Usual:
    """How much segments move on their own.

    Attributes
    ----------
    sway : float
        By what share of its size a segment moves from stretch to stretch, beyond chance.
    seen : float
        From so many events on nothing is known: nine in ten of what was looked at had fewer.
    stretches : int
        How many stretches it was learned from.
    cells : int
        Segments times stretches.
    """

    sway: float
    seen: float
    stretches: int
    cells: int


def usual_sway(
    codes: Sequence[npt.ArrayLike],
    sizes: Sequence[int],
    amount: npt.ArrayLike,
    stretch: npt.ArrayLike,
    *,
    exposure: npt.ArrayLike | None = None,
    counts: bool = True,
) -> Usual | None:
    """Return how much segments usually sway, each stretch of the baseline held against the rest; None of too little.

    Use it before `scan` where the baseline is long: what is learned from the very window that is asked about takes
    an incident for a habit. Values of one dimension and pairs of them are looked at, each for itself; the larger
    sway counts. The share is such that chi-squares, none above 9, have the mean they should have.

    Parameters
    ----------
    codes, sizes : sequence of array, sequence of int
        For each dimension the rows' values as codes 0..size-1, -1 for none.
    amount : array, shape (rows,)
        Each row's numerator.
    stretch : array of int, shape (rows,)
        Each row's stretch, 0..stretches-1; -1 leaves a row out.
    exposure : array, shape (rows,), optional
        Each row's denominator, for a rate.
    counts : bool
        Whether numerators are counts, each on its own; else a row's amount comes as one piece, as money does.

    Raises
    ------
    ParameterError
        When the arrays do not fit together.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> weeks, lands = 40, rng.gamma(16, 1 / 16, (40, 5))  # each land sways by a quarter
    >>> cells = rng.poisson(200 * lands)
    >>> found = usual_sway([np.tile(np.arange(5), weeks)], [5], cells.ravel(), np.repeat(np.arange(weeks), 5))
    >>> 0.18 < found.sway < 0.32
    True
    """
    numerator, piece = np.asarray(amount, np.float64), np.asarray(stretch, np.int64)
    weight = None if exposure is None else np.asarray(exposure, np.float64)
    columns = [np.asarray(given, np.int64) for given in codes]
    if any(len(part) != len(numerator) for part in (piece, *columns, *([] if weight is None else [weight]))):
        raise ParameterError("Codes, stretches and exposures need one number a row")
    kept = piece >= 0
    if not kept.any():
        return None
    numerator, piece, columns = numerator[kept], piece[kept], [part[kept] for part in columns]
    weight = None if weight is None else weight[kept]
    stretches = int(piece.max()) + 1
    if stretches < FEWEST_STRETCHES:
        return None
    judge = _Judge(numerator, piece, weight, stretches, counts=counts)
    found: list[tuple[float, float, int]] = []
    ones = [(part, size) for part, size in zip(columns, sizes, strict=True) if judge.enough(part, size).any()]
    for size in (1, 2):
        parts = [judge.cells(keys, count) for keys, count in _keys(ones, judge, size)]
        if sum(len(gap) for gap, _ in parts):
            gap, chance = np.concatenate([gap for gap, _ in parts]), np.concatenate([part for _, part in parts])
            found.append((_sway(gap, chance), float(np.quantile(chance, _SEEN)), len(gap)))
    if not found:
        return None
    return Usual(max(found)[0], max(seen for _, seen, _ in found), stretches, sum(cells for _, _, cells in found))


def _keys(ones: list[tuple[Ints, int]], judge: _Judge, size: int) -> Iterator[tuple[Ints, int]]:
    """Yield every dimension, or pair of them, as codes; -1 where a value has too few events to tell anything."""
    kept = []
    for part, count in ones:
        enough = judge.enough(part, count)
        names = np.append(np.where(enough, np.cumsum(enough) - 1, -1), -1)
        kept.append((names[part], int(enough.sum())))
    if size == 1:
        yield from kept
        return
    for (one, first), (two, second) in combinations(kept, 2):
        keys = np.where((one >= 0) & (two >= 0), one * second + two, -1)
        enough = judge.enough(keys, first * second)
        if enough.any():
            yield np.append(np.where(enough, np.cumsum(enough) - 1, -1), -1)[keys], int(enough.sum())


class _Judge:
    """Holds each segment in each stretch against the other stretches."""

    def __init__(self, amount: Floats, piece: Ints, weight: Floats | None, stretches: int, *, counts: bool) -> None:
        self.amount, self.piece, self.weight, self.stretches = amount, piece, weight, stretches
        self.squares: Floats | None = None if counts else amount**2
        self.whole: Floats = added(piece, amount, stretches)
        self.exposed: Floats | None = None if weight is None else added(piece, weight, stretches)
        self.grain = 1.0 if self.squares is None else float(self.squares.sum() / max(amount.sum(), 1e-300))

    def enough(self, keys: Ints, size: int) -> npt.NDArray[np.bool_]:
        """Tell which values have enough events a stretch."""
        total = added(keys + 1, self.amount, size + 1)[1:]
        if self.squares is not None:
            total = total**2 / np.maximum(np.bincount(keys + 1, self.squares, size + 1)[1:], 1e-300)
        return np.asarray(total >= _LEAST * self.stretches)

    def cells(self, keys: Ints, size: int) -> tuple[Floats, Floats]:
        """Return each cell's chi-square by chance alone, and its variance in events."""
        place = (keys + 1) * self.stretches + self.piece
        shape = (size + 1, self.stretches)

        def table(values: Floats) -> Floats:
            return added(place, values, shape[0] * shape[1]).reshape(shape)[1:]

        now = table(self.amount)
        both = now.sum(axis=1, keepdims=True)
        grain: Floats | float = 1.0
        if self.squares is not None:
            grain = table(self.squares).sum(axis=1, keepdims=True) / np.maximum(both, 1e-300)
        all_now, everything = self.whole, float(self.whole.sum())
        if self.weight is None or self.exposed is None:
            expected = both * (all_now / max(everything, 1e-300))
        else:
            here, exposed = table(self.weight), self.exposed
            with np.errstate(divide="ignore", invalid="ignore"):
                outside = (all_now / exposed) / ((everything - all_now) / (exposed.sum() - exposed))
                odds = outside * here / np.maximum(here.sum(axis=1, keepdims=True) - here, 1e-300)
                expected = np.where(np.isfinite(odds), both * odds / (1 + odds), 0.0)
        chance = expected * (1 - expected / np.maximum(both, 1e-300)) / grain
        rest_both, rest = everything - both, np.maximum(all_now - expected, 0.0)
        other = rest * np.maximum(1 - rest / np.maximum(rest_both, 1e-300), 0.0) / self.grain
        usable = (chance >= _LEAST / 2) & (other > 0)
        gap = (now - expected)[usable] ** 2
        inside, beside = chance[usable], other[usable]
        wide = np.broadcast_to(np.asarray(grain), now.shape)[usable]
        return gap / wide**2 / inside + gap / self.grain**2 / beside, inside


def _sway(square: Floats, chance: Floats) -> float:
    """Return the sway at which clipped chi-squares have their mean."""
    weight = (chance / (1 + chance)) ** 2
    whole = float(weight.sum())

    def mean(sway: float) -> float:
        return float((weight * np.minimum(square / (1 + sway**2 * chance), _CLIP)).sum()) / whole

    if mean(0.0) <= _MEAN:
        return 0.0
    low, high = 0.0, _MOST
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if mean(middle) > _MEAN else (low, middle)
    return high
