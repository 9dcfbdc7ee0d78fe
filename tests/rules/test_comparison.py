"""A comparison of two books against a slow recount in plain Python, and the laws that any comparison keeps."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from oracle import PlainRule, decision

import riskbench as rb
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.intervals import Z95

OUTCOMES = ("approve", "challenge", "review", "block")
COSTS = {"margin": 0.25, "minute_cost": 0.125, "review_catch": 0.5, "loss_share": 0.75}
#: Sums of up to forty amounts in float64.
CLOSE = 1e-6

slow = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _over(limit: int):
    return lambda event: None if event["x"] is None else event["x"] > limit


rules = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(OUTCOMES),
        st.integers(1, 3),
        st.sampled_from(["live", "live", "live", "shadow"]),
    ),
    max_size=5,
)
events = st.lists(
    st.fixed_dictionaries(
        {
            "x": st.none() | st.integers(0, 7),
            "amount": st.integers(0, 10**6).map(lambda cents: cents / 100) | st.just(9_007_199_254.74),
            "label": st.sampled_from([None, 0, 0, 1]),
            "land": st.sampled_from(["ID", "日本", None]),
            "day": st.integers(0, 20),
        }
    ),
    min_size=1,
    max_size=40,
)


def _book(drawn) -> tuple[rb.RuleBook, list[PlainRule]]:
    made = tuple(
        rb.Rule(f"R{k}", f"x > {limit}", outcome, priority=priority, status=status)
        for k, (limit, outcome, priority, status) in enumerate(drawn)
    )
    plain = [PlainRule(f"R{k}", _over(limit), o, p, s) for k, (limit, o, p, s) in enumerate(drawn)]
    return rb.RuleBook(name="b", domain="transactions", rules=made), plain


def _data(rows, **roles) -> rb.Dataset:
    frame = pd.DataFrame(
        {
            "id": [f"e{k}" for k in range(len(rows))],
            "x": pd.array([e["x"] for e in rows], dtype="Int64"),
            "amount": [float(e["amount"]) for e in rows],
            "label": pd.array([e["label"] for e in rows], dtype="Int64"),
            "land": pd.array([e.get("land") for e in rows], dtype="string"),
            "at": [pd.Timestamp("2026-01-01") + pd.Timedelta(days=e.get("day", 0)) for e in rows],
        }
    )
    told = {"amount": "amount", "label": "label", "region": "land", "currency": "EUR", "time": "at"} | roles
    return rb.read(frame, roles=rb.Roles(id="id", **{name: role for name, role in told.items() if role}))


def _worth(event, outcome: str) -> float:
    """Decision 6, with COSTS: what an event is worth at an outcome."""
    stop, review, challenge = (outcome == name for name in ("block", "review", "challenge"))
    work = 5 * 0.125 if review else 0.0
    if event["label"] == 1:
        return event["amount"] * 0.75 * (1.0 if stop else 0.5 if review else 0.6 if challenge else 0.0) - work
    if event["label"] == 0:
        lost = 1 + 0.2 * 3 if stop else 0.2 * (1 + 3) if review else 0.05 if challenge else 0.0
        return -event["amount"] * 0.25 * lost - work
    return -work


def _recount(old, new, rows) -> dict[str, tuple[float, float, float, int]]:
    """Each measure before, after, half of the interval's width, and n: one event after the other."""
    pairs = [(e, decision(old, e)[0], decision(new, e)[0]) for e in rows]
    alert, hard = (lambda o: o != "approve"), (lambda o: o in ("review", "block"))
    fraud, good = (lambda e: e["label"] == 1), (lambda e: e["label"] == 0)
    every = lambda e: True  # noqa: E731
    told = {}
    for name, counted, among, value in (
        ("alerts", alert, every, None),
        ("frauds alerted", alert, fraud, None),
        ("good events held or stopped", hard, good, None),
        ("reviews", lambda o: o == "review", every, None),
        ("fraud value alerted", alert, fraud, "amount"),
        ("good value held or stopped", hard, good, "amount"),
        ("alert rate", alert, every, "share"),
        ("review rate", lambda o: o == "review", every, "share"),
        ("approval rate", lambda o: not hard(o), every, "share"),
        ("insult rate", hard, good, "share"),
        ("recall", alert, fraud, "share"),
    ):
        kept = [(e, b, a) for e, b, a in pairs if among(e)]
        each = [e["amount"] if value == "amount" else 1.0 for e, _, _ in kept]
        before = math.fsum(v for v, (_, b, _) in zip(each, kept, strict=True) if counted(b))
        after = math.fsum(v for v, (_, _, a) in zip(each, kept, strict=True) if counted(a))
        flipped = [v for v, (_, b, a) in zip(each, kept, strict=True) if counted(b) != counted(a)]
        half, whole = Z95 * math.sqrt(math.fsum(v * v for v in flipped)), 1.0
        if value == "share":
            whole = float(len(kept)) if kept else math.nan
        told[name] = (before / whole, after / whole, half / whole, len(flipped))
    moved = [(e, b, a) for e, b, a in pairs if b != a]
    half = Z95 * math.sqrt(math.fsum((_worth(e, a) - _worth(e, b)) ** 2 for e, b, a in moved))
    before, after = (math.fsum(_worth(t[0], t[k]) for t in pairs) for k in (1, 2))
    if not any(e["label"] is not None for e in rows):
        before = after = half = math.nan
    told["net value"] = (before, after, half, len(moved))
    return told


