"""How a calibration speaks: its headline, its remarks, and where its numbers come from."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.capacity.answer import limits_words
from riskbench.calibration.capacity.levels import unit_of
from riskbench.calibration.choose import Choice, Pair
from riskbench.calibration.curve import Curve, violation
from riskbench.calibration.grounded import CHANGE, PROMISE, inferred_note, stood_for, unheard
from riskbench.calibration.pages import a_week, money_name
from riskbench.calibration.segments import paying
from riskbench.calibration.study import Study
from riskbench.data.labels import BLOCKED
from riskbench.display import NOT_MEASURABLE, Fact, number
from riskbench.display.fact import Unit
from riskbench.errors import listed
from riskbench.metrics.constraints import Constraint
from riskbench.metrics.selection import few_drawn_words

if TYPE_CHECKING:
    from riskbench.rules.book import RuleBook


#: A hit in words; the exact cut stands in the tables.
_HIT = {
    ">=": "hit at the cut or above",
    ">": "hit above the cut",
    "<=": "hit at the cut or below",
    "<": "hit below the cut",
}


def pair_words(review: float, block: float) -> str:
    """Return two cuts as a reader would say them.

    >>> pair_words(0.6, 0.9), pair_words(0.9, 0.9)
    ('review from 0.6, block from 0.9', 'block from 0.9')
    """
    if not math.isfinite(block):
        return f"review from {number(review)}" if math.isfinite(review) else "no cut pays"
    return (
        f"block from {number(block)}"
        if review >= block
        else f"review from {number(review)}, block from {number(block)}"
    )


def facts(
    study: Study,
    picked: Choice,
    cut: float,
    *,
    pair: Pair | None,
    ends: tuple[float, float],
    holdout: pd.DataFrame,
    weekly: pd.DataFrame,
    rests: pd.DataFrame,
) -> tuple[Fact, ...]:
    """Return the cut, what it promises, what came, and what it does to customers."""
    drawn, windows = picked.drawn, study.windows
    unit: Unit = "money" if study.worth.money else "number"
    currency, counted, per = study.currency, study.counted, a_week(windows.per)
    finite = [value if math.isfinite(value) else None for value in ends]
    count = int(drawn.table.counts[:, -1].sum())
    name = f"Cut of {study.sweep.name}"
    if pair is not None:
        made = [Fact(name, pair_words(pair.review, pair.block), "text", n=count)]
    elif math.isfinite(cut):
        made = [
            Fact(
                name,
                cut,
                "number",
                lower=finite[0],
                upper=finite[1],
                n=count,
                note=_HIT.get(study.sweep.op, f"hit when {study.sweep.op}"),
            )
        ]
    else:
        made = [Fact(name, "no cut pays", "text", n=count)]
    promise, change = holdout.to_dict("records")[0], weekly.to_dict("records")[0]
    made.append(
        Fact(
            money_name(f"Promised net value {per}", currency, counted),
            float(promise["value"]),
            unit,
            lower=float(promise["lower"]),
            upper=float(promise["upper"]),
            n=int(promise["n"]),
            currency=currency,
            note=inferred_note(rests, PROMISE),
        )
    )
    seen = not pd.isna(promise["observed"])
    made.append(
        Fact(
            "Came out later",
            float(promise["observed"]) if seen else None,
            unit,
            currency=currency,
            note=("within the promised range" if bool(promise["kept"]) else "outside the promised range")
            if seen
            else "no later window",
        )
    )
    made.append(
        Fact(
            money_name(f"Change against today {per}", currency, counted),
            float(change["change"]),
            unit,
            lower=float(change["lower"]),
            upper=float(change["upper"]),
            n=int(change["n"]),
            currency=currency,
            signed=True,
            note=inferred_note(rests, CHANGE),
        )
    )
    rates = {row["measure"]: row for row in holdout.to_dict("records")}
    for label, row in (("Recall", "recall"), ("Insult rate", "insult rate")):
        held = rates[row]
        known = not pd.isna(held["value"])
        made.append(
            Fact(
                label,
                float(held["value"]) if known else None,
                "share",
                lower=float(held["lower"]) if known else None,
                upper=float(held["upper"]) if known else None,
                n=int(held["n"]),
                note="" if known else "no labelled events",
            )
        )
    return tuple(made)


def promise_words(holdout: pd.DataFrame, counted: str) -> pd.DataFrame:
    """Return the promise as a reader meets it: measure, per, promised, lower_end, upper_end, came_out, within_range."""
    sums = {"net value", "loss prevented"}
    rows = []
    for row in holdout.to_dict("records"):
        money = row["measure"] in sums
        unit: Unit = "money" if money else "average" if row["per"] else "share"
        told = [
            NOT_MEASURABLE if pd.isna(row[name]) else number(float(row[name]), unit)
            for name in ("value", "lower", "upper", "observed")
        ]
        within = NOT_MEASURABLE if pd.isna(row["kept"]) else ("yes" if row["kept"] else "no")
        per = " ".join(part for part in (counted if money else "", f"per {row['per']}") if part)
        rows.append((row["measure"], per if row["per"] else "", *told, within))
    columns = ["measure", "per", "promised", "lower_end", "upper_end", "came_out", "within_range"]
    return pd.DataFrame(rows, columns=columns)


def remarks(
    study: Study,
    picked: Choice,
    *,
    given: RuleBook | None,
    constraints: tuple[Constraint, ...],
    later: Curve | None,
    pair: Pair | None,
    optimism: float,
    segments: pd.DataFrame,
    by: str | None,
) -> tuple[str, ...]:
    """Return what a reader must know."""
    sweep, windows = study.sweep, study.windows
    notes = [f"Chosen on {windows.choose.words}; judged on {windows.report.words}. Labels: {study.labels.recipe}."]
    notes.extend(windows.notes)
    if windows.choose.whole < 4 and windows.per == "week":
        notes.append("Fewer than four whole weeks to choose on: the promise knows chance only, not how weeks differ.")
    missing = int(np.isnan(sweep.value).sum())
    if sweep.gridded:
        notes.append(
            f"{sweep.name} stands in no simple comparison: the rule was evaluated at the settings of a grid, and cuts "
            "between two of them are not told apart."
        )
    elif missing:
        notes.append(f"{missing:,} events have no value of {sweep.name}; the cut never hits them.")
    endless = int(np.isinf(sweep.value).sum())
    if endless:
        notes.append(f"{endless:,} events have an infinite value of {sweep.name}.")
    notes.extend(study.unlabelled(windows.choose.mask | windows.report.mask))
    notes.extend(_bounds(study, picked))
    if not study.worth.money:
        notes.append(
            "No money: net value counts events. A fraud let through counts as one, a good event as "
            f"{study.worth.margin_weight(study.costs):g}; handling cost is left out."
        )
    if study.worth.account:
        notes.append(f"Assumed: {study.worth.told(study.costs, study.currency)}.")
    notes.extend(_overrides(sweep.name, given))
    if study.steps.effect(sweep.outcome) == "friction":
        notes.append("The cut's outcome is a challenge: it counts as an alert, not as an insult.")
    notes.extend(f"Kept to on the choose window: {limit}." for limit in constraints)
    notes.extend(limits_words(study, picked, picked.cut, constraints))
    if later is not None:
        broken = violation(later, constraints)[later.table.point(picked.cut)] if constraints else 0.0
        if broken > 0:
            rates = ", ".join(
                f"{limit.rate} {number(float(later.at_limit(limit)[later.table.point(picked.cut)]), unit_of(limit))}"
                for limit in constraints
            )
            notes.append(f"On the later window the cut breaks a limit: {rates}.")
    if optimism > 0:
        notes.append(
            "The promised net value is lower than that of the curve, by what the choice owes to luck: "
            f"{number(optimism / windows.choose.length, 'money', currency=study.currency)} "
            f"{'' if study.currency else study.counted + ' '}per {windows.per}."
        )
    if pair is not None:
        notes.append("Segments and plateau move the review cut; the block cut stays.")
    if not math.isfinite(picked.cut):
        kept = " that keeps to the limits" if constraints else ""
        notes.append(f"No cut{kept} is worth more than none under these costs.")
    held = paying(segments) if by == "region" else {}
    if held and not math.isfinite(picked.cut):
        notes.append(
            f"A cut of their own would pay in {listed(list(held))}, but no common cut does: they are neither counted "
            "nor proposed. Calibrate these regions alone."
        )
    notes.append("Customers and attackers who change when the cut changes are not simulated.")
    return (*notes, *sweep.dataset.notes)


def _overrides(name: str, given: RuleBook | None) -> list[str]:
    """Return a remark where regions have values of their own, which one curve leaves out."""
    rule_id, _, param = name.partition(".")
    held = [] if given is None else [rule for rule in given.rules if rule.id == rule_id]
    own = [region for rule in held for region, values in rule.regions.items() if param in values]
    if not own:
        return []
    left_out = f"The curve is of one cut everywhere; {listed(own)} have values of their own today"
    return [f"{left_out}. They count as they are in today's figures, and are dropped from the proposed book."]


def _bounds(study: Study, picked: Choice) -> list[str]:
    """Return what the alerts without a verdict, or anything that stands for one, could be worth."""
    levels = study.levels(picked.cut)
    count, worst, best = unheard(study, np.zeros_like(levels), levels, study.windows.choose)
    if not count:
        return []
    unit: Unit = "money" if study.worth.money else "number"
    less, more = (number(end, unit, currency=study.currency) for end in (-worst, best))
    halted = _stopped(study, levels)
    known = f"{count:,} alerts at the cut have no verdict"
    if halted.any():
        drawn = study.standing.let.drawn & (levels > 0) & study.windows.choose.mask if study.standing else halted[:0]
        known += f" ({few_drawn_words(int(halted.sum()), int(drawn.sum()), what='of them')})"
    return [
        f"{known}: if all are good, net value per {study.windows.per} is {less} lower; if all are fraud, {more} higher."
    ]


def _stopped(study: Study, levels: npt.NDArray[np.int8]) -> npt.NDArray[np.bool_]:
    """Return the stopped alerts of the choose window for which no let-through event stands."""
    return study.windows.choose.mask & (levels > 0) & (study.labels.state == BLOCKED) & ~stood_for(study)


def provenance(
    study: Study,
    given: RuleBook | None,
    constraints: tuple[Constraint, ...],
    *,
    by: str | None,
    asof: str | pd.Timestamp | None,
    seed: int,
    begun: float,
) -> dict[str, object]:
    """Return where the numbers come from."""
    from riskbench import __version__

    windows = study.windows
    return {
        "dataset": study.sweep.dataset.fingerprint,
        "book": None if given is None else given.hash,
        "label_recipe": study.labels.recipe,
        "parameters": {
            "cut": study.sweep.name,
            "outcome": study.sweep.outcome,
            "by": by,
            "asof": None if asof is None else str(asof),
            "subject_to": [str(limit) for limit in constraints],
            "costs": study.costs.to_dict(),
        },
        "windows": {
            "choose": windows.choose.words,
            "report": windows.report.words,
            "choose_events": int(np.count_nonzero(windows.choose.mask)),
            "report_events": int(np.count_nonzero(windows.report.mask)),
            "out_of_time": windows.out_of_time,
        },
        "seed": seed,
        "version": __version__,
        "seconds": round(time.perf_counter() - begun, 3),
    }
