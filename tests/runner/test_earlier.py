"""Does a failed run say what the ledger knows of it, and nothing that it does not?"""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

import riskbench as rb
from riskbench.runner.earlier import earlier
from riskbench.store import Entry

STAMP = {"data": {"fingerprint": "d1"}, "book": {"hash": "b1"}, "code": "c1", "versions": {"numpy": "2.0"}}


def entry(number: int, status: str, *, day: int = 1, stamp: dict | None = None, **parameters: object) -> Entry:
    return Entry(
        id=f"r{number}",
        playbook="tiny",
        status=status,
        parameters=parameters,
        started=f"2026-11-{day:02d}T08:00:00.000+00:00",
        stamp=STAMP if stamp is None else stamp,
    )


def test_the_same_parameters_worked_before_and_what_has_moved_since():
    asked = {"region": "TH", "seed": 1}
    moved = {**STAMP, "book": {"hash": "b0"}, "versions": {"numpy": "1.9"}}
    held = [entry(2, "failed", day=3, **asked), entry(1, "done", day=2, stamp=moved, **asked)]
    (told,) = earlier(held, asked, STAMP)
    assert told.startswith("With the same parameters it worked on 2026-11-02 (run r1); ")
    assert told.endswith("since then changed: the rule book, numpy 1.9 to 2.0.")
    assert "nothing that is known of" in earlier([entry(1, "infeasible", **asked)], asked, STAMP)[0]
    assert earlier([entry(1, "failed", **asked), entry(2, "interrupted", **asked)], asked, STAMP) == ()


def test_the_one_parameter_that_makes_the_difference_is_named():
    held = [
        entry(4, "done", day=9, region="VN", seed=1),
        entry(3, "done", day=8, region="ID", seed=1),
        entry(2, "done", day=7, region="ID", seed=2),
        entry(1, "done", day=6, region="TH", seed=5),
    ]
    asked = {"region": "TH", "seed": 1}
    assert earlier(held, asked, STAMP) == (
        "All else alike, it fails for region TH only; it worked for ID, VN (newest on 2026-11-09, run r4).",
    )
    held.insert(0, entry(5, "failed", day=10, region="BR", seed=1))
    assert "fails for region TH, BR; it worked for ID, VN" in earlier(held, asked, STAMP)[0]
    held.insert(0, entry(6, "failed", day=11, region="ID", seed=1))
    assert "TH, ID, BR; it worked for VN (newest on 2026-11-09" in earlier(held, asked, STAMP)[0], "the newest counts"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["done", "failed", "infeasible", "interrupted", "running"]),
            st.sampled_from(["ID", "VN", "TH", "<b>", None]),
            st.integers(1, 3),
        ),
        max_size=12,
    )
)
def test_a_value_is_never_told_to_work_that_failed_last(runs):
    held = [entry(place, status, region=region, seed=seed) for place, (status, region, seed) in enumerate(runs)]
    asked = {"region": "BR", "seed": 1}
    told = " ".join(earlier(held, asked, STAMP))
    newest: dict[tuple, str] = {}
    for status, region, seed in runs:
        if status in ("done", "infeasible", "failed"):
            newest.setdefault((region, seed), status)
    works = {region or "none" for (region, seed), status in newest.items() if seed == 1 and status != "failed"}
    if "it worked for" in told:
        assert set(told.partition("it worked for ")[2].partition(" (")[0].split(", ")) == works
    else:
        assert not works


def test_a_failed_run_says_on_its_pages_where_it_worked(tiny):
    assert rb.run("tiny", {"region": "ID"}, out="runs").status == "done"
    held = json.loads(tiny.read_text("utf-8"))
    held["cells"][-1]["source"] = "1 / (region != 'TH'); run.finish(count)"
    tiny.write_text(json.dumps(held), encoding="utf-8")
    run = rb.run("tiny", {"region": "TH"}, out="runs")
    assert run.status == "failed"
    assert "it fails for region TH only; it worked for ID" in run.message
    for path in run.pages:
        assert "All else alike, it fails for region TH only" in path.read_text("utf-8")
