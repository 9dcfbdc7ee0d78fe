"""How does a search of edits speak? Its headline and its remarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from riskbench.display import Fact

if TYPE_CHECKING:
    from riskbench.data.windows import Windows
    from riskbench.display.fact import Unit
    from riskbench.rules.optimiser.case import Ground

PAYS = "surely pays"


def facts(
    best_set: pd.DataFrame,
    edits: pd.DataFrame,
    limits: pd.DataFrame,
    *,
    told: str,
    most: int,
    tried: int,
    currency: str,
) -> tuple[Fact, ...]:
    """Return what to change and what that does on events that it was not chosen on; first whether it surely pays."""
    what = "Best edit" if most == 1 else "Best set"
    count_tried = Fact("Settings tried", tried, "count")
    if best_set.empty:
        return (Fact(what, "none", "text", note="no edit gains anything"), *_kept(limits), count_tried)
    row = best_set.iloc[-1].to_dict()
    count = len(best_set) - 1
    made = str(best_set["edit"].iloc[0]) if count == 1 else f"{count} edits"
    if told == PAYS:
        found = [Fact(what, made, "text", note=told)]
    else:
        surely = int((edits["verdict"] == PAYS).sum())
        none = "No edit surely pays" if most == 1 else f"No set of up to {most} edits surely pays"
        if surely:
            none = f"The {'edit' if most == 1 else 'set'} that was best where chosen does not surely pay"
        alone = f"; {surely:,} single edit{'s do' if surely > 1 else ' does'}, see below" if surely else ""
        found = [Fact(what, none, "text", note=f"best where chosen: {made}; later: {told}{alone}")]
    unit: Unit = "money" if currency else "number"
    for name, column, kind in (
        ("Change in net value", "added_value", unit),
        ("Change in frauds alerted", "frauds", "count"),
        ("Change in insults", "insults", "count"),
        ("Change in reviews", "reviews", "count"),
    ):
        value = row[column]
        measured = not np.isnan(value)
        found.append(
            Fact(
                name,
                float(value) if measured else None,
                kind,
                lower=float(row[f"{column}_lower"]) if measured else None,
                upper=float(row[f"{column}_upper"]) if measured else None,
                n=int(row["n"]),
                currency=currency if kind == "money" else "",
                note="" if measured else "no verdicts in the later window",
                signed=True,
            )
        )
    return (*found, *(_kept(limits) or (count_tried,)))


def _kept(limits: pd.DataFrame) -> tuple[Fact, ...]:
    if limits.empty:
        return ()
    rows = list(zip(limits["measure"], limits["kept"], strict=True))
    broken = [f"{measure} {kept}" for measure, kept in rows if kept.startswith("broken")]
    blind = [measure for measure, kept in rows if kept == "not measurable"]
    said = "; ".join(broken) or (f"not measurable: {', '.join(blind)}" if blind else "kept")
    note = "on events that it was not chosen on"
    return (Fact("Limits, later" if len(rows) > 1 else "Limit, later", said, "text", note=note),)


def judged_on(windows: Windows, ground: Ground) -> str:
    """Return the events that edits are judged on, as a reader would say it."""
    later = windows.report.words
    if not (windows.choose.mask & windows.report.mask).any():
        return later
    left = int(np.count_nonzero(ground.later))
    return f"the {left:,} events of {later} that were not chosen on"


def remarks(
    windows: Windows, ground: Ground, edits: pd.DataFrame, limits: pd.DataFrame, *, ranked: int, tried: int, told: str
) -> tuple[str, ...]:
    """Return what a reader must know."""
    later = judged_on(windows, ground)
    if not ground.later.any():
        notes = [f"Chosen on {windows.choose.words}; no event of {windows.report.words} is left to judge on."]
    elif later == windows.report.words:
        flatters = f"having tried {tried:,} settings flatters no figure of it"
        notes = [f"Chosen on {windows.choose.words}; judged on {later}, which no choice looked at: {flatters}."]
    else:
        notes = [f"Chosen on {windows.choose.words}; the windows overlap, so judged on {later}."]
    notes.append(f"Labels: {ground.held.labels.recipe}.")
    if len(edits) > 1:
        notes.append(
            f"{len(edits)} edits are judged together: q is the rate of false discoveries (Benjamini and Hochberg), and "
            "an edit surely pays at q of 5 % or less with an interval above 0."
        )
    if ranked > len(edits):
        notes.append(f"{ranked - len(edits):,} more edits gained less where they were chosen and are not judged.")
    if not len(edits):
        notes.append("No edit gains anything on the events to choose on: the book is as good as single edits make it.")
    elif not (edits["verdict"] == PAYS).any() and told != PAYS:
        notes.append("No edit surely pays on later events: keep the book as it is, or wait for more verdicts.")
    broken = limits.loc[limits["kept"].astype(str).str.startswith("broken"), "measure"]
    if len(broken):
        notes.append(f"On later events the proposed book breaks what it kept where chosen: {', '.join(broken)}.")
    unknown = int(edits["unlabelled"].fillna(0).max()) if len(edits) else 0
    if unknown:
        notes.append("Events without a verdict are in no fraud, insult or fraud money; their reviews are paid for.")
    if not ground.later.any():
        notes.append("The later window is empty: what the edits are worth is not measurable.")
    made = ground.forms
    lists = len(made.book.rules) - len(made.written.rules)
    if lists:
        many = f"{lists} lists that act on events are" if lists > 1 else "One list that acts on events is"
        notes.append(f"{many} never switched off or moved here: audit_lists and appraise say what that costs.")
    notes.append(
        "A retired rule stays off; an exemption keeps its outcome; values move within min and max, priorities not "
        "below 0."
    )
    return (*notes, *windows.notes, *ground.held.dataset.notes)
