"""What is known at a moment: held to plain Python, and never forgotten later."""

from __future__ import annotations

import copy
import pickle

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.data.labels import BLOCKED, FRAUD, GOOD, NO_CHANNEL, STATES, UNKNOWN, YOUNG, label_state
from riskbench.errors import DataError, ParameterError

DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2026-01-01")

moments = st.none() | st.integers(0, 40)
rows = st.lists(
    st.tuples(
        moments,
        st.sampled_from([0, 1, None]),
        moments,
        st.sampled_from(["approve", "block", None]),
        st.sampled_from(["card", "cod", "transfer", None]),
    ),
    min_size=1,
    max_size=25,
)


def stamps(days: list[int | None]) -> pd.Series:
    return pd.Series([pd.NaT if day is None else START + day * DAY for day in days], dtype="datetime64[us]")


def dataset(events: list[tuple], *, mature_after: float = 7.0, timed: bool = True) -> rb.Dataset:
    frame = pd.DataFrame(
        {
            "id": range(len(events)),
            "t": stamps([row[0] for row in events]),
            "fraud": pd.array([row[1] for row in events], dtype="Int64"),
            "told": stamps([row[2] for row in events]),
            "did": pd.Series([row[3] for row in events], dtype=object),
            "paid": pd.Series([row[4] if len(row) > 4 else "card" for row in events], dtype=object),
        }
    )
    roles = {"id": "id", "time": "t", "label": "fraud", "outcome": "did"}
    roles |= {"dispute_channel": "paid", "no_dispute": ["cod", "transfer"]}
    return rb.read(frame, roles={**roles, "label_time": "told"} if timed else roles, mature_after=mature_after)


def slow(events: list[tuple], asof: int, window: float) -> list[int]:
    def known(row: tuple) -> bool:
        return row[2] is not None and row[2] <= asof

    silence_is_good = any(label == 0 and told is None for _, label, told, _, _ in events)
    out = []
    for row in events:
        time, label, told, did, paid = row
        if label == 1 and (told is None or known(row)):
            out.append(FRAUD)
        elif label == 0 and known(row):
            out.append(GOOD)
        elif did == "block":
            out.append(BLOCKED)
        elif paid in ("cod", "transfer"):
            out.append(NO_CHANNEL)
        elif time is None:
            out.append(UNKNOWN)
        elif time + window > asof:
            out.append(YOUNG)
        elif label is not None and silence_is_good:
            out.append(GOOD)
        else:
            out.append(UNKNOWN)
    return out


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(-1, 60), st.sampled_from([0.0, 0.5, 7.0, 30.0]))
def test_states_are_what_plain_python_says(events: list[tuple], asof: int, window: float) -> None:
    found = label_state(dataset(events, mature_after=window), asof=START + asof * DAY)
    assert found.state.tolist() == slow(events, asof, window)
    assert sum(found.counts) == len(events)


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(0, 50), st.integers(0, 30))
def test_a_later_moment_never_forgets_a_verdict(events: list[tuple], asof: int, later: int) -> None:
    held = dataset(events)
    before, after = (label_state(held, asof=START + day * DAY).state for day in (asof, asof + later))
    for row, was, now in zip(events, before, after, strict=True):
        told = row[2] is not None and row[2] <= asof and row[1] is not None
        if told or was == FRAUD:
            assert now == was
        if was == GOOD:
            assert now in (GOOD, FRAUD)
        if was in (UNKNOWN, NO_CHANNEL) and now != was:
            assert row[2] is not None


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(0, 50))
def test_what_is_told_later_changes_nothing_now(events: list[tuple], asof: int) -> None:
    """Swapping the verdicts that are still to come leaves every state as it is."""
    swapped = [
        (time, 1 - label, told, *rest)
        if label is not None and told is not None and told > asof
        else (time, label, told, *rest)
        for time, label, told, *rest in events
    ]
    moment = START + asof * DAY
    assert (
        label_state(dataset(events), asof=moment).state.tolist()
        == label_state(dataset(swapped), asof=moment).state.tolist()
    )


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(0, 50), st.randoms())
def test_the_order_of_rows_does_not_matter(events: list[tuple], asof: int, random) -> None:
    order = list(range(len(events)))
    random.shuffle(order)
    moment = START + asof * DAY
    one = label_state(dataset(events), asof=moment).state
    two = label_state(dataset([events[place] for place in order]), asof=moment).state
    assert two.tolist() == one[order].tolist()


