"""Which cut does a region get: its own, leant on all others', or its parent's?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.calibration.capacity.answer import without_capacity
from riskbench.calibration.capacity.mixed import limits_at
from riskbench.calibration.curve import Curve, Rated, best, violation
from riskbench.calibration.pooled.curves import Flows, Rows, flows, grid, points
from riskbench.calibration.pooled.lean import Leant, lean
from riskbench.calibration.study import Study
from riskbench.metrics.constraints import Constraint

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

#: A region with fewer known frauds to choose on inherits its parent's cut, whatever they say.
FEWEST_FRAUDS = 5
#: An own cut must be better than the parent's with this chance.
LEAST_CHANCE = 0.7
#: Random curves behind the interval of a cut.
DRAWS = 400

PAYS, EXPECTED = "own cut pays", "own cut expected to pay"
FEW, NO_GAIN = "inherits the parent: too few frauds", "inherits the parent: no gain shown"
LIMITS, LOSES = "inherits the parent: no cut keeps to the limits", "inherits the parent: the own cut loses later"
SAME = "inherits the parent: the same cut"


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What one region is proposed.

    Attributes
    ----------
    own : float or None
        The best cut of the region's own curve alone; None where no cut keeps to the limits.
    pooled, lower, upper : float
        The best cut of its leant curve, and the ends within which it lies with 95 %.
    parent : float
        The parent's cut.
    chosen : float
        The pooled cut where it is expected to pay, else the parent's.
    weight : float, 0..1
        How much of it is the region's own evidence.
    gain, spread : float
        What the pooled cut is expected to gain per event over the parent's, and its standard deviation.
    chance : float, 0..1
        The chance that it gains anything.
    reading : str
        Why this cut.
    """

    own: float | None
    pooled: float
    lower: float
    upper: float
    parent: float
    chosen: float
    weight: float
    gain: float
    spread: float
    chance: float
    reading: str


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """What all regions are proposed.

    Attributes
    ----------
    choices : tuple of Choice
        One a region.
    groups : tuple of Choice
        One a group; none without a hierarchy.
    leant : Leant
        The regions' leant curves.
    frauds : ndarray of int64, shape (regions,)
        Known frauds to choose on.
    undone : int
        Regions that got their parent's cut because all own cuts together would break a limit.
    """

    choices: tuple[Choice, ...]
    groups: tuple[Choice, ...]
    leant: Leant
    frauds: npt.NDArray[np.int64]
    undone: int


def propose(
    study: Study,
    by_region: Sequence[Rows],
    cut: float,
    constraints: Sequence[Constraint],
    *,
    bounds: tuple[float, float],
    group: Ints | None = None,
    groups: int = 0,
    seed: int = 0,
) -> Proposal:
    """Return a cut for every region, chosen on the first window.

    Parameters
    ----------
    study : Study
        The events, priced.
    by_region : sequence of ndarray of int
        Each region's events of the window to choose on.
    cut : float
        The cut of all regions together; it is finite.
    constraints : sequence of Constraint
        Limits that each region keeps to within itself, and all regions together; those on capacity only together.
    bounds : (float, float)
        The rule book's bounds.
    group, groups : ndarray of int and int, optional
        Each region's group, and how many there are.
    seed : int
        Of the random curves behind the intervals.
    """
    everybody, asked = study, constraints
    study, constraints = without_capacity(study, constraints)
    mask = study.windows.choose.mask
    cuts = grid(study, mask, [cut], bounds)
    held = flows(study, by_region, cuts)
    frauds = np.array([int(np.count_nonzero(study.kinds[rows] == 1)) for rows in by_region], dtype=np.int64)
    known = float(frauds.sum())
    start = int(np.flatnonzero(cuts == cut)[0])
    above: tuple[Choice, ...] = ()
    starts = np.full(len(by_region), start)
    if group is None:
        leant = lean(held, known)
    else:
        wide = lean(held.joined(group, groups), known)
        of_group = np.bincount(group, frauds, minlength=groups)
        above = tuple(
            _choice(
                study.curve(np.concatenate([rows for rows, code in zip(by_region, group, strict=True) if code == one])),
                wide, (one, start), int(of_group[one]), constraints, bounds=bounds, seed=seed,
            )
            for one in range(groups)
        )  # fmt: skip
        starts = np.array([int(np.flatnonzero(cuts == above[code].chosen)[0]) for code in group])
        leant = lean(held, known, about=wide, group=group)
    drawn = [study.curve(rows) for rows in by_region]
    choices = [
        _choice(drawn[code], leant, (code, int(starts[code])), int(frauds[code]), constraints, bounds=bounds, seed=seed)
        for code in range(len(by_region))
    ]
    kept = _within_limits(drawn, choices, asked, held, whole=lambda own: limits_at(everybody, by_region, own))
    return Proposal(tuple(kept), above, leant, frauds, sum(a is not b for a, b in zip(kept, choices, strict=True)))


