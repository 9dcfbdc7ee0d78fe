"""Is more fraud told by now than there should be? A new method shows in early labels, weeks before they are mature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.doors import a_dataset, column_names
from riskbench.data.labels import LabelState, label_state
from riskbench.display import Fact, Grounds, Result, result
from riskbench.display.chart import BLUE, GREY, ORANGE, style
from riskbench.engine.columns import DAY
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.discovery import q_values
from riskbench.metrics.intervals import Z95
from riskbench.metrics.maturity.calendar import Pace, pace
from riskbench.metrics.maturity.expected import (
    DRAWN,
    LOOKS,
    calibration_check,
    ratio_ends,
    shared_variance,
    sums,
    tail,
    together,
)
from riskbench.metrics.maturity.groups import LEAST_SHARE
from riskbench.metrics.maturity.usual import TESTED, Read, Usual, read_young, usual

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MORE, AS_USUAL, NOTHING = "more fraud than expected by now", "as expected", "not measurable"
#: Fewer mature frauds than this say nothing about what is usual.
FEWEST = 30
#: No more segments of a column than this are tested.
MOST_SEGMENTS = 200
#: Expected counts off by more than this on later mature events are said to be miscalibrated.
_OFF = 0.2
ALL = "all"


@result
class EarlyLabels(Result):
    """Fraud told by now against fraud that should be told by now.

    Attributes
    ----------
    segments : DataFrame
        One row a segment: column, segment, since (the day from which the excess shows most), events, told, expected,
        ratio with ratio_lower and ratio_upper (95 %), extra (frauds in the end beyond the
        usual, where three of ten are told by now), p, q_value,
        usual_ratio (how far the segment's mature frauds lie from what the score says; corrected for), reading.
    cohorts : DataFrame
        One row a segment and week: column, segment, cohort, events, told, expected, lower and upper (95 % of what
        chance makes of it), z, q_value.
    calibration : DataFrame
        band, score_from, expected, told, ratio: chances fitted on older mature events, held against newer ones.
    found, tested : int
        How many segments show more fraud than expected, of how many tested.
    """

    kind: ClassVar[str] = "early_labels"
    title: ClassVar[str] = "Early labels"
    main: ClassVar[str] = "segments"
    next_step: ClassVar[str] = "rb.investigate(...) looks into a segment that shows more fraud than expected"
    repr_columns: ClassVar[tuple[str, ...]] = (
        "column",
        "segment",
        "since",
        "told",
        "expected",
        "ratio",
        "ratio_lower",
        "ratio_upper",
        "q_value",
        "reading",
    )

    segments: pd.DataFrame
    cohorts: pd.DataFrame
    calibration: pd.DataFrame
    found: int
    tested: int
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return how many segments show more fraud than expected, the strongest, and what else could make that."""
        return self.facts

    @property
    def _drawn(self) -> pd.DataFrame:
        if not len(self.segments) or not len(self.cohorts):
            return self.cohorts.head(0)
        top = self.segments.iloc[0]
        both = (self.cohorts["column"] == top["column"]) & (self.cohorts["segment"] == top["segment"])
        return self.cohorts[both]

    @property
    def drawable(self) -> bool:
        """Whether there are weeks to draw."""
        return len(self._drawn) > 1

    def _draw(self, ax: Axes) -> None:
        frame = self._drawn
        when = pd.to_datetime(frame["cohort"]).to_numpy()
        ax.fill_between(when, frame["lower"], frame["upper"], color=GREY, alpha=0.25, linewidth=0, label="by chance")
        ax.plot(when, frame["expected"], color=BLUE, marker="o", markersize=3.5, label="expected by now")
        ax.plot(when, frame["told"], color=ORANGE, marker="s", markersize=3.5, linestyle="--", label="told by now")
        name = str(frame["segment"].iloc[0])
        title = "All events" if name == ALL else name if len(name) < 40 else f"{name[:38]}…"
        style(
            ax, title=f"{title}: frauds told and expected by now".replace("$", r"\$"), x="week of the event", y="frauds"
        )
        ax.set_ylim(0, 1.25 * max(float(frame[["told", "upper"]].to_numpy().max()), 1.0))
        ax.legend(frameon=False, ncols=3, loc="upper left", fontsize=9)
        ax.figure.autofmt_xdate(rotation=30)


def early_labels(
    events: Dataset,
    *,
    score: str | None = None,
    by: Sequence[str] = (),
    asof: str | pd.Timestamp | None = None,
    level: float = 0.05,
) -> EarlyLabels:
    """Return where more fraud is told by now than there should be, were all as usual.

    Use it weekly, to see a new method before its labels are mature: the score says how much fraud is usual, the delay
    curve how much of it should be told by now. Read "more fraud than expected by now" as: chance alone seldom makes
    so many verdicts so early. Verdicts that come faster make the same picture; the pace of verdicts is tested beside
    it, and the page says so. A new method whose verdicts come later than usual shows later.

    Parameters
    ----------
    events : Dataset
        The events, with a label, a time and a time of the label; older than 56 days must be enough to say what is
        usual.
    score : str, optional
        A column, higher is riskier; by default the role `score`; without one each event counts as any other.
    by : sequence of str
        Columns whose values are tested one by one, beside all events; by default the region and the segments of the
        roles.
    asof : str or Timestamp, optional
        UTC; by default the last moment the data knows of. Later events are left out.
    level : float, 0..1
        The rate of false discoveries, such as 0.05 or 0.01.

    Returns
    -------
    EarlyLabels
        Tables segments, cohorts, calibration.

    Raises
    ------
    ParameterError
        When `level` is no share.
    ColumnNotFoundError
        When a column is missing.
    DataError
        When there is no label, no time, no time of the label, or the score is no number.

    Examples
    --------
    >>> import riskbench as rb
    >>> told = rb.early_labels(rb.sample("transactions", region="ID", orders=5_000, seed=7))
    >>> told.frame()["segment"].head(1).tolist(), told.tested > 5
    (['all'], True)

    Source: Benjamini, Y. and Hochberg, Y. (1995), JRSS B 57, 289-300, for the rate of false discoveries; the delay
    curve as in `delay_curve`.
    """
    a_dataset(events, name="events")
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise ParameterError("A rate of false discoveries is a share", got=repr(level), allowed="between 0 and 1")
    for role in ("time", "label_time"):
        if not events.has(role):
            raise DataError(f"Without {role} nothing can be expected by now", hint=f"name the role {role!r}")
    columns = _columns(events, by)
    labels = label_state(events, asof=asof)
    read, left = read_young(events, labels, score, asof)
    notes = [f"{left:,} events that history stopped, or after the as-of moment, are left out."] if left else []
    timed = read.fraud & np.isfinite(read.delay)
    steady = pace(read.delay[timed], read.age[timed])
    told = int(read.fraud[~read.young].sum())
    if told < FEWEST:
        why = f"{told} frauds are told of events older than {TESTED} days; {FEWEST} are needed to say what is usual"
        return _nothing(events, labels, why, notes)
    held = usual(read, timed)
    segments, cohorts = _tested(read, held, columns, level)
    checked = _checked(read, held)
    return EarlyLabels(
        segments=segments,
        cohorts=cohorts,
        calibration=checked,
        found=int((segments["reading"] == MORE).sum()),
        tested=int((segments["reading"] != NOTHING).sum()),
        facts=_facts(segments, checked, steady, level),
        notes=(*notes, *_notes(held, steady, read, checked)),
        grounds=_grounds(read, held, steady, labels),
        provenance={
            "dataset": events.fingerprint,
            "label_recipe": labels.recipe,
            "parameters": {"score": score, "by": columns, "asof": asof, "level": level},
        },
    )


def _columns(events: Dataset, by: Sequence[str]) -> list[str]:
    chosen = column_names(by)
    wanted = chosen or [*([events.roles.region] if events.roles.region else []), *events.roles.segments]
    return list(dict.fromkeys(events.resolve(name) for name in wanted))


def _tested(read: Read, usual: Usual, columns: list[str], level: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    parts, weekly = [], []
    whole = np.zeros(len(read.age), dtype=np.int64)
    for column, (codes, names) in [(ALL, (whole, (ALL,))), *((c, read.dataset.segment(c)) for c in columns)]:
        found = _segments(read, usual, np.asarray(codes, dtype=np.int64), names)
        parts.append(found[0].assign(column=column))
        weekly.append(found[1].assign(column=column))
    segments = pd.concat(parts, ignore_index=True)
    cohorts = pd.concat(weekly, ignore_index=True)
    known = segments["p"].notna().to_numpy()
    q = np.full(len(segments), np.nan)
    q[known] = q_values(segments["p"].to_numpy(dtype=np.float64)[known])
    segments["q_value"] = q
    segments["reading"] = np.where(~known, NOTHING, np.where(q <= level, MORE, AS_USUAL))
    cohorts["q_value"] = q_values(cohorts["p"].to_numpy(dtype=np.float64)) if len(cohorts) else []
    first = segments["column"] == ALL
    order = np.lexsort((-segments["events"], ~first, segments["p"].fillna(2.0), segments["reading"] != MORE))
    if not (segments["reading"] == MORE).any():
        order = np.lexsort((segments["p"].fillna(2.0), ~first))
    return segments.iloc[order][list(_SEGMENTS)].reset_index(drop=True), cohorts[list(_COHORTS)]


_SEGMENTS = (
    "column",
    "segment",
    "since",
    "events",
    "told",
    "expected",
    "ratio",
    "ratio_lower",
    "ratio_upper",
    "extra",
    "p",
    "q_value",
    "usual_ratio",
    "reading",
)
_COHORTS = ("column", "segment", "cohort", "events", "told", "expected", "lower", "upper", "z", "q_value")


def _segments(read: Read, usual: Usual, codes: Ints, names: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one row a segment of one column, and one a segment and week."""
    size = len(names)
    old, fraud = ~read.young, read.fraud.astype(np.float64)
    mature = sums(codes[old], fraud[old], size)
    level = (mature + DRAWN) / (sums(codes[old], usual.due[old], size) + DRAWN)
    young = read.young
    day = read.age[young].astype(np.int64)
    own, due = codes[young], usual.due[young] * level[codes[young]]
    place = own * TESTED + day

    def by_day(weights: Floats) -> Floats:
        return sums(place, weights, size * TESTED).reshape(size, TESTED)

    told, events = np.cumsum(by_day(fraud[young]), axis=1), np.cumsum(by_day(np.ones(len(day))), axis=1)
    shared = np.zeros((size, TESTED))
    for number, curve in enumerate(usual.curves):
        if (usual.curve[young] == number).any():
            shared += shared_variance(curve, by_day(np.where(usual.curve[young] == number, due, 0.0)))
    expected = np.cumsum(by_day(due), axis=1)
    share = usual.share[young]
    ultimate = np.cumsum(by_day(np.divide(due, share, out=np.zeros(len(due)), where=share > 0)), axis=1)
    # The error of the chances themselves is in a segment's own level, but for the part that is leant on all.
    leant = (DRAWN / (mature + DRAWN)) ** 2
    loose: Floats = 1.0 / (mature + DRAWN) + leant / usual.frauds + usual.spread
    # Given the scores each event is a draw of its own: its chance takes away from what chance alone would make.
    by_chance = expected - np.cumsum(by_day(due**2), axis=1)
    variance = usual.swell * np.maximum(by_chance, 0.0) + loose[:, None] * expected**2 + shared
    looks = np.array(LOOKS) - 1
    p = tail(told[:, looks], expected[:, looks], variance[:, looks])
    best, joint = np.argmin(p, axis=1), together(p)
    now = read.dataset.column("time").values.max() / DAY if len(read.age) else 0.0
    rows = []
    for number in np.argsort(-events[:, -1], kind="stable")[:MOST_SEGMENTS].tolist():
        last = int(looks[best[number]])
        o, e, v = (float(held[number, last]) for held in (told, expected, variance))
        seen = bool(expected[number, -1] > 0 and events[number, -1] > 0)
        part = e / max(float(ultimate[number, last]), 1e-9)
        low, high = ratio_ends(o, e, v) if seen and e > 0 else (None, None)
        rows.append(
            {
                "segment": names[number],
                "since": str(np.datetime64(int(now) - last, "D")),
                "events": int(events[number, last]),
                "told": int(o),
                "expected": e,
                "ratio": o / e if seen and e > 0 else None,
                "ratio_lower": low,
                "ratio_upper": high,
                "extra": (o - e) / part if seen and part >= LEAST_SHARE else None,
                "p": float(joint[number]) if seen else None,
                "usual_ratio": float(level[number]),
            }
        )
    frame = pd.DataFrame(rows, columns=[n for n in _SEGMENTS if n not in ("column", "q_value", "reading")])
    young_rows = _Young(own, due, loose)
    return frame, _weekly(read, usual, young_rows, names, [row["segment"] for row in rows])


class _Young(NamedTuple):
    """The young events' segment and chance, and how loosely each segment's level is known."""

    own: Ints
    due: Floats
    loose: Floats


def _weekly(read: Read, usual: Usual, young: _Young, names: Sequence[str], shown: list[str]) -> pd.DataFrame:
    weeks, size = len(read.weeks), len(names)
    place = young.own * weeks + read.week[read.young]
    told = sums(place, read.fraud[read.young].astype(np.float64), size * weeks)
    expected = sums(place, young.due, size * weeks)
    by_chance = np.maximum(expected - sums(place, young.due**2, size * weeks), 0.0)
    events = np.bincount(place, minlength=size * weeks)
    seen = np.flatnonzero((events > 0) & np.isin(np.repeat(np.asarray(names, dtype=object), weeks), shown))
    o, e = told[seen], expected[seen]
    variance = usual.swell * by_chance[seen] + young.loose[seen // weeks] * e**2
    half = Z95 * np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 0, (o - e) / np.sqrt(variance), 0.0)
    return pd.DataFrame(
        {
            "segment": [names[number] for number in (seen // weeks).tolist()],
            "cohort": [read.weeks[number] for number in (seen % weeks).tolist()],
            "events": events[seen],
            "told": o.astype(np.int64),
            "expected": e,
            "lower": np.maximum(e - half, 0.0),
            "upper": e + half,
            "z": z,
            "p": tail(o, e, variance),
        }
    )


def _checked(read: Read, usual: Usual) -> pd.DataFrame:
    columns = ["band", "score_from", "expected", "told", "ratio"]
    if read.score is None:
        return pd.DataFrame(columns=columns)
    old = ~read.young
    bands = calibration_check(read.score[old], read.fraud[old], usual.share[old], read.age[old])
    rows_ = [(n + 1, low, e, int(o), o / e if e > 0 else None) for n, (low, e, o) in enumerate(bands)]
    return pd.DataFrame(rows_, columns=columns)


def _off(checked: pd.DataFrame) -> float | None:
    """Return by what share the frauds of newer mature events lie off what the score said; None without a check."""
    expected = float(checked["expected"].sum()) if len(checked) else 0.0
    return float(checked["told"].sum()) / expected - 1 if expected > 0 else None


def _facts(segments: pd.DataFrame, checked: pd.DataFrame, steady: Pace, level: float) -> tuple[Fact, ...]:
    more = segments[segments["reading"] == MORE]
    tested = int((segments["reading"] != NOTHING).sum())
    facts = [
        Fact("Segments with more fraud than expected by now", len(more), "count", note=f"of {tested} tested"),
        Fact("False discoveries", f"at most {level:.0%} of those found".replace("%", " %"), "text"),
    ]
    if len(segments):
        top = more.iloc[0] if len(more) else segments.iloc[0]
        name = "All events" if top["segment"] == ALL else f"{top['column']} {top['segment']}"
        value = None if pd.isna(top["ratio"]) else float(top["ratio"])
        ends = (None, None) if value is None else (float(top["ratio_lower"]), float(top["ratio_upper"]))
        facts.append(
            Fact(
                f"{name}: told over expected since {top['since']}",
                value,
                "number",
                lower=ends[0],
                upper=ends[1],
                n=int(top["told"]),
                note=f"{int(top['told'])} told, {top['expected']:.1f} expected",
            )
        )
    off = _off(checked)
    if off is not None:
        held = "held" if abs(off) <= _OFF else "did not hold"
        facts.append(Fact("The score on later mature events", f"{held}: {off:+.0%}".replace("%", " %"), "text"))
    facts.append(Fact("Pace of verdicts", steady.reading, "text"))
    return tuple(facts)


def _notes(usual: Usual, steady: Pace, read: Read, checked: pd.DataFrame) -> list[str]:
    notes = []
    if read.score is None:
        notes.append("There is no score: every event counts with the same chance.")
    off = _off(checked)
    if off is not None and abs(off) > _OFF:
        notes.append(
            f"On newer mature events {100 * abs(off):.0f} % {'more' if off > 0 else 'fewer'} were told than expected "
            "from the score: what is expected here may be as far off."
        )
    if usual.swell > 1.05:
        notes.append(f"Frauds of one entity come together: counts vary {usual.swell:.1f} times as much as by chance.")
    if usual.spread > 0:
        notes.append(f"Usual weeks differ by {100 * usual.spread**0.5:.1f} % beyond chance; that is allowed for.")
    if steady.flagged:
        notes.append(f"Verdicts come {steady.reading}: that alone makes more, or fewer, early labels.")
    notes.append("Verdicts that come faster than usual look like more fraud: read the pace of verdicts beside it.")
    return notes


def _grounds(read: Read, usual: Usual, steady: Pace, labels: LabelState) -> Grounds:
    at = f" by {labels.asof:%Y-%m-%d}" if labels.asof is not None else ""
    young = read.young
    return Grounds(
        measured=f"{int(read.fraud[young].sum()):,} frauds told{at} of events of the last {TESTED} days.",
        estimated=f"What is usual: from {usual.frauds:,} frauds of events older than {TESTED} days."
        + (f" Verdicts come {steady.reading}." if steady.flagged else ""),
        not_measurable="A new method whose verdicts come later than usual.",
    )


def _nothing(events: Dataset, labels: LabelState, why: str, notes: list[str]) -> EarlyLabels:
    return EarlyLabels(
        segments=pd.DataFrame(columns=[*_SEGMENTS]),
        cohorts=pd.DataFrame(columns=[*_COHORTS]),
        calibration=pd.DataFrame(columns=["band", "score_from", "expected", "told", "ratio"]),
        found=0,
        tested=0,
        facts=(Fact("Segments with more fraud than expected by now", None, "count", note=why),),
        notes=(*notes, f"{why[:1].upper()}{why[1:]}."),
        grounds=Grounds(not_measurable=f"Everything: {why}."),
        provenance={"dataset": events.fingerprint, "label_recipe": labels.recipe},
    )
