"""Which values may join two accounts, and which join nobody because everybody shares them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc

from riskbench.data.dataset import Dataset, micros
from riskbench.engine.columns import Column
from riskbench.engine.graph import components
from riskbench.errors import listed
from riskbench.incidents.links import Links

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: A value that joins no more accounts than this is never cut for its size alone: a person can look at them all.
DOZEN = 12
#: A column is a person's own when its usual value belongs to at most so many accounts (a household), ...
HOUSEHOLD = 2
#: ... and when an account that comes again brings the same value at least this often.
COMES_AGAIN = 0.2
#: Fewer repeats than this say nothing of a column.
FEWEST_REPEATS = 30


@dataclass(frozen=True, eq=False)
class Coded:
    """A column's values as whole numbers, and how they are written.

    Attributes
    ----------
    name : str
        The column.
    codes : ndarray of int64, shape (rows,)
        Each event's value; -1 where it is missing or blank.
    size : int
        How many values there are.
    held : Column or ndarray
        What writes them.
    """

    name: str
    codes: Ints
    size: int
    held: Column | npt.NDArray[np.generic]

    def written(self, codes: Ints) -> list[str]:
        """Return some values as text, as they were given."""
        if isinstance(self.held, Column):
            assert self.held.words is not None
            return [str(word) for word in self.held.words.take(np.asarray(codes, dtype=np.int64)).to_pylist()]
        return [_text(value) for value in self.held[codes].tolist()]

    def find(self, text: str) -> int:
        """Return the value that is written so, or -1."""
        if isinstance(self.held, Column):
            return int(pc.index(self.held.words, text).as_py())
        return next((code for code, value in enumerate(self.held.tolist()) if _text(value) == text), -1)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def coded(dataset: Dataset, name: str) -> Coded:
    """Return a column's values as whole numbers; blank text is no value."""
    column = dataset.column(name)
    if column.kind == "string" and column.words is not None:
        blank = pc.equal(pc.utf8_trim_whitespace(column.words), "").to_numpy(zero_copy_only=False).astype(bool)
        codes = column.values.astype(np.int64)
        absent = ~column.present
        if blank.any():
            absent |= blank[np.where(absent, 0, codes)]
        return Coded(name, np.where(absent, -1, codes), len(column.words), column)
    values, codes = np.unique(column.values[column.present], return_inverse=True)
    whole = np.full(len(column), -1, dtype=np.int64)
    whole[column.present] = codes
    return Coded(name, whole, len(values), values)


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of value that links, how widely it is shared, and how widely it may be.

    Attributes
    ----------
    coded : Coded
        Its values.
    account, value, events, first : ndarray of int64, shape (edges,)
        Each pair of an account and a value: how many events it had, and when first (microseconds since 1970).
    degree : ndarray of int64, shape (values,)
        How many accounts each value joins.
    usual : float
        How many accounts its usual value joins.
    meets : float
        How many others an account usually meets by it, on average.
    limit : int
        A value that joins more accounts is a hub; 1: none of them links.
    reason : str
        Why the limit is what it is.
    """

    coded: Coded
    account: Ints
    value: Ints
    events: Ints
    first: Ints
    degree: Ints
    usual: float
    meets: float
    limit: int
    reason: str

    @property
    def name(self) -> str:
        """The column."""
        return self.coded.name

    @property
    def hub(self) -> Mask:
        """Which values join nobody because they are shared too widely."""
        return self.degree > self.limit


@dataclass(frozen=True, eq=False)
class Web:
    """Accounts and what they share up to a moment.

    Attributes
    ----------
    account : Coded
        Those who are linked.
    kinds : tuple of Kind
        What links them.
    places : tuple of Kind
        Columns that link nobody, because unrelated accounts meet there.
    known : int
        How many accounts there are up to the moment.
    notes : tuple of str
        What was left out, and why.
    """

    account: Coded
    kinds: tuple[Kind, ...]
    places: tuple[Kind, ...]
    known: int
    notes: tuple[str, ...] = ()


def how_many(codes: Ints) -> int:
    """Return how many distinct values there are, the missing left out.

    >>> how_many(np.array([3, -1, 3, 0]))
    2
    """
    return int(np.count_nonzero(np.bincount(codes[codes >= 0])))


def pairs_of(account: Ints, value: Coded, times: Ints, rows: Mask) -> tuple[Ints, Ints, Ints, Ints]:
    """Return each account and value that came together: account, value, number of events, first time."""
    at = np.flatnonzero(rows & (account >= 0) & (value.codes >= 0))
    if not len(at):
        return tuple(np.zeros(0, dtype=np.int64) for _ in range(4))  # type: ignore[return-value]
    keys = account[at] * np.int64(max(1, value.size)) + value.codes[at]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    first = np.minimum.reduceat(times[at][order], starts)
    events = np.diff(np.concatenate([starts, [len(keys)]]))
    return keys[starts] // max(1, value.size), keys[starts] % max(1, value.size), events, first


def comes_again(account: Ints, value: Ints, times: Ints) -> tuple[float, int]:
    """Return how often an account's next event brings the same value, and over how many such events.

    >>> comes_again(np.array([1, 1, 1]), np.array([7, 7, 8]), np.array([0, 1, 2]))
    (0.5, 2)
    """
    at = np.flatnonzero((account >= 0) & (value >= 0))
    order = at[np.lexsort((times[at], account[at]))]
    again = account[order][1:] == account[order][:-1]
    n = int(again.sum())
    same = int((again & (value[order][1:] == value[order][:-1])).sum())
    return (same / n if n else 0.0), n


def limits(usual: Mapping[str, tuple[Ints, Ints]], *, known: int) -> dict[str, int]:
    """Return for each column how many accounts one of its values may join.

    A value may join up to the square root of all accounts, and a dozen in any case. Nor may values together join
    more: column by column, those by which an account usually meets the fewest first, the least shared values are let
    in as long as no component of the usual time grows beyond that. A random graph keeps far below it until it
    begins to hang together, and then soon is one component. A column of which not even pairs fit links nobody.

    Parameters
    ----------
    usual : mapping of str to pair of ndarray of int64
        The pairs of account and value of each column outside the window, each once.
    known : int
        How many accounts there are by the end of the window.

    Source: Molloy, M. and Reed, B. (1995), A critical point for random graphs with a given degree sequence, Random
    Structures and Algorithms 6, 161-180.

    >>> homes = np.arange(100), np.arange(100) // 2
    >>> carrier = np.repeat(np.arange(100), 2), np.arange(200) * 7 % 20
    >>> limits({"home": homes, "ip": carrier}, known=100)
    {'home': 12, 'ip': 1}
    """
    alone = max(DOZEN, int(known**0.5))
    degrees = {name: np.bincount(value) for name, (_, value) in usual.items()}
    size = 1 + max((int(account.max(initial=-1)) for account, _ in usual.values()), default=0)
    label = np.arange(size, dtype=np.int64)
    found: dict[str, int] = {}
    for name in sorted(usual, key=lambda name: (mean_met(degrees[name], known), name)):
        account, value = usual[name]
        degree = degrees[name][value]
        steps = np.unique(degree[(degree > 1) & (degree <= alone)])
        tried = [joined(label, account[degree <= step], value[degree <= step]) for step in steps[-1:]]
        low, high = 0, len(steps)  # the first `low` steps fit; from `high` on they do not
        if tried and largest(tried[0]) <= alone:
            low = high
        while high - low > 1:
            middle = (low + high) // 2
            fits = largest(joined(label, account[degree <= steps[middle - 1]], value[degree <= steps[middle - 1]]))
            low, high = (middle, high) if fits <= alone else (low, middle)
        found[name] = alone if low == len(steps) else int(steps[low]) - 1 if low else 1
        if low and low == high == len(steps):
            label = tried[0]
        elif low:
            label = joined(label, account[degree <= steps[low - 1]], value[degree <= steps[low - 1]])
    return {name: found[name] for name in usual}


def mean_met(degree: Ints, accounts: int) -> float:
    """Return how many others an account meets on average through values that join so many accounts each.

    >>> mean_met(np.array([1, 2, 3]), 4)
    2.0
    """
    return float((degree * np.maximum(degree - 1, 0)).sum() / max(1, accounts))


def joined(label: Ints, account: Ints, value: Ints) -> Ints:
    """Return the components that are left of components when accounts are joined by values."""
    size = int(label.max(initial=-1)) + 1
    both = components(label[account], value + size, nodes=size + int(value.max(initial=-1)) + 1)
    return both[label]


def largest(label: Ints) -> int:
    """Return the size of the largest component."""
    return int(np.bincount(label).max(initial=0))


def too_large(accounts: int) -> int:
    """Return how many accounts a component may have: at the critical point it is about n to the two thirds.

    Source: Bollobas, B. (2001), Random Graphs, 2nd ed., chapter 6.

    >>> too_large(1_000), too_large(10)
    (100, 12)
    """
    return max(DOZEN, round(accounts ** (2 / 3)))


def web_of(dataset: Dataset, links: Links, *, times: Ints, history: Mask, usual: Mask) -> Web:
    """Return who shares what, up to the end of the window.

    Parameters
    ----------
    dataset : Dataset
        The events.
    links : Links
        What links.
    times : ndarray of int64, shape (rows,)
        Each event's time.
    history, usual : ndarray of bool, shape (rows,)
        The events up to the end of the window, by which accounts are linked; and those outside the window, by
        which it is measured how widely values are usually shared; where these hold too few accounts, all events
        of the history serve.

    Raises
    ------
    ColumnNotFoundError
        When a named column is not there.
    """
    notes: list[str] = []
    chosen = [dataset.resolve(name) for name in (links.columns or ())]
    entities = chosen if links.columns is not None else list(dataset.roles.entities)
    held = {name: coded(dataset, name) for name in dict.fromkeys(entities)}
    if links.account is not None:
        account = coded(dataset, dataset.resolve(links.account))
    else:
        free = {name: coded(dataset, name) for name in dataset.roles.entities if not chosen or name not in held}
        account = _account(free, history) if free else coded(dataset, dataset.roles.id)
        if not free:
            notes.append(f"Every entity links, so each {account.name} is an account of its own.")
    who = np.where(history, account.codes, -1)
    known = how_many(who)
    lost = int((history & (account.codes < 0)).sum())
    if lost:
        notes.append(f"{lost:,} events name no {account.name}; they are in no ring.")
    early = usual if how_many(account.codes[usual]) > DOZEN**2 else history
    drawn: list[Kind] = []
    for name, value in held.items():
        if name == account.name:
            continue
        a, v, n, first = pairs_of(who, value, times, history)
        if not len(a):
            notes.append(f"{name} has no values in the events: it links nobody.")
            continue
        degree = np.bincount(v, minlength=value.size)
        drawn.append(Kind(value, a, v, n, first, degree, float(np.median(degree[degree > 0])), 0.0, 0, ""))
    kinds, places = _judged(drawn, links, account=account.codes, times=times, early=early, known=known)
    if links.edges is not None:
        kinds = (*kinds, *_given(links, account, who=who, times=times, history=history, known=known, notes=notes))
    if not drawn and links.edges is None:
        notes.append("No column links: name the role 'entities', or links=.")
    return Web(account, kinds, places, known, tuple(notes))


def _account(held: Mapping[str, Coded], history: Mask) -> Coded:
    """Return the first column whose values meet few of the others': somebody, not a place where many meet."""
    rows = np.zeros(len(history), dtype=bool)
    rows[np.flatnonzero(history)[-200_000:]] = True
    none = np.zeros(len(rows), dtype=np.int64)
    width: dict[str, float] = {}
    for name, one in held.items():
        counts = []
        for other, two in held.items():
            if other != name and (two.codes[rows] >= 0).any():
                a = pairs_of(one.codes, two, none, rows)[0]
                counts.append(float(np.median(np.unique(a, return_counts=True)[1])) if len(a) else 0.0)
        width[name] = float(np.median(counts)) if counts else 0.0
    first = next(iter(held))
    fits = [name for name, one in held.items() if name == first or _comes_back(one, rows)]
    return held[min(fits, key=lambda name: (not (held[name].codes >= 0).any(), width[name]))]


