"""How do events come in? One verb for files, tables in memory and databases."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pyarrow as pa

from riskbench.data.dataset import Dataset
from riskbench.data.parquet import parquet_source
from riskbench.data.roles import Domain, Roles
from riskbench.data.sources import Source, files_of, is_text
from riskbench.engine.columns import Column, Kind, from_arrow
from riskbench.engine.table import Table
from riskbench.errors import DataError


def read(
    source: object,
    *,
    roles: Roles | Mapping[str, object],
    domain: Domain | None = None,
    time_zone: str = "UTC",
    name: str | None = None,
) -> Dataset:
    """Return the events of a source.

    Use it first. Files stay where they are: the schema is read at once, a column when it is first asked for.

    Parameters
    ----------
    source : path, glob or list of paths
        What holds the events.
    roles : Roles or mapping
        Which column plays which part.
    domain : str, optional
        transactions (default), kyc, onboarding or affiliation.
    time_zone : str
        The IANA zone in which days and weeks are cut.
    name : str, optional
        What pages call the events.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        When the source cannot be read, or a role names a column that is not there.
    """
    parts = Roles.from_mapping(roles)
    found = _source(source)
    return Dataset(
        table=_table(found, parts),
        roles=parts,
        domain=domain or "transactions",
        name=name or found.name,
        time_zone=time_zone,
        notes=found.notes,
    )


def _source(source: object) -> Source:
    if isinstance(source, str | os.PathLike) or (isinstance(source, list | tuple) and source):
        paths, kind = files_of(source)
        if kind == "parquet":
            return parquet_source(paths)
    raise DataError("This source cannot be read", got=type(source).__name__)


def _table(source: Source, roles: Roles) -> Table:
    for column, role in roles.columns().items():
        if column in source.left_out:
            raise DataError(
                f"Column {column!r}, named for the role {role!r}, cannot be used: {source.left_out[column]}"
            )

    def load(names: list[str]) -> dict[str, Column]:
        return {name: from_arrow(column, name=name) for name, column in source.load(names).items()}

    kinds = {name: kind_of(kind) for name, kind in source.types.items()}
    return Table(source.rows, kinds, load=load, digest=source.digest)


def kind_of(kind: pa.DataType) -> Kind:
    """Return the kind that an Arrow type becomes in memory."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    if is_text(inner):
        return "string"
    if pa.types.is_boolean(inner):
        return "bool"
    if pa.types.is_integer(inner):
        return "int"
    return "time" if pa.types.is_timestamp(inner) or pa.types.is_date(inner) else "float"
