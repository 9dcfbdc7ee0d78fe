# ruff: noqa: E501, DTZ001 - lists of hostile values
"""Do the command line, a YAML file, Python, a scheduler's raw text and a form give equal values, or equal errors?"""

from __future__ import annotations

import datetime as dt
import json
import math
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from riskbench.errors import ParameterError
from riskbench.runner import injected
from riskbench.runner.catalogue import Playbook, catalogue
from riskbench.runner.parameters import Parameter, from_command, given, read_cell, settle
from riskbench.runner.shape import as_text
from riskbench.runner.written import LONGEST
from riskbench.widgets.form import PlaybookForm

#: A parameters cell with every type there is.
CELL = """
text: str = "a # b"  # help with = in it, and # too
maybe: str | None = None  # recall >= 0.8
share: float | None = 0.03  # at most
money: float = 1.0  # any number
count: int = 50_000  # with an underscore
old: "Optional[int]" = None  # quoted
flag: bool = False  # whether
either: bool | None = None  # whether, or not said
names: list[str] = []  # names
numbers: list[float] = []  # numbers
things: list | None = None  # anything
costs: dict[str, float] = {}  # costs
words: dict[str, str] = {}  # words
roles: dict = {"id": "order"}  # roles
level: "Literal['low', 'high', 7, True]" = "low"  # a level
when: str | None = None  # a moment
place: str | None = "ID"  # one of some
"""
RULES = {
    "share": {"min": 0, "max": 1},
    "count": {"min": 1, "max": 20_000_000},
    "when": {"format": "moment"},
    "place": {"sample_choices": ["ID", "BR", "NO"]},
}
SETS = 200
#: Values that some door reads as something else, or that want to get out of their place.
TEXTS = (
    "", " ", "NO", "on", "yes", "true", "True", "none", "null", "~", "007", "1e5", "1_000", "12:30", "nan", "inf", "-inf", ".nan", "1.0",
    "0x10", "0o17", "2026-11-10", "2026-11-10 12:30", "2026-11-10T00:00:00+07:00", "a # b", "# a", "a: b", "- a", "[a", "[a, NO, 007]",
    "{a: 1}", "{margin: 0.1}", '{"margin": "0.1"}', "(1, 2)", "a,b", "a, 007", "3%", "1; import os", "__import__('os').system('true')",
    "'quoted'", '"', "\\", "\\n", "line\nline", "tab\t", "\U0001f389", "é", "e\u0301", "\u202e", "%s{x}$y", "&a", "*a", "!!int 5", "<script>x</script>",
    "1" * 500, "1e400", "9007199254740993", "18446744073709551617.0", "low", " high ", "7", "x\x00y", "\ud800", "ID", "BR", "transactions",
    "kyc", "sample", "shadow", "0.5", ".5", "5e-1", "٣", "=", "a=b", "@", "`", "|", ">", "?", "-", ":", "\ufeff", "a" * 5000, "x" * 1_000_000,
)  # fmt: skip
VALUES = (
    None, True, False, 0, 1, 7, -1, 5000, 10**18, 10**400, 0.0, 0.5, 1.0, 1e300, 2.5, math.nan, math.inf, Decimal("0.25"), Decimal(5),
    Decimal("NaN"), np.float64(0.5), np.int64(7), np.bool_(True), np.str_("BR"), np.datetime64("2026-11-10"), np.datetime64("2026-11-10", "ns"),
    np.timedelta64(5, "ns"), pd.Timestamp("2026-11-10"), pd.Timestamp("2026-11-10 12:30"), pd.NaT, pd.NA, dt.date(2026, 11, 10),
    dt.datetime(2026, 11, 10, 12, 30), dt.time(12, 30), Path("pyproject.toml"), Path("none"), b"bytes", object(), {1, 2}, np.array([1, 2]), [], (),
    {}, ["a", "NO"], ("a", "b"), (1, 2), [0.5, 1], ["007", "null"], [None], [True], [["a"], {"b": 1}], {"margin": 0.1}, {"margin": "0.1"},
    {"id": "NO"}, {"id": "007", "n": 7}, {1: "a"}, {1: "a", "1": "b"}, {True: 1}, {"a": None}, {"a": {"b": [1, "x"]}}, {"<b>": "<i>"}, {"": 1}, {"a" * 90: 1},
    [np.int64(1)], {"a": np.float64(0.1)}, {"a": float("nan")}, {"a": {3}}, ["x" * 300_000],
)  # fmt: skip


class _CannotSayError(Exception):
    """A door has no way to say a value; what it does with the nearest text is defined below, by itself."""


