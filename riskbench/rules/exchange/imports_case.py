"""Which rules does a CASE hold? Its WHENs in order, with the names that the query itself gives them."""

from __future__ import annotations

from riskbench.engine.cases import Branch, Case, Condition, Query, read_query
from riskbench.errors import RiskbenchError
from riskbench.rules.exchange.drafted import NO_OUTCOME, Draft, Drafted, Outcomes

#: Names of the column that holds the deciding rule, and of the one that holds the outcome.
_DECIDERS = frozenset({"rule", "rule_id", "deciding_rule", "decided_by", "reason"})
_OUTCOMES = frozenset({"outcome", "decision", "action", "result", "verdict"})


def from_case(text: str, outcomes: Outcomes, *, dialect: str, numbers: bool) -> Draft:
    """Return the rules of a query.

    Raises
    ------
    RuleError
        When it is no CASE, and no SELECT of one.
    """
    query = read_query(text, dialect=dialect, numbers=numbers)
    chosen = chosen_case(query, outcomes)
    rules = [Drafted(f"line {part.line}", part.text, reason=f"not read: {part.reason}") for part in query.skipped]
    if chosen is None:
        rules += [_unused(flag) for flag in query.flags]
        return Draft(tuple(rules), told=("The query holds no CASE that gives an outcome.",))
    names = _names(query, chosen)
    used = set()
    found: list[Drafted] = []
    for branch in chosen.branches:
        found.append(_drafted(branch, names))
        used |= {branch.condition.name, branch.condition.source}
    decider = decider_of(query, chosen)
    for case in query.cases:
        if case is not chosen and case is not decider:
            said = f"CASE {case.name or ''}".strip()
            rules.append(Drafted(f"line {case.line}", said, reason="not read: another CASE gives the outcome"))
    rules += [_unused(flag) for flag in query.flags if flag.name not in used and flag.source not in used]
    other = chosen.other
    if other is None and chosen.other_said.strip().upper() not in ("", "NULL"):
        place = f"line {chosen.line}"
        rules.append(Drafted(place, f"ELSE {chosen.other_said}", reason="the ELSE is no plain word"))
    return Draft((*found, *rules), other=other, other_place=f"ELSE of line {chosen.line}")


def chosen_case(query: Query, outcomes: Outcomes) -> Case | None:
    """Return the CASE that gives the outcome."""
    held = [case for case in query.cases if (case.name or "").casefold() not in _DECIDERS] or list(query.cases)
    named = [case for case in held if (case.name or "").casefold() in _OUTCOMES]
    known = [case for case in held if any(_is_outcome(branch.word, outcomes) for branch in case.branches)]
    return next(iter([*(case for case in named if case in known), *known, *named, *held]), None)


def _is_outcome(word: str | None, outcomes: Outcomes) -> bool:
    if word is None:
        return False
    try:
        outcomes.read(word)
    except RiskbenchError:
        return False
    return True


def decider_of(query: Query, chosen: Case) -> Case | None:
    """Return the CASE that gives the deciding rule."""
    others = [case for case in query.cases if case is not chosen]
    return next((case for case in others if (case.name or "").casefold() in _DECIDERS), None)


def _names(query: Query, chosen: Case) -> dict[str, str]:
    """Return the name of each condition, from the CASE that gives the deciding rule."""
    decider = decider_of(query, chosen)
    if decider is None:
        return {}
    return {branch.condition.source: branch.word for branch in decider.branches if branch.word is not None}


def _drafted(branch: Branch, names: dict[str, str]) -> Drafted:
    held = branch.condition
    said = f"WHEN {held.source} THEN {branch.said}"
    entry = Drafted(
        f"line {held.line}",
        said,
        held.text,
        branch.word,
        rule=names.get(held.source, held.name),
        title=held.comment or None,
        params=held.params,
        notes=held.told,
    )
    if branch.word is None:
        return entry.refused("what stands after THEN is no plain word")
    return entry


def _unused(flag: Condition) -> Drafted:
    return Drafted(f"line {flag.line}", flag.source, rule=flag.name, reason=NO_OUTCOME)
