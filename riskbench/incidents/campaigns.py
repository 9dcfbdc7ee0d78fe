"""Which days are not ordinary: campaigns and paydays, so that a day is compared with days of its kind."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.errors import ParameterError, listed

Ints = npt.NDArray[np.int64]

#: Days of the month around which wages are paid; assumed, where no calendar is given.
PAYDAYS = (25, 26, 27, 28, 1, 2)
#: The kinds of days that are told apart where no calendar is given.
DOUBLE_DAY, BLACK_FRIDAY, PAYDAY = "double day", "Black Friday", "payday"

_DOUBLE = re.compile(r"(\d{1,2})[./](\d{1,2})")
_COLUMNS = ("name", "first", "last")


def campaigns(days: Ints, calendar: pd.DataFrame | None = None) -> tuple[Ints, tuple[str, ...]]:
    """Return the kind of each day as a code, 0 for an ordinary one, and the kinds' names.

    Use it to compare a day with days of its kind. Where no calendar is given, double days (9.9, 11.11), the Friday
    to Monday around Black Friday, and paydays are told apart, which is an assumption and is printed as one.

    Parameters
    ----------
    days : ndarray of int64, shape (days,)
        Local days, counted from 1970-01-01.
    calendar : DataFrame, optional
        Columns name, first, last (dates, the last included). Rows of one name are of one kind, as are all whose name
        is a double day; the first row that holds a day decides.

    Raises
    ------
    ParameterError
        When the calendar lacks a column, or a date is none.

    Examples
    --------
    >>> days = np.array(["2026-11-09", "2026-11-11", "2026-11-27", "2026-10-25"], dtype="datetime64[D]")
    >>> codes, names = campaigns(days.astype(np.int64))
    >>> [names[code] for code in codes]
    ['ordinary', 'double day', 'Black Friday', 'payday']
    """
    return _assumed(days) if calendar is None else _given(days, calendar)


def _assumed(days: Ints) -> tuple[Ints, tuple[str, ...]]:
    date = days.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    number = (date - month).astype(np.int64) + 1
    of_year = month.astype(np.int64) % 12 + 1
    first_of_november = (date.astype("datetime64[Y]").astype("datetime64[M]") + 10).astype("datetime64[D]")
    weekday = (first_of_november.astype(np.int64) + 3) % 7
    friday = first_of_november.astype(np.int64) + (3 - weekday) % 7 + 22
    codes = np.where(np.isin(number, PAYDAYS), 3, 0)
    codes = np.where((days >= friday) & (days <= friday + 3), 2, codes)
    codes = np.where(number == of_year, 1, codes)
    return codes.astype(np.int64), ("ordinary", DOUBLE_DAY, BLACK_FRIDAY, PAYDAY)


def _given(days: Ints, calendar: pd.DataFrame) -> tuple[Ints, tuple[str, ...]]:
    missing = [name for name in _COLUMNS if name not in getattr(calendar, "columns", ())]
    if missing:
        raise ParameterError(
            "A calendar is a table of campaigns", got=f"no column {missing[0]!r}", allowed=listed(_COLUMNS)
        )
    try:
        first, last = (
            pd.to_datetime(calendar[name]).to_numpy().astype("datetime64[D]").astype(np.int64) for name in _COLUMNS[1:]
        )
    except (ValueError, TypeError) as error:
        raise ParameterError("A campaign's first or last day is no date", allowed="2026-11-11") from error
    if calendar[list(_COLUMNS)].isna().to_numpy().any():
        raise ParameterError("A campaign lacks its name, its first or its last day")
    kinds = [_kind(str(name)) for name in calendar["name"]]
    names = list(dict.fromkeys(kinds))
    codes = np.zeros(len(days), dtype=np.int64)
    for kind, begin, stop in reversed(list(zip(kinds, first, last, strict=True))):
        codes[(days >= begin) & (days <= stop)] = names.index(kind) + 1
    return codes, ("ordinary", *names)


def _kind(name: str) -> str:
    found = _DOUBLE.fullmatch(name.strip())
    return DOUBLE_DAY if found and int(found[1]) == int(found[2]) else name
