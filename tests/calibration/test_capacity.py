"""Does each limit on capacity come to what a plain loop counts, and is it refused where it cannot be measured?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.calibration.capacity.levels import levels_of
from riskbench.calibration.capacity.verify import played
from riskbench.calibration.study import Study
from riskbench.calibration.swept import swept
from riskbench.errors import ColumnNotFoundError, DataError, InfeasibleError, ParameterError
from riskbench.metrics.constraints import plain
from riskbench.metrics.costs import Costs


def frame_of(seed, rows=1_500):
    rng = np.random.default_rng(seed)
    fraud = rng.random(rows) < 0.15
    at = pd.Timestamp("2026-03-02") + pd.to_timedelta(np.sort(rng.integers(0, 84 * 86_400, rows)), unit="s")
    appeal = np.where(rng.random(rows) < 0.3, np.where(rng.random(rows) < 0.4, "overturned", "upheld"), None)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": at,
            "amount": rng.lognormal(4, 1, rows).round(2),
            "risk": np.clip(rng.normal(0.3 + 0.4 * fraud, 0.15), 0, 1).round(2),
            "fraud": fraud.astype(int),
            "queue": rng.choice(["payments", "accounts"], rows),
            "account": rng.integers(0, rows // 2, rows),
            "appeal": appeal,
            "active": rng.random(rows) < 0.7,
        }
    )


def events_of(frame, domain="transactions"):
    roles = rb.Roles(id="id", time="at", label="fraud", amount="amount", score="risk")
    return rb.read(frame, roles=roles, domain=domain)


LIMITS = {
    "cases": ("transactions", rb.at_most("cases_per_hour", 40, queue="payments", staffed="mon-fri 09:00-18:00")),
    "peak": ("transactions", rb.at_most("cases_per_hour", 40, peak=True)),
    "held": ("affiliation", rb.at_most("payout_hold_value", 1e6)),
    "appeals": ("transactions", rb.at_most("appeal_overturn_rate", 1, appeal="appeal")),
    "active": ("onboarding", rb.at_least("new_seller_activation", 0, activated="active")),
    "kyc": ("kyc", rb.at_least("kyc_pass_rate", 0)),
    "accounts": ("kyc", rb.at_least("kyc_pass_rate", 0, unit="account")),
}


def counted(name, rows, cut, weeks):
    """Say in plain Python what a limit comes to: `rows` are dicts, hits are under review."""
    hit = [row for row in rows if row["risk"] >= cut]
    if name == "cases":
        return sum(row["queue"] == "payments" for row in hit) / (weeks * 45)
    if name == "peak":
        hours = {}
        for row in hit:
            key = (row["at"].weekday(), row["at"].hour)
            hours[key] = hours.get(key, 0) + 1
        return max(hours.values(), default=0) / weeks
    if name == "held":
        return sum(row["amount"] for row in hit) / weeks
    if name == "appeals":
        decided = [row for row in hit if row["appeal"] is not None]
        won = sum(row["appeal"] == "overturned" for row in decided)
        return won / len(decided) if decided else (0.0 if not hit else float("nan"))
    if name == "active":
        good = [row for row in rows if row["fraud"] == 0]
        return sum(row["active"] and row["risk"] < cut for row in good) / len(good)
    if name == "kyc":
        return 1 - len(hit) / len(rows)
    return len({row["account"] for row in rows if row["risk"] < cut}) / len({row["account"] for row in rows})


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_limit_comes_to_what_a_plain_loop_counts_at_every_cut(name, seed):
    domain, limit = LIMITS[name]
    frame = frame_of(seed)
    frame["appeal"] = frame["appeal"].astype(object)
    events = events_of(frame, domain)
    sweep = swept(events, score=None, rule_param=None, given=None, outcome="review", asof=None, two_cuts=False)
    study = Study.of(sweep, Costs())
    study = replace(study, asked=(limit,))
    drawn = study.curve(study.windows.choose.mask)
    rows = [row for row, inside in zip(frame.to_dict("records"), study.windows.choose.mask, strict=True) if inside]
    for row in rows:
        row["appeal"] = row["appeal"] if isinstance(row["appeal"], str) else None
    weeks = study.windows.choose.length
    wanted = [counted(name, rows, cut, weeks) for cut in drawn.table.cuts]
    assert drawn.at_limit(limit) == pytest.approx(wanted, nan_ok=True)
    if name in ("cases", "peak", "held"):
        assert (np.diff(drawn.at_limit(limit)) >= -1e-9).all()
    if name in ("active", "kyc", "accounts"):
        assert (np.diff(drawn.at_limit(limit)) <= 1e-9).all()
    assert set(levels_of(study, drawn.table, study.windows.choose.mask)) == {limit}


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1)), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.5, 0.9, 1.0]),
)
def test_few_cuts_played_tell_of_every_cut(steps, bound):
    count = np.cumsum([step for step, _ in steps]).astype(float)
    late = np.cumsum([round(step * part) for step, part in steps]).astype(float)
    found = played(count, late.__getitem__, bound=bound, one_way=True)
    exact = np.where(count > 0, 1 - late / np.maximum(count, 1), 1.0)
    assert ((found >= bound - 1e-12) == (exact >= bound - 1e-12)).all()


def test_the_cut_keeps_to_what_the_reviewers_can_do():
    events = events_of(frame_of(3))
    free = rb.calibrate(events)
    tight = rb.calibrate(events, subject_to=rb.at_most("cases_per_hour", 0.05))
    assert tight.threshold > free.threshold
    row = tight.frame("limits").iloc[0]
    assert row["value"] <= 0.05
    assert row["binds"]
    assert row["worth"] > 0
    assert any("It binds" in note for note in tight.notes)
    slow = rb.calibrate(events, subject_to=rb.at_least("verify_within", 0.9, hours=24, reviewers=1, minutes=300))
    assert slow.threshold > free.threshold
    assert slow.frame("limits")["lower"].iloc[0] <= slow.frame("limits")["value"].iloc[0] + 0.05
    assert not slow.at(free.threshold).limits["kept"].iloc[0]
    pair = rb.calibrate(events, two_cuts=True, subject_to=rb.at_most("cases_per_hour", 0.05))
    assert pair.frame("limits")["value"].iloc[0] <= 0.05


@pytest.mark.parametrize(
    ("limit", "error", "words"),
    [
        (rb.at_least("kyc_pass_rate", 0.9), ParameterError, "approval_rate"),
        (rb.at_least("new_seller_activation", 0.9), ParameterError, "domain onboarding"),
        (rb.at_most("payout_hold_value", 5), ParameterError, "cases_per_hour"),
        (rb.at_most("appeal_overturn_rate", 0.2), DataError, "not measurable"),
        (rb.at_most("cases_per_hour", 5, queue="paiments"), ParameterError, "did you mean 'payments'"),
        (rb.at_most("cases_per_hour", 5, language="id"), ColumnNotFoundError, "language"),
        (rb.at_least("recall", 1.0), InfeasibleError, "loosen"),
    ],
)
def test_what_does_not_apply_is_refused(limit, error, words):
    limits = [limit, rb.at_most("cases_per_hour", 0.01)] if error is InfeasibleError else limit
    with pytest.raises(error, match=words):
        rb.calibrate(events_of(frame_of(4)), subject_to=limits)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: rb.at_least("cases_per_hour", 40), "other side"),
        (lambda: rb.at_most("review_rate", 0.1, queue="a"), "does not belong"),
        (lambda: rb.at_least("verify_within", 0.9), "how many review"),
        (lambda: rb.at_least("verify_within", 1.9, reviewers=1), "a share"),
        (lambda: rb.at_most("cases_per_hour", float("inf")), "number of cases"),
        (lambda: rb.at_most("cases_per_hour", 4, staffed="always"), "not understood"),
        (lambda: rb.at_most("cases_per_hours", 4), "did you mean 'cases_per_hour'"),
        (lambda: rb.calibrate(events_of(frame_of(5)), two_cuts=True, subject_to=LIMITS["peak"][1]), "two cuts"),
        (lambda: plain((LIMITS["peak"][1],), what="a best set of edits"), "in a best set of edits"),
    ],
)
def test_a_limit_that_is_none_is_answered(make, words):
    with pytest.raises(ParameterError, match=words):
        make()
