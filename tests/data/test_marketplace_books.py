"""The shipped rule books hit on the synthetic marketplace, in every region."""

from __future__ import annotations

from pathlib import Path

import pytest

import riskbench as rb
from riskbench.data.roles import DOMAINS
from riskbench.rules.book import RuleBook

BOOKS = Path(__file__).parents[2] / "playbooks" / "books"


@pytest.fixture(scope="module")
def books():
    return {domain: RuleBook.read(BOOKS / f"{domain}.yaml") for domain in DOMAINS}


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_shipped_book_is_whole(books, domain):
    book = books[domain]
    assert book.domain == domain
    assert 6 <= len(book.rules) <= 10
    status = {rule.status for rule in book.rules}
    assert "live" in status
    assert status & {"shadow", "draft"}
    assert book.features
    assert RuleBook.from_yaml(book.to_yaml()).hash == book.hash


def test_the_amount_limit_means_the_same_in_every_currency(books):
    book = books["transactions"]
    together = rb.sample("transactions", None, orders=60_000)
    found = rb.simulate(book, together).frame("regions")
    hits = found[found["rule"] == "TX-001"].set_index("region")["hits"]
    assert (hits[["ID", "BR", "TH"]] > 5).all(), "money of all regions is in one currency; the rule must still hit"
    assert set(book.rule("TX-001").regions) == {"SG", "NO"}


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("code", ["ID", "BR"])
def test_rules_hit_with_real_precision(books, domain, code):
    events = rb.sample(domain, code)
    rules = rb.simulate(books[domain], events).frame("rules").set_index("rule")
    assert (rules["hits"] > 0).mean() >= 0.8
    assert 0.01 < rules["hits"].sum() / events.rows < 0.15
    judged = rules[(rules["hits"] > 30) & rules["precision"].notna()]
    assert judged["precision"].max() > 0.2, "many times the rate of fraud"


def test_history_resembles_the_shipped_book(books):
    orders = rb.sample(region="BR", orders=30_000)
    made = rb.marketplace(orders=30_000, region="BR").tables["outcomes"].to_arrow().to_pandas()
    past = made[made["domain"] == "transactions"].groupby("rule", observed=True).size()
    rules = rb.simulate(books["transactions"], orders).frame("rules").set_index("rule")
    for name in ("TX-002", "TX-003", "TX-005"):
        assert past[name] <= rules.loc[name, "hits"] * 1.6 + 10, name
        assert rules.loc[name, "hits"] <= 4 * past[name] + 30, name
