"""What is a seller or creator worth in the first months, and how long does the first sale take?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.engine.columns import DAY
from riskbench.errors import ParameterError
from riskbench.metrics.costs import Costs, worth
from riskbench.metrics.growth.activity import Activity, days_of, shared_codes
from riskbench.metrics.growth.matched import LEAST, spread
from riskbench.metrics.growth.survival import median_days

Ints = npt.NDArray[np.int64]

COLUMNS = (
    "tier entities first_sale_days first_sale_days_lower first_sale_days_upper sold_share margin lower upper n why"
).split()
#: A tier column of more words than this is none.
_MOST = 50


def lifetime_frame(
    events: Dataset,
    activity: Dataset,
    *,
    entity: str,
    tiers: str | int | None,
    days: int,
    end: pd.Timestamp,
    costs: Costs,
    wanted: bool,
) -> pd.DataFrame:
    """Return each tier's days to the first sale and margin in the first window after an entity's first event.

    Who is watched for a shorter time counts as long as he was watched (first sale), or not at all (margin).

    Raises
    ------
    ParameterError
        When the tiers are neither a column nor a number from 1 to 20.
    """
    if not wanted:
        return pd.DataFrame(columns=COLUMNS)
    who, theirs, many = shared_codes(events, activity, entity)
    when = events.column("time").values.astype(np.int64)
    held = (who >= 0) & events.column("time").present & (when <= end.value // 1000)
    order = np.flatnonzero(held)[np.lexsort((when[held], who[held]))]
    codes, first = np.unique(who[order], return_index=True)
    rows = order[first]
    begin, stop = when[rows], int(end.value // 1000)
    gains = worth(activity)
    money = gains.margin * gains.margin_weight(costs) / activity.currency.scale if gains.money else None
    then = activity.column("time")
    active = np.where(then.present & (then.values <= stop), theirs, -1)
    seen = Activity.of(active, then.values.astype(np.int64), None if money is None else money.astype(np.float64))
    span = int(days * DAY)
    same = events is activity
    count, margin, _ = seen.later(codes, begin, span)
    _, _, gap = seen.later(codes, begin - (0 if same else 1), max(stop - int(begin.min(initial=stop)), 0) + span)
    watched = days_of(stop - begin)
    came = gap >= 0
    gap = gap - (0 if same else 1)
    until = np.where(came, days_of(gap), watched)
    whole = watched >= days
    place, names = _tiers(events, rows, tiers, count, many)
    grid = np.arange(0.0, max(2.0, float(days) + 1))
    table = [
        _row(name, place == number, until, came, whole, count, margin if money is not None else None, grid)
        for number, name in enumerate(names)
    ]
    return pd.DataFrame(table, columns=COLUMNS)


def _row(  # noqa: PLR0917
    name: str,
    mine: npt.NDArray[np.bool_],
    until: npt.NDArray[np.float64],
    came: npt.NDArray[np.bool_],
    whole: npt.NDArray[np.bool_],
    count: Ints,
    margin: npt.NDArray[np.float64] | None,
    grid: npt.NDArray[np.float64],
) -> dict[str, object]:
    blank: dict[str, object] = dict.fromkeys(COLUMNS)
    full = mine & whole
    n = int(full.sum())
    told = {**blank, "tier": name, "entities": int(mine.sum()), "n": n, "why": ""}
    if n < LEAST:
        return {**told, "why": f"only {n} are watched for the whole window"}
    middle, low, high = median_days(until[mine], came[mine], grid)
    told |= {"first_sale_days": middle, "first_sale_days_lower": low, "first_sale_days_upper": high}
    told |= {"sold_share": float((count[full] > 0).mean())}
    if middle is None:
        told["why"] = "fewer than half had a first sale within the window"
    if margin is not None:
        own = margin[full]
        mean = float(own.mean())
        half = spread((own - mean) / n * np.sqrt(n / (n - 1)))
        told |= {"margin": mean, "lower": mean - half, "upper": mean + half}
    return told


def _tiers(
    events: Dataset, rows: npt.NDArray[np.intp], tiers: str | int | None, count: Ints, many: int
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return each entity's tier, and the tiers' names."""
    del many
    if tiers is None:
        return np.zeros(len(rows), dtype=np.int64), ["all"]
    if isinstance(tiers, bool) or not isinstance(tiers, str | int) or (isinstance(tiers, int) and not 1 <= tiers <= 20):
        raise ParameterError("Tiers are a column, or a number of equal parts", got=repr(tiers)[:80], allowed="1..20")
    if isinstance(tiers, int):
        return _parts(count.astype(np.float64), tiers, "orders")
    column = events.column(tiers)
    if column.kind in ("int", "float"):
        return _parts(np.where(column.present, column.values, np.nan)[rows].astype(np.float64), 3, tiers)
    codes, names = events.segment(tiers)
    if len(names) > _MOST:
        raise ParameterError(f"{tiers!r} has {len(names):,} values, too many for tiers", allowed=f"at most {_MOST}")
    return codes[rows].astype(np.int64), list(names)


def _parts(value: npt.NDArray[np.float64], parts: int, what: str) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return equal parts by a number, equal numbers in one part; missing is a part of its own."""
    known = ~np.isnan(value)
    ends = np.unique(np.quantile(value[known], np.arange(1, parts) / parts)) if known.any() else np.zeros(0)
    place = np.where(known, np.searchsorted(ends, value, side="left"), len(ends) + 1).astype(np.int64)
    edges = [-np.inf, *ends, np.inf]
    names = [
        f"{what} up to {high:g}" if np.isfinite(high) else f"{what} above {low:g}" if np.isfinite(low) else f"{what}"
        for low, high in pairwise(edges)
    ]
    return place, [*names, "(missing)"] if not known.all() else names
