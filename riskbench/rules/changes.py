"""What changes between two rule books, in plain sentences, rule by rule?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from riskbench.engine.parse import conjuncts, words
from riskbench.errors import listed
from riskbench.rules.param import number

_WORDS = {"falsepositives": "known false positives"}
#: So many values of a list are named.
_NAMED = 5
Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    Attributes
    ----------
    about : str
        What changes: a rule's id, "list bad", "feature x", or nothing for the book itself.
    what : str
        The change.
    title : str
        The rule's title.
    """

    about: str
    what: str
    title: str = ""

    def __str__(self) -> str:
        return f"{self.about}: {self.what}" if self.about else self.what


def changes(before: Entry, after: Entry) -> list[str]:
    """Return one sentence a change between two books as `RuleBook.to_mapping` gives them; no value of a list."""
    return [str(change) for change in told(before, after)]


def told(before: Entry, after: Entry, *, values: bool = False) -> list[Change]:
    """Return the changes between two books as `RuleBook.to_mapping` gives them.

    Parameters
    ----------
    before, after : mapping
        The books.
    values : bool
        Whether values of lists are named: they may be ids of people.
    """
    return list(_changes(before, after, values=values))


def grouped(found: Iterable[Change]) -> str:
    """Return changes as text, one heading for all that is about one rule, list or feature."""
    by: dict[str, list[Change]] = {}
    for change in found:
        by.setdefault(change.about, []).append(change)
    lines = []
    for about, own in by.items():
        title = next((change.title for change in own if change.title), "")
        lines.append(f"{about or 'the book'}{f'  {title}' if title else ''}")
        lines += [f"  {change.what}" for change in own]
    return "\n".join(lines)


def _changes(before: Entry, after: Entry, *, values: bool) -> Iterator[Change]:
    for name in ("book", "domain", "scope"):
        if before[name] != after[name]:
            yield Change("", f"{name} {before[name]} -> {after[name]}")
    yield from (Change("", what) for what in _locks(before, after))
    for name, what in _entries(before.get("features", {}), after.get("features", {}), _feature, _new_feature):
        yield Change(f"feature {name}", what)
    lists = _entries(before.get("lists", {}), after.get("lists", {}), _list_with(values=values), _new_list)
    for name, what in lists:
        yield Change(f"list {name}", what)
    yield from _rules(before, after)


def _entries(before: Entry, after: Entry, changed: Any, come: Any) -> Iterator[tuple[str, str]]:
    for name in before:
        if name not in after:
            yield name, "removed"
    for name, entry in after.items():
        if name not in before:
            yield name, f"added{come(entry)}"
        elif entry != before[name]:
            yield from ((name, what) for what in [*changed(before[name], entry)] or ["changed"])


def _feature(before: Entry, after: Entry) -> Iterator[str]:
    yield from _fields(before, after, dict.fromkeys([*before, *after]))


def _new_feature(entry: Entry) -> str:
    return f": {', '.join(f'{key} {value}' for key, value in entry.items())}"


