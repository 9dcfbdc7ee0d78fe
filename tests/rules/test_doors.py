"""Does every verb say what it takes, when it is handed something else?"""

import inspect

import pandas as pd
import pytest

import riskbench as rb
from riskbench.errors import RiskbenchError

BOOK = rb.RuleBook.from_yaml("""
book: demo
domain: transactions
rules:
  - {id: TX-1, when: "amount > :limit", params: {limit: 500}, outcome: review, status: live}
""")
FRAME = pd.DataFrame(
    {
        "id": range(60),
        "amount": [20.0 * n for n in range(60)],
        "fraud": [n % 2 for n in range(60)],
        "time": pd.date_range("2026-01-01", periods=60, freq="12h", tz="UTC"),
    }
)
EVENTS = rb.read(FRAME, roles=rb.Roles(id="id", amount="amount", label="fraud", time="time"))
MORE = {"surface": {"params": "amount"}, "explain_event": {"id": 1}, "mine_exceptions": {"rule": "TX-1"}}
OF_BOOKS = (
    "simulate optimise mine_rules mine_exceptions surface brittleness plan_launch audit_lists price_deviations prove "
    "explain_event"
).split()
NOTHING = ["x", None, 3, FRAME, object(), [], {}]


@pytest.mark.parametrize("verb", OF_BOOKS)
@pytest.mark.parametrize("wrong", NOTHING, ids=lambda value: type(value).__name__)
def test_a_verb_names_what_is_no_book_and_what_are_no_events(verb, wrong):
    call, more = getattr(rb, verb), MORE.get(verb, {})
    with pytest.raises(RiskbenchError, match=r"RuleBook\.read"):
        call(wrong, EVENTS, **more)
    with pytest.raises(RiskbenchError, match=r"rb\.read\("):
        call(BOOK, wrong, **more)


def test_every_verb_of_a_book_and_events_is_tried():
    taking = {
        name
        for name in rb.__all__
        if inspect.isfunction(call := getattr(rb, name))
        and list(inspect.signature(call).parameters)[:2] == ["book", "dataset"]
    }
    assert taking == set(OF_BOOKS)


def test_a_frame_is_told_from_a_dataset():
    with pytest.raises(RiskbenchError, match=r"rb\.read\(frame, roles=rb\.Roles"):
        rb.simulate(BOOK, FRAME)


@pytest.mark.parametrize(
    "call",
    [
        lambda: rb.appraise("x"),
        lambda: rb.appraise(BOOK),
        lambda: rb.watch_rules("x"),
        lambda: rb.diagnose_rules("x"),
        lambda: rb.diagnose_rules(None),
        lambda: rb.judge_launch("x", EVENTS, since=None),
        lambda: rb.compare("x", "y"),
        lambda: rb.request_change("x", "y", reason="z"),
        lambda: BOOK.with_params("x"),
        lambda: BOOK.with_params(["TX-1"]),
        lambda: BOOK.diff("x"),
        lambda: BOOK.save(None),
        lambda: rb.RuleBook.read(None),
        lambda: rb.plan_launch(BOOK.with_status("TX-1", "draft"), EVENTS, rule="TX-1", start="x"),
        lambda: rb.plan_launch(BOOK.with_status("TX-1", "draft"), EVENTS, rule="TX-1", measure_on="x"),
        lambda: rb.watch_rules(rb.simulate(BOOK, EVENTS), reference="x"),
        lambda: rb.watch_rules(rb.simulate(BOOK, EVENTS), reference=("x", "y")),
        lambda: rb.optimise(BOOK, EVENTS, seed="a"),
        lambda: rb.optimise(BOOK, EVENTS, choose_on="x"),
        lambda: rb.mine_rules(BOOK, EVENTS, seed="a"),
        lambda: rb.mine_rules(BOOK, EVENTS, exclude=3),
        lambda: rb.mine_rules(BOOK, EVENTS, monotone="x"),
        lambda: rb.surface(BOOK, EVENTS, params="TX-1.limit", seed="a"),
        lambda: rb.brittleness(BOOK, EVENTS, launch="x"),
        lambda: rb.simulate(BOOK, EVENTS).what_if(outcomes=["x"]),
        lambda: rb.simulate(BOOK, EVENTS).what_if(off=[3]),
        lambda: rb.simulate(BOOK, EVENTS).what_if(params="x"),
        lambda: rb.import_rules("CASE WHEN amount > 5 THEN 'review' END", outcomes="x"),
        lambda: rb.prove(BOOK, EVENTS, sql="SELECT 1", outcomes="x"),
    ],
)
def test_a_wrong_kind_is_told_as_one(call):
    with pytest.raises(RiskbenchError):
        call()


def test_a_folder_is_no_file_of_a_book(tmp_path):
    for overwrite in (False, True):
        with pytest.raises(RiskbenchError):
            BOOK.save(tmp_path, overwrite=overwrite)


def test_a_request_is_saved_with_a_signature_only(tmp_path):
    held = rb.simulate(BOOK, EVENTS)
    asked = rb.request_change(held, rb.simulate(BOOK.with_params({"TX-1": {"limit": 900}}), EVENTS), reason="why")
    with pytest.raises(RiskbenchError, match="SignedChange"):
        asked.save(tmp_path / "page.html", signed="yes")


def test_a_text_for_a_list_counts_as_one_name():
    held = rb.simulate(BOOK, EVENTS)
    assert held.what_if(off="TX-1").frame().equals(held.what_if(off=["TX-1"]).frame())