def synthetic() -> Playbook:
    return Playbook(
        id="every",
        title="Every",
        question="?",
        path=Path("every.ipynb"),
        parameters=read_cell(CELL, RULES),
        code_hash="0",
    )


PLAYBOOKS = (synthetic(), *catalogue())


# -- the doors ---------------------------------------------------------------------------------------------


def python(book: Playbook, values: dict[str, Any], _: Path) -> dict[str, Any]:
    return given(book.parameters, values)


def command(book: Playbook, values: dict[str, Any], _: Path) -> dict[str, Any]:
    if any("=" in name for name in values):
        raise _CannotSayError
    return given(
        book.parameters, from_command([f"{name}={_typed(book, name, value)}" for name, value in values.items()])
    )


def yaml_file(book: Playbook, values: dict[str, Any], folder: Path) -> dict[str, Any]:
    file = folder / "p.yaml"
    lines = [f"{json.dumps(name)}: {_yaml(book, name, value)}" for name, value in values.items()]
    try:
        file.write_text("\n".join(lines), encoding="utf-8")
    except UnicodeEncodeError:
        raise _CannotSayError from None
    if file.stat().st_size > LONGEST:
        raise _CannotSayError
    return given(book.parameters, from_command([], file))


def scheduler(book: Playbook, values: dict[str, Any], _: Path) -> dict[str, Any]:
    """What the kernel holds after the cell that a scheduler makes of `name = value`."""
    space: dict[str, Any] = {parameter.name: parameter.default for parameter in book.parameters}
    for name, value in values.items():
        if _is_text(book, name) and (isinstance(value, float) or (isinstance(value, int) and abs(value) > 10**300)):
            raise _CannotSayError  # a bare number for a text is the text that was written
        if not _is_text(book, name) and isinstance(value, dt.date):
            raise _CannotSayError  # a date is typed as a text
    if not all(name.isidentifier() for name in values):
        raise _CannotSayError  # what is typed there is code
    source = "\n".join(f"{name} = {_raw(value)}" for name, value in values.items())
    try:
        exec(compile(source, "injected", "exec"), space)
    except (SyntaxError, NameError, UnicodeEncodeError, ValueError):
        raise _CannotSayError from None
    declared = "\n".join(f"{parameter.name}: object = None" for parameter in book.parameters)
    space["In"] = ["", declared, source, "rb.start(...)"]
    return given(book.parameters, injected.passed(book.parameters, space))


def form(book: Playbook, values: dict[str, Any], _: Path) -> dict[str, Any]:
    made = _form(book)
    for name, value in values.items():
        if name not in made.fields:
            raise _CannotSayError
        control = made.fields[name].control
        options = [choice for _, choice in getattr(control, "options", ()) if _holds_values(control)]
        if options and not any(type(value) is type(choice) and value == choice for choice in options):
            raise _CannotSayError
        said = value if _holds_values(control) else _typed(book, name, value)
        try:
            control.value = said
        except Exception:  # a list of choices has no other
            raise _CannotSayError from None
        if not _holds_values(control) and control.value != said:
            raise _CannotSayError
    for name, field in made.fields.items():
        if field.cause is not None:
            assert field.error
            assert name in values
            raise field.cause
    if made.errors:
        raise ParameterError(made.errors.splitlines()[0])
    return {name: made.fields[name].value() for name in values}


_FORMS: dict[str, PlaybookForm] = {}


def _form(book: Playbook) -> PlaybookForm:
    """Return a playbook's form as it is at first."""
    made = _FORMS.setdefault(book.id, PlaybookForm(book, {})) if book.id not in _FORMS else _FORMS[book.id]
    for field in made.fields.values():
        if not field.is_default():
            field.show(field.default)
    for field in made.fields.values():  # those of the sample follow the source
        field.show(field.default)
    assert made.value == {}
    return made


def _holds_values(control: Any) -> bool:
    return type(control).__name__ in {"Checkbox", "Dropdown"}


def _typed(book: Playbook, name: str, value: Any) -> str:
    """Return what is typed for a value where all is text."""
    if isinstance(value, str):
        return value
    parameter = book.parameter(name)
    if parameter is None:
        return "1"
    return as_text(_sayable(parameter, value), parameter.shape)


