"""How a surface speaks: its headline, its pages and remarks, and where its numbers come from."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from riskbench.calibration.curve import violation
from riskbench.calibration.idle import said
from riskbench.calibration.pages import Page, a_week, money_name, spread
from riskbench.calibration.segments import OWN
from riskbench.calibration.study import Study
from riskbench.calibration.surface.central import Central
from riskbench.calibration.surface.frames import today_place, values_at
from riskbench.calibration.surface.measures import Measures
from riskbench.display import NOT_MEASURABLE, Fact, number
from riskbench.display.fact import Unit
from riskbench.errors import InfeasibleError, listed
from riskbench.metrics.constraints import RATES, Constraint
from riskbench.rules.plane import Plane

if TYPE_CHECKING:
    from riskbench.rules.book import RuleBook


def told(swept: Plane, place: tuple[int, int]) -> str:
    """Return a setting as a reader would say it."""
    named = [axis for axis in swept.axes if axis.name]
    short = len({axis.name.partition(".")[0] for axis in named}) == 1
    return ", ".join(
        f"{axis.name.partition('.')[2] if short else axis.name} {number(value)}"
        for axis, value in zip(named, values_at(swept, place), strict=True)
    )


def facts(
    swept: Plane,
    ground: Study,
    found: Central,
    windows: pd.DataFrame,
    *,
    chosen_on: Measures,
    later: Measures | None,
    unused: dict[str, str],
    asleep: str,
    fits: bool,
) -> tuple[Fact, ...]:
    """Return the setting, what it changes, how wide the plateau is, and what it does to customers.

    `unused` names parameters that change nothing and why, `asleep` rules that are not live, and `fits` says whether
    today's setting keeps to the constraints.
    """
    unit: Unit = "money" if ground.worth.money else "number"
    currency, counted, per = ground.currency, ground.counted, a_week(ground.windows.per)
    today = today_place(swept)
    keep = _why_keep(found, windows, today, unused, fits=fits)
    idle = said(unused)
    if keep:
        made = [
            Fact("Setting", f"Keep today's setting: {told(swept, today)}", "text", note=keep),
            Fact("Chosen on the plateau", told(swept, found.chosen), "text", note=asleep),
        ]
    else:
        why = "today's setting is off the plateau" if fits else "today's setting breaks a limit"
        made = [
            Fact("Chosen setting", told(swept, found.chosen), "text", note=f"{why}; {idle}" if idle else why),
            Fact("Today's setting", told(swept, today), "text", note=asleep),
        ]
    for group, window, name in (
        ("choose", ground.windows.choose, f"Change against today {per}, where chosen"),
        ("report", ground.windows.report, f"Change against today {per}, later"),
    ):
        row = windows[(windows["point"] == "chosen") & (windows["window"] == group)]
        if not len(row):
            made.append(Fact(name, None, unit, note="no later window"))
            continue
        held = row.iloc[0]
        value, low, high = (
            float(held[column]) / window.length for column in ("added_net_value", "added_lower", "added_upper")
        )
        made.append(
            Fact(
                money_name(name, currency, counted), value, unit, lower=low, upper=high, currency=currency, signed=True
            )
        )
    size = int(np.count_nonzero(found.plateau))
    ends = ", ".join(
        f"{axis.name.partition('.')[2]} {number(float(values.min()))} to {number(float(values.max()))}"
        for axis, values in (
            (axis, axis.values[np.argwhere(found.plateau)[:, place]]) for place, axis in enumerate(swept.axes)
        )
        if axis.name
    )
    made.append(Fact("Plateau", f"{size:,} of {found.plateau.size:,} settings: {ends}", "text"))
    seen = later if later is not None else chosen_on
    rate = float(seen.rate("insult_rate")[found.chosen])
    made.append(
        Fact(
            "Insult rate",
            None if np.isnan(rate) else rate,
            "share",
            n=int(seen.total_goods),
            note="no good events" if np.isnan(rate) else ("later window" if later is not None else ""),
        )
    )
    return tuple(made)


def _why_keep(
    found: Central, windows: pd.DataFrame, today: tuple[int, int], unused: dict[str, str], *, fits: bool
) -> str:
    """Return why today's setting should be kept; empty where the chosen one should be taken."""
    idle = said(unused)
    if fits and found.plateau[today]:
        return "no other setting is shown to be better" + (f"; {idle}" if idle else "")
    row = windows[(windows["point"] == "chosen") & (windows["window"] == "report")]
    now = windows[(windows["point"] == "today's values") & (windows["window"] == "report")]
    if fits and len(row) and float(row["net_value"].iloc[0]) < float(now["net_value"].iloc[0]):
        return "the chosen one is worse on the later window" + (f"; {idle}" if idle else "")
    return ""


