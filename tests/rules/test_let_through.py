"""Is a let-through planned within its limits, never opened where it must not be, and drawn the same everywhere?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.errors import DataError, ParameterError, RuleError
from riskbench.rules.selection.allotment import MOST, half_width

BOOK = rb.RuleBook.from_yaml("""
book: demo
domain: transactions
rules:
  - {id: TX-1, when: score >= 0.8, outcome: block, priority: 1, status: live}
  - {id: TX-2, when: "stolen", outcome: block, priority: 2, status: live}
  - {id: TX-3, when: score >= 0.6, outcome: review, priority: 3, status: live}
""")


def _frame(rows=4_000):
    rng = np.random.default_rng(2)
    score, stolen = rng.random(rows), rng.random(rows) < 0.02
    did = np.where((score >= 0.8) & (rng.random(rows) > 0.1) | stolen, "block", "approve")
    return pd.DataFrame(
        {
            "id": [f"E-{row}" for row in range(rows)],
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.linspace(0, 70, rows), unit="D"),
            "amount": np.round(np.exp(rng.normal(3, 1, rows)), 2),
            "score": score,
            "stolen": stolen,
            "did": did,
            "fraud": np.where(did == "block", np.nan, rng.random(rows) < 0.3),
        }
    )


ROLES = rb.Roles(id="id", time="at", amount="amount", score="score", label="fraud", outcome="did")
EVENTS = rb.read(_frame(), roles=ROLES)


def test_the_budget_holds_and_is_used():
    plan = rb.plan_let_through(BOOK, EVENTS, budget=50.0, precision=0.02)
    assert plan.rules["at_risk"].sum() == pytest.approx(50.0)
    assert (plan.rules["loss_lower"] <= plan.rules["loss"]).all()
    assert (plan.rules["loss_upper"] <= plan.rules["at_risk"] + 1e-9).all()
    assert (plan.strata["chance"] <= MOST).all()
    free = rb.plan_let_through(BOOK, EVENTS, precision=0.02)
    assert free.rules["at_risk"].sum() > 50.0


def test_small_orders_pass_more_often():
    plan = rb.plan_let_through(BOOK, EVENTS, budget=80.0, precision=0.02)
    chances = plan.strata[plan.strata["rule"] == "TX-1"]["chance"].to_numpy()
    assert (np.diff(chances) < 0).all()


def test_the_precision_asked_for_is_reached_where_no_budget_binds():
    plan = rb.plan_let_through(BOOK, EVENTS, weeks=8, precision=0.1, never="TX-2")
    row = plan.rules.set_index("rule").loc["TX-1"]
    assert row["known_within"] <= 0.1 + 1e-9
    assert row["known_after"] <= 8 + 1e-6
    one = half_width(np.array([100.0]), np.array([0.5]), np.array([0.1]), rule=np.array([0]), rules=1)
    assert one[0] == pytest.approx(1.96 * np.sqrt(100 * 0.25 * 9) / 100, rel=1e-3)


def test_what_may_never_pass_never_does():
    plan = rb.plan_let_through(BOOK, EVENTS, never=["TX-2", "score > 0.95"], cap=60.0)
    chance, passes, frame = plan.chance(EVENTS), plan.draw(EVENTS), _frame()
    never = frame["stolen"] | ((frame["score"] > 0.95) | (frame["amount"] > 60)) & (frame["score"] >= 0.8)
    assert (chance[never] == 0).all()
    assert not passes[never].any()
    assert (chance[(frame["score"] < 0.8) & ~frame["stolen"]] == 1).all()
    assert plan.rules.set_index("rule").loc["TX-2", "reading"].startswith("never let through")
    assert plan.rules.set_index("rule").loc["TX-2", "at_risk"] == 0


def test_a_dearer_event_than_any_seen_has_a_chance_of_its_own_band():
    plan = rb.plan_let_through(BOOK, EVENTS)
    frame = _frame().head(3).assign(amount=[1e6, 0.0, 5.0], score=0.9, stolen=False)
    chance = plan.chance(rb.read(frame, roles=ROLES))
    assert ((chance > 0) & (chance < 1)).all()
    assert chance[0] <= chance[1]


def test_the_draw_is_as_frequent_as_it_says():
    plan = rb.plan_let_through(BOOK, EVENTS, never="TX-2", chances={"TX-1": 0.2})
    chance, passes = plan.chance(EVENTS), plan.draw(EVENTS)
    open_ = (chance > 0) & (chance < 1)
    assert set(chance[open_]) == {0.2}
    spread = np.sqrt(0.16 * open_.sum())
    assert abs(passes[open_].sum() - 0.2 * open_.sum()) < 4 * spread


def test_the_draw_knows_neither_order_nor_company():
    plan = rb.plan_let_through(BOOK, EVENTS, chances={"TX-1": 0.3})
    whole = dict(zip(_frame()["id"], plan.draw(EVENTS), strict=True))
    some = _frame().sample(n=500, random_state=1)
    assert all(whole[i] == drawn for i, drawn in zip(some["id"], plan.draw(rb.read(some, roles=ROLES)), strict=True))
    other = rb.plan_let_through(BOOK, EVENTS, chances={"TX-1": 0.3}, seed=1).draw(EVENTS)
    assert (other != plan.draw(EVENTS)).any()


def test_what_was_planned_can_be_read_back():
    """The chances of a plan, kept as the role let_through, make the figures of the next look an estimate."""
    plan = rb.plan_let_through(BOOK, EVENTS, never="TX-2", chances={"TX-1": 0.2})
    frame, passes = _frame(), plan.draw(EVENTS)
    frame = frame.assign(p=plan.chance(EVENTS), did=np.where(passes, "approve", "block"))
    frame["fraud"] = np.where(passes, frame["score"] > 0.9, np.nan)
    found = rb.selective_labels(rb.simulate(BOOK, rb.read(frame, roles=ROLES.with_roles(let_through="p"))))
    row = found.frame().set_index("rule").loc["TX-1"]
    assert row["ipw_precision_lower"] < 0.5 < row["ipw_precision_upper"]
    assert row["never"] == ((frame["score"] >= 0.8) & frame["stolen"]).sum()


def test_a_simulation_plans_on_its_own_events():
    simulation = rb.simulate(BOOK, EVENTS)
    one, other = rb.plan_let_through(simulation), rb.plan_let_through(BOOK, EVENTS)
    pd.testing.assert_frame_equal(one.strata, other.strata)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"budget": 0}, ParameterError, "budget"),
        ({"budget": float("nan")}, ParameterError, "budget"),
        ({"budget": True}, ParameterError, "budget"),
        ({"cap": -1}, ParameterError, "cap"),
        ({"weeks": 0}, ParameterError, "weeks"),
        ({"weeks": 2.5}, ParameterError, "weeks"),
        ({"precision": 0}, ParameterError, "precision"),
        ({"never": 3}, ParameterError, "list of names"),
        ({"never": "TX-9"}, RuleError, "neither a rule"),
        ({"never": "stole > 1"}, RuleError, "stole"),
        ({"never": "TX-2", "chances": {"TX-2": 0.1}}, ParameterError, "ever let through"),
        ({"chances": {"TX-1": 0.9}}, ParameterError, "at most"),
        ({"chances": {"TX-7": 0.1}}, ParameterError, "no rule"),
        ({"chances": {"TX-1": 0.5}, "budget": 1.0}, ParameterError, "more at risk"),
        ({"seed": -1}, ParameterError, "seed"),
    ],
)
def test_odd_input_is_refused(given, error, words):
    with pytest.raises(error, match=words):
        rb.plan_let_through(BOOK, EVENTS, **given)


def test_events_that_cannot_be_planned_on_are_refused():
    with pytest.raises(ParameterError, match="Simulation"):
        rb.plan_let_through("book.yaml", EVENTS)
    with pytest.raises(ParameterError, match="Dataset"):
        rb.plan_let_through(BOOK, "events.csv")
    with pytest.raises(DataError, match="times"):
        rb.plan_let_through(BOOK, EVENTS.with_roles(time=None))
    with pytest.raises(ParameterError, match="amounts"):
        rb.plan_let_through(BOOK, EVENTS.with_roles(amount=None), budget=5.0)


def test_without_amounts_events_are_counted():
    plan = rb.plan_let_through(BOOK, EVENTS.with_roles(amount=None), never="TX-2")
    assert set(plan.strata["band"]) == {"any value"}
    assert plan.currency == ""


def test_a_book_that_stops_nothing_lets_everything_pass():
    plan = rb.plan_let_through(BOOK.without("TX-1").without("TX-2"), EVENTS)
    assert not len(plan.strata)
    assert plan.draw(EVENTS).all()
    assert not plan.drawable


def _marked():
    """Return stopped events with marks spelled in many ways, and with missing ones."""
    frame = _frame(2_000)
    rng = np.random.default_rng(5)
    words = ["passed", "failed", "FAILED", " failed ", "\uff46\uff41\uff49\uff4c\uff45\uff44", "fai\u200bled", None]
    frame["kyc"] = rng.choice(words, len(frame), p=[0.7, *[0.05] * 6])
    frame["hit"] = pd.array(rng.choice([0, 1, 2], len(frame), p=[0.8, 0.1, 0.1]), dtype="Int64")
    frame.loc[frame["hit"] == 2, "hit"] = pd.NA
    return frame


@pytest.mark.parametrize("condition", ["kyc = 'failed'", "kyc IN ('Failed', 'x')", "kyc <> 'passed'"])
def test_no_spelling_and_no_missing_mark_lets_a_failed_check_pass(condition):
    frame = _marked()
    events = rb.read(frame, roles=ROLES)
    book = rb.RuleBook.from_yaml(
        "book: b\ndomain: transactions\nrules:\n  - {id: A, when: score >= 0.5, outcome: block, status: live}\n"
    )
    plan = rb.plan_let_through(book, events, never=(condition, "hit = 1"), chances={"A": 0.5})
    chance, stopped = plan.chance(events), (frame["score"] >= 0.5).to_numpy()
    clean = (frame["kyc"] == "passed").to_numpy() & (frame["hit"] == 0).fillna(False).to_numpy(dtype=bool)
    assert (chance[stopped & ~clean] == 0).all()
    assert (chance[stopped & clean] == 0.5).all()
    assert not plan.draw(events)[stopped & ~clean].any()


@pytest.mark.parametrize(
    "text",
    ["sanctioned", "hit = 1 AND kyc = 'failed'", "NOT kyc_ok", "card IN :stolen_cards"],
)
def test_rules_of_sanctions_stolen_cards_and_failed_checks_are_never_opened_though_nobody_names_them(text):
    frame = _frame(1_000).assign(sanctioned=lambda d: d["stolen"], kyc_ok=lambda d: ~d["stolen"])
    frame = frame.assign(kyc=np.where(frame["stolen"], "failed", "ok"), hit=frame["stolen"].astype(int))
    frame["card"] = np.where(frame["stolen"], "c1", "c2")
    book = rb.RuleBook.from_yaml(
        "book: b\ndomain: transactions\nlists: {stolen_cards: [c1]}\nrules:\n"
        f'  - {{id: A, when: "{text}", outcome: block, status: live, priority: 1}}\n'
        "  - {id: B, when: score >= 0.5, outcome: block, status: live, priority: 2}\n"
    )
    events = rb.read(frame, roles=ROLES)
    plan = rb.plan_let_through(book, events, chances={"B": 0.5})
    assert plan.never == ("A",)
    assert (plan.chance(events)[frame["stolen"].to_numpy()] == 0).all()
    with pytest.raises(ParameterError, match="ever let through"):
        rb.plan_let_through(book, events, chances={"A": 0.1})
