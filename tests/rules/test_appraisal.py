"""What each rule is worth equals what simulating the changed book anew says, count for count and coin for coin."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.engine.credits import credits_of_lines
from riskbench.engine.pairs import pairs_of_bits, pairs_of_line, pairs_of_sets, two_first
from riskbench.engine.patterns import patterns, patterns_summed
from riskbench.rules.appraisal.retirement import FREE, VERDICTS
from riskbench.rules.edited import edited_many
from riskbench.rules.hits import Hits, deciding_order
from riskbench.rules.moves import COLUMNS
from riskbench.rules.simulation import Simulation

# Compiled once here, so that no drawn example waits for it.
_ones, _lines = np.ones((1, 3), dtype=np.int64), np.zeros(1, dtype=np.int32)
_starts = np.array([0, 1])
patterns(np.ones((1, 1), dtype=np.uint64), 1, np.ones(1, dtype=np.uint64))
patterns_summed(_lines, np.zeros(1, dtype=np.int8), np.ones(1, dtype=np.int64), 1, states=3)
pairs_of_sets(_starts, _lines, _ones, _ones, 1)
pairs_of_line(_starts, _lines, _ones, _ones, 1, line=0)
pairs_of_bits(np.ones((1, 1), dtype=np.uint64), np.zeros(1, dtype=np.int8), np.ones(1, dtype=np.int64), states=3)
credits_of_lines(
    (_starts, _lines),
    np.zeros(1, dtype=np.int64),
    np.ones((1, 6)),
    np.ones(6),
    idle=1,
    cells=(_ones, _ones, _ones * 1.0),
)
two_first(_starts, _lines, np.zeros(1, dtype=np.int64), idle=1)

OUTCOMES = ("approve", "challenge", "review", "block")
EFFECTS = ("none", "friction", "review", "stop")
#: Net value is added up in another order than the oracle's: relative to the money that moves.
NEAR = 1e-9

slow = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def simulations(draw: st.DrawFn) -> Simulation:
    rows = draw(st.integers(0, 40))
    numbers = st.integers(0, 6)

    def column(what):
        return draw(st.lists(what, min_size=rows, max_size=rows))

    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "x": column(st.one_of(st.none(), numbers)),
            "y": column(numbers),
            "amount": [float(v) for v in column(st.integers(0, 10**6))],
            "fraud": column(st.sampled_from([None, 0, 0, 1])),
            "land": column(st.sampled_from([None, "ID", "NO", "日本"])),
        }
    ).astype({"x": "Int64", "y": "Int64", "fraud": "Int64", "land": "string"})
    ops = st.sampled_from(["x >= {}", "x < {}", "y = {}", "NOT x > {}", "x IS NULL OR y > {}", "x > {} AND y > 2"])
    rules = tuple(
        rb.Rule(
            f"R{k}",
            draw(ops).format(draw(numbers)),
            draw(st.sampled_from(OUTCOMES)),
            priority=draw(st.integers(0, 3)),
            status=draw(st.sampled_from(["live", "live", "live", "draft", "shadow", "retired"])),
        )
        for k in range(draw(st.integers(0, 6)))
    )
    book = rb.RuleBook(name="b", domain="transactions", rules=rules)
    amount = draw(st.sampled_from(["amount", "amount", None]))
    roles = rb.Roles(id="id", amount=amount, label="fraud", region="land", currency="EUR")
    costs = rb.Costs(
        margin=draw(st.sampled_from([0.0, 0.1, 0.9])), minute_cost=draw(st.sampled_from([0.0, 0.5, 900.0]))
    )
    return rb.simulate(book, rb.read(frame, roles=roles), costs=costs)


def worth_of(held: Hits, level: np.ndarray, costs: rb.Costs, row: int) -> float:
    """Return what one event is worth at its outcome, in plain Python."""
    effect = EFFECTS[level[row]]
    state, money = held.labels.state[row], held.worth.money
    minor = int(held.worth.value[row]) / (100 if money else 1)
    work = costs.handling(effect) if money else 0.0
    if state == 1:
        return minor * costs.fraud_gain(effect) * costs.loss_share - work
    if state == 0:
        return -minor * costs.margin * costs.good_cost(effect) - work
    return -work


def expected(held: Hits, before: np.ndarray, after: np.ndarray, costs: rb.Costs) -> dict[str, float]:
    """Return the columns of a change, one event after the other."""
    out = dict.fromkeys(COLUMNS, 0.0)
    squares = dict.fromkeys(("alerts", "frauds", "insults", "reviews", "value_caught", "net_value"), 0.0)
    for row in np.flatnonzero(before != after):
        old, new = EFFECTS[before[row]], EFFECTS[after[row]]
        state = held.labels.state[row]
        alert = (new != "none") - (old != "none")
        hard = (new in ("review", "stop")) - (old in ("review", "stop"))
        minor = int(held.worth.value[row])
        steps = {
            "alerts": alert,
            "frauds": alert * (state == 1),
            "insults": hard * (state == 0),
            "reviews": (new == "review") - (old == "review"),
            "value_caught": alert * (state == 1) * minor / 100,
            "net_value": worth_of(held, after, costs, row) - worth_of(held, before, costs, row),
        }
        out["flips"] += 1
        out["unlabelled"] += state not in (0, 1)
        for name, step in steps.items():
            out[name] += step
            squares[name] += step**2
    for name, square in squares.items():
        half = 1.959963984540054 * square**0.5
        out[f"{name}_lower"], out[f"{name}_upper"] = out[name] - half, out[name] + half
    if out["flips"] and out["flips"] == out["unlabelled"]:
        ends = [
            f"{name}_{end}" for name in ("frauds", "insults", "value_caught", "net_value") for end in ("lower", "upper")
        ]
        out.update(dict.fromkeys(["net_value", *ends], np.nan))
    if not held.worth.money:
        out.update(dict.fromkeys(("value_caught", "value_caught_lower", "value_caught_upper"), np.nan))
    return out


def agrees(row: dict, wanted: dict[str, float], *, names: tuple[str, ...] | list[str] = COLUMNS) -> None:
    for name in names:
        scale = max(1.0, abs(np.nan_to_num(wanted["net_value"])))
        if name in ("net_value_lower", "net_value_upper"):
            # Its interval has its own study and oracle (tests/metrics/test_money.py); here, where it must lie.
            assert np.isnan(row[name]) == np.isnan(wanted[name]), name
            beyond = (row["net_value"] - row[name]) * (1 if name.endswith("lower") else -1)
            assert np.isnan(row[name]) or beyond >= -1e-7 * scale, name
            assert row["flips"] or row[name] == row["net_value"], name
            continue
        assert row[name] == pytest.approx(wanted[name], rel=NEAR, abs=1e-7 * scale, nan_ok=True), name


def levels(book: rb.RuleBook, held: Simulation) -> np.ndarray:
    return rb.simulate(book, held.hits.dataset).hits.resolution.level


@slow
@given(simulations())
def test_leave_one_out_equals_simulating_without_the_rule(held: Simulation) -> None:
    frame = held.frame("leave_one_out")
    assert frame["rule"].tolist() == [rule.id for rule in held.book.live]
    before = held.hits.resolution
    for row in frame.to_dict("records"):
        after = rb.simulate(held.book.without(row["rule"]), held.hits.dataset).hits
        agrees(row, expected(held.hits, before.level, after.resolution.level, held.standing.costs))
        place = [rule.id for rule in held.book.rules].index(row["rule"])
        own = before.rule == place
        assert row["decides"] == own.sum()
        heirs = [after.book.rules[k].id for k in after.resolution.rule[own] if k >= 0]
        if heirs:
            assert row["next_events"] == max(heirs.count(name) for name in heirs) == heirs.count(row["next"])
        else:
            assert pd.isna(row["next"])
        moved = after.resolution.level[own & (before.level != after.resolution.level)]
        counts = {OUTCOMES[level]: int((moved == level).sum()) for level in set(moved.tolist())}
        assert dict(part.split(" ") for part in row["to"].split(", ") if part) == {k: str(v) for k, v in counts.items()}


@slow
@given(simulations())
def test_marginal_equals_simulating_with_the_rule_live(held: Simulation) -> None:
    frame = held.frame("marginal")
    assert frame["rule"].tolist() == [rule.id for rule in held.book.rules if rule.status in ("draft", "shadow")]
    for row in frame.to_dict("records"):
        after = rb.simulate(held.book.with_status(row["rule"], "live"), held.hits.dataset).hits
        agrees(row, expected(held.hits, held.hits.resolution.level, after.resolution.level, held.standing.costs))
        place = [rule.id for rule in held.book.rules].index(row["rule"])
        assert row["decides"] == (after.resolution.rule == place).sum()


@slow
@given(simulations(), st.data())
def test_what_if_equals_simulating_the_changed_book(held: Simulation, data: st.DataObject) -> None:
    ids = [rule.id for rule in held.book.rules]
    some = st.lists(st.sampled_from(ids), unique=True) if ids else st.just([])
    off = data.draw(some)
    on = [name for name in data.draw(some) if name not in off]
    outcomes = {name: data.draw(st.sampled_from(OUTCOMES)) for name in data.draw(some)}
    priorities = {name: data.draw(st.integers(-1, 4)) for name in data.draw(some)}
    costs = data.draw(st.sampled_from([None, rb.Costs(insult_share=1.0, review_minutes=60)]))
    found = held.what_if(off=off, on=on, outcomes=outcomes, priorities=priorities, costs=costs)
    for rule in found.book.rules:
        assert (rule.status == "live") == (
            (held.book.rule(rule.id).status == "live" or rule.id in on) and rule.id not in off
        )
        assert rule.outcome == outcomes.get(rule.id, held.book.rule(rule.id).outcome)
        assert rule.priority == priorities.get(rule.id, held.book.rule(rule.id).priority)
    after = rb.simulate(found.book, held.hits.dataset, costs=costs or held.standing.costs)
    wanted = expected(held.hits, held.hits.resolution.level, after.hits.resolution.level, after.standing.costs)
    table = found.frame().set_index("measure")
    for measure, name in (
        ("alerts", "alerts"),
        ("frauds alerted", "frauds"),
        ("good events held or stopped", "insults"),
        ("reviews", "reviews"),
        ("fraud value alerted", "value_caught"),
        ("net value", "net_value"),
    ):
        row = table.loc[measure]
        told = {name: row["difference"], f"{name}_lower": row["lower"], f"{name}_upper": row["upper"]}
        if np.isnan(wanted[f"{name}_lower"]):
            assert np.isnan(row["difference"])
            continue
        agrees({**wanted, **told}, wanted)
        if np.isfinite(row["difference"]):
            assert row["before"] + row["difference"] == pytest.approx(row["after"], rel=NEAR)
    assert found.flips == wanted["flips"]
    assert found.unlabelled == wanted["unlabelled"]
    assert table.loc["alerts", "after"] == after.alerts
    decided = pd.Series(after.hits.resolution.rule).value_counts()
    for row in found.frame("rules").to_dict("records"):
        assert row["after"] == decided.get(ids.index(row["rule"]), 0)
    regions = found.frame("regions")
    assert regions["flips"].sum() == found.flips
    assert regions["events"].sum() == held.events
    for name in ("alerts", "frauds", "insults", "reviews", "unlabelled"):
        assert regions[name].sum() == wanted[name]


@st.composite
def edits(draw: st.DrawFn) -> tuple[Simulation, dict[str, dict[str, object]]]:
    """Draw a simulation of rules with a parameter, and other values for some of them."""
    rows = draw(st.integers(1, 60))
    numbers = st.integers(0, 9)

    def column(what):
        return draw(st.lists(what, min_size=rows, max_size=rows))

    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "x": column(numbers),
            "y": column(numbers),
            "amount": [float(v) for v in column(st.integers(0, 10**9))],
            "fraud": column(st.sampled_from([None, 0, 0, 1])),
            "land": column(st.sampled_from(["ID", "NO"])),
        }
    ).astype({"fraud": "Int64"})
    texts = st.sampled_from(["x >= :cut", "y < :cut AND x > 2", "NOT x > :cut"])
    rules = tuple(
        rb.Rule(
            f"R{k}",
            draw(texts),
            draw(st.sampled_from(OUTCOMES)),
            params={"cut": draw(numbers)},
            regions=draw(st.sampled_from([{}, {"NO": {"cut": 4}}])),
            priority=draw(st.integers(0, 2)),
            status=draw(st.sampled_from(["live", "live", "draft"])),
        )
        for k in range(draw(st.integers(1, 5)))
    )
    book = rb.RuleBook(name="b", domain="transactions", rules=rules)
    data = rb.read(frame, roles=rb.Roles(id="id", amount="amount", label="fraud", region="land"))
    told = draw(st.dictionaries(st.sampled_from([rule.id for rule in rules]), numbers, max_size=3))
    return rb.simulate(book, data), {name: {"cut": cut} for name, cut in told.items()}


@slow
@given(edits())
def test_an_edited_signature_table_equals_one_built_anew(drawn) -> None:
    held, params = drawn
    before = held.hits.signatures
    kept = (before.pattern.copy(), before.cells.count.copy(), before.cells.value_squares.copy())
    book = held.book.with_params(params)
    table, anew = edited_many(held.hits, book), rb.simulate(book, held.hits.dataset).hits.signatures
    by_set = {tuple(table.members(p).tolist()): p for p in range(len(table))}
    assert len(by_set) == len(table), "no set comes twice"
    for p in range(len(anew)):
        own = by_set.pop(tuple(anew.members(p).tolist()))
        assert ((table.pattern == own) == (anew.pattern == p)).all()
        for name in ("count", "value", "stake"):
            assert (getattr(table.cells, name)[own] == getattr(anew.cells, name)[p]).all()
        largest = max(1.0, float(before.cells.value_squares.sum()))
        assert table.cells.value_squares[own] == pytest.approx(
            anew.cells.value_squares[p], rel=NEAR, abs=1e-12 * largest
        )
        assert table.cells.stake_squares[own] == pytest.approx(
            anew.cells.stake_squares[p], rel=NEAR, abs=1e-12 * largest
        )
    for own in by_set.values():
        assert not table.cells.count[own].any()
        assert not table.cells.value[own].any()
        assert not table.cells.value_squares[own].any()
    assert (before.pattern == kept[0]).all()
    assert (before.cells.count == kept[1]).all()
    assert (before.cells.value_squares == kept[2]).all()


@slow
@given(edits(), st.data())
def test_what_if_with_other_values_equals_simulating_anew(drawn, data) -> None:
    held, params = drawn
    ids = [rule.id for rule in held.book.rules]
    off = data.draw(st.lists(st.sampled_from(ids), unique=True, max_size=2))
    found = held.what_if(params=params, off=off)
    after = rb.simulate(found.book, held.hits.dataset)
    assert {name: dict(found.book.rule(name).values()) for name in params} == params
    wanted = expected(held.hits, held.hits.resolution.level, after.hits.resolution.level, held.standing.costs)
    table = found.frame().set_index("measure")["difference"]
    assert found.flips == wanted["flips"]
    assert table["alerts"] == wanted["alerts"]
    assert table["net value"] == pytest.approx(wanted["net_value"], rel=NEAR, abs=1e-6, nan_ok=True)
    decided = pd.Series(after.hits.resolution.rule).value_counts()
    for row in found.frame("rules").to_dict("records"):
        assert row["after"] == decided.get(ids.index(row["rule"]), 0)
    assert found.frame("regions")["flips"].sum() == found.flips


@slow
@given(simulations())
def test_regions_add_up_to_the_leave_one_out_of_all(held: Simulation) -> None:
    whole, parts = held.frame("leave_one_out"), held.frame("leave_one_out_regions")
    for name in ("flips", "alerts", "frauds", "insults", "reviews", "unlabelled"):
        sums = parts.groupby("rule")[name].sum()
        assert {rule: sums.get(rule, 0) for rule in whole["rule"]} == dict(zip(whole["rule"], whole[name], strict=True))
    known = whole[whole["net_value"].notna()]
    sums = parts.fillna({"net_value": 0.0}).groupby("rule")["net_value"].sum()
    for row in known.itertuples():
        region = parts[(parts["rule"] == row.rule) & parts["net_value"].isna()]
        if region.empty:
            assert sums.get(row.rule, 0.0) == pytest.approx(row.net_value, rel=NEAR, abs=1e-6)


@slow
@given(simulations())
def test_credit_adds_up_and_equals_the_sum_over_all_orders(held: Simulation) -> None:
    frame, costs = held.frame("credit"), held.standing.costs
    live = list(deciding_order(held.book))
    masks = {k: held.hits.bits.mask(k) for k in live}

    def worth(team: frozenset[int], measure: str) -> float:
        level = np.zeros(held.events, dtype=np.int8)
        for k in reversed([k for k in live if k in team]):
            level[masks[k]] = OUTCOMES.index(held.book.rules[k].outcome)
        if measure == "frauds":
            return float(((level > 0) & (held.hits.labels.state == 1)).sum())
        if measure == "reviews":
            return float((level == 2).sum())
        return sum(worth_of(held.hits, level, costs, row) for row in range(held.events))

    from math import factorial

    for measure in ("net_value", "frauds", "reviews"):
        value = {
            frozenset(team): worth(frozenset(team), measure)
            for size in range(len(live) + 1)
            for team in combinations(live, size)
        }
        whole = value[frozenset(live)] - value[frozenset()]
        scale = max([1.0, *(abs(v) for v in value.values())])
        told = dict(zip(frame["rule"], frame[f"shapley_{measure}"], strict=True))
        for k in live:
            fair = sum(
                factorial(len(team)) * factorial(len(live) - len(team) - 1) / factorial(len(live))
                * (value[team | {k}] - value[team])
                for team in value
                if k not in team
            )  # fmt: skip
            assert told[held.book.rules[k].id] == pytest.approx(fair, rel=NEAR, abs=1e-9 * scale)
        assert sum(told.values()) == pytest.approx(whole, rel=NEAR, abs=1e-9 * scale)
        first = frame[f"first_{measure}"]
        if first.notna().all():
            assert first.sum() == pytest.approx(whole, rel=NEAR, abs=1e-9 * scale)


@slow
@given(simulations())
def test_what_can_go_together_changes_no_outcome_at_any_step(held: Simulation) -> None:
    frame = held.frame("retirement")
    assert sorted(frame["rule"]) == sorted(rule.id for rule in held.book.live)
    before, book = held.hits.resolution, held.book
    order = frame[frame["goes"].notna()].sort_values("goes")
    assert order["goes"].tolist() == list(range(1, len(order) + 1))
    for rule in order["rule"]:
        book = book.without(rule)
        assert (levels(book, held) == before.level).all()
    # Nothing that stays could go as well.
    for rule in set(frame.loc[frame["verdict"].isin(FREE), "rule"]) - set(order["rule"]):
        assert (levels(book.without(rule), held) != before.level).any()
    for row in frame.to_dict("records"):
        place = [rule.id for rule in held.book.rules].index(row["rule"])
        hit, decides = held.hits.bits.mask(place), before.rule == place
        moved = (levels(held.book.without(row["rule"]), held) != before.level).sum()
        word = row["verdict"]
        assert word != "dead" or not hit.any()
        assert hit.any() or word == "not measurable"
        assert (word == "shadowed") == (hit.any() and not decides.any())
        assert (word == "redundant") == (decides.any() and moved == 0)
        if word == "costs more than it saves":
            assert row["net_value_lower"] > 0
            assert row["q"] <= 0.05
        if word == "keeps":
            assert row["net_value_upper"] < 0
        assert (row["n"] == 0) == (word in FREE or not hit.any())
    ranks = [VERDICTS.index(word) for word in frame["verdict"]]
    assert ranks == sorted(ranks)


@slow
@given(simulations())
def test_together_equals_simulating_without_them(held: Simulation) -> None:
    for row in held.frame("together").to_dict("records"):
        book = held.book
        for rule in (name for name in row["rules"].split(", ") if name):
            book = book.without(rule)
        agrees(row, expected(held.hits, held.hits.resolution.level, levels(book, held), held.standing.costs))
    assert held.frame("together")["flips"][0] == 0


def test_two_rules_that_cover_each_other_cannot_both_go() -> None:
    book = rb.RuleBook.from_yaml(
        """
        book: b
        domain: transactions
        rules:
          - {id: A, when: x > 1, outcome: review, status: live}
          - {id: B, when: x > 1, outcome: review, status: live}
          - {id: C, when: x > 9, outcome: block, status: live}
        """
    )
    events = rb.read(pd.DataFrame({"id": [1, 2], "x": [2, 3], "fraud": [0, 1]}), roles=rb.Roles(id="id", label="fraud"))
    held = rb.simulate(book, events)
    frame = held.frame("retirement").set_index("rule")
    assert frame["verdict"].to_dict() == {"A": "redundant", "B": "shadowed", "C": "not measurable"}
    assert frame["goes"].dropna().to_dict() == {"B": 1}
    joint = held.frame("together").set_index("set")
    assert joint.loc["can go together", "flips"] == 0
    assert joint.loc["each could go alone", "flips"] == 2
    assert any("cover each other" in note for note in rb.appraise(held).notes)


@slow
@given(simulations())
def test_pairs_on_the_table_and_on_the_bits_are_equal_and_right(held: Simulation) -> None:
    from riskbench.rules.appraisal.overlap import pairs_by_bits, pairs_by_table

    by_table, by_bits = pairs_by_table(held.hits), pairs_by_bits(held.hits)
    for one, two in zip(by_table, by_bits, strict=True):
        assert (one == two).all()
    kinds = np.minimum(held.hits.labels.state, 2)
    for a in range(len(held.book.rules)):
        for b in range(a, len(held.book.rules)):
            both = held.hits.bits.mask(a) & held.hits.bits.mask(b)
            for kind in range(3):
                rows = both & (kinds == kind)
                assert by_table[0][a, b, kind] == rows.sum()
                assert by_table[1][a, b, kind] == sum(int(v) for v in held.hits.worth.value[rows])


@slow
@given(simulations())
def test_contradictions_and_redundancies_equal_plain_sets(held: Simulation) -> None:
    rules, before = held.book.rules, held.hits.resolution
    masks = [held.hits.bits.mask(k) for k in range(len(rules))]
    wanted = {}
    for w, winner in enumerate(rules):
        for o, other in enumerate(rules):
            if "live" == winner.status == other.status and winner.outcome != other.outcome:
                rows = (before.rule == w) & masks[o]
                if rows.any():
                    state = held.hits.labels.state[rows]
                    milder = OUTCOMES.index(winner.outcome) < OUTCOMES.index(other.outcome)
                    stops = not milder and winner.outcome in ("review", "block")
                    after = before.level.copy()
                    after[rows] = OUTCOMES.index(other.outcome)
                    net = expected(held.hits, before.level, after, held.standing.costs)["net_value"]
                    wanted[winner.id, other.id] = (
                        int(rows.sum()), int((state == 1).sum()) * milder, int((state == 0).sum()) * stops, net,
                    )  # fmt: skip
    found = {
        (row.rule, row.other): (row.events, row.frauds_let_through, row.good_stopped, row.net_value)
        for row in held.frame("contradictions").itertuples()
    }
    assert found.keys() == wanted.keys()
    for key, row in found.items():
        assert row[:3] == wanted[key][:3]
        assert row[3] == pytest.approx(wanted[key][3], rel=NEAR, abs=1e-6, nan_ok=True)
    sets = [frozenset(np.flatnonzero(mask).tolist()) for mask in masks]
    told = {(row.finding, row.rule, row.other) for row in held.frame("redundancy").itertuples()}
    for a, b in combinations(range(len(rules)), 2):
        assert (("equal hits", f"R{a}", f"R{b}") in told) == (bool(sets[a]) and sets[a] == sets[b])
        assert (("contained in", f"R{a}", f"R{b}") in told) == (bool(sets[a]) and sets[a] < sets[b])
        assert (("contained in", f"R{b}", f"R{a}") in told) == (bool(sets[b]) and sets[b] < sets[a])
    assert {rule for finding, rule, _ in told if finding == "dead"} == {
        f"R{k}" for k, own in enumerate(sets) if not own
    }
    words = held.frame("retirement").set_index("rule")["verdict"].to_dict()
    for word in ("shadowed", "redundant"):
        assert {rule for finding, rule, _ in told if finding == word} == {r for r, w in words.items() if w == word}


@slow
@given(simulations(), st.randoms(use_true_random=False))
def test_row_order_does_not_matter(held: Simulation, random) -> None:
    order = list(range(held.events))
    random.shuffle(order)
    dataset = held.hits.dataset.take(np.array(order, dtype=np.int64))
    other = rb.simulate(held.book, dataset, costs=held.standing.costs)
    for name in ("leave_one_out", "marginal", "retirement", "together", "overlap", "contradictions", "credit"):
        one, two = held.frame(name), other.frame(name)
        if name == "overlap" or name == "contradictions":
            one, two = (f.sort_values(["rule", "other"], ignore_index=True) for f in (one, two))
        pd.testing.assert_frame_equal(one, two, rtol=1e-7, atol=1e-6)


@slow
@given(simulations())
def test_the_page_holds_whatever_the_data(held: Simulation) -> None:
    page = rb.appraise(held)
    assert len(page.headline()) <= 6
    assert "nan" not in page._repr_html_().split("base64")[0].lower().split()
    free = page.frame("retire")["goes"].notna().sum()
    if len(held.book.live):
        assert page.headline()[0].value == (f"{free} of {len(held.book.live)}" if free else None)
    joined = page.frame().set_index("rule")
    for row in held.frame("leave_one_out").itertuples():
        assert joined.loc[row.rule, "added_net_value"] == pytest.approx(-row.net_value, nan_ok=True)


def test_too_many_patterns_are_refused_and_overlaps_told_from_the_bits(monkeypatch) -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({f"x{k}": rng.integers(0, 2, 400) for k in range(9)}).assign(
        id=range(400), fraud=rng.integers(0, 2, 400)
    )
    book = rb.RuleBook(
        name="b",
        domain="transactions",
        rules=tuple(rb.Rule(f"R{k}", f"x{k} = 1", "review", status="live") for k in range(9)),
    )
    held = rb.simulate(book, rb.read(frame, roles=rb.Roles(id="id", label="fraud")))
    bits = held.hits.bits
    marks = rng.integers(1, 2**63, 9, dtype=np.uint64)
    with pytest.raises(rb.EngineError, match="too many distinct sets"):
        patterns(bits.words, bits.rows, marks, most=10_000)
    wanted = held.frame("overlap")
    assert any("distinct sets of rules" in note for note in rb.appraise(held).notes)

    def refused(_: Hits):
        raise rb.EngineError("too many")

    again = rb.simulate(book, held.hits.dataset)
    monkeypatch.setattr("riskbench.rules.signature.signatures", refused)
    monkeypatch.setattr("riskbench.rules.appraisal.overlap.bits_are_cheaper", lambda _: False)
    pd.testing.assert_frame_equal(again.frame("overlap"), wanted)


def test_bad_names_say_what_is_allowed() -> None:
    book = rb.RuleBook(name="b", domain="transactions", rules=(rb.Rule("TX-1", "x > 1", "review", status="live"),))
    events = rb.read(pd.DataFrame({"id": [1], "x": [2]}), roles=rb.Roles(id="id"))
    held = rb.simulate(book, events)
    with pytest.raises(rb.RuleError, match="TX-1"):
        held.what_if(off=["TX-11"])
    with pytest.raises(rb.RuleError, match="both on and off"):
        held.what_if(off=["TX-1"], on=["TX-1"])
    with pytest.raises(rb.ParameterError, match="review"):
        held.what_if(outcomes={"TX-1": "reviw"})
    with pytest.raises(rb.ParameterError, match="margin"):
        rb.appraise(held, costs={"margn": 0.1})
    with pytest.raises(rb.RuleError, match="whole number"):
        held.what_if(priorities={"TX-1": True})


LISTS_AND_REGIONS = """
# The shop's book.
book: shop
domain: transactions
lists:
  bad: {kind: block, column: buyer, values: [a, {value: c, expires: 2026-02-03}], owner: ana, expires: 2026-03-10}
  vips: {kind: vip, column: buyer, values: [b], owner: ben, priority: 5, expires: 2026-03-05}
  old: {kind: allow, column: buyer, values: [c], owner: ben, expires: 2026-01-02}
  known: [x, y]
