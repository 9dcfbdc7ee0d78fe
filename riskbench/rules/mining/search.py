"""How are conditions put together? A beam search over conjunctions, by what they gain and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from riskbench.rules.mining.pieces import Binned, Piece

Rows = npt.NDArray[np.intp]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: The cost of other events is weighted so while conditions are put together: one that pays only together with
#: others is kept as well.
WEIGHTS = (1.0, 0.3, 0.1)
#: How many conditions are carried on under each weight.
BEAM = 6
#: A further condition is kept when it adds so much of all that could be gained.
_WORTHWHILE = 0.01
#: Worths are summed as whole numbers up to this in total, so that the order of rows never matters.
_EXACT = 2.0**50


@dataclass(frozen=True, eq=False)
class Ground:
    """All events that are looked at: their bins, and what each gains or costs in whole numbers.

    Attributes
    ----------
    columns : tuple of Binned
        The columns that may be read.
    target : ndarray of bool, shape (events,)
        The events to catch.
    gain, cost : ndarray of int64, shape (events,)
        What a hit of each target event gains, and what one of each other event costs.
    at_least : int
        Target events that a conjunction must hit.
    """

    columns: tuple[Binned, ...]
    target: Mask
    gain: Ints
    cost: Ints
    at_least: int

    @classmethod
    def of(cls, columns: tuple[Binned, ...], target: Mask, worth: npt.NDArray[np.float64], *, at_least: int) -> Ground:
        """Return the ground of events that are worth so much when they are hit."""
        size = float(np.sort(np.abs(worth)).sum())  # a sum of floats depends on their order
        whole = np.rint(worth / size * _EXACT).astype(np.int64) if size else np.zeros(len(target), dtype=np.int64)
        # What a target event costs (a review of it, say) counts as less gain, and what another gains as less cost.
        return cls(columns, target, np.where(target, whole, 0), np.where(target, 0, -whole), at_least)

    @cached_property
    def codes(self) -> npt.NDArray[np.uint8]:
        """Each event's bin in each column: shape (events, columns)."""
        return np.ascontiguousarray(np.stack([column.codes for column in self.columns], axis=1))

    @cached_property
    def numbers(self) -> Ints:
        """What is summed of each event: gain, cost, whether it is a target, and one."""
        ones = np.ones(len(self.target), dtype=np.int64)
        return np.stack([self.gain, self.cost, self.target.astype(np.int64), ones], axis=1)

    @cached_property
    def spans(self) -> tuple[list[Piece], Rows, Rows, Rows]:
        """Every cut of every column, with its column, and the bins from and to which it holds."""
        held = [(place, piece) for place, column in enumerate(self.columns) for piece in column.spans]
        ends = np.array([(place, piece.low, piece.high) for place, piece in held], dtype=np.intp).reshape(-1, 3)
        return [piece for _, piece in held], ends[:, 0], ends[:, 1], ends[:, 2]

    @cached_property
    def size(self) -> int:
        """One more than the largest bin of any column."""
        return max(column.size for column in self.columns)


class State:
    """A conjunction on the way: its pieces and their sums; the events that it hits, once they are asked for.

    Parameters
    ----------
    pieces : tuple of Piece
        The conditions.
    gain, cost, frauds, count : int
        What its hits gain and cost, how many are target events, and how many there are.
    parent : State, optional
        The conjunction without its last piece.
    ground : Ground
        The events.
    hit : ndarray of intp, optional
        The events hit, where they are known.
    """

    def __init__(
        self,
        ground: Ground,
        pieces: tuple[Piece, ...],
        sums: Ints,
        *,
        parent: State | None = None,
        hit: Rows | None = None,
        column: int = -1,
    ) -> None:
        self.ground, self.pieces, self.parent, self.column = ground, pieces, parent, column
        self.gain, self.cost, self.frauds, self.count = sums.tolist()
        self._hit = hit

    @property
    def hit(self) -> Rows:
        """The events that it hits, ascending."""
        if self._hit is None:
            assert self.parent is not None
            rows = self.parent.hit
            self._hit = rows[self.pieces[-1].meets(self.ground.columns[self.column].codes[rows])]
        return self._hit

    def score(self, weight: float) -> float:
        """Return what it gains, less its cost so weighted."""
        return self.gain - weight * self.cost

    @cached_property
    def order(self) -> tuple[int, str]:
        """What settles a tie: fewer conditions, then their text."""
        return len(self.pieces), str(sorted((piece.column, piece.shape, str(piece.values)) for piece in self.pieces))


