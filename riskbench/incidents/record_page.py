"""How an incident stands, as a reader's tables."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import pandas as pd

from riskbench.incidents.reading import NONE, moment
from riskbench.incidents.wording import masked_after


def pages(
    timeline: pd.DataFrame, *, actions: pd.DataFrame, links: pd.DataFrame, criteria: pd.DataFrame,
    deadlines: pd.DataFrame, zone: str, severity: str, hidden: Iterable[str],
) -> dict[str, tuple[str, pd.DataFrame]]:  # fmt: skip
    """Return an incident's tables in a reader's words; values of the hidden columns are masked."""
    told = {
        "timeline": (f"History, local time ({zone})", _history(timeline)),
        "criteria": (f"Why it is {severity}", criteria),
    }
    if len(actions):
        shown = actions.assign(
            owner=["nobody yet" if _absent(owner) else owner for owner in actions["owner"]],
            due=[_short(due) for due in actions["due"]],
        )
        if all(_absent(note) for note in shown["note"]):
            shown = shown.drop(columns="note")
        told["actions"] = ("Actions, local time", shown)
    if len(deadlines):
        shown = pd.DataFrame({"what": deadlines["what"], "when": [_short(at) for at in deadlines["local"]]})
        told["deadlines"] = ("To be done before, local time", shown)
    if len(links):
        told["links"] = ("What it rests on", _linked(links, tuple(hidden)))
    return told


def _absent(value: object) -> bool:
    """Tell whether a cell holds nothing, as text columns have it."""
    return not isinstance(value, str) or not value


def _short(local: object) -> str:
    """Return a local moment with its zone in short: the caption has the zone."""
    return NONE if _absent(local) else moment(str(local).partition(" (")[0])


def _history(timeline: pd.DataFrame) -> pd.DataFrame:
    """Return the history with the sections written at one time in one line."""
    rows = []
    for (local, actor, kind), group in groupby(
        timeline.to_dict("records"), key=lambda row: (row["local"], row["actor"], row["kind"])
    ):
        texts = [str(row["what"]) for row in group]
        if kind == "written":
            texts = [f"wrote {', '.join(text.removeprefix('wrote ') for text in texts)}"]
        rows += [(_short(local), actor, text) for text in texts]
    return pd.DataFrame(rows, columns=["when", "who", "what"])


def _linked(links: pd.DataFrame, hidden: tuple[str, ...]) -> pd.DataFrame:
    """Return what it is linked to, the columns in one line."""
    rows = []
    for kind, group in links.groupby("kind", sort=False):
        names = [masked_after(str(name), hidden) if kind == "segment" else str(name) for name in group["name"]]
        if kind == "column":
            rows.append(("columns", ", ".join(names), "evidence"))
        else:
            rows += [
                (str(kind), name, NONE if _absent(detail) else detail)
                for name, detail in zip(names, group["detail"], strict=True)
            ]
    return pd.DataFrame(rows, columns=["kind", "name", "detail"])
