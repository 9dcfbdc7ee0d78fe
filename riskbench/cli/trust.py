"""Tell whether a run is still true, and what lies between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskbench.cli.app import Out, Store, app, fail, settings_here
from riskbench.errors import RiskbenchError

if TYPE_CHECKING:
    import pandas as pd

#: So many rows of a table are told on a terminal.
_ROWS = 12


@app.command()
def verify(
    run: Annotated[str, typer.Argument(help="The run's id or how it begins; its folder; or a page or notebook of it.")],
    rerun: Annotated[bool, typer.Option("--rerun", help="Work the headline out again, and compare it.")] = False,
    out: Out = None,
    store: Store = None,
) -> int:
    """Tell whether a run is still true: files, data, rules, code; exit 0 when it is, 1 when not, 2 on wrong use."""
    from riskbench.runner.verification import verify_run

    found = settings_here(out=out, store=store)
    try:
        held = verify_run(run, out=found.out, store=found.store, rerun=rerun)
    except RiskbenchError as error:
        fail(str(error), 2)
    typer.echo(f"{held.verdict}: run {held.run}, {held.playbook}")
    wide = max(map(len, held.answers["question"]))
    for question, answer, why in held.answers.itertuples(index=False, name=None):
        typer.echo(f"  {question:<{wide}}  {answer:<3}  {why}")
    for name in ("files", "rules", "numbers"):
        for row in held.frame(name).itertuples(index=False, name=None):
            typer.echo(f"    {'  '.join(map(str, row))}")
    for note in held.notes:
        typer.echo(f"  {note}")
    return 0 if held.ok else 1


@app.command()
def diff(  # noqa: PLR0917 Typer takes options from the signature
    before: Annotated[str, typer.Argument(metavar="A", help="The earlier run: id or how it begins, folder, or page.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The later run.")],
    rerun: Annotated[
        bool, typer.Option("--rerun/--no-rerun", help="Run mixed cases to tell data, rules and parameters apart.")
    ] = True,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page too.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=2, help="How many cases run at once.")] = 2,
    out: Out = None,
    store: Store = None,
) -> int:
    """Tell what lies between two runs, and what it is due to; exit 0 when the same, 1 when not, 2 on wrong use."""
    from riskbench.display.page import save_page
    from riskbench.runner.difference import diff_runs

    found = settings_here(out=out, store=store)
    try:
        held = diff_runs(before, after, explain=rerun, jobs=jobs, out=found.out, store=found.store)
        page = None if html is None else save_page(html, {".html": held.page, ".htm": held.page})
    except RiskbenchError as error:
        fail(str(error), 2)
    if held.same:
        typer.echo(f"the same: runs {held.before} and {held.after}, {held.playbook}")
    else:
        typer.echo(f"{held.playbook}: run {held.before}, then {held.after}")
        for fact in held.headline():
            typer.echo(f"  {fact}")
        for name, title in (("facts", "Headline"), ("parts", "Due to")):
            _echo(title, held.pages[name][1])
        data = held.data[~held.data["same"]].drop(columns="same")
        told = (("Parameters", held.parameters), ("Data", data), ("Rules", held.rules), ("Cuts", held.cuts))
        for title, frame in (*told, ("On the same events", held.paired), ("Rows", held.rows)):
            _echo(title, frame)
    for note in held.notes:
        typer.echo(f"  {note}")
    if page is not None:
        typer.echo(f"  {page}")
    return 0 if held.same else 1


def _echo(title: str, frame: pd.DataFrame) -> None:
    """Say a small table, each row on a line."""
    from riskbench.display.html import cell

    if not len(frame):
        return
    from html import unescape

    names = list(frame.columns)
    lines = [
        [unescape(cell(value, name)) for name, value in zip(names, row, strict=True)]
        for row in frame.itertuples(index=False, name=None)
    ]
    rows = [[name.replace("_", " ") for name in names], *lines[:_ROWS]]
    wide = [min(44, max(len(row[place]) for row in rows)) for place in range(len(names))]
    typer.echo(f"{title}:")
    for row in rows:
        typer.echo("  " + "  ".join(f"{text:<{width}}" for text, width in zip(row, wide, strict=True)).rstrip())
    if len(frame) > _ROWS:
        typer.echo(f"  and {len(frame) - _ROWS:,} more")
