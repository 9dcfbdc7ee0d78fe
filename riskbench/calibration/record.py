"""What does a decision rest on? The grounds of all that it was made from, short enough for one page."""

from __future__ import annotations

import re
from collections.abc import Iterable

from riskbench.calibration.calibration import Calibration
from riskbench.calibration.grounded import CHANGE
from riskbench.calibration.ripe import MOST
from riskbench.display import Grounds, Result, number

#: A line of the record holds about so many characters.
LONGEST = 200


def grounds_of_record(parts: Iterable[Result | None]) -> Grounds:
    """Return the grounds of several results as one, each line cut to the sentences that fit."""
    joined = Grounds.joined([part.grounds for part in parts if part is not None])
    return Grounds(**{name: shortened(text) for name, text in joined.to_dict().items()})


def shortened(text: str, *, most: int = LONGEST) -> str:
    """Return the sentences of a text that fit, at least part of the first.

    >>> shortened("One is short. Two is longer.", most=20), shortened("A long sentence indeed.", most=12)
    ('One is short.', 'A long …')
    """
    if len(text) <= most:
        return text
    held = ""
    for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z0-9])", text):
        longer = f"{held} {sentence}".strip()
        if len(longer) > most:
            break
        held = longer
    return held or f"{text[: most - 2].rsplit(' ', 1)[0]} …"


def doubt(held: Calibration, touched: int) -> tuple[str, str] | None:
    """Return why a gain that looks sure is none to act on yet, in a few words and in a sentence; None where it is.

    Parameters
    ----------
    held : Calibration
        The calibration.
    touched : int
        How many later events the cut treats differently.
    """
    rests = held.rests.set_index("what").to_dict("index")[CHANGE]
    share, silent = float(rests["inferred"]), int(rests["unheard"])
    first = "Let more of the stopped events through at random, or try it on a share of events first"
    if share > MOST:
        why = f"most of the gain, {number(share, 'share')}, is inference"
        return why, f"{why}. {first}."
    if touched and silent / touched > MOST:
        why = f"most of the events that the gain turns on, {silent:,} of {touched:,}, have no verdict"
        ends = " to ".join(number(float(rests[end]), "money", signed=True) for end in ("lower", "upper"))
        return why, f"{why}: they could add {ends} {held.counted} per {held.per}. {first}."
    return None
