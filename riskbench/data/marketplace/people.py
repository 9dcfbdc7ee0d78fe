"""Who lives on the marketplace: buyers, sellers and creators of each region, in the order in which they joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.marketplace.region import DAY, DAYS, SECOND, Region, hour_weights

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Rng = np.random.Generator

CATEGORIES = ("fashion", "beauty", "electronics", "home", "grocery", "toys", "digital", "mother_baby")
_CATEGORY_SHARE = np.array([0.26, 0.18, 0.12, 0.16, 0.10, 0.07, 0.05, 0.06])
#: The log of a category's usual order against the region's.
CATEGORY_LEVEL = np.array([0.0, -0.15, 0.75, 0.1, -0.35, -0.1, -0.6, 0.25])


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """Each region's days in UTC, and how to draw moments in them."""

    midnights: Ints  # regions x (days + 1)
    day_cdf: Floats  # regions x days
    hour_cdf: Floats

    @classmethod
    def of(cls, regions: Sequence[Region]) -> Clock:
        """Return the clock of some regions."""
        weights = np.stack([region.day_weights() for region in regions])
        cdf = np.cumsum(weights, axis=1)
        return cls(np.stack([region.midnights() for region in regions]), cdf / cdf[:, -1:], np.cumsum(hour_weights()))

    @property
    def start(self) -> Ints:
        """Each region's first moment."""
        return self.midnights[:, 0]

    @property
    def end(self) -> Ints:
        """Each region's last moment, exclusive: the snapshot."""
        return self.midnights[:, -1]

    def draw(self, rng: Rng, region: Ints) -> Ints:
        """Return a moment of the region's calendar for each row."""
        day = np.empty(len(region), dtype=np.int64)
        chance = rng.random(len(region))
        for code in range(len(self.midnights)):
            rows = region == code
            day[rows] = np.searchsorted(self.day_cdf[code], chance[rows], side="right")
        return self.at_day(rng, region, np.minimum(day, DAYS - 1))

    def at_day(self, rng: Rng, region: Ints, day: Ints, night: Floats | float = 0.0) -> Ints:
        """Return a moment of a given day; `night` is the chance that the hour is one of the small ones."""
        hour = np.searchsorted(self.hour_cdf, rng.random(len(day)), side="right")
        hour = np.where(rng.random(len(day)) < night, rng.integers(0, 6, len(day)), np.minimum(hour, 23))
        begin = self.midnights[region, day]
        length = self.midnights[region, day + 1] - begin
        return begin + ((hour + rng.random(len(day))) / 24 * length).astype(np.int64) // SECOND * SECOND

    def day_of(self, region: Ints, moment: Ints) -> Ints:
        """Return the local day of each moment (exact but for the hour that a zone shifts)."""
        return np.clip((moment - self.start[region]) // DAY, 0, DAYS - 1)

    def hour_of(self, region: Ints, moment: Ints) -> Ints:
        """Return the local hour of each moment."""
        return (moment - self.midnights[region, self.day_of(region, moment)]) // (DAY // 24) % 24


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """People of one kind: rows sorted by region, then by when they joined."""

    region: Ints
    joined: Ints
    city: Ints
    taste: Ints  # what they deal in: a category
    weight: Floats
    slots: Ints  # person by slot: the active ones hold several
    slot_key: Ints
    slot_start: Ints

    def __len__(self) -> int:
        return len(self.region)

    def eligible(self, region: Ints, moment: Ints) -> Ints:
        """Return how many slots of the region belong to people who had joined by then."""
        key = region * _SPAN + (moment - _EPOCH)
        return np.searchsorted(self.slot_key, key, side="right") - self.slot_start[region]

    def pick(self, rng: Rng, region: Ints, moment: Ints, *, fresh: float = 0.0) -> Ints:
        """Return someone of the region who had joined by then; with chance `fresh`, one of the newest fiftieth."""
        low = self.slot_start[region]
        eligible = np.maximum(self.eligible(region, moment), 1)
        drawn = (eligible * rng.random(len(region))).astype(np.int64)
        if fresh:
            newest = eligible - 1 - (np.maximum(1.0, eligible * 0.02) * rng.random(len(region))).astype(np.int64)
            drawn = np.where(rng.random(len(region)) < fresh, newest, drawn)
        return self.slots[low + drawn]


_SPAN = np.int64(2**52)
_EPOCH = np.int64(1_400_000_000_000_000)  # before anybody joined


def crowd(
    rng: Rng, regions: Sequence[Region], clock: Clock, counts: Ints, *, old: float, tail: float, age: float
) -> Crowd:
    """Return the people of some regions.

    Parameters
    ----------
    rng : Generator
        The source of chance.
    regions, clock : the regions and their days.
    counts : ndarray
        How many of each region.
    old : float
        The share who joined before the first day.
    tail : float
        The spread (log) of how active they are.
    age : float
        Mean days since they joined, for the old ones.
    """
    region = np.repeat(np.arange(len(regions)), counts)
    size = len(region)
    before = rng.random(size) < old
    first = np.zeros(size, dtype=bool)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    first[starts[counts > 0]] = True
    before |= first  # somebody is there on the first day
    ages = np.minimum(rng.exponential(age, size), 2200.0) + 0.5
    later = clock.draw(rng, region)
    joined = np.where(before, clock.start[region] - (ages * DAY).astype(np.int64), later)
    order = np.lexsort((joined, region))
    region, joined = region[order], joined[order]
    city = np.empty(size, dtype=np.int64)
    offset = 0
    for code, held in enumerate(regions):
        rows = region == code
        shares = np.array(list(held.cities.values()))
        city[rows] = offset + np.searchsorted(np.cumsum(shares)[:-1], rng.random(int(rows.sum())), side="right")
        offset += len(shares)
    taste = np.searchsorted(np.cumsum(_CATEGORY_SHARE)[:-1], rng.random(size), side="right")
    weight: Floats = np.exp(rng.normal(0.0, tail, size))
    held_slots = np.maximum(1, np.rint(weight * 2)).astype(np.int64)
    slots = np.repeat(np.arange(size), np.minimum(held_slots, 200))
    slot_region = region[slots]
    slot_start = np.searchsorted(slot_region, np.arange(len(regions)))
    key = (slot_region * _SPAN + (joined[slots] - _EPOCH)).astype(np.int64)
    return Crowd(region, joined, city, taste, weight, slots, key, slot_start)
