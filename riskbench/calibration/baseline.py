"""What score do the columns alone give, honestly learnt on the past?"""

from __future__ import annotations

import time as clock
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.inputs import Inputs, inputs, remade
from riskbench.calibration.learning import learn, predict
from riskbench.data.checks import check
from riskbench.data.dataset import Dataset, micros
from riskbench.data.doors import a_dataset
from riskbench.data.labels import FRAUD, GOOD, label_state
from riskbench.display import Fact, Result, chart, result
from riskbench.engine.columns import DAY, Column
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.intervals import wilson
from riskbench.metrics.ranking import auc, average_precision

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from sklearn.ensemble import HistGradientBoostingClassifier

#: The column that holds the score.
SCORE = "baseline_score"
#: Shares of the scored events, riskiest first, that the table of bands shows.
BANDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_FOLDS = 5
_DELAY = 7.0

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


@result
class Baseline(Result):
    """A score learnt from the columns alone, and how well it ranks events that it has not learnt from.

    Attributes
    ----------
    model : HistGradientBoostingClassifier
        Takes the frame of `features`; where there is no time it is learnt from all events, and the scores
        come from models that had not seen the event's entity.
    dataset : Dataset
        The events with the column `baseline_score` in the role `score`; missing for those learnt from.
    train_until : Timestamp or None
        Events before it were learnt from; None where there is no time.
    learnt, learnt_frauds, scored, scored_frauds : int
        How many labelled events, and frauds among them, were learnt from and are measured on.
    auc, average_precision : float or None
        With `_lower` and `_upper`, on scored events with a verdict; None with fewer than five frauds.
    bands : DataFrame
        share (of the scored events, riskiest first), alerts, frauds, precision, recall, each with `_lower`
        and `_upper`, n.
    features : DataFrame
        feature, source, how.
    dropped : DataFrame
        column, why.
    known : Inputs
        A handle to the features of `dataset`; not written out.
    delay : float
        Days from event to verdict, where they were assumed; 0 where the data has them.
    """

    kind: ClassVar[str] = "baseline"
    title: ClassVar[str] = "Baseline score"
    main: ClassVar[str] = "bands"
    next_step: ClassVar[str] = "rb.calibrate(baseline.dataset, score='baseline_score')"
    repr_columns: ClassVar[tuple[str, ...]] = ("share", "alerts", "frauds", "precision", "recall")

    model: HistGradientBoostingClassifier
    dataset: Dataset
    train_until: pd.Timestamp | None
    learnt: int
    learnt_frauds: int
    scored: int
    scored_frauds: int
    auc: float | None
    auc_lower: float | None
    auc_upper: float | None
    average_precision: float | None
    average_precision_lower: float | None
    average_precision_upper: float | None
    bands: pd.DataFrame
    features: pd.DataFrame
    dropped: pd.DataFrame
    known: Inputs
    delay: float

    def inputs(self, events: Dataset) -> pd.DataFrame:
        """Return the frame that `model` takes for some events.

        For events of its own data, such as `baseline.dataset.where(...)`, what entities did before is taken from
        all of that data; for others it is counted in `events` alone, which have to hold that history.

        Raises
        ------
        ColumnNotFoundError
            When a feature is no column and cannot be made from the events' roles.
        """
        rows = _places(self.dataset, events)
        if rows is not None and _same(self.dataset, rows, events, self.known.columns):
            return self.known.frame(rows)
        return remade(events, self.features["feature"], delay=self.delay).frame(np.arange(events.rows))

    def headline(self) -> tuple[Fact, ...]:
        """Return how well it ranks, on how much, and what it left out."""
        few = "" if self.auc is not None else f"{self.scored_frauds} frauds among the scored events are too few"
        until = f"{self.train_until:%Y-%m-%d %H:%M} UTC" if self.train_until is not None else "no time: cross-fitted"
        return (
            Fact("AUC", self.auc, "score", lower=self.auc_lower, upper=self.auc_upper, n=self.scored, note=few),
            Fact(
                "Average precision",
                self.average_precision,
                "share",
                lower=self.average_precision_lower,
                upper=self.average_precision_upper,
                n=self.scored,
                note=few,
            ),
            Fact("Scored with a verdict", self.scored, "count", note=f"{self.scored_frauds} frauds"),
            Fact("Learnt from", self.learnt, "count", note=f"{self.learnt_frauds} frauds"),
            Fact("Learnt until", until, "text"),
            Fact("Columns left out", len(self.dropped), "count"),
        )

    def _draw(self, ax: Axes) -> None:
        share = 100 * self.bands["share"]
        for rate, colour, marker in (("recall", chart.BLUE, "o"), ("precision", chart.ORANGE, "s")):
            lower, upper = (100 * self.bands[f"{rate}_{end}"] for end in ("lower", "upper"))
            ax.fill_between(share, lower, upper, color=colour, alpha=0.2, linewidth=0)
            ax.plot(share, 100 * self.bands[rate], color=colour, marker=marker, label=rate)
        ax.set_xscale("log")
        ax.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
        ax.set_ylim(0, 102)
        ax.legend(frameon=False, loc="upper center")
        chart.style(ax, title="Frauds found in the riskiest events", x="% of events, riskiest first", y="%")


