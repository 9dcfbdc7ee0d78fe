"""Do small regions lean on all as far as they should, and does the price of a region's own cut hold?"""

from __future__ import annotations

import importlib.util
from functools import cache

import house
import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.calibration.pooled.choice import FEW, FEWEST_FRAUDS
from riskbench.errors import DataError, ParameterError

#: Sums of money in another order differ in their last digits.
SAME = 1e-6
#: A light version of the study: a right interval holds at most or at least so often but for 1 chance in 10,000.
SEEDS, HELD = 48, (0.89, 0.998)


def _study():
    spec = importlib.util.spec_from_file_location("regions_study", house.ROOT / "benchmarks" / "regions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _world(kind: str, seed: int = 3) -> rb.Calibration:
    study = _study()
    rng = np.random.default_rng(seed)
    return rb.calibrate(study.World(kind, rng).events(rng), costs=study.COSTS, by=None)


@cache
def _found(kind: str = "differ much") -> rb.PooledCuts:
    return rb.pool_cuts(_world(kind))


def test_pooled_cuts_lose_least_and_their_price_holds():
    told = pd.DataFrame(list(_study().tries(range(SEEDS))))
    regret = {name: told[f"regret {name}"].mean() for name in ("one cut for all", "own", "pooled", "chosen")}
    assert regret["pooled"] < 0.7 * min(regret["one cut for all"], regret["own"])
    assert regret["chosen"] < min(regret["one cut for all"], regret["own"])
    assert HELD[0] < told["held"].sum() / told["tested"].sum() < HELD[1]
    alike = told[told["world"] == "alike"]
    assert alike["regret pooled"].mean() < 0.5 * alike["regret own"].mean()


def test_what_a_cut_gained_is_what_the_later_window_shows():
    found = _found()
    study = found.calibration.reader.study
    codes, names = study.sweep.dataset.regions
    later = study.windows.report
    for row in found.regions[found.regions["override_value"].notna()].itertuples():
        rows = np.flatnonzero(later.mask & (codes == names.index(row.region)))
        worth = [
            study.price().each(study.kinds[rows], study.money[rows], study.levels(cut)[rows]).sum()
            for cut in (row.pooled_cut, row.parent_cut)
        ]
        assert row.override_value * later.length == pytest.approx(float(worth[0] - worth[1]), abs=0.02)


def test_a_region_with_few_frauds_inherits():
    told = _found().regions
    few = told[told["frauds"] < FEWEST_FRAUDS]
    assert len(few)
    assert (few["reading"] == FEW).all()
    assert (few["chosen_cut"] == few["parent_cut"]).all()


def test_large_regions_that_differ_keep_their_own_evidence():
    told = _found().regions
    assert told["own_weight"].between(0, 1).all()
    tested = told[told["pooled_cut"] != told["parent_cut"]]
    assert tested["own_weight"].head(2).mean() > tested["own_weight"].tail(2).mean()
    assert (told["pooled_cut_lower"] <= told["pooled_cut"]).all()
    assert (told["pooled_cut"] <= told["pooled_cut_upper"]).all()


def test_the_same_again_whatever_the_order_of_rows():
    study = _study()
    rng = np.random.default_rng(8)
    frame = study.World("differ much", rng).events(rng, 6_000).frame()
    roles = rb.Roles(id="order", time="placed", label="fraud", amount="amount", score="risk", region="land")
    one, other = (
        rb.pool_cuts(rb.calibrate(rb.read(held, roles=roles), costs=study.COSTS, by=None)).regions.set_index("region")
        for held in (frame, frame.sample(frac=1, random_state=1))
    )
    both = ["own_cut", "pooled_cut", "chosen_cut", "override_value", "lower", "upper"]
    pd.testing.assert_frame_equal(one[both], other.loc[one.index, both], rtol=SAME)


def test_a_hierarchy_goes_by_its_groups():
    calibration = _world("differ much")
    names = calibration.reader.study.sweep.dataset.regions[1]
    parent = {name: "odd" if place % 2 else "even" for place, name in enumerate(names)}
    found = rb.pool_cuts(calibration, parent=parent)
    above = found.groups.set_index("group")["chosen_cut"]
    assert (found.regions["parent_cut"] == found.regions["parent"].map(above)).all()
    assert found.groups["frauds"].sum() == found.regions["frauds"].sum()
    with pytest.raises(ParameterError, match="no group"):
        rb.pool_cuts(calibration, parent={names[0]: "a"})
    with pytest.raises(ParameterError, match="not a region"):
        rb.pool_cuts(calibration, parent={**parent, "Atlantis": "a"})


def test_limits_hold_within_each_region_and_for_all_together():
    study = _study()
    rng = np.random.default_rng(3)
    events = study.World("differ much", rng).events(rng)
    limit = 0.05
    calibration = rb.calibrate(events, costs=study.COSTS, by=None, subject_to=rb.at_most("review_rate", limit))
    found = rb.pool_cuts(calibration)
    held = calibration.reader.study
    codes, names = events.regions
    first = held.windows.choose.mask
    risk = events.column("risk").values
    hits = 0
    for row in found.regions.itertuples():
        inside = first & (codes == names.index(row.region))
        if row.chosen_cut != row.parent_cut:
            assert (risk[inside] >= row.chosen_cut).mean() <= limit + 1e-9
        hits += int((risk[inside] >= row.chosen_cut).sum())
    assert hits <= limit * first.sum() + 1e-9


def test_the_book_gets_each_region_its_chosen_cut():
    found = _found()
    rule = found.apply().rules[-1]
    for row in found.regions.itertuples():
        assert rule.values(row.region)["cut"] == pytest.approx(row.chosen_cut)


def test_what_is_wrong_is_said():
    calibration = _world("differ much")
    with pytest.raises(ParameterError, match="calibration"):
        rb.pool_cuts(calibration.reader)
    one = rb.read(
        pd.DataFrame({"id": range(400), "s": np.arange(400) / 400, "fraud": np.arange(400) % 400 > 360, "x": "a"}),
        roles=rb.Roles(id="id", label="fraud", score="s"),
    )
    with pytest.raises(DataError, match="one value"):
        rb.pool_cuts(rb.calibrate(one), by="x")
    other = rb.pool_cuts(calibration, by="fraud")
    with pytest.raises(ParameterError, match="regions"):
        other.apply()


@pytest.mark.parametrize("odd", [{"seed": -1}, {"seed": "x"}, {"seed": float("nan")}, {"by": [1]}, {"by": np.ones(2)}])
def test_an_odd_seed_or_column_is_answered(odd):
    with pytest.raises(ParameterError):
        rb.pool_cuts(_world("differ much"), **odd)


def _named(*, groups: tuple[str, ...] = (), named: dict[str, str] | None = None) -> rb.PooledCuts:
    rng = np.random.default_rng(11)
    size, lands = 9000, ["日本", "São Tomé", "BR", "مصر", "VN"]
    land = rng.choice(lands, size, p=[0.5, 0.25, 0.15, 0.06, 0.04])
    fraud = rng.random(size) < 0.04
    risk = np.round(np.clip(rng.normal(0.3 + 0.35 * fraud + 0.1 * (land == "BR"), 0.12), 0, 1), 2)
    frame = pd.DataFrame({"ref": np.arange(size), "bad": fraud.astype(int), "land": land, "risk": risk})
    frame["paid"] = np.round(rng.lognormal(3, 1, size), 3)
    frame["when"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(size) // 90, unit="D")
    frame["land"] = frame["land"].map(named or dict(zip(lands, lands, strict=True)))
    roles = rb.Roles(
        id="ref", time="when", label="bad", amount="paid", currency="BHD", score="risk", region="land", groups=groups
    )
    return rb.pool_cuts(rb.calibrate(rb.read(frame, roles=roles)))


def test_another_name_for_a_region_changes_nothing():
    named = {"日本": "z", "São Tomé": "y", "BR": "x", "مصر": "w", "VN": "v"}
    one, two = _named().regions, _named(named=named).regions
    assert list(one["region"].map(named)) == list(two["region"])
    for column in one.columns.drop("region"):
        if one[column].dtype.kind == "f":
            np.testing.assert_allclose(one[column], two[column], rtol=1e-9, atol=1e-9)
        else:
            assert list(one[column]) == list(two[column])


def test_regions_that_are_a_declared_group_of_people_are_told_so():
    assert any("'land' is declared a group of people" in note for note in _named(groups=("land",)).notes)
    assert not any("declared a group" in note for note in _named().notes)


def test_the_line_on_what_is_estimated_counts_the_regions_with_a_cut_of_their_own():
    found = _named()
    own = int((found.regions["chosen_cut"] != found.regions["parent_cut"]).sum())
    assert f"{own} of {len(found.regions)} regions get a cut of their own" in found.grounds.estimated
    shown = found.pages["regions"][1].set_index("region")["own evidence"]
    thin = found.regions.set_index("region")["reading"].eq(FEW)
    assert (shown[thin[thin].index] == "–").all()
    assert (shown[thin[~thin].index] != "–").all()


def test_cuts_that_together_lose_later_are_told_so():
    from riskbench.calibration.pooled.words import notes_of

    found = _named()
    lost = found.uniformity.assign(value=-5.0, lower=-9.0, upper=-1.0)
    study = found.calibration.reader.study
    for told, expected in ((lost, True), (lost.assign(upper=1.0), False)):
        notes = notes_of(study, by="region", swell=1.0, undone=0, together=told)
        assert any("one cut for all did better" in note for note in notes) is expected


def test_with_two_cuts_regions_choose_where_review_starts():
    study = _study()
    rng = np.random.default_rng(3)
    found = rb.pool_cuts(
        rb.calibrate(study.World("differ much", rng).events(rng), costs=study.COSTS, by=None, two_cuts=True)
    )
    common = found.calibration
    assert common.threshold_block is not None
    assert (found.regions["chosen_cut"] != found.threshold).any()
    block, review = found.apply().rules[-2:]
    assert (block.outcome, review.outcome) == ("block", "review")
    assert not block.regions
    assert block.values("R00")["cut"] == pytest.approx(common.threshold_block)
    for row in found.regions.itertuples():
        assert review.values(row.region)["cut"] == pytest.approx(row.chosen_cut)
