"""What stands on the page that a reviewer signs, in which order?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from riskbench.display import number
from riskbench.display.page import Section
from riskbench.rules.signing import SignedChange

if TYPE_CHECKING:
    from riskbench.rules.request import ChangeRequest

#: Regions shown on the page.
_REGIONS = 20


def sections(held: ChangeRequest, signed: SignedChange | None) -> tuple[Section, ...]:
    """Return the page's sections: what changes, what it does, what is not known, and who signs."""
    money = held.currency
    effect = held.frame("effect")
    return (
        Section(name="What changes in the rules", texts=(held.reason,), points=tuple(held.rules["change"])),
        Section(
            name="Expected effect",
            texts=(
                f"Chosen on: {held.chosen_on or 'not told. If on the same events, the effect is flattering'}.",
                f"Reported on: {held.reported_on}. Intervals are 95 %, of the difference on the same events.",
            ),
            table=effect,
        ),
        Section(
            name="Which events move",
            texts=(f"{held.flips:,} of {held.events:,} events get another outcome.",),
            table=_crossed(held.matrix),
            picture=held.png(),
            alt=held.alt,
        ),
        Section(name="Regions", texts=_regional(held), table=held.regions.head(_REGIONS)),
        Section(
            name="The largest flips",
            texts=("Ids are masked; the whole list is the comparison's table of events.",),
            table=held.frame("largest"),
        ),
        Section(name="Beyond chance?", texts=("McNemar's test on the same events.",), table=held.frame("mcnemar")),
        Section(
            name="Assumed",
            texts=(f"Money in {money}, major units." if money else "No amount: no money is told.",),
            table=held.frame("assumptions"),
        ),
        Section(
            name="Not measurable",
            points=tuple(f"{row['what']}: {row['why']}" for row in held.unmeasured.to_dict("records")),
            table=held.frame("bounds"),
        ),
        Section(name="What was compared", table=_hashes(held)),
        Section(name="Decision", lines=_lines(held, signed)),
        Section(name="Proposed rule book", folded=(f"YAML, {held.book_after[:12]}", held.book_yaml)),
    )


def _crossed(matrix: pd.DataFrame) -> pd.DataFrame:
    names = list(dict.fromkeys(matrix["before"]))
    rows = []
    for first in names:
        own = matrix[matrix["before"] == first]
        told = {
            row["after"]: "·" if not row["events"] else f"{row['events']:,} ({row['frauds']:,} fraud)"
            for row in own.to_dict("records")
        }
        rows.append({"before \\ after": first, **told})
    return pd.DataFrame(rows)


def _regional(held: ChangeRequest) -> tuple[str, ...]:
    losing = held.regions[held.regions["reading"] == "surely worse"]
    if len(losing):
        names = ", ".join(str(name) for name in losing["region"].head(_REGIONS))
        return (f"Surely worse, at one false finding in twenty: {names}.",)
    below = held.regions[held.regions["net_value"] < 0]
    if len(below):
        worst = below.iloc[0]
        told = number(float(worst["net_value"]), "money", currency=held.currency)
        return (f"No region surely loses; {len(below):,} have a net value below 0, {worst['region']} least: {told}.",)
    return ("No region loses.",)


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
    )
