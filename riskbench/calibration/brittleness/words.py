"""How brittleness speaks: what was found with false discoveries controlled, its headline, pages and remarks."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from riskbench.calibration.brittleness.beside import EVERYONE
from riskbench.calibration.idle import said
from riskbench.calibration.pages import Page, spread
from riskbench.display import NOT_MEASURABLE, Fact, number
from riskbench.display.fact import Unit
from riskbench.errors import listed
from riskbench.metrics.discovery import q_values
from riskbench.metrics.intervals import Z95
from riskbench.rules.hits import Hits

#: The rate of false discoveries that findings are held to.
LEVEL = 0.05
DENSITY = ["low", "high", "hit", "events", "frauds"]
PARAMS = (
    "rule param region op cut step hits near near_of_hits near_frauds near_goods near_fraud_share near_lower "
    "near_upper further_fraud_share hit_fraud_share crowd_observed crowd_expected crowd_excess crowd_lower "
    "crowd_upper crowd_p crowd_q crowd_low crowd_high crowd_events crowd_against crowd_why looser_net looser_lower "
    "looser_upper looser_n stricter_net stricter_lower stricter_upper stricter_n finding"
).split()
STEPS = "rule param region step cut events frauds goods net_value lower upper n p_value q_value why".split()
CROWD, LOOSER, STRICTER, QUIET = (
    "events crowd under it",
    "a step looser pays",
    "a step stricter pays",
    "nothing stands out",
)


def with_findings(params: pd.DataFrame, steps: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables with their columns in order, q-values over all rows, and each parameter's finding."""
    params, steps = params.reindex(columns=PARAMS), steps.reindex(columns=STEPS)
    words = ("rule", "param", "region", "op", "crowd_events", "crowd_against", "crowd_why", "finding")
    for column in PARAMS:
        if column not in words:
            params[column] = params[column].astype(np.float64)
    for column in STEPS[4:14]:
        steps[column] = steps[column].astype(np.float64)
    tested = params["crowd_p"].notna()
    params.loc[tested, "crowd_q"] = q_values(params.loc[tested, "crowd_p"].to_numpy(), dependent=False)
    half = (steps["upper"] - steps["net_value"]).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        score = steps["net_value"].to_numpy() * Z95 / half
    steps["p_value"] = [0.5 * math.erfc(z / math.sqrt(2)) if math.isfinite(z) else np.nan for z in score]
    known = steps["p_value"].notna()
    steps.loc[known, "q_value"] = q_values(steps.loc[known, "p_value"].to_numpy(), dependent=False)
    paying = steps[(steps["q_value"] <= LEVEL) & (steps["n"] >= 5)]
    found: list[str] = []
    for row in params.to_dict("records"):
        if row["finding"] == NOT_MEASURABLE:
            found.append(NOT_MEASURABLE)
            continue
        own = paying[(paying["rule"] == row["rule"]) & (paying["param"] == row["param"])]
        own = own[own["region"].isna() if row["region"] is None else own["region"] == row["region"]]
        said = [CROWD] if not pd.isna(row["crowd_q"]) and row["crowd_q"] <= LEVEL else []
        said += [LOOSER if step == "looser" else STRICTER for step in own["step"]]
        found.append("; ".join(said) or QUIET)
    params["finding"] = found
    return params, steps


