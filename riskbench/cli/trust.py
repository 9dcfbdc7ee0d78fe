"""Tell whether a run is still true, and what lies between two runs."""

from __future__ import annotations

from typing import Annotated

import typer

from riskbench.cli.app import Out, Store, app, settings_here


@app.command()
def verify(
    run: Annotated[str, typer.Argument(help="The run's id or how it begins; its folder; or a page or notebook of it.")],
    rerun: Annotated[bool, typer.Option("--rerun", help="Work the headline out again, and compare it.")] = False,
    out: Out = None,
    store: Store = None,
) -> int:
    """Tell whether a run is still true: files, data, rules and code; exit 0 only when it is, 1 when not."""
    from riskbench.runner.verification import verify_run

    found = settings_here(out=out, store=store)
    held = verify_run(run, out=found.out, store=found.store, rerun=rerun)
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
