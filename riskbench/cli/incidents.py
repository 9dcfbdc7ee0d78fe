"""Read the book of incidents: list, record, post-mortem, updates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskbench.cli.app import Out, Store, app, store_url

if TYPE_CHECKING:
    from riskbench.incidents.casebook import Casebook
    from riskbench.incidents.page import IncidentPage

incidents = typer.Typer(help="Read the book of incidents: list, record, post-mortem, updates.", no_args_is_help=True)
app.add_typer(incidents, name="incidents")

Case = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id: INC-0007, inc-7 or 7.")]
Page = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="Page to write, .html or .md; Markdown on the screen without.")
]


@incidents.command("list")
def list_(
    state: Annotated[str | None, typer.Option("--state", help="Only those in this state, or `open`.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="Only those of this region.")] = None,
    out: Out = None,
    store: Store = None,
) -> None:
    """List the incidents, the open and the severe first."""
    with _casebook(out, store) as book:
        held = book.incidents(state=state, region=region)
    for row in held.frame().to_dict("records"):
        typer.echo(
            f"{row['incident']}  {row['state']:<10}  {row['severity']:<8}  {row['owner'] or '–':<14}  {row['name']}"
        )
    typer.echo("; ".join(map(str, held.headline())))
    for note in held.notes:
        typer.echo(f"  {note}", err=True)


@incidents.command("show")
def show_incident(incident: Case, out: Out = None, store: Store = None) -> None:
    """Show how an incident stands, and what happened in it."""
    with _casebook(out, store) as book:
        record = book.record(incident)
    typer.echo(f"{record.name}")
    for fact in record.headline():
        typer.echo(f"  {fact}")
    for row in record.frame().to_dict("records"):
        typer.echo(f"  {row['local']}  {row['actor']}: {row['what']}")
    for note in record.notes:
        typer.echo(f"  {note}")


@incidents.command()
def postmortem(incident: Case, file: Page = None, out: Out = None, store: Store = None) -> None:
    """Write an incident's post-mortem, in the blameless form."""
    with _casebook(out, store) as book:
        _tell(book.record(incident).postmortem(), file)


@incidents.command()
def update(
    incident: Case,
    audience: Annotated[str, typer.Argument(help="leadership, operations, finance, support, sellers, regulator, ...")],
    file: Page = None,
    out: Out = None,
    store: Store = None,
) -> None:
    """Write the update for one audience, with what it may see."""
    with _casebook(out, store) as book:
        _tell(book.record(incident).update(audience), file)


@incidents.command()
def handover(  # noqa: PLR0917 Typer takes options from the signature
    since: Annotated[str, typer.Argument(help="When the shift began: 2026-11-11T20:00+07:00.")],
    to: Annotated[str, typer.Argument(metavar="ZONE", help="Time zone of the next shift: America/Sao_Paulo.")],
    file: Page = None,
    zone: Annotated[str | None, typer.Option("--from", help="Time zone of this shift.")] = None,
    out: Out = None,
    store: Store = None,
) -> None:
    """Write the note for the next shift on all incidents."""
    with _casebook(out, store) as book:
        _tell(book.handover(since=since, to_time_zone=to, from_time_zone=zone), file)


@incidents.command()
def verify(
    incident: Annotated[str | None, typer.Argument(metavar="INCIDENT", help="One incident; all without.")] = None,
    out: Out = None,
    store: Store = None,
) -> int:
    """Check that nobody has changed a history behind our back; exit 1 when somebody has."""
    with _casebook(out, store) as book:
        held = book.verify(incident)
    for row in held.frame().to_dict("records"):
        typer.echo(f"{row['incident']}: {row['what']}")
    typer.echo("; ".join(map(str, held.headline())))
    return 0 if held.holds else 1


def _tell(page: IncidentPage, file: Path | None) -> None:
    typer.echo(page.markdown if file is None else f"  {page.save(file)}")


def _casebook(out: str | None, store: str | None) -> Casebook:
    from riskbench.incidents.casebook import open_casebook

    return open_casebook(store_url(out, store, "incidents"))
