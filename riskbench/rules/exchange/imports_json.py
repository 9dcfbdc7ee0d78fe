"""Which rules does a rule engine's JSON hold? json-rules-engine, JSONLogic and the nested groups of QueryBuilder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from riskbench.errors import RuleError, listed
from riskbench.rules.exchange.drafted import Draft, Drafted
from riskbench.rules.exchange.json_logic import Shape, engine_text, logic_text, query_text

#: Brackets inside brackets.
MAX_DEPTH = 60
_IDS = ("id", "rule", "rule_id", "ruleId", "name")
_OUTCOMES = ("outcome", "action", "decision", "then", "result", "event")
_TITLES = ("title", "description", "comment", "label")
_LOGIC = ("conditions", "condition", "logic", "query", "when", "filter", "if", "expression", "rule")
_LISTS = ("rules", "decisions", "items", "data")


def from_json(text: str) -> Draft:
    """Return the rules of a JSON text.

    Raises
    ------
    RuleError
        When it is no JSON, too deep, or holds no rules.
    """
    held = _loaded(text)
    told: list[str] = []
    entries, path = _entries(held, told)
    drafted: list[Drafted] = []
    other: str | None = None
    ranked: list[tuple[float, int]] = []
    for place, entry in enumerate(entries):
        here = f"{path}[{place}]" if path is not None else "$"
        if not _sound(entry):
            drafted.append(Drafted(here, _shown(entry), reason="it holds half a character, which no column can hold"))
            ranked.append((-1.0, len(ranked)))
            continue
        if _is_choice(entry):
            found, rest = _choice(entry, here)
            if rest is not None and len(entries) > 1:
                found.append(
                    Drafted(here, _shown(rest), reason="it decides of the rest of the events, and other rules follow")
                )
            elif rest is not None:
                other = rest if isinstance(rest, str) else None
                if other is None:
                    found.append(Drafted(here, _shown(rest), reason="what is decided of the rest is no plain word"))
            drafted += found
            ranked += [(0.0, len(ranked)) for _ in found]
            continue
        drafted.append(_drafted(entry, here))
        rank = entry.get("priority") if isinstance(entry, Mapping) and "event" in entry else None
        known = isinstance(rank, int | float) and not isinstance(rank, bool)
        ranked.append((-float(rank) if known else -1.0, len(ranked)))  # type: ignore[arg-type]
    if any("event" in entry for entry in entries if isinstance(entry, Mapping)):
        drafted = [drafted[place] for _, place in sorted(ranked)]
        told.append("In json-rules-engine the largest priority runs first: rules are put in that order.")
    return Draft(tuple(drafted), other=other, other_place="the last else", told=tuple(told))


def _loaded(text: str) -> Any:
    depth, inside, skip = 0, False, False
    for letter in text:
        if skip:
            skip = False
        elif inside:
            skip, inside = letter == "\\", letter != '"'
        elif letter == '"':
            inside = True
        elif letter in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise RuleError("The JSON is nested too deeply", allowed=f"{MAX_DEPTH} levels")
        elif letter in "]}":
            depth -= 1
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as wrong:
        raise RuleError(f"This is no JSON: {wrong.msg}", got=f"line {wrong.lineno}, column {wrong.colno}") from None
    except (ValueError, RecursionError) as wrong:
        raise RuleError(f"The JSON cannot be read: {str(wrong)[:200]}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held: dict[str, Any] = {}
    for key, value in pairs:
        if key in held:
            raise RuleError(f"The JSON tells {key[:60]!r} twice in one place: which one holds?")
        held[key] = value
    return held


def _no_constant(name: str) -> Any:
    raise RuleError(f"{name} is no value of a rule")


def _entries(held: Any, told: list[str]) -> tuple[Sequence[Any], str | None]:
    """Return a JSON's rules, and the path to their list; None where it is one rule."""
    if isinstance(held, list):
        return held, "$"
    if not isinstance(held, Mapping):
        raise RuleError("The JSON holds no rules", got=_shown(held), allowed="a rule, or a list of rules")
    if _is_group(held) or _own(held) is not None:
        return [held], None
    for name in _LISTS:
        if isinstance(held.get(name), list):
            rest = [key for key in held if key != name]
            if rest:
                told.append(f"Not read beside {name}: {listed(rest)}.")
            return held[name], f"$.{name}"
    return [held], None


