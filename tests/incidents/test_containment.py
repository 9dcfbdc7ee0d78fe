"""A containment is what the changed book does beyond the live one, found on some events and checked on others."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.data.outcomes import ladder
from riskbench.display import Result, result
from riskbench.errors import ParameterError, RiskbenchError
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.containment import Containment, contain
from riskbench.incidents.scope import scope_of
from riskbench.incidents.stakes import stakes_of
from riskbench.incidents.trials import plan_of, proposals_of, trials_of, weights
from riskbench.rules.placing import priority_for
from tests.incidents import crafted

LADDER = ladder("transactions")


@result
class _Segments(Result):
    main = "segments"
    segments: pd.DataFrame


@result
class _Entities(Result):
    main = "rings"
    rings: pd.DataFrame
    members: pd.DataFrame


def segments(*conditions: str) -> Result:
    return _Segments(segments=pd.DataFrame({"condition": list(conditions)}))


def rings(frame: pd.DataFrame) -> Result:
    devices = sorted(set(frame.loc[frame["attack"], "device"]))
    members = pd.DataFrame({"entity": [*devices, "d1"], "column": "device", "ring": ["R1"] * len(devices) + ["R2"]})
    return _Entities(rings=pd.DataFrame({"ring": ["R1", "R2"], "suspicious": [True, False]}), members=members)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return crafted.frame_of()


@pytest.fixture(scope="module")
def held(frame):
    scope = crafted.scope(frame)
    return scope, crafted.suspected(scope, frame)


@pytest.fixture(scope="module")
def found(frame, held) -> Containment:
    causes = SimpleNamespace(rules=(rb.Rule("WHY-1", "age_days < :days", "review", params={"days": 12}), "no rule"))
    told = segments("pay = 'cod' AND age_days < 12", "pay = 'cod' AND nowhere > 3", "pay = 'cod'")
    return contain(*held, segments=told, entities=rings(frame), causes=causes)


def test_every_candidate_does_what_the_changed_book_does(frame, held, found):
    """Brute force: simulate the book with and without each candidate, and count event by event."""
    scope, cluster = held
    before = rb.simulate(scope.book, scope.dataset).hits.resolution.level
    suspects = set(cluster.rows.tolist())
    told_fraud = (frame["fraud"] == 1).fillna(False).to_numpy()
    good = (frame["fraud"] == 0).fillna(False).to_numpy()
    chance = stakes_of(scope, cluster).chance
    assert (chance[told_fraud] == 1).all()
    assert not chance[good].any()
    assert not chance[~told_fraud & ~np.isin(np.arange(len(frame)), cluster.rows)].any()
    amount = frame["amount"].to_numpy()
    costs, effects = scope.costs, [rung.effect for rung in LADDER.rungs]
    assert set(found.candidates["source"]) >= {"segment", "mined", "parameter", "attribution"}
    for row in found.candidates[~found.candidates["decays"]].to_dict("records"):
        after = rb.simulate(found.book(row["rule"], status="live"), scope.dataset).hits.resolution.level
        caught = 0
        net = prevented = told = hit = 0.0
        for place in np.flatnonzero((before != after) & scope.current):
            old, new = effects[before[place]], effects[after[place]]
            work = costs.handling(new) - costs.handling(old)
            gain = amount[place] * costs.loss_share * (costs.fraud_gain(new) - costs.fraud_gain(old))
            harm = amount[place] * costs.margin * (costs.good_cost(new) - costs.good_cost(old))
            net += chance[place] * gain - (1 - chance[place]) * harm - work
            told += (gain if told_fraud[place] else -harm) - work
            prevented += chance[place] * gain
            caught += bool(place in suspects and not good[place] and after[place] > before[place])
            hit += (1 - chance[place]) * (after[place] > before[place])
        assert row["caught"] == caught
        assert row["good_hit"] == pytest.approx(hit)
        days = scope.days[0]
        assert row["net_value_day"] == pytest.approx(net / days)
        assert row["net_value_day_told"] == pytest.approx(told / days)
        assert row["value_prevented"] == pytest.approx(prevented)
        assert row["good_hit_per_day"] == pytest.approx(hit / days)


def test_an_added_rule_never_lowers_what_is_decided(held, found):
    scope, _ = held
    before = scope.hits.resolution.level
    added = found.candidates[~found.candidates["source"].isin(["parameter", "promoted"])]
    assert len(added) >= 3
    for name in added["rule"]:
        after = rb.simulate(found.book(name, status="live"), scope.dataset).hits.resolution.level
        assert (after >= before).all()
    trusted = scope.dataset.frame(["buyer"])["buyer"].isin(["b1", "b2"]).to_numpy()
    assert (after[trusted] == before[trusted]).all(), "an allow list still decides first"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(LADDER.names), st.integers(1, 4), st.sampled_from(["live", "shadow"])), max_size=6
    ),
    st.sampled_from(LADDER.names[1:]),
    st.randoms(use_true_random=False),
)
def test_the_priority_of_an_added_rule_softens_nothing(made, outcome, random):
    frame = pd.DataFrame({"id": range(40), **{f"c{n}": [random.random() < 0.4 for _ in range(40)] for n in range(8)}})
    events = rb.read(frame, roles=rb.Roles(id="id"))
    rules = tuple(
        rb.Rule(f"R{n}", f"c{n}", name, priority=priority, status=status)
        for n, (name, priority, status) in enumerate(made)
    )
    book = rb.RuleBook(name="b", domain="transactions", rules=rules)
    new = rb.Rule("NEW", "c7", outcome, priority=priority_for(book, outcome), status="live")
    before = rb.simulate(book, events).hits.resolution.level
    after = rb.simulate(book.with_rule(new), events).hits.resolution.level
    assert (after >= before).all()


def test_the_order_of_rows_does_not_matter(frame, held):
    shuffled = frame.sample(frac=1, random_state=5).reset_index(drop=True)
    scope = crafted.scope(shuffled)
    told = [contain(*held), contain(scope, crafted.suspected(scope, shuffled))]
    pd.testing.assert_frame_equal(told[0].candidates, told[1].candidates, check_exact=False)
    assert [str(fact) for fact in told[0].headline()] == [str(fact) for fact in told[1].headline()]


def test_rules_do_not_depend_on_the_events_that_they_are_checked_on(frame, held):
    """Other values and verdicts in the check and in the baseline's other days leave every rule as it was."""
    scope, cluster = held
    plan = plan_of(scope, stakes_of(scope, cluster), cluster)
    assert plan.check is not None
    parts = (plan.learn.mask, plan.learn_baseline.mask, plan.baseline.mask, plan.check.mask)
    assert sum(part.astype(int) for part in parts).max() == 1
    unseen = np.flatnonzero(plan.baseline.mask | plan.check.mask)
    other = frame.copy()
    order = np.random.default_rng(1).permutation(len(unseen))
    for name in ("amount", "items", "pay", "age_days", "outcome"):
        other.loc[unseen, name] = frame[name].to_numpy()[unseen][order]
    late = np.flatnonzero(plan.check.mask)
    other.loc[late, "fraud"] = np.roll(frame["fraud"].to_numpy()[late], 7)
    changed = crafted.scope(other)

    def proposed(scope) -> list[tuple[str, str, dict]]:
        stakes = stakes_of(scope, cluster)
        own = plan_of(scope, stakes, cluster)
        weight = weights(scope, stakes, own)
        some, _ = proposals_of(
            scope, stakes, own, cluster, causes=None, segments=None, entities=None, outcome=None, weight=weight
        )
        trials = trials_of(scope, stakes, some, weight, outcome=None)
        return [
            (t.proposal.name, t.proposal.rule.outcome, t.proposal.rule.when, t.proposal.rule.values()) for t in trials
        ]

    one, two = proposed(scope), proposed(changed)
    assert len(one) > 5
    assert one == two


