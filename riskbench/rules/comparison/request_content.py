"""What stands in a change request: the texts as people wrote them, and the comparison as small tables?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from riskbench.config import redact
from riskbench.display.mask import masked
from riskbench.display.wording import LINE, TITLE, clean, private, visible
from riskbench.rules.book import RuleBook
from riskbench.rules.comparison.better import NO_MEASURE
from riskbench.rules.comparison.comparison import Comparison
from riskbench.rules.comparison.flips import flip_events
from riskbench.rules.comparison.inference import COUNTED
from riskbench.rules.doors import a_text
from riskbench.rules.writing import to_yaml

#: So many of the largest flips are shown, and so many regions.
LARGEST, MOST_REGIONS = 10, 200

#: Remarks of a comparison that a request tells in a section of their own.
_ELSEWHERE = ("Labels: ", "Costs assumed: ")
_MEANING = {
    "loss_share": "share of a fraud's amount that is lost when it is let through",
    "margin": "share of a good event's amount that is earned",
    "insult_share": "share of good customers who leave when wrongly stopped or held",
    "future_orders": "orders that such a customer would still have placed",
    "review_minutes": "minutes that one review takes",
    "minute_cost": "cost of a reviewer's minute, in major units",
    "review_catch": "share of reviewed frauds that the reviewer stops",
    "challenge_catch": "share of frauds that fail a challenge",
    "challenge_drop": "share of good customers who give up at a challenge",
}


def shown(
    held: Comparison,
    *,
    reason: str,
    chosen_on: str | None,
    reported_on: str | None,
    requested_by: str | None,
    title: str | None,
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Return what a request shows of a comparison: texts and numbers by name, and tables by name."""
    old, new = held.old.book, held.new.book
    told = {"title": title, "requested_by": requested_by, "chosen_on": chosen_on, "reported_on": reported_on}
    for name, text in told.items():
        a_text(text, name=name)
    sentences = old.diff(new) or ["Nothing changes in the rules."]
    values = {
        "name": _text(title or f"Change of the rule book {new.name}", "The title", most=TITLE),
        "reason": _text(reason, "The reason", most=LINE),
        "requested_by": redact(clean(requested_by or "", "The requester", most=TITLE, empty=True)),
        "answer": held.answer,
        "why": held.why,
        "told": held.told,
        "chosen_on": _text(chosen_on or "", "The window that the change was chosen on", most=LINE, empty=True),
        "reported_on": _text(reported_on or _window(held), "The window that is reported", most=LINE),
        "events": held.events_compared,
        "flips": held.flips,
        "currency": held.currency if held.money else "",
        "book_before": old.hash,
        "book_after": new.hash,
        "dataset": held.new.dataset.fingerprint,
        "label_recipe": _safe(held.new.labels.recipe),
        "asof": str(held.new.labels.asof or held.new.asof or ""),
        "book_yaml": _safe(_yaml(new)),
    }
    tables = {
        "effect": _effect(held),
        "rules": pd.DataFrame({"change": [_safe(sentence) for sentence in sentences]}),
        "matrix": held.frame("matrix"),
        "mcnemar": held.frame("mcnemar"),
        "bounds": held.frame("bounds"),
        "ways": held.frame("ways"),
        "inference": held.frame("inference"),
        "regions": _regions(held),
        "largest": _largest(held),
        "assumptions": _assumptions(held),
        "unmeasured": _unmeasured(held, told=bool(values["chosen_on"])),
        "remarks": pd.DataFrame({"remark": [_safe(note) for note in held.notes if not note.startswith(_ELSEWHERE)]}),
    }
    return values, tables


def _text(value: object, what: str, *, most: int, empty: bool = False) -> str:
    return private(clean(value, what, most=most, empty=empty))


def _safe(text: str) -> str:
    """Return a text of the data or the book as a page may show it: no secret, nothing hidden."""
    return private(visible(text))


