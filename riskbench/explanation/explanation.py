"""Why did the model score these events so? Exact Shapley values against a named reference."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.display import Fact, Result, chart, result
from riskbench.errors import ParameterError
from riskbench.explanation import inputs, views
from riskbench.explanation.candidates import CandidateRules, proposed
from riskbench.explanation.clusters import CaseClusters, clustered
from riskbench.explanation.cohort import Cohort, compared
from riskbench.explanation.event_score import EventScore, event_score
from riskbench.explanation.fitted import fitted, matrix
from riskbench.explanation.game import Game, Source
from riskbench.explanation.inputs import Reference
from riskbench.explanation.oracle import Checked, check
from riskbench.explanation.over_cut import over_cut
from riskbench.explanation.reasons import reasons

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@result
class Explanation(Result):
    """What each feature, or group of features, added to each event's score, compared with a reference.

    Attributes
    ----------
    values : ndarray of float64, shape (rows, features)
        What each feature adds, on `scale`; a row's sum and `base` make its score.
    base : float
        The mean score of the reference.
    features : tuple of str
        The features, or groups of them, in the order of the columns of `values`.
    events : ndarray, shape (rows,)
        What each event is called.
    reference : Reference
        Whom the events are compared with: name, hash, size, start, end.
    model : str
        The model's class.
    scale : {"log-odds", "probability", "margin"}
        What the values are shares of; scikit-learn's forests give probabilities, boosting log-odds.
    perturbation : {"interventional", "path"}
        How a feature is left out.
    checked : Checked or None
        What was checked on this call.
    importance : DataFrame
        feature, mean_abs (mean size of the contribution), mean (with sign), each with `_lower` and `_upper`,
        share (of all sizes), raises (share of events whose score it raises), n; the largest first.
    game : Game or None
        A handle to ask further; not written out.
    """

    kind: ClassVar[str] = "explanation"
    title: ClassVar[str] = "Explanation"
    main: ClassVar[str] = "importance"
    next_step: ClassVar[str] = "explanation.reasons(k=4), explanation.over_cut(0.6), explanation.cohort(mask)"
    repr_columns: ClassVar[tuple[str, ...]] = ("feature", "mean_abs", "mean", "mean_lower", "mean_upper", "share")

    values: Floats
    base: float
    features: tuple[str, ...]
    events: npt.NDArray[np.object_]
    reference: Reference
    model: str
    scale: str
    perturbation: str
    checked: Checked | None
    importance: pd.DataFrame
    game: Game | None = None

    def headline(self) -> tuple[Fact, ...]:
        """Return what matters most, compared with whom, and how it was checked."""
        top = self.importance.iloc[0] if len(self.importance) else None
        facts = [
            Fact("Strongest feature", str(top["feature"]), "text")
            if top is not None
            else Fact("Strongest feature", None, "text", note="no features"),
            Fact("Events explained", len(self.values), "count"),
            Fact("Compared with", str(self.reference), "text"),
            Fact(f"Mean score of the reference ({self.scale})", self.base, "number"),
        ]
        if self.checked is not None:
            held = self.checked
            told = f"{held.rows} rows by the oracle on {held.trees} trees: at most {held.apart:.1g} apart"
            if not held.trees:  # a linear model: its values are its weights times the distance to the reference
                told = f"base and values against the score of every event: at most {held.added_apart:.1g} apart"
            facts.append(Fact("Checked", told, "text"))
        return tuple(facts)

    @property
    def scores(self) -> Floats:
        """Each event's score on `scale`: base and values together."""
        return self.base + self.values.sum(axis=1)

    @property
    def probabilities(self) -> Floats:
        """Each event's score as a probability.

        Raises
        ------
        DataError
            When the model's margin is no log-odds.
        """
        return views.as_probability(self.scores, self.scale)

    @property
    def probability_values(self) -> Floats:
        """The values rescaled to probability: each row's sum is its probability less that of `base`.

        A view, not Shapley values of the probability: each log-odds value is multiplied by the row's own slope
        from the reference's mean log-odds to its score.
        """
        return views.rescaled(self.values, self.base, self.scale)

    def reasons(self, k: int = 4, *, codes: Mapping[str, str] | None = None, seed: int = 0) -> pd.DataFrame:
        """Return the k strongest reasons for risk of each event, in plain words.

        Read `flips` before a reason is told to anybody: how often it is not among the k strongest against a
        random half of the reference.

        Parameters
        ----------
        k : int
            How many reasons an event, at most.
        codes : mapping of str to str, optional
            A feature's or group's own reason code; by default one made from its name, the same in every run.
        seed : int
            Draws the halves.

        Returns
        -------
        DataFrame
            event, rank, code, feature, value, norm (the reference's median or most common word), contribution
            (on `scale`), share (of all that raises the event's score), flips (0 to 1; missing where it was not
            measured), text.
        """
        return reasons(self, k, codes=codes or {}, seed=seed)

    def event(self, row: int, *, features: Sequence[str] | None = None) -> EventScore:
        """Return why one event has its score: from the reference's mean, feature by feature, to the score.

        Use it to answer for one decision. Read a contribution as how much higher the score is because of the
        feature than in the reference; `above_share` says in how many other events it adds less.

        Parameters
        ----------
        row : int
            The event's position among those explained, from 0.
        features : sequence of str, optional
            Only these features are told; what the others add together is in the notes.

        Raises
        ------
        ParameterError
            When there is no such row or feature.
        """
        return event_score(self, row, features=features)

    def over_cut(
        self, cut: float, *, share: float = 0.9, draws: int = 200, most: int = 200, seed: int = 0
    ) -> pd.DataFrame:
        """Return, for the events at or over a cut, the smallest set of features found that brings them under it.

        The features of the set are given the values of reference events drawn at random, all others kept.

        Parameters
        ----------
        cut : float
            A probability; a margin where the model has no probability.
        share : float
            The share of draws that has to fall under the cut.
        draws : int
            How many reference events are drawn.
        most : int
            How many events, the highest scores first.
        seed : int
            Draws the reference events.

        Returns
        -------
        DataFrame
            event, score, features, count, under_share with `_lower` and `_upper` (share of draws that fall under
            the cut), n (draws), enough (whether `share` was reached), text.

        Raises
        ------
        DataError
            When the explanation has no reference rows.
        """
        return over_cut(self, cut, share=share, draws=draws, most=most, seed=seed)

    def cohort(self, mask: Mask, *, against: Mask | None = None, name: str = "cohort", rest: str = "rest") -> Cohort:
        """Return which features set one part of the events apart from another, with intervals.

        Use it for an incident's events against the others, false against true alerts, one period against another.

        Parameters
        ----------
        mask : ndarray of bool, shape (rows,)
            The cohort.
        against : ndarray of bool, optional
            The other part; by default all other events.
        name, rest : str
            What pages call them.
        """
        return compared(self, mask, against=against, name=name, rest=rest)

    def where(self, mask: Mask) -> Explanation:
        """Return the explanation of the events at which a mask is true, in order; the reference stays."""
        held = np.asarray(mask)
        if held.dtype != bool or held.shape != (len(self.values),):
            raise ParameterError(f"A mask needs {len(self.values)} booleans", got=f"{held.shape} of {held.dtype}")
        values = self.values[held]
        game = None if self.game is None else self.game.where(held)
        importance = views.importance(values, self.features)
        return replace(self, values=values, events=self.events[held], importance=importance, game=game, _cache={})

    def clusters(self, *, k: int | None = None, most: int = 8, seed: int = 0) -> CaseClusters:
        """Return groups of events whose scores come about alike, each with its signature in words.

        Use it on the alerts or frauds of a window (`explanation.where(mask).clusters()`): cases of one scheme
        score for the same reasons although their values differ. Centres of contributions are sought; their
        number has the largest mean silhouette, and is one where no split is clear.

        Parameters
        ----------
        k : int, optional
            The number of clusters, where it is known.
        most : int
            The largest number tried, 2 to 20.
        seed : int
            Draws starts and half samples.

        Raises
        ------
        DataError
            With fewer than 20 events.
        """
        return clustered(self, k=k, most=most, seed=seed)

    def candidate_rules(
        self,
        chosen: npt.NDArray[Any],
        *,
        most: int = 5,
        outcome: str = "review",
        domain: str | None = None,
        seed: int = 0,
    ) -> CandidateRules:
        """Return draft rules that hit some of the events, for `rb.simulate`.

        A condition has at most three comparisons of the features that raise the cohort's scores most; its
        thresholds lie where the contribution turns from lowering to raising. Missing values are hit where they
        raise the score. Columns that the events' dataset does not have (made by a baseline) stand in no rule.

        Parameters
        ----------
        chosen : ndarray, shape (rows,)
            A mask of the explained events, or a label of each (`clusters().members`): each label gets its own.
        most : int
            How many rules at most.
        outcome : str
            What they would decide.
        domain : str, optional
            The book's domain; by default the dataset's, else transactions.
        seed : int
            Draws the reference events that show what a rule hits outside.

        Raises
        ------
        DataError
            When the explanation has no reference rows.
        """
        return proposed(self, chosen, most=most, outcome=outcome, domain=domain, seed=seed)

    def by_segment(self, segment: Sequence[object] | npt.NDArray[Any]) -> pd.DataFrame:
        """Return segment, feature, mean, mean_lower, mean_upper, mean_abs, n for each value of a column."""
        return views.by_segment(self.values, self.features, segment)

    def to_shap(self) -> Any:
        """Return a `shap.Explanation`, for shap's own plots; its `riskbench` tells the reference."""
        return views.to_shap(self)

    @classmethod
    def from_shap(cls, held: Any, *, reference_name: str | None = None) -> Explanation:
        """Return an explanation from a `shap.Explanation`; the last class where it has several.

        Raises
        ------
        DataError
            When it is not a table of rows by features.
        """
        return cls(**views.from_shap(held, reference_name))

    def _draw(self, ax: Axes) -> None:
        top = self.importance.head(12).iloc[::-1]
        place = np.arange(len(top))
        ax.barh(place, top["mean_abs"], color=chart.BLUE)
        ax.errorbar(
            top["mean_abs"], place,
            xerr=[top["mean_abs"] - top["mean_abs_lower"], top["mean_abs_upper"] - top["mean_abs"]],
            fmt="none", ecolor=chart.GREY, elinewidth=1,
        )  # fmt: skip
        ax.set_yticks(place, [str(name)[:40] for name in top["feature"]])
        chart.style(ax, title="What moves the score", x=f"mean size of the contribution ({self.scale})", y="")


