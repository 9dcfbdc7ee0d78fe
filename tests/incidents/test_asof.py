"""What comes after the as-of moment changes no answer, and no number rests on time that the events do not cover."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.incidents import causes
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.containment import contain
from riskbench.incidents.coverage import coverage
from riskbench.incidents.exposure import cost
from riskbench.incidents.scope import scope_of
from tests.incidents import crafted

ASOF = pd.Timestamp("2026-10-21T18:00")
BASELINE = ("2026-10-01", "2026-10-20")


def frame_of(**changes):
    frame = crafted.frame_of(**changes)
    frame["loss"] = np.where(frame["fraud"].fillna(0) == 1, 0.7 * frame["amount"], 0.0).round(2)
    return frame


def altered(frame, seed=1):
    """Return the events with all that nobody knew by the as-of moment told otherwise."""
    rng, made = np.random.default_rng(seed), frame.copy()
    late = made["told"] > ASOF
    made.loc[late, "told"] += pd.to_timedelta(rng.integers(1, 90, int(late.sum())), unit="D")
    made.loc[late & made["fraud"].notna(), "fraud"] = 1.0
    made.loc[late, "loss"] = made.loc[late, "amount"] * 1_000
    later = made["at"] > ASOF
    made.loc[later, "amount"] = rng.uniform(1, 1e7, int(later.sum())).round(2)
    made.loc[later, "buyer"] = "b1"
    made.loc[later, "pay"] = [f"new {n}" for n in range(int(later.sum()))]
    return made[~later | (rng.random(len(made)) < 0.5)]


def scoped(frame, *, baseline=None, asof=ASOF, book=crafted.BOOK, **roles):
    events = rb.read(frame.drop(columns="attack"), roles=crafted.roles(measures={"loss": "loss"}, **roles))
    return scope_of(rb.Incident(crafted.START, crafted.END, baseline=baseline), events, book=book, asof=asof)


def asked(question, scope, condition="pay = 'cod'"):
    paid = (scope.dataset.frame(["pay"])["pay"] == "cod").to_numpy()
    rows = np.flatnonzero(scope.current & paid & (scope.state.state != 0))
    return question(scope, Cluster(rows, "cash orders", condition, "segments"))


@pytest.mark.parametrize("amount", ["amount", None])
@pytest.mark.parametrize("question", [coverage, contain, cost])
def test_what_is_told_later_changes_no_answer(question, amount):
    frame = frame_of()
    now, later = (asked(question, scoped(held, amount=amount)) for held in (frame, altered(frame)))
    for name in now.tables:
        pd.testing.assert_frame_equal(now.frame(name), later.frame(name), check_exact=name != "candidates")
    assert now.headline() == later.headline() or question is contain
    assert now.notes == later.notes


def test_without_an_amount_a_fraud_not_told_loses_as_the_told_do_on_average():
    frame = frame_of()
    found = asked(contain, scoped(frame, amount=None))
    told = frame[(frame["told"] <= ASOF) & (frame["at"] >= crafted.START) & (frame["fraud"] == 1)]
    assert any(f"as the {len(told)} frauds told of the cluster do on average" in note for note in found.notes)


@pytest.mark.parametrize("amount", ["amount", None])
def test_a_scan_does_not_know_what_comes_later(amount):
    frame = frame_of(attackers=150)
    found = []
    for held in (frame, altered(frame)):
        events = rb.read(held.drop(columns="attack"), roles=crafted.roles(measures={"loss": "loss"}, amount=amount))
        found.append(rb.scan(events, asof=ASOF))
    now, later = found
    assert len(now.anomalies)
    for name in now.tables:
        pd.testing.assert_frame_equal(now.frame(name), later.frame(name), check_exact=True)
    assert now.drafts == later.drafts
    assert now.span == later.span


def test_a_baseline_longer_than_the_events_counts_the_days_that_they_cover():
    frame = frame_of()
    usual, longer = (scoped(frame, baseline=held) for held in (BASELINE, ("2026-01-01", "2026-10-20")))
    assert longer.days == usual.days
    for question, name in ((coverage, "rules"), (contain, "candidates")):
        pd.testing.assert_frame_equal(*(asked(question, held).frame(name) for held in (usual, longer)))
    day = asked(coverage, longer).frame("rules").set_index("rule")["baseline_per_day"]
    before = frame[frame["at"] < crafted.START]
    span = (pd.Timestamp(BASELINE[1]) - before["at"].min()) / pd.Timedelta("1D")
    assert day["TX-1"] == pytest.approx(((before["amount"] > 900) & (before["pay"] == "cod")).sum() / span)


def test_a_baseline_after_the_window_ends_with_the_events():
    frame = frame_of(until="2026-10-30")
    usual, longer = (
        scoped(frame, baseline=("2026-10-22", end), asof="2026-12-01") for end in ("2026-10-30", "2027-10-30")
    )
    assert longer.days[1] == pytest.approx(usual.days[1], abs=0.01)


def test_over_the_score_cut_is_what_the_live_rule_hits():
    """A score that equals a cut with `>` is not over it, and a region's own cut holds there."""
    book = rb.RuleBook.from_yaml(
        """
        book: scored
        domain: transactions
        rules:
          - {id: S-1, when: "score > :cut", params: {cut: 0.5}, outcome: review, status: live,
             regions: {SG: {cut: 0.9}}}
        """
    )
    frame = frame_of()
    frame["score"] = np.resize([0.5, 0.6, 0.95], len(frame))
    frame.loc[::7, "score"] = np.nan
    found = asked(coverage, scoped(frame, book=book, asof="2026-12-01"))
    scores, rules = found.frame("scores"), found.frame("rules")
    first = scores.iloc[0]
    assert round(first["over_share"] * first["n"]) == rules["hits"].iloc[0]
    rest = scores.set_index("events").loc["baseline"]
    before = frame[frame["at"] < crafted.START]
    own = np.where(before["land"] == "SG", 0.9, 0.5)
    assert round(rest["over_share"] * rest["n"]) == (before["score"] > own).sum()
    assert first["cut"] == 0.5


def test_columns_that_give_the_label_away_are_judged_by_what_was_known(monkeypatch):
    seen, judged = [], causes.check

    def check(dataset, **given):
        seen.append(given.get("asof"))
        return judged(dataset, **given)

    monkeypatch.setattr(causes, "check", check)
    asked(causes.why, scoped(frame_of()))
    assert seen == [ASOF]
