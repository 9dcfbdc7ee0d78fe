"""How much is lost for how much is let through? A slow oracle, laws, named volumes, and the intervals' coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.errors import DataError, InfeasibleError, ParameterError

ROLES = rb.Roles(id="id", time="at", label="fraud", amount="amount", score="risk", outcome="done", region="land")


def made(rows: int = 1_500, *, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    fraud = rng.random(rows) < 0.05
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "fraud": fraud.astype(int),
            "amount": rng.lognormal(3, 1, rows).round(2),
            "risk": np.round(np.clip(rng.normal(0.3 + 0.4 * fraud, 0.2), 0, 1), 2),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows) // 10, unit="D"),
            "done": np.where(rng.random(rows) < 0.1, "review", "approve"),
            "land": rng.choice(["ID", "BR"], rows, p=[0.8, 0.2]),
            "order_status": rng.choice(["created", "paid", "delivered", "returned"], rows),
        }
    )


def test_every_cut_equals_the_oracle():
    frame = made(300)
    held = rb.frontier(rb.calibrate(rb.read(frame, roles=ROLES), choose_on=(None, None)), by=None)
    left = 1 - rb.Costs().review_catch
    total = frame["amount"].sum()
    assert held.total == pytest.approx(total)
    for row in held.curve.to_dict("records"):
        hit = frame["risk"] >= row["threshold"]
        lost = (frame["amount"] * frame["fraud"] * np.where(hit, left, 1)).sum()
        assert row["loss_bps"] == pytest.approx(1e4 * lost / total)
        assert row["approved_share"] == pytest.approx(frame["amount"][~hit].sum() / total)
        beaten = (held.curve["loss_bps"] <= row["loss_bps"]) & (held.curve["approved_gmv"] >= row["approved_gmv"])
        better = (held.curve["loss_bps"] < row["loss_bps"]) | (held.curve["approved_gmv"] > row["approved_gmv"])
        assert row["dominated"] == bool((beaten & better).any())
    for row in held.points.to_dict("records"):
        assert row["loss_bps_lower"] <= row["loss_bps"] <= row["loss_bps_upper"]
        assert row["gap_bps_lower"] <= row["gap_bps"] <= row["gap_bps_upper"]
    cut = held.points.set_index("point")
    assert cut.loc["proposed", "gap_bps"] == pytest.approx(0.0, abs=1e-9)
    assert cut.loc["history", "loss_bps"] == pytest.approx(
        1e4 * (frame["amount"] * frame["fraud"] * np.where(frame["done"] == "review", left, 1)).sum() / total
    )


def test_regions_add_up_and_row_order_does_not_matter():
    frame = made()
    held = rb.frontier(rb.calibrate(rb.read(frame, roles=ROLES)))
    again = rb.frontier(rb.calibrate(rb.read(frame.sample(frac=1, random_state=1), roles=ROLES)))
    pd.testing.assert_frame_equal(held.points, again.points, rtol=1e-9)
    for name, part in held.regions.groupby("point"):
        row = held.points.set_index("point").loc[name]
        assert part["gmv"].sum() == pytest.approx(row["gmv"])
        assert part["approved_gmv"].sum() == pytest.approx(row["approved_gmv"])
        assert (part["loss_bps"] * part["gmv"]).sum() == pytest.approx(row["loss_bps"] * row["gmv"])


def test_an_appetite_gives_a_cut():
    held = rb.frontier(rb.calibrate(rb.read(made(), roles=ROLES)))
    tight, wide = held.at(max_loss_bps=150), held.at(max_loss_bps=300)
    assert tight.loss_bps.value <= 150
    assert tight.approved_share <= wide.approved_share
    assert held.at(max_loss_bps=300, surely=True).loss_bps.upper <= 300
    kept = held.at(min_approved=0.9)
    assert kept.approved_share >= 0.9
    assert kept.loss_bps.value <= held.at(min_approved=0.95).loss_bps.value
    with pytest.raises(InfeasibleError):
        held.at(max_loss_bps=0)
    for wrong in ({}, {"max_loss_bps": 1, "min_approved": 0.5}, {"max_loss_bps": -1}, {"min_approved": "all"}):
        with pytest.raises(ParameterError):
            held.at(**wrong)


def test_the_volume_is_named_and_defined_by_the_status():
    frame = made()
    chosen = rb.calibrate(rb.read(frame, roles=ROLES))
    totals = [rb.frontier(chosen, gmv=kind).total for kind in ("created", "paid", "delivered", "clean")]
    assert totals == sorted(totals, reverse=True)
    assert len(set(totals)) == 4
    bare = rb.calibrate(rb.read(frame.drop(columns="order_status"), roles=ROLES))
    told = rb.frontier(bare).volumes.set_index("gmv")["measurable"]
    assert told.to_dict() == {"created": True, "paid": False, "delivered": False, "clean": False}
    with pytest.raises(DataError, match="created"):
        rb.frontier(bare, gmv="paid")
    with pytest.raises(ParameterError, match="delivered"):
        rb.frontier(bare, gmv="deliverd")


def test_bad_input():
    with pytest.raises(ParameterError, match="calibration"):
        rb.frontier(rb.read(made(50), roles=ROLES))
    with pytest.raises(DataError, match="amount"):
        rb.frontier(rb.calibrate(rb.read(made(), roles=ROLES.with_roles(amount=None))))


def test_intervals_hold_the_true_loss():
    """Nine in a hundred are frauds of a third of their amount; amounts are lognormal; a cut reviews most frauds."""
    from riskbench.calibration.frontier.sums import Ground

    left, seeds, right, plain = 0.1, 300, 0, 0
    chosen = rb.calibrate(rb.read(made(400), roles=ROLES), by=None)
    study = chosen.reader.study
    rows = np.arange(400)
    # The cut lets nine of ten through; a fraud lies above it seven times of ten.
    truth = 1e4 * 0.03 * (0.7 * left + 0.3)
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 6])
        fraud = rng.random(400) < 0.03 * 3
        amount = rng.lognormal(3, 1, 400)
        above = np.where(fraud, rng.random(400) < 0.7, rng.random(400) < 0.1)
        ground = Ground(study, rows, loss=amount * fraud / 3, volume=amount, customer=rows)
        place = ground.at(np.where(above, 2, 0).astype(np.int8), against=False)
        right += place.loss_lower <= truth <= place.loss_upper
        plain += abs(place.loss_bps - truth) <= (place.loss_upper - place.loss_lower) / 8
    assert 0.90 <= right / seeds <= 0.99
    assert plain / seeds < 0.8


def test_a_segment_without_a_known_fraud_is_not_measurable():
    frame = made()
    frame.loc[frame["land"].eq("BR"), "fraud"] = 0
    held = rb.frontier(rb.calibrate(rb.read(frame, roles=ROLES)))
    rows = held.regions[held.regions["segment"].eq("BR")]
    ends = [f"{name}{end}" for name in ("loss_bps", "gap_bps") for end in ("", "_lower", "_upper")]
    assert rows[ends].isna().all(axis=None)
    assert (rows["approved_gmv"] > 0).all()
    shown = held.pages["regions"][1].set_index("segment").loc["BR"]
    assert shown["loss, basis points"].eq("not measurable: no fraud known").all()
    assert held.regions.loc[held.regions["segment"].eq("ID"), "loss_bps"].notna().all()


def test_of_very_many_regions_the_largest_are_told():
    frame = made(3_000)
    frame["land"] = [f"R{k % 150}" for k in range(len(frame))]
    held = rb.frontier(rb.calibrate(rb.read(frame, roles=ROLES)))
    assert held.regions["segment"].nunique() == 100
    assert any("50 smallest segments" in note for note in held.notes)
    volume = frame.assign(late=frame["at"] >= pd.Timestamp(held.window.split()[0])).query("late")
    largest = volume.groupby("land")["amount"].sum().nlargest(100)
    assert set(held.regions["segment"]) == set(largest.index)
    assert held.points["gmv"].iloc[0] == pytest.approx(volume["amount"].sum())


@pytest.mark.parametrize("name", ["Order Status", "ORDER_STATUS", "order-status"])
def test_the_status_column_is_found_however_it_is_spelt(name):
    frame = made().rename(columns={"order_status": name})
    found = rb.frontier(rb.calibrate(rb.read(frame, roles=ROLES)), gmv="delivered")
    assert found.points.equals(rb.frontier(rb.calibrate(rb.read(made(), roles=ROLES)), gmv="delivered").points)
    assert name in found.volumes.set_index("gmv").loc["delivered", "told"]
