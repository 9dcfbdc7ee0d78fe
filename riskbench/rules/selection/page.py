"""How what stopped events hide is told: the facts, what they rest on, and the remarks."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from riskbench.data.labels import has_verdict, stopped, without_channel
from riskbench.display import Fact, Grounds, number
from riskbench.metrics.costs import Costs
from riskbench.metrics.selection import enough_drawn, few_drawn_words
from riskbench.rules.hits import Hits
from riskbench.rules.selection.evidence import Evidence
from riskbench.rules.selection.figures import Figure, Part


def facts(held: Hits, row: pd.Series, told: Mapping[str, Figure]) -> tuple[Fact, ...]:
    """Return the answer first: what all alerts together would show."""
    precision = told["precision"]
    best = precision.told
    why = best.why if not best.measurable else ""
    facts = [
        Fact("Precision of all alerts", best.value, "share", lower=best.lower, upper=best.upper, n=best.n, note=why),
        Fact(
            "Precision of alerts with a verdict alone",
            precision.naive,
            "share",
            n=int(row["labelled"]),
            note="" if precision.naive is not None else "no alert has a verdict",
        ),
        Fact("Whatever the others are", _range(precision), "text", note="worst to best, all alerts"),
        Fact("Alerts that history stopped", int(row["unlabelled_blocked"]), "count", n=int(row["hits"])),
        Fact("Let through at random", int(row["let_through"]), "count", note=str(row["reading"])),
    ]
    if held.worth.money:
        net = told["net_value"].told
        facts.append(
            Fact(
                "Net value of all alerts",
                net.value,
                "money",
                lower=net.lower,
                upper=net.upper,
                n=net.n,
                currency=held.dataset.currency.code,
                note=net.why,
            )
        )
    return tuple(facts)


def _range(figure: Figure) -> str | None:
    if figure.worst is None or figure.best is None:
        return None
    return f"{number(figure.worst, 'share')} to {number(figure.best, 'share')}"


def grounds(held: Hits, evidence: Evidence, part: Part, row: pd.Series) -> Grounds:
    """Return what the figures of all alerts rest on."""
    hits, labelled = int(row["hits"]), int(row["labelled"])
    drawn, rest = int(row["let_through"]), int((evidence.rest & part.rows).sum())
    never = int((evidence.included.never & part.rows).sum())
    silent = int(row["unlabelled_no_verdict"] + row["unlabelled_no_channel"])
    late = bool((evidence.weight[part.rows & evidence.labelled] > 1).any())
    estimated, told = "", enough_drawn(evidence.sampled & part.rows, evidence.rest & part.rows)
    if told:
        share = row["inferred_share"]
        inferred = 0.0 if pd.isna(share) else float(share)
        beside = f"; {number(inferred, 'share')} of the frauds told are inferred" if inferred else ""
        halted = int((evidence.rest & part.rows & stopped(held.dataset)).sum())
        estimated = f"{halted:,} stopped alerts by {drawn:,} that were let through at random{beside}."
    if late:
        estimated = f"{estimated} Known frauds stand for those told later.".strip()
    hidden = int((part.rows & evidence.included.silent).sum()) if rest and not told else never
    bounded = [few_drawn_words(hidden, 0 if told else drawn)] if hidden else []
    mute = int((part.rows & evidence.included.silent & ~evidence.included.never & without_channel(held.dataset)).sum())
    if mute:
        bounded.append(f"{mute:,} stopped alerts without a dispute channel, for which none that passed stands")
    if silent:
        bounded.append(f"{silent:,} alerts on which no verdict will come")
    return Grounds(
        measured=f"{labelled:,} of {hits:,} alerts have a verdict.",
        estimated=estimated,
        bounded=f"{'; '.join(bounded)}." if bounded else "",
        not_measurable=_young(held, evidence, part),
    )


def _young(held: Hits, evidence: Evidence, part: Part) -> str:
    """Return which alerts are too young to be corrected for late verdicts, and until when."""
    young = part.rows & ~evidence.late.measurable & has_verdict(held.dataset, held.labels)[0]
    count = int(young.sum())
    if not count:
        return ""
    last = pd.Timestamp(int(held.dataset.column("time").values[young].max()), unit="us")
    return f"{count:,} alerts {evidence.late.too_young(last)}."


def notes(held: Hits, evidence: Evidence, costs: Costs, score: str | None) -> tuple[str, ...]:
    """Return what a reader must know."""
    told = [f"Labels: {held.labels.recipe}.", *evidence.included.told]
    if not evidence.included.known:
        told.append("The role let_through is not named: stopped events are bounded, nothing is estimated.")
    if not evidence.learnt:
        why = "no score is named" if score is None else "too few frauds or good events have a verdict"
        told.append(f"Stopped events are expected to be like all with a verdict: {why}.")
    else:
        told.append(
            f"The model expects fraud by {score}, from events with a verdict, and is put right by let-through ones."
        )
    told.append("Estimates are of the events that could pass and show a verdict; worst and best are of all.")
    told.append("A factor of 1 takes stopped events to be as often fraud as others of their score.")
    code = held.dataset.currency.code if evidence.money else ""
    told.append(f"Costs assumed: {costs.told(code, account=held.worth.told(costs, code))}.")
    return (*told, *held.dataset.notes)
