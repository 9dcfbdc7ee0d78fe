"""What of a rule book counts for what it decides? The hash by which it is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from riskbench.engine.parse import words
from riskbench.rules.lists import NamedList


def content_hash(told: dict[str, Any], lists: Mapping[str, NamedList]) -> str:
    """Return the hash of what a book decides: names of people, titles, reasons, references and locks do not count.

    Parameters
    ----------
    told : dict
        The book as `RuleBook.to_mapping` gives it; it is used up.
    lists : mapping of str to NamedList
        Its lists.
    """
    for entry in told["rules"]:
        for name in ("title", "owner", "references", "falsepositives", "locked"):
            entry.pop(name, None)
        entry["when"] = words(entry["when"])
        entry["params"] = {
            name: value if isinstance(value, dict) else {"default": value}
            for name, value in entry.get("params", {}).items()
        }
    told.pop("locked", None)
    for entry in told.get("deviations", ()):
        del entry["reason"], entry["approver"]
    told["lists"] = {name: list_meaning(held) for name, held in lists.items()}
    text = json.dumps(_even(told), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def list_meaning(held: NamedList) -> Any:
    """Return what of a list counts: its values, how it acts, and until when."""
    if held.plain:
        return list(held.values)
    until = [[value, mark.expires] for value, mark in held.marks if mark.expires is not None]
    made: dict[str, Any] = {"values": list(held.values), "until": until}
    if held.acts:
        made |= {"kind": held.kind, "column": held.column, "outcome": held.outcome, "priority": held.priority}
        made |= {"expires": held.expires}
    return made


def _even(value: Any) -> Any:
    """Return a value in which 1.0 and 1 are one."""
    if isinstance(value, dict):
        return {str(key): _even(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_even(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