def _choice(
    drawn: Curve, leant: Leant, place: tuple[int, int], frauds: int, constraints: Sequence[Constraint], *,
    bounds: tuple[float, float], seed: int,
) -> Choice:  # fmt: skip
    from scipy.special import ndtr

    code, start = place
    cuts, parent = leant.cuts, float(leant.cuts[start])
    every = drawn.table.cuts
    broken = violation(drawn, constraints)
    allowed = (broken <= 0) & (every >= bounds[0]) & (every <= bounds[1])
    own = float(every[best(drawn.net, allowed)]) if drawn.total and allowed.any() else None
    fits = broken[points(drawn, cuts)] <= 0
    weight = leant.evidence(code, start, start)
    if not drawn.total or not fits.any():
        reading = LIMITS if drawn.total else FEW
        return Choice(own, parent, parent, parent, parent, parent, weight, 0.0, 0.0, 0.0, reading)
    gains = leant.gains(code, start)
    # Of equals the parent's cut, then the one with the fewest hits.
    end = int(np.argmax(np.where(fits, gains, -np.inf)))
    if fits[start] and gains[end] <= 0:
        end = start
    # Each region has the same draws, so that neither its name nor its place among the others moves its interval.
    rng = np.random.default_rng(seed)
    places = np.argmax(np.where(fits, leant.draws(code, DRAWS, rng), -np.inf), axis=1)
    ends = np.sort(cuts[np.quantile(places, [0.025, 0.975], method="nearest").astype(np.intp)])
    lower, upper = min(float(ends[0]), float(cuts[end])), max(float(ends[1]), float(cuts[end]))
    gain, spread = leant.gain(code, start, end)
    chance = float(ndtr(gain / spread)) if spread > 0 else 0.0
    weight = leant.evidence(code, start, end)
    reading = EXPECTED
    if frauds < FEWEST_FRAUDS:
        reading = FEW
    elif end == start:
        reading = SAME
    elif chance < LEAST_CHANCE:
        reading = NO_GAIN
    chosen = float(cuts[end]) if reading == EXPECTED else parent
    return Choice(own, float(cuts[end]), lower, upper, parent, chosen, weight, gain, spread, chance, reading)


@dataclass(frozen=True, slots=True, eq=False)
class Together(Rated):
    """What all regions come to at their chosen cuts."""

    alerts: npt.NDArray[np.int64]
    frauds: Floats
    goods: Floats
    insults: Floats
    reviews: npt.NDArray[np.int64]
    approved: npt.NDArray[np.int64]
    net: Floats
    total: int
    total_frauds: float
    total_goods: float
    squared: dict[str, Floats] | None = None
    limits: dict[Constraint, Floats] | None = None


def _within_limits(
    drawn: Sequence[Curve],
    choices: list[Choice],
    constraints: Sequence[Constraint],
    held: Flows,
    *,
    whole: Callable[[Sequence[float]], dict[Constraint, Floats]],
) -> list[Choice]:
    """Return the choices with as few own cuts undone as it takes that all regions together keep to the limits."""
    if not constraints:
        return choices
    kept = list(choices)
    worth = [choice.gain * held.events[code] for code, choice in enumerate(choices)]

    def broken(cuts: list[float]) -> bool:
        return float(violation(together(drawn, cuts, limits=whole(cuts)), constraints)[0]) > 0

    if broken([choice.parent for choice in kept]):
        return kept  # the parents' cuts alone break it already
    for code in np.argsort(worth, kind="stable"):
        if not broken([choice.chosen for choice in kept]):
            break
        if kept[code].chosen != kept[code].parent:
            kept[code] = replace(kept[code], chosen=kept[code].parent, reading=LIMITS)
    return kept


def together(
    drawn: Sequence[Curve], cuts: Sequence[float], *, limits: dict[Constraint, Floats] | None = None
) -> Together:
    """Return what curves of separate events come to, each at its own cut; `limits` is what it makes of capacity."""
    at = [(one, one.table.point(cut)) for one, cut in zip(drawn, cuts, strict=True)]
    names = ("alerts", "frauds", "goods", "insults", "reviews", "approved", "net")
    sums: dict[str, Any] = {name: np.array([sum(getattr(one, name)[place] for one, place in at)]) for name in names}
    return Together(
        **sums,
        total=sum(one.total for one in drawn),
        total_frauds=sum(one.total_frauds for one in drawn),
        total_goods=sum(one.total_goods for one in drawn),
        limits=limits,
    )