def score_baseline(
    dataset: Dataset,
    train_until: str | pd.Timestamp | None = None,
    *,
    exclude: Iterable[str] = (),
    seed: int = 0,
    asof: str | pd.Timestamp | None = None,
    label_delay: float | None = None,
) -> Baseline:
    """Return a score learnt from the earlier events and given to the later ones.

    Use it where no model score exists, to have something honest to calibrate. It is a boosted tree model on
    the columns, the hour and weekday, what each entity did before, and the frauds of the entity that were
    known by then. It learns only from verdicts known at `train_until`. Without a time it is cross-fitted: an
    event's score comes from a model that saw no event of its entity. Read the AUC as the share of pairs of a
    fraud and a good event that it puts in the right order.

    Parameters
    ----------
    dataset : Dataset
        The events, with a label.
    train_until : str or Timestamp, optional
        UTC; by default the median event's moment (its midnight, in data of more than ten days).
    exclude : iterable of str
        Columns to leave out, beside those that name, tell or come after the label.
    seed : int
        Decides which good events are learnt from where there are too many, and the folds.
    asof : str or Timestamp, optional
        UTC; the scored events are measured by verdicts known by then.
    label_delay : float, optional
        Days from event to verdict where the data has no time of verdict; by default seven, or a tenth of
        the span where that is shorter. Printed as an assumption.

    Returns
    -------
    Baseline
        Its `dataset` has the column `baseline_score` (0 to 1, missing for the events learnt from).

    Raises
    ------
    DataError
        When there are fewer than 20 frauds to learn from, no good event, or no feature is left.
    ParameterError
        When `train_until` leaves nothing on one side.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from riskbench import score_baseline
    >>> from riskbench.data.read import read
    >>> rng = np.random.default_rng(0)
    >>> amount = rng.lognormal(3, 1, 2_000).round(2)
    >>> frame = pd.DataFrame({
    ...     "order": range(2_000), "amount": amount, "fraud": rng.random(2_000) < amount / 400,
    ...     "at": pd.Timestamp("2026-09-01") + pd.to_timedelta(np.arange(2_000), unit="h"),
    ... })
    >>> baseline = score_baseline(read(frame, roles={"id": "order", "time": "at", "label": "fraud"}))
    >>> baseline.train_until
    Timestamp('2026-10-12 00:00:00')
    >>> list(baseline.dropped["column"])
    ['at', 'fraud', 'order']
    """
    a_dataset(dataset)
    begun = clock.perf_counter()
    if label_delay is not None and not 0 <= label_delay <= 3650:
        raise ParameterError("'label_delay' is a number of days", got=label_delay, allowed="0 to 3650")
    cut = _cut(dataset, train_until)
    delay = _assumed_delay(dataset, label_delay)
    excluded = [exclude] if isinstance(exclude, str) else list(exclude)
    known = inputs(dataset, leaks=_leaks(dataset), exclude=excluded, delay=delay or 0.0)
    state = label_state(dataset, asof=asof)
    if cut is None:
        model, score, learnt = _cross_fitted(dataset, known, state.state, seed=seed)
    else:
        model, score, learnt = _by_time(dataset, known, cut=cut, delay=delay, asof=asof, seed=seed)
    given = np.isfinite(score)
    told = given & ((state.state == GOOD) | (state.state == FRAUD))
    fraud = state.state == FRAUD
    area, precision = auc(score[told], fraud[told]), average_precision(score[told], fraud[told])
    column = Column("float", np.where(given, score, 0.0), None if given.all() else given)
    return Baseline(
        model=model,
        dataset=dataset.with_columns({SCORE: column}).with_roles(score=SCORE),
        train_until=None if cut is None else pd.Timestamp(cut, unit="us"),
        learnt=len(learnt),
        learnt_frauds=int(np.count_nonzero(fraud[learnt])),
        scored=int(np.count_nonzero(told)),
        scored_frauds=int(np.count_nonzero(fraud & told)),
        **_ends("auc", area),
        **_ends("average_precision", precision),
        bands=_bands(score[told], fraud[told]),
        features=known.features,
        dropped=known.dropped,
        known=known,
        delay=delay or 0.0,
        notes=_notes(dataset, known, cut=cut, delay=delay),
        provenance={
            "dataset": dataset.fingerprint,
            "label_recipe": state.recipe,
            "parameters": {"train_until": None if cut is None else str(pd.Timestamp(cut, unit="us")), "asof": asof},
            "seed": seed,
            "seconds": round(clock.perf_counter() - begun, 3),
        },
    )


