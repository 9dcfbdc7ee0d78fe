"""Does a dragged cut give exact numbers, and a rule book that holds it?"""

from __future__ import annotations

import math
import re
from functools import cache
from io import BytesIO

import numpy as np
import pytest

import riskbench as rb
from riskbench.display import chart
from riskbench.display.steps import MOST_STEPS
from riskbench.errors import DataError, ParameterError
from tests.calibration.conftest import BOOK, dataset, made


@cache
def found(kind="score"):
    book, events = rb.RuleBook.from_yaml(BOOK), dataset(made())
    if kind == "parameter":
        return rb.calibrate(events, rule_param="TX-1.limit", given=book)
    if kind == "plain":
        return rb.calibrate(dataset(made().drop(columns=["at", "amount", "region"])), by=None)
    limits = (rb.at_most("review_rate", 0.2), rb.at_least("precision", 0.1))
    return rb.calibrate(events, given=book, subject_to=limits, two_cuts=kind == "two cuts")


@pytest.fixture
def panel():
    panel = rb.threshold_panel(found())
    yield panel
    panel.close()


def test_dragging_moves_value_result_and_numbers(panel):
    seen = []
    panel.observe(lambda change: seen.append(change["new"]), names="value")
    before = panel._numbers.value
    for at in (0, len(panel._stops) // 2, len(panel._stops) - 1):
        panel.slider.value = at
        assert panel.value == panel.result.threshold == panel._stops[at]
    assert seen == [panel._stops[0], panel._stops[len(panel._stops) // 2], panel._stops[-1]]
    assert panel._numbers.value != before
    assert panel.errors == ""


def test_the_value_from_python_moves_the_controls(panel):
    panel.value = 0.4321
    assert panel.exact.value == "0.4321"
    assert abs(panel._stops[panel.slider.value] - 0.4321) < 0.01
    assert panel.value == 0.4321, "the slider's nearest stop does not pull the cut"
    panel.proposed.click()
    assert panel.value == found().threshold
    assert panel.today.disabled == (found().today is None)


@pytest.mark.parametrize("cut", [math.nan, "0.5", None, True, [1], -math.inf])
def test_a_wrong_value_is_refused_and_nothing_moves(panel, cut):
    before = panel.value
    with pytest.raises(ParameterError):
        panel.value = cut
    assert panel.value == before
    assert panel.result.threshold == before


def test_a_typed_cut_that_is_none_is_told_inside_and_the_numbers_stay(panel):
    before = panel._numbers.value
    for text in ("<b>x</b>", "nan", "1e999e", "0,7", "1,00"):
        panel.exact.value = text
        assert "is a number" in panel.errors
        assert "<b>x" not in panel.box.children[-1].value
        assert panel._numbers.value == before
    panel.exact.value = "0.7"
    assert (panel.value, panel.errors) == (0.7, "")
    panel.exact.value = "1,000.5"
    assert panel.value == 1000.5
    panel.exact.value = "-1e300"
    assert (panel.value, panel.exact.value, panel.errors) == (-1e300, "-1e+300", "")
    panel.exact.value = "no cut"
    assert panel.value == math.inf
    assert panel.exact.value == "no cut"


def test_one_step_is_the_next_cut_that_differs(panel):
    cuts = np.sort(found().reader.drawn.table.cuts)
    panel.value = 0.5
    panel.lower.click()
    assert panel.value == cuts[cuts < 0.5].max()
    panel.value = 0.5
    panel.higher.click()
    assert panel.value == cuts[cuts > 0.5].min()
    panel.value = float(cuts[0])
    panel.lower.click()
    assert panel.value == cuts[0], "there is none below"


@pytest.mark.parametrize("kind", ["score", "two cuts", "parameter", "plain"])
def test_steps_are_what_the_panel_shows_at_each_of_them(kind):
    held = found(kind)
    panel = rb.threshold_panel(held)
    panel.value = float(np.median(held.reader.drawn.table.cuts[1:])) + 1e-7
    steps = panel._steps()
    table = steps.table
    assert 2 < len(table) <= MOST_STEPS
    names = table[table.columns[0]].tolist()
    assert sum("proposed" in name for name in names) == 1
    assert sum("today" in name for name in names) == (held.today is not None)
    shown = panel.result.pages["measures"][1].set_index("measure").iloc[:, 0]
    at = table.iloc[steps.at]
    for measure in ("precision", "recall", "review rate", "approval rate"):
        assert at[next(name for name in table.columns if name.split(",")[0] == measure)] == shown[measure]
    alerts = [float(text.replace(",", "")) for text in table.iloc[:, 3]]
    falls = held.op in (">=", ">")
    assert alerts == sorted(alerts, reverse=falls), "raising a cut never adds alerts"
    assert "<script" not in steps.html()
    panel.close()


def test_limits_are_told_in_words_at_each_cut(panel):
    panel.value = float(found().reader.drawn.table.cuts[-1])
    assert "Review rate at most 20.0 %: BROKEN" in panel._numbers.value
    panel.value = found().threshold
    assert "Review rate at most 20.0 %: kept" in panel._numbers.value
    assert "Precision at least 10.0 %: kept" in panel._numbers.value


@pytest.mark.parametrize("kind", ["score", "two cuts", "parameter"])
def test_the_book_is_the_calibrations_at_the_proposed_cut_and_moves_with_it(kind):
    held = found(kind)
    panel = rb.threshold_panel(held)
    assert panel.book.hash == held.apply().hash
    cut = float(np.sort(held.reader.drawn.table.cuts[1:])[3])
    panel.value = cut
    rule = "TX-1" if kind == "parameter" else "CUT-risk"
    name = "limit" if kind == "parameter" else "cut"
    assert panel.book.rule(rule).params[name].default == cut
    panel.close()


def test_a_parameter_without_its_book_says_so():
    frame = dataset(made())
    panel = rb.threshold_panel(rb.calibrate(frame))
    assert [rule.id for rule in panel.book.rules] == ["CUT-risk"]
    panel.close()
    with pytest.raises(ParameterError, match="takes a calibration"):
        rb.threshold_panel(frame)
    with pytest.raises(ParameterError, match="rule book"):
        rb.threshold_panel(found(), book="book.yaml")


def test_numbers_of_another_book_are_marked():
    panel = rb.threshold_panel(found(), book=found().given.without("TX-3"))
    assert "another rule book" in panel._numbers.value
    panel.close()


def test_the_book_is_written_with_its_comments_and_never_over_a_file_unasked(panel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "today.yaml").write_text(BOOK.replace("rules:", "rules:  # the team's own words"), "utf-8")
    (tmp_path / "books").mkdir()
    panel = rb.threshold_panel(found(), book=rb.RuleBook.read(tmp_path / "today.yaml"))
    panel.value = 0.61
    writer = panel.writer
    writer.path.value = "books/new.yaml"
    writer.button.click()
    assert panel.errors == ""
    assert "Written: books/new.yaml" in writer.said.value
    text = (tmp_path / "books" / "new.yaml").read_text("utf-8")
    assert "# the team's own words" in text
    assert rb.RuleBook.read(tmp_path / "books" / "new.yaml").hash == panel.book.hash
    panel.value = 0.62
    assert writer.said.value == ""
    writer.button.click()
    assert "stands there" in panel.errors
    assert (tmp_path / "books" / "new.yaml").read_text("utf-8") == text
    writer.replace.value = True
    writer.button.click()
    assert panel.errors == ""
    assert rb.RuleBook.read(tmp_path / "books" / "new.yaml").rule("CUT-risk").params["cut"].default == 0.62
    assert not writer.replace.value, "the tick holds for one file"
    panel.close()


@pytest.mark.parametrize(
    "name",
    ["", "  ", "../out.yaml", "{outside}/out.yaml", "out.txt", "no/such/out.yaml", "a\x00.yaml", "link/out.yaml"],
)
def test_a_path_that_leaves_the_folder_is_refused_inside_the_panel(panel, tmp_path, monkeypatch, name):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path / "work")
    panel.writer.path.value = name.replace("{outside}", str(tmp_path))
    panel.writer.button.click()
    assert panel.errors
    assert not list(tmp_path.rglob("*.yaml"))


def test_the_bundle_is_live_and_a_twin_and_its_text_is_the_same_twice(panel):
    bundle, again = panel._repr_mimebundle_(), panel._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "image/png", "text/plain"} == set(bundle)
    assert bundle == again
    assert re.search(r"0x[0-9a-f]{6}|object at", bundle["text/plain"]) is None
    assert 'class="riskbench-steps"' in bundle["text/html"]
    assert 'alt="' in bundle["text/html"]
    assert "<script" not in bundle["text/html"]


def test_showing_and_dragging_makes_no_new_widgets_and_closing_frees_them_all():
    from ipywidgets.widgets.widget import _instances as alive

    before = set(alive)
    panel = rb.threshold_panel(found())
    made_now = set(alive) - before
    panel._repr_mimebundle_()
    panel.slider.value = 3
    panel._repr_mimebundle_()
    assert set(alive) - before == made_now
    panel.close()
    assert not set(alive) - before
    bundle = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" not in bundle
    assert "text/html" in bundle, "a closed panel still has its twin"
    panel.close()


def test_a_mark_lies_where_the_picture_has_its_cut():
    from matplotlib.image import imread

    def draw(ax):
        ax.plot([0.0, 10.0], [0.0, 1.0], alpha=0)
        ax.axvline(7.0, color="#ff0000", linewidth=3)

    picture = chart.drawn(draw)
    pixels = imread(BytesIO(picture.png))
    red = (pixels[..., 0] > 0.9) & (pixels[..., 1] < 0.1)
    rows, columns = np.nonzero(red)
    assert columns.mean() / pixels.shape[1] == pytest.approx(picture.across(7.0), abs=0.004)
    assert rows.min() / pixels.shape[0] == pytest.approx(picture.top, abs=0.01)
    assert rows.max() / pixels.shape[0] == pytest.approx(picture.bottom, abs=0.01)
    assert picture.across(11.0) is None
    assert picture.across(math.inf) is None


def test_an_existing_file_is_named_in_the_error(panel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "held.yaml").write_text("mine", "utf-8")
    with pytest.raises(DataError, match=r"stands there"):
        panel.writer.write("held.yaml")
    assert (tmp_path / "held.yaml").read_text("utf-8") == "mine"
