"""One playbook for many regions, seeds or books: every combination a run of its own, at most so many at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from riskbench.config import redact
from riskbench.display import Fact, Result, chart, result
from riskbench.display.fact import number
from riskbench.errors import ParameterError, RiskbenchError
from riskbench.runner.catalogue import find
from riskbench.runner.combinations import combine
from riskbench.runner.overview import ENDS, column, file_name, readable, rows_of, shared, write
from riskbench.runner.process import Job
from riskbench.runner.resume import standing
from riskbench.runner.run import EXIT, Run, carry_out, stamp_of, writable
from riskbench.store import Ledger

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Called with how many runs have ended, how many there are, and the run that ended.
Told = Callable[[int, int, Run], None]
_MOST_JOBS = 64
_DRAWN = 30


@result
class GridRun(Result):
    """The runs of a grid, each with how it ended and its main figure.

    Attributes
    ----------
    playbook : str
        What was run.
    overview : DataFrame
        One row a run: the grid's parameters, status, skipped, fact, answer, figure, value, lower, upper, unit,
        seconds, run, folder, message, again. `answer` is the run's first fact as told; `value`, with its 95 %
        interval and in `unit`, is its first figure; `again` says why a run did not stand.
    axes : tuple of str
        The parameters that the grid varies.
    runs : tuple of Run
        The runs, in the order of the grid; those of earlier that still stand among them.
    seconds : float
        How long the whole grid took.
    folder : Path or None
        Where the run folders lie.
    page : Path or None
        The overview as a page that links to each run's pages.
    """

    kind: ClassVar[str] = "grid"
    title: ClassVar[str] = "Grid of runs"
    main: ClassVar[str] = "overview"
    repr_rows: ClassVar[int] = 40

    playbook: str
    overview: pd.DataFrame
    axes: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()
    seconds: float = 0.0
    folder: Path | None = None
    page: Path | None = None

    def headline(self) -> tuple[Fact, ...]:
        """Return how many runs ended how."""
        counts, skipped = self.overview["status"].value_counts(), int(self.overview["skipped"].sum())
        facts = [Fact("Done", int(counts.get("done", 0)), "count", note=f"of {len(self.overview):,} runs")]
        facts += [Fact(end.capitalize(), int(counts[end]), "count") for end in ENDS[1:] if counts.get(end)]
        return (*facts[:5], *([Fact("Skipped", skipped, "count", note="stood already")] if skipped else []))

    @property
    def exit_code(self) -> int:
        """What a command that ran it exits with: the gravest of 130 interrupted, 1 failed, 3 infeasible, 0 done."""
        codes = {EXIT.get(str(status), 1) for status in self.overview["status"]}
        return next((code for code in (130, 1, 3) if code in codes), 0)

    @property
    def drawable(self) -> bool:
        """Whether the runs' main figures are numbers of one kind."""
        held = self._measured()
        return len(held) > 1 and len({*zip(held["figure"], held["unit"], strict=True)}) == 1

    @property
    def height(self) -> float:
        """The picture's height in inches."""
        return max(2.4, 1.3 + 0.27 * min(len(self._measured()), _DRAWN))

    def _measured(self) -> pd.DataFrame:
        held = self.overview
        return held[pd.to_numeric(held["value"], errors="coerce").notna()]

    def _draw(self, ax: Axes) -> None:
        held = self._measured().iloc[:_DRAWN]
        values = pd.to_numeric(held["value"]).to_numpy(dtype=float)
        lower = pd.to_numeric(held["lower"], errors="coerce").fillna(held["value"]).to_numpy(dtype=float)
        upper = pd.to_numeric(held["upper"], errors="coerce").fillna(held["value"]).to_numpy(dtype=float)
        places = list(range(len(held)))
        ax.hlines(places, lower, upper, color=chart.BLUE, linewidth=1.5)
        ax.plot(values, places, "o", color=chart.BLUE, markersize=5)
        ax.set_yticks(
            places,
            [
                _short(", ".join(map(str, row)))
                for row in held[[column(axis) for axis in self.axes]].itertuples(index=False)
            ],
        )
        ax.margins(y=0.12)
        ax.invert_yaxis()
        unit = str(held["unit"].iloc[0])
        ax.xaxis.set_major_formatter(lambda at, _: number(at, unit))  # type: ignore[arg-type]
        name = str(held["figure"].iloc[0])
        by = ", ".join(axis.replace("_", " ") for axis in self.axes)
        chart.style(ax, title=f"{name} by {by}", x=f"{name} (with 95 % interval)", y=by)


