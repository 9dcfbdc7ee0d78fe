"""Does an investigation answer each question once, say what it cannot, and become one incident record?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.incidents.findings import QUESTIONS
from riskbench.runner import sample_book

WINDOW = ("2026-11-10", "2026-11-14")


@pytest.fixture(scope="module")
def market() -> rb.Marketplace:
    return rb.marketplace(orders=50_000, region="ID")


@pytest.fixture(scope="module")
def asked(market) -> rb.Investigation:
    book = rb.RuleBook.read(sample_book("transactions"))
    return rb.investigate(rb.Incident(*WINDOW), market.datasets["transactions"], book=book)


def test_the_planted_raid_is_dated_placed_and_its_members_are_named(asked, market):
    truth = market.incidents.iloc[0]
    start = pd.Timestamp(asked.timeline.start).tz_localize(None)
    assert abs(start - truth["starts_at"]) < pd.Timedelta(hours=1)
    ids = asked.scope.dataset.frame(["order_id"])["order_id"].to_numpy()[asked.cluster.rows]
    inside = np.isin(ids, truth["events"])
    assert inside.mean() >= 0.9
    assert inside.sum() / truth["orders"] >= 0.7


def test_every_question_has_a_line_and_the_first_six_stand_on_top(asked):
    held = asked.findings
    assert list(held.frame()["question"]) == [question for _, question in QUESTIONS]
    assert held.frame()["answer"].str.len().min() > 0
    assert 4 <= len(held.headline()) <= 6
    assert held.events == len(asked.cluster)


def test_an_answer_is_computed_once(asked):
    assert asked.timeline is asked.timeline
    assert asked.answers[0] is asked.timeline


def test_the_record_is_opened_once_for_a_window(asked, tmp_path):
    with rb.open_casebook(str(tmp_path / "book.db")) as casebook:
        first = rb.open_record(casebook, asked)
        again = rb.open_record(casebook, asked)
        assert first.id == again.id
        assert len(casebook.incidents().frame()) == 1
        assert first.state == "detected"
        assert first.held.facts["region"] == "ID"
        assert first.held.facts["lost"] > 0
        page = first.postmortem().markdown
    assert "To be written" in page
    ringed = asked.entities.frame("members")["entity"].astype(str)
    assert not [name for name in ringed if name in page], "no member of a ring is named in a post-mortem"


def test_what_is_asked_before_any_verdict_rests_on_sums_and_scores(market):
    events = market.datasets["transactions"]
    early = rb.investigate(rb.Incident("2026-11-10T12:00", "2026-11-11T03:00"), events, asof="2026-11-10T20:30")
    state = early.given.state.state[early.given.current]
    assert not (state == 1).any(), "nothing is told three hours after the start"
    assert early.timeline.measure != "fraud"
    assert early.timeline.start is not None
    told = " ".join(early.findings.notes) + " ".join(note for answer in early.answers for note in answer.notes)
    assert "not measurable" in told.casefold() or "no verdict" in told.casefold()


def test_a_window_without_events_is_one_clear_error(market):
    with pytest.raises(rb.DataError, match="no events in the incident's window") as error:
        rb.investigate(rb.Incident("2030-01-01", "2030-01-02"), market.datasets["transactions"])
    assert "2026" in str(error.value)


def test_events_without_time_book_label_or_amount(market):
    events = market.datasets["transactions"].where(np.arange(market.datasets["transactions"].rows) % 5 == 0)
    with pytest.raises(rb.DataError, match="time"):
        rb.investigate(rb.Incident(*WINDOW), events.with_roles(time=None, label_time=None))
    bare = events.with_roles(
        label=None, label_time=None, label_source=None, amount=None, measures={}, outcome=None, score=None, entities=()
    )
    found = rb.investigate(rb.Incident(*WINDOW), bare)
    assert found.findings.headline()
    for answer in found.answers:
        assert "nan" not in answer._repr_html_().casefold().split()


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (("2026-11-14", "2026-11-10"), "not after"),
        (("not a day", "2026-11-10"), "moment"),
        ((3, "2026-11-10"), "moment"),
    ],
)
def test_a_window_is_checked(given, match):
    with pytest.raises(rb.ParameterError, match=match):
        rb.Incident(*given)


def test_a_baseline_that_shares_events_with_the_window_is_refused():
    with pytest.raises(rb.ParameterError, match="share"):
        rb.Incident(*WINDOW, baseline=("2026-11-01", "2026-11-11"))
    with pytest.raises(rb.ParameterError, match="pair"):
        rb.Incident(*WINDOW, baseline="2026-11-01")


def test_what_is_no_incident_is_refused(market):
    with pytest.raises(rb.ParameterError, match="Incident"):
        rb.investigate("2026-11-11", market.datasets["transactions"])


def test_a_condition_restricts_both_windows_and_a_wrong_one_is_explained(market):
    events = market.datasets["transactions"]
    found = rb.investigate(rb.Incident(*WINDOW, where="payment_method = 'cod'"), events)
    held = events.frame(["payment_method"])["payment_method"].to_numpy()
    assert set(held[found.given.current | found.given.baseline]) == {"cod"}
    with pytest.raises(rb.RuleError, match="payment_methd"):
        rb.investigate(rb.Incident(*WINDOW, where="payment_methd = 'cod'"), events)
