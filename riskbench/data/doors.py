"""Is what was handed in a dataset? Checked at a verb's first line, before anything is counted."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.errors import ParameterError, listed, nearest


def a_dataset(value: object, *, name: str = "dataset") -> None:
    """Raise an error when a value is no Dataset.

    Parameters
    ----------
    value : object
        What was handed in.
    name : str
        What the verb calls it.

    Raises
    ------
    ParameterError
        When it is something else; says how to come by one.

    >>> a_dataset("events.parquet")
    Traceback (most recent call last):
    riskbench.errors.ParameterError: `dataset` is a Dataset.
    Got: str
    Hint: rb.read("events.parquet", roles=rb.Roles(...)) reads one
    """
    if isinstance(value, Dataset):
        return
    hint = 'rb.read("events.parquet", roles=rb.Roles(...)) reads one'
    if isinstance(value, pd.DataFrame):
        hint = "rb.read(frame, roles=rb.Roles(...)) makes one of a DataFrame"
    raise ParameterError(f"`{name}` is a Dataset", got=type(value).__name__, hint=hint)


def column_names(by: object, *, name: str = "by") -> list[str]:
    """Return one column or several as a list.

    Raises
    ------
    ParameterError
        When it is neither.

    >>> column_names("city"), column_names(("city", "buyer"))
    (['city'], ['city', 'buyer'])
    """
    held = [by] if isinstance(by, str) else list(by) if isinstance(by, list | tuple) else None
    if held is None or not all(isinstance(one, str) for one in held):
        raise ParameterError(f"`{name}` names columns", got=repr(by)[:80], allowed='"city", or ["city", "buyer_id"]')
    return held


def text_or_none(value: object, *, name: str, allowed: str = "text") -> None:
    """Raise an error when a value is neither None nor a text that says something.

    Raises
    ------
    ParameterError
        When it is something else.

    >>> text_or_none(None, name="region")
    >>> text_or_none(3, name="region", allowed="ID, BR")
    Traceback (most recent call last):
    riskbench.errors.ParameterError: `region` is text.
    Got: 3
    Allowed: ID, BR
    """
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise ParameterError(f"`{name}` is text", got=repr(value)[:80], allowed=allowed)


def a_choice(value: object, choices: Iterable[str], *, what: str) -> None:
    """Raise an error when a value is none of the words that are allowed.

    Raises
    ------
    ParameterError
        Names the nearest one.

    >>> a_choice("kycs", ("kyc", "onboarding"), what="domain")
    Traceback (most recent call last):
    riskbench.errors.ParameterError: 'kycs' is not a domain.
    Allowed: kyc, onboarding
    Hint: did you mean 'kyc'?
    """
    choices = list(choices)
    if isinstance(value, str) and value in choices:
        return
    close = nearest(value, choices) if isinstance(value, str) else None
    raise ParameterError(
        f"{repr(value)[:80]} is not a {what}",
        allowed=listed(choices),
        hint=f"did you mean {close!r}?" if close else None,
    )
