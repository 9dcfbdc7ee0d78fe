"""Suggested edits are what simulating each changed book says, on events that they were not chosen on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.data.outcomes import ladder
from riskbench.engine.contest import contested, first_two
from riskbench.engine.patterns import patterns
from riskbench.metrics.costs import Costs
from riskbench.metrics.price import price
from riskbench.rules.hits import hits
from riskbench.rules.optimiser.edit import KINDS, priorities_of

# Compiled once here, so that no drawn example waits for it.
_ONE, _CODE = np.array([0, 1]), np.zeros(1, dtype=np.int32)
patterns(np.ones((1, 1), dtype=np.uint64), 1, np.ones(1, dtype=np.uint64))
first_two(_ONE, _CODE, _CODE, picked=_CODE, first=_CODE.copy(), second=_CODE.copy())
contested(
    _ONE, _CODE, _CODE, own=0, place=_CODE, first=_CODE, second=_CODE, weights=np.ones((1, 5), dtype=np.int64), places=1
)

SPLIT = "2026-02-01"
OUTCOMES = ("approve", "challenge", "review", "block")


def frame_of(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    half = rows // 2
    first = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 31 * 86_400, half), unit="s")
    later = pd.Timestamp(SPLIT) + pd.to_timedelta(rng.integers(0, 20 * 86_400, rows - half), unit="s")
    x = rng.integers(0, 7, rows)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": np.concatenate([first, later]),
            "x": x,
            "y": rng.integers(0, 7, rows),
            "buyer": rng.choice(["a", "b", "c", "d"], rows),
            "amount": rng.integers(1, 2000, rows).astype(float),
        }
    )
    frame["fraud"] = pd.array((rng.random(rows) < 0.05 + x / 15).astype(int), dtype="Int64")
    frame.loc[rng.random(rows) < 0.1, "fraud"] = pd.NA
    frame.loc[0, "fraud"], frame.loc[1, "fraud"] = 0, 1
    return frame


def events_of(frame: pd.DataFrame, **roles: object) -> rb.Dataset:
    held = {"id": "id", "time": "at", "amount": "amount", "label": "fraud", "entities": ["buyer"], **roles}
    return rb.read(frame, roles=rb.Roles(**{k: v for k, v in held.items() if v is not None}))  # type: ignore[arg-type]


def book_of(seed: int, rules: int = 3) -> rb.RuleBook:
    rng = np.random.default_rng(seed)
    texts = ("x >= :cut", "x < :cut OR y = 1", "y > :cut", "NOT (y < :cut)", "x = :cut AND y > 1")
    made = tuple(
        rb.Rule(
            f"R{k}",
            str(rng.choice(texts)),
            str(rng.choice(OUTCOMES)),
            params={"cut": int(rng.integers(0, 7))},
            priority=int(rng.integers(0, 4)) * 10,
            status=str(rng.choice(["live", "live", "draft", "shadow", "retired"])),  # type: ignore[arg-type]
        )
        for k in range(rules)
    )
    live = (*made[:-1], replace(made[-1], status="live"))
    return rb.RuleBook(name="b", domain="transactions", rules=live)


SPANS = {"choose_on": ("2026-01-01", SPLIT), "report_on": (SPLIT, None)}


def value_of(book: rb.RuleBook, events: rb.Dataset, *, until: bool = True) -> float:
    """Count the net value of a simulated book, event by event, before or from the split."""
    held = hits(book, events)
    early = events.column("at").values < pd.Timestamp(SPLIT).value // 1000
    effects = [rung.effect for rung in ladder("transactions").rungs]
    held_price = price(held.worth, Costs(), effects, scale=held.scale)
    kinds, stake, levels, total = held.kinds, held.stake, held.resolution.level, 0.0
    for row in np.flatnonzero(early == until):
        total += held_price.slope[kinds[row], levels[row]] * stake[row] - held_price.handling[levels[row]]
    return float(total)


def singles_of(book: rb.RuleBook, cuts: dict[str, list[float]]) -> dict[tuple[str, str], list[rb.RuleBook]]:
    """Return every single edit of a book, by rule and kind."""
    found: dict[tuple[str, str], list[rb.RuleBook]] = {}
    places = priorities_of([rule.priority for rule in book.rules if rule.status == "live"])
    for rule in book.rules:
        if rule.status == "retired":
            continue
        if rule.status != "live":
            found[rule.id, "on"] = [book.with_status(rule.id, "live")]
            continue
        found[rule.id, "off"] = [book.with_status(rule.id, "retired")]
        if rule.outcome != "approve":
            others = [one for one in OUTCOMES[1:] if one != rule.outcome]
            found[rule.id, "outcome"] = [book.with_rule(replace(rule, outcome=one)) for one in others]
        found[rule.id, "priority"] = [
            book.with_rule(replace(rule, priority=one)) for one in places if one != rule.priority
        ]
        found[rule.id, "parameter"] = [book.with_params({rule.id: {"cut": one}}) for one in cuts.get(rule.id, [])]
    return found


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_the_ranking_of_single_edits_is_that_of_simulating_every_one(seed: int) -> None:
    book, events = book_of(seed), events_of(frame_of(60, seed))
    found = rb.optimise(book, events, params=False, **SPANS)
    start, wanted = value_of(book, events), []
    for (rule, kind), changed in singles_of(book, {}).items():
        gains = [value_of(one, events) - start for one in changed]
        if gains and max(gains) > 1e-6:
            wanted.append((rule, kind, max(gains)))
    wanted.sort(key=lambda one: (-round(one[2], 6), KINDS.index(one[1]), one[0]))
    told = [(row.rule, row.kind, row.chosen_net_value) for row in found.edits.itertuples()]
    assert [one[2] for one in told] == pytest.approx([one[2] for one in wanted])
    assert sorted(one[:2] for one in told) == sorted(one[:2] for one in wanted)
    best = found.best_set["chosen_added_value"].iloc[-1] if len(found.best_set) else 0.0
    assert best == pytest.approx(wanted[0][2] if wanted else 0.0)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_values_of_parameters_are_those_of_simulating_each(seed: int) -> None:
    book, events = book_of(seed), events_of(frame_of(60, seed))
    found = rb.optimise(book, events, **SPANS)
    start = value_of(book, events)
    whole = {rule.id: [float(cut) for cut in range(-1, 8)] for rule in book.rules}
    for key, changed in singles_of(book, whole).items():
        if key[1] != "parameter":
            continue
        best = max(value_of(one, events) - start for one in changed)
        told = found.edits.loc[(found.edits["rule"] == key[0]) & (found.edits["kind"] == key[1]), "chosen_net_value"]
        # Seven distinct values: every cut that differs on the events to choose on is tried, but nothing beyond them.
        inside = [value_of(one, events) - start for one in changed[1:-1]]
        assert (told.iloc[0] if len(told) else 0.0) == pytest.approx(max(0.0, *inside), abs=1e-6) or (
            len(told) and told.iloc[0] == pytest.approx(best)
        )


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6))
def test_the_figures_of_each_edit_are_those_of_comparing_the_two_books_later(seed: int) -> None:
    book, events = book_of(seed), events_of(frame_of(80, seed))
    found = rb.optimise(book, events, max_edits=2, **SPANS)
    later = events.where(events.column("at").values >= pd.Timestamp(SPLIT).value // 1000)
    before = rb.simulate(book, later)
    for k, row in enumerate(found.edits.to_dict("records"), start=1):
        changes = rb.compare(before, rb.simulate(found.edit_book(k), later)).frame("changes").set_index("measure")
        assert row["n"] == rb.compare(before, rb.simulate(found.edit_book(k), later)).flips
        if np.isnan(row["net_value"]):
            assert row["unlabelled"] == row["n"]
            continue
        for name, measure in (
            ("net_value", "net value"),
            ("frauds", "frauds alerted"),
            ("insults", "good events held or stopped"),
            ("reviews", "reviews"),
        ):
            for tail, column in (("", "difference"), ("_lower", "lower"), ("_upper", "upper")):
                assert row[name + tail] == pytest.approx(changes.loc[measure, column], abs=1e-6)
    if len(found.best_set):
        whole = found.best_set.iloc[-1]
        after = rb.compare(before, rb.simulate(found.best, later))
        assert whole["n"] == after.flips
        if not np.isnan(whole["added_value"]):
            assert whole["added_value"] == pytest.approx(
                after.frame("changes").set_index("measure").loc["net value", "difference"], abs=1e-6
            )


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6))
def test_more_edits_are_never_worse_and_the_steps_add_up_to_the_set(seed: int) -> None:
    book, events = book_of(seed, rules=4), events_of(frame_of(60, seed))
    last = 0.0
    for most in (1, 2, 3):
        found = rb.optimise(book, events, max_edits=most, **SPANS)
        gain = value_of(found.best, events) - value_of(book, events)
        assert gain >= last - 1e-6
        last = gain
        if found.best_set.empty:
            assert found.best == book
            continue
        steps, whole = found.best_set.iloc[:-1], found.best_set.iloc[-1]
        assert len(steps) <= most
        assert steps["chosen_added_value"].sum() == pytest.approx(whole["chosen_added_value"])
        assert whole["chosen_added_value"] == pytest.approx(gain)
        if not steps["added_value"].isna().any():
            assert steps["added_value"].sum() == pytest.approx(whole["added_value"])
        lines = book.diff(found.best)
        assert len(lines) == len(steps)


def test_the_order_of_rows_does_not_matter() -> None:
    frame = frame_of(300, 5)
    mixed = frame.sample(frac=1.0, random_state=1).reset_index(drop=True)
    book = book_of(11, rules=4)
    one, two = (rb.optimise(book, events_of(held), max_edits=2) for held in (frame, mixed))
    for name in ("edits", "best_set", "front"):
        pd.testing.assert_frame_equal(one.frame(name), two.frame(name))
    assert one.best == two.best


def test_limits_hold_where_the_set_is_chosen_and_are_told_where_it_is_judged() -> None:
    book, events = book_of(23, rules=5), events_of(frame_of(400, 2))
    free = rb.optimise(book, events, max_edits=3, **SPANS)
    early = events.where(events.column("at").values < pd.Timestamp(SPLIT).value // 1000)
    limit = rb.at_most("insult_rate", 0.05)
    held = rb.optimise(book, events, max_edits=5, subject_to=limit, **SPANS)
    after = rb.simulate(held.best, early).frame("whole").set_index("set").loc["reviewed or stopped", "insult_rate"]
    assert after <= 0.05
    assert held.limits["proposed"].iloc[0] == pytest.approx(after)
    later = events.where(events.column("at").values >= pd.Timestamp(SPLIT).value // 1000)
    told = rb.simulate(held.best, later).frame("whole").set_index("set").loc["reviewed or stopped", "insult_rate"]
    assert held.limits["observed"].iloc[0] == pytest.approx(told)
    assert (held.limits["kept"].iloc[0] == "kept") == (told <= 0.05)
    assert value_of(held.best, events) <= value_of(free.best, events) + 1e-6 or held.max_edits > free.max_edits


def test_what_no_set_can_keep_to_is_infeasible_and_names_the_nearest() -> None:
    book, events = book_of(23, rules=5), events_of(frame_of(400, 2))
    with pytest.raises(rb.InfeasibleError) as wrong:
        rb.optimise(book, events, subject_to=[rb.at_most("alert_rate", 0.0), rb.at_least("recall", 0.9)], **SPANS)
    assert wrong.value.nearest_point["violation"] > 0
    assert "alert_rate" in str(wrong.value)


def test_the_points_of_the_front_are_beaten_by_no_other_and_are_what_their_books_do() -> None:
    book, events = book_of(31, rules=4), events_of(frame_of(200, 3))
    found = rb.optimise(book, events, max_edits=2, **SPANS)
    front = found.front
    assert front["present"].sum() == 1
    three = front.loc[front["on_front"], ["loss", "insults", "reviews"]].to_numpy()
    for own in three:
        assert not ((three <= own).all(axis=1) & (three < own).any(axis=1)).any()
    early = events.where(events.column("at").values < pd.Timestamp(SPLIT).value // 1000)
    for k, row in enumerate(front.to_dict("records"), start=1):
        made = found.front_book(k)
        outcomes = rb.simulate(made, early).frame("outcomes").set_index("outcome")
        assert row["reviews"] == outcomes.loc["review", "events"]
        assert row["insults"] == outcomes.loc[["review", "block"], "good"].sum()
        assert row["net_value"] == pytest.approx(value_of(made, events))
        assert len(book.diff(made)) == row["edits"]


def test_an_edit_that_pays_by_design_surely_pays_and_one_by_luck_does_not() -> None:
    rng = np.random.default_rng(8)
    frame = frame_of(3000, 8)
    frame["noise"] = rng.integers(0, 10, len(frame))
    frame["bad"] = np.where(rng.random(len(frame)) < 0.2, 1, 0)
    frame["fraud"] = np.where(frame["bad"] == 1, (rng.random(len(frame)) < 0.8), rng.random(len(frame)) < 0.02)
    frame["fraud"] = frame["fraud"].astype(int)
    rules = [rb.Rule("GOOD", "bad = 1", "block", status="draft")]
    rules += [rb.Rule(f"LUCK{k}", f"noise = {k}", "challenge", status="draft") for k in range(10)]
    book = rb.RuleBook(name="b", domain="transactions", rules=tuple(rules))
    costs = {"challenge_catch": 0.05, "challenge_drop": 0.12}
    found = rb.optimise(book, events_of(frame, entities=[]), costs=costs)
    verdicts = found.edits.set_index("rule")["verdict"]
    assert verdicts["GOOD"] == "surely pays"
    assert found.verdict == "surely pays"
    assert not (verdicts.drop("GOOD") == "surely pays").any()


def test_a_book_that_no_edit_improves_says_so() -> None:
    frame = frame_of(200, 4)
    frame["fraud"] = (frame["x"] == 6).astype(int)
    book = rb.RuleBook(name="b", domain="transactions", rules=(rb.Rule("R", "x = 6", "block", status="live"),))
    found = rb.optimise(book, events_of(frame))
    assert found.edits.empty
    assert found.best_set.empty
    assert found.best == book
    assert "none" in str(found.headline()[0])
    assert any("No edit gains" in note for note in found.notes)
    assert "nan" not in found._repr_html_().split("base64")[0].lower()


def test_without_time_entities_are_drawn_and_the_page_says_so() -> None:
    book = book_of(11, rules=4)
    found = rb.optimise(book, events_of(frame_of(300, 5).drop(columns="at"), time=None), seed=3)
    assert any("No time" in note for note in found.notes)
    assert found.provenance["seed"] == 3


def test_lists_that_act_are_part_of_the_book_and_are_not_edited() -> None:
    frame = frame_of(300, 5)
    entry = {"values": ["a"], "kind": "block", "column": "buyer", "owner": "ops", "reason": "known", "outcome": "block"}
    book = book_of(11, rules=4).with_list("bad_buyers", entry)
    events = events_of(frame)
    found = rb.optimise(book, events, max_edits=2, **SPANS)
    assert set(found.edits["rule"]) <= {rule.id for rule in book.rules}
    gain = value_of(found.best, events) - value_of(book, events)
    assert found.best_set["chosen_added_value"].iloc[-1] == pytest.approx(gain)
    said = next(note for note in found.notes if note.startswith("One list that acts on events is never switched off"))
    assert "audit_lists" in said
    assert "appraise" in said
    assert not any("list" in note for note in rb.optimise(book_of(11, rules=4), events, **SPANS).notes)


def test_a_rule_that_is_made_live_with_another_value_counts_with_that_value() -> None:
    book, events = book_of(4376, rules=4), events_of(frame_of(60, 4376))
    found = rb.optimise(book, events, max_edits=3, **SPANS)
    kinds = found.best_set.query("rule == 'R2'")["kind"].tolist()
    assert kinds == ["on", "parameter"]
    gain = value_of(found.best, events) - value_of(book, events)
    assert found.best_set["chosen_added_value"].iloc[-1] == pytest.approx(gain)


def test_a_set_that_does_not_surely_pay_is_not_the_first_thing_said() -> None:
    frame = frame_of(400, 5)
    frame["fraud"] = frame["fraud"].fillna(0)
    later = frame["at"] >= SPLIT
    frame.loc[later, "fraud"] = (frame.loc[later, "x"] == 0).astype(int)
    found = rb.optimise(book_of(11, rules=4), events_of(frame), max_edits=3, **SPANS)
    assert found.verdict in ("not shown", "costs")
    first = found.headline()[0]
    if (found.edits["verdict"] == "surely pays").any():
        assert first.value == "The set that was best where chosen does not surely pay"
    else:
        assert first.value == "No set of up to 3 edits surely pays"
    assert f"later: {found.verdict}" in first.note
    assert found.headline()[1].value == pytest.approx(found.best_set["added_value"].iloc[-1])


def test_a_limit_broken_later_stands_in_the_headline_by_how_much() -> None:
    frame = frame_of(400, 2)
    frame.loc[frame["at"] >= SPLIT, "x"] = 6
    book, events = book_of(23, rules=5), events_of(frame)
    early = events.where(events.column("at").values < pd.Timestamp(SPLIT).value // 1000)
    bound = float(
        rb.simulate(book, early).frame("whole").set_index("set").loc["reviewed or stopped", "insult_rate"] * 0.5
    )
    found = rb.optimise(book, events, max_edits=5, subject_to=rb.at_most("insult_rate", bound), **SPANS)
    row = found.limits.iloc[0]
    told = next(fact for fact in found.headline() if fact.name == "Limit, later")
    over = row["observed"] - bound
    assert (row["kept"] == "kept") == (over <= 0)
    if over > 0:
        assert f"insult_rate broken by {100 * over:.2g} points" in told.value
    late = events.where(events.column("at").values >= pd.Timestamp(SPLIT).value // 1000)
    whole = rb.simulate(book, late).frame("whole").set_index("set")
    assert row["today_later"] == pytest.approx(whole.loc["reviewed or stopped", "insult_rate"])


def test_windows_that_overlap_are_not_called_unseen() -> None:
    events = events_of(frame_of(300, 5))
    spans = {"choose_on": ("2026-01-01", "2026-02-10"), "report_on": (SPLIT, None)}
    found = rb.optimise(book_of(11, rules=4), events, **spans)
    assert not any("which no choice looked at" in note for note in found.notes)
    times = events.column("at").values
    left = int((times >= pd.Timestamp("2026-02-10").value // 1000).sum())
    assert f"the {left} events" in found.notes[0]
    assert "were not chosen on" in found.provenance["parameters"]["report_on"]


def test_no_suggestion_gains_nothing_and_no_priority_falls_below_zero() -> None:
    entry = {"values": ["a"], "kind": "block", "column": "buyer", "owner": "ops", "reason": "known", "outcome": "block"}
    for seed in range(12):
        book = book_of(seed, rules=5).with_list("bad", entry)
        found = rb.optimise(book, events_of(frame_of(80, seed)), max_edits=3, **SPANS)
        assert (found.edits["chosen_net_value"] > 0).all()
        assert all(rule.priority >= 0 for rule in found.best.rules)
        for k in range(1, len(found.edits) + 1):
            assert all(rule.priority >= 0 for rule in found.edit_book(k).rules)
    assert priorities_of([500, 700]) == [490, 500, 600, 700, 710]


def test_the_request_of_an_edit_tells_what_it_does_on_the_later_window() -> None:
    book, events = book_of(23, rules=5), events_of(frame_of(400, 2))
    found = rb.optimise(book, events, max_edits=2, **SPANS)
    asked = found.request(1, requested_by="Ada")
    assert asked.book_after == found.edit_book(1).hash
    assert asked.book_before == book.hash
    assert asked.chosen_on.startswith("2026-01-01")
    assert asked.reported_on.startswith(SPLIT)
    assert asked.flips == found.edits["n"].iloc[0]
    assert found.request().book_after == found.best.hash
    with pytest.raises(rb.ParameterError):
        found.request(99)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_edits": 0}, "max_edits"),
        ({"max_edits": True}, "max_edits"),
        ({"max_edits": 10_000}, "max_edits"),
        ({"subject_to": "review_rate < 1"}, "subject_to"),
        ({"costs": {"margn": 1}}, "margn"),
        ({"choose_on": ("2020-01-01", "2020-02-01")}, "No event"),
    ],
)
def test_wrong_use_is_told(options: dict[str, object], error: str) -> None:
    with pytest.raises(rb.RiskbenchError, match=error):
        rb.optimise(book_of(1), events_of(frame_of(40, 1)), **options)  # type: ignore[arg-type]


def test_events_that_tell_nothing_are_an_error_or_are_said() -> None:
    frame = frame_of(60, 1)
    with pytest.raises(rb.DataError, match="label"):
        rb.optimise(book_of(1), events_of(frame, label=None))
    with pytest.raises(rb.DataError, match="fraud"):
        rb.optimise(book_of(1), events_of(frame.assign(fraud=0)))
    with pytest.raises(rb.DataError):
        rb.optimise(book_of(1), events_of(frame.iloc[:0]))
    with pytest.raises(rb.ParameterError, match="no rule"):
        rb.optimise(rb.RuleBook(name="b", domain="transactions"), events_of(frame))
    silent = frame.copy()
    silent.loc[silent["at"] >= SPLIT, "fraud"] = pd.NA
    found = rb.optimise(book_of(23, rules=5), events_of(silent), **SPANS)
    assert (found.edits["net_value"].isna() | (found.edits["n"] == 0)).all()
    assert set(found.edits["verdict"]) <= {"not measurable", "not shown"}
    none = rb.optimise(book_of(23, rules=5), events_of(frame.drop(columns="amount"), amount=None), **SPANS)
    assert not none.money


@pytest.mark.parametrize("asked", ["list", "deviation"])
@pytest.mark.parametrize("until", [None, "2026-02-15"])
def test_the_request_acts_on_the_day_of_its_table(asked: str, until: str | None) -> None:
    """What lapses between the last event, the window's end and the last verdict is in force in both, or in none."""
    frame = frame_of(400, 3).assign(told=lambda held: held["at"] + pd.Timedelta(days=30))
    frame["fraud"] = frame["fraud"].fillna(0)
    events = events_of(frame, label_time="told", region="buyer")
    book = book_of(23, rules=5)
    last = frame["at"].max()
    for expires in (last + pd.Timedelta(days=5), last - pd.Timedelta(days=3)):
        day = f"{expires:%Y-%m-%d}"
        if asked == "list":
            entry = {"values": ["a", "b"], "kind": "block", "column": "buyer", "owner": "ops", "expires": day}
            held = book.with_list("bad", entry)
        else:
            held, told = book, {"reason": "payday", "approver": "ada", "expires": day}
            for rule in book.live:
                for region in ("a", "b"):
                    held = held.with_deviation(rb.Deviation(rule.id, region, params={"cut": 7}, **told))
        spans = {**SPANS, "report_on": (SPLIT, until)}
        found = rb.optimise(held, events, max_edits=2, **spans)
        assert len(found.edits)
        for k, row in enumerate(found.edits.head(5).itertuples(), 1):
            assert found.request(k).flips == row.n
        assert found.request().flips == found.best_set["n"].iloc[-1]
        assert found.provenance["parameters"]["on"] == f"{last:%Y-%m-%d}"