def explain(
    model: Any,
    X: Any,
    *,
    reference: Any = None,
    reference_name: str | None = None,
    perturbation: str = "interventional",
    groups: Mapping[str, Sequence[str]] | None = None,
    fraud: object = None,
    seed: int = 0,
) -> Explanation:
    """Return what each feature added to each event's score, exactly, compared with a named reference.

    Name whom you compare with: "approved orders of June" answers another question than "all orders". Read a
    value as: how much higher the event's score is because of this feature than a reference event's. Every call
    is checked: by a plain oracle on sampled rows, by the model's own score of mixed rows, and by the sum.

    Parameters
    ----------
    model : object
        A fitted two-class model of scikit-learn (HistGradientBoosting, GradientBoosting, forests, trees,
        linear), LightGBM or XGBoost, alone or at the end of a pipeline; a `Baseline`, which makes its own
        columns of a Dataset; or a model read from a file.
    X : Dataset, DataFrame or array
        The events; columns are matched to the model by name.
    reference : Dataset, DataFrame or array, optional
        Reference events, any number; by default the explained events themselves.
    reference_name : str, optional
        What pages call the reference.
    perturbation : {"interventional", "path"}
        "interventional": a feature that is left out takes the reference's values. "path": it follows the
        training rows through the trees; needs no reference and no linear model.
    groups : mapping of str to sequence of str, optional
        Features that play together, by the name of the group; the others play by themselves.
    fraud : object, optional
        The label of the fraud class, where the classes are words.
    seed : int
        Draws the rows that are checked.

    Raises
    ------
    ColumnNotFoundError
        When a column that the model was fitted on is not in the data.
    DataError
        When the model is of a kind that is not explained, or there are no rows.
    ParameterError
        When a parameter is out of range, a group names no feature, or a pipeline mixes columns of two players.
    EngineError
        When the check fails.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from riskbench import explain
    >>> from sklearn.ensemble import HistGradientBoostingClassifier
    >>> rng = np.random.default_rng(0)
    >>> events = pd.DataFrame({"amount": rng.lognormal(3, 1, 2_000).round(2), "age": rng.integers(0, 900, 2_000)})
    >>> fraud = (events["amount"] > 40) & (events["age"] < 100)
    >>> model = HistGradientBoostingClassifier(max_iter=20).fit(events, fraud)
    >>> found = explain(model, events[fraud], reference=events[~fraud], reference_name="approved, June")
    >>> list(found.importance["feature"]), found.scale
    (['age', 'amount'], 'log-odds')
    >>> bool(np.abs(found.scores - model.decision_function(events[fraud])).max() < 1e-9)
    True
    """
    begun = clock.perf_counter()
    if perturbation not in ("interventional", "path"):
        raise ParameterError("'perturbation' is unknown", got=repr(perturbation), allowed="interventional, path")
    if perturbation == "path" and reference is not None:
        raise ParameterError("The path-dependent explanation takes no reference", hint="leave 'reference' out")
    itself = reference is None and perturbation == "interventional"
    estimator, taken = inputs.opened(model, X)
    score = fitted(estimator, fraud=fraud)
    if score.trees is None and perturbation == "path":
        raise ParameterError("A linear model has no paths", got=score.name, allowed="interventional")
    frame, others = inputs.frames(score, taken, taken if itself else inputs.opened(model, reference)[1])
    names = tuple(frame.columns)
    held = inputs.players(names, groups)
    player = inputs.inner_players(score, names, held)
    cells = matrix(score, frame)
    compared_with = None if others is None else matrix(score, others)
    source = Source(X.kinds, X.domain) if isinstance(X, Dataset) else None
    game = Game(score, frame, others, cells, compared_with, player, len(held.names), source)
    shares = game.shares(cells, compared_with)
    checked = check(
        score, shares.values, shares.base, frame=frame, cells=cells, others=others, reference=compared_with,
        player=player, seed=seed,
    )  # fmt: skip
    if compared_with is None:
        told = Reference(reference_name or "the training rows, as the trees remember them")
    else:
        told = inputs.described(X if itself else reference, reference_name, compared_with, names, itself=itself)
    return Explanation(
        values=shares.values,
        base=shares.base,
        features=held.names,
        events=inputs.event_names(X, len(frame)),
        reference=told,
        model=score.name,
        scale=score.scale,
        perturbation=perturbation,
        checked=checked,
        importance=views.importance(shares.values, held.names),
        game=game,
        notes=_notes((*score.notes, *inputs.spoken(model)), score.scale, perturbation, itself=itself),
        provenance={
            "dataset": X.fingerprint if isinstance(X, Dataset) else None,
            "parameters": {
                "model": score.name,
                "perturbation": perturbation,
                "reference": {name: getattr(told, name) for name in told.__slots__},
                "groups": {group: list(own) for group, own in (groups or {}).items()},
            },
            "seed": seed,
            "seconds": round(clock.perf_counter() - begun, 3),
        },
    )


def _notes(held: tuple[str, ...], scale: str, perturbation: str, *, itself: bool) -> tuple[str, ...]:
    notes = list(held)
    if itself:
        notes.append("No reference was named: the events are compared with themselves.")
    if perturbation == "path":
        notes.append(
            "Path-dependent: correlated features share credit, also with features that the model does not use."
        )
    else:
        notes.append("Interventional: true to the model; combinations that no event shows are asked of it as well.")
    if scale == "log-odds":
        notes.append("Values are log-odds; `probability_values` rescales them, and says so.")
    notes.append("A contribution says what moved the score, not what caused the fraud.")
    return tuple(notes)
