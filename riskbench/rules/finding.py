"""What is one thing that is wrong or odd in a rule book, and how is it told?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from riskbench.errors import RiskbenchError, RuleError

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or odd in a book.

    Attributes
    ----------
    what : str
        One sentence.
    severity : {"error", "warning"}
        A book with an error cannot be used.
    line : int or None
        The line in the file, counted from 1.
    rule : str or None
        The rule's id.
    place : str
        The line of text with carets under the place; empty when there is none.
    allowed, hint : str or None
        What would be right, and what to try.
    """

    what: str
    _: KW_ONLY
    severity: Severity = "error"
    line: int | None = None
    rule: str | None = None
    place: str = ""
    allowed: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        head = ", ".join(
            part
            for part in (f"line {self.line}" if self.line else "", f"rule {self.rule}" if self.rule else "")
            if part
        )
        lines = [f"{head}: {self.what}" if head else self.what]
        lines += [self.place] if self.place else []
        lines += [f"    Allowed: {self.allowed}"] if self.allowed else []
        lines += [f"    Hint: {self.hint}"] if self.hint else []
        return "\n".join(lines)


def finding_of(wrong: RiskbenchError, line: int | None, rule: str | None) -> Finding:
    """Return an error as a finding on a line."""
    place = wrong.place if isinstance(wrong, RuleError) else ""
    what = wrong.sentence if isinstance(wrong, RuleError) else wrong.what
    what = re.sub(r"^Line \d+, column \d+: ", "", what)
    got = f" (got {wrong.got})" if wrong.got is not None else ""
    what = what.rstrip(".") + got
    allowed = str(wrong.allowed) if wrong.allowed is not None else None
    return Finding(what, line=line, rule=rule, place=place, allowed=allowed, hint=wrong.hint)


def raise_findings(findings: Iterable[Finding]) -> None:
    """Raise one error that lists every mistake; nothing when there is none."""
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return
    if len(errors) == 1:
        raise RuleError(f"The rule book has a mistake.\n{errors[0]}") from None
    shown = "\n".join(f"{place}. {finding}" for place, finding in enumerate(errors[:50], start=1))
    more = f"\n... and {len(errors) - 50} more" if len(errors) > 50 else ""
    raise RuleError(f"The rule book has {len(errors)} mistakes.\n{shown}{more}") from None
