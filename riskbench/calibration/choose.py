"""Which cut, or pair of cuts, is worth most and keeps to the constraints?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.capacity.levels import FALLING, TIED, unit_of
from riskbench.calibration.curve import Curve, best, frame_at, net_value, violation
from riskbench.calibration.study import Study
from riskbench.display import number
from riskbench.errors import InfeasibleError, ParameterError
from riskbench.metrics.constraints import RATES, Constraint
from riskbench.metrics.costs import Costs

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Distinct cuts up to which every pair is looked at when a constraint ties the two cuts together.
GRID = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The chosen point of a curve.

    Attributes
    ----------
    drawn : Curve
        The curve on the window to choose on.
    point : int
        The chosen point.
    feasible : ndarray of bool, shape (points,)
        The points that keep to constraints and bounds.
    """

    drawn: Curve
    point: int
    feasible: Mask

    @property
    def cut(self) -> float:
        """The chosen cut."""
        return float(self.drawn.table.cuts[self.point])


def limits(subject_to: Constraint | Iterable[Constraint]) -> tuple[Constraint, ...]:
    """Return constraints as a tuple.

    Raises
    ------
    ParameterError
        When one of them is no constraint.
    """
    held = (subject_to,) if isinstance(subject_to, Constraint) else tuple(subject_to or ())
    for limit in held:
        if not isinstance(limit, Constraint):
            raise ParameterError(
                "subject_to takes constraints", got=repr(limit), hint='rb.at_most("review_rate", 0.02)'
            )
    return held


def bounds_of(study: Study) -> tuple[float, float]:
    """Return the lowest and the highest cut that the rule book allows."""
    low, high = study.sweep.minimum, study.sweep.maximum
    return (-np.inf if low is None else float(low)), (np.inf if high is None else float(high))


def choose(study: Study, constraints: Sequence[Constraint]) -> Choice:
    """Return the cut of highest net value on the first window that keeps to the constraints.

    Raises
    ------
    InfeasibleError
        When no cut keeps to them; it names the nearest point.
    """
    drawn = study.curve(study.windows.choose.mask)
    return Choice(drawn, *_pick(study, drawn, constraints))


def _pick(study: Study, drawn: Curve, constraints: Sequence[Constraint]) -> tuple[int, Mask]:
    low, high = bounds_of(study)
    cuts = drawn.table.cuts
    within = (cuts >= low) & (cuts <= high)
    if not within.any():
        raise InfeasibleError(
            f"No observed value of {study.sweep.name} lies within the bounds that the rule book sets",
            got=f"{np.min(cuts[1:], initial=np.inf):g} to {np.max(cuts[1:], initial=-np.inf):g}",
            allowed=f"{low:g} to {high:g}",
            nearest_point={"threshold": study.sweep.default},
        )
    broken = violation(drawn, constraints)
    feasible = within & (broken <= 0)
    if not feasible.any():
        raise _infeasible(drawn, constraints, np.where(within, broken, np.inf))
    return best(drawn.net, feasible), feasible


def _infeasible(drawn: Curve, constraints: Sequence[Constraint], broken: Floats) -> InfeasibleError:
    near = np.flatnonzero(broken <= broken.min() + 1e-12)
    point = int(near[np.argmax(drawn.net[near])])
    rates = {str(name): float(drawn.rate(name)[point]) for name in RATES}
    rates |= {limit.rate: float(drawn.at_limit(limit)[point]) for limit in constraints}
    known: dict[str, float | str | None] = {name: None if np.isnan(rate) else rate for name, rate in rates.items()}
    cut = float(drawn.table.cuts[point])
    said = ", ".join(
        f"{limit.rate} {'not measurable' if known[limit.rate] is None else number(rates[limit.rate], unit_of(limit))}"
        for limit in constraints
    )
    # More hits never lower these rates, so a breach without any hit is the live rules' own.
    rising = [limit for limit in constraints if (limit.side == "at_most") != (limit.rate in FALLING)]
    alone = violation(
        drawn, [limit for limit in rising if limit.rate not in ("precision", "recall", "appeal_overturn_rate")]
    )[0]
    return InfeasibleError(
        f"No cut keeps to: {'; '.join(str(limit) for limit in constraints)}.",
        got=f"nearest: {_cut_words(cut)}, with {said}",
        hint="the live rules alone already break it" if alone > 0 else "loosen a limit",
        nearest_point={"threshold": cut if np.isfinite(cut) else None, **known, "violation": float(broken[point])},
    )


