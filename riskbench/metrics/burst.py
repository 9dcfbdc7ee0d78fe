"""Which of many entities had a burst? A scan over each one's own events, for all of them at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.discovery import q_values

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: With fewer hits nothing is called a burst.
FEWEST = 3
#: Events by which an entity's own rate is drawn to that of all.
_DRAWN = 50.0
#: Numbers of hits that a burst is tried with; each is the start of a longer one.
_LENGTHS = np.unique(np.round(FEWEST * 1.22 ** np.arange(60)).astype(np.int64))
_ROUNDS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Bursts:
    """What a sweep of entities found, strongest first.

    Attributes
    ----------
    column, entity : ndarray of int64, shape (bursts,)
        Which column, and which of its codes.
    first, last : ndarray of int64, shape (bursts,)
        The time of the first and of the last hit of the burst.
    hits : ndarray of int64
        Hits of the burst that no other burst explains better.
    exposure, expected : ndarray of float64
        Events of the entity in the burst, as their chance of being a hit is counted; and the hits that they
        would hold at the usual rate.
    strength, q : ndarray of float64
        The likelihood ratio, and the q-value over all entities of all columns.
    tests : int
        How many entities were looked at.
    rate : float
        The usual rate, without the bursts.
    """

    column: Ints
    entity: Ints
    first: Ints
    last: Ints
    hits: Ints
    exposure: Floats
    expected: Floats
    strength: Floats
    q: Floats
    tests: int
    rate: float


def bursts(
    columns: list[Ints], times: Ints, hit: Mask, exposure: Floats, *, since: int | None = None, level: float = 0.05
) -> Bursts:
    """Return the entities whose hits crowd into a stretch of their own events.

    Each stretch from one hit of an entity to another is held against the hits that its events would hold at the
    rate of all, drawn from the entity's own rate outside the stretch; its chance is that of any stretch of the
    entity. A hit belongs to the burst of all columns that explains it best: a card that pays at a bad terminal is
    no burst of its own. Bursts are taken out and the rest is looked at again, so that an entity may have several.

    Parameters
    ----------
    columns : list of ndarray of int, shape (events,)
        Codes of the entities, one array a column; below 0 where there is none.
    times : ndarray of int64, shape (events,)
        When each event happened.
    hit : ndarray of bool, shape (events,)
        What is counted: frauds told, alerts.
    exposure : ndarray of float64, shape (events,)
        Each event's chance of being seen as a hit, were it one: 1, or less for young events.
    since : int, optional
        Only bursts that end at or after this time.
    level : float, 0..1
        The rate of false discoveries.

    Source: Kulldorff (1997), Communications in Statistics 26, 1481-1496; the bound on all stretches is the number
    of hits expected times the chance that so many more follow.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> terminal, hit = rng.integers(0, 50, 5000), rng.random(5000) < 0.01
    >>> times = np.arange(5000)
    >>> hit |= (terminal == 7) & (times > 2000) & (times < 3000)
    >>> found = bursts([terminal], times, hit, np.ones(5000))
    >>> found.entity.tolist(), int(found.first[0]) > 2000
    ([7], True)
    """
    order = np.argsort(times, kind="stable")
    codes = [np.asarray(column)[order] for column in columns]
    search = _Search(codes, times[order], hit[order], exposure[order], since=since, level=level)
    found: list[_Claim] = []
    for _ in range(_ROUNDS):
        kept = search.settled([claim for column in range(len(codes)) for claim in search.claims(column)])
        if not kept:
            break
        found += kept
        search.explain(kept)
    return _together(found, search)


@dataclass(frozen=True, slots=True, eq=False)
class _Claim:
    """A stretch of one entity's events, from row `first` to row `last`, and the hits that it claims."""

    column: int
    entity: int
    rows: Ints
    first: int
    last: int
    exposure: float
    strength: float
    p: float


class _Seen:
    """Each entity's events in the order of time."""

    def __init__(self, code: Ints, weight: Floats) -> None:
        self.rows = np.argsort(code, kind="stable")
        self.rows = self.rows[code[self.rows] >= 0]
        self.code = code[self.rows]
        self.place = np.full(len(code), -1, dtype=np.int64)
        self.place[self.rows] = np.arange(len(self.rows))
        self.weight = weight[self.rows]
        self.size = int(self.code[-1]) + 1 if len(self.code) else 0


