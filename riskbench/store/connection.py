"""How is a store opened, brought forward and spoken to, so that no password is ever told?"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from riskbench.config import redact, secrets_in
from riskbench.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


class Opened:
    """A store that is open: the ledger and the journal are two views of one.

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
        from sqlalchemy import create_engine
        from sqlalchemy.exc import SQLAlchemyError

        self.url = address(url)
        self._secrets = secrets_in(self.url)
        try:
            if self.url.startswith("sqlite:///") and (path := self.url.removeprefix("sqlite:///")) not in (
                "",
                ":memory:",
            ):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            patience = {"timeout": 30} if self.url.startswith("sqlite") else {}
            self._engine = create_engine(self.url, connect_args=patience, hide_parameters=True)
            with _given_back(self._engine):
                _migrate(self._engine)
        except (SQLAlchemyError, OSError, ModuleNotFoundError, ValueError) as error:
            raise StoreError(
                f"The store cannot be opened: {self._told(error)}",
                got=redact(self.url, self._secrets),
                hint="name a SQLite file or a PostgreSQL URL (pip install 'riskbench[postgres]')",
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({redact(self.url, self._secrets)})"

    def _told(self, error: Exception) -> str:
        """Return the first line of what a driver says, without any part of the password."""
        return redact(str(error).partition("\n")[0], self._secrets)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(
                f"The store does not answer: {self._told(error)}", got=redact(self.url, self._secrets)
            ) from None

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


def address(store: str) -> str:
    """Return a store's URL; a plain path is a SQLite file.

    >>> address("runs/riskbench.db")
    'sqlite:///runs/riskbench.db'
    """
    if "://" not in store:
        if "//" in store and "@" in store:
            raise StoreError(
                "The store is no URL: the colon before // is missing",
                got=redact(store, secrets_in(store)),
                allowed="a SQLite file, or postgresql://...",
            )
        return f"sqlite:///{store}"
    return store.replace("postgresql://", "postgresql+psycopg://", 1).replace("postgres://", "postgresql+psycopg://", 1)


def now() -> str:
    """Return the time as ISO text, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextlib.contextmanager
def _given_back(engine: Engine) -> Iterator[None]:
    """Give the connections back when what is tried with them fails."""
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def _migrate(engine: Engine) -> None:
    """Bring the store forward; where another process does the same at this moment, look again."""
    from sqlalchemy.exc import DatabaseError

    from riskbench.store.schema import migrate

    for wait in (0.05, 0.2, 0.5, 1.0):
        try:
            return migrate(engine)
        except DatabaseError:
            time.sleep(wait)
    return migrate(engine)
