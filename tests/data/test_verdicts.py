"""Many verdicts, one label: held to plain Python, whatever the order of rows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.data.labels import FRAUD, GOOD, UNKNOWN, YOUNG, label_state
from riskbench.data.verdicts import LabelRecipe
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError

START = pd.Timestamp("2026-01-01")
DAY = pd.Timedelta(days=1)
ROLES = {"id": "order", "time": "placed", "amount": "total"}


def day(number: float | None) -> pd.Timestamp:
    return pd.NaT if number is None else START + number * DAY


def values(dataset: rb.Dataset, name: str) -> list[object]:
    return dataset.table.to_arrow([name]).column(0).to_pylist()


def events(rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["order", "seller", "placed"])
    frame["placed"] = pd.Series([day(one) for one in frame["placed"]], dtype="datetime64[us]")
    frame["total"] = 10.0
    return frame


def told(rows: list[tuple]) -> pd.DataFrame:
    names = ["subject", "source", "time", "verdict", "caused_by", "loss"]
    frame = pd.DataFrame(rows, columns=names)
    frame["time"] = pd.Series([day(one) for one in frame["time"]], dtype="datetime64[us]")
    return frame.astype({"loss": "float64"})


SOURCES = ["appeal", "investigation", "chargeback", "gossip"]
RECIPE = ("appeal", "investigation", "chargeback")

event_rows = st.lists(
    st.tuples(st.sampled_from("ABCDE"), st.sampled_from("xy"), st.none() | st.integers(0, 20)), min_size=1, max_size=12
)
verdict_rows = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C", "D", "Z", "x", "y", None]),
        st.sampled_from(SOURCES),
        st.none() | st.integers(0, 40),
        st.sampled_from(["fraud", "good", "Fraud ", "unclear"]),
        st.sampled_from([None, "TX-001", "caller"]),
        st.none() | st.integers(0, 9),
    ),
    max_size=20,
)


def slow(row: tuple, verdicts: list[tuple], recipe: LabelRecipe, key: int) -> tuple | None:
    """The verdict that decides one event, in plain Python."""
    best, best_rank = None, None
    for verdict in verdicts:
        subject, source, time, word, cause, loss = verdict
        says = word.strip().lower()
        if subject is None or subject != row[key] or says not in ("fraud", "good"):
            continue
        if recipe.sources and source not in recipe.sources:
            continue
        if recipe.asof is not None and (time is None or day(time) > pd.Timestamp(recipe.asof)):
            continue
        if recipe.window_days is not None and (time is None or row[2] is None or time - row[2] > recipe.window_days):
            continue
        if key != 0 and time is not None and row[2] is not None and time < row[2]:
            continue
        place = recipe.sources.index(source) if recipe.sources else 0
        rank = (
            place,
            -(time if time is not None else -1),
            says != "fraud",
            source,
            cause or "",
            -loss if loss is not None else 99,
        )
        if best_rank is None or rank < best_rank:
            best, best_rank = verdict, rank
    return best


@settings(max_examples=150, deadline=None)
@given(
    event_rows,
    verdict_rows,
    st.sampled_from([(), RECIPE]),
    st.none() | st.sampled_from([0, 5, 30]),
    st.sampled_from(["unknown", "good"]),
    st.none() | st.sampled_from([3, 20]),
    st.booleans(),
    st.randoms(),
)
def test_the_label_is_what_plain_python_says(rows, verdicts, sources, window, silence, asof, by_seller, random) -> None:
    recipe = LabelRecipe(
        sources=sources,
        window_days=window,
        silence=silence,
        asof=None if asof is None else str(day(asof)),
        join_on="seller" if by_seller else None,
    )
    expected = [slow(row, verdicts, recipe, 1 if by_seller else 0) for row in rows]
    shuffled = list(verdicts)
    random.shuffle(shuffled)
    try:
        dataset = rb.read(events(rows), roles=ROLES, labels=told(shuffled), label_recipe=recipe)
    except DataError:
        # Refused as a whole only where no verdict could count for any event.
        assert not any(expected)
        return
    silent = 0 if silence == "good" else None
    fraud = [verdict is not None and verdict[3].strip().lower() == "fraud" for verdict in expected]
    assert values(dataset, "label") == [silent if v is None else int(f) for v, f in zip(expected, fraud, strict=True)]
    assert values(dataset, "label_source") == [v[1] if v else None for v in expected]
    if "label_time" in dataset.names:
        times = [day(v[2]).to_pydatetime() if v and v[2] is not None else None for v in expected]
        assert values(dataset, "label_time") == times
    assert values(dataset, "label_caused_by") == [v[4] if v else None for v in expected]
    losses = [v[5] if f else None for v, f in zip(expected, fraud, strict=True)]
    assert values(dataset, "label_loss") == losses
    known = bool(losses) and all(loss is not None for loss, f in zip(losses, fraud, strict=True) if f)
    assert ("loss" in dataset.roles.measures) is known


def test_precedence_is_stated_and_beats_the_latest() -> None:
    frame = events([("A", "x", 0), ("B", "x", 0), ("C", "x", 0)])
    verdicts = told(
        [
            ("A", "appeal", 10, "good", None, None),
            ("A", "chargeback", 20, "fraud", None, 7),
            ("B", "chargeback", 5, "fraud", None, 7),
        ]
    )
    by_rank = rb.read(frame, roles=ROLES, labels=verdicts, label_recipe=LabelRecipe(sources=RECIPE))
    assert values(by_rank, "label") == [0, 1, None]
    assert "appeal before investigation before chargeback" in by_rank.label_recipe
    assert "no verdict is from 'investigation'" in by_rank.notes
    latest = rb.read(frame, roles=ROLES, labels=verdicts, label_recipe={"silence": "good"})
    assert values(latest, "label") == [1, 1, 0]
    assert "the latest verdict of any source" in latest.label_recipe
    assert latest.roles.label == "label"
    assert latest.roles.label_time == "label_time"
    assert latest.caused_by == "label_caused_by"
    assert latest.minor("loss_of" if "loss_of" in latest.names else "label_loss").tolist() == [700, 700, 0]


def test_a_recipe_as_of_a_moment_sees_the_verdict_of_then() -> None:
    frame = events([("A", "x", 0)])
    verdicts = told([("A", "chargeback", 5, "fraud", None, 1), ("A", "appeal", 20, "good", None, None)])
    for asof, label in (("2026-01-03", None), ("2026-01-10", 1), ("2026-02-01", 0)):
        recipe = LabelRecipe(sources=RECIPE, asof=asof)
        assert values(rb.read(frame, roles=ROLES, labels=verdicts, label_recipe=recipe), "label") == [label]


def test_silence_and_window_reach_the_label_state() -> None:
    frame = events([("A", "x", 0), ("B", "x", 0), ("C", "x", 25)])
    verdicts = told([("A", "chargeback", 3, "fraud", None, 1)])
    states = {}
    for silence in ("good", "unknown"):
        recipe = LabelRecipe(window_days=10, silence=silence)
        dataset = rb.read(frame, roles=ROLES, labels=verdicts, label_recipe=recipe)
        assert dataset.mature_after == 10
        states[silence] = label_state(dataset, asof=day(30)).state.tolist()
    assert states == {"good": [FRAUD, GOOD, YOUNG], "unknown": [FRAUD, UNKNOWN, YOUNG]}


def test_a_verdict_on_a_seller_counts_for_the_orders_before_it() -> None:
    frame = events([("A", "x", 0), ("B", "x", 20), ("C", "y", 0)])
    verdicts = told([("x", "investigation", 10, "fraud", "TX-001", 5)])
    dataset = rb.read(frame, roles=ROLES, labels=verdicts, label_recipe={"join_on": "seller", "window_days": 30})
    assert values(dataset, "label") == [1, None, None]


@pytest.mark.parametrize("ids", [[7, 8], ["7", "8"], [7.0, 8.0]])
def test_ids_meet_whatever_they_are_written_as(ids: list[object], tmp_path: Path) -> None:
    frame = pd.DataFrame({"order": ids, "placed": ["2026-01-01"] * 2, "total": [1, 2]})
    path = tmp_path / "labels.csv"
    path.write_text("subject,source,time,verdict\n7,chargeback,2026-02-01,1\n", encoding="utf-8")
    assert values(rb.read(frame, roles=ROLES, labels=path), "label") == [1, None]


@pytest.mark.parametrize("words", [[True, False], [1, 0], ["FRAUD", "good"], ["1", "0"], [1.0, 0.0]])
def test_verdicts_meet_whatever_they_are_written_as(words: list[object]) -> None:
    frame = events([("A", "x", 0), ("B", "x", 0)])
    verdicts = pd.DataFrame({"subject": ["A", "B"], "verdict": words})
    assert values(rb.read(frame, roles=ROLES, labels=verdicts), "label") == [1, 0]


def test_other_names_and_words() -> None:
    frame = events([("A", "x", 0), ("B", "x", 0)])
    verdicts = pd.DataFrame({"order_no": ["A", "B"], "is": ["scam", "fine"], "on": [dt.date(2026, 2, 1)] * 2})
    recipe = {
        "columns": {"subject": "order_no", "verdict": "is", "time": "on"},
        "fraud_values": ["scam"],
        "good_values": ["fine"],
    }
    dataset = rb.read(frame, roles=ROLES, labels=verdicts, label_recipe=recipe)
    assert values(dataset, "label") == [1, 0]
    assert dataset.kinds["label_time"] == "time"


def test_what_a_recipe_refuses() -> None:
    frame = events([("A", "x", 0)])
    good = told([("A", "chargeback", 3, "fraud", None, 1)])

    def join(verdicts: object = good, data: pd.DataFrame = frame, **recipe: object) -> rb.Dataset:
        return rb.read(data, roles=ROLES, labels=verdicts, label_recipe=recipe)

    with pytest.raises(DataError, match="did you mean 'chargeback'"):
        join(sources=["charge-back"])
    with pytest.raises(DataError, match="No verdict's subject"):
        join(good.assign(subject="nobody"))
    with pytest.raises(DataError, match="No verdict says fraud or good"):
        join(good.assign(verdict="hm"))
    with pytest.raises(ColumnNotFoundError, match="verdict"):
        join(good.drop(columns="verdict"))
    with pytest.raises(ColumnNotFoundError, match="did you mean 'seller'"):
        join(join_on="seler")
    with pytest.raises(DataError, match="holds no times"):
        join(good.assign(time=5))
    with pytest.raises(DataError, match="holds no amounts"):
        join(good.assign(loss="much"))
    for wrong in (
        {"source": ["x"]},
        {"silence": "fraud"},
        {"window_days": -1},
        {"window_days": float("nan")},
        {"sources": ["a", "a"]},
        {"columns": {"sbuject": "x"}},
        {"asof": "soon"},
    ):
        with pytest.raises(ParameterError):
            join(**wrong)
    with pytest.raises(ParameterError, match="both fraud and good"):
        join(fraud_values=["good"])


def test_columns_that_the_events_have_already_are_kept() -> None:
    frame = events([("A", "x", 0)]).assign(label=0, label_time="2026-03-03")
    roles = {**ROLES, "label": "label", "label_time": "label_time"}
    dataset = rb.read(frame, roles=roles, labels=told([("A", "chargeback", 3, "fraud", None, 1)]))
    assert values(dataset, "label") == [0]
    assert values(dataset, "recipe_label") == [1]
    assert dataset.roles.label == "recipe_label"
    assert dataset.roles.label_time == "recipe_label_time"
    assert any("begin with recipe_" in note for note in dataset.notes)
    assert {"label", "label_time", "recipe_label_time"} <= set(rb.check(dataset).leaks)


def test_no_verdicts_at_all_leave_every_event_unknown() -> None:
    frame = events([("A", "x", 0), ("B", "y", 1)])
    dataset = rb.read(frame, roles=ROLES, labels=told([]))
    assert values(dataset, "label") == [None, None]
    assert label_state(dataset).state.tolist() == [UNKNOWN, UNKNOWN]


def test_a_circular_verdict_is_found_through_the_recipe() -> None:
    frame = events([("A", "x", 0)])
    dataset = rb.read(frame, roles=ROLES, labels=told([("A", "investigation", 3, "fraud", "TX-001", 1)]))
    found = rb.check(dataset, book=["TX-001"])
    assert "RB009" in set(found.frame()["code"])
    assert {"label_time", "label_source", "label_caused_by", "label_loss"} <= set(found.leaks)
