"""Does the rule lab answer as a new simulation would, and do its controls say what it holds?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ParameterError, RiskbenchError
from riskbench.widgets.rule_edits import nothing
from riskbench.widgets.rule_lab import ON_A_PAGE

#: Sums of the same numbers in another order.
NEAR = 1e-9
HOSTILE = "<img src=x onerror=alert(1)>"
OUTCOMES = ("approve", "challenge", "review", "block")
BOOK = f"""
# who asked for it
book: demo
domain: transactions
lists:
  vips: {{kind: vip, column: buyer, values: [b1], owner: ana, reason: board}}
  bad: [d1, d2]
rules:
  - id: TX-1  # the old one
    title: '{HOSTILE}'
    when: amount > :limit AND age < :days
    params: {{limit: {{default: 500, min: 0, max: 1000, unit: EUR}}, days: 30}}
    outcome: review
    priority: 20
    status: live
  - {{id: TX-2, when: "amount > :much", params: {{much: 800.0}}, outcome: block, priority: 10, status: live}}
  - {{id: TX-3, when: "device IN :devices AND vip = :vip", params: {{devices: [d1], vip: false}}, outcome: challenge,
     priority: 5, status: shadow}}
  - {{id: TX-4, when: "device IN :bad OR buyer = :who", params: {{who: b9}}, outcome: block,
     priority: 30, status: draft}}
