"""What lies between two calibrations, one with a tighter limit?"""

from __future__ import annotations

import pytest

import riskbench as rb
from riskbench.runner import seal, today


@pytest.mark.slow
def test_two_calibrations(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(seal, "sources", lambda: {"runner": "as it was"})
    monkeypatch.setattr(today, "carried_out", lambda *_, **__: pytest.fail("it ran a case"))
    loose, tight = (
        rb.run("threshold_calibration", {"orders": 6000, "max_review_rate": most}, out="runs") for most in (0.2, 0.03)
    )
    assert [loose.status, tight.status] == ["done", "done"], (loose.message, tight.message)
    for one in (loose, tight):
        assert rb.verify_run(one).verdict == "still true"
    found = rb.diff_runs(loose, tight)
    assert found.factors == ("parameters",)
    assert found.parameters["parameter"].to_list() == ["max_review_rate"]
    (cut,) = found.cuts.to_dict("records")
    assert cut["after"] > cut["before"], "a tighter limit puts the cut higher"
    assert cut["change"] == cut["after"] - cut["before"]

    paired = found.paired.set_index("measure")
    flips = [one.results()["comparison"].frame("events").set_index("id") for one in (loose, tight)]
    assert paired.loc["alerts", "only_before"] == len(set(flips[0].index) - set(flips[1].index))
    assert paired.loc["alerts", "only_after"] == 0, "a higher cut alerts nobody more"
    assert (paired["lower"] <= paired["difference"]).all()
    assert (paired["difference"] <= paired["upper"]).all()

    swaps = found.summary.set_index(["result", "table"])
    assert swaps.loc[("comparison", "events"), "lost"] == paired.loc["alerts", "only_before"]
    own = found.parts.set_index("fact")["change"]
    facts = found.facts.set_index("fact")
    assert (own == facts.loc[own.index, "change"]).all()
    assert "of it by parameters" in found.page()
