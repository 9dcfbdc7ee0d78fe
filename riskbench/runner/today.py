"""What would a run find if it began now: its data, its rule book, its code?"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from riskbench.config import resolve
from riskbench.config.secrets import MASK, PREFIX
from riskbench.errors import DataError, ParameterError, PlaybookError, RiskbenchError, listed
from riskbench.runner import seal
from riskbench.runner.catalogue import Playbook, find, sample_book
from riskbench.runner.imported import as_now, moved
from riskbench.runner.inputs import inputs_of
from riskbench.runner.kept import Kept
from riskbench.runner.run import Run, carry_out, prepare, versions, writable
from riskbench.runner.session import Session
from riskbench.store import Ledger

if TYPE_CHECKING:
    from riskbench.rules.book import RuleBook

#: Parameters that always name a file; others do where the run's stamp says so.
_PATHS = ("source", "book", "model")
#: What a text holds that names a file rather than a region.
_LIKE_A_PATH = re.compile(r"[./\\*?\[]")
_UNVOUCHED = "no ledger vouches for the run's record, so what it names is not read"
_INJECTED = "injected-parameters"


def values_of(kept: Kept) -> dict[str, Any]:
    """Return a run's parameters with its paths as they are found from here.

    Raises
    ------
    RiskbenchError
        When no ledger vouches for them, or a password in them was masked.
    """
    values = kept.parameters
    if kept.entry is None:
        raise PlaybookError(_UNVOUCHED[0].upper() + _UNVOUCHED[1:], hint="name the store with --store")
    for name, value in values.items():
        if MASK in json.dumps(value, default=str):
            raise ParameterError(
                f"The password in {name!r} was masked, so it is not at hand any more",
                hint="name such a source as env:NAME, then it can be read again",
            )
    cwd, named = kept.mark("at").get("cwd"), {*_PATHS, *kept.mark("inputs")}
    return {
        name: _from(cwd, value, wholly=name in _PATHS) if name in named else value for name, value in values.items()
    }


def _from(cwd: object, value: Any, *, wholly: bool) -> Any:
    """Return relative paths as they were meant where the run was started, if they are still there.

    A mere word is taken for a path only where it can be nothing else (`wholly`).
    """
    if isinstance(value, Mapping):
        return {key: _from(cwd, inner, wholly=wholly) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_from(cwd, inner, wholly=wholly) for inner in value]
    if not isinstance(value, str) or not isinstance(cwd, str) or value == "sample":
        return value
    if not (wholly or value.startswith(PREFIX) or _LIKE_A_PATH.search(value)):
        return value
    where = resolve(value) if value.startswith(PREFIX) else value
    if "://" in where or Path(where).is_absolute():
        return value
    from riskbench.data.sources import files_of

    there = str(Path(cwd) / where)
    with contextlib.suppress(RiskbenchError, OSError, ValueError):
        if Path(there).is_file() or files_of(there):
            return there
    return value


def data_of(kept: Kept) -> dict[str, Any]:
    """Return the marks of the data as a run with these parameters would read it now.

    Raises
    ------
    RiskbenchError
        When it cannot be read, or no ledger vouches for the parameters.
    """
    values = values_of(kept)
    whole = kept.mark("data").get("whole") is True
    session = Session(playbook=kept.playbook, values=values, parameters=pd.DataFrame())
    try:
        session.dataset(whole=whole)
    except RiskbenchError:
        raise
    except Exception as error:
        raise DataError(f"The data cannot be read again: {type(error).__name__}") from error
    return dict(session._record["data"])  # noqa: SLF001


def inputs_moved(kept: Kept) -> list[str]:
    """Return the parameters whose files hold something else now, but for data and rule book, which are read."""
    then = kept.mark("inputs")
    values, cwd = values_of(kept), kept.mark("at").get("cwd")
    names = [name for name in then if name not in ("source", "book")]
    now = inputs_of({name: _from(cwd, values.get(name), wholly=True) for name in names})
    return [name for name in names if now.get(name) != then[name]]


def book_of(kept: Kept) -> RuleBook:
    """Return the rule book as a run with these parameters would read it now.

    Raises
    ------
    RiskbenchError
        When there is none, it is wrong, or no ledger vouches for the parameters.
    """
    from riskbench.rules.book import RuleBook

    values = values_of(kept)
    named = values.get("book")
    if named == "sample":
        return RuleBook.read(sample_book(str(values.get("domain") or "transactions")))
    return RuleBook.read(str(named))


def lapsed(kept: Kept) -> Iterator[str]:
    """Yield what of the book that the run used has lapsed since it began."""
    from riskbench.rules.force import in_force

    day = str(kept.record.get("started", "") if kept.entry is None else kept.entry.started)[:10]
    if kept.book is None or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
        return
    then, now = (set(in_force(kept.book, at).lapsed) for at in (day, f"{datetime.now(UTC):%Y-%m-%d}"))
    yield from (f"Since the run: {line}" for line in sorted(now - then))


def playbook_of(kept: Kept) -> Playbook:
    """Return the playbook as it stands now.

    Raises
    ------
    PlaybookError
        When there is none any more.
    """
    place = kept.mark("at").get("notebook")
    if kept.entry is not None and isinstance(place, str) and Path(place).is_file():
        return find(place)
    return find(kept.playbook)


def code_of(kept: Kept) -> dict[str, tuple[bool | None, str]]:
    """Return, for playbook, riskbench and packages, whether the code moved, and which."""
    return {
        "playbook moved": _playbook(kept),
        "riskbench moved": _sources(kept),
        "packages moved": _packages(kept),
    }


def _playbook(kept: Kept) -> tuple[bool | None, str]:
    then = kept.stamp.get("code")
    if not isinstance(then, str):
        return None, "the run does not tell its playbook's code"
    try:
        now = playbook_of(kept)
    except RiskbenchError as error:
        return None, error.what
    if now.code_hash != then:
        return True, "; ".join(_cells(kept, now)) or "its code cells say something else"
    modules = kept.mark("modules")
    if modules and kept.entry is None:
        return None, _UNVOUCHED
    other, unknown = moved(modules, notebook=str(now.path), cwd=cwd_of(kept))
    if other:
        return True, f"other code in {listed(other, most=5)}"
    if unknown:
        return None, f"its code cells are the same, but of {listed(unknown, most=5)} that cannot be told"
    return False, f"its code cells{' and the modules beside it' if modules else ''} are the same"


def cwd_of(kept: Kept) -> str:
    """Return where a run was started, or where we are where that is not told."""
    told = kept.mark("at").get("cwd")
    return told if isinstance(told, str) else str(Path.cwd())


def modules_of(kept: Kept) -> dict[str, str | None]:
    """Return the hash of each module of the playbook's own that a run has loaded, as it stands now."""
    names = kept.mark("modules") if kept.entry is not None else ()
    return as_now(names, notebook=str(playbook_of(kept).path), cwd=cwd_of(kept))