class _Search:
    """The hits that no burst explains yet, and the search for more."""

    def __init__(
        self, codes: list[Ints], when: Ints, hits: Mask, weight: Floats, *, since: int | None, level: float
    ) -> None:
        self.codes, self.when, self.hits, self.weight = codes, when, hits, weight
        self.since, self.level = since, level
        self.seen = [_Seen(code, weight) for code in codes]
        self.tests = sum(int(np.count_nonzero(np.bincount(held.code))) for held in self.seen if held.size)
        self.free = hits.copy()

    @property
    def rate(self) -> float:
        """The share of the exposure that is a hit which no burst explains."""
        return float(np.count_nonzero(self.free)) / max(float(self.weight.sum()), 1e-9)

    def explain(self, claims: list[_Claim]) -> None:
        """Take out the hits that belong to bursts."""
        for claim in claims:
            self.free[claim.rows] = False

    def claims(self, column: int) -> list[_Claim]:
        """Return each entity's strongest stretch of hits not yet explained, where it stands out."""
        seen, rate = self.seen[column], self.rate
        places = seen.place[np.flatnonzero(self.free)]
        places = np.sort(places[places >= 0])
        if len(places) < FEWEST:
            return []
        own = seen.code[places]
        taken = np.bincount(own, minlength=seen.size)
        left = np.where((self.hits & ~self.free)[seen.rows], 0.0, seen.weight)  # what others explain is no exposure
        ahead = np.concatenate(([0.0], np.cumsum(left)))
        total = np.bincount(seen.code, weights=left, minlength=seen.size).astype(np.float64)
        best = _Best(seen.size)
        for length in _LENGTHS[taken.max() >= _LENGTHS].tolist():
            same = np.flatnonzero(own[: len(own) - length + 1] == own[length - 1 :])
            first, last = places[same], places[same + length - 1]
            if self.since is not None:
                late = self.when[seen.rows[last]] >= self.since
                same, first, last = same[late], first[late], last[late]
            who = own[same]
            n = np.maximum(ahead[last + 1] - ahead[first], length * 1e-3)
            strength, p = _strength(
                np.full(len(n), float(length)), n, _own_rate(taken[who] - length, total[who] - n, rate), total[who]
            )
            best.improve(who, strength, p, first, last)
        some = np.flatnonzero(best.strength > 0)
        some = some[q_values(best.p[some], tests=self.tests) <= self.level]
        out = []
        for entity, start in zip(some.tolist(), np.searchsorted(own, some).tolist(), strict=True):
            held = places[start : start + int(taken[entity])]
            if self.since is not None:  # only the stretch that was found is known to end late enough
                low, high = int(best.first[entity]), int(best.last[entity])
            else:
                low, high = _exact(
                    held, ahead, float(total[entity]), rate, (int(best.first[entity]), int(best.last[entity]))
                )
            rows = seen.rows[low : high + 1]
            mine = rows[self.free[rows]]
            out.append(
                _Claim(
                    column,
                    entity,
                    mine,
                    int(rows[0]),
                    int(rows[-1]),
                    0.0,
                    float(best.strength[entity]),
                    float(best.p[entity]),
                )
            )
        return out

    def settled(self, claims: list[_Claim]) -> list[_Claim]:
        """Return the claims that still stand once every hit belongs to the one that explains it best."""
        claims = sorted(claims, key=lambda claim: (-claim.strength, claim.column, claim.entity))
        owner = np.full(len(self.free), len(claims), dtype=np.int64)
        for place in range(len(claims) - 1, -1, -1):
            owner[claims[place].rows] = place
        held: list[_Claim] = []
        for place, claim in enumerate(claims):
            rows = claim.rows[owner[claim.rows] == place]
            if len(rows) < FEWEST:
                continue
            inside = np.arange(rows[0], rows[-1] + 1)
            inside = inside[self.codes[claim.column][rows[0] : rows[-1] + 1] == claim.entity]
            others = self.hits[inside] & (~self.free[inside] | (owner[inside] != place))
            n = np.array([float(self.weight[inside[~others]].sum())])
            strength, p = _strength(np.array([float(len(rows))]), n, np.array([self.rate]), np.maximum(n, len(inside)))
            p_of = max(float(p[0]), claim.p)
            held.append(
                _Claim(
                    claim.column, claim.entity, rows, int(rows[0]), int(rows[-1]), float(n[0]), float(strength[0]), p_of
                )
            )
        q = q_values([claim.p for claim in held], tests=self.tests)
        return [claim for claim, said in zip(held, q.tolist(), strict=True) if said <= self.level]


