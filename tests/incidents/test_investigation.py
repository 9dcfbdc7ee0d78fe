"""Does an investigation answer each question once, say what it cannot, and become one incident record?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.incidents.findings import QUESTIONS
from riskbench.runner import sample_book

WINDOW = ("2026-11-10", "2026-11-14")
SHOP = rb.Incident("2026-03-24", "2026-03-29")
ROLES = {
    "id": "id",
    "time": "at",
    "label": "fraud",
    "amount": "amount",
    "segments": ["city"],
    "entities": ["buyer", "device"],
    "currency": "USD",
}


def shop(rows: int = 3_000) -> pd.DataFrame:
    """Return four weeks of a shop; from the 25th on 60 % of what the city east orders is fraud."""
    rng = np.random.default_rng(3)
    at = pd.Timestamp("2026-03-01") + pd.to_timedelta(np.sort(rng.uniform(0, 28 * 86_400, rows)), unit="s")
    city = rng.choice(["north", "south", "east", "west"], rows)
    risk = np.where((at >= pd.Timestamp("2026-03-25")) & (city == "east"), 0.6, 0.02)
    return pd.DataFrame(
        {
            "id": [f"e{place}" for place in range(rows)],
            "at": at,
            "fraud": (rng.random(rows) < risk).astype(int),
            "amount": rng.integers(100, 9_000, rows) / 100,
            "city": city,
            "buyer": [f"b{place}" for place in rng.integers(0, rows // 3 + 1, rows)],
            "device": [f"d{place}" for place in rng.integers(0, rows // 3 + 1, rows)],
            "items": rng.integers(1, 9, rows),
        }
    )


def look(frame: pd.DataFrame, **more: object) -> rb.Investigation:
    """Return an investigation of the shop's last days."""
    roles = {**ROLES, **dict(more.pop("roles", {}))}
    return rb.investigate(SHOP, rb.read(frame, roles=roles), **more)


def whole(found: rb.Investigation) -> str:
    """Return all answers as text, once each is shown to hold no NaN."""
    for answer in found.answers:
        shown = answer._repr_html_()
        assert "nan" not in shown.casefold().replace("<", " ").replace(">", " ").split(), answer.kind
    return " ".join(f"{fact}" for answer in found.answers for fact in answer.headline())


@pytest.fixture(scope="module")
def market() -> rb.Marketplace:
    return rb.marketplace(orders=50_000, region="ID")


@pytest.fixture(scope="module")
def small() -> rb.Dataset:
    return rb.marketplace(orders=12_000, region="ID").datasets["transactions"]


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


def test_what_is_asked_before_any_verdict_rests_on_sums_and_scores(small):
    early = rb.investigate(rb.Incident("2026-11-10T12:00", "2026-11-11T03:00"), small, asof="2026-11-10T20:30")
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


def test_events_without_time_book_label_or_amount(small):
    events = small.where(np.arange(small.rows) % 2 == 0)
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


def test_a_file_name_is_no_model(market):
    with pytest.raises(rb.ParameterError, match="fitted model"):
        rb.investigate(rb.Incident(*WINDOW), market.datasets["transactions"], model="model.json")


def test_what_is_no_incident_is_refused(market):
    with pytest.raises(rb.ParameterError, match="Incident"):
        rb.investigate("2026-11-11", market.datasets["transactions"])


@pytest.mark.parametrize("events", [None, pd.DataFrame({"at": ["2026-11-11"]})])
def test_what_is_no_dataset_is_refused(events):
    with pytest.raises(rb.ParameterError, match="`dataset` is a Dataset") as error:
        rb.investigate(rb.Incident(*WINDOW), events)
    assert "rb.read" in str(error.value)


@pytest.mark.parametrize("seed", [-1, 1.5, "7", None, True])
def test_what_is_no_seed_is_refused(small, seed):
    with pytest.raises(rb.ParameterError, match="seed"):
        rb.investigate(rb.Incident(*WINDOW), small, seed=seed)


def test_a_condition_restricts_both_windows_and_a_wrong_one_is_explained(market):
    events = market.datasets["transactions"]
    found = rb.investigate(rb.Incident(*WINDOW, where="payment_method = 'cod'"), events)
    held = events.frame(["payment_method"])["payment_method"].to_numpy()
    assert set(held[found.given.current | found.given.baseline]) == {"cod"}
    with pytest.raises(rb.RuleError, match="payment_methd") as error:
        rb.investigate(rb.Incident(*WINDOW, where="payment_methd = 'cod'"), events)
    assert str(error.value).startswith("The incident's condition has a mistake")
    assert "CONDITION" not in str(error.value)
    assert "    ^^^^" in str(error.value)
    assert "payment_method" in str(error.value).split("\n", 3)[-1]