def run_grid(
    name: str | Path,
    parameters: Mapping[str, object] | None = None,
    *,
    grid: Mapping[str, Iterable[object]],
    out: str | Path = "runs",
    store: str | None = None,
    jobs: int = 1,
    resume: bool = False,
    timeout: float | None = None,
    progress: Told | None = None,
) -> GridRun:
    """Run a playbook once for every combination of some parameters' values.

    Use it for the same analysis of many regions. Every combination is checked before anything starts. Each run has a
    process of its own; one that fails stops no other. `resume` keeps the runs that still stand: same parameters,
    data, rules, code and versions, and their folders untouched. Read `.overview`, or the page that it leaves.

    Parameters
    ----------
    name : str or Path
        The playbook's id, or the path of its notebook.
    parameters : mapping, optional
        What all runs share.
    grid : mapping
        By parameter, the values that it takes; at most 1,000 combinations.
    out : str or Path
        The folder that the run folders and the overview are made in.
    store : str, optional
        The URL of the store that keeps the ledger; `riskbench.db` in `out` when not given.
    jobs : int
        How many runs at once, 1 to 64.
    resume : bool
        Keep runs that still stand.
    timeout : float, optional
        Seconds after which each run is stopped.
    progress : callable, optional
        Called with how many runs have ended, how many there are, and the run that ended.

    Returns
    -------
    GridRun
        `.overview`, `.runs`, `.page`, `.exit_code`.

    Raises
    ------
    ParameterError
        With all that is wrong in any combination; nothing was started.
    PlaybookError
        When there is no such playbook.
    StoreError
        When the ledger cannot be opened.

    Examples
    --------
    >>> from riskbench import run_grid
    >>> run_grid("threshold_calibration", grid={"region": ["ID", "VN"], "orders": [1]})
    Traceback (most recent call last):
        ...
    riskbench.errors.ParameterError: Of the grid's 2 runs, 2 cannot be made; none was started.
    every run (2 runs): The parameter 'orders' is out of range.
    Got: 1
    Allowed: a whole number, 500 to 20,000,000
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or not 1 <= jobs <= _MOST_JOBS:
        raise ParameterError(
            "The number of jobs is how many runs go on at once", got=jobs, allowed=f"1 to {_MOST_JOBS}"
        )
    playbook = find(name)
    planned = combine(playbook, parameters or {}, grid, out=out, store=store, timeout=timeout)
    out = writable(out)
    work = _Work(planned, tuple(map(str, grid)), out)
    with Ledger(planned[0].store) as ledger:
        if resume:
            work.keep(ledger)
    for run in work.kept.values():
        work.tell(run, progress)
    work.go(jobs, progress)
    return work.told()


class _Work:
    """A grid while it runs: what is planned, what has ended, and the overview that says so."""

    def __init__(self, planned: Sequence[Job], axes: tuple[str, ...], out: Path) -> None:
        self.planned, self.axes, self.out = planned, axes, out
        self.kept: dict[int, Run] = {}
        self.ended: dict[int, Run] = {}
        self.again: dict[int, str] = {}
        self.stop = threading.Event()
        self.began = time.monotonic()
        self.shown = 0
        self.name = file_name(planned)
        self.trouble = ""

    def keep(self, ledger: Ledger) -> None:
        """Keep the runs that still stand."""
        today = stamp_of(self.planned[0].playbook, {})
        for place, job in enumerate(self.planned):
            held, why = standing(job, self.out, ledger, today=today)
            if held is None:
                self.again[place] = why
            else:
                self.kept[place] = self.ended[place] = held

    def tell(self, run: Run, progress: Told | None) -> None:
        """Say that one more run has ended."""
        self.shown += 1
        if progress is not None:
            progress(self.shown, len(self.planned), run)

    def go(self, jobs: int, progress: Told | None) -> None:
        """Make the runs that are missing; whatever happens, none goes on after this."""
        waiting = [place for place in range(len(self.planned)) if place not in self.ended]
        pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="riskbench-run")
        futures: dict[Future[Run], int] = {}
        try:
            self.write()
            futures = {pool.submit(self._one, place): place for place in waiting}
            open_ = set(futures)
            while open_:
                finished, open_ = wait(open_, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in finished:
                    self.ended[futures[future]] = future.result()
                    self.tell(self.ended[futures[future]], progress)
                if finished:
                    self.write()
        finally:
            self.stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            for future, place in futures.items():
                if place not in self.ended and future.done() and not future.cancelled() and future.exception() is None:
                    self.ended[place] = future.result()
            self.write()

    def _one(self, place: int) -> Run:
        job = self.planned[place]
        try:
            fresh = find(job.playbook.path)
            if fresh.code_hash != job.playbook.code_hash:
                return self._not_run(job, "failed", "The playbook was changed while the grid ran; run it once more.")
            with Ledger(job.store) as ledger:
                return carry_out(job, self.out, ledger, stop=self.stop)
        except KeyboardInterrupt:
            return self._not_run(job, "interrupted", "It was interrupted.")
        except (RiskbenchError, OSError) as error:
            return self._not_run(job, "failed", redact(str(error), job.secrets))

    @staticmethod
    def _not_run(job: Job, status: Any, message: str) -> Run:
        return Run(id="", playbook=job.playbook.id, status=status, message=message, parameters=job.shown)

    def rows(self) -> pd.DataFrame:
        return rows_of(self.planned, self.ended, self.axes, kept=self.kept, again=self.again)

    def write(self) -> None:
        """Write the overview as it stands now; a disk that is full must not end the runs."""
        try:
            write(self.out / self.name, self.planned[0].playbook, self.rows(), self.axes, self.ended)
        except OSError as error:
            self.trouble = f"The overview could not be written: {error.strerror}."

    def told(self) -> GridRun:
        rows = self.rows()
        playbook = self.planned[0].playbook
        page = self.out / f"{self.name}.html"
        return GridRun(
            playbook=playbook.id,
            overview=rows,
            axes=self.axes,
            runs=tuple(self.ended[place] for place in range(len(self.planned))),
            seconds=round(time.monotonic() - self.began, 3),
            folder=self.out,
            page=page if page.is_file() else None,
            notes=tuple(filter(None, (*shared(rows, self.axes), self.trouble))),
            pages={"overview": (playbook.title, readable(rows, self.axes, self.ended))},
        )


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:21]}..."
