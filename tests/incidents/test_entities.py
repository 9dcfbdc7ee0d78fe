"""Who is linked: planted rings, honest look-alikes, hubs, and data that breaks things."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ParameterError
from riskbench.incidents.entities import Entities, rows_of, who
from riskbench.incidents.incident import Incident
from riskbench.incidents.measure import measure_of
from riskbench.incidents.ring_picture import short
from riskbench.incidents.rings import discovered, fared, faster, outranks, ratio_of_shares
from riskbench.incidents.scope import Scope, scope_of
from riskbench.metrics.intervals import wilson

START, END = "2026-03-01", "2026-03-04"


def events(
    *, ring: int = 12, fraud: bool = True, seed: int = 0, honest: int = 500, known: bool = True, nat: int = 0
) -> pd.DataFrame:
    """Two months of honest buyers; in the window a ring shares three devices and an address, and goes to one seller.

    Four buyers who live at one address, and did so before, are there to be mistaken for a ring.
    """
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []

    def order(buyer: str, device: str, home: str, seller: str, day: float, bad: int) -> None:
        at = pd.Timestamp("2026-01-01") + pd.Timedelta(days=day)
        ip = f"nat{rng.integers(0, nat)}" if nat else f"ip-{buyer}"
        rows.append({"at": at, "buyer": buyer, "device": device, "home": home, "seller": seller, "ip": ip,
                     "amount": float(rng.integers(10, 90)), "bad": bad})  # fmt: skip

    for n in range(honest):
        for day in rng.uniform(0, 63, 4):
            order(f"b{n}", f"d{n}", f"h{n}", f"s{rng.integers(0, 40)}", day, int(rng.random() < 0.004))
    for n in range(4):
        for day in np.arange(n / 4, 63, 2.0):
            order(f"lodger{n}", f"own{n}", "lodging", f"s{rng.integers(0, 40)}", day, 0)
    for n in range(ring):
        for day in (59.5 + rng.random(), 60.5 + rng.random()):
            order(f"r{n}", f"farm{n % 3}", f"drop{n % 2}", "sX", day, int(fraud and n % 2 == 0))
    frame = pd.DataFrame(rows).assign(id=lambda held: [f"e{n}" for n in range(len(held))])
    frame["told"] = frame["at"] + pd.Timedelta(days=1)
    frame["bad"] = frame["bad"].astype("Int64") if known else pd.array([None] * len(frame), "Int64")
    return frame


ENTITIES = ("buyer", "seller", "device", "home", "ip")


def scope(frame: pd.DataFrame, *, entities: tuple[str, ...] = ENTITIES, **more: object) -> Scope:
    roles = rb.Roles(
        id="id", time="at", amount="amount", label="bad", label_time="told", entities=entities, currency="EUR"
    )
    held = rb.read(frame, roles=roles)
    return scope_of(Incident(START, END), held, **more)


def accounts(found: Entities, ring: int = 1) -> set[str]:
    rows = found.members[(found.members["ring"] == ring) & (found.members["role"] == "account")]
    return set(rows["entity"])


# -- the planted ring -----------------------------------------------------------------------------------------


def test_the_ring_is_found_with_its_evidence_money_and_meeting_place():
    frame = events()
    held = scope(frame)
    found = who(held)
    first = found.rings.iloc[0]
    mine = frame[frame["buyer"].str.startswith("r") & (frame["at"] >= START)]
    assert found.suspicious_rings == 1
    assert accounts(found) == {f"r{n}" for n in range(12)}
    assert first["evidence"] == "12 buyers share 3 devices and 2 homes"
    assert first["meeting"] == "24 of 24 events meet seller sX"
    assert (first["kind"], first["told"]) == ("new", "more fraud than elsewhere")
    assert first["events"] == len(mine) == 24
    assert first["frauds"] == 12
    assert first["money"] == mine["amount"].sum()
    assert first["first_seen"] == mine["at"].min().round("us")
    assert first["share_in_window"] == 1.0
    assert first["fraud_share_lower"] > first["share_elsewhere"]
    assert sorted(held.dataset.frame(["id"]).iloc[rows_of(held, found)]["id"]) == sorted(mine["id"])


def test_the_lodgers_are_a_standing_group_and_not_suspicious():
    found = who(scope(events()))
    groups = found.rings.set_index("ring")
    (ring,) = {int(ring) for ring in found.members[found.members["entity"] == "lodger0"]["ring"]}
    assert groups.loc[ring, "kind"] == "standing"
    assert groups.loc[ring, "told"].startswith("no more fraud than elsewhere")
    assert not groups.loc[ring, "suspicious"]
    assert set(rows_of(scope(events()), found, suspicious_only=False)) > set(rows_of(scope(events()), found))


def test_a_dense_ring_without_fraud_is_not_called_suspicious():
    found = who(scope(events(fraud=False)))
    assert found.suspicious_rings == 0
    assert found.found_rings >= 2
    assert len(rows_of(scope(events(fraud=False)), found)) == 0
    assert "suspicious" in repr(found).lower()


def test_without_any_verdict_the_measure_judges_new_rings_and_says_so():
    frame = events(known=False)
    frame.loc[frame["buyer"].str.startswith("r"), "amount"] = 900.0
    held = scope(frame)
    silent = who(held)
    assert silent.suspicious_rings == 0
    assert set(silent.rings["told"]) == {"not measurable"}
    assert any("not measurable" in note for note in silent.notes)
    moved = who(held, measure=measure_of(held, "amount"))
    assert moved.rings["told"].iloc[0] == "no fraud told yet; more amount than elsewhere"
    assert accounts(moved) == {f"r{n}" for n in range(12)}


def test_what_was_told_after_the_moment_does_not_count():
    found = who(scope(events(), asof="2026-03-01 06:00"))
    assert found.rings["frauds"].sum() == 0


def test_later_events_link_nobody():
    frame = events()
    later = frame[frame["buyer"].isin(["b1", "b2", "b3"])].copy()
    later["at"], later["device"], later["id"] = pd.Timestamp("2026-03-20"), "one", [f"x{n}" for n in range(len(later))]
    later["told"] = later["at"]
    found = who(scope(pd.concat([frame, later], ignore_index=True)))
    assert "one" not in set(found.members["entity"])
    assert found.rings.drop(columns=["told"]).equals(who(scope(frame)).rings.drop(columns=["told"]))


def test_a_focus_looks_at_some_events_only():
    held = scope(events())
    nobody = np.zeros(held.dataset.rows, dtype=bool)
    assert who(held, focus=nobody).found_rings == 0


# -- laws ---------------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_neither_the_order_of_events_nor_the_names_matter(seed):
    frame = events(honest=120)
    rng = np.random.default_rng(seed)
    other = frame.sample(frac=1.0, random_state=seed).reset_index(drop=True)
    names = {name: f"n{place}" for place, name in enumerate(rng.permutation(frame["buyer"].unique()))}
    other["buyer"] = other["buyer"].map(names)
    one, two = who(scope(frame)), who(scope(other))
    facts = ["kind", "told", "members", "events", "money", "frauds", "first_seen"]
    assert one.rings[facts].iloc[0].equals(two.rings[facts].iloc[0])
    assert sorted(one.rings["members"]) == sorted(two.rings["members"])
    assert {names[name] for name in accounts(one)} == accounts(two)


def test_repeating_every_event_changes_no_ring():
    frame = events(honest=150)
    again = pd.concat([frame, frame.assign(id=frame["id"] + "x")], ignore_index=True)
    one, two = who(scope(frame)), who(scope(again))
    assert one.rings["members"].tolist() == two.rings["members"].tolist()
    assert (2 * one.rings["events"]).tolist() == two.rings["events"].tolist()
    assert np.allclose(one.rings["density"], two.rings["density"])


def test_rings_are_those_of_plain_merging():
    frame = events(honest=200)
    found = who(scope(frame))
    window = frame[(frame["at"] >= START) & (frame["at"] < END)]
    early = frame[frame["at"] < END]
    groups = [{buyer} for buyer in sorted(window["buyer"].unique())]
    for column in ("device", "home", "ip"):
        for _, sharing in early.groupby(column)["buyer"]:
            for a, b in combinations(sorted(set(sharing) & set(window["buyer"])), 2):
                one, two = (next(group for group in groups if name in group) for name in (a, b))
                if one is not two:
                    groups.remove(two)
                    one |= two
    plain = {frozenset(group) for group in groups if len(group) >= 3}
    assert {frozenset(accounts(found, ring)) for ring in found.rings["ring"]} == plain


def plain_parts(found: Entities, ring: int) -> list[int]:
    """Return the sizes of a ring's groups by merging accounts over its links, one after the other."""
    groups = [{name} for name in sorted(accounts(found, ring))]
    links = found.edges[found.edges["ring"] == ring]
    for _, sharing in links.groupby(["evidence", "b"])["a"]:
        joined = [group for group in groups if group & set(sharing)]
        groups = [group for group in groups if not group & set(sharing)] + [set().union(*joined)]
    return sorted(map(len, groups), reverse=True)