def asleep(swept: Plane, book: RuleBook) -> str:
    """Return which swept rules are not live though every setting counts them so; empty where all are."""
    held = [f"{one} is {book.rule(one).status}" for one in swept.ids if book.rule(one).status != "live"]
    return f"{listed(held)}, and counts as live here whatever its status" if held else ""


def pages(
    swept: Plane, ground: Study, plateau: pd.DataFrame, windows: pd.DataFrame, regions: pd.DataFrame
) -> dict[str, Page]:
    """Return the tables in a reader's words: sums per week."""
    week, length = a_week(ground.windows.per), ground.windows.choose.length
    names = [axis.label for axis in swept.axes if axis.name]
    keys = ["first", "second"][: len(names)]
    rows = [
        [
            row["point"],
            *(number(float(row[key])) for key in keys),
            number(row["alerts"] / length, "average"),
            number(row["frauds"] / length, "average"),
            number(row["net_value"] / length, "money"),
            spread(row["change"], row["change_lower"], row["change_upper"], "money", over=length),
            "yes" if row["on_plateau"] else "no",
        ]
        for row in plateau.to_dict("records")
    ]
    columns = ["point", *names, f"alerts {week}", f"frauds {week}", f"net value {week}", f"change {week}", "no worse"]
    made: dict[str, Page] = {
        "plateau": (
            (
                f"Settings, from {ground.windows.choose.words}: the whole system's alerts and net value in "
                f"{ground.counted} {week}; change against the best with the joint 95 % interval"
            ),
            pd.DataFrame(rows, columns=columns),
        )
    }
    spans = {"choose": ground.windows.choose, "report": ground.windows.report}
    rows = [
        [
            row["point"],
            spans[row["window"]].words,
            *(number(float(row[key])) for key in keys),
            number(row["net_value"] / spans[row["window"]].length, "money"),
            spread(
                row["added_net_value"],
                row["added_lower"],
                row["added_upper"],
                "money",
                over=spans[row["window"]].length,
            ),
            _share(row["recall"]),
            _share(row["precision"]),
            _share(row["insult_rate"]),
        ]
        for row in windows.to_dict("records")
    ]
    columns = ["point", "window", *names, f"net value {week}", f"against today {week}", "recall", "precision"]
    made["windows"] = (
        (
            f"What they do where they were chosen and later; net value in {ground.counted} {week}, its change "
            "against the book as it stands paired, with its 95 % interval"
        ),
        pd.DataFrame(rows, columns=[*columns, "insult rate"]),
    )
    if len(regions):
        judged = ground.windows.report if ground.windows.report.mask.any() else ground.windows.choose
        rows = [
            [
                row["region"],
                number(row["n"], "count"),
                number(row["frauds"], "count"),
                *(NOT_MEASURABLE if pd.isna(row[f"own_{key}"]) else number(float(row[f"own_{key}"])) for key in keys),
                spread(row["uniform_cost"], row["lower"], row["upper"], "money", over=judged.length),
                row["status"].replace("cut", "setting"),
            ]
            for row in regions.to_dict("records")
        ]
        own = [f"own best {name}" for name in names]
        made["regions"] = (
            (
                f"Regions: each one's own best setting, and what one for all costs it in {ground.counted} {week}, "
                f"from {judged.words}, with its 95 % interval"
            ),
            pd.DataFrame(rows, columns=["region", "events", "frauds", *own, f"one for all costs {week}", "status"]),
        )
    return made


def _share(value: float) -> str:
    return NOT_MEASURABLE if pd.isna(value) else number(float(value), "share")