def facts(
    params: pd.DataFrame,
    steps: pd.DataFrame,
    *,
    name: str | None,
    currency: str,
    money: bool,
    unused: Mapping[str, str],
) -> tuple[Fact, ...]:
    """Return where events crowd, what a step would change, and what lies just beside."""
    unit: Unit = "money" if money else "number"
    rows = params[params["region"].isna()]
    if name is None:
        found = rows["finding"].astype(str)
        crowded, paying = (rows[found.str.contains(word, regex=False)] for word in (CROWD, "pays"))
        return (
            Fact("Cuts", len(rows), "count"),
            Fact("Events crowd under", _names(crowded), "text"),
            Fact("A step would surely pay", _names(paying), "text"),
            Fact("Crowding not measurable", int(rows["crowd_p"].isna().sum()), "count"),
        )
    row = rows.iloc[0]
    if name in unused:
        return (Fact(f"Cut of {name}", None, note=f"it changes nothing here: {unused[name]}"),)
    if row["finding"] == NOT_MEASURABLE:
        return (Fact(f"Cut of {name}", None, note=str(row["crowd_why"])),)
    made = [Fact(f"Cut of {name}", float(row["cut"]), "number", n=int(row["hits"]))]
    if pd.isna(row["crowd_p"]):
        made.append(Fact("Crowd just under it", None, note=str(row["crowd_why"])))
    else:
        sure = row["crowd_q"] <= LEVEL
        made.append(
            Fact(
                "Crowd just under it",
                round(float(row["crowd_excess"])),
                "count",
                lower=float(row["crowd_lower"]),
                upper=float(row["crowd_upper"]),
                n=int(row["crowd_observed"]),
                note=f"events more than usual, p = {row['crowd_p']:.2g}" + ("" if sure else ": no sign of crowding"),
                signed=True,
            )
        )
    share = row["near_fraud_share"]
    made.append(
        Fact(
            "Fraud share just beside, on the safe side",
            None if pd.isna(share) else float(share),
            "share",
            lower=None if pd.isna(share) else float(row["near_lower"]),
            upper=None if pd.isna(share) else float(row["near_upper"]),
            n=int(row["near"]),
            note="no labelled event there" if pd.isna(share) else "",
        )
    )
    for step in steps[steps["region"].isna()].to_dict("records"):
        known = not pd.isna(step["net_value"])
        made.append(
            Fact(
                f"One step {step['step']}, {number(float(step['cut']))}",
                float(step["net_value"]) if known else None,
                unit,
                lower=float(step["lower"]) if known else None,
                upper=float(step["upper"]) if known else None,
                n=int(step["n"]) if known else None,
                currency=currency,
                note="" if known else str(step["why"]),
                signed=True,
            )
        )
    return tuple(made)


def _names(rows: pd.DataFrame) -> str:
    return listed([f"{rule}.{param}" for rule, param in zip(rows["rule"], rows["param"], strict=True)])