@slow
@given(rules, rules, events)
def test_every_measure_equals_a_recount(old_rules, new_rules, rows):
    (old, old_plain), (new, new_plain) = _book(old_rules), _book(new_rules)
    data = _data(rows)
    found = rb.compare(rb.simulate(old, data), rb.simulate(new, data), costs=COSTS)
    table = found.frame("changes").set_index("measure")
    told = _recount(old_plain, new_plain, rows)
    assert set(told) == set(table.index) - {"precision"}
    for name, (before, after, half, n) in told.items():
        row = table.loc[name]
        close = {"rel": 1e-9, "abs": CLOSE, "nan_ok": True}
        assert row["before"] == pytest.approx(before, **close), name
        assert row["after"] == pytest.approx(after, **close), name
        near = {"rel": 1e-9, "abs": 1e-5, "nan_ok": True}
        assert row["difference"] == pytest.approx(after - before, **near), name
        if name == "net value":
            assert np.isnan(half) or row["lower"] <= row["difference"] <= row["upper"]
        else:
            assert (row["upper"] - row["lower"]) / 2 == pytest.approx(half, **near), name
        assert row["n"] == n, name


@slow
@given(rules, rules, events)
def test_the_matrix_equals_a_recount(old_rules, new_rules, rows):
    (old, old_plain), (new, new_plain) = _book(old_rules), _book(new_rules)
    data = _data(rows)
    found = rb.compare(rb.simulate(old, data), rb.simulate(new, data), costs=COSTS)
    full = found.frame("matrix")
    assert len(full) == len(OUTCOMES) ** 2
    for row in full.itertuples():
        own = [e for e in rows if (decision(old_plain, e)[0], decision(new_plain, e)[0]) == (row.before, row.after)]
        assert row.events == len(own)
        assert (row.frauds, row.good, row.unlabelled) == tuple(
            sum(e["label"] is told if told is None else e["label"] == told for e in own) for told in (1, 0, None)
        )
        assert row.fraud_value == pytest.approx(math.fsum(e["amount"] for e in own if e["label"] == 1))
        assert row.good_value == pytest.approx(math.fsum(e["amount"] for e in own if e["label"] == 0))
        gain = math.fsum(_worth(e, row.after) - _worth(e, row.before) for e in own)
        assert row.net_value == pytest.approx(gain, rel=1e-9, abs=1e-5)
    swaps = found.frame("swaps")
    moved = full[(full["before"] != full["after"]) & (full["events"] > 0)]
    pd.testing.assert_frame_equal(swaps, moved.reset_index(drop=True))
    assert found.flips == swaps["events"].sum() == len(found.frame("events"))
    tested = found.frame("mcnemar").set_index("measure")
    frauds = [(decision(old_plain, e)[0], decision(new_plain, e)[0]) for e in rows if e["label"] == 1]
    assert tested.loc["frauds alerted", "before_only"] == sum(b != "approve" and a == "approve" for b, a in frauds)
    assert tested.loc["frauds alerted", "after_only"] == sum(b == "approve" and a != "approve" for b, a in frauds)


