"""When does each case's review begin? Compiled: case after case, the reviewer who is free first takes it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskbench.engine.compiled import compiled

Floats = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@compiled
def free_at(ahead: Steps, absent: Mask, reviewer: int, moment: float) -> float:
    """Return the first moment from `moment` on at which a reviewer is there; infinity where none ever is."""
    days = absent.shape[1]
    for _ in range(8 * (days + 2)):
        minute = int(np.floor(moment))
        wait = ahead[reviewer, minute % 10_080]
        if wait < 0:
            return np.inf
        if wait > 0:
            moment = float(minute + wait)
        day = int(moment // 1_440.0)
        if days and absent[reviewer, day % days]:
            moment = (day + 1) * 1_440.0
            continue
        return moment
    return np.inf


@compiled
def soonest(free: Floats, now: float, ahead: Steps, absent: Mask) -> tuple[float, int]:
    """Return when the next reviewer can begin, and who: of equals the one who stands first; -1 where nobody ever."""
    best, who = np.inf, -1
    for reviewer in range(len(free)):
        moment = max(free[reviewer], now)
        if moment >= best:
            continue
        moment = free_at(ahead, absent, reviewer, moment)
        if moment < best:
            best, who = moment, reviewer
        if best <= now:
            break
    return best, who


@compiled
def first_come(arrive: Floats, work: Floats, expire: Floats, ahead: Steps, absent: Mask) -> Floats:
    """Return when each case's review begins when the first to come is the first to be served.

    A case goes to the reviewer who can begin it first, of equals to the one who stands first. A review that has
    begun is finished, past the end of a shift if need be. A case that expires before anybody begins it leaves.

    Parameters
    ----------
    arrive : ndarray of float64, shape (cases,), ascending
        Minutes from the first Monday on.
    work : ndarray of float64, shape (cases,)
        Minutes of review.
    expire : ndarray of float64, shape (cases,)
        The moment from which on the case is gone; infinity where never.
    ahead : ndarray of int32, shape (reviewers, minutes of a week)
        Minutes to the next one at which the reviewer is there.
    absent : ndarray of bool, shape (reviewers, days)
        Days on which a reviewer does not come.

    Returns
    -------
    ndarray of float64, shape (cases,)
        The moment at which the review begins; infinity where it never does.
    """
    free = np.zeros(ahead.shape[0])
    begin = np.full(len(arrive), np.inf)
    for case in range(len(arrive)):
        best, who = soonest(free, arrive[case], ahead, absent)
        if who >= 0 and best <= expire[case]:
            begin[case] = best
            free[who] = best + work[case]
    return begin


@compiled
def by_rank(  # noqa: PLR0917
    arrive: Floats, work: Floats, expire: Floats, rank: Floats, ahead: Steps, absent: Mask
) -> Floats:
    """Return when each case's review begins when the highest rank that waits is served first, of equals the first.

    As `first_come` otherwise; `rank` is an ndarray of float64, shape (cases,).
    """
    cases = len(arrive)
    free = np.zeros(ahead.shape[0])
    begin = np.full(cases, np.inf)
    heap = np.empty(cases, dtype=np.int64)
    size, coming, now = 0, 0, 0.0
    while size > 0 or coming < cases:
        if size == 0:
            now = max(now, arrive[coming])
        best, who = soonest(free, now, ahead, absent)
        if who < 0:
            return begin
        while coming < cases and arrive[coming] <= best:
            place = size  # the new case climbs to its place in the heap
            size += 1
            while place > 0:
                above = (place - 1) // 2
                if rank[heap[above]] >= rank[coming]:
                    break
                heap[place] = heap[above]
                place = above
            heap[place] = coming
            coming += 1
        case = heap[0]
        size -= 1
        if size > 0:
            last, place = heap[size], 0
            while True:
                below = 2 * place + 1
                if below >= size:
                    break
                right = below + 1
                if right < size and (
                    rank[heap[right]] > rank[heap[below]]
                    or (rank[heap[right]] == rank[heap[below]] and heap[right] < heap[below])
                ):
                    below = right
                if rank[heap[below]] < rank[last] or (rank[heap[below]] == rank[last] and heap[below] > last):
                    break
                heap[place] = heap[below]
                place = below
            heap[place] = last
        if best > expire[case]:
            continue
        begin[case] = best
        free[who] = best + work[case]
        now = max(now, best)
    return begin
