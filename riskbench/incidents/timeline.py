"""When did it start, is it still running, and how far is it from what was to be expected?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from riskbench.display import Fact, Result, result
from riskbench.errors import ParameterError, listed, nearest
from riskbench.incidents.measure import Measure, measures
from riskbench.incidents.scope import Scope
from riskbench.incidents.series import draw, series_of
from riskbench.incidents.signal_table import amount, chance, page, table
from riskbench.incidents.signals import FEWEST_EVENTS, LEVEL, Signal, adjusted, signal, window_end

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@result
class Timeline(Result):
    """When it started, and how far it is from what was to be expected.

    Attributes
    ----------
    signals : DataFrame
        One row a measure, the clearest change first: measure, title, baseline (a share or mean, or a sum a day),
        observed and expected (over the window: sums, or a mean score), change (observed over expected in the stretch
        that departs most) with lower and upper, start with lower and upper, end, still_running, p_value, p_adjusted
        (for the number of measures), n (events of the window that bear it), said (whether it is measurable, and if
        not why). Moments are local; money is in major units. The start and the end are empty where chance would do.
    series : DataFrame
        The main measure over time: time (local, a bin's begin), observed and expected (sums over the bin, of frauds
        those told by now; a mean for the score), lower and upper (where 95 of 100 bins lie without a change), told
        (the share of verdicts told by now), n, in_window.
    measure : str
        The measure that the rest of the investigation rests on.
    why : str
        Why that one.
    start, start_lower, start_upper : str or None
        When it began, ISO, UTC, and the 95 % interval; None where nothing changed or nothing is measurable.
    end : str or None
        When it stopped, ISO, UTC; None where it was still running at the end of the window, or never began.
    still_running : bool or None
        Whether it was still running at the end of the window; None where nothing changed.
    change, change_lower, change_upper : float or None
        Observed over expected from start to end.
    p_value : float or None
        How often chance makes a change as clear; adjusted for the number of measures where the measure was chosen
        by it.
    time_zone : str
        The zone of the local moments.
    window : tuple of str
        The window that was looked at, ISO, UTC.
    """

    kind: ClassVar[str] = "timeline"
    title: ClassVar[str] = "When did it start?"
    main: ClassVar[str] = "signals"
    next_step: ClassVar[str] = ".frame('series') has the numbers of the picture"
    repr_rows: ClassVar[int] = 8

    signals: pd.DataFrame
    series: pd.DataFrame
    measure: str
    why: str
    unit: str
    start: str | None
    start_lower: str | None
    start_upper: str | None
    end: str | None
    still_running: bool | None
    change: float | None
    change_lower: float | None
    change_upper: float | None
    p_value: float | None
    time_zone: str
    window: tuple[str, str]

    @property
    def changed(self) -> bool:
        """Whether something changed."""
        return self.start is not None

    def headline(self) -> tuple[Fact, ...]:
        """Return when it started and stopped, how large it is, and how likely chance alone would make it."""
        row = self.signals[self.signals["measure"] == self.measure].iloc[0]
        about = Fact("Measure", f"{row['title']}", "text", note=self.why)
        if self.p_value is None:
            return (Fact("Started", None, note=str(row["said"])), about)
        clear = Fact("Chance alone", chance(self.p_value), "text", note="how often it makes a change as clear")
        total = Fact("In the window", self._against(row), "text")
        if self.start is None:
            none = Fact("Started", "no change found", "text", note=f"in {row['title']}, against {LEVEL:.0%} chance")
            return (none, about, total, clear)
        began = f"{self._local(self.start_lower)} to {self._local(self.start_upper)}, 95 % interval"
        ended = "still running at the window's end" if self.still_running else self._local(self.end)
        return (
            Fact("Started", f"{self._local(self.start)} {self.time_zone}", "text", note=began),
            Fact("Stopped", ended, "text", note="" if self.still_running else "in all events looked at together"),
            Fact(
                "Times the expected", self.change, "average", lower=self.change_lower, upper=self.change_upper,
                note="from start to stop",
            ),
            total,
            clear,
            about,
        )  # fmt: skip

    def _against(self, row: pd.Series) -> str:
        money = self.unit not in ("frauds", "events", "mean rank")
        told = [amount(row[name], self.unit if money else None) for name in ("observed", "expected")]
        return f"{told[0]} against {told[1]} expected"

    def _local(self, moment: str | None) -> str:
        if moment is None:
            return "unknown"
        return f"{pd.Timestamp(moment, tz='UTC').tz_convert(self.time_zone):%Y-%m-%d %H:%M}"

    @property
    def alt(self) -> str:
        """The picture in words."""
        name = str(self.signals.loc[self.signals["measure"] == self.measure, "title"].iloc[0])
        return (
            f"{name[:1].upper()}{name[1:]} over time, observed beside what was expected, the window shaded. "
            + ". ".join(str(fact) for fact in self.headline()[:4])
        )

    def _draw(self, ax: Axes) -> None:
        draw(ax, self)


def when(scope: Scope, *, measure: str | None = None, calendar: pd.DataFrame | None = None) -> Timeline:
    """Return when a change started and stopped, in one measure and in all others beside it.

    Use it first in an investigation: the start bounds everything that follows. Each measure is compared with what
    the baseline leads to expect at that hour, weekday and kind of day, and frauds with what would be told of them by
    now. Read the start's interval before the start, and a change of a sum on a campaign day with care.

    Parameters
    ----------
    scope : Scope
        The events, the window and the baseline.
    measure : str, optional
        The main measure; by default the incident's, else the fraud told where it changed and 5 or more are told,
        else what changed most.
    calendar : DataFrame, optional
        Campaigns: name, first, last (local days); by default double days, Black Friday and paydays.

    Returns
    -------
    Timeline
        Tables `signals` and `series`.

    Raises
    ------
    ParameterError
        When the events do not allow the measure, or the calendar cannot be read.

    Examples
    --------
    >>> import riskbench as rb
    >>> from riskbench.incidents.scope import scope_of
    >>> events = pd.DataFrame({"id": range(2000), "at": pd.date_range("2026-01-01", periods=2000, freq="30min")})
    >>> more = pd.DataFrame({"id": range(2000, 2300), "at": pd.date_range("2026-02-06", periods=300, freq="1min")})
    >>> data = rb.read(pd.concat([events, more]), roles=rb.Roles(id="id", time="at"))
    >>> found = when(scope_of(rb.Incident("2026-02-05", "2026-02-07"), data))
    >>> found.measure, found.start, found.end
    ('events', '2026-02-06T00:00:00', '2026-02-06T05:01:00')
    """
    wanted = measure if measure is not None else scope.incident.measure
    held = measures(scope)
    if wanted is not None and wanted not in [each.name for each in held]:
        names = [each.name for each in held]
        close = nearest(wanted, names)
        raise ParameterError(
            f"{wanted!r} is not a measure of these events",
            allowed=listed(names, most=20),
            hint=f"did you mean {close!r}?" if close else None,
        )
    found = [signal(scope, each, calendar=calendar) for each in held]
    told = [each for each in found if each.change is not None]
    fair = dict(
        zip(
            [each.measure.name for each in told],
            adjusted([each.change.p_value for each in told if each.change is not None]),
            strict=True,
        )
    )
    chosen, why = _main(found, fair, wanted)
    change = chosen.change
    p_value = None if change is None else change.p_value if wanted is not None else fair[chosen.measure.name]
    clear = change is not None and p_value is not None and p_value <= LEVEL
    frame = table(scope, found, fair, {chosen.measure.name: p_value})
    first, last = scope.incident.window[0], window_end(scope)
    return Timeline(
        signals=frame,
        series=series_of(scope, chosen, calendar),
        measure=chosen.measure.name,
        why=why,
        unit=_unit_said(scope, chosen.measure),
        start=_iso(chosen.moment(change.start), first) if clear and change else None,
        start_lower=_iso(chosen.moment(max(change.start_lower - 1, 0)), first) if clear and change else None,
        start_upper=_iso(chosen.moment(change.start_upper), first) if clear and change else None,
        end=_iso(chosen.moment(change.end), first) if clear and change and change.end is not None else None,
        still_running=change.end is None if clear and change else None,
        change=change.ratio if change else None,
        change_lower=change.ratio_lower if change else None,
        change_upper=change.ratio_upper if change else None,
        p_value=p_value,
        time_zone=scope.dataset.time_zone,
        window=(_iso(first, first), _iso(last, first)),
        notes=_notes(scope, chosen, found, calendar),
        provenance=scope.provenance,
        pages={"signals": page(scope, frame, found, chosen.measure.name)},
    )


def settled_window(scope: Scope, timeline: Timeline) -> tuple[int, int]:
    """Return the window from the detected start to the detected end, or as it was given where nothing changed.

    Both in microseconds since 1970, UTC, the end exclusive.
    """
    first, last = scope.incident.window
    if timeline.start is None:
        return first, last
    start = int(pd.Timestamp(timeline.start).value // 1_000)
    end = last if timeline.end is None else int(pd.Timestamp(timeline.end).value // 1_000)
    return max(first, start), min(last, max(end, start + 1))


def _main(found: Sequence[Signal], fair: dict[str, float], wanted: str | None) -> tuple[Signal, str]:
    """Return the main measure and why it is that; a rate of a few frauds that would be a finding is not chosen."""
    if wanted is not None:
        return next(each for each in found if each.measure.name == wanted), "as the incident names it"
    found = [each for each in found if fair.get(each.measure.name, 1.0) > LEVEL or not _few_frauds(each)]
    clear = [each for each in found if fair.get(each.measure.name, 1.0) <= LEVEL]
    clear.sort(key=lambda each: (fair[each.measure.name], -each.change.evidence if each.change else 0.0))
    frauds = [each for each in clear if each.measure.name == "fraud"]
    sources = [each for each in clear if each.measure.name.startswith("fraud:")]
    if frauds:
        return frauds[0], "the fraud told has changed"
    if sources:
        return sources[0], "the label source with the clearest change; all frauds together show none"
    fraud = next((each for each in found if each.measure.name == "fraud"), None)
    if clear:
        clear.sort(key=lambda each: -_distance(each))
        reason = "furthest from its expectation"
        if fraud is not None:  # with few frauds told it is not among those to choose from, and nothing is said of it
            reason += "; the fraud told " + ("has not changed" if fraud.change is not None else "is not measurable yet")
        return clear[0], reason
    if fraud is not None and fraud.change is not None:
        return fraud, "the fraud told; nothing else has changed either"
    told = [each for each in found if each.change is not None]
    if told:
        told.sort(key=lambda each: fair[each.measure.name])
        return told[0], "the least unlikely of the measures, none of which has changed"
    return found[0], "nothing is measurable"


def _few_frauds(held: Signal) -> bool:
    """Return whether a rate of frauds rests on too few of them in the window to bear an investigation."""
    return held.measure.name.split(":")[0] == "fraud" and held.observed < FEWEST_EVENTS


def _distance(held: Signal) -> float:
    """Return how far the near end of the ratio's interval is from 1, up or down."""
    change = held.change
    if change is None:
        return 0.0
    return max(float(np.log(max(change.ratio_lower, 1e-9))), -float(np.log(max(change.ratio_upper, 1e-9))))


