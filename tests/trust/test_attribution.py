"""Do the parts add up when data, rules and parameters all moved, with the mixed cases really run?"""

from __future__ import annotations

from pathlib import Path

import pytest
from watched import Place

import riskbench as rb
from riskbench.runner import today


def alerts(place: Place, source: str, book: str) -> int:
    """Count alerts without a run: the oracle of every mixed case."""
    from watched import ROLES

    held = rb.simulate(rb.RuleBook.read(place.root / book), rb.read(str(place.root / source), roles=ROLES))
    return int(held.frame("rules")["hits"].sum())


def test_all_three_moved(place: Place, monkeypatch):
    later = place.run(source="data/later.csv", book="moved.yaml", weight=2.5)
    ran: list[Path] = []
    real = today.carried_out

    def counted(kept, values, apart, **more):
        ran.append(apart)
        return real(kept, values, apart, **more)

    monkeypatch.setattr(today, "carried_out", counted)
    before = sorted(path.name for path in place.out.iterdir())
    found = rb.diff_runs(place.first, later)
    assert found.why == ""
    assert found.runs == len(ran) == 6
    assert not any(path.exists() for path in ran), "the cases leave nothing"
    assert sorted(path.name for path in place.out.iterdir()) == before

    facts = found.facts.set_index("fact")
    for fact, own in found.parts.groupby("fact"):
        assert set(own["part"]) == {"data", "rules", "parameters"}
        assert sum(own["change"]) == pytest.approx(facts.loc[fact, "change"], rel=1e-12, abs=1e-12)

    old, new = ("data/events.csv", "data/later.csv"), ("book.yaml", "moved.yaml")
    count = {(d, r): alerts(place, old[d], new[r]) for d in (0, 1) for r in (0, 1)}
    own = found.parts[found.parts["fact"] == "Alerts"].set_index("part")["change"]
    assert own["data"] == (count[1, 0] - count[0, 0] + count[1, 1] - count[0, 1]) / 2
    assert own["rules"] == (count[0, 1] - count[0, 0] + count[1, 1] - count[1, 0]) / 2
    assert own["parameters"] == 0
    weighed = found.parts[found.parts["fact"] == "Weighted"].set_index("part")["change"]
    mean = (2 * count[0, 0] + count[1, 0] + count[0, 1] + 2 * count[1, 1]) / 6
    assert weighed["parameters"] == pytest.approx(1.5 * mean)
    told = [str(fact) for fact in found.headline()]
    assert told[0] == "The two runs differ in: data (source), rules (book), parameters (weight)"
    assert [line.partition(":")[0] for line in told[2:]] == ["of it by data", "of it by rules", "of it by parameters"]


def test_a_case_that_fails_leaves_it_unmeasured(place: Place, monkeypatch):
    moved = place.run(book="moved.yaml", weight=2.0)

    def failed(kept, values, apart, **more):
        return rb.Run(id="x", playbook="watch", status="failed", message="It broke")

    monkeypatch.setattr(today, "carried_out", failed)
    found = rb.diff_runs(place.first, moved)
    assert found.why.endswith("failed: It broke")
    assert not len(found.parts)
    (place.first / "inputs" / "book.yaml").write_text("book: other", encoding="utf-8")
    found = rb.diff_runs(place.first, moved)
    assert "was not kept, or was changed since" in found.why
