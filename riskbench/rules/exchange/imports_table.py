"""Which rules does a table of conditions hold? One row a rule, or one row a condition, headers in any usual word."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from riskbench.errors import RuleError, listed
from riskbench.rules.exchange.drafted import Draft, Drafted, spelled

#: What a header may be called, by what it means.
HEADERS: Mapping[str, tuple[str, ...]] = {
    "rule": ("rule", "id", "rule id", "ruleid", "rule name", "name", "rule no", "rule number", "code"),
    "condition": ("condition", "when", "expression", "rule text", "definition", "sql", "if", "where"),
    "column": ("column", "field", "fact", "attribute", "variable", "feature", "key"),
    "operator": ("operator", "op", "comparison", "comparator", "sign"),
    "value": ("value", "values", "threshold", "cut", "limit", "cutoff"),
    "outcome": ("outcome", "action", "decision", "then", "result", "verdict"),
    "priority": ("priority", "order", "rank", "sequence", "seq"),
    "join": ("join", "joined by", "connector", "and or", "logic"),
    "title": ("title", "description", "comment", "note", "remarks"),
    "owner": ("owner", "team", "contact"),
}
_ORDERED = frozenset({"<", "<=", ">", ">=", "between", "not between"})
#: What an operator may be called.
OPERATORS: Mapping[str, str] = {
    **dict.fromkeys(("=", "==", "eq", "equal", "equals", "equal to", "is", "is equal to"), "="),
    **dict.fromkeys(("<>", "!=", "ne", "neq", "not equal", "not equals", "not equal to", "is not", "differs"), "<>"),
    **dict.fromkeys((">", "gt", "greater", "greater than", "above", "more than", "over"), ">"),
    **dict.fromkeys((">=", "gte", "ge", "greater or equal", "greater than or equal", "at least", "from"), ">="),
    **dict.fromkeys(("<", "lt", "less", "less than", "below", "under"), "<"),
    **dict.fromkeys(("<=", "lte", "le", "less or equal", "less than or equal", "at most", "up to"), "<="),
    **dict.fromkeys(("in", "in list", "one of", "any of", "is in"), "in"),
    **dict.fromkeys(("not in", "nin", "notin", "none of", "not in list", "is not in"), "not in"),
    **dict.fromkeys(("between", "range"), "between"),
    "not between": "not between",
    **dict.fromkeys(("contains", "includes"), "contains"),
    **dict.fromkeys(("not contains", "does not contain", "excludes"), "not contains"),
    **dict.fromkeys(("starts with", "begins with", "startswith", "prefix"), "starts with"),
    **dict.fromkeys(("not starts with", "not begins with"), "not starts with"),
    **dict.fromkeys(("ends with", "endswith", "suffix"), "ends with"),
    "not ends with": "not ends with",
    "like": "like",
    "not like": "not like",
    **dict.fromkeys(("is null", "null", "missing", "is missing", "is blank"), "is null"),
    **dict.fromkeys(("is not null", "not null", "present", "is present", "exists"), "is not null"),
    **dict.fromkeys(("is true", "true"), "is true"),
    **dict.fromkeys(("is false", "false"), "is false"),
}
_ALONE = frozenset({"is null", "is not null", "is true", "is false"})
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|[+-]?\.\d+", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([ T].*)?", re.ASCII)
#: Rows and letters of a cell that are read.
MAX_ROWS, _LONGEST_CELL = 100_000, 100_000


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    text: str
    cells: Mapping[str, str]


def from_table(text: str) -> Draft:
    """Return the rules of a table of conditions.

    Raises
    ------
    RuleError
        When no header says where the conditions are, or two headers mean the same.
    """
    rows, headers, extra, said, broken = _rows(text)
    single = "condition" in headers
    if not single and not {"column", "operator"} <= set(headers):
        raise RuleError(
            "The table has no column of conditions",
            got=listed(said),
            allowed="a header condition (or when, expression), or the headers column, operator and value",
        )
    told = [f"Columns read: {listed(f'{name} as {means}' for means, name in headers.items())}."]
    if extra:
        told.append(f"Columns not read: {listed(extra)}.")
    groups = _grouped(rows)
    made: list[tuple[int, Drafted]] = [
        (part.line, Drafted(f"line {part.line}", part.text, reason=why)) for part, why in broken
    ]
    for group in groups:
        made += _rule(group)
    made.sort(key=lambda pair: pair[0])
    drafted = [entry for _, entry in made]
    return Draft(tuple(_ordered(drafted)), told=tuple(told))


def _rows(text: str) -> tuple[list[_Row], dict[str, str], list[str], list[str], list[tuple[_Row, str]]]:
    """Return a table's rows by what each column means, the headers, those without meaning, all, and broken rows."""
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    mark = max(",;\t|", key=lambda sign: (first.count(sign), sign == ","))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    header: list[str] | None = None
    rows: list[_Row] = []
    broken: list[tuple[_Row, str]] = []
    headers: dict[str, str] = {}
    places: dict[str, int] = {}
    extra: list[str] = []
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                headers, places, extra = _meanings(header)
                continue
            said = "\n".join(lines[line - 1 : reader.line_num])
            held = {means: cells[at].strip() if at < len(cells) else "" for means, at in places.items()}
            row = _Row(line, said, held)
            if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
                hint = f"put quotes around a cell that holds {mark!r}"
                broken.append((row, f"it has {len(cells)} cells and the header {len(header)}: {hint}"))
            elif len(rows) >= MAX_ROWS:
                broken.append((row, f"only {MAX_ROWS:,} rows are read"))
                break
            else:
                rows.append(row)
    except csv.Error as wrong:
        row = _Row(before + 1, "\n".join(lines[before:])[:2_000], {})
        broken.append((row, f"from here on the table cannot be read: {wrong}"))
    if header is None:
        raise RuleError("The table is empty", allowed="a line of headers, then one row a rule or condition")
    return rows, headers, extra, header, broken