def test_a_condition_that_no_event_of_the_window_meets_is_said(market):
    with pytest.raises(rb.DataError, match="no event of the window meets the condition"):
        rb.investigate(rb.Incident(*WINDOW, where="payment_method = 'shells'"), market.datasets["transactions"])
    with pytest.raises(rb.DataError, match="moments without a zone are UTC"):
        rb.investigate(
            rb.Incident("2030-01-01", "2030-01-02", where="payment_method = 'cod'"), market.datasets["transactions"]
        )


def test_a_hub_that_links_everybody_links_nobody():
    found = look(shop().assign(device="one device", buyer=lambda held: held["id"]))
    assert found.entities.found_rings == 0
    assert "meeting there links no two accounts" in " ".join(found.entities.notes)
    assert found.segments.frame()["condition"].iloc[0] == "city = 'east'"


@pytest.mark.parametrize("empty", ["city", "items"])
def test_a_segment_without_any_value_is_left_out_and_said_so(empty):
    frame = shop()
    frame[empty] = pd.array([None] * len(frame), dtype="string" if empty == "city" else "Float64")
    found = look(frame)
    left = found.segments.frame("left_out").set_index("column")["reason"]
    assert empty in left.index
    if empty == "items":
        assert found.segments.frame()["condition"].iloc[0] == "city = 'east'"
    else:
        assert found.segments.frame().empty
        assert found.cluster.by in {"labels", "nothing"}


def test_ids_that_come_twice_change_no_answer():
    frame = shop()
    twice = frame.assign(id=frame["id"].where(np.arange(len(frame)) % 3 > 0, "same"))
    once, again = look(frame), look(twice)
    pd.testing.assert_frame_equal(once.segments.frame(), again.segments.frame())
    assert once.timeline.start == again.timeline.start
    assert np.array_equal(once.cluster.rows, again.cluster.rows)


@pytest.mark.parametrize("label", [0, 1, None])
def test_labels_of_one_class_or_none_find_nothing_and_say_so(label):
    frame = shop(1_500).assign(fraud=pd.array([label] * 1_500, dtype="Int64"))
    found = look(frame)
    said = whole(found)
    assert found.segments.frame().empty
    assert found.timeline.start is None
    assert found.cluster.by == ("labels" if label == 1 else "nothing")
    assert "not measurable" in said
    assert found.containment.best is None or label == 1


@pytest.mark.parametrize("before", [True, False])
def test_one_event_in_the_window_is_too_few(before):
    frame = shop(1_500)
    late = frame["at"] >= pd.Timestamp(SHOP.start)
    found = look(pd.concat([frame[~late] if before else frame[:0], frame[late].head(1)]))
    assert "not measurable" in whole(found)
    assert found.timeline.start is None
    assert len(found.cluster) == 0, "one event is no cluster"
    with rb.open_casebook("sqlite://") as casebook:
        assert rb.open_record(casebook, found).held.facts["events"] == 0


def test_without_a_baseline_nothing_is_compared():
    frame = shop(1_500)
    found = look(frame[frame["at"] >= pd.Timestamp(SHOP.start)])
    assert "no baseline" in str(found.timeline.headline()[0])
    assert "nothing can be compared" in " ".join(found.given.notes)
    assert found.segments.frame().empty


def test_a_model_that_does_not_match_the_columns_names_the_one_that_lacks():
    from sklearn.linear_model import LogisticRegression

    frame = shop()
    model = LogisticRegression().fit(frame.assign(basket=1.0)[["items", "basket"]], frame["fraud"])
    with pytest.raises(rb.RiskbenchError, match="basket"):
        _ = look(frame, model=model).causes
    bare = LogisticRegression().fit(frame[["items"]].to_numpy(), frame["fraud"])
    with pytest.raises(rb.RiskbenchError, match="without column names"):
        _ = look(frame, model=bare).causes


def test_a_column_of_as_many_values_as_events_is_left_out_and_the_rest_is_found():
    frame = shop(150_000)
    frame["session"] = frame["id"].str.replace("e", "s")
    found = look(frame, roles={"segments": ["city", "session"], "entities": ["buyer", "device", "session"]})
    left = found.segments.frame("left_out").set_index("column")["reason"]
    assert "session" in left.index
    assert found.segments.frame()["condition"].iloc[0] == "city = 'east'"
    assert found.entities.suspicious_rings == 0