def _is_group(held: Mapping[str, Any]) -> bool:
    return isinstance(held.get("condition"), str) and held["condition"].casefold() in ("and", "or") and "rules" in held


def _own(held: Mapping[str, Any]) -> Any:
    """Return an entry's logic, under whatever name; None where it has none."""
    for name in _LOGIC:
        value = held.get(name)
        if isinstance(value, Mapping | str) or (name == "if" and isinstance(value, list)):
            return value
    return None


def _is_choice(entry: Any) -> bool:
    """Tell JSONLogic's `if` of outcomes: condition, outcome, condition, outcome, and what else."""
    if not isinstance(entry, Mapping) or list(entry) != ["if"] or not isinstance(entry["if"], list):
        return False
    return len(entry["if"]) >= 2


def _choice(entry: Mapping[str, Any], here: str) -> tuple[list[Drafted], Any]:
    parts = entry["if"]
    made = []
    for place in range(0, len(parts) - 1, 2):
        said = _shown(parts[place])
        word = parts[place + 1]
        draft = Drafted(
            f"{here}.if[{place}]", f"{said} -> {_shown(word)}", outcome=word if isinstance(word, str) else None
        )
        if not isinstance(word, str):
            made.append(draft.refused("the outcome is no plain word"))
        else:
            made.append(_with_logic(draft, logic_text, parts[place]))
    last = parts[-1] if len(parts) % 2 else None
    if isinstance(last, Mapping) and _is_choice(last):
        more, rest = _choice(last, f"{here}.if[{len(parts) - 1}]")
        return made + more, rest
    return made, last


def _drafted(entry: Any, here: str) -> Drafted:
    draft = Drafted(here, _shown(entry))
    if not isinstance(entry, Mapping):
        return draft.refused("it is no rule")
    name = next((str(entry[key]) for key in _IDS if isinstance(entry.get(key), str | int)), None)
    title = next((entry[key] for key in _TITLES if isinstance(entry.get(key), str)), None)
    outcome, reason = _outcome(entry)
    draft = replace(draft, rule=name, title=title, outcome=outcome)
    if reason:
        return draft.refused(reason)
    priority = entry.get("priority")
    if "event" not in entry and priority is not None:
        if isinstance(priority, bool) or not isinstance(priority, int):
            return draft.refused(f"the priority {_shown(priority)[:40]} is no whole number")
        draft = replace(draft, priority=priority)
    if _is_group(entry):
        return _with_logic(draft, query_text, entry)
    held = _own(entry)
    if isinstance(held, str):
        return replace(draft, condition=held)
    if held is None:
        logic = {key: value for key, value in entry.items() if key not in (*_IDS, *_OUTCOMES, *_TITLES, "priority")}
        if len(logic) != 1:
            return draft.refused("it holds no conditions")
        return _with_logic(draft, logic_text, logic)
    if _is_group(held):
        return _with_logic(draft, query_text, held)
    if {"all", "any", "not", "fact"} & set(held) and not _is_logic(held):
        return _with_logic(draft, engine_text, held)
    return _with_logic(draft, logic_text, held)


def _is_logic(held: Mapping[str, Any]) -> bool:
    """Tell JSONLogic's all and any, which take a list of an event's own lists, from the rule engine's."""
    first = next(iter(held.values()))
    return not isinstance(first, list | Mapping)


def _outcome(entry: Mapping[str, Any]) -> tuple[str | None, str]:
    for name in _OUTCOMES:
        value = entry.get(name)
        if isinstance(value, str):
            return value, ""
        if isinstance(value, Mapping):
            word = next(
                (value[key] for key in ("type", "outcome", "action", "decision") if isinstance(value.get(key), str)),
                None,
            )
            return (word, "") if word else (None, f"{name} tells no outcome")
        if value is not None:
            return None, f"{name} is no plain word"
    return None, ""


def _with_logic(draft: Drafted, spell: Any, held: Any) -> Drafted:
    shape = Shape()
    try:
        text = spell(held, shape)
    except RuleError as wrong:
        allowed = f"; allowed: {wrong.allowed}" if wrong.allowed else ""
        return draft.refused(f"{wrong.sentence}{allowed}")
    except RecursionError:
        return draft.refused("it is nested too deeply")
    return replace(draft, condition=text, notes=tuple(dict.fromkeys(shape.told)))


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:2_000].encode("utf-8", "replace").decode()


def _sound(value: Any) -> bool:
    """Tell whether every text in a value can be written down: JSON can hold half of a character's code."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
