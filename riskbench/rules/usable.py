"""What may a new rule read? Columns known when the decision is taken, and how many share a device, an address."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.leakage import gives_away
from riskbench.data.moments import DEFAULT_MOMENT, place_of
from riskbench.data.velocity import Feature
from riskbench.engine.columns import DAY, HOUR, Column

#: A text column with more words than this names somebody rather than a kind.
MOST_WORDS = 200
#: Sharing is counted for at most this many entities, in the order of the role.
MOST_ENTITIES = 7
#: The windows in which sharing is counted.
WINDOWS = ("1h", "1d", "7d")

#: A column is the hour or the day when that removes so much of the errors of guessing its value.
_TOLD = 0.9
_MOST_MOMENTS = 366
_MANY_ROWS = 500

_ROLES = {
    "id": "it names the event",
    "time": "it is the event's time, which never comes back",
    "label": "it is the label",
    "label_time": "it is the time of the verdict",
    "label_source": "it says who told the verdict",
    "score": "it is a score",
    "outcome": "it is what was decided",
    "let_through": "it is how the let-through was drawn",
    "entities": "it names who acted",
}
_LATE_MONEY = ("loss", "margin", "refund", "recovered")


def usable(
    dataset: Dataset,
    *,
    exclude: Iterable[str] = (),
    score: bool = False,
    state: npt.NDArray[np.int8] | None = None,
    own: Collection[str] = (),
) -> tuple[dict[str, Column], dict[str, str]]:
    """Return the columns that a new rule may read, and why each other one is left out.

    Use it before conditions are searched. A column is left out when it tells or follows the label, names somebody,
    is known only after the decision, or only grows with time, so that it would tell the window and not the fraud.

    Parameters
    ----------
    dataset : Dataset
        The events.
    exclude : iterable of str
        Columns to leave out.
    score : bool
        Whether the score may be read.
    state : ndarray of int8, optional
        What is known of each event: columns that give the label away are left out.
    own : collection of str
        Velocity features: they look back only, and so are never taken for a leak.

    Returns
    -------
    tuple of (dict of str to Column, dict of str to str)
        The columns by name, in the order of the table; and the reason for each column left out.
    """
    why = {dataset.resolve(name): "left out on request" for name in exclude}
    for column, role in dataset.roles.columns().items():
        reason = _ROLES.get(role)
        if role == "score" and score:
            reason = None
        if role.startswith("measures.") and role.removeprefix("measures.") in _LATE_MONEY:
            reason = "it is money known only after the event"
        if reason:
            why.setdefault(column, reason)
    if dataset.caused_by in dataset.table:
        why.setdefault(str(dataset.caused_by), "it names what caused the verdict")
    if not score and "baseline_score" in dataset.table:
        why.setdefault("baseline_score", "it is a score")
    decided = _decided(dataset)
    for column, moment in dataset.known_at.items():
        place = place_of(moment)
        if column in dataset.table and (place is None or place > decided):
            why.setdefault(column, f"it is known only at: {moment}")
    kept: dict[str, Column] = {}
    clocks = _clocks(dataset)
    for name in dataset.names:
        if name in why:
            continue
        held = dataset.table.column(name)
        reason = _useless(dataset, held, looks_back=name in own)
        if reason is None and name not in own and any(_told_by(held, clock) for clock in clocks):
            reason = "it is the hour or day: it tells the window and not the fraud"
        if reason is None and state is not None and name not in own:
            reason = gives_away(held, state == FRAUD, state == GOOD)
        if reason is None:
            kept[name] = held
        else:
            why[name] = reason
    return kept, why


def sharing(dataset: Dataset, *, features: Mapping[str, Mapping[str, object]] | None = None) -> dict[str, Feature]:
    """Return velocity features that count who shares what just before an event.

    For each entity after the first: how many different first entities (buyers) were seen with it, and how many
    events, in the hour, day and week before. What the book has already is left out.

    Parameters
    ----------
    dataset : Dataset
        The events; without a time there are none.
    features : mapping, optional
        The features that a book has.
    """
    entities = dataset.roles.entities[:MOST_ENTITIES]
    if dataset.roles.time is None or not entities:
        return {}
    held = [Feature.from_mapping(name, entry) for name, entry in (features or {}).items()]
    has = {(f.kind, tuple(map(dataset.resolve, f.by)), f.column, f.seconds) for f in held if _there(dataset, f)}
    made: dict[str, Feature] = {}
    first = entities[0]
    for entity in entities:
        for window in WINDOWS:
            asked: list[tuple[str, str | None, str]] = [("count", None, "events")]
            if entity != first:
                asked.append(("count_distinct", first, f"{_stem(first)}s"))
            for kind, column, word in asked:
                name = f"{_stem(entity)}_{word}_{window}"
                feature = Feature(name, kind, by=(entity,), window=window, column=column)  # type: ignore[arg-type]
                known = (kind, (dataset.resolve(entity),), column, feature.seconds) in has
                if not known and name not in dataset.table and name not in made:
                    made[name] = feature
    return made


def _there(dataset: Dataset, feature: Feature) -> bool:
    aliases = dataset.roles.named()
    return all(name in dataset.table or name in aliases for name in feature.columns)


def _stem(name: str) -> str:
    return name.removesuffix("_id").removesuffix("_ID") or name


def _decided(dataset: Dataset) -> int:
    """Return the place of the earliest moment at which a decision is taken."""
    named = dataset.roles.decision_point
    words = dataset.segment(str(named))[1] if named in dataset.table else (named or DEFAULT_MOMENT[dataset.domain],)
    return min((place for word in words if (place := place_of(str(word))) is not None), default=-1)


def _useless(dataset: Dataset, column: Column, *, looks_back: bool) -> str | None:
    """Return why no condition can be made of a column, or None."""
    if column.kind == "time":
        return "it is a time"
    held = column.values[column.present]
    if not len(held):
        return "it is empty"
    if column.kind == "string":
        distinct = len(np.unique(held))
        if distinct > MOST_WORDS:
            return f"it holds {distinct:,} different words"
        return "it is the same everywhere" if distinct == 1 and not column.missing else None
    low, high = held.min(), held.max()
    if low == high and not column.missing:
        return "it is the same everywhere"
    if column.kind in ("int", "float") and not looks_back and follows_time(dataset, column):
        return "it follows the time"
    return None


def telling_time(dataset: Dataset, names: Iterable[str]) -> set[str]:
    """Return those of some columns that are the hour, the weekday or the date, or follow from one of them."""
    clocks = _clocks(dataset)
    held = {name: dataset.table.column(name) for name in names if name in dataset.table} if clocks else {}
    return {name for name, column in held.items() if any(_told_by(column, clock) for clock in clocks)}


def _clocks(dataset: Dataset) -> list[npt.NDArray[np.int64]]:
    """Return the region with the hour, the weekday and the date of each event, as codes."""
    if dataset.roles.time is None or dataset.rows < _MANY_ROWS or not dataset.column("time").present.all():
        return []
    local, place = dataset.local_times, dataset.regions[0].astype(np.int64)
    day = local // DAY
    held = (local // HOUR % 24, day % 7, day - day.min())
    return [place * (int(part.max()) + 1) + part for part in held]


def _told_by(column: Column, clock: npt.NDArray[np.int64]) -> bool:
    """Tell whether the clock says (nearly) all about a column of few values."""
    present = column.present
    _, value = np.unique(column.values[present], return_inverse=True)
    size = int(value.max(initial=0)) + 1
    if not 2 <= size <= _MOST_MOMENTS:
        return False
    alone = int(np.bincount(value).max())
    _, when = np.unique(clock[present], return_inverse=True)
    cells = np.bincount(when * size + value, minlength=(int(when.max()) + 1) * size).reshape(-1, size)
    by_clock = int(cells.max(axis=1).sum())
    spread = (cells.sum(axis=1) > 1).sum()
    return bool(spread) and by_clock - alone >= _TOLD * (len(value) - alone)


def follows_time(dataset: Dataset, column: Column) -> bool:
    """Tell whether a number only grows (or only falls) with time, so that later events lie outside what was learnt."""
    if dataset.roles.time is None:
        return False
    time = dataset.column("time")
    both = np.flatnonzero(column.present & time.present)
    if len(both) < 50:
        return False
    order = both[np.argsort(time.values[both], kind="stable")]
    values = column.values[order]
    edges = np.linspace(0, len(values), 21).astype(int)
    blocks = [values[a:b] for a, b in pairwise(edges)]
    lows, highs = np.array([b.min() for b in blocks]), np.array([b.max() for b in blocks])
    ordered = bool((lows[1:] >= highs[:-1]).all() or (highs[1:] <= lows[:-1]).all())
    return ordered and lows[0] != lows[-1]
