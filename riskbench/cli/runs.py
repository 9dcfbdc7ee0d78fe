"""Run playbooks, and tell how earlier runs ended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from riskbench.cli.app import Out, Store, app, ledger, settings_here

if TYPE_CHECKING:
    from riskbench.config import Settings
    from riskbench.runner import Run

#: The main jobs, in the order of the demo.
DEMO = ("threshold_calibration", "incident_deep_dive")


@app.command("run")
def run_(  # noqa: PLR0917 Typer takes options from the signature
    name: Annotated[str, typer.Argument(help="The playbook's id, or the path of its notebook.")],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="key=value; may be repeated.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="YAML file of parameters; -p wins over it.")] = None,
    out: Out = None,
    store: Store = None,
    timeout: Annotated[float | None, typer.Option("--timeout", help="Seconds after which a run is stopped.")] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", help="key=value,value: a run for each value; repeated, for each combination."),
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", help="How many runs of a grid go on at once.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Leave out the runs of a grid that stand already.")] = False,
) -> int:
    """Run a playbook and write its pages; with --grid, once for each combination of values."""
    from riskbench.errors import ParameterError
    from riskbench.runner import from_command
    from riskbench.runner.combinations import grid_from_command

    found = settings_here(out=out, store=store, timeout=timeout)
    parameters = from_command(parameter or (), file)
    if grid:
        return _run_grid(
            name, parameters, grid_from_command(grid), found, jobs=1 if jobs is None else jobs, resume=resume
        )
    if resume or jobs is not None:
        option = "--resume" if resume else "--jobs"
        raise ParameterError(f"{option} belongs to a grid", hint=f"--grid region=ID,VN,TH {option}")
    return _run(name, parameters, found).exit_code


def _run_grid(
    name: str, parameters: dict[str, object], grid: dict[str, Any], found: Settings, *, jobs: int, resume: bool
) -> int:
    from riskbench.runner.grid import run_grid

    with _Runs(tuple(grid)) as told:
        try:
            ended = run_grid(
                name,
                parameters,
                grid=grid,
                out=found.out,
                store=found.store,
                timeout=found.timeout,
                jobs=jobs,
                resume=resume,
                progress=told.ended,
            )
        except KeyboardInterrupt:
            typer.echo(f"riskbench: Interrupted: {told.count} runs had ended. --resume goes on from here.", err=True)
            raise SystemExit(130) from None
    typer.echo(f"{ended.playbook}: {'; '.join(str(fact) for fact in ended.headline())}; {ended.seconds:.1f} s")
    for note in ended.notes:
        typer.echo(f"  {note}")
    if ended.page is not None:
        typer.echo(f"  {ended.page}")
    return ended.exit_code


class _Runs:
    """The progress of a grid: a bar on a terminal, and one line a run."""

    def __init__(self, axes: tuple[str, ...]) -> None:
        self.axes, self.count = axes, 0
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def ended(self, count: int, runs: int, run: Run) -> None:
        """Tell of a run that has ended."""
        self.count = count
        if self._bar is None and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=runs, unit="run", leave=False)
        here = " ".join(f"{axis}={run.parameters.get(axis)}" for axis in self.axes)
        answer = run.headline[0] if run.headline else run.message.partition("\n")[0]
        line = f"{count}/{runs} {here}: {run.status}, {answer}"
        if self._bar is not None:
            self._bar.update(count - self._bar.n)
            self._bar.write(line, file=sys.stdout)
        else:
            typer.echo(line)


def _run(name: str, parameters: dict[str, object], found: Settings) -> Run:
    from riskbench.runner import run

    with _Bar() as bar:
        ended = run(name, parameters, out=found.out, store=found.store, timeout=found.timeout, progress=bar.move)
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

    known = {book.id for book in catalogue()}
    ends = [_run(name, {}, settings_here(out=out, store=store)).exit_code for name in DEMO if name in known]
    return max(ends, default=0)


@app.command()
def runs(
    folder: Annotated[str | None, typer.Argument(help="Only runs in the folder of this name or hash.")] = None,
    out: Out = None,
    store: Store = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 20,
) -> None:
    """List the newest runs."""
    with ledger(out, store) as book:
        entries = book.entries(folder=folder, limit=limit)
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
    with ledger(out, store) as book:
        entry = book.entry(run)
    typer.echo(f"{entry.id}  {entry.playbook}  {entry.status}")
    typer.echo(f"  started {entry.started}, ended {entry.ended or '–'}")
    for name, value in entry.parameters.items():
        typer.echo(f"  {name:<20} {value}")
    for fact in entry.headline:
        typer.echo(f"  {fact['name']}: {fact['text']}")
    for name in ("data", "book"):
        mark = entry.stamp.get(name)
        if mark:
            typer.echo(f"  {name}: {mark.get('name')} {mark.get('fingerprint') or mark.get('hash')}")
    for text in (entry.error, entry.folder):
        if text:
            typer.echo(f"  {text}")