def _cells(kept: Kept, now: Playbook) -> Iterator[str]:
    """Yield which code cells differ, each by the heading above it."""
    if kept.folder is None:
        return
    try:
        old = _sourced(seal.content(kept.folder, "notebook.ipynb", most=100_000_000))
        new = _sourced(now.path.read_bytes())
    except (PlaybookError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    matcher = difflib.SequenceMatcher(None, [cell for _, cell in old], [cell for _, cell in new], autojunk=False)
    for what, a, b, c, d in matcher.get_opcodes():
        if what == "equal":
            continue
        word = {"replace": "changed", "delete": "gone", "insert": "added"}[what]
        heads = dict.fromkeys(head for head, _ in (new[c:d] or old[a:b]))
        yield f"code {word} under {listed([repr(head) for head in heads], most=3)}"


def _sourced(held: bytes) -> list[tuple[str, str]]:
    """Return each code cell of a notebook with the heading above it, but for the values that were passed."""
    found, heading = [], "the beginning"
    for cell in json.loads(held)["cells"]:
        text = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            heads = [line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")]
            heading = heads[-1][:80] if heads else heading
        elif cell["cell_type"] == "code" and _INJECTED not in cell["metadata"].get("tags", ()):
            found.append((heading, text))
    return found


def _sources(kept: Kept) -> tuple[bool | None, str]:
    then, now = kept.mark("sources"), seal.sources()
    if not then:
        return None, "the run does not tell which riskbench it was made with"
    rooms = sorted(room for room in {*then, *now} if then.get(room) != now.get(room))
    return bool(rooms), f"other code in {listed(rooms)}" if rooms else "the installed code is the same"


def _packages(kept: Kept) -> tuple[bool | None, str]:
    then, now = kept.mark("versions"), versions()
    if not then:
        return None, "the run does not tell its packages"
    told = [f"{name} {_plain(then.get(name))} -> {_plain(now.get(name))}" for name in _differ(then, now)]
    return bool(told), listed(told) if told else f"{len(now)} versions are the same"


def _differ(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in {*then, *now} if then.get(name) != now.get(name))


def _plain(value: object) -> str:
    return "none" if value is None else str(value)[:40]


def again(kept: Kept, apart: Path) -> Run:
    """Run a run's playbook again, in a folder apart, with its parameters.

    Raises
    ------
    RiskbenchError
        When it cannot be begun.
    """
    return carried_out(kept, values_of(kept), apart)


def carried_out(kept: Kept, values: Mapping[str, Any], apart: Path, *, stop: threading.Event | None = None) -> Run:
    """Run a run's playbook, in a folder apart, with the values given; `stop` ends it as Ctrl-C would.

    Raises
    ------
    RiskbenchError
        When it cannot be begun.
    """
    job = prepare(playbook_of(kept), values, out=apart, store=str(apart / "riskbench.db"))
    with Ledger(job.store) as ledger:
        return carry_out(job, writable(apart), ledger, stop=stop)
