"""How a scheme becomes orders: rings with members, sessions, shared devices, and answers to what history launched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.data.marketplace.people import CATEGORY_LEVEL, Clock, Crowd, Ints, Rng
from riskbench.data.marketplace.region import DAY, DAYS, HOUR, PAYMENTS, SECOND, Region
from riskbench.data.marketplace.scheme import LAUNCHES, LIMIT_AFTER, Scheme
from riskbench.data.marketplace.schemes import NAMES

Frame = dict[str, npt.NDArray[Any]]

#: Share of rings that move to another region after a launch.
FLEES = 0.2
#: How many shops a creator promotes.
PARTNERS = 4

#: Honest trade of a shop or creator that also takes part in a scheme.
COVER = NAMES.index("cover_trade")


@dataclass(slots=True)
class Ids:
    """The next free number of each kind of entity."""

    free: dict[str, int] = field(default_factory=dict)

    def take(self, kind: str, count: int) -> int:
        """Return the first of `count` new numbers."""
        first = self.free.get(kind, 0)
        self.free[kind] = first + count
        return first


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Where orders are placed: the regions, their days, and the honest people."""

    regions: Sequence[Region]
    counts: Ints
    clock: Clock
    buyers: Crowd
    sellers: Crowd
    creators: Crowd
    ids: Ids

    def city_start(self) -> Ints:
        """Return the number of each region's first city."""
        return np.concatenate([[0], np.cumsum([len(region.cities) for region in self.regions])[:-1]]).astype(np.int64)


def rings(rng: Rng, world: World, scheme: Scheme) -> Frame:
    """Return a scheme's rings, one row a ring: region, orders, start, end, seller, creator, city."""
    wanted = [PAYMENTS.index(name) for name in scheme.payments]
    region: list[int] = []
    orders: list[int] = []
    for code, held in enumerate(world.regions):
        open_to = float(held.payment_mix()[wanted].sum()) if wanted else 1.0
        if wanted and open_to == 0.0:
            continue
        # A method that few use carries fewer frauds, though not in proportion.
        factor = 1.0 if len(wanted) != 1 else min(1.25, 0.6 + 2.4 * open_to)
        total = world.counts[code] * scheme.rate * factor
        number = max(round(total / scheme.ring), 1) if total >= 4 else int(total >= rng.random() * 4)
        if not number:
            continue
        sizes = np.exp(np.clip(rng.normal(0.0, 0.5, number), -1.2, 0.8))
        sizes = np.maximum(3, np.rint(sizes / sizes.sum() * max(total, 3 * number))).astype(int)
        region += [code] * number
        orders += sizes.tolist()
    home, size = np.array(region, dtype=np.int64), np.array(orders, dtype=np.int64)
    days = np.clip(rng.gamma(2.0, scheme.days / 2.0, len(size)), 0.5, DAYS - 2)
    if scheme.season:
        begin = np.array(scheme.season)[rng.integers(0, len(scheme.season), len(size))].astype(float)
    else:
        begin = rng.random(len(size)) * (DAYS - np.minimum(days, DAYS - 2) * 0.5)
    # Some rings leave for the next region once a rule against them is live.
    answered = [LAUNCHES[name] for name in scheme.adapts]
    flees = (begin > min(answered, default=DAYS)) & (rng.random(len(size)) < FLEES)
    next_door = (home + 1) % len(world.regions)
    reachable = np.array([not wanted or held.payment_mix()[wanted].sum() > 0 for held in world.regions])
    held_region = np.where(flees & reachable[next_door], next_door, home)
    start = world.clock.start[held_region] + (begin * DAY).astype(np.int64) if len(size) else held_region
    seller, seller_joined = _sellers(rng, world, scheme, held_region, start)
    creator, creator_joined = _creators(rng, world, scheme, held_region, start)
    if scheme.creator == "accomplice" or scheme.live > 0.5:  # a creator sells for a shop that is theirs already
        seller = partner(world, creator, rng.random(len(creator))) if len(creator) else creator
        seller_joined = world.sellers.joined[seller]
    return {
        "region": held_region,
        "home": home,
        "orders": size,
        "start": start,
        "end": start + (days * DAY).astype(np.int64),
        "seller": seller,
        "seller_joined": seller_joined,
        "creator": creator,
        "creator_joined": creator_joined,
        "city": world.buyers.city[world.buyers.pick(rng, held_region, start)] if len(size) else held_region,
        "lag": rng.integers(1, 7, len(size)),
        "taste": _taste(rng, world, seller),
    }


