"""How does a rule text read aloud? Every node of its tree as words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from riskbench.engine.parse import Predicate

_SIGNS: dict[type[exp.Expr], tuple[str, str]] = {
    exp.EQ: ("is", "is not"),
    exp.NEQ: ("is not", "is"),
    exp.GT: ("is above", "is not above"),
    exp.GTE: ("is at least", "is not at least"),
    exp.LT: ("is below", "is not below"),
    exp.LTE: ("is at most", "is not at most"),
    exp.NullSafeEQ: ("is the same as", "is not the same as"),
    exp.NullSafeNEQ: ("is not the same as", "is the same as"),
}
_ARITHMETIC: dict[type[exp.Expr], str] = {
    exp.Add: "plus",
    exp.Sub: "minus",
    exp.Mul: "times",
    exp.Div: "divided by",
    exp.IntDiv: "divided in whole numbers by",
    exp.Mod: "modulo",
    exp.DPipe: "followed by",
}
_OF: dict[type[exp.Expr], str] = {
    exp.Abs: "the size of",
    exp.Round: "the rounded",
    exp.Floor: "the rounded-down",
    exp.Ceil: "the rounded-up",
    exp.Lower: "the small-letter form of",
    exp.Upper: "the capital-letter form of",
    exp.Length: "the number of letters of",
    exp.Year: "the year of",
    exp.Month: "the month of",
    exp.Day: "the day of the month of",
    exp.DayOfMonth: "the day of the month of",
    exp.Hour: "the hour of",
    exp.Minute: "the minute of",
    exp.Second: "the second of",
    exp.DayOfWeekIso: "the weekday (1 is Monday) of",
}
_PARTS = {"isodow": "weekday (1 is Monday)", "day": "day of the month"}
_TESTS: dict[type[exp.Expr], tuple[str, str]] = {
    exp.StartsWith: ("starts with", "does not start with"),
    exp.EndsWith: ("ends with", "does not end with"),
    exp.Contains: ("contains", "does not contain"),
    exp.Like: ("is like", "is not like"),
    exp.ILike: ("is like (in any capitals)", "is not like (in any capitals)"),
}


def said(predicate: Predicate, *, values: Mapping[str, str], lists: Mapping[str, int]) -> str:
    """Return a condition as words.

    Parameters
    ----------
    predicate : Predicate
        What `parse` returned.
    values : mapping of str to str
        Each parameter's value, as it is to be read.
    lists : mapping of str to int
        How many values each list holds.

    Examples
    --------
    >>> from riskbench.engine.parse import parse
    >>> told = parse("NOT (amount / items > :limit AND note IS NULL) OR hour(placed_at) BETWEEN 1 AND 5")
    >>> said(told, values={"limit": "5 IDR"}, lists={})
    'it is not so that (amount divided by items is above 5 IDR, and note is missing), or the hour of placed at is \
between 1 and 5'
    """
    return _Speaker(values, lists).condition(predicate.tree)


class _Speaker:
    """One rule text on its way to words."""

    def __init__(self, values: Mapping[str, str], lists: Mapping[str, int]) -> None:
        self.values, self.lists = values, lists

    def condition(self, tree: exp.Expr) -> str:
        tree = _bare(tree)
        if isinstance(tree, exp.And | exp.Or):
            word = "and" if isinstance(tree, exp.And) else "or"
            parts = [_bare(part) for part in _chain(tree)]
            told = [
                f"({self.condition(part)})" if isinstance(part, exp.And | exp.Or) else self.condition(part)
                for part in parts
            ]
            return f"{', '.join(told[:-1])}, {word} {told[-1]}"
        if isinstance(tree, exp.Not):
            return self.denied(_bare(tree.this))
        return self.single(tree, positive=True)

    def denied(self, tree: exp.Expr) -> str:
        if isinstance(tree, exp.And | exp.Or | exp.Not):
            return f"it is not so that ({self.condition(tree)})"
        return self.single(tree, positive=False)

    def single(self, tree: exp.Expr, *, positive: bool) -> str:
        kind = type(tree)
        place = 0 if positive else 1
        if kind in _SIGNS:
            return f"{self.value(tree.this)} {_SIGNS[kind][place]} {self.value(tree.expression)}"
        if kind is exp.Between:
            low, high = self.value(tree.args["low"]), self.value(tree.args["high"])
            return f"{self.value(tree.this)} is {'' if positive else 'not '}between {low} and {high}"
        if kind is exp.In:
            return self.member(tree, positive=positive)
        if kind is exp.Is:
            return self.identity(tree, positive=positive)
        if kind in _TESTS:
            return f"{self.value(tree.this)} {_TESTS[kind][place]} {self.value(tree.expression)}"
        if kind is exp.Boolean:
            return ("always" if bool(tree.this) is positive else "never") + " so"
        if kind is exp.Null:
            return "unknown, so never"
        return f"{self.value(tree)} is {'true' if positive else 'false'}"

    def member(self, tree: exp.Expr, *, positive: bool) -> str:
        subject = self.value(tree.this)
        field = tree.args.get("field")
        if field is not None:
            name = str(_bare(field).this)
            words = f"{'in' if positive else 'not in'} the list {name.replace('_', ' ')}"
            return (
                f"{subject} is {words} ({self.lists[name]:,} values)" if name in self.lists else f"{subject} is {words}"
            )
        told = [self.value(part) for part in tree.expressions]
        if len(told) == 1:
            return f"{subject} is {'' if positive else 'not '}{told[0]}"
        return f"{subject} is {'one' if positive else 'none'} of {', '.join(told)}"

    def identity(self, tree: exp.Expr, *, positive: bool) -> str:
        what = _bare(tree.expression)
        if isinstance(what, exp.Null):
            return f"{self.value(tree.this)} is {'missing' if positive else 'there'}"
        if not isinstance(what, exp.Boolean):
            return f"{self.value(tree.this)} is {'' if positive else 'not '}{self.value(what)}"
        said_ = "true" if isinstance(what, exp.Boolean) and bool(what.this) else "false"
        subject = _bare(tree.this)
        told = self.value(subject) if isinstance(subject, exp.Column) else f"that {self.condition(subject)}"
        return f"{told} is {'' if positive else 'not '}certainly {said_}"

    def value(self, tree: exp.Expr) -> str:
        tree = _bare(tree)
        kind = type(tree)
        simple = _VALUES.get(kind)
        if simple is not None:
            return simple(self, tree)
        if kind in _ARITHMETIC:
            return f"{self.part(tree.this)} {_ARITHMETIC[kind]} {self.part(tree.expression)}"
        if kind in _OF:
            return f"{_OF[kind]} {self.part(tree.this)}"
        return f"(whether {self.condition(tree)})"

    def part(self, tree: exp.Expr) -> str:
        """Return a value that stands beside others, in brackets where it is itself composed."""
        bare = _bare(tree)
        told = self.value(bare)
        return f"({told})" if type(bare) in _ARITHMETIC or type(bare) in _OF or isinstance(bare, exp.Case) else told

    def placeholder(self, tree: exp.Expr) -> str:
        name = str(tree.this)
        return self.values.get(name, f"the {name.replace('_', ' ')}")

    def literal(self, tree: exp.Expr) -> str:
        text = str(tree.this)
        if tree.is_string:
            return "'" + text.replace("'", "''") + "'"
        return f"{int(text):,}" if text.isascii() and text.isdigit() and len(text) < 30 else text

    def chosen(self, tree: exp.Expr) -> str:
        branches = tree.args.get("ifs") or [tree]
        subject = tree.this if isinstance(tree, exp.Case) else None
        told = []
        for branch in branches:
            when = (
                self.condition(branch.this)
                if subject is None
                else f"{self.value(subject)} is {self.value(branch.this)}"
            )
            told.append(f"{self.value(branch.args['true'])} where {when}")
        default = tree.args.get("default") if isinstance(tree, exp.Case) else tree.args.get("false")
        told.append(f"else {self.value(default)}" if default is not None else "else nothing")
        return f"({', '.join(told)})"

    def listed(self, tree: exp.Expr) -> str:
        word: dict[type[exp.Expr], str] = {
            exp.Coalesce: "the first that is there of",
            exp.Greatest: "the largest of",
            exp.Least: "the smallest of",
        }
        told = ", ".join(self.value(part) for part in (tree.this, *tree.expressions))
        return f"{word[type(tree)]} ({told})"

    def without(self, tree: exp.Expr) -> str:
        return f"{self.part(tree.this)} (missing where it is {self.value(tree.expression)})"

    def trimmed(self, tree: exp.Expr) -> str:
        where = {"LEADING": " at its beginning", "TRAILING": " at its end"}.get(
            str(tree.args.get("position") or ""), ""
        )
        return f"{self.part(tree.this)} without blanks{where or ' around it'}"

    def cut(self, tree: exp.Expr) -> str:
        if isinstance(tree, exp.Substring):
            start, size = tree.args.get("start"), tree.args.get("length")
            begin = f" from letter {self.value(start)} on" if start is not None else ""
            many = f"{self.value(size)} letters" if size is not None else "the letters"
            return f"{many} of {self.part(tree.this)}{begin}"
        side = "first" if isinstance(tree, exp.Left) else "last"
        return f"the {side} {self.value(tree.expression)} letters of {self.part(tree.this)}"

    def extracted(self, tree: exp.Expr) -> str:
        name = str(tree.this.this if isinstance(tree.this, exp.Var) else tree.this).casefold()
        return f"the {_PARTS.get(name, name)} of {self.part(tree.expression)}"

    def cast(self, tree: exp.Expr) -> str:
        wanted = str(tree.args["to"].this.name)
        word = {"DOUBLE": "number", "VARCHAR": "text", "TEXT": "text", "DATE": "date"}.get(wanted, "moment")
        return f"{self.part(tree.this)} as a {word}"

    def negative(self, tree: exp.Expr) -> str:
        told = self.part(tree.this)
        return f"-{told}" if isinstance(_bare(tree.this), exp.Literal) else f"minus {told}"


_VALUES: dict[type[exp.Expr], Callable[[_Speaker, exp.Expr], str]] = {
    exp.Column: lambda _, tree: str(tree.this.this).replace("_", " "),
    exp.Literal: _Speaker.literal,
    exp.Placeholder: _Speaker.placeholder,
    exp.Boolean: lambda _, tree: "true" if tree.this else "false",
    exp.Null: lambda *_: "nothing",
    exp.Case: _Speaker.chosen,
    exp.If: _Speaker.chosen,
    exp.Coalesce: _Speaker.listed,
    exp.Greatest: _Speaker.listed,
    exp.Least: _Speaker.listed,
    exp.Nullif: _Speaker.without,
    exp.Trim: _Speaker.trimmed,
    exp.Left: _Speaker.cut,
    exp.Right: _Speaker.cut,
    exp.Substring: _Speaker.cut,
    exp.Extract: _Speaker.extracted,
    exp.Cast: _Speaker.cast,
    exp.TryCast: _Speaker.cast,
    exp.Neg: _Speaker.negative,
}


def _bare(tree: exp.Expr) -> exp.Expr:
    while type(tree) is exp.Paren:
        tree = tree.this
    return tree


def _chain(tree: exp.Expr) -> list[exp.Expr]:
    kind, parts = type(tree), []
    while type(tree) is kind:
        parts.append(tree.expression)
        tree = _bare(tree.this) if type(_bare(tree.this)) is kind else tree.this
    return [tree, *reversed(parts)]
