"""What is every setting of a surface worth, and which of them keep to the constraints?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.curve import Rated, violation
from riskbench.data.outcomes import Ladder
from riskbench.metrics.constraints import RATES, Constraint
from riskbench.metrics.curve import FRAUD, GOOD, UNLABELLED
from riskbench.metrics.intervals import Z95
from riskbench.metrics.lattice import States
from riskbench.metrics.price import Price

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Measures(Rated):
    """Everything that every setting does; each array has one cell a setting.

    Attributes
    ----------
    alerts, frauds, goods, unlabelled, insults, reviews, approved : ndarray of int64
        As in a curve: alerted events and the labels among them; good events reviewed or stopped; events under
        review; events approved straight through.
    net : ndarray of float64
        Net value, in major units.
    spread : ndarray of float64
        Its variance.
    caught : ndarray of float64
        The value of alerted frauds, in major units; NaN without money.
    total, total_frauds, total_goods : int
        How many events there are, and how many are labelled fraud and good.
    """

    alerts: Ints
    frauds: Ints
    goods: Ints
    unlabelled: Ints
    insults: Ints
    reviews: Ints
    approved: Ints
    net: Floats
    spread: Floats
    caught: Floats
    total: int
    total_frauds: float
    total_goods: float
    squared: dict[str, Floats] | None = None


def measured(held: States, price: Price, steps: Ladder, *, scale: float, money: bool) -> Measures:
    """Return what every setting does under stated prices.

    Parameters
    ----------
    held : States
        Counts and money of one group, shape (settings, settings, 3, levels).
    price : Price
        What an event is worth at each level.
    steps : Ladder
        The domain's outcomes.
    scale : float
        Minor units in one major unit.
    money : bool
        Whether there is money.
    """
    effects = [rung.effect for rung in steps.rungs]
    review = np.array([effect == "review" for effect in effects])
    passed = ~(review | np.array([effect == "stop" for effect in effects]))
    counts = held.counts
    alerted = counts[..., 1:].sum(axis=-1)
    levels = counts.sum(axis=-2)
    whole = counts[(0,) * (counts.ndim - 2)]
    return Measures(
        alerted.sum(axis=-1),
        alerted[..., FRAUD],
        alerted[..., GOOD],
        alerted[..., UNLABELLED],
        counts[..., GOOD, :][..., ~passed].sum(axis=-1),
        levels[..., review].sum(axis=-1),
        levels[..., passed].sum(axis=-1),
        price.worth(counts, held.money),
        np.maximum(price.second(counts, held.money, held.squares), 0.0),
        held.caught / scale if money else np.full(counts.shape[:-2], np.nan),
        int(whole.sum()),
        int(whole[FRAUD].sum()),
        int(whole[GOOD].sum()),
    )


def feasible(held: Measures, constraints: Sequence[Constraint]) -> Mask:
    """Return which settings keep to the constraints."""
    return np.asarray(violation(held, constraints) <= 0)


def settings_frame(
    held: Measures, first: Floats, second: Floats | None, *, added: Floats, apart: Floats
) -> pd.DataFrame:
    """Return one row a setting, the second parameter running fastest.

    Parameters
    ----------
    held : Measures
        What each setting does.
    first, second : ndarray of float64
        The settings of each parameter; None where there is one only.
    added, apart : ndarray of float64
        Net value more than today's, and the variance of that difference.
    """
    one, two = held.net.shape
    half, paired = Z95 * np.sqrt(held.spread), Z95 * np.sqrt(apart)
    columns: dict[str, npt.NDArray[np.generic]] = {"first": np.repeat(first, two)}
    if second is not None:
        columns["second"] = np.tile(second, one)
    cells = {
        "alerts": held.alerts,
        "frauds": held.frauds,
        "unlabelled": held.unlabelled,
        **{str(name): held.rate(name) for name in RATES},
        "value_caught": held.caught,
        "net_value": held.net,
        "lower": held.net - half,
        "upper": held.net + half,
        "added_net_value": added,
        "added_lower": added - paired,
        "added_upper": added + paired,
    }
    return pd.DataFrame(columns | {name: cell.reshape(-1) for name, cell in cells.items()})