def _comes_back(one: Coded, rows: Mask) -> bool:
    """Tell whether some of a column's values stand at more than one event: else it numbers the events."""
    codes = one.codes[rows & (one.codes >= 0)]
    return len(np.unique(codes)) < len(codes)


def _judged(
    drawn: Sequence[Kind], links: Links, *, account: Ints, times: Ints, early: Mask, known: int
) -> tuple[tuple[Kind, ...], tuple[Kind, ...]]:
    """Return the kinds that link, each with its limit, and those that are meeting places."""
    own, places, named = [], [], bool(links.columns)
    who = np.where(early, account, -1)
    for kind in drawn:
        same, n = comes_again(who, kind.coded.codes, times)
        why = ""
        if kind.usual > HOUSEHOLD:
            why = f"its usual value is shared by {kind.usual:g}: a place where many meet"
        elif n >= FEWEST_REPEATS and same < COMES_AGAIN:
            why = f"who comes again brings another one {1 - same:.0%} of the time: a place where many meet"
        if why and not named:
            places.append(replace(kind, reason=why))
        else:
            own.append(kind)
    pairs = {kind.name: pairs_of(who, kind.coded, times, early)[:2] for kind in own}
    meets = {name: mean_met(np.bincount(value), how_many(who)) for name, (_, value) in pairs.items()}
    found = limits(pairs, known=known)
    alone = max(DOZEN, int(known**0.5))
    kinds = []
    for kind in own:
        stated = links.hubs.get(kind.name) if isinstance(links.hubs, Mapping) else links.hubs
        limit, why = found[kind.name], "more than the square root of all accounts"
        if stated is not None:
            limit, why = int(stated), "the limit that was named"
        elif limit < alone:
            why = f"by {kind.name} an account usually meets {meets[kind.name]:.2g} others"
        kinds.append(replace(kind, meets=meets[kind.name], limit=limit, reason=why))
    return tuple(kinds), tuple(places)


