"""May a value join two accounts? Hubs, meeting places, what a caller names, and what nobody could know yet."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ColumnNotFoundError, ParameterError
from riskbench.incidents.links import Links
from riskbench.incidents.web import Web, coded, comes_again, limits, pairs_of, web_of

DAY = 86_400_000_000


def dataset(frame: pd.DataFrame, **roles: object) -> rb.Dataset:
    held = frame.assign(id=np.arange(len(frame)))
    return rb.read(held, roles=rb.Roles(id="id", time="at", **roles))


def crowd(accounts: int = 400, seed: int = 0) -> pd.DataFrame:
    """Accounts of three orders, each with a device and a home of its own, from any seller, behind one of few IPs."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(accounts), 3)
    return pd.DataFrame(
        {
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 60 * 86_400, len(who)), unit="s"),
            "buyer": [f"b{n}" for n in who],
            "device": [f"d{n}" for n in who],
            "ip": [f"i{n}" if n % 3 else f"nat{rng.integers(0, 3)}" for n in who],
            "seller": [f"s{n}" for n in rng.integers(0, 20, len(who))],
        }
    )


def web(frame: pd.DataFrame, links: Links | None = None, **roles: object) -> Web:
    held = dataset(frame, **({"entities": ("seller", "buyer", "device", "ip")} | roles))
    times = held.column("at").values.astype(np.int64)
    start = times.min() + 50 * DAY
    return web_of(held, links or Links(), times=times, history=times <= times.max(), usual=times < start)


# -- what is a person's own ----------------------------------------------------------------------------------


def test_the_account_is_somebody_and_not_the_seller_who_stands_first():
    held = web(crowd())
    assert held.account.name == "buyer"
    assert [kind.name for kind in held.kinds] == ["device", "ip"]
    assert [kind.name for kind in held.places] == ["seller"]


def test_the_column_names_play_no_part():
    renamed = crowd().rename(columns={"seller": "device", "device": "seller", "buyer": "x", "ip": "y"})
    held = web(renamed, entities=("device", "x", "seller", "y"))
    assert held.account.name == "x"
    assert [kind.name for kind in held.places] == ["device"]


def test_what_few_share_often_is_no_place_although_a_carrier_stands_in_it():
    held = {kind.name: kind for kind in web(crowd()).kinds}
    names = held["ip"].coded.written(np.flatnonzero(held["ip"].hub))
    assert sorted(names) == ["nat0", "nat1", "nat2"]
    assert not held["device"].hub.any()


def test_a_named_column_links_though_many_meet_there():
    held = web(crowd(), Links(("device", "seller"), account="buyer"))
    assert [kind.name for kind in held.kinds] == ["device", "seller"]
    assert not held.places


def test_a_named_limit_is_kept():
    held = web(crowd(), Links(("ip",), account="buyer", hubs=1_000))
    assert not held.kinds[0].hub.any()
    by_column = web(crowd(), Links(("ip", "device"), account="buyer", hubs={"ip": 2}))
    assert {kind.name: kind.limit for kind in by_column.kinds}["ip"] == 2


# -- where a hub begins ------------------------------------------------------------------------------------

ties = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), min_size=1, max_size=80)


def arrays(held: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    both = np.array(sorted(set(held)), dtype=np.int64)
    return both[:, 0], both[:, 1]


def grown(columns: dict[str, list[tuple[int, int]]], found: dict[str, int]) -> int:
    """Join sets, one value after the other, by the values within the limits; return the largest."""
    groups = [{n} for n in range(41)]
    for name, held in columns.items():
        for value in {v for _, v in held}:
            who = {a for a, v in held if v == value}
            if 1 < len(who) <= found[name]:
                touched = [group for group in groups if group & who]
                groups = [group for group in groups if not group & who] + [set().union(*touched)]
    return max(map(len, groups))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), ties, min_size=1), st.integers(41, 900))
def test_no_usual_component_outgrows_what_one_value_may_join(columns, known):
    found = limits({name: arrays(held) for name, held in columns.items()}, known=known)
    alone = max(12, int(known**0.5))
    assert all(limit <= alone for limit in found.values())
    assert grown(columns, found) <= alone


@settings(deadline=None)
@given(ties, st.integers(41, 900))
def test_one_column_alone_is_let_in_as_far_as_it_goes(held, known):
    (limit,) = limits({"a": arrays(held)}, known=known).values()
    alone = max(12, int(known**0.5))
    degrees = {len({a for a, v in held if v == value}) for value in {v for _, v in held}}
    wider = [degree for degree in degrees if max(limit, 1) < degree <= alone]
    if wider:
        assert grown({"a": held}, {"a": min(wider)}) > alone


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), ties, min_size=1), st.randoms(use_true_random=False))
def test_limits_know_no_order(columns, random):
    one = limits({name: arrays(held) for name, held in columns.items()}, known=100)
    names = list(columns)
    random.shuffle(names)
    other = {}
    for name in names:
        account, value = arrays(columns[name])
        order = np.array(random.sample(range(len(account)), len(account)))
        other[name] = (account[order], value[order])
    assert limits(other, known=100) == one