@settings(max_examples=6, deadline=None)
@given(st.integers(3, 14), st.integers(0, 10_000), st.booleans())
def test_words_on_how_a_ring_is_joined_are_those_of_merging_over_its_links(ring, seed, apart):
    frame = events(ring=ring, seed=seed, honest=250)
    if apart:  # three farms that share nothing but their seller
        own = frame["buyer"].str.startswith("r")
        frame.loc[own, "home"] = "home of " + frame.loc[own, "device"]
    found = who(scope(frame))
    notes = " ".join(found.notes)
    assert len(found.rings)
    for row in found.rings.to_dict("records"):
        sizes = plain_parts(found, row["ring"])
        assert row["parts"] == len(sizes)
        assert (row["found_by"] == "component") == (len(sizes) == 1)
        said = f"ring {row['ring']} is {len(sizes)} groups"
        assert (said in notes) == (len(sizes) > 1)
        assert ("groups joined only by" in str(found.ring(row["ring"]).headline())) == (len(sizes) > 1)
        assert row["joined_by"] == ("seller" if len(sizes) > 1 else "")
    if apart and ring >= 6:
        top = found.rings.iloc[0]
        assert top["parts"] == 3
        assert top["members"] == ring
        largest = max(plain_parts(found, int(number))[0] for number in found.rings["ring"])
        assert f"linked by what they share, it has {largest}." in notes or "Hubs" not in notes


