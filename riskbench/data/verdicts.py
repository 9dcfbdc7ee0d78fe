"""How do many verdicts become one label an event? A recipe: sources, precedence, window, silence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from riskbench.data.dataset import Dataset, micros
from riskbench.data.sources import Source, as_words, is_text, is_uuid
from riskbench.data.times import from_stamps, from_text
from riskbench.engine.columns import DAY, Column, from_arrow
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError, listed, nearest

Ints = npt.NDArray[np.int64]

#: The columns that a recipe makes.
MADE = ("label", "label_time", "label_source", "label_caused_by", "label_loss")

#: The columns of a table of verdicts.
SUBJECT, SOURCE, TIME, VERDICT, CAUSED_BY, LOSS = "subject", "source", "time", "verdict", "caused_by", "loss"
_FRAUD_WORDS, _GOOD_WORDS = ("fraud", "1", "true"), ("good", "0", "false")
_PAIRS = 4_000_000


@dataclass(frozen=True, kw_only=True)
class LabelRecipe:
    """How a table of verdicts becomes one label an event.

    Of the verdicts on an event, those that count are: known by `asof`, from a named source, within the window.
    The one whose source stands first in `sources` decides; among equals the latest; at the same moment fraud.

    Parameters
    ----------
    sources : sequence of str
        The sources that count, strongest first: `("appeal", "investigation", "chargeback")`. Empty: every source
        counts alike.
    window_days : float, optional
        A verdict counts when it came at most so many days after the event.
    join_on : str, optional
        The column of the events that the verdicts' subject names; by default the id. Where it names an entity
        (a seller), a verdict counts for the events up to it, never for later ones.
    silence : {"unknown", "good"}
        What an event without verdict is.
    asof : str, optional
        Only verdicts known by then (ISO text, UTC).
    columns : mapping of str to str
        Where the table names them otherwise: the columns of subject, source, time, verdict, caused_by, loss.
    fraud_values, good_values : sequence
        The words of the verdict, in any case; other words give no verdict.

    Examples
    --------
    >>> from riskbench import LabelRecipe
    >>> print(LabelRecipe(sources=("appeal", "chargeback"), window_days=90).words)
    appeal before chargeback; within 90 days of the event; silence is unknown
    """

    sources: tuple[str, ...] = ()
    window_days: float | None = None
    join_on: str | None = None
    silence: Literal["unknown", "good"] = "unknown"
    asof: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    fraud_values: tuple[object, ...] = _FRAUD_WORDS
    good_values: tuple[object, ...] = _GOOD_WORDS

    def __post_init__(self) -> None:
        for name in ("sources", "fraud_values", "good_values"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        both = {_folded(one) for one in self.fraud_values} & {_folded(one) for one in self.good_values}
        if both:
            raise ParameterError("A verdict's word means both fraud and good", got=listed(sorted(both)))
        if len(set(self.sources)) < len(self.sources):
            raise ParameterError("A source is named twice", got=listed(self.sources))
        if self.silence not in ("unknown", "good"):
            raise ParameterError(f"{self.silence!r} is not what silence can mean", allowed="unknown, good")
        days = self.window_days
        if days is not None and (isinstance(days, bool) or not math.isfinite(days) or days < 0):
            raise ParameterError("window_days is a number of days", got=repr(days), allowed="0 or more")
        if self.asof is not None:
            micros(self.asof)
        known = (SUBJECT, SOURCE, TIME, VERDICT, CAUSED_BY, LOSS)
        for name in self.columns:
            if name not in known:
                close = nearest(name, known)
                raise ParameterError(
                    f"{name!r} is not a column of a table of verdicts",
                    allowed=listed(known),
                    hint=f"did you mean {close!r}?" if close else None,
                )
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))

    @classmethod
    def of(cls, recipe: LabelRecipe | Mapping[str, object] | None) -> LabelRecipe:
        """Return a recipe from a plain mapping, as playbook parameters hand it over.

        Raises
        ------
        ParameterError
            For an entry that a recipe does not have.
        """
        if isinstance(recipe, LabelRecipe):
            return recipe
        known = [one.name for one in fields(cls)]
        for name in recipe or {}:
            if name not in known:
                close = nearest(str(name), known)
                raise ParameterError(
                    f"{name!r} is not a part of a label recipe",
                    allowed=listed(known),
                    hint=f"did you mean {close!r}?" if close else None,
                )
        return cls(**dict(recipe or {}))  # type: ignore[arg-type]

    @property
    def words(self) -> str:
        """The recipe as a page says it."""
        parts = [" before ".join(self.sources) if self.sources else "the latest verdict of any source"]
        if self.window_days is not None:
            parts.append(f"within {self.window_days:g} days of the event")
        if self.asof is not None:
            parts.append(f"known by {self.asof}")
        return "; ".join([*parts, f"silence is {self.silence}"])


def join_labels(dataset: Dataset, verdicts: Source, recipe: LabelRecipe) -> Dataset:
    """Return the events with the label that a recipe makes of verdicts.

    New columns: label (1 fraud, 0 good, missing), label_time, label_source, label_caused_by, and label_loss where
    the table has losses. Where the events have a column of such a name, the new ones begin with `recipe_`.

    Raises
    ------
    DataError
        When the table lacks a column, no subject is one of the events, or no source is one of the recipe's.
    """
    table = _Verdicts.of(verdicts, recipe)
    event_key = recipe.join_on or dataset.roles.id
    if event_key not in dataset.table:
        raise ColumnNotFoundError.among(event_key, dataset.names)
    keys = keys_of(dataset.table.column(event_key))
    subjects = pc.unique(table.subject.drop_null())
    event_code = pc.fill_null(pc.index_in(keys, subjects), -1).to_numpy(zero_copy_only=False).astype(np.int64)
    if dataset.rows and table.rows and not (event_code >= 0).any():
        raise DataError(
            f"No verdict's subject is one of the events' {event_key!r}", hint="join_on= names the column they share"
        )
    time = dataset.column("time") if dataset.has("time") else None
    if time is None and recipe.window_days is not None:
        raise DataError("A window needs the role 'time'")
    chosen = choose(
        event_code,
        time.values if time is not None else np.zeros(dataset.rows, np.int64),
        time.present if time is not None else np.zeros(dataset.rows, dtype=bool),
        pc.fill_null(pc.index_in(table.subject, subjects), -1).to_numpy(zero_copy_only=False).astype(np.int64),
        table,
        window=None if recipe.window_days is None else round(recipe.window_days * DAY),
        after_only=recipe.join_on is not None and recipe.join_on != dataset.roles.id,
    )
    return _labelled(dataset, table, chosen, recipe, event_key)


@dataclass(frozen=True, slots=True, eq=False)
class _Verdicts:
    """The verdicts that count, one a row; `rank` is 0 for the strongest source."""

    subject: pa.Array
    source: pa.Array
    time: Ints
    timed: npt.NDArray[np.bool_]
    fraud: npt.NDArray[np.bool_]
    rank: Ints
    caused_by: pa.Array | None
    loss: Column | None
    notes: tuple[str, ...]

    @property
    def rows(self) -> int:
        return len(self.time)

    @classmethod
    def of(cls, source: Source, recipe: LabelRecipe) -> _Verdicts:
        name = {one: recipe.columns.get(one, one) for one in (SUBJECT, SOURCE, TIME, VERDICT, CAUSED_BY, LOSS)}
        for one in (SUBJECT, VERDICT, *([SOURCE] if recipe.sources else []), *recipe.columns):
            if name[one] not in source.types:
                raise ColumnNotFoundError.among(name[one], source.types, role=f"{one} of the verdicts")
        held = source.load([name[one] for one in name if name[one] in source.types])
        held = {one: as_words(column) if is_uuid(column.type) else column for one, column in held.items()}
        subject = keys_of(from_arrow(held[name[SUBJECT]], name=name[SUBJECT]))
        fraud, said = _verdict(from_arrow(held[name[VERDICT]], name=name[VERDICT]), recipe)
        time, timed, notes = _times(held.get(name[TIME]), name[TIME], len(subject))
        tells = held.get(name[SOURCE])
        sources = (
            keys_of(from_arrow(tells, name=name[SOURCE])) if tells is not None else pa.nulls(len(subject), pa.string())
        )
        rank, found = _ranked(sources, recipe)
        keep = said & (rank >= 0) & np.asarray(subject.is_valid())
        silent = int(np.count_nonzero(~said))
        if len(said) and not said.any():
            raise DataError(
                "No verdict says fraud or good.",
                allowed=f"{listed(recipe.fraud_values)} or {listed(recipe.good_values)}",
                hint="name fraud_values= and good_values= in the recipe",
            )
        notes = (
            *notes,
            *found,
            *((f"{silent} verdicts say neither fraud nor good and were left aside",) if silent else ()),
        )
        if recipe.asof is not None:
            keep &= timed & (time <= micros(recipe.asof))
        causes = held.get(name[CAUSED_BY])
        losses = held.get(name[LOSS])
        rows = pa.array(np.flatnonzero(keep))
        return cls(
            subject.take(rows),
            sources.take(rows),
            time[keep],
            timed[keep],
            fraud[keep],
            rank[keep],
            None if causes is None else keys_of(from_arrow(causes, name=name[CAUSED_BY])).take(rows),
            None if losses is None else _losses(losses, name[LOSS]).take(keep),
            notes,
        )


def choose(
    event_code: Ints,
    event_time: Ints,
    event_timed: npt.NDArray[np.bool_],
    verdict_code: Ints,
    verdicts: _Verdicts,
    *,
    window: int | None,
    after_only: bool,
) -> Ints:
    """Return the place of the verdict that decides each event, -1 where none does."""
    order = _strength(verdicts)
    order = order[np.argsort(verdict_code[order], kind="stable")]
    codes = verdict_code[order]
    first, last = np.searchsorted(codes, event_code, "left"), np.searchsorted(codes, event_code, "right")
    first[event_code < 0] = last[event_code < 0]
    chosen = np.full(len(event_code), -1, dtype=np.int64)
    counts = last - first
    for part in _blocks(counts):
        width = counts[part]
        event = np.repeat(np.arange(part.start, part.start + len(width)), width)
        place = np.arange(len(event)) - np.repeat(np.cumsum(width) - width, width) + first[event]
        verdict = order[place]
        counts_here = np.ones(len(event), dtype=bool)
        if window is not None:
            counts_here &= verdicts.timed[verdict] & event_timed[event]
            counts_here &= verdicts.time[verdict] - event_time[event] <= window
        if after_only:
            counts_here &= ~(verdicts.timed[verdict] & event_timed[event]) | (
                verdicts.time[verdict] >= event_time[event]
            )
        event, verdict = event[counts_here], verdict[counts_here]
        leads = np.ones(len(event), dtype=bool)
        leads[1:] = event[1:] != event[:-1]
        chosen[event[leads]] = verdict[leads]
    return chosen


def _strength(verdicts: _Verdicts) -> Ints:
    """Return the verdicts from the strongest to the weakest, whatever order they came in."""
    late = np.where(verdicts.timed, verdicts.time, np.iinfo(np.int64).min)
    keys: list[npt.NDArray[np.generic]] = []
    if verdicts.loss is not None:
        keys.append(np.where(verdicts.loss.present, -verdicts.loss.values.astype(np.float64), np.inf))
    keys.extend(_ordered(words) for words in (verdicts.caused_by, verdicts.source) if words is not None)
    return np.lexsort((*keys, ~verdicts.fraud, -_ranks(late), verdicts.rank))


def _ranks(values: Ints) -> Ints:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _ordered(words: pa.Array) -> Ints:
    coded = pc.fill_null(words, "").dictionary_encode()
    texts = coded.dictionary.to_pylist()
    place = np.zeros(max(1, len(texts)), dtype=np.int64)
    place[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts))
    return place[coded.indices.to_numpy(zero_copy_only=False)]


def _blocks(counts: Ints) -> Sequence[slice]:
    """Return runs of events whose pairs fit in memory together."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(_PAIRS, total, _PAIRS), "left") + 1
    edges = np.unique(np.concatenate(([0], cuts, [len(counts)])))
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def keys_of(column: Column) -> pa.Array:
    """Return what names a subject as text, so that 7, 7.0 and "7" are one."""
    array = column.to_arrow()
    if column.kind == "string":
        return array.cast(pa.string())
    if column.kind == "float":
        whole = pc.equal(pc.round(array), array)
        if pc.all(pc.fill_null(whole, True)).as_py() and pc.max(pc.abs(array)).as_py() not in (None, math.inf):
            array = array.cast(pa.int64(), safe=False)
    return array.cast(pa.string())


