"""Does moving a parameter change anything here, and if not, why not?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from riskbench.data.dataset import Dataset
    from riskbench.rules.book import RuleBook
    from riskbench.rules.plane import Plane

Mask = npt.NDArray[np.bool_]


def replaced(book: RuleBook, dataset: Dataset, name: str) -> str | None:
    """Return why no event's region uses a parameter's common value; None where one does.

    Parameters
    ----------
    book : RuleBook
        The book as it acts on the events, deviations included.
    dataset : Dataset
        The events.
    name : str
        `RULE.parameter`.
    """
    rule_id, _, param = name.partition(".")
    rule = book.rule(rule_id)
    codes, names = dataset.regions
    present = {names[int(code)] for code in np.unique(codes)}
    own = {region for region, held in rule.regions.items() if param in held} & present
    off = set(rule.off) & present
    if not present or present - own - off:
        return None
    if not off:
        return "every event's region has a value of its own"
    return (
        "every event's region has a value of its own or is without the rule"
        if own
        else "the rule is off in every event's region"
    )


def idle(swept: Plane, book: RuleBook, within: Mask) -> dict[str, str]:
    """Return which swept parameters change no event's outcome at any setting, and why."""
    found: dict[str, str] = {}
    ff, ft, tf, tt = (corner[within] for corner in swept.corners)
    for place, axis in enumerate(swept.axes):
        if not axis.name:
            continue
        differs = (ff != tf) | (ft != tt) if place == 0 else (ff != ft) | (tf != tt)
        varies = (axis.truth != axis.truth[:, :1]).any(axis=1)[axis.code[within]]
        if not (differs & varies).any():
            why = replaced(book, swept.dataset, axis.name)
            found[axis.name] = why or "no event's outcome rests on it, whatever its value on the grid"
    return found


def said(found: Mapping[str, str]) -> str:
    """Return the parameters that change nothing as a sentence without its end; empty where each changes something."""
    return "; ".join(f"{name} changes nothing here: {why}" for name, why in found.items())
