"""What do all commands share: the application, its options, and how a command ends?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from riskbench.config import Settings
    from riskbench.store import Ledger

app = typer.Typer(
    name="riskbench",
    help="Rule simulation, threshold calibration and incident deep-dives for fraud analysts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Out = Annotated[str | None, typer.Option("--out", help="Folder of the run folders; `runs` when not given.")]
Store = Annotated[str | None, typer.Option("--store", help="Store of the ledger: a SQLite file or a PostgreSQL URL.")]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"riskbench {version('riskbench')}")
        raise typer.Exit


@app.callback()
def _front(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Rule simulation, threshold calibration and incident deep-dives for fraud analysts."""


def fail(text: str, code: int) -> NoReturn:
    """Say why on the error channel, and exit."""
    typer.echo(f"riskbench: {text}", err=True)
    raise SystemExit(code)


def settings_here(**given: object) -> Settings:
    """Return the settings that hold here, with what the command line gives laid over them."""
    from riskbench.config import settings

    return settings().with_arguments(**given)


def ledger(out: str | None, store: str | None) -> Ledger:
    """Return the ledger, which must be there."""
    from riskbench.store import Ledger

    return Ledger(store_url(out, store, "runs"))


def store_url(out: str | None, store: str | None, what: str) -> str:
    """Return the address of the store, which must be there."""
    from riskbench.errors import StoreError

    found = settings_here(out=out, store=store)
    path = Path(found.out) / "riskbench.db"
    if found.store is None and not path.is_file():
        raise StoreError(
            f"There are no {what} in {found.out!r}", hint="name the folder with --out, or the store with --store"
        )
    return found.store or str(path)