def test_the_attack_is_contained(found):
    assert found.checked_on == "the later part of the window"
    assert found.best is not None
    top = found.candidates.iloc[0]
    assert top["verdict"] == "worth it"
    assert top["check_caught_share"] > 0.8
    assert top["check_net_value_day_lower"] > 0
    assert "pay = 'cod'" in top["condition"]
    assert found.headline()[0].text.startswith(str(top["rule"]))


def test_what_is_not_held_out_never_reads_as_worth_it(found):
    seen = found.candidates[~found.candidates["held_out"]]
    assert len(seen) >= 3
    assert not set(seen["verdict"]) & {"worth it", "may pay"}
    rules = found.candidates[~found.candidates["decays"]]
    places = (rules["verdict"] == "not held out").to_numpy()
    assert (places[1:] >= places[:-1]).all(), "what is held out stands first"


def test_a_list_of_members_is_kept_apart(frame, held, found):
    scope, cluster = held
    row = found.candidates.iloc[-1]
    assert (row["source"], bool(row["decays"]), bool(row["held_out"])) == ("list", True, False)
    book = found.book(row["rule"], status="draft")
    (held_list,) = (book.lists[name] for name in book.lists if name not in scope.book.lists)
    assert held_list.values == tuple(sorted(set(frame.loc[cluster.rows, "device"])))
    assert held_list.expires == "2026-11-05"
    assert "d1" not in held_list.values, "a ring that is not suspicious gives no list"
    assert found.best != row["rule"]
    assert rb.RuleBook.from_yaml(book.to_yaml()).hash == book.hash


