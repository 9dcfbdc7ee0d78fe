"""Which let-through events stand for which stopped ones? The arrays of a random let-through, cut into strata."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.errors import ParameterError
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
#: What a group's stopped events sum to: value, lower, upper.
Ends = tuple[float, float, float]

#: Strata with fewer let-through rows are joined with the next.
LEAST_ROWS = 10
#: A stratum is cut into bands of size, each with at least so many let-through rows, and at most so many bands.
BAND_ROWS, MOST_BANDS = 30, 3
#: More distinct chances than this are cut into so many groups.
MOST_CHANCES = 12


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """A random let-through as arrays, all of shape (rows,).

    Attributes
    ----------
    values : ndarray of float64
        What each event counts by its verdict; 0 where it has none.
    labelled : ndarray of bool
        Events that passed and have a verdict.
    chance : ndarray of float64
        The chance to pass.
    weight : ndarray of float64
        What each known fraud stands for because labels are late.
    size : ndarray of float64 or None
        What each event counts if it is fraud.
    """

    values: Floats
    labelled: Mask
    chance: Floats
    weight: Floats
    size: Floats | None

    @classmethod
    def of(
        cls,
        values: npt.ArrayLike,
        labelled: Mask,
        chance: npt.ArrayLike,
        *,
        weight: npt.ArrayLike | None = None,
        size: npt.ArrayLike | None = None,
    ) -> Draw:
        """Return the arrays, checked.

        Raises
        ------
        ParameterError
            When they differ in length, hold what is no number, or a chance lies outside 0..1.
        """
        known = np.asarray(labelled, dtype=bool)
        rows = len(known)
        value = np.where(known, _floats(values, rows, "values", where=known), 0.0)
        odds = _floats(chance, rows, "chance")
        if bool(((odds < 0) | (odds > 1)).any()):
            raise ParameterError("A chance lies in 0..1", got=f"{odds.min():g} to {odds.max():g}")
        late = np.ones(rows) if weight is None else _floats(weight, rows, "weight")
        held = None if size is None else _floats(size, rows, "size")
        if held is not None and not _within(value, held):
            raise ParameterError(
                "With `size`, a value lies between 0 and the event's size",
                hint="pass values=size * fraud, or what was lost of it",
            )
        return cls(value, known, odds, late, held)

    @property
    def sampled(self) -> Mask:
        """Events with a verdict that were let through at random: each stands for others."""
        return self.labelled & (self.chance > 0) & (self.chance < 1)

    @property
    def rest(self) -> Mask:
        """Events without a verdict for which let-through ones stand."""
        return ~self.labelled & (self.chance > 0) & (self.chance < 1)

    def groups(self, strata: npt.NDArray[np.integer] | None = None) -> list[Ints]:
        """Return the rows of each stratum: by chance, strata, sign and band of size, joined where too few.

        Each holds sampled rows and rows of the rest; where no row of one sign was sampled, those of the other stand
        for it too.
        """
        active = np.flatnonzero((self.sampled | self.rest) & (True if self.size is None else self.size != 0))
        if not len(active):
            return []
        codes = np.zeros(len(self.chance), dtype=np.int64) if strata is None else np.asarray(strata, dtype=np.int64)
        if len(codes) != len(self.chance):
            raise ParameterError("`strata` has one code a row", got=len(codes), allowed=len(self.chance))
        chances = _chance_codes(self.chance[active])
        fine = chances * (int(codes[active].max(initial=0)) + 1) + codes[active]
        found: list[Ints] = []
        signs = np.ones(len(active)) if self.size is None else np.sign(self.size[active])
        for sign in (1.0, -1.0):
            own = signs == sign
            if bool(self.rest[active[own]].any()):
                enough = int(self.sampled[active[own]].sum()) >= LEAST_ROWS
                taken = own if enough else own | self.sampled[active]
                found += self._joined(active[taken], fine[taken])
        return found

    def _joined(self, rows: Ints, fine: Ints) -> list[Ints]:
        """Return rows by stratum, small ones joined with the next, each cut into bands of size."""
        parts: list[Ints] = []
        waiting: list[Ints] = []
        for code in np.unique(fine):
            waiting.append(rows[fine == code])
            joined = np.concatenate(waiting)
            if int(self.sampled[joined].sum()) >= LEAST_ROWS:
                parts.append(joined)
                waiting = []
        if waiting:
            left = np.concatenate(waiting)
            parts = [*parts[:-1], np.concatenate((parts[-1], left))] if parts else [left]
        return [band for part in parts for band in self._bands(part)]

    def _bands(self, rows: Ints) -> list[Ints]:
        if self.size is None:
            return [rows]
        size = np.abs(self.size[rows])
        sampled = self.sampled[rows]
        bands = min(MOST_BANDS, int(sampled.sum()) // BAND_ROWS)
        if bands < 2 or size.min() == size.max():
            return [rows]
        cuts = np.quantile(size[sampled], np.arange(1, bands) / bands)
        code = np.searchsorted(cuts, size, side="right")
        return [rows[code == band] for band in range(bands) if bool((code == band).any())]

    def total(self, parts: Iterable[Ends]) -> Estimate:
        """Return what was counted and what the stopped events are told to sum to, as one estimate."""
        counted = self.values * self.weight
        late = float((self.values**2 * self.weight * np.maximum(self.weight - 1, 0)).sum())
        own, plain = float(counted.sum()), float(np.abs(self.values).sum())
        ends = np.array([(0.0, 0.0, 0.0), *parts])
        below = float(((ends[:, 0] - ends[:, 1]) ** 2).sum())
        above = float(((ends[:, 2] - ends[:, 0]) ** 2).sum())
        value = own + float(ends[:, 0].sum())
        inferred = float(np.abs(ends[:, 0]).sum()) + max(0.0, float(np.abs(counted).sum()) - plain)
        rests = bool(self.rest.any())
        return Estimate(
            value,
            value - float(np.sqrt(below + Z95**2 * late)),
            value + float(np.sqrt(above + Z95**2 * late)),
            int(self.sampled.sum()) if rests else int(self.labelled.sum()),
            inferred / (inferred + plain) if inferred > 0 else 0.0,
        )


def _floats(values: npt.ArrayLike, rows: int, name: str, *, where: Mask | None = None) -> Floats:
    held = np.asarray(values, dtype=np.float64)
    if held.shape != (rows,):
        raise ParameterError(f"`{name}` has one number a row", got=str(held.shape), allowed=f"({rows},)")
    if not np.isfinite(held if where is None else held[where]).all():
        raise ParameterError(f"`{name}` holds something that is no number")
    return held


def _within(values: Floats, size: Floats) -> bool:
    """Tell whether each value lies between 0 and the event's size, whatever its sign; a rounding apart."""
    slack = 1e-9 * np.abs(size)
    return bool(((values * np.sign(size) >= -slack) & (np.abs(values) <= np.abs(size) + slack)).all())


