"""Do events crowd just under a cut? Their number beside it, against the same at comparable places."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.curve import Op

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Windows on each side that the usual number is told from; the two at the cut are left out.
SIDE = 5
#: Fewer events than this around a cut, or fewer expected in its window, say nothing.
FEWEST, FEWEST_EXPECTED = 100, 5.0
#: How many comparable places are looked at, and the fewest that say how much places differ.
MOST_PLACES, FEWEST_PLACES = 60, 6
#: The window's width, as a share of the cut: the first that holds enough events.
WIDTHS = (0.01, 0.02, 0.05, 0.1)
#: Values of which fewer are distinct are heaped.
HEAPED = 0.95
#: Decimals that only the arithmetic of the machine has put there are left out.
_NEAR = 1e-11


@dataclass(frozen=True, slots=True)
class Bunching:
    """How many events stand just on the safe side of a cut, and how many would without it.

    Attributes
    ----------
    observed : int
        Events in the window.
    expected : float or None
        What the density around it and the heaping at comparable places would put there.
    excess, lower, upper : float or None
        Observed less expected, with its 95 % interval.
    p_value : float or None
        One-sided: how often chance alone crowds as many.
    low, high : float or None
        The window's ends.
    n : int
        Events that the usual density is told from.
    places : int
        How many comparable places the cut is held against.
    against : str
        "other places" or "before the launch".
    why : str or None
        Why it is not measurable.
    wider : bool
        Whether a wider window could still make it so.
    """

    observed: int
    expected: float | None = None
    excess: float | None = None
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    places: int = 0
    against: str = "other places"
    why: str | None = None
    wider: bool = False


def bunching(
    values: Floats, cut: float, op: Op, *, before: Floats | None = None, width: float | None = None
) -> Bunching:
    """Return whether events crowd just on the safe side of a cut.

    Use it on the quantity that a rule compares, over the events that the cut matters to. Read a low p-value as:
    someone knows the cut. The usual number is a local polynomial through the windows around the cut, without the
    two at it. Numbers also crowd below round ones by themselves, so the same is done at other places as round as
    the cut, and only what goes beyond those counts; or, with the events from before the rule was there, beyond
    those.

    Parameters
    ----------
    values : ndarray of float64
        The quantity; NaN is left out.
    cut : float
        The cut.
    op : {">=", ">", "<=", "<"}
        An event is hit when value op cut; the safe side is the other one.
    before : ndarray of float64, optional
        The quantity before the cut was in force.
    width : float, optional
        The window's width; by default the first of 1, 2, 5 and 10 % of the cut that holds enough events.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> amounts = rng.lognormal(4.5, 1, 20_000)
    >>> moved = np.where((amounts > 100) & (amounts < 105) & (rng.random(20_000) < 0.6), 99.5, amounts)
    >>> bunching(amounts, 100.0, ">").p_value > 0.05, bunching(moved, 100.0, ">").p_value < 0.001
    (True, True)

    Source: Kleven (2016), Bunching, Annual Review of Economics 8, 435-464, for the counterfactual density and the
    control for round numbers; McCrary (2008), Journal of Econometrics 142, 698-714, and Cattaneo, Jansson and Ma
    (2020), JASA 115, 1449-1455, for the break in a density at a cut. The random-effects step is that of
    DerSimonian and Laird (1986), Controlled Clinical Trials 7, 177-188.
    """
    held = values[np.isfinite(values)]
    if len(held) < FEWEST:
        return Bunching(0, n=len(held), why=f"only {len(held):,} events")
    unit = step_of(held)
    if unit is None and len(np.unique(held)) < HEAPED * len(held):
        why = "the values are heaped, but at no decimal steps; name the launch date to compare with before"
        if before is None:
            return Bunching(0, n=len(held), why=why)
    lined = _Line.of(held, cut, op, unit)
    found = Bunching(0, n=len(held), why="too few events beside the cut", wider=True)
    for share in WIDTHS if width is None else (None,):
        wide = width if share is None else share * (abs(cut) or float(np.subtract(*np.percentile(held, [75, 25]))))
        if not wide or wide <= 0:
            return Bunching(0, n=len(held), why="the quantity has one value only")
        if unit is not None:
            wide = max(1.0, round(float(wide) / unit)) * unit
        found = _tested(lined, float(wide), before)
        if found.why is None or not found.wider:
            break
    return found


def step_of(values: Floats) -> float | None:
    """Return the step that all values are multiples of: 1, 0.1, 0.01, down to a millionth; None where there is none.

    >>> step_of(np.array([1.0, 2.0])), step_of(np.array([9.99, 1.5])), step_of(np.array([np.pi]))
    (1.0, 0.01, None)
    """
    for scale in (1.0, 10.0, 1e2, 1e3, 1e4, 1e5, 1e6):
        with np.errstate(over="ignore"):
            if (np.abs(np.rint(values * scale) / scale - values) <= _NEAR * np.abs(values)).all():
                return 1.0 / scale
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """Values laid out so that the safe side of a place is at and above zero.

    In whole steps where there are any, so that a value on a cut never falls to the wrong side by rounding.
    """

    values: Floats
    cut: float
    sign: float
    shift: float
    unit: float | None
    sorted: Floats

    @classmethod
    def of(cls, held: Floats, cut: float, op: Op, unit: float | None) -> _Line:
        sign = -1.0 if op in (">", ">=") else 1.0
        scaled = np.rint(held / unit) if unit is not None else held
        place = round(cut / unit) if unit is not None else cut
        # With > and < the cut itself is safe; with >= and <= the next value is the first safe one.
        shift = 0.0 if op in (">", "<") else (1.0 if unit is not None else 0.0)
        return cls(held, float(place), sign, shift, unit, np.sort(sign * scaled))

    def counts(self, place: Floats, wide: float, many: int) -> Ints:
        """Return the counts of windows -many-1 .. many beside each place; window 0 is the safe one, -1 the hit one."""
        first = self.sign * place + self.shift
        edges = first[:, None] + wide * np.arange(-many - 1, many + 2)[None, :]
        at = np.searchsorted(self.sorted, edges, side="left")
        return np.diff(at, axis=1).astype(np.int64)


def _tested(line: _Line, wide: float, before: Floats | None) -> Bunching:
    step = wide if line.unit is None else round(wide / line.unit)
    own = line.counts(np.array([line.cut]), step, SIDE)[0]
    seen, around = int(own[SIDE + 1]), int(own.sum())
    ends = sorted((line.cut, line.cut + line.sign * step))
    scale = 1.0 if line.unit is None else line.unit
    told = {"observed": seen, "low": ends[0] * scale, "high": ends[1] * scale, "n": around}
    reach = line.sign * line.cut + step * np.array([-SIDE - 1, SIDE + 1])
    outside = reach[0] < line.sorted[0] - step or reach[1] > line.sorted[-1] + step
    if outside and before is None:
        return Bunching(**told, why=f"fewer than {SIDE + 1} windows of values on one side of the cut")  # type: ignore[arg-type]
    if around < FEWEST:
        return Bunching(**told, why="too few events beside the cut", wider=True)  # type: ignore[arg-type]
    if before is not None:
        return _since(line, step, before, told)
    places = comparable(line.cut, step, line)
    ratio, spread, usual = local_ratio(line.counts(np.concatenate([[line.cut], places]), step, SIDE))
    if usual[0] < FEWEST_EXPECTED:
        return Bunching(**told, why="too few events beside the cut", wider=True)  # type: ignore[arg-type]
    fit = np.isfinite(ratio) & (usual >= FEWEST_EXPECTED)
    fit[0] = False
    if np.count_nonzero(fit) < FEWEST_PLACES:
        why = f"only {np.count_nonzero(fit)} places as round as the cut; name the launch date to compare with before"
        return Bunching(**told, places=int(np.count_nonzero(fit)), why=why, wider=True)  # type: ignore[arg-type]
    return _judged(ratio[0], spread[0], ratio[fit], spread[fit], told=told, against="other places")


def _since(line: _Line, step: float, before: Floats, told: dict[str, float | int]) -> Bunching:
    earlier = before[np.isfinite(before)]
    many = 2 * SIDE
    if len(earlier) < FEWEST:
        return Bunching(**told, against="before the launch", why="too few events before the launch")  # type: ignore[arg-type]
    scaled = np.rint(earlier / line.unit) if line.unit is not None else earlier
    past = _Line(earlier, line.cut, line.sign, line.shift, line.unit, np.sort(line.sign * scaled))
    place = np.array([line.cut])
    now, then = line.counts(place, step, many)[0], past.counts(place, step, many)[0]
    window = np.arange(-many - 1, many + 1)
    other = (window != 0) & (window != -1) & (now + then >= FEWEST_EXPECTED)
    if then[many + 1] < FEWEST_EXPECTED or np.count_nonzero(other) < FEWEST_PLACES:
        return Bunching(**told, against="before the launch", why="too few events before the launch")  # type: ignore[arg-type]
    ratio = np.log((now + 0.5) / (then + 0.5))
    spread = 1 / (now + 0.5) + 1 / (then + 0.5)
    # What changed evenly along the axis is no bunching.
    trend = np.polynomial.polynomial.polyfit(window[other], ratio[other], 1, w=1 / np.sqrt(spread[other]))
    ratio = ratio - np.polynomial.polynomial.polyval(window, trend)
    at = many + 1
    return _judged(ratio[at], spread[at], ratio[other], spread[other], told=told, against="before the launch", lost=1)


def _judged(
    ratio: float,
    spread: float,
    others: Floats,
    spreads: Floats,
    *,
    told: dict[str, float | int],
    against: str,
    lost: int = 0,
) -> Bunching:
    """Return the excess of one place over the others, which differ by chance and by how round they are."""
    from scipy.special import stdtr, stdtrit

    weight = 1 / spreads
    mean = float((weight * others).sum() / weight.sum())
    many = len(others)
    beyond = float((weight * (others - mean) ** 2).sum()) - (many - 1 - lost)
    between = max(0.0, beyond / float(weight.sum() - (weight**2).sum() / weight.sum()))
    weight = 1 / (spreads + between)
    mean = float((weight * others).sum() / weight.sum())
    sd = math.sqrt(spread + between + 1 / float(weight.sum()))
    apart, free = float(ratio) - mean, many - 1 - lost
    seen = int(told["observed"])
    half = float(stdtrit(free, 0.975)) * sd
    expected = seen * math.exp(-apart) if seen else math.exp(-apart) / 2
    low, high = (seen * (1 - math.exp(-end)) for end in (apart - half, apart + half))
    return Bunching(
        **told,  # type: ignore[arg-type]
        expected=expected,
        excess=seen - expected,
        lower=low,
        upper=high,
        p_value=float(stdtr(free, -apart / sd)),
        places=many,
        against=against,
    )


def comparable(cut: float, step: float, line: _Line) -> Floats:
    """Return other places as round as the cut, nearest first, far enough that the cut's own windows are left out."""
    clear = (SIDE + 2) * step
    even = _round_step(cut) if line.unit is not None and cut else step
    apart = even * max(1, math.ceil(2 * step / even))
    low, high = sorted((line.sign * line.sorted[0], line.sign * line.sorted[-1]))
    first, last = math.ceil((low + clear) / apart), math.floor((high - clear) / apart)
    if cut > 0:
        first, last = max(first, math.ceil(cut / 10 / apart)), min(last, math.floor(cut * 10 / apart))
    offset = 0.0 if line.unit is not None else cut % apart
    middle = round(cut / apart)
    multiples = np.arange(max(first, middle - 5_000), min(last, middle + 5_000) + 1)
    places = multiples * apart + offset
    places = places[np.abs(places - cut) >= clear]
    if line.unit is not None and cut:
        alike = np.array([_round_step(abs(float(place))) == even for place in places], dtype=bool)
        places = places[alike] if np.count_nonzero(alike) >= 2 * FEWEST_PLACES else places
    nearest = np.argsort(np.abs(np.log(places / cut)) if cut > 0 and (places > 0).all() else np.abs(places - cut))
    return np.asarray(places[nearest[:MOST_PLACES]], dtype=np.float64)


