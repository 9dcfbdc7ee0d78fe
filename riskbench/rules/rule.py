"""What is one rule? A condition, what it decides, and the values an analyst may move."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from riskbench.engine.columns import Kind
from riskbench.engine.tree import Constant, Node
from riskbench.errors import RuleError
from riskbench.rules.deviation import checked_locks, locks_broken
from riskbench.rules.doors import a_text, column_kinds, mapping, whole
from riskbench.rules.param import (
    Param,
    ParamValue,
    Scalar,
    checked_params,
    checked_regions,
    listed_value,
    number,
    param_entry,
    unknown,
)

if TYPE_CHECKING:
    from riskbench.engine.parse import Predicate

Status = Literal["draft", "shadow", "live", "retired"]
STATUSES: tuple[Status, ...] = get_args(Status)
#: The largest priority, either way.
FURTHEST = 1_000_000_000
_ID = re.compile(r"[^\s.:,/\\\x00-\x1f\x7f]{1,80}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: when it hits, and what it then decides.

    Parameters
    ----------
    id : str
        The rule's name in every table; without blanks, dots, colons, commas and slashes.
    when : str
        The condition, in the rule language (docs/rule-language.md).
    outcome : str
        One of the domain's outcomes.
    params : mapping of str to Param or plain value
        The values behind `:name` in the condition; a plain value is a default without bounds.
    priority : int
        The smallest number decides first.
    regions : mapping of str to mapping
        A region's own parameter values.
    status : {"draft", "shadow", "live", "retired"}
        Hits are shown for every rule; outcomes are decided by live ones only.
    owner, version, title : str, optional
        Who answers for it, which version it is, what it is for.
    references : sequence of str
        Incidents, tickets, policies.
    falsepositives : sequence of str
        Good customers whom it is known to hit.
    off : sequence of str
        Regions in which it does not act.
    locked : sequence of str
        What no region may change: parameters, or outcome, priority, status, when.

    Examples
    --------
    >>> from riskbench import Rule
    >>> rule = Rule("TX-1", "amount > :limit", "review", params={"limit": 100}, regions={"JKT": {"limit": 200}})
    >>> rule.values(), rule.values("JKT")
    ({'limit': 100}, {'limit': 200})
    """

    id: str
    when: str
    outcome: str
    _: KW_ONLY
    params: Mapping[str, Param] = field(default_factory=dict)
    priority: int = 100
    regions: Mapping[str, Mapping[str, ParamValue]] = field(default_factory=dict)
    status: Status = "draft"
    owner: str | None = None
    version: str | None = None
    title: str | None = None
    references: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()
    #: The book's lists that the condition names; the book fills them in.
    lists: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_id(self.id)
        if not isinstance(self.when, str):
            raise RuleError("'when' is not text", rule=self.id, got=repr(self.when)[:200])
        if not isinstance(self.outcome, str) or not self.outcome.strip():
            raise RuleError("A rule needs an outcome", rule=self.id, got=repr(self.outcome)[:200])
        object.__setattr__(self, "when", self.when.strip())
        object.__setattr__(self, "outcome", self.outcome.strip())
        if not whole(self.priority, low=-FURTHEST, high=FURTHEST):
            got = repr(self.priority)[:200]
            raise RuleError("'priority' is a whole number", rule=self.id, got=got, allowed=f"to {FURTHEST:,}")
        if not isinstance(self.status, str) or self.status not in STATUSES:
            raise unknown("status", str(self.status), STATUSES, rule=self.id)
        for name in ("owner", "version", "title"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise RuleError(f"{name!r} is not text", rule=self.id, got=repr(value)[:200])
            if value is not None:
                object.__setattr__(self, name, " ".join(value.split()) or None)
        for name in ("references", "falsepositives"):
            object.__setattr__(self, name, texts(getattr(self, name), name, rule=self.id))
        object.__setattr__(self, "params", checked_params(self.params, rule=self.id))
        object.__setattr__(self, "regions", checked_regions(self.regions, self.params, rule=self.id))
        object.__setattr__(self, "off", texts(self.off, "off", rule=self.id))
        object.__setattr__(self, "locked", checked_locks(self.locked, self.params, rule=self.id))
        for broken in locks_broken(self, self.locked):
            raise broken
        object.__setattr__(self, "lists", MappingProxyType({k: tuple(v) for k, v in self.lists.items()}))

    def __hash__(self) -> int:
        return hash((self.id, self.when, self.outcome, self.priority, self.status))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.to_mapping(), {name: list(held) for name, held in self.lists.items()}))

    @property
    def predicate(self) -> Predicate:
        """The condition as it was read.

        Raises
        ------
        RuleError
            When it cannot be read; points at the place.
        """
        from riskbench.engine.parse import parse

        return parse(self.when, rule=self.id)

    @property
    def columns(self) -> tuple[str, ...]:
        """The column and role names in the condition, as written."""
        return self.predicate.columns

    def values(self, region: str | None = None) -> dict[str, ParamValue]:
        """Return each parameter's value, in one region or where none has its own."""
        a_text(region, name="region")
        own = self.regions.get(region, {}) if region is not None else {}
        return {name: own.get(name, param.default) for name, param in self.params.items()}

    @property
    def apart(self) -> tuple[str, ...]:
        """The regions in which it acts otherwise than elsewhere, or not at all."""
        return tuple(dict.fromkeys([*self.regions, *self.off]))

    def bind(
        self,
        kinds: Mapping[str, Kind],
        *,
        region: str | None = None,
        aliases: Mapping[str, str] | None = None,
        values: Mapping[str, object] | None = None,
    ) -> Node:
        """Return the condition checked against columns, with the parameters of one region put in.

        In a region where the rule is off it is a condition that is never true.

        Parameters
        ----------
        kinds : mapping of str to kind
            Each column's kind.
        region : str, optional
            The region whose own values hold.
        aliases : mapping of str to str, optional
            Role name to column name.
        values : mapping, optional
            Values that replace the rule's own.

        Raises
        ------
        RuleError
            When the condition does not fit the columns; points at the place.
        """
        from riskbench.engine.bind import bind

        column_kinds(kinds)
        mapping(aliases, name="aliases", allowed='{"id": "order_id"}')
        mapping(values, name="values", allowed='{"limit": 400}')
        params = {**self.lists, **self.values(region), **(values or {})}
        node = bind(self.predicate, kinds, params=params, rule=self.id, aliases=aliases)
        return Constant(False) if region is not None and region in self.off else node

    def with_params(self, values: Mapping[str, object], *, region: str | None = None) -> Rule:
        """Return the rule with other defaults, or with other values in one region.

        Raises
        ------
        RuleError
            For a parameter that the rule does not have, or a value that is not allowed.
        """
        mapping(values, name="values", allowed='{"limit": 400}', optional=False)
        a_text(region, name="region")
        checked = {name: self._checked(name, value) for name, value in values.items()}
        if region is not None:
            own = {**self.regions, region: {**self.regions.get(region, {}), **checked}}
            return replace(self, regions=own)
        params = {name: replace(p, default=checked.get(name, p.default)) for name, p in self.params.items()}
        return replace(self, params=params)

    def _checked(self, name: str, value: object) -> ParamValue:
        if name not in self.params:
            raise unknown("parameter", name, self.params, rule=self.id)
        try:
            return self.params[name].check(value)
        except RuleError as wrong:
            raise RuleError(
                f"Parameter {name!r}: {wrong.sentence}", rule=self.id, got=wrong.got, allowed=wrong.allowed
            ) from None

    def to_mapping(self) -> dict[str, Any]:
        """Return the rule as the entry of a book: plain values, defaults left out."""
        entry: dict[str, Any] = {"id": self.id}
        if self.title is not None:
            entry["title"] = self.title
        entry["when"] = self.when
        if self.params:
            entry["params"] = {name: param_entry(param) for name, param in self.params.items()}
        if self.regions:
            entry["regions"] = {
                region: {name: listed_value(value) for name, value in own.items()}
                for region, own in self.regions.items()
            }
        entry |= {"outcome": self.outcome, "priority": self.priority, "status": self.status}
        for name in ("owner", "version"):
            if getattr(self, name) is not None:
                entry[name] = getattr(self, name)
        for name in ("references", "falsepositives", "off", "locked"):
            if getattr(self, name):
                entry[name] = list(getattr(self, name))
        return entry

    def in_english(self) -> str:
        """Return the rule as a sentence, for readers who write no SQL."""
        from riskbench.rules.exchange.english import rule_in_english

        return rule_in_english(self)

    def in_words(self) -> str:
        """Return the condition with its default values put in, for people to read."""
        text = self.when
        for name, param in self.params.items():
            shown = number(param.default) + (f" {param.unit}" if param.unit else "")
            text = re.sub(rf":{re.escape(name)}\b", shown.replace("\\", r"\\"), text)
        return " ".join(text.split())


def _rebuild(entry: dict[str, Any], lists: dict[str, Any]) -> Rule:
    return Rule(**entry, lists=lists)


def check_id(value: object) -> str:
    """Return a rule's id.

    Raises
    ------
    RuleError
        When it cannot be one.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise RuleError(
            "A rule needs an id",
            got=repr(value)[:200],
            allowed="text of 1 to 80 characters without blanks . : , / \\",
            hint="such as TX-001",
        )
    return value


def texts(value: object, name: str, *, rule: str | None = None) -> tuple[str, ...]:
    """Return one text or a list of them as a tuple."""
    held: tuple[object, ...] = (value,)
    if not isinstance(value, str):
        held = tuple(value) if isinstance(value, list | tuple) else (None,)
    if not all(isinstance(entry, str) for entry in held):
        raise RuleError(f"{name!r} is text or a list of texts", rule=rule, got=repr(value)[:200])
    return held  # type: ignore[return-value]
