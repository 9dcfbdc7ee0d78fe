"""The baseline score: what it may know, what it leaves out, and how it is measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from riskbench.calibration.baseline import Baseline, score_baseline
from riskbench.calibration.inputs import MOST_WORDS
from riskbench.calibration.learning import MOST_EVENTS, _drawn
from riskbench.data import Dataset, Roles
from riskbench.data.dataset import micros
from riskbench.engine.table import Table
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError

DAY = 86_400


def made(n: int = 4_000, *, seed: int = 3, days: int = 60, **extra: object) -> dict[str, object]:
    """Return columns in which the amount and the country tell something about fraud, and little else does."""
    rng = np.random.default_rng(seed)
    country = rng.integers(0, 4, n)
    amount = np.round(rng.lognormal(3, 1, n), 2)
    odds = -4.5 + 0.8 * (np.log(amount) - 3) + 1.5 * (country == 2)
    fraud = rng.random(n) < 1 / (1 + np.exp(-odds))
    return {
        "order": [f"o{i}" for i in range(n)],
        "at": pa.array(np.sort(rng.integers(0, days * DAY, n)) * 1_000_000, pa.timestamp("us")),
        "buyer": [f"b{i}" for i in rng.integers(0, n // 8, n)],
        "amount": amount,
        "country": [("ID", "VN", "NO", None)[c] for c in country],
        "fraud": fraud,
        **extra,
    }


def dataset(columns: dict[str, object], **roles: object) -> Dataset:
    given = {"id": "order", "time": "at", "label": "fraud", "amount": "amount", "entities": ("buyer",), **roles}
    return Dataset(table=Table.from_arrow(pa.table(columns)), roles=Roles(**given))


def scores(baseline: Baseline) -> pd.Series:
    frame = baseline.dataset.frame([baseline.dataset.roles.id, "baseline_score"])
    return frame.set_index(baseline.dataset.roles.id)["baseline_score"]


@pytest.fixture(scope="module")
def events() -> Dataset:
    return dataset(made())


@pytest.fixture(scope="module")
def baseline(events: Dataset) -> Baseline:
    return score_baseline(events)


def test_only_later_events_are_scored(events, baseline):
    column, time = baseline.dataset.column("baseline_score"), events.column("time")
    later = time.values >= micros(baseline.train_until)
    assert (column.present == later).all()
    assert 0.3 < later.mean() < 0.7
    assert ((column.values[later] >= 0) & (column.values[later] <= 1)).all()
    assert baseline.dataset.roles.score == "baseline_score"
    assert "baseline_score" not in events.names


def test_it_ranks_better_than_chance_and_says_how_sure_it_is(baseline):
    assert 0.6 < baseline.auc < 0.95
    assert baseline.auc_lower < baseline.auc < baseline.auc_upper
    assert baseline.average_precision_lower < baseline.average_precision < baseline.average_precision_upper
    assert baseline.scored + baseline.learnt <= 4_000


def test_it_learns_nothing_from_what_is_not_there():
    columns = made()
    columns["fraud"] = np.random.default_rng(1).random(4_000) < 0.03
    found = score_baseline(dataset(columns))
    assert found.auc_lower < 0.5 < found.auc_upper


def test_the_same_seed_gives_the_same_score_in_any_order_of_rows(events, baseline):
    again = scores(score_baseline(events))
    pd.testing.assert_series_equal(again, scores(baseline))
    order = np.random.default_rng(8).permutation(events.rows)
    shuffled = scores(score_baseline(events.take(order)))
    pd.testing.assert_series_equal(shuffled.sort_index(), again.sort_index())


def test_later_verdicts_change_no_score(events, baseline):
    """The label of an event that is scored reaches no score but those of events after its verdict."""
    cut = micros(baseline.train_until)
    column = events.column("fraud")
    time = events.column("time").values
    last = np.quantile(time, 0.9)
    flipped = np.where(time >= last, ~column.values, column.values)
    changed = score_baseline(events.with_columns({"fraud": flipped}))
    day = DAY * 1_000_000
    then, now = (b.dataset.column("baseline_score").values for b in (baseline, changed))
    before = (time >= cut) & (time < last + 5.9 * day)
    assert (then[before] == now[before]).all()
    assert (then[time > last + 6.1 * day] != now[time > last + 6.1 * day]).any()  # then they are told


def test_what_is_left_out_is_named_with_a_reason():
    n = 4_000
    columns = made(n)
    fraud = np.asarray(columns["fraud"])
    rng = np.random.default_rng(2)
    columns |= {
        "word": [f"w{i}" for i in rng.integers(0, MOST_WORDS + 50, n)],
        "same": np.ones(n),
        "empty": pa.nulls(n, pa.float64()),
        "serial": rng.permutation(n) * 7,
        "clock": np.arange(n) // 3,
        "paid_back": np.where(fraud, 1.0, 0.0) * rng.random(n),
        "closed_at": pa.array(np.full(n, 400 * DAY * 1_000_000), pa.timestamp("us")),
        "paid_at": pa.array(rng.integers(-60 * DAY, 80 * DAY, n) * 1_000_000, pa.timestamp("us")),
        "twin": np.where(fraud, "charged back", "settled"),
        "signed_up": pa.array(-rng.integers(0, 400 * DAY, n) * 1_000_000, pa.timestamp("us")),
        "wish": rng.random(n),
        "parcel": rng.random(n),
        "cause": ["R-1"] * n,
        "old_score": rng.random(n),
        "did": ["approve"] * n,
        "chance": np.full(n, 0.1),
        "baseline_score": fraud * 1.0,
    }
    events = dataset(columns, measures={"refund": "paid_back"}, score="old_score", outcome="did", let_through="chance")
    events = Dataset(
        table=events.table, roles=events.roles, known_at={"parcel": "delivery"}, caused_by="cause", name="all"
    )
    found = score_baseline(events, exclude=["wish"])
    why = dict(found.dropped.itertuples(index=False))
    expected = {
        "order": "names the event",
        "buyer": "names who acted",
        "at": "time",
        "fraud": "label",
        "word": "different words",
        "same": "same everywhere",
        "empty": "empty",
        "serial": "number of its own",
        "clock": "follows the time",
        "paid_back": "known only after",
        "closed_at": "moments after the event",
        "paid_at": "moments after the event",
        "twin": "gives the label away",
        "wish": "on request",
        "parcel": "but at: delivery",
        "cause": "caused the verdict",
        "old_score": "another score",
        "did": "decided in history",
        "chance": "holdout",
        "baseline_score": "earlier baseline",
    }
    assert set(why) == set(expected)
    for column, words in expected.items():
        assert words in why[column], column
    used = set(found.features["feature"])
    assert {"amount", "country", "signed_up_hours_before", "event_hour", "buyer_events_7d"} <= used
    assert not used & set(why)
    assert list(found.model.feature_names_in_) == list(found.features["feature"])


def test_a_column_known_by_the_decision_is_kept():
    columns = made() | {"parcel": np.random.default_rng(0).random(4_000)}
    base = dataset(columns, decision_point="return")
    events = Dataset(table=base.table, roles=base.roles, known_at={"parcel": "delivery"})
    assert "parcel" in set(score_baseline(events).features["feature"])


def test_without_time_no_event_is_scored_by_its_own_entity():
    """Fraud that only shows as an entity's own trait cannot be carried over to another entity."""
    rng = np.random.default_rng(4)
    n, people = 1_500, 150
    who = rng.integers(0, people, n)
    trait = rng.random(people)[who] + 1e-5 * rng.random(n)  # each person's own number, the same at each event
    bad = (rng.random(people) < 0.15)[who]
    columns = {"order": np.arange(n), "who": who, "trait": trait, "fraud": bad}
    events = dataset(columns, time=None, amount=None, entities=("who",))
    found = score_baseline(events)
    assert found.train_until is None
    assert found.dataset.column("baseline_score").missing == 0
    assert found.auc < 0.65
    inside = found.model.predict_proba(pd.DataFrame({"trait": trait}))[:, 1]
    assert np.corrcoef(inside, bad)[0, 1] > 0.8  # what a score by the same entity would have claimed
    assert any("cross-fitted" in note for note in found.notes)


