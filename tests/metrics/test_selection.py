"""Events that history stopped: are they told rightly by those let through, by a model, and by bounds?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.data.labels import label_state
from riskbench.errors import ParameterError
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.selection import (
    FEWEST_DRAWN,
    bounds,
    break_even,
    expected_fraud,
    inclusion,
    robust_total,
    sensitivity,
    share_of,
    shifted,
    weighted_total,
)

#: Sums in another order differ by roundings.
ROUNDING = 1e-6
#: A right 95 % interval covers fewer of 300 seeds with p < 1e-4.
FEWEST_COVERED = 0.897


# -- inclusion ---------------------------------------------------------------------------------------------


def _included(p, did, fraud):
    frame = pd.DataFrame({"id": range(len(did)), "did": did, "fraud": fraud, "p": p})
    events = rb.read(frame, roles=rb.Roles(id="id", label="fraud", outcome="did", let_through="p"))
    return inclusion(events, label_state(events))


def test_each_case_of_chance_and_outcome_is_read():
    found = _included(
        [1.0, 0.2, 0.2, 0.0, None, None, 5.0, 0.0, 1.0],
        ["approve", "approve", "block", "block", "approve", "block", "block", "approve", "block"],
        [0, 1, None, None, 0, None, None, 1, None],
    )
    assert found.chance.tolist() == [1, 0.2, 0.2, 0, 1, 0, 0, 1, 0]
    assert found.weight.tolist() == [1, 5, 0, 0, 1, 0, 0, 1, 0]
    assert found.never.tolist() == [False, False, False, True, False, True, True, False, True]
    assert found.drawn.tolist() == [False, True] + [False] * 7
    said = " ".join(found.told)
    for words in ("no chance", "outside 0..1", "passed with a chance of 0", "stopped with a chance of 1"):
        assert words in said


def test_a_stopped_event_whose_verdict_is_known_is_counted_once():
    found = _included([0.0, 0.2, 0.2], ["block", "block", "approve"], [1, 1, 0])
    assert found.weight.tolist() == [1, 0, 5]
    assert not found.never.any()


# -- totals ------------------------------------------------------------------------------------------------


def _plain(fraud, labelled, chance, size):
    """Say the same in plain Python: what was counted, and the rest by the share of size that is fraud."""
    counted = sum(s for f, k, s in zip(fraud, labelled, size, strict=True) if k and f)
    sampled = [(f, s) for f, k, p, s in zip(fraud, labelled, chance, size, strict=True) if k and p < 1]
    rest = [s for k, p, s in zip(labelled, chance, size, strict=True) if not k and 0 < p < 1]
    if not rest:
        return counted
    return counted + sum(rest) * sum(s for f, s in sampled if f) / sum(s for _, s in sampled)


events = st.lists(
    st.tuples(
        st.booleans(),
        st.booleans(),
        st.sampled_from([0.0, 0.25, 1.0]),
        st.floats(0.01, 1e6, allow_nan=False) | st.sampled_from([1.0, 1.0, 50.0]),
    ),
    max_size=40,
)


def _arrays(rows):
    fraud, passed, chance, size = (np.array(column) for column in zip(*rows, strict=True)) if rows else ([],) * 4
    fraud, passed = np.asarray(fraud, dtype=bool), np.asarray(passed, dtype=bool)
    return fraud, passed & (np.asarray(chance, float) > 0), np.asarray(chance, float), np.asarray(size, float)


@given(events)
@settings(deadline=None)
def test_equals_the_oracle_and_stays_within_what_is_possible(rows):
    fraud, labelled, chance, size = _arrays(rows)
    found = weighted_total(fraud * size, labelled, chance, size=size)
    sampled, rest = labelled & (chance < 1), ~labelled & (chance > 0) & (chance < 1)
    if rest.any() and not sampled.any():
        assert found.value is None
        assert found.why
        return
    assert found.value == pytest.approx(_plain(fraud, labelled, chance, size), rel=ROUNDING, abs=ROUNDING)
    counted, whole = float((fraud * size)[labelled].sum()), float(size[rest].sum())
    slack = ROUNDING * (1 + counted + whole)
    assert counted - slack <= found.lower <= found.value + slack
    assert found.value - slack <= found.upper <= counted + whole + slack


@given(events, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    for estimator in (
        lambda f, k, p, s: weighted_total(f * s, k, p, size=s),
        lambda f, k, p, s: robust_total(f * s, k, p, size=s, expected=np.where(s > 10, 0.6, 0.1)),
        lambda f, k, p, s: bounds(f * s, k, p, size=s),
    ):
        one, other = estimator(*_arrays(rows)), estimator(*_arrays(shuffled))
        for name in ("value", "lower", "upper"):
            if hasattr(one, name) and getattr(one, name) is not None:
                assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-5, abs=1e-5)


def test_where_nothing_was_stopped_it_is_counted():
    found = weighted_total([5.0, 0.0, 7.0], np.ones(3, dtype=bool), np.ones(3), size=[5.0, 9.0, 7.0])
    assert (found.value, found.lower, found.upper, found.n, found.corrected) == (12, 12, 12, 3, 0)


def test_late_labels_and_let_through_multiply():
    labelled = np.arange(400) < 40
    fraud = (np.arange(400) % 4 == 0) & labelled
    ones, chance = np.ones(400), np.full(400, 0.1)
    plain = weighted_total(fraud, labelled, chance, size=ones)
    late = weighted_total(fraud, labelled, chance, size=ones, weight=np.full(400, 1.5))
    assert plain.value == pytest.approx(100)
    assert late.value == pytest.approx(150)
    assert late.upper - late.lower > plain.upper - plain.lower
    assert late.corrected == pytest.approx(1 - 10 / 150)


def test_a_changed_policy_is_two_strata():
    """Without strata the first half, let through more often and worse, would stand for the second."""
    chance = np.repeat([0.5, 0.05], 2_000)
    labelled = np.r_[np.arange(2_000) < 1_000, np.arange(2_000) < 100]
    fraud = np.repeat([True, False], 2_000)
    found = weighted_total(fraud * labelled, labelled, chance, size=np.ones(4_000))
    assert found.value == pytest.approx(2_000)


def test_differences_of_any_sign_are_told():
    rng = np.random.default_rng(3)
    size = rng.normal(size=3_000)
    fraud, labelled = rng.random(3_000) < 0.3, rng.random(3_000) < 0.2
    found = weighted_total(size * fraud, labelled, np.full(3_000, 0.2), size=size)
    turned = weighted_total(-size * fraud, labelled, np.full(3_000, 0.2), size=-size)
    assert found.lower < float((size * fraud).sum()) < found.upper
    assert (found.value, found.lower, found.upper) == pytest.approx((-turned.value, -turned.upper, -turned.lower))


def test_without_sizes_a_handful_of_values_is_not_measurable():
    labelled = np.arange(100) < 20
    assert weighted_total(np.eye(1, 100)[0], labelled, np.full(100, 0.2)).value is None
    many = weighted_total(np.where(labelled, 3.0, 0.0), labelled, np.full(100, 0.2))
    assert many.value == pytest.approx(300)


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"values": [1.0]}, "one number a row"),
        ({"chance": [0.5, 1.5]}, r"0\.\.1"),
        ({"chance": [0.5, np.nan]}, "no number"),
        ({"values": [np.inf, 0.0]}, "no number"),
        ({"values": [9.0, 0.0]}, "between 0"),
        ({"values": [-1.0, 0.0]}, "between 0"),
        ({"strata": np.zeros(7, dtype=int)}, "one code a row"),
        ({"weight": [1.0]}, "one number a row"),
    ],
)
def test_odd_arrays_are_refused(given_, words):
    held = {"values": [1.0, 0.0], "labelled": np.array([True, False]), "chance": [0.5, 0.5], "size": [1.0, 1.0]}
    held |= given_
    with pytest.raises(ParameterError, match=words):
        weighted_total(held.pop("values"), held.pop("labelled"), held.pop("chance"), **held)


# -- the light study ---------------------------------------------------------------------------------------


def _market(seed, rows=500):
    rng = np.random.default_rng(seed)
    risk, size = rng.normal(size=rows), np.exp(rng.normal(size=rows))
    fraud = rng.random(rows) < 1 / (1 + np.exp(-(-1.5 + 1.2 * risk + 0.3 * np.log(size))))
    chance = np.where(np.arange(rows) < rows // 2, 0.08, 0.2)
    wrong = np.where(rng.random(rows) < 0.4, -risk, risk) + 0.5 * rng.normal(size=rows)
    return fraud, size, chance, rng.random(rows) < chance, wrong


@pytest.mark.parametrize("what", ["number", "money"])
def test_intervals_cover_what_the_verdicts_would_have_shown(what):
    covered = {"ipw": 0, "robust": 0, "bounds": 0, "naive": 0}
    missed = {"ipw": [], "robust": []}
    seeds = 300
    for seed in range(seeds):
        fraud, amount, chance, passed, score = _market(seed)
        size = np.ones(len(fraud)) if what == "number" else amount
        values, truth = size * fraud, float(size[fraud].sum())
        expected = expected_fraud(score, fraud, passed)
        for name, found in (
            ("ipw", weighted_total(values, passed, chance, size=size)),
            ("robust", robust_total(values, passed, chance, size=size, expected=expected)),
        ):
            covered[name] += found.lower <= truth <= found.upper
            missed[name].append(found.value / truth - 1)
        ends = bounds(values, passed, chance, size=size)
        covered["bounds"] += ends.lower <= truth <= ends.upper
        naive = float(values[passed].sum())
        half = 1.96 * float(np.sqrt((values[passed] ** 2).sum()))
        covered["naive"] += naive - half <= truth <= naive + half
    assert covered["ipw"] / seeds >= FEWEST_COVERED
    assert covered["robust"] / seeds >= FEWEST_COVERED
    assert covered["bounds"] / seeds >= 0.97, "99 of 100: fewer than 97 with p < 1e-4"
    assert covered["naive"] == 0, "what was stopped is most of it"
    assert abs(np.mean(missed["ipw"])) < 0.1
    assert abs(np.mean(missed["robust"])) < 0.1, "also where the score points the wrong way for four in ten"


def test_a_good_model_narrows_the_interval():
    rng = np.random.default_rng(0)
    risk = rng.normal(size=6_000)
    fraud, passed = rng.random(6_000) < 1 / (1 + np.exp(3 - 3 * risk)), rng.random(6_000) < 0.1
    ones, chance = np.ones(6_000), np.full(6_000, 0.1)
    plain = weighted_total(fraud, passed, chance, size=ones)
    better = robust_total(fraud, passed, chance, size=ones, expected=expected_fraud(risk, fraud, passed))
    assert better.upper - better.lower < 0.85 * (plain.upper - plain.lower)


def test_a_model_that_knows_nothing_changes_nothing():
    fraud, size, chance, passed, _ = _market(1)
    plain = weighted_total(size * fraud, passed, chance, size=size)
    same = robust_total(size * fraud, passed, chance, size=size, expected=np.full(len(fraud), 0.2))
    assert same.value == pytest.approx(plain.value, rel=1e-6)


# -- the model ---------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 1) | st.just(np.nan), st.booleans(), st.booleans()), max_size=60))
@settings(deadline=None)
def test_an_expectation_is_a_share_for_any_score(rows):
    score, fraud, known = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.zeros(0),) * 3
    found = expected_fraud(score.astype(float), fraud.astype(bool), known.astype(bool))
    assert found.shape == (len(rows),)
    assert ((found > 0) & (found < 1)).all()


def test_an_expectation_never_falls_as_the_score_rises_where_it_rises_over_all():
    rng = np.random.default_rng(4)
    score = rng.random(3_000)
    fraud, known = rng.random(3_000) < score**2, np.arange(3_000) < 2_000
    new = expected_fraud(score, fraud, known)[2_000:]
    assert (np.diff(new[np.argsort(score[2_000:])]) >= -1e-12).all()


def test_a_verdict_does_not_tell_itself():
    score, fraud = np.zeros(200), np.zeros(200, dtype=bool)
    before = expected_fraud(score, fraud, np.ones(200, dtype=bool))
    fraud[7] = True
    after = expected_fraud(score, fraud, np.ones(200, dtype=bool))
    others = np.delete(after, 7)
    assert after[7] <= np.median(others) + 1e-12
    assert np.median(others) > np.median(before)


# -- bounds ------------------------------------------------------------------------------------------------


@given(events, st.integers(0, 39), st.booleans())
@settings(deadline=None)
def test_one_more_verdict_never_widens_a_bound(rows, at, verdict):
    fraud, labelled, chance, size = _arrays(rows)
    if at >= len(rows) or labelled[at] or 0 < chance[at] < 1:
        return
    before = bounds(fraud * size * labelled, labelled, chance, size=size)
    fraud[at], labelled[at] = verdict, True
    after = bounds(fraud * size * labelled, labelled, chance, size=size)
    slack = ROUNDING * (1 + float(size.sum()))
    assert before.lower - slack <= after.lower
    assert after.upper <= before.upper + slack


@given(events)
@settings(deadline=None)
def test_tightened_bounds_lie_within_plain_ones(rows):
    fraud, labelled, chance, size = _arrays(rows)
    found = bounds(fraud * size * labelled, labelled, chance, size=size)
    slack = ROUNDING * (1 + float(size.sum()))
    assert found.all_good - slack <= found.lower <= found.upper + slack
    assert found.upper <= found.all_fraud + slack


def test_what_was_never_let_through_is_not_tightened():
    labelled, chance = np.arange(100) < 50, np.where(np.arange(100) < 50, 1.0, 0.0)
    found = bounds(np.zeros(100), labelled, chance, size=np.full(100, 2.0))
    assert (found.lower, found.upper, found.unlabelled, found.tightened) == (0, 100, 50, False)


def test_exact_bounds_miss_as_rarely_as_they_say():
    missed = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        fraud, passed = np.arange(300) < 60, rng.random(300) < 0.1
        found = bounds(fraud * passed, passed, np.full(300, 0.1), size=np.ones(300))
        missed += not found.lower <= 60 <= found.upper
    assert missed <= 14, "1 in 100 of 400: more than 14 with p < 1e-4"


# -- sensitivity and shares --------------------------------------------------------------------------------


@given(st.floats(1e-6, 1 - 1e-6), st.floats(0, 100))
def test_odds_are_multiplied(share, factor):
    found = float(shifted(share, factor))
    assert 0 <= found <= 1
    if factor > 0:
        assert found / (1 - found + 1e-300) == pytest.approx(factor * share / (1 - share), rel=1e-4)


def test_a_curve_rises_from_all_good_towards_all_fraud():
    curve = sensitivity([0.2, 0.4, 0.9], [10.0, 20.0, 5.0], np.array([True, True, False]), factors=(0, 0.5, 1, 2, 1e9))
    assert curve[0] == 0
    assert (np.diff(curve) > 0).all()
    assert curve[2] == pytest.approx(10.0)
    assert curve[-1] == pytest.approx(30.0, rel=1e-6)


def test_no_break_even_where_a_figure_keeps_its_sign():
    assert break_even(lambda factor: 1.0 + factor) is None
    assert break_even(lambda factor: float("nan")) is None
    assert break_even(lambda factor: factor - 7.0) == pytest.approx(7.0)


def test_a_share_of_what_is_not_measurable_is_not():
    known = Estimate(5.0, 4.0, 6.0, 10)
    assert share_of(known, Estimate.none("too few")).why == "too few"
    assert share_of(Estimate(0.0, 0.0, 0.0, 0), Estimate(0.0, 0.0, 0.0, 0)).value is None
    both = share_of(known, Estimate(0.0, 0.0, 0.0, 5))
    assert (both.value, both.n) == (1.0, 15)


@pytest.mark.parametrize("passed", [0, FEWEST_DRAWN - 1, FEWEST_DRAWN, FEWEST_DRAWN + 5])
def test_a_window_is_told_by_its_own_let_through_events_or_by_none(passed):
    rows = 60
    frame = pd.DataFrame({"id": np.arange(rows), "p": 0.1, "did": "block", "fraud": np.nan})
    frame.loc[frame.index < passed, ["did", "fraud"]] = ["approve", 1.0]
    frame.loc[40:, ["did", "fraud", "p"]] = ["approve", 0.0, 1.0]
    events = rb.read(
        frame.astype({"fraud": float}), roles=rb.Roles(id="id", label="fraud", outcome="did", let_through="p")
    )
    labels = label_state(events)
    found, every = inclusion(events, labels), np.ones(rows, dtype=bool)
    held = found.within(every, labels.state <= 1)
    drawn = int(found.drawn.sum())
    if drawn >= FEWEST_DRAWN:
        assert held is found
        assert held.weight[0] == pytest.approx(10.0)
    else:
        assert (held.weight[found.drawn] == 1.0).all()
        assert (held.never == found.silent).all()
        assert not held.open.any()
    assert (held.drawn == found.drawn).all()
    nothing = found.within(~every, every)
    assert nothing is found


@given(
    st.lists(
        st.tuples(st.integers(-1, 2), st.sampled_from([0.0, 0.2, 1.0]), st.booleans(), st.booleans()),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 12),
)
def test_each_set_is_told_by_its_own_let_through_events(rows, copies):
    from riskbench.metrics.selection import Inclusion

    cell, chance, halted, bears = (np.repeat([row[k] for row in rows], copies) for k in range(4))
    halted = (halted & (chance < 1)).astype(bool)
    weight = np.where(halted, 0.0, 1.0 / np.where(chance > 0, chance, 1.0))
    held = Inclusion(chance, weight, halted & (chance <= 0), ~halted & (chance < 1) & (chance > 0), True, halted)
    every = held.within_each(cell, bears)
    alone = held
    for own in range(3):
        alone = alone.within(cell == own, bears)
    for name in ("chance", "weight", "never", "drawn"):
        assert np.array_equal(getattr(every, name), getattr(alone, name))
