"""Does an earlier run still stand? Only where nothing that it rests on has moved, and its folder is untouched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from riskbench.errors import PlaybookError, RiskbenchError, listed
from riskbench.runner import bundle, seal
from riskbench.runner.catalogue import sample_book
from riskbench.runner.folder import RECORD, folder_name
from riskbench.runner.imported import moved
from riskbench.runner.inputs import inputs_of
from riskbench.runner.kept import contradictions
from riskbench.runner.process import Job
from riskbench.runner.run import PAGES, Run
from riskbench.store import Entry, Ledger, Status

#: How a run ended that need not be made again: an answer, also where the answer is that no cut will do.
ANSWERED: tuple[Status, ...] = ("done", "infeasible")


def standing(job: Job, out: Path, ledger: Ledger, *, today: Mapping[str, Any]) -> tuple[Run | None, str]:
    """Return the run that answers a job already, and why there is none.

    Its ledger entry says that it ended with an answer, its parameters and stamp are the same as today's, and its
    folder is what it has written. The file alone is never believed, nor the ledger alone.
    """
    entry = ledger.answered(job.playbook.id, job.shown, ANSWERED)
    if entry is None:
        return None, "no run with these parameters has ended with an answer"
    other = what_moved(entry.stamp, job, today=today)
    if other:
        return None, f"{' and '.join(other)} since run {entry.id}"
    changed = touched(entry, out / folder_name(job.playbook.id, job.shown))
    if changed:
        return None, f"{changed} (run {entry.id})"
    return Run(
        id=entry.id,
        playbook=entry.playbook,
        status=entry.status,
        folder=Path(entry.folder or ""),
        headline=tuple(bundle.fact(held) for held in entry.headline),
        seconds=entry.seconds or 0.0,
        message=entry.error or "",
        parameters=entry.parameters,
        stamp=entry.stamp,
    ), ""


def what_moved(stamp: Mapping[str, Any], job: Job, *, today: Mapping[str, Any]) -> list[str]:
    """Return what has moved since a stamp was made, in words; empty when nothing has."""
    told: list[str] = []
    if stamp.get("code") != today["code"]:
        told.append("the playbook's code has changed")
    other, unknown = moved(stamp.get("modules"), notebook=str(job.playbook.path), cwd=str(Path.cwd()))
    told += [f"its own module {name!r} has changed" for name in other]
    told += [f"its own module {name!r} cannot be checked" for name in unknown]
    if stamp.get("versions") != today["versions"]:
        were = stamp.get("versions") or {}
        names = [name for name, version in today["versions"].items() if were.get(name) != version]
        told.append(f"the version of {', '.join(names) or 'a package'} has changed")
    if stamp.get("sources") != today["sources"]:
        told.append("riskbench's own code has changed")
    held, here = stamp.get("inputs"), inputs_of(job.values)
    if not isinstance(held, Mapping):
        return [*told, "what its files held is not known"]
    for name in sorted({*held, *here}):
        if here.get(name) is None and name in here:
            told.append(f"what {name!r} holds cannot be known without reading it")
        elif held.get(name) is None and name in held:
            told.append(f"{name!r} changed while it was read")
        elif held.get(name) != here.get(name) and not (name == "book" and _same_rules(stamp, job)):
            told.append(f"what {name!r} names has changed")
    if job.values.get("book") == "sample" and not _same_rules(stamp, job):
        told.append("the rule book has changed")
    return told


def _same_rules(stamp: Mapping[str, Any], job: Job) -> bool:
    """Whether the rule book that a run has read says the same today; comments and form do not count."""
    read, named = stamp.get("book"), job.values.get("book")
    if not read:
        return named == "sample"  # the run has not read it
    from riskbench.rules.book import RuleBook

    try:
        path = sample_book(job.values.get("domain") or "transactions") if named == "sample" else Path(str(named))
        return bool(RuleBook.read(path).hash == read.get("hash"))
    except RiskbenchError:
        return False


def touched(entry: Entry, target: Path) -> str:
    """Return what of a run's folder is not as it was written, in words; empty when it is."""
    folder = Path(entry.folder or "")
    places = {target.resolve(), target.with_name(f"{target.name}-{entry.status}").resolve()}
    if not entry.folder or folder.resolve() not in places:
        return "its folder lies elsewhere"
    if not folder.is_dir():
        return "its folder is gone"
    sealed = (entry.stamp.get("seal") or {}).get(RECORD)
    try:
        if sealed is None or seal.digest(folder, RECORD) != sealed:
            return "its run.json is not what was written"
        record = bundle.read_json(folder / RECORD)
        for name, mark in record["seal"].items():
            if seal.digest(folder, name) != mark:
                return f"{name} is not what was written"
    except (PlaybookError, KeyError, TypeError, AttributeError) as error:
        return str(error).partition("\n")[0] or "its run.json cannot be read"
    if (record.get("id"), record.get("status")) != (entry.id, entry.status):
        return "its folder holds another run"
    said = contradictions(entry, record)
    if said:
        return f"the ledger's {listed(said)} of it are not what its run.json says"
    missing = [name for name in (*PAGES, "notebook.ipynb") if name not in record["seal"]]
    return f"{missing[0]} was never written" if missing else ""
