"""Which cut does each region get, and what does one cut for all cost? The verb and its answer."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.applied import applied
from riskbench.calibration.calibration import Calibration
from riskbench.calibration.choose import bounds_of
from riskbench.calibration.pages import a_week, money_name
from riskbench.calibration.parts import MOST_SEGMENTS
from riskbench.calibration.pooled.choice import EXPECTED, LOSES, PAYS, Choice, Proposal, propose
from riskbench.calibration.pooled.curves import Rows
from riskbench.calibration.pooled.picture import draw_cuts
from riskbench.calibration.pooled.prices import Prices, prices
from riskbench.calibration.pooled.words import grounds_of, notes_of, regions_page, uniformity_page
from riskbench.calibration.segments import OWN, SAME
from riskbench.calibration.study import Study
from riskbench.data.windows import Window
from riskbench.display import Fact, Result, result
from riskbench.errors import DataError, ParameterError, listed, nearest
from riskbench.metrics.discovery import q_values
from riskbench.metrics.intervals import Z95
from riskbench.rules.doors import seeded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.rules.book import RuleBook

COLUMNS = (
    "region parent events frauds own_weight own_cut pooled_cut pooled_cut_lower pooled_cut_upper parent_cut chosen_cut "
    "chance expected_value expected_lower expected_upper override_value lower upper q_value reading"
).split()


@result
class PooledCuts(Result):
    """A cut for each region, where small ones lean on all, and what one cut for all costs.

    Attributes
    ----------
    regions : DataFrame
        One row a region, most events first: region, parent; events and frauds it chose on; own_weight (0..1, how much
        is its own evidence); own_cut (the best of its own curve alone), pooled_cut with `_lower` and `_upper` (95 %),
        parent_cut, chosen_cut; chance (that the pooled cut is better than the parent's); expected_value with
        `expected_lower` and `expected_upper` (what it is expected to gain a week); override_value with lower and
        upper (what it gained a week on the later window, paired); q_value; reading.
    uniformity : DataFrame
        What one cut for all costs a week on the later window: cuts ("chosen", "pooled", "own"), moved (regions with
        another cut than the common one), value, lower, upper.
    groups : DataFrame
        One row a group, where a hierarchy was given: group, events, frauds, pooled_cut with interval, chosen_cut,
        reading.
    name : str
        What is cut.
    by : str
        What the regions are.
    threshold : float
        The common cut.
    """

    kind: ClassVar[str] = "pooled_cuts"
    title: ClassVar[str] = "Regional cuts, pooled"
    main: ClassVar[str] = "regions"
    next_step: ClassVar[str] = ".apply(book) writes the regions' own values"
    repr_rows: ClassVar[int] = 20
    repr_tables: ClassVar[tuple[str, ...]] = ("uniformity",)

    regions: pd.DataFrame
    uniformity: pd.DataFrame
    groups: pd.DataFrame
    name: str
    by: str
    threshold: float
    currency: str
    per: str
    spread: float
    calibration: Calibration

    def headline(self) -> tuple[Fact, ...]:
        """Return what one cut for all costs, and how many regions get their own."""
        row = self.uniformity.iloc[0]
        own = int((self.regions["chosen_cut"] != self.regions["parent_cut"]).sum())
        shown = int((self.regions["reading"] == PAYS).sum())
        money = money_name(f"One cut for all costs {a_week(self.per)}", self.currency, self.calibration.counted)
        price = Fact(money, "no region's own cut is expected to pay", "text")
        if row["moved"]:
            price = Fact(
                money,
                float(row["value"]),
                "money" if self.currency else "number",
                lower=float(row["lower"]),
                upper=float(row["upper"]),
                currency=self.currency,
                signed=True,
            )
        return (
            price,
            Fact("Regions with a cut of their own", own, "count", note=f"of {len(self.regions)}"),
            Fact("Shown to pay on later events", shown, "count"),
            Fact("Common cut", self.threshold, "score"),
            Fact("How much regions differ", self.spread, "share", note="of what a cut gains on frauds"),
        )

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of regions."""
        return 1.5 + 0.28 * min(25, max(3, len(self.regions)))

    def _draw(self, ax: Axes) -> None:
        draw_cuts(ax, self.regions, name=self.name, threshold=self.threshold)

    def apply(self, book: RuleBook | None = None) -> RuleBook:
        """Return a rule book with the common cut and each region's chosen cut in place.

        Parameters
        ----------
        book : RuleBook, optional
            The book to change; by default the one that the calibration was given.

        Raises
        ------
        ParameterError
            When what was pooled is not the region, or there is no book to change.
        """
        if self.by != "region":
            raise ParameterError(
                "Only regions can have values of their own in a rule book", got=f"by={self.by!r}", allowed='by="region"'
            )
        chosen = self.regions["chosen_cut"].to_numpy(np.float64)
        own = pd.DataFrame(
            {
                "segment": self.regions["region"],
                "own_threshold": chosen,
                "status": np.where(chosen != self.threshold, OWN, SAME),
            }
        )
        held = replace(self.calibration, by="region", segments=own, _cache={})
        return applied(held, self.calibration.given if book is None else book, per_segment=True)


def pool_cuts(
    calibration: Calibration, *, by: str = "region", parent: Mapping[str, str] | None = None, seed: int = 0
) -> PooledCuts:
    """Give each region a cut that leans on all regions where its own events are few.

    Use it before a region gets a value of its own. A region's curve is drawn toward that of all regions (or of its
    group) by how much regions are seen to differ and by how little it has of its own; its cut is the best of the
    drawn curve. A region keeps its parent's cut when it has fewer than 5 known frauds, or when its pooled cut is
    better with a chance below 70 %. Read `override_value` before believing a cut: it is what the cut gained on the
    later window, which did not choose it.

    Parameters
    ----------
    calibration : Calibration
        The common cut, with its events, costs and limits. Each region keeps to the limits within itself.
    by : str
        The column of the regions; "region" stands for the role.
    parent : mapping of str to str, optional
        Each region's group, where regions lean on a group first and groups on all.
    seed : int
        Of the random curves behind the intervals of cuts.

    Returns
    -------
    PooledCuts
        Tables `regions`, `uniformity` and `groups`.

    Raises
    ------
    DataError
        When the common cut hits nobody, so that there is nothing to lean on, or there is one region only.
    ParameterError
        When a region has no group, or a group is named for a region that is not there.

    Source: Morris, C. N. (1983), Parametric empirical Bayes inference, JASA 78, 47-55; Efron, B. and Morris, C.
    (1975), Data analysis using Stein's estimator, JASA 70, 311-319.

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> rng = np.random.default_rng(7)
    >>> fraud, land = rng.random(6000) < 0.05, rng.choice(["ID", "BR", "VN"], 6000, p=[0.6, 0.35, 0.05])
    >>> frame = pd.DataFrame({"id": np.arange(6000), "fraud": fraud.astype(int), "amount": 100.0, "land": land,
    ...     "risk": np.round(np.clip(rng.normal(0.3 + 0.4 * fraud + 0.2 * (land == "BR"), 0.1), 0, 1), 2),
    ...     "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(6000) // 60, unit="D")})
    >>> events = rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount", score="risk",
    ...     region="land"))
    >>> found = rb.pool_cuts(rb.calibrate(events))
    >>> found.frame()[["region", "frauds", "chosen_cut", "reading"]]
      region  frauds  chosen_cut                  reading
    0     ID     110        0.56             own cut pays
    1     BR      64        0.72  own cut expected to pay
    2     VN      13        0.56  own cut expected to pay
    """
    if not isinstance(calibration, Calibration):
        raise ParameterError(
            "pool_cuts takes a calibration", got=type(calibration).__name__, hint="rb.pool_cuts(rb.calibrate(...))"
        )
    begun = time.perf_counter()
    study, cut = calibration.reader.study, float(calibration.threshold)
    if not math.isfinite(cut):
        raise DataError(
            "The common cut hits nobody, so there is no cut that regions could lean on.",
            hint="calibrate each region by itself: rb.calibrate(..., by=None) on its events",
        )
    seeded(seed)
    codes, names = regions_of(study, by)
    windows = study.windows
    judged = windows.report if windows.report.mask.any() else windows.choose
    group, above = _groups(names, parent)
    chosen_rows, later_rows = (by_code(codes, window.mask, len(names)) for window in (windows.choose, judged))
    proposal = propose(
        study,
        chosen_rows,
        cut,
        calibration.reader.constraints,
        bounds=bounds_of(study),
        group=group,
        groups=len(above),
        seed=seed,
    )
    choices, earlier = proposal.choices, chosen_rows
    if not windows.report.mask.any():
        earlier = [rows[:0] for rows in chosen_rows]
    told = prices(study, later_rows, earlier, [(one.pooled, one.parent) for one in choices], judged)
    regions = _regions_frame(
        proposal, names, [len(rows) for rows in chosen_rows], told, weeks=(windows.choose.length, judged.length)
    )
    regions["parent"] = [above[code] for code in group] if group is not None else "all"
    sets = {
        "chosen": [(one.chosen, cut) for one in choices],
        "pooled": [(one.pooled, cut) for one in choices],
        "own": [(cut if one.own is None or not math.isfinite(one.own) else one.own, cut) for one in choices],
    }
    uniformity = _uniformity(study, sets, (later_rows, earlier), judged, told.swell)
    held = regions[COLUMNS].sort_values("events", ascending=False, kind="stable").reset_index(drop=True)
    return PooledCuts(
        regions=held,
        uniformity=uniformity,
        groups=_groups_frame(proposal.groups, above, group, chosen_rows, proposal.frauds),
        name=calibration.name,
        by=by,
        threshold=cut,
        currency=calibration.currency,
        per=calibration.per,
        spread=proposal.leant.spread,
        calibration=calibration,
        pages={
            "regions": regions_page(held, counted=study.counted, per=windows.per, window=judged.words),
            "uniformity": uniformity_page(uniformity, counted=study.counted, per=windows.per),
        },
        notes=notes_of(study, by=by, swell=told.swell, undone=proposal.undone, together=uniformity),
        grounds=grounds_of(held, window=judged.words, later=bool(windows.report.mask.any())),
        provenance={
            **{key: calibration.provenance.get(key) for key in ("dataset", "book", "label_recipe")},
            "parameters": {"by": by, "parent": dict(parent) if parent is not None else None},
            "seed": seed,
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def regions_of(study: Study, by: str) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
    """Return each event's region by the role or another column, and the regions' names.

    Raises
    ------
    DataError
        When there is one region only.
    ParameterError
        When there are too many.
    """
    if not isinstance(by, str):
        raise ParameterError("`by` is a column's name", got=repr(by)[:80])
    events = study.sweep.dataset
    role = by == "region" and (events.roles.region is not None or "region" not in events.names)
    codes, names = events.regions if role else events.segment(by)
    if len(names) < 2:
        raise DataError(f"{by!r} has one value only: there is nothing to pool", hint="name another column: by=")
    if len(names) > MOST_SEGMENTS:
        raise ParameterError(
            f"{by!r} has {len(names):,} values, too many for regions", allowed=f"at most {MOST_SEGMENTS:,}"
        )
    return codes, names


def by_code(codes: npt.NDArray[np.int32], mask: npt.NDArray[np.bool_], size: int) -> list[Rows]:
    """Return the rows of each code within a mask."""
    rows = np.flatnonzero(mask)
    order = rows[np.argsort(codes[rows], kind="stable")]
    return np.split(order, np.cumsum(np.bincount(codes[rows], minlength=size))[:-1])


def _groups(
    names: Sequence[str], parent: Mapping[str, str] | None
) -> tuple[npt.NDArray[np.intp] | None, tuple[str, ...]]:
    if parent is None:
        return None, ()
    if not isinstance(parent, Mapping):
        raise ParameterError("parent maps each region to its group", got=type(parent).__name__, allowed="a mapping")
    unknown = [name for name in parent if name not in names]
    if unknown:
        close = nearest(str(unknown[0]), names)
        raise ParameterError(
            f"{unknown[0]!r} is not a region", allowed=listed(names), hint=f"did you mean {close!r}?" if close else None
        )
    alone = [name for name in names if name not in parent]
    if alone:
        raise ParameterError(f"The region {alone[0]!r} has no group in parent=", allowed="one group a region")
    above = tuple(dict.fromkeys(str(parent[name]) for name in names))
    return np.array([above.index(str(parent[name])) for name in names], dtype=np.intp), above


def _regions_frame(
    proposal: Proposal, names: Sequence[str], counts: Sequence[int], told: Prices, *, weeks: tuple[float, float]
) -> pd.DataFrame:
    from scipy.special import ndtr

    choices, events = proposal.choices, np.array(counts, dtype=np.int64)
    first, later = (max(length, 1e-9) for length in weeks)
    tested = np.array([one.pooled != one.parent for one in choices]) & (told.variance > 0)
    spread = np.sqrt(told.variance)
    p = np.where(tested, ndtr(-told.gain / np.where(tested, spread, 1.0)), np.nan)
    q = np.full(len(choices), np.nan)
    q[tested] = q_values(p[tested])
    value, half = told.gain / later, Z95 * spread / later
    value, half = (np.where(tested, part, np.nan) for part in (value, half))
    readings, chosen = [], []
    for one, low, high, share in zip(choices, value - half, value + half, q, strict=True):
        reading, cut = one.reading, one.chosen
        if reading == EXPECTED and high < 0:
            reading, cut = LOSES, one.parent
        elif reading == EXPECTED and share <= 0.05 and low > 0:
            reading = PAYS
        readings.append(reading)
        chosen.append(cut)
    scale = events / first
    gain = np.array([one.gain for one in choices]) * scale
    wide = Z95 * np.array([one.spread for one in choices]) * scale
    columns = {
        "region": list(names),
        "events": events,
        "frauds": proposal.frauds,
        "own_weight": [one.weight for one in choices],
        "own_cut": np.array([np.nan if one.own is None else one.own for one in choices], dtype=np.float64),
        "pooled_cut": [one.pooled for one in choices],
        "pooled_cut_lower": [one.lower for one in choices],
        "pooled_cut_upper": [one.upper for one in choices],
        "parent_cut": [one.parent for one in choices],
        "chosen_cut": chosen,
        "chance": [one.chance for one in choices],
        "expected_value": gain,
        "expected_lower": gain - wide,
        "expected_upper": gain + wide,
        "override_value": value,
        "lower": value - half,
        "upper": value + half,
        "q_value": q,
        "reading": readings,
    }
    return pd.DataFrame(columns)


def _uniformity(
    study: Study,
    sets: Mapping[str, Sequence[tuple[float, float]]],
    rows: tuple[Sequence[Rows], Sequence[Rows]],
    judged: Window,
    swell: float,
) -> pd.DataFrame:
    lines = []
    for word, cuts in sets.items():
        total = prices(study, *rows, cuts, judged, swell=swell).total()
        moved = sum(first != second for first, second in cuts)
        lines.append((word, moved, *(part / max(judged.length, 1e-9) for part in total)))
    return pd.DataFrame(lines, columns=["cuts", "moved", "value", "lower", "upper"])


def _groups_frame(
    choices: Sequence[Choice],
    above: Sequence[str],
    group: npt.NDArray[np.intp] | None,
    rows: Sequence[Rows],
    frauds: npt.NDArray[np.int64],
) -> pd.DataFrame:
    columns = "group regions events frauds own_weight pooled_cut pooled_cut_lower pooled_cut_upper chosen_cut reading"
    if group is None:
        return pd.DataFrame(columns=columns.split())
    size = len(above)
    events = np.bincount(group, [len(own) for own in rows], minlength=size).astype(np.int64)
    known = np.bincount(group, frauds, minlength=size).astype(np.int64)
    count = np.bincount(group, minlength=size)
    held = [
        (above[code], count[code], events[code], known[code], one.weight, one.pooled, one.lower, one.upper, one.chosen,
         one.reading)
        for code, one in enumerate(choices)
    ]  # fmt: skip
    return pd.DataFrame(held, columns=columns.split())