def _given(
    links: Links, account: Coded, *, who: Ints, times: Ints, history: Mask, known: int, notes: list[str]
) -> tuple[Kind, ...]:
    """Return a caller's edges as kinds, one for each word of evidence."""
    frame = links.edges
    assert frame is not None
    end = int(times[history].max()) if history.any() else 0
    since = [micros(moment) if not pd.isna(moment) else None for moment in frame["since"]] if "since" in frame else None
    words = frame["evidence"].astype(str).to_numpy() if "evidence" in frame else np.full(len(frame), "given")
    first = np.array([end if moment is None else moment for moment in since or [None] * len(frame)], dtype=np.int64)
    kept = first <= end
    if not kept.all():
        notes.append(f"{int((~kept).sum()):,} of the links given are younger than the window and are left out.")
    held = np.unique(who[who >= 0])
    code_of = dict(zip(account.written(held), held.tolist(), strict=True))
    left, right = (frame[name].map(_text).to_numpy() for name in ("a", "b"))
    kinds = []
    for word in dict.fromkeys(words[kept].tolist()):
        at = np.flatnonzero(kept & (words == word))
        values, codes = np.unique(right[at], return_inverse=True)
        a = np.array([code_of.get(name, -1) for name in left[at]], dtype=np.int64)
        b = np.array([code_of.get(name, -1) for name in right[at]], dtype=np.int64)
        accounts = np.concatenate([a, b])  # where the other end is an account too, it holds its own value
        held_codes, moments = np.concatenate([codes, codes]), np.concatenate([first[at], first[at]])
        told = accounts >= 0
        if not told.any():
            continue
        stand_in = Coded(str(word), held_codes[told], len(values), values.astype(object))
        x, v, n, since_when = pairs_of(accounts[told], stand_in, moments[told], np.ones(int(told.sum()), bool))
        degree = np.bincount(v, minlength=len(values))
        stated = links.hubs.get(str(word)) if isinstance(links.hubs, Mapping) else links.hubs
        limit = int(stated) if stated is not None else max(DOZEN, int(known**0.5))
        own = degree[degree > 0]
        kinds.append(
            Kind(stand_in, x, v, n, since_when, degree, float(np.median(own)), 0.0, limit, "joins too many accounts")
        )
    unknown = sorted({name for name in left[kept] if name not in code_of} - set(right[kept]))
    if unknown:
        notes.append(f"{len(unknown):,} entities of the links given are in no event: {listed(unknown, most=3)}.")
    return tuple(kinds)
