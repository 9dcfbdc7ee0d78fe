"""Is what was handed in of the kind that a verb takes? Checked at its first line, before anything is counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from riskbench.data.doors import a_dataset
from riskbench.errors import ParameterError

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


def mapping(value: object, *, name: str, allowed: str) -> None:
    """Raise an error when a value is neither a mapping nor None.

    Raises
    ------
    ParameterError
        When it is something else.
    """
    if value is not None and not isinstance(value, Mapping):
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
    held: object = (value,) if isinstance(value, str) else value
    if isinstance(held, Mapping) or not isinstance(held, Iterable):
        raise ParameterError(f"`{name}` is a list of names", got=repr(value)[:80])
    found = tuple(held)
    if not all(isinstance(entry, str) for entry in found):
        raise ParameterError(f"`{name}` is a list of names", got=repr(found)[:80])
    return found


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
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < 0:
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
