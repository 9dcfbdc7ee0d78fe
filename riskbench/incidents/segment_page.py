"""How are segments told to a reader? Their table in words, and labels that fit a picture."""

from __future__ import annotations

from textwrap import wrap

import pandas as pd

#: Letters of a label's line, and the most lines.
_WIDE, _LINES = 34, 3


def page(frame: pd.DataFrame, currency: str) -> tuple[str, pd.DataFrame]:
    """Return the segments as a reader's table."""
    rows = []
    for row in frame.to_dict("records"):
        share, ratio = row["share_explained"], row["ratio"]
        spread = _between(row["share_explained_lower"], row["share_explained_upper"])
        rows.append(
            {
                "segment": row["segment"],
                "events in window": f"{int(row['n']):,}",
                "observed": _amount(row["observed"]),
                "expected": _amount(row["expected"]),
                "times": "new" if _none(ratio) else f"{ratio:,.1f}",
                "of the change": "-" if _none(share) else f"{share:.0%}{spread}",
                "p": "below 0.001" if row["p_value"] < 0.001 else f"{row['p_value']:.3f}",
            }
        )
    unit = f" ({currency})" if currency else ""
    caption = f"Segments, the strongest first{unit}; expected: had the segment moved as everything else did"
    return caption, pd.DataFrame(rows)


def label(text: str) -> str:
    """Return a segment's name in at most three lines.

    >>> label("city SUB and payment_method cod and is_live_session yes").count(chr(10))
    1
    """
    lines = wrap(text, _WIDE, break_on_hyphens=False) or [""]
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], lines[_LINES - 1][: _WIDE - 1] + "\u2026"]
    return "\n".join(lines)


def _amount(value: float) -> str:
    if 0 < abs(value) < 100 and float(value) != int(value):
        return f"{value:.1f}" if abs(value) >= 0.05 else "below 0.1"
    return f"{value:,.0f}"


def _between(low: float | None, high: float | None) -> str:
    """Return a range of shares, no end above the whole or below nothing."""
    if _none(low) or _none(high):
        return ""
    return f" ({max(0.0, float(low)):.0%} to {min(1.0, float(high)):.0%})"  # type: ignore[arg-type]


def _none(value: object) -> bool:
    return value is None or bool(pd.isna(value))  # type: ignore[call-overload]
