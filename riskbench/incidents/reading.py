"""How are figures, moments and ids told in a reader's table?"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from riskbench.display import Fact, number
from riskbench.display.fact import Unit
from riskbench.display.mask import masked

#: What stands where there is nothing to tell.
NONE = "–"
_BLANK, _JOINED = "\N{NO-BREAK SPACE}", "\N{WORD JOINER}"


def ranged(
    value: Any, lower: Any = None, upper: Any = None, *, unit: Unit = "number", currency: str = "", signed: bool = False
) -> str:
    """Return a figure with its interval as one cell, broken before the interval only.

    >>> ranged(0.4213, 0.31, 0.53, unit="share").replace(_BLANK, " "), ranged(None)
    ('42.1 % (31.0 to 53.0 %)', '–')
    """
    if value is None or pd.isna(value):
        return NONE
    ends = [None if end is None or pd.isna(end) else float(end) for end in (lower, upper)]
    told = Fact("", float(value), unit, lower=ends[0], upper=ends[1], currency=currency, signed=signed).text
    return told.replace(" ", _BLANK).replace(f"{_BLANK}(", " (")


def plain(value: Any, lower: Any = None, upper: Any = None) -> str:
    """Return a number with its interval in two or three digits, thousands set apart.

    >>> plain(47.613, 9.464, 1612.4).replace(_BLANK, " "), plain(0.07344), plain(None)
    ('48 (9.5 to 1,612)', '0.073', '–')
    """
    if value is None or pd.isna(value):
        return NONE
    told = _digits(float(value))
    if lower is None or upper is None or pd.isna(lower) or pd.isna(upper):
        return told
    return f"{told} ({_digits(float(lower))}{_BLANK}to{_BLANK}{_digits(float(upper))})"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.2g}"


def moment(at: Any, *, beside: Any = None) -> str:
    """Return a local moment in short; without the day where it is that of the moment beside it.

    >>> moment(pd.Timestamp("2026-11-11 00:24")).replace(_BLANK, " ")
    '11 Nov 00:24'
    >>> moment(pd.Timestamp("2026-11-11 00:30"), beside=pd.Timestamp("2026-11-11 00:24"))
    '00:30'
    """
    if at is None or pd.isna(at):
        return NONE
    at = pd.Timestamp(at)
    if beside is not None and not pd.isna(beside) and at.normalize() == pd.Timestamp(beside).normalize():
        return f"{at:%H:%M}"
    return f"{at:%d %b %H:%M}".replace(" ", _BLANK)


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters, cut at a word where one is near.

    >>> cut("city = 'SUB' AND payment_method = 'cod'", 24)
    "city = 'SUB' AND…"
    """
    if len(text) <= most:
        return text
    held = text[: most - 1]
    word = held.rfind(" ")
    return f"{held[:word] if word >= 0.6 * most else held}…"


def rounded(text: str) -> str:
    """Return a text with its long whole numbers in short.

    >>> rounded("creator_id_sum_1d is 2,520,100 (usual 71,600); seller_age_days is 1,306")
    'creator_id_sum_1d is 2.52 M (usual 71.6 k); seller_age_days is 1,306'
    """
    shape = r"(?<![\w,.])\d{2,3},\d{3}(?:,\d{3})*(?![\w,.]\d)|(?<![\w,.])\d(?:,\d{3}){2,}(?![\w,.]\d)"
    return re.sub(shape, lambda found: number(float(found[0].replace(",", "")), "money"), text)


def told(fact: Fact) -> str:
    """Return a fact, and where it is text what stands small beside it.

    >>> told(Fact("Best containment", "none is surely worth it", "text", note="nearest: A-1"))
    'Best containment: none is surely worth it, nearest: A-1'
    """
    return f"{fact}, {fact.note}" if fact.note and isinstance(fact.value, str) else str(fact)


def masked_in(text: str, identity: str) -> str:
    """Return a text with the id at its end masked.

    >>> masked_in("9 of 9 events meet seller SG9EXQV2S", "SG9EXQV2S").replace(_JOINED, "")
    '9 of 9 events meet seller SG9…2S'
    """
    if not identity or not text.endswith(identity):
        return text
    return text.removesuffix(identity) + masked(identity).replace("…", f"…{_JOINED}")
