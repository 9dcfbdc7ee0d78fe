"""Which events does each entry of a list name, and is the entry still in order?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, GOOD
from riskbench.display.mask import masked
from riskbench.engine.tree import atoms
from riskbench.rules.hits import Hits, variants
from riskbench.rules.lists import NamedList
from riskbench.rules.param import Scalar
from riskbench.rules.weighing import FEWEST, Levels, Scale, Weighed

#: An expiry within so many days is near.
SOON = 30
LOOK_AGAIN = "to be looked at again"


@dataclass(frozen=True, eq=False)
class Measured:
    """One list on events: what it changes.

    Attributes
    ----------
    name : str
        The list's name.
    held : NamedList
        The list as the book holds it.
    through : tuple of str
        The rules through which it acts.
    without : ndarray of int8, shape (rows,)
        The outcome of each event without the list.
    told : Weighed
        What the list changes.
    column : str or None
        The column of whom it names.
    entry : ndarray of int32 or None
        The entry that names each event, -1 where none does.
    """

    name: str
    held: NamedList
    through: tuple[str, ...]
    without: Levels
    told: Weighed
    column: str | None
    entry: npt.NDArray[np.int32] | None


def state_of(expires: str | None, owner: str | None, day: str | None) -> str:
    """Return how a list or entry stands: in force, near its end, expired; and what is missing.

    >>> state_of("2026-01-31", "ana", "2026-01-15"), state_of(None, None, "2026-01-15")
    ('expires within 30 days', 'no expiry, no owner')
    """
    told = []
    if expires is None:
        told.append("no expiry")
    elif day is not None and expires < day:
        told.append("expired")
    elif day is not None and expires <= (date.fromisoformat(day) + timedelta(days=SOON)).isoformat():
        told.append(f"expires within {SOON} days")
    if owner is None:
        told.append("no owner")
    return ", ".join(told) or "in force"


def plain_state(expires: str | None, day: str | None) -> str:
    """Return how a list of no kind stands: it needs no end, but may have a day to be looked at again."""
    return LOOK_AGAIN if expires is not None and day is not None and expires < day else "in force"


def touched_by(name: str, named: NamedList, held: Hits) -> str | None:
    """Return the column whose values a list names: as it says, or the one that rules compare it with."""
    dataset = held.dataset
    if named.column is not None:
        return dataset.resolve(named.column)
    columns = {
        atom.column
        for rule in held.book.rules
        if name in rule.lists
        for node in variants(rule, dataset).values()
        for atom in atoms(node)
        if name in atom.params
    }
    only = next(iter(columns)) if len(columns) == 1 else None
    return only if only is not None and only in dataset.table else None


def entry_of(values: Sequence[Scalar], dataset: Dataset, column: str) -> npt.NDArray[np.int32] | None:
    """Return the place of the entry that names each event, -1 where none does; None for a column of moments."""
    held = dataset.column(column)
    if held.kind == "time":
        return None
    if held.kind == "string":
        import pyarrow as pa
        import pyarrow.compute as pc

        found = np.full(max(1, len(held.words) if held.words is not None else 0), -1, dtype=np.int32)
        if held.words is not None and len(held.words) and values:
            names = pa.array([str(value) for value in values], type=pa.string())
            place = pc.index_in(held.words.cast(pa.string()), value_set=names)
            found = pc.fill_null(place, -1).to_numpy(zero_copy_only=False).astype(np.int32)
        codes = found[np.where(held.present, held.values, 0)]
    else:
        numbers = [float(value) if isinstance(value, int | float) else np.nan for value in values]
        order = np.argsort(numbers, kind="stable")
        ordered = np.array(numbers)[order]
        own = held.values.astype(np.float64)
        at = np.minimum(np.searchsorted(ordered, own), max(0, len(ordered) - 1))
        same = ordered[at] == own if len(ordered) else np.zeros(len(own), dtype=bool)
        codes = np.where(same, order[at] if len(ordered) else -1, -1).astype(np.int32)
    return np.where(held.present, codes, np.int32(-1)).astype(np.int32)


def named_by(column: str | None, entry: npt.NDArray[np.int32] | None, held: Hits) -> npt.NDArray[np.int32] | None:
    """Return the entry that names each event where the entries of a list are themselves entities; else None."""
    dataset = held.dataset
    entities = {dataset.resolve(name) for name in dataset.roles.entities}
    return entry if column in entities else None


def entries_frame(measured: Sequence[Measured], scale: Scale, day: str | None) -> pd.DataFrame:
    """Return one row an entry of each list: who answers for it, until when, and what it changes."""
    frames = [_entries(one, scale, day) for one in measured]
    names = (
        "list place entry owner expires reason state events flips frauds good unlabelled fraud_value net_value "
        "net_value_lower net_value_upper n last_seen"
    ).split()
    made = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)
    return made[names]


def _entries(one: Measured, scale: Scale, day: str | None) -> pd.DataFrame:
    named, dataset = one.held, scale.held.dataset
    marks = [named.mark(value) for value in named.values]
    hidden = one.column is None or one.column not in (*dataset.roles.segments, dataset.roles.region)
    frame = pd.DataFrame(
        {
            "list": one.name,
            "place": np.arange(1, len(named.values) + 1),
            "entry": [masked(str(value)) if hidden else str(value) for value in named.values],
            "owner": [mark.owner or "" for mark in marks],
            "expires": [mark.expires or "" for mark in marks],
            "reason": [mark.reason or "" for mark in marks],
            "state": [
                state_of(mark.expires, mark.owner, day) if named.kind is not None else plain_state(mark.expires, day)
                for mark in marks
            ],
        }
    )
    counts: dict[str, Any] = _counted(one, scale, len(named.values))
    return frame.assign(**counts)


def _counted(one: Measured, scale: Scale, size: int) -> dict[str, Any]:
    """Return the events, flips and money of each entry."""
    if one.entry is None:
        nothing = pd.array([None] * size, dtype="Int64")
        empty = np.full(size, np.nan)
        nobody = dict.fromkeys(("events", "flips", "frauds", "good", "unlabelled", "n"), nothing)
        money = dict.fromkeys(("fraud_value", "net_value", "net_value_lower", "net_value_upper"), empty)
        return {**nobody, **money, "last_seen": [""] * size}
    held, entry = scale.held, one.entry
    level = held.resolution.level
    rows = np.flatnonzero((one.without != level) & (entry >= 0))
    own, kinds = entry[rows], scale.kinds[rows]
    each = scale.each(rows, one.without[rows], level[rows])
    flips, frauds, good = (
        np.bincount(own[mask], minlength=size) for mask in (np.ones(len(rows), bool), kinds == FRAUD, kinds == GOOD)
    )
    fraud_value = np.bincount(own, weights=np.where(kinds == FRAUD, held.worth.value[rows], 0), minlength=size)
    net = np.bincount(own, weights=each, minlength=size)
    n = frauds + good
    low, high = net.copy(), net.copy()
    alike = named_by(one.column, entry, held)
    for place in np.flatnonzero(n >= FEWEST):
        told = scale.weigh(one.without, level, rows[own == place], named=alike)
        low[place], high[place] = float(told.lower or 0.0), float(told.upper or 0.0)
    net, low, high = (np.where(n >= FEWEST, part, np.nan) for part in (net, low, high))
    whole = {"events": np.bincount(entry[entry >= 0], minlength=size), "flips": flips, "frauds": frauds, "good": good}
    whole |= {"unlabelled": flips - n, "n": n}
    return {
        **{name: pd.array(counts, dtype="Int64") for name, counts in whole.items()},
        "fraud_value": fraud_value / held.scale,
        "net_value": net,
        "net_value_lower": low,
        "net_value_upper": high,
        "last_seen": _last(held.dataset, entry, size),
    }


def _last(dataset: Dataset, entry: npt.NDArray[np.int32], size: int) -> list[str]:
    """Return the day of each entry's last event; empty where there is none, or no time."""
    if not dataset.has("time"):
        return [""] * size
    column = dataset.column("time")
    known = column.present & (entry >= 0)
    last = np.full(size, np.iinfo(np.int64).min)
    np.maximum.at(last, entry[known], dataset.local_times[known])
    missing = np.iinfo(np.int64).min
    return ["" if at == missing else str(np.datetime64(int(at), "us"))[:10] for at in last]
