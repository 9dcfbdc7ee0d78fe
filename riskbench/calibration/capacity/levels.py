"""What does each limit on capacity come to at every cut? Sums of what a limit counts, switched as the cut moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from riskbench.calibration.capacity.verify import share_in_time
from riskbench.data.dataset import Dataset
from riskbench.display.fact import Unit
from riskbench.errors import DataError, ParameterError, listed, nearest
from riskbench.metrics.constraints import CapacityLimit, Constraint
from riskbench.metrics.curve import FRAUD, GOOD, TruthTable, reached, switched
from riskbench.metrics.queue.hours import HOUR, WEEK, open_minutes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from riskbench.calibration.study import Study
    from riskbench.data.windows import Window

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.bool_] | npt.NDArray[np.intp]

#: What more hits lower.
FALLING = ("approval_rate", "verify_within", "new_seller_activation", "kyc_pass_rate")
#: What depends on both of two cuts.
TIED = ("review_rate", "cases_per_hour", "payout_hold_value")
#: Fewer decided appeals, new sellers or attempts than this measure no rate.
FEWEST = 20
#: The decision points at which an order's money leaves.
_PAYS_OUT = ("settlement", "payout", "commission payout")
#: A label source that says that an action was wrong, and those that say that one was right.
_OVERTURNED, _UPHELD = "appeal_overturned", ("appeal_upheld", "investigation", "ban")
#: The label sources that a card scheme counts.
DISPUTES = ("chargeback", "fraud_report")
_YES = ("overturned", "true", "1", "1.0", "yes", "granted", "won")


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a limit counts of each event, without and with the hit.

    Attributes
    ----------
    rows : ndarray of intp
        The events that count.
    before, after : ndarray of float64, shape (rows,)
        What each counts where it is not hit, and where it is.
    whole_before, whole_after : ndarray of float64, shape (rows,), or float
        The same for the denominator; one number where no cut changes it.
    """

    rows: npt.NDArray[np.intp]
    before: Floats
    after: Floats
    whole_before: Floats
    whole_after: Floats


def unit_of(limit: Constraint) -> Unit:
    """Return how what is limited is printed."""
    if not isinstance(limit, CapacityLimit):
        return "share"
    return cast("Unit", {"share": "share", "cases": "number", "money": "money"}[limit.unit])


def levels_of(study: Study, table: TruthTable, rows: Rows) -> dict[Constraint, Floats]:
    """Return what each limit that a study was asked for comes to at every point of a truth table of some events."""
    picked = np.flatnonzero(rows) if rows.dtype == np.bool_ else cast("npt.NDArray[np.intp]", rows)
    window = window_of(study, picked)
    return {limit: level_of(study, limit, table, picked, window) for limit in study.asked}


def window_of(study: Study, rows: npt.NDArray[np.intp]) -> Window:
    """Return the window that some events lie in."""
    choose, report = study.windows.choose, study.windows.report
    return report if len(rows) and not choose.mask[rows[0]] and report.mask[rows[0]] else choose


def level_of(
    study: Study, limit: CapacityLimit, table: TruthTable, rows: npt.NDArray[np.intp], window: Window
) -> Floats:
    """Return what one limit comes to at every point; NaN where it is not measurable."""
    parts = parts_of(study, limit, rows)
    place = places(study, table, parts.rows)
    if limit.name == "verify_within":
        return share_in_time(study, limit, table, rows=parts.rows, place=place)
    if limit.name == "cases_per_hour" and limit.option("peak"):
        return _peak(study, table, parts, place, window)
    if limit.name == "kyc_pass_rate" and limit.option("unit"):
        return _by_unit(study, limit, table, parts, place)
    top = switched(place, parts.before, parts.after, points=table.points)
    if limit.unit != "share":
        return top / per_of(limit, window.length)
    whole = switched(place, parts.whole_before, parts.whole_after, points=table.points)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = top / whole
    if limit.name == "appeal_overturn_rate":
        acted = _acted(study)
        levels = acted[study.sweep.base[parts.rows]], acted[study.sweep.hit[parts.rows]]
        nobody = switched(place, *levels, points=table.points) == 0
        return np.where((whole == 0) & nobody, 0.0, rate)
    return rate