def _verdict(column: Column, recipe: LabelRecipe) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    words = pc.utf8_lower(pc.utf8_trim_whitespace(keys_of(column)))
    fraud, good = (
        pc.is_in(words, pa.array([_folded(one) for one in values], pa.string())).to_numpy(zero_copy_only=False)
        for values in (recipe.fraud_values, recipe.good_values)
    )
    return fraud, fraud | good


def _folded(value: object) -> str:
    return str(int(value) if isinstance(value, bool) else value).strip().lower()


def _times(column: pa.ChunkedArray | None, name: str, rows: int) -> tuple[Ints, npt.NDArray[np.bool_], tuple[str, ...]]:
    if column is None or pa.types.is_null(column.type):
        return np.zeros(rows, np.int64), np.zeros(rows, dtype=bool), ()
    if is_text(column.type):
        made, notes = from_text(column, name=name, zone=None)
    elif pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        made, notes = from_stamps(column, name=name, zone=None)
    else:
        raise DataError(f"Column {name!r} of the verdicts holds no times", got=str(column.type), allowed="timestamps")
    held = from_arrow(made, name=name)
    return held.values, held.present, notes


def _losses(column: pa.ChunkedArray, name: str) -> Column:
    held = from_arrow(column, name=name)
    if held.kind not in ("int", "float"):
        raise DataError(f"Column {name!r} of the verdicts holds no amounts", got=held.kind)
    return held


