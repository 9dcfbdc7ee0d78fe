"""What may a baseline score know about an event, and what must it not?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.history import known_frauds
from riskbench.data.moments import DEFAULT_MOMENT, place_of
from riskbench.data.velocity import Feature, velocity
from riskbench.engine.columns import HOUR, Column
from riskbench.errors import ColumnNotFoundError, DataError
from riskbench.rules.usable import follows_time

#: A text column with more words than this is left out.
MOST_WORDS = 200
#: The history of at most this many entities, in the order of the role, is learnt from.
MOST_ENTITIES = 6

#: Why a column with a role is no feature.
_ROLES = {
    "id": "it names the event",
    "time": "it is the event's time: hour and weekday are used instead",
    "label": "it is the label",
    "label_time": "it is the time of the verdict",
    "label_source": "it says who told the verdict",
    "score": "it is another score",
    "outcome": "it is what was decided in history",
    "let_through": "it is how the holdout was drawn",
    "entities": "it names who acted",
}
_AFTER = ("loss", "margin", "refund", "recovered")


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a baseline is given.

    Attributes
    ----------
    columns : mapping of str to Column
        The features, one value an event.
    features : DataFrame
        feature, source (the columns it is made from), how.
    dropped : DataFrame
        column, why.
    """

    columns: Mapping[str, Column]
    features: pd.DataFrame
    dropped: pd.DataFrame

    def frame(self, rows: npt.NDArray[np.intp]) -> pd.DataFrame:
        """Return the features of some events: numbers as float64, words as categories."""
        return pd.DataFrame({name: _values(column, rows) for name, column in self.columns.items()})


def inputs(dataset: Dataset, *, leaks: Mapping[str, str], exclude: Iterable[str], delay: float) -> Inputs:
    """Return the features that are known when the decision is taken, and every column left out with the reason.

    Parameters
    ----------
    dataset : Dataset
        The events.
    leaks : mapping of str to str
        Columns that tell the label, and why they are thought to.
    exclude : iterable of str
        Columns to leave out.
    delay : float
        Days from event to verdict, where the data does not say.

    Raises
    ------
    DataError
        When no feature is left.
    """
    why = _forbidden(dataset, leaks=leaks, exclude=exclude)
    columns: dict[str, Column] = {}
    rows: list[tuple[str, str, str]] = []
    for name, kind in dataset.kinds.items():
        if name in why:
            continue
        made, how = _plain(dataset, name) if kind != "time" else _since(dataset, name)
        if made is None:
            why[name] = how
        else:
            feature = name if kind != "time" else f"{name}_hours_before"
            columns[feature] = made
            rows.append((feature, name, how))
    for feature, source, how, made in _timely(dataset, why, delay=delay):
        if feature not in dataset.table:
            columns[feature] = made
            rows.append((feature, source, how))
    if not columns:
        raise DataError(
            "No feature is left to learn from.", hint="; ".join(f"{column}: {w}" for column, w in list(why.items())[:6])
        )
    features = pd.DataFrame(rows, columns=["feature", "source", "how"])
    dropped = pd.DataFrame(sorted(why.items()), columns=["column", "why"], dtype=str)
    return Inputs(columns, features, dropped)


def remade(dataset: Dataset, names: Iterable[str], *, delay: float) -> Inputs:
    """Return features of other events by the names that were learnt.

    Raises
    ------
    ColumnNotFoundError
        When a feature is no column and cannot be made from the events' roles.
    """
    told = {feature: column for feature, _, _, column in _timely(dataset, {}, delay=delay)}
    columns: dict[str, Column] = {}
    for name in names:
        source = name.removesuffix("_hours_before")
        if dataset.kinds.get(name, "time") != "time":
            columns[name] = dataset.table.column(name)
        elif name in told:
            columns[name] = told[name]
        else:
            since = _since(dataset, source)[0] if dataset.kinds.get(source) == "time" and source != name else None
            if since is None:
                raise ColumnNotFoundError.among(name, [*dataset.table.names, *told], role="a feature of the baseline")
            columns[name] = since
    empty = pd.DataFrame(columns=["feature", "source", "how"], dtype=str)
    return Inputs(columns, empty, pd.DataFrame(columns=["column", "why"], dtype=str))


def _forbidden(dataset: Dataset, *, leaks: Mapping[str, str], exclude: Iterable[str]) -> dict[str, str]:
    why = {dataset.resolve(column): "left out on request" for column in exclude}
    roles = dataset.roles.columns()
    for column, role in roles.items():
        reason = _ROLES.get(role)
        if role.startswith("measures.") and role.removeprefix("measures.") in _AFTER:
            reason = f"it is money known only after the event ({role.removeprefix('measures.')})"
        if reason:
            why.setdefault(column, reason)
    if dataset.caused_by in dataset.table:
        why.setdefault(str(dataset.caused_by), "it names what caused the verdict")
    if "baseline_score" in dataset.table:
        why.setdefault("baseline_score", "it is an earlier baseline")
    decided = _decided(dataset)
    for column, moment in dataset.known_at.items():
        place = place_of(moment)
        if column in dataset.table and (place is None or place > decided):
            why.setdefault(column, f"it is not known when the decision is taken, but at: {moment}")
    for column, reason in leaks.items():
        if column in dataset.table:
            why.setdefault(column, reason)
    return why


