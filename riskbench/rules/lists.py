"""What is a named list of a rule book? Values that a rule asks for, or that are let pass or stopped by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields
from datetime import date
from typing import Any, Literal, get_args

from riskbench.errors import RuleError
from riskbench.rules.param import Scalar, check_name, plain, unknown

ListKind = Literal["allow", "vip", "block"]
KINDS: tuple[ListKind, ...] = get_args(ListKind)
#: A list may hold this many values.
MAX_VALUES = 10_000
#: What a list's own rule is called.
PREFIX = "LIST-"


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of one value of a list.

    Parameters
    ----------
    owner, reason : str, optional
        Who answers for it, and why it is there.
    expires : str, optional
        The last ISO date on which it counts.
    """

    owner: str | None = None
    expires: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        for name in ("owner", "reason"):
            check_text(name, getattr(self, name))
        check_date(self.expires)


@dataclass(frozen=True, slots=True)
class NamedList:
    """A list of a book: allowed or blocked devices, buyers, countries.

    A rule asks for it with `IN :name`. With a kind and a column it acts by itself, as the rule `LIST-<name>`:
    an allow or VIP list lets pass, a block list stops.

    Parameters
    ----------
    values : tuple
        Numbers or texts, of one type; also `{value: d1, owner: ..., expires: ..., reason: ...}`.
    owner : str, optional
        Who answers for it.
    expires : str, optional
        The last ISO date on which a list of a kind acts; for a plain list, when it is to be looked at again.
    reason : str, optional
        Why it is there.
    kind : {"allow", "vip", "block"}, optional
        What it is for.
    column : str, optional
        The column, or role, of whom it names.
    outcome : str, optional
        What a block list decides; the domain's harshest outcome when not given.
    priority : int
        When its own rule decides; the smallest decides first.
    marks : tuple of (value, Mark)
        What is known of single values.
    """

    values: tuple[Scalar, ...]
    _: KW_ONLY
    owner: str | None = None
    expires: str | None = None
    reason: str | None = None
    kind: ListKind | None = None
    column: str | None = None
    outcome: str | None = None
    priority: int = 0
    marks: tuple[tuple[Scalar, Mark], ...] = ()

    def __post_init__(self) -> None:
        given = self.values
        own = dict(self.marks)
        if isinstance(given, list | tuple) and any(isinstance(entry, Mapping) for entry in given):
            read = [_entry(entry) for entry in given]
            given = tuple(value for value, _ in read)
            own |= {value: mark for value, mark in read if mark is not None}
        held = plain(given)
        if not isinstance(held, tuple):
            raise RuleError("A list holds several values", got=repr(self.values)[:200], allowed="[a, b]")
        if len(held) > MAX_VALUES:
            raise RuleError("The list is too long", got=f"{len(held):,} values", allowed=f"at most {MAX_VALUES:,}")
        object.__setattr__(self, "values", held)
        said = ((value, own[value]) for value in dict.fromkeys(held) if own.get(value, _NOTHING) != _NOTHING)
        object.__setattr__(self, "marks", tuple(said))
        for name in ("owner", "reason", "column", "outcome"):
            check_text(name, getattr(self, name))
        check_date(self.expires)
        if self.kind is not None and self.kind not in KINDS:
            raise unknown("kind", str(self.kind), KINDS)
        if self.outcome is not None and self.kind != "block":
            raise RuleError("Only a block list has an outcome", got=self.outcome, hint="allow and vip lists let pass")
        whole = isinstance(self.priority, int) and not isinstance(self.priority, bool)
        if not whole or not 0 <= self.priority <= 1_000_000:
            raise RuleError("'priority' is a whole number", got=repr(self.priority)[:200], allowed="0 to 1,000,000")

    @property
    def acts(self) -> bool:
        """Whether it decides by itself: it has a kind and a column."""
        return self.kind is not None and self.column is not None

    @property
    def plain(self) -> bool:
        """Whether it is nothing but values."""
        return not self.acts and all(mark.expires is None for _, mark in self.marks)

    def mark(self, value: Scalar) -> Mark:
        """Return what is known of a value; what the list says where the value says nothing of its own."""
        own = dict(self.marks).get(value, Mark())
        return Mark(own.owner or self.owner, own.expires or self.expires, own.reason or self.reason)

    def on(self, day: str | None) -> tuple[Scalar, ...]:
        """Return the values that count on an ISO date; all of them where the day is not known."""
        if day is None or self.plain:
            return self.values
        if self.acts and self.expires is not None and self.expires < day:
            return ()
        over = {value for value, mark in self.marks if mark.expires is not None and mark.expires < day}
        return tuple(value for value in self.values if value not in over)

    @classmethod
    def of(cls, name: str, entry: object) -> NamedList:
        """Return a book's entry, a list or `{values: [...], owner: ...}`, as a named list.

        Raises
        ------
        RuleError
            When it is neither.
        """
        check_name(name)
        if isinstance(entry, NamedList):
            return entry
        try:
            return cls(**_checked(entry)) if isinstance(entry, Mapping) else cls(entry)  # type: ignore[arg-type]
        except RuleError as wrong:
            raise RuleError(
                f"List {name!r}: {wrong.sentence}", got=wrong.got, allowed=wrong.allowed, hint=wrong.hint
            ) from None

    def to_entry(self) -> Any:
        """Return the list as a book's entry."""
        own = dict(self.marks)
        values = [{"value": value, **_said(own[value])} if value in own else value for value in self.values]
        rest = {name: value for name in _WORDS if (value := getattr(self, name)) is not None}
        if self.priority:
            rest["priority"] = self.priority
        return {"values": values, **rest} if rest else values


_WORDS = ("kind", "column", "outcome", "owner", "expires", "reason")


def _entry(entry: object) -> tuple[Scalar, Mark | None]:
    """Return a value of a list and what is said of it."""
    if not isinstance(entry, Mapping):
        value, mark = entry, None
    else:
        known = ("value", *(field.name for field in fields(Mark)))
        for key in entry:
            if key not in known:
                raise unknown("key", str(key), known)
        if "value" not in entry:
            raise RuleError("'value' is missing", allowed="{value: d1, owner: ana, expires: 2026-12-31}")
        value, mark = entry["value"], Mark(**{name: entry[name] for name in known[1:] if name in entry})
    held = plain(value)
    if isinstance(held, tuple):
        raise RuleError("A list holds numbers, text or booleans, not lists", got=repr(value)[:200])
    return held, mark


def _said(mark: Mark) -> dict[str, str]:
    return {name: value for name in ("owner", "expires", "reason") if (value := getattr(mark, name)) is not None}


def check_text(name: str, value: object) -> None:
    """Refuse what is neither text nor nothing.

    Raises
    ------
    RuleError
        When it is a number, a list, or empty text.
    """
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise RuleError(f"{name!r} is not text", got=repr(value)[:200])


def check_date(value: object) -> None:
    """Refuse what is neither an ISO date nor nothing.

    Raises
    ------
    RuleError
        When it is anything else.
    """
    if value is None:
        return
    check_text("expires", value)
    try:
        if date.fromisoformat(str(value)).isoformat() == value:
            return
    except ValueError:
        pass
    raise RuleError("'expires' is not a date", got=str(value)[:200], allowed="2026-12-31")


def _checked(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    known = ("values", *_WORDS, "priority")
    for key in entry:
        if key not in known:
            raise unknown("key", str(key), known)
    if "values" not in entry:
        raise RuleError("'values' is missing", allowed="{values: [a, b], owner: name}")
    return entry


_NOTHING = Mark()
