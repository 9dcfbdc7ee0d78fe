"""What a region is like: currency, calendar, payment mix, delays, as dated assumptions in a file apiece."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from riskbench.errors import ParameterError, listed, nearest

#: The twelve regions, largest first.
CODES = ("ID", "BR", "VN", "TH", "PH", "MY", "MX", "SG", "TW", "CO", "PL", "NO")
#: Every payment method of any region.
PAYMENTS = ("cod", "ewallet", "transfer", "paylater", "card", "instant", "boleto")

#: The days of the marketplace, local dates, the end exclusive: 26 whole weeks that end after 11.11.
FIRST_DAY, END_DAY = date(2026, 5, 18), date(2026, 11, 16)
DAYS = (END_DAY - FIRST_DAY).days

#: When sellers and creators of every region are paid: each Wednesday at 09:20 local time.
PAYOUT_WEEKDAY, PAYOUT_TIME = 2, time(9, 20)

DAY = 86_400_000_000
HOUR = DAY // 24
SECOND = 1_000_000

#: Monday to Sunday, and midnight to midnight (local): how much is bought.
_WEEKDAY = np.array([0.96, 0.94, 0.95, 0.98, 1.04, 1.10, 1.08])
_HOURLY = np.array(
    [
        2.2,
        1.2,
        0.8,
        0.6,
        0.7,
        1.0,
        1.9,
        2.9,
        3.8,
        4.6,
        5.2,
        5.7,
        6.4,
        6.0,
        5.3,
        5.0,
        4.9,
        5.1,
        5.8,
        7.2,
        8.2,
        7.8,
        5.6,
        3.5,
    ]
)
_GROWTH = 0.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One region's assumptions, as its file states them.

    Attributes
    ----------
    code, name, as_of, time_zone, currency : str
        ISO country code, name, the date of the assumptions, IANA zone, ISO currency.
    share : float
        Its part in the orders of all twelve.
    per_usd, median_order, step : float
        Currency units in one USD; the usual order; prices are multiples of `step` (major units).
    minute_cost : float
        What a reviewer's minute costs (major units).
    payments, cities, delays : mapping
        Shares by method, shares by city, median days to a verdict by source.
    """

    code: str
    name: str
    as_of: str
    share: float
    time_zone: str
    languages: tuple[str, ...]
    currency: str
    per_usd: float
    median_order: float
    step: float
    minute_cost: float
    loss_appetite: float
    refused_delivery: float
    carrier_nat: float
    affiliate: float
    live: float
    mature_after: float
    payments: Mapping[str, float]
    cities: Mapping[str, float]
    delays: Mapping[str, float]
    calendar: tuple[tuple[str, date, date, float], ...]

    def payment_mix(self) -> npt.NDArray[np.float64]:
        """Return the share of each method of `PAYMENTS`."""
        return np.array([self.payments.get(name, 0.0) for name in PAYMENTS])

    def day_weights(self) -> npt.NDArray[np.float64]:
        """Return how much is bought on each local day: weekday, growth, payday and campaigns."""
        days = np.arange(DAYS)
        weight = _WEEKDAY[days % 7] * (1 + _GROWTH * days / DAYS)
        for day in range(DAYS):
            if (FIRST_DAY + timedelta(days=day)).day in (25, 26, 27, 28, 1, 2):
                weight[day] *= 1.15
        for _, first, last, lift in self.calendar:
            low, high = (first - FIRST_DAY).days, (last - FIRST_DAY).days + 1
            weight[max(0, low) : max(0, high)] *= lift
            weight[max(0, low - 3) : max(0, low)] *= 1 - 0.06 * max(0.0, lift - 1)
        return weight

    def midnights(self) -> npt.NDArray[np.int64]:
        """Return each local midnight as microseconds since 1970 UTC, the end's included."""
        zone = ZoneInfo(self.time_zone)
        moments = [
            datetime.combine(FIRST_DAY + timedelta(days=day), datetime.min.time(), tzinfo=zone)
            for day in range(DAYS + 1)
        ]
        return np.array([int(moment.astimezone(UTC).timestamp()) * 1_000_000 for moment in moments], dtype=np.int64)


def minute_cost(code: str | None) -> float:
    """Return what a reviewer's minute costs in a region, in its currency; None: all regions by orders, in USD.

    >>> minute_cost("ID")
    700.0
    """
    if code is not None:
        return float(region(code).minute_cost)
    held = [region(each) for each in CODES]
    return round(sum(r.share * r.minute_cost / r.per_usd for r in held) / sum(r.share for r in held), 4)


def hour_weights() -> npt.NDArray[np.float64]:
    """Return how much is bought in each local hour, adding up to 1."""
    return _HOURLY / _HOURLY.sum()


@lru_cache(maxsize=len(CODES))
def region(code: str) -> Region:
    """Return one of the twelve regions.

    Raises
    ------
    ParameterError
        When there is none of that code.
    """
    if code not in CODES:
        close = nearest(str(code), CODES)
        raise ParameterError(
            f"{code!r} is not a region of the synthetic marketplace",
            allowed=listed(CODES),
            hint=f"did you mean {close!r}?" if close else "None means all twelve",
        )
    text = resources.files(__package__).joinpath("regions", f"{code}.toml").read_text(encoding="utf-8")
    held = tomllib.loads(text)
    calendar = tuple((c["name"], c["first"], c["last"], float(c["lift"])) for c in held.pop("calendar", []))
    languages = tuple(held.pop("languages"))
    shares: dict[str, Any] = {name: MappingProxyType(held.pop(name)) for name in ("payments", "cities", "delays")}
    return Region(calendar=calendar, languages=languages, **shares, **held)
