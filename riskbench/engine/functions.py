"""How is each arithmetic sign and function checked and spelled? One function a kind of node."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import exp

from riskbench.engine.literals import Literal, moment, of_float, of_int
from riskbench.engine.terms import KIND_WORDS, Binder, Term, constant, even, made

Handler = Callable[[Binder, exp.Expr], Term]
_NAN = "CAST('NaN' AS DOUBLE)"
#: The least whole number that a column can hold.
LEAST = -(2**63)
_SIGNS: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.IntDiv: "//",
    exp.Mod: "%",
}
_PARTS: dict[type[exp.Expr], str] = {
    exp.Year: "year",
    exp.Month: "month",
    exp.Day: "day",
    exp.DayOfMonth: "day",
    exp.Hour: "hour",
    exp.Minute: "minute",
    exp.Second: "second",
    exp.DayOfWeekIso: "isodow",
}
_SPELLED: dict[type[exp.Expr], str] = {
    exp.Round: "ROUND",
    exp.Floor: "FLOOR",
    exp.Ceil: "CEIL",
    exp.StartsWith: "STARTS_WITH",
    exp.EndsWith: "ENDS_WITH",
    exp.Contains: "CONTAINS",
    exp.Coalesce: "COALESCE",
    exp.Greatest: "GREATEST",
    exp.Least: "LEAST",
}
_PART_NAMES = tuple(dict.fromkeys(_PARTS.values()))


def _arithmetic(binder: Binder, tree: exp.Expr) -> Term:
    sign = _SIGNS[type(tree)]
    left, right = binder.numeric(tree.this), binder.numeric(tree.expression)
    if sign in ("/", "//", "%") and right.literal is not None and right.literal.value == 0:
        raise binder.wrong("This divides by zero", tree.expression)
    if left.literal is not None and right.literal is not None:
        try:
            return constant(_folded(left.literal, sign, right.literal), (left, right))
        except (ValueError, OverflowError) as wrong:
            raise binder.wrong("This number is larger than a column can hold", tree) from wrong
    whole = left.kind == right.kind == "int"
    if sign == "//" and not whole:
        raise binder.wrong("// divides whole numbers only", tree, hint="use floor(a / b)")
    if not (whole and sign in ("//", "%")):
        left, right = left.as_float(), right.as_float()
    below = _divisor(left, sign, right, whole=whole) if sign in ("/", "//", "%") else right.sql
    return made(f"({left.sql} {sign} {below})", right.kind if right.kind == left.kind else "float", (left, right))


def _divisor(left: Term, sign: str, right: Term, *, whole: bool) -> str:
    """Return what is divided by, so that no row stops the query: by 0 the answer is missing.

    The least whole number by -1 is larger than a column can hold: `//` is missing there, and `%` is 0 as it should be.
    """
    below = right.sql
    if whole and sign != "/" and (right.literal is None or right.literal.value == -1):
        least = left.literal is None or left.literal.value == LEAST
        if sign == "%" and least:
            below = f"CASE WHEN {right.sql} = (-1) THEN 1 ELSE {right.sql} END"
        elif least:
            below = f"CASE WHEN {left.sql} = ({LEAST}) AND {right.sql} = (-1) THEN 0 ELSE {right.sql} END"
        if least:
            return f"NULLIF({below}, 0)"
    if right.literal is not None:
        return below
    return f"NULLIF({below}, 0{'' if right.kind == 'int' else 'e0'})"


def _folded(left: Literal, sign: str, right: Literal) -> Literal:
    """Return what two literals make."""
    a, b = left.value, right.value
    assert not isinstance(a, str)
    assert not isinstance(b, str)
    if left.kind == right.kind == "int" and sign != "/":
        assert isinstance(a, int)
        assert isinstance(b, int)
        if sign in ("//", "%"):
            whole = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            return of_int(whole if sign == "//" else a - whole * b)
        return of_int(a + b if sign == "+" else a - b if sign == "-" else a * b)
    a, b = float(a), float(b)
    if sign == "//":
        raise ValueError("// divides whole numbers only")
    made_of = {
        "+": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "/": lambda: a / b,
        "%": lambda: math.fmod(a, b),
    }
    return of_float(made_of[sign]())


def _negative(binder: Binder, tree: exp.Expr) -> Term:
    inner = tree.this
    if isinstance(inner, exp.Literal) and not inner.is_string and str(inner.this) == str(-LEAST):
        return constant(of_int(LEAST))  # the one whole number whose positive is none
    term = binder.numeric(inner)
    if term.literal is not None:
        value = term.literal.value
        assert not isinstance(value, str)
        try:
            return constant(of_int(-value) if isinstance(value, int) else of_float(-value), (term,))
        except ValueError as wrong:
            raise binder.wrong("This number is larger than a column can hold", tree) from wrong
    term = term.as_float()
    return made(f"(-{term.sql})", term.kind, (term,))


def _absolute(binder: Binder, tree: exp.Expr) -> Term:
    term = binder.numeric(tree.this).as_float()
    return made(f"ABS({term.sql})", term.kind, (term,))


def _rounded(binder: Binder, tree: exp.Expr) -> Term:
    term = binder.numeric(tree.this)
    name = _SPELLED[type(tree)]
    return term if term.kind == "int" else made(f"{name}({term.sql})", "float", (term,))


def _text(binder: Binder, tree: exp.Expr) -> Term:
    term = binder.textual(tree.this)
    if isinstance(tree, exp.Length):
        return made(f"LENGTH({term.sql})", "int", (term,))
    return made(f"{'LOWER' if isinstance(tree, exp.Lower) else 'UPPER'}({term.sql})", "string", (term,))


def _trimmed(binder: Binder, tree: exp.Expr) -> Term:
    term = binder.textual(tree.this)
    name = {"LEADING": "LTRIM", "TRAILING": "RTRIM"}.get(str(tree.args.get("position") or ""), "TRIM")
    return made(f"{name}({term.sql}, ' ')", "string", (term,))


def _place(binder: Binder, tree: exp.Expr, lowest: int) -> Term:
    term = binder.numeric(tree)
    if term.literal is None or term.kind != "int" or not lowest <= int(term.literal.value) <= 1_000_000:
        raise binder.wrong(
            "A place in a text is a plain whole number",
            tree,
            allowed=f"{lowest} to 1,000,000",
            hint="places count from 1",
        )
    return term


def _cut(binder: Binder, tree: exp.Expr) -> Term:
    term = binder.textual(tree.this)
    if isinstance(tree, exp.Substring):
        start, size = tree.args.get("start"), tree.args.get("length")
        if start is None:
            raise binder.wrong("substr needs a first place", tree, allowed="substr(text, 1, 3)")
        places = [_place(binder, start, 1)] + ([_place(binder, size, 0)] if size is not None else [])
        texts = ", ".join(place.sql for place in places)
        return made(f"SUBSTRING({term.sql}, {texts})", "string", (term, *places))
    size_term = _place(binder, tree.expression, 0)
    name = "LEFT" if isinstance(tree, exp.Left) else "RIGHT"
    return made(f"{name}({term.sql}, {size_term.sql})", "string", (term, size_term))


def _found(binder: Binder, tree: exp.Expr) -> Term:
    term, part = binder.textual(tree.this), binder.textual(tree.expression)
    name = _SPELLED[type(tree)]
    return made(f"{name}({term.sql}, {part.sql})", "bool", (term, part))


def _like(binder: Binder, tree: exp.Expr) -> Term:
    term, pattern = binder.textual(tree.this), binder.textual(tree.expression)
    if pattern.literal is None:
        raise binder.wrong("LIKE needs a plain pattern", tree.expression, allowed="text in quotes, or a parameter")
    if "\\" in str(pattern.literal.value):
        raise binder.wrong(
            "A backslash in a pattern means different things in different engines",
            tree.expression,
            hint="use contains(), starts_with() or ends_with()",
        )
    word = "LIKE" if type(tree) is exp.Like else "ILIKE"
    return made(f"({term.sql} {word} {pattern.sql})", "bool", (term, pattern))


def _joined(binder: Binder, tree: exp.Expr) -> Term:
    left, right = binder.textual(tree.this), binder.textual(tree.expression)
    return made(f"({left.sql} || {right.sql})", "string", (left, right))


def _part(binder: Binder, tree: exp.Expr) -> Term:
    if type(tree) is exp.Extract:
        name = str(tree.this.this if isinstance(tree.this, exp.Var) else tree.this).casefold()
        source = tree.expression
    else:
        name, source = _PARTS[type(tree)], tree.this
    if name not in _PART_NAMES:
        hint = "use isodow, 1 = Monday" if name in ("dow", "dayofweek", "weekday") else None
        raise binder.wrong(f"There is no part {name!r} to extract", tree, allowed=", ".join(_PART_NAMES), hint=hint)
    term = binder.temporal(source)
    return made(f"{name.upper()}({term.sql})", "int", (term,))


def _cast(binder: Binder, tree: exp.Expr) -> Term:
    wanted = str(tree.args["to"].this.name)
    term = binder.term(tree.this)
    if wanted in ("DATE", "TIMESTAMP", "TIMESTAMPNTZ", "DATETIME"):
        return _cast_time(binder, tree, term, day=wanted == "DATE")
    if wanted == "DOUBLE" and term.number:
        return term.as_float()
    if wanted == "DOUBLE" and term.kind == "string":
        return made(f"NULLIF(TRY_CAST({term.sql} AS DOUBLE), {_NAN})", "float", (term,))
    if wanted in ("VARCHAR", "TEXT") and term.kind == "string":
        return term
    if wanted in ("VARCHAR", "TEXT") and term.kind == "int":
        return made(f"CAST({term.sql} AS VARCHAR)", "string", (term,))
    if wanted in ("INT", "BIGINT", "SMALLINT", "TINYINT", "HUGEINT", "INT128", "UINT", "UBIGINT"):
        raise binder.wrong(
            "A cast to a whole number rounds in one engine and cuts in another",
            tree,
            hint="use floor(x), ceil(x) or round(x)",
        )
    if wanted in ("DOUBLE", "VARCHAR", "TEXT"):
        raise binder.wrong(f"{KIND_WORDS[term.kind].capitalize()} cannot be cast to {wanted}", tree)
    hint = "use DOUBLE" if wanted in ("FLOAT", "DECIMAL", "REAL") else None
    raise binder.wrong(
        f"A cast to {wanted} is not part of the rule language",
        tree,
        allowed="DOUBLE, VARCHAR, DATE, TIMESTAMP",
        hint=hint,
    )


def _cast_time(binder: Binder, tree: exp.Expr, term: Term, *, day: bool) -> Term:
    if term.kind == "string" and term.literal is not None:
        text = str(term.literal.value).strip()
        try:
            return constant(moment(text[:10] if day else text), (term,))
        except ValueError:
            raise binder.wrong(
                "This is not a moment", tree.this, allowed="'2026-01-31' or '2026-01-31 18:00:00', in UTC"
            ) from None
    if term.kind not in ("string", "time"):
        raise binder.wrong(f"{KIND_WORDS[term.kind].capitalize()} cannot be cast to a time", tree)
    if day:
        word = "TRY_CAST" if term.kind == "string" else "CAST"
        return made(f"CAST({word}({term.sql} AS DATE) AS TIMESTAMP)", "time", (term,))
    return term if term.kind == "time" else made(f"TRY_CAST({term.sql} AS TIMESTAMP)", "time", (term,))


def _unified(binder: Binder, trees: list[exp.Expr]) -> tuple[list[Term], str]:
    """Return values of one kind, and the kind."""
    terms = [binder.term(tree) for tree in trees]
    first = next((i for i, term in enumerate(terms) if term.kind not in ("null", "string")), None)
    if first is None:
        first = next((i for i, term in enumerate(terms) if term.kind != "null"), None)
    if first is None:
        return terms, "null"
    for place, term in enumerate(terms):
        if term.kind != "null":
            terms[place] = binder.fit(terms[first], term, trees[first], trees[place])[1]
    terms = list(even(terms))
    return terms, terms[first].kind


def _picked(binder: Binder, tree: exp.Expr) -> Term:
    if isinstance(tree, exp.Nullif):
        terms, kind = _unified(binder, [tree.this, tree.expression])
        return made(f"NULLIF({terms[0].sql}, {terms[1].sql})", kind, terms)
    terms, kind = _unified(binder, [tree.this, *tree.expressions])
    name = _SPELLED[type(tree)]
    if kind == "bool" and name != "COALESCE":
        raise binder.wrong("True and false have no order", tree)
    if kind == "null":
        return Term("NULL", "null")
    return made(f"{name}({', '.join(term.sql for term in terms)})", kind, terms)


def _case(binder: Binder, tree: exp.Expr) -> Term:
    branches = tree.args.get("ifs") or [tree]
    subject = tree.this if isinstance(tree, exp.Case) else None
    default = tree.args.get("default") if isinstance(tree, exp.Case) else tree.args.get("false")
    conditions = []
    for branch in branches:
        if subject is None:
            conditions.append(binder.boolean(branch.this))
        else:
            left, right = even(binder.pair(subject, branch.this))
            conditions.append(made(f"({left.sql} = {right.sql})", "bool", (left, right)))
    values, kind = _unified(binder, [b.args["true"] for b in branches] + ([default] if default is not None else []))
    if kind == "null":
        return Term("NULL", "null")
    whens = " ".join(f"WHEN {c.sql} THEN {v.sql}" for c, v in zip(conditions, values, strict=False))
    last = f" ELSE {values[-1].sql}" if default is not None else ""
    return made(f"CASE {whens}{last} END", kind, (*conditions, *values))


HANDLERS: Mapping[type[exp.Expr], Handler] = MappingProxyType(
    {
        **dict.fromkeys(_SIGNS, _arithmetic),
        **dict.fromkeys((exp.Round, exp.Floor, exp.Ceil), _rounded),
        **dict.fromkeys((exp.Lower, exp.Upper, exp.Length), _text),
        **dict.fromkeys((exp.Left, exp.Right, exp.Substring), _cut),
        **dict.fromkeys((exp.StartsWith, exp.EndsWith, exp.Contains), _found),
        **dict.fromkeys((exp.Like, exp.ILike), _like),
        **dict.fromkeys((exp.Extract, *_PARTS), _part),
        **dict.fromkeys((exp.Cast, exp.TryCast), _cast),
        **dict.fromkeys((exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least), _picked),
        **dict.fromkeys((exp.Case, exp.If), _case),
        exp.Neg: _negative,
        exp.Abs: _absolute,
        exp.Trim: _trimmed,
        exp.DPipe: _joined,
    }
)