def _cut_words(cut: float) -> str:
    return f"cut {cut:g}" if np.isfinite(cut) else "no cut at all"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cuts: review from one, block from the other.

    Attributes
    ----------
    review, block : float
        The cuts; block is at least review.
    net : float
        Net value of the pair on the choose window.
    """

    review: float
    block: float
    net: float


def choose_or(study: Study, constraints: tuple[Constraint, ...], otherwise: Choice) -> Choice:
    """Return the best single cut, or another choice where no single cut keeps to the constraints."""
    try:
        return choose(study, constraints)
    except InfeasibleError:
        return otherwise


def choose_pair(study: Study, constraints: Sequence[Constraint]) -> Pair:
    """Return the best pair of cuts: review from the first, block from the second.

    The value splits into what reviewing from `a` gives and what blocking instead from `b` adds, so the best `b`
    for every `a` is a running maximum: exact over all pairs. Only limits on the review rate, on cases an
    hour and on money held tie the cuts together; then all pairs of at most 1,000 cuts are looked at, spread evenly
    over the alerts.

    Parameters
    ----------
    study : Study
        A study whose sweep decides review.
    constraints : sequence of Constraint
        What both cuts together must keep to.

    Raises
    ------
    InfeasibleError
        When no pair keeps to them.
    """
    stop = np.int8(study.steps.level(study.steps.first("stop")))
    rows = study.windows.choose.mask
    review = study.curve(rows)
    blocking = _blocked(study, stop)
    block = blocking.curve(rows)
    points = review.table.points
    assert block.table.points == points
    extra = block.net - review.net  # what blocking instead of reviewing adds, from each point on
    tied = [limit for limit in constraints if limit.rate in TIED]
    free = violation(review, [limit for limit in constraints if limit.rate not in TIED]) <= 0
    cuts = review.table.cuts
    if not tied:
        if not free.any():
            raise _infeasible(review, constraints, violation(review, constraints))
        where = _running_argmax(extra)
        net = np.where(free, review.net + extra[where], -np.inf)
        a = int(np.argmax(net))
        return Pair(float(cuts[a]), float(cuts[where[a]]), float(net[a]))
    grid = np.arange(points)
    if points > GRID:
        spread = np.searchsorted(
            review.alerts - review.alerts[0], np.linspace(0, review.alerts[-1] - review.alerts[0], GRID // 2)
        )
        fine = np.geomspace(1, points - 1, GRID // 2)
        grid = np.unique(np.concatenate([[0], np.minimum(spread, points - 1), fine]).astype(np.intp))
    net_pair = review.net[grid][:, None] + extra[grid][None, :]
    allowed = free[grid][:, None] & (np.arange(len(grid))[None, :] <= np.arange(len(grid))[:, None])
    broken = np.zeros(allowed.shape)
    for limit in tied:
        alone = review.at_limit(limit)
        moved = alone - block.at_limit(limit)  # what blocking from each point takes away
        rate = alone[grid][:, None] - moved[grid][None, :]
        over = rate - limit.bound if limit.side == "at_most" else limit.bound - rate
        broken += np.maximum(np.where(over <= 1e-12, 0.0, over), 0.0)
    ok = allowed & (broken <= 0)
    if not ok.any():
        raise _infeasible(review, constraints, violation(review, constraints))
    flat = int(np.argmax(np.where(ok, net_pair, -np.inf)))
    a, b = int(grid[flat // len(grid)]), int(grid[flat % len(grid)])
    return Pair(float(cuts[a]), float(cuts[b]), float(net_pair.flat[flat]))


def _blocked(study: Study, stop: np.int8) -> Study:
    sweep = study.sweep
    hit = np.where(sweep.hit != sweep.base, stop, sweep.hit).astype(np.int8)
    return replace(study, sweep=replace(sweep, hit=hit))


def _running_argmax(values: Floats) -> npt.NDArray[np.intp]:
    """Return, for each place, where the largest value up to and including it stands (the first of equals)."""
    top = np.maximum.accumulate(values)
    new = np.concatenate([[True], top[1:] > top[:-1]])
    return np.maximum.accumulate(np.where(new, np.arange(len(values)), 0))


def costs_frame(study: Study, choice: Choice) -> pd.DataFrame:
    """Return the best cut and what keeping the chosen one would give away, with each cost halved and doubled.

    Returns
    -------
    DataFrame
        cost, change ("halved", "doubled"), stated, value (of the cost), capped (whether a share stopped at 1, short
        of double), threshold (then best), net_value (at it), kept_net_value (at the chosen cut), regret (their
        difference).
    """
    rows, cuts = [], choice.drawn.table.cuts
    for name, stated in study.costs.to_dict().items():
        for words, factor in (("halved", 0.5), ("doubled", 2.0)):
            costs: Costs = study.costs.scaled(name, factor)
            worths = net_value(choice.drawn.table, study.price(costs))
            point = best(worths, choice.feasible)
            net, kept = float(worths[point]), float(worths[choice.point])
            rows.append(
                (
                    name,
                    words,
                    stated,
                    costs.to_dict()[name],
                    costs.to_dict()[name] < stated * factor,
                    float(cuts[point]),
                    net,
                    kept,
                    net - kept,
                )
            )
    return pd.DataFrame(
        rows,
        columns="cost change stated value capped threshold net_value kept_net_value regret".split(),
    )


def pair_frame(study: Study, cuts: Pair, single: Choice, before: npt.NDArray[np.int8]) -> pd.DataFrame:
    """Return the pair beside the best single review cut, on both windows; `before` is what is decided today.

    Returns
    -------
    DataFrame
        form, window, review_from, block_from, and the columns of a curve at that cut.
    """
    rows = []
    for form, held, cut, block in (
        ("one cut", study, single.cut, None),
        ("two cuts", study.with_block(cuts.block), cuts.review, cuts.block),
    ):
        for name, window in (("choose", study.windows.choose), ("report", study.windows.report)):
            if not window.mask.any():
                continue
            drawn = held.curve(window.mask)
            today = held.today(before, drawn.table, window.mask)
            row = frame_at(drawn, np.array([drawn.table.point(cut)]), today)
            row.insert(0, "block_from", np.nan if block is None else block)
            row.insert(0, "review_from", cut)
            row.insert(0, "window", name)
            row.insert(0, "form", form)
            rows.append(row.drop(columns=["threshold"]))
    return pd.concat(rows, ignore_index=True)