def _meanings(header: Sequence[str]) -> tuple[dict[str, str], dict[str, int], list[str]]:
    meaning = {word: means for means, words in HEADERS.items() for word in words}
    headers: dict[str, str] = {}
    places: dict[str, int] = {}
    extra: list[str] = []
    for place, name in enumerate(header):
        means = meaning.get(_folded(name))
        if means is None:
            extra.append(name or f"(column {place + 1})")
        elif means in headers:
            raise RuleError(
                "Two columns mean the same", got=f"{headers[means]!r} and {name!r}: both {means}", hint="rename one"
            )
        else:
            headers[means], places[means] = name, place
    return headers, places, extra


def _folded(text: str) -> str:
    return " ".join(re.sub(r"[\s_\-/.]+", " ", text.casefold()).split())


def _grouped(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Return rows by rule, in order of the first; a row without a rule's name is a rule of its own."""
    groups: dict[object, list[_Row]] = {}
    for row in rows:
        name = row.cells.get("rule", "")
        groups.setdefault(name or row.line, []).append(row)
    return list(groups.values())


def _rule(group: Sequence[_Row]) -> list[tuple[int, Drafted]]:
    """Return the rule of some rows, or each row with the reason why there is none."""
    reasons: dict[int, str] = {}
    parts: list[str] = []
    for row in group:
        try:
            parts.append(_condition(row.cells))
        except RuleError as wrong:
            allowed = f"; allowed: {wrong.allowed}" if wrong.allowed else ""
            reasons[row.line] = f"{wrong.sentence}{allowed}"
    first, told = group[0], []
    one = {}
    for name in ("outcome", "priority", "title", "owner"):
        words = list(dict.fromkeys(cell for row in group if (cell := row.cells.get(name, ""))))
        if len(words) > 1 and name in ("outcome", "priority"):
            reasons.setdefault(first.line, f"its lines tell different {name}s: {listed(words)}")
        one[name] = words[0] if words else None
    joins = {_folded(cell) for row in group[:] if (cell := row.cells.get("join", ""))} if len(group) > 1 else set()
    if joins - {"and", "or", "all", "any"}:
        reasons.setdefault(first.line, f"its conditions are joined by {listed(sorted(joins))}: only and, or are read")
    if len({word in ("or", "any") for word in joins}) > 1:
        reasons.setdefault(first.line, "its conditions are joined by AND and by OR, and no brackets say which first")
    priority = _priority(one["priority"], reasons, first.line)
    text = "\n".join(row.text for row in group)
    if reasons:
        other = f"another line of this rule could not be read: line {min(reasons)}"
        return [
            (
                row.line,
                Drafted(
                    f"line {row.line}",
                    row.text,
                    rule=row.cells.get("rule") or None,
                    reason=reasons.get(row.line, other),
                ),
            )
            for row in group
        ]
    word = " OR " if joins & {"or", "any"} else " AND "
    if len(group) > 1:
        told.append(f"{len(group)} lines joined by{word.rstrip()}")
        plain = word == " AND " and not any(row.cells.get("condition") for row in group)
        parts = parts if plain else [f"({part})" for part in parts]
    place = f"line {first.line}" if len(group) == 1 else f"lines {listed([row.line for row in group])}"
    entry = Drafted(
        place,
        text,
        word.join(parts),
        one["outcome"],
        rule=first.cells.get("rule") or None,
        title=one["title"],
        owner=one["owner"],
        priority=priority,
        notes=tuple(told),
    )
    return [(first.line, entry)]


def _priority(text: str | None, reasons: dict[int, str], line: int) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
        reasons.setdefault(line, f"the priority {text[:40]!r} is no whole number")
        return None
    return int(text)


def _condition(cells: Mapping[str, str]) -> str:
    """Return one row's condition as rule text."""
    if cells.get("condition"):
        if cells.get("column") or cells.get("operator"):
            raise RuleError("it tells a condition and a column with an operator: which one holds?")
        from riskbench.engine.parse import parse

        parse(cells["condition"])  # alone, so that no bracket in it closes one of ours
        return cells["condition"]
    column, sign, value = (cells.get(name, "") for name in ("column", "operator", "value"))
    if not column:
        raise RuleError("there is no column and no condition")
    operator = OPERATORS.get(sign if sign in OPERATORS else _folded(sign))
    if operator is None:
        raise RuleError(
            f"the operator {sign[:40]!r} is not known", allowed=listed(dict.fromkeys(OPERATORS.values()), most=30)
        )
    if operator in _ALONE:
        if value:
            raise RuleError(f"{operator} takes no value, got {value[:40]!r}")
        return spelled(column, operator, None)
    if operator in ("in", "not in"):
        return spelled(column, operator, _list(value))
    if operator in ("between", "not between"):
        ends = [part.strip() for part in re.split(r"\.\.|;|\||,|\band\b", value.strip("[]()"), flags=re.IGNORECASE)]
        if len(ends) != 2 or not all(ends):
            raise RuleError(f"between needs two values, got {value[:60]!r}", allowed="5 and 9")
        return spelled(column, operator, [typed(end, ordered=True) for end in ends])
    if not value:
        raise RuleError("there is no value", allowed="for a missing value the operator is null, for the empty text ''")
    if operator in _ORDERED or operator in ("=", "<>"):
        return spelled(column, operator, typed(value, ordered=operator in _ORDERED))
    return spelled(column, operator, _unquoted(value)[0])


def typed(text: str, *, ordered: bool = False) -> bool | int | float | str:
    """Return a cell as number, true or false, or text; in quotes it is text.

    >>> typed("5"), typed("0815"), typed("'5'"), typed("true"), typed("1e3")
    (5, '0815', '5', True, 1000.0)
    """
    held, quoted = _unquoted(text)
    if quoted:
        return held
    if _NUMBER.fullmatch(held):
        return float(held) if set(held) & set(".eE") else int(held)
    if held.casefold() in ("true", "false") and not ordered:
        return held.casefold() == "true"
    if ordered and not _MOMENT.fullmatch(held):
        raise RuleError(
            f"the value {held[:60]!r} is neither a number nor a date", allowed="1500000.5 or 2026-01-31: no separators"
        )
    return held


def _unquoted(text: str) -> tuple[str, bool]:
    """Return a text without the quotation marks around it, and whether it had any."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1].replace(text[0] * 2, text[0]), True
    return text, False


def _list(text: str) -> list[bool | int | float | str]:
    """Return a list of values: JSON, or parted by | or ; or ,."""
    held = text.strip()
    if held.startswith("["):
        try:
            found = json.loads(held)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list) and found and all(isinstance(entry, bool | int | float | str) for entry in found):
            return found
    if held[:1] + held[-1:] in ("()", "[]") and not set(held[1:-1]) & set("()[]"):
        held = held[1:-1]
    mark = next((sign for sign in "|;" if sign in held), ",")
    parts = [
        part.strip() for part in next(csv.reader([held], delimiter=mark, quotechar="'", skipinitialspace=True), [])
    ]
    whole = [part.strip() for part in held.split(mark)]
    values = [typed(one) if one[:1] in "'\"" else typed(other) for one, other in zip(whole, parts, strict=False)]
    if not values or len(whole) != len(parts):
        values = [typed(part) for part in parts]
    if not values or any(value == "" for value in values):
        raise RuleError(f"the list {text[:60]!r} cannot be read", allowed="a | b | c")
    if len({isinstance(value, str) for value in values}) > 1:
        raise RuleError(f"the list {text[:60]!r} mixes numbers and text", allowed="put each text in quotes")
    return values


def _ordered(drafted: Sequence[Drafted]) -> list[Drafted]:
    """Return rules in the order of the table; where some tell no priority, none is taken over."""
    good = [entry for entry in drafted if not entry.reason]
    if good and any(entry.priority is None for entry in good) and any(entry.priority is not None for entry in good):
        note = "its priority is not taken over, as other rules tell none: the order of the table holds"
        return [
            replace(entry, priority=None, notes=(*entry.notes, note)) if entry.priority is not None else entry
            for entry in drafted
        ]
    return list(drafted)
