"""Which rows, columns and players take part? Events and reference in the shape that the model was fitted on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError, listed, nearest
from riskbench.explanation.ensemble import Floats
from riskbench.explanation.fitted import Fitted


@dataclass(frozen=True, slots=True)
class Reference:
    """Whom an explanation compares with.

    Attributes
    ----------
    name : str
        What pages call it.
    hash : str or None
        The content hash of the rows, over the model's columns; None where there are no rows.
    size : int or None
        How many rows.
    start, end : str or None
        The first and last event's time (UTC), where the rows have times.
    """

    name: str
    hash: str | None = None
    size: int | None = None
    start: str | None = None
    end: str | None = None

    def __str__(self) -> str:
        size = "" if self.size is None else f", {self.size:,} events"
        dates = "" if self.start is None else f", {self.start[:10]} to {str(self.end)[:10]}"
        return f"{self.name}{size}{dates}"


@dataclass(frozen=True, slots=True, eq=False)
class Players:
    """Who shares the score: each feature by itself, or groups of features.

    Attributes
    ----------
    names : tuple of str
        The players.
    members : tuple of tuple of str
        The features of each.
    place : ndarray of int64
        The player of each of the features, in the model's order.
    """

    names: tuple[str, ...]
    members: tuple[tuple[str, ...], ...]
    place: npt.NDArray[np.int64]


def opened(model: Any, X: Any) -> tuple[Any, Any]:
    """Return the estimator under a baseline or a model read from a file, and X as the frame that it takes.

    A baseline makes columns of its own (the hour, what an entity did before): its `inputs` gives them.
    """
    inner = getattr(model, "model", None)
    if inner is None or hasattr(model, "fit"):
        return model, X
    made = getattr(model, "inputs", None)
    return inner, made(X) if callable(made) and isinstance(X, Dataset) else X


def spoken(model: Any) -> tuple[str, ...]:
    """Return what must be said of a baseline whose scores are not those of the one model that is explained."""
    if hasattr(model, "inputs") and getattr(model, "train_until", "a moment") is None:
        return ("The baseline's scores are cross-fitted; explained is the one model learnt from all events.",)
    return ()


def frames(score: Fitted, X: Any, reference: Any) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the model's columns of the events and of the reference, in its order and of equal types.

    Raises
    ------
    ColumnNotFoundError
        When a column that the model was fitted on is not there.
    DataError
        When there are no rows, or the columns cannot be matched.
    """
    mine = frame_of(score, X, what="events")
    theirs = None if reference is None else frame_of(score, reference, what="reference")
    for held, what in ((mine, "events"), (theirs, "reference rows")):
        if held is not None and not len(held):
            raise DataError(f"There are no {what}", hint="check the window and the mask")
    if theirs is None:
        return mine, None
    for name in mine.columns:
        a, b = mine[name].dtype, theirs[name].dtype
        if a == b:
            continue
        if isinstance(a, pd.CategoricalDtype) and isinstance(b, pd.CategoricalDtype):
            words = a.categories.append(b.categories).unique()
            mine[name], theirs[name] = mine[name].cat.set_categories(words), theirs[name].cat.set_categories(words)
        else:
            raise DataError(
                f"Column {name!r} is of another type in the reference.", got=f"{a} and {b}", hint="convert one of them"
            )
    return mine, theirs


def frame_of(score: Fitted, X: Any, *, what: str) -> pd.DataFrame:
    """Return the columns of X that the model takes, in its order; numbers as float64."""
    if isinstance(X, Dataset):
        for name in score.features or ():
            if name not in X.table:
                raise ColumnNotFoundError.among(name, X.table.names, role="a feature of the model")
        if score.features is None:
            raise DataError(
                "The model was fitted without column names", hint="hand over an array, or fit it on a frame"
            )
        held = X.frame(score.features)
    elif isinstance(X, pd.DataFrame):
        if score.features is None:
            if X.shape[1] != score.width:
                raise DataError(f"The {what} have another number of columns.", got=X.shape[1], allowed=score.width)
            held = X.copy()
        else:
            for name in score.features:
                if name not in X.columns:
                    raise ColumnNotFoundError.among(name, map(str, X.columns), role="a feature of the model")
            held = X[list(score.features)].copy()
    else:
        numbers = np.asarray(X)
        if numbers.ndim != 2 or numbers.shape[1] != score.width:
            raise DataError(f"The {what} do not fit the model.", got=numbers.shape, allowed=f"rows x {score.width}")
        names = score.features or tuple(f"x{i}" for i in range(score.width))
        held = pd.DataFrame(numbers, columns=list(names))
    held.columns = pd.Index([str(name) for name in held.columns])
    if held.columns.has_duplicates:
        raise DataError("A column is there twice", got=listed(held.columns[held.columns.duplicated()]))
    return held.assign(**{name: _number(held[name]) for name in held.columns if _is_number(held[name])})