def _window(held: Comparison) -> str:
    span = held.new.dataset.span
    return f"{held.events_compared:,} events" + (f", {span[0]:%Y-%m-%d} to {span[1]:%Y-%m-%d}" if span else "")


def _effect(held: Comparison) -> pd.DataFrame:
    """Return the differences a week, reviews a day, and rates as they are."""
    weeks = held.weeks
    rows = []
    for row in held.frame("changes").to_dict("records"):
        measure = str(row["measure"])
        rate = measure.endswith(" rate") or measure in ("precision", "recall")
        per, span = ("", 1.0) if rate else ("window", 1.0)
        if weeks is not None and not rate:
            per, span = ("day", 7 * weeks) if measure == "reviews" else ("week", weeks)
        parts = (float(row[name]) / span for name in ("before", "after", "difference", "lower", "upper"))
        rows.append((measure, per, *parts, int(row["n"])))
        if measure == "net value" and held.told != COUNTED:
            net = (end / span for end in held.net)
            rows.append((f"net value, {held.told}", per, np.nan, np.nan, *net, held.flips))
    return pd.DataFrame(rows, columns=["measure", "per", "before", "after", "change", "lower", "upper", "n"])


def _regions(held: Comparison) -> pd.DataFrame:
    frame = held.frame("regions")
    names = [f"{name}{end}" for name in ("frauds_alerted", "insults", "net_value") for end in ("", "_lower", "_upper")]
    frame = frame.loc[frame["flips"] > 0, ["region", "flips", *names, "q_value", "reading", "why"]]
    frame["region"] = [_safe(str(name)) for name in frame["region"]]
    return frame.sort_values("net_value", kind="stable").head(MOST_REGIONS).reset_index(drop=True)


def _largest(held: Comparison) -> pd.DataFrame:
    """Return the flips of the largest value, with ids that nobody can look up."""
    rows = np.flatnonzero(held.old.resolution.level != held.new.resolution.level)
    value = held.new.worth.value[rows]
    top = rows[np.argsort(-value, kind="stable")[:LARGEST]]
    frame = flip_events(held.old, held.new, top)
    frame.insert(0, "event", [masked(str(name)) for name in frame.pop("id")])
    frame["condition"] = [_safe(text) for text in frame["condition"]]
    return frame


def _unmeasured(held: Comparison, *, told: bool) -> pd.DataFrame:
    rows = [] if told else [("the effect on events that did not choose it", "it is not told where it was chosen")]
    blind = int(held.bounds["unlabelled"].iloc[0])
    if blind:
        rows.append((f"what the {blind:,} flips without a verdict are", "nobody knows yet whether they are fraud"))
        if held.bounds["net_value"].isna().iloc[-1]:
            rows.append(("net value if those flips are fraud", "a loss is measured of a confirmed fraud only"))
    if held.answer == NO_MEASURE:
        rows.append(("net value", held.why))
    if held.weeks is None:
        rows.append(("the effect a week", "the events have no time, or span less than a day"))
    rows.append(("what attackers and customers do next", "the same events are decided anew; nobody reacts"))
    return pd.DataFrame(rows, columns=["what", "why"])


def _assumptions(held: Comparison) -> pd.DataFrame:
    worth = held.new.worth
    measured = {"loss_share": worth.loss_measured, "margin": worth.margin_measured}
    rows = [
        (name, value, "not used: it is measured" if measured.get(name) else _MEANING.get(name, ""))
        for name, value in held.costs.to_dict().items()
    ]
    return pd.DataFrame(rows, columns=["cost", "value", "meaning"])


def _yaml(book: RuleBook) -> str:
    """Return a book's YAML, without the values of its lists: they name people and devices."""
    if not book.lists:
        return book.to_yaml()
    told = book.to_mapping()
    told["lists"] = {name: f"{len(held.values)} values, left out here" for name, held in book.lists.items()}
    return to_yaml(told)
