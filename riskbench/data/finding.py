"""What a check is: a code, a title, a severity, advice, and a look at the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.labels import verdicts
from riskbench.engine.columns import Column, Mask
from riskbench.errors import RiskbenchError

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
MOST_EXAMPLES = 5


class NotApplicable(Exception):  # noqa: N818 -- it is an answer, not a failure
    """Says why a check has nothing to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    count : int
        How many rows, or columns, or regions it concerns.
    examples : tuple of str
        At most five ids, or names of columns or regions, each with a short figure.
    severity : str or None
        Where it differs from the check's own.
    leaks : mapping of str to str
        Columns that no model may learn from, and why.
    """

    count: int
    examples: tuple[str, ...] = ()
    severity: Severity | None = None
    leaks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check.

    Attributes
    ----------
    code : str
        Such as RB001; its page is docs/checks/RB001.md.
    title : str
        What is wrong where it finds something.
    severity : {"error", "warning", "info"}
        error: results would be wrong; warning: they may be; info: worth knowing.
    advice : str
        What to do, in one sentence.
    look : callable
        Takes a Case and returns a Finding, or None where all is well.
    """

    code: str
    title: str
    severity: Severity
    advice: str
    look: Callable[[Case], Finding | None]

    @property
    def page(self) -> str:
        """Where the page of this check stands."""
        return f"docs/checks/{self.code}.md"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the checks look at.

    Attributes
    ----------
    dataset : Dataset
        The events.
    now : int
        Microseconds since 1970: what lies later is the future.
    asof : int or None
        The moment from which the age of events counts; None: the last that the data knows.
    book : frozenset of str
        The ids of the rules under test.
    score : str or None
        The name of the score under test.
    """

    dataset: Dataset
    now: int
    asof: int | None = None
    book: frozenset[str] = frozenset()
    score: str | None = None

    def role(self, name: str) -> Column:
        """Return the column that plays a role, or say that there is none."""
        column = getattr(self.dataset.roles, name)
        if column is None:
            raise NotApplicable(f"no column has the role {name!r}")
        return self.dataset.table.column(column)

    @cached_property
    def _labels(self) -> tuple[Mask, Mask] | str:
        if self.dataset.roles.label is None:
            return "no column has the role 'label'"
        try:
            return verdicts(self.dataset)
        except RiskbenchError as error:
            return error.what

    @property
    def labels(self) -> tuple[Mask, Mask]:
        """Which events are fraud and which good; or say why that is not known."""
        if isinstance(self._labels, str):
            raise NotApplicable(self._labels)
        return self._labels

    @cached_property
    def money(self) -> tuple[str, ...]:
        """The money columns: the amount and the measures."""
        roles = self.dataset.roles
        return tuple(dict.fromkeys(one for one in (roles.amount, *roles.measures.values()) if one))

    def ids(self, rows: Mask | npt.NDArray[np.intp]) -> tuple[str, ...]:
        """Return the ids of the first few rows."""
        places = np.flatnonzero(rows) if rows.dtype == bool else rows
        places = places[: 10 * MOST_EXAMPLES]
        values = self.dataset.table.column(self.dataset.roles.id).take(places).to_arrow().to_pylist()
        names = [
            f"row {place + 1}" if value is None else _short(value) for place, value in zip(places, values, strict=True)
        ]
        return tuple(dict.fromkeys(names))[:MOST_EXAMPLES]

    def rows_found(self, rows: Mask, *, severity: Severity | None = None) -> Finding | None:
        """Return the finding of some rows, None where there are none."""
        count = int(np.count_nonzero(rows))
        return Finding(count=count, examples=self.ids(rows), severity=severity) if count else None


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else f"{text[:37]}..."


def names_found(
    names: Iterable[str], *, leaks: Mapping[str, str] | None = None, severity: Severity | None = None
) -> Finding | None:
    """Return the finding of some columns or regions, None where there are none."""
    held = list(names)
    if not held:
        return None
    return Finding(count=len(held), examples=tuple(held[:MOST_EXAMPLES]), leaks=leaks or {}, severity=severity)
