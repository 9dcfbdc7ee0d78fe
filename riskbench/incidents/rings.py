"""Which accounts of the window hang together, and do they fare otherwise than the rest?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.engine.graph import blocks, components, densest
from riskbench.incidents.web import Web, too_large
from riskbench.metrics.discovery import q_values
from riskbench.metrics.intervals import wilson

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Two who share something are a pair, as many couples are; a ring begins at three.
FEWEST = 3
#: A component that only hangs together by chance is cut into at most so many blocks.
MOST_BLOCKS = 25
#: How likely chance may be, over all components and places, to join any two that meet at one.
JOINED = 0.05


@dataclass(frozen=True, eq=False)
class Grouped:
    """Rings of accounts.

    Attributes
    ----------
    ring : ndarray of int64, shape (accounts,)
        Each account's ring, -1 for none.
    rings : int
        How many there are.
    whole : ndarray of bool, shape (rings,)
        Whether a ring is made of whole components; else it is a dense block of one that is too large.
    parts : tuple of tuple of int
        The accounts of each ring's groups that share nothing with one another, the largest first: one group where
        everybody is linked, several where groups were joined because they keep meeting at one place.
    joined_by : tuple of str
        The columns of the places that joined each ring's groups; empty where none did.
    density : ndarray of float64, shape (rings,)
        The weight of a ring's links over the number of its accounts and shared values.
    densest, bound : float
        The density of the densest block found, and what no block exceeds.
    largest, joined : int
        The accounts of the largest component without hubs and before any are joined by a place, and with hubs.
    """

    ring: Ints
    rings: int
    whole: Mask
    parts: tuple[tuple[int, ...], ...]
    joined_by: tuple[str, ...]
    density: Floats
    densest: float
    bound: float
    largest: int
    joined: int


@dataclass(frozen=True, eq=False)
class Tied:
    """The shared values of the window's accounts: one row a pair of account and value.

    Attributes
    ----------
    account, value, kind : ndarray of int64, shape (edges,)
        The account, the value (numbered over all kinds), and the place of its kind.
    values : int
        How many values there are over all kinds.
    offset : ndarray of int64, shape (kinds + 1,)
        Where each kind's values begin.
    """

    account: Ints
    value: Ints
    kind: Ints
    values: int
    offset: Ints


def tied(web: Web, active: Mask, *, hubs: bool = False) -> Tied:
    """Return the links of the active accounts by values that at least two of them share; hubs on request only."""
    offset = np.cumsum([0, *(kind.coded.size for kind in web.kinds)]).astype(np.int64)
    parts: list[tuple[Ints, Ints, Ints]] = []
    for place, kind in enumerate(web.kinds):
        keep = active[kind.account]
        if not hubs:
            keep &= ~kind.hub[kind.value]
        keep &= np.bincount(kind.value[keep], minlength=kind.coded.size)[kind.value] > 1
        parts.append((kind.account[keep], kind.value[keep] + offset[place], np.full(int(keep.sum()), place)))
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Tied(none, none, none, 0, offset)
    a, v, k = (np.concatenate(side).astype(np.int64) for side in zip(*parts, strict=True))
    return Tied(a, v, k, int(offset[-1]), offset)


def grouped(web: Web, active: Mask, *, current: Mask | None = None, before: Mask | None = None) -> Grouped:
    """Return the rings among the active accounts: components, and dense blocks of those that are too large.

    Accounts that share nothing rarely meet by chance where groups of them keep meeting: small components which
    bring most of their events of the window to one place, far beyond that place's usual share, are one ring.

    At the point where chance alone joins everybody, the largest component has about n to the power of two thirds
    of n accounts. A larger one is no ring: the densest blocks in it are taken instead, each at least half as dense
    as the densest there is.
    """
    accounts, held = len(active), tied(web, active)
    label, size = _components(held, active)
    largest = int(size.max(initial=0))
    places: dict[int, str] = {}
    if current is not None and before is not None:
        label, size, places = _met(web, label, size, active=active, current=current, before=before)
    everybody = tied(web, active, hubs=True)
    joined = int(_components(everybody, active)[1].max(initial=0))
    limit = too_large(int(np.count_nonzero(active)))
    ring = np.full(accounts, -1, dtype=np.int64)
    fits = (size >= FEWEST) & (size <= limit)
    number = np.cumsum(fits) - 1
    inside = active & fits[label]
    ring[inside] = number[label[inside]]
    count = int(fits.sum())
    whole = [True] * count
    joined_by = [places.get(group, "") for group in np.flatnonzero(fits).tolist()]
    for big in np.flatnonzero(size > limit):
        own = label[held.account] == big
        found = blocks(held.account[own], held.value[own], sizes=(accounts, held.values))
        for _, block in zip(range(MOST_BLOCKS), found, strict=False):
            if len(block.rows) >= FEWEST:
                ring[block.rows] = count
                count += 1
                whole.append(False)
                joined_by.append("")
    block = densest(held.account, held.value, sizes=(accounts, held.values))
    return Grouped(
        ring,
        count,
        np.array(whole, dtype=bool),
        _parts(held, ring, count),
        tuple(joined_by),
        _density(held, ring, count),
        block.density,
        block.bound,
        largest,
        joined,
    )


def _components(held: Tied, active: Mask) -> tuple[Ints, Ints]:
    """Return each account's component, and how many active accounts each component has."""
    label = components(held.account, held.value + len(active), nodes=len(active) + held.values)
    own = label[: len(active)]
    return own, np.bincount(own[active], minlength=int(label.max(initial=-1)) + 1)


