"""Events of a shop in which nothing goes wrong, and what may be planted in them."""

from __future__ import annotations

import numpy as np
import pandas as pd

import riskbench as rb

CITIES = ("north", "south", "east", "west", "old town", "port", "hill", "lake")
PAYMENTS = ("card", "cash", "wallet", "transfer")
GOODS = ("toys", "food", "shoes", "books", "phones", "garden")
START = pd.Timestamp("2026-03-02")
ZONE = "Asia/Jakarta"


def frame_of(
    seed: int,
    *,
    rows: int = 12_000,
    days: int = 90,
    growth: float = 0.5,
    campaign: float = 3.0,
    frauds: float = 0.02,
    repeated: float = 0.0,
) -> pd.DataFrame:
    """Return orders with hours, weekdays, growth and a campaign, that clump by buyer, and late labels.

    Each buyer keeps to a city and a payment; a buyer's orders come in sessions; each city and payment has its own
    rate of fraud, and cash its own hours. A share of `repeated` of the buyers defrauds in most of its orders.
    """
    rng = np.random.default_rng(seed)
    hours = np.arange(days * 24)
    day = hours // 24
    level = 1.0 + growth * day / days + 0.25 * np.sin(2 * np.pi * (hours % 24 - 9) / 24) * 2
    level *= np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.35, 1.25])[day % 7]
    level *= np.exp(rng.normal(0.0, 0.08, days))[day]
    level = np.where(np.isin(day, (days // 3, 2 * days // 3)), level * campaign, level)
    sessions = rng.poisson(level / level.sum() * rows / 1.35)
    at = np.repeat(hours, sessions)
    buyers = max(50, rows // 3)
    buyer = rng.choice(buyers, len(at), p=_uneven(rng, buyers))
    size = np.minimum(rng.geometric(1 / 1.35, len(at)), 6)
    at, buyer = np.repeat(at, size), np.repeat(buyer, size)
    second = at * 3600 + rng.integers(0, 3600, len(at))
    order = np.argsort(second, kind="stable")
    second, buyer = second[order], buyer[order]
    many = len(second)
    city = rng.choice(len(CITIES), buyers, p=_uneven(rng, len(CITIES)))[buyer]
    payment = rng.choice(len(PAYMENTS), buyers, p=_uneven(rng, len(PAYMENTS)))[buyer]
    night = (second // 3600 % 24 >= 20) & (rng.random(many) < 0.4)
    payment = np.where(night, 1, payment)
    goods = rng.choice(len(GOODS), many, p=_uneven(rng, len(GOODS)))
    amount = np.round(np.exp(rng.normal(3.5, 0.9, many)) * (1 + goods / 4), 2)
    bad = rng.random(buyers) < repeated
    usual = frauds * (0.5 + city / len(CITIES)) * (0.6 + 0.8 * (payment == 0))
    fraud = (rng.random(many) < usual) | (bad[buyer] & (rng.random(many) < 0.6))
    placed = (START + pd.to_timedelta(second, unit="s")).tz_localize(ZONE).tz_convert("UTC").tz_localize(None)
    told = placed + pd.to_timedelta(rng.gamma(2.0, 5.0, many) * 86_400, unit="s").round("s")
    score = np.clip(rng.beta(1.2, 9.0, many) + 0.25 * fraud, 0, 1)
    return pd.DataFrame(
        {
            "order": np.arange(many),
            "placed": placed,
            "city": np.array(CITIES)[city],
            "payment": np.array(PAYMENTS)[payment],
            "goods": np.array(GOODS)[goods],
            "buyer": buyer,
            "amount": amount,
            "voucher": np.where(rng.random(many) < 0.3, np.round(amount * 0.1, 2), 0.0),
            "score": score,
            "outcome": np.where(score + rng.normal(0, 0.05, many) > 0.45, "review", "approve"),
            "fraud": fraud.astype(int),
            "told": told.where(fraud),
        }
    )


def read(frame: pd.DataFrame, **changes: object) -> rb.Dataset:
    """Return the orders as a dataset, with some roles changed."""
    from dataclasses import replace

    roles = rb.Roles(
        id="order", time="placed", label="fraud", label_time="told", amount="amount", measures={"subsidy": "voucher"},
        currency="USD", score="score", outcome="outcome", entities=("buyer",), segments=("city", "payment", "goods"),
    ).with_roles(**changes)  # fmt: skip
    return replace(rb.read(frame, roles=roles), time_zone=ZONE)


def plant(
    frame: pd.DataFrame, seed: int, *, start: str, hours: float, orders: int, where: dict[str, str], frauds: float = 0.9
) -> pd.DataFrame:
    """Return the orders with a raid added: so many orders of new buyers in one place from a moment (UTC) on."""
    rng = np.random.default_rng(seed)
    rows = frame.iloc[rng.choice(len(frame), orders)].copy()
    second = np.sort(rng.random(orders)) * hours * 3600
    rows["placed"] = pd.Timestamp(start) + pd.to_timedelta(second, unit="s").round("s")
    rows["buyer"] = int(frame["buyer"].max()) + 1 + rng.integers(0, max(1, orders // 4), orders)
    fraud = rng.random(orders) < frauds
    rows["fraud"] = fraud.astype(int)
    rows["told"] = (rows["placed"] + pd.to_timedelta(rng.gamma(2.0, 5.0, orders) * 86_400, unit="s").round("s")).where(
        fraud
    )
    for column, value in where.items():
        rows[column] = value
    both = pd.concat([frame, rows]).sort_values("placed", kind="stable", ignore_index=True)
    both["order"] = np.arange(len(both))
    return both


def _uneven(rng: np.random.Generator, size: int) -> np.ndarray:
    weight = rng.gamma(1.5, 1.0, size) + 0.1
    return weight / weight.sum()
