"""Every public verb says at its first line when what it was handed is no dataset."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pandas as pd
import pytest

import riskbench as rb
from riskbench.runner.catalogue import sample_book

#: Handed in for what stands beside the dataset, where a verb looks at it first.
BESIDE = {
    "RuleBook": lambda: rb.RuleBook.read(sample_book("transactions")),
    "Incident": lambda: rb.Incident("2026-01-02", "2026-01-03"),
}


def verbs() -> Iterator[tuple[str, str]]:
    """Each public verb that must be handed a dataset, and the dataset's name in it."""
    for name in rb.__all__:
        held = getattr(rb, name)
        if inspect.isclass(held) or not callable(held):
            continue
        for parameter in inspect.signature(held).parameters.values():
            kinds = {part.strip() for part in str(parameter.annotation).split("|")}
            if "Dataset" in kinds and parameter.default is parameter.empty:
                yield name, parameter.name


VERBS = tuple(verbs())


def test_the_walk_finds_the_verbs_of_every_room():
    names = {name for name, _ in VERBS}
    assert names >= {"check", "calibrate", "scan", "simulate", "optimise", "mine_rules", "investigate", "velocity"}
    assert names >= {"segment_explorer", "score_baseline", "surface"}


@pytest.mark.parametrize(
    "bad", [pd.DataFrame({"amount": [1.0]}), None, "events.parquet", 3], ids=lambda bad: type(bad).__name__
)
@pytest.mark.parametrize(("verb", "dataset"), VERBS)
def test_no_dataset_is_refused(verb, dataset, bad):
    held = getattr(rb, verb)
    given: dict[str, object] = {dataset: bad}
    for parameter in inspect.signature(held).parameters.values():
        if parameter.default is parameter.empty and parameter.name != dataset:
            given[parameter.name] = BESIDE.get(str(parameter.annotation), lambda: None)()
    with pytest.raises((rb.DataError, rb.ParameterError)) as wrong:
        held(**given)
    told = str(wrong.value)
    if verb != "judge_launch":  # which asks for its plan first
        assert type(bad).__name__ in told
        assert "rb.read(" in told
        assert "dataset" in told.casefold()
