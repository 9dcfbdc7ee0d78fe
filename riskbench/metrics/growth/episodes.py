"""Which good customers were troubled, which were not, and what was known of them before?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.labels import BLOCKED, FRAUD, GOOD, label_state
from riskbench.data.outcomes import ladder
from riskbench.engine.columns import DAY
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.costs import Costs, worth
from riskbench.metrics.growth.activity import Activity, days_of, shared_codes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_ORDERS = np.array([1, 2, 3, 5, 10])
_AGES = np.array([7.0, 30.0, 180.0])


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """Good customers at the moments at which they were troubled, or could have been.

    Attributes
    ----------
    dataset : Dataset
        The events of these moments.
    entity : ndarray of int64
        Whose it is.
    level : ndarray of int64
        What was done, as a place on the ladder; 0 is nothing.
    followed : ndarray of float
        Days watched after it.
    whole : ndarray of bool
        Whether the whole window was watched.
    gap : ndarray of float
        Days to the next activity; NaN where none was seen.
    orders, margin : ndarray of float
        Activities in the window, and the margin on them in major units.
    drawn : ndarray of bool
        Whether the event would have been held or stopped and was let through at random.
    own : ndarray of float
        The margin on the event itself, in major units.
    levels : tuple of ndarray
        Strata of what was known before, finest first.
    alike : ndarray of float, shape (rows, columns)
        The same as numbers.
    end : Timestamp
        Until when customers were watched.
    notes : tuple of str
        What a reader must know.
    """

    dataset: Dataset
    entity: Ints
    level: Ints
    followed: Floats
    whole: Mask
    gap: Floats
    orders: Floats
    margin: Floats
    drawn: Mask
    own: Floats
    levels: tuple[Ints, ...]
    alike: Floats
    end: pd.Timestamp
    notes: tuple[str, ...]


def episodes(
    events: Dataset,
    activity: Dataset,
    *,
    entity: str,
    days: int,
    asof: str | pd.Timestamp | None,
    costs: Costs,
) -> Episodes:
    """Return the moments that can be compared, with what came before and after each.

    Raises
    ------
    DataError
        When there is no time, no outcome, or nobody is watched for long enough.
    """
    for role, what in (("time", "when customers came back"), ("outcome", "who was troubled")):
        if not events.has(role):
            raise DataError(f"It is not known {what}", hint=f"name the role {role!r}")
    if not activity.has("time"):
        raise DataError("The later activity has no time", hint="name the role 'time'")
    events, activity, end = _until(events, activity, asof)
    who, theirs, many = shared_codes(events, activity, entity)
    when, then = (part.column("time").values.astype(np.int64) for part in (events, activity))
    state, young = _states(events, asof)
    passed, cheats = _passed(activity, asof)
    bad = np.zeros(many + 1, dtype=bool)
    bad[who[state == FRAUD]] = True
    bad[theirs[cheats]] = True
    bad[-1] = True
    gain, share = _gains(activity, costs)
    usual = theirs.copy()
    usual[~passed | ~activity.column("time").present] = -1
    seen = Activity.of(usual, then, gain)
    level = _levels(events)
    timed = events.column("time").present & (who >= 0)
    troubled = Activity.of(np.where(timed & (level > 0), who, -1), when)
    span = int(days * DAY)
    safe = np.maximum(who, 0)
    free = troubled.count(safe, when - span, when) == 0
    start = int(then[activity.column("time").present].min()) if passed.any() else 0
    before = seen.place(safe, when, after=False) - seen.place(safe, np.full(len(who), start), after=False)
    known = (state == GOOD) | ((state >= BLOCKED) & (events.roles.label is None))
    stops = np.array([rung.effect == "stop" for rung in ladder(events.domain).rungs])[np.maximum(level, 0)]
    own_kind = events is activity
    known |= stops & (state != FRAUD) & ((before > 0) | (not own_kind))
    kept = timed & (level >= 0) & known & free & ~bad[who] & ~young
    rows = np.flatnonzero(kept)
    if not len(rows):
        raise DataError(
            "No good customer can be followed", hint="name the roles label, outcome and entities; or a longer span"
        )
    count, money, gap = seen.later(safe[rows], when[rows], span)
    _, _, ever = seen.later(safe[rows], when[rows], int(end) - start + span)
    followed = days_of(end - when[rows])
    whole = followed >= days
    if not whole.any():
        raise DataError(
            f"Nobody is watched for {days} days after an event",
            got=f"at most {followed.max():.0f} days",
            hint=f"a window of {max(1, int(followed.max() // 2))} days, or more events",
        )
    del gap
    scaled = money / activity.currency.scale * share
    held = events.take(rows)
    levels, alike = _known_before(held, entity, safe[rows], when[rows], before[rows], seen, start, days)
    own, weight = _gains(held, costs)
    until = f"{pd.Timestamp(end, unit='us'):%Y-%m-%d}"
    notes = [
        f"Good: no fraud known until {until}, old enough for a verdict, and not troubled in the {days} days before."
    ]
    if events.roles.label is None:
        notes.append("There is no label: every customer counts as good.")
    return Episodes(
        held, who[rows], level[rows], followed, whole,
        np.where(ever >= 0, days_of(ever), np.nan), count.astype(np.float64), scaled, _drawn(held) & (level[rows] == 0),
        own / events.currency.scale * weight, levels, alike, pd.Timestamp(end, unit="us"), tuple(notes),
    )  # fmt: skip


def _until(events: Dataset, activity: Dataset, asof: str | pd.Timestamp | None) -> tuple[Dataset, Dataset, int]:
    """Return both sets of events up to the moment until which customers are watched, and that moment."""
    last = activity.span
    if last is None or events.span is None:
        raise DataError("No event has a time")
    end = int(last[1].value // 1000)
    if asof is not None:
        end = min(end, micros(asof))
    held = []
    for part in (events, activity):
        time = part.column("time")
        held.append(part.where(time.present & (time.values <= end)))
    if not all(part.rows for part in held):
        raise DataError("No event lies before the moment asked for", got=str(asof))
    return held[0], held[0] if events is activity else held[1], end


def _states(events: Dataset, asof: str | pd.Timestamp | None) -> tuple[npt.NDArray[np.int8], Mask]:
    """Return what is known of each event, and which are too young for anybody to know whether they are good."""
    if events.roles.label is None:
        return np.full(events.rows, BLOCKED, dtype=np.int8), np.zeros(events.rows, dtype=bool)
    labels = label_state(events, asof=asof)
    if labels.mature_until is None:
        return labels.state, np.zeros(events.rows, dtype=bool)
    time = events.column("time")
    return labels.state, ~time.present | (time.values > micros(labels.mature_until))


def _levels(events: Dataset) -> Ints:
    """Return what history did with each event, as a place on the ladder; -1 where it is not told."""
    steps = ladder(events.domain)
    codes, names = events.segment(str(events.roles.outcome))
    each = np.array([-1 if name == "(missing)" else steps.level(name) for name in names], dtype=np.int64)
    return each[codes] if len(each) else np.zeros(0, dtype=np.int64)


def _passed(activity: Dataset, asof: str | pd.Timestamp | None) -> tuple[Mask, Mask]:
    """Return which activities history did not stop, and which are known as fraud."""
    passed = np.ones(activity.rows, dtype=bool)
    if activity.has("outcome"):
        stops = np.array([rung.effect == "stop" for rung in ladder(activity.domain).rungs])
        level = _levels(activity)
        passed = (level < 0) | ~stops[np.maximum(level, 0)]
    cheats = _states(activity, asof)[0] == FRAUD
    return passed, cheats


def _drawn(held: Dataset) -> Mask:
    """Return which events the role `let_through` says were let through at random."""
    if not held.has("let_through"):
        return np.zeros(held.rows, dtype=bool)
    chance = held.column("let_through")
    return np.asarray(chance.present & (chance.values > 0) & (chance.values < 1))


def _gains(dataset: Dataset, costs: Costs) -> tuple[Floats, float]:
    """Return each event's margin in minor units, and the stated share that applies to it."""
    held = worth(dataset)
    if not held.money:
        return np.zeros(dataset.rows), 1.0
    return held.margin.astype(np.float64), held.margin_weight(costs)


