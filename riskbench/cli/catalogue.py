"""Which playbooks are there, and what do they take? And sample data for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskbench.cli.app import Out, Store, app, settings_here

if TYPE_CHECKING:
    from riskbench.runner import Catalogue


@app.command()
def playbooks(  # noqa: PLR0917 Typer takes options from the signature
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORDS]", help="Only playbooks that speak of every word.")
    ] = None,
    domain: Annotated[str | None, typer.Option("--domain", help="Only playbooks that cover this domain.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Only playbooks that this owner answers for.")] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one page with a picture of each last result.")
    ] = None,
    out: Out = None,
    store: Store = None,
) -> None:
    """List the playbooks: what each answers, and where it comes from."""
    from riskbench.runner import find_playbooks

    found = find_playbooks(" ".join(words or ()), domain=domain, owner=owner)
    if html is not None:
        from riskbench.runner.index import write_index

        here = settings_here(out=out, store=store)
        typer.echo(f"  {write_index(found, html, out=here.out, store=here.store)}")
    else:
        for held, origin in zip(found.held, found.playbooks["origin"], strict=True):
            typer.echo(f"{held.id:<28} {held.title}{'' if origin == 'shipped' else f'  ({origin})'}")
            if held.question:
                typer.echo(f"{'':<28} {held.question}")
    _remark(found)


def _remark(found: Catalogue) -> None:
    """Say what was not found, and what stands in the way of playbooks, on the error channel."""
    for note in found.notes:
        typer.echo(f"riskbench: {note}", err=True)
    for row in found.unreadable.itertuples(index=False):
        typer.echo(f"riskbench: {row.id} ({row.origin}) cannot be read: {_line(row.problem)}", err=True)


def _line(text: object) -> str:
    """Return a text on one line, without what a terminal would obey."""
    return "".join(letter for letter in " ".join(str(text).split()) if letter.isprintable())


@app.command()
def describe(name: Annotated[str, typer.Argument(help="The playbook's id, or the path of its notebook.")]) -> None:
    """Show what a playbook answers, takes and goes through."""
    from riskbench.runner import find

    held = find(name)
    typer.echo(f"{held.id}: {held.title}\n{held.question}")
    rows = (("owner", held.owner), ("domain", ", ".join(held.domain)), ("inputs", ", ".join(held.inputs)))
    more = (("produces", ", ".join(held.produces)), ("cadence", held.cadence), ("notebook", _line(held.path)))
    for label, text in (*rows, *more):
        if text:
            typer.echo(f"  {label:<10} {text}")
    here = settings_here()
    typer.echo("\nParameters (-p name=value)")
    for parameter in held.parameters:
        default = "none" if parameter.default is None else parameter.default
        if here.defaults.get(parameter.name) is not None:
            default = f"{here.defaults[parameter.name]} in this workspace"
        elif parameter.sample_only:
            default = f"{default}; off with a source"
        typer.echo(f"  {parameter.name:<20} {parameter.limits} [{_line(default)}]")
        typer.echo(f"  {'':<20} {_line(parameter.help)}")
    if held.steps:
        typer.echo("\nSteps")
        for number, step in enumerate(held.steps, start=1):
            typer.echo(f"  {number:>2}. {step}")


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
