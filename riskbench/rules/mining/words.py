"""How is a conjunction written as a rule that a person reads, and what must its reader know?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from riskbench.data.money import NO_CURRENCY
from riskbench.errors import ParameterError, RuleError
from riskbench.rules.mining.field import Field
from riskbench.rules.mining.pieces import Piece, spelled
from riskbench.rules.param import Param
from riskbench.rules.placing import priority_for
from riskbench.rules.rule import Rule

if TYPE_CHECKING:
    from riskbench.rules.mining.cover import Cover


def ways(monotone: Mapping[str, int] | None, field: Field) -> dict[str, int]:
    """Return which way a cut on each column may point.

    Raises
    ------
    ColumnNotFoundError
        When there is no such column.
    ParameterError
        When a way is neither +1 nor -1, or a column holds words or times.
    """
    made = {}
    for name, way in (monotone or {}).items():
        if isinstance(way, bool) or way not in (1, -1):
            raise ParameterError(f"The way of {name!r} is +1 or -1", got=repr(way), hint="+1: more is more suspicious")
        column = field.events.resolve(name)
        if field.events.kinds[column] in ("string", "time"):
            raise ParameterError(f"{name!r} has no order to point along", got=field.events.kinds[column])
        made[column] = int(way)
    return made


def drafted(pieces: Sequence[Piece], name: str, outcome: str, field: Field) -> Rule | None:
    """Return conditions as a draft; its cuts are parameters with bounds. None where the text cannot be read back."""
    events = field.events
    ordered = sorted(pieces, key=lambda piece: (events.names.index(piece.column), piece.shape))
    text, values = spelled(ordered)
    params = {}
    for param, piece in zip(values, [piece for piece in ordered if piece.shape in (">=", "<")], strict=True):
        params[param] = bounded(piece, field)
    try:
        rule = Rule(name, text, outcome, params=params, priority=priority_for(field.held.book, outcome))
        rule.bind(events.kinds, aliases=events.roles.named())
    except RuleError:
        return None
    return rule


def bounded(piece: Piece, field: Field) -> Param:
    """Return a cut as a parameter: from the column's least value to its largest."""
    value = piece.values[0]
    column = field.columns[piece.column]
    held = column.values[column.present]
    low, high = held.min().item(), held.max().item()
    roles = field.events.roles
    money = piece.column == roles.amount or piece.column in roles.measures.values()
    code = field.events.currency.code if money and field.held.worth.money else NO_CURRENCY
    unit = code if code != NO_CURRENCY else None
    if not money and piece.column.endswith("_days"):
        unit = "days"
    return Param(value, min=min(low, value), max=max(high, value), unit=unit)


def notes_of(field: Field, cover: Cover, tried: int, *, q: float) -> tuple[str, ...]:
    """Return what a reader must know."""
    windows = field.windows
    aside = "" if windows.out_of_time else " (not out of time)"
    judged = (
        f"False discoveries are held to {q:.0%} over all {tried} candidates tried (Benjamini-Hochberg on p-values of "
        "the later events). A rule pays when net value given the live book is above 0 and its share of fraud above "
        "both break-even and that of all events, not by luck."
    )
    notes = [
        f"Found on {windows.choose.words}; every figure but the found_ ones is of {windows.report.words}{aside}.",
        judged,
        f"Labels: {field.held.labels.recipe}.",
        *windows.notes,
    ]
    if cover.drawn:
        notes.append(
            f"Of {cover.others:,} other events {cover.drawn:,} were drawn by lot to search; figures are of all."
        )
    notes += read_not(field)
    if not field.held.worth.money:
        notes.append("No amount: every event counts as one, and reviews cost nothing.")
    return tuple(notes)


def read_not(field: Field) -> tuple[str, ...]:
    """Return which columns no new condition may read, and why; leaks first, each of them."""
    notes = []
    if field.leaks:
        notes.append("Left out as leaks: " + "; ".join(f"{name} ({why})" for name, why in field.leaks.items()) + ".")
    others = {name: why for name, why in field.left_out.items() if name not in field.leaks}
    if others:
        told = sorted(others.items(), key=lambda one: one[1].startswith("it "))
        shown = [f"{name} ({why})" for name, why in told[:12]]
        more = len(others) - len(shown)
        notes.append("Not read: " + "; ".join(shown) + (f"; and {more} more" if more > 0 else "") + ".")
    looking_back = {*field.shared, *field.held.book.features}
    unsaid = [name for name in field.columns if name not in field.held.dataset.known_at and name not in looking_back]
    if unsaid:
        notes.append(
            f"Whether a column is known at the decision is not checked unless known_at says so: of {len(unsaid):,} "
            "columns read it does not. Ask that of each column that a condition names."
        )
    return tuple(notes)
