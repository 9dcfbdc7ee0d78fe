# ruff: noqa: E501 - lists of hostile texts
"""Generated rule texts, valid, broken and hostile, and what parse, bind, kernel and DuckDB make of each."""

from __future__ import annotations

import hashlib
import json
import random
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from engine import hostile

from riskbench.engine.bind import bind
from riskbench.engine.duck import Session, session
from riskbench.engine.kernel import evaluate
from riskbench.engine.leaves import Joined, Leaf, leaves, taken_apart
from riskbench.engine.parse import parse
from riskbench.engine.table import Table
from riskbench.engine.transpile import DIALECTS, print_sql
from riskbench.engine.tree import Node, Not, to_sql
from riskbench.errors import EngineError, RiskbenchError
from riskbench.rules.exchange.imports import import_rules

ROWS = 64
#: Conditions a DuckDB query.
BATCH = 250
WORDS = (
    "", " ", "a", "A", "ab", "it's", '"', "ID", "id", "Ä", "ä", "ß", "İ", "日本", "e\u0301", "é", "a%", "a_b", "a\\b", "NULL",
    "true", "1", "01", "-5", "1e3", "nan", "inf", "2026-01-31", "2026-01-31 18:00:00", "31.01.2026", "\U0001f389", "--", ";",
    " a ", "\ta", "a\nb", "'; DROP TABLE events; --",
)  # fmt: skip
FLOATS = (
    None, float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 0.1, 0.30000000000000004, 1.5, -1.5, 2.5, 3.5, 100.0, 5.0, 2.0**53,
    2.0**53 + 2, 2.0**63, -(2.0**63), 1e300, -1e300, 5e-324, 1e-300, 9.007199254740993e15,
)  # fmt: skip
INTS = (
    None,
    0,
    1,
    -1,
    2,
    3,
    5,
    7,
    10,
    100,
    2**31,
    2**53 - 1,
    2**53,
    2**53 + 1,
    -(2**53) - 1,
    2**62,
    2**63 - 1,
    -(2**63),
    -(2**63) + 1,
)
MOMENTS = (None, 0, 1, -1, 1_767_225_600_000_000, 1_767_225_600_000_001, 1_767_225_599_999_999, 1_772_323_199_000_000,
           1_709_164_800_000_000, -62_000_000_000_000_000, 253_402_300_799_999_999)  # fmt: skip
POOLS = {"float": FLOATS, "int": INTS, "string": (None, *WORDS), "bool": (None, True, False), "time": MOMENTS}
KINDS = {
    "amount": "float", "Fee": "float", 'odd "näme"': "float", "items": "int", "tries": "int", "country": "string", "note": "string",
    "placed_at": "time", "seen on": "time", "is_new": "bool", "trusted": "bool",
}  # fmt: skip
PARAMS = {
    "limit": 100, "share": 0.3, "word": "it's", "since": "2026-01-01", "yes": True, "most": 2**63 - 1, "least": -(2**63),
    "lands": ("ID", "it's", "Ä"), "numbers": (1, 2**53 + 1, -(2**63)), "halves": (0.5, 2.5), "none": (), "big": 1e300,
}  # fmt: skip
_ARROW = {
    "float": pa.float64(),
    "int": pa.int64(),
    "string": pa.string(),
    "bool": pa.bool_(),
    "time": pa.timestamp("us"),
}


def table(seed: int = 0, rows: int = ROWS) -> Table:
    """A small table in which every column holds every trap."""
    rng = random.Random(seed)
    made = {}
    for name, kind in KINDS.items():
        pool = list(POOLS[kind])
        cells = [pool[k] if k < len(pool) else rng.choice(pool) for k in range(max(rows, len(pool)))]
        rng.shuffle(cells)
        cells = cells[:rows]
        array = (
            pa.array(cells, type=pa.int64()).cast(_ARROW[kind])
            if kind == "time"
            else pa.array(cells, type=_ARROW[kind])
        )
        made[name] = array
    return Table.from_arrow(pa.table(made))


