"""Why did a run not end well, in words that help an analyst?"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from riskbench import errors
from riskbench.errors import RiskbenchError

#: The tag of the cells that papermill adds around an error.
MARKER = "papermill-error-cell-tag"
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
_RATE = re.compile(r"[a-z]+_rate(?= at (?:most|least))")
_ERRNO = re.compile(r"\[Errno (\d+)\]")
_NAMED = re.compile(r"'([A-Za-z_][A-Za-z0-9_.]*)'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a reader needs to know about a run that did not end well.

    Attributes
    ----------
    status : str
        failed or infeasible.
    title, what, where, hint : str
        One line each; `what` may have more.
    about : str
        Which parameter or data it is about.
    cell : int or None
        The cell, counted from 0 in the executed notebook.
    error : str
        The kind of error.
    earlier : str
        What earlier runs of the same playbook tell of it.
    """

    status: str
    title: str
    what: str
    where: str = ""
    about: str = ""
    hint: str = ""
    cell: int | None = None
    error: str = ""
    earlier: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the failure as JSON-safe values."""
        return asdict(self)

    @property
    def text(self) -> str:
        """The failure as one message."""
        lines = [f"{self.title}: {self.what}" if self.title else self.what]
        told = (("Where", self.where), ("About", self.about), ("Earlier runs", self.earlier))
        lines += [f"{name}: {value}" for name, value in told if value]
        return "\n".join([*lines, f"What to try: {self.hint}"] if self.hint else lines)


def describe(
    error: BaseException | None,
    execution: Any,
    *,
    session: Mapping[str, Any],
    timeout: float | None = None,
    log: str = "",
) -> Failure | None:
    """Return why a run did not end well, or None when it is done.

    The executed notebook is not believed: what counts is the exception, and whether the last call was reached.
    """
    cell, where = execution.cell, step(execution.notebook, execution.cell)
    if timeout is not None:
        return Failure(
            status="failed",
            title="The run took too long",
            what=f"It was stopped after {timeout:g} seconds.",
            where=where,
            hint="Give it more time (--timeout), or less data: a shorter window, one region, fewer orders.",
            cell=cell,
            error="Timeout",
        )
    if error is None:
        if session.get("finished"):
            return None
        return Failure(
            status="failed",
            title="The playbook stopped early",
            what="It came to its end without the call that finishes a run, so its results are not whole.",
            where=where,
            hint="The last cell must be run.finish(...); nothing before it may stop the notebook.",
            cell=cell,
            error="Unfinished",
        )
    kind = getattr(error, "ename", None) or type(error).__name__
    said = _ANSI.sub("", str(getattr(error, "evalue", error) or "")).strip()
    if type(error).__name__ == "DeadKernelError":
        return Failure(
            status="failed",
            title="The process that ran the playbook died",
            what="The kernel ended without a word. Most often the machine ran out of memory.",
            where=where,
            hint="Run it on less data (a shorter window, one region, fewer orders) or on a machine with more memory.",
            cell=cell,
            error=kind,
        )
    family = getattr(errors, kind, None)
    if isinstance(family, type) and issubclass(family, RiskbenchError):
        return _known(kind, said.removeprefix(f"{kind}: "), where, cell, session)
    if (title := _room(kind, said)) is not None:
        return Failure(
            status="failed",
            title=title,
            what=f"{kind}: {said[:2000]}",
            where=where,
            hint=_ROOM,
            cell=cell,
            error=kind,
        )
    if cell is None and kind == "RuntimeError" and "ernel" in said:
        return Failure(
            status="failed",
            title="The kernel did not start",
            what=f"{said}\n{log}".strip(),
            hint="Does `python -m ipykernel_launcher` start in this environment? No file of the working folder may "
            "bear the name of a library.",
            error=kind,
        )
    return Failure(
        status="failed",
        title="Something unexpected went wrong",
        what=f"{kind}: {said[:2000]}" if said else kind,
        where=where,
        hint="This is most likely a fault of the playbook or of riskbench, not of your parameters. "
        "The reviewers' page shows the code and the full trace; send it with the run folder to the playbook's owner.",
        cell=cell,
        error=kind,
    )


_FULL = "The disk is full"
#: What the system says when nothing more can be written, by its number.
_NO_ROOM = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "A file may not grow further",
    errno.EROFS: "The disk cannot be written",
    errno.EACCES: "A file may not be written",
}
_ROOM = "Make room, or name another folder with --out, and run again. Nothing half-written was left."


def unkept(error: Exception) -> Failure:
    """Return why what a run has made could not be written; nothing of it is left."""
    if isinstance(error, RiskbenchError):
        return Failure(
            status="failed", title="The run could not be kept", what=error.message, error=type(error).__name__
        )
    number = getattr(error, "errno", None) or 0
    where = Path(str(getattr(error, "filename", None) or "")).name
    return Failure(
        status="failed",
        title=_NO_ROOM.get(number, "The run could not be kept"),
        what=f"{getattr(error, 'strerror', None) or error}{f' ({where})' if where else ''}.",
        hint=_ROOM if number in _NO_ROOM else "Is the folder still there, and may it be written? Run again.",
        error=type(error).__name__,
    )


def _room(kind: str, said: str) -> str | None:
    """Return what is wrong with the disk, where an error in a cell tells of one."""
    found = _ERRNO.search(said)
    return _NO_ROOM.get(int(found[1])) if found and kind in ("OSError", "PermissionError") else None


_TITLES = {
    "InfeasibleError": "No cut meets the constraints",
    "ParameterError": "A parameter does not fit",
    "ColumnNotFoundError": "A column is missing in the data",
    "DataError": "The data does not fit",
    "RuleError": "The rule book has a mistake",
    "ConfigError": "A setting does not fit",
    "MissingDependencyError": "An optional library is missing",
}
_HINTS = {
    "InfeasibleError": "Loosen one of the constraints to the nearest feasible point, or drop it and run again.",
    "ColumnNotFoundError": "Name the column that the data has in the parameter `roles`, or in the rule book.",
    "DataError": "Mend the data, or the parameters `source`, `roles`, `region`, `start` and `end` that choose it.",
    "RuleError": "Mend what is named in the rule book; `riskbench rules check BOOK.yaml` finds every mistake at once.",
    "ParameterError": "Change the parameter and run again.",
}


def _known(kind: str, said: str, where: str, cell: int | None, session: Mapping[str, Any]) -> Failure:
    lines = said.splitlines()
    hints = [line.removeprefix("Hint: ") for line in lines if line.startswith("Hint: ")]
    what = "\n".join(line for line in lines if not line.startswith("Hint: ")).strip()
    parameters = session.get("parameters") or {}
    named = set(_NAMED.findall(what)) | {f"{side}_{rate}" for rate in _RATE.findall(what) for side in ("max", "min")}
    about = [f"parameter {name}" for name, value in parameters.items() if name in named and value is not None]
    held = session.get("data")
    if held and kind in ("DataError", "ColumnNotFoundError", "InfeasibleError"):
        about.append(f"data {held.get('name')}, {held.get('rows'):,} events")
    return Failure(
        status="infeasible" if kind == "InfeasibleError" else "failed",
        title=_TITLES.get(kind, "The run could not go on"),
        what=what or kind,
        where=where,
        about=", ".join(about),
        hint=_sentences([*hints, _HINTS.get(kind, "") if kind == "InfeasibleError" or not hints else ""]),
        cell=cell,
        error=kind,
    )


def _sentences(parts: list[str]) -> str:
    """Return hints in a row, each as it was written: they hold code, which a capital or a full stop would spoil."""
    told = ""
    for part in filter(None, parts):
        told += f"{'' if not told else ' ' if told.endswith(('.', '?', '!')) else '; '}{part}"
    return told


def step(notebook: Any, cell: int | None) -> str:
    """Return the step that a cell belongs to: the nearest heading above it, and the cell's number.

    A notebook that papermill has parameterised has one more cell than its source.
    """
    if notebook is None or cell is None:
        return ""
    cells = [held for held in notebook.cells if MARKER not in held.metadata.get("tags", [])]
    place = f"cell {cell + 1} of {len(cells)}"
    for held in reversed(cells[: cell + 1]):
        if held.cell_type == "markdown" and (found := _HEADING.findall(held.source)):
            return f"step “{found[-1]}” ({place})"
    return place