def _ranked(sources: pa.Array, recipe: LabelRecipe) -> tuple[Ints, tuple[str, ...]]:
    """Return each verdict's place in the precedence, -1 where its source is not named."""
    if not recipe.sources:
        return np.zeros(len(sources), np.int64), ()
    rank = pc.fill_null(pc.index_in(sources, pa.array(recipe.sources, pa.string())), -1)
    ranks = rank.to_numpy(zero_copy_only=False).astype(np.int64)
    present = sorted(set(pc.unique(sources.drop_null()).to_pylist()))
    absent = [one for one in recipe.sources if one not in present]
    if len(sources) and len(absent) == len(recipe.sources):
        close = nearest(absent[0], present)
        raise DataError(
            "No verdict is from a source of the recipe.",
            got=listed(present),
            allowed=listed(recipe.sources),
            hint=f"did you mean {close!r}?" if close else None,
        )
    notes = [f"no verdict is from {one!r}" for one in absent]
    other = int(np.count_nonzero(ranks < 0))
    if other:
        named = listed([one for one in present if one not in recipe.sources], most=4)
        notes.append(f"{other} verdicts are from sources that the recipe does not name ({named}) and were left aside")
    return ranks, tuple(notes)


def _labelled(dataset: Dataset, table: _Verdicts, chosen: Ints, recipe: LabelRecipe, key: str) -> Dataset:
    has = chosen >= 0
    place = np.where(has, chosen, 0)
    rows = pa.array(place, mask=~has)
    fraud = table.fraud[place] if table.rows else np.zeros(dataset.rows, dtype=bool)
    label = (fraud & has).astype(np.int64)
    notes = list(table.notes)
    taken = [name for name in MADE if name in dataset.table]
    begin = "recipe_" * bool(taken)
    if taken:
        notes.append(f"the events have {listed(taken)} of their own; the columns of the recipe begin with {begin}")
    made: dict[str, Column] = {
        f"{begin}label": Column("int", label, None if recipe.silence == "good" or has.all() else has),
        f"{begin}label_source": from_arrow(table.source.take(rows), name="label_source"),
    }
    roles = dataset.roles.with_roles(
        label=f"{begin}label", label_time=None, label_source=f"{begin}label_source", fraud_values=(), good_values=()
    )
    if table.timed.any() and dataset.has("time"):
        timed = has & table.timed[place]
        made[f"{begin}label_time"] = Column("time", np.where(timed, table.time[place], 0), timed)
        roles = roles.with_roles(label_time=f"{begin}label_time")
    caused_by = dataset.caused_by
    if table.caused_by is not None:
        made[f"{begin}label_caused_by"] = from_arrow(table.caused_by.take(rows), name="label_caused_by")
        caused_by = f"{begin}label_caused_by"
    if table.loss is not None:
        lost = table.loss.take(place) if table.rows else Column("float", np.zeros(dataset.rows))
        known = has & fraud & lost.present
        made[f"{begin}label_loss"] = Column(lost.kind, np.where(known, lost.values, 0), known)
        untold = int(np.count_nonzero(has & fraud & ~known))
        if untold:
            notes.append(f"{untold} frauds have no loss told, so losses are taken from the amount")
        elif "loss" not in roles.measures:
            roles = roles.with_roles(measures={**roles.measures, "loss": f"{begin}label_loss"})
    count = int(np.count_nonzero(has))
    return replace(
        dataset.with_columns(made).with_notes(*notes),
        roles=roles,
        caused_by=caused_by,
        label_recipe=f"{count:,} events labelled by verdicts joined on {key}: {recipe.words}",
        mature_after=dataset.mature_after if dataset.mature_after is not None else recipe.window_days,
    )
