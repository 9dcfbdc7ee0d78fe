"""What a set of events is: columns, the roles they play, and what is known about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from riskbench.data.money import NO_CURRENCY, Currency, to_minor
from riskbench.data.roles import DOMAINS, Domain, Roles
from riskbench.engine.columns import DAY, Column, Kind, from_arrow, from_numpy
from riskbench.engine.table import Table
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError, listed, nearest

Codes = npt.NDArray[np.int32]

#: A date, or a date with a time, or both with a zone: the one form in which 01.02.2026 has no two readings.
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?: ?(?:Z|[+-]\d{2}(?::?\d{2})?))?)?", re.ASCII
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Dataset:
    """Events with their roles: what every verb takes first.

    Make one with `riskbench.read` or `riskbench.sample`. It never changes: each method returns a new one.

    Attributes
    ----------
    table : Table
        The columns.
    roles : Roles
        Which column plays which part.
    domain : str
        transactions, kyc, onboarding or affiliation.
    name : str
        What pages call it.
    time_zone : str
        The IANA zone in which days and weeks are cut.
    label_recipe : str
        How the label came about, in words.
    mature_after : float or None
        Days after which silence counts as good; None: estimated from the label delays in the data.
    known_at : mapping of str to str
        The decision point at which a column becomes known, for columns that are not known from the start.
    caused_by : str or None
        A column that names the rule or score which caused the verdict.
    taken_at : str or None
        When the events were extracted (UTC); a time after it lies in the future. None: the present.
    notes : tuple of str
        What was found or assumed on loading.
    """

    table: Table
    roles: Roles
    domain: Domain = "transactions"
    name: str = "events"
    time_zone: str = "UTC"
    label_recipe: str = "plain label column"
    mature_after: float | None = None
    known_at: Mapping[str, str] = field(default_factory=dict)
    caused_by: str | None = None
    taken_at: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.domain not in DOMAINS:
            close = nearest(str(self.domain), DOMAINS)
            raise ParameterError(
                f"{self.domain!r} is not a domain",
                allowed=listed(DOMAINS),
                hint=f"did you mean {close!r}?" if close else None,
            )
        for column, role in self.roles.columns().items():
            if column not in self.table:
                raise ColumnNotFoundError.among(column, self.table.names, role=role)
        for role in ("time", "label_time"):
            column = getattr(self.roles, role)
            if column is not None and self.table.kinds[column] != "time":
                raise DataError(
                    f"Column {column!r}, named for the role {role!r}, holds no times.",
                    got=self.table.kinds[column],
                    allowed="timestamps or dates",
                    hint="convert it first, or name its unit when reading",
                )

    @property
    def rows(self) -> int:
        """The number of events."""
        return self.table.rows

    def __len__(self) -> int:
        return self.table.rows

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.table.names

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Each column's kind: bool, int, float, string or time."""
        return self.table.kinds

    @property
    def fingerprint(self) -> str:
        """The content hash: equal content, equal fingerprint."""
        return self.table.fingerprint

    def column(self, name: str) -> Column:
        """Return a column by its name, or by its role where no column has that name."""
        return self.table.column(self.resolve(name))

    def resolve(self, name: str) -> str:
        """Return the column that a name or a role's name stands for.

        Raises
        ------
        ColumnNotFoundError
            When it is neither.
        """
        if name in self.table:
            return name
        by_role = self.roles.named()
        if isinstance(name, str) and name in by_role:
            return by_role[name]
        raise ColumnNotFoundError.among(
            name if isinstance(name, str) else repr(name)[:80], [*self.table.names, *by_role]
        )

    def has(self, role: str) -> bool:
        """Tell whether a single role (time, label, amount, ...) is filled."""
        return getattr(self.roles, role) is not None

    def with_columns(self, columns: Mapping[str, Column | npt.NDArray[np.generic] | pa.Array | pd.Series]) -> Dataset:
        """Return the dataset with columns added or replaced."""
        made: dict[str, Column] = {}
        for name, values in columns.items():
            if isinstance(values, Column):
                made[name] = values
            elif isinstance(values, pa.Array | pa.ChunkedArray):
                made[name] = from_arrow(values, name=name)
            elif isinstance(values, pd.Series):
                made[name] = from_arrow(pa.Array.from_pandas(values), name=name)
            else:
                made[name] = from_numpy(np.asarray(values))
        return replace(self, table=self.table.with_columns(made))

    def with_roles(self, **changes: object) -> Dataset:
        """Return the dataset with some roles changed."""
        return replace(self, roles=self.roles.with_roles(**changes))

    def with_notes(self, *notes: str) -> Dataset:
        """Return the dataset with remarks added."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes))))

    def where(self, mask: npt.NDArray[np.bool_]) -> Dataset:
        """Return the events at which a mask is true, in order."""
        if mask.dtype != bool or len(mask) != self.rows:
            raise ParameterError(f"A mask needs {self.rows} booleans", got=f"{len(mask)} of {mask.dtype}")
        return self if bool(mask.all()) else replace(self, table=self.table.take(mask))

    def take(self, rows: npt.NDArray[np.intp]) -> Dataset:
        """Return the events at some positions, in the order given."""
        return replace(self, table=self.table.take(rows))

    def between(self, start: str | pd.Timestamp | None, end: str | pd.Timestamp | None) -> Dataset:
        """Return the events with start <= time < end (UTC; an open end is None)."""
        if not self.has("time"):
            raise DataError("There is no time to cut by", hint="name the role 'time'")
        column = self.column("time")
        mask = column.present.copy()
        if start is not None:
            mask &= column.values >= micros(start)
        if end is not None:
            mask &= column.values < micros(end)
        return self.where(mask)

    def frame(self, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """Return some or all columns as a pandas DataFrame."""
        names = [self.resolve(name) for name in columns] if columns is not None else list(self.names)
        return self.table.to_arrow(names).to_pandas()

    @cached_property
    def currency(self) -> Currency:
        """The one currency of the money columns.

        Raises
        ------
        DataError
            When the currency column holds more than one.
        """
        if self.roles.currency not in self.table:
            return Currency.of(self.roles.currency)
        column = self.table.column(self.roles.currency)
        if column.kind != "string" or column.words is None:
            raise DataError(f"The currency column {self.roles.currency!r} holds no ISO codes", got=column.kind)
        used = np.unique(column.values[column.present])
        codes = [column.words[int(code)].as_py() for code in used]
        if len(codes) > 1:
            raise DataError(
                "The events are in more than one currency.",
                got=listed(codes),
                allowed="one, or rates= when reading",
            )
        return Currency.of(codes[0]) if codes else Currency.of(NO_CURRENCY)

    def minor(self, column: str) -> npt.NDArray[np.int64]:
        """Return a money column (or role) in integer minor units; missing counts as zero."""
        name = self.resolve(column)
        if name not in self._minors:
            self._minors[name] = to_minor(self.table.column(name), self.currency, name=name)[0]
        return self._minors[name]

    @cached_property
    def _minors(self) -> dict[str, npt.NDArray[np.int64]]:
        return {}

    @cached_property
    def regions(self) -> tuple[Codes, tuple[str, ...]]:
        """Each event's region as a code into the names; one region `all` without the role."""
        return self.segment(self.roles.region) if self.roles.region else (np.zeros(self.rows, np.int32), ("all",))

    def segment(self, column: str) -> tuple[Codes, tuple[str, ...]]:
        """Return a column as codes into sorted names; missing is `(missing)`."""
        held = self.column(column)
        if held.kind == "string" and held.words is not None:
            used = np.unique(held.values[held.present])
            words = {int(code): held.words[int(code)].as_py() for code in used}
            order = sorted(words, key=words.__getitem__)
            place = np.zeros(max(1, len(held.words)), dtype=np.int32)
            place[order] = np.arange(len(order), dtype=np.int32)
            names = [words[code] for code in order]
            codes = place[held.values]
        else:
            distinct = np.unique(held.values[held.present])
            codes = np.searchsorted(distinct, held.values).astype(np.int32)
            names = [_shown(value, held.kind) for value in distinct]
        if held.missing:
            codes = np.where(held.present, codes, np.int32(len(names))).astype(np.int32)
            names = [*names, "(missing)"]
        return codes, tuple(names)

    @cached_property
    def weeks(self) -> tuple[Codes, tuple[str, ...]]:
        """Each event's week as a code into the dates of the Mondays, local time; one period `all` without time."""
        if not self.has("time"):
            return np.zeros(self.rows, np.int32), ("all",)
        column = self.column("time")
        week = (self.local_times // DAY + 3) // 7  # 1970-01-01 was a Thursday
        if not column.missing:
            distinct, inverse = _distinct_ints(week)
            return inverse.astype(np.int32), tuple(_monday(number) for number in distinct)
        distinct, inverse = _distinct_ints(week[column.present])
        codes = np.full(self.rows, len(distinct), dtype=np.int32)
        codes[column.present] = inverse
        return codes, (*(_monday(number) for number in distinct), "(missing)")

    @property
    def local_times(self) -> npt.NDArray[np.int64]:
        """Each event's time on the wall clock of the zone, in microseconds; anything where the time is missing."""
        utc = self.column("time").values.astype("int64")
        return utc if self.time_zone == "UTC" else utc + _offsets(utc, self.time_zone)

    @cached_property
    def span(self) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """The first and last time, or None without times."""
        if not self.has("time"):
            return None
        column = self.column("time")
        times = column.values[column.present]
        if not len(times):
            return None
        return pd.Timestamp(int(times.min()), unit="us"), pd.Timestamp(int(times.max()), unit="us")

    def __repr__(self) -> str:
        when = f", {self.span[0]:%Y-%m-%d} to {self.span[1]:%Y-%m-%d}" if self.span else ""
        return f"Dataset({self.name}: {self.domain}, {self.rows:,} events, {len(self.names)} columns{when})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<li><code>{escape(role)}</code>: {escape(column)}</li>" for role, column in self.roles.named().items()
        )
        remarks = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return f"<div><b>{escape(repr(self))}</b><ul>{rows}</ul>{f'<ul>{remarks}</ul>' if remarks else ''}</div>"