def test_a_condition_that_cannot_be_read_is_told(found):
    assert any("cannot stand in a rule" in note for note in found.notes)


def test_the_book_is_given_as_asked(held, found):
    scope, _ = held
    assert found.book().rule(str(found.best)).status == "shadow"
    assert found.book(status="live").rule(str(found.best)).status == "live"
    moved = found.candidates.loc[found.candidates["source"] == "parameter", "rule"].iloc[0]
    rule = moved.split(".")[0]
    shadow, live = found.book(moved), found.book(moved, status="live")
    assert shadow.rule(rule) == scope.book.rule(rule)
    assert shadow.rule(f"{rule}-B").status == "shadow"
    assert live.rule(rule).values() != scope.book.rule(rule).values()
    with pytest.raises(ParameterError, match="is not a containment"):
        found.book("CONTAIN-MINED-99")


def test_the_days_after_are_the_check_where_they_hold_suspected_events():
    frame = crafted.frame_of(until="2026-10-25", attackers=140)
    scope = crafted.scope(frame)
    found = contain(scope, crafted.suspected(scope, frame, "pay = 'cod' AND age_days < 12"))
    assert found.checked_on == "the days after the window"
    later = frame[scope.after]
    condition = (later["pay"] == "cod") & (later["age_days"] < 12).fillna(False)
    sought = ((condition | (later["fraud"] == 1)) & ~(later["fraud"] == 0)).fillna(condition)
    assert found.candidates["check_n"].iloc[0] == int(sought.sum())
    assert found.candidates["held_out"].all()
    told = contain(scope, crafted.suspected(scope, frame))
    assert told.candidates["check_n"].iloc[0] == int((later["fraud"] == 1).sum())


def test_where_nothing_is_worth_it_that_is_said(frame):
    rng = np.random.default_rng(2)
    scope = crafted.scope(frame)
    anything = np.sort(rng.choice(np.flatnonzero(scope.current & ~frame["attack"]), 40, replace=False))
    found = contain(scope, Cluster(anything, "anything", None, "labels"))
    assert found.best is None
    assert "worth it" not in set(found.candidates["verdict"])
    assert found.headline()[0].text.startswith(("none is surely worth it", "not measurable"))
    with pytest.raises(ParameterError, match="has to be named"):
        found.book()


