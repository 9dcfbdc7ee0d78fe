"""Which playbooks are there, and what do they take? And sample data for them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from riskbench.cli.app import app


@app.command()
def playbooks() -> None:
    """List the playbooks."""
    from riskbench.runner import catalogue

    for held in catalogue():
        typer.echo(f"{held.id:<28} {held.title}")
        if held.question:
            typer.echo(f"{'':<28} {held.question}")


@app.command()
def describe(name: Annotated[str, typer.Argument(help="The playbook's id.")]) -> None:
    """Show what a playbook answers and takes."""
    from riskbench.runner import find

    held = find(name)
    typer.echo(f"{held.id}: {held.title}\n{held.question}")
    rows = (("owner", held.owner), ("domain", ", ".join(held.domain)), ("inputs", ", ".join(held.inputs)))
    for label, text in (*rows, ("produces", ", ".join(held.produces)), ("cadence", held.cadence)):
        if text:
            typer.echo(f"  {label:<10} {text}")
    typer.echo("\nParameters (-p name=value)")
    for parameter in held.parameters:
        default = "none" if parameter.default is None else parameter.default
        only = "; off with a source" if parameter.sample_only else ""
        typer.echo(f"  {parameter.name:<20} {parameter.limits} [{default}{only}]")
        typer.echo(f"  {'':<20} {parameter.help}")


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that the tables are written to.")],
    orders: Annotated[int, typer.Option("--orders", help="How many orders.")] = 50_000,
    region: Annotated[str | None, typer.Option("--region", help="One region, or `all`.")] = "ID",
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same bytes.")] = 7,
) -> None:
    """Write a synthetic marketplace as Parquet, each domain with a parameter file for `riskbench run -f`."""
    from riskbench.runner.samples import write_sample

    place = None if region is None or region.casefold() == "all" else region
    for path in write_sample(folder, orders=orders, region=place, seed=seed):
        typer.echo(f"  {path}")