def _taste(rng: Rng, world: World, seller: Ints) -> Ints:
    """Return what each shop deals in; that of a shop made for the purpose is drawn."""
    known = seller < len(world.sellers)
    drawn = rng.integers(0, len(CATEGORY_LEVEL), len(seller))
    return np.where(known, world.sellers.taste[np.where(known, seller, 0)], drawn)


def _sellers(rng: Rng, world: World, scheme: Scheme, region: Ints, start: Ints) -> tuple[Ints, Ints]:
    size = len(region)
    if not size:
        return region, region
    if scheme.seller == "new":
        first = world.ids.take("seller", size)
        age = rng.gamma(1.6, 9.0, size)
        return first + np.arange(size), start - (age * DAY).astype(np.int64) - HOUR
    aged = 200 * DAY if scheme.seller == "aged" else 0
    picked = world.sellers.pick(rng, region, start - aged)
    if scheme.seller in ("one", "aged"):  # shops that are worth it: the busiest of a few
        for _ in range(2):
            other = world.sellers.pick(rng, region, start - aged)
            picked = np.where(world.sellers.weight[other] > world.sellers.weight[picked], other, picked)
    return picked, world.sellers.joined[picked]


def _creators(rng: Rng, world: World, scheme: Scheme, region: Ints, start: Ints) -> tuple[Ints, Ints]:
    size = len(region)
    if scheme.creator == "none" or not size:
        return np.full(size, -1, dtype=np.int64), start
    picked = world.creators.pick(rng, region, start)
    return picked, world.creators.joined[picked]


def partner(world: World, creator: Ints, chance: npt.NDArray[np.float64]) -> Ints:
    """Return one of the few shops that a creator promotes, all there from the first day.

    A shop's place among those of its region is drawn from the creator's number, so it needs no table.
    """
    region = world.creators.region[creator]
    which = np.minimum((chance**1.6 * PARTNERS).astype(np.int64), PARTNERS - 1)
    people = world.sellers
    low = people.slot_start[region]
    # Among those who were there on the first day, so that a pair lasts.
    eligible = np.maximum(people.eligible(region, world.clock.start[region]), 1)
    place = low + (_mixed(creator * 17 + which) / 2.0**32 * eligible).astype(np.int64)
    return people.slots[place]


