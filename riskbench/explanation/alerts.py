"""Which feature groups moved the share of events that get an alert, between two cohorts?"""

from __future__ import annotations

import time as clock
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.display import Fact, Result, chart, result
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError, listed
from riskbench.explanation import inputs
from riskbench.explanation.fitted import Fitted, fitted, matrix
from riskbench.explanation.inputs import Players, Reference
from riskbench.explanation.mixing import Asked, Ruled, Scored, folded, joined
from riskbench.explanation.telescope import draw_pairs, estimated, telescoped
from riskbench.metrics.intervals import Z95, wilson
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import acting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
#: Fewer events than this in a cohort decompose nothing.
FEWEST = 20
#: A baseline's score is rounded to so many digits.
DIGITS = 7


@result
class AlertShift(Result):
    """Which feature groups moved the alert rate from the reference to the current events; the parts sum to the change.

    Attributes
    ----------
    change : float
        The current alert rate less the reference's, with `_lower` and `_upper` (95 %).
    current, reference : Reference
        The two cohorts: name, hash, size, start, end.
    decision : str
        What alerts an event, in words.
    pairs : int
        How many pairs of a current and a reference event were walked through.
    contributions : DataFrame
        feature, contribution (its part of the change; a share of all events), standard_error,
        contribution_lower, contribution_upper, share (of all sizes), n (pairs); the largest first.
    cohorts : DataFrame
        cohort, events, alerts, alert_rate with `_lower` and `_upper`, by_score, by_rules (alerts of each; an
        event may be in both; missing where it has no part in the decision).
    """

    kind: ClassVar[str] = "alert_shift"
    title: ClassVar[str] = "What moved the alert rate"
    main: ClassVar[str] = "contributions"
    repr_columns: ClassVar[tuple[str, ...]] = (
        "feature", "contribution", "contribution_lower", "contribution_upper", "standard_error",
    )  # fmt: skip
    repr_tables: ClassVar[tuple[str, ...]] = ("cohorts",)

    change: float
    change_lower: float
    change_upper: float
    current: Reference
    reference: Reference
    decision: str
    pairs: int
    contributions: pd.DataFrame
    cohorts: pd.DataFrame

    def headline(self) -> tuple[Fact, ...]:
        """Return the change, what moved it most, both rates and what decides."""
        top = self.contributions.iloc[0]
        now, then = (self.cohorts.iloc[place] for place in range(2))
        ends = (top["contribution_lower"], top["contribution_upper"])
        known = bool(np.isfinite(ends).all())
        return (
            Fact("Change of the alert rate", self.change, "share", lower=self.change_lower, upper=self.change_upper,
                 n=int(now["events"]), signed=True),
            Fact(f"Most by {top['feature']}", float(top["contribution"]), "share",
                 lower=float(ends[0]) if known else None, upper=float(ends[1]) if known else None,
                 n=self.pairs, signed=True),
            *(Fact(f"Alert rate of {row['cohort']}", float(row["alert_rate"]), "share",
                   lower=float(row["alert_rate_lower"]), upper=float(row["alert_rate_upper"]), n=int(row["events"]))
              for row in (now, then)),
            Fact("Alerted by", self.decision, "text"),
            Fact("Compared with", str(self.reference), "text"),
        )  # fmt: skip

    def _draw(self, ax: Axes) -> None:
        top = self.contributions.head(12).iloc[::-1]
        place = np.arange(len(top))
        value = 100 * top["contribution"]
        ax.barh(place, value, color=[chart.RED if v > 0 else chart.BLUE for v in value])
        half = 100 * Z95 * top["standard_error"]
        if half.notna().all():
            ax.errorbar(value, place, xerr=half, fmt="none", ecolor=chart.GREY, elinewidth=1)
        ax.set_yticks(place, [str(name)[:40] for name in top["feature"]])
        ax.axvline(0, color=chart.GREY, linewidth=0.8)
        chart.style(ax, title=self.title, x="change of the alert rate (percentage points)", y="")


