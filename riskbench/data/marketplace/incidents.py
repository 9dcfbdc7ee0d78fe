"""What the raids really were: when, where, who, and what they cost, to score an investigation against."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from riskbench.data.marketplace.campaigns import Frame, World
from riskbench.data.marketplace.datasets import of_kind
from riskbench.data.marketplace.raid import HOURS, RAID, starts
from riskbench.data.marketplace.region import HOUR, PAYMENTS
from riskbench.data.marketplace.tables import event_words
from riskbench.data.marketplace.transactions import Checkout
from riskbench.engine.table import Table

INCIDENT = (
    "incident",
    "scheme",
    "region",
    "starts_at",
    "ends_at",
    "segments",
    "share",
    "creators",
    "sellers",
    "buyers",
    "events",
    "orders",
    "loss",
)
#: A condition is told as true of a raid when it is true of this share of its orders.
TRUE_OF = 0.7


def incidents(
    held: World, orders: Frame, rings: Frame, made: Checkout, raid: datetime | None
) -> list[dict[str, object]]:
    """Return each region's raid as one row."""
    if raid is None:
        return []
    found = []
    inside = np.flatnonzero(orders["scheme"] == RAID)
    for code, begin in enumerate(starts(list(held.regions), raid).tolist()):
        rows = inside[orders["region"][inside] == code]
        ring = (rings["scheme"] == RAID) & (rings["region"] == code)
        creators, sellers = np.unique(rings["creator"][ring]), np.unique(rings["seller"][ring])
        masks = {
            "creator_id": np.isin(orders["creator"][rows], creators),
            "is_live_session": orders["live"][rows].astype(bool),
            "payment_method": orders["payment"][rows] == PAYMENTS.index("cod"),
        }
        names = _words("creator", creators)
        values = {"creator_id": names, "is_live_session": (True,), "payment_method": ("cod",)}
        share = {name: round(float(mask.mean()), 4) for name, mask in masks.items() if mask.mean() >= TRUE_OF}
        found.append(
            {
                "incident": f"raid-{held.regions[code].code}",
                "scheme": "creator_raid",
                "region": held.regions[code].code,
                "starts_at": pd.Timestamp(begin, unit="us"),
                "ends_at": pd.Timestamp(begin + HOURS * HOUR, unit="us"),
                "segments": {name: values[name] for name in share},
                "share": share,
                "creators": names,
                "sellers": _words("seller", sellers),
                "buyers": _words("buyer", np.unique(orders["buyer"][rows])),
                "events": tuple(event_words("transactions", rows, orders).to_arrow().to_pylist()),
                "orders": len(rows),
                "loss": round(float(made.loss[rows].sum()), 2),
            }
        )
    return found


def flat(found: Sequence[dict[str, object]]) -> Table:
    """Return the raids as a table without nested columns: lists as words with a blank between."""

    def text(value: object) -> str:
        if isinstance(value, dict):
            return " and ".join(f"{name} in ({', '.join(map(str, held))})" for name, held in value.items())
        return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)

    kinds = {"orders": pa.int64(), "loss": pa.float64()} | dict.fromkeys(("starts_at", "ends_at"), pa.timestamp("us"))
    names = [name for name in INCIDENT if name not in ("share", "events")]
    return Table.from_arrow(
        pa.table(
            {
                name: pa.array(
                    [row[name] if name in kinds else text(row[name]) for row in found], kinds.get(name, pa.string())
                )
                for name in names
            }
        )
    )


def _words(kind: str, held: npt.NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(of_kind(kind, held).to_arrow().to_pylist())
