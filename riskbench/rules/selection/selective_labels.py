"""What would a rule's figures be if the events that history stopped had shown their verdicts?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD, GOOD, REASONS, STATES
from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREY, ORANGE, SKY, style
from riskbench.metrics.costs import Costs
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.selection import FEWEST_DRAWN, break_even
from riskbench.metrics.selection.sensitivity import FACTORS
from riskbench.rules.doors import mapping, wanted
from riskbench.rules.hits import Hits
from riskbench.rules.selection.evidence import Evidence
from riskbench.rules.selection.figures import ALL, Figure, Part, by_factor, enough, figures, parts
from riskbench.rules.selection.page import facts, grounds, notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.rules.simulation import Simulation

Mask = npt.NDArray[np.bool_]


@result
class SelectiveLabels(Result):
    """What each rule's figures are once events that history stopped are taken into account.

    Attributes
    ----------
    rules : DataFrame
        One row for all alerts and one a rule: rule, outcome, status, hits, labelled, unlabelled_blocked,
        unlabelled_young, unlabelled_no_channel, unlabelled_no_verdict, never (stopped, and nothing of their kind
        let through), let_through (rows the estimate rests on), naive_precision, ipw_precision and robust_precision
        with `_lower` and `_upper` (95 %), worst_precision, best_precision, inferred_share (of the frauds told),
        break_even_factor (how many times the expected odds of fraud the events without a verdict must have for net
        value to be 0; missing where no factor does it), reading.
    figures : DataFrame
        One row a set and measure (frauds, fraud_value, precision, recall, insult_rate, good_value_hit, net_value):
        rule, measure, naive, ipw, ipw_lower, ipw_upper, robust, robust_lower, robust_upper, worst, best,
        inferred_share. Estimates are of the events that could pass; worst and best of all.
    sensitivity : DataFrame
        One row a set and factor: rule, factor, precision, net_value, if stopped events had so many times the odds of
        fraud that events of the same score have.
    """

    kind: ClassVar[str] = "selective_labels"
    title: ClassVar[str] = "What stopped events hide"
    main: ClassVar[str] = "rules"
    next_step: ClassVar[str] = (
        '.frame("figures"), "sensitivity", "regions"; rb.plan_let_through(...) lets a few pass, to know more'
    )
    repr_rows: ClassVar[int] = 20
    repr_columns: ClassVar[tuple[str, ...]] = (
        "rule",
        "hits",
        "labelled",
        "unlabelled_blocked",
        "let_through",
        "naive_precision",
        "robust_precision",
        "robust_precision_lower",
        "robust_precision_upper",
        "worst_precision",
        "best_precision",
        "reading",
    )

    rules: pd.DataFrame
    figures: pd.DataFrame
    sensitivity: pd.DataFrame
    currency: str
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return what all alerts together would show."""
        return self.facts

    @property
    def _shown(self) -> pd.DataFrame:
        kept = self.rules[(self.rules["hits"] > 0) & self.rules["worst_precision"].notna()]
        return kept.head(15).iloc[::-1]

    @property
    def drawable(self) -> bool:
        """Whether any rule hits anything."""
        return bool(len(self._shown))

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of rules."""
        return 1.6 + 0.34 * max(1, len(self._shown))

    def _draw(self, ax: Axes) -> None:
        shown, place = self._shown, np.arange(len(self._shown))
        worst, best = (100 * shown[name].to_numpy(dtype=float) for name in ("worst_precision", "best_precision"))
        wide = np.maximum(best - worst, 0.6)
        ax.barh(place, wide, left=worst, height=0.55, color=SKY, alpha=0.4, label="worst to best")
        told = shown["robust_precision"].notna().to_numpy()
        value, lower, upper = (
            100 * shown[f"robust_precision{end}"].to_numpy(dtype=float)[told] for end in ("", "_lower", "_upper")
        )
        if told.any():
            ax.hlines(place[told], lower, upper, color=BLUE, linewidth=2.5)
            ax.scatter(value, place[told], color=BLUE, zorder=3, label="estimated, 95 %")
        seen = shown["naive_precision"].notna().to_numpy()
        ax.scatter(
            100 * shown["naive_precision"].to_numpy(dtype=float)[seen],
            place[seen],
            color="white",
            edgecolors=ORANGE,
            linewidths=1.5,
            marker="D",
            s=26,
            zorder=4,
            label="hits with a verdict alone",
        )
        ax.set_yticks(
            place, [f"{rule} ({hits:,} hits)" for rule, hits in zip(shown["rule"], shown["hits"], strict=True)]
        )
        ax.set_xlim(-2, 102)
        ax.margins(y=0.06)
        style(ax, title="Precision with and without the stopped events", x="hits that are fraud (%)", y="")
        ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16 * 3.6 / self.height - 0.06), ncols=3, frameon=False)
        ax.tick_params(axis="y", length=0, colors=GREY)


def selective_labels(
    simulation: Simulation,
    *,
    score: str | None = None,
    costs: Costs | Mapping[str, float] | None = None,
) -> SelectiveLabels:
    """Return what each rule's figures would be if the events that history stopped had shown their verdicts.

    Use it before a rule is relaxed, kept or retired by its precision: a stopped event has no verdict, and those that
    have one are not like it. Where a random part was let through (the role `let_through`) the figures are estimated
    from it; with fewer than 10 such rows, or none, they are bounded. Read a wide bar as what nobody knows.

    Parameters
    ----------
    simulation : Simulation
        The book's hits on events, from `rb.simulate`.
    score : str, optional
        The column by which the model expects fraud; the role `score` where not given, else none.
    costs : Costs or mapping, optional
        The stated costs of net value; those of the simulation where not given.

    Returns
    -------
    SelectiveLabels
        Tables `rules`, `figures`, `sensitivity`; on request `regions`: the columns of `rules`, region by region.

    Raises
    ------
    ParameterError
        When `simulation` is none, or a cost is out of range.
    ColumnNotFoundError
        When the score is not a column.

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> rng = np.random.default_rng(1)
    >>> amount, passed = rng.lognormal(4, 1, 4_000).round(2), rng.random(4_000) < 0.1
    >>> fraud, large = rng.random(4_000) < 0.3, amount > 100
    >>> frame = pd.DataFrame({"id": np.arange(4_000), "amount": amount, "p": np.where(large, 0.1, 1.0)})
    >>> frame["did"] = np.where(large & ~passed, "block", "approve")
    >>> frame["fraud"] = np.where(large & ~passed, np.nan, fraud)
    >>> roles = rb.Roles(id="id", amount="amount", label="fraud", outcome="did", let_through="p")
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: amount > 100, outcome: block, status: live}
    ... ''')
    >>> found = rb.selective_labels(rb.simulate(book, rb.read(frame, roles=roles)))
    >>> row = found.frame().set_index("rule").loc["TX-1"]
    >>> row["reading"]
    'estimated from 119 let-through rows'
    >>> bool(row["ipw_precision_lower"] < fraud[large].mean() < row["ipw_precision_upper"])
    True

    Source: Manapat, M. (2016), Counterfactual evaluation of machine learning models, for the let-through; the
    estimators are named at `riskbench.metrics.selection`.
    """
    wanted(simulation, "Simulation", name="simulation")
    mapping(costs if not isinstance(costs, Costs) else None, name="costs", allowed="a mapping, or rb.Costs")
    begun = time.perf_counter()
    stated = simulation.standing.costs if costs is None else Costs.from_mapping(costs)
    held = simulation.hits.at(stated)
    column = held.dataset.resolve(score) if score is not None else held.dataset.roles.score
    evidence = Evidence.of(held, stated, score=column)
    sets = parts(held, evidence, stated)
    told = {part.name: figures(evidence, part) for part in sets}
    rules = _rules(evidence, held, sets, told)
    return SelectiveLabels(
        rules=rules,
        figures=_figures(told),
        sensitivity=pd.concat([_sensitivity(evidence, part) for part in sets], ignore_index=True),
        currency=held.dataset.currency.code if held.worth.money else "",
        facts=facts(held, rules.iloc[0], told[ALL]),
        grounds=grounds(held, evidence, sets[0], rules.iloc[0]),
        notes=notes(held, evidence, stated, column),
        lazy={"regions": partial(_regions, evidence, held, sets)},
        provenance={
            "dataset": held.dataset.fingerprint,
            "book": held.book.hash,
            "label_recipe": held.labels.recipe,
            "parameters": {"score": column, "costs": stated.to_dict()},
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _rules(evidence: Evidence, held: Hits, sets: list[Part], told: Mapping[str, Mapping[str, Figure]]) -> pd.DataFrame:
    lines: list[dict[str, object]] = []
    for part in sets:
        counts = np.bincount(held.labels.state[part.rows], minlength=len(STATES))
        precision, frauds = told[part.name]["precision"], told[part.name]["frauds"]
        lines.append(
            {
                "rule": part.name,
                "outcome": part.outcome,
                "status": part.status,
                "hits": int(part.rows.sum()),
                "labelled": int(counts[GOOD] + counts[FRAUD]),
                **{reason: int(counts[code]) for reason, code in REASONS.items()},
                "never": int((evidence.included.never & part.rows).sum()),
                "let_through": int((evidence.sampled & part.rows).sum()),
                "naive_precision": precision.naive,
                **_ends("ipw_precision", precision.ipw),
                **_ends("robust_precision", precision.robust),
                "worst_precision": precision.worst,
                "best_precision": precision.best,
                "inferred_share": frauds.told.corrected if frauds.told.measurable else None,
                "break_even_factor": _turn(evidence, part),
                "reading": _reading(evidence, part.rows),
            }
        )
    return _numbers(lines, words=("rule", "outcome", "status", "reading"))


def _numbers(lines: list[dict[str, object]], *, words: tuple[str, ...]) -> pd.DataFrame:
    """Return lines as a frame whose missing numbers are missing numbers."""
    frame = pd.DataFrame(lines)
    return frame.astype({name: float for name in frame.columns if frame[name].dtype == object and name not in words})


def _ends(name: str, held: Estimate) -> dict[str, float | None]:
    return {name: held.value, f"{name}_lower": held.lower, f"{name}_upper": held.upper}


def _reading(evidence: Evidence, rows: Mask) -> str:
    """Return in words what a set's figures rest on."""
    if not rows.any():
        return "hits nothing"
    rest, drawn = int((evidence.rest & rows).sum()), int((evidence.sampled & rows).sum())
    never = int((evidence.included.never & rows).sum())
    beside = f"; {never:,} never let through: bounded" if never else ""
    if not rest:
        if never:
            return "never let through: bounded"
        return "no event has a verdict: bounded" if enough(evidence, rows) else "measured: nothing was stopped"
    if drawn < FEWEST_DRAWN:
        return f"too few let-through rows ({drawn}): bounded"
    return f"estimated from {drawn:,} let-through rows{beside}"


def _figures(told: Mapping[str, Mapping[str, Figure]]) -> pd.DataFrame:
    lines: list[dict[str, object]] = [
        {
            "rule": name,
            "measure": measure,
            "naive": figure.naive,
            **_ends("ipw", figure.ipw),
            **_ends("robust", figure.robust),
            "worst": figure.worst,
            "best": figure.best,
            "inferred_share": figure.told.corrected if figure.told.measurable else None,
        }
        for name, held in told.items()
        for measure, figure in held.items()
    ]
    return _numbers(lines, words=("rule", "measure"))


def _sensitivity(evidence: Evidence, part: Part) -> pd.DataFrame:
    precision, net = by_factor(evidence, part, FACTORS)
    return pd.DataFrame({"rule": part.name, "factor": FACTORS, "precision": precision, "net_value": net})


def _turn(evidence: Evidence, part: Part) -> float | None:
    """Return the factor on the odds at which a set's net value is 0."""
    if not (part.rows & evidence.hidden).any():
        return None
    return break_even(lambda factor: float(by_factor(evidence, part, (factor,))[1][0]))


def _regions(evidence: Evidence, held: Hits, sets: list[Part]) -> pd.DataFrame:
    """Return the table of rules region by region."""
    codes, names = held.dataset.regions
    frames = []
    for code, region in enumerate(names):
        inside = [part.within(codes == code) for part in sets]
        told = {part.name: figures(evidence, part) for part in inside}
        frame = _rules(evidence, held, inside, told)
        frame.insert(0, "region", region)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
