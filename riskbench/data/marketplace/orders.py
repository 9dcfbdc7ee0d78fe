"""All orders of the marketplace, honest and not, sorted by time, with what is known of each at checkout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from riskbench.data.marketplace.campaigns import Frame, Ids, World, draw_codes, honest_accounts, orders, partner, rings
from riskbench.data.marketplace.people import CATEGORY_LEVEL, Clock, Floats, Ints, Rng, crowd
from riskbench.data.marketplace.region import DAY, HOUR, PAYMENTS, Region
from riskbench.data.marketplace.schemes import LOOKALIKES, NAMES, SCHEMES

COD, CARD, WALLET = (PAYMENTS.index(name) for name in ("cod", "card", "ewallet"))


def world(rng: Rng, regions: Sequence[Region], counts: Ints) -> World:
    """Return the honest people of some regions, as many as their orders need."""
    clock = Clock.of(regions)
    buyers = crowd(rng, regions, clock, np.maximum(40, counts // 3), old=0.72, tail=0.8, age=420.0)
    sellers = crowd(rng, regions, clock, np.maximum(12, counts // 40), old=0.80, tail=1.1, age=500.0)
    creators = crowd(rng, regions, clock, np.maximum(6, counts // 320), old=0.75, tail=1.1, age=300.0)
    ids = Ids(
        {
            "buyer": len(buyers),
            "device": 2 * len(buyers),
            "address": 2 * len(buyers),
            "instrument": 2 * len(buyers),
            "network": 2 * len(buyers),
            "seller": len(sellers),
            "creator": len(creators),
        }
    )
    return World(regions, counts, clock, buyers, sellers, creators, ids)


def _honest(rng: Rng, held: World, counts: Ints) -> Frame:
    region = np.repeat(np.arange(len(held.regions)), counts)
    moment = held.clock.draw(rng, region)
    size = len(region)
    accounts = honest_accounts(rng, held, region, moment)
    seller = held.sellers.pick(rng, region, moment, fresh=0.03)
    live = rng.random(size) < np.array([r.live for r in held.regions])[region]
    affiliate = np.array([r.affiliate for r in held.regions])[region] * np.where(live, 2.0, 0.87)
    with_creator = rng.random(size) < affiliate
    creator = held.creators.pick(rng, region, moment)
    promoted = with_creator & (rng.random(size) < 0.85)
    seller = np.where(promoted, partner(held, creator, rng.random(size)), seller)
    category = held.sellers.taste[seller]
    newcomer = moment - accounts["buyer_joined"] < 5 * DAY
    voucher = rng.random(size) < np.where(newcomer, 0.62, 0.31)
    depth = np.where(newcomer, rng.beta(2.2, 7.5, size), rng.beta(2.2, 16.0, size))
    usual = rng.random(size) < 0.7
    habit = (accounts["buyer"] * 2654435761 % 2**32) / 2.0**32
    mixes = np.stack([r.payment_mix() for r in held.regions])
    return {
        "region": region,
        "moment": moment,
        **accounts,
        "payment": draw_codes(rng, region, mixes, np.where(usual, habit, rng.random(size))),
        "seller": seller,
        "seller_joined": held.sellers.joined[seller],
        "category": category,
        "creator": np.where(with_creator, creator, -1),
        "creator_joined": held.creators.joined[creator],
        "live": live,
        "index": np.exp(rng.normal(-0.02, 0.72, size) + 0.85 * CATEGORY_LEVEL[category]),
        "voucher": np.where(voucher, depth, 0.0),
        "attempts": rng.geometric(0.92, size),
        "scheme": np.zeros(size, dtype=np.int16),
        "ring": np.full(size, -1, dtype=np.int64),
        "moved": np.zeros(size, dtype=bool),
    }


def all_orders(rng: Rng, held: World) -> tuple[Frame, Frame]:
    """Return all orders sorted by time, and all rings."""
    parts: list[Frame] = []
    ring_parts: list[Frame] = []
    first_ring = 0
    for scheme in (*SCHEMES, *LOOKALIKES):
        if not scheme.rate:
            continue
        found = rings(rng, held, scheme)
        code = NAMES.index(scheme.name)
        if len(found["orders"]):
            parts.append(orders(rng, held, scheme, found, scheme_code=code, first_ring=first_ring))
        ring_parts.append({**found, "scheme": np.full(len(found["orders"]), code, dtype=np.int16)})
        first_ring += len(found["orders"])
    taken = np.zeros(len(held.regions), dtype=np.int64)
    for part in parts:
        taken += np.bincount(part["region"], minlength=len(taken))
    parts.insert(0, _honest(rng, held, np.maximum(held.counts - taken, 0)))
    together = np.concatenate([part["moment"] for part in parts])
    order = np.argsort(together, kind="stable")
    frame: Frame = {}
    for name in list(parts[0]):
        frame[name] = np.concatenate([part.pop(name) for part in parts])[order]
    found_rings = {name: np.concatenate([part[name] for part in ring_parts]) for name in ring_parts[0]}
    return known_at_checkout(rng, held, frame), found_rings


def known_at_checkout(rng: Rng, held: World, frame: Frame, *, first: int = 0) -> Frame:
    """Return orders sorted by time with money, numbers from `first`, and the columns that follow from others."""
    region, size = frame["region"], len(frame["region"])
    usual = np.array([r.median_order for r in held.regions])
    step = np.array([r.step for r in held.regions])[region]
    together = len(held.regions) > 1
    if together:  # one currency for all
        usual = usual / np.array([r.per_usd for r in held.regions])
        step = np.full(size, 0.01)
    usual = usual[region]
    amount = _money(np.maximum(frame["index"] * usual, step), step)
    with_creator = frame["creator"] >= 0
    share = np.where(with_creator, 0.02 + 0.13 * rng.beta(2.0, 2.6, size), 0.0)
    frame["amount"] = amount
    frame["index"] = amount / usual
    frame["voucher"] = _money(np.where(frame["voucher"] > 0, np.maximum(frame["voucher"] * amount, step), 0.0), step)
    frame["shipping"] = _money(np.maximum(usual * 0.13 * np.exp(rng.normal(0.0, 0.35, size)), step), step)
    frame["commission_rate"] = np.round(share, 3)
    frame["commission"] = _money(amount * frame["commission_rate"], step)
    frame["items"] = 1 + rng.poisson(0.25 + 0.35 * np.minimum(frame["index"], 6.0))
    frame["hour"] = held.clock.hour_of(region, frame["moment"])
    for name, joined in (
        ("buyer_age", "buyer_joined"),
        ("device_age", "device_first"),
        ("seller_age", "seller_joined"),
    ):
        frame[name] = np.maximum(frame["moment"] - frame[joined], 0) // DAY
    frame["buyer_orders"] = frame["prior"] + earlier(frame["buyer"])
    frame["no"] = first + np.arange(size)
    return frame


def _money(values: Floats, step: Floats) -> Floats:
    """Return money rounded to multiples of a step, exact in the currency's decimals."""
    per = np.rint(1.0 / step)
    return np.where(
        step >= 1,
        np.rint(values / np.maximum(step, 1)) * np.maximum(step, 1),
        np.rint(values * per) / np.maximum(per, 1),
    )


