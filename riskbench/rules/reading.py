"""What does a rule book's YAML say, and where is each mistake? Finds all of them, not only the first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from riskbench.data.outcomes import ladder
from riskbench.data.roles import DOMAINS, Domain
from riskbench.data.velocity import Feature
from riskbench.errors import RiskbenchError, RuleError
from riskbench.rules.deviation import Deviation, checked_locks, locks_broken, troubles
from riskbench.rules.document import Item, placed, read_document
from riskbench.rules.finding import Finding, Severity, finding_of
from riskbench.rules.lists import PREFIX, NamedList
from riskbench.rules.param import Param, Scalar, checked_regions, to_param, unknown
from riskbench.rules.rule import STATUSES, Rule, check_id, texts

if TYPE_CHECKING:
    from riskbench.engine.parse import Examination

SCOPES = ("global", "region")
BOOK_KEYS = ("book", "domain", "scope", "features", "lists", "locked", "rules", "deviations")
RULE_KEYS = (
    "id",
    "title",
    "when",
    "params",
    "regions",
    "outcome",
    "priority",
    "status",
    "owner",
    "version",
    "references",
    "falsepositives",
    "off",
    "locked",
)
#: What is text in a deviation, also where it looks like a number.
_TEXTS = ("rule", "region", "reason", "approver", "expires")
#: A book may hold this many rules.
MAX_RULES = 2_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read.

    Attributes
    ----------
    parts : dict or None
        What `RuleBook` takes; None when there is an error.
    rules : tuple of (Rule, Item)
        The rules that are right in themselves, and where each stands.
    findings : tuple of Finding
        What is wrong, in the order of the lines.
    root : Item or None
        The document; None when it is no mapping.
    name : str
        The book's name, as far as it has one.
    domain : str or None
        Its domain, when it is right.
    features, lists : mapping
        Those of its features and lists that are right.
    written : int
        How many rules the file holds, right or wrong.
    """

    parts: dict[str, Any] | None
    rules: tuple[tuple[Rule, Item], ...]
    findings: tuple[Finding, ...]
    root: Item | None = None
    name: str = "rule book"
    domain: Domain | None = None
    features: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    lists: Mapping[str, NamedList] = field(default_factory=dict)
    written: int = 0

    def lists_of(self, rule: Rule) -> dict[str, tuple[Scalar, ...]]:
        """Return the values of those lists that a rule's condition names."""
        named = (name for name in rule.predicate.params if name in self.lists and name not in rule.params)
        return {name: self.lists[name].values for name in named}


def read_book(text: str) -> Reading:
    """Read a rule book's YAML and find every mistake."""
    try:
        root = read_document(text)
    except RuleError as wrong:
        found = re.match(r"Line (\d+)", wrong.sentence)
        return Reading(None, (), (finding_of(wrong, int(found.group(1)) if found else None, None),))
    return _Reader(text, root).read()


