"""Coverage says what a plain count says, and what a moved cut would do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.coverage import coverage
from riskbench.incidents.scope import scope_of
from riskbench.metrics.intervals import wilson
from tests.incidents import crafted


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return crafted.frame_of()


@pytest.fixture(scope="module")
def held(frame):
    scope = crafted.scope(frame)
    return scope, crafted.suspected(scope, frame)


def test_hits_are_plain_counts(frame, held):
    scope, cluster = held
    rules = coverage(scope, cluster).frame("rules").set_index("rule")
    some, rest = frame.iloc[cluster.rows], frame[scope.current & ~frame["attack"]]
    before = frame[scope.baseline]

    def hit(part: pd.DataFrame) -> int:
        return int(((part["amount"] > 900) & (part["pay"] == "cod")).sum())

    row = rules.loc["TX-1"]
    assert (row["hits"], row["n"], row["elsewhere"]) == (hit(some), len(some), hit(rest))
    assert row["baseline_per_day"] == pytest.approx(hit(before) / scope.days[1])
    assert [row["hit_share"], row["hit_share_lower"], row["hit_share_upper"]] == pytest.approx(
        [float(x) for x in wilson(hit(some), len(some))]
    )
    assert list(rules["status"]) == ["live"] * 4 + ["shadow", "draft"]


def test_a_near_miss_is_told_with_its_parameter_distance_and_cut(frame, held):
    scope, cluster = held
    found = coverage(scope, cluster)
    near = found.frame("near").set_index("param")
    some = frame.iloc[cluster.rows]
    under = some[(some["amount"] <= 900) & (some["pay"] == "cod")]
    row = near.loc["TX-1.limit"]
    assert row["events"] == len(under)
    assert row["median_gap_share"] == pytest.approx(float(((900 - under["amount"]) / 900).median()))
    assert row["finding"].startswith(f"TX-1.limit 900: {len(under)} events lie under it, median ")
    for share in (50, 90):
        cut = float(row[f"cut_{share}"])
        assert (under["amount"] > cut).mean() >= share / 100
    days = near.loc["TX-2.days"]
    own = some["age_days"] >= np.where(some["land"] == "SG", 4, 2)
    assert days["events"] == int(own.sum())
    assert days["unknown"] == int(some["age_days"].isna().sum())


def test_a_near_miss_lies_within_the_stated_distance_and_the_headline_is_the_tables_first_row(frame, held):
    scope, cluster = held
    found = coverage(scope, cluster)
    near = found.frame("near").set_index("param")
    some = frame.iloc[cluster.rows]
    under = some[(some["amount"] <= 900) & (some["pay"] == "cod")]
    assert near.loc["TX-1.limit", "near_events"] == int((under["amount"] >= 0.75 * 900).sum()) > 0
    own = np.where(some["land"] == "SG", 4, 2)
    assert near.loc["TX-2.days", "near_events"] == int((some["age_days"] - own).between(0, 0.25 * own).sum())
    first = found.pages["findings"][1].iloc[0]
    nearest = next(fact for fact in found.headline() if fact.name == "Nearest miss")
    assert str(first["finding"]).startswith(str(nearest.value))
    assert nearest.note.startswith(f"{first['near']} near; ")
    live = found.frame("near").query("status == 'live'")
    assert live["near_events"].is_monotonic_decreasing
    assert "within 25 % of the cut, or one step" in " ".join(found.notes) + found.pages["findings"][0]
    assert (found.frame("near").loc[lambda rows: rows["cut"].isna(), "near_events"] == 0).all()


def test_events_far_from_the_cut_are_no_near_miss():
    book = rb.RuleBook.from_yaml(
        """
        book: far
        domain: transactions
        rules: [{id: TX-1, when: "amount > :limit", params: {limit: 100000}, outcome: review, status: live}]
        """
    )
    frame = crafted.frame_of()
    scope = crafted.scope(frame, book=book)
    found = coverage(scope, crafted.suspected(scope, frame))
    nearest = next(fact for fact in found.headline() if fact.name == "Nearest miss")
    assert (nearest.value, found.frame("rules")["near_misses"].tolist()) == ("none", [0])
    assert found.frame("rules")["one_part"].tolist() == [found.events]


def test_outcomes_reviews_and_scores_are_plain_counts(frame, held):
    scope, cluster = held
    found = coverage(scope, cluster)
    some = frame.iloc[cluster.rows]
    told = found.frame("outcomes")
    history = told[told["by"] == "history"].set_index("outcome")["events"]
    for name in ("approve", "review", "block"):
        assert history[name] == int((some["outcome"] == name).sum())
    assert told[told["by"] == "the book now"]["events"].sum() == len(some)
    assert found.through == history["approve"]
    reviewed = found.frame("reviewed").set_index("verdict")
    seen = some[some["outcome"] == "review"]
    assert reviewed.loc["fraud", "events"] == int((seen["fraud"] == 1).fillna(False).sum())
    assert reviewed["events"].sum() == reviewed.loc["fraud", "n"] == len(seen)
    assert reviewed.loc["fraud", "median_days"] == pytest.approx(1.0)
    scores = found.frame("scores").set_index("events")
    assert scores.loc["suspected", "mean"] == pytest.approx(some["score"].mean())
    assert scores["cut"].isna().all()


def test_the_share_over_the_score_cut_is_told(frame):
    rule = rb.Rule("CUT", "score >= :cut", "block", params={"cut": 0.9}, status="live")
    scope = crafted.scope(frame, book=crafted.BOOK.with_rule(rule))
    cluster = crafted.suspected(scope, frame)
    row = coverage(scope, cluster).frame("scores").set_index("events").loc["suspected"]
    assert row["over_share"] == pytest.approx((frame.iloc[cluster.rows]["score"] >= 0.9).mean())


def test_the_order_of_rows_does_not_matter(frame, held):
    shuffled = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    scope = crafted.scope(shuffled)
    one, other = coverage(*held), coverage(scope, crafted.suspected(scope, shuffled))
    for name in one.tables:
        pd.testing.assert_frame_equal(one.frame(name), other.frame(name), check_exact=False)
    assert [str(fact) for fact in one.headline()] == [str(fact) for fact in other.headline()]


def test_without_a_book_history_and_labels_are_still_told(frame):
    scope = crafted.scope(frame, book=None)
    found = coverage(scope, crafted.suspected(scope, frame))
    assert "Best rule: no book given" in [str(fact) for fact in found.headline()]
    assert len(found.rules) == len(found.near) == 0
    assert found.through_by == "history"
    assert len(found.frame("reviewed")) == 3
    assert not found.drawable
    assert any("No book given" in note for note in found.notes)


def test_without_history_score_or_labels_it_says_so(frame):
    bare = {"outcome": None, "score": None, "label": None, "label_time": None}
    scope = crafted.scope(frame, **bare)
    found = coverage(scope, crafted.suspected(scope, frame))
    assert found.through_by == "the book now"
    assert len(found.frame("reviewed")) == len(found.frame("scores")) == 0
    alone = crafted.scope(frame, book=None, **bare)
    nothing = coverage(alone, crafted.suspected(alone, frame))
    assert nothing.through is None
    assert "not measurable" in str(nothing.headline()[0])


def test_no_live_rule_is_told(frame):
    book = rb.RuleBook(
        name="shadow", domain="transactions", rules=(rb.Rule("S", "amount > 1", "review", status="shadow"),)
    )
    scope = crafted.scope(frame, book=book)
    assert "no rule is live" in repr(coverage(scope, crafted.suspected(scope, frame)))


odd = st.lists(
    st.tuples(
        st.none() | st.sampled_from([0.0, 5.0, 900.0, 900.01, 1e9]),
        st.none() | st.sampled_from(["cod", "it's", "日本", ""]),
        st.none() | st.integers(-1, 30),
        st.sampled_from([None, 0.0, 1.0]),
        st.booleans(),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(odd)
def test_any_events_add_up(rows):
    rows = [*rows, (None, "cod", 3, None, True)]
    frame = pd.DataFrame(
        {
            "id": "one id for all",
            "at": pd.to_datetime(["2026-10-21" if row[4] else "2026-10-02" for row in rows]),
            "amount": pd.array([row[0] for row in rows], dtype="Float64"),
            "items": 1,
            "pay": pd.array([row[1] for row in rows], dtype="string"),
            "age_days": pd.array([row[2] for row in rows], dtype="Int64"),
            "buyer": "b",
            "land": "SG",
            "note": pd.array([None] * len(rows), dtype="string"),
            "fraud": pd.array([row[3] for row in rows], dtype="Float64"),
        }
    )
    events = rb.read(frame, roles=rb.Roles(id="id", time="at", amount="amount", label="fraud", region="land"))
    scope = scope_of(rb.Incident(crafted.START, crafted.END), events, book=crafted.BOOK)
    found = coverage(scope, Cluster(np.flatnonzero(scope.current), "all", None, "window"))
    n = int(scope.current.sum())
    rules = found.frame("rules")
    assert (rules["hits"] + rules["one_part"] <= n).all()
    assert (rules["near_misses"] <= rules["one_part"]).all()
    assert rules["decided"].sum() <= n
    assert found.frame("outcomes")["events"].sum() == n
    assert (found.frame("near")["got_through"] <= found.frame("near")["events"]).all()
    assert "nan" not in found._repr_html_().lower().split()
