"""What sets one part of the events apart? Mean contributions of a cohort against another, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.display import Fact, Result, chart, result
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.intervals import Z95

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.explanation.explanation import Explanation

Mask = npt.NDArray[np.bool_]
#: Fewer events than this give no interval.
FEWEST = 5


@result
class Cohort(Result):
    """Which features set a cohort's scores apart from the other events'.

    Attributes
    ----------
    name, rest : str
        What the two parts are called.
    events, others : int
        How many events each has.
    difference : float
        How much higher the cohort's mean score is, on `scale`, with `_lower` and `_upper` (None with fewer than
        five events on a side); the features' differences add up to it.
    scale : str
        log-odds, probability or margin.
    reference : str
        Whom both were compared with.
    contributions : DataFrame
        feature, cohort_mean, rest_mean, difference, difference_lower, difference_upper, share (of the sum of
        sizes), n; the largest first.
    """

    kind: ClassVar[str] = "cohort"
    title: ClassVar[str] = "What sets the cohort apart"
    main: ClassVar[str] = "contributions"
    repr_columns: ClassVar[tuple[str, ...]] = (
        "feature", "cohort_mean", "rest_mean", "difference", "difference_lower", "difference_upper",
    )  # fmt: skip

    name: str
    rest: str
    events: int
    others: int
    difference: float
    difference_lower: float | None
    difference_upper: float | None
    scale: str
    reference: str
    contributions: pd.DataFrame

    def headline(self) -> tuple[Fact, ...]:
        """Return how far apart the two are, and by what most."""
        top = self.contributions.iloc[0] if len(self.contributions) else None
        return (
            Fact(
                f"Mean score of {self.name}, less {self.rest} ({self.scale})",
                self.difference,
                lower=self.difference_lower,
                upper=self.difference_upper,
                n=self.events,
            ),
            Fact(
                "Most by",
                None if top is None else str(top["feature"]),
                "text",
                note="" if top is not None else "no features",
            ),
            Fact(f"Events in {self.name}", self.events, "count"),
            Fact(f"Events in {self.rest}", self.others, "count"),
            Fact("Both compared with", self.reference, "text"),
        )

    def _draw(self, ax: Axes) -> None:
        top = self.contributions.head(12).iloc[::-1]
        place = np.arange(len(top))
        ax.barh(place, top["difference"], color=[chart.RED if d > 0 else chart.BLUE for d in top["difference"]])
        if top["difference_lower"].notna().all():
            ends = [top["difference"] - top["difference_lower"], top["difference_upper"] - top["difference"]]
            ax.errorbar(top["difference"], place, xerr=ends, fmt="none", ecolor=chart.GREY, elinewidth=1)
        ax.set_yticks(place, [str(name)[:40] for name in top["feature"]])
        ax.axvline(0, color=chart.GREY, linewidth=0.8)
        chart.style(ax, title=f"{self.name} against {self.rest}", x=f"difference of means ({self.scale})", y="")


def compared(held: Explanation, mask: Mask, *, against: Mask | None, name: str, rest: str) -> Cohort:
    """Return the difference of mean contributions between two parts of the explained events.

    The interval is Welch's, with the normal quantile: each event counts as independent.
    """
    inside = _mask(mask, len(held.values), "mask")
    outside = ~inside if against is None else _mask(against, len(held.values), "against")
    if (inside & outside).any():
        raise ParameterError("An event is in both parts", got=int((inside & outside).sum()), hint="make them disjoint")
    a, b = held.values[inside], held.values[outside]
    if not len(a) or not len(b):
        raise DataError("One of the two parts is empty.", got=f"{len(a)} and {len(b)} events")
    few = min(len(a), len(b)) < FEWEST
    difference = a.mean(axis=0) - b.mean(axis=0)
    half = np.full(len(difference), np.nan) if few else _half(a, b)
    total = float(difference.sum())
    ends = None if few else float(_half(a.sum(axis=1, keepdims=True), b.sum(axis=1, keepdims=True))[0])
    size = float(np.abs(difference).sum())
    frame = pd.DataFrame(
        {
            "feature": list(held.features),
            "cohort_mean": a.mean(axis=0),
            "rest_mean": b.mean(axis=0),
            "difference": difference,
            "difference_lower": difference - half,
            "difference_upper": difference + half,
            "share": np.abs(difference) / size if size > 0 else np.zeros(len(difference)),
            "n": len(a),
        }
    )
    order = np.lexsort((frame["feature"], -np.abs(difference)))
    notes = ["Intervals take events as independent: where events clump they are too narrow."]
    if few:
        notes.append(f"Intervals are not measurable: fewer than {FEWEST} events on a side.")
    return Cohort(
        name=name,
        rest=rest,
        events=len(a),
        others=len(b),
        difference=total,
        difference_lower=None if ends is None else total - ends,
        difference_upper=None if ends is None else total + ends,
        scale=held.scale,
        reference=str(held.reference),
        contributions=frame.iloc[order].reset_index(drop=True),
        notes=tuple(notes),
        provenance={key: held.provenance[key] for key in ("dataset", "parameters", "seed")},
    )


def _half(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return Z95 * np.sqrt(a.var(axis=0, ddof=1) / len(a) + b.var(axis=0, ddof=1) / len(b))


def _mask(mask: Mask, rows: int, name: str) -> Mask:
    held = np.asarray(mask)
    if held.dtype != bool or held.shape != (rows,):
        raise ParameterError(f"{name!r} needs {rows} booleans", got=f"{held.shape} of {held.dtype}")
    return held
