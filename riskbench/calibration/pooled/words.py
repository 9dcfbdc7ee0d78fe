"""How a page tells of regional cuts: what was chosen and why, in a reader's words."""

from __future__ import annotations

import pandas as pd

from riskbench.calibration.pages import Page, a_week, spread, told_apart
from riskbench.calibration.pooled.choice import EXPECTED, FEW, FEWEST_FRAUDS, LEAST_CHANCE, PAYS
from riskbench.calibration.study import Study
from riskbench.display import Grounds, number


def regions_page(regions: pd.DataFrame, *, counted: str, per: str, window: str) -> Page:
    """Return the regions as a reader meets them."""
    cuts = [float(cut) for name in ("own_cut", "pooled_cut", "chosen_cut") for cut in regions[name].dropna()]
    words = dict(zip(cuts, told_apart(cuts), strict=True))
    rows = []
    for row in regions.to_dict("records"):
        own = row["own_cut"]
        q = row["q_value"]
        rows.append(
            {
                "region": row["region"],
                "events": row["events"],
                "known frauds": row["frauds"],
                # A cut that is inherited for want of frauds rests on none of the region's own.
                "own evidence": "–" if row["reading"] == FEW else number(float(row["own_weight"]), "share"),
                "own cut": "–" if pd.isna(own) else words[float(own)],
                "pooled cut": words[float(row["pooled_cut"])],
                "chosen cut": words[float(row["chosen_cut"])],
                f"gained {a_week(per)}": spread(row["override_value"], row["lower"], row["upper"], "money"),
                "q": "–" if pd.isna(q) else "below 0.001" if q < 0.001 else f"{q:.2g}",
                "reading": row["reading"],
            }
        )
    return (
        f"Each region's cut. Gained: in {counted}, on {window}, by the pooled cut over the parent's; paired, 95 %",
        pd.DataFrame(rows),
    )


def uniformity_page(uniformity: pd.DataFrame, *, counted: str, per: str) -> Page:
    """Return what one cut for all costs as a reader meets it."""
    named = {
        "chosen": "the chosen cuts",
        "pooled": "every region its pooled cut",
        "own": "every region the best of its own events alone",
    }
    rows = [
        {
            "instead of one cut for all": named[row["cuts"]],
            "regions with another cut": row["moved"],
            f"gain {a_week(per)}": spread(row["value"], row["lower"], row["upper"], "money"),
        }
        for row in uniformity.to_dict("records")
    ]
    return f"The price of one cut for all, in {counted} {a_week(per)}, on later events", pd.DataFrame(rows)


def notes_of(study: Study, *, by: str, swell: float, undone: int, together: pd.DataFrame) -> tuple[str, ...]:
    """Return what a reader must know of regional cuts."""
    rule = f"A region inherits its parent's cut with fewer than {FEWEST_FRAUDS} known frauds, or where the chance that "
    rule += f"its pooled cut is better is below {LEAST_CHANCE:.0%}."
    notes = [
        rule,
        "Own evidence: how much of a region's curve between the two cuts is its own; the rest leans on all regions.",
    ]
    if not study.windows.report.mask.any():
        notes.append("There is no later window: what a cut gained is told on the events that chose it, and flatters.")
    chosen = together.set_index("cuts").loc["chosen"]
    if chosen["upper"] < 0:
        notes.append("Together the chosen cuts lost on later events, beyond chance: one cut for all did better there.")
    if swell > 1.05:
        notes.append(f"Weeks differ {swell:.1f} times more than chance alone; intervals are wider by its root.")
    if undone:
        notes.append(f"{undone} regions keep their parent's cut, since all own cuts together would break a limit.")
    roles = study.sweep.dataset.roles
    column = roles.region if by == "region" and roles.region is not None else by
    if column in roles.groups or by in roles.groups:
        notes.append(
            f"{column!r} is declared a group of people: cuts that differ by it treat these groups differently."
        )
    return (*notes, *study.windows.notes)


def grounds_of(regions: pd.DataFrame, *, window: str, later: bool) -> Grounds:
    """Return what regional cuts rest on."""
    own = int(regions["reading"].isin([PAYS, EXPECTED]).sum())
    thin = int(regions["reading"].str.contains("too few").sum())
    seen = "which did not choose it" if later else "which also chose it"
    return Grounds(
        measured=f"What each region's cut gained is counted on {window}, {seen}.",
        estimated=f"Each curve leans on all regions: {own} of {len(regions)} regions get a cut of their own by it, "
        "the others their parent's.",
        not_measurable=f"{thin} of {len(regions)} regions have too few frauds for a cut of their own." if thin else "",
    )