def searched(
    ground: Ground, *, terms: int, rows: Rows | None = None, weights: tuple[float, ...] = WEIGHTS,
    may_cost: int | None = None,
) -> list[State]:  # fmt: skip
    """Return every conjunction kept on the way that gains more than it costs.

    Parameters
    ----------
    ground : Ground
        The events.
    terms : int
        The most conditions.
    rows : ndarray of intp, optional
        Only these events, ascending; all by default.
    weights : tuple of float
        How the cost is weighted while conditions are put together, in turn; what is returned pays at the full cost.
    may_cost : int, optional
        Return instead the conjunctions that gain anything and hit at most so many events that are no target; a
        condition that does is not narrowed further.
    """
    hit = np.arange(len(ground.target)) if rows is None else rows
    everything = ground.numbers[hit].sum(axis=0)
    start = State(ground, (), everything, hit=hit)
    enough = _WORTHWHILE * max(1, start.gain)
    carried, found = [start], []
    for _ in range(terms):
        grown: dict[tuple[int, int, int], State] = {}
        for parent in carried:
            for state in _grown(parent, weights):
                grown.setdefault((state.gain, state.cost, state.count), state)
                if may_cost is not None:
                    if state.gain > 0 and state.count - state.frauds <= may_cost:
                        found.append(state)
                elif state.score(1.0) > max(0.0, parent.score(1.0) + enough if parent.pieces else 0.0):
                    found.append(state)
        kept: dict[int, State] = {}
        if may_cost is not None:
            grown = {key: one for key, one in grown.items() if one.count - one.frauds > may_cost}
        for weight in weights:
            for state in foremost(list(grown.values()), BEAM, weight):
                kept[id(state)] = state
        carried = list(kept.values())
        if not carried:
            break
    return found


def foremost(states: list[State], most: int, weight: float = 1.0) -> list[State]:
    """Return the conjunctions of highest score, the best first; of equals the one with fewer conditions."""
    scores = [state.score(weight) for state in states]
    if len(scores) > most:
        least = sorted(scores)[-most]
        states = [state for state, score in zip(states, scores, strict=True) if score >= least]
    return sorted(states, key=lambda one: (-one.score(weight), one.order))[:most]


def _grown(parent: State, weights: tuple[float, ...]) -> list[State]:
    """Return a conjunction with one more condition, the best few of each column."""
    from riskbench.engine.bins import sums_by_bin

    ground, hit = parent.ground, parent.hit
    if not len(hit):
        return []
    table = sums_by_bin(ground.codes, hit, ground.numbers, ground.size)
    by_column: list[list[tuple[Piece, Ints]]] = [[] for _ in ground.columns]
    for place, column in enumerate(ground.columns):
        if column.kind == "string":
            own = table[place, : column.size]
            lists = column.listed(own[:, 0], own[:, 1], own[:, 2], at_least=ground.at_least, weights=weights)
            by_column[place] += [(piece, own[list(piece.bins)].sum(axis=0)) for piece in lists]
    for place, piece, sums in _best_spans(parent, table, weights):
        by_column[place].append((piece, sums))
    made: list[State] = []
    for place, pieces in enumerate(by_column):
        for piece, sums in pieces:
            again = any(piece.column == old.column and piece.shape == old.shape for old in parent.pieces)
            if not again and sums[3] < len(hit):
                made.append(State(ground, (*parent.pieces, piece), sums, parent=parent, column=place))
    return made


def _best_spans(parent: State, table: Ints, weights: tuple[float, ...]) -> list[tuple[int, Piece, Ints]]:
    """Return the best two cuts of each column under each weight, with their sums."""
    ground = parent.ground
    spans, column, low, high = ground.spans
    if not spans:
        return []
    below = np.zeros((table.shape[0], table.shape[1] + 1, table.shape[2]), dtype=np.int64)
    np.cumsum(table, axis=1, out=below[:, 1:])
    sums = below[column, high] - below[column, low]
    gain, cost, frauds = sums[:, 0], sums[:, 1], sums[:, 2]
    # What leaves out no target event and no cost says nothing.
    says = (frauds < parent.frauds) | (cost != parent.cost) | (gain != parent.gain)
    can = np.flatnonzero(says & (frauds >= ground.at_least))
    kept: dict[int, None] = {}
    for weight in weights:
        order = can[np.lexsort((-(gain[can] - weight * cost[can]), column[can]))]
        own = column[order]
        first = np.ones(len(order), dtype=bool)
        first[2:] = own[2:] != own[:-2]
        kept.update(dict.fromkeys(order[first].tolist()))
    return [(int(column[k]), spans[k], sums[k]) for k in kept]
