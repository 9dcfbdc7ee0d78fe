"""How a result looks as HTML that survives everywhere: inline styles, no script, no style block, no SVG."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from riskbench.display.fact import Fact, Unit, number
from riskbench.display.wording import private

if TYPE_CHECKING:
    import pandas as pd

INK = "color:var(--jp-ui-font-color1,inherit)"
SOFT = "color:var(--jp-ui-font-color2,inherit);opacity:.85"
LINE = "1px solid var(--jp-border-color2,rgba(128,128,128,.35))"

#: How a column is printed when its name ends so; the first match wins.
_UNITS: tuple[tuple[str, Unit], ...] = (
    ("p_value", "number"),
    ("q_value", "number"),
    ("_rate", "share"),
    ("precision", "share"),
    ("recall", "share"),
    ("_share", "share"),
    ("share", "share"),
    ("value", "money"),
    ("_cost", "money"),
    ("amount", "money"),
)


#: A longer text in a cell is cut short: no sentence of ours is, hostile text is.
_LONGEST = 400
#: A cell of one word of at most so many letters stays on one line.
_ONE_WORD = 20


def unit_of(column: str) -> Unit:
    """Return the unit that a column's name stands for (`precision_lower` reads as `precision`)."""
    stem = column.removesuffix("_lower").removesuffix("_upper")
    if stem.startswith(("value_", "good_value", "fraud_value", "unique_value", "net_", "loss")):
        return "money"
    return next((unit for tail, unit in _UNITS if stem.endswith(tail)), "number")


#: Columns that are measured in the unit of their row's `measure`, where a table has such a column.
_BY_ROW = frozenset(
    {"value", "before", "after", "difference", "today", "proposed", "change", "lower", "upper", "observed"}
)


def _unit(column: str, measure: str | None) -> Unit:
    """Return a cell's unit: that of its row's measure where the column follows it, else that of the column."""
    if measure is None or column not in _BY_ROW:
        return unit_of(column)
    unit = unit_of(measure.replace(" ", "_"))
    return "average" if unit == "number" else unit


def cell(value: object, column: str, *, measure: str | None = None) -> str:
    """Return one table cell as escaped text; `measure` is what the cell's row is about, where a table says so."""
    import pandas as pd

    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value):  # noqa: PLR0124
        return "–"
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, int | float):
        return escape(number(value, _unit(column, measure)))
    text = private(str(value)[: 2 * _LONGEST])
    return escape(text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "...")


def _text(text: str) -> str:
    """Return a text escaped, without what a page must not tell."""
    return escape(private(text), quote=True)


def table(frame: pd.DataFrame, *, caption: str = "", rows: int = 10) -> str:
    """Return a frame's first rows as an HTML table with headers that a screen reader can use."""
    import pandas as pd

    shown = frame.head(rows)
    names = [str(name) for name in frame.columns]
    numeric = {name: pd.api.types.is_numeric_dtype(frame[name]) for name in frame.columns}
    about = names.index("measure") if "measure" in names else None
    head = "".join(
        f'<th scope="col" style="text-align:{"right" if numeric[name] else "left"};padding:3px 10px;'
        f'border-bottom:{LINE};font-weight:600">{escape(str(name).replace("_", " "))}</th>'
        for name in frame.columns
    )
    body = ""
    for row in shown.itertuples(index=False, name=None):
        measure = None if about is None else str(row[about])
        cells = "".join(
            _td(cell(value, str(name), measure=measure), right=numeric[name])
            for name, value in zip(frame.columns, row, strict=True)
        )
        body += f"<tr>{cells}</tr>"
    more = len(frame) - len(shown)
    foot = f'<p style="{SOFT};margin:2px 0 0 10px;font-size:90%">and {more:,} more rows</p>' if more > 0 else ""
    title = f'<caption style="text-align:left;padding:2px 10px;{SOFT}">{_text(caption)}</caption>' if caption else ""
    return (
        f'<div style="overflow-x:auto"><table style="border-collapse:collapse;{INK};margin:6px 0">'
        f"{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{foot}"
    )


def _td(text: str, *, right: bool) -> str:
    """Return a cell; one short word, an id say, is not broken."""
    whole = ";white-space:nowrap" if len(text) <= _ONE_WORD and " " not in text else ""
    side = "right" if right else "left"
    return f'<td style="text-align:{side};padding:3px 10px;font-variant-numeric:tabular-nums{whole}">{text}</td>'


def facts(items: Iterable[Fact]) -> str:
    """Return headline facts as a row of cards."""
    cards = "".join(
        f'<div style="display:inline-block;vertical-align:top;min-width:9em;max-width:20em;margin:0 26px 10px 0">'
        f'<div style="{SOFT};font-size:90%">{_text(fact.name)}</div>'
        f'<div style="font-size:135%;font-weight:600;{INK}">{_text(_main(fact))}</div>'
        f'<div style="{SOFT};font-size:85%">{_text(_range(fact))}</div></div>'
        for fact in items
    )
    return f"<div>{cards}</div>"


def _main(fact: Fact) -> str:
    if fact.value is None:
        return "not measurable"
    if isinstance(fact.value, str):
        return fact.value
    return number(fact.value, fact.unit, currency=fact.currency, signed=fact.signed)


def _range(fact: Fact) -> str:
    parts = []
    if fact.value is not None and fact.lower is not None and fact.upper is not None:
        lower, upper = (number(end, fact.unit, signed=fact.signed) for end in (fact.lower, fact.upper))
        parts.append(f"{lower} to {upper}")
    if fact.note:
        parts.append(fact.note)
    return " · ".join(parts)


def picture(png: bytes, *, alt: str) -> str:
    """Return a PNG as an inline image with its alt text."""
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<img alt="{_text(alt)}" src="data:image/png;base64,{data}" '
        f'style="max-width:100%;height:auto;background:#fff;border-radius:4px;margin:6px 0">'
    )


def notes(items: Iterable[str]) -> str:
    """Return remarks as a short list."""
    rows = "".join(f"<li>{_text(item)}</li>" for item in items)
    return f'<ul style="{SOFT};margin:6px 0;padding-left:1.4em">{rows}</ul>' if rows else ""


def grounds(lines: Iterable[str]) -> str:
    """Return what an answer rests on: one line each, its first word in bold."""
    rows = []
    for line in lines:
        word, _, rest = line.partition(": ")
        rows.append(f'<div><span style="font-weight:600">{_text(word)}:</span> {_text(rest)}</div>')
    return f'<div style="{SOFT};margin:6px 0">{"".join(rows)}</div>' if rows else ""


def heading(text: str) -> str:
    """Return a result's title."""
    return f'<div style="font-size:110%;font-weight:600;margin:2px 0 8px;{INK}">{_text(text)}</div>'