def _fields(before: Entry, after: Entry, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        old, new = before.get(name), after.get(name)
        if old != new:
            yield f"{name} {_shown(old)} -> {_shown(new)}"


# Rules


def _rules(before: Entry, after: Entry) -> Iterator[Change]:
    old = {rule["id"]: rule for rule in before["rules"]}
    new = {rule["id"]: rule for rule in after["rules"]}
    names = renamed(before["rules"], after["rules"])
    apart: dict[str, list[str]] = {rule: [] for rule in ("", *new)}
    for rule, what in _deviations(before.get("deviations", []), after.get("deviations", []), names):
        apart.setdefault(rule, []).append(what)
    for name, rule in old.items():
        if name not in new and name not in names:
            yield Change(name, "removed", rule.get("title") or "")
    for name, rule in new.items():
        title = rule.get("title") or ""
        first = next((was for was, now in names.items() if now == name), name)
        if first != name:
            yield Change(name, f"renamed, was {first}", title)
        if first not in old:
            yield Change(name, f"added ({rule['outcome']}, {rule['status']}): {_line(rule['when'])}", title)
        else:
            yield from (Change(name, what, title) for what in _rule(old[first], rule))
        yield from (Change(name, what, title) for what in apart[name])
    yield from (Change("", what) for what in apart[""])
    was, now = [names.get(name, name) for name in old], list(new)
    kept, still = [name for name in was if name in new], [name for name in now if name in set(was)]
    if kept != still:
        moved = _moved(kept, still)
        yield Change("", "the order of the rules changed" + (f": {'; '.join(moved)}" if moved else ""))


def renamed(before: Iterable[Entry], after: Iterable[Entry]) -> dict[str, str]:
    """Return the rules that bear another id and are otherwise the same, old id to new."""
    old, new = list(before), list(after)
    stays = {rule["id"] for rule in old} & {rule["id"] for rule in new}
    free: dict[str, list[str]] = {}
    for rule in new:
        if rule["id"] not in stays:
            free.setdefault(_content(rule), []).append(rule["id"])
    found = {}
    for rule in old:
        if rule["id"] not in stays and free.get(_content(rule)):
            found[rule["id"]] = free[_content(rule)].pop(0)
    return found


def _content(rule: Entry) -> str:
    entry = {name: value for name, value in rule.items() if name not in ("id", "title", "owner", "version")}
    return json.dumps({**entry, "when": words(rule["when"])}, sort_keys=True)


def _moved(kept: list[str], still: list[str]) -> list[str]:
    """Return which rules stand elsewhere, in words; nothing where more moved than stayed."""
    blocks = SequenceMatcher(None, kept, still, autojunk=False).get_matching_blocks()
    stay = {name for block in blocks for name in kept[block.a : block.a + block.size]}
    moved = [name for name in still if name not in stay]
    if len(moved) > len(stay):
        return []
    said = []
    for name in moved[:_NAMED]:
        place = still.index(name)
        said.append(f"{name} now after {still[place - 1]}" if place else f"{name} now first")
    return [*said, f"and {len(moved) - _NAMED} more"] if len(moved) > _NAMED else said


def _rule(before: Entry, after: Entry) -> Iterator[str]:
    yield from _when(before["when"], after["when"])
    yield from _fields(before, after, ("outcome", "priority", "status", "owner", "version", "title"))
    for name in ("references", "falsepositives"):
        if before.get(name, []) != after.get(name, []):
            yield f"{_WORDS.get(name, name)} {_difference(before.get(name, []), after.get(name, []))}"
    yield from _locks(before, after)
    yield from _params(before.get("params", {}), after.get("params", {}))
    yield from _regions(before.get("regions", {}), after.get("regions", {}))
    old, new = before.get("off", []), after.get("off", [])
    yield from (f"off in {region}" for region in new if region not in old)
    yield from (f"no longer off in {region}" for region in old if region not in new)


def _when(before: str, after: str) -> Iterator[str]:
    """Yield what changes in a condition: which of those joined by AND, where that tells it."""
    if words(before) == words(after):
        return
    old, new = ({tuple(words(part)): _line(part) for part in conjuncts(text)} for text in (before, after))
    gone = [text for key, text in old.items() if key not in new]
    come = [text for key, text in new.items() if key not in old]
    whole = len(gone) == len(old) and len(come) == len(new)
    if whole or not (gone or come):
        yield f"when {_line(before)} -> {_line(after)}"
    elif len(gone) == len(come) == 1:
        yield f"condition {gone[0]} -> {come[0]}"
    else:
        yield from (f"condition removed: {text}" for text in gone)
        yield from (f"condition added: {text}" for text in come)


def _params(before: Entry, after: Entry) -> Iterator[str]:
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


def _regions(before: Entry, after: Entry) -> Iterator[str]:
    for region in dict.fromkeys([*before, *after]):
        old, new = before.get(region, {}), after.get(region, {})
        for name in dict.fromkeys([*old, *new]):
            if old.get(name) != new.get(name):
                was, now = (_value(held.get(name), none="default") for held in (old, new))
                yield f"{name} in {region} {was} -> {now}"
        if (region in before) != (region in after) and not (old or new):
            yield f"region {region} {'added' if region in after else 'removed'} without values"


def _locks(before: Entry, after: Entry) -> Iterator[str]:
    old, new = before.get("locked", []), after.get("locked", [])
    come, gone = [name for name in new if name not in old], [name for name in old if name not in new]
    if come:
        yield f"locked {listed(come)}"
    if gone:
        yield f"no longer locked {listed(gone)}"
    if not come and not gone and old != new:
        yield "the order of what is locked changed"


def _deviations(before: list[Entry], after: list[Entry], names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each rule whose deviations change, and how."""
    old = {(names.get(held["rule"], held["rule"]), held["region"], _kind(held)): held for held in before}
    new = {(held["rule"], held["region"], _kind(held)): held for held in after}
    for key, held in old.items():
        if key not in new:
            yield key[0], f"{key[1]} no longer deviates ({_deviates(held)})"
    for key, held in new.items():
        rule, region, _ = key
        if key not in old:
            by = f"until {held['expires']}, approved by {held['approver']}: {held['reason']}"
            yield rule, f"{region} deviates: {_deviates(held)}, {by}"
            continue
        params, was = held.get("params", {}), old[key].get("params", {})
        changed = [
            *_regions({region: was}, {region: params}),
            *_fields(old[key], held, ("expires", "approver", "reason")),
        ]
        yield from ((rule, f"deviation of {region}: {what}") for what in changed)
    if list(old) != list(new) and set(old) == set(new):
        yield "", "the order of the deviations changed"


def _kind(held: Entry) -> tuple[str, ...]:
    return ("off",) if held.get("off") else tuple(sorted(held.get("params", {})))


def _deviates(held: Entry) -> str:
    params = ", ".join(f"{name} {_value(value)}" for name, value in held.get("params", {}).items())
    return "off" if held.get("off") else params


# Lists


def _list_with(*, values: bool) -> Any:
    def changed(before: Any, after: Any) -> Iterator[str]:
        was, now = _marks(before), _marks(after)
        come, gone = [value for value in now if value not in was], [value for value in was if value not in now]
        for word, found in (("added", come), ("removed", gone)):
            if found:
                named = f" ({_few(found)})" if values else ""
                yield f"{len(found):,} {word}{named}"
        other = [value for value in now if value in was and was[value] != now[value]]
        if other:
            about = sorted({part for value in other for part in _PARTS if was[value].get(part) != now[value].get(part)})
            named = f" ({_few(other)})" if values else ""
            entries = "entry" if len(other) == 1 else "entries"
            yield f"{len(other):,} {entries} with another {listed(about)}{named}"
        old, new = (entry if isinstance(entry, dict) else {} for entry in (before, after))
        yield from _fields(old, new, ("kind", "column", "outcome", "priority", *_PARTS))
        if not come and not gone and list(was) != list(now):
            yield "the order of the values changed"

    return changed


_PARTS = ("owner", "expires", "reason")


def _new_list(entry: Any) -> str:
    held = entry if isinstance(entry, dict) else {}
    said = [f"{len(_values(entry)):,} values", *(f"{name} {held[name]}" for name in ("kind", "column") if name in held)]
    return f" ({', '.join(said)})"


def _values(entry: Any) -> list[Any]:
    return entry["values"] if isinstance(entry, dict) else entry


def _marks(entry: Any) -> dict[Any, Entry]:
    """Return a list's values, each with what is said of it."""
    held = [value if isinstance(value, dict) else {"value": value} for value in _values(entry)]
    found: dict[Any, Entry] = {}
    for one in held:
        found.setdefault(one["value"], one)
    return found


def _few(values: list[Any]) -> str:
    more = f", and {len(values) - _NAMED:,} more" if len(values) > _NAMED else ""
    return ", ".join(str(value) for value in values[:_NAMED]) + more


def _difference(before: list[str], after: list[str]) -> str:
    come, gone = [text for text in after if text not in before], [text for text in before if text not in after]
    parts = [f"added {listed(come)}"] * bool(come) + [f"removed {listed(gone)}"] * bool(gone)
    return "; ".join(parts) or "in another order"


# Words


def _line(text: str) -> str:
    return " ".join(text.split())


def _value(value: Any, *, none: str = "none") -> str:
    if value is None:
        return none
    return number(tuple(value) if isinstance(value, list) else value)


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
