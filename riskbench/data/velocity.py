"""What had each buyer, device or card done just before? Features of the time strictly before an event."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.doors import a_dataset
from riskbench.engine.columns import Column, Mask
from riskbench.engine.totals import Totals
from riskbench.engine.windows import Clock, History, Words, compact, counts, extremes
from riskbench.errors import DataError, ParameterError, listed, nearest

FeatureKind = Literal["count", "sum", "count_distinct", "mean", "min", "max", "gap", "min_gap", "max_gap"]
KINDS: tuple[FeatureKind, ...] = get_args(FeatureKind)

#: Kinds that measure the time between events and so read no column.
_GAPS = ("gap", "min_gap", "max_gap")
_FORM = '{count: "*", by: device_id, window: 1h}'
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_MOST_SECONDS = 100 * 366 * 86_400


@dataclass(frozen=True, slots=True)
class Feature:
    """One velocity feature: what an entity did in the window `[t - W, t)` before each event.

    The event itself and all events at the same moment are left out, so that no event knows its own future.

    Parameters
    ----------
    name : str
        The new column.
    kind : {"count", "sum", "count_distinct", "mean", "min", "max", "gap", "min_gap", "max_gap"}
        `gap` is the seconds since the entity's last earlier event; `min_gap` and `max_gap` the smallest and
        largest seconds between two neighbouring events inside the window.
    by : str or sequence of str
        The entity: one column, or several that name it together.
    window : str
        A number and a unit: 30s, 15m, 1h, 24h, 7d, 2w.
    column : str, optional
        What is counted, summed and so on; None counts events.

    Examples
    --------
    >>> from riskbench import Feature
    >>> Feature("device_orders_1h", "count", by="device_id", window="1h").seconds
    3600
    """

    name: str
    kind: FeatureKind
    _: KW_ONLY
    by: tuple[str, ...]
    window: str
    column: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ParameterError("A velocity feature needs a name", got=repr(self.name), allowed="text")
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            raise _unknown(self.name, "kind", self.kind, KINDS)
        by = _names(self.by, feature=self.name)
        object.__setattr__(self, "by", by)
        column = None if isinstance(self.column, str) and self.column == "*" else self.column
        if column is not None and (not isinstance(column, str) or not column):
            raise ParameterError(f"Velocity feature {self.name!r}: 'column' names one column", got=repr(column)[:80])
        if column is None and self.kind not in ("count", *_GAPS):
            raise ParameterError(
                f"Velocity feature {self.name!r}: {self.kind} needs a column",
                hint=f"{{{self.kind}: amount, by: {by[0]}, window: 1h}}",
            )
        object.__setattr__(self, "column", column)
        object.__setattr__(self, "window", str(self.window).strip() if isinstance(self.window, str) else self.window)
        _seconds(self.window, name=self.name)

    @property
    def seconds(self) -> int:
        """The window's length in seconds."""
        return _seconds(self.window, name=self.name)

    @classmethod
    def from_mapping(cls, name: str, spec: Mapping[str, object] | Feature) -> Feature:
        """Return the feature of a rule book's entry, such as `{sum: amount, by: buyer_id, window: 24h}`.

        Raises
        ------
        ParameterError
            When the entry has no kind, more than one, an unknown key or a wrong value.
        """
        if isinstance(spec, Feature):
            if spec.name != name:
                raise ParameterError(f"The velocity feature {spec.name!r} is listed under the name {name!r}")
            return spec
        if not isinstance(spec, Mapping):
            raise ParameterError(f"Velocity feature {name!r} is no mapping", got=repr(spec)[:80], allowed=_FORM)
        allowed = (*KINDS, "by", "window")
        for key in spec:
            if not isinstance(key, str) or key not in allowed:
                raise _unknown(name, "key", key, allowed)
        kinds = [kind for kind in KINDS if kind in spec]
        if len(kinds) != 1:
            raise ParameterError(
                f"Velocity feature {name!r} needs one kind", got=listed(kinds), allowed=listed(KINDS), hint=_FORM
            )
        for key in ("by", "window"):
            if key not in spec:
                raise ParameterError(f"Velocity feature {name!r} has no {key!r}", hint=_FORM)
        column = spec[kinds[0]]
        return cls(name, kinds[0], by=spec["by"], window=spec["window"], column="*" if column is None else column)  # type: ignore[arg-type]

    def to_mapping(self) -> dict[str, object]:
        """Return the entry that a rule book holds under the feature's name.

        >>> Feature("spend", "sum", by=["buyer_id"], window="24h", column="amount").to_mapping()
        {'sum': 'amount', 'by': 'buyer_id', 'window': '24h'}
        """
        by = self.by[0] if len(self.by) == 1 else list(self.by)
        return {self.kind: self.column or "*", "by": by, "window": self.window}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the feature reads, apart from the time."""
        return tuple(dict.fromkeys([*self.by, *([self.column] if self.column else [])]))


def _names(by: object, *, feature: str) -> tuple[str, ...]:
    names = (by,) if isinstance(by, str) else tuple(by) if isinstance(by, Iterable) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ParameterError(
            f"Velocity feature {feature!r}: 'by' names the entity's column or columns",
            got=repr(by),
            allowed="text, or a list of texts",
        )
    return names


def _unknown(name: str, what: str, got: object, allowed: Iterable[str]) -> ParameterError:
    close = nearest(str(got), allowed)
    return ParameterError(
        f"Velocity feature {name!r}: unknown {what} {repr(got)[:80]}",
        allowed=listed(allowed),
        hint=f"did you mean {close!r}?" if close else None,
    )


def _seconds(window: object, *, name: str) -> int:
    form = "a whole number and one of s, m, h, d, w: 30s, 15m, 1h, 24h, 7d, 2w"
    found = re.fullmatch(r"([0-9]{1,10})\s*([smhdw])", window, re.ASCII) if isinstance(window, str) else None
    if found is None or int(found[1]) == 0:
        raise ParameterError(
            f"Velocity feature {name!r}: the window was not understood", got=repr(window), allowed=form
        )
    seconds = int(found[1]) * _SECONDS[found[2]]
    if seconds > _MOST_SECONDS:
        raise ParameterError(f"Velocity feature {name!r}: the window is too long", got=window, allowed="100 years")
    return seconds


def velocity(dataset: Dataset, features: Mapping[str, Mapping[str, object] | Feature] | Iterable[Feature]) -> Dataset:
    """Return the dataset with one new column a feature: what each entity did just before each event.

    Use it before rules or models that ask "how many", "how much" or "how fast". A value rests on events
    strictly earlier than its own, within the window, so later events never change it; the order of rows
    does not matter either. Sums of values of up to six decimals are exact.

    Parameters
    ----------
    dataset : Dataset
        The events; the role `time` is needed.
    features : mapping of str to mapping, or sequence of Feature
        Several entities, windows and kinds at once, each name with its entry as in a rule book.

    Returns
    -------
    Dataset
        With the new columns. Without an earlier event in the window count, sum and count_distinct are 0;
        mean, min, max and the gaps are missing, and so are min_gap and max_gap with fewer than two. All are
        missing where the entity or the time is. Missing values of the column are skipped. Gaps are seconds;
        sums, means and extremes are in the column's own unit.

    Raises
    ------
    ParameterError
        When a feature is wrong, or bears the name of a column that is there.
    DataError
        When there is no time, or a column cannot be summed.

    Examples
    --------
    >>> from riskbench import Dataset, velocity
    >>> import pandas as pd, pyarrow as pa
    >>> from riskbench.data import Roles
    >>> from riskbench.engine.table import Table
    >>> table = Table.from_arrow(pa.table({
    ...     "order": [1, 2, 3], "device": ["a", "a", "a"], "amount": [5.0, 7.5, 1.0],
    ...     "at": pd.to_datetime(["2026-11-11 10:00", "2026-11-11 10:20", "2026-11-11 11:10"]),
    ... }))
    >>> orders = Dataset(table=table, roles=Roles(id="order", time="at", amount="amount"))
    >>> velocity(orders, {
    ...     "orders_1h": {"count": "*", "by": "device", "window": "1h"},
    ...     "spent_1d": {"sum": "amount", "by": "device", "window": "1d"},
    ... }).frame(["orders_1h", "spent_1d"])
       orders_1h  spent_1d
    0          0       0.0
    1          1       5.0
    2          1      12.5
    """
    a_dataset(dataset)
    wanted = _listed(features)
    if not wanted:
        return dataset
    if dataset.roles.time is None:
        raise DataError("There is no time, and so no velocity", hint="name the role 'time'")
    for feature in wanted:
        if feature.name in dataset.table:
            raise ParameterError(
                f"Velocity feature {feature.name!r} bears the name of a column that is there", hint="give it another"
            )
    dataset.table.columns({dataset.roles.time, *(dataset.resolve(c) for f in wanted for c in f.columns)})
    time = dataset.column("time")
    clock = Clock.of(time.values, time.valid)
    made: dict[str, Column] = {}
    by_entity: dict[tuple[str, ...], list[Feature]] = {}
    for feature in wanted:
        by_entity.setdefault(tuple(dataset.resolve(column) for column in feature.by), []).append(feature)
    limit = _limit(dataset)
    for entity, group in by_entity.items():
        history = History.of(clock, coded(dataset, entity))
        made.update((feature.name, _measured(dataset, feature, history, limit=limit)) for feature in group)
    return dataset.with_columns({feature.name: made[feature.name] for feature in wanted})


def _listed(features: object) -> list[Feature]:
    if isinstance(features, Mapping):
        return [Feature.from_mapping(name, spec) for name, spec in features.items()]
    if not isinstance(features, Iterable) or isinstance(features, str | bytes):
        raise ParameterError(
            "Velocity features are a mapping or a list of Feature", got=repr(features)[:80], hint=_FORM
        )
    wanted = list(features)
    for feature in wanted:
        if not isinstance(feature, Feature):
            raise ParameterError("Velocity features are a mapping or a list of Feature", got=repr(feature)[:80])
    names = [feature.name for feature in wanted]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ParameterError("Two velocity features bear one name", got=listed(doubled))
    return wanted


def _limit(dataset: Dataset) -> int:
    """Return the size below which a code and a row's place fit into one 64-bit number (twice the rows at most)."""
    return 1 << (61 - max(1, dataset.rows.bit_length()))