rules:
  - {id: R1, when: "amount > :cut", params: {cut: 300}, outcome: review, priority: 10, status: live}
  - {id: R2, when: "amount > 900 OR buyer IN :bad", outcome: challenge, priority: 3, status: live}  # looks at bad too
  - {id: R3, when: "buyer = 'd' AND amount > 200", outcome: block, priority: 4, status: draft}
  - {id: R4, when: "device IN :known", outcome: block, priority: 20, status: shadow}
deviations:
  - {rule: R1, region: PL, params: {cut: 700}, reason: payday, approver: ana, expires: 2026-03-08}
  - {rule: R2, region: NO, off: true, reason: trial, approver: ana, expires: 2026-01-20}
"""


def listed_events(rows: int = 400) -> rb.Dataset:
    rng = np.random.default_rng(9)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.random(rows)) * 40, unit="D"),
            "amount": rng.integers(1, 1000, rows).astype(float),
            "buyer": rng.choice(["a", "b", "c", "d"], rows),
            "device": rng.choice(["x", "z"], rows),
            "land": rng.choice(["PL", "NO", "SG"], rows),
            "fraud": rng.choice([0, 1], rows, p=[0.8, 0.2]),
        }
    )
    return rb.read(frame, roles=rb.Roles(id="id", time="at", amount="amount", label="fraud", region="land"))


@pytest.mark.parametrize(
    ("change", "edit"),
    [
        ({}, lambda book: book),
        ({"off": ["R1"]}, lambda book: book.with_status("R1", "retired")),
        ({"on": ["R3"]}, lambda book: book.with_status("R3", "live")),
        ({"outcomes": {"R2": "block"}}, lambda book: book.with_rule(replace(book.rule("R2"), outcome="block"))),
        ({"priorities": {"R1": 1}}, lambda book: book.with_rule(replace(book.rule("R1"), priority=1))),
        ({"params": {"R1": {"cut": 500}}}, lambda book: book.with_params({"R1": {"cut": 500}})),
        ({"off": ["LIST-bad"]}, lambda book: book.with_list("bad", replace(book.lists["bad"], column=None))),
        (
            {"off": ["LIST-vips"], "on": ["R4"]},
            lambda book: book.with_list("vips", replace(book.lists["vips"], column=None)).with_status("R4", "live"),
        ),
        (
            {"outcomes": {"LIST-bad": "review"}, "priorities": {"LIST-bad": 7, "LIST-vips": 1}},
            lambda book: book.with_list("bad", replace(book.lists["bad"], outcome="review", priority=7)).with_list(
                "vips", replace(book.lists["vips"], priority=1)
            ),
        ),
    ],
)
def test_what_if_hands_out_the_written_book_with_the_changes_alone(change, edit) -> None:
    book, events = rb.RuleBook.from_yaml(LISTS_AND_REGIONS), listed_events()
    held = rb.simulate(book, events)
    assert held.book is book
    found, wanted = held.what_if(**change), edit(book)
    assert found.book == wanted
    assert found.book.hash == wanted.hash
    assert found.book.deviations == book.deviations
    assert set(found.book.lists) == set(book.lists)
    assert not any(rule.id.startswith("LIST-") for rule in found.book.rules)
    assert rb.RuleBook.from_yaml(found.book.to_yaml()) == found.book
    assert (found.book.to_yaml() == LISTS_AND_REGIONS) == (not change)
    # On the same day it decides what was told; later, when lists and deviations have lapsed, what the edit decides.
    after = rb.simulate(found.book, events)
    levels = (held.hits.resolution.level, after.hits.resolution.level)
    told = found.frame().set_index("measure")
    assert found.flips == int((levels[0] != levels[1]).sum())
    assert told.loc["alerts", "after"] == int((levels[1] > 0).sum())
    assert told.loc["reviews", "after"] == int((levels[1] == 2).sum())
    assert told.loc["net value", "difference"] == pytest.approx(
        expected(held.hits, *levels, held.standing.costs)["net_value"]
    )
    for day in ("2026-03-06", "2026-03-09", "2026-04-01"):
        later = rb.simulate(found.book, events, on=day).hits.resolution.level
        assert (later == rb.simulate(wanted, events, on=day).hits.resolution.level).all()


def test_what_a_list_cannot_decide_is_refused() -> None:
    held = rb.simulate(rb.RuleBook.from_yaml(LISTS_AND_REGIONS), listed_events())
    with pytest.raises(rb.RuleError, match=r"A VIP list lets pass(?s:.*)off="):
        held.what_if(outcomes={"LIST-vips": "block"})
    with pytest.raises(rb.RuleError, match="LIST-bad"):
        held.what_if(priorities={"LIST-bad": -1})
    with pytest.raises(rb.RuleError, match="LIST-old"):  # it has lapsed: there is nothing to take away
        held.what_if(off=["LIST-old"])
    with pytest.raises(rb.RuleError):
        held.what_if(params={"LIST-bad": {"cut": 1}})
