"""Which words may stand in a rule: the allow-list, by the exact class of each node."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlglot import exp

_TWO = frozenset({"this", "expression"})
_ONE = frozenset({"this"})
_MORE = frozenset({"this", "expressions"})

#: Each class of node that may occur, with the arguments that may be filled.
ALLOWED: Mapping[type[exp.Expr], frozenset[str]] = MappingProxyType(
    {
        exp.And: _TWO,
        exp.Or: _TWO,
        exp.Not: _ONE,
        exp.Paren: _ONE,
        exp.EQ: _TWO,
        exp.NEQ: _TWO,
        exp.GT: _TWO,
        exp.GTE: _TWO,
        exp.LT: _TWO,
        exp.LTE: _TWO,
        exp.NullSafeEQ: _TWO,
        exp.NullSafeNEQ: _TWO,
        exp.Is: _TWO,
        exp.Between: frozenset({"this", "low", "high"}),
        exp.In: frozenset({"this", "expressions", "field"}),
        exp.Like: _TWO,
        exp.ILike: _TWO,
        exp.Add: _TWO,
        exp.Sub: _TWO,
        exp.Mul: _TWO,
        exp.Div: _TWO | {"typed", "safe"},
        exp.IntDiv: _TWO,
        exp.Mod: _TWO,
        exp.Neg: _ONE,
        exp.DPipe: _TWO | {"safe"},
        exp.Column: _ONE,
        exp.Identifier: frozenset({"this", "quoted"}),
        exp.Literal: frozenset({"this", "is_string"}),
        exp.Boolean: _ONE,
        exp.Null: frozenset(),
        exp.Case: frozenset({"this", "ifs", "default"}),
        exp.If: frozenset({"this", "true", "false"}),
        exp.Cast: frozenset({"this", "to", "_type"}),
        exp.TryCast: frozenset({"this", "to", "safe", "_type"}),
        exp.DataType: frozenset({"this", "nested"}),
        exp.Var: _ONE,
        exp.Coalesce: _MORE,
        exp.Nullif: _TWO,
        exp.Greatest: _MORE | {"ignore_nulls"},
        exp.Least: _MORE | {"ignore_nulls"},
        exp.Abs: _ONE,
        exp.Round: _ONE,
        exp.Floor: _ONE,
        exp.Ceil: _ONE,
        exp.Lower: _ONE,
        exp.Upper: _ONE,
        exp.Trim: frozenset({"this", "position"}),
        exp.Length: _ONE,
        exp.Left: _TWO,
        exp.Right: _TWO,
        exp.Substring: frozenset({"this", "start", "length"}),
        exp.StartsWith: _TWO,
        exp.EndsWith: _TWO,
        exp.Contains: _TWO,
        exp.Extract: _TWO,
        exp.Year: _ONE,
        exp.Month: _ONE,
        exp.Day: _ONE,
        exp.DayOfMonth: _ONE,
        exp.Hour: _ONE,
        exp.Minute: _ONE,
        exp.Second: _ONE,
        exp.DayOfWeekIso: _ONE,
    }
)

#: The functions as an analyst writes them, for messages.
FUNCTIONS = (
    "abs",
    "ceil",
    "coalesce",
    "contains",
    "day",
    "ends_with",
    "extract",
    "floor",
    "greatest",
    "hour",
    "isodow",
    "least",
    "left",
    "length",
    "lower",
    "ltrim",
    "minute",
    "month",
    "nullif",
    "right",
    "round",
    "rtrim",
    "second",
    "starts_with",
    "substr",
    "trim",
    "try_cast",
    "upper",
    "year",
)
NAMES = (*FUNCTIONS, "cast", "ceiling", "ifnull", "len", "substring", "if")

_CLOCK = "a rule must give the same answer on every run: compare two columns, or use a parameter"
_REGEXP = "patterns differ between engines: use LIKE, starts_with, ends_with or contains"
_AGGREGATE = "a rule sees one event: declare a velocity feature in the book and use its name"

#: What to do instead, by the word that was written.
HINTS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("now", "today", "current_date", "current_timestamp", "current_time", "get_current_time"), _CLOCK
        ),
        **dict.fromkeys(
            ("random", "rand", "uuid", "gen_random_uuid", "nextval", "setseed"),
            "a rule must give the same answer on every run",
        ),
        **dict.fromkeys(
            ("regexp_matches", "regexp_full_match", "regexp_extract", "regexp_replace", "regexp_like"), _REGEXP
        ),
        **dict.fromkeys(
            (
                "sum",
                "count",
                "avg",
                "min",
                "max",
                "median",
                "mean",
                "count_distinct",
                "list",
                "string_agg",
                "row_number",
                "lag",
                "lead",
                "rank",
            ),
            _AGGREGATE,
        ),
        **dict.fromkeys(
            ("dayofweek", "weekday", "dow", "isodayofweek"),
            "the first day differs between engines: use isodow(), 1 = Monday",
        ),
        **dict.fromkeys(("hash", "md5", "sha256"), "hashes differ between engines"),
        "concat": "missing values differ between engines: use a || b",
        "date_part": "use extract(hour FROM column)",
        "datediff": "it counts differently in different engines: add the difference as a column",
        "date_diff": "it counts differently in different engines: add the difference as a column",
        "strpos": "use contains(text, part)",
        "suffix": "use ends_with(text, part)",
        "prefix": "use starts_with(text, part)",
        "isnull": "use column IS NULL",
        "xor": "write (a AND NOT b) OR (b AND NOT a)",
        "&&": "use AND",
        "||": "use OR",
    }
)

#: Nodes that people do write, with a plain sentence and what to do instead.
REFUSED: Mapping[str, tuple[str | None, str | None]] = MappingProxyType(
    {
        "Subquery": ("A rule cannot ask a query of its own", _AGGREGATE),
        "Select": ("A rule cannot ask a query of its own", _AGGREGATE),
        "Exists": ("A rule cannot ask a query of its own", _AGGREGATE),
        "Union": ("A rule cannot ask a query of its own", None),
        "Window": ("A rule sees one event, not a window of events", _AGGREGATE),
        "Star": ("The rule language has no *", None),
        "Lambda": ("The rule language has no lambda", None),
        "RegexpLike": ("The rule language has no regular expressions", _REGEXP),
        "RegexpFullMatch": ("The rule language has no regular expressions", _REGEXP),
        "SimilarTo": ("The rule language has no regular expressions", _REGEXP),
        "Glob": ("The rule language has no GLOB", "use LIKE"),
        "Escape": ("LIKE with ESCAPE is not part of the rule language", "use contains(), starts_with() or ends_with()"),
        "Interval": (
            "Intervals differ between engines",
            "add the difference of two times as a column, in seconds or days",
        ),
        "ByteString": ("Only plain quotations 'like this' are allowed", None),
        "RawString": ("Only plain quotations 'like this' are allowed", None),
        "National": ("Only plain quotations 'like this' are allowed", None),
        "UnicodeString": ("Only plain quotations 'like this' are allowed", None),
        "HexString": ("Only plain quotations 'like this' are allowed", None),
        "CurrentDate": ("A rule cannot ask for the time of day", _CLOCK),
        "CurrentTimestamp": ("A rule cannot ask for the time of day", _CLOCK),
        "CurrentTime": ("A rule cannot ask for the time of day", _CLOCK),
        "Alias": ("A condition has no AS", None),
        "Tuple": ("A list stands only after IN", "column IN (1, 2)"),
        "Dot": ("A dot is not part of the rule language", 'put a column name that holds a dot in double quotes: "a.b"'),
        "Any": ("ANY and ALL are not part of the rule language", "use IN"),
        "All": ("ANY and ALL are not part of the rule language", "use IN"),
    }
)

#: What a node is called in a message, where its class name would not do.
SIGNS: Mapping[str, str] = MappingProxyType(
    {
        "Xor": "XOR",
        "BitwiseAnd": "&",
        "BitwiseOr": "|",
        "BitwiseXor": "^",
        "BitwiseNot": "~",
        "BitwiseLeftShift": "<<",
        "BitwiseRightShift": ">>",
        "Pow": "Power",
    }
)
