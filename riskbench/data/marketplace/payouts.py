"""When sellers and creators are paid, and what: the weekly run of each region, settlements and payouts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from riskbench.data.marketplace.applications import Judged
from riskbench.data.marketplace.campaigns import Frame, World
from riskbench.data.marketplace.datasets import of_kind
from riskbench.data.marketplace.people import Floats, Ints, Rng
from riskbench.data.marketplace.raid import RAID
from riskbench.data.marketplace.region import (
    DAY,
    DAYS,
    END_DAY,
    FIRST_DAY,
    HOUR,
    PAYOUT_TIME,
    PAYOUT_WEEKDAY,
    SECOND,
    Region,
)
from riskbench.data.marketplace.region import region as region_of
from riskbench.data.marketplace.transactions import Checkout
from riskbench.data.marketplace.verdicts import REFUSED
from riskbench.data.marketplace.words import coded, event_ids, numbers, times
from riskbench.engine.columns import Column
from riskbench.engine.table import Table

#: Runs told after the marketplace's last day.
AHEAD = 3
#: The platform's fee of an order.
FEE = 0.04
#: A run's number is below this, so that payee and run make one number.
_RUNS = 64
_WEEK = 7 * DAY


def runs(region: str) -> tuple[str, ...]:
    """Return when a region's sellers and creators are paid, as ISO moments in UTC: each Wednesday, 09:20 local time.

    Use it as the payout runs of `rb.sample`: what was accrued up to a run and not stopped is paid with it. The
    last ones lie after the marketplace's days.

    Parameters
    ----------
    region : str
        One of the twelve regions.

    Raises
    ------
    ParameterError
        When there is none of that code.

    Examples
    --------
    >>> runs("ID")[0], runs("ID")[-4]
    ('2026-05-20T02:20:00Z', '2026-11-11T02:20:00Z')
    """
    return tuple(f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in _moments(region_of(region)))


def _moments(region: Region) -> list[datetime]:
    zone = ZoneInfo(region.time_zone)
    first = FIRST_DAY + timedelta(days=(PAYOUT_WEEKDAY - FIRST_DAY.weekday()) % 7)
    weeks = range(((END_DAY - first).days + 6) // 7 + AHEAD)
    return [datetime.combine(first + timedelta(days=7 * w), PAYOUT_TIME, tzinfo=zone).astimezone(UTC) for w in weeks]


def _schedule(regions: Sequence[Region]) -> Ints:
    """Return the runs as microseconds since 1970 UTC, regions x runs."""
    return np.array([[int(m.timestamp()) * SECOND for m in _moments(region)] for region in regions], dtype=np.int64)


def _run_of(schedule: Ints, region: Ints, moment: Ints) -> Ints:
    """Return the number of the first run of its region at or after each moment."""
    run = np.empty(len(moment), dtype=np.int64)
    for code in range(len(schedule)):
        rows = region == code
        run[rows] = np.searchsorted(schedule[code], moment[rows], side="left")
    return run


def paid(rng: Rng, held: World, orders: Frame, *, made: Checkout, earned: Judged) -> dict[str, Table]:
    """Return the sellers' settlements and the creators' payouts of all runs up to the end of the data."""
    schedule = _schedule(held.regions)
    return {
        "settlements": _settlements(rng, held, orders, made=made, earned=earned, schedule=schedule),
        "payouts": _payouts(held, earned, schedule),
    }


def _delivered(rng: Rng, orders: Frame, earned: Judged) -> Ints:
    """Return when each order was delivered: when its commission was earned, where it has one."""
    size = len(orders["no"])
    wait = 2.0 + rng.gamma(3.0, 0.9, size)[orders["no"]]
    delivered = orders["moment"] + (wait * np.where(orders["scheme"] == RAID, HOUR, DAY)).astype(np.int64)
    place = np.empty(size, dtype=np.int64)
    place[orders["no"]] = np.arange(size)
    delivered[place[earned.frame["order"]]] = earned.frame["moment"]
    return delivered // SECOND * SECOND


def _settlements(rng: Rng, held: World, orders: Frame, *, made: Checkout, earned: Judged, schedule: Ints) -> Table:
    region = orders["region"]
    run = _run_of(schedule, region, _delivered(rng, orders, earned))
    at = schedule[region, run]
    refused = np.full(len(region), np.iinfo(np.int64).max)
    back = made.told.source == REFUSED
    refused[made.told.event[back]] = made.told.time[back]
    # An order that is refused is not settled; the partners of a raid report a delivery before it is.
    never = (refused < np.iinfo(np.int64).max) & (orders["scheme"] != RAID)
    rows = np.flatnonzero(made.completed & (at < held.clock.end[region]) & ~never & (refused > at))
    key, group = np.unique(orders["seller"][rows] * _RUNS + run[rows], return_inverse=True)
    first = np.zeros(len(key), dtype=np.int64)
    first[group[::-1]] = rows[::-1]
    gross = np.bincount(group, weights=orders["amount"][rows], minlength=len(key))
    commission = np.bincount(group, weights=orders["commission"][rows], minlength=len(key))
    fees = _round(held, FEE * gross + commission)
    order = np.argsort(at[first], kind="stable")
    end = at[first][order]
    return Table.from_columns(
        {
            "settlement_id": event_ids(key[order], "T", 89),
            "seller_id": of_kind("seller", orders["seller"][first][order]),
            "period_start": times(end - _WEEK),
            "period_end": times(end),
            "orders": numbers(np.bincount(group, minlength=len(key))[order]),
            "gross": numbers(_round(held, gross)[order]),
            "fees": numbers(fees[order]),
            "net": numbers(_round(held, gross - fees)[order]),
            "paid_at": times(end),
        }
    )


def _payouts(held: World, earned: Judged, schedule: Ints) -> Table:
    frame = earned.frame
    region, amount = frame["region"], frame["commission"]
    run = _run_of(schedule, region, frame["moment"])
    at = schedule[region, run]
    stopped = earned.decided.outcome == 3
    called = (earned.labels.fraud == 1) & (earned.labels.time <= at)
    rows = np.flatnonzero((at < held.clock.end[region]) & ~stopped & ~called)
    key, group = np.unique(frame["creator"][rows] * _RUNS + run[rows], return_inverse=True)
    first = np.zeros(len(key), dtype=np.int64)
    first[group[::-1]] = rows[::-1]
    total = np.bincount(group, weights=amount[rows], minlength=len(key))
    waits = (earned.decided.outcome[rows] > 0) & (
        (earned.labels.time[rows] == 0) | (earned.labels.time[rows] > at[rows])
    )
    looked_at = np.bincount(group, weights=np.where(waits, amount[rows], 0.0), minlength=len(key))
    order = np.argsort(at[first], kind="stable")
    end = at[first][order]
    return Table.from_columns(
        {
            "payout_id": event_ids(key[order], "U", 97),
            "creator_id": of_kind("creator", frame["creator"][first][order]),
            "run_at": times(end),
            "period_start": times(end - _WEEK),
            "period_end": times(end),
            "commissions": numbers(np.bincount(group, minlength=len(key))[order]),
            "amount": numbers(_round(held, total)[order]),
            "status": _status((looked_at > 0.5 * total)[order]),
        }
    )


def _status(held_back: np.ndarray) -> Column:
    return coded(held_back.astype(np.int32), ("paid", "held"))


def _round(held: World, money: npt.NDArray[Any]) -> Floats:
    """Return money in whole steps of its currency."""
    return np.round(money, 0 if len(held.regions) == 1 and held.regions[0].step >= 1 else 2)


assert DAYS // 7 + AHEAD + 1 < _RUNS