def explain_alerts(
    model: Any,
    current: Any,
    *,
    reference: Any,
    cut: float | None = None,
    book: RuleBook | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    current_name: str | None = None,
    reference_name: str | None = None,
    score: str | None = None,
    fraud: object = None,
    pairs: int = 2_000,
    seed: int = 0,
) -> AlertShift:
    """Return which features, or groups of them, moved the share of alerts between two cohorts, summing exactly.

    Use it when alerts jump or vanish: the mean score answers another question, since only events near the cut
    change sides. Pairs of a current and a reference event are drawn, and the reference event takes over the
    current event's values feature by feature, in random orders, each time through the real decision; what a
    step changes is credited to its feature. Read a part as: so many percentage points of the change came with
    this feature's values. With `book` the live rules and the score are one decision.

    Parameters
    ----------
    model : object or None
        A fitted two-class model, a `Baseline`, a model read from a file; a function that takes a frame and
        returns true for an alert; None where the rules alone decide.
    current, reference : Dataset or DataFrame
        The cohorts; with a book both are Datasets that hold the book's velocity features as columns.
    cut : float, optional
        The score from which on an event is alerted: a probability, or a margin where the model has none.
    book : RuleBook, optional
        An event is alerted by an outcome above the mildest of the live rules, or by the score.
    groups : mapping of str to sequence of str, optional
        Columns that move together, by the name of the group; the others move by themselves.
    current_name, reference_name : str, optional
        What pages call the cohorts.
    score : str, optional
        The column of the model's score where rules read it, filled anew for each mixed event; by default the
        column in the role `score`.
    fraud : object, optional
        The label of the fraud class, where the classes are words.
    pairs : int
        How many pairs, 200 to 200,000; four times as many halve the part of the error that pairs bring.
    seed : int
        Draws pairs and orders.

    Raises
    ------
    ParameterError
        When nothing decides, a parameter is out of range, or a group names no column.
    DataError
        When a cohort has fewer than 20 events, or the book's features are not among the columns.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from riskbench import explain_alerts
    >>> rng = np.random.default_rng(0)
    >>> june = pd.DataFrame({"amount": rng.lognormal(3, 1, 4_000), "age": rng.integers(0, 900, 4_000)})
    >>> july = pd.DataFrame({"amount": rng.lognormal(3.5, 1, 4_000), "age": rng.integers(0, 900, 4_000)})
    >>> found = explain_alerts(lambda frame: (frame["amount"] > 40) & (frame["age"] < 300), july, reference=june)
    >>> list(found.contributions["feature"])
    ['amount', 'age']
    >>> bool(abs(found.contributions["contribution"].sum() - found.change) < 1e-12)
    True
    """
    begun = clock.perf_counter()
    if isinstance(pairs, bool) or not isinstance(pairs, int) or not 200 <= pairs <= 200_000:
        raise ParameterError("'pairs' is a number of pairs", got=pairs, allowed="200 to 200,000")
    made = _game(model, current, reference, cut=cut, book=book, groups=groups, score=score, fraud=fraud)
    now, then, table = _ends(made)
    for held, what in ((now, "current"), (then, "reference")):
        if len(held) < FEWEST:
            raise DataError(f"There are too few {what} events", got=len(held), allowed=f"at least {FEWEST}")
    rng = np.random.default_rng(seed)
    keys = folded([key for part in (made.scored, made.ruled) if part is not None for key in part.rows_as_numbers()],
                  len(now) + len(then))  # fmt: skip
    drawn = draw_pairs(now, then, (keys[: len(now)], keys[len(now) :]), pairs=pairs, rng=rng)
    players = len(made.players.names)
    moved = estimated(drawn, telescoped(made.alerted, drawn, players, rng=rng))
    cohorts = [
        replace(inputs.described(X, name, np.sort(part), made.players.names, itself=False), name=told)
        for X, name, part, told in (
            (current, current_name, keys[: len(now)], current_name or _called(current, reference, "current")),
            (reference, reference_name, keys[len(now) :], reference_name or _called(reference, current, "reference")),
        )
    ]
    rates = _rates(cohorts, (now, then), table)
    lower, upper = _difference(rates)
    return AlertShift(
        change=drawn.now - drawn.then,
        change_lower=lower,
        change_upper=upper,
        current=cohorts[0],
        reference=cohorts[1],
        decision=made.said,
        pairs=len(drawn.current),
        contributions=_contributions(made.players.names, moved.value, moved.error, len(drawn.current)),
        cohorts=rates,
        notes=_notes(made, known=bool(np.isfinite(moved.error).all())),
        provenance={
            "dataset": current.fingerprint if isinstance(current, Dataset) else None,
            "book": None if book is None else book.hash,
            "parameters": {
                "decision": made.said,
                "reference": {name: getattr(cohorts[1], name) for name in cohorts[1].__slots__},
                "groups": {group: list(own) for group, own in (groups or {}).items()},
                "pairs": pairs,
            },
            "seed": seed,
            "seconds": round(clock.perf_counter() - begun, 3),
        },
    )