class _Best:
    """The strongest stretch of each entity so far."""

    def __init__(self, size: int) -> None:
        self.strength, self.p = np.full(size, -1.0), np.ones(size)
        self.first, self.last = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)

    def improve(self, who: Ints, strength: Floats, p: Floats, first: Ints, last: Ints) -> None:
        """Take over what is stronger."""
        if not len(who):
            return
        order = np.lexsort((strength, who))
        ranked = who[order]
        top = order[np.append(ranked[1:] != ranked[:-1], True)]
        top = top[strength[top] > self.strength[who[top]]]
        to = who[top]
        self.strength[to], self.p[to], self.first[to], self.last[to] = strength[top], p[top], first[top], last[top]


def _own_rate(hits: Ints | Floats, exposure: Floats, rate: float) -> Floats:
    """Return an entity's rate outside a stretch, drawn to that of all and not below it."""
    return np.maximum((hits + _DRAWN * rate) / (np.maximum(exposure, 0.0) + _DRAWN), rate)


def _exact(held: Ints, ahead: Floats, total: float, rate: float, found: tuple[int, int]) -> tuple[int, int]:
    """Return the ends of the best stretch near one found with a rounded number of hits."""
    low, high = (int(np.searchsorted(held, end)) for end in found)
    span = max(3, (high - low + 1) // 3)
    first = np.arange(max(0, low - span), min(len(held), low + span + 1))
    last = np.arange(max(0, high - span), min(len(held), high + span + 1))
    k = (last[None, :] - first[:, None] + 1).astype(np.float64)
    n = np.maximum(ahead[held[last] + 1][None, :] - ahead[held[first]][:, None], np.maximum(k, 1.0) * 1e-3)
    strength, _ = _strength(np.maximum(k, 1.0), n, _own_rate(len(held) - k, total - n, rate), np.full(k.shape, total))
    row, column = np.unravel_index(int(np.argmax(np.where(k >= FEWEST, strength, -1.0))), k.shape)
    return int(held[first[row]]), int(held[last[column]])


def _strength(k: Floats, n: Floats, usual: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Return the likelihood ratio of k hits in n events, and the chance of any such stretch of the entity."""
    from scipy import special

    size = np.maximum(n, k)
    usual = np.clip(usual, 1e-9, 0.999)
    inside = k / size
    rest = np.where(size > k, size - k, 1.0)
    ratio = k * np.log(inside / usual) + np.where(size > k, rest * np.log(rest / size / (1 - usual)), 0.0)
    ratio = np.where(inside > usual, ratio, 0.0)
    # A stretch begins with a hit: as many may begin as hits are expected, and k - 1 more must follow. Generated
    # hits without bursts bear that out, also where the shortest stretch that holds them is chosen afterwards.
    follow = special.betainc(np.maximum(k - 1, 1e-9), np.maximum(size - k + 1, 1e-9), usual)
    return ratio, np.minimum(1.0, np.maximum(total * usual, usual) * follow)


def _together(found: list[_Claim], search: _Search) -> Bursts:
    found = sorted(found, key=lambda claim: (-claim.strength, claim.column, claim.entity))
    first = np.array([claim.first for claim in found], dtype=np.int64)
    last = np.array([claim.last for claim in found], dtype=np.int64)
    exposure = np.array([claim.exposure for claim in found], dtype=np.float64)
    return Bursts(
        np.array([claim.column for claim in found], dtype=np.int64),
        np.array([claim.entity for claim in found], dtype=np.int64),
        search.when[first],
        search.when[last],
        np.array([len(claim.rows) for claim in found], dtype=np.int64),
        exposure,
        exposure * search.rate,
        np.array([claim.strength for claim in found], dtype=np.float64),
        q_values([claim.p for claim in found], tests=search.tests),
        search.tests,
        search.rate,
    )
