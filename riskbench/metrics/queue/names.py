"""What is each queue called, and which one does a key speak of? No two queues bear one name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from riskbench.errors import ParameterError, listed, nearest
from riskbench.metrics.queue.hours import said

#: What the row of all queues together is called, and cases whose queue is not told.
TOGETHER, MISSING = "(all queues)", "(missing)"


def named(parts: Sequence[Sequence[str | None]]) -> tuple[str, ...]:
    """Return the name of each queue: its parts, joined; in quotes where two queues would bear one name.

    Parameters
    ----------
    parts : sequence of sequences of str or None
        The values that part each queue from the others; None where one is missing. No two are the same.

    Examples
    --------
    >>> named([("cards", "id"), ("cards", None)])
    ('cards / id', 'cards / (missing)')
    >>> named([("a / b", "c"), ("a", "b / c")])
    ("'a / b' / 'c'", "'a' / 'b / c'")
    >>> named([("(missing)",), (None,), ("(all queues)",)])
    ("'(missing)'", '(missing)', "'(all queues)'")
    """
    plain = [_plain(own) for own in parts]
    often = Counter([*plain, TOGETHER])
    held: list[str] = []
    for own, name in zip(parts, plain, strict=True):
        told, turn = name if often[name] == 1 else _quoted(own), 1
        while told in held or (told != name and told in often):
            turn += 1
            told = f"{_quoted(own)} ({turn})"
        held.append(told)
    return tuple(held)


def queue_named(key: object, names: Sequence[str]) -> str | None:
    """Return the queue that a key speaks of, None where there is none.

    >>> queue_named(None, ["0", "(missing)"]), queue_named(0, ["0"]), queue_named(("a", "b"), ["a / b"])
    ('(missing)', '0', 'a / b')
    """
    own = tuple(_part(part) for part in (key if isinstance(key, tuple) else (key,)))
    return next((name for name in (_plain(own), _quoted(own)) if name in names), None)


def keyed(given: Mapping[object, object], names: Sequence[str], what: str) -> dict[str, object]:
    """Return a mapping by queue under the names of the queues.

    Raises
    ------
    ParameterError
        For a queue that is not there, or is named twice.
    """
    held: dict[str, object] = {}
    for key, value in given.items():
        name = queue_named(key, names)
        if name is None:
            close = nearest(said(key).strip("'"), names)
            raise ParameterError(
                f"{what} names {said(key)}, and there is no such queue",
                allowed=listed(names),
                hint=f"did you mean {close!r}?" if close else None,
            )
        if name in held:
            raise ParameterError(f"{what} names {name!r} twice", got=listed(said(one) for one in given))
        held[name] = value
    return held


def _part(given: object) -> str | None:
    if given is None or given is pd.NaT or given is pd.NA or (isinstance(given, float) and given != given):  # noqa: PLR0124
        return None
    return given if isinstance(given, str) else said(given.item() if hasattr(given, "item") else given)


def _plain(parts: Sequence[str | None]) -> str:
    return " / ".join(MISSING if part is None else part for part in parts)


def _quoted(parts: Sequence[str | None]) -> str:
    return " / ".join(MISSING if part is None else repr(part) for part in parts)
