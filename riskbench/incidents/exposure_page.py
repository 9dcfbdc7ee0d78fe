"""What an incident cost and what can be frozen, as a reader's tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from riskbench.display import number
from riskbench.display.fact import Unit
from riskbench.display.mask import masked
from riskbench.incidents.balance import OTHERS
from riskbench.incidents.reading import NONE, moment, ranged

#: The most payees on a page.
MOST = 6


def pages(
    parts: pd.DataFrame, runs: pd.DataFrame, payees: pd.DataFrame, sources: pd.DataFrame, *, currency: str
) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return the cost, the payout runs, the payees of one run (ids masked) and the sources in a reader's words."""
    unit: Unit = "money" if currency else "count"
    name = f"cost ({currency})" if currency else "events lost"
    told = {
        "parts": ("What it cost, and what may come", pd.DataFrame([_part(row, name, unit) for row in _rows(parts)]))
    }
    if len(runs):
        shown = [
            {
                "payout run": moment(row["run_local"]),
                "": _when(str(row["status"]), float(row["hours"])),
                "events": row["events"],
                "payees": row["payees"],
                "due": ranged(row["due"], unit="money"),
                "a hold before it freezes": _frozen(row),
            }
            for row in _rows(runs)
        ]
        told["runs"] = ("Payout runs, local time", pd.DataFrame(shown).rename(columns={"": "status"}))
    if len(payees):
        ahead = runs.loc[runs["status"] == "next"]
        run = ahead.iloc[0] if len(ahead) else runs[runs["events"] > 0].iloc[-1]
        mine = payees[payees["run"] == run["run"]]
        rows = [
            {
                "payee": OTHERS if row["payee"] == OTHERS else masked(str(row["payee"])),
                "events": row["events"],
                "due": ranged(row["due"], unit="money"),
                "share of the run": ranged(row["due_share"], unit="share"),
            }
            for row in _rows(mine.head(MOST))
        ]
        if rows:
            which = "next" if len(ahead) else "last"
            told["payees"] = (f"Payees of the {which} run, the largest first, ids masked", pd.DataFrame(rows))
    if len(sources):
        rows = [
            {
                "money": row["meaning"],
                "events": row["events"],
                "in told frauds": ranged(row["so_far"], unit="money"),
                "in events without verdict": ranged(row["pending"], unit="money"),
                "expected of these": ranged(row["expected"], unit="money"),
            }
            for row in _rows(sources)
        ]
        told["sources"] = (f"Where the money is ({currency})", pd.DataFrame(rows))
    return told


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _part(row: dict[str, Any], name: str, unit: Unit) -> dict[str, Any]:
    sure = row["lower"] == row["upper"] == row["loss"]
    return {
        "part": row["part"],
        "events": row["events"],
        name: ranged(row["loss"], unit=unit),
        "at least, at most": NONE if sure or pd.isna(row["upper"]) else _ends(row["lower"], row["upper"], unit),
        "likely": NONE
        if sure or pd.isna(row["likely_lower"])
        else _ends(row["likely_lower"], row["likely_upper"], unit),
        "basis": row["basis"],
    }


def _ends(lower: float, upper: float, unit: Unit) -> str:
    return f"{number(float(lower), unit)} to {number(float(upper), unit)}".replace(" ", "\N{NO-BREAK SPACE}")


def _when(status: str, hours: float) -> str:
    size = f"{abs(hours):.0f} hours" if abs(hours) < 48 else f"{abs(hours) / 24:.1f} days"
    return f"{status}, {size} ago" if hours <= 0 else f"{status}, in {size}"


def _frozen(row: dict[str, Any]) -> str:
    if row["status"] == "paid":
        return "paid already"
    share = "" if pd.isna(row["frozen_share"]) else f", {number(float(row['frozen_share']), 'share')} of all"
    return f"{ranged(row['frozen'], unit='money')}{share}"