@example(
    [],
    [(0, "challenge", 1, "live"), (1, "review", 1, "live")],
    [
        {"x": x, "amount": 90.0, "label": label, "land": "ID", "day": 0}
        for x, label in ((None, None), (None, 0), (1, None), (2, None))
    ],
)
@slow
@given(rules, rules, events)
def test_the_other_way_round_is_minus_the_same(old_rules, new_rules, rows):
    (old, _), (new, _) = _book(old_rules), _book(new_rules)
    data = _data(rows)
    one, two = rb.simulate(old, data), rb.simulate(new, data)
    there, back = (rb.compare(*pair, costs=COSTS) for pair in ((one, two), (two, one)))
    first, second = there.frame("changes"), back.frame("changes")
    for name, other in (("difference", "difference"), ("lower", "upper"), ("upper", "lower")):
        np.testing.assert_allclose(first[name], -second[other], rtol=1e-9, atol=1e-7)
    assert first["n"].tolist() == second["n"].tolist()
    assert first["before"].tolist() == pytest.approx(second["after"].tolist(), nan_ok=True)
    words = {"surely better": "surely worse", "surely worse": "surely better"}
    assert back.answer == words.get(there.answer, there.answer)
    assert there.frame("mcnemar")["before_only"].tolist() == back.frame("mcnemar")["after_only"].tolist()


@slow
@given(rules, rules, events)
def test_regions_and_weeks_add_up_to_the_whole(old_rules, new_rules, rows):
    (old, _), (new, _) = _book(old_rules), _book(new_rules)
    data = _data(rows)
    found = rb.compare(rb.simulate(old, data), rb.simulate(new, data), costs=COSTS)
    whole = found.frame("changes").set_index("measure")["difference"]
    for axis in ("regions", "weeks"):
        part = found.frame(axis)
        assert part["events"].sum() == found.events_compared
        assert part["flips"].sum() == found.flips
        for column, measure in (
            ("frauds_alerted", "frauds alerted"),
            ("insults", "good events held or stopped"),
            ("reviews", "reviews"),
        ):
            assert part[column].sum() == whole[measure]
        if not np.isnan(whole["net value"]):
            assert part["net_value"].sum() == pytest.approx(whole["net value"], rel=1e-9, abs=1e-5)
        told = part.dropna(subset=["net_value"])
        assert (told["net_value_lower"] <= told["net_value"]).all()
        assert (told["net_value"] <= told["net_value_upper"]).all()
        idle = told[told["flips"] == 0]
        assert (idle["net_value_lower"] == idle["net_value_upper"]).all()
        leaves_0_out = (told["net_value_lower"] > 0) | (told["net_value_upper"] < 0)
        assert ((told["p_value"] <= 0.05) == leaves_0_out).all()
        unsaid = told[leaves_0_out & (told["reading"] == "not shown")]
        assert (unsaid["why"] != "the interval holds 0").all()