def orders(rng: Rng, world: World, scheme: Scheme, held: Frame, *, scheme_code: int, first_ring: int) -> Frame:
    """Return the orders of a scheme's rings."""
    ring = np.repeat(np.arange(len(held["orders"])), held["orders"])
    size = len(ring)
    region = held["region"][ring]
    moment = _moments(rng, world, scheme, held, ring)
    end = world.clock.end[region]
    keep = moment < end
    ring, region, moment = ring[keep], region[keep], moment[keep]
    size = len(ring)
    launched = {name: moment > _launch(world, region, day, held["lag"][ring]) for name, day in LAUNCHES.items()}
    frame: Frame = {"region": region, "moment": moment}
    if scheme.accounts == "own":
        frame |= _members(rng, world, scheme, held, ring=ring, moment=moment)
    else:
        frame |= honest_accounts(rng, world, region, moment)
    if scheme.seller == "any":
        seller = world.sellers.pick(rng, region, moment, fresh=0.5 if scheme.name == "new_shop_promotion" else 0.03)
        joined, taste = world.sellers.joined[seller], world.sellers.taste[seller]
    else:
        seller, joined, taste = held["seller"][ring], held["seller_joined"][ring], held["taste"][ring]
    affiliate = np.array([region.affiliate for region in world.regions])
    if scheme.creator == "accomplice":
        with_creator = rng.random(size) < 0.94
    else:
        with_creator = (rng.random(size) < affiliate[region] * (2.2 if scheme.live > 0.5 else 1.0)) & (
            scheme.creator != "none"
        )
    level = rng.normal(scheme.level, scheme.spread, size)
    if scheme.level < 0.6:
        level += 0.6 * CATEGORY_LEVEL[taste]
    index = np.exp(level)
    if scheme.adapts.get("amount_cut") == "amount":
        above = launched["amount_cut"] & (index > LIMIT_AFTER * 0.97)
        index = np.where(above, LIMIT_AFTER * (0.995 - 0.22 * rng.random(size) ** 1.7), index)
    weights = np.array([scheme.payments.get(name, 0.0) for name in PAYMENTS])
    frame |= {
        "payment": _payments(rng, world, scheme, region=region, weights=weights, launched=launched),
        "seller": seller,
        "seller_joined": joined,
        "category": taste,
        "creator": np.where(with_creator, held["creator"][ring], -1),
        "creator_joined": held["creator_joined"][ring],
        "live": rng.random(size) < scheme.live,
        "index": index,
        "voucher": np.where(rng.random(size) < scheme.voucher, rng.beta(2.2, 2.2 / scheme.depth - 2.2, size), 0.0),
        "attempts": rng.geometric(1 - scheme.retry, size),
        "scheme": np.where(rng.random(size) < scheme.cover, COVER, scheme_code).astype(np.int16),
        "ring": first_ring + ring,
        "moved": np.any([launched[name] for name in scheme.adapts], axis=0)
        if scheme.adapts
        else np.zeros(size, dtype=bool),
    }
    return frame


def _launch(world: World, region: Ints, day: int, lag: Ints) -> Ints:
    return world.clock.midnights[region, day] + lag * DAY


def _moments(rng: Rng, world: World, scheme: Scheme, held: Frame, ring: Ints) -> Ints:
    size = len(ring)
    start, length = held["start"][ring], (held["end"] - held["start"])[ring]
    if scheme.burst:
        sessions = np.maximum(1, np.rint(held["orders"][ring] / 14)).astype(np.int64)
        session = (rng.random(size) * sessions).astype(np.int64)
        # Each session of a ring has its own place in the ring's days, the same for all of its orders.
        place = _mixed(ring * 1009 + session) / 2.0**32
        moment = start + (place * length).astype(np.int64)
        day = world.clock.day_of(held["region"][ring], moment)
        hour = 9 + 13 * (_mixed(ring * 7919 + session * 31 + 5) / 2.0**32)
        hour = np.where(_mixed(ring * 31 + session * 17 + 11) / 2.0**32 < scheme.night, hour - 9, hour)
        begin = world.clock.midnights[held["region"][ring], day] + (hour * HOUR).astype(np.int64)
        moment = begin + (rng.exponential(scheme.burst / 2, size) * HOUR).astype(np.int64)
    elif scheme.surge:
        at_once = rng.random(size) < scheme.surge
        later = rng.beta(1.0, 1.5, size) * length
        moment = start + np.where(at_once, np.minimum(rng.exponential(1.1 * HOUR, size), length), later).astype(
            np.int64
        )
    else:
        place = rng.beta(1.2, 1.2, size)
        day = world.clock.day_of(held["region"][ring], start + (place * length).astype(np.int64))
        moment = world.clock.at_day(rng, held["region"][ring], day, scheme.night)
    return np.maximum(moment, start) // SECOND * SECOND


def _mixed(values: Ints) -> npt.NDArray[np.float64]:
    """Return 32 well-mixed bits for each number."""
    bits = (values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    return (bits >> np.uint64(32)).astype(np.float64)


def _grouped(rng: Rng, world: World, kind: str, *, ring: Ints, members: Ints, per: npt.NDArray[np.float64]) -> Ints:
    """Return for each member of a ring one of the ring's devices (addresses, ...), `per` members apiece."""
    count = np.maximum(1, np.rint(members / np.maximum(per, 1.0))).astype(np.int64)
    first = world.ids.take(kind, int(count.sum())) + np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int64)
    return first[ring] + (rng.random(len(ring)) * count[ring]).astype(np.int64)