def _decided(dataset: Dataset) -> int:
    """Return the place of the earliest moment at which a decision is taken."""
    named = dataset.roles.decision_point
    words = dataset.segment(str(named))[1] if named in dataset.table else (named or DEFAULT_MOMENT[dataset.domain],)
    places = [place for word in words if (place := place_of(str(word))) is not None]
    return min(places, default=-1)


def _plain(dataset: Dataset, name: str) -> tuple[Column | None, str]:
    """Return a column as a feature with how it is used; or None and why not."""
    column = dataset.table.column(name)
    held = column.values[column.present]
    distinct = np.unique(held)
    if len(distinct) == 0:
        return None, "it is empty"
    if len(distinct) == 1 and not column.missing:
        return None, "it is the same everywhere"
    if column.kind == "string":
        if len(distinct) > MOST_WORDS:
            return None, f"it holds {len(distinct):,} different words (at most {MOST_WORDS} are learnt)"
        return column, f"words ({len(distinct)})"
    if column.kind == "int" and len(distinct) == len(held) and len(held) > MOST_WORDS:
        return None, "each event has a number of its own"
    if column.kind in ("int", "float") and follows_time(dataset, column):
        return None, "it follows the time"
    return column, "yes or no" if column.kind == "bool" else "number"


def _since(dataset: Dataset, name: str) -> tuple[Column | None, str]:
    """Return the hours from a second time column to the event."""
    if dataset.roles.time is None:
        return None, "it is a time, and events have none to compare with"
    time, other = dataset.column("time"), dataset.table.column(name)
    both = time.present & other.present
    hours = np.where(both, (time.values - other.values) / HOUR, 0.0)
    if (hours[both] < 0).any():
        return None, "it holds moments after the event"
    return (
        (Column("float", hours, None if both.all() else both), "hours before the event")
        if both.any()
        else (
            None,
            "it is empty",
        )
    )


def _timely(dataset: Dataset, why: Mapping[str, str], *, delay: float) -> Iterable[tuple[str, str, str, Column]]:
    """Yield the features made from the time: hour and weekday, and what each entity did before."""
    if dataset.roles.time is None or not dataset.rows:
        return
    time = dataset.column("time")
    local = pd.to_datetime(time.values, unit="us", utc=True).tz_convert(dataset.time_zone)
    for name, part in (("hour", local.hour), ("weekday", local.day_of_week)):
        yield f"event_{name}", dataset.roles.time, f"local {name}", Column("int", part.to_numpy(np.int64), time.valid)
    amount = dataset.roles.amount if dataset.roles.amount not in why else None
    for entity in dataset.roles.entities[:MOST_ENTITIES]:
        made = [Feature(f"{entity}_events_{w}", "count", by=(entity,), window=w) for w in ("1d", "7d", "30d")]
        made.append(Feature(f"{entity}_gap", "gap", by=(entity,), window="30d"))
        if amount is not None:
            made += [
                Feature(f"{entity}_sum_1d", "sum", by=(entity,), window="1d", column=amount),
                Feature(f"{entity}_mean_30d", "mean", by=(entity,), window="30d", column=amount),
            ]
        made = [feature for feature in made if feature.name not in dataset.table]
        told = velocity(dataset, made)
        for feature in made:
            source = ", ".join(feature.columns)
            yield (
                feature.name,
                source,
                f"{feature.kind} in the {feature.window} before",
                told.table.column(feature.name),
            )
        for window in ("7d", "30d") if dataset.roles.label is not None else ():
            asked = Feature(f"{entity}_known_frauds_{window}", "count", by=(entity,), window=window)
            found = known_frauds(dataset, asked, delay=delay)
            yield asked.name, f"{entity}, label", f"frauds told in the {window} before", found


def _values(column: Column, rows: npt.NDArray[np.intp]) -> object:
    values = column.values[rows]
    valid = None if column.valid is None else column.valid[rows]
    if column.kind == "string" and column.words is not None:
        used = np.unique(column.values[column.present])
        words = sorted((str(column.words[int(code)].as_py()), int(code)) for code in used)
        place = np.full(max(1, len(column.words)), -1, dtype=np.int32)
        place[[code for _, code in words]] = np.arange(len(words), dtype=np.int32)
        codes: npt.NDArray[np.int32] = (
            np.where(valid, place[values], np.int32(-1)) if valid is not None else place[values]
        )
        return pd.Categorical.from_codes(codes, categories=pd.Index([word for word, _ in words], dtype=str))
    numbers = values.astype(np.float64)
    return numbers if valid is None else np.where(valid, numbers, np.nan)
