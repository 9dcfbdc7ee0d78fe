"""Is one change in net value printed with one interval, wherever it is printed?"""

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.data.labels import REASONS

BOOK = rb.RuleBook.from_yaml("""
book: demo
domain: transactions
rules:
  - {id: A, when: "amount > 60", outcome: block, status: live, priority: 10}
  - {id: B, when: "age < 4", outcome: review, status: live, priority: 20}
  - {id: C, when: "age > 7 AND amount < 30", outcome: review, status: live, priority: 30}
  - {id: D, when: "age = 5", outcome: review, status: draft, priority: 5}
""")


@pytest.fixture(scope="module")
def simulation():
    rng = np.random.default_rng(11)
    rows, buyers = 4_000, 250
    buyer = rng.integers(0, buyers, rows)
    bad = rng.random(buyers) < 0.08
    week = np.arange(rows) * 10 // rows
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": pd.date_range("2026-01-01", periods=rows, freq="25min"),
            "amount": rng.lognormal(3.4, 1.0, rows).round(2),
            "age": rng.integers(0, 10, rows),
            "buyer": buyer,
            "land": rng.choice(["ID", "BR"], rows),
            "fraud": np.where(rng.random(rows) < np.where(bad[buyer], 0.5, 0.01 + 0.05 * (week % 3 == 0)), 1, 0),
        }
    )
    roles = rb.Roles(id="id", time="at", amount="amount", label="fraud", entities=["buyer"], region="land")
    return rb.simulate(BOOK, rb.read(frame, roles=roles))


def compared(simulation, *, live=(), off=()):
    book = simulation.hits.written if hasattr(simulation.hits, "written") else BOOK
    for rule in live:
        book = book.with_status(rule, "live")
    for rule in off:
        book = book.with_status(rule, "retired")
    after = rb.simulate(book, simulation.hits.dataset)
    row = rb.compare(simulation, after).frame("changes").set_index("measure").loc["net value"]
    return pytest.approx([row["difference"], row["lower"], row["upper"]])


ENDS = ["net_value", "net_value_lower", "net_value_upper"]


@pytest.mark.parametrize("rule", ["A", "B", "C"])
def test_a_rule_taken_away_is_worth_the_same_everywhere(simulation, rule):
    told = compared(simulation, off=[rule])
    found = rb.appraise(simulation)
    for table in (simulation.frame("leave_one_out"), found.frame("retire")):
        assert table.set_index("rule").loc[rule, ENDS].tolist() == told
    added = found.rules.set_index("rule").loc[rule]
    ends = [added[f"added_{name}"] for name in ENDS]
    assert [-ends[0], -ends[2], -ends[1]] == told
    measures = simulation.what_if(off=[rule]).frame("measures").set_index("measure").loc["net value"]
    assert measures[["difference", "lower", "upper"]].tolist() == told


def test_a_draft_made_live_is_worth_the_same_everywhere(simulation):
    row = rb.appraise(simulation).frame("marginal").set_index("rule").loc["D"]
    assert row[ENDS].tolist() == compared(simulation, live=["D"])


def test_the_whole_book_is_worth_the_same_everywhere(simulation):
    found, told = rb.appraise(simulation), compared(simulation, off="ABC")
    assert [-found.net_value, -found.net_value_upper, -found.net_value_lower] == told


def test_a_rule_that_shares_no_event_is_credited_alike(simulation):
    alone = rb.simulate(BOOK.with_status("A", "retired").with_status("C", "retired"), simulation.hits.dataset)
    row = rb.appraise(alone).frame("credit").set_index("rule").loc["B"]
    assert row[[f"shapley_{n}" for n in ENDS]].tolist() == pytest.approx(row[[f"first_{n}" for n in ENDS]].tolist())


def test_the_quick_table_says_what_its_interval_leaves_out(simulation):
    assert any("come together" in note for note in simulation.what_if(off=["A"]).notes)
    assert not any("come together" in note for note in simulation.what_if().notes)


def test_the_reasons_for_no_verdict_add_up():
    rng = np.random.default_rng(3)
    rows = 600
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "amount": rng.lognormal(3.4, 1.0, rows).round(2),
            "age": rng.integers(0, 10, rows),
            "did": rng.choice(["approve", "block"], rows),
            "fraud": rng.choice([0.0, 1.0, np.nan], rows),
        }
    )
    held = rb.simulate(BOOK, rb.read(frame, roles=rb.Roles(id="id", amount="amount", label="fraud", outcome="did")))
    found = rb.appraise(held)
    table, rules = found.frame("unlabelled").set_index("rule"), found.rules.set_index("rule")
    assert (table["unlabelled"] == rules.loc[table.index, "unlabelled"]).all()
    assert (table["n"] == rules.loc[table.index, "n"]).all()
    reasons = [name for name in table if name.startswith("unlabelled_")]
    assert len(reasons) == 4
    assert (table[reasons].sum(axis=1) == table["unlabelled"]).all()
    level, state = held.hits.resolution.level, held.hits.labels.state
    without = rb.simulate(BOOK.with_status("A", "retired"), held.hits.dataset).hits.resolution.level
    for name, code in REASONS.items():
        assert table.loc["A", name] == np.count_nonzero((level != without) & (state == code))
    assert table["unlabelled_blocked"].sum() > 0
