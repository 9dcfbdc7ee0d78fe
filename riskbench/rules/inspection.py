"""What is wrong or odd in a rule book? Every mistake with its line and a caret, and what a reviewer would ask."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from riskbench.data.outcomes import ladder
from riskbench.data.velocity import Feature
from riskbench.display import Fact, Result, result
from riskbench.engine.columns import Kind
from riskbench.engine.tree import And, Atom, Constant, Node, Not, Or
from riskbench.errors import RuleError
from riskbench.rules.document import Item
from riskbench.rules.finding import Finding, finding_of
from riskbench.rules.force import list_rule
from riskbench.rules.reading import Reading, line_of, read_book
from riskbench.rules.rule import Rule

if TYPE_CHECKING:
    from riskbench.engine.parse import Predicate

#: Column names that say of themselves that they are true or false.
_BINARY = re.compile(
    r"(?i)^(is|has|had|was|were|can|did|does|in|no|not|new)_|flag|(_|^)(ok|new|match|present)$|[a-z]ed$"
)
#: Column names that sound like numbers.
_AMOUNT = re.compile(r"(?i)(^|_)(amount|price|value|total|sum|count|score|rate|fee|cost|balance|age|share|ratio)(_|$)")
#: What leaves a condition no more than the one column in it.
_NOTHING = re.compile(r"(?i)(not\b|[\s()])*")


@result
class Inspection(Result):
    """What is wrong or odd in a rule book.

    Attributes
    ----------
    findings : DataFrame
        One row a finding, in the order of the lines: line, rule, severity (error or warning), what, place (the
        text with a caret), allowed, hint.
    book : str
        The book's name.
    rules, errors, warnings : int
        How many rules the file holds, right or wrong, and how many findings of each severity.
    """

    kind: ClassVar[str] = "inspection"
    title: ClassVar[str] = "Rule book check"
    main: ClassVar[str] = "findings"
    repr_rows: ClassVar[int] = 50
    repr_columns: ClassVar[tuple[str, ...]] = ("line", "rule", "severity", "what", "allowed", "hint")

    findings: pd.DataFrame
    book: str
    rules: int
    errors: int
    warnings: int
    found: tuple[Finding, ...] = ()

    def headline(self) -> tuple[Fact, ...]:
        """Return how many rules, errors and warnings there are."""
        return (Fact("rules", self.rules), Fact("errors", self.errors), Fact("warnings", self.warnings))

    @property
    def ok(self) -> bool:
        """Whether the book can be used."""
        return self.errors == 0

    def text(self) -> str:
        """Return every finding as plain text, as `riskbench rules check` prints it."""
        told = [f"{finding.severity}: {finding}" for finding in self.found]
        counts = f"{self.rules} rules, {self.errors} errors, {self.warnings} warnings"
        return "\n\n".join([*told, f"{self.book}: {counts}"])


def inspect(
    text: str, kinds: Mapping[str, Kind] | None = None, *, aliases: Mapping[str, str] | None = None
) -> Inspection:
    """Find everything that is wrong or odd in a rule book.

    Use it before a book is used or reviewed. Errors must be mended; warnings are what a reviewer would ask.

    Parameters
    ----------
    text : str
        The book's YAML.
    kinds : mapping of str to kind, optional
        The columns of the events. Without them the columns' kinds are guessed from the rules, so that an
        unknown column is not found.
    aliases : mapping of str to str, optional
        Role name to column name.

    Examples
    --------
    >>> check = inspect('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "amount > 'abc'", outcome: review, status: live}
    ... ''', {"amount": "float"})
    >>> print(check.text())
    error: line 5, rule TX-1: Column 'amount' holds a number; a number and text cannot be compared
        amount > 'abc'
                 ^^^^^
    <BLANKLINE>
    demo: 1 rules, 1 errors, 0 warnings
    """
    reading = read_book(text)
    found = list(reading.findings)
    if reading.root is not None:
        found += _unfit(reading, kinds, aliases)
        found += _guessed(reading) if kinds is None else ()
        found += _odd(reading)
    ordered = tuple(sorted(found, key=lambda finding: (finding.line or 0, finding.severity)))
    names = ("line", "rule", "severity", "what", "place", "allowed", "hint")
    frame = pd.DataFrame([[getattr(finding, name) for name in names] for finding in ordered], columns=list(names))
    frame = frame.astype({"line": "Int64"})
    bad = sum(finding.severity == "error" for finding in ordered)
    return Inspection(
        findings=frame,
        book=reading.name,
        rules=reading.written,
        errors=bad,
        warnings=len(ordered) - bad,
        found=ordered,
    )


def _unfit(reading: Reading, kinds: Mapping[str, Kind] | None, aliases: Mapping[str, str] | None) -> Iterator[Finding]:
    """Yield what does not fit the columns, and rules that always or never hit."""
    rules = [(replace(rule, lists=reading.lists_of(rule)), item) for rule, item in reading.rules]
    known = _kinds(reading) if kinds is None else dict(kinds)
    for name, entry in reading.features.items():
        counted = Feature.from_mapping(name, entry).kind in ("count", "count_distinct")
        known[name] = "int" if counted else "float"
    if kinds is not None:
        yield from _unfit_lists(reading, known, aliases)
    rules = [(_with_deviations(rule, reading), item) for rule, item in rules]
    for rule, item in rules:
        at = item.get("when") or item
        for region in (None, *(name for name in rule.apart if name not in rule.off)):
            try:
                node = rule.bind(known, region=region, aliases=aliases)
            except RuleError as wrong:
                yield finding_of(wrong, at.line + 1, rule.id)
                break
            said = _settled(node)
            if said is not None:
                where = f" in region {region}" if region is not None else ""
                yield Finding(
                    f"The rule {said}{where}",
                    severity="warning",
                    line=at.line + 1,
                    rule=rule.id,
                    place=f"    {rule.in_words()[:200]}",
                )
                break


def _unfit_lists(reading: Reading, known: Mapping[str, Kind], aliases: Mapping[str, str] | None) -> Iterator[Finding]:
    """Yield the lists that act on a column that there is not, or that holds other values."""
    part = reading.root.get("lists") if reading.root is not None else None
    for key, _ in part.pairs if part is not None else ():
        held = reading.lists.get(key.text)
        own = None if held is None or reading.domain is None else list_rule(key.text, held, reading.domain)
        if own is not None:
            try:
                own.bind(known, aliases=aliases)
            except RuleError as wrong:
                yield finding_of(wrong, key.line + 1, own.id)


def _with_deviations(rule: Rule, reading: Reading) -> Rule:
    """Return a rule with the values of its deviations, whether they still hold or not."""
    regions = {region: dict(own) for region, own in rule.regions.items()}
    for held in (reading.parts or {}).get("deviations", ()):
        if held.rule == rule.id and held.params:
            regions.setdefault(held.region, {}).update(held.params)
    return replace(rule, regions=regions)


def _kinds(reading: Reading) -> dict[str, Kind]:
    from riskbench.engine.guess import guess_kinds

    return guess_kinds(_conditions(reading))


def _conditions(reading: Reading) -> list[tuple[Predicate, Mapping[str, object]]]:
    return [(rule.predicate, {**reading.lists_of(rule), **rule.values()}) for rule, _ in reading.rules]


def _guessed(reading: Reading) -> Iterator[Finding]:
    """Yield the columns that may not be what they look like, where no data tells."""
    from riskbench.engine.guess import only_alone, quoted_values

    known = set(reading.features)
    known.update(str(entry[part]) for entry in reading.features.values() for part in entry if part != "window")
    texts = [(*spot, True) for spot in quoted_values(rule.predicate for rule, _ in reading.rules)]
    alone: dict[str, tuple[int, str, tuple[int, int], bool]] = {}
    for place, name, (start, end) in only_alone(_conditions(reading)):
        when = reading.rules[place][0].when
        whole = _NOTHING.fullmatch(when[:start]) and _NOTHING.fullmatch(when[end:])
        if (whole or _AMOUNT.search(name)) and not _BINARY.search(name):
            alone.setdefault(name, (place, name, (start, end), False))
    for place, name, (start, end), quoted in (*texts, *alone.values()):
        if name in known:
            continue
        rule, item = reading.rules[place]
        what, hint = f"{name!r} stands alone as a condition: is it a true/false column?", f"or compare it: {name} > 0"
        if quoted:
            what = f'"{name}" in double quotes is a column, and nothing else uses such a column'
            hint = "for text write '" + name.replace("'", "''") + "', in single quotes"
        held = item.get("when") or item
        yield replace(
            _warning(what, held, rule, hint),
            line=line_of(held, start),
            place=RuleError("", text=rule.when, start=start, end=end).place,
        )


def _settled(node: Node) -> str | None:
    """Return in words that a condition is the same for every event; None when it varies."""
    value = _fixed(node)
    if value == "varies":
        return None
    return "hits every event" if value is True else "never hits"


def _fixed(node: Node) -> bool | str | None:
    """Return what a condition always is: true, false, None (unknown), "never" (false or unknown), or "varies"."""
    if isinstance(node, Constant):
        return node.value
    if isinstance(node, Not):
        inner = _fixed(node.part)
        if isinstance(inner, bool):
            return not inner
        return None if inner is None else "varies"
    if isinstance(node, And | Or):
        stop = isinstance(node, Or)
        found = [_fixed(part) for part in node.parts]
        if any(part is stop for part in found):
            return stop
        if all(part is (not stop) for part in found):
            return not stop
        if isinstance(node, And):
            none = any(part is None or part == "never" for part in found) or _empty(node)
        else:
            none = all(part is False or part is None or part == "never" for part in found)
        return "never" if none else "varies"
    return "never" if isinstance(node, Atom) and _backwards(node) else "varies"


def _backwards(atom: Atom) -> bool:
    """Whether a BETWEEN has its ends the wrong way round."""
    if atom.shape != "between" or len(atom.values) != 2:
        return False
    low, high = atom.values
    return type(low) is type(high) and low > high  # type: ignore[operator]


def _empty(node: And) -> bool:
    """Whether two comparisons of one column leave no value between them."""
    low: dict[str, tuple[float, bool]] = {}
    high: dict[str, tuple[float, bool]] = {}
    for part in node.parts:
        if not isinstance(part, Atom) or part.column is None or not part.values:
            continue
        if any(isinstance(value, str | bool) for value in part.values):
            continue
        numbers = [float(value) for value in part.values]
        if part.shape in (">", ">=", "=", "between"):
            bound = (numbers[0], part.shape == ">")
            low[part.column] = max(low.get(part.column, bound), bound)
        if part.shape in ("<", "<=", "=", "between"):
            top = (numbers[-1], part.shape != "<")
            high[part.column] = min(high.get(part.column, top), top)
    return any(
        low[name][0] > high[name][0] or (low[name][0] == high[name][0] and (low[name][1] or not high[name][1]))
        for name in low
        if name in high
    )


def _odd(reading: Reading) -> Iterator[Finding]:
    """Yield what a reviewer would ask about."""
    first: dict[tuple[object, ...], str] = {}
    for rule, item in reading.rules:
        key = item.get("id") or item
        yield from _odd_rule(rule, item, key, reading)
        same = (tuple(_words(rule)), tuple(sorted((k, repr(v)) for k, v in rule.values().items())))
        if same in first:
            yield _warning(f"The condition is that of rule {first[same]}", key, rule, "remove one of the two")
        first.setdefault(same, rule.id)
    yield from _odd_lists(reading)
    used = {name for rule, _ in reading.rules for name in (*rule.predicate.columns, *rule.predicate.params)}
    used |= {name for name, held in reading.lists.items() if held.acts}
    for kind, names in (("features", reading.features), ("lists", reading.lists)):
        part = reading.root.get(kind) if reading.root is not None else None
        for key, _ in part.pairs if part is not None else ():
            if key.text in names and key.text not in used:
                yield Finding(
                    f"The {kind.removesuffix('s')} {key.text!r} is never used", severity="warning", line=key.line + 1
                )


def _odd_lists(reading: Reading) -> Iterator[Finding]:
    """Yield what is missing in lists that let pass or stop."""
    part = reading.root.get("lists") if reading.root is not None else None
    for key, _ in part.pairs if part is not None else ():
        held = reading.lists.get(key.text)
        if held is None or held.kind is None:
            continue
        free = held.kind != "block"
        lacks = [name for name in ("owner", "expires") if getattr(held, name) is None and (free or name == "owner")]
        if lacks:
            words = {"allow": "exempts", "vip": "exempts", "block": "blocks"}[held.kind]
            yield Finding(
                f"The list {key.text!r} {words}, and has no {' and no '.join(lacks)}",
                severity="warning",
                line=key.line + 1,
                hint="; ".join({"owner": "owner: name", "expires": "expires: 2026-12-31"}[name] for name in lacks),
            )


def _odd_rule(rule: Rule, item: Item, key: Item, reading: Reading) -> Iterator[Finding]:
    from riskbench.engine.parse import excludes_missing

    if excludes_missing(rule.predicate):
        at = item.get("when") or item
        yield _warning("NOT IN with NULL in the list never hits", at, rule, "remove NULL from the list")
    if item.get("status") is None:
        yield _warning("The rule has no status, so it is a draft and decides nothing", key, rule, "status: live")
    mildest = reading.domain is not None and rule.outcome == ladder(reading.domain).names[0]
    if rule.status == "live" and mildest and rule.owner is None:
        yield _warning(
            f"A live rule that decides {rule.outcome!r} lets events pass the rules behind it, and nobody owns it",
            key,
            rule,
            "owner: name",
        )
    for region, own in rule.regions.items():
        for name, value in own.items():
            if value == rule.params[name].default:
                part = item.get("regions") or item
                yield _warning(f"Region {region!r} sets {name!r} to its default", part, rule, "remove it")


def _warning(what: str, at: Item, rule: Rule, hint: str) -> Finding:
    return Finding(what, severity="warning", line=at.line + 1, rule=rule.id, hint=hint)


def _words(rule: Rule) -> list[str]:
    from riskbench.engine.parse import words

    return [word.casefold() for word in words(rule.when)]