def per_of(limit: CapacityLimit, weeks: float) -> float:
    """Return by what a sum over some weeks is divided: hours in which reviewers are there, or weeks."""
    if limit.name != "cases_per_hour":
        return weeks
    return weeks * float(open_minutes(str(limit.option("staffed"))).sum()) / HOUR


def places(study: Study, table: TruthTable, rows: npt.NDArray[np.intp]) -> Ints:
    """Return the point from which on each event is hit; the number of points where it never is."""
    sweep = study.sweep
    place = reached(table, sweep.value[rows])
    place[sweep.never[rows]] = table.points
    place[sweep.always[rows]] = 0
    return place


def parts_of(study: Study, limit: CapacityLimit, rows: npt.NDArray[np.intp]) -> Parts:
    """Return what a limit counts of each of some events."""
    own = rows[inside(study.sweep.dataset, limit)[rows]]
    without, with_hit = study.sweep.base[own], study.sweep.hit[own]
    ones = np.ones(len(own))
    if limit.name in ("cases_per_hour", "verify_within"):
        under = _by_effect(study, "review")
        return Parts(own, under[without], under[with_hit], ones, ones)
    if limit.name == "payout_hold_value":
        held = _held(study)
        money = study.worth.value[own] / study.sweep.dataset.currency.scale
        return Parts(own, held[without] * money, held[with_hit] * money, ones, ones)
    if limit.name == "appeal_overturn_rate":
        decided, overturned = (part[own] for part in appeals_of(study.sweep.dataset, limit))
        acted = _acted(study)
        whole = acted[without] * decided, acted[with_hit] * decided
        return Parts(own, whole[0] * overturned, whole[1] * overturned, *whole)
    if limit.name == "dispute_rate":
        return _disputes(study, own)
    passes = 1.0 - np.maximum(_by_effect(study, "review"), _by_effect(study, "stop"))
    if limit.name == "kyc_pass_rate":
        return Parts(own, passes[without], passes[with_hit], ones, ones)
    known, active = activated_of(study.sweep.dataset, limit)
    good = own[(study.kinds[own] == GOOD) & known[own]]
    weight = np.ones(len(good)) if study.weight is None else study.weight[good]
    return Parts(
        good,
        passes[study.sweep.base[good]] * active[good] * weight,
        passes[study.sweep.hit[good]] * active[good] * weight,
        weight,
        weight,
    )


def inside(events: Dataset, limit: CapacityLimit) -> Mask:
    """Return which events a limit speaks of.

    Raises
    ------
    ColumnNotFoundError
        When a column is not there.
    ParameterError
        When no event has the value.
    """
    held = np.ones(events.rows, dtype=bool)
    for column, value in limit.where:
        codes, names = events.segment(column)
        if value not in names:
            close = nearest(value, names)
            raise ParameterError(
                f"No event has {value!r} in {column!r}, so {limit.rate} limits nothing",
                allowed=listed(names),
                hint=f"did you mean {close!r}?" if close else None,
            )
        held &= codes == names.index(value)
    return held


def appeals_of(events: Dataset, limit: CapacityLimit) -> tuple[Mask, Mask]:
    """Return which events have a decided appeal, and which of them were overturned.

    Without a column the label source tells it: a verdict "appeal_overturned" is one, and an upheld appeal, an
    investigation or a ban is a decided one that stood. As not everybody appeals, the rate is then a floor.

    Raises
    ------
    DataError
        When nothing tells it.
    """
    column = limit.option("appeal")
    if column is not None:
        codes, names = events.segment(str(column))
        known = np.array([name not in ("(missing)", "None", "nan", "") for name in names], dtype=bool)
        won = np.array([name.strip().casefold() in _YES for name in names], dtype=bool)
        return known[codes], (known & won)[codes]
    source = events.roles.label_source
    if source is None:
        raise DataError(
            "appeal_overturn_rate is not measurable: nothing says how appeals ended.",
            hint='name the column: rb.at_most("appeal_overturn_rate", 0.1, appeal="appeal_verdict"), or the role '
            "'label_source'",
        )
    codes, names = events.segment(source)
    won = np.array([name == _OVERTURNED for name in names], dtype=bool)
    stood = np.array([name in _UPHELD for name in names], dtype=bool)
    return (won | stood)[codes], won[codes]


