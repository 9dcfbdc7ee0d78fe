"""The command line: each command is one call of the library, with an exit code that tells how it ended."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Self

import typer

from riskbench.errors import RiskbenchError

if TYPE_CHECKING:
    from riskbench.config import Settings
    from riskbench.engine.columns import Kind
    from riskbench.incidents.casebook import Casebook
    from riskbench.incidents.page import IncidentPage
    from riskbench.runner import Run
    from riskbench.store import Ledger

app = typer.Typer(
    name="riskbench",
    help="Rule simulation, threshold calibration and incident deep-dives for fraud analysts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
rules = typer.Typer(help="Check and compare rule books, and show them as SQL.", no_args_is_help=True)
app.add_typer(rules, name="rules")
incidents = typer.Typer(help="Read the book of incidents: list, record, post-mortem, updates.", no_args_is_help=True)
app.add_typer(incidents, name="incidents")

#: The main jobs, in the order of the demo.
DEMO = ("threshold_calibration", "incident_deep_dive")

Case = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id: INC-0007, inc-7 or 7.")]
Page = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="Page to write, .html or .md; Markdown on the screen without.")
]
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


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong use, 3 infeasible, 130 interrupted."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        code = app(arguments, standalone_mode=False)
    except RiskbenchError as error:
        if debug:
            raise
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("Interrupted.", 130)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
    except Exception as error:
        if debug:
            raise
        _unexpected(error)
    raise SystemExit(code if isinstance(code, int) else 0)


def _unexpected(error: Exception) -> NoReturn:
    if isinstance(error, typer.Exit):
        raise SystemExit(error.exit_code)
    if isinstance(error, typer.Abort):
        _fail("Interrupted.", 130)
    show = getattr(error, "show", None)
    if callable(show):  # a usage error of the command line itself
        show()
        raise SystemExit(getattr(error, "exit_code", 2))
    from riskbench.config import redact

    _fail(
        f"Something unexpected went wrong: {type(error).__name__}: {redact(str(error))}\n(--debug shows the trace)", 1
    )


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _fail(text: str, code: int) -> NoReturn:
    typer.echo(f"riskbench: {text}", err=True)
    raise SystemExit(code)


def _settings(**given: object) -> Settings:
    from riskbench.config import settings

    return settings().with_arguments(**given)


@app.command("run")
def run_(  # noqa: PLR0917 Typer takes options from the signature
    name: Annotated[str, typer.Argument(help="The playbook's id, or the path of its notebook.")],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="key=value; may be repeated.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="YAML file of parameters; -p wins over it.")] = None,
    out: Out = None,
    store: Store = None,
    timeout: Annotated[float | None, typer.Option("--timeout", help="Seconds after which the run is stopped.")] = None,
) -> int:
    """Run a playbook and write its pages."""
    from riskbench.runner import from_command

    held = _settings(out=out, store=store, timeout=timeout)
    return _run(name, from_command(parameter or (), file), held).exit_code


def _run(name: str, parameters: dict[str, object], held: Settings) -> Run:
    from riskbench.runner import run

    with _Bar() as bar:
        ended = run(name, parameters, out=held.out, store=held.store, timeout=held.timeout, progress=bar.move)
    if ended.status == "done":
        typer.echo(f"{ended.playbook}: done in {ended.seconds:.1f} s, run {ended.id}")
        for fact in ended.headline:
            typer.echo(f"  {fact}")
    else:
        typer.echo(f"riskbench: {ended.playbook}: {ended.status}, run {ended.id}\n{ended.message}", err=True)
    for page in ended.pages:
        typer.echo(f"  {page}")
    return ended


class _Bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=1, unit="cell", leave=False, bar_format="{desc} {bar} {n_fmt}/{total_fmt} {elapsed}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def move(self, number: int, cells: int) -> None:
        """Show how far the run is."""
        if self._bar is not None:
            self._bar.total, self._bar.n = cells, number
            self._bar.refresh()


@app.command()
def demo(
    out: Annotated[str, typer.Option("--out", help="Folder that the run folders are written to.")] = "demo-out",
    store: Store = None,
) -> int:
    """Run the main jobs on the embedded sample; print the headlines and the pages written."""
    from riskbench.runner import catalogue

    known = {held.id for held in catalogue()}
    ends = [_run(name, {}, _settings(out=out, store=store)).exit_code for name in DEMO if name in known]
    return max(ends, default=0)


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
def runs(
    folder: Annotated[str | None, typer.Argument(help="Only runs in the folder of this name or hash.")] = None,
    out: Out = None,
    store: Store = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 20,
) -> None:
    """List the newest runs."""
    with _ledger(out, store) as ledger:
        entries = ledger.entries(folder=folder, limit=limit)
    for entry in entries:
        seconds = f"{entry.seconds:7.1f} s" if entry.seconds is not None else f"{'–':>9}"
        typer.echo(
            f"{entry.id}  {entry.started[:16].replace('T', ' ')}  {entry.status:<11} {seconds}  {entry.playbook}"
        )
        typer.echo(f"{'':<20} {entry.folder or entry.error or ''}")
    if not entries:
        typer.echo("No runs yet.")


@app.command()
def show(
    run: Annotated[str, typer.Argument(help="The run's id or how it begins; or its folder's name or hash.")],
    out: Out = None,
    store: Store = None,
) -> None:
    """Show one run: status, parameters, headline, what it rests on."""
    with _ledger(out, store) as ledger:
        entry = ledger.entry(run)
    typer.echo(f"{entry.id}  {entry.playbook}  {entry.status}")
    typer.echo(f"  started {entry.started}, ended {entry.ended or '–'}")
    for name, value in entry.parameters.items():
        typer.echo(f"  {name:<20} {value}")
    for fact in entry.headline:
        typer.echo(f"  {fact['name']}: {fact['text']}")
    for name in ("data", "book"):
        held = entry.stamp.get(name)
        if held:
            typer.echo(f"  {name}: {held.get('name')} {held.get('fingerprint') or held.get('hash')}")
    for text in (entry.error, entry.folder):
        if text:
            typer.echo(f"  {text}")


@rules.command()
def check(
    book: Annotated[Path, typer.Argument(metavar="BOOK.yaml", help="The rule book.")],
    data: Annotated[str | None, typer.Option("--data", help="Events that it must fit: a path, glob or URL.")] = None,
    roles: Annotated[str | None, typer.Option("--roles", help="Role names it may use: '{amount: TX_AMOUNT}'.")] = None,
) -> int:
    """Explain every mistake in a rule book, with a caret under the place; exit 1 when there is one."""
    from riskbench.rules.files import read_text
    from riskbench.rules.inspection import inspect

    held = inspect(read_text(book), _kinds(data), aliases=_aliases(roles))
    typer.echo(held.text())
    return 0 if held.ok else 1


@rules.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="A.yaml", help="The book as it was.")],
    after: Annotated[Path, typer.Argument(metavar="B.yaml", help="The book as it shall be.")],
) -> int:
    """Tell what changes between two books, rule by rule; exit 0 when they say the same, 1 when not, 2 on wrong use.

    Comments, blank lines and the order of keys do not count. Of a list at most five values a change are named.
    """
    from riskbench.rules.book import RuleBook
    from riskbench.rules.changes import grouped, told

    try:
        first, last = RuleBook.read(before), RuleBook.read(after)
    except RiskbenchError as error:
        _fail(str(error), 2)
    found = told(first.to_mapping(), last.to_mapping(), values=True)
    if not found:
        only = "" if first.source == last.source else "; only comments or the form differ"
        typer.echo(f"same rules{only}")
        return 0
    typer.echo(grouped(found))
    return 1


@rules.command()
def sql(
    book: Annotated[Path, typer.Argument(metavar="BOOK.yaml", help="The rule book.")],
    dialect: Annotated[str, typer.Option("--dialect", help="duckdb, spark, bigquery, trino or snowflake.")] = "duckdb",
    data: Annotated[str | None, typer.Option("--data", help="Events that it must fit: a path, glob or URL.")] = None,
    roles: Annotated[str | None, typer.Option("--roles", help="Role names it may use: '{amount: TX_AMOUNT}'.")] = None,
) -> None:
    """Show each rule as SQL of an engine."""
    from riskbench.rules.book import RuleBook
    from riskbench.rules.exchange.printed import as_sql

    held = RuleBook.read(book)
    for rule, region, text in as_sql(held, dialect, kinds=_kinds(data), aliases=_aliases(roles)):
        typer.echo(f"-- {rule.id}{f' in {region}' if region else ''}: {rule.title or rule.outcome}\n{text}\n")


def _kinds(data: str | None) -> dict[str, Kind] | None:
    from riskbench.config import resolve
    from riskbench.data.read import kinds_of

    return None if data is None else kinds_of(resolve(data))


def _aliases(roles: str | None) -> dict[str, str] | None:
    from riskbench.data.roles import Roles
    from riskbench.runner.shape import Shape, coerce

    if roles is None:
        return None
    held = coerce(roles, Shape("dict"), name="roles")
    return Roles.from_mapping({"id": "id", **held}).named()


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

    return open_casebook(_store(out, store, "incidents"))


def _ledger(out: str | None, store: str | None) -> Ledger:
    from riskbench.store import Ledger

    return Ledger(_store(out, store, "runs"))


def _store(out: str | None, store: str | None, what: str) -> str:
    """Return the address of the store, which must be there."""
    from riskbench.errors import StoreError

    held = _settings(out=out, store=store)
    path = Path(held.out) / "riskbench.db"
    if held.store is None and not path.is_file():
        raise StoreError(
            f"There are no {what} in {held.out!r}", hint="name the folder with --out, or the store with --store"
        )
    return held.store or str(path)


if __name__ == "__main__":
    main()
