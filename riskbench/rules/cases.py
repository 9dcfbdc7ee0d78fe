"""How many cases are the hits: a reviewer judges a seller once a day, not each order."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, GOOD
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
    """Return cases, cases with a known fraud, and their share among cases with a verdict, rule by rule."""
    cases, fraud, judged = [], [], []
    for code, state in zip(codes, states, strict=True):
        cases.append(len(np.unique(code)))
        with_fraud = np.unique(code[state == FRAUD])
        fraud.append(len(with_fraud))
        judged.append(len(np.unique(code[(state == FRAUD) | (state == GOOD)])))
    rate, lower, upper = wilson(fraud, judged)
    return {
        "cases": np.array(cases, dtype=np.int64),
        "fraud_cases": np.array(fraud, dtype=np.int64),
        "case_precision": rate,
        "case_precision_lower": lower,
        "case_precision_upper": upper,
    }
