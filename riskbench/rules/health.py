"""Which rules need a hand this week? What was found about each, the most urgent first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from riskbench.display import Fact, Result, number, result
from riskbench.display.chart import BLUE, ORANGE, SKY, style
from riskbench.rules.appraisal.appraisal import Appraisal
from riskbench.rules.doors import wanted
from riskbench.rules.drift import RuleDrift

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CROWDED, STEP = "events crowd under a cut", "a step of a cut would pay"
#: What is found, the most urgent first, and what to do about it.
FINDINGS: Mapping[str, str] = {
    "precision fell": "look at its recent hits; tighten it, add an exception, or set it to shadow",
    "costs more than it saves": "set it to shadow, or raise its cut",
    CROWDED: "someone may know the cut: move it, or add a second condition",
    "hits fell": "check its columns and lists: does it still see what it should?",
    "hits rose": "check the review capacity, and what is new among its hits",
    STEP: "calibrate it on earlier events, and judge the new cut on later ones",
    "dead": "retire it, or check its columns",
    "shadowed": "retire it: another rule always decides",
    "redundant": "retire it: without it the outcomes stay the same",
    "not shown to pay": "keep an eye on it: its worth is within chance",
    "precision rose": "its cut may be lowered",
    "not measurable": "keep a let-through, so that its precision can be told",
}


@result
class RuleHealth(Result):
    """The rules that need a hand, and why.

    Attributes
    ----------
    findings : DataFrame
        One row a finding, the most urgent first: rule, status, finding, evidence, what_to_do.
    rules_watched, rules_named : int
        Rules that were looked at, and those with a finding.
    """

    kind: ClassVar[str] = "rule_health"
    title: ClassVar[str] = "Rule health"
    main: ClassVar[str] = "findings"
    repr_rows: ClassVar[int] = 30

    findings: pd.DataFrame
    rules_watched: int
    rules_named: int
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return how many rules need a hand, and which first."""
        return self.facts

    @property
    def _drawn(self) -> pd.Series[int]:
        counted = self.findings["finding"].value_counts()
        return counted.reindex([name for name in FINDINGS if name in counted.index]).iloc[::-1]

    @property
    def drawable(self) -> bool:
        """Whether anything was found."""
        return bool(len(self.findings))

    @property
    def height(self) -> float:
        """The picture's height in inches: by the kinds of findings."""
        return 1.3 + 0.32 * max(1, len(self._drawn))

    def _draw(self, ax: Axes) -> None:
        shown = self._drawn
        place = np.arange(len(shown))
        urgent = list(FINDINGS)[:5]
        first = self.findings["finding"].iloc[0]
        colours = [ORANGE if name == first else BLUE if name in urgent else SKY for name in shown.index]
        ax.barh(place, shown.to_numpy(), height=0.6, color=colours)
        ax.set_yticks(place, list(shown.index))
        ax.locator_params(axis="x", integer=True)
        ax.margins(y=0.05)
        style(ax, title="What was found (orange: look first)", x="rules", y="")


def diagnose_rules(drift: RuleDrift, *, appraisal: Appraisal | None = None, cuts: Result | None = None) -> RuleHealth:
    """Return the rules that need a hand this week: what was found about each, the most urgent first.

    Use it as the last step of a weekly look at a rule book. Read each row as one piece of work; a rule may have more
    than one.

    Parameters
    ----------
    drift : RuleDrift
        What `watch_rules` returned.
    appraisal : Appraisal, optional
        What `appraise` returned: rules that can go, rules that do not pay.
    cuts : Brittleness, optional
        What `brittleness` returned on all parameters: cuts under which events crowd, cuts that a step would better.

    Returns
    -------
    RuleHealth
        Table findings.

    Examples
    --------
    >>> import riskbench as rb
    >>> events = rb.sample("transactions", region="ID", orders=20_000)
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "model_score >= 0.3", outcome: challenge, status: live}
    ...   - {id: TX-2, when: "model_score >= 2", outcome: block, status: live}
    ... ''')
    >>> today = rb.simulate(book, events)
    >>> health = rb.diagnose_rules(rb.watch_rules(today), appraisal=rb.appraise(today))
    >>> health.frame()[["rule", "finding"]].to_numpy().tolist()
    [['TX-2', 'dead'], ['TX-2', 'not measurable']]
    """
    wanted(drift, "RuleDrift", name="drift")
    if appraisal is not None:
        wanted(appraisal, "Appraisal", name="appraisal")
    if cuts is not None:
        wanted(cuts, "Brittleness", name="cuts", hint="rb.brittleness(book, dataset) makes one")
    status = dict(zip(drift.rules["rule"], drift.rules["status"], strict=True))
    rows = [*_drifted(drift), *_appraised(appraisal), *_beside(cuts)]
    order = list(FINDINGS)
    rows.sort(key=lambda row: (order.index(row[1]), row[0]))
    found = pd.DataFrame(
        [(rule, status.get(rule, ""), finding, evidence, FINDINGS[finding]) for rule, finding, evidence in rows],
        columns=["rule", "status", "finding", "evidence", "what_to_do"],
    )
    named = found["rule"].nunique()
    return RuleHealth(
        findings=found,
        rules_watched=len(status),
        rules_named=int(named),
        facts=_facts(found, drift, appraisal, len(status), cuts=cuts),
        notes=(
            *([] if appraisal is not None else ["No appraisal was handed in: which rules can go is not looked at."]),
            *([] if cuts is not None else ["No cuts were handed in: whether events crowd under one is not looked at."]),
            *drift.notes,
        ),
        provenance={**drift.provenance},
    )


