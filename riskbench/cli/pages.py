"""Hand a page on: as a PDF, and only without personal details."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from riskbench.cli.app import Out, Store, app, ledger


@app.command()
def pdf(
    page: Annotated[str, typer.Argument(help="A page, or a run: its id, its folder, or how one of them begins.")],
    file: Annotated[Path | None, typer.Argument(help="The PDF; beside the page when not given.")] = None,
    audience: Annotated[Literal["lead", "full"], typer.Option("--page", help="Which page of a run.")] = "lead",
    out: Out = None,
    store: Store = None,
) -> None:
    """Print a page to a PDF, where Chromium is installed."""
    from riskbench.runner.pdf import print_page

    typer.echo(f"  {print_page(_page(page, audience, out, store), file)}")


def _page(named: str, audience: str, out: str | None, store: str | None) -> Path:
    from riskbench.errors import PlaybookError

    place = Path(named)
    if place.suffix.lower() in (".html", ".htm"):
        return place
    if place.is_dir():
        return place / f"{audience}.html"
    with ledger(out, store) as book:
        entry = book.entry(named)
    if not entry.folder:
        raise PlaybookError(f"The run {entry.id} left no page", hint=entry.error or None)
    return Path(entry.folder) / f"{audience}.html"


@app.command("check-page")
def check_page(
    files: Annotated[list[Path], typer.Argument(help="Pages (.html, .md) and notebooks (.ipynb).")],
) -> int:
    """Say where personal details stand in pages and notebooks, but for names in free text; exit 1 where there are."""
    from riskbench.runner.gate import check_file

    fired, blind = 0, "names of people in free text are not looked for"
    for file in files:
        places = check_file(file)
        fired += len(places)
        typer.echo(f"{file}: {f'nothing found; {blind}' if not places else f'{len(places)} found'}")
        for place in places:
            typer.echo(f"  {place}")
    return 1 if fired else 0
