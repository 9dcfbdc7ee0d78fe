"""Which rules would hit the events that stand out? Draft conditions from where contributions change sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.display import Fact, Result, chart, result
from riskbench.engine.literals import quoted
from riskbench.errors import DataError, ParameterError, RuleError
from riskbench.metrics.intervals import wilson
from riskbench.rules.book import RuleBook
from riskbench.rules.param import Param
from riskbench.rules.rule import Rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.explanation.explanation import Explanation

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
#: Fewer events than this in a cohort give no rule.
FEWEST = 10
#: A rule covers at least this share of its cohort, and of what rules before it left.
LEAST = 0.1
#: From so many features that raise the cohort's scores most, at most so many are joined.
FEATURES, TERMS = 6, 3
#: So many reference events show what a rule hits outside.
OUTSIDE = 5_000
#: A word stands in a list when at least this share of the cohort has it; a list holds at most so many.
COMMON, WORDS = 0.05, 8


@result
class CandidateRules(Result):
    """Draft rules that hit the events of a cohort, from the contributions to their scores.

    Attributes
    ----------
    candidates : DataFrame
        rule, cohort, condition, terms, cohort_share (of the cohort's events that it hits), outside_share (of the
        reference's), each with `_lower` and `_upper`, lift (how many times more often it hits the cohort),
        cohort_n, outside_n; those that cover most at the best lift first.
    book : RuleBook
        The rules as a book of drafts, for `rb.simulate`.
    reference : str
        Whom the cohort was compared with.
    """

    kind: ClassVar[str] = "candidate_rules"
    title: ClassVar[str] = "Candidate rules"
    main: ClassVar[str] = "candidates"
    next_step: ClassVar[str] = "rb.simulate(candidates.book, events): what they would have hit, and at what harm"
    repr_columns: ClassVar[tuple[str, ...]] = (
        "rule", "cohort", "condition", "cohort_share", "outside_share", "outside_share_upper",
    )  # fmt: skip

    candidates: pd.DataFrame
    book: RuleBook
    reference: str

    def headline(self) -> tuple[Fact, ...]:
        """Return the first rule, what it covers, and what it hits outside."""
        top = self.candidates.iloc[0] if len(self.candidates) else None
        none = "" if top is not None else "no condition tells the cohort from the reference"
        facts = [Fact("First candidate", None if top is None else str(top["condition"]), "text", note=none)]
        if top is not None:
            facts += [
                Fact(told, float(top[name]), "share", lower=float(top[f"{name}_lower"]),
                     upper=float(top[f"{name}_upper"]), n=int(top[n]))
                for told, name, n in (("Of the cohort it hits", "cohort_share", "cohort_n"),
                                      ("Of the reference it hits", "outside_share", "outside_n"))
            ]  # fmt: skip
        return (
            *facts,
            Fact("Draft rules", len(self.candidates), "count"),
            Fact("Compared with", self.reference, "text"),
        )

    @property
    def drawable(self) -> bool:
        """Whether there is a rule to draw."""
        return len(self.candidates) > 0

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of rules."""
        return 1.4 + 0.4 * min(8, max(1, len(self.candidates)))

    def _draw(self, ax: Axes) -> None:
        shown = self.candidates.head(8).iloc[::-1]
        place = np.arange(len(shown))
        for name, colour, shift, told in (
            ("cohort_share", chart.RED, 0.12, "cohort"), ("outside_share", chart.BLUE, -0.12, "reference"),
        ):  # fmt: skip
            ax.hlines(place + shift, 100 * shown[f"{name}_lower"], 100 * shown[f"{name}_upper"], color=colour)
            ax.plot(100 * shown[name], place + shift, "o", color=colour, label=told)
        ax.set_yticks(place, list(shown["rule"]))
        ax.set_xlim(-2, 102)
        ax.margins(y=0.2)
        ax.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0))
        chart.style(ax, title="What each candidate hits, 95 % interval", x="% of events", y="")