def earlier(entity: npt.NDArray[np.int64]) -> Ints:
    """Return how many earlier rows name the same entity; rows are in order of time.

    >>> earlier(np.array([5, 7, 5, 5, 7])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(entity, kind="stable")
    grouped = entity[order]
    starts = np.flatnonzero(np.concatenate([[True], grouped[1:] != grouped[:-1]])) if len(entity) else order
    length = np.diff(np.concatenate([starts, [len(entity)]]))
    rank = np.arange(len(entity)) - np.repeat(starts, length)
    counts = np.empty(len(entity), dtype=np.int64)
    counts[order] = rank
    return counts


def recent(entity: npt.NDArray[np.int64], moment: Ints, hours: float) -> Ints:
    """Return how many rows named the same entity in the hours before; rows are in order of time.

    >>> recent(np.array([1, 1, 2, 1]), np.array([0, 1, 2, 3]) * 3_600_000_000, 2.5).tolist()
    [0, 1, 0, 1]
    """
    if not len(entity):
        return np.zeros(0, dtype=np.int64)
    origin = int(moment.min())
    width = int(hours * HOUR)
    span = int(moment.max()) - origin + width + 2
    seconds = np.int64(1_000)  # thousandths of a second keep the key small
    key = entity * (span // seconds + 1) + (moment - origin) // seconds + width // seconds
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    here = np.searchsorted(ordered, ordered, side="left")
    before = np.searchsorted(ordered, ordered - width // seconds, side="left")
    counts = np.empty(len(entity), dtype=np.int64)
    counts[order] = here - before
    return counts
