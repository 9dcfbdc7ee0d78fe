"""How much is lost for how much is let through? Every cut, today's point, and the gap between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.calibration import Calibration
from riskbench.calibration.frontier.sums import Ground, Place, thinned
from riskbench.calibration.frontier.telling import gap_fact, grounds_of, points_page, remarks, volumes_frame
from riskbench.calibration.frontier.volume import volumes, wanted_volume
from riskbench.calibration.study import Study
from riskbench.data.labels import FRAUD, has_verdict
from riskbench.data.outcomes import ladder
from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREY, ORANGE, RED, style
from riskbench.errors import DataError, InfeasibleError, ParameterError
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.intervals import Z95
from riskbench.metrics.maturity.weights import Matured, matured
from riskbench.metrics.selection.inclusion import Inclusion, inclusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: A column of more values than this is no segment.
_MOST = 100
_ENDS = ("", "_lower", "_upper")
#: The columns of a point.
COLUMNS = (
    "point threshold loss_bps loss_bps_lower loss_bps_upper approved_gmv approved_gmv_lower approved_gmv_upper "
    "approved_share gap_bps gap_bps_lower gap_bps_upper frauds gmv"
).split()


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """A cut chosen by appetite.

    Attributes
    ----------
    threshold : float
        The cut.
    loss_bps : Estimate
        What it loses, in basis points of the volume.
    approved_gmv : Estimate
        What it lets through, in major units.
    approved_share : float
        The same as a share of the volume.
    """

    threshold: float
    loss_bps: Estimate
    approved_gmv: Estimate
    approved_share: float


@result
class Frontier(Result):
    """What every cut loses and lets through, and where we stand.

    Attributes
    ----------
    curve : DataFrame
        At most 1,000 cuts: threshold, loss_bps with lower and upper (95 %), approved_gmv with lower and upper (major
        units), approved_share, dominated (another cut loses no more and lets no less through).
    points : DataFrame
        today (the live rules), proposed (the calibration's cut) and history (what was done, where that is told):
        threshold, loss_bps, approved_gmv, each with its ends, approved_share, gap_bps (lost more than the frontier
        loses at the same approved volume) with its ends, frauds, gmv.
    regions : DataFrame
        The same points by segment, each against the segment's own frontier.
    volumes : DataFrame
        Each kind of gross merchandise value: gmv, measurable, value (major units), share (of the created), told.
    gmv : str
        The kind that the basis points are of.
    frauds : int
        Known frauds of the window.
    dominated_share : float
        The share of the cuts that another one beats.
    """

    kind: ClassVar[str] = "frontier"
    title: ClassVar[str] = "Loss against approved volume"
    main: ClassVar[str] = "points"
    next_step: ClassVar[str] = ".at(max_loss_bps=...) or .at(min_approved=...) gives the cut for an appetite"
    repr_tables: ClassVar[tuple[str, ...]] = ("regions", "volumes")

    curve: pd.DataFrame
    points: pd.DataFrame
    regions: pd.DataFrame
    volumes: pd.DataFrame
    gmv: str
    total: float
    frauds: int
    currency: str
    dominated_share: float
    window: str
    score: str

    def headline(self) -> tuple[Fact, ...]:
        """Return what today loses and how far that is from the frontier, then the proposed cut."""
        facts = []
        rows = {row["point"]: row for row in self.points.to_dict("records")}
        named = {"today": "Today", "history": "What was done", "proposed": "Proposed cut"}
        for name in ("today", "history", "proposed"):
            if name not in rows:
                continue
            row = rows[name]
            why = "nothing was lost, and no fraud is known" if np.isnan(row["loss_bps_upper"]) else ""
            facts.append(
                Fact(
                    f"{named[name]}: loss, basis points of {self.gmv} GMV",
                    None if why else row["loss_bps"],
                    "number",
                    lower=None if why else row["loss_bps_lower"],
                    upper=None if why else row["loss_bps_upper"],
                    n=int(row["frauds"]),
                    note=why,
                )
            )
            if name != "proposed":
                facts.append(gap_fact(f"{named[name]}: lost beyond the frontier, basis points", row))
            else:
                facts.append(Fact("Proposed cut: approved", row["approved_share"], "share", n=int(row["frauds"])))
        return tuple(facts[:6])

    def at(
        self, *, max_loss_bps: float | None = None, min_approved: float | None = None, surely: bool = False
    ) -> FrontierPoint:
        """Return the cut for an appetite: the most volume for a loss, or the least loss for a volume.

        The cut was read off the window that is shown, so what it loses there is a little flattering.

        Parameters
        ----------
        max_loss_bps : float, optional
            The largest loss, in basis points of the volume.
        min_approved : float, 0..1, optional
            The smallest share of the volume that is approved.
        surely : bool
            Hold the upper end of the interval, not the estimate, against `max_loss_bps`.

        Raises
        ------
        ParameterError
            When not exactly one of the two is given, or it is no number in range.
        InfeasibleError
            When no cut keeps to it; the nearest one is named.
        """
        if (max_loss_bps is None) == (min_approved is None):
            raise ParameterError("An appetite is one limit", allowed="max_loss_bps= or min_approved=")
        limit = max_loss_bps if max_loss_bps is not None else min_approved
        top = 1e4 if max_loss_bps is not None else 1.0
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit <= top:
            raise ParameterError("The appetite is out of range", got=repr(limit)[:80], allowed=f"0..{top:g}")
        held = self.curve
        if max_loss_bps is not None:
            measure = held["loss_bps_upper"].fillna(np.inf) if surely else held["loss_bps"]
            fits = held[measure <= limit]
            best = fits.sort_values(["approved_gmv", "loss_bps"], ascending=[False, True], kind="stable").head(1)
            near = held.loc[[measure.idxmin()]]
        else:
            fits = held[held["approved_share"] >= limit]
            best = fits.sort_values(["loss_bps", "approved_gmv"], ascending=[True, False], kind="stable").head(1)
            near = held.loc[[held["approved_share"].idxmax()]]
        if not len(best):
            row = near.iloc[0]
            raise InfeasibleError(
                "No cut keeps to this appetite",
                nearest_point={"threshold": float(row["threshold"]), "loss_bps": float(row["loss_bps"])},
                got=f"{limit:g}",
                allowed=f"nearest: {row['loss_bps']:.2f} basis points, {row['approved_share']:.1%} approved",
            )
        row = best.iloc[0]
        return FrontierPoint(
            float(row["threshold"]),
            _estimate(row, "loss_bps", self.frauds),
            _estimate(row, "approved_gmv", self.frauds),
            float(row["approved_share"]),
        )

    def _draw(self, ax: Axes) -> None:
        line = self.curve[~self.curve["dominated"]].sort_values("approved_share")
        share = 100 * line["approved_share"]
        ax.fill_between(share, line["loss_bps_lower"], line["loss_bps_upper"], color=BLUE, alpha=0.15, lw=0)
        ax.plot(share, line["loss_bps"], color=BLUE, linewidth=2, label="every cut")
        rows = self.points.to_dict("records")
        looks = {"today": (RED, "o"), "proposed": (ORANGE, "D"), "history": (GREY, "s")}
        for row in rows:
            colour, mark = looks[row["point"]]
            at, loss = 100 * row["approved_share"], row["loss_bps"]
            ax.vlines(at, row["loss_bps_lower"], min(row["loss_bps_upper"], 1e6), color=colour, linewidth=1.5)
            label = {"today": "today", "proposed": "proposed cut", "history": "what was done"}[row["point"]]
            ax.scatter([at], [loss], color=colour, marker=mark, s=45, zorder=3, label=label)
        low = min([100 * row["approved_share"] for row in rows], default=50.0)
        ax.set_xlim(max(0.0, low - max(2.0, 0.6 * (100 - low))), 100.5)
        seen = line[100 * line["approved_share"] >= ax.get_xlim()[0]]
        tops = [*seen["loss_bps_upper"], *[row["loss_bps_upper"] for row in rows]]
        finite = [top for top in tops if np.isfinite(top)]
        ax.set_ylim(0, 1.05 * float(np.quantile(finite, 0.98)) if finite else 1.0)
        ax.legend(loc="upper left", frameon=False)
        style(ax, title=f"Loss against approved {self.gmv} GMV", x=f"approved, share of the {self.gmv} GMV (%)",
              y="loss (basis points)")  # fmt: skip


def frontier(
    calibration: Calibration,
    *,
    gmv: Literal["created", "paid", "delivered", "clean"] = "created",
    by: str | None = "region",
) -> Frontier:
    """Return what every cut loses, in basis points of a named volume, against what it lets through, and where we stand.

    Use it to talk about appetite: how many basis points a point of approved volume costs. Read `gap_bps` as what is
    lost today for nothing: a cut that lets the same volume through loses so much less. It is drawn on the calibration's
    later window, which did not choose the cut, where there is one. Frauds told late, and those among events that
    history stopped, are put back by their weights.

    Parameters
    ----------
    calibration : Calibration
        What `rb.calibrate` returned.
    gmv : {"created", "paid", "delivered", "clean"}
        The volume that basis points are of: every event; those that were paid; delivered; delivered, kept and clean.
        All but the first need a status column.
    by : str or None
        A column to break down by; "region" stands for the role.

    Returns
    -------
    Frontier
        Tables curve, points, regions, volumes.

    Raises
    ------
    DataError
        When there is no amount, or the volume asked for is not measurable; says which are.
    ParameterError
        When it is no calibration, or there is no such volume.

    Source: Pareto dominance; the variance of a ratio as in Cochran (1977), Sampling Techniques, 3rd ed., 6.4.

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> rng = np.random.default_rng(7)
    >>> fraud = rng.random(6000) < 0.03
    >>> frame = pd.DataFrame({"id": np.arange(6000), "fraud": fraud.astype(int), "amount": 100.0,
    ...     "risk": np.round(np.clip(rng.normal(0.3 + 0.4 * fraud, 0.15), 0, 1), 2),
    ...     "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(6000) // 60, unit="D")})
    >>> events = rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount", score="risk"))
    >>> found = rb.frontier(rb.calibrate(events))
    >>> bool(found.points.loc[0, "loss_bps"] > found.points.loc[1, "loss_bps"])
    True
    >>> found.at(max_loss_bps=50).loss_bps.value <= 50
    True
    """
    begun = time.perf_counter()
    if not isinstance(calibration, Calibration):
        raise ParameterError(
            "A frontier is that of a calibration",
            got=type(calibration).__name__,
            hint="rb.calibrate(dataset, score=...) makes one",
        )
    study = calibration.reader.study
    events = study.sweep.dataset
    if not events.has("amount"):
        raise DataError("There is no amount, so no volume is measurable", hint="name the role 'amount'")
    kinds = volumes(events, study.labels)
    volume = wanted_volume(kinds, gmv)
    later = study.windows.report
    window = later if later.mask.any() else study.windows.choose
    ripe, bears = matured(events, study.labels), has_verdict(events, study.labels)[0]
    chosen = inclusion(events, study.labels).within(window.mask, bears & ripe.measurable)
    rows = np.flatnonzero(window.mask & ripe.measurable)
    inside = np.ones(events.rows, dtype=bool) if volume.rows is None else volume.rows
    bulk = np.where(inside, events.minor("amount"), 0).astype(np.float64)
    loss = _losses(study, ripe, chosen)
    if not rows.size or bulk[rows].sum() <= 0:
        raise DataError(f"The {gmv} gross merchandise value of the window is nothing", got=window.words)
    customer = np.arange(events.rows)
    if events.roles.entities:
        codes, names = events.segment(events.roles.entities[0])
        here = events.column(events.roles.entities[0]).present
        customer = np.where(here, codes, len(names) + customer)
    scale = float(events.currency.scale)
    sums = partial(
        Ground, study, loss=loss, volume=bulk, customer=customer.astype(np.int64), late=_late(loss, ripe, rows)
    )
    ground = sums(rows)
    levels = _levels(calibration, study, chosen)
    points = _points(ground, levels, calibration, scale)
    regions, left = _regions(sums, rows, levels, calibration, by, scale)
    at = [study.table(rows).point(cut) for cut in (calibration.threshold,)]
    return Frontier(
        curve=_curve(ground, levels["proposed"][rows], at, scale),
        points=points,
        regions=regions,
        volumes=volumes_frame(kinds, events.minor("amount").astype(np.float64), rows, scale),
        gmv=gmv,
        total=ground.total / scale,
        frauds=int(np.count_nonzero(ground.loss)),
        currency=events.currency.code,
        dominated_share=float(ground.beaten().mean()),
        window=window.words,
        score=study.sweep.name,
        pages={
            **points_page(points, gmv, events.currency.code),
            **points_page(regions, gmv, events.currency.code),
        },
        notes=remarks(
            window.words, volume, int((window.mask & ~ripe.measurable).sum()), later=bool(later.mask.any()), left=left
        ),
        grounds=grounds_of(ground, ripe, chosen, kinds, levels["proposed"]),
        provenance={
            **{name: value for name, value in calibration.provenance.items() if name != "parameters"},
            "parameters": {"gmv": gmv, "by": by, "threshold": calibration.threshold, "window": window.words},
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _losses(study: Study, ripe: Matured, chosen: Inclusion) -> Floats:
    """Return what each event loses when it passes, in minor units, with what it stands for."""
    known = study.labels.state == FRAUD
    weight = np.where(known, ripe.weight * chosen.weight, 0.0)
    return np.asarray(weight * study.worth.loss * study.worth.loss_weight(study.costs), dtype=np.float64)


def _late(loss: Floats, ripe: Matured, rows: Ints) -> float:
    """Return how many times more the loss varies than its weighted frauds alone: the delay curve is estimated too."""
    inside = np.zeros(len(loss), dtype=bool)
    inside[rows] = True
    weight = np.maximum(ripe.weight, 1e-12)
    told = ripe.total(np.where(ripe.weight > 0, loss / weight, 0.0), rows=inside)
    alone = float((loss[rows] ** 2).sum())
    if told.lower is None or told.upper is None or alone <= 0:
        return 1.0
    to_come = ((told.upper - told.lower) / 2 / Z95) ** 2
    whole = float((loss[rows] ** 2 / weight[rows]).sum()) + to_come
    return max(1.0, whole / alone)


def _levels(calibration: Calibration, study: Study, chosen: Inclusion) -> dict[str, npt.NDArray[np.int8]]:
    """Return what each point decides about every event."""
    held = {
        "today": np.asarray(calibration.reader.before, dtype=np.int8),
        "proposed": study.levels(calibration.threshold),
    }
    events = study.sweep.dataset
    if events.has("outcome"):
        steps = ladder(events.domain)
        codes, names = events.segment(str(events.roles.outcome))
        each = np.array([0 if name == "(missing)" else steps.level(name) for name in names], dtype=np.int8)
        done = each[codes]
        # Who was let through at random stands for those whom history stopped.
        held["history"] = np.where(chosen.drawn, steps.level(steps.first("stop")), done).astype(np.int8)
    return held


def _row(name: str, place: Place, threshold: float | None, ground: Ground, scale: float) -> dict[str, Any]:
    values = (
        name, threshold, place.loss_bps, place.loss_lower, place.loss_upper, place.approved / scale,
        place.approved_lower / scale, place.approved_upper / scale, place.share, place.gap, place.gap_lower,
        place.gap_upper, place.frauds, ground.total / scale,
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _points(
    ground: Ground, levels: dict[str, npt.NDArray[np.int8]], calibration: Calibration, scale: float
) -> pd.DataFrame:
    cuts = {"today": calibration.today, "proposed": calibration.threshold, "history": None}
    rows = [_row(name, ground.at(held[ground.rows]), cuts[name], ground, scale) for name, held in levels.items()]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype(dict.fromkeys(set(COLUMNS) - {"point", "frauds"}, float))


def _curve(ground: Ground, proposed: npt.NDArray[np.int8], keep: list[int], scale: float) -> pd.DataFrame:
    value, low, high = ground.ends(ground.design(proposed))
    at = thinned(ground, keep)
    half = 1.96 * np.sqrt(np.maximum(ground.approved_squares[at], 0.0))
    approved = ground.approved[at]
    return pd.DataFrame(
        {
            "threshold": ground.cuts[at], "loss_bps": value[at], "loss_bps_lower": low[at], "loss_bps_upper": high[at],
            "approved_gmv": approved / scale, "approved_gmv_lower": np.maximum(0.0, approved - half) / scale,
            "approved_gmv_upper": (approved + half) / scale, "approved_share": approved / ground.total,
            "dominated": ground.beaten()[at],
        }
    )  # fmt: skip


def _regions(  # noqa: PLR0917
    sums: Callable[[Ints], Ground], rows: Ints, levels: dict[str, npt.NDArray[np.int8]], calibration: Calibration,
    by: str | None, scale: float,
) -> tuple[pd.DataFrame, int]:  # fmt: skip
    """Return each segment's points, largest volume first, and how many of too many regions are left out."""
    names = ["segment", *COLUMNS]
    events = calibration.reader.study.sweep.dataset
    if by is None or (by == "region" and events.roles.region is None and "region" not in events.names):
        return pd.DataFrame(columns=names), 0
    role = by == "region" and events.roles.region is not None
    codes, words = events.regions if role else events.segment(by)
    if len(words) > _MOST and not role:
        raise DataError(f"{by!r} has {len(words):,} values, too many for segments", allowed=f"at most {_MOST}")
    bulk = np.bincount(codes[rows], weights=events.minor("amount")[rows].astype(np.float64), minlength=len(words))
    shown = np.sort(np.argsort(-bulk, kind="stable")[:_MOST])
    parts = []
    for place in shown:
        inside = rows[codes[rows] == place]
        if not len(inside):
            continue
        ground = sums(inside)
        if ground.total <= 0:
            continue
        held = _points(ground, levels, calibration, scale)
        held.insert(0, "segment", words[place])
        parts.append(held)
    left = int(np.count_nonzero(bulk)) - int(np.count_nonzero(bulk[shown]))
    if not parts:
        return pd.DataFrame(columns=names), left
    frame = pd.concat(parts, ignore_index=True)
    order = frame.sort_values(["gmv", "segment"], ascending=[False, True], kind="stable")
    return order.reset_index(drop=True), left


def _estimate(row: pd.Series, name: str, n: int) -> Estimate:
    value, low, high = (row[f"{name}{end}"] for end in _ENDS)
    return Estimate(float(value), float(low), None if np.isnan(high) else float(high), n)