def _members(
    rng: Rng,
    world: World,
    scheme: Scheme,
    held: Frame,
    *,
    ring: Ints,
    moment: Ints,
) -> Frame:
    """Return accounts, devices, addresses and instruments of a ring's orders."""
    size, number = len(ring), len(held["orders"])
    late = held["start"] > world.clock.midnights[held["region"], LAUNCHES["device_ring"]] - 2 * DAY
    spread_out = late & (scheme.adapts.get("device_ring") == "devices")
    older = (held["start"] > world.clock.midnights[held["region"], LAUNCHES["live_wash"]]) & (
        scheme.adapts.get("live_wash") == "age"
    )
    accounts = np.maximum(1, np.rint(held["orders"] / scheme.per_account)).astype(np.int64)
    total = int(accounts.sum())
    first = np.concatenate([[0], np.cumsum(accounts)[:-1]]).astype(np.int64)
    owner = np.repeat(np.arange(number), accounts)  # each account's ring
    account = first[ring] + (rng.random(size) * accounts[ring]).astype(np.int64)
    fresh = rng.random(total) < np.where(older[owner], scheme.fresh * 0.45, scheme.fresh)
    age = np.where(fresh, rng.exponential(scheme.fresh_days, total), rng.exponential(260.0, total) + 5.0)
    joined = held["start"][owner] - (age * DAY).astype(np.int64) - HOUR
    # An account made for the purpose is made just before its first order, not before the ring's.
    first_order = np.full(total, np.iinfo(np.int64).max)
    np.minimum.at(first_order, account, moment)
    joined = np.where(
        fresh & (first_order < np.iinfo(np.int64).max), first_order - (age * DAY).astype(np.int64) - HOUR // 6, joined
    )
    per_device = np.where(spread_out, np.minimum(scheme.per_device, 1.25), scheme.per_device)
    device = _grouped(rng, world, "device", ring=owner, members=accounts, per=per_device)
    base = int(device.min()) if total else 0
    span = int(device.max()) - base + 1 if total else 0
    seen = np.full(span, np.iinfo(np.int64).max)
    np.minimum.at(seen, device[account] - base, moment)
    new_device = rng.random(span) < scheme.device_fresh
    device_age = np.where(new_device, rng.exponential(1.6, span), rng.exponential(200.0, span) + 3.0)
    device_first = seen - (device_age * DAY).astype(np.int64)
    address = _grouped(rng, world, "address", ring=owner, members=accounts, per=np.full(number, scheme.per_address))
    group = _grouped(rng, world, "network", ring=owner, members=accounts, per=np.full(number, scheme.per_ip))
    nat = np.array([region.carrier_nat for region in world.regions])[held["region"][owner]]
    elsewhere = world.buyers.city[world.buyers.pick(rng, held["region"][owner], held["start"][owner])]
    city = np.where(rng.random(total) < 0.85, held["city"][owner], elsewhere)
    behind = rng.random(total) < nat
    instruments = np.maximum(1, np.rint(held["orders"] / scheme.per_instrument)).astype(np.int64)
    card = world.ids.take("instrument", int(instruments.sum())) + np.concatenate(
        [[0], np.cumsum(instruments)[:-1]]
    ).astype(np.int64)
    buyer = world.ids.take("buyer", total) + np.arange(total)
    if scheme.per_instrument >= 3.0:  # everybody pays with an instrument of their own
        instrument = world.ids.take("instrument", total) + account
    else:
        instrument = card[ring] + (rng.random(size) * instruments[ring]).astype(np.int64)
    return {
        "buyer": buyer[account],
        "buyer_joined": np.minimum(joined[account], moment - HOUR // 12),
        "prior": np.where(fresh, 0, rng.poisson(np.minimum(age, 700.0) / 45.0))[account],
        "device": device[account],
        "device_first": device_first[device[account] - base],
        "address": address[account],
        "city": city[account],
        "ip": ring_ip(group[account], city[account], behind[account], rng),
        "nat": behind[account],
        "ip_match": rng.random(size) < scheme.ip_match,
        "instrument": instrument,
    }


def ring_ip(group: Ints, city: Ints, behind: npt.NDArray[np.bool_], rng: Rng) -> Ints:
    """Return an address of a home network (10.0.0.0/8), or of the carrier's few (100.64.0.0/10)."""
    home = (np.int64(10) << 24) + (_mixed(group + 50_000_017).astype(np.int64) >> 8)
    pool = (np.int64(100) << 24) + (np.int64(64) << 16)
    carrier = pool + city * 4096 + (rng.random(len(group)) ** 1.5 * 900).astype(np.int64)
    return np.where(behind, carrier, home)


def honest_accounts(rng: Rng, world: World, region: Ints, moment: Ints) -> Frame:
    """Return honest buyers for orders, with their devices, homes and instruments."""
    people = world.buyers
    size = len(people)
    buyer = people.pick(rng, region, moment, fresh=0.06)
    rows = len(buyer)
    joined = people.joined[buyer]
    own = _mixed(buyer) / 2.0**32  # each buyer's own chances, the same in all orders
    other = _mixed(buyer + 7_777_777) / 2.0**32
    switch = joined + ((world.clock.end[region] - joined) * (0.1 + 1.6 * other)).astype(np.int64)
    second = moment > switch
    before = (np.where(own < 0.35, own * 900.0, 0.0) * DAY).astype(np.int64)
    behind = other < np.array([held.carrier_nat for held in world.regions])[region]
    city = people.city[buyer]
    age = np.maximum(0, world.clock.start[region] - joined) / DAY
    moved = (own > 0.9) & (moment > joined + (moment - joined) // 2)
    return {
        "buyer": buyer,
        "buyer_joined": joined,
        "prior": rng.poisson(np.minimum(age, 700.0) / 70.0 * np.minimum(people.weight[buyer], 4.0)),
        "device": np.where(second, size + buyer, buyer),
        "device_first": np.where(second, switch, joined - before),
        "address": np.where(moved, size + buyer, buyer),
        "city": city,
        "ip": np.where(
            rng.random(rows) < 0.12,
            ring_ip(buyer + (rng.random(rows) * 50).astype(np.int64), city, behind, rng),
            ring_ip(buyer, city, behind, rng),
        ),
        "nat": behind,
        "ip_match": rng.random(rows) < 0.94,
        "instrument": np.where(own < 0.75, buyer, size + buyer),
    }


def _payments(
    rng: Rng,
    world: World,
    scheme: Scheme,
    *,
    region: Ints,
    weights: npt.NDArray[np.float64],
    launched: dict[str, npt.NDArray[np.bool_]],
) -> Ints:
    mixes = np.stack([held.payment_mix() for held in world.regions])
    wanted = mixes * weights if weights.any() else mixes
    if len(scheme.payments) == 1:
        wanted = (mixes > 0) * weights
    wanted = np.where(wanted.sum(axis=1, keepdims=True) > 0, wanted, mixes)
    chosen = draw_codes(rng, region, wanted)
    if scheme.adapts.get("score_cut") == "payment":
        away = mixes * np.array([0.0 if name in ("card", "cod") else 1.0 for name in PAYMENTS])
        away = np.where(away.sum(axis=1, keepdims=True) > 0, away, mixes)
        leaves = launched["score_cut"] & (rng.random(len(region)) < 0.55)
        chosen = np.where(leaves, draw_codes(rng, region, away), chosen)
    return chosen


def draw_codes(
    rng: Rng, region: Ints, weights: npt.NDArray[np.float64], chance: npt.NDArray[np.float64] | None = None
) -> Ints:
    """Return for each row a code drawn by its region's weights."""
    cdf = np.cumsum(weights, axis=1)
    cdf = cdf / cdf[:, -1:]
    chance = rng.random(len(region)) if chance is None else chance
    drawn = np.zeros(len(region), dtype=np.int64)
    for step in range(weights.shape[1] - 1):
        drawn += chance >= cdf[region, step]
    return drawn