def _round_step(whole: float) -> float:
    """Return the largest of 1, 5, 10, 50, ... that divides a whole number.

    >>> _round_step(1500.0), _round_step(76.0)
    (500.0, 1.0)
    """
    for power in range(15, -1, -1):
        for lead in (5, 1):
            if whole % (lead * 10.0**power) == 0:
                return lead * 10.0**power
    return 1.0


def local_ratio(counts: Ints) -> tuple[Floats, Floats, Floats]:
    """Return how far window 0 stands above a local curve, as a log ratio with its variance, and the curve there.

    The logarithm of the density is a parabola through all windows but the two at the place (Poisson regression).

    Parameters
    ----------
    counts : ndarray of int64, shape (places, 2 SIDE + 2)
        Windows from -SIDE-1 to SIDE; 0 is the safe one, -1 the hit one.
    """
    window = np.arange(-SIDE - 1, SIDE + 1)
    kept = (window != 0) & (window != -1)
    x = window[kept] / (SIDE + 1)
    design = np.stack([np.ones_like(x), x, x**2], axis=1)
    y = counts[:, kept].astype(np.float64)
    eta = np.log(y + 0.5)
    inverse = np.zeros((len(y), 3, 3))
    beta = np.zeros((len(y), 3))
    for _ in range(6):
        mu = np.exp(np.clip(eta, -8, 30))
        weighted = design[None] * mu[:, :, None]
        inverse = np.linalg.inv(np.einsum("pij,ik->pjk", weighted, design) + 1e-6 * np.eye(3))
        beta = np.einsum("pjk,pk->pj", inverse, np.einsum("pij,pi->pj", weighted, eta + (y - mu) / mu))
        eta = beta @ design.T
    seen = counts[:, SIDE + 1].astype(np.float64)
    usual = np.exp(np.clip(beta[:, 0], -8, 30))
    ratio = np.log((seen + 0.5) / (usual + 0.5))
    return ratio, 1 / (seen + 0.5) + inverse[:, 0, 0], usual
