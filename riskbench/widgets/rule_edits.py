"""What may be edited of a rule book by hand? Statuses, outcomes, priorities and values, each checked at the door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riskbench.data.outcomes import ladder
from riskbench.errors import ParameterError, RuleError, listed, nearest
from riskbench.rules.book import RuleBook
from riskbench.rules.doors import listed_names, mapping
from riskbench.rules.hits import Hits
from riskbench.rules.param import listed_value, plain, unknown
from riskbench.rules.rule import Rule

#: What edits consist of, in the form of `Simulation.what_if`.
PARTS = ("off", "on", "outcomes", "priorities", "params")

Edits = dict[str, Any]


def nothing() -> Edits:
    """Return edits that change nothing."""
    return {"off": [], "on": [], "outcomes": {}, "priorities": {}, "params": {}}


def tidied(value: object, held: Hits) -> Edits:
    """Return edits in one form: in book order, what changes nothing left out, plain values.

    Parameters
    ----------
    value : mapping or None
        off, on: names of rules; outcomes, priorities, params: by rule; what is left out changes nothing.
    held : Hits
        The hits of the book that is edited.

    Raises
    ------
    ParameterError
        When it is no such mapping, or an outcome is not on the ladder.
    RuleError
        For a rule or parameter that is not in the book, or a value that is not allowed.
    """
    mapping(value, name="value", allowed='{"off": ["TX-1"], "params": {"TX-2": {"limit": 400}}}')
    given: Mapping[str, Any] = value or {}  # type: ignore[assignment]
    for name in given:
        if name not in PARTS:
            close = nearest(str(name), PARTS)
            raise ParameterError(
                f"There is no edit {str(name)[:80]!r}",
                allowed=listed(PARTS),
                hint=f"did you mean {close!r}?" if close else None,
            )
    for name, example in (("outcomes", "block"), ("priorities", 5), ("params", {"limit": 400})):
        mapping(given.get(name), name=name, allowed=repr({"TX-1": example}))
    off, on = (set(listed_names(given.get(name), name=name)) for name in ("off", "on"))
    if off & on:
        raise RuleError("A rule cannot be both on and off", got=listed(sorted(off & on)))
    outcomes, priorities, params = (given.get(name) or {} for name in ("outcomes", "priorities", "params"))
    ids = {rule.id for rule in held.book.rules}
    for name in [*off, *on, *outcomes, *priorities, *params]:
        if name not in ids:
            raise unknown("rule", str(name)[:80], ids)
    made = nothing()
    steps = ladder(held.book.domain)
    for rule in held.book.rules:
        live = rule.status == "live"
        if rule.id in (off if live else on):
            made["off" if live else "on"].append(rule.id)
        if rule.id in outcomes and (name := steps.names[steps.level(outcomes[rule.id])]) != rule.outcome:
            made["outcomes"][rule.id] = name
        if rule.id in priorities and (number := _whole(rule, priorities[rule.id])) != rule.priority:
            made["priorities"][rule.id] = number
        if rule.id in params and (own := _own(rule, held.written, params[rule.id])):
            made["params"][rule.id] = own
    return made


def with_edit(edits: Mapping[str, Any], rule: Rule, part: str, content: object) -> Edits:
    """Return edits with one more: `part` is "live", "outcome", "priority" or "params" (then a name and a value)."""
    made = {name: type(held)(held) for name, held in edits.items()}
    made["params"] = {name: dict(own) for name, own in made["params"].items()}
    if part == "live":
        side = "off" if rule.status == "live" else "on"
        made[side] = [name for name in made[side] if name != rule.id]
        if bool(content) != (rule.status == "live"):
            made[side].append(rule.id)
    elif part == "params":
        made["params"].setdefault(rule.id, {}).update([content])
    else:
        made["outcomes" if part == "outcome" else "priorities"][rule.id] = content
    return made


def edited(edits: Mapping[str, Any]) -> set[str]:
    """Return the rules that any edit touches."""
    return {name for part in PARTS for name in edits[part]}


def _whole(rule: Rule, value: object) -> int:
    held = plain(value)
    if isinstance(held, bool) or not isinstance(held, int):
        raise RuleError("'priority' is a whole number", rule=rule.id, got=repr(value)[:200])
    return held


def _own(rule: Rule, book: RuleBook, values: object) -> dict[str, Any]:
    """Return the values that differ from the rule's defaults, checked."""
    mapping(values, name=f"params of {rule.id}", allowed='{"limit": 400}')
    if all(held.id != rule.id for held in book.rules):
        raise RuleError("A list has no parameters", rule=rule.id, hint="its values are in the book's lists")
    given: Mapping[str, object] = values  # type: ignore[assignment]
    checked = rule.with_params(given).params
    return {
        name: listed_value(checked[name].default)
        for name in rule.params
        if name in given and checked[name].default != rule.params[name].default
    }