@dataclass(frozen=True, slots=True, eq=False)
class _Term:
    """One comparison: its text with a parameter's name left open, the parameter's value, and what it hits."""

    text: str
    value: float | int | None
    inside: Mask
    outside: Mask


def proposed(
    held: Explanation, chosen: npt.NDArray[Any], *, most: int, outcome: str, domain: str | None, seed: int
) -> CandidateRules:
    """Return draft rules for a mask of the explained events, or for each label of them."""
    game = held.game
    if game is None or game.reference is None or game.others is None:
        raise DataError("Candidate rules need reference events", hint="explain with reference=")
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= 50:
        raise ParameterError("'most' is a number of rules", got=most, allowed="1 to 50")
    cohorts = _cohorts(chosen, len(held.values))
    rng = np.random.default_rng(seed)
    picked = np.lexsort(game.reference.T)
    picked = picked[np.sort(rng.choice(len(picked), min(OUTSIDE, len(picked)), replace=False))]
    others = game.others.iloc[picked].reset_index(drop=True)
    theirs = game.shares(game.reference[picked], game.reference).values
    source = game.source
    kinds = dict(source.kinds) if source is not None else dict.fromkeys(game.frame.columns, "")
    made: list[tuple[Rule, tuple[object, ...]]] = []
    notes = [
        "Drafts: thresholds lie where a feature's contribution turns from lowering to raising the score.",
        "Shares are measured on the events that the rules were made of: simulate them on others before use.",
    ]
    skipped: set[str] = set()
    for called, inside in cohorts.items():
        if np.count_nonzero(inside) < FEWEST:
            notes.append(f"No rule for {called}: {np.count_nonzero(inside)} events are too few.")
            continue
        terms = _terms(held, inside, (others, theirs), kinds, skipped)
        room = max(1, most // len(cohorts))
        found = _covering(terms, int(np.count_nonzero(inside)), room)
        if not found:
            notes.append(f"No rule for {called}: no condition tells it from the reference.")
        for chosen_terms, hit, beyond in found:
            made.append(_rule(len(made) + 1, called, chosen_terms, hit, beyond, outcome=outcome))
    if skipped:
        notes.append(f"No column of the events, so in no rule: {', '.join(sorted(skipped))}.")
    said = domain or (source.domain if source is not None else "transactions")
    shares = [f"{name}_share{end}" for name in ("cohort", "outside") for end in ("", "_lower", "_upper")]
    columns = ["rule", "cohort", "condition", "terms", *shares, "lift", "cohort_n", "outside_n"]
    return CandidateRules(
        candidates=pd.DataFrame([row for _, row in made], columns=columns),
        book=RuleBook(name="candidate rules", domain=said, rules=tuple(rule for rule, _ in made)),  # type: ignore[arg-type]
        reference=str(held.reference),
        notes=tuple(notes),
        provenance={
            "dataset": held.provenance["dataset"],
            "parameters": {"explanation": held.provenance["parameters"], "most": most, "outcome": outcome},
            "seed": seed,
        },
    )


def _cohorts(chosen: npt.NDArray[Any], rows: int) -> dict[str, Mask]:
    held = np.asarray(chosen)
    if held.shape != (rows,):
        raise ParameterError(f"A mask, or one label an event, is needed for {rows} events", got=held.shape)
    if held.dtype == bool:
        return {"the cohort": held}
    if held.dtype.kind not in "iuOU" or len(labels := sorted({str(label) for label in held.tolist()})) > 50:
        raise ParameterError("Labels are at most 50 words or whole numbers", got=held.dtype)
    words = held.astype(str)
    return {f"cluster {label}"[:60]: words == label for label in labels}


def _terms(
    held: Explanation, inside: Mask, reference: tuple[pd.DataFrame, Floats], kinds: Mapping[str, str], skipped: set[str]
) -> list[_Term]:
    """Return one comparison for each of the features that raise the cohort's scores most above the reference's."""
    assert held.game is not None
    others, theirs = reference
    lead = held.values[inside].mean(axis=0) - theirs.mean(axis=0)
    out: list[_Term] = []
    for place in np.lexsort((np.array(held.features, dtype=object).astype(str), -lead)):
        name = held.features[place]
        if lead[place] <= 0 or len(out) == FEATURES:
            break
        if name not in held.game.frame.columns or name not in kinds:
            skipped.add(name)
            continue
        mine = held.game.frame[name][inside].reset_index(drop=True)
        shares = (held.values[inside][:, place], theirs[:, place])
        made = (
            _number(name, (mine, others[name]), shares, kinds[name])
            if pd.api.types.is_numeric_dtype(mine.dtype)
            else _words(name, (mine, others[name]), shares)
        )
        if made is not None:
            out.append(made)
    return out


def _number(name: str, columns: tuple[pd.Series, pd.Series], shares: tuple[Floats, Floats], kind: str) -> _Term | None:
    """Return a comparison of a number, at the one split of its values that parts contributions best."""
    values = [column.to_numpy(np.float64) for column in columns]
    known = [~np.isnan(part) for part in values]
    x = np.concatenate([part[k] for part, k in zip(values, known, strict=True)])
    y = np.concatenate([part[k] for part, k in zip(shares, known, strict=True)])
    absent = [share[~k] for share, k in zip(shares, known, strict=True)]
    column = _column(name)
    missing = len(absent[0]) >= max(1, COMMON * len(values[0])) and float(absent[0].mean()) > 0
    cut = crossing(x, y)
    if missing and np.count_nonzero(known[0] & (shares[0] > 0)) < COMMON * len(values[0]):
        cut = None  # what is known of the cohort does not raise its scores
    if column is None or (cut is None and not missing):
        return None
    if cut is None:
        return _Term(f"{column} IS NULL", None, ~known[0], ~known[1])
    low, high, above = cut
    if kind == "bool" and {low, high} <= {0.0, 1.0}:
        hit = [part == (1.0 if above else 0.0) for part in values]
        return _Term(column if above else f"NOT {column}", None, hit[0], hit[1])
    limit = shortest(low, high)
    value: float | int = int(limit) if kind == "int" and limit == int(limit) and abs(limit) < 2**53 else limit
    hit = [(part > limit) if above else (part <= limit) for part in values]
    text = f"{column} {'>' if above else '<='} :LIMIT"
    if missing:
        hit = [part | ~k for part, k in zip(hit, known, strict=True)]
        text = f"({text} OR {column} IS NULL)"
    return _Term(text, value, hit[0], hit[1])


def _words(name: str, columns: tuple[pd.Series, pd.Series], shares: tuple[Floats, Floats]) -> _Term | None:
    """Return a list of the words that are common in the cohort and raise the score."""
    column = _column(name)
    absent = [held.isna().to_numpy() for held in columns]
    words = [held.astype(object).where(~gone, None).to_numpy() for held, gone in zip(columns, absent, strict=True)]
    table = pd.DataFrame({"word": words[0], "share": shares[0]}).dropna(subset="word").groupby("word")["share"]
    told = table.agg(["size", "mean"])
    told = told[(told["size"] >= max(1, COMMON * len(words[0]))) & (told["mean"] > 0)]
    chosen = sorted(map(str, told.sort_values("size", ascending=False, kind="stable").index[:WORDS]))
    missing = int(absent[0].sum()) >= max(1, COMMON * len(words[0])) and float(shares[0][absent[0]].mean()) > 0
    if column is None or not (chosen or missing):
        return None
    hit = [np.isin(held.astype(str), chosen) & ~gone for held, gone in zip(words, absent, strict=True)]
    parts = []
    if chosen:
        one = len(chosen) == 1
        parts.append(f"{column} = {quoted(chosen[0])}" if one else f"{column} IN ({', '.join(map(quoted, chosen))})")
    if missing:
        parts.append(f"{column} IS NULL")
        hit = [part | gone for part, gone in zip(hit, absent, strict=True)]
    return _Term(parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})", None, hit[0], hit[1])


