"""How many of the events without a verdict are fraud? From those told so far and from how fast verdicts come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD, UNKNOWN
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.measure import ages
from riskbench.incidents.scope import Scope
from riskbench.metrics.intervals import wilson
from riskbench.metrics.maturity import FEWEST, DelayCurve, delay_curve

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_DAY = 86_400_000_000


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
    """Return how likely some events of a cluster are fraud, and what the estimate rests on."""
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
    known = {source: curve.at(age) for source, curve in held.items()}
    found = fraud_chances(told, good, state == UNKNOWN, known)
    if found.faster:
        found = _least(scope, rows, found, told=told, good=good, mute=state == UNKNOWN)
        more = (
            "More is told than the baseline's delays allow, so verdicts come faster here: up to all pending is fraud; "
            "the likely lower end holds if no verdict comes later than those seen."
        )
        said = (*said, more)
    return found, said


def _least(scope: Scope, rows: npt.NDArray[np.intp], found: Chances, *, told: Ints, good: Mask, mute: Mask) -> Chances:
    """Return chances whose lower end takes the delays of these very events, none of them later than seen."""
    column, age = scope.dataset.column("label_time"), ages(scope)[rows]
    delay = (column.values[rows].astype(np.int64) - scope.times[rows]) / _DAY
    timed = (told >= 0) & column.present[rows]
    own = delay_curve(delay[timed], age[timed])
    least = fraud_chances(np.where(told >= 0, 0, -1), good, mute, {0: own.at(age)})
    if least.lower is None or found.lower is None or least.lower >= found.lower:
        return found
    return replace(found, lower=least.lower, expected_lower=np.minimum(least.expected_lower, found.expected_lower))


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
    delay, age = (told.values.astype(np.int64) - scope.times) / _DAY, ages(scope)
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