@slow
@given(rules, events)
def test_a_book_against_itself_changes_nothing_and_says_so(drawn, rows):
    book, _ = _book(drawn)
    held = rb.simulate(book, _data(rows))
    same = rb.compare(held, held)
    assert same.flips == 0
    assert same.frame("swaps").empty
    assert same.frame("events").empty
    assert (same.frame("changes")[["difference", "lower", "upper"]].fillna(0.0) == 0.0).all(axis=None)
    assert same.answer == "not shown"
    assert "No event's outcome changes." in same.notes
    assert same.frame("mcnemar")["p_value"].isna().all()
    assert "nan" not in same._repr_html_().lower().split()


@slow
@given(rules, rules, events, st.randoms())
def test_row_order_does_not_matter(old_rules, new_rules, rows, random):
    (old, _), (new, _) = _book(old_rules), _book(new_rules)
    mixed = list(rows)
    random.shuffle(mixed)
    tables = [
        rb.compare(rb.simulate(old, data), rb.simulate(new, data)).frame("changes")
        for data in (_data(rows), _data(mixed))
    ]
    pd.testing.assert_frame_equal(*tables, rtol=1e-9, atol=1e-6)


# -- words ------------------------------------------------------------------------------------------------


def _many(size: int, label: int | None, *, x: int = 5, amount: float = 100.0) -> list[dict]:
    return [{"x": x, "amount": amount, "label": label, "land": "ID", "day": k % 21} for k in range(size)]


def _compared(rows, *, entity: str | None = None, **roles) -> rb.Comparison:
    data = _data(rows, **roles)
    if entity is not None:
        data = data.with_columns({"buyer": np.array([e["buyer"] for e in rows])}).with_roles(entities=("buyer",))
    off, on = _book([(9, "block", 1, "live")])[0], _book([(3, "block", 1, "live")])[0]
    return rb.compare(rb.simulate(off, data), rb.simulate(on, data))


def test_many_frauds_stopped_are_surely_better_and_many_good_ones_surely_worse():
    assert _compared(_many(40, 1)).answer == "surely better"
    assert _compared(_many(40, 0)).answer == "surely worse"
    assert _compared(_many(3, 1) + _many(9, 0, amount=180.0)).answer == "not shown"


def test_few_flips_with_a_verdict_are_no_evidence():
    few = _compared(_many(9, 1))
    assert few.frame("changes")["lower"].iloc[0] > 0
    assert (few.answer, few.why) == ("not shown", "only 9 of 9 flips have a verdict")
    blind = _compared(_many(20, 1) + _many(21, None))
    assert blind.answer == "not shown"
    assert "most flips have no verdict" in blind.why


def test_without_money_or_labels_net_value_is_not_measurable():
    for held, why in (
        (_compared(_many(40, 1), amount=None), "no amount"),
        (_compared(_many(40, None)), "no event has"),
    ):
        assert held.answer == "not measurable"
        assert why in held.why
        assert held.headline()[1].text.startswith("not measurable")
        assert "nan" not in held._repr_html_().lower().split()


