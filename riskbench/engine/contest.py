"""Who decides a set of lines, and who would decide it without one of them? Compiled loops over a table of sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.engine.compiled import compiled

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]

#: The rank of a line that decides nothing.
IDLE = np.int32(2**31 - 1)


def first_two(starts: Ints, lines: Codes, rank: Codes, *, picked: Codes, first: Codes, second: Codes) -> None:
    """Write, for the picked sets, which of their lines decides and which would without it; -1 for none.

    Parameters
    ----------
    starts, lines : ndarray
        Set p holds `lines[starts[p]:starts[p + 1]]`.
    rank : ndarray of int32, shape (lines,)
        The smallest decides; `IDLE` decides nothing.
    picked : ndarray of int32
        The sets to look at.
    first, second : ndarray of int32, shape (sets,)
        Written in place.

    Examples
    --------
    >>> first, second = np.full(2, -1, np.int32), np.full(2, -1, np.int32)
    >>> first_two(np.array([0, 0, 2]), np.array([0, 1], np.int32), np.array([1, 0], np.int32),
    ...     picked=np.array([0, 1], np.int32), first=first, second=second)
    >>> first.tolist(), second.tolist()
    ([-1, 1], [-1, 0])
    """
    _first_two(starts, lines, rank, picked, first, second)


def contested(
    starts: Ints,
    sets: Codes,
    columns: Codes,
    *,
    own: int,
    place: Codes,
    first: Codes,
    second: Codes,
    weights: Ints,
    places: int,
) -> Ints:
    """Return what the sets of some lines weigh, by the place in the order of who decides them without line `own`.

    Parameters
    ----------
    starts, sets : ndarray
        Line c stands in the sets `sets[starts[c]:starts[c + 1]]`.
    columns : ndarray of int32
        The lines that are asked about.
    own : int
        The line that is left out; -1 for none.
    place : ndarray of int32, shape (lines,)
        Each deciding line's place in the order.
    first, second : ndarray of int32, shape (sets,)
        Who decides each set, and who would without it.
    weights : ndarray of int64, shape (sets, kinds)
        What each set weighs.
    places : int
        How many lines decide; sets that nobody else decides stand at this place.

    Returns
    -------
    ndarray of int64, shape (columns, places + 1, kinds)
    """
    made = np.zeros((len(columns), places + 1, weights.shape[1]), dtype=np.int64)
    _contested(starts, sets, columns, np.int32(own), place, first, second, weights, made)
    return made


@compiled
def _first_two(starts: Any, lines: Any, rank: Any, picked: Any, first: Any, second: Any) -> None:
    for k in range(len(picked)):
        p = picked[k]
        best = IDLE
        next_best = IDLE
        winner = np.int32(-1)
        runner = np.int32(-1)
        for entry in range(starts[p], starts[p + 1]):
            line = lines[entry]
            own = rank[line]
            if own < best:
                next_best, runner = best, winner
                best, winner = own, line
            elif own < next_best:
                next_best, runner = own, line
        first[p] = winner
        second[p] = runner


@compiled
def _contested(
    starts: Any, sets: Any, columns: Any, own: Any, place: Any, first: Any, second: Any, weights: Any, made: Any
) -> None:
    places = made.shape[1] - 1
    kinds = weights.shape[1]
    for k in range(len(columns)):
        column = columns[k]
        for entry in range(starts[column], starts[column + 1]):
            p = sets[entry]
            rival = first[p]
            if rival == own and own >= 0:
                rival = second[p]
            at = places if rival < 0 else place[rival]
            for kind in range(kinds):
                made[k, at, kind] += weights[p, kind]