def test_verdicts_told_after_the_cut_are_not_learnt_from():
    columns = made()
    at = np.asarray(columns["at"]).astype("int64")
    columns["told"] = pa.array(np.where(columns["fraud"], at + 90 * DAY * 1_000_000, at), pa.timestamp("us"))
    events = dataset(columns, label_time="told")
    with pytest.raises(DataError, match="too little to learn") as error:
        score_baseline(events)
    assert "0 frauds" in str(error.value)


def test_a_column_that_is_filled_only_later_is_no_obstacle():
    late = np.where(np.arange(4_000) < 2_500, np.nan, 1.0) * np.random.default_rng(0).random(4_000)
    words = [None if i < 2_500 else f"w{i % 3}" for i in range(4_000)]
    found = score_baseline(dataset(made() | {"late": late, "words": words}))
    assert found.auc > 0.6


def test_too_few_frauds_says_so():
    columns = made()
    columns["fraud"] = np.arange(4_000) % 400 == 0
    with pytest.raises(DataError, match="too little to learn") as error:
        score_baseline(dataset(columns))
    assert "at least 20 frauds" in str(error.value)


@pytest.mark.parametrize("value", [True, False])
def test_one_class_says_so(value):
    columns = made()
    columns["fraud"] = np.full(4_000, value)
    with pytest.raises(DataError, match="too little to learn"):
        score_baseline(dataset(columns))


def test_few_frauds_among_the_scored_give_no_flattering_number():
    columns = made()
    fraud = np.asarray(columns["fraud"]).copy()
    fraud[1_900:] = False
    fraud[-2:] = True
    columns["fraud"] = fraud
    found = score_baseline(dataset(columns))
    assert found.auc is None
    assert "not measurable" in repr(found)
    assert "2 frauds among the scored events are too few" in repr(found)
    found._repr_html_()


