"""Is what was handed in of the kind that a verb takes? Checked at its first line, before anything is counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from riskbench.data.doors import a_dataset
from riskbench.errors import ParameterError, listed
from riskbench.metrics.constraints import Constraint

#: How each kind is come by.
_HINTS = {
    "RuleBook": 'rb.RuleBook.read("book.yaml") reads one',
    "Simulation": "rb.simulate(book, dataset) makes one",
    "LaunchPlan": "rb.plan_launch(book, dataset, rule=...) makes one",
    "RuleDrift": "rb.watch_rules(simulation) makes one",
    "Appraisal": "rb.appraise(simulation) makes one",
    "SignedChange": "request.sign(reviewer=..., decision=...) makes one",
}


def wanted(value: object, kind: str, *, name: str, hint: str | None = None) -> None:
    """Raise an error when a value is not of a kind, told by the name of its class or of one that it comes from.

    Parameters
    ----------
    value : object
        What was handed in.
    kind : str
        The class's name.
    name : str
        What the verb calls it.
    hint : str, optional
        How to come by one; told by the kind when not given.

    Raises
    ------
    ParameterError
        When it is of another kind.

    >>> wanted("book.yaml", "RuleBook", name="book")
    Traceback (most recent call last):
    riskbench.errors.ParameterError: `book` is a RuleBook.
    Got: str
    Hint: rb.RuleBook.read("book.yaml") reads one
    """
    if kind in {held.__name__ for held in type(value).__mro__}:
        return
    if kind == "Dataset" and hint is None:
        a_dataset(value, name=name)
    raise ParameterError(f"`{name}` is a {kind}", got=type(value).__name__, hint=hint or _HINTS.get(kind))


def book_and_events(book: object, dataset: object) -> None:
    """Raise an error when the first is no rule book or the second no dataset.

    Raises
    ------
    ParameterError
        Names the one that is not, and how to come by one.
    """
    wanted(book, "RuleBook", name="book")
    wanted(dataset, "Dataset", name="dataset")


def mapping(value: object, *, name: str, allowed: str, optional: bool = True) -> None:
    """Raise an error when a value is neither a mapping nor, where it is optional, None.

    Raises
    ------
    ParameterError
        When it is something else.
    """
    if not (value is None and optional) and not isinstance(value, Mapping):
        raise ParameterError(f"`{name}` is a mapping", got=repr(value)[:80], allowed=allowed)


def listed_names(value: Iterable[str] | str | None, *, name: str) -> tuple[str, ...]:
    """Return names as a tuple; a text alone counts as one name.

    Raises
    ------
    ParameterError
        When they are no texts.

    >>> listed_names("TX-1", name="off"), listed_names(["a", "b"], name="off")
    (('TX-1',), ('a', 'b'))
    """
    if value is None:
        return ()
    found = several(value, name=name, what="a list of names", alone=str)
    if not all(isinstance(entry, str) for entry in found):
        raise ParameterError(f"`{name}` is a list of names", got=repr(found)[:80])
    return found


def each_limit(value: Constraint | Iterable[Constraint] | None, *, name: str) -> tuple[Constraint, ...]:
    """Return limits as a tuple; one alone counts as one.

    Raises
    ------
    ParameterError
        When they are no limits.

    >>> each_limit([], name="subject_to")
    ()
    >>> each_limit(0.02, name="subject_to")
    Traceback (most recent call last):
    riskbench.errors.ParameterError: `subject_to` is a list of limits.
    Got: 0.02
    Allowed: rb.at_most("review_rate", 0.02)
    """
    allowed = 'rb.at_most("review_rate", 0.02)'
    found = several(
        () if value is None else value, name=name, what="a list of limits", alone=Constraint, allowed=allowed
    )
    for one in found:
        if not isinstance(one, Constraint):
            raise ParameterError(f"`{name}` is a list of limits", got=repr(one)[:80], allowed=allowed)
    return found


def several(
    value: object, *, name: str, what: str, alone: type | tuple[type, ...] = str, allowed: str | None = None
) -> tuple[Any, ...]:
    """Return a list's entries; what is of the kind `alone` counts as one.

    Raises
    ------
    ParameterError
        When it is no list.
    """
    if isinstance(value, alone):
        return (value,)
    try:
        if isinstance(value, Iterable) and not isinstance(value, Mapping | str | bytes):
            return tuple(value)
    except (TypeError, ValueError):
        pass
    raise ParameterError(f"`{name}` is {what}", got=repr(value)[:80], allowed=allowed)


def column_kinds(value: object, *, name: str = "kinds", optional: bool = False) -> None:
    """Raise an error when a value does not tell the kinds of columns.

    Raises
    ------
    ParameterError
        When it is no mapping, or a kind is none.
    """
    from riskbench.engine.columns import Kind

    kinds = get_args(Kind)
    mapping(value, name=name, allowed='{"amount": "float"}', optional=optional)
    for column, kind in (value or {}).items():  # type: ignore[attr-defined]
        if not isinstance(kind, str) or kind not in kinds:
            raise ParameterError(
                f"`{name}` tells each column's kind", got=f"{column!r}: {kind!r}"[:80], allowed=listed(kinds)
            )


def whole(value: object, *, low: int, high: int) -> bool:
    """Return whether a value is a whole number within a range; True and False are none.

    >>> whole(3, low=0, high=9), whole(True, low=0, high=9), whole(10**400, low=0, high=9)
    (True, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def a_text(value: object, *, name: str) -> None:
    """Raise an error when a value is neither text nor None.

    Raises
    ------
    ParameterError
        When it is something else.

    >>> a_text(3, name="title")
    Traceback (most recent call last):
    riskbench.errors.ParameterError: `title` is text.
    Got: 3
    """
    if value is not None and not isinstance(value, str):
        raise ParameterError(f"`{name}` is text", got=repr(value)[:80])


def yes_or_no(value: object, *, name: str) -> None:
    """Raise an error when a value is neither True nor False.

    Raises
    ------
    ParameterError
        When it is something else.
    """
    if not isinstance(value, bool | np.bool_):
        raise ParameterError(f"`{name}` is True or False", got=repr(value)[:80])


def moment(value: object, *, name: str) -> None:
    """Raise an error when a value is neither a moment nor None.

    Raises
    ------
    ParameterError
        When it cannot be read as one.
    """
    try:
        if value is None or (
            (isinstance(value, str | pd.Timestamp) or hasattr(value, "year"))
            and not pd.isna(
                pd.Timestamp(value)  # type: ignore[arg-type]
            )
        ):
            return
    except (ValueError, TypeError, OverflowError):
        pass
    raise ParameterError(
        f"`{name}` is a moment", got=repr(value)[:80], allowed="such as 2026-05-01 or 2026-05-01 12:00"
    )


def span(value: object, *, name: str) -> None:
    """Raise an error when a value is neither a pair of moments nor None.

    Raises
    ------
    ParameterError
        When it is no pair, or an end is no moment; None leaves an end open.
    """
    if value is None:
        return
    if isinstance(value, str) or not isinstance(value, tuple | list) or len(value) != 2:
        raise ParameterError(f"`{name}` is a pair of moments", got=repr(value)[:80], allowed="(start, end)")
    for end in value:
        moment(end, name=name)


def seeded(value: object) -> None:
    """Raise an error when a seed is no whole number from 0.

    Raises
    ------
    ParameterError
        When it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ParameterError("`seed` is a whole number from 0", got=repr(value)[:80])


def a_path(value: object, what: str) -> None:
    """Raise an error when a value is no path.

    Raises
    ------
    ParameterError
        When it is neither text nor a Path.
    """
    if not isinstance(value, str | Path):
        raise ParameterError(
            f"{what} is read and written by its path", got=type(value).__name__, allowed="text or Path"
        )
