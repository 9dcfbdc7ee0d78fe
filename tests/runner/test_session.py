"""Does a playbook get what its parameters say, through every door?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import papermill
import pytest

import riskbench as rb
from riskbench.errors import ConfigError, DataError, ParameterError, PlaybookError
from riskbench.runner.session import Session


@pytest.fixture
def events(tmp_path) -> Path:
    rows = 400
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "order": np.arange(rows),
            "placed": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows) // 4, unit="D"),
            "amount": 10.0,
            "fraud": (rng.random(rows) < 0.3).astype(int),
            "land": np.where(np.arange(rows) % 2 == 0, "NO", "SE"),
            "risk": rng.random(rows),
        }
    )
    path = tmp_path / "events.parquet"
    frame.to_parquet(path)
    return path


ROLES = {"id": "order", "time": "placed", "amount": "amount", "label": "fraud", "region": "land"}


def session(**passed) -> Session:
    return rb.start("threshold_calibration", passed)


def test_everything_at_its_default_is_the_sample():
    run = session()
    assert (run.region, run.book, run.max_review_rate) == ("ID", "sample", 0.05)
    assert [str(one) for one in run.constraints()] == ["review_rate at most 0.05"]
    assert run.costs == rb.Costs(minute_cost=700.0)
    assert run.choose_on is None
    assert set(run.frame()["given"]) == {"default"}


def test_raw_text_is_understood_for_every_type():
    typed = session(
        region="BR",
        orders=2000,
        max_review_rate=0.1,
        min_approval_rate=None,
        two_cuts=True,
        costs={"margin": 0.2},
        report_from="2026-08-01",
    )
    text = session(
        region="BR",
        orders="2_000",
        max_review_rate="0.1",
        min_approval_rate="none",
        two_cuts="yes",
        costs="{margin: 0.2}",
        report_from="2026-08-01",
        source="",
        seed="7",
    )
    assert typed.values == text.values
    assert text.report_on == ("2026-08-01", None)
    assert text.choose_on == (None, "2026-08-01")


def test_own_data_turns_the_sample_off_and_the_page_says_so(events):
    run = session(source=str(events), roles=ROLES)
    assert (run.region, run.book, run.score, run.max_review_rate) == (None, None, None, None)
    shown = run.frame().set_index("name")["given"]
    assert shown["region"] == "off: own data"
    assert shown["source"] == "yes"
    assert run.constraints() == ()
    assert run.rule_book().rules == ()


def test_a_value_set_in_a_cell_of_its_own_counts_as_passed(events):
    cells = ["", "source: str | None = None  # x\nregion: str | None = 'ID'", f"# Parameters\nsource = {str(events)!r}"]
    namespace = {"source": str(events), "roles": ROLES, "region": "ID"}
    assert rb.start("threshold_calibration", {**namespace, "In": cells}).region is None
    assert rb.start("threshold_calibration", {**namespace, "In": [*cells, 'region = "ID"']}).region == "ID"


def test_an_injected_name_that_is_not_declared_is_refused():
    with pytest.raises(ParameterError, match="did you mean 'region'"):
        rb.start("threshold_calibration", {"In": ["", '# Parameters\nregoin = "BR"\n'], "regoin": "BR"})


def test_regions_windows_and_currency_choose_the_events(events):
    whole = session(source=str(events), roles=ROLES).dataset()
    part = session(source=str(events), roles=ROLES, region="NO", start="2026-02-01", end="2026-03-01").dataset()
    assert (whole.rows, part.rows) == (400, 56)
    assert part.regions[1] == ("NO",)
    assert session(source=str(events), roles=ROLES, currency="SEK").dataset().currency.code == "SEK"


def scored_by(run: Session) -> rb.Dataset:
    return run.scored(run.dataset())


@pytest.mark.parametrize(
    ("more", "kind", "told"),
    [
        ({"region": "NOR"}, ParameterError, "NO, SE"),
        ({"start": "2030-01-01"}, DataError, "no events left"),
        ({"roles": {}}, ParameterError, "needs roles"),
        ({"roles": {"id": "oder"}}, DataError, "did you mean 'order'"),
        ({"roles": {"id": "order"}, "region": "NO"}, ParameterError, "role 'region'"),
        ({"score": "rsk"}, DataError, "did you mean 'risk'"),
    ],
)
def test_what_the_data_does_not_have_is_one_message(events, more, kind, told):
    with pytest.raises(kind) as caught:
        scored_by(session(**{"source": str(events), "roles": ROLES, **more}))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"source": "nowhere.parquet"}, "names no file"),
        ({"source": "env:RISKBENCH_NO_SUCH_NAME"}, "not set"),
        ({"book": "nowhere.yaml"}, "no rule book"),
        ({"start": "yesterday-ish"}, "not a date"),
        ({"roles": {"idd": "x"}}, "did you mean 'id'"),
        ({"costs": {"margn": 1}}, "did you mean 'margin'"),
        ({"domain": "transaction"}, "did you mean 'transactions'"),
        ({"orders": 3}, "out of range"),
        ({"max_review_rate": 3}, "0 to 1"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(more, told):
    with pytest.raises((ParameterError, ConfigError)) as caught:
        session(**more)
    assert told in str(caught.value)


def test_the_source_may_stand_in_the_environment(events, monkeypatch):
    monkeypatch.setenv("MY_EVENTS", str(events))
    run = session(source="env:MY_EVENTS", roles=ROLES)
    assert run.dataset().rows == 400
    assert run.frame().set_index("name").loc["source", "value"] == "env:MY_EVENTS"


def test_a_password_in_a_notebook_is_masked_and_warned_of():
    run = session(source="postgresql://ana:pa55word@db.invalid/risk", roles={"id": "id"})
    assert "pa55word" not in run._repr_html_()
    assert "env:NAME" in run.notes[0]


def test_the_score_that_is_cut_is_named(events):
    run = session(source=str(events), roles=ROLES, score="risk")
    scored = run.scored(run.dataset())
    assert scored.roles.score == "risk"
    assert "risk" in scored.notes[-1]
    assert run.baseline is None
    assert "the column risk" in repr(run.cut_on)
    run = session(source=str(events), roles={**ROLES, "score": "risk"})
    assert run.scored(run.dataset()).roles.score == "risk"


def test_for_want_of_a_score_a_baseline_is_learnt_and_said(events):
    run = session(source=str(events), roles=ROLES)
    scored = run.scored(run.dataset())
    assert scored.roles.score == "baseline_score"
    assert "baseline" in scored.notes[-1]
    assert run.baseline is not None
    assert run.cut_on is run.baseline
    assert not np.isnan(scored.column("baseline_score").values).any()
    assert 0 < scored.rows < 400


def test_a_parameter_that_is_not_there_is_named():
    with pytest.raises(AttributeError, match="did you mean 'region'"):
        session().regoin  # noqa: B018


@pytest.mark.parametrize("results", [(), (1,), (None,)])
def test_a_run_finishes_with_results(results):
    with pytest.raises(PlaybookError):
        session().finish(*results)


def test_no_playbook_of_that_name():
    with pytest.raises(PlaybookError, match="did you mean 'threshold_calibration'"):
        rb.start("threshold_calibraton", {})


def test_bare_papermill_runs_a_playbook_and_raw_text_does_too(tiny, tmp_path):
    """Nothing is written but the notebook; what papermill passes as text is understood."""
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        str(tiny), str(out), parameters={"region": "BR", "share": "0.25", "seconds": "0"}, progress_bar=False
    )
    held = json.loads(out.read_text("utf-8"))
    shown = "".join("".join(o["data"]["text/html"]) for c in held["cells"] for o in c.get("outputs", ()) if "data" in o)
    assert ">BR<" in shown
    assert "Run finished" in shown
    assert list(Path.cwd().iterdir()) == []
