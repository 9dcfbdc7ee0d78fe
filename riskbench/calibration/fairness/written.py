"""How a rule with a cut for each group is written: only where somebody owns up to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from riskbench.data.dataset import Dataset
from riskbench.errors import ParameterError
from riskbench.rules.fairness.groups import Grouping
from riskbench.rules.param import Param
from riskbench.rules.rule import Rule


def with_group_cuts(rule: Rule, param: str, grouping: Grouping, cuts: Mapping[str, float], dataset: Dataset) -> Rule:
    """Return a rule with a value of its own for some groups.

    Parameters
    ----------
    rule : Rule
        The rule with the common cut.
    param : str
        The parameter that is cut.
    grouping : Grouping
        The groups.
    cuts : mapping of str to float
        Each such group's value.
    dataset : Dataset
        The events, for the column's kind.
    """
    if not cuts:
        return rule
    parts, params, inside = [], dict(rule.params), []
    for number, (name, cut) in enumerate(cuts.items(), start=1):
        own = f"{param}_g{number}"
        while own in params:
            own += "_"
        text = _belongs(grouping, name, dataset)
        inside.append(text)
        parts.append(f"(({text}) AND ({_with(rule.when, param, own)}))")
        params[own] = Param(int(cut) if float(cut).is_integer() else cut)
    rest = " AND ".join(f"({text}) IS NOT TRUE" for text in inside)
    when = " OR ".join([f"({rest} AND ({rule.when}))", *parts])
    title = f"{rule.title or rule.id}; cuts differ by {grouping.said}, acknowledged"
    return replace(rule, when=when, params=params, title=title[:200])


def _with(when: str, param: str, own: str) -> str:
    return re.sub(rf":{re.escape(param)}\b", f":{own}", when)


def _belongs(grouping: Grouping, name: str, dataset: Dataset) -> str:
    if not grouping.by_column:
        if name == "yes":
            return grouping.said
        if name == "no":
            return f"NOT ({grouping.said})"
        raise ParameterError("Events of which a condition is unknown cannot have a cut of their own", got=name)
    column = grouping.columns[0]
    quoted = '"' + column.replace('"', '""') + '"'
    if name == "(missing)":
        return f"{quoted} IS NULL"
    kind = dataset.kinds[column]
    if kind == "string":
        return f"{quoted} = '" + name.replace("'", "''") + "'"
    if kind == "bool":
        return quoted if name.casefold() in ("true", "yes", "1") else f"NOT {quoted}"
    if kind in ("int", "float"):
        return f"{quoted} = {float(name):g}" if kind == "float" else f"{quoted} = {int(name)}"
    raise ParameterError(
        f"Groups of {column!r} cannot be written into a rule", got=kind, allowed="text, numbers, yes or no"
    )
