"""What can go wrong, in one family: each error says what was wrong, what was got, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping


def nearest(name: str, choices: Iterable[str], *, least: float = 0.6) -> str | None:
    """Return the choice that looks most like `name`, or None when nothing does: `least` of 1 is the same text.

    >>> nearest("amuont", ["amount", "region"])
    'amount'
    """
    by_fold = {str(choice).casefold(): str(choice) for choice in choices}
    close = difflib.get_close_matches(str(name).casefold(), list(by_fold), n=1, cutoff=least)
    return by_fold[close[0]] if close else None


def listed(names: Iterable[object], *, most: int = 12) -> str:
    """Return names as text, cut after `most` of them.

    >>> listed(["b", "a"])
    'b, a'
    """
    texts = [str(name) for name in names]
    if not texts:
        return "(none)"
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")


#: What was handed in is told in this many characters at most.
MOST_GOT = 200


def shortened(value: object) -> str:
    """Return what was handed in as text, its middle left out where it is long.

    >>> len(shortened("a" * 10_000)), shortened("short")
    (200, 'short')
    """
    try:
        text = str(value)
    except (TypeError, ValueError, RecursionError):  # a number too long to print, or a class whose own text fails
        return f"a {type(value).__name__} that cannot be printed"
    if len(text) <= MOST_GOT:
        return text
    end = MOST_GOT // 4
    return f"{text[: MOST_GOT - end - 3]}...{text[-end:]}"


class RiskbenchError(Exception):
    """The base of every error that riskbench raises on purpose.

    Parameters
    ----------
    what : str
        What was wrong, as one sentence.
    got : object, optional
        What was handed in; the message tells its ends in at most 200 characters.
    allowed : object, optional
        What would have been right.
    hint : str, optional
        What to try next.
    """

    exit_code = 2

    def __init__(self, what: str, *, got: object = None, allowed: object = None, hint: str | None = None) -> None:
        self.what, self.got, self.allowed, self.hint = what, got, allowed, hint
        lines = [what if what.endswith((".", "?", "!")) or "\n" in what else f"{what}."]
        if got is not None:
            lines.append(f"Got: {shortened(got)}")
        if allowed is not None:
            lines.append(f"Allowed: {allowed}")
        if hint:
            lines.append(f"Hint: {hint}")
        self.message = "\n".join(lines)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class ConfigError(RiskbenchError):
    """A setting is unknown or has a wrong value."""


class DataError(RiskbenchError):
    """The data cannot be read or does not have the shape that was declared."""


class ColumnNotFoundError(DataError, KeyError):
    """A column that was asked for is not in the data."""

    @classmethod
    def among(cls, missing: str, available: Iterable[str], *, role: str | None = None) -> ColumnNotFoundError:
        """Return the error for one missing column, naming the nearest one there is."""
        names = list(available)
        close = nearest(missing, names)
        wanted = f"Column {missing!r}, named for the role {role!r}," if role else f"Column {missing!r}"
        return cls(
            f"{wanted} is not in the data.",
            allowed=f"one of {listed(names)}",
            hint=f"did you mean {close!r}?" if close else None,
        )


class EngineError(RiskbenchError):
    """A query failed or took too long."""

    exit_code = 1


class RuleError(RiskbenchError):
    """A rule or rule book is wrong: carries the rule's id and the place in its text.

    Parameters
    ----------
    what : str
        What was wrong.
    rule : str, optional
        The id of the rule.
    text : str, optional
        The rule's text.
    start, end : int, optional
        The first character of the wrong place, and one past its last.
    """

    def __init__(
        self,
        what: str,
        *,
        rule: str | None = None,
        text: str | None = None,
        start: int | None = None,
        end: int | None = None,
        got: object = None,
        allowed: object = None,
        hint: str | None = None,
    ) -> None:
        self.sentence, self.rule, self.text, self.start, self.end = what, rule, text, start, end
        head = f"Rule {rule}: {what}" if rule else what
        if self.place:
            head = head if head.endswith((".", "?", "!")) else f"{head}."
            head = f"{head}\n{self.place}"
        super().__init__(head, got=got, allowed=allowed, hint=hint)

    @property
    def place(self) -> str:
        """The line of the rule's text with carets under the wrong place; empty when none is known."""
        if self.text is None or self.start is None or not 0 <= self.start <= len(self.text):
            return ""
        return _caret(self.text, self.start, self.end if self.end is not None else self.start + 1)

    def of(self, rule: str | None) -> RuleError:
        """Return the same error with a rule's id before it."""
        return RuleError(
            self.sentence,
            rule=rule,
            text=self.text,
            start=self.start,
            end=self.end,
            got=self.got,
            allowed=self.allowed,
            hint=self.hint,
        )


def _caret(text: str, start: int, end: int) -> str:
    """Return the line of `text` that holds `start`, with carets under start..end."""
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    lead, width = start - line_start, max(1, min(end, line_end) - start)
    line = text[line_start:line_end].replace("\t", " ")
    if lead > 100:
        line, lead = "..." + line[lead - 60 :], 63
    return f"    {line[:200]}\n    {' ' * lead}{'^' * min(width, 120)}"


class InfeasibleError(RiskbenchError):
    """No cut meets the constraints; `nearest_point` holds the cut that comes closest."""

    exit_code = 3

    def __init__(
        self,
        what: str,
        *,
        nearest_point: Mapping[str, float | str | None] | None = None,
        got: object = None,
        allowed: object = None,
        hint: str | None = None,
    ) -> None:
        self.nearest_point = dict(nearest_point or {})
        super().__init__(what, got=got, allowed=allowed, hint=hint)


class ParameterError(RiskbenchError):
    """A parameter of a verb or a playbook is unknown, of a wrong type, or out of range."""


class PlaybookError(RiskbenchError):
    """A playbook cannot be found, read or run."""


class StoreError(RiskbenchError):
    """The store cannot be opened or written."""

    exit_code = 1


class MissingDependencyError(RiskbenchError, ImportError):
    """An optional library is missing; the message holds the line that installs it."""

    @classmethod
    def extra(cls, library: str, extra: str) -> MissingDependencyError:
        """Return the error for a library that comes with an extra of riskbench."""
        return cls(
            f"{library} is needed for this and is not installed.",
            hint=f"pip install 'riskbench[{extra}]'",
        )