def _is_number(column: pd.Series) -> bool:
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return False
    if pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind):
        return True
    return kind == np.dtype(object) and bool(
        column.map(lambda v: v is None or v is pd.NA or isinstance(v, bool | int | float)).all()
    )


def _number(column: pd.Series) -> Floats:
    if column.dtype == object:
        return np.array([np.nan if value is None or value is pd.NA else float(value) for value in column])
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def event_names(X: Any, rows: int) -> npt.NDArray[np.object_]:
    """Return what each event is called: its id, its index, or its position."""
    if isinstance(X, Dataset):
        return X.frame([X.roles.id])[X.roles.id].astype(object).to_numpy()
    if isinstance(X, pd.DataFrame):
        return X.index.to_numpy().astype(object)
    return np.arange(rows).astype(object)


def described(X: Any, name: str | None, cells: npt.NDArray[Any], features: Sequence[str], *, itself: bool) -> Reference:
    """Return the reference's name, hash, size and dates."""
    text = hashlib.sha256("\x1f".join(features).encode("utf-8", "surrogatepass"))
    text.update(np.ascontiguousarray(cells).data)
    span = X.span if isinstance(X, Dataset) else None
    called = name or ("the explained events themselves" if itself else getattr(X, "name", None))
    start, end = (None, None) if span is None else (span[0].isoformat(), span[1].isoformat())
    return Reference(str(called or "reference"), text.hexdigest()[:16], len(cells), start, end)


def players(names: Sequence[str], groups: Mapping[str, Sequence[str]] | None) -> Players:
    """Return the players: groups first, then every feature that is in none.

    Raises
    ------
    ParameterError
        When a group names a feature that the model does not have, or one that is in another group.
    """
    taken: dict[str, str] = {}
    for group, members in (groups or {}).items():
        for member in [members] if isinstance(members, str) else members:
            if member not in names:
                close = nearest(str(member), names)
                raise ParameterError(
                    f"Group {group!r} names {member!r}, which is no feature of the model",
                    allowed=listed(names),
                    hint=f"did you mean {close!r}?" if close else None,
                )
            if member in taken:
                raise ParameterError(f"Feature {member!r} is in two groups", got=f"{taken[member]} and {group}")
            taken[member] = str(group)
    called = [*dict.fromkeys(taken.values()), *(name for name in names if name not in taken)]
    twice = sorted({name for name in called if called.count(name) > 1})
    if twice:
        raise ParameterError("A group bears the name of a feature outside it", got=listed(twice))
    place = {name: i for i, name in enumerate(called)}
    where = np.array([place[taken.get(name, name)] for name in names], dtype=np.int64)
    own = tuple(tuple(n for n, w in zip(names, where, strict=True) if w == i) for i in range(len(called)))
    return Players(tuple(called), own, where)


def inner_players(score: Fitted, names: Sequence[str], held: Players) -> npt.NDArray[np.int64]:
    """Return the player of each column that the trees or weights look at.

    Raises
    ------
    ParameterError
        When a transformed column mixes features of several players.
    """
    out = np.zeros(len(score.owners), dtype=np.int64)
    for column, own in enumerate(score.owners):
        found = sorted({int(held.place[i]) for i in own})
        if len(found) > 1:
            mixed = [names[i] for i in sorted(own)]
            raise ParameterError(
                "The pipeline mixes columns before the model, so they cannot be told apart.",
                got=listed(mixed),
                hint=f"make them one group: groups={{'mixed': {mixed[:4]!r}}}",
            )
        out[column] = found[0] if found else 0
    return out
