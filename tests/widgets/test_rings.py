"""Does the ring viewer show the ring that is picked, and no id in full?"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ParameterError
from riskbench.incidents.entities import Entities
from riskbench.incidents.ring import COLUMN, Ring
from riskbench.incidents.ring_picture import gathered, looks_of

HOSTILE = "<img src=x onerror=alert(1)>"


def found(*, rings: int = 3, members: int = 6, name: str = "buyer", bad: int = 1) -> Entities:
    """Return an investigation's answer with some rings of buyers who share devices and addresses; some are fraud."""
    rng = np.random.default_rng(1)
    rows: list[dict[str, object]] = []
    for n in range(400):
        for day in rng.uniform(0, 60, 3):
            rows.append(
                {"at": day, "buyer": f"honest{n:04}", "device": f"own{n:04}", "home": f"street{n:04}", "bad": 0}
            )
    for ring in range(rings):
        for n in range(members):
            own = {"buyer": f"{name}-{ring}-{n:03}", "device": f"device-{ring}-{n % 3}", "home": f"address-{ring}"}
            rows += [{"at": 58 + rng.random(), **own, "bad": int(ring < bad)} for _ in range(2)]
    frame = pd.DataFrame(rows)
    frame["at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(frame["at"], unit="D")
    frame = frame.assign(id=np.arange(len(frame)), amount=10.0, told=frame["at"] + pd.Timedelta(hours=1))
    events = rb.read(
        frame,
        roles=rb.Roles(
            id="id", time="at", amount="amount", label="bad", label_time="told", entities=("buyer", "device", "home")
        ),
    )
    return rb.investigate(rb.Incident("2026-02-27", "2026-03-02"), events).entities


@pytest.fixture(scope="module")
def entities() -> Entities:
    return found()


@pytest.fixture
def viewer(entities: Entities):
    return rb.ring_viewer(entities)


def test_the_first_ring_is_the_suspicious_one_and_its_members_are_in_full(viewer, entities) -> None:
    assert viewer.value == 1
    assert isinstance(viewer.result, Ring)
    assert viewer.result.suspicious
    whole = entities.frame("members")
    wanted = whole[whole["ring"] == 1].drop(columns="ring").reset_index(drop=True)
    pd.testing.assert_frame_equal(viewer.members, wanted)
    assert set(viewer.members.query("role == 'account'")["entity"]) == {f"buyer-0-{n:03}" for n in range(6)}


def test_moving_the_controls_moves_the_ring_and_tells_whoever_listens(viewer) -> None:
    told: list = []
    viewer.observe(lambda change: told.append((change["new"], viewer.result.ring)), names="value")
    viewer.further.click()
    viewer.pick.value = 3
    assert viewer.further.disabled
    viewer.earlier.click()
    viewer.value = np.int64(1)
    assert told == [(2, 2), (3, 3), (2, 2), (1, 1)]
    assert viewer.pick.value == 1
    assert viewer.earlier.disabled
    assert "Ring 1" in viewer._view.value
    assert not viewer.errors


@pytest.mark.parametrize("value", [0, 4, -1, True, 1.5, "1", None, [1]])
def test_a_ring_that_is_none_is_refused_and_nothing_changes(viewer, value) -> None:
    with pytest.raises(ParameterError, match="no such ring"):
        viewer.value = value
    assert viewer.value == 1


def test_no_id_stands_on_the_page_in_full(viewer) -> None:
    for number in (1, 2, 3):
        viewer.value = number
        text = viewer._repr_mimebundle_()["text/html"] + "".join(
            str(part.value) for part in viewer.box.children if hasattr(part, "value")
        )
        text = re.sub(r'src="data:image/png;base64,[^"]*"', "", text)
        for name in viewer.members["entity"]:
            assert str(name) not in text
    assert not [label for label, _ in viewer.pick.options if "-0-" in label]


def test_moments_of_a_ring_are_those_of_the_places_clocks(entities) -> None:
    there = replace(entities, time_zone="Asia/Jakarta", _cache={})
    seen = pd.Timestamp(entities.rings["first_seen"].iloc[0]) + pd.Timedelta(hours=7)
    said = str(there.ring(1).headline()[-1].value).replace("\xa0", " ")
    assert said == f"{seen:%d %b %H:%M} Asia/Jakarta"
    assert said in str(rb.ring_viewer(there).result.headline()[-1].value).replace("\xa0", " ")


@given(st.permutations(["device_id", "address_id", "card_id", "ip", "bank_account_id", "voucher"]), st.integers(1, 6))
def test_a_kind_of_value_looks_alike_in_every_picture(columns, most) -> None:
    looks = looks_of(columns[:most])
    assert len(set(looks.values())) == len(looks)
    assert all(looks_of([column])[column] == look for column, look in looks.items())


def test_honest_look_alikes_are_named_by_what_is_shared(viewer) -> None:
    viewer.value = 2
    said = " ".join(viewer.result.honest)
    assert not viewer.result.suspicious
    assert "Dense is not fraud" in said
    assert "one device" in said
    assert "Dense is not fraud" not in " ".join(viewer._ring(1).honest)


def test_the_twin_has_each_ring_and_a_picture_in_words(viewer, entities) -> None:
    bundle = viewer._repr_mimebundle_()
    assert "image/png" in bundle
    assert 'alt="Ring 1: 6 buyers share 3 devices and 1 home.' in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    steps = viewer._steps()
    assert steps.table["ring"].tolist() == entities.rings["ring"].tolist()
    assert steps.at == 0
    assert "riskbench-steps" in bundle["text/html"]
    assert " at 0x" not in bundle["text/plain"]


def test_hostile_names_are_shown_as_text() -> None:
    viewer = rb.ring_viewer(found(rings=1, name=HOSTILE))
    text = viewer._repr_mimebundle_()["text/html"] + viewer._view.value
    assert "<img src=x" not in text
    assert viewer._steps() is None
    assert viewer.earlier.disabled
    assert viewer.further.disabled


def test_no_ring_is_an_answer_too() -> None:
    viewer = rb.ring_viewer(found(rings=0))
    assert viewer.value is None
    assert viewer.result.ring is None
    assert len(viewer.members) == 0
    assert viewer.pick.disabled
    viewer.further.click()
    assert viewer.errors == ""
    assert "No ring was found" in viewer._repr_mimebundle_()["text/html"]
    viewer.value = None
    with pytest.raises(ParameterError, match="there is no ring"):
        viewer.value = 1


def test_it_takes_an_answer_on_entities() -> None:
    with pytest.raises(ParameterError, match="entities is one"):
        rb.ring_viewer(pd.DataFrame())  # type: ignore[arg-type]


def large(entities: Entities, links: pd.DataFrame) -> Ring:
    accounts = pd.DataFrame({"entity": sorted(set(links["a"])), "column": "buyer", "role": "account", "events": 2})
    return replace(entities.ring(1), links=links, members=accounts.assign(evidence=""), _cache={})


def test_a_ring_too_large_even_when_gathered_is_drawn(entities) -> None:
    rows = [(f"b{n:03}", f"d{n % 7}", "device", 1) for n in range(90)]
    rows += [(f"b{n:03}", f"h{n * n % 11}", "home", 1) for n in range(90)]
    ring = large(entities, pd.DataFrame(rows, columns=["a", "b", "evidence", "events"]))
    held = gathered(ring.links, most=COLUMN, account="buyer")
    assert held.links["a"].nunique() > COLUMN
    assert ring.png()


def test_a_large_ring_is_drawn_with_those_tied_alike_together(entities) -> None:
    links = pd.DataFrame(
        {"a": [f"b{n:03}" for n in range(90)], "b": [f"d{n % 3}" for n in range(90)], "evidence": "device", "events": 2}
    )
    ring = large(entities, links)
    assert ring.height <= 1.6 + 0.26 * COLUMN
    assert ring.png() == large(entities, links).png()
    held = gathered(ring.links, most=COLUMN, account="buyer_id")
    assert held.links["a"].nunique() == 3
    assert sorted(held.said.values()) == ["30 buyers"] * 3
    assert len(held.gone) == 87
    assert held.accounts == {"device\nd0": 30, "device\nd1": 30, "device\nd2": 30}


LINKS = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(["device", "home"]), st.integers(0, 8), st.integers(1, 5)),
    min_size=1,
    unique_by=lambda link: link[:3],
)


@settings(max_examples=60, deadline=None)
@given(LINKS, st.integers(0, 6))
def test_taking_together_loses_no_event_and_joins_only_those_tied_alike(drawn, most) -> None:
    edges = pd.DataFrame(drawn, columns=["a", "evidence", "b", "events"]).astype({"a": str, "b": str})
    held = gathered(edges, most=most, account="buyer_id")
    links, said, gone = held.links, held.said, held.gone
    met = edges.groupby(["evidence", "b"])["a"].nunique()
    for name, accounts in held.accounts.items():
        assert accounts == met.loc[tuple(name.split("\n"))]
    assert links["events"].sum() == edges["events"].sum()
    tied = edges.assign(value=edges["evidence"] + edges["b"]).groupby("a")["value"].agg(frozenset)
    left = set(links["a"])
    assert left | gone == set(edges["a"])
    assert not left & gone
    assert all(any(tied[name] == tied[first] for first in left) for name in gone)
    if edges["a"].nunique() <= most:
        assert not gone
    else:
        assert len(left) == tied.nunique()
        alone = [name for name in left if name not in said]
        counted = sum(int(said[name].split(" ")[0]) for name in left if name in said)
        assert counted + len(alone) == edges["a"].nunique()