def _notes(scope: Scope, chosen: Signal, found: Sequence[Signal], calendar: pd.DataFrame | None) -> tuple[str, ...]:
    notes = [*scope.notes, *chosen.notes]
    curve, profile = chosen.measure.delays, chosen.profile
    if curve is not None and chosen.measure.exposure is not None:
        bears = scope.current & (chosen.measure.exposure > 0)
        if bears.any():
            share = float(chosen.measure.exposure[bears].mean())
            notes.append(
                f"Of the window's frauds {100 * share:.0f} % would be told by now; the expectation allows for it."
            )
        if curve.drift_p is not None and curve.drift_p < 0.01:
            pace = "faster" if curve.faster else "slower"
            notes.append(
                f"Younger frauds are told {pace} than older ones (p {chance(curve.drift_p)}): read it with care."
            )
    if chosen.change is not None and chosen.change.start_lower == 0 and chosen.change.p_value <= LEVEL:
        earlier = bool((scope.times[scope.dataset.column("time").present] < scope.incident.window[0]).any())
        hint = "Let the window begin earlier." if earlier else "The events begin with it."
        notes.append(f"It may have begun before the window. {hint}")
    if chosen.change is not None and chosen.change.end is not None and chosen.change.p_value <= LEVEL:
        notes.append("It stopped in all events together; a small remainder can hide among them: ask again with where=.")
    if profile is not None and profile.days < 14:
        more = "; how much days vary is assumed" if profile.days < 5 else ""
        notes.append(f"The baseline has {profile.days} days only: weekdays are barely told apart{more}.")
    if calendar is None:
        notes.append("Double days, Black Friday and paydays (25-28, 1-2) are assumed; a calendar= would replace them.")
    other = {each.notes[0] for each in found if each.notes and each is not chosen}
    notes += sorted(other)[:2]
    later = sorted(each.measure.measurable_from for each in found if each.measure.measurable_from)
    if later:
        notes.append(f"{len(later)} measures wait for late verdicts, until {later[0]} to {later[-1]}.")
    notes.append(f"Moments in the tables and the picture are local ({scope.dataset.time_zone}).")
    return tuple(dict.fromkeys(notes))


def _unit_said(scope: Scope, measure: Measure) -> str:
    if measure.unit == "money":
        return str(scope.dataset.currency.code)
    if measure.name.startswith("fraud"):
        return "frauds"
    return "mean rank" if measure.unit == "score" else "events"


def _iso(moment: int, first: int) -> str:
    return pd.Timestamp(max(moment, first), unit="us").isoformat(timespec="seconds")
