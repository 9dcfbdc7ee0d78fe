"""What is a rule book? Ordered rules with their features and lists, read from YAML and known by its content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from riskbench.data.outcomes import ladder
from riskbench.data.roles import DOMAINS, Domain
from riskbench.data.velocity import Feature
from riskbench.display.wording import private
from riskbench.errors import RiskbenchError, RuleError
from riskbench.rules.changes import changes
from riskbench.rules.deviation import LOCKABLE, Deviation, checked_locks, locks_broken, troubles
from riskbench.rules.doors import a_path, a_text, mapping, wanted
from riskbench.rules.edits import edited
from riskbench.rules.files import MARK, read_text, save_text, told_of
from riskbench.rules.finding import raise_findings
from riskbench.rules.lists import PREFIX, NamedList
from riskbench.rules.meaning import content_hash
from riskbench.rules.param import unknown
from riskbench.rules.reading import SCOPES, read_book
from riskbench.rules.rule import Rule, Status
from riskbench.rules.writing import to_yaml

if TYPE_CHECKING:
    import pandas as pd

    from riskbench.engine.columns import Kind

Scope = Literal["global", "region"]


@dataclass(frozen=True, kw_only=True)
class RuleBook:
    """Rules in order, with the velocity features and lists that they read.

    Parameters
    ----------
    name : str
        The book's name.
    domain : str
        transactions, kyc, onboarding or affiliation; decides which outcomes there are.
    scope : {"global", "region"}
        Whether it holds everywhere or is one region's own.
    features : mapping of str to mapping
        Velocity features, such as `{"device_orders_1h": {"count": "*", "by": "device_id", "window": "1h"}}`.
    rules : sequence of Rule
        The rules; at equal priority and outcome the earlier one decides.
    lists : mapping of str to list
        Named lists for `IN :name`.
    deviations : sequence of Deviation
        What regions do otherwise, each with reason, approver and expiry; those of rules that are not in the
        book fall away.
    locked : sequence of str
        What no region may change in any rule: parameters, or outcome, priority, status, when.
    source : str, optional
        The text that the book was read from; `to_yaml` keeps its comments. It is no part of what the book means.

    Raises
    ------
    RuleError
        When two rules bear one id, or an outcome is not on the domain's ladder.

    Examples
    --------
    >>> from riskbench import RuleBook
    >>> book = RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "amount > :limit", params: {limit: 500}, outcome: review, status: live}
    ... ''')
    >>> book.diff(book.with_params({"TX-1": {"limit": 800}}))
    ['TX-1: limit 500 -> 800']
    """

    name: str
    domain: Domain
    scope: Scope = "global"
    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    lists: Mapping[str, NamedList] = field(default_factory=dict)
    deviations: tuple[Deviation, ...] = ()
    locked: tuple[str, ...] = ()
    source: str | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise RuleError("A rule book needs a name", got=repr(self.name)[:200])
        for what, value, choices in (("domain", self.domain, DOMAINS), ("scope", self.scope, SCOPES)):
            if value not in choices:
                raise unknown(what, str(value), choices)
        names = ladder(self.domain).names
        seen: set[str] = set()
        for rule in self.rules:
            if not isinstance(rule, Rule):
                raise RuleError("A rule book holds rules", got=type(rule).__name__)
            if rule.id in seen:
                raise RuleError(f"Two rules bear the id {rule.id!r}")
            seen.add(rule.id)
            if rule.outcome not in names:
                raise unknown("outcome", rule.outcome, names, rule=rule.id)
        features = {}
        for name, entry in dict(self.features).items():
            try:
                features[name] = MappingProxyType(Feature.from_mapping(name, entry).to_mapping())
            except RiskbenchError as wrong:
                raise RuleError(wrong.what, got=wrong.got, allowed=wrong.allowed, hint=wrong.hint) from None
        lists = {name: NamedList.of(name, entry) for name, entry in dict(self.lists).items()}
        for name, held in lists.items():
            if held.outcome is not None and held.outcome not in names:
                raise unknown("outcome", held.outcome, names)
            if held.acts and f"{PREFIX}{name}" in seen:
                raise RuleError(f"The list {name!r} acts as a rule of a name that is taken", rule=f"{PREFIX}{name}")
        object.__setattr__(self, "features", MappingProxyType(features))
        object.__setattr__(self, "lists", MappingProxyType(lists))
        object.__setattr__(self, "rules", tuple(_with_lists(rule, lists) for rule in self.rules))
        self._check_deviations()

    def _check_deviations(self) -> None:
        params = {name for rule in self.rules for name in rule.params}
        words = [word for word in self.locked if word in {*params, *LOCKABLE}]
        object.__setattr__(self, "locked", checked_locks(words, params))
        ids = {rule.id for rule in self.rules}
        known = tuple(held for held in map(Deviation.of, self.deviations) if held.rule in ids)
        object.__setattr__(self, "deviations", known)
        for rule in self.rules if self.locked else ():
            for broken in locks_broken(rule, self.locked):
                raise broken
        rules = {rule.id: rule for rule in self.rules}
        for place, deviation in enumerate(self.deviations):
            for _, wrong in troubles(deviation, rules, self.locked, self.deviations[:place]):
                raise wrong

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self) -> tuple[Any, ...]:
        lists = {name: held.to_entry() for name, held in self.lists.items()}
        features = {name: dict(entry) for name, entry in self.features.items()}
        parts = {"name": self.name, "domain": self.domain, "scope": self.scope, "features": features, "lists": lists}
        more = {"deviations": self.deviations, "locked": self.locked, "source": self.source}
        return (_rebuild, ({**parts, **more}, self.rules))

    @classmethod
    def from_yaml(cls, text: str) -> RuleBook:
        """Read a book from YAML text.

        Raises
        ------
        RuleError
            Lists every mistake, each with its line, rule and place.
        """
        reading = read_book(text.removeprefix(MARK) if isinstance(text, str) else text)
        raise_findings(reading.findings)
        assert reading.parts is not None
        return cls(**reading.parts, source=text)

    @classmethod
    def read(cls, path: str | Path) -> RuleBook:
        """Read a book from a YAML file.

        Raises
        ------
        DataError
            When there is no such file, or it is not text of at most a megabyte.
        RuleError
            Lists every mistake in it.
        """
        a_path(path, "A rule book")
        text = read_text(path, mark=True)
        try:
            return cls.from_yaml(text)
        except RuleError as wrong:
            raise told_of(wrong, text, path) from None

    def to_yaml(self) -> str:
        """Return the book as YAML; `from_yaml` makes an equal book of it.

        A book that was read is written into its own text: comments, blank lines, the order of keys, quotes and
        brackets stay where nothing changed. A rule that goes takes the comment right above it along.
        """
        held = self.source
        if held is None:
            return to_yaml(self.to_mapping())
        mark, wanted = (MARK if held.startswith(MARK) else ""), self.to_mapping()
        for words in (True, False):
            text = edited(held.removeprefix(MARK), wanted, _said, words=words)
            if text is not None and _read_back(text) == self:
                return mark + text
        return to_yaml(wanted)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the book's YAML to a file: all of it, or nothing.

        A file that stands there already is replaced only when it still holds the text that this book was read
        from, so that nobody's work is lost.

        Parameters
        ----------
        path : str or Path
            The file.
        overwrite : bool
            Replace whatever stands there.

        Raises
        ------
        DataError
            When another text stands there, or the file cannot be written.
        """
        a_path(path, "A rule book")
        return save_text(self.to_yaml(), path, known=self.source, overwrite=overwrite)

    def to_sql(
        self,
        dialect: str = "duckdb",
        *,
        table: str = "events",
        kinds: Mapping[str, Kind] | None = None,
        aliases: Mapping[str, str] | None = None,
        on: str | None = None,
    ) -> str:
        """Return the book as one query: an event a row, its outcome, the deciding rule and every rule's hit.

        Parameters
        ----------
        dialect : str
            duckdb, spark, bigquery, trino, snowflake (their spellings are tested), or another that sqlglot knows.
        table : str
            The table of events; a dot parts schema and table.
        kinds : mapping of str to kind, optional
            The columns of the events; guessed from the rules when not given.
        aliases : mapping of str to str, optional
            Role name to column name, `id` and `region` among them.
        on : str, optional
            The ISO date whose lists and regional deviations are written; today (UTC) when not given.

        Raises
        ------
        EngineError
            When a rule cannot be said in that dialect with the same meaning; names the rule.
        """
        from riskbench.rules.exchange.export import book_sql

        return book_sql(self, dialect, table=table, kinds=kinds, aliases=aliases, on=on)

    def in_english(self) -> str:
        """Return the book as sentences, its rules in the order in which they decide."""
        from riskbench.rules.exchange.english import book_in_english

        return book_in_english(self)

    def to_mapping(self) -> dict[str, Any]:
        """Return the book as plain values, in the order of its YAML."""
        made: dict[str, Any] = {"book": self.name, "domain": self.domain, "scope": self.scope}
        if self.features:
            made["features"] = {name: dict(entry) for name, entry in self.features.items()}
        if self.lists:
            made["lists"] = {name: held.to_entry() for name, held in self.lists.items()}
        if self.locked:
            made["locked"] = list(self.locked)
        made["rules"] = [rule.to_mapping() for rule in self.rules]
        if self.deviations:
            made["deviations"] = [held.to_entry() for held in self.deviations]
        return made

    # Changes

    def rule(self, rule_id: str) -> Rule:
        """Return one rule.

        Raises
        ------
        RuleError
            When there is none of that id.
        """
        a_text(rule_id, name="rule_id")
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise unknown("rule", str(rule_id), [rule.id for rule in self.rules])

    def with_params(self, values: Mapping[str, Mapping[str, object]]) -> RuleBook:
        """Return the book with other defaults, such as `{"TX-001": {"limit": 400}}`.

        Regions that have a value of their own keep it.

        Raises
        ------
        RuleError
            For an unknown rule or parameter, or a value outside min and max.
        """
        mapping(values, name="values", allowed='{"TX-001": {"limit": 400}}', optional=False)
        book = self
        for rule_id, own in values.items():
            book = book.with_rule(book.rule(rule_id).with_params(_own(rule_id, own)))
        return book

    def with_region_params(self, rule_id: str, values: Mapping[str, Mapping[str, object]]) -> RuleBook:
        """Return the book with a rule's values for some regions, such as `"TX-001", {"JKT": {"limit": 1}}`.

        Raises
        ------
        RuleError
            For an unknown rule or parameter, or a value outside min and max.
        """
        rule = self.rule(rule_id)
        mapping(values, name="values", allowed='{"JKT": {"limit": 1}}', optional=False)
        for region, own in values.items():
            rule = rule.with_params(_own(rule_id, own), region=region)
        return self.with_rule(rule)

    def with_rule(self, rule: Rule) -> RuleBook:
        """Return the book with a rule replaced in its place, or added at the end."""
        if not isinstance(rule, Rule):
            raise RuleError("A rule book holds rules", got=type(rule).__name__)
        if any(held.id == rule.id for held in self.rules):
            return replace(self, rules=tuple(rule if held.id == rule.id else held for held in self.rules))
        return replace(self, rules=(*self.rules, rule))

    def with_status(self, rule_id: str, status: Status) -> RuleBook:
        """Return the book with a rule made draft, shadow, live or retired."""
        return self.with_rule(replace(self.rule(rule_id), status=status))

    def without(self, rule_id: str) -> RuleBook:
        """Return the book without a rule.

        Raises
        ------
        RuleError
            When there is none of that id.
        """
        gone = self.rule(rule_id)
        left = tuple(held for held in self.deviations if held.rule != rule_id)
        return replace(self, rules=tuple(rule for rule in self.rules if rule is not gone), deviations=left)

    def with_list(self, name: str, entry: object) -> RuleBook:
        """Return the book with a list replaced or added: `[d1, d2]`, or `{values: [...], kind: block, ...}`.

        Raises
        ------
        RuleError
            When the entry is no list.
        """
        return replace(self, lists={**self.lists, name: NamedList.of(name, entry)})

    def with_deviation(self, deviation: Deviation) -> RuleBook:
        """Return the book with one more deviation, in the place of one of the same rule, region and parameters.

        Raises
        ------
        RuleError
            When it touches what is locked, is out of range, or says what `regions` says already.
        """
        held = Deviation.of(deviation)
        self.rule(held.rule)
        same = [(old.rule, old.region, old.off, set(old.params)) for old in self.deviations]
        key = (held.rule, held.region, held.off, set(held.params))
        if key in same:
            place = same.index(key)
            return replace(self, deviations=(*self.deviations[:place], held, *self.deviations[place + 1 :]))
        return replace(self, deviations=(*self.deviations, held))

    def without_deviation(self, rule_id: str, region: str) -> RuleBook:
        """Return the book without what a region does otherwise in a rule.

        Raises
        ------
        RuleError
            When it does nothing otherwise there.
        """
        left = tuple(held for held in self.deviations if (held.rule, held.region) != (rule_id, region))
        if len(left) == len(self.deviations):
            raise unknown(
                "deviation", f"{rule_id} {region}", [f"{held.rule} {held.region}" for held in self.deviations]
            )
        return replace(self, deviations=left)

    # What it holds

    @property
    def live(self) -> tuple[Rule, ...]:
        """The live rules, in book order."""
        return tuple(rule for rule in self.rules if rule.status == "live")

    @property
    def provides(self) -> tuple[str, ...]:
        """The columns that the book computes itself: its velocity features."""
        return tuple(self.features)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns (or role names) that the events must have, without the book's own features."""
        named = [name for rule in self.rules for name in rule.columns]
        for name, entry in self.features.items():
            named += Feature.from_mapping(name, entry).columns
        named += [held.column for held in self.lists.values() if held.acts and held.column is not None]
        return tuple(dict.fromkeys(name for name in named if name not in self.features))

    @cached_property
    def hash(self) -> str:
        """The content's hash: the same however the YAML is written, another when the meaning changes.

        Titles, owners, reasons, references, known false positives and locks do not count.
        """
        return content_hash(self.to_mapping(), self.lists)

    def diff(self, other: RuleBook) -> list[str]:
        """Return what changes from this book to another, as plain sentences."""
        wanted(other, "RuleBook", name="other")
        return changes(self.to_mapping(), other.to_mapping())

    def frame(self) -> pd.DataFrame:
        """Return one row a rule: rule, title, condition, outcome, priority, status, regions."""
        import pandas as pd

        rows = [
            {
                "rule": rule.id,
                "title": private(rule.title or ""),
                "condition": rule.in_words(),
                "outcome": rule.outcome,
                "priority": rule.priority,
                "status": rule.status,
                "regions": ", ".join(rule.apart),
            }
            for rule in self.rules
        ]
        return pd.DataFrame(rows, columns=["rule", "title", "condition", "outcome", "priority", "status", "regions"])

    def __repr__(self) -> str:
        return (
            f"RuleBook({self.name!r}, {self.domain}, {len(self.rules)} rules, {len(self.live)} live, {self.hash[:12]})"
        )

    def _repr_html_(self) -> str:
        from riskbench.display import html

        line = f"{self.domain}, {self.scope}; {len(self.rules)} rules, {len(self.live)} live; {self.hash[:12]}"
        parts = [html.heading(f"Rule book {self.name}"), html.notes([line])]
        parts.append(html.table(self.frame(), rows=50))
        if self.features:
            parts.append(html.notes([f"Features computed on the way: {', '.join(self.features)}"]))
        acting = [
            f"{name} ({held.kind}, {len(held.values):,} entries)" for name, held in self.lists.items() if held.acts
        ]
        if acting:
            parts.append(html.notes([f"Lists that act by themselves: {', '.join(acting)}"]))
        if self.deviations:
            own = [f"{held.region} from {held.rule} ({held.what}, until {held.expires})" for held in self.deviations]
            parts.append(html.notes([f"Regions deviate: {'; '.join(own)}"]))
        return f'<div style="max-width:70em">{"".join(parts)}</div>'


def _own(rule_id: str, own: object) -> Mapping[str, object]:
    if not isinstance(own, Mapping):
        raise RuleError(
            "A change names the parameter and its value",
            rule=rule_id,
            got=repr(own)[:200],
            allowed='{"TX-001": {"limit": 400}}',
        )
    return own


def _with_lists(rule: Rule, lists: Mapping[str, NamedList]) -> Rule:
    """Return a rule that holds those lists of the book that its condition names."""
    used = {name: lists[name].values for name in rule.predicate.params if name in lists and name not in rule.params}
    return rule if dict(rule.lists) == used else replace(rule, lists=used)


def _said(text: str) -> dict[str, Any]:
    """Return what a text says, as `to_mapping` tells it."""
    return _read_back(text).to_mapping()


@lru_cache(maxsize=4)
def _read_back(text: str) -> RuleBook:
    return RuleBook.from_yaml(text)


def _rebuild(parts: dict[str, Any], rules: tuple[Rule, ...]) -> RuleBook:
    return RuleBook(rules=rules, **parts)
