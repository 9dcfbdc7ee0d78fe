"""Which event is meant by an id? Exactly one, or an error that names the nearest."""

from __future__ import annotations

import difflib
import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.engine.columns import Column
from riskbench.errors import ParameterError

#: Among so many ids the nearest is looked for.
_LOOKED_AT = 200_000


def found_event(
    whole: Dataset, events: Dataset, identity: object, *, asof: str | pd.Timestamp | None
) -> tuple[int, str]:
    """Return the row of the event with an id, and the id as text.

    Raises
    ------
    ParameterError
        When no event has it, or more than one.
    """
    rows = _rows(events.column("id"), identity)
    shown = _text(identity)
    if len(rows) == 1:
        return int(rows[0]), shown
    if len(rows) > 1:
        raise ParameterError(
            f"{len(rows):,} events bear the id {shown!r}",
            allowed="an id that one event bears",
            hint="rb.check(events) names doubled ids",
        )
    if asof is not None and events.rows < whole.rows and len(_rows(whole.column("id"), identity)):
        raise ParameterError(f"The event {shown!r} is later than the as-of moment", got=str(asof))
    close = _nearest(events.column("id"), shown)
    raise ParameterError(
        f"There is no event with the id {shown!r}",
        allowed=f"an id among {events.rows:,} events",
        hint=f"did you mean {close!r}?" if close is not None else None,
    )


def _rows(column: Column, identity: object) -> npt.NDArray[np.intp]:
    """Return the rows at which a column of ids holds a value."""
    none = np.zeros(0, dtype=np.intp)
    if isinstance(identity, np.generic):
        identity = identity.item()
    if column.kind == "string":
        assert column.words is not None
        wanted = identity if isinstance(identity, str) else str(identity)
        codes = [code for code, word in enumerate(column.words.to_pylist()) if word == wanted]
        if not codes:
            return none
        return np.flatnonzero(column.present & (column.values == codes[0]))
    if isinstance(identity, str):
        try:
            identity = int(identity) if column.kind == "int" else float(identity)
        except ValueError:
            return none
    if isinstance(identity, bool) != (column.kind == "bool") or not isinstance(identity, bool | int | float):
        return none
    if column.kind == "time":
        return none
    if isinstance(identity, float) and not math.isfinite(identity):
        return none
    if column.kind == "int" and (identity != int(identity) or not -(2**63) <= identity < 2**63):
        return none
    value = int(identity) if column.kind == "int" else identity
    return np.flatnonzero(column.present & (column.values == value))


def _text(identity: object) -> str:
    text = str(identity)
    return text if len(text) <= 200 else text[:197] + "..."


def _nearest(column: Column, wanted: str) -> str | None:
    """Return the id that looks most like one that is not there."""
    if column.kind == "string":
        assert column.words is not None
        texts = [str(word) for word in column.words[:_LOOKED_AT].to_pylist()]
    elif column.kind in ("int", "float"):
        texts = [str(value) for value in column.values[column.present][:_LOOKED_AT].tolist()]
    else:
        return None
    stem = wanted.casefold()
    close = [text for text in texts if abs(len(text) - len(wanted)) <= max(2, len(wanted) // 3)]
    found = difflib.get_close_matches(stem, [text.casefold() for text in close], n=1, cutoff=0.6) if close else []
    return next((text for text in close if text.casefold() == found[0]), None) if found else None
