"""How do events come in? One verb for files, tables in memory and databases."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from riskbench.data.database import database_source, is_url
from riskbench.data.dataset import Dataset
from riskbench.data.doors import a_choice, text_or_none
from riskbench.data.exchange import exchange
from riskbench.data.frames import frame_source, is_table
from riskbench.data.money import NO_CURRENCY, Currency, finer
from riskbench.data.parquet import parquet_source
from riskbench.data.roles import DOMAINS, Domain, Roles
from riskbench.data.sources import Source, as_words, files_of, is_text, is_uuid
from riskbench.data.textfiles import csv_source, json_source
from riskbench.data.times import EpochUnit, from_numbers, from_stamps, from_text, zone_of
from riskbench.data.verdicts import LabelRecipe, join_labels
from riskbench.engine.columns import Column, Kind, from_arrow
from riskbench.engine.table import Table
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError, nearest


def read(
    source: object,
    roles: Roles | Mapping[str, object],
    *,
    domain: Domain | None = None,
    labels: object = None,
    label_recipe: LabelRecipe | Mapping[str, object] | None = None,
    query: str | None = None,
    time_zone: str = "UTC",
    local_times: bool = False,
    epoch: Mapping[str, EpochUnit] | None = None,
    rates: Mapping[str, float] | None = None,
    mature_after: float | None = None,
    known_at: Mapping[str, str] | None = None,
    caused_by: str | None = None,
    name: str | None = None,
    deadline: float = 300.0,
) -> Dataset:
    """Return the events of a source.

    Use it first. A Parquet file stays where it is: its schema is read at once, a column when it is first asked
    for. CSV, JSON lines, tables in memory and query results are converted once, here. A column becomes a number
    or a time only where every value is one; what was left as text, left out or assumed stands in `.notes`.

    Times: a timestamp with a zone is an instant and becomes UTC. One without a zone is taken as UTC, unless
    `local_times=True`: then it is local to `time_zone`; a time that the clocks skipped is an error, one that
    they showed twice is taken as the first and noted. Whole numbers become times only through `epoch=`.

    Parameters
    ----------
    source : path, glob, list of paths, DataFrame, Arrow table or database URL
        What holds the events: Parquet, CSV, JSON lines; pandas, polars, Arrow; or `postgresql://...` with a query.
    roles : Roles or mapping
        Which column plays which part.
    domain : str, optional
        transactions (default), kyc, onboarding or affiliation.
    labels : the like of `source`, optional
        A table of verdicts: subject, source, time, verdict, caused_by, loss.
    label_recipe : LabelRecipe or mapping, optional
        How verdicts become one label an event.
    query : str, optional
        One SELECT, for a database URL.
    time_zone : str
        The IANA zone in which days and weeks are cut.
    local_times : bool
        Whether times without a zone are local to `time_zone`.
    epoch : mapping of str to {"s", "ms", "us", "ns"}, optional
        Number columns that count since 1970-01-01 UTC, and their unit.
    rates : mapping of str to float, optional
        Worth of each currency in the reporting currency, whose own rate is 1.
    mature_after : float, optional
        Days after which silence counts as good.
    known_at : mapping of str to str, optional
        The decision point at which a column becomes known.
    caused_by : str, optional
        A column that names the rule or score which caused the verdict.
    name : str, optional
        What pages call the events.
    deadline : float
        Seconds that a database query may take.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        When the source cannot be read, or a role names a column that is not there or holds something else.

    Examples
    --------
    >>> from riskbench import read
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"order": [1, 2], "placed": ["2026-11-11", "2026-11-12"], "fraud": [0, 1]})
    >>> read(frame, roles={"id": "order", "time": "placed", "label": "fraud"})
    Dataset(events: transactions, 2 events, 3 columns, 2026-11-11 to 2026-11-12)
    """
    parts = _roles(roles)
    zone = zone_of(time_zone)
    if not isinstance(local_times, bool):
        raise ParameterError("`local_times` is True or False", got=repr(local_times)[:80])
    if domain is not None:
        a_choice(domain, DOMAINS, what="domain")
    text_or_none(caused_by, name="caused_by", allowed="a column's name")
    text_or_none(name, name="name")
    if mature_after is not None and (
        isinstance(mature_after, bool) or not isinstance(mature_after, int | float) or not 0 <= mature_after < math.inf
    ):
        raise ParameterError("mature_after is a number of days", got=repr(mature_after), allowed="0 or more")
    units, known = _mapping(epoch, "epoch"), _mapping(known_at, "known_at")
    found = _source(source, query=query, roles=parts, deadline=deadline)
    table, notes = _table(found, parts, zone=zone if local_times else None, epoch=units)
    for column in (*known, *((caused_by,) if caused_by else ())):
        if column not in table:
            raise ColumnNotFoundError.among(column, table.names)
    dataset = Dataset(
        table=table,
        roles=parts,
        domain=domain or "transactions",
        name=name or found.name,
        time_zone=zone,
        mature_after=mature_after,
        known_at=known,
        caused_by=caused_by,
        notes=(*found.notes, *notes),
    )
    _refuse_odd_roles(dataset)
    if rates is not None:
        dataset = exchange(dataset, _mapping(rates, "rates"))
    elif parts.currency not in table and parts.currency != NO_CURRENCY:
        dataset = dataset.with_notes(*_too_fine(dataset))
    if labels is None:
        if label_recipe is not None:
            raise ParameterError("A label recipe needs a table of labels", hint="labels=...")
        return dataset
    verdicts = _source(labels, query=None, roles=None, deadline=deadline)
    return join_labels(dataset, verdicts, LabelRecipe.of(label_recipe))


def _roles(roles: object) -> Roles:
    if not isinstance(roles, Roles | Mapping):
        raise ParameterError("roles= maps roles to columns", got=repr(roles), hint='roles={"id": "order_id", ...}')
    return Roles.from_mapping(roles)


def _mapping(value: object, name: str) -> dict[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise ParameterError(f"{name}= maps columns to values", got=repr(value), allowed='{"column": ...}')
    return dict(value or {})


def _source(source: object, *, query: str | None, roles: Roles | None, deadline: float) -> Source:
    if is_url(source):
        return database_source(str(source), query, deadline=deadline)
    if query is not None:
        raise ParameterError("query= goes with a database URL", got=type(source).__name__, allowed="postgresql://...")
    named = tuple(roles.columns()) if roles else ()
    if is_table(source):
        return frame_source(source, wanted=named)
    if not (isinstance(source, str | os.PathLike) or _is_paths(source)):
        raise DataError(
            "This source cannot be read",
            got=type(source).__name__,
            allowed="a path, a glob, a list of paths, a pandas, polars or Arrow table, a database URL",
        )
    paths, kind = files_of(source)  # type: ignore[arg-type]
    if kind == "parquet":
        return parquet_source(paths)
    words = _words_only(roles)
    return csv_source(paths, words_only=words) if kind == "csv" else json_source(paths, words_only=words)


def _is_paths(source: object) -> bool:
    return isinstance(source, list | tuple) and all(isinstance(one, str | os.PathLike) for one in source)


def _words_only(roles: Roles | None) -> frozenset[str]:
    """Return the columns whose values are codes, whatever they look like: regions, currencies, outcomes, channels."""
    if roles is None:
        return frozenset({"subject", "source", "caused_by", "verdict"})
    return frozenset(one for one in (roles.region, roles.currency, roles.outcome, roles.dispute_channel) if one)


def _table(
    source: Source, roles: Roles, *, zone: str | None, epoch: Mapping[str, EpochUnit]
) -> tuple[Table, tuple[str, ...]]:
    """Return the source as a table of columns, its times in UTC, and what was found on the way."""
    for column, role in roles.columns().items():
        if column in source.left_out:
            raise DataError(
                f"Column {column!r}, named for the role {role!r}, cannot be used: {source.left_out[column]}"
            )
        if column not in source.types:
            raise ColumnNotFoundError.among(column, source.types, role=role)
    for column in epoch:
        if column not in source.types:
            raise ColumnNotFoundError.among(column, source.types)
    as_times = {one for one in (roles.time, roles.label_time) if one is not None}
    notes: list[str] = []
    ready: dict[str, Column] = {}
    for column, kind in source.types.items():
        if column in epoch:
            made = from_numbers(_loaded(source, column), name=column, unit=epoch[column])
        elif column in as_times and is_text(kind):
            made, told = from_text(_loaded(source, column), name=column, zone=zone)
            notes.extend(told)
        elif column in as_times and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise DataError(
                f"Column {column!r}, named for a time, holds numbers",
                got=str(kind),
                hint=f'if they count since 1970, say in what: epoch={{"{column}": "s"}} (or "ms", "us")',
            )
        elif column in as_times and pa.types.is_null(kind):
            made = _loaded(source, column).cast(pa.timestamp("us"))
        elif zone is not None and _naive(kind):
            made, told = from_stamps(_loaded(source, column), name=column, zone=zone)
            notes.extend(told)
        else:
            continue
        ready[column] = from_arrow(made, name=column)

    def load(names: list[str]) -> dict[str, Column]:
        return {one: _in_memory(arrow, one) for one, arrow in source.load(names).items()}

    kinds: dict[str, Kind] = {one: kind_of(kind) for one, kind in source.types.items()}
    kinds |= {one: held.kind for one, held in ready.items()}
    if source.digest is None:
        rest = [one for one in kinds if one not in ready]
        ready |= load(rest)
        return Table.from_columns({one: ready[one] for one in kinds}), tuple(notes)
    files, options = source.digest, repr((list(kinds.items()), zone, sorted(epoch.items())))
    return (
        Table(source.rows, kinds, load=load, columns=ready, digest=lambda: _marked(files(), options)),
        tuple(notes),
    )


def _loaded(source: Source, column: str) -> pa.ChunkedArray:
    return source.load([column])[column]


def _naive(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None))


def _in_memory(arrow: pa.ChunkedArray, name: str) -> Column:
    if is_uuid(arrow.type):
        arrow = as_words(arrow)
    elif pa.types.is_timestamp(arrow.type) or pa.types.is_date(arrow.type):
        arrow, _ = from_stamps(arrow, name=name, zone=None)
    return from_arrow(arrow, name=name)


def _marked(files: str, options: str) -> str:
    return hashlib.sha256(f"{files} {options}".encode()).hexdigest()


def kinds_of(source: object, *, query: str | None = None, deadline: float = 300.0) -> dict[str, Kind]:
    """Return each column's kind, as `read` would find it, without loading the rows."""
    types = _source(source, query=query, roles=None, deadline=deadline).types
    return {name: kind_of(kind) for name, kind in types.items()}


