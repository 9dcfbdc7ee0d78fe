"""What changes between two rule books, in plain sentences?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from riskbench.rules.param import number

_WORDS = {"falsepositives": "known false positives"}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return one sentence a change between two books as `RuleBook.to_mapping` gives them."""
    return list(_changes(before, after))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in ("book", "domain", "scope"):
        if before[name] != after[name]:
            yield f"{name} {before[name]} -> {after[name]}"
    for kind in ("features", "lists"):
        yield from _entries(kind.removesuffix("s"), before.get(kind, {}), after.get(kind, {}))
    old = {rule["id"]: rule for rule in before["rules"]}
    new = {rule["id"]: rule for rule in after["rules"]}
    for name in old:
        if name not in new:
            yield f"{name}: removed"
    for name, rule in new.items():
        if name not in old:
            yield f"{name}: added ({rule['outcome']}, {rule['status']}): {' '.join(rule['when'].split())}"
        else:
            yield from (f"{name}: {told}" for told in _rule(old[name], rule))
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old]:
        yield "the order of the rules changed"


def _entries(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in before:
        if name not in after:
            yield f"{kind} {name}: removed"
    for name, entry in after.items():
        if name not in before:
            yield f"{kind} {name}: added"
        elif entry != before[name]:
            if kind == "list":
                old, new = (set(_values(held)) for held in (before[name], entry))
                told = [f"{len(new - old)} added"] * bool(new - old) + [f"{len(old - new)} removed"] * bool(old - new)
                yield f"list {name}: {', '.join(told) or 'changed'}"
            else:
                yield f"{kind} {name}: {_flat(before[name])} -> {_flat(entry)}"


def _values(entry: Any) -> list[Any]:
    return entry["values"] if isinstance(entry, dict) else entry


def _flat(entry: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in entry.items())


def _rule(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if before["when"].split() != after["when"].split():
        yield f"when {' '.join(before['when'].split())} -> {' '.join(after['when'].split())}"
    for name in ("outcome", "priority", "status", "owner", "version", "title"):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield f"{name} {_shown(old)} -> {_shown(new)}"
    for name in ("references", "falsepositives"):
        if before.get(name, []) != after.get(name, []):
            yield f"{_WORDS.get(name, name)} changed"
    yield from _params(before.get("params", {}), after.get("params", {}))
    yield from _regions(before.get("regions", {}), after.get("regions", {}))


def _params(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in before:
        if name not in after:
            yield f"parameter {name} removed"
    for name, entry in after.items():
        new = entry if isinstance(entry, dict) else {"default": entry}
        if name not in before:
            yield f"parameter {name} added, {_value(new['default'])}"
            continue
        old = before[name] if isinstance(before[name], dict) else {"default": before[name]}
        for part in ("default", "min", "max", "unit"):
            if old.get(part) != new.get(part):
                label = name if part == "default" else f"{name} {part}"
                yield f"{label} {_value(old.get(part))} -> {_value(new.get(part))}"


def _regions(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for region in dict.fromkeys([*before, *after]):
        old, new = before.get(region, {}), after.get(region, {})
        for name in dict.fromkeys([*old, *new]):
            if old.get(name) != new.get(name):
                was, now = (_value(held.get(name), none="default") for held in (old, new))
                yield f"{name} in {region} {was} -> {now}"


def _value(value: Any, *, none: str = "none") -> str:
    if value is None:
        return none
    return number(tuple(value) if isinstance(value, list) else value)


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