def _disputes(study: Study, rows: npt.NDArray[np.intp]) -> Parts:
    """Return the disputes that come of events let through, and the events not stopped, without and with the hit."""
    weight = np.ones(study.sweep.dataset.rows) if study.weight is None else study.weight
    disputed = (disputed_of(study) * weight)[rows]
    left = np.array([1.0 - study.costs.fraud_gain(rung.effect) for rung in study.steps.rungs])
    passes = 1.0 - _by_effect(study, "stop")
    before, after = study.sweep.base[rows], study.sweep.hit[rows]
    return Parts(rows, left[before] * disputed, left[after] * disputed, passes[before], passes[after])


def disputed_of(study: Study) -> Mask:
    """Return which known frauds a card scheme counts: those told by a chargeback or a fraud report.

    Raises
    ------
    DataError
        When no role says who told the verdicts.
    """
    source = study.sweep.dataset.roles.label_source
    if source is None:
        raise DataError(
            "dispute_rate is not measurable: nothing says which verdicts are disputes.",
            hint="name the role 'label_source'",
        )
    codes, names = study.sweep.dataset.segment(source)
    disputes = np.array([name in DISPUTES for name in names], dtype=bool)
    held: Mask = disputes[codes] & (study.kinds == FRAUD)
    return held


def activated_of(events: Dataset, limit: CapacityLimit) -> tuple[Mask, Floats]:
    """Return for which sellers it is known whether they become active once they may open, and whether they do."""
    column = limit.option("activated")
    if column is None:
        return np.ones(events.rows, dtype=bool), np.ones(events.rows)
    held = events.column(str(column))
    if held.kind not in ("bool", "int", "float"):
        raise ParameterError(f"Column {column!r}, named in activated=, is neither true nor false", got=held.kind)
    return held.present, (held.present & (held.values.astype(np.float64) > 0)).astype(np.float64)


def _by_effect(study: Study, effect: str) -> Floats:
    return np.array([float(rung.effect == effect) for rung in study.steps.rungs])


def _held(study: Study) -> Floats:
    """Return which outcomes hold a payout: a review, and what is called a hold."""
    return np.array([float(rung.effect == "review" or rung.name == "hold") for rung in study.steps.rungs])


def _acted(study: Study) -> Floats:
    """Return which outcomes can be appealed against: what holds, and what stops."""
    return np.maximum(_held(study), _by_effect(study, "stop"))


