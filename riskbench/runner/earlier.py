"""What does the ledger know that helps with a run that failed? Where the same playbook worked, where else it fails."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from riskbench.display.wording import private
from riskbench.store import Entry

#: So many runs of a playbook are looked back on.
MOST = 500
_GOOD = ("done", "infeasible")
_LISTED = 8
_LONGEST = 40


def earlier(entries: Iterable[Entry], parameters: Mapping[str, Any], stamp: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what earlier runs of a playbook tell of one that failed, as at most two sentences.

    First the newest run with the same parameters that worked, and what has moved since. Then the one parameter
    that makes the difference: its values that worked while all else was the same, and those that failed too.

    Parameters
    ----------
    entries : iterable of Entry
        Runs of the same playbook, the newest first, without the one that failed.
    parameters : mapping
        The parameters of the run that failed, secrets masked.
    stamp : mapping
        What is known of what it rests on: data, book, code, versions.
    """
    asked, told = _plain(parameters), []
    ended = [entry for entry in entries if entry.status in (*_GOOD, "failed")]
    same = next((entry for entry in ended if entry.status in _GOOD and _plain(entry.parameters) == asked), None)
    if same is not None:
        moved = _moved(same.stamp, stamp)
        since = f"; since then changed: {', '.join(moved)}" if moved else "; nothing that is known of has changed since"
        told.append(f"With the same parameters it worked on {same.started[:10]} (run {same.id}){since}.")
    told += _apart(ended, asked)
    return tuple(private(text) for text in told[:2])


def _apart(ended: list[Entry], asked: Mapping[str, str]) -> list[str]:
    """Return which single parameter, with another value, made runs work."""
    newest: dict[tuple[str, str], Entry] = {}
    for entry in ended:
        held = _plain(entry.parameters)
        unlike = [name for name in asked if held.get(name) != asked[name]]
        if len(unlike) == 1 and held.keys() == asked.keys():
            newest.setdefault((unlike[0], held[unlike[0]]), entry)
    found: dict[str, tuple[list[str], list[str], Entry]] = {}
    for (name, value), entry in newest.items():
        good, bad, first = found.get(name, ([], [], entry))
        (good if entry.status in _GOOD else bad).append(value)
        found[name] = (good, bad, first if first.status in _GOOD else entry)
    best = max(found.items(), key=lambda one: (len(one[1][0]), one[0] == "region"), default=None)
    if best is None or not best[1][0]:
        return []
    name, (good, bad, entry) = best
    own, where = _short(asked[name]), name.replace("_", " ")
    alone = f"fails for {where} {own} only" if not bad else f"fails for {where} {_few([own, *map(_short, bad)])}"
    when = f"newest on {entry.started[:10]}, run {entry.id}"
    return [f"All else alike, it {alone}; it worked for {_few(sorted(map(_short, good)))} ({when})."]


def _moved(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what is known to differ between what two runs rest on."""
    told = []
    for name, mark, said in (("data", "fingerprint", "the data"), ("book", "hash", "the rule book")):
        before, after = (was.get(name) or {}).get(mark), (now.get(name) or {}).get(mark)
        if before and after and before != after:
            told.append(said)
    if was.get("code") and now.get("code") and was["code"] != now["code"]:
        told.append("the playbook's code")
    held, here = was.get("versions") or {}, now.get("versions") or {}
    packages = [f"{name} {held[name]} to {here[name]}" for name in held if name in here and held[name] != here[name]]
    return [*told, *packages[:3]]


def _plain(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
        for name, value in parameters.items()
    }


def _short(text: str) -> str:
    text = "none" if text == "null" else text
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _few(values: list[str]) -> str:
    rest = len(values) - _LISTED
    return ", ".join(values[:_LISTED]) + (f" and {rest} more" if rest > 0 else "")