def test_events_that_come_together_are_weaker_evidence():
    rows = _many(12, 1)
    alone = _compared([event | {"buyer": k} for k, event in enumerate(rows)], entity="buyer")
    together = _compared([event | {"buyer": k // 6} for k, event in enumerate(rows)], entity="buyer")
    assert alone.answer == "surely better"
    assert (together.answer, together.why) == ("not shown", "flips come together by buyer: 12 tell as much as 2")
    assert any("come together by buyer" in note for note in together.notes)
    wide, narrow = (held.changes["upper"] - held.changes["lower"] for held in (together, alone))
    assert wide[0] > narrow[0]
    pd.testing.assert_frame_equal(alone.changes.iloc[1:], together.changes.iloc[1:])


def test_a_few_good_events_do_not_speak_for_rare_large_frauds():
    frauds = [event | {"amount": 5_000.0, "x": 1} for event in _many(30, 1)]
    held = _compared(frauds + _many(40, 0))
    assert held.frame("changes")["upper"].iloc[0] > 0
    assert (held.answer, held.why) == ("not shown", "the interval holds 0")
    assert _compared(_many(40, 0)).answer == "surely worse"


@slow
@given(rules, rules, events)
def test_the_words_and_the_interval_agree(old_rules, new_rules, rows):
    (old, _), (new, _) = _book(old_rules), _book(new_rules)
    data = _data(rows)
    found = rb.compare(rb.simulate(old, data), rb.simulate(new, data), costs=COSTS)
    row = found.frame("changes").iloc[0]
    moved = found.frame("swaps")
    labelled = int(moved["frauds"].sum() + moved["good"].sum())
    floor = labelled >= 10 and 2 * labelled >= found.flips
    assert (found.answer == "surely better") == bool(floor and row["lower"] > 0)
    assert (found.answer == "surely worse") == bool(floor and row["upper"] < 0)
    if row["lower"] > 0 or row["upper"] < 0:
        assert found.why != "the interval holds 0"


def test_flips_without_a_verdict_are_bounded():
    held = _compared(_many(20, 1) + _many(5, None))
    good, out, fraud = held.frame("bounds").to_dict("records")
    assert (good["assumed"], out["assumed"], fraud["assumed"]) == ("all good", "left out", "all fraud")
    assert [row["frauds_alerted"] for row in (good, out, fraud)] == [20, 20, 25]
    assert [row["insults"] for row in (good, out, fraud)] == [5, 0, 0]
    assert good["net_value"] == pytest.approx(20 * 100 - 5 * 100 * 0.1 * 1.6)
    assert fraud["net_value"] == pytest.approx(25 * 100)
    assert any("5 of 25 flips have no verdict" in note for note in held.notes)


def test_one_region_of_many_that_surely_loses_is_named():
    rows = [event | {"land": f"L{k}"} for k in range(12) for event in _many(25, 1 if k else 0)]
    found = _compared(rows).frame("regions").set_index("region")
    assert found.loc["L0", "reading"] == "surely worse"
    assert (found["q_value"] >= found["p_value"]).all()


# -- what is refused --------------------------------------------------------------------------------------


def test_other_events_readings_and_domains_are_refused():
    rows = _many(5, 1)
    book = _book([(3, "block", 1, "live")])[0]
    held = rb.simulate(book, _data(rows))
    others = [
        rb.simulate(book, _data(rows[:4])),
        rb.simulate(book, _data([event | {"label": 0} for event in rows])),
        rb.simulate(book, _data([event | {"amount": 7.0} for event in rows])),
        rb.simulate(book, _data(rows), asof="2026-02-01"),
        rb.simulate(rb.RuleBook(name="k", domain="kyc", rules=()), _data(rows)),
    ]
    for other in others:
        with pytest.raises(DataError):
            rb.compare(held, other)
    assert rb.compare(held, rb.simulate(book, _data(rows))).flips == 0
    with pytest.raises(ParameterError, match="two simulations"):
        rb.compare(held, book)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="margn"):
        rb.compare(held, held, costs={"margn": 0.1})


def _matured(days: float | None, **more) -> rb.Dataset:
    at = pd.to_datetime(["2026-01-01", "2026-02-10", "2026-03-01"])
    frame = pd.DataFrame({"id": [1, 2, 3], "x": [5, 6, 7], "amount": [9.0, 9.0, 9.0], "label": [1, 0, 0], "at": at})
    frame["told"] = pd.to_datetime(["2026-02-01", None, None])
    roles = rb.Roles(id="id", amount="amount", label="label", time="at", label_time="told")
    return rb.read(frame, roles=roles, mature_after=days, **more)


def test_another_reading_of_labels_or_days_is_refused_and_named():
    book, plain = _book([(1, "review", 1, "live")])[0], _book([(6, "block", 1, "live")])[0]
    old, new = rb.simulate(book, _matured(5)), rb.simulate(plain, _matured(60))
    assert old.hits.labels.counts != new.hits.labels.counts
    for sides in ((old, new), (new, old)):
        with pytest.raises(DataError, match=r"(?s)read the labels differently.*mature_after (5|60) and mature_after"):
            rb.compare(*sides)
    with pytest.raises(DataError, match=r"(?s)time zones.*UTC.*Asia/Jakarta"):
        rb.compare(rb.simulate(book, _matured(5)), rb.simulate(plain, _matured(5, time_zone="Asia/Jakarta")))
    assert rb.compare(rb.simulate(book, _matured(5)), rb.simulate(plain, _matured(5))).flips == 3


def test_a_column_that_a_rule_reads_must_be_the_same_in_both():
    def data(**columns) -> rb.Dataset:
        base = {"id": [1, 2, 3], "amount": [9.0, 9.0, 9.0], "x": [1, 2, 3], "who": ["a", "b", "a"]}
        at = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"])
        return rb.read(pd.DataFrame(base | {"at": at} | columns), roles=rb.Roles(id="id", amount="amount", time="at"))

    book = _book([(1, "review", 1, "live")])[0]
    other = book.with_rule(rb.Rule("N", "who = 'b'", "block", priority=0, status="draft"))
    for sides in ((book, other), (other, book)):
        for changed in ({"x": [1, 2, 9]}, {"who": ["a", "b", None]}):
            with pytest.raises(DataError, match=f"the column {next(iter(changed))!r}, which a rule reads"):
                rb.compare(rb.simulate(sides[0], data()), rb.simulate(sides[1], data(**changed)))
        assert rb.compare(rb.simulate(sides[0], data()), rb.simulate(sides[1], data(more=[1, 2, 3]))).flips == 0
    # A feature that each book computes in its own way is no column of the events.
    text = """
book: b
domain: transactions
features: {often: {count: id, by: who, window: %s}}
rules:
  - {id: R, when: often >= 1, outcome: review, status: live}
"""
    short, long = (rb.RuleBook.from_yaml(text % window) for window in ("1d", "7d"))
    assert rb.compare(rb.simulate(short, data()), rb.simulate(long, data())).flips == 1
    assert rb.compare(rb.simulate(long, data()), rb.simulate(long, data())).flips == 0
    with pytest.raises(DataError, match="the column 'who'"):
        rb.compare(rb.simulate(long, data()), rb.simulate(long, data(who=["a", "b", "b"])))


def test_costs_stated_to_the_simulations_count_and_those_stated_here_win():
    data = _matured(5)
    books = _book([(1, "review", 1, "live")])[0], _book([(6, "block", 1, "live")])[0]

    def sides(first, last):
        return rb.simulate(books[0], data, costs=first), rb.simulate(books[1], data, costs=last)

    def net(held) -> float:
        return held.frame("changes").set_index("measure").loc["net value", "difference"]

    plain, dear = sides(None, None), sides(COSTS, rb.Costs(**COSTS))
    assert rb.compare(*dear).costs == rb.Costs(**COSTS)
    assert net(rb.compare(*dear)) == net(rb.compare(*plain, costs=COSTS)) != net(rb.compare(*plain))
    asked = rb.request_change(*dear, reason="dear").frame("assumptions").set_index("cost")["value"]
    assert asked.to_dict() == rb.Costs(**COSTS).to_dict()
    by_hand = rb.compare(*dear).request(reason="dear")
    assert by_hand.checksum == rb.request_change(*dear, reason="dear").checksum
    assert rb.compare(*dear, costs={}).costs == rb.Costs()
    mixed = sides(COSTS, None)
    for verb in (rb.compare, lambda *held: rb.request_change(*held, reason="mixed")):
        with pytest.raises(ParameterError, match=r"(?s)state different costs.*margin 0\.25 and 0\.1"):
            verb(*mixed)
    assert rb.compare(*mixed, costs=COSTS).costs == rb.Costs(**COSTS)
