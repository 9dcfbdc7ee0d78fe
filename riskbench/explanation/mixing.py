"""What would be decided about an event that takes some values from one event and the others from another?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from riskbench.data.dataset import Dataset
from riskbench.data.money import NO_CURRENCY
from riskbench.data.outcomes import ladder
from riskbench.engine.columns import Column, from_arrow
from riskbench.engine.table import Table
from riskbench.errors import DataError
from riskbench.explanation.engine import margin
from riskbench.explanation.ensemble import Floats
from riskbench.explanation.fitted import Fitted
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import apply, resolve

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A score on mixed events, by the trees or weights of a model: values are mixed as the model sees them.

    Attributes
    ----------
    score : Fitted
        The model.
    current, reference : ndarray of float64
        Both cohorts as its trees or weights see them.
    player : ndarray of int64
        The player of each of their columns.
    digits : int or None
        How many digits the reported probability has, where it is rounded.
    """

    score: Fitted
    current: Floats
    reference: Floats
    player: npt.NDArray[np.int64]
    digits: int | None = None

    def mixed(self, member: Mask, current: Rows, reference: Rows) -> Floats:
        """Return the score of mixed events: a probability, or a margin where the model has none."""
        return self.told(np.where(member[:, self.player], self.current[current], self.reference[reference]))

    def told(self, cells: Floats) -> Floats:
        """Return the score of events."""
        if self.score.trees is not None:
            held = margin(self.score.trees, cells)
        else:
            assert self.score.weights is not None
            held = self.score.offset + cells @ self.score.weights
        if self.score.scale == "log-odds":
            held = np.exp(-np.logaddexp(0.0, -held))
        return held if self.digits is None else np.round(held, self.digits)

    def ends(self) -> tuple[Floats, Floats]:
        """Return the scores of both cohorts as they are."""
        return self.told(self.current), self.told(self.reference)

    def rows_as_numbers(self) -> list[Keys]:
        """Return what each event holds, current before reference, as numbers."""
        return [_bits(np.concatenate(pair)) for pair in zip(self.current.T, self.reference.T, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A score, or a decision, on mixed events, by a function of a frame.

    Attributes
    ----------
    ask : callable
        Takes a frame, returns one number an event.
    joint : DataFrame
        Both cohorts, current before reference.
    rows : int
        How many current events.
    player : ndarray of int64
        The player of each column.
    """

    ask: Callable[[pd.DataFrame], Any]
    joint: pd.DataFrame
    rows: int
    player: npt.NDArray[np.int64]

    def mixed(self, member: Mask, current: Rows, reference: Rows) -> Floats:
        """Return the number of mixed events."""
        place = {
            own: np.where(member[:, own], current, self.rows + reference) for own in np.unique(self.player).tolist()
        }
        made = {
            name: self.joint[name].take(place[int(own)]).reset_index(drop=True)
            for name, own in zip(self.joint.columns, self.player, strict=True)
        }
        return self.told(pd.DataFrame(made))

    def told(self, frame: pd.DataFrame) -> Floats:
        """Return the number of events."""
        found = np.asarray(self.ask(frame), dtype=np.float64)
        if found.shape != (len(frame),) or not np.isfinite(found).all():
            raise DataError("The decision gives no number an event", got=f"shape {found.shape}", allowed="one an event")
        return found

    def ends(self) -> tuple[Floats, Floats]:
        """Return the numbers of both cohorts as they are."""
        found = self.told(self.joint)
        return found[: self.rows], found[self.rows :]

    def rows_as_numbers(self) -> list[Keys]:
        """Return what each event holds, current before reference, as numbers."""
        return [pd.util.hash_array(np.asarray(self.joint[name])) for name in self.joint.columns]


@dataclass(frozen=True, eq=False)
class Ruled:
    """The live rules of a book on mixed events.

    Attributes
    ----------
    book : RuleBook
        The live rules.
    events : Dataset
        The current events: roles, domain and zone.
    joint : mapping of str to Column
        The columns that the rules read, current before reference.
    rows : int
        How many current events.
    player : mapping of str to int
        The player of each.
    score : str or None
        A column of those that the model's score fills.
    """

    book: RuleBook
    events: Dataset
    joint: Mapping[str, Column]
    rows: int
    player: Mapping[str, int]
    score: str | None = None

    @cached_property
    def _effect(self) -> Mask:
        return np.array([rung.effect != "none" for rung in ladder(self.book.domain).rungs])

    def mixed(self, member: Mask, current: Rows, reference: Rows, score: Floats | None) -> Mask:
        """Tell which mixed events the rules alert."""
        place = {own: np.where(member[:, own], current, self.rows + reference) for own in set(self.player.values())}
        return self.told({name: column.take(place[self.player[name]]) for name, column in self.joint.items()}, score)

    def ends(self, score: Floats | None) -> tuple[Mask, Mask]:
        """Tell which events of both cohorts the rules alert."""
        found = self.told(dict(self.joint), score)
        return found[: self.rows], found[self.rows :]

    def told(self, columns: dict[str, Column], score: Floats | None) -> Mask:
        """Tell which events the rules alert."""
        if self.score is not None and score is not None:
            columns[self.score] = Column("float", score)
        rows = len(next(iter(columns.values()))) if columns else 0
        roles = self.events.roles
        kept = {role: None for role, name in roles.named().items() if role != "id" and name not in columns}
        more: dict[str, Any] = {
            "entities": (),
            "segments": (),
            "measures": {},
            "currency": NO_CURRENCY,
            "decision_point": None,
        }
        name = roles.id if roles.id in columns else "(mixed event)"
        columns.setdefault(name, Column("int", np.arange(rows)))
        held = roles.with_roles(**kept, **more, id=name)
        made = Dataset(
            table=Table.from_columns(columns), roles=held, domain=self.events.domain, time_zone=self.events.time_zone
        )
        return self._effect[resolve(self.book, apply(self.book.rules, made)).level]

    def rows_as_numbers(self) -> list[Keys]:
        """Return what each event holds, current before reference, as numbers."""
        out = []
        for name, column in self.joint.items():
            if name == self.score:
                continue
            if column.words is not None:
                words = pd.util.hash_array(np.array([*column.words.to_pylist(), ""], dtype=object))
                held = words[column.values]
            else:
                held = _bits(column.values.astype(np.float64))
            out.append(held if column.valid is None else np.where(column.valid, held, np.uint64(7)))
        return out


def joined(name: str, current: Dataset, reference: Dataset) -> Column:
    """Return a column of both cohorts, current before reference.

    Raises
    ------
    DataError
        When it is of another kind in the reference.
    """
    pair = [held.table.column(name) for held in (current, reference)]
    kinds = {column.kind for column in pair}
    if len(kinds) > 1 and not kinds <= {"int", "float"}:
        raise DataError(
            f"Column {name!r} is of another type in the reference.", got=f"{pair[0].kind} and {pair[1].kind}"
        )
    arrays = [column.to_arrow() for column in pair]
    if len(kinds) > 1:
        arrays = [array.cast(pa.float64()) for array in arrays]
    if pair[0].kind == "string" and pair[1].kind == "string":
        return from_arrow(pa.chunked_array(arrays).unify_dictionaries(), name=name)
    return from_arrow(pa.chunked_array(arrays), name=name)


def folded(keys: Sequence[Keys], rows: int) -> Keys:
    """Return one number an event that depends on what the event holds alone."""
    out = np.full(rows, np.uint64(0x9E3779B97F4A7C15), dtype=np.uint64)
    for key in keys:
        out = (out ^ key) * np.uint64(0xBF58476D1CE4E5B9)
        out ^= out >> np.uint64(29)
    return out


def _bits(values: npt.NDArray[np.float64]) -> Keys:
    return (np.nan_to_num(values, nan=-8.5e37, posinf=np.inf, neginf=-np.inf) + 0.0).view(np.uint64)