def _sayable(parameter: Parameter, value: Any) -> Any:
    """Return a value that text can stand for; text for a text parameter says a text, never a number."""
    base = parameter.shape.base
    if value is None:
        if parameter.shape.optional:
            return None
        raise _CannotSayError
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    if isinstance(value, str):
        return value
    if isinstance(value, dt.datetime | dt.date | Path) and value is not pd.NaT:
        if base == "str" and str(value) != "none":
            return str(value) if parameter.format == "moment" or isinstance(value, Path) else value.isoformat()
        raise _CannotSayError
    if isinstance(value, bool):
        if base in {"bool", "literal"}:
            return value
        raise _CannotSayError
    if isinstance(value, int | float | Decimal):
        if base in {"int", "float"} or (base == "str" and isinstance(value, int) and abs(value) < 10**300):
            try:
                return str(value)
            except ValueError:
                raise _CannotSayError from None
        raise _CannotSayError
    if isinstance(value, list | tuple) and base == "list":
        return [_inside(item, parameter) for item in value]
    if isinstance(value, dict) and base == "dict":
        if not all(isinstance(key, str) for key in value):
            raise _CannotSayError
        return {key: _inside(item, parameter) for key, item in value.items()}
    raise _CannotSayError


def _inside(item: Any, parameter: Parameter) -> Any:
    items = parameter.shape.items
    text = items is not None and items.base == "str"
    try:
        json.dumps(item, allow_nan=False)
    except (TypeError, ValueError):
        raise _CannotSayError from None
    if text and not isinstance(item, str):
        raise _CannotSayError  # a bare word in a list of texts is a text
    return item


def _yaml(book: Playbook, name: str, value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=True) if value != "\ud800" else _cannot()
    if isinstance(value, dt.datetime | dt.date) and value is not pd.NaT and _is_text(book, name):
        return _typed(book, name, value)  # bare: some readers make a date of it
    text = _typed(book, name, value)
    if value is None:
        return "null"
    return json.dumps(json.loads(text), ensure_ascii=True) if text[:1] in ("[", "{") else _mapping(value, text)


def _mapping(value: Any, text: str) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return "[]" if isinstance(value, list | tuple) else text


def _cannot() -> str:
    raise _CannotSayError


def _is_text(book: Playbook, name: str) -> bool:
    parameter = book.parameter(name)
    return parameter is not None and parameter.shape.base == "str"


def _raw(value: Any) -> str:
    """Return what is typed into a scheduler's box: Python, texts in quotes."""
    if isinstance(value, str | int | float | list | tuple | dict | set | bytes | None) and not isinstance(
        value, np.generic
    ):
        return repr(value)
    if (
        isinstance(value, np.generic)
        and isinstance(value.item(), str | int | float | bool)
        and not isinstance(value, np.timedelta64 | np.datetime64)
    ):
        return repr(value.item())
    if isinstance(value, dt.datetime | dt.date) and value is not pd.NaT:
        return repr(value.isoformat())
    raise _CannotSayError


DOORS: dict[str, Callable[[Playbook, dict[str, Any], Path], dict[str, Any]]] = {
    "python": python,
    "command": command,
    "yaml": yaml_file,
    "scheduler": scheduler,
    "form": form,
}


def _answer(door: Callable[..., Any], book: Playbook, values: dict[str, Any], folder: Path) -> tuple[str, Any] | None:
    """Return the typed values, or what was wrong; nothing where the door cannot say it."""
    try:
        made = door(book, values, folder)
        settle(book.parameters, made)
        return "values", _with_types(made)
    except _CannotSayError:
        return None
    except ParameterError as error:
        return "error", error.what.rstrip(".")