def crossing(x: Floats, y: Floats) -> tuple[float, float, bool] | None:
    """Return the split of x that parts y best, as the values on both sides, and whether y is larger above.

    Best is the largest sum of squares between both sides; None where x, or y, is the same everywhere.

    >>> crossing(np.array([1.0, 2.0, 8.0, 9.0]), np.array([-1.0, -1.0, 1.0, 1.0]))
    (2.0, 8.0, True)
    """
    order = np.argsort(x, kind="stable")
    held, share = x[order], y[order]
    ends = np.flatnonzero(held[1:] > held[:-1])
    if not len(ends):
        return None
    left = np.cumsum(share)[ends]
    count = ends + 1.0
    rest = len(held) - count
    apart = (share.sum() - left) / rest - left / count
    between = apart**2 * count * rest
    at = int(between.argmax())
    if between[at] <= 1e-18:
        return None
    return float(held[ends[at]]), float(held[ends[at] + 1]), bool(apart[at] > 0)


def shortest(low: float, high: float) -> float:
    """Return the shortest number t with low <= t < high, near the middle.

    >>> shortest(19.99, 31.2), shortest(2, 3), shortest(0.0071, 0.0079)
    (30.0, 2.0, 0.0075)
    """
    middle = low + (high - low) / 2
    for digits in range(1, 16):
        found = float(f"{middle:.{digits}g}")
        if low <= found < high:
            return found
    return low


