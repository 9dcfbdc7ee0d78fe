"""Does a panel show its errors inside itself, and leave a picture behind where there is no kernel?"""

from __future__ import annotations

import pandas as pd
import pytest

from riskbench.display.steps import Steps
from riskbench.errors import DataError
from riskbench.widgets.panel import Panel


class Broken(Panel):
    @property
    def result(self):
        from riskbench.display import Result

        return Result()


@pytest.mark.parametrize(
    ("error", "words"),
    [(DataError("No <b>events</b>", hint="widen"), "Hint: widen"), (ValueError("password=hunter2"), "password=***")],
)
def test_an_error_in_a_control_is_shown_inside_the_panel(error, words):
    panel = Broken()

    def move(_):
        raise error

    panel._guard(move)(None)
    assert words in panel.errors
    assert "<b>" not in panel.box.children[-1].value
    panel._guard(lambda _: None)(None)
    assert panel.errors == ""


def test_a_panel_is_live_and_a_picture_in_one_bundle():
    bundle = Broken()._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= set(bundle)
    assert " at 0x" not in bundle["text/plain"]


def test_steps_are_a_table_without_a_script():
    text = Steps(label='Cut "<x>"', table=pd.DataFrame({"cut": [0.1, 0.2], "alerts": [5, 3]}), at=1).html()
    assert "<details" in text
    assert "<script" not in text
    assert "<x>" not in text
    assert 'data-at="1"' in text
