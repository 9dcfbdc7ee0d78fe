"""A review queue as a plain discrete-event loop with a heap of events: slow, and sharing no code with the library."""

from __future__ import annotations

import heapq
import math

MINUTES_OF_A_WEEK = 10_080


def there(calendar, absent, moment):
    """Tell whether a reviewer is there: their week's open minutes, and the days on which they do not come."""
    if absent and absent[int(moment // 1440) % len(absent)]:
        return False
    return bool(calendar[math.floor(moment) % MINUTES_OF_A_WEEK])


def openings(calendar, absent, until):
    """Yield the moments at which a reviewer comes in."""
    previous = False
    for minute in range(int(until) + 1):
        now = there(calendar, absent, float(minute))
        if now and not previous:
            yield float(minute)
        previous = now


def serve(arrive, work, *, expire, calendars, absent=None, rank=None, until):
    """Return when each case's review begins, infinity where it never does before `until`.

    Events are arrivals, reviewers who come in and reviewers who finish. After all events of one moment, every idle
    reviewer who is there takes the next case: the first to come, or the one of highest rank; of idle reviewers the
    first in the list takes the first case. Expired cases leave.
    """
    absent = absent or [[] for _ in calendars]
    events = [(moment, 0, case) for case, moment in enumerate(arrive)]
    for reviewer, calendar in enumerate(calendars):
        events += [(moment, 1, reviewer) for moment in openings(calendar, absent[reviewer], until)]
    heapq.heapify(events)
    begin, waiting, busy = [math.inf] * len(arrive), [], [False] * len(calendars)
    while events:
        now = events[0][0]
        while events and events[0][0] == now:
            _, kind, which = heapq.heappop(events)
            if kind == 0:
                heapq.heappush(waiting, (0.0 if rank is None else -rank[which], which))
            elif kind == 2:
                busy[which] = False
        for reviewer, calendar in enumerate(calendars):
            if busy[reviewer] or not there(calendar, absent[reviewer], now):
                continue
            while waiting and expire[waiting[0][1]] < now:
                heapq.heappop(waiting)
            if not waiting:
                break
            _, case = heapq.heappop(waiting)
            begin[case] = now
            busy[reviewer] = True
            heapq.heappush(events, (now + work[case], 2, reviewer))
    return begin


def erlang_c(arrivals, minutes, servers):
    """Return the mean wait of M/M/c in the unit of `minutes`, by Erlang's formula (1917)."""
    load = arrivals * minutes
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    waits = last / (sum(terms) + last)
    return waits * minutes / (servers - load)