def _column(name: str) -> str | None:
    """Return a column's name as rule text; None where the rule language cannot name it."""
    for text in (name, '"' + name.replace('"', '""') + '"'):
        try:
            if Rule("NAME", f"{text} IS NULL", "review").columns == (name,):
                return text
        except RuleError:
            continue
    return None


def _covering(terms: Sequence[_Term], rows: int, most: int) -> list[tuple[tuple[_Term, ...], Mask, Mask]]:
    """Return the best joined conditions one after the other, each on what those before it left."""
    joined = []
    for size in range(1, TERMS + 1):
        for chosen in combinations(terms, size):
            inside = np.logical_and.reduce([term.inside for term in chosen])
            outside = np.logical_and.reduce([term.outside for term in chosen])
            lift = float(wilson(int(inside.sum()), rows)[1]) / max(
                float(wilson(int(outside.sum()), len(outside))[2]), 1e-12
            )
            if lift > 1:
                joined.append((chosen, inside, outside, np.log(lift)))
    left = np.ones(rows, dtype=bool)
    out: list[tuple[tuple[_Term, ...], Mask, Mask]] = []
    while len(out) < most:
        best = max(
            (held for held in joined if np.count_nonzero(held[1] & left) >= max(FEWEST // 2, LEAST * rows)),
            key=lambda held: (np.count_nonzero(held[1] & left) * held[3], -len(held[0])),
            default=None,
        )
        if best is None:
            break
        out.append(best[:3])
        left &= ~best[1]
    return out


def _rule(
    place: int, called: str, terms: Sequence[_Term], inside: Mask, outside: Mask, *, outcome: str
) -> tuple[Rule, tuple[object, ...]]:
    texts, params = [], {}
    for number, term in enumerate(terms, start=1):
        texts.append(term.text.replace(":LIMIT", f":limit_{number}"))
        if term.value is not None:
            params[f"limit_{number}"] = Param(term.value)
    rule = Rule(
        f"DRAFT-{place}", " AND ".join(texts), outcome, params=params, title=f"From the contributions of {called}"
    )
    share = [float(value) for value in wilson(int(inside.sum()), len(inside))]
    beyond = [float(value) for value in wilson(int(outside.sum()), len(outside))]
    lift = share[0] / beyond[0] if beyond[0] > 0 else np.nan
    return rule, (rule.id, called, rule.in_words(), len(terms), *share, *beyond, lift, len(inside), len(outside))