def _with_types(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_types(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_types(inner) for inner in value]
    assert type(value) in (str, int, float, bool, type(None)), type(value)
    return type(value).__name__, value


def _draw(rng: random.Random, book: Playbook) -> dict[str, Any]:
    names = rng.sample([parameter.name for parameter in book.parameters], k=rng.choice((1, 1, 2, 3)))
    values = {name: _value(rng, book.parameter(name)) for name in names}
    if rng.random() < 0.05:
        values[rng.choice(("regoin", "a=1;import os;b", "__class__", "x y", "roles;id", "lambda", "é", "<b>"))] = 1
    return values


def _value(rng: random.Random, parameter: Parameter | None) -> Any:
    assert parameter is not None
    draw = rng.random()
    if draw < 0.5:
        fitting = {
            "int": (1000, "1000", "1e3", 5000, "5_000"),
            "float": (0.2, "0.2", 0.01, "1e-2", Decimal("0.02")),
            "bool": (True, "yes", "off", 0, "1", False),
            "list": (["a"], "a,b", ["NO", "x"], "[a, b]", ("fraud",)),
            "dict": ({"margin": 0.2}, "{margin: 0.2}", {"id": "order"}, "id: order"),
            "str": ("BR", "NO", "2026-11-10", "kyc", dt.date(2026, 11, 10), "name"),
            "literal": ("high", 7, True, "true", "7", " low "),
        }
        return rng.choice(fitting.get(parameter.shape.base, ("x",)))
    return rng.choice(TEXTS if draw < 0.8 else VALUES)


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()


@pytest.mark.parametrize("seed", range(3))
def test_all_doors_agree(seed, tmp_path):
    rng = random.Random(seed)
    said = dict.fromkeys(DOORS, 0)
    ends = {"values": 0, "error": 0}
    for _ in range(SETS):
        book = rng.choice((PLAYBOOKS[0], rng.choice(PLAYBOOKS)))
        values = _draw(rng, book)
        answers = {name: _answer(door, book, values, tmp_path) for name, door in DOORS.items()}
        first = answers["python"]
        assert first is not None
        ends[first[0]] += 1
        for name, answer in answers.items():
            if answer is not None:
                said[name] += 1
                assert answer == first, f"{name} of {book.id}: {str(values)[:300]}"
    assert min(said.values()) > SETS / 3, said
    assert min(ends.values()) > SETS / 6, ends


@pytest.mark.parametrize("value", [*VALUES, *TEXTS], ids=lambda value: f"{type(value).__name__}")
def test_a_checked_value_is_checked_to_itself_and_survives_json_and_text(value):
    """A run hands the checked values on to its kernel, where they are checked again."""
    for parameter in synthetic().parameters:
        try:
            made = parameter.value(value)
        except ParameterError:
            continue
        assert _with_types(parameter.value(made)) == _with_types(made)
        assert _with_types(parameter.value(json.loads(json.dumps(made, allow_nan=False)))) == _with_types(made)
        assert _with_types(parameter.value(as_text(made, parameter.shape))) == _with_types(made)


def test_every_default_is_itself_through_every_door(tmp_path):
    for book in PLAYBOOKS:
        values = {parameter.name: parameter.default for parameter in book.parameters if parameter.default is not None}
        expected = _answer(python, book, values, tmp_path)
        for name in ("command", "yaml", "scheduler", "form"):
            assert _answer(DOORS[name], book, values, tmp_path) == expected, (name, book.id)


# -- what a door cannot say, and what it does instead ------------------------------------------------------

#: Words that YAML readers make numbers, dates and truths of.
BARE = ("NO", "on", "yes", "true", "007", "1e5", "1_000", "12:30", "2026-11-10", "2026-11-10 12:30:00", "nan", ".inf", "0x10", "1.0", "low", "7", "1")  # fmt: skip


@pytest.mark.parametrize("word", BARE)
def test_a_bare_word_in_a_file_is_what_the_command_line_says(word, tmp_path):
    book, file = synthetic(), tmp_path / "p.yaml"
    for parameter in book.parameters:
        file.write_text(f"{parameter.name}: {word}\n", encoding="utf-8")
        answers = [
            _answer(lambda *_: given(book.parameters, held), book, {}, tmp_path)  # noqa: B023 called at once
            for held in (from_command([], file), from_command([f"{parameter.name}={word}"]), {parameter.name: word})
        ]
        assert answers[0] == answers[1] == answers[2], parameter.name


def test_a_bare_word_is_a_value_where_anything_goes(tmp_path):
    book, file = synthetic(), tmp_path / "p.yaml"
    text = "{limit: 007, share: .5, country: NO, on: true, at: 2026-11-10, none: null, word: '7'}"
    file.write_text(f"roles: {text}\nthings: [shadow, 0.1, '0.1', NO]\n", encoding="utf-8")
    held = given(book.parameters, from_command([], file))
    assert held["roles"] == {
        "limit": 7, "share": 0.5, "country": "NO", "on": True, "at": "2026-11-10", "none": None, "word": "7"
    }  # fmt: skip
    assert held == given(book.parameters, from_command([f"roles={text}", "things=[shadow, 0.1, '0.1', NO]"]))
    assert held["things"] == ["shadow", 0.1, "0.1", "NO"]
    assert given(book.parameters, {"things": "shadow, 0.1, NO"})["things"] == ["shadow", 0.1, "NO"]


@pytest.mark.parametrize(
    "text",
    ["a: 1\na: 2", "{a: 1, a: 2}", '{"a": 1, "a": 2}', "a: &x 1\nb: *x", "a: !!python/object:os.system x", "a: !x 1", "? [1]\n: a", "[" * 100_000, "<<: {a: 1}\n<<: {b: 1}"],
)  # fmt: skip
def test_yaml_that_says_two_things_or_makes_objects_is_refused(text):
    with pytest.raises(ParameterError):
        given(read_cell("roles: dict = {}"), {"roles": text})


def test_a_list_without_end_is_refused():
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ParameterError, match="too deep"):
        given(read_cell("roles: dict = {}"), {"roles": {"a": deep}})