def kind_of(kind: pa.DataType) -> Kind:
    """Return the kind that an Arrow type becomes in memory."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    if is_text(inner) or is_uuid(inner):
        return "string"
    if pa.types.is_boolean(inner):
        return "bool"
    if pa.types.is_integer(inner):
        return "int"
    return "time" if pa.types.is_timestamp(inner) or pa.types.is_date(inner) else "float"


def _refuse_odd_roles(dataset: Dataset) -> None:
    """Refuse roles whose columns can never hold what the role means.

    Raises
    ------
    DataError
        For an amount, measure, score or inclusion probability that is no number.
    """
    roles = dataset.roles
    numbers = {role: getattr(roles, role) for role in ("amount", "score", "let_through")}
    numbers |= {f"measures.{meaning}": column for meaning, column in roles.measures.items()}
    for role, column in numbers.items():
        if column is None or dataset.kinds[column] in ("int", "float"):
            continue
        raise DataError(
            f"Column {column!r}, named for the role {role!r}, holds no numbers.{_odd(dataset, column)}",
            got=dataset.kinds[column],
            hint="mend it before reading: 1234.50, with a point and nothing else",
        )
    if roles.currency not in dataset.table:
        try:
            Currency.of(roles.currency)
        except ParameterError as error:
            close = nearest(roles.currency, dataset.names)
            if close is None:
                raise
            raise DataError(
                f"{roles.currency!r} is neither a column nor an ISO 4217 code", hint=f"did you mean {close!r}?"
            ) from error


def _odd(dataset: Dataset, column: str) -> str:
    """Return how many words of a column are not numbers, and the first row that holds one."""
    held = dataset.table.column(column)
    if held.kind != "string" or held.words is None or not len(held.words):
        return ""
    odd = pc.invert(pc.match_substring_regex(held.words, r"^-?\d+(\.\d+)?$")).to_numpy(zero_copy_only=False)
    rows = (odd[held.values] & held.present).nonzero()[0]
    return f" {len(rows)} values are none, the first in row {rows[0] + 1}." if len(rows) else ""


def _too_fine(dataset: Dataset) -> tuple[str, ...]:
    """Return a remark for each money column that has more decimals than the currency."""
    columns = [one for one in (dataset.roles.amount, *dataset.roles.measures.values()) if one]
    notes = []
    for column in dict.fromkeys(columns):
        count = int(finer(dataset.table.column(column), dataset.currency).sum())
        if count:
            code, decimals = dataset.currency.code, dataset.currency.decimals
            notes.append(f"{count} values of {column!r} have more than the {decimals} decimals of {code}")
    return tuple(notes)