def _met(
    web: Web, label: Ints, size: Ints, *, active: Mask, current: Mask, before: Mask
) -> tuple[Ints, Ints, dict[int, str]]:
    """Return the components, those joined that keep meeting at one place beyond chance, and what joined which.

    A component of k events of which n meet a place that has the share p of all earlier events does so by chance
    with the binomial probability of n or more; of all components and places at most one in twenty is so joined.
    """
    from scipy.stats import binom

    codes = web.account.codes
    if not len(size) or not web.places:
        return label, size, {}
    of = np.where(codes >= 0, label[np.maximum(codes, 0)], -1)
    of = np.where(current & (of >= 0) & (size[np.maximum(of, 0)] >= 2), of, -1)
    events = np.bincount(of[of >= 0], minlength=len(size))
    tests = max(1, len(web.places) * int((events > 0).sum()))
    a, b, kinds = [], [], list[Ints]()
    offset = len(size)
    for place in web.places:
        value, at = place.coded.codes, np.flatnonzero((of >= 0) & (place.coded.codes >= 0))
        usual = np.bincount(value[before & (value >= 0)], minlength=place.coded.size)
        share = (usual + 1) / max(1, int(usual.sum()) + 1)
        keys, n = np.unique(of[at] * np.int64(max(1, place.coded.size)) + value[at], return_counts=True)
        group, where = keys // max(1, place.coded.size), keys % max(1, place.coded.size)
        chance = binom.sf(n - 1, events[group], np.minimum(1.0, share[where]))
        kept = (2 * n > events[group]) & (chance * tests < JOINED) & (usual.sum() > 0)
        a.append(group[kept])
        b.append(where[kept] + offset)
        kinds.append(np.full(int(kept.sum()), len(kinds)))
        offset += place.coded.size
    groups, met = np.concatenate(a), np.concatenate(b)
    every = components(groups, met, nodes=offset)
    names: dict[int, list[str]] = {}
    whole = np.bincount(every[np.unique(groups)], minlength=int(every.max(initial=-1)) + 1)
    ties = np.bincount(met, minlength=offset)[met]
    at_one = np.zeros(len(whole), dtype=bool)
    at_one[every[groups[ties == whole[every[groups]]]]] = True
    # Where all of them keep meeting at one place, it alone is why they are one.
    several = (ties > 1) & (~at_one[every[groups]] | (ties == whole[every[groups]]))
    for group, kind in zip(every[groups[several]].tolist(), np.concatenate(kinds)[several].tolist(), strict=True):
        names.setdefault(group, []).append(web.places[kind].name)
    joined = every[label]
    told = {group: ", ".join(dict.fromkeys(columns)) for group, columns in names.items()}
    return joined, np.bincount(joined[active], minlength=int(joined.max(initial=-1)) + 1), told