def pages(
    params: pd.DataFrame, bands: pd.DataFrame, steps: pd.DataFrame, *, currency: str, by: str | None
) -> dict[str, Page]:
    """Return the tables in a reader's words."""
    counted = currency or "events"
    rows = []
    for row in params.to_dict("records"):
        names = [f"{row['rule']}.{row['param']}", *([row["region"] or "all others"] if by else [])]
        if pd.isna(row["cut"]):
            rows.append([*names, *["–"] * 7, f"{row['finding']}: {row['crowd_why']}"])
            continue
        crowd = (
            f"{NOT_MEASURABLE}: {row['crowd_why']}"
            if pd.isna(row["crowd_p"])
            else f"{number(row['crowd_observed'], 'count')} against {number(row['crowd_expected'], 'count')} "
            f"(p = {row['crowd_p']:.2g})"
        )
        rows.append(
            [
                *names,
                f"{row['op']} {number(float(row['cut']))}",
                number(row["hits"], "count"),
                number(row["near"], "count"),
                _share(row["near_fraud_share"]),
                crowd,
                spread(row["looser_net"], row["looser_lower"], row["looser_upper"], "money"),
                spread(row["stricter_net"], row["stricter_lower"], row["stricter_upper"], "money"),
                row["finding"],
            ]
        )
    columns = ["parameter", *(["region"] if by else []), "cut", "decides alone", "just beside", "fraud share there"]
    columns += ["just under it, against usual", f"a step looser, {counted}", f"a step stricter, {counted}", "finding"]
    made: dict[str, Page] = {
        "params": (
            (
                "Cuts given the other live rules: events that only this rule decides, those within 5 % or one step "
                "on the safe side, the crowd just under the cut, and what one step adds to net value (95 %)"
            ),
            pd.DataFrame(rows, columns=columns),
        )
    }
    many = params[["rule", "param"]].drop_duplicates().shape[0] > 1
    if many or bands.empty:
        nothing = pd.DataFrame()
        return made | {"bands": ("", nothing), "steps": ("", nothing)}
    rows = [
        [
            *([row["region"] or "all others"] if by else []),
            row["band"],
            number(row["events"], "count"),
            "–" if pd.isna(row["of_hits"]) else number(float(row["of_hits"]), "share"),
            number(row["frauds"], "count"),
            number(row["unlabelled"], "count"),
            _between(row["fraud_share"], row["lower"], row["upper"]),
        ]
        for row in bands.to_dict("records")
    ]
    columns = [*(["region"] if by else []), "beside the cut", "events", "of its hits", "frauds", "unlabelled"]
    made["bands"] = (
        "What lies on the safe side that no other live rule decides alike, and the rule's own hits",
        pd.DataFrame(rows, columns=[*columns, "fraud share (95 %)"]),
    )
    rows = [
        [
            *([row["region"] or "all others"] if by else []),
            row["step"],
            number(float(row["cut"])),
            "–" if pd.isna(row["n"]) else number(row["n"], "count"),
            "–" if pd.isna(row["frauds"]) else number(abs(row["frauds"]), "count"),
            spread(row["net_value"], row["lower"], row["upper"], "money")
            if pd.isna(row["why"]) or row["why"] is None
            else f"{NOT_MEASURABLE}: {row['why']}",
        ]
        for row in steps.to_dict("records")
    ]
    columns = [*(["region"] if by else []), "one step", "cut", "events between", "frauds between"]
    made["steps"] = (
        f"One step either way: what it adds to net value in {counted} over all events, paired (95 %)",
        pd.DataFrame(rows, columns=[*columns, "net value added"]),
    )
    return made


def _share(value: float) -> str:
    return NOT_MEASURABLE if pd.isna(value) else number(float(value), "share")


def _between(value: float, lower: float, upper: float) -> str:
    known = not pd.isna(value)
    return (
        NOT_MEASURABLE
        if not known
        else f"{number(value, 'share')} ({number(lower, 'share')} to {number(upper, 'share')})"
    )


def remarks(
    held: Hits, params: pd.DataFrame, *, by: str | None, launch: object, unused: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what a reader must know."""
    notes = [f"{said(unused)}."] if unused else []
    for rule_id in dict.fromkeys(params["rule"]):
        status = held.book.rule(rule_id).status
        if status != "live":
            notes.append(f"{rule_id} is {status}: it counts as live here whatever its status.")
    notes += [
        f"Labels: {held.labels.recipe}. Fraud shares are of labelled events; net value leaves unlabelled ones out.",
        (
            "Crowding: the number in a window just on the safe side against a local curve through its neighbours, "
            + (
                "beyond what other places as round as the cut show"
                if launch is None
                else f"beyond what the events before {launch} show"
            )
            + ". Findings hold false discoveries at 5 % over all rows."
        ),
    ]
    present = set(held.dataset.regions[1])
    apart = {rule.id: [region for region in rule.regions if region in present] for rule in held.book.live}
    own = [f"{rule} in {listed(names)}" for rule, names in apart.items() if names and (params["rule"] == rule).any()]
    if own and by is None:
        notes.append(f'Regions with values of their own are left out: {"; ".join(own)}. by="region" shows them.')
    if (params["crowd_events"] == EVERYONE).any():
        notes.append("Where too few events meet the rule's other conditions, crowding is told from all events.")
    notes.append("Customers and attackers who change when a cut changes are not simulated.")
    return (*notes, *held.dataset.notes)
