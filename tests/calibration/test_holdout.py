"""Windows, and whether promises hold as often as they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.calibration.holdout import promise_ratio, promise_sum
from riskbench.data.lot import hashes
from riskbench.data.windows import split
from riskbench.errors import DataError, ParameterError
from tests.calibration.conftest import dataset, made


def test_default_windows_are_two_thirds_and_the_rest():
    frame = made(2000, days=84)
    events = dataset(frame)
    windows = split(events, np.ones(2000, dtype=bool))
    assert windows.out_of_time
    assert not (windows.choose.mask & windows.report.mask).any()
    assert (windows.choose.mask | windows.report.mask).all()
    assert windows.choose.length == pytest.approx(8, abs=0.1)
    assert windows.choose.whole in (7, 8)
    assert windows.report.length == pytest.approx(4, abs=0.1)


def test_the_span_is_that_of_rows_with_a_score():
    frame = made(2000, days=84)
    usable = (frame["at"] >= pd.Timestamp("2026-02-16")).to_numpy()
    windows = split(dataset(frame), usable)
    assert windows.choose.start.startswith("2026-02-16")
    assert not (windows.choose.mask & ~usable).any()


def test_named_windows_are_kept_and_overlap_is_said():
    events, usable = dataset(made(2000)), np.ones(2000, dtype=bool)
    named = split(events, usable, choose_on=("2026-01-10", "2026-02-10"), report_on=("2026-02-10", None))
    assert named.out_of_time
    assert named.choose.words == "2026-01-10 to before 2026-02-10"
    over = split(events, usable, choose_on=("2026-01-10", "2026-02-10"), report_on=("2026-02-01", None))
    assert not over.out_of_time
    assert any("not out of time" in note for note in over.notes)
    only = split(events, usable, report_on=("2026-03-01", None))
    assert only.choose.end == "2026-03-01"


def test_a_window_without_events_is_an_error_or_said():
    events, usable = dataset(made(2000)), np.ones(2000, dtype=bool)
    with pytest.raises(DataError, match="No event to choose on"):
        split(events, usable, choose_on=("2020-01-01", "2020-02-01"))
    later = split(events, usable, report_on=("2030-01-01", "2031-01-01"))
    assert any("not measurable" in note for note in later.notes)


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("moment", ["2026-01-01", "2026-01-01 00:20", "2026-01-01 13:30"])
def test_events_at_one_moment_are_told_as_that(rows, moment):
    events = dataset(made(rows).assign(at=pd.Timestamp(moment)))
    with pytest.raises(DataError, match="at one moment") as told:
        rb.calibrate(events)
    assert "leave out the role 'time'" in str(told.value)
    with pytest.raises(DataError, match="No event to choose on"):
        split(events, np.ones(rows, dtype=bool), choose_on=("2020-01-01", "2020-02-01"))


def test_windows_without_time_are_refused():
    events = dataset(made(200).drop(columns="at"))
    with pytest.raises(ParameterError, match="Windows need times"):
        split(events, np.ones(200, dtype=bool), choose_on=("2026-01-01", None))


def test_a_split_without_time_keeps_entities_whole():
    frame = made(3000).drop(columns="at").assign(buyer=lambda f: "b" + (f["id"] % 300).astype(str))
    events = dataset(frame, entities=("buyer",))
    windows = split(events, np.ones(3000, dtype=bool), seed=5)
    first, second = frame["buyer"][windows.choose.mask], frame["buyer"][windows.report.mask]
    assert not set(first) & set(second)
    assert 0.55 < windows.choose.mask.mean() < 0.78
    other = split(events, np.ones(3000, dtype=bool), seed=6)
    assert (other.choose.mask != windows.choose.mask).any()


def test_hashes_depend_on_values_alone():
    frame = pd.DataFrame({"id": np.arange(6), "word": ["a", "b", "a", None, "c", "b"], "fraud": 0})
    events = rb.read(frame, roles=rb.Roles(id="id", label="fraud"))
    words = hashes(events, "word", 1)
    assert words[0] == words[2]
    assert words[1] == words[5]
    assert len(set(words.tolist())) == 4
    back = rb.read(frame.iloc[::-1].reset_index(drop=True), roles=rb.Roles(id="id", label="fraud"))
    assert np.array_equal(hashes(back, "word", 1), words[::-1])
    assert np.array_equal(hashes(back, "id", 1), hashes(events, "id", 1)[::-1])


def test_young_events_are_not_judged():
    frame = made(3000, days=120)
    last = frame["at"].max()
    frame["told"] = frame["at"] + pd.Timedelta(days=30)
    frame.loc[frame["told"] > last, ["told"]] = pd.NaT
    frame.loc[frame["told"].isna(), "fraud"] = np.where(frame["told"].isna().sum(), 0, 0)
    events = rb.read(
        frame,
        roles=rb.Roles(id="id", time="at", label="fraud", label_time="told", amount="amount", score="risk"),
    )
    found = rb.calibrate(events)
    assert any("their silence does not mean good yet" in note for note in found.notes)
    end = pd.Timestamp(" ".join(found.provenance["windows"]["report"].split()[-2:]).removeprefix("before "))
    assert end <= last - pd.Timedelta(days=29)


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.3])
def test_sums_keep_their_promise_nineteen_times_in_twenty(spread):
    rng = np.random.default_rng(17)
    kept, trials, k, m = 0, 1500, 8, 4
    for _ in range(trials):
        mood = rng.gamma(1 / spread**2, spread**2, k + m) if spread else np.ones(k + m)
        counts = rng.poisson(60 * mood)
        money = np.array([rng.lognormal(4, 0.8, n).sum() for n in counts])
        first, later = money[:k], money[k:].mean()
        squares = 60 * k * np.exp(2 * 4 + 2 * 0.8**2)
        _, low, high = promise_sum(first, first.sum(), squares, length=k, later=m)
        kept += low <= later <= high
    assert 0.90 <= kept / trials <= 0.99


@pytest.mark.parametrize("spread", [0.0, 0.25])
def test_rates_keep_their_promise_nineteen_times_in_twenty(spread):
    rng = np.random.default_rng(18)
    kept, trials, k, m = 0, 1500, 8, 4
    for _ in range(trials):
        rate = 0.3 * (rng.gamma(1 / spread**2, spread**2, k + m) if spread else np.ones(k + m))
        whole = rng.poisson(80, k + m)
        part = rng.binomial(whole, np.minimum(rate, 0.95))
        ends = promise_ratio(
            part[:k].astype(float),
            whole[:k].astype(float),
            part=part[:k].sum(),
            whole=whole[:k].sum(),
            later_whole=whole[:k].mean() * m,
            later=m,
        )
        kept += ends[1] <= part[k:].sum() / whole[k:].sum() <= ends[2]
    assert 0.90 <= kept / trials <= 0.99


def test_the_whole_way_keeps_its_promise():
    """Choose a cut on over-dispersed weeks, many times over: the net value of later weeks falls inside."""
    kept, trials = 0, 60
    for seed in range(trials):
        rng = np.random.default_rng(1000 + seed)
        mood = np.repeat(rng.gamma(25, 1 / 25, 12), 150)
        frame = made(1800, seed=seed).sort_values("at", ignore_index=True)
        fraud = rng.random(1800) < 0.06 * mood
        frame["fraud"] = fraud.astype(int)
        frame["risk"] = np.round(np.clip(rng.normal(0.3 + 0.35 * fraud, 0.15), 0, 1), 3)
        found = rb.calibrate(dataset(frame), by=None)
        kept += bool(found.holdout.iloc[0]["kept"])
    assert kept / trials >= 0.88  # 95 % less three standard errors of 60 trials


def test_drift_widens_the_promise():
    rng = np.random.default_rng(2)
    flat, ramp = rng.poisson(100, 8).astype(float), np.linspace(20, 180, 8)
    _, low, high = promise_sum(flat, flat.sum(), flat.sum(), length=8, later=4)
    _, low_, high_ = promise_sum(ramp, ramp.sum(), ramp.sum(), length=8, later=4)
    assert high_ - low_ > 3 * (high - low)
    assert high_ > 180


def test_few_weeks_know_chance_alone():
    found = rb.calibrate(dataset(made(4000, days=21)))
    assert any("Fewer than four whole weeks" in note for note in found.notes)


def test_no_base_no_promise():
    assert promise_ratio(np.zeros(8), np.zeros(8), part=0, whole=0, later_whole=0, later=4) is None


@pytest.mark.public
def test_a_cut_chosen_in_april_and_may_keeps_its_promise_in_june(public_data):
    events = rb.read(
        public_data / "txn_fdh_2018q2.parquet",
        roles=rb.Roles(
            id="TRANSACTION_ID",
            time="TX_DATETIME",
            label="TX_FRAUD",
            amount="TX_AMOUNT",
            entities=("CUSTOMER_ID", "TERMINAL_ID"),
            currency="EUR",
        ),
    )
    found = rb.calibrate(events, score="TX_AMOUNT")
    assert found.provenance["windows"]["report"].startswith("2018-06-01")
    assert found.holdout["kept"].all()
    assert 200 < found.threshold < 225  # amounts over 220 are the frauds of its first scenario


def test_promises_hold_for_entities_whose_events_come_together():
    """Whole buyers are drawn, and a fraudster's events all are frauds: intervals by event would be far too short."""
    kept, trials = [], 60
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        buyer = np.repeat(np.arange(400), rng.integers(1, 20, 400))
        bad = rng.random(400) < 0.1
        fraud = bad[buyer]
        frame = pd.DataFrame(
            {
                "id": np.arange(len(buyer)),
                "buyer": buyer,
                "fraud": fraud.astype(int),
                "risk": np.round(rng.normal(fraud, 0.4), 2),
            }
        )
        events = rb.read(frame, roles=rb.Roles(id="id", label="fraud", score="risk", entities=("buyer",)))
        found = rb.calibrate(events, by=None, seed=seed)
        kept.append(found.holdout.set_index("measure").loc[["net value", "frauds alerted", "alert rate"], "kept"])
    share = np.mean([row.astype(float).to_numpy() for row in kept], axis=0)
    assert (share >= 0.85).all(), share  # 95 % less three standard errors of 60 trials, and few clusters
