"""Does every door give the same value, and does none let a wrong one in?"""

from __future__ import annotations

import datetime as dt
import json
import re

import numpy as np
import pytest
from hypothesis import given as anything
from hypothesis import strategies as st

from riskbench.errors import ParameterError, PlaybookError
from riskbench.runner.parameters import from_command, given, read_cell, settle
from riskbench.runner.shape import coerce
from riskbench.runner.written import plain, structure

CELL = """
source: str | None = None  # none = the sample
region: str | None = "ID"  # recall >= 0.8, a = b
share: float | None = 0.03  # at most
count: int = 50_000  # how many
flag: bool = False  # whether
names: list[str] = []  # names
costs: dict[str, float] = {}  # costs
roles: dict = {
    "id": "order",  # the id
}
level: "Literal['low', 'high']" = "low"  # a level
old: Optional[int] = None  # as before
"""
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
RULES = {"share": {"min": 0, "max": 1, "sample_only": True}, "region": {"sample_only": True}}


@pytest.fixture(scope="module")
def cell():
    return read_cell(CELL, RULES)


def by_name(parameters, name):
    return next(parameter for parameter in parameters if parameter.name == name)


def test_the_cell_is_read_with_types_defaults_and_help(cell):
    assert [parameter.name for parameter in cell] == re.findall(r"^(\w+):", CELL, re.MULTILINE)
    assert by_name(cell, "region").help == "recall >= 0.8, a = b"
    assert by_name(cell, "roles").default == {"id": "order"}
    assert by_name(cell, "roles").help == "the id"
    assert by_name(cell, "share").limits == "a number or none, 0 to 1"
    assert by_name(cell, "old").shape.optional
    assert by_name(cell, "level").shape.choices == ("low", "high")


@pytest.mark.parametrize(
    ("name", "doors", "value"),
    [
        ("region", ["BR", "BR"], "BR"),
        ("region", ["NO"], "NO"),
        ("region", [None, "", "none", "None", "null", "~", " NULL "], None),
        ("region", [7], "7"),
        ("source", [dt.date(2026, 1, 2)], "2026-01-02"),
        ("share", [0.5, "0.5", "5e-1", " .5 ", np.float64(0.5)], 0.5),
        ("share", [1, "1", 1.0], 1.0),
        ("count", [100_000, "100000", "100_000", "1e5", 1e5, np.int64(100_000)], 100_000),
        ("flag", [True, "true", "True", "yes", "ON", 1, "1", np.True_], True),
        ("flag", [False, "false", "no", "off", 0, "0"], False),
        ("names", [["a", "NO"], ("a", "NO"), "a,NO", "a, NO", "[a, NO]", '["a", "NO"]'], ["a", "NO"]),
        ("names", ["", [], "[]"], []),
        ("costs", [{"margin": 0.1}, "{margin: 0.1}", '{"margin": "0.1"}', "margin: 0.1"], {"margin": 0.1}),
        ("roles", [{"id": "NO"}, "{id: NO}", '{"id": "NO"}'], {"id": "NO"}),
        ("level", ["high", " high "], "high"),
        ("old", ["12", 12, 12.0], 12),
    ],
)
def test_every_door_gives_the_same_value(cell, name, doors, value):
    for door in doors:
        made = given(cell, {name: door})[name]
        assert made == value
        assert type(made) is type(value)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("region", False),  # YAML 1.1 read NO
        ("region", 1.5),
        ("region", ["ID"]),
        ("region", "a\x00b"),
        ("region", "\ud800"),
        ("share", "3%"),
        ("share", "much"),
        ("share", 1.01),
        ("share", -0.01),
        ("share", float("nan")),
        ("share", "nan"),
        ("share", "inf"),
        ("share", 10**400),
        ("share", True),
        ("count", 1.5),
        ("count", "1.5"),
        ("count", None),
        ("count", ""),
        ("count", "1e999"),
        ("count", True),
        ("flag", "maybe"),
        ("flag", 2),
        ("names", "[a"),
        ("names", 3),
        ("names", [None]),
        ("costs", {"margin": "much"}),
        ("costs", {True: 1.0}),
        ("costs", "[1]"),
        ("costs", "{a: &x 1, b: *x}"),
        ("roles", {"id": object()}),
        ("level", "middle"),
        ("old", "x"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(cell, name, wrong):
    with pytest.raises(ParameterError, match=name):
        given(cell, {name: wrong})


def test_the_norway_trap_is_named(cell):
    with pytest.raises(ParameterError, match="quotes"):
        given(cell, {"region": False})


@pytest.mark.parametrize("name", ["regoin", "a=1;import os;b", "__class__", "", "run", "region "])
def test_a_name_that_is_not_declared_is_refused(cell, name):
    with pytest.raises(ParameterError):
        given(cell, {name: 1})


def test_the_nearest_name_is_offered(cell):
    with pytest.raises(ParameterError, match="did you mean 'region'"):
        given(cell, {"regoin": "BR"})


def test_with_a_source_the_sample_defaults_are_off_unless_passed(cell):
    assert settle(cell, {})["region"] == "ID"
    own = settle(cell, {"source": "x.parquet"})
    assert (own["region"], own["share"], own["count"]) == (None, None, 50_000)
    kept = settle(cell, {"source": "x.parquet", "region": "ID", "share": "0.03"})
    assert (kept["region"], kept["share"]) == ("ID", 0.03)


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "x: int = f()",
        "import os",
        "x: int",
        "x: int = 1\nx: int = 2",
        "x: set = {1}",
        "x: int | str = 1",
        "x: int = 'a'",
        "x: Foo = 1",
        "x: int = (",
        "_x: int = 1",
        "x.y: int = 1",
        "x: list[str] = [1.5]",
        "for i in []: pass",
    ],
)
def test_a_cell_that_declares_anything_else_is_refused(source):
    with pytest.raises(PlaybookError):
        read_cell(source)


