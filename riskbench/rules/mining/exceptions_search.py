"""Which short conditions hold for a rule's false positives and for none of its frauds?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD
from riskbench.errors import RuleError
from riskbench.rules.hits import Hits, resolve
from riskbench.rules.mining.field import Field
from riskbench.rules.mining.pieces import Piece, binned, spelled
from riskbench.rules.mining.refine import refined
from riskbench.rules.mining.search import Ground, State, searched
from riskbench.rules.mining.words import bounded
from riskbench.rules.rule import Rule

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Small = npt.NDArray[np.int8]

#: Two carve-outs whose freed events overlap by more than this are one.
_ALIKE = 0.9
#: Frauds count so many times their share of all that could be gained while conditions are put together.
_CARES = (30.0, 3.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Carved:
    """A carve-out as it was found.

    Attributes
    ----------
    pieces : tuple of Piece
        Its conditions.
    good, frauds : int
        The rule's good and fraud hits that it takes away, where it was found.
    """

    pieces: tuple[Piece, ...]
    good: int
    frauds: int


def without(held: Hits, place: int) -> Small:
    """Return what a book decides about each event without one of its rules."""
    book = held.book
    gone = replace(
        book, rules=tuple(replace(r, status="shadow") if k == place else r for k, r in enumerate(book.rules))
    )
    return resolve(gone, held.bits).level


def carved(
    field: Field,
    hit: Mask,
    worth: Floats,
    *,
    terms: int,
    monotone: Mapping[str, int],
    lose: int,
    fewest: int,
    most: int,
) -> list[Carved]:
    """Return the carve-outs that free the most and lose at most so many frauds on the earlier events.

    Parameters
    ----------
    field : Field
        The events.
    hit : ndarray of bool, shape (rows,)
        What the rule hits.
    worth : ndarray of float64, shape (rows,)
        What not deciding each event by the rule is worth, given the other live rules.
    terms : int
        The most conditions.
    monotone : mapping of str to int
        Which way a cut may point.
    lose : int
        The most frauds that may be lost.
    fewest : int
        Good events that a carve-out must free.
    most : int
        The most carve-outs.
    """
    known = hit & field.windows.choose.mask & ((field.kinds == GOOD) | (field.kinds == FRAUD))
    rows = np.flatnonzero(known)
    target = field.kinds[rows] == GOOD
    goods, frauds = int(target.sum()), int((~target).sum())
    if goods < fewest or not frauds:
        return []
    gains = np.where(target, np.maximum(worth[rows], 0.0), 0.0)
    total = float(np.sort(gains).sum())
    columns = tuple(
        binned(name, column, rows, target, way=monotone.get(name, 0), fine=True)
        for name, column in field.columns.items()
    )
    price = np.where(target, gains, -max(total, 1e-9) / frauds)
    ground = Ground.of(columns, target, price, at_least=fewest)
    found = searched(ground, terms=terms, weights=_CARES, may_cost=lose)
    # Cuts move to where they free the most and lose nobody; where frauds may be lost they stay as they were found.
    strict = np.where(target, gains, -2.0 * max(total, 1e-9))
    bins, places = {column.name: column for column in columns}, np.arange(len(rows))
    made: dict[frozenset[Piece], Carved] = {}
    for state in _distinct(found, len(rows), most=most):
        pieces, good, bad = state.pieces, state.frauds, state.count - state.frauds
        if not lose:
            pieces, off = refined(pieces, field.columns, bins, rows=rows, places=places, worth=strict)
            good, bad = int((off & target).sum()), int((off & ~target).sum())
        made.setdefault(frozenset(replace(piece, low=0, high=0) for piece in pieces), Carved(pieces, good, bad))
    return list(made.values())


def _distinct(states: list[State], size: int, *, most: int) -> list[State]:
    """Return those worth most that free different events; of equals the shorter."""
    chosen: list[State] = []
    freed: list[Mask] = []
    for state in sorted(states, key=lambda one: (-one.gain, one.order)):
        own = np.zeros(size, dtype=bool)
        own[state.hit] = True
        if any(int((own & old).sum()) > _ALIKE * int((own | old).sum()) for old in freed):
            continue
        chosen.append(state)
        freed.append(own)
        if len(chosen) == most:
            break
    return chosen


def excepted(rule: Rule, pieces: tuple[Piece, ...], field: Field) -> Rule | None:
    """Return a rule with an exception written in; None where the text cannot be read back.

    `(...) IS NOT TRUE` and not `NOT (...)`: where a column of the exception is missing the exception is unknown, and
    the rule still hits.
    """
    events = field.events
    ordered = sorted(pieces, key=lambda piece: (events.names.index(piece.column), piece.shape))
    text, values = spelled(ordered, taken={*rule.params, *rule.lists})
    cuts = [piece for piece in ordered if piece.shape in (">=", "<")]
    params = {name: bounded(piece, field) for name, piece in zip(values, cuts, strict=True)}
    when = f"({rule.when})" if re.search(r"\bor\b", rule.when, re.IGNORECASE) else rule.when
    try:
        made = replace(rule, when=f"{when} AND ({text}) IS NOT TRUE", params={**rule.params, **params})
        made.bind(events.kinds, aliases=events.roles.named())
    except RuleError:
        return None
    return made


def carve_text(pieces: tuple[Piece, ...], field: Field) -> Rule | None:
    """Return a carve-out alone, as a condition; None where the text cannot be read back."""
    events = field.events
    ordered = sorted(pieces, key=lambda piece: (events.names.index(piece.column), piece.shape))
    text, values = spelled(ordered)
    cuts = [piece for piece in ordered if piece.shape in (">=", "<")]
    params = {name: bounded(piece, field) for name, piece in zip(values, cuts, strict=True)}
    try:
        made = Rule("EXCEPTION", text, field.steps.names[0], params=params)
        made.bind(events.kinds, aliases=events.roles.named())
    except RuleError:
        return None
    return made
