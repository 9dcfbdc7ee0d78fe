"""What stands on the page that a reviewer signs, in which order?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from riskbench.display import number
from riskbench.display.fact import Unit
from riskbench.display.html import cell
from riskbench.display.page import Section
from riskbench.rules.comparison.better import NOT_SHOWN, WORSE
from riskbench.rules.comparison.inference import COUNTED as AS_COUNTED
from riskbench.rules.comparison.page import COUNTED, counted
from riskbench.rules.comparison.signing import SignedChange

if TYPE_CHECKING:
    from riskbench.rules.comparison.request import ChangeRequest

#: Regions shown on the page.
_REGIONS = 20
_SPLIT: tuple[tuple[str, str, Unit], ...] = (
    ("frauds_alerted", "frauds alerted, in all", "average"),
    ("insults", "good events held or stopped, in all", "average"),
    ("net_value", "net value, in all", "money"),
)


def sections(held: ChangeRequest, signed: SignedChange | None) -> tuple[Section, ...]:
    """Return the page's sections: what changes, what it does, what is not known, and who signs."""
    asked = f"Asked for by {held.requested_by}: " if held.requested_by else ""
    return (
        Section(name="What changes in the rules", texts=(asked + held.reason,), points=tuple(held.rules["change"])),
        Section(
            name="Expected effect",
            texts=(
                f"Chosen on: {held.chosen_on or 'not told. If on the same events, the effect is flattering'}.",
                f"Told on: {held.reported_on}. Intervals are 95 %, of the difference on the same events.",
            ),
            table=_effect(held),
        ),
        Section(
            name="Which events move",
            texts=(
                f"{held.flips:,} of {held.events:,} events get another outcome. Before down, after across; {COUNTED}.",
            ),
            table=_crossed(held.matrix),
            picture=held.png(),
            alt=held.alt,
        ),
        Section(
            name="What it rests on",
            texts=("The change in net value in all: as counted, with what is told late or was stopped, and bounded.",),
            points=held.grounds.lines() if held.grounds is not None else (),
            table=_ways(held),
        ),
        Section(name="Regions", texts=_regional(held), table=_regions(held)),
        Section(
            name="The largest flips",
            texts=("Ids are masked. The comparison's table of events has them all.",) if held.flips else ("None.",),
            table=held.largest,
        ),
        Section(
            name="Could it be chance?",
            texts=("McNemar's test: events that only one of the two books picks. A small p value: hardly chance.",),
            table=held.mcnemar,
        ),
        Section(
            name="Assumed",
            texts=(f"Money is in {held.currency}." if held.currency else "There is no amount, so no money is told.",),
            table=held.assumptions,
        ),
        Section(name="Not measurable", points=_unmeasured(held), table=_bounds(held)),
        Section(name="What was compared", points=tuple(held.remarks["remark"]), table=_hashes(held)),
        Section(name="Decision", lines=_lines(held, signed)),
        Section(name="Proposed rule book", folded=(f"YAML, {held.book_after[:12]}", held.book_yaml)),
    )


def _effect(held: ChangeRequest) -> pd.DataFrame:
    """Return the effect with each interval beside its number."""
    rows = []
    for row in held.effect.to_dict("records"):
        measure = str(row["measure"])
        told = {name: cell(row[name], name, measure=measure) for name in ("before", "after", "change")}
        told["change"] = _signed(row["change"], told["change"])
        ends = [_signed(row[end], cell(row[end], end, measure=measure)) for end in ("lower", "upper")]
        per = "" if row["per"] == "" else f"a {row['per']}" if row["per"] != "window" else "in all"
        interval = "" if pd.isna(row["lower"]) else f"{ends[0].removesuffix(' %')} to {ends[1]}"
        rows.append({"measure": measure, "per": per, **told, "interval": interval, "flips": f"{row['n']:,}"})
    return pd.DataFrame(rows)


def _signed(value: float, text: str) -> str:
    return f"+{text}" if value > 0 else text


