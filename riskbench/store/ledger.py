"""Which runs were there, and how did each end? Written before and after, so that no run is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal, get_args

from riskbench.config import redact, redact_all
from riskbench.errors import StoreError, nearest
from riskbench.store.connection import Opened, now
from riskbench.store.process import Owner

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

Status = Literal["running", "done", "failed", "infeasible", "interrupted"]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run in the ledger.

    Attributes
    ----------
    id : str
        The run's id.
    playbook : str
        The playbook's id.
    status : {"running", "done", "failed", "infeasible", "interrupted"}
        How it stands.
    parameters : mapping
        The parameters, with secrets masked.
    folder : str or None
        The run folder, once there is one.
    started, ended : str
        ISO times, UTC.
    seconds : float or None
        How long it took.
    headline : sequence of mapping
        The headline facts.
    stamp : mapping
        Data fingerprint, book hash, code hash, versions.
    error : str or None
        Why it did not end well.
    """

    id: str
    playbook: str
    status: Status
    parameters: Mapping[str, Any] = field(default_factory=dict)
    folder: str | None = None
    started: str = ""
    ended: str | None = None
    seconds: float | None = None
    headline: Sequence[Mapping[str, Any]] = ()
    stamp: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


class Ledger(Opened):
    """The list of runs in a store.

    Parameters
    ----------
    url : str
        A SQLAlchemy URL: `sqlite:///runs/riskbench.db`, `postgresql+psycopg://...`, or a path to a SQLite file.

    Raises
    ------
    StoreError
        When the store cannot be opened.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        from riskbench.store import schema

        self._runs = schema.runs

    def begin(self, run: str, playbook: str, parameters: Mapping[str, Any]) -> None:
        """Write that a run has started, owned by this process."""
        owner = Owner.here()
        with self._transaction() as connection:
            connection.execute(
                self._runs.insert().values(
                    id=run,
                    playbook=playbook,
                    status="running",
                    parameters=_text(parameters),
                    started=now(),
                    host=owner.host,
                    pid=owner.pid,
                    pid_started=owner.started,
                    version=metadata.version("riskbench"),
                )
            )

    def end(
        self,
        run: str,
        status: Status,
        *,
        folder: str | None = None,
        seconds: float | None = None,
        headline: Sequence[Mapping[str, Any]] = (),
        stamp: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Write how a run ended."""
        with self._transaction() as connection:
            connection.execute(
                self._runs.update()
                .where(self._runs.c.id == run)
                .values(
                    status=status,
                    folder=folder,
                    ended=now(),
                    seconds=seconds,
                    headline=_text(list(headline)),
                    stamp=_text(dict(stamp or {})),
                    error=redact(error) if error else None,
                )
            )

    def sweep(self) -> int:
        """Mark runs whose process has died as interrupted; return how many there were."""
        from sqlalchemy import select

        table, swept = self._runs, 0
        with self._transaction() as connection:
            rows = connection.execute(select(table).where(table.c.status == "running")).all()
            for row in rows:
                if Owner(row.host, row.pid, row.pid_started).gone:
                    swept += connection.execute(
                        table.update()
                        .where(table.c.id == row.id, table.c.status == "running")
                        .values(status="interrupted", ended=now(), error="The process that ran it died.")
                    ).rowcount
        return swept

    def entries(self, *, playbook: str | None = None, folder: str | None = None, limit: int = 50) -> tuple[Entry, ...]:
        """Return the newest runs first, after a sweep; `folder` is a folder's name, or the hash it ends in."""
        from sqlalchemy import select

        self.sweep()
        query = select(self._runs).order_by(self._runs.c.started.desc(), self._runs.c.id).limit(limit)
        if playbook is not None:
            query = query.where(self._runs.c.playbook == playbook)
        if folder is not None:
            query = query.where(self._lies_in(folder))
        with self._transaction() as connection:
            return tuple(_entry(dict(row._mapping)) for row in connection.execute(query))  # noqa: SLF001

    def answered(
        self, playbook: str, parameters: Mapping[str, Any], status: Sequence[Status] = ("done",)
    ) -> Entry | None:
        """Return the newest run of a playbook with exactly these parameters that ended in one of these ways."""
        from sqlalchemy import select

        self.sweep()
        held = self._runs
        query = (
            select(held)
            .where(held.c.playbook == playbook, held.c.status.in_(status), held.c.parameters == _text(parameters))
            .order_by(held.c.started.desc(), held.c.id)
            .limit(1)
        )
        with self._transaction() as connection:
            found = connection.execute(query).first()
        return None if found is None else _entry(dict(found._mapping))  # noqa: SLF001

    def _lies_in(self, folder: str) -> ColumnElement[bool]:
        """Return the condition that a run lies in a folder of a name, or of a name that ends in a hash."""
        from sqlalchemy import or_

        name, column = folder.replace("\\", "/").rstrip("/").rpartition("/")[2], self._runs.c.folder
        ends = [f"{mark}{name}{tail}" for mark in ("/", "\\", "-") for tail in ("", "-failed", "-infeasible")]
        return or_(*(column.endswith(end, autoescape=True) for end in ends if name))

    def entry(self, run: str) -> Entry:
        """Return one run by its id, the beginning of it, or the newest by its folder's name or hash.

        Raises
        ------
        StoreError
            When no run, or more than one, has that id.
        """
        from sqlalchemy import select

        self.sweep()
        column = self._runs.c.id
        with self._transaction() as connection:
            found = connection.execute(select(self._runs).where(column.startswith(run, autoescape=True)).limit(3)).all()
            if len(found) > 1:
                found = [row for row in found if row.id == run] or found
            if not found:
                lies = select(self._runs).where(self._lies_in(run)).order_by(self._runs.c.started.desc()).limit(1)
                found = connection.execute(lies).all()
            if len(found) != 1:
                ids = [row.id for row in connection.execute(select(column).limit(1000))]
                close = nearest(run, ids)
                raise StoreError(
                    f"{'More than one run begins' if found else 'No run has an id that begins'} with {run!r}",
                    hint=f"did you mean {close!r}?" if close else "`riskbench runs` lists them",
                )
        return _entry(dict(found[0]._mapping))  # noqa: SLF001


def _text(value: object) -> str:
    return json.dumps(redact_all(value), ensure_ascii=False, allow_nan=False, default=str)


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        id=row["id"],
        playbook=row["playbook"],
        status=row["status"],
        parameters=json.loads(row["parameters"]),
        folder=row["folder"],
        started=row["started"],
        ended=row["ended"],
        seconds=row["seconds"],
        headline=tuple(json.loads(row["headline"] or "[]")),
        stamp=json.loads(row["stamp"] or "{}"),
        error=row["error"],
    )