# -- hubs -----------------------------------------------------------------------------------------------------


def test_a_carrier_joins_nobody_and_is_listed():
    found = who(scope(events(nat=4)))
    assert accounts(found) == {f"r{n}" for n in range(12)}
    assert set(found.hubs[found.hubs["column"] == "ip"]["value"]) in (
        {"nat0", "nat1", "nat2", "nat3"},
        {"(all values)"},
    )
    assert "seller" in set(found.hubs["column"])


def test_a_hub_that_links_everybody_is_told_honestly():
    frame = events(ring=0, honest=300)
    frame["device"] = "the one device"
    found = who(scope(frame, entities=("buyer", "device")), links=["device"])
    assert found.found_rings == 0
    assert found.cut == 1
    (hub,) = found.hubs.to_dict("records")
    assert hub["value"] == "the one device"
    assert hub["groups"] == hub["in_window"] == found.accounts
    assert any("tells nobody apart" in note for note in found.notes)


def test_a_hub_that_bears_the_fraud_is_named_although_it_joins_nobody():
    frame = events(ring=60, honest=300)
    frame.loc[frame["buyer"].str.startswith("r"), ["device", "home"]] = ["one farm", "one drop"]
    frame.loc[frame["buyer"].str.startswith("r"), "bad"] = 1
    found = who(scope(frame))
    assert {"one farm", "one drop"} <= set(found.hubs["value"])
    assert any("looked at by themselves: one…" in note for note in found.notes)
    caption, told = found.pages["hubs"]
    assert "can be the fraud themselves" in caption
    assert "look: may be the fraud itself" in set(told["mark"])
    assert "(100.0 %)" in " ".join(told["told fraud"]).replace("\xa0", " ")
    page = found._repr_html_() + " ".join(found.notes)
    assert "one farm" not in page
    assert "one drop" not in page
    calm = who(scope(events(nat=4)))
    assert not any("looked at by themselves" in note for note in calm.notes)