class _Reader:
    """Turns a document into the parts of a book, collecting what is wrong."""

    def __init__(self, text: str, root: Item) -> None:
        self.text, self.root = text, root
        self.findings: list[Finding] = []
        self.rules: list[tuple[Rule, Item]] = []
        self.lists: dict[str, NamedList] = {}
        self.written = 0

    def wrong(
        self,
        what: str,
        at: Item,
        *,
        rule: str | None = None,
        allowed: object = None,
        hint: str | None = None,
        severity: Severity = "error",
    ) -> None:
        width = max(1, len(at.text)) if at.kind == "scalar" and not at.block else 1
        shown = placed(self.text, what, at.line, at.column, width=width).place
        self.findings.append(
            Finding(
                what,
                severity=severity,
                line=at.line + 1,
                rule=rule,
                place=shown,
                allowed=str(allowed) if allowed is not None else None,
                hint=hint,
            )
        )

    def attempt(self, at: Item, make: Callable[[], Any], *, rule: str | None = None) -> Any:
        """Return what `make` returns; when it raises, note that at a place and return None."""
        try:
            return make()
        except RiskbenchError as error:
            found = finding_of(error, at.line + 1, rule)
            if found.place:
                self.findings.append(found)
            else:
                self.wrong(found.what, at, rule=rule, allowed=found.allowed, hint=found.hint)
            return None

    def read(self) -> Reading:
        root = self.root
        if root.kind != "map":
            self.wrong("A rule book is a mapping", root, allowed="book: name, domain: ..., rules: [...]")
            return self.done(None)
        self.check_keys(root, BOOK_KEYS)
        parts: dict[str, Any] = {
            "name": self.word(root, "book", needed=True),
            "domain": self.choice(root, "domain", DOMAINS, needed=True),
            "scope": self.choice(root, "scope", SCOPES) or "global",
            "lists": self.named(root, "lists", self.read_list),
            "features": self.named(root, "features", self.read_feature),
        }
        self.lists = parts["lists"]
        rules = root.get("rules")
        if rules is not None and not rules.empty:
            if rules.kind != "list":
                self.wrong("'rules' is a list", rules, hint="begin each rule with - id: ...")
            elif len(rules.items) > MAX_RULES:
                self.wrong(f"The book has {len(rules.items):,} rules", rules, allowed=f"at most {MAX_RULES:,}")
            else:
                self.read_rules(rules, parts["domain"])
        parts["rules"] = tuple(rule for rule, _ in self.rules)
        parts["locked"] = self.read_locked(root)
        parts["deviations"] = self.read_deviations(root, parts["locked"])
        self.check_lists(root, parts["domain"])
        return self.done(parts)

    def done(self, parts: dict[str, Any] | None) -> Reading:
        bad = any(finding.severity == "error" for finding in self.findings)
        ordered = sorted(self.findings, key=lambda finding: finding.line or 0)
        if parts is None:
            return Reading(None, (), tuple(ordered))
        return Reading(
            None if bad else parts,
            tuple(self.rules),
            tuple(ordered),
            self.root,
            parts["name"] or "rule book",
            parts["domain"],
            parts["features"],
            parts["lists"],
            self.written,
        )

    # Parts

    def check_keys(self, item: Item, known: tuple[str, ...], *, rule: str | None = None) -> None:
        for key, _ in item.pairs:
            if key.text not in known:
                wrong = unknown("key", key.text, known)
                self.wrong(wrong.sentence, key, rule=rule, allowed=wrong.allowed, hint=wrong.hint)

    def word(self, item: Item, name: str, *, rule: str | None = None, needed: bool = False) -> str | None:
        held = item.get(name)
        if held is None or held.empty:
            if needed:
                self.wrong(f"{name!r} is missing", item, rule=rule)
            return None
        if held.kind != "scalar" or not held.text.strip():
            self.wrong(f"{name!r} is text", held, rule=rule)
            return None
        return held.text.strip()

    def choice(
        self, item: Item, name: str, choices: Iterable[str], *, rule: str | None = None, needed: bool = False
    ) -> str | None:
        word = self.word(item, name, rule=rule, needed=needed)
        held = item.get(name)
        if word is None or held is None:
            return None
        if word not in choices:
            wrong = unknown(name, word, choices)
            self.wrong(wrong.sentence, held, rule=rule, allowed=wrong.allowed, hint=wrong.hint)
            return None
        return word

    def named(self, item: Item, name: str, read: Callable[[str, Item], Any]) -> dict[str, Any]:
        held = item.get(name)
        if held is None or held.empty:
            return {}
        if held.kind != "map":
            self.wrong(f"{name!r} maps a name to its entry", held)
            return {}
        made = {}
        for key, value in held.pairs:
            entry = self.attempt(key, lambda key=key, value=value: read(key.text, value))  # type: ignore[misc]
            if entry is not None:
                made[key.text] = entry
        return made

    def read_feature(self, name: str, item: Item) -> Any:
        entry = item.value
        return Feature.from_mapping(name, entry).to_mapping()

    def read_list(self, name: str, item: Item) -> NamedList:
        return NamedList.of(name, item.value)

    def check_lists(self, root: Item, domain: Domain | None) -> None:
        """Note an outcome that the domain does not have, and a rule that bears the name of a list's own."""
        ids = {rule.id for rule, _ in self.rules}
        for name, held in self.lists.items():
            entry = (root.get("lists") or root).get(name) or root
            if held.outcome is not None and domain is not None:
                self.choice(entry, "outcome", ladder(domain).names)
            if held.acts and f"{PREFIX}{name}" in ids:
                self.wrong(f"The list {name!r} acts as a rule of a name that is taken", entry, rule=f"{PREFIX}{name}")

    def read_locked(self, root: Item) -> tuple[str, ...]:
        held = root.get("locked")
        if held is None or held.empty:
            return ()
        params = [name for rule, _ in self.rules for name in rule.params]
        locked: tuple[str, ...] = self.attempt(held, lambda: checked_locks(held.value, params)) or ()
        for rule, item in self.rules:
            for broken in locks_broken(rule, locked):
                self.wrong(broken.sentence, item.get("regions") or item, rule=rule.id)
        return locked

    def read_deviations(self, root: Item, locked: tuple[str, ...]) -> tuple[Deviation, ...]:
        held = root.get("deviations")
        if held is None or held.empty:
            return ()
        if held.kind != "list":
            self.wrong("'deviations' is a list", held, hint="begin each with - rule: ...")
            return ()
        rules = {rule.id: rule for rule, _ in self.rules}
        made: list[Deviation] = []
        for item in held.items:
            words = {key.text: value.as_text for key, value in item.pairs if key.text in _TEXTS and value.as_text}
            entry = {**item.value, **words} if item.kind == "map" else item.value
            deviation = self.attempt(item, lambda entry=entry: Deviation.of(entry))  # type: ignore[misc]
            if deviation is None:
                continue
            for key, wrong in troubles(deviation, rules, locked, made):
                at = item.get(key) or item
                got = f" (got {wrong.got})" if wrong.got is not None else ""
                self.wrong(
                    wrong.sentence.rstrip(".") + got, at, rule=wrong.rule, allowed=wrong.allowed, hint=wrong.hint
                )
            made.append(deviation)
        return tuple(made)

    # Rules

    def read_rules(self, rules: Item, domain: Any) -> None:
        first: dict[str, int] = {}
        self.written = len(rules.items)
        for item in rules.items:
            if item.kind != "map":
                self.wrong("A rule is a mapping", item, allowed="- id: TX-001, when: ..., outcome: ...")
                continue
            key = item.get("id")
            name = key.as_text if key is not None else None
            before = len(self.findings)
            rule = self.read_rule(item, name, domain)
            if name is not None and key is not None:
                if name in first:
                    self.wrong(f"The id {name!r} stands twice (first on line {first[name]})", key, rule=name)
                first.setdefault(name, key.line + 1)
            if rule is not None and not any(f.severity == "error" for f in self.findings[before:]):
                self.rules.append((rule, item))

    def read_rule(self, item: Item, name: str | None, domain: Any) -> Rule | None:
        self.check_keys(item, RULE_KEYS, rule=name)
        key = item.get("id") or item
        valid = self.attempt(key, lambda: check_id(name), rule=name)
        when, used = self.read_when(item, name)
        params = self.read_params(item, name)
        regions = self.read_regions(item, name, params)
        outcome = self.choice(item, "outcome", ladder(domain).names if domain else _AnyWord(), rule=name, needed=True)
        status = self.choice(item, "status", STATUSES, rule=name) or "draft"
        priority = self.read_priority(item, name)
        words = {field: self.word(item, field, rule=name) for field in ("title", "owner", "version")}
        many = {
            field: self.read_texts(item, field, name) for field in ("references", "falsepositives", "off", "locked")
        }
        if used is not None and params is not None:
            self.check_uses(item, used, params, name)
        if when is None or outcome is None or valid is None or params is None or regions is None:
            return None
        return self.attempt(
            item,
            lambda: Rule(
                valid,
                when,
                outcome,
                params=params,
                regions=regions,
                priority=priority,
                status=status,  # type: ignore[arg-type]
                **words,  # type: ignore[arg-type]
                **many,  # type: ignore[arg-type]
            ),
            rule=name,
        )

    def read_when(self, item: Item, rule: str | None) -> tuple[str | None, Examination | None]:
        """Return the condition when it is right, and what it names when it could be read at all."""
        from riskbench.engine.parse import examine

        held = item.get("when")
        if held is None or held.empty:
            self.wrong("'when' is missing", item, rule=rule, allowed="one condition, such as amount > :limit")
            return None, None
        if held.kind != "scalar":
            self.wrong("'when' is text", held, rule=rule, hint="put the condition in quotes")
            return None, None
        text = held.text.strip()
        examined = examine(text)
        for wrong in examined.refused:
            self.findings.append(finding_of(wrong, line_of(held, wrong.start or 0), rule))
        return (None if examined.refused else text), examined

    def read_params(self, item: Item, rule: str | None) -> dict[str, Param] | None:
        held = item.get("params")
        if held is None or held.empty:
            return {}
        if held.kind != "map":
            self.wrong("'params' maps a name to a value", held, rule=rule, allowed="{limit: {default: 100, min: 1}}")
            return None
        made: dict[str, Param] = {}
        for key, value in held.pairs:
            param = self.attempt(key, lambda key=key, value=value: _param(key, value), rule=rule)  # type: ignore[misc]
            if param is not None:
                made[key.text] = param
        return made if len(made) == len(held.pairs) else None

    def read_regions(self, item: Item, rule: str | None, params: dict[str, Param] | None) -> Any:
        held = item.get("regions")
        if held is None or held.empty:
            return {}
        if held.kind != "map":
            self.wrong("'regions' maps a region to its own values", held, rule=rule, allowed="{JKT: {limit: 200}}")
            return None
        if params is None:
            return None
        made: dict[str, Any] = {}
        for key, value in held.pairs:
            one = self.attempt(
                key,
                lambda key=key, value=value: checked_regions(  # type: ignore[misc]
                    {key.text: value.value}, params, rule=rule or ""
                ),
                rule=rule,
            )
            if one is not None:
                made.update(one)
        return made if len(made) == len(held.pairs) else None

    def read_priority(self, item: Item, rule: str | None) -> int:
        held = item.get("priority")
        if held is None or held.empty:
            return 100
        value = held.value
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
            self.wrong(
                "'priority' is a whole number", held, rule=rule, allowed="0 to 1,000,000; the smallest decides first"
            )
            return 100
        return value

    def read_texts(self, item: Item, name: str, rule: str | None) -> tuple[str, ...]:
        held = item.get(name)
        if held is None or held.empty:
            return ()
        entries = [held] if held.kind == "scalar" else list(held.items)
        found = [entry.as_text for entry in entries]
        made = self.attempt(held, lambda: texts(found, name), rule=rule)
        return made if made is not None else ()

    def check_uses(self, item: Item, used: Examination, params: dict[str, Param], rule: str | None) -> None:
        """Note parameters that stand in the condition and are declared nowhere, and the other way round."""
        at = item.get("when") or item
        for name, start, end in used.params:
            if name not in params and name not in self.lists:
                wrong = unknown("parameter", name, [*params, *self.lists])
                shown = RuleError("", text=at.text.strip(), start=start, end=end)
                self.findings.append(
                    Finding(
                        f"The parameter :{name} is not declared",
                        line=line_of(at, start),
                        rule=rule,
                        place=shown.place,
                        allowed=str(wrong.allowed) if params or self.lists else None,
                        hint=wrong.hint or f"params: {{{name}: ...}}",
                    )
                )
        unreadable = bool(used.refused) and not used.params
        held = item.get("params") if not unreadable else None
        named = {name for name, _, _ in used.params}
        for key, _ in held.pairs if held is not None else ():
            if key.text not in named:
                self.wrong(
                    f"The parameter {key.text!r} is never used",
                    key,
                    rule=rule,
                    hint=f"write :{key.text} in the condition, or remove it",
                    severity="warning",
                )


class _AnyWord:
    """Holds every word; used where the domain is not known."""

    def __contains__(self, word: object) -> bool:
        return True

    def __iter__(self) -> Any:
        return iter(())


def line_of(held: Item, start: int) -> int:
    """Return the file's line, from 1, on which a character of a condition stands."""
    if not held.block:
        return held.line + 1
    lead = len(held.text) - len(held.text.lstrip())
    return held.line + 2 + held.text.count("\n", 0, lead + start)


def _param(key: Item, value: Item) -> Param:
    from riskbench.rules.param import check_name

    check_name(key.text)
    try:
        return to_param(value.value)
    except RuleError as wrong:
        hint = wrong.hint
        raise RuleError(
            f"Parameter {key.text!r}: {wrong.sentence}", got=wrong.got, allowed=wrong.allowed, hint=hint
        ) from None