def test_the_moment_must_leave_events_on_both_sides(events):
    for moment in ("1969-01-01", "1971-01-01"):
        with pytest.raises(ParameterError, match="no event on one side"):
            score_baseline(events, train_until=moment)
    with pytest.raises(ParameterError, match="needs a time"):
        score_baseline(events.with_roles(time=None), train_until="1970-02-01")
    with pytest.raises(ColumnNotFoundError, match="did you mean 'country'"):
        score_baseline(events, exclude=["cuontry"])
    with pytest.raises(DataError, match="label"):
        score_baseline(events.with_roles(label=None))


def test_no_events():
    with pytest.raises(DataError):
        score_baseline(
            dataset({k: pa.array(v)[:0] if not isinstance(v, pa.Array) else v[:0] for k, v in made().items()})
        )


def test_many_good_events_are_drawn_by_lot_and_weighted_up():
    rng = np.random.default_rng(0)
    n = MOST_EVENTS + 50_000
    fraud = rng.random(n) < 0.01
    order, weight = _drawn(rng.integers(0, 2**63, n).astype(np.uint64), fraud)
    assert len(order) == MOST_EVENTS
    assert set(np.flatnonzero(fraud)) <= set(order)
    assert weight[fraud[order]].sum() == fraud.sum()
    assert weight.sum() == pytest.approx(n)


def test_bands_nest_and_add_up(baseline):
    bands = baseline.frame()
    assert (bands["alerts"].diff().dropna() >= 0).all()
    assert (bands["frauds"].diff().dropna() >= 0).all()
    assert bands["alerts"].iloc[-1] == baseline.scored
    assert bands["frauds"].iloc[-1] == baseline.scored_frauds
    assert bands["recall"].iloc[-1] == 1.0
    for rate in ("precision", "recall"):
        assert ((bands[f"{rate}_lower"] <= bands[rate]) & (bands[rate] <= bands[f"{rate}_upper"])).all()
    order = np.argsort(-baseline.dataset.column("baseline_score").values, kind="stable")
    present = baseline.dataset.column("baseline_score").present
    top = [i for i in order if present[i]][: bands["alerts"].iloc[4]]
    assert bands["frauds"].iloc[4] <= baseline.dataset.column("fraud").values[top].sum()


def test_it_shows_itself(baseline):
    assert "AUC" in repr(baseline)
    assert set(baseline.tables) == {"bands", "features", "dropped"}
    assert "<table" in baseline._repr_html_()
    assert baseline.to_dict()["headline"][0]["n"] == baseline.scored
    assert any("6.0 days are assumed" in note for note in baseline.notes)


@pytest.mark.public
def test_the_public_card_data_is_learnt_without_its_scenario(public_data):
    import riskbench as rb

    roles = Roles(
        id="TRANSACTION_ID",
        time="TX_DATETIME",
        label="TX_FRAUD",
        amount="TX_AMOUNT",
        entities=("CUSTOMER_ID", "TERMINAL_ID"),
    )
    events = rb.read(public_data / "txn_fdh_2018q2.parquet", roles=roles).between("2018-04-25", "2018-05-20")
    found = score_baseline(events)
    assert "gives the label away" in dict(found.dropped.itertuples(index=False))["TX_FRAUD_SCENARIO"]
    assert 0.75 < found.auc < 0.97
    assert found.average_precision > 0.2


def test_weights_of_one_are_left_out_and_change_nothing(monkeypatch):
    """What is learnt from all events is what weights of one would give, to the last digit."""
    from riskbench.calibration import learning

    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"a": rng.normal(size=4000), "b": rng.exponential(size=4000).round(1)})
    frame.loc[rng.random(4000) < 0.2, "a"] = np.nan
    fraud = (frame["b"] + rng.normal(size=4000) > 2.5).to_numpy()
    plain = learning.learn(frame, fraud, seed=1).decision_function(frame)
    drawn = learning._drawn
    assert drawn(learning._hashed(frame, seed=1), fraud)[1] is None
    monkeypatch.setattr(learning, "_drawn", lambda key, fraud: (drawn(key, fraud)[0], np.ones(len(fraud))))
    assert (learning.learn(frame, fraud, seed=1).decision_function(frame) == plain).all()


def test_good_events_by_lot_stand_for_all(monkeypatch):
    from riskbench.calibration import learning

    monkeypatch.setattr(learning, "MOST_EVENTS", 500)
    fraud = np.arange(4000) % 40 == 0
    order, weight = learning._drawn(np.random.default_rng(4).permutation(4000).astype(np.uint64), fraud)
    assert len(order) == 500
    assert weight is not None
    assert weight[fraud[order]].tolist() == [1.0] * 100
    assert weight.sum() == pytest.approx(4000)
