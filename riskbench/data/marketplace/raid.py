"""One coordinated attack a region, and the honest crowd of the same days: orders on top of all others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from riskbench.data.marketplace.campaigns import Frame, Ids, World, orders, partner
from riskbench.data.marketplace.orders import known_at_checkout
from riskbench.data.marketplace.people import Ints, Rng
from riskbench.data.marketplace.region import DAY, END_DAY, FIRST_DAY, HOUR, SECOND, Region
from riskbench.data.marketplace.scheme import Scheme
from riskbench.data.marketplace.schemes import NAMES
from riskbench.data.marketplace.schemes import RAID as SCHEMES
from riskbench.errors import ParameterError

#: When it begins, local wall-clock time, unless said otherwise: the night of 11.11.
RAID_AT = "2026-11-11T00:20"
#: How long it runs.
HOURS = 36
#: A small marketplace has at least so many orders of a raid, but at most this share of a region's.
FEWEST, MOST_SHARE = 40, 0.02

RAID = NAMES.index("creator_raid")


def moment(raid: str) -> datetime:
    """Return a raid's local start.

    Raises
    ------
    ParameterError
        When it is no local moment inside the marketplace's days, or too late to run its hours.
    """
    first = datetime.combine(FIRST_DAY, datetime.min.time())
    last = datetime.combine(END_DAY, datetime.min.time()) - timedelta(days=2)
    allowed = f"a local time without zone from {first:%Y-%m-%dT%H:%M} to {last:%Y-%m-%dT%H:%M}, or None for no raid"
    try:
        held = datetime.fromisoformat(raid)
    except (TypeError, ValueError):
        held = None
    if held is None or held.tzinfo is not None or not first <= held <= last:
        raise ParameterError("The raid's start cannot be used", got=repr(raid)[:80], allowed=allowed)
    return held.replace(microsecond=0)


def starts(regions: tuple[Region, ...] | list[Region], at: datetime) -> Ints:
    """Return a local moment in each region's zone as microseconds since 1970 UTC."""
    return np.array(
        [int(at.replace(tzinfo=ZoneInfo(r.time_zone)).astimezone(UTC).timestamp()) * SECOND for r in regions],
        dtype=np.int64,
    )


def attack(rng: Rng, held: World, at: datetime, *, rows: int, first_ring: int) -> tuple[Frame, Frame]:
    """Return the orders of a raid and of the honest crowd, sorted by time, and their rings.

    All accounts, devices, addresses and instruments are their own, so that nothing else changes.

    Parameters
    ----------
    rng : Generator
        The source of chance.
    held : World
        Regions, days and honest people; its next free numbers stay as they are.
    at : datetime
        The local start.
    rows, first_ring : int
        The orders and rings that these come on top of.
    """
    room = 60_000 + 2 * rows  # what applications and KYC attempts may still take
    own = replace(held, ids=Ids({kind: free + room for kind, free in held.ids.free.items()}))
    begin = starts(list(held.regions), at)
    midnight = starts(list(held.regions), at.replace(hour=0, minute=0, second=0))
    parts: list[Frame] = []
    ring_parts: list[Frame] = []
    for scheme in SCHEMES:
        code = NAMES.index(scheme.name)
        found = _rings(rng, own, scheme, begin if code == RAID else midnight, ring_parts)
        parts.append(orders(rng, own, scheme, found, scheme_code=code, first_ring=first_ring))
        ring_parts.append({**found, "scheme": np.full(len(found["orders"]), code, dtype=np.int16)})
        first_ring += len(found["orders"])
    order = np.argsort(np.concatenate([part["moment"] for part in parts]), kind="stable")
    frame = {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]}
    rings = {name: np.concatenate([part[name] for part in ring_parts]) for name in ring_parts[0]}
    return known_at_checkout(rng, own, frame, first=rows), rings


def _rings(rng: Rng, held: World, scheme: Scheme, begin: Ints, others: list[Frame]) -> Frame:
    """Return a scheme's rings: each sells for one creator and one of that creator's shops."""
    taken = np.concatenate([part["creator"] for part in others]) if others else np.zeros(0, dtype=np.int64)
    region: list[int] = []
    creator: list[int] = []
    size: list[int] = []
    place: list[float] = []
    for code, count in enumerate(held.counts.tolist()):
        total = round(max(scheme.rate * count, min(FEWEST, MOST_SHARE * count) * scheme.rate / SCHEMES[0].rate, 3))
        number = max(3, round(total / scheme.ring)) if total >= 24 else max(1, total // 8)
        wanted = min(number, int(rng.integers(3, 6)) if scheme.fraud else max(3, number // 2))
        people = _known_creators(held, code, int(begin[code]))
        people = people[~np.isin(people, taken)] if (~np.isin(people, taken)).any() else people
        chosen = rng.choice(people, min(wanted, len(people)), replace=False)
        of_ring = np.arange(number) % len(chosen)
        shares = np.exp(rng.normal(0.0, 0.3, number))
        sizes = np.maximum(2, np.rint(shares / shares.sum() * total)).astype(int)
        region += [code] * number
        creator += chosen[of_ring].tolist()
        # The first shop of each creator, then the second: one or two shops apiece.
        place += ((np.arange(number) // len(chosen)) % 2 * 0.6).tolist()
        size += sizes.tolist()
    home, who = np.array(region, dtype=np.int64), np.array(creator, dtype=np.int64)
    start = begin[home] + (rng.random(len(home)) * (0.3 if scheme.fraud else 1.0) * HOUR).astype(np.int64)
    firsts = np.flatnonzero(np.concatenate([[True], home[1:] != home[:-1]]))
    start[firsts] = begin[home[firsts]]
    start = start // SECOND * SECOND
    length = HOURS * HOUR if scheme.fraud else int(scheme.days * DAY)
    seller = partner(held, who, np.array(place))
    return {
        "region": home,
        "home": home,
        "orders": np.array(size, dtype=np.int64),
        "start": start,
        "end": begin[home] + length,
        "seller": seller,
        "seller_joined": held.sellers.joined[seller],
        "creator": who,
        "creator_joined": held.creators.joined[who],
        "city": held.buyers.city[held.buyers.pick(rng, home, start)],
        "lag": rng.integers(1, 7, len(home)),
        "taste": held.sellers.taste[seller],
    }


def _known_creators(held: World, code: int, before: int) -> Ints:
    """Return the creators of a region who were there weeks before; if none was, those of the region."""
    people = held.creators
    here = people.region == code
    known = np.flatnonzero(here & (people.joined < before - 20 * DAY))
    return known if len(known) >= 3 else np.flatnonzero(here)
