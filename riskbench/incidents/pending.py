"""How many of the events without a verdict are fraud? From those told so far and from how fast verdicts come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD, UNKNOWN, stopped
from riskbench.engine.columns import DAY
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.measure import ages
from riskbench.incidents.scope import Scope
from riskbench.metrics.intervals import Z95, wilson
from riskbench.metrics.maturity.curve import FEWEST, DelayCurve, delay_curve

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: So many times as fast, or as slow, as in the baseline verdicts may come.
FASTEST = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """How likely each event of a cluster is fraud, given what was told of it and of the others.

    Attributes
    ----------
    share, lower, upper : float or None
        The share of frauds among the events, told or not, with its 95 % interval; None when not measurable.
    expected, expected_lower, expected_upper : ndarray of float64, shape (events,)
        Each event's chance to be fraud, 1 where told fraud, 0 where told good; from the share and its two ends.
        Without a share: 0 where nothing is told.
    told_by_now : ndarray of float64, shape (events,)
        The share of frauds of its age that would be told by now.
    faster : bool
        Whether more are told than could be even if all were fraud: verdicts come faster than the curves say.
    why : str or None
        Why the share is not measurable.
    """

    share: float | None
    lower: float | None
    upper: float | None
    expected: Floats
    expected_lower: Floats
    expected_upper: Floats
    told_by_now: Floats
    faster: bool = False
    why: str | None = None


def fraud_chances(told: Ints, good: Mask, mute: Mask, known: Mapping[int, Floats]) -> Chances:
    """Return how likely each event is fraud, corrected for verdicts that are still to come.

    Of each source, the share of frauds is the number it told over the number it could have told by now were all
    events fraud; the shares of the sources add up. An event not told yet is fraud less likely the longer it could
    have been told.

    Parameters
    ----------
    told : ndarray of int64, shape (events,)
        The source that told it fraud, -1 where none did.
    good : ndarray of bool
        Which are told good.
    mute : ndarray of bool
        Of which nothing can be told, so that their silence says nothing.
    known : mapping of int to ndarray of float64
        Of each source that told one, the share of its verdicts known by each event's age.

    Examples
    --------
    Ten events, two told; of frauds so old half are told, so four are expected, two of them among the other eight.

    >>> told = np.array([0, 0] + [-1] * 8)
    >>> none = np.zeros(10, dtype=bool)
    >>> held = fraud_chances(told, none, none, {0: np.full(10, 0.5)})
    >>> held.share, float(held.expected.sum().round(6))
    (0.4, 4.0)
    """
    size, fraud = len(told), told >= 0
    counts = {source: int(np.count_nonzero(told == source)) for source in known}
    heard = fraud | ~mute
    nothing = np.zeros(size)
    count = int(fraud.sum())
    if not count:
        return _silent(nothing, "no fraud of the cluster is told yet, so the share of frauds cannot be estimated")
    shares = {source: min(1.0, n / max(float(known[source][heard].sum()), n)) for source, n in counts.items() if n}
    total = sum(shares.values())
    shares = {source: share / max(total, 1.0) for source, share in shares.items()}
    share = min(total, 1.0)
    by_now = sum((held * known[source] for source, held in shares.items()), nothing) / share
    _, low, high = (float(x) for x in wilson(share * (count / share), count / share))

    def chance(of: float) -> Floats:
        rest = 1.0 - of * by_now
        silent = np.where(rest > 1e-12, of * (1.0 - by_now) / np.maximum(rest, 1e-12), 0.0)
        return np.where(fraud, 1.0, np.where(good, 0.0, np.where(mute, of, silent)))

    return Chances(share, low, high, chance(share), chance(low), chance(high), by_now, total > 1.0 + 1e-9)


def _silent(nothing: Floats, why: str) -> Chances:
    return Chances(None, None, None, nothing, nothing, nothing, nothing, why=why)


def chances(scope: Scope, cluster: Cluster, rows: npt.NDArray[np.intp]) -> tuple[Chances, tuple[str, ...]]:
    """Return how likely some events of a cluster are fraud, and what the estimate rests on.

    Those found in the same way and told good are part of the estimate: without them the frauds among the events old
    enough to be told good would look like all of them.
    """
    size, known_good = len(rows), cluster.cleared[scope.times[cluster.cleared] <= scope.asof]
    rows = np.concatenate([rows, known_good[~stopped(scope.dataset)[known_good]]]).astype(np.intp)
    found, said = _estimated(scope, cluster, rows)
    names = ("expected", "expected_lower", "expected_upper", "told_by_now")
    return replace(found, **{name: getattr(found, name)[:size] for name in names}), said


def _estimated(scope: Scope, cluster: Cluster, rows: npt.NDArray[np.intp]) -> tuple[Chances, tuple[str, ...]]:
    state = scope.state.state[rows]
    fraud, good = state == FRAUD, state == GOOD
    nothing = np.zeros(len(rows))
    told_only = np.where(fraud, 1.0, nothing)

    def none(why: str) -> tuple[Chances, tuple[str, ...]]:
        return Chances(None, None, None, told_only, told_only, told_only, nothing, why=why), ()

    if scope.dataset.roles.label is None:
        return none("there are no labels")
    if cluster.by == "labels":
        return none("the suspected events are the frauds told themselves; those still to be told lie outside of them")
    if not fraud.any():
        return none("no fraud of the suspected events is told yet")
    if scope.dataset.roles.label_time is None:
        return none("labels bear no time, so that nobody knows which silence is young")
    sources, names = _sources(scope, rows)
    told = np.where(fraud, sources, -1)
    held, said = _curves(scope, np.unique(told[fraud]), names)
    age = ages(scope)[rows]
    delay = (scope.dataset.column("label_time").values[rows].astype(np.int64) - scope.times[rows]) / DAY
    timed = fraud & scope.dataset.column("label_time").present[rows]
    speed = pace(delay[timed], age[timed], told[timed], held)

    def known(factor: float) -> dict[int, Floats]:
        return {source: curve.at(age * factor) for source, curve in held.items()}

    mute = state == UNKNOWN
    found = fraud_chances(told, good, mute, known(speed.factor))
    if speed.told:
        said = (*said, speed.told)
        most, least = (fraud_chances(told, good, mute, known(end)) for end in (speed.lower, speed.upper))
        found = _between(found, least, most)
    if found.faster:
        found = _between(found, _own(told, good, mute, delay=delay, timed=timed, age=age), found)
        more = (
            "More is told than the baseline's delays allow, so verdicts come faster here: up to all pending is fraud; "
            "the likely lower end holds if no verdict comes later than those seen."
        )
        said = (*said, more)
    return found, said


def _between(found: Chances, least: Chances, most: Chances) -> Chances:
    """Return chances whose ends are at least as far out as those of two others."""
    if found.lower is None or found.upper is None:
        return found
    lower = min(found.lower, found.lower if least.lower is None else least.lower)
    upper = max(found.upper, found.upper if most.upper is None else most.upper)
    return replace(
        found, lower=lower, upper=upper, expected_lower=np.minimum(found.expected_lower, least.expected_lower),
        expected_upper=np.maximum(found.expected_upper, most.expected_upper),
    )  # fmt: skip


def _own(told: Ints, good: Mask, mute: Mask, *, delay: Floats, timed: Mask, age: Floats) -> Chances:
    """Return chances by the delays of these very events, none of them later than those seen."""
    own = delay_curve(delay[timed], age[timed])
    return fraud_chances(np.where(told >= 0, 0, -1), good, mute, {0: own.at(age)})


@dataclass(frozen=True, slots=True)
class Pace:
    """How many times as fast as in the baseline verdicts come, with its 95 % interval; 1 where nothing speaks else."""

    factor: float = 1.0
    lower: float = 1.0
    upper: float = 1.0
    told: str = ""


def pace(delays: Floats, ages_: Floats, sources: Ints, curves: Mapping[int, DelayCurve]) -> Pace:
    """Return how many times as fast as some curves verdicts come, when their delays tell it.

    Only delays up to an event's age can be seen. The factor is the one at which the curve, cut at each event's age,
    has the mean delay that was seen; it is 1 unless its 95 % interval excludes 1.

    Parameters
    ----------
    delays, ages_ : ndarray of float64, shape (verdicts,)
        Days from the event to the verdict, and to the as-of moment.
    sources : ndarray of int64
        Whose curve holds for each.
    curves : mapping of int to DelayCurve
        How fast each source tells in the baseline.

    Examples
    --------
    >>> usual = delay_curve(np.arange(1.0, 101.0), np.full(100, 200.0))
    >>> held = pace(np.arange(1.0, 101.0) / 2, np.full(100, 200.0), np.zeros(100, dtype=np.int64), {0: usual})
    >>> round(held.factor, 1)
    2.0
    """
    inside = (delays <= ages_) & (ages_ > 0)
    delays, ages_, sources = delays[inside], ages_[inside], sources[inside]
    if len(delays) < FEWEST or any(not curves[source].n for source in np.unique(sources).tolist()):
        return Pace()
    slowness = np.exp(np.linspace(np.log(1 / FASTEST), np.log(FASTEST), 121))
    means = np.array([_cut_means(ages_, sources, curves, slow) for slow in slowness])
    rising = np.maximum.accumulate(means)
    seen, half = float(delays.mean()), Z95 * float(delays.std(ddof=1)) / len(delays) ** 0.5
    slow, fast, late = (float(np.interp(mean, rising, slowness)) for mean in (seen, seen - half, seen + half))
    if fast <= 1.0 <= late:
        return Pace()
    said = f"Verdicts come {1 / slow:.1f} times as fast as in the baseline ({1 / late:.1f} to {1 / fast:.1f})."
    return Pace(1 / slow, 1 / late, 1 / fast, said)


def _cut_means(ages_: Floats, sources: Ints, curves: Mapping[int, DelayCurve], slow: float) -> float:
    """Return the mean delay of curves stretched by a factor and cut at the events' ages."""
    total = 0.0
    for source, curve in curves.items():
        some = ages_[sources == source]
        mass = np.diff(curve.share, prepend=0.0)
        whole = np.concatenate(([0.0], np.cumsum(mass)))
        moment = np.concatenate(([0.0], np.cumsum(mass * curve.days)))
        place = np.searchsorted(curve.days, some / slow, side="right")
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(place > 0, slow * moment[place] / whole[place], some)
        total += float(mean.sum())
    return total / len(ages_)


