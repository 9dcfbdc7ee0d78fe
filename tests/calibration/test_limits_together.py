"""Regions and groups with cuts of their own keep the limits on reviewers that all of them share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskbench as rb


def _events() -> tuple[pd.DataFrame, rb.Dataset]:
    rng = np.random.default_rng(5)
    size = 12_000
    frame = pd.DataFrame({"ref": np.arange(size), "land": rng.choice(["日本", "BR", "VN"], size, p=[0.5, 0.3, 0.2])})
    frame["bad"] = (rng.random(size) < 0.05).astype(int)
    shift = frame["land"].map({"日本": 0.0, "BR": 0.25, "VN": -0.1})
    frame["risk"] = np.round(np.clip(rng.normal(0.3 + 0.35 * frame["bad"] + shift, 0.1), 0, 1), 2)
    frame["paid"], frame["pay"] = 100.0, rng.choice(["card", "cash"], size)
    frame["when"] = pd.Timestamp("2026-01-05") + pd.to_timedelta(np.arange(size) * 15, unit="min")
    frame["told"] = (frame["when"] + pd.Timedelta(days=1)).where(frame["bad"] == 1)
    frame["who"] = np.where(frame["bad"] == 1, "chargeback", None)
    roles = rb.Roles(
        id="ref", time="when", label="bad", label_time="told", label_source="who", amount="paid", score="risk",
        region="land",
    )  # fmt: skip
    return frame, rb.read(frame, roles=roles, mature_after=2)


LIMITS = {
    "cases": rb.at_most("cases_per_hour", 0.45),
    "peak": rb.at_most("cases_per_hour", 1.5, peak=True),
    "in time": rb.at_least("verify_within", 0.9, hours=6, reviewers=1, minutes=60),
    "disputes": rb.programme_limit("mastercard-ecm", on="2026-02-01", card={"pay": "card"}),
}


@pytest.mark.parametrize("name", LIMITS)
def test_cuts_by_region_and_group_are_answered_under_every_limit(name: str) -> None:
    _, events = _events()
    calibration = rb.calibrate(events, subject_to=LIMITS[name])
    regions = rb.pool_cuts(calibration).regions
    assert len(regions) == 3
    assert regions["chosen_cut"].notna().all()
    options = rb.price_equality(calibration, by="land").options.set_index("option")
    assert bool(options.loc["today's common cut", "keeps"])


def test_all_regions_together_keep_to_the_cases_an_hour() -> None:
    frame, events = _events()
    free = rb.calibrate(events)
    window = free.reader.study.windows.choose

    def cases(found: rb.PooledCuts) -> float:
        cut = frame["land"].map(found.regions.set_index("region")["chosen_cut"])
        return float((window.mask & (frame["risk"] >= cut)).sum()) / (window.length * 7 * 24)

    wanted = cases(rb.pool_cuts(free))
    for share in (1.01, 0.99, 0.9):
        bound = share * wanted
        found = rb.pool_cuts(rb.calibrate(events, subject_to=rb.at_most("cases_per_hour", bound)))
        assert cases(found) <= bound + 1e-9
        undone = found.regions["reading"].eq("inherits the parent: no cut keeps to the limits")
        assert undone.any() == any("would break a limit" in note for note in found.notes)
