"""Is a review's cost told as money, and a default as one?"""

import pandas as pd
import pytest

import riskbench as rb


@pytest.mark.parametrize(("currency", "costs"), [("IDR", None), ("IDR", {"minute_cost": 800}), (None, None)])
def test_pages_tell_what_a_review_costs_in_the_currency(currency, costs):
    frame = pd.DataFrame(
        {"id": range(30), "amount": [40.0 * n for n in range(30)], "fraud": [n % 2 for n in range(30)]}
    )
    amount = {"amount": "amount", "currency": currency} if currency else {}
    events = rb.read(frame, roles=rb.Roles(id="id", label="fraud", **amount))
    book = rb.RuleBook.from_yaml("""
book: demo
domain: transactions
rules:
  - {id: TX-1, when: "amount > :limit", params: {limit: 500}, outcome: review, status: live}
""")
    today = rb.simulate(book, events, costs=costs)
    notes = " ".join([*rb.appraise(today).notes, *today.what_if(off="TX-1").notes])
    assert notes.count("a review costs") == 2
    assert ("a review costs IDR" in notes) == bool(currency)
    assert ("a default that nobody stated" in notes) == (bool(currency) and costs is None)
    assert ("IDR 4,000.00: 5 minutes at IDR 800" in notes) == bool(costs)