def test_a_column_that_leaks_is_in_no_segment_cause_or_rule_once_it_is_left_out():
    frame = shop()
    late = frame["at"] >= pd.Timestamp("2026-03-25")
    some = np.random.default_rng(4).random(len(frame)) < 0.03
    frame["ticket"] = np.where(((frame["fraud"] == 1) & late) | some, "opened", "none")
    told = look(frame)
    assert "ticket" in " ".join(told.segments.frame()["condition"]), "without verdicts before, nothing gives it away"
    events = rb.read(frame, roles=ROLES)
    found = rb.investigate(SHOP, events, exclude=["ticket"])
    assert found.segments.frame()["condition"].iloc[0] == "city = 'east'"
    assert "ticket" not in set(found.causes.frame()["feature"])
    assert "ticket" not in " ".join(found.containment.frame()["condition"])
    assert "ticket" in " ".join(found.given.notes)
    gone = rb.investigate(SHOP, events, exclude=["city", "ticket"])
    assert "city" not in " ".join(gone.segments.frame()["columns"])
    with pytest.raises(rb.ColumnNotFoundError, match="tickt"):
        rb.investigate(SHOP, events, exclude=["tickt"])
    with pytest.raises(rb.ParameterError, match="list"):
        rb.investigate(SHOP, events, exclude="ticket")


def test_the_time_since_another_moment_is_looked_at_and_what_comes_after_the_event_is_not():
    frame = shop()
    rng = np.random.default_rng(5)
    odd = ((frame["at"] >= pd.Timestamp("2026-03-25")) & (frame["fraud"] == 1)) | (rng.random(len(frame)) < 0.03)
    frame["joined"] = frame["at"] - pd.to_timedelta(np.where(odd, 0, rng.integers(1, 9_000, len(frame))), unit="h")
    frame["shipped"] = frame["at"] + pd.Timedelta(days=1)
    frame.loc[::7, "joined"] = pd.NaT
    found = look(frame, exclude=["city"])
    assert "since_joined = 'under 1 minute'" in set(found.segments.frame()["condition"])
    held = found.given.dataset.frame(["since_joined"])["since_joined"]
    assert held[::7].isna().all()
    assert (held[odd & frame["joined"].notna()] == "under 1 minute").all()
    assert "since_shipped" not in found.given.dataset.names
    assert "shipped holds moments after the event" in " ".join(found.given.notes)


def test_rules_of_an_incident_with_a_condition_never_reach_beyond_it(small):
    book = rb.RuleBook.read(sample_book("transactions"))
    found = rb.investigate(rb.Incident(*WINDOW, where="payment_method = 'cod'"), small, book=book)
    rules = [proposal.rule for proposal in found.containment.proposals]
    assert rules
    for rule in rules:
        assert "payment_method = 'cod'" in rule.when, "its effect on other payments was not looked at"


def test_another_domain_is_another_incident_and_a_later_look_renews_what_no_person_wrote():
    events = rb.sample(orders=5000)
    window = rb.Incident(*WINDOW)
    with rb.open_casebook("sqlite://") as casebook:
        early = rb.open_record(casebook, rb.investigate(window, events, asof="2026-11-13"))
        casebook.write(early, "detection", text="a seller called", by="ana")
        late = rb.open_record(casebook, rb.investigate(window, events))
        assert late.id == early.id
        assert late.held.facts["detected"] == early.held.facts["detected"], "a later look is no later detection"
        assert late.held.sections["summary"] != early.held.sections["summary"]
        assert late.held.sections["detection"] == "a seller called"
        other = rb.open_record(casebook, rb.investigate(window, rb.sample("affiliation", orders=5000)))
        assert other.id != early.id


def test_where_nothing_stands_out_nothing_is_suspected_and_no_incident_is_kept(tmp_path):
    from riskbench.runner.casework import recorded

    rows = np.arange(2000)
    frame = pd.DataFrame({"id": rows, "time": pd.Timestamp("2026-01-01") + pd.to_timedelta(rows * 3600, unit="s")})
    events = rb.read(frame, roles=rb.Roles(id="id", time="time"))
    found = rb.investigate(rb.Incident("2026-03-01", "2026-03-08"), events)
    assert (found.cluster.by, len(found.cluster)) == ("nothing", 0)
    store = str(tmp_path / "book.db")
    made = recorded(found, store=store, run=None, folder=tmp_path)
    assert "no incident was opened" in made.notes[0]
    with rb.open_casebook(store) as casebook:
        assert len(casebook.incidents().frame()) == 0
