"""By which columns can an incident be told apart? Each as codes, with words and a rule condition for every value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.labels import UNKNOWN
from riskbench.engine.columns import DAY, HOUR, Column
from riskbench.errors import ParameterError, listed
from riskbench.incidents.scope import Scope
from riskbench.rules.mining.pieces import column_text, readable
from riskbench.rules.usable import usable

#: A number with at most this many distinct values is told apart by value, one with more by bands.
MOST_NUMBERS = 20
#: A column is searched unasked where it holds at most this many different words, or this many whole numbers.
MOST_KINDS, MOST_CODES = 100, 8
#: Bands of a number hold about equal shares of the events.
BANDS = 8
#: Words longer than this, or that cannot be printed, cannot stand in a rule.
_LONGEST = 200


@dataclass(frozen=True, eq=False)
class Dimension:
    """One column by which events are told apart.

    Attributes
    ----------
    name : str
        The column.
    codes : ndarray of int32, shape (rows,)
        Each row's value; -1 where no rule can name it.
    words : tuple of str, or callable
        What pages call each value.
    conditions : tuple of str
        Each value as rule text.
    """

    name: str
    codes: npt.NDArray[np.int32]
    held: Column
    low: npt.NDArray[np.generic] | None = None
    high: npt.NDArray[np.generic] | None = None
    distinct: npt.NDArray[np.generic] | None = None

    @property
    def size(self) -> int:
        """How many values there are, the missing one included."""
        known = len(self.low) if self.low is not None else len(self.distinct) if self.distinct is not None else 0
        return known + 1

    def word(self, code: int) -> str:
        """Return what pages call a value."""
        if code == self.size - 1:
            return "(missing)"
        if self.low is not None and self.high is not None:
            low, high = self.low[code], self.high[code]
            if code == 0:
                return f"below {_number(high)}"
            return f"{_number(low)} and above" if code == self.size - 2 else f"{_number(low)} to below {_number(high)}"
        assert self.distinct is not None
        value = self.distinct[code]
        if self.held.kind == "string":
            assert self.held.words is not None
            return str(self.held.words[int(value)].as_py()) or "(empty)"
        if self.held.kind == "bool":
            return "yes" if value else "no"
        return _number(value)

    def plain(self, code: int) -> object:
        """Return a value as plain Python: text, a number, true or false, None for a missing one; a band in words."""
        if code == self.size - 1:
            return None
        if self.distinct is None:
            return self.word(code)
        value = self.distinct[code]
        if self.held.kind == "string":
            assert self.held.words is not None
            return str(self.held.words[int(value)].as_py())
        return bool(value) if self.held.kind == "bool" else value.item()

    def condition(self, code: int) -> str:
        """Return a value as rule text."""
        name = column_text(self.name)
        if code == self.size - 1:
            return f"{name} IS NULL"
        if self.low is not None and self.high is not None:
            parts = [f"{name} >= {_number(self.low[code])}"] if code else []
            parts += [f"{name} < {_number(self.high[code])}"] if code < self.size - 2 else []
            return " AND ".join(parts)
        assert self.distinct is not None
        value = self.distinct[code]
        if self.held.kind == "string":
            assert self.held.words is not None
            return f"{name} = '" + str(self.held.words[int(value)].as_py()).replace("'", "''") + "'"
        if self.held.kind == "bool":
            return name if value else f"NOT {name}"
        return f"{name} = {_number(value)}"


def dimensions(
    scope: Scope, *, columns: Iterable[str] | None = None, apart: Iterable[str] = (), counts: bool = False
) -> tuple[list[Dimension], dict[str, str]]:
    """Return the columns by which a scope's events are told apart, and why each other one is left out.

    Parameters
    ----------
    scope : Scope
        The events.
    columns : iterable of str, optional
        Columns to use whatever they are, numbers in bands; by default the region, the segments, the entities, and
        every other column known at the decision that is yes or no, or holds a few kinds, as words or as codes. Their
        order does not matter.
    apart : iterable of str
        Columns to leave out, such as the measure's own.
    counts : bool
        Whether events are counted and not shares: then a column that only tells the time of day or week is left out,
        as the window has fewer hours than the baseline.

    Raises
    ------
    ColumnNotFoundError
        When a column is not there.
    ParameterError
        When no column is named.
    """
    dataset = scope.dataset
    rows = scope.current | scope.baseline
    out: dict[str, str] = {}
    if columns is not None:
        if isinstance(columns, str):
            raise ParameterError("Columns are a list of names", got=repr(columns), hint=f"[{columns!r}]")
        names = list(dict.fromkeys(dataset.resolve(name) for name in columns))
        if not names:
            raise ParameterError("At least one column is needed", allowed=listed(dataset.names))
    else:
        names, out = _usual(scope, {dataset.resolve(name) for name in apart if name in dataset.table})
    found = []
    for name in sorted(names, key=_ranked(dataset)):
        if dataset.kinds[name] == "time":
            out[name] = "it is a time"
            continue
        made = _dimension(name, dataset.table.column(name), rows, names=name in dataset.roles.entities)
        seen = np.unique(made.codes[rows])
        if len(seen) < 2:
            only = "nothing" if len(seen) and seen[0] == made.size - 1 else "one value"
            out[name] = f"it holds {only} in these events, so it tells nothing apart"
        elif counts and columns is None and _tells_time(dataset, made, rows):
            out[name] = "it tells the time of day or week, of which the window has only a part"
        else:
            found.append(made)
    return found, out


def _usual(scope: Scope, apart: set[str]) -> tuple[list[str], dict[str, str]]:
    """Return the columns that are searched when none is named."""
    dataset = scope.dataset
    past = np.where(scope.baseline, scope.state.state, UNKNOWN).astype(np.int8)
    kept, why = usable(dataset, exclude=sorted(apart), state=past)
    roles = dataset.roles
    first = [*roles.segments, *([roles.region] if roles.region else []), *roles.entities]
    late = {column for column, reason in why.items() if "known only at" in reason or column in apart}
    late.update(scope.excluded)
    names = [name for name in first if name not in late]
    left = dict(why)
    rows = scope.current | scope.baseline
    for name, column in kept.items():
        if name in names or name == roles.currency:
            continue
        reason = _many(column, rows) if name not in scope.book.features else "it is a velocity feature of the book"
        if reason is None:
            names.append(name)
        else:
            left[name] = f"{reason}; columns= searches it"
    return list(dict.fromkeys(names)), {name: reason for name, reason in left.items() if name not in names}


def _many(column: Column, rows: npt.NDArray[np.bool_]) -> str | None:
    """Return why a column has too many values to be searched unasked, or None."""
    inside = column.values[rows & column.present]
    count = len(np.unique(inside))
    if column.kind == "string":
        return f"it holds {count:,} different words" if count > MOST_KINDS else None
    if column.kind == "bool":
        return None
    whole = column.kind == "int" or not bool((inside % 1 != 0).any())
    return None if whole and count <= MOST_CODES else "it is a number"


def _ranked(dataset: Dataset) -> Callable[[str], tuple[int, str]]:
    """Return the order of columns: the region, the segments, the entities, the others, each by name."""
    roles = dataset.roles
    groups: list[tuple[str | None, ...]] = [(roles.region,), tuple(roles.segments), tuple(roles.entities)]
    return lambda name: (next((at for at, group in enumerate(groups) if name in group), len(groups)), name)


def _dimension(name: str, column: Column, rows: npt.NDArray[np.bool_], *, names: bool) -> Dimension:
    """Return a column as codes; a number that names somebody is told apart by value however many there are."""
    present = column.present
    inside = column.values[rows & present]
    if column.kind == "string":
        distinct = np.unique(inside)
        place = np.full(max(1, len(column.words or ())), -1, dtype=np.int32)
        sayable = np.ones(len(distinct), dtype=bool)
        if column.words is not None and len(distinct):
            taken = column.words.take(distinct).to_pylist()
            sayable = np.array([len(word) <= _LONGEST and (word.isprintable() or not word) for word in taken])
        place[distinct[sayable]] = np.flatnonzero(sayable)
        codes = np.where(present, place[np.where(present, column.values, 0)], len(distinct))
        return Dimension(name, codes.astype(np.int32), column, distinct=distinct)
    distinct = np.unique(inside)
    if names or len(distinct) <= MOST_NUMBERS or column.kind == "bool":
        at = np.searchsorted(distinct, column.values)
        at = np.minimum(at, max(len(distinct) - 1, 0))
        known = distinct[at] == column.values if len(distinct) else np.zeros(len(present), dtype=bool)
        codes = np.where(present, np.where(known, at, -1), len(distinct))
        return Dimension(name, codes.astype(np.int32), column, distinct=distinct)
    shares = np.quantile(inside, np.arange(1, BANDS) / BANDS, method="inverted_cdf")
    cuts = sorted({readable(float(cut), digits=2, whole=column.kind == "int") for cut in shares})
    edges = np.array(cuts, dtype=np.float64)
    codes = np.where(present, np.searchsorted(edges, column.values, side="right"), len(cuts) + 1)
    low = np.concatenate([[-np.inf], edges])
    high = np.concatenate([edges, [np.inf]])
    return Dimension(name, codes.astype(np.int32), column, low=low, high=high)


def _tells_time(dataset: Dataset, made: Dimension, rows: npt.NDArray[np.bool_]) -> bool:
    """Tell whether a number is the hour or the weekday of the event, or a band of it."""
    if made.held.kind not in ("int", "float") or not dataset.has("time"):
        return False
    local = dataset.local_times[rows]
    codes = made.codes[rows].astype(np.int64) + 1
    for clock in (local // HOUR % 24, local // DAY % 7):
        table = np.bincount(clock * (made.size + 1) + codes, minlength=24 * (made.size + 1)).reshape(-1, made.size + 1)
        if table.max(axis=1).sum() >= 0.97 * len(local):
            return True
    return False


def _number(value: object) -> str:
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e15:
        number = int(number)
    return repr(number)