def test_a_named_limit_lets_a_hub_join():
    frame = events(ring=0, honest=60)
    frame["device"] = "the one device"
    found = who(scope(frame, entities=("buyer", "device")), links=rb.Links(("device",), account="buyer", hubs=10_000))
    assert found.cut == 0
    assert found.rings["members"].max() > 10


# -- why -----------------------------------------------------------------------------------------------------


def test_why_tells_the_chain_of_evidence():
    found = who(scope(events()))
    chain = found.why("r0", "r2")
    assert chain["a"].iloc[0] == "r0"
    assert chain["b"].iloc[-1] == "r2"
    assert chain["b"].iloc[:-1].tolist() == chain["a"].iloc[1:].tolist()
    assert set(chain["evidence"]) <= {"device", "home", "ip"}
    assert len(found.why("r0", "b3")) == 0
    assert len(found.why("r0", "r0")) == 0
    assert found.why("r0", "farm0")["evidence"].tolist() == ["device"]


def test_why_names_the_nearest_of_an_unknown_entity():
    with pytest.raises(ParameterError, match="lodger1"):
        who(scope(events())).why("lodgr1", "r1")


# -- data that breaks things ------------------------------------------------------------------------------------


def test_without_entities_it_is_not_measurable():
    held = scope(events(honest=30), entities=())
    found = who(held)
    assert found.found_rings == 0
    assert any("not measurable" in note for note in found.notes)
    assert len(rows_of(held, found)) == 0
    assert found.png() is None
    with pytest.raises(ParameterError, match="nobody to link"):
        found.why("a", "b")


def test_a_column_without_values_is_named():
    frame = events(honest=30).assign(device=None, home=None, ip=None)
    found = who(scope(frame, entities=("buyer", "device", "home", "ip")))
    assert found.found_rings == 0
    assert sum("has no values" in note for note in found.notes) == 3
    found._repr_html_()


def test_accounts_that_are_all_missing():
    frame = events(honest=30).assign(buyer=None)
    found = who(scope(frame), links=rb.Links(("device",), account="buyer"))
    assert found.found_rings == 0
    assert any("name no buyer" in note for note in found.notes)


def test_one_event():
    frame = events(honest=30)
    one = frame[(frame["at"] >= START) & (frame["at"] < END)].head(1)
    found = who(scope(one))
    assert (found.found_rings, found.accounts, found.suspicious_rings) == (0, 1, 0)
    found._repr_html_()


def test_ids_given_twice_and_every_event_its_own_device():
    frame = events(honest=60).assign(id="same")
    frame["ip"] = [f"session{n}" for n in range(len(frame))]
    assert accounts(who(scope(frame))) == {f"r{n}" for n in range(12)}


def test_a_window_without_a_time_before_it():
    frame = events()
    found = who(scope(frame[frame["at"] >= START].reset_index(drop=True)))
    assert accounts(found) == {f"r{n}" for n in range(12)}
    assert set(found.rings["kind"]) == {"new"}


def test_a_large_chain_is_cut_into_its_dense_blocks():
    n = 300
    rng = np.random.default_rng(1)
    chain = pd.DataFrame(
        {"buyer": [f"c{k // 2}" for k in range(2 * n)], "device": [f"d{(k + 1) // 2}" for k in range(2 * n)]}
    )
    farm = pd.DataFrame({"buyer": [f"c{k}" for k in range(8)] * 3, "device": [f"f{k // 8}" for k in range(24)]})
    frame = pd.concat([chain, farm], ignore_index=True)
    frame["at"] = pd.Timestamp(START) + pd.to_timedelta(rng.integers(0, 86_400, len(frame)), unit="s")
    frame = frame.assign(id=range(len(frame)), amount=1.0, bad=0, told=frame["at"])
    links = rb.Links(("device",), account="buyer", hubs=50)
    found = who(scope(frame, entities=("buyer", "device")), links=links)
    block = found.rings[found.rings["found_by"] == "dense block"].nlargest(1, "density")
    assert len(block)
    assert {f"c{k}" for k in range(8)} <= accounts(found, int(block["ring"].iloc[0]))
    assert found.bound <= 2 * found.densest + 1e-9


