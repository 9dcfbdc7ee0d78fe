"""What came out of a foreign source: conditions on their way to rules, and what could not be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from riskbench.config import redact
from riskbench.data.outcomes import Ladder
from riskbench.display.wording import private
from riskbench.errors import RiskbenchError, RuleError, listed, nearest
from riskbench.rules.mining.pieces import column_text
from riskbench.rules.rule import Rule, Status, check_id

#: Rules that one source may hold.
MAX_RULES = 5_000
#: Why a condition that decides nothing is no rule.
NO_OUTCOME = "no outcome follows from it"
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Drafted:
    """One rule of a source, as far as it was understood.

    Attributes
    ----------
    place : str
        Where it stands: "line 3", "rules[0]".
    text : str
        What stands there.
    condition : str
        Its condition as rule text; empty when it was not understood.
    outcome : str or None
        What it decides, in the source's own word.
    rule : str or None
        The source's name for it.
    title, owner : str or None
        What the source says of it.
    params : mapping
        The values behind `:name` in the condition.
    priority : int or None
        The smallest decides; None: in the order of the source.
    reason : str
        Why it could not be read; empty when it could.
    notes : tuple of str
        What was put otherwise.
    """

    place: str
    text: str
    condition: str = ""
    outcome: str | None = None
    rule: str | None = None
    title: str | None = None
    owner: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    priority: int | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()

    def refused(self, reason: str) -> Drafted:
        """Return it as one that could not be read."""
        return replace(self, reason=" ".join(reason.split()), condition="")


@dataclass(frozen=True, slots=True)
class Draft:
    """All that a source holds: its rules in order, and what it says of the rest of the events.

    Attributes
    ----------
    rules : tuple of Drafted
        In the order in which they decide.
    other : str or None
        What is decided where no rule hits, in the source's own word; None where it does not say.
    other_place : str
        Where it says so.
    told : tuple of str
        What a reader must know of the whole.
    """

    rules: tuple[Drafted, ...]
    other: str | None = None
    other_place: str = ""
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How a source's words for outcomes are read."""

    steps: Ladder
    mapping: Mapping[str, str]

    @classmethod
    def of(cls, steps: Ladder, mapping: Mapping[str, str] | None) -> Outcomes:
        """Return the reading, after checking that each word leads to an outcome of the ladder.

        Raises
        ------
        ParameterError
            For an outcome that is not on the ladder.
        """
        held = {str(word).strip().casefold(): steps.names[steps.level(name)] for word, name in (mapping or {}).items()}
        return cls(steps, held)

    def read(self, word: str) -> str:
        """Return the ladder's name for a word.

        Raises
        ------
        RuleError
            When there is none; names the nearest.
        """
        folded = word.strip().casefold()
        if folded in self.mapping:
            return self.mapping[folded]
        options = {name: rung.name for rung in self.steps.rungs for name in (rung.name, *rung.also)}
        if folded in options:
            return options[folded]
        close = nearest(folded, options)
        hint = f"did you mean {options[close]!r}? " if close else ""
        raise RuleError(
            f"The outcome {word[:60]!r} is none of {listed(self.steps.names)}: {hint}say what it means with "
            f'outcomes={{"{word[:60]}": ...}}'
        )


def made(
    drafted: Iterable[Drafted], outcomes: Outcomes, *, default: str | None, status: Status
) -> tuple[list[tuple[Drafted, Rule]], list[Drafted]]:
    """Return the rules that came of a source, and what could not be read, each with its reason."""
    good: list[tuple[Drafted, Rule]] = []
    bad: list[Drafted] = []
    taken: set[str] = set()
    for place, entry in enumerate(drafted):
        if place >= MAX_RULES:
            bad.append(entry.refused(f"only {MAX_RULES:,} rules are read"))
            continue
        if entry.reason or not entry.condition:
            bad.append(entry if entry.reason else entry.refused("there is no condition"))
            continue
        word = entry.outcome if entry.outcome is not None else default
        if word is None:
            bad.append(entry.refused("it tells no outcome: say one with outcome="))
            continue
        try:
            outcome = outcomes.read(word)
            rule_id, renamed = _identity(entry.rule, taken, len(good) + 1)
            rule = Rule(
                rule_id,
                entry.condition,
                outcome,
                params=dict(entry.params),  # type: ignore[arg-type]
                priority=entry.priority if entry.priority is not None else 10 * (len(good) + 1),
                status=status,
                title=private(entry.title) if entry.title else None,
                owner=redact(entry.owner) if entry.owner else None,
            )
            undeclared = [name for name in rule.predicate.params if name not in rule.params]
        except RiskbenchError as wrong:
            bad.append(entry.refused(_said(wrong)))
            continue
        if undeclared:
            bad.append(entry.refused(f"the parameter :{undeclared[0]} has no value"))
            continue
        taken.add(rule_id)
        notes = list(entry.notes)
        if renamed:
            notes.append(renamed)
        if entry.outcome is not None and word.strip() != outcome:
            notes.append(f"outcome {word.strip()[:60]!r} read as {outcome}")
        good.append((replace(entry, notes=tuple(notes)), rule))
    return good, bad