def _parts(held: Tied, ring: Ints, count: int) -> tuple[tuple[int, ...], ...]:
    """Return how many accounts each ring's groups have that share nothing with one another, the largest first."""
    at = np.flatnonzero(ring[held.account] >= 0)
    keys = ring[held.account[at]] * np.int64(max(1, held.values)) + held.value[at]
    values, value = np.unique(keys, return_inverse=True)
    label = components(held.account[at], value + len(ring), nodes=len(ring) + len(values))[: len(ring)]
    inside = np.flatnonzero(ring >= 0)
    own = ring[inside] * np.int64(len(ring) + len(values)) + label[inside]
    groups, sizes = np.unique(own, return_counts=True)
    found: list[list[int]] = [[] for _ in range(count)]
    for number, size in zip((groups // max(1, len(ring) + len(values))).tolist(), sizes.tolist(), strict=True):
        found[number].append(size)
    return tuple(tuple(sorted(sizes, reverse=True)) for sizes in found)


def _density(held: Tied, ring: Ints, count: int) -> Floats:
    """Return each ring's density: links weighted as in the search, over accounts and the values they share."""
    if not count:
        return np.zeros(0)
    degree = np.bincount(held.value, minlength=held.values)
    at = ring[held.account]
    keys = at * np.int64(max(1, held.values)) + held.value
    _, place, times = np.unique(keys, return_inverse=True, return_counts=True)
    kept = (at >= 0) & (times[place] > 1)
    weight = np.bincount(at[kept], 1 / np.log(degree[held.value[kept]] + 5.0), count)
    shared = np.bincount(np.unique(keys[kept]) // max(1, held.values), minlength=count)
    return weight / np.maximum(1, np.bincount(ring[ring >= 0], minlength=count) + shared)


@dataclass(frozen=True, eq=False)
class Fared:
    """How rings fare beside the rest of the window; arrays by ring.

    Attributes
    ----------
    share, share_lower, share_upper : ndarray of float64
        Frauds told among the events of the ring that could be told, with the 95 % interval; NaN without such events.
    rest : ndarray of float64
        The same share of all other events.
    ratio, ratio_lower, ratio_upper : ndarray of float64
        The one over the other, with the 95 % interval; NaN where not measurable.
    p_value : ndarray of float64
        One-sided, each account counted once: how often as many accounts with fraud come by chance; NaN where
        fewer than three accounts, no rest, or no fraud told at all allow no answer.
    usual_p : ndarray of float64
        The same against the time outside the window.
    """

    share: Floats
    share_lower: Floats
    share_upper: Floats
    rest: Floats
    ratio: Floats
    ratio_lower: Floats
    ratio_upper: Floats
    p_value: Floats
    usual_p: Floats

    @property
    def either(self) -> Floats:
        """The p-value against the rest or the usual, whichever tells more; two looks, so twice the smaller."""
        both = np.stack([self.p_value, self.usual_p])
        known = np.isfinite(both)
        smaller = np.min(np.where(known, both, np.inf), axis=0)
        return np.where(known.any(axis=0), np.minimum(1.0, smaller * np.maximum(1, known.sum(axis=0))), np.nan)


def fared(
    ring: Ints, account: Ints, fraud: Mask, *, tellable: Mask, rings: int, usual: tuple[int, int] = (0, 0)
) -> Fared:
    """Return how the events of each ring fare against all other events.

    Parameters
    ----------
    ring : ndarray of int64, shape (accounts,)
        Each account's ring, -1 for none.
    account : ndarray of int64, shape (events,)
        Each event's account, -1 for none.
    fraud, tellable : ndarray of bool, shape (events,)
        Which events are told to be fraud, and which could be by now or later: those that were not stopped. Ring
        and rest are equally old, so what is not told yet is missing on both sides.
    rings : int
        How many rings there are.
    usual : (int, int)
        How many accounts usually had a fraud in a span as long as the window, and how many there were: of the time
        outside the window. Where a whole window is under attack, the rest of it is no yardstick.
    """
    from scipy.stats import hypergeom

    of = np.where(account >= 0, ring[np.maximum(account, 0)], -1) if len(ring) else np.full(len(account), -1)
    x, n = (np.bincount(of[kept & (of >= 0)], minlength=rings) for kept in (fraud & tellable, tellable))
    share, lower, upper = wilson(x, n)
    other_x, other_n = int((fraud & tellable).sum()) - x, int(tellable.sum()) - n
    rest, rest_lower, rest_upper = wilson(other_x, other_n)
    ratio, ratio_lower, ratio_upper = ratio_of_shares((share, lower, upper), (rest, rest_lower, rest_upper))
    accounts = len(ring)
    bad = np.bincount(account[fraud & tellable & (account >= 0)], minlength=accounts) > 0
    known = np.bincount(account[tellable & (account >= 0)], minlength=accounts) > 0
    inside = ring >= 0
    a = np.bincount(ring[inside & bad], minlength=rings)
    b = np.bincount(ring[inside & known], minlength=rings)
    total, bads = int(known.sum()), int(bad.sum())
    p = hypergeom.sf(a - 1, max(total, 1), bads, b).astype(np.float64) if rings else np.zeros(0)
    p[(b < FEWEST) | (total - b < FEWEST) | (bads == 0)] = np.nan
    ill, whole = usual
    than_usual = hypergeom.sf(a - 1, whole + b, ill + a, b).astype(np.float64) if rings else np.zeros(0)
    than_usual[(b < FEWEST) | (whole < FEWEST) | (bads + ill == 0)] = np.nan
    return Fared(share, lower, upper, rest, ratio, ratio_lower, ratio_upper, p, than_usual)


def ratio_of_shares(
    one: tuple[Floats, Floats, Floats], two: tuple[Floats, Floats, Floats]
) -> tuple[Floats, Floats, Floats]:
    """Return the ratio of two independent shares with its 95 % interval, from each share and its interval.

    NaN where the second share is 0 or unknown.

    Source: Donner, A. and Zou, G. Y. (2012), Closed-form confidence intervals for functions of the normal mean and
    standard deviation, Statistical Methods in Medical Research 21, 347-359.

    >>> [round(float(x[0]), 2) for x in ratio_of_shares(wilson([30], [100]), wilson([10], [100]))]
    [3.0, 1.58, 5.74]
    """
    (p1, l1, u1), (p0, l0, u0) = one, two
    with np.errstate(divide="ignore", invalid="ignore"):
        both = p1 * p0
        lower = (both - np.sqrt(np.maximum(0, both**2 - l1 * u0 * (2 * p1 - l1) * (2 * p0 - u0)))) / (
            u0 * (2 * p0 - u0)
        )
        upper = (both + np.sqrt(np.maximum(0, both**2 - u1 * l0 * (2 * p1 - u1) * (2 * p0 - l0)))) / (
            l0 * (2 * p0 - l0)
        )
        # Where an end of the rest's interval lies beyond twice the share, the closed form has no root.
        lower = np.where(2 * p0 > u0, np.maximum(0.0, lower), l1 / u0)
        upper = np.where((l0 > 0) & (2 * p0 > l0), upper, np.inf)
        ratio = p1 / p0
    unknown = ~np.isfinite(ratio)
    return tuple(np.where(unknown, np.nan, side) for side in (ratio, lower, upper))  # type: ignore[return-value]


def outranks(ring: Ints, held: Floats, *, rings: int) -> Floats:
    """Return for each ring how likely chance is to rank its accounts so high, one-sided; NaN under three accounts.

    Parameters
    ----------
    ring : ndarray of int64, shape (accounts,)
        Each account's ring, -1 for none.
    held : ndarray of float64, shape (accounts,)
        What is compared, account by account; NaN for those left out.

    Source: Mann, H. B. and Whitney, D. R. (1947), Annals of Mathematical Statistics 18, 50-60.

    >>> ring = np.array([0] * 5 + [-1] * 40)
    >>> float(outranks(ring, np.arange(45.0)[::-1], rings=1)[0]) < 0.001
    True
    """
    from scipy.stats import norm, rankdata

    known = np.isfinite(held)
    total = int(known.sum())
    if not rings or total < 2:
        return np.full(rings, np.nan)
    ranks = rankdata(held[known])
    of = ring[known]
    n = np.bincount(of[of >= 0], minlength=rings)
    ranked = np.bincount(of[of >= 0], ranks[of >= 0], rings)
    _, ties = np.unique(ranks, return_counts=True)
    spread = total + 1 - float((ties.astype(np.float64) ** 3 - ties).sum()) / (total * (total - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (ranked - n * (total + 1) / 2 - 0.5) / np.sqrt(n * (total - n) / 12 * spread)
    p = norm.sf(z)
    return np.where((n >= FEWEST) & (total - n >= FEWEST) & np.isfinite(z), p, np.nan)


def discovered(p_value: Floats) -> Floats:
    """Return the q-value of each p-value that could be measured; NaN stays NaN and is no test."""
    known = np.isfinite(p_value)
    found = np.full(len(p_value), np.nan)
    found[known] = q_values(p_value[known])
    return found


def faster(now: Ints, before: Ints, *, all_now: int, all_before: Floats) -> Floats:
    """Return for each ring how likely its events of the window are at its own earlier pace, one-sided.

    The pace is the ring's share of all events, so that a sale on which everybody buys more makes no ring faster.

    Parameters
    ----------
    now, before : ndarray of int64, shape (rings,)
        The ring's events in the window, and before it.
    all_now, all_before : int and ndarray of float64, shape (rings,)
        All events in the window, and from the ring's first event to the window; NaN is returned where that is 0.

    >>> np.round(faster(np.array([3, 30]), np.array([30, 30]), all_now=100, all_before=np.array([1e3, 1e3])), 2)
    array([0.59, 0.  ])
    """
    from scipy.stats import binom

    with np.errstate(divide="ignore", invalid="ignore"):
        p = binom.sf(now - 1, now + before, all_now / (all_now + all_before))
    return np.where((all_before > 0) & (before > 0), p, np.nan)