@dataclass(frozen=True, eq=False)
class _Decision:
    """What decides, and who plays."""

    scored: Scored | Asked | None
    ruled: Ruled | None
    cut: float | None
    players: Players
    said: str
    notes: tuple[str, ...]

    def alerted(self, member: Mask, current: npt.NDArray[np.int64], reference: npt.NDArray[np.int64]) -> Mask:
        score = None if self.scored is None else self.scored.mixed(member, current, reference)
        found = np.zeros(len(member), dtype=bool)
        if score is not None and self.cut is not None:
            found = score >= self.cut
        if self.ruled is not None:
            found = found | self.ruled.mixed(member, current, reference, score)
        return found


def _game(
    model: Any, current: Any, reference: Any, *, cut: float | None, book: RuleBook | None,
    groups: Mapping[str, Sequence[str]] | None, score: str | None, fraud: object,
) -> _Decision:  # fmt: skip
    if book is not None and isinstance(current, Dataset):
        book = acting(book, current)
    if model is None and book is None:
        raise ParameterError("Nothing decides", hint="give a model with cut=, or book=")
    for held, what in ((current, "current"), (reference, "reference")):
        if not isinstance(held, Dataset if book is not None else Dataset | pd.DataFrame):
            raise ParameterError(
                f"The {what} events are of another kind", got=type(held).__name__,
                allowed="a Dataset" if book is not None else "a Dataset or a DataFrame",
            )  # fmt: skip
    columns, filled = _rule_columns(book, current, reference, score, given=model is None)
    plain = model is not None and callable(model) and not hasattr(model, "predict")
    if model is not None and not plain and cut is None and filled is None:
        raise ParameterError("From which score on is an event alerted?", hint="give cut=")
    names: list[str] = []
    source = None
    if model is not None:
        source = _source(model, current, reference, fraud=fraud, plain=plain)
        names = list(source[1].columns)
    names += [name for name in columns if name not in names and name != filled]
    if not names:
        raise ParameterError("No live rule reads a column", hint="give a model with cut=, or make rules live")
    players = inputs.players(names, groups)
    scored = None if source is None else _scored(*source, players)
    limit = 0.5 if plain else None if cut is None else float(cut)
    if not plain and isinstance(scored, Scored | Asked) and limit is not None:
        _check_cut(limit, scored)
    ruled = None
    if book is not None:
        place = {name: int(players.place[names.index(name)]) for name in columns if name != filled}
        live = replace(book, rules=book.live)
        held = {name: joined(name, current, reference) for name in columns if name in place}
        ruled = Ruled(live, current, held, len(current), place, filled)
    digits = DIGITS if isinstance(scored, Scored) and scored.digits is not None else None
    said = [] if plain or limit is None else [f"a score of {limit:.{digits or 4}g} and above"]
    said += ["the function given"] if plain else []
    said += [] if book is None else [f"{len(book.live)} live rules of {book.name}"]
    notes = () if filled is None or scored is None else (f"Rules read {filled!r}: it is scored anew for mixed events.",)
    return _Decision(scored, ruled, limit if scored is not None else None, players, " or ".join(said), notes)


def _rule_columns(
    book: RuleBook | None, current: Dataset, reference: Dataset, score: str | None, *, given: bool
) -> tuple[list[str], str | None]:
    """Return the columns that live rules read, and the one among them that the model's score fills."""
    if book is None:
        return [], None
    read: list[str] = []
    for rule in book.live:
        read += [name for name in rule.columns if name not in rule.params]
        if rule.apart and current.roles.region is not None:
            read.append(current.roles.region)
    for name in book.features:
        absent = [held for held in (current, reference) if name not in held.table and name in read]
        if absent:
            raise DataError(
                f"The book's velocity feature {name!r} is no column of both cohorts.",
                hint="count it on the whole dataset first, then cut the cohorts: rb.velocity(events, book.features)",
            )
    columns = list(dict.fromkeys(current.resolve(name) for name in read))
    for name in columns:
        if name not in reference.table:
            raise ColumnNotFoundError.among(name, reference.table.names)
    wanted = current.resolve(score) if score is not None else current.roles.score
    return columns, wanted if wanted in columns and not given else None


def _source(
    model: Any, current: Any, reference: Any, *, fraud: object, plain: bool
) -> tuple[Any, pd.DataFrame, pd.DataFrame, int | None]:
    """Return the model as it is read (or what is asked), and both cohorts as its frames."""
    if plain:
        if not (isinstance(current, pd.DataFrame) and isinstance(reference, pd.DataFrame)):
            raise ParameterError("A function takes frames", got=type(current).__name__, hint="events.frame([columns])")
        if list(current.columns) != list(reference.columns):
            raise DataError("The cohorts have other columns", got=listed(reference.columns), allowed=listed(current))
        return model, current, reference, None
    inner, frame = inputs.opened(model, current)
    others = inputs.opened(model, reference)[1]
    held = fitted(inner, fraud=fraud)
    mine, theirs = inputs.frames(held, frame, others)
    assert theirs is not None
    return held, mine, theirs, DIGITS if hasattr(model, "inputs") else None


