"""Mined rules say what they hit, do not depend on the order of rows, and read nothing that is not known yet."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import DataError, ParameterError
from riskbench.rules.hits import apply
from riskbench.rules.mining.mine import mine
from riskbench.rules.mining.pieces import _counts, readable
from riskbench.rules.usable import sharing, usable

WORDS = ("", "a", "it's", '"', "日本", "é", "NULL", "x\\y", "a%", "-- b", "\x00", "\u202e")
ODD = 'odd "näme"; --'
events = st.lists(
    st.fixed_dictionaries(
        {
            "amount": st.none() | st.sampled_from([0.0, -1.5, 0.1, 0.30000000000000004, 7.0, 1e300, 5e-324]),
            "items": st.none() | st.sampled_from([0, 1, 5, 99, 101, 2**53 + 1, -(2**63), 2**63 - 1]),
            ODD: st.none() | st.sampled_from(WORDS),
            "is_new": st.none() | st.booleans(),
            "role": st.sampled_from(["target", "other", "neither"]),
            "worth": st.floats(-5, 5),
        }
    ),
    max_size=40,
)


def dataset_of(found: list[dict]) -> rb.Dataset:
    frame = pd.DataFrame(
        {
            "id": ["same"] * len(found),
            "amount": pd.array([e["amount"] for e in found], dtype="Float64"),
            "items": pd.array([e["items"] for e in found], dtype="Int64"),
            ODD: pd.array([e[ODD] for e in found], dtype="string"),
            "is_new": pd.array([e["is_new"] for e in found], dtype="boolean"),
        }
    )
    return rb.read(frame, roles=rb.Roles(id="id"))


def places(found: list[dict], role: str) -> np.ndarray:
    return np.array([place for place, e in enumerate(found) if e["role"] == role], dtype=np.intp)


def mined(found: list[dict], **options):
    worth = np.array([e["worth"] for e in found])
    try:
        return mine(
            dataset_of(found),
            places(found, "target"),
            against=places(found, "other"),
            worth=worth,
            at_least=1,
            **options,
        )
    except DataError:
        return ()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events)
def test_a_mined_rule_hits_exactly_the_events_that_it_claims(found):
    dataset = dataset_of(found)
    looked_at = np.union1d(places(found, "target"), places(found, "other"))
    worth = np.array([e["worth"] for e in found])
    rules = mined(found)
    for one in rules:
        hit = np.intersect1d(apply([one.rule], dataset).positions(0), looked_at)
        assert hit.tolist() == one.rows.tolist()
        assert one.target == len(np.intersect1d(hit, places(found, "target")))
        assert one.target + one.others == len(hit)
        assert one.worth == pytest.approx(worth[hit].sum())
        assert one.rule.status == "draft"
        assert len(one.rule.params) == one.rule.when.count(">= :") + one.rule.when.count("< :")
    if rules:
        book = rb.RuleBook(name="mined", domain="transactions", rules=tuple(one.rule for one in rules))
        assert rb.RuleBook.from_yaml(book.to_yaml()).hash == book.hash


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(found, random):
    shuffled = list(found)
    random.shuffle(shuffled)
    told = [
        [(one.rule.when, one.rule.values(), one.target, one.others) for one in mined(rows)]
        for rows in (found, shuffled)
    ]
    assert told[0] == told[1]


few = st.lists(
    st.tuples(st.none() | st.integers(0, 8), st.sampled_from(["a", "b", "c"]), st.booleans(), st.integers(-4, 4)),
    min_size=2,
    max_size=18,
)


@settings(max_examples=100, deadline=None)
@given(few)
def test_the_best_single_condition_is_found(rows):
    """Brute force: every cut, every set of words, missing or not."""
    worth = np.array([abs(row[3]) if row[2] else -abs(row[3]) for row in rows], dtype=float)
    target = np.array([row[2] for row in rows])
    frame = pd.DataFrame({"id": range(len(rows)), "n": pd.array([row[0] for row in rows], dtype="Int64")})
    frame["w"] = [row[1] for row in rows]
    dataset = rb.read(frame, roles=rb.Roles(id="id"))
    masks = [np.array([row[0] is not None and row[0] >= cut for row in rows]) for cut in range(9)]
    masks += [np.array([row[0] is not None and row[0] < cut for row in rows]) for cut in range(9)]
    masks += [np.array([row[0] is None for row in rows]), np.array([row[0] is not None for row in rows])]
    for size in (1, 2, 3):
        masks += [np.isin([row[1] for row in rows], words) for words in itertools.combinations("abc", size)]
    # What hits every event is no condition; what leaves out only events worth nothing may be left out as well.
    some = [mask for mask in masks if (mask & target).any() and not mask.all()]
    sure = [mask for mask in some if (~mask & (target | (worth != 0))).any()]
    most, least = (max([0.0, *(worth[mask].sum() for mask in part)]) for part in (some, sure))
    try:
        rules = mine(dataset, np.flatnonzero(target), against=np.flatnonzero(~target), worth=worth, terms=1, at_least=1)
    except DataError:
        return
    assert least - 1e-9 <= (rules[0].worth if rules else 0.0) <= most + 1e-9


def market(rows: int = 3_000, *, seed: int = 0) -> tuple[rb.Dataset, np.ndarray]:
    """Events of which some share a few devices, pay by one method and are large."""
    rng = np.random.default_rng(seed)
    sought = np.zeros(rows, dtype=bool)
    sought[rng.choice(rows, 90, replace=False)] = True
    placed = pd.Timestamp("2026-10-01") + pd.to_timedelta(np.sort(rng.integers(0, 30 * 86_400, rows)), unit="s")
    frame = pd.DataFrame(
        {
            "order": [f"o{place}" for place in range(rows)],
            "at": placed,
            "number": np.arange(rows),
            "hour": placed.hour,
            "amount": np.where(sought, rng.uniform(800, 1_000, rows), rng.lognormal(5, 1, rows)).round(2),
            "pay": np.where(sought, "cod", rng.choice(["cod", "card", "wallet"], rows)),
            "buyer_id": [f"b{n}" for n in rng.integers(0, 800, rows)],
            "device_id": np.where(sought, "d-ring", [f"d{n}" for n in rng.integers(0, 700, rows)]),
            "score": np.where(sought, 0.99, rng.random(rows)),
            "decided": "approve",
            "fraud": sought.astype(int),
            "returned": sought,
        }
    )
    roles = rb.Roles(
        id="order", time="at", amount="amount", label="fraud", score="score", outcome="decided",
        entities=("buyer_id", "device_id"),
    )  # fmt: skip
    return rb.read(frame, roles=roles, known_at={"returned": "delivery"}), sought


def test_planted_conditions_are_found_with_readable_cuts():
    dataset, sought = market()
    found = mine(dataset, np.flatnonzero(sought), against=np.flatnonzero(~sought), share=False)
    assert found[0].rule.columns == ("amount", "pay")
    assert found[0].target >= 85
    assert found[0].others <= 40
    for value in found[0].rule.values().values():
        assert value == readable(float(value), digits=3)


def test_counts_of_sharing_are_found_and_work_in_a_book():
    dataset, sought = market()
    found = mine(
        dataset, np.flatnonzero(sought), against=np.flatnonzero(~sought), exclude=["amount", "pay"], outcome="block"
    )
    best = found[0]
    assert set(best.features) & {"device_buyers_1d", "device_buyers_7d", "device_events_7d"}
    features = {name: feature.to_mapping() for name, feature in best.features.items()}
    book = rb.RuleBook(name="found", domain="transactions", rules=(best.rule,), features=features)
    held = rb.simulate(book, dataset).hits.bits.positions(0)
    assert held.tolist() == best.rows.tolist()
    assert not sharing(dataset, features=book.features).keys() & best.features.keys()


def test_what_is_not_known_or_names_somebody_is_never_read():
    dataset, sought = market()
    kept, why = usable(dataset, state=np.where(sought, 1, 0).astype(np.int8))
    assert set(kept) == {"amount", "pay"}
    assert why["returned"] == "it is known only at: delivery"
    assert why["hour"].startswith("it is the hour")
    assert why["number"] == "it follows the time"
    assert set(usable(dataset, score=True)[0]) == {"amount", "pay", "score"}
    told = mine(dataset, np.flatnonzero(sought), against=np.flatnonzero(~sought), share=False)
    assert {name for one in told for name in one.rule.columns} <= {"amount", "pay"}
    leak = dataset.with_columns({"case": np.where(sought, 1, 0)})
    assert "case" not in usable(leak, state=np.where(sought, 1, 0).astype(np.int8))[0]


def test_a_rare_flag_is_not_taken_for_the_hour():
    dataset, _ = market()
    rare = dataset.with_columns({"rare": np.arange(dataset.rows) % 50 == 0})
    assert "rare" in usable(rare)[0]


def test_nothing_to_gain_gives_no_rule():
    dataset, sought = market(400)
    rows = np.flatnonzero(sought)
    others = np.flatnonzero(~sought)
    assert mine(dataset, rows, against=others, worth=np.full(400, -1.0)) == ()
    assert mine(dataset, rows[:0], against=others) == ()
    assert mine(dataset, rows, against=others[:0])


def test_wrong_use_is_told():
    dataset, sought = market(300)
    rows = np.flatnonzero(sought)
    with pytest.raises(ParameterError, match="both target and other"):
        mine(dataset, rows, against=rows[:1])
    with pytest.raises(ParameterError, match="'terms' is 1 to 5"):
        mine(dataset, rows, against=np.flatnonzero(~sought), terms=6)
    bare = rb.read(pd.DataFrame({"id": [1, 2]}), roles=rb.Roles(id="id"))
    with pytest.raises(DataError, match="No column can be read"):
        mine(bare, np.array([0]), against=np.array([1]))


@pytest.mark.parametrize(
    ("worths", "tried"),
    [
        ([], []),
        ([5.0], [1]),
        ([50.0, 40.0, 5.0, 2.0, 2.0, 1.0], [1, 2, 3]),
        ([20.0, 20.0, 20.0, 20.0, 20.0, 20.0], [1, 5, 6]),
        ([30.0, 20.0, 20.0, 20.0, 5.0, 5.0], [1, 3, 4]),
    ],
)
def test_a_long_list_has_to_be_worth_more_than_a_short_one(worths, tried):
    assert _counts(worths) == tried