def remarks(
    swept: Plane,
    ground: Study,
    found: Central,
    *,
    book: RuleBook,
    constraints: Sequence[Constraint],
    later: Measures | None,
    by: str | None,
    unused: dict[str, str],
) -> tuple[str, ...]:
    """Return what a reader must know."""
    windows = ground.windows
    notes = [f"{said(unused)}."] if unused else []
    notes += [
        f"Chosen on {windows.choose.words}; judged on {windows.report.words}. Labels: {ground.labels.recipe}.",
        *windows.notes,
        (
            "The plateau holds the settings that are statistically no worse than the best (joint 95 %). Of those "
            "within one standard error of the best, the chosen one lies the most grid steps from the plateau's edge: "
            "a small mistake there costs least."
        ),
    ]
    if found.optimism > 0:
        lucky = number(found.optimism / windows.choose.length, "money", currency=ground.currency)
        notes.append(f"The best of many settings owes about {lucky} per {windows.per} to luck.")
    for axis in swept.axes:
        if axis.name:
            notes.extend(_about(axis.name, book, set(swept.dataset.regions[1])))
    notes.extend(ground.unlabelled(windows.choose.mask | windows.report.mask))
    if not ground.worth.money:
        notes.append(
            "No money: net value counts events; a good event counts as "
            f"{ground.worth.margin_weight(ground.costs):g} and handling cost is left out."
        )
    notes.extend(f"Kept to on the choose window: {limit}." for limit in constraints)
    if later is not None and constraints:
        over = violation(later, constraints)
        if over[found.chosen] > 0:
            notes.append("On the later window the chosen setting breaks a limit.")
    if by is not None and len(swept.dataset.regions[1]) > 1:
        notes.append(
            f'Regions: "{OWN.replace("cut", "setting")}" where the gain on the later window is no chance, false '
            "discoveries held at 5 %."
        )
    notes.append("Customers and attackers who change when a setting changes are not simulated.")
    return (*notes, *swept.dataset.notes)


def _about(name: str, book: RuleBook, present: set[str]) -> list[str]:
    rule_id, _, param = name.partition(".")
    rule = book.rule(rule_id)
    own = [region for region, held in rule.regions.items() if param in held and region in present]
    notes = []
    if own:
        notes.append(
            f"{listed(own)} have values of their own for {name} and keep them in every setting; the table of regions "
            "leaves them out."
        )
    if rule.status != "live":
        notes.append(
            f"{rule_id} is {rule.status}: every setting counts as live whatever its status; today it does nothing."
        )
    return notes


def infeasible(held: Measures, constraints: Sequence[Constraint], swept: Plane) -> InfeasibleError:
    """Return the error that names the setting that comes closest."""
    broken = violation(held, constraints)
    near = np.argwhere(broken <= broken.min() + 1e-12)
    place = max(((int(a), int(b)) for a, b in near), key=lambda at: float(held.net[at]))
    rates = {str(name): float(held.rate(name)[place]) for name in RATES}
    point: dict[str, float | str | None] = dict(zip(swept.params, values_at(swept, place), strict=True))
    point |= {name: None if np.isnan(rate) else rate for name, rate in rates.items()}
    said = ", ".join(
        f"{limit.rate} {NOT_MEASURABLE if np.isnan(rates[limit.rate]) else number(rates[limit.rate], 'share')}"
        for limit in constraints
    )
    return InfeasibleError(
        f"No setting keeps to: {'; '.join(str(limit) for limit in constraints)}.",
        got=f"nearest: {told(swept, place)}, with {said}",
        hint="loosen a limit, or look at a wider grid",
        nearest_point={**point, "violation": float(broken[place])},
    )


def provenance(
    ground: Study,
    book: RuleBook,
    params: tuple[str, ...],
    constraints: Sequence[Constraint],
    *,
    shape: tuple[int, int],
    asof: str | pd.Timestamp | None,
    seed: int,
    begun: float,
) -> dict[str, object]:
    """Return where the numbers come from."""
    windows = ground.windows
    return {
        "dataset": ground.sweep.dataset.fingerprint,
        "book": book.hash,
        "label_recipe": ground.labels.recipe,
        "parameters": {
            "params": list(params),
            "settings": list(shape),
            "asof": None if asof is None else str(asof),
            "subject_to": [str(limit) for limit in constraints],
            "costs": ground.costs.to_dict(),
        },
        "windows": {
            "choose": windows.choose.words,
            "report": windows.report.words,
            "out_of_time": windows.out_of_time,
        },
        "seed": seed,
        "seconds": round(time.perf_counter() - begun, 3),
    }
