"""Segment by segment: the same counts as a group-by, and parts that add up to the whole change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ParameterError
from riskbench.incidents.breakdown import ALL, FEWEST_EVENTS, NOTHING, OWN, Breaker
from riskbench.incidents.dimensions import dimensions
from riskbench.incidents.measure import measure_of
from riskbench.incidents.scope import matching, scope_of

START, END = "2026-02-01", "2026-02-11"


def frame_of(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.random(rows)) * 41, unit="D")
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": at,
            "fraud": (rng.random(rows) < np.where(at >= START, 0.3, 0.1)).astype(int),
            "amount": np.round(rng.lognormal(3, 1, rows), 2),
            "city": rng.choice(["A", "B's", "C", None], rows, p=[0.6, 0.25, 0.1, 0.05]),
            "kind": rng.choice([True, False], rows),
        }
    )


def opened(frame, start=START, end=END):
    roles = rb.Roles(id="id", time="at", label="fraud", amount="amount", currency="EUR")
    return scope_of(rb.Incident(start, end), rb.read(frame, roles=roles))


def broken(scope, measure, *columns):
    held = dimensions(scope, columns=columns)[0]
    return Breaker(scope, measure_of(scope, measure))(held)


@given(rows=st.integers(60, 400), seed=st.integers(0, 10_000), by=st.sampled_from([("city",), ("city", "kind")]))
@settings(max_examples=25, deadline=None)
def test_counts_and_sums_are_those_of_a_group_by(rows, seed, by):
    frame = frame_of(rows, seed)
    scope = opened(frame)
    now = frame["at"] >= START
    days, past = scope.days
    for measure, column in (("fraud", "fraud"), ("events", None), ("amount", "amount")):
        made = broken(scope, measure, *by)
        table = made.segments
        for row in table[table["condition"].notna()].to_dict("records"):
            inside = matching(scope.dataset, row["condition"])
            mine, theirs = frame[inside & now], frame[inside & ~now]
            assert (row["n"], row["baseline_n"]) == (len(mine), len(theirs))
            sums = [len(part) if column is None else part[column].sum() for part in (mine, theirs)]
            assert row["observed"] == pytest.approx(sums[0])
            if measure == "fraud":
                whole = frame.loc[~now, "fraud"].mean()
                rate = sums[1] / len(theirs) if row["compared_with"] == OWN else whole
                assert row["expected"] == pytest.approx(rate * len(mine))
                assert row["current"] == pytest.approx(mine["fraud"].mean(), nan_ok=True)
            else:
                assert row["expected"] == pytest.approx(sums[1] * days / past)
                assert row["current"] == pytest.approx(sums[0] / days)
            assert row["contribution_lower"] <= row["contribution"] <= row["contribution_upper"]
        assert table["n"].sum() == now.sum(), "every event of the window is in one row"
        assert table["contribution"].sum() == pytest.approx(made.change)
        assert table["observed"].sum() == pytest.approx(now.sum() if column is None else frame.loc[now, column].sum())


def test_values_are_the_segments_of_their_rows():
    scope = opened(frame_of(300, 1))
    made = broken(scope, "events", "city", "kind")
    for text, value in zip(made.segments["condition"], made.values, strict=True):
        if text is None:
            assert value is None
            continue
        frame = scope.dataset.frame(["city", "kind"])
        same = np.ones(len(frame), dtype=bool)
        for column, word in value.items():
            same &= (frame[column].isna() if word is None else frame[column] == word).to_numpy(dtype=bool)
        assert (same == matching(scope.dataset, text)).all()


def test_small_segments_are_told_together_and_new_ones_are_held_against_all():
    frame = frame_of(300, 2)
    frame.loc[frame.index[-8:], "city"] = "NEW"
    frame.loc[frame.index[-10:-8], "city"] = "TINY"
    table = broken(opened(frame), "fraud", "city").segments.set_index("segment")
    assert table.loc["city NEW", "compared_with"] == ALL
    assert not any("TINY" in str(name) for name in table.index)
    assert table.index[-1].startswith("(1 further segment")
    assert (table["n"].iloc[:-1] >= FEWEST_EVENTS).any()


def test_without_a_baseline_nothing_is_expected():
    frame = frame_of(200, 3)
    made = broken(opened(frame, "2026-01-01", "2026-03-01"), "fraud", "city")
    assert made.change is None
    assert set(made.segments["compared_with"]) == {NOTHING}
    assert made.segments["contribution"].isna().all()
    assert "not measurable" in repr(made)
    assert made.segments["current"].notna().any()


def test_a_change_within_chance_has_no_shares():
    frame = frame_of(400, 4)
    frame["fraud"] = np.arange(400) % 7 == 0
    made = broken(opened(frame.astype({"fraud": int})), "fraud", "city")
    assert made.segments["share_of_change"].isna().all()
    assert made.change_lower < 0 < made.change_upper


def test_too_many_segments_are_refused():
    frame = frame_of(3000, 5)
    scope = opened(frame.assign(one=[f"a{n}" for n in range(3000)], two=[f"b{n}" for n in range(3000)]))
    with pytest.raises(ParameterError, match="too many values"):
        broken(scope, "events", "one", "two")