@settings(max_examples=60, deadline=None)
@given(rows)
def test_labels_without_time_all_count(events: list[tuple]) -> None:
    found = label_state(dataset(events, timed=False))
    want = [
        FRAUD
        if row[1] == 1
        else BLOCKED
        if row[3] == "block"
        else NO_CHANNEL
        if row[4] in ("cod", "transfer")
        else GOOD
        if row[1] == 0
        else UNKNOWN
        for row in events
    ]
    assert found.state.tolist() == want
    assert found.asof is None


def test_the_default_moment_is_the_last_that_the_data_knows() -> None:
    found = label_state(dataset([(0, 1, 9, None), (1, 0, None, None)]))
    assert found.asof == START + 9 * DAY
    assert found.state.tolist() == [FRAUD, GOOD]


def test_maturity_is_where_nine_frauds_of_ten_were_told() -> None:
    events = [(0, 1, delay, None) for delay in range(1, 21)]
    held = rb.Dataset(table=dataset(events).table, roles=dataset(events).roles)
    assert label_state(held).mature_after == pytest.approx(18.1)


def test_how_long_verdicts_take_is_read_from_those_told_by_then() -> None:
    events = [(0, 1, delay, None) for delay in (*range(1, 21), 50)]
    held = rb.Dataset(table=dataset(events).table, roles=dataset(events).roles)
    assert label_state(held, asof=START + 30 * DAY).mature_after == pytest.approx(18.1)


@pytest.mark.parametrize(("delays", "days"), [([], 60.0), ([3, 4, 32], 60.0), ([5] * 18 + [80], 80.0)])
def test_few_delays_do_not_say_when_silence_is_good(delays: list[int], days: float) -> None:
    events = [(0, 1, delay, None) for delay in delays] + [(0, 0, None, None), (100, 0, None, None)]
    named = dataset(events)
    held = rb.Dataset(table=named.table, roles=named.roles)
    found = label_state(held, asof=START + 100 * DAY)
    assert found.mature_after == days
    assert found.state.tolist()[-2:] == [GOOD, YOUNG]
    assert "stated, not measured" in found.recipe
    assert "stated, not measured" not in label_state(named, asof=START + 100 * DAY).recipe


def test_words_are_read_by_the_roles() -> None:
    frame = pd.DataFrame({"id": [1, 2, 3, 4], "label": ["scam", "ok", "unsure", None]})
    roles = {"id": "id", "label": "label", "fraud_values": ["scam"]}
    assert label_state(rb.read(frame, roles=roles)).state.tolist() == [FRAUD, GOOD, GOOD, UNKNOWN]
    named = {**roles, "good_values": ["ok"]}
    assert label_state(rb.read(frame, roles=named)).state.tolist() == [FRAUD, GOOD, UNKNOWN, UNKNOWN]
    for wrong in ({**roles, "fraud_values": ["skam"]}, {"id": "id", "label": "label"}, {"id": "id"}):
        with pytest.raises(DataError):
            label_state(rb.read(frame, roles=wrong))


def test_a_missing_value_makes_no_segment_and_no_week_of_its_own() -> None:
    frame = pd.DataFrame(
        {
            "id": [1, 2, 3],
            "t": stamps([None, 5, 12]),
            "band": pd.array([None, 7, 3], dtype="Int64"),
            "gap": pd.Series([None, None, None], dtype=object),
        }
    )
    held = rb.read(frame, roles={"id": "id", "time": "t"})
    assert held.weeks[1] == ("2026-01-05", "2026-01-12", "(missing)")
    assert held.weeks[0].tolist() == [2, 0, 1]
    assert held.segment("band")[1] == ("3", "7", "(missing)")
    assert held.segment("band")[0].tolist() == [2, 1, 0]
    assert held.segment("gap")[1] == ("(missing)",)


