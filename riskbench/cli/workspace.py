"""Begin a workspace, and open it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from riskbench.cli.app import app


class _WithRest(TyperCommand):
    """A command that leaves what stands after `--` to another program."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["riskbench.rest"] = args[at + 1 :]
        return super().parse_args(ctx, args[:at])


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is not there yet, or is empty.")],
    fill: Annotated[
        bool, typer.Option("--fill", help="Into a folder that holds something: add what is missing, overwrite nothing.")
    ] = False,
) -> None:
    """Make a workspace that works at once: settings, rules, a playbook and a notebook of one's own, data."""
    from riskbench.runner.workspace import new_workspace

    made = new_workspace(folder, fill=fill)
    for name in made.written:
        typer.echo(f"  {name}")
    for name in made.kept:
        typer.echo(f"  {name}  (was there, left alone)")
    typer.echo(f"The workspace {made.folder} is ready:\n  cd {_quoted(folder)}\n  riskbench run threshold_calibration")
    typer.echo("  riskbench lab")


def _quoted(folder: Path) -> str:
    import shlex

    return shlex.quote(str(folder))


@app.command(cls=_WithRest)
def lab(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The workspace; this folder when not given.")
    ] = Path(),
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="The port; no other is tried.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
) -> int:
    """Open JupyterLab on the workspace; Ctrl-C ends it. What stands after `--` goes to JupyterLab."""
    from riskbench.runner.lab import open_lab

    return open_lab(folder, port=port, browser=not no_browser, more=context.meta["riskbench.rest"])