def _scored(
    held: Any, mine: pd.DataFrame, theirs: pd.DataFrame, digits: int | None, players: Players
) -> Scored | Asked:
    own = replace(players, place=players.place[: mine.shape[1]])
    if isinstance(held, Fitted) and held.probability is None:
        inner = inputs.inner_players(held, tuple(mine.columns), own)
        return Scored(held, matrix(held, mine), matrix(held, theirs), inner, digits)
    joint = pd.concat([mine, theirs], ignore_index=True)
    ask: Any = held.probability if isinstance(held, Fitted) else held
    return Asked(ask, joint, len(mine), own.place)


def _check_cut(cut: float, scored: Scored | Asked) -> None:
    if isinstance(scored, Scored) and scored.score.scale == "margin":
        return
    if not 0 <= cut <= 1:
        raise ParameterError("'cut' is a probability", got=cut, allowed="0 to 1")


def _ends(made: _Decision) -> tuple[Mask, Mask, dict[str, tuple[Mask, Mask]]]:
    """Return which events of both cohorts are alerted, and by what."""
    scores = None if made.scored is None else made.scored.ends()
    parts: dict[str, tuple[Mask, Mask]] = {}
    if scores is not None and made.cut is not None:
        parts["by_score"] = (scores[0] >= made.cut, scores[1] >= made.cut)
    if made.ruled is not None:
        parts["by_rules"] = made.ruled.ends(None if scores is None else np.concatenate(scores))
    now, then = (np.logical_or.reduce([part[side] for part in parts.values()]) for side in range(2))
    return now, then, parts


def _rates(
    cohorts: Sequence[Reference], ends: tuple[Mask, Mask], parts: Mapping[str, tuple[Mask, Mask]]
) -> pd.DataFrame:
    rows = []
    for side, held in enumerate(ends):
        share, lower, upper = (float(x) for x in wilson(int(held.sum()), len(held)))
        by = {name: int(parts[name][side].sum()) if name in parts else pd.NA for name in ("by_score", "by_rules")}
        rows.append({"cohort": cohorts[side].name, "events": len(held), "alerts": int(held.sum()), "alert_rate": share,
                     "alert_rate_lower": lower, "alert_rate_upper": upper, **by})  # fmt: skip
    return pd.DataFrame(rows).astype({"by_score": "Int64", "by_rules": "Int64"})


def _difference(rates: pd.DataFrame) -> tuple[float, float]:
    """Return the interval of the difference of both rates, from the rates' own (Newcombe's)."""
    (p, low, high), (q, under, over) = rates[["alert_rate", "alert_rate_lower", "alert_rate_upper"]].to_numpy()
    return (float(p - q - np.hypot(p - low, over - q)), float(p - q + np.hypot(high - p, q - under)))


def _contributions(names: Sequence[str], value: Floats, error: Floats, pairs: int) -> pd.DataFrame:
    size = float(np.abs(value).sum())
    frame = pd.DataFrame(
        {
            "feature": list(names),
            "contribution": value,
            "standard_error": error,
            "contribution_lower": value - Z95 * error,
            "contribution_upper": value + Z95 * error,
            "share": np.abs(value) / size if size > 0 else np.zeros(len(value)),
            "n": pairs,
        }
    )
    return frame.iloc[np.lexsort((frame["feature"], -np.abs(value)))].reset_index(drop=True)


def _called(X: Any, other: Any, otherwise: str) -> str:
    """Return a dataset's name, where the other cohort has not the same."""
    name = getattr(X, "name", None) if isinstance(X, Dataset) else None
    return str(name) if name and name != getattr(other, "name", None) else otherwise


def _notes(made: _Decision, *, known: bool) -> tuple[str, ...]:
    notes = [
        "The parts sum to the change exactly; what two features change only together is shared between them.",
        "Errors count the draw of pairs and the chance in both cohorts; they take events as independent.",
        "Mixed events are asked of the decision although no such event came; velocity features keep their values.",
        *made.notes,
    ]
    if not known:
        notes.append("Errors are not measurable: only one event of a cohort is alerted, or only one is not.")
    notes.append("A part says what moved the alerts, not what caused the fraud.")
    return tuple(notes)
