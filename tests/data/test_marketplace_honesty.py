"""Nothing in the synthetic marketplace gives the label away: neither a raw column, nor all of them, nor an id."""

from __future__ import annotations

import numpy as np
import pytest

import riskbench as rb
from riskbench.data.roles import DOMAINS

#: A model of the raw columns must stay below this, one column alone below the other.
ALL_COLUMNS, ONE_COLUMN = 0.95, 0.80


@pytest.fixture(scope="module")
def market():
    return rb.marketplace(orders=40_000, region="ID", seed=7)


def truly_fraud(market, domain):
    """Return which events were fraud, whoever told."""
    events, truth = market.datasets[domain], market.truth
    ids = events.frame([events.roles.id])[events.roles.id].astype(str)
    bad = set(truth.loc[(truth["domain"] == domain) & truth["fraud"], "event_id"])
    return ids.isin(bad).to_numpy()


def of_scheme(market, domain, scheme):
    """Return which events belong to a scheme."""
    events, truth = market.datasets[domain], market.truth
    inside = set(truth.loc[(truth["domain"] == domain) & (truth["scheme"] == scheme), "event_id"])
    return events.frame([events.roles.id])[events.roles.id].astype(str).isin(inside).to_numpy()


def raw_columns(events):
    """Return the columns that are known at the decision, without ids, score and history."""
    roles = events.roles
    out = {roles.id, roles.time, roles.score, roles.outcome, roles.let_through, *roles.entities, *events.known_at}
    return [name for name in events.names if name not in out | {"order_id", "application_id"}]


def matrix(events, names):
    columns = [events.column(name) for name in names]
    return np.column_stack([np.where(c.present, c.values.astype(float), np.nan) for c in columns])


def area(label, score):
    from scipy.stats import rankdata

    ranks, positive = rankdata(score), int(label.sum())
    return (ranks[label].sum() - positive * (positive + 1) / 2) / (positive * (len(label) - positive))


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_model_of_the_raw_columns_is_not_too_good(market, domain):
    from sklearn.ensemble import HistGradientBoostingClassifier

    events, label = market.datasets[domain], truly_fraud(market, domain)
    held = matrix(events, raw_columns(events))
    train = np.random.default_rng(0).random(len(label)) < 0.6  # shuffled: the kindest split to a leak
    model = HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(held[train], label[train])
    found = area(label[~train], model.predict_proba(held[~train])[:, 1])
    assert 0.6 < found < ALL_COLUMNS, "and yet there is something to learn"


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_single_column_orders_the_label(market, domain):
    events, label = market.datasets[domain], truly_fraud(market, domain)
    for name in raw_columns(events):
        column = events.column(name)
        for values in (np.where(column.present, column.values.astype(float), -1.0), ~column.present):
            found = area(label, values)
            assert max(found, 1 - found) < ONE_COLUMN, name


@pytest.mark.parametrize("domain", DOMAINS)
def test_ids_carry_no_signal(market, domain):
    events, label = market.datasets[domain], truly_fraud(market, domain)
    rest = ~of_scheme(market, domain, "creator_raid")  # an incident of two days lies where it lies
    assert abs(area(label[rest], np.arange(rest.sum())) - 0.5) < 0.12, "row number: only the weeks may differ"
    for name in (events.roles.id, *events.roles.entities):
        if name == "ip":
            continue  # an address tells the network's kind, as a real one does
        column = events.column(name)
        words, codes, bad = column.words.to_pylist(), column.values[column.present], label[column.present]
        # One entity, one voice: the orders of a ring share theirs.
        fraud = np.bincount(codes, weights=bad, minlength=len(words)) > 0
        used = np.bincount(codes, minlength=len(words)) > 0
        fraud, words = fraud[used], [word for word, there in zip(words, used, strict=True) if there]
        positive = int(fraud.sum())
        room = 4.5 * np.sqrt((1 / positive + 1 / (len(fraud) - positive)) / 12)
        order = {word: place for place, word in enumerate(sorted(word[1:] for word in words))}
        places = np.array([order[word[1:]] for word in words])  # the first letter says what it is an id of
        last = np.array([ord(word[-1]) * 256 + ord(word[-2]) for word in words])
        assert abs(area(fraud, places) - 0.5) < room, f"{name}: order of the words"
        assert abs(area(fraud, last) - 0.5) < room, f"{name}: its last characters"
        if name != events.roles.id:  # codes of ids are row numbers
            assert abs(area(fraud, np.arange(len(fraud))) - 0.5) < room, f"{name}: its codes"


@pytest.mark.parametrize(
    ("domain", "low", "high"), [("transactions", 0.84, 0.93), ("kyc", 0.75, 0.93), ("onboarding", 0.8, 0.94)]
)
def test_the_model_score_is_informative_and_imperfect(market, domain, low, high):
    events, label = market.datasets[domain], truly_fraud(market, domain)
    score = events.column("model_score").values
    assert low < area(label, score) < high
    assert ((score >= 0) & (score <= 1)).all()
    assert len(np.unique(score)) > 2_000


def test_look_alikes_are_taken_for_frauds_more_often_than_other_honest_orders(market):
    events, label = market.datasets["transactions"], truly_fraud(market, "transactions")
    truth = market.truth
    alike = set(truth.loc[(truth["domain"] == "transactions") & truth["look_alike"], "event_id"])
    inside = events.frame(["order_id"])["order_id"].astype(str).isin(alike).to_numpy()
    score = events.column("model_score").values
    plain = ~inside & ~label
    assert score[inside].mean() > 1.3 * score[plain].mean()
    assert score[label].mean() > 1.3 * score[inside].mean()