def _drifted(drift: RuleDrift) -> Iterable[tuple[str, str, str]]:
    for row in drift.rules.to_dict("records"):
        word = str(row["precision"])
        if word in ("fell", "rose"):
            then, now = (number(float(row[f"precision_{period}"]), "share") for period in ("reference", "current"))
            yield row["rule"], f"precision {word}", f"{then} before, {now} now ({row['n_current']} labelled hits)"
        elif word.startswith("not measurable") and row["status"] == "live":
            yield row["rule"], "not measurable", word.removeprefix("not measurable: ")
        if row["hits"] in ("fell", "rose"):
            then, now = (number(float(row[f"hits_{period}"]), "average") for period in ("reference", "current"))
            yield row["rule"], f"hits {row['hits']}", f"{then} a week before, {now} now"


def _appraised(appraisal: Appraisal | None) -> Iterable[tuple[str, str, str]]:
    if appraisal is None:
        return
    for row in appraisal.retire.to_dict("records"):
        if row["verdict"] in FINDINGS and row["verdict"] != "not measurable":
            yield row["rule"], row["verdict"], str(row["why"])


def _beside(cuts: Result | None) -> Iterable[tuple[str, str, str]]:
    if cuts is None:
        return
    for row in cuts.frame("params").to_dict("records"):
        where = f"{row['param']} {row['op']} {number(float(row['cut']))}" if not pd.isna(row["cut"]) else row["param"]
        word = str(row["finding"])
        if "crowd" in word:
            seen, usual = number(float(row["crowd_observed"]), "count"), number(float(row["crowd_expected"]), "count")
            yield row["rule"], CROWDED, f"{where}: {seen} events just beside it, where {usual} are usual"
        if "pays" in word:
            side = "looser" if "looser" in word else "stricter"
            gain, low = (number(float(row[f"{side}_{name}"]), "money", signed=True) for name in ("net", "lower"))
            yield (
                row["rule"],
                STEP,
                f"{where}: a step {side} would bring {gain} (at least {low}), on all events at hand",
            )


def _facts(
    found: pd.DataFrame, drift: RuleDrift, appraisal: Appraisal | None, watched: int, *, cuts: Result | None
) -> tuple[Fact, ...]:
    def names(*words: str) -> list[str]:
        return list(dict.fromkeys(found.loc[found["finding"].isin(words), "rule"]))

    def fact(name: str, rules: list[str]) -> Fact:
        shown = ", ".join(rules[:5]) + (f" and {len(rules) - 5} more" if len(rules) > 5 else "")
        return Fact(name, len(rules), "count", n=watched, note=shown)

    if not watched or not (drift.rules["status"] == "live").any():
        none = "no live rule (no book given)" if not watched else "no live rule"
        hint = f"{none}: a rule book is given as book=book.yaml, its rules with the status live"
        return (Fact("Look first at", None, "text", note=hint), Fact("Rules watched", watched, "count"))
    top = f"{found.iloc[0]['rule']}: {found.iloc[0]['finding']}" if len(found) else "nothing needs a hand"
    facts = [
        Fact("Look first at", top, "text"),
        fact("Precision fell", names("precision fell")),
        fact("Hits fell or rose", names("hits fell", "hits rose")),
    ]
    if appraisal is not None:
        facts.append(fact("Can go without any change", names("dead", "shadowed", "redundant")))
        facts.append(fact("Cost more than they save", names("costs more than it saves")))
    if cuts is not None:
        facts.append(fact("Events crowd under a cut", names(CROWDED)))
    facts.append(Fact("Precision not measurable", drift.unmeasured, "count", n=watched, note="too few labelled hits"))
    return tuple(facts[:6])
