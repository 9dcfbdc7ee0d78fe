"""Does the segment explorer answer for any columns, window and measure, and name its segment in rule text?"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.display.steps import MOST_STEPS
from riskbench.errors import DataError, ParameterError

HOSTILE = "<img src=x onerror=alert(1)>'"


@cache
def events():
    rng = np.random.default_rng(5)
    rows = 4_000
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.random(rows)) * 42, unit="D")
    city = rng.choice(["SUB", "JKT", HOSTILE, None], rows)
    struck = (at >= "2026-02-05") & (city == "SUB")
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": at,
            "fraud": (rng.random(rows) < np.where(struck, 0.5, 0.03)).astype(int),
            "amount": np.round(rng.lognormal(3, 1, rows), 2),
            "city": city,
            "kind": rng.choice([True, False], rows),
            "buyer": rng.choice([f"buyer-{n}" for n in range(900)], rows),
        }
    )
    roles = rb.Roles(
        id="id", time="at", label="fraud", amount="amount", currency="EUR", segments=("city",), entities=("buyer",)
    )
    return rb.read(frame, roles=roles)


@pytest.fixture
def panel():
    panel = rb.segment_explorer(events(), by="city", measure="fraud")
    yield panel
    panel.close()


def test_it_opens_on_the_last_week_and_leaves_entities_out(panel):
    assert panel.result.window == "2026-02-05 to before 2026-02-12"
    assert "buyer" not in panel._dims
    assert panel.value == {}
    assert panel.where is None
    assert panel.mask.all()
    assert panel.result.segments["segment"].iloc[0] == "city SUB"


def test_a_chosen_segment_is_a_mapping_rule_text_and_a_mask(panel):
    panel.segment.value = "city = 'SUB'"
    assert panel.value == {"city": "SUB"}
    assert panel.where == "city = 'SUB'"
    inside = events().frame(["city"])["city"] == "SUB"
    assert (panel.mask == inside.to_numpy()).all()
    assert panel.events.where(panel.mask).rows == inside.sum()
    incident = rb.Incident("2026-02-05", "2026-02-12", where=panel.where)
    assert rb.investigate(incident, events()).given.current.sum() == panel.result.segments["n"].iloc[0]
    assert panel.result.headline()[1].text == "city SUB"


@pytest.mark.parametrize("chosen", [{"city": None}, {"city": HOSTILE}, {"city": "SUB", "kind": True}, {"kind": False}])
def test_the_value_from_python_moves_the_columns(panel, chosen):
    panel.value = chosen
    assert panel.by == tuple(chosen)
    frame = events().frame(list(chosen))
    same = np.ones(len(frame), dtype=bool)
    for name, word in chosen.items():
        same &= (frame[name].isna() if word is None else frame[name] == word).to_numpy(dtype=bool)
    assert (panel.mask == same).all()
    assert panel.segment.value == panel.where
    assert panel.errors == ""
    panel.value = {}
    assert panel.where is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"city": "SUBB"}, "did you mean 'SUB'"),
        ({"cty": "SUB"}, "did you mean 'city'"),
        ({"kind": 1}, "no value"),
        (None, "mapping"),
        ("city", "mapping"),
        ({1: 2}, "mapping"),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, "three"),
    ],
)
def test_a_wrong_value_is_refused_with_the_nearest(panel, wrong, words):
    panel.value = {"city": "JKT"}
    with pytest.raises(ParameterError, match=words):
        panel.value = wrong
    assert panel.value == {"city": "JKT"}


def test_columns_measure_and_window_move_the_numbers(panel):
    seen = [panel._numbers.value]
    panel.columns[1].value = "kind"
    assert panel.by == ("city", "kind")
    seen.append(panel._numbers.value)
    panel.measure.value = "amount"
    assert panel.result.unit == "money"
    seen.append(panel._numbers.value)
    panel.window.index = (10, 20)
    assert panel.result.window == "2026-01-11 to before 2026-01-22"
    assert (panel.by, panel.measure.value) == (("city", "kind"), "amount")
    seen.append(panel._numbers.value)
    assert len(set(seen)) == 4
    assert panel.errors == ""


def test_a_window_without_a_baseline_says_so(panel):
    panel.window.index = (0, 41)
    assert "no baseline" in " ".join(panel.result.notes)
    assert panel.result.change is None
    assert "no baseline" in panel.result._repr_html_()


def test_names_of_segments_are_text(panel):
    bundle = panel._repr_mimebundle_()
    for text in (panel._numbers.value, panel._bars.value, bundle["text/html"]):
        assert "<img src=x" not in text
        assert "onerror=alert(1)&gt;" in text


def test_the_bundle_is_the_same_twice_and_steps_are_few(panel):
    panel.value = {"city": "SUB"}
    assert panel._repr_mimebundle_() == panel._repr_mimebundle_()
    steps = panel._steps()
    assert len(steps.table) <= MOST_STEPS
    assert steps.table["segment"].iloc[steps.at] == "city SUB"
    assert {"kind yes", "kind no"} <= set(steps.table["segment"])
    assert "0x" not in panel._repr_mimebundle_()["text/plain"]


def test_an_investigation_brings_its_window_measure_and_segments():
    asked = rb.investigate(rb.Incident("2026-02-05", "2026-02-12"), events())
    panel = rb.segment_explorer(asked)
    assert panel.measure.value == asked.measure.name
    assert list(panel._found) == asked.segments.frame()["segment"].tolist() != []
    panel.found.value = next(iter(panel._found))
    assert panel.where == asked.segments.frame()["condition"].iloc[0]
    found, row = asked.segments.frame().iloc[0], panel.result.segments.set_index("condition").loc[panel.where]
    assert (row["n"], row["baseline_n"], row["observed"]) == (found["n"], found["baseline_n"], found["observed"])
    assert row["current"] == pytest.approx(found["current"])
    panel.close()


def test_it_opens_on_the_columns_of_the_segment_that_was_found():
    found = rb.investigate(rb.Incident("2026-02-05", "2026-02-12"), events())
    panel = rb.segment_explorer(found, columns=["kind", "city"])
    names = found.segments.frame()["columns"].iloc[0]
    assert names == "city"
    assert panel.by == ("city",)
    assert rb.segment_explorer(found, by="kind").by == ("kind",)
    assert "from 2026-02-05 to 2026-02-11, both included" in panel._days.value
    assert not panel.window.readout


def test_what_cannot_be_explored_is_said():
    with pytest.raises(ParameterError, match="investigation or a dataset"):
        rb.segment_explorer(events().frame())
    with pytest.raises(ParameterError, match="did you mean 'city'"):
        rb.segment_explorer(events(), by="citty")
    with pytest.raises(ParameterError, match="no measure"):
        rb.segment_explorer(events(), measure="frauds")
    with pytest.raises(ParameterError, match="one to three"):
        rb.segment_explorer(events(), by=("city", "city"))
    with pytest.raises(DataError, match="no events"):
        rb.segment_explorer(events(), window=("2031-01-01", "2031-01-02"))
    plain = rb.read(pd.DataFrame({"id": [1, 2], "kind": ["a", "b"]}), roles=rb.Roles(id="id"))
    with pytest.raises(DataError, match="bear none"):
        rb.segment_explorer(plain)
