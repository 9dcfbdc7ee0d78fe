"""Which setting of many rules is best? Exact trials of one rule's change, each touching only the sets it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]

#: The rank of a column that decides nothing.
IDLE = np.int32(2**31 - 1)
#: Settings that are followed side by side as edits are added, at the least; more where each costs few trials.
WIDTH, TRIALS = 6, 300_000
#: Seeded starts beside them, for each number of edits.
STARTS = 2
#: The search ends when so many edits more gain nothing.
PATIENCE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Distinct sets of hits, and what each weighs: all that a search needs to know of the events.

    A *column* is one form of a rule (its condition with one value of a parameter); a *slot* is the rule. At most one
    column of a slot decides.

    Attributes
    ----------
    starts, lines : ndarray
        Set p is hit by the columns `lines[starts[p]:starts[p + 1]]`.
    column_starts, sets : ndarray
        Column c hits the sets `sets[column_starts[c]:column_starts[c + 1]]`.
    slot : ndarray of int64, shape (columns,)
        The rule of each column.
    weights : ndarray of int64, shape (sets, kinds)
        Counts and money of each set.
    levels : int
        The length of the ladder of outcomes.
    """

    starts: Ints
    lines: Codes
    column_starts: Ints
    sets: Codes
    slot: Ints
    weights: Ints
    levels: int

    @classmethod
    def of(cls, starts: Ints, lines: Codes, weights: Ints, *, slot: Ints, levels: int) -> Field:
        """Return the field of a table of sets; sets that weigh nothing are left out."""
        kept = np.flatnonzero((weights != 0).any(axis=1))
        sizes = np.diff(starts)
        owner = np.repeat(np.arange(len(sizes)), sizes)
        held = np.zeros(len(sizes), dtype=bool)
        held[kept] = True
        own = np.concatenate([[0], np.cumsum(sizes[kept])]).astype(np.int64)
        within = lines[held[owner]].astype(np.int32)
        codes = np.repeat(np.arange(len(kept), dtype=np.int32), sizes[kept])
        order = np.argsort(within, kind="stable")
        counts = np.bincount(within, minlength=len(slot))[: len(slot)]
        column_starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(
            own,
            within,
            column_starts,
            codes[order],
            slot.astype(np.int64),
            np.ascontiguousarray(weights[kept], dtype=np.int64),
            levels,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Stand:
    """How every rule stands: which of its columns decides, in which order, and what.

    Attributes
    ----------
    column : ndarray of int64, shape (slots,)
        The column that decides; -1 for a rule that does not.
    priority : ndarray of int64, shape (slots,)
        The smallest decides first; equal ones by the harsher outcome, then by slot.
    level : ndarray of int64, shape (slots,)
        The ladder level of its outcome.
    """

    column: Ints
    priority: Ints
    level: Ints

    def moved(self, slot: int, column: int, priority: int, level: int) -> Stand:
        """Return the stand with one rule changed."""
        made = replace(self, column=self.column.copy(), priority=self.priority.copy(), level=self.level.copy())
        made.column[slot], made.priority[slot], made.level[slot] = column, priority, level
        return made

    @property
    def key(self) -> bytes:
        """What tells it from other stands."""
        return self.column.tobytes() + self.priority.tobytes() + self.level.tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """How one rule could stand, the preferred of equals first.

    Attributes
    ----------
    column, priority, level : ndarray of int64, shape (options,)
        As in `Stand`.
    edits : ndarray of int64, shape (options,)
        How many edits each takes from how the rule stands now.
    """

    column: Ints
    priority: Ints
    level: Ints
    edits: Ints

    def __len__(self) -> int:
        return len(self.column)

    def take(self, picked: npt.NDArray[np.generic]) -> Options:
        """Return some of the options."""
        return Options(self.column[picked], self.priority[picked], self.level[picked], self.edits[picked])


class Goal(Protocol):
    """What a search is after, by the totals of each outcome."""

    def value(self, totals: Ints, live: Ints) -> Floats:
        """Return what totals of shape (options, levels, kinds) are worth, with so many live rules; more is better."""
        ...

    def broken(self, totals: Ints, live: Ints) -> Floats:
        """Return by how much they break what must be kept to; 0 where they do not."""
        ...


class Search:
    """A stand, and exact answers to what any change of one rule would make of it."""

    def __init__(self, field: Field, goal: Goal, stand: Stand) -> None:
        self.field, self.goal = field, goal
        self.tried = 0
        self._slots = np.arange(len(stand.column))
        self._sets = np.arange(len(field.weights), dtype=np.int32)
        self._first = np.full(len(field.weights), -1, dtype=np.int32)
        self._second = self._first.copy()
        self.go(stand)

    def go(self, stand: Stand) -> None:
        """Stand elsewhere."""
        from riskbench.engine.contest import first_two

        self.stand = stand
        self._ranked()
        first_two(
            self.field.starts, self.field.lines, self._place, picked=self._sets, first=self._first, second=self._second
        )
        self.totals = np.zeros((self.field.levels, self.field.weights.shape[1]), dtype=np.int64)
        np.add.at(self.totals, self._level_of(self._first), self.field.weights)

    def _level_of(self, columns: Codes) -> Ints:
        slots = self.field.slot[columns]
        return np.where(columns >= 0, self.stand.level[slots], 0)

    def _ranked(self) -> None:
        stand = self.stand
        live = np.flatnonzero(stand.column >= 0)
        order = live[np.lexsort((live, -stand.level[live], stand.priority[live]))]
        self._order = order
        self._place = np.full(len(self.field.slot), IDLE, dtype=np.int32)
        self._place[stand.column[order]] = np.arange(len(order), dtype=np.int32)
        self._levels_at = np.append(stand.level[order], 0)

    @property
    def live(self) -> int:
        """How many rules decide."""
        return len(self._order)

    def score(self) -> tuple[float, float]:
        """Return how much the stand breaks, and less its value: the smaller pair is the better."""
        totals, live = self.totals[None], np.array([self.live])
        return float(self.goal.broken(totals, live)[0]), -float(self.goal.value(totals, live)[0])

    def trials(self, slot: int, options: Options) -> tuple[Ints, Ints]:
        """Return the totals that each option of one rule would give, and how many rules would be live."""
        from riskbench.engine.contest import contested

        field, stand = self.field, self.stand
        own = int(stand.column[slot])
        columns = np.unique(np.append(options.column, own))
        columns = columns[columns >= 0].astype(np.int32)
        size, kinds = len(columns), field.weights.shape[1]
        held = contested(
            field.column_starts,
            field.sets,
            columns,
            own=own,
            place=self._place,
            first=self._first,
            second=self._second,
            weights=field.weights,
            places=self.live,
        )
        # From each place on: what a column there would take over, and at which level it stood.
        split = np.zeros((size, self.live + 1, field.levels, kinds), dtype=np.int64)
        split[:, np.arange(self.live + 1), self._levels_at] = held
        beyond = np.cumsum(split[:, ::-1], axis=1)[:, ::-1]
        without = self.totals.copy()
        if own >= 0:
            back = beyond[int(np.searchsorted(columns, own)), int(self._place[own])]
            without += back
            without[stand.level[slot]] -= back.sum(axis=0)
        totals = np.repeat(without[None], len(options), axis=0)
        on = np.flatnonzero(options.column >= 0)
        if len(on):
            at = self._places(slot, options.priority[on], options.level[on])
            taken = beyond[np.searchsorted(columns, options.column[on]), at]
            totals[on] -= taken
            totals[on, options.level[on]] += taken.sum(axis=1)
        self.tried += len(options)
        return totals, self.live - int(own >= 0) + (options.column >= 0)

    def _places(self, slot: int, priority: Ints, level: Ints) -> Ints:
        """Return the place in the order at which a rule would stand; its own present one counts for nothing."""
        order, stand = self._order, self.stand
        numbers = np.unique(np.concatenate([stand.priority[order], priority]))
        levels, slots = self.field.levels, len(stand.column)

        def key(priorities: Ints, levels_: Ints, places: Ints) -> Ints:
            coarse = np.searchsorted(numbers, priorities) * levels + (levels - 1 - levels_)
            return coarse.astype(np.int64) * slots + places

        sorted_keys = key(stand.priority[order], stand.level[order], order)
        wanted = key(priority, level, np.full(len(priority), slot))
        return np.searchsorted(sorted_keys, wanted).astype(np.int64)

    def judged(self, slot: int, options: Options) -> tuple[Floats, Floats]:
        """Return how much each option breaks, and its value."""
        totals, live = self.trials(slot, options)
        return self.goal.broken(totals, live), self.goal.value(totals, live)

    def take(self, slot: int, column: int, priority: int, level: int) -> None:
        """Change one rule; only the sets of its two columns are looked at again."""
        from riskbench.engine.contest import first_two

        field, before = self.field, int(self.stand.column[slot])
        touched = [field.sets[field.column_starts[c] : field.column_starts[c + 1]] for c in {before, column} if c >= 0]
        sets = np.unique(np.concatenate(touched)) if touched else np.zeros(0, dtype=np.int32)
        old = self._level_of(self._first[sets])
        self.stand = self.stand.moved(slot, column, priority, level)
        self._ranked()
        first_two(field.starts, field.lines, self._place, picked=sets, first=self._first, second=self._second)
        new = self._level_of(self._first[sets])
        moved = np.flatnonzero(old != new)
        np.subtract.at(self.totals, old[moved], field.weights[sets[moved]])
        np.add.at(self.totals, new[moved], field.weights[sets[moved]])


def best_of(broken: Floats, value: Floats) -> int:
    """Return the option that breaks least, and of those the one of highest value; of equals the first."""
    least = broken <= broken.min()
    return int(np.argmax(np.where(least, value, -np.inf)))


def descend(
    search: Search,
    options: Sequence[Options],
    *,
    used: Ints,
    budget: int | None,
    order: npt.NDArray[np.integer],
    rounds: int = 100,
) -> Ints:
    """Go downhill rule by rule until no change of one rule is better; return the edits that each rule takes.

    Parameters
    ----------
    search : Search
        Where it starts; it ends where the descent ends.
    options : sequence of Options
        How each rule could stand.
    used : ndarray of int64, shape (slots,)
        The edits that each rule takes at the start.
    budget : int or None
        The most edits of all rules together.
    order : ndarray of int
        The order in which rules are looked at.
    rounds : int
        The most rounds over all rules.
    """
    used = used.copy()
    score = search.score()
    for _ in range(rounds):
        moved = False
        for slot in order:
            own = options[slot]
            if budget is not None:
                fits = used.sum() - used[slot] + own.edits <= budget
                own = own if fits.all() else own.take(fits)
            if not len(own):
                continue
            broken, value = search.judged(slot, own)
            place = best_of(broken, value)
            found = float(broken[place]), -float(value[place])
            if found < score:
                search.take(slot, int(own.column[place]), int(own.priority[place]), int(own.level[place]))
                used[slot] = own.edits[place]
                score, moved = found, True
        if not moved:
            break
    return used


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The best stand with at most so many edits.

    Attributes
    ----------
    stand : Stand
        How every rule stands.
    edits : int
        How many edits it takes.
    score : tuple of float
        How much it breaks, and less its value.
    """

    stand: Stand
    edits: int
    score: tuple[float, float]
    used: Ints


def best_sets(search: Search, options: Sequence[Options], *, most: int, seed: int = 0) -> list[Found]:
    """Return the best stand found with at most 0, 1, ... `most` edits; more edits are never worse.

    Several stands are followed side by side as edits are added one by one (a beam); the best of each step, and
    seeded starts beside it, go downhill rule by rule within the budget.

    Parameters
    ----------
    search : Search
        At the stand that edits are counted from.
    options : sequence of Options
        How each rule could stand, with the edits that takes.
    most : int
        The most edits.
    seed : int
        Of the starts.
    """
    present = search.stand
    start = Found(present, 0, search.score(), np.zeros(len(present.column), dtype=np.int64))
    found, beam, idle = [start], [start], 0
    singles: list[Found] = []
    order = np.arange(len(options))
    width = max(WIDTH, TRIALS // max(1, sum(map(len, options))))
    for budget in range(1, most + 1):
        grown: dict[bytes, Found] = {}
        for held in beam:
            search.go(held.stand)
            for made in _steps(search, options, held, budget=budget, every=budget == 1):
                grown.setdefault(made.stand.key, made)
        ranked = sorted(grown.values(), key=lambda one: (one.score, one.edits))
        if budget == 1:
            singles = ranked
        best = min([found[-1], *ranked[:1]], key=lambda one: (one.score, one.edits))
        polished = []
        rng = np.random.default_rng([seed, budget])
        starts = [best, *(_start(singles, budget, rng) for _ in range(STARTS if budget > 1 and singles else 0))]
        for number, held in enumerate(starts):
            search.go(held.stand)
            used = descend(
                search, options, used=held.used, budget=budget, order=rng.permutation(order) if number else order
            )
            polished.append(Found(search.stand, int(used.sum()), search.score(), used))
        better = min([best, *polished], key=lambda one: (one.score, one.edits))
        idle = idle + 1 if better.score >= found[-1].score else 0
        found.append(better)
        beam = [better, *(one for one in ranked[:width] if one.stand.key != better.stand.key)][:width]
        if idle >= PATIENCE or not ranked:
            break
    found += [found[-1]] * (most + 1 - len(found))
    search.go(present)
    return found


def _steps(search: Search, options: Sequence[Options], held: Found, *, budget: int, every: bool = False) -> list[Found]:
    """Return the best change of each rule from where a search stands within the budget, or every one."""
    made = []
    for slot, all_of_it in enumerate(options):
        free = budget - (int(held.used.sum()) - int(held.used[slot]))
        own = all_of_it.take(all_of_it.edits <= free)
        if not len(own):
            continue
        broken, value = search.judged(slot, own)
        for place in range(len(own)) if every else [best_of(broken, value)]:
            stand = held.stand.moved(slot, int(own.column[place]), int(own.priority[place]), int(own.level[place]))
            if stand.key != held.stand.key:
                used = held.used.copy()
                used[slot] = own.edits[place]
                made.append(Found(stand, int(used.sum()), (float(broken[place]), -float(value[place])), used))
    return made


def _start(singles: Sequence[Found], budget: int, rng: np.random.Generator) -> Found:
    """Return a stand of some good single edits, drawn by lot."""
    pool = list(singles[: max(4 * budget, 12)])
    base = pool[int(rng.integers(len(pool)))]
    stand, used = base.stand, base.used.copy()
    for place in rng.permutation(len(pool)):
        other = pool[int(place)]
        slot = int(np.argmax(other.used))
        if used[slot] or used.sum() + other.used[slot] > budget:
            continue
        stand = stand.moved(
            slot, int(other.stand.column[slot]), int(other.stand.priority[slot]), int(other.stand.level[slot])
        )
        used[slot] = other.used[slot]
    return Found(stand, int(used.sum()), (np.inf, np.inf), used)


def decided(starts: Ints, lines: Codes, slot: Ints, stand: Stand) -> tuple[Ints, Ints]:
    """Return the rule that decides each set of hits under a stand (-1 for none), and the ladder level it gives."""
    from riskbench.engine.contest import first_two

    live = np.flatnonzero(stand.column >= 0)
    order = live[np.lexsort((live, -stand.level[live], stand.priority[live]))]
    place = np.full(len(slot), IDLE, dtype=np.int32)
    place[stand.column[order]] = np.arange(len(order), dtype=np.int32)
    sets = np.arange(len(starts) - 1, dtype=np.int32)
    first, second = (np.full(len(sets), -1, dtype=np.int32) for _ in range(2))
    first_two(starts, lines, place, picked=sets, first=first, second=second)
    rule = np.where(first >= 0, slot[first], -1)
    return rule, np.where(first >= 0, stand.level[slot[first]], 0)
