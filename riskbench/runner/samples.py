"""The embedded sample on disk: what an analyst's own data would look like, ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from riskbench.errors import ParameterError
from riskbench.runner.catalogue import sample_book

if TYPE_CHECKING:
    from riskbench.data.roles import Roles


def write_sample(folder: Path, *, orders: int, region: str | None, seed: int) -> tuple[Path, ...]:
    """Write a synthetic marketplace as Parquet, and for each domain a rule book and a parameter file.

    Run a playbook with the parameter file; it names the events and the book.

    Returns
    -------
    tuple of Path
        The files, in order: the marketplace's own, then of each domain `<domain>/book.yaml` and `<domain>.yaml`.

    Raises
    ------
    ParameterError
        When a value is out of range, or the folder cannot be written.
    DataError
        When the folder is not empty.
    """
    from riskbench.data.marketplace import marketplace
    from riskbench.data.marketplace.writing import refuse_taken

    refuse_taken(folder)
    made = marketplace(orders=orders, region=region, seed=seed)
    try:
        written = list(made.write(folder))
        for domain, events in made.datasets.items():
            source = (folder / domain / "events.parquet").resolve()
            book = folder / domain / "book.yaml"
            book.write_bytes(sample_book(domain).read_bytes())
            held = {"source": str(source), "domain": domain, "roles": _plain(events.roles), "book": str(book.resolve())}
            written.append(book)
            written.append(_dump(held, folder / f"{domain}.yaml"))
    except OSError as error:
        raise ParameterError(f"The folder {str(folder)!r} cannot be written: {error.strerror}") from None
    return tuple(written)


def write_events(folder: Path, *, book: str, beside: str, orders: int, region: str, seed: int) -> tuple[Path, ...]:
    """Write a sample of orders as Parquet, with the parameter file: its columns, a rule book, a reviewer's minute.

    Parameters
    ----------
    folder : Path
        Where the two files go.
    book, beside : str
        The rule book, and the folder of the events, as the parameter file names them: relative to a workspace.
    """
    from riskbench.data.marketplace import sample
    from riskbench.data.marketplace.region import minute_cost
    from riskbench.data.marketplace.writing import write_parquet

    events = sample("transactions", region, orders=orders, seed=seed)
    held = {
        "source": f"{beside}/transactions.parquet",
        "domain": "transactions",
        "roles": _plain(events.roles),
        "book": book,
        "costs": {"minute_cost": minute_cost(region)},
    }
    return write_parquet(folder / "transactions.parquet", events.table), _dump(held, folder / "transactions.yaml")


def _dump(held: Mapping[str, object], path: Path) -> Path:
    from ruamel.yaml import YAML

    with path.open("w", encoding="utf-8") as stream:
        writer = YAML()
        writer.width = 120
        writer.dump(held, stream)
    return path


def _plain(roles: Roles) -> dict[str, object]:
    """Return the roles that are filled, as plain values."""
    named: dict[str, object] = {**roles.named(), "currency": roles.currency, "measures": dict(roles.measures)}
    named |= {name: list(getattr(roles, name)) for name in ("entities", "segments", "no_dispute")}
    named["decision_point"] = roles.decision_point
    return {name: value for name, value in named.items() if value}
