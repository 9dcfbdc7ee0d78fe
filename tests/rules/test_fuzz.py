"""Some thousand generated rule texts: read, bound, run and compared; the benchmark runs a hundred thousand."""

from __future__ import annotations

import fuzz_texts
import pytest


@pytest.mark.parametrize("seed", [101, 102])
def test_no_text_crashes_touches_a_file_or_divides_the_engines(tmp_path, seed):
    found = fuzz_texts.run(1_500, seed=seed, folder=tmp_path)
    assert not found.crashes
    assert not found.touched
    assert not found.differences
    assert found.answers > 30_000, "valid texts are answered"
    assert found.counts["refused when read"] > 200, "hostile ones are refused"
    assert found.counts["refused when bound"] > 30


def test_the_watch_sees_a_file_that_is_opened(tmp_path):
    found = fuzz_texts.Found()
    watch = fuzz_texts.Watch(found)
    path = tmp_path / "x.csv"
    path.write_text("1")
    watch.on = True
    try:
        with pytest.raises(RuntimeError, match="open"):
            path.read_text()
    finally:
        watch.on = False
    assert len(found.touched) == 1


def test_a_difference_would_be_found(tmp_path, monkeypatch):
    right = fuzz_texts.by_kernel

    def wrong(nodes, events):
        answers = right(nodes, events)
        answers[0][0] = not answers[0][0]
        return answers

    monkeypatch.setattr(fuzz_texts, "by_kernel", wrong)
    assert fuzz_texts.run(300, seed=1, folder=tmp_path, stop=False).differences