"""


def events(rows: int = 300, seed: int = 3) -> rb.Dataset:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "amount": rng.integers(0, 1200, rows).astype(float),
            "age": rng.integers(0, 60, rows),
            "device": rng.choice(["d1", "d2", "d3", "d4"], rows),
            "buyer": rng.choice([f"b{k}" for k in range(12)], rows),
            "vip": rng.random(rows) < 0.2,
            "fraud": rng.choice([0, 1, None], rows, p=[0.7, 0.2, 0.1]),
        }
    )
    return rb.read(frame, roles=rb.Roles(id="id", amount="amount", label="fraud", currency="EUR"))


@pytest.fixture(scope="module")
def held() -> rb.Simulation:
    return rb.simulate(rb.RuleBook.from_yaml(BOOK), events())


@pytest.fixture
def lab(held: rb.Simulation):
    return rb.rule_lab(held)


@st.composite
def edits(draw: st.DrawFn) -> dict:
    rules = ["TX-1", "TX-2", "TX-3", "TX-4"]
    params = {
        "TX-1": {"limit": st.integers(0, 1000), "days": st.integers(0, 60)},
        "TX-2": {"much": st.floats(0, 1300)},
        "TX-3": {"devices": st.lists(st.sampled_from(["d1", "d3", "d4"]), min_size=1), "vip": st.booleans()},
        "TX-4": {"who": st.sampled_from(["b1", "b9", "nobody"])},
    }
    some = st.lists(st.sampled_from([*rules, "LIST-vips"]), unique=True)
    off = draw(some)
    touched = draw(st.lists(st.sampled_from(rules), unique=True))
    return {
        "off": off,
        "on": [name for name in draw(some) if name not in off],
        "outcomes": {name: draw(st.sampled_from(OUTCOMES)) for name in draw(st.lists(st.sampled_from(rules)))},
        "priorities": {name: draw(st.integers(0, 40)) for name in draw(st.lists(st.sampled_from(rules)))},
        "params": {name: {own: draw(drawn) for own, drawn in params[name].items()} for name in touched},
    }


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(edits(), min_size=1, max_size=3))
def test_every_figure_equals_simulating_the_edited_book(held: rb.Simulation, drawn: list[dict]) -> None:
    lab = rb.rule_lab(held)
    for value in drawn:
        lab.value = value
    after = rb.simulate(lab.book, held.hits.dataset, on=held.hits.day)
    told = rb.compare(held, after)
    pd.testing.assert_frame_equal(lab.result.frame("measures"), told.frame("changes"), rtol=NEAR)
    pd.testing.assert_frame_equal(lab.result.frame("swaps"), told.frame("swaps"), rtol=NEAR)
    assert lab.result.flips == told.flips
    anew = after.frame().set_index("rule")
    for row in lab.result.frame("hits").itertuples():
        if row.rule in anew.index:
            assert (row.hits_after, row.decides_after) == tuple(anew.loc[row.rule, ["hits", "first_hits"]])
        today = held.frame().set_index("rule").loc[row.rule]
        assert (row.hits_before, row.decides_before) == (today["hits"], today["first_hits"])


def test_moving_the_controls_moves_the_value_and_tells_whoever_listens(lab) -> None:
    told: list = []
    lab.observe(lambda change: told.append((change["new"], lab.result.flips)), names="value")
    row = lab._rows["TX-1"]
    row.live.value = False
    assert lab.value == {**nothing(), "off": ["TX-1"]}
    row.outcome.value = "block"
    row.priority.value = 3
    row.params["limit"].box_.value = 650.0
    assert row.params["limit"].slider.value == min(row.params["limit"].settings, key=lambda place: abs(place - 650))
    lab._rows["TX-3"].live.value = True
    lab._rows["TX-3"].params["devices"].box_.value = '["d1", "d4"]'
    lab._rows["TX-3"].params["vip"].box_.value = True
    lab._rows["TX-4"].params["who"].box_.value = "b1"
    assert lab.value == {
        "off": ["TX-1"],
        "on": ["TX-3"],
        "outcomes": {"TX-1": "block"},
        "priorities": {"TX-1": 3},
        "params": {
            "TX-1": {"limit": 650},
            "TX-3": {"devices": ["d1", "d4"], "vip": True},
            "TX-4": {"who": "b1"},
        },
    }
    assert isinstance(lab.value["params"]["TX-1"]["limit"], int)
    assert len(told) == 8
    assert told[-1] == (lab.value, lab.result.flips)
    assert lab.errors == ""
    row.live.value = True
    assert lab.value["off"] == []
    lab.again.click()
    assert lab.value == nothing()
    assert (row.outcome.value, row.priority.value, row.params["limit"].box_.value) == ("review", 20, 500.0)


def test_a_dragged_slider_gives_a_readable_value_within_the_bounds(lab) -> None:
    control = lab._rows["TX-1"].params["limit"]
    assert 500.0 in control.settings
    assert (min(control.settings), max(control.settings)) == (0.0, 1000.0)
    control.slider.index = 3
    assert lab.value["params"] == {"TX-1": {"limit": int(control.settings[3])}}
    assert control.box_.value == control.settings[3]
    assert lab._rows["TX-2"].params["much"].slider is None


def test_what_is_set_in_python_is_seen_in_the_controls(lab) -> None:
    lab.value = {"off": "TX-1", "outcomes": {"TX-2": "BLOCK", "TX-1": "block"}, "priorities": {}}
    assert lab.value == {**nothing(), "off": ["TX-1"], "outcomes": {"TX-1": "block"}}
    assert not lab._rows["TX-1"].live.value
    assert lab._rows["TX-1"].outcome.value == "block"
    assert "(edited)" in lab._rows["TX-1"].label.value
    assert "(edited)" not in lab._rows["TX-2"].label.value
    lab.value = None
    assert lab.value == nothing()
    assert lab.result.flips == 0


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "mapping"),
        ({"of": ["TX-1"]}, "did you mean 'off'"),
        ({"off": ["TX-9"]}, "There is no rule 'TX-9'"),
        ({"off": ["TX-1"], "on": ["TX-1"]}, "both on and off"),
        ({"outcomes": {"TX-1": "revew"}}, "did you mean 'review'"),
        ({"outcomes": ["TX-1"]}, "mapping"),
        ({"priorities": {"TX-1": True}}, "whole number"),
        ({"priorities": {"TX-1": "5"}}, "whole number"),
        ({"params": {"TX-1": {"limit": 5000}}}, "outside what is allowed"),
        ({"params": {"TX-1": {"limit": float("nan")}}}, "number"),
        ({"params": {"TX-1": {"limit": True}}}, "true/false"),
        ({"params": {"TX-1": {"limt": 5}}}, "did you mean 'limit'"),
        ({"params": {"TX-1": 5}}, "mapping"),
        ({"params": {"LIST-vips": {"x": 5}}}, "no parameters"),
        ({"outcomes": {"LIST-vips": "block"}}, "lets pass"),
    ],
)
def test_a_wrong_value_is_refused_and_nothing_changes(lab, value, words) -> None:
    lab.value = {"off": ["TX-2"]}
    before, seen = lab.result, lab._view.value
    with pytest.raises(RiskbenchError, match=words):
        lab.value = value
    assert lab.value == {**nothing(), "off": ["TX-2"]}
    assert lab.result is before
    assert lab._view.value == seen


@pytest.mark.parametrize(
    ("rule", "name", "typed", "words"),
    [
        ("TX-1", "limit", 5000.0, "outside what is allowed"),
        ("TX-1", "limit", float("nan"), "A value is a number"),
        ("TX-3", "devices", "d1, <b>", "a list of text"),
        ("TX-3", "devices", "[1", "a list of text"),
        ("TX-3", "devices", '[["d1"]]', "not lists"),
    ],
)
def test_a_wrong_number_in_a_control_is_told_inside_the_lab_and_taken_back(lab, rule, name, typed, words) -> None:
    control = lab._rows[rule].params[name]
    before = control.box_.value
    control.box_.value = typed
    assert words in lab.errors
    assert "<b>" not in lab.box.children[-1].value
    assert control.box_.value == before
    assert lab.value == nothing()
    lab._rows["TX-1"].live.value = False
    assert lab.errors == ""


def test_many_rules_are_found_and_paged_and_only_those_seen_have_controls() -> None:
    rules = "\n".join(
        f'  - {{id: R-{k:03}, when: "amount > {k}", outcome: review, priority: {k}, status: live}}' for k in range(120)
    )
    lab = rb.rule_lab(
        rb.simulate(rb.RuleBook.from_yaml(f"book: many\ndomain: transactions\nrules:\n{rules}"), events())
    )
    assert len(lab._rows) == ON_A_PAGE == len(lab._list.children)
    assert lab.position.value == f"1 to {ON_A_PAGE} of 120"
    assert lab.earlier.disabled
    lab.further.click()
    assert lab._list.children[0] is lab._rows[f"R-{ON_A_PAGE:03}"].box
    kept = lab._rows["R-000"]
    lab.filter.value = "r-11"
    assert lab.position.value.endswith("of 10")
    lab.filter.value = ""
    assert lab._rows["R-000"] is kept
    kept.live.value = False
    lab.shown.value = "edited"
    assert lab._list.children == (kept.box,)
    lab.filter.value = "no such rule"
    assert lab.position.value == "none found"
    assert len(lab._steps().table) == 101


def test_the_answer_stands_above_the_rules_and_moves_with_them(lab) -> None:
    children = list(lab.box.children)
    assert children.index(lab._answer_line) == children.index(lab._list) - 1
    assert children.index(lab._view) > children.index(lab._list)
    before = lab._answer_line.value
    lab._rows["TX-2"].live.value = False
    assert lab._answer_line.value != before
    assert all(fact.name in lab._answer_line.value for fact in lab.result.headline())


def test_only_the_label_of_a_rule_that_changes_is_sent_anew(lab) -> None:
    sent: list = []
    for name, row in lab._rows.items():
        row.label.observe(lambda _, name=name: sent.append(name), names="value")
    lab.value = {"params": {"TX-1": {"days": 10}}}
    assert "TX-1" in sent
    assert "TX-3" not in sent
    assert "TX-4" not in sent


def test_the_edited_book_keeps_its_comments_and_can_be_asked_for(lab) -> None:
    with pytest.raises(ParameterError, match="Nothing is edited"):
        lab.request(reason="because")
    lab.value = {"outcomes": {"TX-1": "block"}, "params": {"TX-1": {"limit": 700}}}
    assert "# the old one" in lab.book.to_yaml()
    assert "default: 700" in lab.book.to_yaml()
    asked = lab.request(reason="Too many good customers are reviewed", requested_by="Ana")
    assert asked.flips == lab.result.flips
    assert set(asked.frame("rules")["change"]) == {"TX-1: outcome review -> block", "TX-1: limit 500 -> 700"}


def test_other_costs_change_the_money_and_the_request_alike(held) -> None:
    lab = rb.rule_lab(held, costs={"review_minutes": 60, "minute_cost": 2.0})
    lab.value = {"off": ["TX-1"]}
    assert lab.result.frame().equals(held.what_if(off=["TX-1"], costs=lab._standing.costs).frame())
    net = lab.request(reason="less work").frame("effect").set_index("measure").loc["net value", "change"]
    assert net == pytest.approx(lab.result.frame().set_index("measure").loc["net value", "difference"])
    with pytest.raises(ParameterError):
        rb.rule_lab(held, costs={"review_minuts": 60})


@pytest.mark.parametrize(
    "name", ["", "../out.yaml", "/etc/out.yaml", "out.txt", "link/out.yaml", "none/out.yaml", "a\0.yaml"]
)
def test_a_book_is_written_inside_its_folder_only(held, tmp_path, name) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    (home / "link").symlink_to(away)
    lab = rb.rule_lab(held, folder=home)
    lab.writer.path.value = name
    lab.writer.button.click()
    assert lab.errors
    assert not list(tmp_path.rglob("*.yaml"))


def test_a_file_is_written_over_only_when_that_was_ticked(held, tmp_path) -> None:
    lab, file = rb.rule_lab(held, folder=tmp_path), tmp_path / "book.yaml"
    lab.value = {"off": ["TX-1"]}
    lab.writer.path.value = " book.yaml "
    lab.writer.button.click()
    assert lab.errors == ""
    assert rb.RuleBook.read(file) == lab.book
    lab.value = {"off": ["TX-2"]}
    lab.writer.button.click()
    assert "replace the file" in lab.errors
    assert rb.RuleBook.read(file) != lab.book
    lab.writer.replace.value = True
    lab.writer.button.click()
    assert lab.errors == ""
    assert rb.RuleBook.read(file) == lab.book
    assert not lab.writer.replace.value


def test_the_twin_tells_the_edits_and_each_rule_off_without_a_kernel(lab, held) -> None:
    lab.value = {"outcomes": {"TX-1": "block"}, "params": {"TX-1": {"limit": 700}}}
    bundle = lab._repr_mimebundle_()
    text = bundle["text/html"] + lab._view.value + lab._rows["TX-1"].label.value
    assert HOSTILE not in text
    assert "<script" not in text
    assert "TX-1: outcome review -&gt; block" in text
    assert "limit 500 -&gt; 700" in text
    assert "image/png" in bundle
    assert " at 0x" not in bundle["text/plain"]
    steps = lab._steps()
    assert steps.table["rule_off"].tolist() == ["none", "TX-1", "TX-2", "LIST-vips"]
    for row in steps.table.iloc[1:].itertuples():
        off = held.what_if(off=[row.rule_off])
        assert row.flips == off.flips
        assert row.alerts == off.frame().set_index("measure").loc["alerts", "difference"]


@pytest.mark.parametrize("rules", ["[]", "[{id: A, when: amount > 1, outcome: review, status: draft}]"])
def test_a_book_without_live_rules_and_no_events_are_shown(rules) -> None:
    book = rb.RuleBook.from_yaml(f"book: small\ndomain: transactions\nrules: {rules}")
    for data in (events(), rb.read(pd.DataFrame({"id": [1], "amount": [2.0]}), roles=rb.Roles(id="id"))):
        lab = rb.rule_lab(rb.simulate(book, data))
        assert lab._steps() is None
        assert "text/html" in lab._repr_mimebundle_()
        assert "nan" not in lab._view.value


def test_a_rule_lab_is_made_of_a_simulation() -> None:
    with pytest.raises(ParameterError, match="makes one"):
        rb.rule_lab(rb.RuleBook.from_yaml(BOOK))  # type: ignore[arg-type]
