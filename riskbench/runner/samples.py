"""The embedded sample on disk: what an analyst's own data would look like, ready to run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from riskbench.data.roles import DOMAINS
from riskbench.errors import ParameterError, listed, nearest

if TYPE_CHECKING:
    from riskbench.data.dataset import Dataset
    from riskbench.data.roles import Roles


def write_sample(
    folder: Path, *, orders: int, region: str | None, seed: int, domains: Iterable[str] | None = None
) -> tuple[Path, ...]:
    """Write each domain's events as Parquet, and a parameter file that names its roles.

    Returns
    -------
    tuple of Path
        The files, in order.

    Raises
    ------
    ParameterError
        When a domain does not exist, or the folder cannot be written.
    """
    from riskbench.data.marketplace import sample

    wanted = tuple(DOMAINS if domains is None else domains)
    for domain in wanted:
        if domain not in DOMAINS:
            close = nearest(domain, DOMAINS)
            raise ParameterError(
                f"{domain!r} is not a domain",
                allowed=listed(DOMAINS),
                hint=f"did you mean {close!r}?" if close else None,
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"The folder {str(folder)!r} cannot be made: {error.strerror}") from None
    written: list[Path] = []
    for domain in wanted:
        events = sample(domain=domain, region=region, orders=orders, seed=seed)  # type: ignore[arg-type]
        written += _write(events, folder)
    return tuple(written)


def _write(events: Dataset, folder: Path) -> tuple[Path, Path]:
    import pyarrow.parquet as pq
    from ruamel.yaml import YAML

    data, parameters = folder / f"{events.domain}.parquet", folder / f"{events.domain}.yaml"
    pq.write_table(events.table.to_arrow(list(events.names)), data)
    held = {"source": str(data.resolve()), "domain": events.domain, "roles": _plain(events.roles)}
    with parameters.open("w", encoding="utf-8") as stream:
        writer = YAML()
        writer.width = 120
        writer.dump(held, stream)
    return data, parameters


def _plain(roles: Roles) -> dict[str, object]:
    """Return the roles that are filled, as plain values."""
    named: dict[str, object] = {**roles.named(), "currency": roles.currency, "measures": dict(roles.measures)}
    named |= {name: list(getattr(roles, name)) for name in ("entities", "segments")}
    named["decision_point"] = roles.decision_point
    return {name: value for name, value in named.items() if value}
