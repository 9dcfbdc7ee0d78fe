"""What is a named list of a rule book? Values that a condition asks for with `IN :name`, and who answers for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import date
from typing import Any

from riskbench.errors import RuleError
from riskbench.rules.param import Scalar, check_name, plain, unknown

#: A list may hold this many values.
MAX_VALUES = 10_000


@dataclass(frozen=True, slots=True)
class NamedList:
    """A list of a book: allowed or blocked devices, buyers, countries.

    Parameters
    ----------
    values : tuple
        Numbers or texts, of one type.
    owner : str, optional
        Who answers for it.
    expires : str, optional
        The ISO date after which it is to be looked at again.
    reason : str, optional
        Why it is there.
    """

    values: tuple[Scalar, ...]
    _: KW_ONLY
    owner: str | None = None
    expires: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        held = plain(self.values)
        if not isinstance(held, tuple):
            raise RuleError("A list holds several values", got=repr(self.values)[:200], allowed="[a, b]")
        if len(held) > MAX_VALUES:
            raise RuleError("The list is too long", got=f"{len(held):,} values", allowed=f"at most {MAX_VALUES:,}")
        object.__setattr__(self, "values", held)
        for name in ("owner", "reason", "expires"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise RuleError(f"{name!r} is not text", got=repr(value)[:200])
        if self.expires is not None:
            try:
                date.fromisoformat(self.expires)
            except ValueError:
                raise RuleError("'expires' is not a date", got=self.expires[:200], allowed="2026-12-31") from None

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
        rest = {name: value for name in ("owner", "expires", "reason") if (value := getattr(self, name)) is not None}
        return {"values": list(self.values), **rest} if rest else list(self.values)


def _checked(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    known = ("values", "owner", "expires", "reason")
    for key in entry:
        if key not in known:
            raise unknown("key", str(key), known)
    if "values" not in entry:
        raise RuleError("'values' is missing", allowed="{values: [a, b], owner: name}")
    return entry
