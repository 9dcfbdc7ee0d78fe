"""How a frontier is told: facts, tables in a reader's words, and what they rest on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.frontier.sums import Ground
from riskbench.calibration.frontier.volume import Volume
from riskbench.display import Fact, Grounds
from riskbench.display.fact import number
from riskbench.metrics.maturity.weights import Matured
from riskbench.metrics.selection.inclusion import Inclusion

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def volumes_frame(kinds: dict[str, Volume], amount: Floats, rows: Ints, scale: float) -> pd.DataFrame:
    """Return each kind of volume, and whether it is measurable."""
    whole = float(amount[rows].sum())
    told = []
    for kind, volume in kinds.items():
        value = None if volume.rows is None else float(amount[rows][volume.rows[rows]].sum())
        share = None if value is None or whole <= 0 else value / whole
        told.append((kind, value is not None, None if value is None else value / scale, share, volume.told))
    return pd.DataFrame(told, columns=["gmv", "measurable", "value", "share", "told"]).astype(
        {"value": float, "share": float}
    )


def gap_fact(name: str, row: dict[Any, Any]) -> Fact:
    """Return how far a point lies above the frontier."""
    if np.isnan(row["gap_bps"]):
        blank = "no fraud is known" if np.isnan(row["loss_bps"]) else "no cut lets so much through"
        return Fact(name, None, note=blank)
    return Fact(
        name, row["gap_bps"], lower=row["gap_bps_lower"], upper=row["gap_bps_upper"], n=int(row["frauds"]), signed=True
    )


def points_page(points: pd.DataFrame, gmv: str, currency: str) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return the points in a reader's words."""
    rows = []
    for row in points.to_dict("records"):
        ends = f"{number(row['loss_bps_lower'])} to {number(row['loss_bps_upper'])}"
        loss = "not measurable: no fraud known" if np.isnan(row["loss_bps"]) else f"{row['loss_bps']:.2f} ({ends})"
        gap = (
            "not measurable"
            if np.isnan(row["gap_bps"])
            else "on it"
            if row["gap_bps_lower"] == row["gap_bps_upper"]
            else f"{row['gap_bps']:+.2f} ({row['gap_bps_lower']:+.2f} to {row['gap_bps_upper']:+.2f})"
        )
        rows.append(
            {
                **({"segment": row["segment"]} if "segment" in row else {}),
                "point": row["point"],
                "cut": "" if np.isnan(row["threshold"]) else number(row["threshold"]),
                "loss, basis points": loss,
                "approved": number(row["approved_gmv"], "money", currency=currency),
                "of the volume": number(row["approved_share"], "share"),
                "beyond the frontier": gap,
                "frauds": int(row["frauds"]),
            }
        )
    name, where = ("regions", " by segment") if "segment" in points.columns else ("points", "")
    return {name: (f"Loss in basis points of {gmv} GMV{where}, with 95 % intervals", pd.DataFrame(rows))}


def remarks(words: str, volume: Volume, young: int, *, later: bool, left: int = 0) -> tuple[str, ...]:
    """Return what a reader must know."""
    told = [
        f"The {volume.kind} GMV: {volume.told}.",
        f"Drawn on {words}{', which did not choose the cut' if later else ', which also chose the cut'}.",
        "Approved: neither stopped nor reviewed. Lost: of a fraud, what passes and no review or challenge catches.",
    ]
    if young:
        told.append(f"{young:,} events are too young to tell their loss and are left out, of both sums.")
    if left:
        told.append(f"The {left:,} smallest segments by volume are not shown; they are in all figures of the whole.")
    return tuple(told)


def grounds_of(
    ground: Ground, ripe: Matured, chosen: Inclusion, kinds: dict[str, Volume], proposed: npt.NDArray[np.int8]
) -> Grounds:
    """Return what the frontier rests on."""
    rows = ground.rows
    known = ripe.known[rows] & (ground.loss > 0)
    counted = ground.loss[known] / np.maximum((ripe.weight * chosen.weight)[rows][known], 1e-12)
    whole = float(ground.loss.sum())
    added = 1 - float(counted.sum()) / whole if whole > 0 else 0.0
    mute = chosen.never[rows]
    passing = float((ground.volume * ground.lets[proposed[rows]])[mute].sum()) / ground.total
    missing = [kind for kind, volume in kinds.items() if volume.rows is None]
    return Grounds(
        measured=f"The volume that each cut lets through, and the loss of {int(known.sum()):,} known frauds.",
        estimated=f"{added:.0%} of the loss: frauds told late, or among events that history stopped."
        if added > 0.005
        else "",
        bounded=f"{int(mute.sum()):,} events that history stopped, with none or too few let through, count as no loss: "
        "a lower end. "
        f"The proposed cut approves {passing:.1%} of the volume among them."
        if mute.any()
        else "",
        not_measurable=f"The volume {', '.join(missing)}: no column tells it." if missing else "",
    )