def micros(moment: str | pd.Timestamp) -> int:
    """Return a moment (ISO text or timestamp; without a zone it is UTC) as microseconds since 1970.

    Raises
    ------
    ParameterError
        When the text is not a moment.
    """
    fits = not isinstance(moment, str) or _ISO.fullmatch(moment.strip())
    try:
        stamp = pd.Timestamp(moment) if fits else pd.NaT
    except (ValueError, TypeError) as error:
        raise ParameterError("A moment was not understood", got=repr(moment), allowed="ISO text: 2026-11-11") from error
    if pd.isna(stamp):
        raise ParameterError("A moment was not understood", got=repr(moment), allowed="ISO text: 2026-11-11")
    if stamp.tzinfo is not None:
        stamp = stamp.tz_convert("UTC").tz_localize(None)
    return int(stamp.to_datetime64().astype("datetime64[us]").astype(np.int64))


def _shown(value: object, kind: Kind) -> str:
    if kind == "time":
        return str(pd.Timestamp(int(value), unit="us"))  # type: ignore[call-overload]
    return str(value.item() if hasattr(value, "item") else value)


def _monday(week: int) -> str:
    return str(np.datetime64(int(week) * 7 - 3, "D"))


def _distinct_ints(values: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return np.unique with inverse; by counting where the range is small."""
    if not len(values):
        return values, values
    low, high = int(values.min()), int(values.max())
    if high - low > 1_000_000:
        distinct, inverse = np.unique(values, return_inverse=True)
        return distinct, inverse
    shifted = values - low
    seen = np.bincount(shifted, minlength=high - low + 1) > 0
    place = np.cumsum(seen) - 1
    return np.flatnonzero(seen) + low, place[shifted]


def _offsets(utc: npt.NDArray[np.int64], zone: str) -> npt.NDArray[np.int64]:
    """Return the zone's offset from UTC at each moment, in microseconds (zones change on the hour or half)."""
    quarter = utc // 900_000_000
    distinct, inverse = _distinct_ints(quarter)
    stamps = pd.to_datetime(distinct * 900_000_000, unit="us", utc=True).tz_convert(zone)
    offset = (stamps.tz_localize(None) - stamps.tz_convert("UTC").tz_localize(None)).astype("timedelta64[us]")
    return np.asarray(offset.astype("int64"))[inverse]
