"""When is somebody there? Opening hours as text, checked, and as the minutes of a week."""

from __future__ import annotations

import operator
import re

import numpy as np
import numpy.typing as npt

from riskbench.errors import ParameterError, nearest

Mask = npt.NDArray[np.bool_]
Steps = npt.NDArray[np.int32]

#: Minutes of an hour, a day and a week.
HOUR, DAY, WEEK = 60, 1_440, 10_080
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_PART = re.compile(
    r"([a-z]{3})(?:\s*-\s*([a-z]{3}))?\s+([01]?\d|2[0-4]):([0-5]\d)\s*-\s*([01]?\d|2[0-4]):([0-5]\d)", re.ASCII
)
_PERIOD = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*([mhdw])\s*", re.ASCII)
_FORM = '"24x7", "mon-fri 09:00-18:00", "mon-fri 22:00-06:00, sat 10:00-14:00"'


def looks_like_hours(text: object) -> bool:
    """Tell whether a text is meant as opening hours and not as the name of a queue.

    >>> looks_like_hours("24x7"), looks_like_hours("mon-fri 9:00-18:00"), looks_like_hours("payments")
    (True, True, False)
    """
    if not isinstance(text, str):
        return False
    told = text.strip().casefold()
    return told == "24x7" or _PART.match(told) is not None


def said(given: object) -> str:
    """Return what was handed in as short text, whatever it is.

    >>> said("soon"), said(10**9_999)
    ("'soon'", 'int')
    """
    try:
        return repr(given)[:80]
    except (ValueError, TypeError, RecursionError):
        return type(given).__name__


def whole(given: object) -> int | None:
    """Return a whole number of any kind, None where it is none; true and false are none.

    >>> import numpy as np
    >>> whole(np.uint8(3)), whole(3.0), whole(True), whole(np.False_)
    (3, None, None, None)
    """
    if isinstance(given, bool | np.bool_):
        return None
    try:
        return operator.index(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def open_minutes(text: object) -> Mask:
    """Return which minutes of a week, from Monday 00:00 local time on, opening hours hold.

    A part that ends before it begins runs past midnight into the next day.

    Parameters
    ----------
    text : str
        "24x7", or parts such as "mon-fri 09:00-18:00", parted by commas.

    Raises
    ------
    ParameterError
        When the text is no opening hours.

    Examples
    --------
    >>> int(open_minutes("mon-fri 09:00-18:00").sum()) // 60, int(open_minutes("sun 22:00-06:00")[:1440].sum()) // 60
    (45, 6)
    """
    told = text.strip().casefold() if isinstance(text, str) else ""
    if told == "24x7":
        return np.ones(WEEK, dtype=bool)
    held = np.zeros(WEEK, dtype=bool)
    for part in told.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None:
            raise ParameterError("Opening hours were not understood", got=said(text), allowed=_FORM)
        first, last = _day(found[1], text), _day(found[2] or found[1], text)
        start, stop = int(found[3]) * HOUR + int(found[4]), int(found[5]) * HOUR + int(found[6])
        if max(start, stop) > DAY or start == stop:
            raise ParameterError("Opening hours were not understood", got=said(text), allowed=_FORM)
        length = stop - start if stop > start else stop + DAY - start
        for step in range((last - first) % 7 + 1):
            begin = (first + step) % 7 * DAY + start
            held[np.arange(begin, begin + length) % WEEK] = True
    return held


def _day(name: str, text: object) -> int:
    if name not in DAYS:
        close = nearest(name, DAYS)
        raise ParameterError(
            f"{name!r} is no day of the week",
            got=said(text),
            allowed=_FORM,
            hint=f"did you mean {close!r}?" if close else None,
        )
    return DAYS.index(name)


def minutes_ahead(held: Mask) -> Steps:
    """Return how many minutes after each minute of a week the next open one is; -1 where none ever is.

    >>> minutes_ahead(open_minutes("mon 00:02-00:04"))[:5]
    array([    2,     1,     0,     0, 10078], dtype=int32)
    """
    places = np.flatnonzero(held)
    if not len(places):
        return np.full(WEEK, -1, dtype=np.int32)
    minute = np.arange(WEEK)
    after = np.searchsorted(places, minute)
    reached = np.append(places, places[0] + WEEK)[after]
    return (reached - minute).astype(np.int32)


def period_hours(text: object, *, name: str) -> float:
    """Return a period such as "24h", "90m" or "2d" in hours.

    Raises
    ------
    ParameterError
        When it is none, or not above zero.

    >>> period_hours("90m", name="verify_within"), period_hours("2d", name="verify_within")
    (1.5, 48.0)
    """
    found = _PERIOD.fullmatch(text) if isinstance(text, str) else None
    if found is None or float(found[1]) <= 0:
        raise ParameterError(f"{name} is a period", got=said(text), allowed='"30m", "24h", "2d", "1w"')
    return float(found[1]) * {"m": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}[found[2]]