def _number(dataset: Dataset, name: str) -> Floats | None:
    if name not in dataset.names or dataset.kinds[name] not in ("int", "float"):
        return None
    column = dataset.column(name)
    return np.where(column.present, column.values.astype(np.float64), np.nan)


def _known_before(  # noqa: PLR0917
    held: Dataset, entity: str, who: Ints, when: Ints, before: Ints, seen: Activity, start: int, days: int
) -> tuple[tuple[Ints, ...], Floats]:
    """Return the strata of what was known before each moment, finest first, and the same as numbers."""
    stem = entity.removesuffix("_id")
    told, ages = _number(held, f"{stem}_orders"), _number(held, f"{stem}_age_days")
    orders = before.astype(np.float64) if told is None else np.where(np.isnan(told), before, told)
    place = seen.place(who, np.full(len(who), start), after=False)
    padded = np.append(seen.at, 0)
    age = np.where(before > 0, days_of(when - padded[np.minimum(place, len(seen.at))]), 0.0)
    if ages is not None:
        age = np.where(np.isnan(ages), age, ages)
    age = np.maximum(age, 0.0)
    recent = seen.count(who, when - int(days * DAY), when).astype(np.float64)
    money = held.minor("amount").astype(np.float64) if held.has("amount") else np.zeros(held.rows)
    ends = np.quantile(money, [0.25, 0.5, 0.75])
    band_orders = np.searchsorted(_ORDERS, orders, side="right")
    band_age = np.searchsorted(_AGES, age, side="right")
    band_money = np.searchsorted(ends, money, side="left")
    week, region = held.weeks[0].astype(np.int64), held.regions[0].astype(np.int64)
    coarse = band_orders * 8 + band_age
    placed = coarse * (int(region.max()) + 1) + region
    month = week // 4
    middle = placed * (int(month.max()) + 1) + month
    fine = (placed * (int(week.max()) + 1) + week) * 8 + band_money
    numbers = np.stack(
        [
            np.log1p(orders),
            np.log1p(age),
            np.log1p(recent),
            recent,
            np.log1p(np.maximum(money, 0.0)),
            days_of(when - start),
        ],
        axis=1,
    )
    return (fine, middle, placed, coarse), numbers


def checked_entity(events: Dataset, activity: Dataset, entity: str | None) -> str:
    """Return the column of who is troubled: the one named, else the first of the role `entities`.

    Raises
    ------
    DataError
        When no entity is known.
    ParameterError
        When the later activity does not hold the column.
    """
    if entity is None:
        if not events.roles.entities:
            raise DataError("It is not known whose the events are", hint="name entity=, or the role 'entities'")
        entity = events.roles.entities[0]
    column = events.resolve(entity)
    if column not in activity.names:
        raise ParameterError(f"The later activity does not hold {column!r}", allowed="the same column in both")
    return column