def _regions(held: ChangeRequest) -> pd.DataFrame:
    """Return the regions with each interval beside its number, the one that loses most first."""
    rows = []
    for row in held.regions.head(_REGIONS).to_dict("records"):
        told = {}
        for name, words, unit in _SPLIT:
            parts = [number(float(row[f"{name}{end}"]), unit, signed=True) for end in ("", "_lower", "_upper")]
            told[words] = f"{parts[0]} ({parts[1]} to {parts[2]})" if pd.notna(row[name]) else "–"
        rows.append({"region": row["region"], "flips": row["flips"], **told, "reading": _read(row)})
    return pd.DataFrame(rows)


def _read(row: Mapping[Hashable, Any]) -> str:
    """Return a region's reading, with its reason where it is not shown."""
    return f"{row['reading']}: {row['why']}" if row["reading"] == NOT_SHOWN and row.get("why") else str(row["reading"])


def _unmeasured(held: ChangeRequest) -> tuple[str, ...]:
    return tuple(f"{row['what']}: {row['why']}" for row in held.unmeasured.to_dict("records"))


def _bounds(held: ChangeRequest) -> pd.DataFrame | None:
    if not len(held.bounds) or not int(held.bounds["unlabelled"].iloc[0]):
        return None
    return held.bounds.rename(columns={"assumed": "flips without a verdict, if", "unlabelled": "how many"})


def _ways(held: ChangeRequest) -> pd.DataFrame | None:
    """Return the change in net value told thrice, each interval beside its number; None where all say the same."""
    if held.told == AS_COUNTED and not int(held.bounds["unlabelled"].iloc[0]):
        return None
    rows = []
    for row in held.ways.to_dict("records"):
        ends = [number(float(row[f"net_value{end}"]), "money", signed=True) for end in ("", "_lower", "_upper")]
        told = f"{ends[0]} ({ends[1]} to {ends[2]})" if pd.notna(row["net_value_lower"]) else "not measurable"
        share = number(float(row["inferred_share"]), "share")
        rows.append({"told": row["way"], "change in net value": told, "inference": share, "remark": row["why"]})
    return pd.DataFrame(rows)


def _crossed(matrix: pd.DataFrame) -> pd.DataFrame:
    names = list(dict.fromkeys(matrix["before"]))
    rows = []
    for first in names:
        own = matrix[matrix["before"] == first]
        told = {row["after"]: counted(row) for row in own.to_dict("records")}
        rows.append({"before \\ after": first, **told})
    return pd.DataFrame(rows)


#: In what unit the regions are told.
IN_ALL = "Changes in all, over the events told on; not a week."


def _regional(held: ChangeRequest) -> tuple[str, ...]:
    return (*_loses(held), IN_ALL) if len(held.regions) else _loses(held)


def _loses(held: ChangeRequest) -> tuple[str, ...]:
    losing = held.regions[held.regions["reading"] == WORSE]
    if len(losing):
        names = ", ".join(str(name) for name in losing["region"].head(_REGIONS))
        return (f"Surely worse, at one false finding in twenty: {names}.",)
    below = held.regions[held.regions["net_value"] < 0]
    if len(below):
        worst = below.iloc[0]
        told = number(float(worst["net_value"]), "money", currency=held.currency)
        return (f"No region surely loses; {len(below):,} come out below 0, the lowest {worst['region']} by {told}.",)
    return ("No region loses.",) if held.flips else ("No event flips.",)


def _hashes(held: ChangeRequest) -> pd.DataFrame:
    rows = [
        ("book in force", held.book_before),
        ("proposed book", held.book_after),
        ("events", held.dataset),
        ("labels", held.label_recipe),
        ("as of", held.asof or "all that is known"),
        ("this request", held.checksum),
    ]
    return pd.DataFrame(rows, columns=["what", "which"])


def _lines(held: ChangeRequest, signed: SignedChange | None) -> tuple[tuple[str, str], ...]:
    return (
        ("Requested by", held.requested_by),
        ("Reviewer", signed.reviewer if signed else ""),
        ("Decision", signed.decision if signed else "approve / reject / revise"),
        ("Note", signed.note if signed else ""),
        ("Date", signed.at if signed else ""),
        ("Signature", f"seal {signed.seal}" if signed else ""),
    )