def _said(wrong: RiskbenchError) -> str:
    """Return an error as one line."""
    what = wrong.sentence if isinstance(wrong, RuleError) else wrong.what
    place = ""
    if isinstance(wrong, RuleError) and wrong.text is not None and wrong.start is not None:
        found = wrong.text[wrong.start : wrong.end][:60].strip()
        place = f" (at {found!r})" if found else ""
    hint = f"; {wrong.hint}" if wrong.hint else ""
    return f"{what}{place}{hint}"


def _identity(name: str | None, taken: set[str], number: int) -> tuple[str, str]:
    """Return a rule's id, and what is to be said where it is not the source's."""
    if name is None or not name.strip():
        return _free(f"R-{number:03d}", taken), ""
    wanted = name.strip()
    try:
        held = check_id(wanted)
    except RuleError:
        held = re.sub(r"[\s.:,/\\\x00-\x1f\x7f]+", "-", wanted)[:80].strip("-") or f"R-{number:03d}"
    found = _free(held, taken)
    return found, "" if found == name else f"called {found}: {name[:80]!r} cannot be a rule's id or is taken"


def _free(name: str, taken: set[str]) -> str:
    found, more = name, 2
    while found in taken:
        found, more = f"{name[:76]}-{more}", more + 1
    return found


def value_text(value: object) -> str:
    """Return a plain value as it stands in rule text.

    Raises
    ------
    RuleError
        When it is no number, text, true or false.

    >>> value_text("it's"), value_text(True), value_text(-2)
    ("'it''s'", 'TRUE', '-2')
    """
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    raise RuleError(f"{'NULL' if value is None else type(value).__name__} is no value to compare with")


def spelled(column: str, operator: str, value: object) -> str:
    """Return one condition as rule text.

    Parameters
    ----------
    column : str
        A column's name, whatever it is.
    operator : str
        One of `<`, `<=`, `>`, `>=`, `=`, `<>`, in, not in, between, not between, contains, not contains, starts with,
        not starts with, ends with, not ends with, like, not like, is null, is not null, is empty, is not empty,
        is true, is false.
    value : object
        What it is compared with; a list for in and between.

    Raises
    ------
    RuleError
        When operator and value do not fit.

    Examples
    --------
    >>> spelled("order total", "between", [5, 9]), spelled("note", "not contains", "it's")
    ('"order total" BETWEEN 5 AND 9', "NOT contains(note, 'it''s')")
    """
    name = column_text(column)
    if operator in ("<", "<=", ">", ">=", "=", "<>"):
        if value is None and operator in ("=", "<>"):
            return f"{name} IS NULL" if operator == "=" else f"{name} IS NOT NULL"
        if isinstance(value, bool) and operator in ("=", "<>"):
            return name if value is (operator == "=") else f"NOT {name}"
        return f"{name} {operator} {value_text(value)}"
    plain = {"is null": f"{name} IS NULL", "is not null": f"{name} IS NOT NULL", "is empty": f"{name} = ''"}
    plain |= {"is not empty": f"{name} <> ''", "is true": name, "is false": f"NOT {name}"}
    if operator in plain:
        return plain[operator]
    word, negated = (operator[4:], True) if operator.startswith("not ") else (operator, False)
    if word in ("in", "between"):
        if not isinstance(value, list | tuple) or not value:
            raise RuleError(f"{operator} needs a list of values")
        if word == "between":
            if len(value) != 2:
                raise RuleError("between needs two values")
            return f"{name} {'NOT ' * negated}BETWEEN {value_text(value[0])} AND {value_text(value[1])}"
        return f"{name} {'NOT ' * negated}IN ({', '.join(value_text(entry) for entry in value)})"
    function = {"contains": "contains", "starts with": "starts_with", "ends with": "ends_with"}.get(word)
    if function is not None or word == "like":
        if not isinstance(value, str):
            raise RuleError(f"{operator} needs text")
        if word == "like":
            return f"{name} {'NOT ' * negated}LIKE {value_text(value)}"
        return f"{'NOT ' * negated}{function}({name}, {value_text(value)})"
    raise RuleError(f"The operator {operator!r} is not known")


def shortened(text: str) -> str:
    """Return a text as a table of what was read holds it."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