def test_too_few_suspected_events_cannot_be_checked(frame):
    scope = crafted.scope(frame)
    rows = crafted.suspected(scope, frame).rows[:8]
    found = contain(scope, Cluster(rows, "a few", None, "labels"))
    assert set(found.candidates["verdict"]) <= {"not checked"}
    assert found.candidates["check_n"].isna().all()
    assert any("flattered" in note for note in found.notes)


@pytest.mark.parametrize(
    "changes",
    [
        {"label": None, "label_time": None},
        {"amount": None},
        {"entities": ()},
        {"outcome": None, "score": None, "region": None},
    ],
    ids=["no labels", "no amount", "no entities", "no history"],
)
@pytest.mark.parametrize("book", [crafted.BOOK, None], ids=["book", "no book"])
def test_it_works_with_what_there_is(frame, book, changes):
    scope = crafted.scope(frame, book=book, **changes)
    found = contain(scope, crafted.suspected(scope, frame))
    assert len(found.candidates)
    assert found.candidates["check_caught_share"].max() > 0.5
    if changes.get("label", "") is None:
        assert (found.candidates["net_value_day_told"] < found.candidates["net_value_day"]).all()
    if book is None:
        assert set(found.candidates["source"]) == {"mined"}


def test_without_a_baseline_the_window_alone_is_used(frame):
    scope = crafted.scope(frame)
    alone = replace(scope, baseline=np.zeros(len(frame), dtype=bool))
    found = contain(alone, crafted.suspected(alone, frame))
    assert found.candidates["baseline_good_hit"].isna().all()
    assert len(found.candidates)


def test_wrong_use_is_told(held):
    with pytest.raises(ParameterError, match="contains nothing"):
        contain(*held, outcome="approve")
    with pytest.raises(ParameterError, match="At least one"):
        contain(*held, most=0)
    with pytest.raises(RiskbenchError, match="not an outcome"):
        contain(*held, outcome="explode")
    assert set(contain(*held, outcome="challenge").frame().query("source == 'mined'")["outcome"]) == {"challenge"}


odd = st.lists(
    st.tuples(
        st.none() | st.sampled_from([0.0, -5.0, 900.0, 900.01, 1e9]),
        st.none() | st.sampled_from(["cod", "it's", "日本", "", '"; --']),
        st.none() | st.integers(-1, 30),
        st.sampled_from([None, 0.0, 1.0]),
        st.integers(0, 200_000),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(odd, st.booleans())
def test_any_events_add_up(rows, one_class):
    frame = pd.DataFrame(
        {
            "id": "one id for all",
            "at": pd.Timestamp("2026-10-19") + pd.to_timedelta([row[4] for row in rows] + [90_000], unit="s"),
            "amount": pd.array([row[0] for row in rows] + [5.0], dtype="Float64"),
            "items": 1,
            "pay": pd.array([row[1] for row in rows] + ["cod"], dtype="string"),
            "age_days": pd.array([row[2] for row in rows] + [3], dtype="Int64"),
            "buyer": "b",
            "land": "SG",
            "note": pd.array([None] * (len(rows) + 1), dtype="string"),
            "fraud": pd.array([1.0 if one_class else row[3] for row in rows] + [1.0], dtype="Float64"),
        }
    )
    picked = np.array([row[5] for row in rows] + [True])
    events = rb.read(frame, roles=rb.Roles(id="id", time="at", amount="amount", label="fraud", entities=("buyer",)))
    scope = scope_of(rb.Incident(crafted.START, "2026-10-21"), events, book=crafted.BOOK)
    cluster = Cluster(np.flatnonzero(scope.current & picked), "picked", None, "labels")
    found = contain(scope, cluster, segments=segments("pay = 'cod'"))
    table = found.candidates
    assert (table["caught"] <= table["n"]).all()
    assert (table["good_told_hit"] <= table["good_hit"]).all()
    checked = table[table["check_n"].notna()]
    assert (checked["check_caught"] <= checked["caught"]).all()
    assert "nan" not in found._repr_html_().lower().split()