def _sources(scope: Scope, rows: npt.NDArray[np.intp]) -> tuple[Ints, tuple[str, ...]]:
    if scope.dataset.roles.label_source is None:
        return np.zeros(len(rows), dtype=np.int64), ("any source",)
    codes, names = scope.dataset.segment(scope.dataset.roles.label_source)
    return codes[rows].astype(np.int64), names


def _curves(scope: Scope, wanted: Ints, names: tuple[str, ...]) -> tuple[dict[int, DelayCurve], tuple[str, ...]]:
    """Return how fast each source tells frauds: of the baseline; of all events where that told too few."""
    told = scope.dataset.column("label_time")
    every = np.arange(scope.dataset.rows)
    sources, _ = _sources(scope, every)
    timed = (scope.state.state == FRAUD) & told.present
    delay, age = (told.values.astype(np.int64) - scope.times) / DAY, ages(scope)
    before, all_ = timed & scope.baseline, timed & (scope.baseline | scope.current | scope.after)
    found: dict[int, DelayCurve] = {}
    few: list[str] = []
    for source in wanted.tolist():
        mask = before & (sources == source)
        if int(mask.sum()) < FEWEST:
            few.append(names[source].replace("_", " "))
            mask = before if int(before.sum()) >= FEWEST else all_
        found[source] = delay_curve(delay[mask], age[mask])
    said = [
        (
            f"P(fraud) of an event without verdict: the share told so far, by source, over the share of the baseline's "
            f"frauds that were told by the same age ({', '.join(names[s].replace('_', ' ') for s in found)}). A source "
            f"that has told nothing here yet adds nothing."
        )
    ]
    if few:
        said.append(f"The baseline holds fewer than {FEWEST} frauds told by {', '.join(few)}: delays of all sources.")
    return found, tuple(said)
