"""What is a region's deviation from a global book? Other values, or a rule that is off: why, by whom, until when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from riskbench.errors import RuleError, listed
from riskbench.rules.doors import a_text
from riskbench.rules.lists import check_date, check_text
from riskbench.rules.param import ParamValue, listed_value, plain, unknown

if TYPE_CHECKING:
    from riskbench.rules.rule import Rule

#: What can be locked in a rule beside its parameters.
LOCKABLE = ("outcome", "priority", "status", "when")
DEVIATION_KEYS = ("rule", "region", "params", "off", "reason", "approver", "expires")


@dataclass(frozen=True, slots=True)
class Deviation:
    """What one region does otherwise than the book.

    Parameters
    ----------
    rule, region : str
        The rule's id, and a segment of the region role.
    params : mapping of str to value
        The region's own values.
    off : bool
        Whether the rule does not act there at all.
    reason, approver : str
        Why, and who agreed.
    expires : str
        The last ISO date on which it holds.

    Examples
    --------
    >>> from riskbench import Deviation
    >>> Deviation("TX-001", "JKT", params={"limit": 5}, reason="payday", approver="ana", expires="2027-01-31").what
    'limit 5'
    """

    rule: str
    region: str
    _: KW_ONLY
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    off: bool = False
    reason: str
    approver: str
    expires: str

    def __post_init__(self) -> None:
        for name in ("rule", "region", "reason", "approver", "expires"):
            if getattr(self, name) is None:
                raise RuleError(f"{name!r} is missing")
            check_text(name, getattr(self, name))
        check_date(self.expires)
        if not isinstance(self.off, bool):
            raise RuleError("'off' is true or left out", got=repr(self.off)[:200])
        if not isinstance(self.params, Mapping):
            raise RuleError("'params' maps a name to a value", got=repr(self.params)[:200], allowed="{limit: 200}")
        if self.off and self.params:
            raise RuleError("A rule that is off has no values", hint="leave out 'off' or 'params'")
        if not self.off and not self.params:
            raise RuleError("A deviation changes something", allowed="params: {limit: 200}, or off: true")
        held = {str(name): plain(value) for name, value in self.params.items()}
        object.__setattr__(self, "params", MappingProxyType(held))

    def __hash__(self) -> int:
        return hash((self.rule, self.region, self.off, tuple(self.params), self.expires))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Deviation.of, (self.to_entry(),))

    @property
    def what(self) -> str:
        """What the region does otherwise, in words."""
        from riskbench.rules.param import number

        return "off" if self.off else ", ".join(f"{name} {number(value)}" for name, value in self.params.items())

    def holds(self, day: str | None) -> bool:
        """Return whether it holds on an ISO date; yes where the day is not known."""
        a_text(day, name="day")
        return day is None or day <= self.expires

    @classmethod
    def of(cls, entry: object) -> Deviation:
        """Return an entry of a book's `deviations`.

        Raises
        ------
        RuleError
            When something is missing, unknown or of the wrong form.
        """
        if isinstance(entry, Deviation):
            return entry
        if not isinstance(entry, Mapping):
            raise RuleError("A deviation is a mapping", got=repr(entry)[:200], allowed=", ".join(DEVIATION_KEYS))
        for key in entry:
            if key not in DEVIATION_KEYS:
                raise unknown("key", str(key), DEVIATION_KEYS)
        missing = [name for name in ("rule", "region", "reason", "approver", "expires") if entry.get(name) is None]
        if missing:
            raise RuleError(f"A deviation lacks {listed([repr(name) for name in missing])}")
        return cls(**entry)

    def to_entry(self) -> dict[str, Any]:
        """Return the deviation as a book's entry."""
        made: dict[str, Any] = {"rule": self.rule, "region": self.region}
        if self.off:
            made["off"] = True
        else:
            made["params"] = {name: listed_value(value) for name, value in self.params.items()}
        return made | {"reason": self.reason, "approver": self.approver, "expires": self.expires}


def troubles(
    deviation: Deviation, rules: Mapping[str, Rule], locked: Iterable[str], earlier: Iterable[Deviation] = ()
) -> Iterator[tuple[str, RuleError]]:
    """Yield what is wrong with a deviation in its book, each with the key that is to blame.

    Parameters
    ----------
    deviation : Deviation
        What a region does otherwise.
    rules : mapping of str to Rule
        The book's rules by id.
    locked : iterable of str
        What is locked in the whole book.
    earlier : iterable of Deviation
        The deviations above it.
    """
    name, region = deviation.rule, deviation.region
    rule = rules.get(name)
    if rule is None:
        yield "rule", unknown("rule", name, rules)
        return
    shut = {*locked, *rule.locked}
    if deviation.off and "status" in shut:
        yield "off", RuleError("The rule cannot be off in a region: its status is locked", rule=name)
    for param, value in deviation.params.items():
        if param not in rule.params:
            yield "params", unknown("parameter", param, rule.params, rule=name)
            continue
        if param in shut:
            yield "params", RuleError(f"The parameter {param!r} is locked: it is the same in every region", rule=name)
        try:
            rule.params[param].check(value)
        except RuleError as wrong:
            what = f"Region {region!r}, parameter {param!r}: {wrong.sentence}"
            yield "params", RuleError(what, rule=name, got=wrong.got, allowed=wrong.allowed)
        if param in rule.regions.get(region, {}):
            what = f"The rule's own 'regions' sets {param!r} in {region!r} too"
            yield "params", RuleError(what, rule=name, hint="keep one of the two")
    if region in rule.off:
        yield "region", RuleError(f"The rule is off in {region!r} already", rule=name, hint="keep one of the two")
    for other in earlier:
        if (other.rule, other.region) != (name, region):
            continue
        both = [param for param in deviation.params if param in other.params]
        if both or deviation.off or other.off:
            about = listed([repr(param) for param in both]) if both else "the whole rule"
            yield "region", RuleError(f"Two deviations of {region!r} are about {about}", rule=name, hint="keep one")


def locks_broken(rule: Rule, locked: Iterable[str]) -> Iterator[RuleError]:
    """Yield where a rule's own regions set what is locked in the whole book."""
    shut = set(locked)
    for region, own in rule.regions.items():
        for param in own:
            if param in shut:
                yield RuleError(f"Region {region!r} sets {param!r}, which is locked", rule=rule.id)
    if rule.off and "status" in shut:
        yield RuleError("The rule is off in a region, but its status is locked", rule=rule.id)


def checked_locks(value: object, params: Iterable[str], *, rule: str | None = None) -> tuple[str, ...]:
    """Return what is locked.

    Raises
    ------
    RuleError
        When it is no list of parameters, or of outcome, priority, status, when.
    """
    held = (value,) if isinstance(value, str) else value
    if not isinstance(held, list | tuple) or not all(isinstance(word, str) for word in held):
        raise RuleError("'locked' is a list of names", rule=rule, got=repr(value)[:200], allowed="[limit, outcome]")
    known = [*params, *LOCKABLE]
    for word in held:
        if word not in known:
            raise unknown("field to lock", word, known, rule=rule)
    return tuple(dict.fromkeys(held))
