"""What is there to sweep: which measures, columns and hours, and is there enough of them?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.engine.columns import DAY, HOUR
from riskbench.errors import DataError, ParameterError, listed, nearest
from riskbench.incidents.incident import Incident
from riskbench.incidents.measure import Measure
from riskbench.incidents.measure import measures as all_measures
from riskbench.incidents.scope import Scope
from riskbench.incidents.sweep import Hours, Part
from riskbench.metrics.costs import Costs
from riskbench.rules.book import RuleBook

Mask = npt.NDArray[np.bool_]

#: With a shorter history, in days, or fewer events nothing is measurable.
SHORTEST, FEWEST = 7, 200
#: Columns with at most so many values are swept as segments where none are named.
_FEW_VALUES = 50
#: Entity columns with at most so many values are swept as segments too.
_FEW_ENTITIES = 300


def looked_at(
    events: Dataset,
    *,
    asof: str | pd.Timestamp | None,
    since: str | pd.Timestamp | None,
    costs: Costs | None,
    seed: int,
) -> tuple[Scope, Mask, tuple[str, ...]]:
    """Return the events as a scope, which of them count, and what a reader must know.

    Raises
    ------
    DataError
        When the events bear no time.
    """
    if not events.has("time"):
        raise DataError("A scan needs events with a time", hint="name the role 'time'")
    column = events.column("time")
    times = column.values.astype(np.int64)
    present = column.present
    last = int(times[present].max()) if present.any() else 0
    moment = micros(asof) if asof is not None else last
    if asof is None and events.roles.label_time is not None:
        told = events.column("label_time")
        moment = max(moment, int(told.values[told.present].max()) if told.present.any() else last)
    inside = present & (times <= moment)
    notes: list[str] = []
    if column.missing:
        notes.append(f"{column.missing:,} events bear no time and are left out.")
    later = int(np.count_nonzero(present & ~inside))
    if later:
        notes.append(f"{later:,} events after the as-of moment are left out.")
        # What is not known yet sets no bound, no quantile and no number of values.
        kept = ~present | inside
        events, times, inside = events.where(kept), times[kept], inside[kept]
    first = int(times[inside].min()) if inside.any() else moment
    window = Incident(_iso(first), _iso(max(moment, first) + 1_000_000))
    book = RuleBook(name="no book given", domain=events.domain)
    cut = micros(since) if since is not None else None
    baseline = inside if cut is None else inside & (times < cut)
    current = inside if cut is None else inside & (times >= cut)
    nothing = np.zeros(len(times), dtype=bool)
    scope = Scope(window, events, book, costs or Costs(), moment, current, baseline, nothing, seed)
    return scope, inside, tuple(notes)


def too_little(scope: Scope) -> str | None:
    """Return why the events do not suffice for a sweep; None where they do."""
    if not scope.baseline.any():
        return "there are no events in the history"
    if not scope.current.any():
        return "there are no events in the part that is swept"
    times = scope.times[scope.baseline]
    days = (int(times.max()) - int(times.min())) / DAY
    if days < SHORTEST:
        return f"the history is {days:.1f} days long; it takes {SHORTEST}"
    if len(times) < FEWEST:
        return f"the history holds {len(times):,} events; it takes {FEWEST}"
    return None


def measures_of(scope: Scope, wanted: Iterable[str] | None) -> tuple[list[Measure], tuple[str, ...]]:
    """Return what is swept, and what cannot be and why.

    Raises
    ------
    ParameterError
        When the events do not allow a measure of a name.
    """
    held = {measure.name: measure for measure in all_measures(scope)}
    usual = [name for name in held if name != "score" and not name.startswith("fraud:")]
    names = usual if wanted is None else list(dict.fromkeys(_texts(wanted, "measures")))
    found, notes = [], []
    for name in names:
        if name not in held:
            close = nearest(name, held)
            raise ParameterError(
                f"{name!r} is not a measure of these events",
                allowed=listed(held, most=20),
                hint=f"did you mean {close!r}?" if close else None,
            )
        measure = held[name]
        if measure.unmeasurable is not None:
            notes.append(f"{measure.title[0].upper()}{measure.title[1:]} is not swept: {measure.unmeasurable}.")
        elif measure.name == "score":
            raise ParameterError("A mean score is not swept", hint="measures=['flagged'] is its upper end")
        else:
            found.append(measure)
    return found, tuple(notes)


def columns_of(
    dataset: Dataset, segments: Iterable[str] | None, entities: Iterable[str] | None
) -> tuple[list[str], list[str]]:
    """Return the columns that are swept by value, and those swept for bursts of entities.

    Raises
    ------
    ColumnNotFoundError
        When there is no such column.
    """
    roles = dataset.roles
    named = roles.entities if entities is None else [dataset.resolve(name) for name in _texts(entities, "entities")]
    many = list(dict.fromkeys(named))
    if segments is not None:
        return list(dict.fromkeys(dataset.resolve(name) for name in _texts(segments, "segments"))), many
    few = [*([roles.region] if roles.region else []), *roles.segments]
    few += [name for name in many if _values(dataset, name, _FEW_ENTITIES) <= _FEW_ENTITIES]
    taken = set(roles.columns()) | {roles.currency, str(roles.decision_point)}
    late = {name for name, moment in dataset.known_at.items() if moment}
    spare = [name for name in dataset.names if name not in taken | late | {str(dataset.caused_by)}]
    kinds = ("bool",) if roles.segments else ("bool", "string")
    few += [n for n in spare if dataset.kinds[n] in kinds and 2 <= _values(dataset, n, _FEW_VALUES) <= _FEW_VALUES]
    return list(dict.fromkeys(few)), many


def hours_of(scope: Scope, inside: Mask, since: int | None) -> Hours:
    """Return the hours of the wall clock, from the first midnight to the last."""
    local = scope.dataset.local_times // HOUR
    held = local[inside]
    first = int(held.min()) // 24 * 24
    count = (int(held.max()) // 24 + 1) * 24 - first
    place = np.where(inside, local - first, -1)
    clock = np.ones(count, dtype=bool)
    if since is None:
        return Hours(place, first, count, 0, clock)
    current = place[scope.current]
    begin = int(current.min()) if len(current) else count
    return Hours(place, first, count, begin, np.arange(count) < begin)


def utc(hour: int, dataset: Dataset) -> pd.Timestamp:
    """Return an hour of the wall clock, counted since 1970, in UTC."""
    stamp = pd.Timestamp(hour * HOUR, unit="us")
    if dataset.time_zone == "UTC":
        return stamp
    local = stamp.tz_localize(dataset.time_zone, ambiguous=True, nonexistent="shift_forward")
    return local.tz_convert("UTC").tz_localize(None)


def whole(inside: Mask) -> Part:
    """Return all events as one segment."""
    return Part(None, np.where(inside, 0, -1).astype(np.int64), ("all events",), (None,))


def _values(dataset: Dataset, name: str, most: int) -> int:
    column = dataset.column(name)
    if column.kind == "string":
        held = column.values[column.present]
        return int(np.count_nonzero(np.bincount(held))) if len(held) else 0
    if column.kind == "bool":
        return 2
    first = np.unique(column.values[: 20 * most])
    return len(first) if len(first) > most else len(np.unique(column.values))


def _texts(names: Iterable[str], what: str) -> list[str]:
    held = [names] if isinstance(names, str) else list(names)
    for name in held:
        if not isinstance(name, str):
            raise ParameterError(f"The parameter {what!r} names columns or measures", got=repr(name)[:200])
    return held


def _iso(moment: int) -> str:
    return pd.Timestamp(moment, unit="us").isoformat()
