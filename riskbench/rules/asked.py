"""How did each condition come out for one event: what was there, does it hold, and how far off was it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from riskbench.data.dataset import Dataset
from riskbench.data.velocity import Feature
from riskbench.engine.kernel import evaluate
from riskbench.engine.leaves import Leaf
from riskbench.engine.project import values
from riskbench.engine.tree import Node, Not
from riskbench.rules.book import RuleBook

#: Words for a condition that is not met and has no distance.
_WORDS = {"=": "not equal", "<>": "equal", "in": "not in the list", "not in": "in the list"}
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Asked:
    """How one condition came out.

    Attributes
    ----------
    holds : bool or None
        Whether it is true by itself; None where a missing value leaves it unknown.
    passed : bool or None
        Whether it came out as the rule needs it.
    actual : str
        What was there, for a reader.
    distance, share : float or None
        How far the value lies from what is asked, in the column's own unit (seconds for times), and as a share of the
        cut; None where it passes, is missing, or is no number.
    told : str
        The distance in words.
    hidden : bool
        Whether the value is not shown.
    """

    holds: bool | None
    passed: bool | None
    actual: str
    distance: float | None
    share: float | None
    told: str
    hidden: bool


def hidden_columns(book: RuleBook, dataset: Dataset) -> frozenset[str]:
    """Return the columns whose values are not shown: ids, entities, and what velocity features count by."""
    named = {dataset.roles.id, *dataset.roles.entities}
    aliases = dataset.roles.named()
    for name, entry in book.features.items():
        named |= {aliases.get(column, column) for column in Feature.from_mapping(name, entry).by}
    ids = {name for name in dataset.names if name.casefold() == "id" or name.casefold().endswith("_id")}
    return frozenset(named | ids)


def asked(leaves: Sequence[Leaf], one: Dataset, *, hidden: frozenset[str]) -> list[Asked]:
    """Return how conditions came out for the one event of a dataset."""
    if not leaves:
        return []
    nodes: list[Node] = [node for leaf in leaves for node in (leaf.node, Not(leaf.node))]
    bits = evaluate(nodes, one.table)
    terms = list(dict.fromkeys(text for leaf in leaves if leaf.value for text in (leaf.value, *leaf.against)))
    names = list(dict.fromkeys(name for leaf in leaves for name in leaf.columns))
    events = one.table.to_arrow(names) if names else None
    found = dict(zip(terms, (line[0] for line in values(terms, events, rows=1)), strict=True)) if terms else {}
    cells = {name: (events.column(name)[0].as_py() if events is not None else None) for name in names}
    made = []
    for place, leaf in enumerate(leaves):
        true, false = bool(bits.mask(2 * place)[0]), bool(bits.mask(2 * place + 1)[0])
        holds = True if true else False if false else None
        made.append(_asked(leaf, cells, found, holds=holds, secret=bool(hidden.intersection(leaf.columns))))
    return made


def _asked(
    leaf: Leaf, cells: dict[str, object], found: dict[str, object], *, holds: bool | None, secret: bool
) -> Asked:
    passed = None if holds is None else holds == leaf.needed
    distance, share, told = None, None, ""
    if passed is None:
        told = "a value is missing"
    elif passed is False:
        value = found.get(leaf.value) if leaf.value is not None else None
        against = [held for text in leaf.against if (held := found.get(text)) is not None]
        distance, cut = _distance(leaf.sign, value, against)
        share = distance / abs(cut) if distance is not None and cut else None
        if distance is None or secret:
            distance, share = None, None
            told = _WORDS.get(leaf.sign or "", "is not so" if leaf.needed else "is so")
        else:
            told = _said(distance, cut, value, leaf)
    return Asked(holds, passed, _actual(leaf, cells, found, holds=holds, secret=secret), distance, share, told, secret)


def _distance(sign: str | None, value: object, against: list[object]) -> tuple[float | None, float | None]:
    """Return how far a value lies from coming out as asked, and the cut in its way."""
    number, cuts = _number(value), [cut for held in against if (cut := _number(held)) is not None]
    if sign is None or number is None or not cuts or len(cuts) < len(against):
        return None, None
    if sign in ("not in", "<>"):
        return None, None  # any other value will do
    if sign == "not between":
        cut = min(cuts, key=lambda end: abs(end - number))
        return abs(number - cut), cut
    if sign == "between":
        cut = cuts[0] if number < cuts[0] else cuts[-1]
        return abs(number - cut), cut
    cut = min(cuts, key=lambda end: abs(end - number))
    return abs(number - cut), cut


def _number(value: object) -> float | None:
    """Return a value as a number; a time as seconds."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001 - times inside are naive and mean UTC
    if isinstance(value, int | float) and np.isfinite(value):
        return float(value)
    return None


def _said(distance: float, cut: float | None, value: object, leaf: Leaf) -> str:
    assert cut is not None
    number = _number(value)
    side = "below" if number is not None and number < cut else "above"
    if leaf.sign in ("not between", "in") or (leaf.sign == "=" and distance):
        side = "from the nearest value" if leaf.sign == "in" else "inside" if leaf.sign == "not between" else side
    if distance == 0:
        return "exactly at the cut"
    size = _span(distance) if isinstance(value, datetime) else f"{distance:,.6g}"
    return f"{size} {side}"


def _span(seconds: float) -> str:
    """Return a stretch of time as a reader says it.

    >>> _span(90061), _span(59)
    ('1 d 1 h', '59 s')
    """
    whole = round(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    told = [f"{count:,} {unit}" for count, unit in parts if count]
    return " ".join(told[:2]) or "0 s"


def _actual(leaf: Leaf, cells: dict[str, object], found: dict[str, object], *, holds: bool | None, secret: bool) -> str:
    """Return what was there; of hidden columns only whether it matched."""
    if not leaf.columns:
        return "the same for every event"
    if secret:
        missing = any(cells[name] is None for name in leaf.columns)
        return "(missing)" if missing else "(hidden, matches)" if holds else "(hidden, does not match)"
    if len(leaf.columns) == 1 and leaf.value in (None, f'"{leaf.columns[0]}"'):
        return _cell(cells[leaf.columns[0]])
    told = ", ".join(f"{name} = {_cell(cells[name])}" for name in leaf.columns)
    single = leaf.value is None or leaf.value.startswith('"')
    return told if single else f"{_cell(found.get(str(leaf.value)))} ({told})"


def _cell(value: object) -> str:
    if value is None:
        return "(missing)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:,.10g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    text = str(value)
    return "'" + (text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "...") + "'"