def test_what_is_shared_by_chance_links_few_and_what_is_shared_at_home_links_all():
    rng = np.random.default_rng(0)
    homes = np.arange(2_000), np.arange(2_000) // 8
    wifi = np.repeat(np.arange(2_000), 3), rng.integers(0, 2_500, 6_000)
    found = limits({"home": homes, "wifi": wifi}, known=2_000)
    assert found["home"] == 44
    assert found["wifi"] < 3


# -- pairs -------------------------------------------------------------------------------------------------

rows = st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4), st.integers(0, 9), st.booleans()), max_size=40)


@given(rows)
def test_pairs_are_those_of_a_plain_count(held):
    frame = pd.DataFrame(
        {"v": pd.array([None if v < 0 else v for _, v, _, _ in held], dtype="Int64"), "id": range(len(held))}
    )
    value = coded(rb.read(frame, roles=rb.Roles(id="id")), "v") if len(held) else None
    if value is None:
        return
    account, _, times, keep = (np.array(side, dtype=np.int64) for side in zip(*held, strict=True))
    a, v, n, first = pairs_of(account, value, times, keep.astype(bool))
    names = value.written(v)
    plain: Counter[tuple[int, str]] = Counter()
    since: dict[tuple[int, str], int] = {}
    for who, what, when, counts in held:
        if who >= 0 and what >= 0 and counts:
            plain[who, str(what)] += 1
            since[who, str(what)] = min(when, since.get((who, str(what)), when))
    assert dict(zip(zip(a.tolist(), names, strict=True), n.tolist(), strict=True)) == plain
    assert dict(zip(zip(a.tolist(), names, strict=True), first.tolist(), strict=True)) == since


def test_who_comes_again_is_told_in_the_order_of_time():
    assert comes_again(np.array([1, 1, 1]), np.array([7, 8, 7]), np.array([0, 2, 1])) == (0.5, 2)
    assert comes_again(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)) == (0.0, 0)


# -- hostile columns ----------------------------------------------------------------------------------------


def test_blank_and_missing_values_join_nobody():
    frame = crowd(50)
    frame["device"] = np.where(np.arange(len(frame)) % 2, "  ", None)
    held = web(frame)
    assert "device" not in [kind.name for kind in (*held.kinds, *held.places)]
    assert any("device has no values" in note for note in held.notes)


def test_events_that_name_nobody_are_counted():
    frame = crowd(50)
    frame.loc[:9, "buyer"] = None
    assert any("10 events name no buyer" in note for note in web(frame, Links(("device",), account="buyer")).notes)


def test_a_column_of_as_many_values_as_events_links_nobody():
    frame = crowd(200)
    frame["device"] = [f"one{n}" for n in range(len(frame))]
    held = web(frame)
    drawn = {kind.name: kind for kind in (*held.kinds, *held.places)}
    assert drawn["device"].degree.max() == 1


def test_numbers_and_numbers_with_gaps_are_written_as_given():
    frame = pd.DataFrame({"id": [1, 2, 3], "card": [44.0, np.nan, 44.5]})
    held = coded(rb.read(frame, roles=rb.Roles(id="id")), "card")
    assert held.written(np.array([0, 1])) == ["44", "44.5"]
    assert held.find("44") == 0
    assert held.find("45") == -1


# -- what a caller hands over ---------------------------------------------------------------------------------


def test_edges_of_a_caller_link_and_younger_ones_do_not():
    frame = crowd(60)
    edges = pd.DataFrame(
        {
            "a": ["b1", "b2", "b3", "nobody"],
            "b": ["acct9", "acct9", "b4", "acct9"],
            "evidence": ["bank", "bank", "phone call", "bank"],
            "since": ["2025-12-01", None, "2027-01-01", "2025-12-01"],
        }
    )
    held = web(frame, Links.of(edges))
    assert [kind.name for kind in held.kinds] == ["bank"]
    (bank,) = held.kinds
    assert sorted(held.account.written(bank.account)) == ["b1", "b2"]
    assert any("younger than the window" in note for note in held.notes)
    assert any("nobody" in note for note in held.notes)


def test_an_account_at_the_other_end_is_linked_too():
    held = web(crowd(60), Links.of(pd.DataFrame({"a": ["b1"], "b": ["b2"]})))
    assert sorted(held.account.written(held.kinds[0].account)) == ["b1", "b2"]


@pytest.mark.parametrize("wrong", [7, {"device": 3}, [1, 2]])
def test_links_are_columns_or_edges(wrong):
    with pytest.raises(ParameterError, match="Links are columns"):
        Links.of(wrong)


def test_a_table_of_edges_has_two_ends():
    with pytest.raises(ParameterError, match="columns a and b"):
        Links.of(pd.DataFrame({"x": [1]}))


@pytest.mark.parametrize("limit", [0, 1, True, "many", 2.5])
def test_a_limit_is_a_number_of_accounts(limit):
    with pytest.raises(ParameterError, match="hub's limit"):
        Links(hubs=limit)


def test_an_unknown_column_is_named_with_the_nearest():
    with pytest.raises(ColumnNotFoundError, match="device"):
        web(crowd(30), Links(("devise",)))
