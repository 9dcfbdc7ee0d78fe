"""Are past incidents found that share something, with the reason, and the same ones each time?"""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ParameterError
from riskbench.incidents.similar import WEIGHTS, likeness, words

COD = {
    "region": "ID",
    "domain": "transactions",
    "scheme": "cod refusal",
    "segments": [{"payment": "cod"}],
    "rules": ["TX-1"],
}
TRAITS = st.fixed_dictionaries({side: st.frozensets(st.sampled_from("abcdef"), max_size=4) for side in WEIGHTS})


@pytest.fixture
def book(tmp_path):
    with rb.open_casebook(str(tmp_path / "book.db")) as held:
        yield held


def test_the_one_that_shares_most_comes_first_and_says_why(book):
    past = book.open("Refused parcels in the east", by="ana", facts=COD)
    book.act(past, "prepay for new buyers", by="ana")
    book.progress(past, "A1", by="ana")
    near = book.open("Refused parcels", by="ana", facts={"region": "ID", "domain": "transactions"})
    far = book.open("Stolen cards", by="ana", facts={"region": "BR", "domain": "transactions", "scheme": "stolen card"})
    book.open("Forged documents", by="ana", facts={"region": "PL", "domain": "kyc"})
    now = book.open("Parcels refused again", by="ana", facts={**COD, "columns": ["device_id"]})
    found = book.similar(now).frame()
    assert found["incident"].tolist() == [past.id, near.id, far.id]
    assert found["similarity"].is_monotonic_decreasing
    for told in ("segment payment = cod", "rule TX-1", "scheme cod refusal", "word parcels, refused"):
        assert told in found["why"][0]
    assert found["worked"][0] == "prepay for new buyers"
    assert book.similar(now, most=1).frame()["incident"].tolist() == [past.id]


def test_never_itself_and_never_a_merged_duplicate(book):
    first, second, third = (book.open("same", by="ana", facts=COD) for _ in range(3))
    assert first.id not in book.similar(first).frame()["incident"].tolist()
    book.merge(third, second, by="ana")
    assert book.similar(first).frame()["incident"].tolist() == [second.id]
    assert book.similar(first).frame()["similarity"].tolist() == [1.0]


def test_nothing_is_found_where_nothing_is_shared(book):
    book.open("Forged papers", by="ana", facts={"domain": "kyc"})
    held = book.similar(book.open("Stolen cards", by="ana", facts={"domain": "transactions"}))
    assert held.frame().empty
    assert "0" in repr(held)


def test_ids_of_people_do_not_stand_in_why(book):
    facts = {"rings": [{"id": "R", "members": ["SEL-000123"]}]}
    book.open("Seen SEL-000123 live", by="ana", facts=facts)
    held = book.similar(book.open("SEL-000123 live again", by="ana", facts=facts))
    assert "SEL-000123" not in held._repr_html_() + str(held.to_dict())


@pytest.mark.parametrize("most", [0, -1, 1.5, True, 101])
def test_most_is_a_small_whole_number(book, most):
    with pytest.raises(ParameterError):
        book.similar(book.open("x", by="ana"), most=most)


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(
    mine=TRAITS,
    theirs=TRAITS,
    rare=st.dictionaries(st.tuples(st.sampled_from(sorted(WEIGHTS)), st.sampled_from("abcdef")), st.floats(0.01, 9)),
)
def test_likeness_is_a_share_and_grows_with_what_is_shared(mine, theirs, rare):
    value, why = likeness(mine, theirs, rare)
    assert 0 <= value <= 1 + 1e-12
    assert (value > 0) == any(mine[side] & theirs[side] for side in WEIGHTS) == bool(why)
    if any(mine.values()):
        assert math.isclose(likeness(mine, mine, rare)[0], 1)
    for side in WEIGHTS:
        for item in mine[side] - theirs[side]:
            more = {**theirs, side: theirs[side] | {item}}
            assert likeness(mine, more, rare)[0] > value
    slow = [
        WEIGHTS[side]
        * sum(rare.get((side, x), 1.0) for x in mine[side] & theirs[side])
        / sum(rare.get((side, x), 1.0) for x in mine[side] | theirs[side])
        for side in WEIGHTS
        if mine[side]
    ]
    if slow:
        assert math.isclose(value, sum(slow) / sum(WEIGHTS[side] for side in WEIGHTS if mine[side]), abs_tol=1e-12)


def test_words_of_scripts_without_blanks_are_found():
    assert words("退货欺诈") & words("大量退货")
    assert words("ของปลอม") & words("ขายของปลอม")
    assert words("The 123 of and") == frozenset()