def _places(own: Dataset, events: Dataset) -> Rows | None:
    """Return where events stand in a dataset, by their ids; None when one is not there, or not once."""
    if events.table is own.table:
        return np.arange(own.rows)
    if own.roles.id not in events.table:
        return None
    held = pd.Index(own.frame([own.roles.id])[own.roles.id].astype(object))
    if not held.is_unique:
        return None
    rows = held.get_indexer(events.frame([own.roles.id])[own.roles.id].astype(object))
    return None if (rows < 0).any() else rows


def _same(own: Dataset, rows: Rows, events: Dataset, names: Iterable[str]) -> bool:
    """Tell whether events hold the values that are known of them: equal ids alone do not make equal events."""
    return all(
        name in events.table and own.table.column(name).take(rows).digest() == events.table.column(name).digest()
        for name in names
        if name in own.table
    )


def _leaks(dataset: Dataset) -> dict[str, str]:
    """Return the columns that a check calls leakage, and why."""
    return dict(check(dataset).why)


def _cut(dataset: Dataset, train_until: str | pd.Timestamp | None) -> int | None:
    """Return the moment until which is learnt, in microseconds; None where there is no time."""
    if dataset.roles.time is None:
        if train_until is not None:
            raise ParameterError("'train_until' needs a time", got=train_until, hint="name the role 'time'")
        return None
    column = dataset.column("time")
    times = column.values[column.present]
    if not len(times):
        raise DataError("No event has a time", hint="leave the role 'time' out to cross-fit instead")
    low, high = int(times.min()), int(times.max())
    if train_until is not None:
        cut = micros(train_until)
    else:
        cut = int(np.partition(times, len(times) // 2)[len(times) // 2])
        midnight = cut // DAY * DAY
        cut = midnight if high - low > 10 * DAY and midnight > low else cut
    if not low < cut <= high:
        raise ParameterError(
            "'train_until' leaves no event on one side",
            got=pd.Timestamp(cut, unit="us"),
            allowed=f"after {pd.Timestamp(low, unit='us')}, until {pd.Timestamp(high, unit='us')}",
        )
    return cut


def _assumed_delay(dataset: Dataset, label_delay: float | None) -> float | None:
    """Return the days from event to verdict that have to be assumed; None where the data has them."""
    if dataset.roles.time is None or dataset.roles.label_time is not None:
        return None
    if label_delay is not None:
        return float(label_delay)
    span = dataset.span
    return _DELAY if span is None else min(_DELAY, (span[1] - span[0]) / pd.Timedelta(days=10))


def _by_time(
    dataset: Dataset, known: Inputs, *, cut: int, delay: float | None, asof: object, seed: int
) -> tuple[HistGradientBoostingClassifier, npt.NDArray[np.float64], Rows]:
    """Return the model of the events before `cut`, the scores of the others, and the rows learnt from."""
    time = dataset.column("time")
    early = time.present & (time.values < cut)
    then = cut if asof is None else min(cut, micros(asof))  # type: ignore[arg-type]
    state = label_state(dataset, asof=pd.Timestamp(then, unit="us")).state
    told = early & ((state == GOOD) | (state == FRAUD))
    if delay is not None:
        told &= time.values + int(delay * DAY) <= then
    rows = np.flatnonzero(told)
    model = learn(known.frame(rows), state[rows] == FRAUD, seed=seed)
    score = np.full(dataset.rows, np.nan)
    later = np.flatnonzero(time.present & (time.values >= cut))
    score[later] = predict(model, known, later)
    return model, score, rows


def _cross_fitted(
    dataset: Dataset, known: Inputs, state: npt.NDArray[np.int8], *, seed: int
) -> tuple[HistGradientBoostingClassifier, npt.NDArray[np.float64], Rows]:
    """Return the model of all events, scores by models that had not seen the entity, and the rows learnt from."""
    group = dataset.segment(dataset.roles.entities[0] if dataset.roles.entities else dataset.roles.id)[0]
    groups = int(group.max(initial=0)) + 1
    if groups < _FOLDS:
        raise DataError(f"Cross-fitting needs at least {_FOLDS} entities", got=groups, hint="name another entity first")
    fold = (np.random.default_rng(seed).permutation(groups) % _FOLDS)[group]
    told = (state == GOOD) | (state == FRAUD)
    rows = np.flatnonzero(told)
    model = learn(known.frame(rows), state[rows] == FRAUD, seed=seed)
    score = np.full(dataset.rows, np.nan)
    for part in range(_FOLDS):
        others = np.flatnonzero(told & (fold != part))
        held = np.flatnonzero(fold == part)
        score[held] = predict(learn(known.frame(others), state[others] == FRAUD, seed=seed), known, held)
    return model, score, rows


def _bands(score: npt.NDArray[np.float64], fraud: Mask) -> pd.DataFrame:
    """Return what the riskiest shares of the events hold; equal scores fall into one band together."""
    order = np.argsort(-score, kind="stable")
    held, hits = score[order], np.cumsum(fraud[order])
    rows: list[dict[str, Any]] = []
    for share in BANDS if len(score) else ():
        last = max(1, round(share * len(score))) - 1
        alerts = int(np.searchsorted(-held, -held[last], side="right"))
        found, total = int(hits[alerts - 1]), int(hits[-1])
        precision, recall = wilson(found, alerts), wilson(found, total)
        rows.append(
            {
                "share": share,
                "score_from": float(held[last]),
                "alerts": alerts,
                "frauds": found,
                **dict(zip(("precision", "precision_lower", "precision_upper"), map(float, precision), strict=True)),
                **dict(zip(("recall", "recall_lower", "recall_upper"), map(float, recall), strict=True)),
                "n": len(score),
            }
        )
    columns = "share score_from alerts frauds precision precision_lower precision_upper recall recall_lower".split()
    return pd.DataFrame(rows, columns=[*columns, "recall_upper", "n"])


def _ends(name: str, found: tuple[float, float, float] | None) -> dict[str, Any]:
    value, lower, upper = found if found is not None else (None, None, None)
    return {name: value, f"{name}_lower": lower, f"{name}_upper": upper}


def _notes(dataset: Dataset, known: Inputs, *, cut: int | None, delay: float | None) -> tuple[str, ...]:
    notes = [
        "A baseline, not a model to ship: it shows what the columns alone can tell.",
        "Intervals take events as independent: where frauds come in bursts they are too narrow.",
    ]
    if cut is None:
        notes.append("There is no time: scores are cross-fitted by entity, and are not out of time.")
    elif delay is not None:
        notes.append(f"The data does not say when a verdict became known: {delay:.1f} days are assumed.")
    if dataset.roles.outcome is not None:
        notes.append("Events that history blocked have no verdict; nothing was learnt from them.")
    if len(known.dropped):
        notes.append("Left out: " + "; ".join(f"{c} ({w})" for c, w in known.dropped.itertuples(index=False)) + ".")
    return tuple(notes)