def _chance_codes(chance: Floats) -> Ints:
    """Return the stratum of each chance: the distinct ones, or groups of about equal numbers where there are many."""
    distinct, codes = np.unique(np.round(chance, 9), return_inverse=True)
    if len(distinct) <= MOST_CHANCES:
        return codes.astype(np.int64)
    cuts = np.unique(np.quantile(chance, np.arange(1, MOST_CHANCES) / MOST_CHANCES))
    return np.searchsorted(cuts, chance, side="right").astype(np.int64)


def mirrored(ends: Ends, sign: float) -> Ends:
    """Return a prediction of absolute sizes with its sign."""
    value, lower, upper = ends
    return ends if sign > 0 else (-value, -upper, -lower)


def joined(parts: Sequence[Ends]) -> Ends:
    """Return independent parts as one sum, its ends from those of the parts.

    Source: Zou, G. Y. and Donner, A. (2008), Construction of confidence limits about effect measures, Statistics in
    Medicine 27, 1693-1702.
    """
    ends = np.array([(0.0, 0.0, 0.0), *parts])
    value = float(ends[:, 0].sum())
    return (
        value,
        value - float(np.sqrt(((ends[:, 0] - ends[:, 1]) ** 2).sum())),
        value + float(np.sqrt(((ends[:, 2] - ends[:, 0]) ** 2).sum())),
    )