@pytest.mark.parametrize("values", [[1, 2, 3], [1.0, 2.0, 3.0], pd.array([1, 2, 3], dtype="Int64")])
@pytest.mark.parametrize("named", [(1, 2), (1.0, 2.0), ("1", "2.0")])
def test_label_numbers_are_found_however_they_are_stored(values, named) -> None:
    roles = rb.Roles(id="id", label="kind", fraud_values=named[0], good_values=named[1])
    state = label_state(rb.read(pd.DataFrame({"id": [1, 2, 3], "kind": values}), roles=roles))
    assert list(state.state) == [FRAUD, GOOD, UNKNOWN]


@pytest.mark.parametrize(
    ("fraud", "good", "said"), [("froud", "good", "fraud values froud"), ("fraud", "goood", "good values goood")]
)
def test_a_label_word_that_is_nowhere_is_no_silence(fraud, good, said) -> None:
    frame = pd.DataFrame({"id": [1, 2], "kind": ["fraud", "good"]})
    events = rb.read(frame, roles=rb.Roles(id="id", label="kind", fraud_values=fraud, good_values=good))
    with pytest.raises(DataError, match=said):
        label_state(events)


def test_nobody_could_dispute_it_so_its_silence_is_not_good() -> None:
    events = [
        (0, 0, None, None, "card"),  # silence with a channel
        (0, 0, None, None, "cod"),  # silence without
        (0, 0, 5, None, "cod"),  # somebody looked and said good
        (0, 1, 5, None, "cod"),  # somebody found it
        (0, 1, 39, None, "cod"),  # somebody will find it
        (39, 0, None, None, "cod"),  # waiting changes nothing
        (39, 0, None, None, "card"),
        (0, 0, None, "block", "cod"),  # history stopped it first
        (0, 0, None, None, None),  # nobody knows how it was paid: it has a channel
    ]
    found = label_state(dataset(events), asof=START + 38 * DAY)
    want = [GOOD, NO_CHANNEL, GOOD, FRAUD, NO_CHANNEL, NO_CHANNEL, YOUNG, BLOCKED, GOOD]
    assert found.state.tolist() == want
    assert STATES[NO_CHANNEL] == "unlabelled: no dispute channel"
    assert found.counts[NO_CHANNEL] == 3
    assert "silence is no verdict where paid is cod, transfer" in found.recipe


@pytest.mark.parametrize("paid", [[1, 2, 3], [1.0, 2.0, 3.0], ["1", "2", "3"]])
def test_a_method_is_found_however_it_is_stored(paid, tmp_path) -> None:
    frame = pd.DataFrame({"id": [1, 2, 3], "fraud": [0, 0, 1], "paid": paid})
    given = "2" if isinstance(paid[0], str) else 2
    roles = rb.Roles(id="id", label="fraud", dispute_channel="paid", no_dispute=given)
    frame.to_csv(tmp_path / "e.csv", index=False)
    frame.to_parquet(tmp_path / "e.parquet")
    for source in (frame, tmp_path / "e.parquet"):
        assert label_state(rb.read(source, roles=roles)).state.tolist() == [GOOD, NO_CHANNEL, FRAUD]
    words = roles.with_roles(no_dispute=(str(paid[1]),))
    assert label_state(rb.read(tmp_path / "e.csv", roles=words)).state.tolist() == [GOOD, NO_CHANNEL, FRAUD]


def test_the_two_roles_of_dispute_go_together_and_survive_a_copy() -> None:
    roles = rb.Roles.from_mapping({"id": "id", "dispute_channel": "paid", "no_dispute": ["cod", "transfer"]})
    assert roles.no_dispute == ("cod", "transfer")
    assert roles.columns()["paid"] == "dispute_channel"
    assert copy.deepcopy(roles) == roles
    assert pickle.loads(pickle.dumps(roles)) == roles
    for wrong in ({"dispute_channel": "paid"}, {"no_dispute": ["cod"]}, {"dispute_channel": "paid", "no_dispute": []}):
        with pytest.raises(ParameterError, match="go together"):
            rb.Roles(id="id", **wrong)
    with pytest.raises(ParameterError, match="lists values"):
        rb.Roles(id="id", dispute_channel="paid", no_dispute=[["cod"]])
    with pytest.raises(ParameterError, match="names one column"):
        rb.Roles(id="id", dispute_channel=3, no_dispute=["cod"])