@pytest.mark.parametrize("rules", [{"y": {}}, {"x": {"mni": 1}}, {"x": {"format": "nonsense"}}, {"x": {"min": 2}}])
def test_metadata_that_does_not_fit_is_refused(rules):
    with pytest.raises(PlaybookError):
        read_cell("x: int = 1", rules)


@anything(WORDS)
def test_text_stays_text(text):
    assert given(read_cell("x: str = ''"), {"x": text}) == {"x": text}


@anything(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_and_its_text_are_one(number):
    (parameter,) = read_cell("x: float = 0.0")
    assert parameter.value(number) == parameter.value(repr(number)) == parameter.value(json.dumps(number)) == number


@anything(st.integers())
def test_a_whole_number_and_its_text_are_one(number):
    (parameter,) = read_cell("x: int = 0")
    assert parameter.value(number) == parameter.value(str(number)) == number


@anything(st.dictionaries(st.text(st.characters(codec="ascii", categories=["L"]), min_size=1), WORDS))
def test_a_mapping_and_its_json_are_one(mapping):
    (parameter,) = read_cell("x: dict[str, str] = {}")
    assert parameter.value(mapping) == parameter.value(json.dumps(mapping)) == mapping


@anything(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.booleans(), inner, max_size=3),
        max_leaves=6,
    )
)
def test_nothing_breaks_a_door(value):
    """Whatever comes in, a door opens with JSON-safe values or refuses; it never falls over."""
    for parameter in read_cell(CELL, RULES):
        try:
            made = parameter.value(value)
        except ParameterError:
            continue
        json.dumps(made, allow_nan=False)
        assert parameter.value(made) == made