def test_long_and_hostile_names_are_drawn_short():
    frame = events(honest=60)
    frame["buyer"] = frame["buyer"].map(
        lambda name: f"$<b>{name}</b>\u4e2d@example.com" if name.startswith("r") else name
    )
    found = who(scope(frame))
    assert found.png() is not None
    assert "<b>" not in found._repr_html_()
    assert short("\u4e2d" * 3, "buyer 7") == "buyer 7"


def test_pages_mask_who_is_linked_and_the_members_table_does_not():
    frame = events(nat=4)
    for column in ENTITIES:
        frame[column] = "known-" + column + "-" + frame[column]
    found = who(scope(frame))
    assert set(found.members["entity"].str.startswith("known-")) == {True}
    assert len(found.rings)
    assert len(found.pages["hubs"][1]) <= 5
    assert "known-" not in found._repr_html_() + found.alt + " ".join(found.notes)


# -- figures on arrays ------------------------------------------------------------------------------------------


def choose(n: int, k: int) -> float:
    out = 1.0
    for step in range(k):
        out = out * (n - step) / (k - step) if k - step else out
    return out


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 1), st.booleans()), min_size=8, max_size=25))
def test_the_chance_of_so_many_frauds_is_that_of_counting_draws(held):
    ring = np.array([r for r, _ in held])
    fraud = np.array([f for _, f in held])
    found = fared(ring, np.arange(len(held)), fraud, tellable=np.ones(len(held), bool), rings=2)
    total, bad = len(held), int(fraud.sum())
    for number in range(2):
        n = int((ring == number).sum())
        x = int((fraud & (ring == number)).sum())
        if n < 3 or total - n < 3 or not bad:
            assert np.isnan(found.p_value[number])
            continue
        ways = sum(
            choose(bad, k) * choose(total - bad, n - k) for k in range(x, min(n, bad) + 1) if n - k <= total - bad
        )
        assert found.p_value[number] == pytest.approx(ways / choose(total, n))


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 400), st.integers(1, 400))
def test_a_ratio_lies_within_its_interval(n1, x1, n0, x0):
    x1, x0 = min(x1, n1), min(x0, n0)
    ratio, lower, upper = (float(side[0]) for side in ratio_of_shares(wilson([x1], [n1]), wilson([x0], [n0])))
    assert lower <= ratio + 1e-9
    assert ratio <= upper + 1e-9
    assert ratio == pytest.approx(x1 / n1 / (x0 / n0))


def test_without_fraud_elsewhere_there_is_no_ratio():
    assert all(np.isnan(side[0]) for side in ratio_of_shares(wilson([3], [9]), wilson([0], [9])))


def test_ranks_agree_with_a_peer():
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(2)
    held = np.round(rng.normal(size=80), 1)
    ring = np.where(np.arange(80) < 12, 0, -1)
    held[ring == 0] += 0.5
    peer = mannwhitneyu(held[ring == 0], held[ring < 0], alternative="greater", method="asymptotic")
    assert outranks(ring, held, rings=1)[0] == pytest.approx(float(peer.pvalue))


def test_who_has_no_value_is_left_out_of_the_ranking():
    ring, held = np.array([0, 0, 0, -1, -1, -1, -1]), np.array([3.0, 4.0, np.nan, 1.0, 2.0, 0.0, 5.0])
    assert np.isnan(outranks(ring, held, rings=1)[0])


def test_chance_alone_makes_few_rings_suspicious():
    rng = np.random.default_rng(3)
    false = 0
    for _ in range(200):
        ring = np.where(rng.random(600) < 0.3, rng.integers(0, 30, 600), -1)
        fraud = rng.random(600) < 0.05
        q = discovered(fared(ring, np.arange(600), fraud, tellable=np.ones(600, bool), rings=30).p_value)
        false += bool((q <= 0.05).any())
    assert false <= 20


def test_a_sale_on_which_everybody_buys_more_makes_no_ring_faster():
    p = faster(np.array([20, 20]), np.array([100, 100]), all_now=2_000, all_before=np.array([10_000.0, 100_000.0]))
    assert p[0] > 0.05
    assert p[1] < 1e-6