def _peak(study: Study, table: TruthTable, parts: Parts, place: Ints, window: Window) -> Floats:
    """Return the cases of the busiest hour of the week at every point, on average over the weeks."""
    events = study.sweep.dataset
    minute = events.local_times[parts.rows] // 60_000_000
    hour = ((minute + 3 * 1_440) % WEEK // HOUR).astype(np.int64)  # 1970-01-01 was a Thursday
    most = np.zeros(table.points)
    for each in range(168):
        mine = hour == each
        if mine.any():
            line = switched(place[mine], parts.before[mine], parts.after[mine], points=table.points)
            np.maximum(most, line, out=most)
    return most / window.length


def _by_unit(study: Study, limit: CapacityLimit, table: TruthTable, parts: Parts, place: Ints) -> Floats:
    """Return the share of accounts with an attempt that passes: an account passes until its last attempt is hit."""
    codes, names = study.sweep.dataset.segment(str(limit.option("unit")))
    own = codes[parts.rows].astype(np.int64)
    if "(missing)" in names:  # an attempt without an account is one of its own
        alone = own == names.index("(missing)")
        own = np.where(alone, len(names) + np.arange(len(own)), own)
    used, unit = np.unique(own, return_inverse=True)
    until = np.where(parts.after > 0, np.where(parts.before > 0, table.points, 0), np.where(parts.before > 0, place, 0))
    if ((parts.after > 0) & (parts.before == 0)).any():
        raise ParameterError("kyc_pass_rate by unit needs a cut that lets nobody pass by hitting them")
    last = np.zeros(len(used), dtype=np.int64)
    np.maximum.at(last, unit, until)
    failed = np.cumsum(np.bincount(last, minlength=table.points + 1))[: table.points]
    return np.asarray(1 - failed / max(len(used), 1)) if len(used) else np.full(table.points, np.nan)


def checked(study: Study, limits: Iterable[Constraint], *, two_cuts: bool = False) -> tuple[CapacityLimit, ...]:
    """Return the limits on capacity, each of which can be measured on a study's events.

    Raises
    ------
    ParameterError
        When a limit does not apply to the domain; it names the nearest that does.
    DataError
        When the data cannot tell it.
    """
    held = tuple(limit for limit in limits if isinstance(limit, CapacityLimit))
    for limit in held:
        _CHECKS[limit.rate](study, limit)
        if two_cuts and (limit.name == "verify_within" or limit.option("peak")):
            raise ParameterError(
                f"{limit.rate}{' at its peak' if limit.option('peak') else ''} cannot be kept by two cuts at once",
                hint="limit cases_per_hour on average, or leave two_cuts out",
            )
    return held


def _domain(study: Study, limit: CapacityLimit, domain: str, instead: str) -> None:
    if study.sweep.dataset.domain != domain:
        raise ParameterError(
            f"{limit.rate} is for the domain {domain}",
            got=study.sweep.dataset.domain,
            hint=f"the nearest that applies here is {instead}",
        )


def _timed(study: Study, limit: CapacityLimit) -> None:
    if study.windows.per != "week":
        raise DataError(
            f"{limit.rate} is not measurable: without a time nobody knows how many come in an hour.",
            hint="name the role 'time', or limit review_rate",
        )
    inside(study.sweep.dataset, limit)


def _pays_out(study: Study, limit: CapacityLimit) -> None:
    events = study.sweep.dataset
    at_payout = events.domain == "transactions" and events.roles.decision_point in _PAYS_OUT
    if events.domain != "affiliation" and not at_payout:
        raise ParameterError(
            "payout_hold_value is for commissions, and for orders judged at settlement",
            got=f"{events.domain}, decision point {events.roles.decision_point or 'not named'}",
            hint="the nearest that applies here is cases_per_hour",
        )
    if not study.worth.money:
        raise DataError("payout_hold_value is not measurable: the events bear no money", hint="name the role 'amount'")
    _timed(study, limit)


def _appealed(study: Study, limit: CapacityLimit) -> None:
    events = study.sweep.dataset
    rows = np.flatnonzero(study.windows.choose.mask & inside(events, limit))
    decided, overturned = (part[rows] for part in appeals_of(events, limit))
    if limit.option("appeal") is None and not overturned.any():
        raise DataError(
            "appeal_overturn_rate is not measurable: no verdict's source is appeal_overturned.",
            hint='name the column that says how appeals ended: appeal="appeal_verdict"',
        )
    _enough(limit, int(decided.sum()), "decided appeals")


def _disputable(study: Study, limit: CapacityLimit) -> None:
    _domain(study, limit, "transactions", "appeal_overturn_rate")
    if not limit.where:
        raise ParameterError(
            "dispute_rate is for the card share only",
            hint='where={"payment_method": "card"}, or rb.programme_limit("mastercard-ecm", on="2026-11-01")',
        )
    rows = study.windows.choose.mask & inside(study.sweep.dataset, limit)
    _enough(limit, int((disputed_of(study) & rows).sum()), "card disputes")


def _enough(limit: CapacityLimit, count: int, what: str) -> None:
    if count < FEWEST:
        raise DataError(
            f"{limit.rate} is not measurable: there are too few {what} in the window to choose on.",
            got=f"{count:,}",
            allowed=f"at least {FEWEST}",
            hint="choose on a longer window",
        )


def _activation(study: Study, limit: CapacityLimit) -> None:
    _domain(study, limit, "onboarding", "approval_rate")
    rows = np.flatnonzero(study.windows.choose.mask)
    _enough(limit, len(parts_of(study, limit, rows).rows), "new sellers known to be good")


def _kyc(study: Study, limit: CapacityLimit) -> None:
    _domain(study, limit, "kyc", "approval_rate")
    rows = np.flatnonzero(study.windows.choose.mask)
    _enough(limit, len(parts_of(study, limit, rows).rows), "attempts")


_CHECKS: Mapping[str, Callable[[Study, CapacityLimit], None]] = {
    "cases_per_hour": _timed,
    "verify_within": _timed,
    "payout_hold_value": _pays_out,
    "appeal_overturn_rate": _appealed,
    "dispute_rate": _disputable,
    "new_seller_activation": _activation,
    "kyc_pass_rate": _kyc,
}