def test_parameters_from_the_command_line(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text("region: NO\nroles: {id: order}\nshare: 0.1\nat: 2026-01-02\n", encoding="utf-8")
    held = from_command(["share=0.2", "roles.time=placed", "costs.margin=0.3", "x=a=b", "roles.region=NO"], file)
    assert held["region"] == "NO"
    assert held["share"] == "0.2"
    assert held["roles"] == {"id": "order", "time": "placed", "region": "NO"}
    assert plain(held["costs"]) == {"margin": 0.3}
    assert held["x"] == "a=b"


@pytest.mark.parametrize("pairs", [["region"], ["=x"], ["a=1", "a=2"]])
def test_a_pair_that_is_none_is_refused(pairs):
    with pytest.raises(ParameterError):
        from_command(pairs)


@pytest.mark.parametrize("text", ["- a\n- b", "a: [", "a: *x", "\ta: 1"])
def test_a_parameter_file_that_is_no_mapping_is_refused(tmp_path, text):
    file = tmp_path / "p.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ParameterError):
        from_command([], file)


def test_a_parameter_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="cannot be read"):
        from_command([], tmp_path / "none.yaml")


def test_yaml_is_read_as_1_2():
    assert plain(structure("{a: NO, b: on, c: 12:30, d: 1, e: 1.5, f: true}", name="x")) == {
        "a": "NO",
        "b": "on",
        "c": "12:30",
        "d": 1,
        "e": 1.5,
        "f": True,
    }


def test_a_password_is_not_repeated_in_the_message():
    (parameter,) = read_cell("x: int = 1")
    with pytest.raises(ParameterError) as caught:
        coerce("postgresql://ana:pa55word@db/risk", parameter.shape, name="x")
    assert "pa55word" not in str(caught.value)


@pytest.fixture(scope="module")
def shipped():
    from riskbench.runner import find

    return find("threshold_calibration").parameters


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2026-02-01", "2026-02-01"),
        (" 2026-02-01T00:00 ", "2026-02-01"),
        ("2026-02-01 10:30", "2026-02-01T10:30:00"),
        ("2026-02-01T10:30:15.25Z", "2026-02-01T10:30:15.250000+00:00"),
        ("2026-02-01 10:30+07", "2026-02-01T10:30:00+07:00"),
        ("2026-02-01T00:00:00-03:00", "2026-02-01T00:00:00-03:00"),
    ],
)
@pytest.mark.parametrize("name", ["start", "end", "asof", "report_from"])
def test_a_moment_is_iso_text_in_one_form(shipped, name, text, kept):
    assert given(shipped, {name: text})[name] == kept
    assert given(shipped, {name: kept})[name] == kept


@pytest.mark.parametrize(
    "text",
    ["01.02.2026", "1/2/2026", "2026/02/01", "20260201", "2026-2-1", "Feb 1 2026", "2026-02", "today", "2026-02-30"],
)
def test_a_moment_with_two_readings_is_refused(shipped, text):
    with pytest.raises(ParameterError, match="ISO text: 2026-11-11"):
        given(shipped, {"start": text})


def test_a_source_without_roles_is_refused_in_words_of_the_command_line(shipped, tmp_path):
    file = tmp_path / "events.csv"
    file.write_text("id\n1\n")
    with pytest.raises(ParameterError, match=r"-p roles\.id=order_id -p roles\.time=placed_at"):
        settle(shipped, {"source": str(file)})
    assert settle(shipped, {"source": str(file), "roles": {"id": "id"}})["roles"] == {"id": "id"}


@pytest.mark.parametrize("source", ["x" * 5000, "x/" * 2500 + "*.csv", "x" * 5000 + "*"])
def test_a_path_that_is_too_long_is_one_message(shipped, source):
    with pytest.raises(ParameterError) as caught:
        given(shipped, {"source": source})
    assert "'source'" in str(caught.value)


def test_a_currency_is_a_code_or_a_column(shipped, tmp_path):
    import pandas as pd

    file = tmp_path / "events.parquet"
    pd.DataFrame({"id": [1], "euros": ["EUR"]}).to_parquet(file)
    own = {"source": str(file), "roles": {"id": "id"}}
    for currency in ("EUR", "euros"):
        assert settle(shipped, {**own, "currency": currency})["currency"] == currency
    with pytest.raises(ParameterError, match="did you mean 'euros'"):
        settle(shipped, {**own, "currency": "euro"})
    for values in ({"currency": "euro"}, {"currency": "EUX"}, {**own, "currency": "EUX"}):
        with pytest.raises(ParameterError, match="ISO 4217"):
            settle(shipped, values)