class Writer:
    """Writes one rule text after the other."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.hostile = [*hostile.REFUSED.values(), *hostile.UNBOUND.values(), *hostile.BOUND.values()]

    def text(self) -> str:
        draw = self.rng.random()
        if draw < 0.62:
            return self.valid()
        if draw < 0.82:
            return self.broken()
        return self.attack()

    def valid(self) -> str:
        return self.condition(self.rng.choice((0, 1, 1, 2, 2, 3)))

    # Conditions

    def condition(self, depth: int) -> str:
        rng = self.rng
        if depth > 0:
            form = rng.randrange(5)
            if form < 3:
                word = rng.choice((" AND ", " OR ", " and ", "\nOR "))
                parts = [self.condition(depth - 1) for _ in range(rng.choice((2, 2, 3)))]
                return word.join(f"({part})" if rng.random() < 0.8 else part for part in parts)
            if form == 3:
                return f"NOT ({self.condition(depth - 1)})"
            return f"({self.condition(depth - 1)})"
        return rng.choice(self._leaves)(self)

    def compared(self) -> str:
        kind = self.rng.choice(("number", "number", "number", "string", "time"))
        sign = self.rng.choice(("<", "<=", ">", ">=", "=", "<>", "!=", "=="))
        left, right = self.of(kind), self.of(kind)
        return f"{left} {sign} {right}"

    def plain(self) -> str:
        """A column against a plain value: what the kernel answers itself."""
        name, kind = self.rng.choice(list(KINDS.items()))
        column = self.named(name)
        if kind == "bool":
            return self.rng.choice(
                (column, f"NOT {column}", f"{column} = TRUE", f"{column} IS NOT TRUE", f"FALSE <> {column}")
            )
        sign = self.rng.choice(("<", "<=", ">", ">=", "=", "<>"))
        value = {"float": self.number, "int": self.number, "string": self.word, "time": self.moment}[kind]()
        return f"{column} {sign} {value}" if self.rng.random() < 0.85 else f"{value} {sign} {column}"

    def between(self) -> str:
        kind = self.rng.choice(("number", "number", "string", "time"))
        negated = self.rng.choice(("", "NOT "))
        return f"{self.of(kind)} {negated}BETWEEN {self.of(kind)} AND {self.of(kind)}"

    def inside(self) -> str:
        kind = self.rng.choice(("number", "string", "time"))
        negated = self.rng.choice(("", "NOT "))
        if self.rng.random() < 0.2:
            name = {"number": self.rng.choice((":numbers", ":halves", ":none")), "string": ":lands", "time": ":none"}[
                kind
            ]
            return f"{self.of(kind)} {negated}IN {name}"
        values = [self.literal(kind) for _ in range(self.rng.randint(1, 5))]
        if self.rng.random() < 0.15:
            values.append("NULL")
        return f"{self.of(kind)} {negated}IN ({', '.join(values)})"

    def missing(self) -> str:
        kind = self.rng.choice(("number", "string", "time", "bool"))
        what = (
            self.rng.choice(("NULL", "NOT NULL"))
            if kind != "bool"
            else self.rng.choice(("NULL", "NOT NULL", "TRUE", "NOT FALSE"))
        )
        return f"{self.of(kind)} IS {what}"

    def pattern(self) -> str:
        word = self.rng.choice(("LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE"))
        wild = self.rng.choice(("%a%", "a_", "%", "", "%'%", "Ä%", "a%b", "__", "%日%", "%%"))
        return f"{self.text_value()} {word} '{wild.replace(chr(39), chr(39) * 2)}'"

    def found(self) -> str:
        name = self.rng.choice(("starts_with", "ends_with", "contains"))
        return f"{name}({self.text_value()}, {self.text_value()})"

    def distinct(self) -> str:
        kind = self.rng.choice(("number", "string", "time"))
        return f"{self.of(kind)} IS {self.rng.choice(('', 'NOT '))}DISTINCT FROM {self.of(kind)}"

    def constant(self) -> str:
        return self.rng.choice(
            ("TRUE", "FALSE", "NULL", "1 = 1", "1 > 2", ":yes", "NOT NULL", "'a' = 'A'", "NULL IS NULL")
        )

    def chosen(self) -> str:
        return f"CASE WHEN {self.plain()} THEN {self.plain()} ELSE {self.plain()} END"

    _leaves = (
        plain,
        plain,
        plain,
        compared,
        compared,
        compared,
        between,
        inside,
        missing,
        pattern,
        found,
        distinct,
        constant,
        chosen,
    )

    # Values

    def of(self, kind: str) -> str:
        return {
            "number": self.number_value,
            "string": self.text_value,
            "time": self.time_value,
            "bool": self.truth_value,
        }[kind]()

    def literal(self, kind: str) -> str:
        return {"number": self.number, "string": self.word, "time": self.moment}[kind]()

    def named(self, name: str) -> str:
        return name if name.isidentifier() and self.rng.random() < 0.7 else '"' + name.replace('"', '""') + '"'

    def column(self, *kinds: str) -> str:
        return self.named(self.rng.choice([name for name, kind in KINDS.items() if kind in kinds]))

    def number(self) -> str:
        pool = [
            str(self.rng.choice([v for v in INTS if v is not None and v != -(2**63)])), repr(self.rng.choice([v for v in FLOATS if v is not None and abs(v) < 1e301])),
            str(self.rng.randint(-20, 120)), f"{self.rng.uniform(-5, 5):.3f}", ":limit", ":share", ":most", ":least", ":big", "1_000", "1e6",
            "(-9223372036854775807 - 1)", "0", "9007199254740993", "9223372036854775807.0",
        ]  # fmt: skip
        return self.rng.choice(pool)

    def word(self) -> str:
        if self.rng.random() < 0.15:
            return ":word"
        return "'" + self.rng.choice(WORDS).replace("'", "''") + "'"

    def moment(self) -> str:
        return self.rng.choice(
            ("'2026-01-01'", "'2026-01-31 18:00:00'", "'2026-01-31T18:00:00+07:00'", "'1970-01-01 00:00:00.000001'", ":since",
             "'0001-01-01'", "'9999-12-31 23:59:59.999999'", "'2024-02-29'")
        )  # fmt: skip

    def number_value(self, depth: int = 2) -> str:
        rng = self.rng
        draw = rng.random()
        if depth == 0 or draw < 0.45:
            return self.column("float", "int") if rng.random() < 0.7 else self.number()
        inner = lambda: self.number_value(depth - 1)  # noqa: E731
        form = rng.randrange(12)
        if form < 4:
            return f"({inner()} {rng.choice('+-*/%')} {inner()})"
        if form == 4:
            return f"{self.column('int')} // {rng.choice((self.column('int'), '3', '-7'))}"
        if form == 5:
            return f"{rng.choice(('abs', 'ceil', 'floor', 'round', '-'))}({inner()})"
        if form == 6:
            return f"{rng.choice(('greatest', 'least', 'coalesce'))}({inner()}, {inner()}, {inner()})"
        if form == 7:
            return f"nullif({inner()}, {inner()})"
        if form == 8:
            return f"length({self.text_value(depth - 1)})"
        if form == 9:
            part = rng.choice(("year", "month", "day", "hour", "minute", "second", "isodow"))
            value = self.time_value(depth - 1)
            return f"{part}({value})" if rng.random() < 0.6 else f"extract({part} FROM {value})"
        if form == 10:
            return f"try_cast({self.text_value(depth - 1)} AS DOUBLE)"
        return f"CASE WHEN {self.plain()} THEN {inner()} ELSE {inner()} END"

    def text_value(self, depth: int = 2) -> str:
        rng = self.rng
        if depth == 0 or rng.random() < 0.5:
            return self.column("string") if rng.random() < 0.75 else self.word()
        inner = lambda: self.text_value(depth - 1)  # noqa: E731
        form = rng.randrange(9)
        if form < 3:
            return f"{rng.choice(('lower', 'upper', 'trim', 'ltrim', 'rtrim'))}({inner()})"
        if form == 3:
            return f"{rng.choice(('left', 'right'))}({inner()}, {rng.randint(0, 3)})"
        if form == 4:
            return f"substr({inner()}, {rng.randint(1, 3)}{rng.choice(('', ', 2', ', 0'))})"
        if form == 5:
            return f"({inner()} || {inner()})"
        if form == 6:
            return f"coalesce({inner()}, {inner()})"
        if form == 7:
            return f"CAST({self.column('int')} AS VARCHAR)"
        return f"nullif({inner()}, {inner()})"

    def time_value(self, depth: int = 1) -> str:
        rng = self.rng
        if depth == 0 or rng.random() < 0.7:
            return self.column("time")
        return rng.choice(
            (f"try_cast({self.column('time')} AS DATE)", f"try_cast({self.text_value(0)} AS TIMESTAMP)",
             f"coalesce({self.column('time')}, {self.moment()})", f"greatest({self.column('time')}, {self.column('time')})",
             f"try_cast({self.text_value(0)} AS DATE)")
        )  # fmt: skip

    def truth_value(self) -> str:
        return self.column("bool") if self.rng.random() < 0.6 else f"({self.plain()})"

    # What is wrong

    def broken(self) -> str:
        rng = self.rng
        text = self.valid()
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(text) + 1)
            form = rng.randrange(7)
            if form == 0:
                text = text[:place] + text[place + rng.randint(1, 4) :]
            elif form == 1:
                text = (
                    text[:place]
                    + rng.choice("'\"()[]{};:,.$%@#!?\\`~^&|*/-+=<>\x00\u202e\u200b\u00a0\u2019αаı")
                    + text[place:]
                )
            elif form == 2:
                text = (
                    text[:place]
                    + rng.choice((" AND ", " OR ", " NOT ", " IN ", " BETWEEN ", " IS ", " CASE ", " END ", " LIKE "))
                    + text[place:]
                )
            elif form == 3:
                text = text[:place] + text[place:] + text[: rng.randrange(len(text) + 1)]
            elif form == 4 and text:
                words = text.split(" ")
                at = rng.randrange(len(words))
                words[at] = rng.choice(
                    (*KINDS, "TRUE", "5", "'a'", "NULL", "Amount", "COUNTRY", "amuont", "now()", "*", "(", ")")
                )
                text = " ".join(words)
            elif form == 5:
                text = text.replace(
                    rng.choice(("AND", "=", "(", "'", "amount", "country", ">")),
                    rng.choice(("", "&&", "==", "((", '"', "amоunt", "≥")),
                    1,
                )
            else:
                text = text.swapcase()
        return text

    def attack(self) -> str:
        rng = self.rng
        form = rng.randrange(13)
        base = self.plain()
        if form <= 2:
            text = rng.choice(self.hostile)
            return (
                text
                if form == 0
                else f"{text} {rng.choice(('AND', 'OR'))} {base}"
                if form == 1
                else f"({base}) OR ({text})"
            )
        if form == 3:
            name = rng.choice(
                (
                    "read_csv",
                    "read_csv_auto",
                    "read_text",
                    "read_blob",
                    "read_parquet",
                    "read_json",
                    "glob",
                    "parquet_scan",
                    "sniff_csv",
                    "getenv",
                    "pg_read_file",
                    "query",
                    "query_table",
                    "system",
                    "load_extension",
                    "duckdb_settings",
                    "pragma_database_size",
                    "copy_to",
                    "write_csv",
                )
            )
            return f"{name}('{rng.choice(('{folder}/bait.csv', '/etc/passwd', '../x', 'https://example.org/x'))}') {rng.choice(('IS NULL', '= 1', ''))}"
        if form == 4:
            return base + rng.choice((
                "; DROP TABLE events", "; COPY events TO '{folder}/out.csv'", " --", " /* x", "; ATTACH '{folder}/db.duckdb'", " UNION SELECT 1",
                "; INSTALL httpfs; LOAD httpfs", ") OR (1=1", "'; SELECT '", '" OR "1"="1', "; EXPORT DATABASE '{folder}'", "; SET memory_limit='1TB'",
                " OR EXISTS (SELECT * FROM read_text('{folder}/bait.csv'))", "; CREATE TABLE t AS SELECT 1", "\x00", "; CALL pragma_version()",
            ))  # fmt: skip
        if form == 5:
            deep = rng.choice((10, 38, 41, 300, 3_000))
            return rng.choice(("(" * deep + base + ")" * deep, "NOT " * deep + base, "-" * deep + "5 > 1", "(" * deep, "CASE WHEN " * min(deep, 300) + base,
                               "abs(" * deep + "1" + ")" * deep + " > 0", "[" * deep, "NOT(" * deep + base + ")" * deep))  # fmt: skip
        if form == 6:
            digits = "9" * rng.choice((18, 19, 20, 40, 310, 3_000))
            return f"{rng.choice(('amount', 'items', 'note', 'placed_at'))} {rng.choice(('>', '=', '<', '<>'))} {rng.choice(('', '-'))}{digits}{rng.choice(('', '.5', 'e9', '.0'))}"
        if form == 7:
            return f"amount > {rng.choice(('1e308', '1e309', '-1e400', '1e-400', '0x10', '1e', '.', '1__0', '１２', '٣', 'inf', 'NaN', '1e5e5', '0b1', '1_'))}"
        if form == 8:
            place = rng.randrange(len(base) + 1)
            return (
                base[:place]
                + chr(
                    rng.choice(
                        (
                            *range(32),
                            127,
                            0x85,
                            0xA0,
                            0x200B,
                            0x202E,
                            0x2028,
                            0x2066,
                            0xFEFF,
                            0xD800,
                            0xFFFF,
                            0x10FFFF,
                            0x0430,
                            0xFF1E,
                        )
                    )
                )
                + base[place:]
            )
        if form == 9:
            return "".join(
                chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x110000)))) for _ in range(rng.randint(1, 60))
            )
        if form == 10:
            return rng.choice((
                base.replace("amount", "аmount").replace(" ", "\u00a0"), base.replace("'", "\u2019"), f"{base} OR " * rng.choice((3, 90, 600)) + base,
                f"country IN ({', '.join(map(str, range(rng.choice((10, 500, 3000)))))})", "items IN (" + ",".join(["NULL"] * 50) + ")", base.upper(), base + "\ufeff",
            ))  # fmt: skip
        if form == 11:
            words = ("SELECT", "FROM", "events", "(", ")", "WHERE", "amount", ">", "5", "AND", "NOT", "CASE", "WHEN", "END", "'a'", ",", "*", "OVER", "INTERVAL", "::", "DATE", "[", "]", "->", "x", ":", "$1", "?", "LATERAL", "UNNEST", "STRUCT", "MAP", "IS", "NULL", "DISTINCT", "COLUMNS", "EXCLUDE", "FILTER", "QUALIFY", "TRY_CAST", "AS", "JSON")  # fmt: skip
            return " ".join(rng.choice(words) for _ in range(rng.randint(1, 14)))
        return f"{self.number_value(3)} {rng.choice('<>=')} {self.number_value(3)}"


@dataclass
class Found:
    """What came of a run."""

    counts: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    crashes: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)


class Watch:
    """An audit hook that refuses files and connections while it is on."""

    def __init__(self, found: Found) -> None:
        self.found, self.on, self.thread = found, False, threading.get_ident()
        sys.addaudithook(self.hook)

    def hook(self, event: str, args: tuple[object, ...]) -> None:
        if not self.on:
            return
        if event == "open" and args and str(args[0]).endswith((".py", ".pyc", ".so")):
            return  # a module that is imported late
        if event in ("open", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn",
                     "socket.connect", "socket.bind", "socket.getaddrinfo", "shutil.rmtree", "ctypes.dlopen", "os.link", "os.symlink"):  # fmt: skip
            if event == "open" and args and isinstance(args[0], int):
                return
            self.found.touched.append(f"{event} {args[:1]!r}")
            raise RuntimeError(f"{event} while a rule text is read")


def three(true: bool, false: bool) -> bool | None:  # noqa: FBT001
    return True if true else False if false else None


def by_kernel(nodes: list[Node], events: Table) -> list[list[bool | None]]:
    bits = evaluate([part for node in nodes for part in (node, Not(node))], events)
    return [
        [three(bool(t), bool(f)) for t, f in zip(bits.mask(2 * k), bits.mask(2 * k + 1), strict=True)]
        for k in range(len(nodes))
    ]


def by_duckdb(nodes: list[Node], open_: Session) -> list[list[bool | None]]:
    chosen = ", ".join(f"({to_sql(node)})::BOOLEAN AS a{place}" for place, node in enumerate(nodes))
    answer = open_.table(f"SELECT {chosen} FROM events")
    return [answer.column(place).to_pylist() for place in range(len(nodes))]


def joined(shape: Leaf | Joined, answers: Iterator[list[bool | None]], rows: int) -> list[bool | None]:
    """What a taken-apart rule says, from what its conditions say."""
    if isinstance(shape, Leaf):
        own = next(answers)
        return own if shape.needed else [None if value is None else not value for value in own]
    parts = [joined(part, answers, rows) for part in shape.parts]
    first = not shape.every
    return [first if first in line else None if None in line else not first for line in zip(*parts, strict=True)]


def run(count: int, *, seed: int = 0, folder: Path, stop: bool = True) -> Found:
    """Put texts through parse, bind, kernel and DuckDB; stop at the first thing that is wrong, or gather all."""
    found = Found()
    writer = Writer(seed)
    bait = folder / "bait.csv"
    bait.write_text("secret\n1\n")
    before = _state(folder)
    events = table(seed)
    watch = Watch(found)
    seen: dict[str, None] = {}
    with session(threads=1) as open_:
        open_.register("events", events.to_arrow())
        for text in ("amount > 5", "lower(country) = 'a'", "items / 2 > amount", "CASE WHEN"):  # imports come first
            _bound(text, found, Counter())
            _imported(text, Found())
        held: list[tuple[str, Node]] = []
        warm = [bind(parse(text), KINDS) for text in ("amount > 5", "lower(country) = 'a'", "items / 2 > amount")]
        by_kernel(warm, events)
        by_duckdb(warm, open_)
        _printed("warm", warm[2], Found())
        watch.on = True
        try:
            for place in range(count):
                text = writer.text().replace("{folder}", str(folder))
                node = _bound(text, found, found.counts)
                if node is not None:
                    seen[text] = None
                    held.append((text, node))
                    if place % 25 == 0:
                        _printed(text, node, found)
                if place % 50 == 0:
                    _imported(text, found)
                if len(held) >= BATCH or place == count - 1:
                    _answered(held, events, open_, found)
                    held = []
                if stop and (found.crashes or found.differences or found.touched):
                    break
        finally:
            watch.on = False
    if _state(folder) != before:
        found.touched.append(f"the folder changed: {sorted(path.name for path in folder.iterdir())}")
    return found


def _state(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def _bound(text: str, found: Found, counts: Counter[str]) -> Node | None:
    try:
        predicate = parse(text)
    except RiskbenchError as wrong:
        str(wrong)
        counts["refused when read"] += 1
        return None
    except BaseException as wrong:
        found.crashes.append(f"parse {type(wrong).__name__}: {wrong} in {text[:300]!r}")
        return None
    try:
        node = bind(predicate, KINDS, params=PARAMS)  # type: ignore[arg-type]
    except RiskbenchError as wrong:
        str(wrong)
        counts["refused when bound"] += 1
        return None
    except BaseException as wrong:
        found.crashes.append(f"bind {type(wrong).__name__}: {wrong} in {text[:300]!r}")
        return None
    counts["run"] += 1
    return node


def _printed(text: str, node: Node, found: Found) -> None:
    for dialect in DIALECTS:
        try:
            print_sql(node, dialect)
        except RiskbenchError:
            found.counts[f"not said in {dialect}"] += 1
        except BaseException as wrong:
            found.crashes.append(f"{dialect} {type(wrong).__name__}: {wrong} in {text[:300]!r}")


def _imported(text: str, found: Found) -> None:
    sources = (
        ("sql", f"SELECT CASE WHEN {text} THEN 'block' WHEN amount > 5 THEN 'review' ELSE 'approve' END AS outcome FROM t"),
        ("csv", f'rule,condition,outcome\nA,"{text.replace(chr(34), chr(34) * 2)}",block\n'),
        ("csv", f"rule;column;operator;value;outcome\nA;amount;>;{text};block\n"),
        ("json", json.dumps([{"id": "A", "when": text, "outcome": "block"}, {"id": text, "logic": {">": [{"var": text}, text]}, "outcome": text}])),
        ("json", text),
    )  # fmt: skip
    for form, source in sources:
        try:
            import_rules(source, format=form)  # type: ignore[arg-type]
            found.counts["sources imported"] += 1
        except RiskbenchError as wrong:
            str(wrong)
            found.counts["sources refused"] += 1
        except BaseException as wrong:
            found.crashes.append(f"import {form} {type(wrong).__name__}: {wrong} in {source[:300]!r}")


def _answered(held: list[tuple[str, Node]], events: Table, open_: Session, found: Found) -> None:
    if not held:
        return
    try:
        ours = by_kernel([node for _, node in held], events)
        theirs = by_duckdb([node for _, node in held], open_)
    except EngineError as wrong:
        if len(held) > 1:
            half = len(held) // 2
            _answered(held[:half], events, open_, found)
            _answered(held[half:], events, open_, found)
        else:
            found.differences.append(f"fails when run: {wrong.what[:200]} in {held[0][0][:300]!r}")
        return
    except BaseException as wrong:
        if len(held) > 1 and not isinstance(wrong, KeyboardInterrupt):
            half = len(held) // 2
            _answered(held[:half], events, open_, found)
            _answered(held[half:], events, open_, found)
            return
        found.crashes.append(f"run {type(wrong).__name__}: {wrong} in {held[0][0][:300]!r}")
        return
    found.answers += sum(len(line) for line in ours)
    for (text, _), mine, other in zip(held, ours, theirs, strict=True):
        if mine != other:
            row = next(k for k, (a, b) in enumerate(zip(mine, other, strict=True)) if a != b)
            found.differences.append(f"kernel {mine[row]}, DuckDB {other[row]}, row {row}: {text[:300]!r}")
    _apart(held[:: max(1, len(held) // 25)], ours[:: max(1, len(held) // 25)], events, found)


def _apart(held: list[tuple[str, Node]], answers: list[list[bool | None]], events: Table, found: Found) -> None:
    """A rule's conditions, joined again, say what the rule says."""
    shapes = []
    for text, _ in held:
        try:
            shapes.append(taken_apart(parse(text), KINDS, params=PARAMS))  # type: ignore[arg-type]
        except RiskbenchError as wrong:
            found.crashes.append(f"taken apart: {wrong.what[:200]} in {text[:300]!r}")
            return
    own = iter(by_kernel([leaf.node for shape in shapes for leaf in leaves(shape)], events))
    for (text, _), shape, whole in zip(held, shapes, answers, strict=True):
        if joined(shape, own, events.rows) != whole:
            found.differences.append(f"conditions and rule differ: {text[:300]!r}")
    found.counts["taken apart"] += len(held)