def coded(dataset: Dataset, columns: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Return a code a row that tells entities apart, small enough for `History`; -1 where a part is missing."""
    limit = _limit(dataset)
    codes = _coded(dataset.column(columns[0]), limit=limit)
    for column in columns[1:]:
        more = _coded(dataset.column(column), limit=limit)
        wide = int(more.max(initial=0)) + 1
        if (int(codes.max(initial=0)) + 1) * wide >= limit:
            codes, more = (compact(part, limit=0) for part in (codes, more))
            wide = int(more.max(initial=0)) + 1
        codes = np.where((codes < 0) | (more < 0), np.int64(-1), codes * wide + more)
    return compact(codes, limit=limit)


def _coded(column: Column, *, limit: int) -> npt.NDArray[np.int64]:
    values = column.values
    if column.valid is not None:
        values = np.where(column.valid, values, values[column.valid][0] if column.valid.any() else values.dtype.type(0))
    if column.kind in ("string", "bool"):
        codes = values.astype(np.int64)
    elif column.kind in ("int", "time") and len(values) and int(values.max()) - int(values.min()) < limit:
        codes = values - values.min()
    else:
        codes = np.unique(values, return_inverse=True)[1].astype(np.int64)
    return codes if column.valid is None else np.where(column.valid, codes, np.int64(-1))


def _measured(dataset: Dataset, feature: Feature, history: History, *, limit: int) -> Column:
    """Return one feature as a column."""
    lower, upper = history.lower(feature.seconds * 1_000_000), history.upper
    if feature.kind in _GAPS:
        if feature.column is not None and dataset.resolve(feature.column) != dataset.roles.time:
            raise ParameterError(
                f"Velocity feature {feature.name!r}: {feature.kind} measures the time between events",
                got=feature.column,
                allowed=f'"*", or the time column {dataset.roles.time!r}',
            )
        return _gaps(feature, history, lower)
    column = dataset.column(feature.column) if feature.column else None
    if feature.kind == "count":
        return _column(history, counts(None if column is None else column.valid, history, lower))
    assert column is not None
    if feature.kind == "count_distinct":
        words = history.keep(
            ("distinct", feature.column),
            lambda: Words.of(compact(_coded(column, limit=limit), limit=limit), history),
        )
        return _column(history, words.over(lower))
    if column.kind not in ("int", "float", "bool"):
        raise DataError(
            f"Velocity feature {feature.name!r}: {feature.kind} of {feature.column!r}, which holds no numbers.",
            got=column.kind,
            allowed="int, float or bool",
        )
    if feature.kind in ("min", "max"):
        values = column.values.astype(np.int64) if column.kind == "bool" else column.values
        held = values if column.valid is None else np.where(column.valid, values, _blank(values.dtype, feature.kind))
        found = extremes(held[history.rows], upper, lower, side="min" if feature.kind == "min" else "max")
        return _column(history, found, counts(column.valid, history, lower) > 0)
    total = history.keep(("sum", feature.column), lambda: _totals(column, history)).over(lower)
    if feature.kind == "sum":
        return _column(history, total, None if total.dtype.kind == "i" else ~np.isnan(total))
    events = counts(column.valid, history, lower)
    mean = total / np.maximum(events, 1)
    return _column(history, mean, (events > 0) & ~np.isnan(mean))


def _totals(column: Column, history: History) -> Totals:
    values: npt.NDArray[Any] = column.values.astype(np.int64) if column.kind == "bool" else column.values
    held = (values if column.valid is None else np.where(column.valid, values, values.dtype.type(0)))[history.rows]
    return Totals.of_floats(held, history.upper) if column.kind == "float" else Totals.of_integers(held, history.upper)


def _gaps(feature: Feature, history: History, lower: npt.NDArray[np.int64]) -> Column:
    times, upper = history.times, history.upper
    if feature.kind == "gap":
        last = times[np.maximum(upper - 1, 0)]
        return _column(history, (times - last) / 1e6, upper > lower)
    steps = np.zeros_like(times)
    np.subtract(times[1:], times[:-1], out=steps[1:])
    inner = np.minimum(lower + 1, upper)
    found = extremes(steps, upper, inner, side="min" if feature.kind == "min_gap" else "max")
    return _column(history, found / 1e6, upper > inner)


def _blank(dtype: np.dtype[np.generic], side: str) -> float | int:
    """Return the value that never is the smallest (or largest)."""
    if dtype.kind == "f":
        return np.inf if side == "min" else -np.inf
    held = np.iinfo(np.int64)
    return held.max if side == "min" else held.min


def _column(history: History, values: npt.NDArray[np.generic], valid: Mask | None = None) -> Column:
    """Return values of the history as a column of the table; missing where there is no history."""
    covered = history.covered
    mask = history.scatter(valid) if valid is not None and not valid.all() else covered
    kind: Literal["int", "float"] = "int" if values.dtype.kind == "i" else "float"
    return Column(kind, history.scatter(values), mask)
