"""Is an error short, whatever was handed in?"""

import pytest

import riskbench as rb
from riskbench.errors import MOST_GOT, ParameterError, RiskbenchError


class Unspeakable:
    def __str__(self):
        raise ValueError("no words")


@pytest.mark.parametrize("got", ["a" * 10_000, ["b"] * 10_000, {"c": "d" * 10_000}, b"e" * 10_000])
def test_what_was_handed_in_is_cut_in_the_message_and_kept_whole_on_the_error(got):
    error = RiskbenchError("It does not fit", got=got)
    line = str(error).splitlines()[1]
    assert line.startswith("Got: ")
    assert "..." in line
    assert len(line) == len("Got: ") + MOST_GOT
    assert error.got is got


def test_what_fits_is_told_whole():
    text = "a" * MOST_GOT
    assert str(RiskbenchError("It does not fit", got=text)).endswith(f"Got: {text}")


@pytest.mark.parametrize("got", [10**5_000, Unspeakable()], ids=["huge", "odd"])
def test_what_cannot_be_printed_is_told_by_its_kind(got):
    assert f"Got: a {type(got).__name__} that cannot be printed" in str(RiskbenchError("It does not fit", got=got))


def test_a_verb_tells_a_long_argument_in_short():
    with pytest.raises(ParameterError) as caught:
        rb.Feature("spend", "sum", by="buyer", window="x" * 10_000, column="amount")
    assert len(str(caught.value)) < 500
