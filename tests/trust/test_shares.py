"""Do the parts of a change add up exactly, whatever the mixed cases come to?"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskbench.display import Fact
from riskbench.errors import DataError
from riskbench.runner import shares, today
from riskbench.runner.kept import Kept
from riskbench.store import Entry

FACTORS = shares.FACTORS
#: Floats of parts are rounded once each; so many last places of the largest value they may be off together.
ROUNDING = 8


def corners(factors):
    return [frozenset(held) for size in range(len(factors) + 1) for held in combinations(factors, size)]


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
games = st.sampled_from([FACTORS[:1], FACTORS[:2], FACTORS[1:], FACTORS]).flatmap(
    lambda factors: st.tuples(
        st.just(factors),
        st.lists(finite, min_size=2 ** len(factors), max_size=2 ** len(factors)).map(
            lambda held: dict(zip(corners(factors), held, strict=True))
        ),
    )
)


@given(games)
def test_the_parts_add_up_exactly_and_are_the_mean_over_all_orders(game):
    factors, held = game
    value = {corner: Fraction(number) for corner, number in held.items()}
    found = shares.shapley(value.__getitem__, factors)
    assert sum(found.values()) == value[frozenset(factors)] - value[frozenset()]
    orders = list(permutations(factors))
    for factor in factors:
        slow = Fraction(0)
        for order in orders:
            earlier = frozenset(order[: order.index(factor)])
            slow += value[earlier | {factor}] - value[earlier]
        assert found[factor] == slow / len(orders)


@given(games, st.randoms())
def test_a_factor_that_changes_nothing_has_no_part(game, random):
    factors, held = game
    idle = random.choice(factors)
    value = {corner: Fraction(held[corner - {idle}]) for corner in held}
    assert shares.shapley(value.__getitem__, factors)[idle] == 0


# -- two runs whose mixed cases are made up ------------------------------------------------------------------------


def kept(number: str, value, *, fingerprint="f", book="h", weight=1.0, code="c", note="", unit="money") -> Kept:
    stamp = {
        "data": {"fingerprint": fingerprint},
        "book": {"hash": book, "path": "book.yaml"},
        "code": code,
        "sources": {"runner": "s"},
        "versions": {},
    }
    parameters = {"source": fingerprint, "book": book, "weight": weight}
    fact = Fact("Value", value, unit, currency="IDR", note=note).to_dict()
    return Kept(
        id=number,
        entry=Entry(id=number, playbook="watch", status="done", parameters=parameters, stamp=stamp, headline=[fact]),
    )


@pytest.fixture
def cases(monkeypatch):
    """Make cases come to given values, with the code of today named; return what was run."""
    ran = []

    def of(values, *, code="c"):
        def carried_out(before, after, factors, wanted, *, jobs):
            ran.extend(wanted)
            return {corner: (Fact("Value", values[corner], "money", currency="IDR"),) for corner in wanted}

        monkeypatch.setattr(shares, "_carried_out", carried_out)
        monkeypatch.setattr(shares, "code_today", lambda _: (code, (("runner", "s"),), ()))
        return ran

    return of


@given(st.lists(finite, min_size=8, max_size=8))
def test_all_three_moved(held):
    value = dict(zip(corners(FACTORS), held, strict=True))
    before = kept("a", value[frozenset()])
    after = kept("b", value[frozenset(FACTORS)], fingerprint="g", book="i", weight=2.0)
    with pytest.MonkeyPatch.context() as patch:
        ran = []

        def carried_out(_, __, factors, wanted, *, jobs):
            ran.extend(wanted)
            return {corner: (Fact("Value", value[corner], "money", currency="IDR"),) for corner in wanted}

        patch.setattr(shares, "_carried_out", carried_out)
        patch.setattr(shares, "code_today", lambda _: ("c", (("runner", "s"),), ()))
        found = shares.shared(before, after)
    assert len(ran) == found.runs == 6
    assert not {frozenset(), frozenset(FACTORS)} & set(ran), "both ends are known"
    parts = found.parts["Value"]
    assert set(parts) == set(FACTORS)
    assert sum(parts.values()) == Fraction(value[frozenset(FACTORS)]) - Fraction(value[frozenset()])
    if max(map(abs, held)) < 1e300:
        told = math.fsum(float(part) for part in parts.values())
        slack = ROUNDING * math.ulp(max(map(abs, held), default=0.0))
        assert abs(told - (value[frozenset(FACTORS)] - value[frozenset()])) <= slack


def test_one_factor_alone_takes_all_and_no_run(cases):
    ran = cases({})
    found = shares.shared(kept("a", 3.0), kept("b", 10.5, book="i"))
    assert found.parts == {"Value": {"rules": Fraction("7.5")}}
    assert ran == []


def test_nothing_differs(cases):
    cases({})
    found = shares.shared(kept("a", 3.0), kept("b", 3.0))
    assert found.parts == {"Value": {}}
    odd = shares.shared(kept("a", 3.0), kept("b", 4.0))
    assert odd.parts == {"Value": {"unexplained": 1}}, "a run that does not repeat is told"


def test_code_alone(cases):
    cases({})
    found = shares.shared(kept("a", 3.0), kept("b", 4.0, code="d"))
    assert found.parts == {"Value": {"code": 1}}


def test_code_and_rules_are_told_apart_by_running_the_older_again(cases):
    ran = cases({frozenset(): 3.5}, code="d")
    found = shares.shared(kept("a", 3.0), kept("b", 10.0, book="i", code="d"))
    assert ran == [frozenset()]
    assert found.parts == {"Value": {"rules": Fraction("6.5"), "code": Fraction("0.5")}}


def test_where_the_code_moved_since_both_all_cases_are_run_again(cases):
    value = {
        frozenset(): 1.0,
        frozenset({"rules"}): 5.0,
        frozenset({"parameters"}): 2.0,
        frozenset({"rules", "parameters"}): 8.0,
    }
    ran = cases(value, code="today")
    found = shares.shared(kept("a", 1.0), kept("b", 7.0, book="i", weight=2.0))
    assert set(ran) == set(value)
    assert found.parts["Value"] == {"rules": 5, "parameters": 2, "code": -1}


def test_more_than_six_cases_are_not_run(cases):
    ran = cases({}, code="today")
    found = shares.shared(kept("a", 1.0), kept("b", 7.0, fingerprint="g", book="i", weight=2.0))
    assert ran == []
    assert not found.parts
    assert "8 cases" in found.why


def test_a_case_without_the_figure_leaves_it_open(cases):
    cases({frozenset({"rules"}): None, frozenset({"parameters"}): 2.0})
    found = shares.shared(kept("a", 1.0), kept("b", 7.0, book="i", weight=2.0))
    assert not found.parts
    assert found.open == {"Value": "not measurable with the parameters of before and the rules of after"}


@pytest.mark.parametrize("other", [{"unit": "share"}, {"value": None, "note": "too few"}])
def test_what_cannot_be_compared_is_not_shared_out(cases, other):
    cases({})
    more = {"value": 7.0, **other}
    assert not shares.shared(kept("a", 1.0), kept("b", more.pop("value"), book="i", **more)).parts


def test_data_that_is_gone_is_said(cases, monkeypatch):
    monkeypatch.setattr(shares, "code_today", lambda _: ("c", (("runner", "s"),), ()))

    def gone(held):
        raise DataError("There is no such file")

    monkeypatch.setattr(today, "data_of", gone)
    found = shares.shared(kept("a", 1.0), kept("b", 7.0, book="i", weight=2.0))
    assert not found.parts
    assert "There is no such file" in found.why
    monkeypatch.setattr(today, "data_of", lambda held: {"fingerprint": "another"})
    assert "holds something else now" in shares.shared(kept("a", 1.0), kept("b", 7.0, book="i", weight=2.0)).why


def test_seed_and_size_are_data_only_where_the_sample_is_read(cases):
    cases({})

    def pair(source, **other):
        ends = [kept("a", 3.0), kept("b", 4.0)]
        for end, more in zip(ends, ({"seed": 7, "orders": 10}, {"seed": 7, "orders": 10, **other}), strict=True):
            end.entry.parameters.update(source=source, book="h", **more)
        return ends

    assert shares.factors_between(*pair(None, seed=8)) == ("data",)
    assert shares.factors_between(*pair(None, orders=8)) == ("data",)
    assert shares.factors_between(*pair("a.csv", seed=8)) == ("parameters",)
    assert shares.factors_between(*pair("a.csv", orders=8)) == ()
    assert shares.shared(*pair("a.csv", seed=8)).parts == {"Value": {"parameters": 1}}
    assert shares.part_of("orders", *pair("a.csv", orders=8)) is None
