"""Value caught is one thing: the money of the frauds that are hit, whoever asks; without money it is not measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskbench as rb

BOOK = """
book: b
domain: transactions
rules:
  - {id: A, when: "risk >= 0.6", outcome: review, status: live}
"""


def frame(n=3000) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    fraud = rng.random(n) < 0.1
    return pd.DataFrame(
        {
            "id": np.arange(n),
            "at": pd.date_range("2026-01-01", periods=n, freq="h"),
            "fraud": fraud.astype(int),
            "amount": np.round(rng.lognormal(4, 1, n), 2),
            "loss": np.round(np.where(fraud, rng.lognormal(3, 1, n), 0), 2),
            "risk": np.round(np.clip(rng.normal(0.3 + 0.3 * fraud, 0.2), 0, 1), 2),
        }
    )


@pytest.mark.parametrize("measures", [{}, {"loss": "loss"}])
@pytest.mark.parametrize("booked", [False, True])
def test_the_curve_and_the_simulation_mean_the_same(measures, booked):
    data = frame()
    roles = rb.Roles(id="id", time="at", label="fraud", amount="amount", score="risk", measures=measures)
    events, book = rb.read(data, roles=roles), rb.RuleBook.from_yaml(BOOK)
    window = ("2026-01-01", "2027-01-01")
    found = rb.calibrate(events, given=book if booked else None, choose_on=window, report_on=window, by=None)
    for row in found.frame("curve").itertuples():
        hit = data[(data["risk"] >= row.threshold) | (booked & (data["risk"] >= 0.6))]
        assert row.value_caught == pytest.approx(hit.loc[hit["fraud"] == 1, "amount"].sum(), abs=0.005)
    rule = rb.simulate(book, events).frame().iloc[0]
    hit = data[data["risk"] >= 0.6]
    assert rule["value_caught"] == pytest.approx(hit.loc[hit["fraud"] == 1, "amount"].sum(), abs=0.005)


def test_without_an_amount_value_is_not_measured_and_not_counted():
    roles = rb.Roles(id="id", label="fraud", score="risk")
    events, book = rb.read(frame().drop(columns=["amount", "at", "loss"]), roles), rb.RuleBook.from_yaml(BOOK)
    before, after = rb.simulate(book, events), rb.simulate(book.without("A"), events)
    table = before.frame()
    assert table["hits"].iloc[0] > 0
    for name in ("value_hit", "value_caught", "value_caught_upper", "good_value_hit", "unique_value", "first_value"):
        assert table[name].isna().all(), name
    assert any("not measurable" in note for note in before.notes)
    assert before.frame("outcomes")["fraud_value"].isna().all()
    assert before.frame("signatures")["value"].isna().all()
    changes = rb.compare(before, after).frame("changes").set_index("measure")["difference"]
    assert np.isnan(changes["fraud value alerted"])
    assert changes["alerts"] == -table["hits"].iloc[0]
    curve = rb.calibrate(events, by=None).frame("curve")
    assert curve["value_caught"].isna().all()
    assert curve["net_value"].notna().all()
