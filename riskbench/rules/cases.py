"""How many cases are the hits: a reviewer judges a seller once a day, not each order."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.labels import BLOCKED, FRAUD, GOOD, NO_CHANNEL, REASONS, STATES, UNKNOWN, YOUNG
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.intervals import wilson

_WEEK = 604_800
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": _WEEK}


def period_seconds(text: str) -> int:
    """Return a period such as `1d` in seconds.

    Raises
    ------
    ParameterError
        When the text is not a number and a unit.

    Examples
    --------
    >>> period_seconds("12h")
    43200
    """
    found = re.fullmatch(r"\s*([1-9]\d{0,5})\s*([smhdw])\s*", str(text))
    if found is None:
        raise ParameterError("A period was not understood", got=repr(text), allowed="30m, 12h, 1d, 2w")
    return int(found[1]) * _SECONDS[found[2]]


def case_codes(dataset: Dataset, *, unit: str, per: str | None) -> npt.NDArray[np.int64]:
    """Return the case of each event: its unit and period as one code; an event without unit is its own case.

    Periods are cut in local time, so that "1d" is a reviewer's day; whole weeks begin on Mondays.
    """
    column = dataset.column(unit)
    codes = dataset.segment(unit)[0].astype(np.int64)
    if per is not None:
        if not dataset.has("time"):
            raise DataError("Cases per period need a time", hint="name the role 'time', or leave out per=")
        seconds, present = period_seconds(per), dataset.column("time").present
        monday = 3 * 86_400 if seconds % _WEEK == 0 else 0  # 1970-01-01 was a Thursday
        period = (dataset.local_times + monday * 1_000_000) // (seconds * 1_000_000)
        # Events without a time are a period of their own.
        first = int(period[present].min()) if present.any() else 0
        period = np.where(present, period - first + 1, 0)
        _, codes = np.unique(codes * (int(period.max()) + 1 if len(period) else 1) + period, return_inverse=True)
    if column.missing:
        absent = ~column.present
        top = int(codes.max()) + 1 if len(codes) else 0
        codes = codes.copy()
        codes[absent] = top + np.arange(int(absent.sum()))
    return codes


def case_measures(
    codes: Sequence[npt.NDArray[np.int64]], states: Sequence[npt.NDArray[np.int8]]
) -> dict[str, npt.NDArray[np.generic]]:
    """Return cases, cases with a known fraud, and their share among cases with a verdict, rule by rule.

    A case with a young event and no known fraud is open: its verdict may yet turn. A case without any verdict is
    unlabelled, for the reason of its events that comes first: young, blocked, no dispute channel, no verdict.
    """
    told = np.array([_told(code, state) for code, state in zip(codes, states, strict=True)], dtype=np.int64)
    columns = told.reshape(len(codes), len(_COLUMNS)).T
    found = dict(zip(_COLUMNS, columns, strict=True))
    judged = found["cases"] - found["unlabelled_cases"]
    rate, lower, upper = wilson(found["fraud_cases"], judged)
    return found | {"case_precision": rate, "case_precision_lower": lower, "case_precision_upper": upper}


_COLUMNS = ("cases", "fraud_cases", "open_cases", "unlabelled_cases", *(f"{name}_cases" for name in REASONS))
#: Why a case has no verdict, the first that holds for one of its events: waiting may help against the first only.
_FIRST = (YOUNG, BLOCKED, NO_CHANNEL, UNKNOWN)


def _told(code: npt.NDArray[np.int64], state: npt.NDArray[np.int8]) -> list[int]:
    """Return how many cases there are, and what is known of them, in the order of the columns."""
    cases, place = np.unique(code, return_inverse=True)
    seen = np.zeros((len(cases), len(STATES)), dtype=bool)
    seen[place, state] = True
    fraud, young = seen[:, FRAUD], seen[:, YOUNG]
    left = ~(fraud | seen[:, GOOD])
    unlabelled = int(left.sum())
    why = {}
    for reason in _FIRST:
        why[reason] = int((left & seen[:, reason]).sum())
        left &= ~seen[:, reason]
    return [
        len(cases),
        int(fraud.sum()),
        int((young & ~fraud).sum()),
        unlabelled,
        *(why[reason] for reason in REASONS.values()),
    ]