def _kernel(cells: list[str], parameters: tuple[Parameter, ...]) -> dict[str, Any]:
    """Return what was passed, after cells that a kernel ran."""
    space: dict[str, Any] = {"In": [""]}
    for source in cells:
        space["In"].append(source)
        exec(compile(source, "cell", "exec"), space)
    space["In"].append('run = rb.start("x", globals())')
    return given(parameters, injected.passed(parameters, space))


DECLARED = 'start: str | None = "2026-01-01"  # from\nregion: str | None = "ID"  # one\norders: int = 5  # size'


@pytest.fixture
def declared():
    return read_cell(DECLARED, {"start": {"format": "moment"}})


def test_an_unquoted_date_of_a_scheduler_is_the_date_and_no_difference(declared):
    """Python makes 2005 of 2026-11-10."""
    assert _kernel([DECLARED, "start = 2026-11-10\nregion = 12\norders = 50"], declared) == {
        "start": "2026-11-10",
        "region": "12",
        "orders": 50,
    }
    assert _kernel([DECLARED, "region = 1e5"], declared) == {"region": "1e5"}


@pytest.mark.parametrize(
    "text", ["2026-11-10", "10 * 5", "0x10", "0b11", "int(5)", "[5][0]", "orders + 1", "5 if 1 else 2"]
)
def test_an_expression_of_a_scheduler_is_refused_for_every_type(declared, text):
    """Python makes 2005 of 2026-11-10 for a whole number too."""
    with pytest.raises(ParameterError, match="'orders'"):
        _kernel([DECLARED, f"orders = {text}"], declared)
    if "(" in text or "[" in text or " if " in text:
        with pytest.raises(ParameterError, match="'region' was set by an expression"):
            _kernel([DECLARED, f"region = {text}"], declared)


@pytest.mark.parametrize("text", ["2026-11-10", "[2026-11-10]", "{'a': 1 + 1}", "1 * 2"])
def test_an_expression_is_no_value_of_any_type(text):
    cell = "thing: object = None\nweights: list[float] = []\nlimits: dict[str, int] = {}\nshare: float = 0.5"
    parameters = read_cell(cell)
    for name in ("share", "weights", "limits") if text[0].isdigit() else ("thing", "weights", "limits"):
        with pytest.raises(ParameterError, match=f"'{name}"):
            _kernel([cell, f"{name} = {text}"], parameters)
        with pytest.raises(ParameterError, match="was set by an expression"):
            _kernel([cell, f"# Parameters\n{name} = {text}\n"], parameters)
    assert _kernel([cell, "thing = -5\nshare = -0"], parameters) == {"thing": -5, "share": -0.0}
    assert str(_kernel([cell, "share = -0"], parameters)["share"]) == str(given(parameters, {"share": "-0"})["share"])


@pytest.mark.parametrize("value", ["&a", "&a 5", "*a", "!x", "!!str 5", "[&a 1]", "{a: &b }", "! 5"])
def test_anchors_aliases_and_tags_of_a_file_are_refused_at_once(value, tmp_path):
    (tmp_path / "p.yaml").write_text(f"region: {value}\n", encoding="utf-8")
    with pytest.raises(ParameterError, match=r"anchors, aliases and tags|cannot be read as YAML"):
        from_command([], tmp_path / "p.yaml")


def test_a_wrong_name_in_a_schedulers_cell_is_refused(declared):
    with pytest.raises(ParameterError, match="did you mean 'region'"):
        _kernel([DECLARED, 'regoin = "BR"'], declared)
    with pytest.raises(ParameterError, match="did you mean 'region'"):
        _kernel([DECLARED, '# Parameters\nregoin = "BR"\n'], declared)


def test_an_analysts_own_cells_may_hold_any_names(declared):
    assert _kernel([DECLARED, "import math\nmine = 3", "x = 1"], declared) == {}
    assert _kernel([DECLARED, "print(1)", "mine = 3", 'region = "BR"'], declared) == {"region": "BR"}
    assert _kernel([DECLARED, "orders = 5"], declared) == {"orders": 5}, "set again to the default: passed"


def test_what_a_scheduler_cannot_say_is_pythons_own_error():
    """A text without quotes is a name, which nobody has given; the job's output says so."""
    for text, error in (("BR", NameError), ("nan", NameError), ("2026-11-09", SyntaxError), ("12:30", SyntaxError)):
        with pytest.raises(error):
            exec(compile(f"region = {text}", "injected", "exec"), {})
