"""Does a card scheme's limit hold a cut to what a plain loop counts of card disputes, and only of those?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.calibration.study import Study
from riskbench.calibration.swept import swept
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.costs import Costs

CARD = {"pay": "card"}


def frame_of(seed: int, rows: int = 3_000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    fraud = rng.random(rows) < 0.1
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": pd.Timestamp("2026-03-02") + pd.to_timedelta(np.sort(rng.integers(0, 84 * 86_400, rows)), unit="s"),
            "amount": rng.lognormal(4, 1, rows).round(2),
            "risk": np.clip(rng.normal(0.3 + 0.3 * fraud, 0.15), 0, 1).round(2),
            "fraud": fraud.astype(int),
            "pay": rng.choice(["card", "cod"], rows),
        }
    )
    told = rng.choice(["chargeback", "complaint", "fraud_report"], rows)
    frame["source"] = np.where(fraud, told, None)
    return frame


def events_of(frame: pd.DataFrame, **more: str) -> rb.Dataset:
    roles = {"id": "id", "time": "at", "label": "fraud", "amount": "amount", "score": "risk", "label_source": "source"}
    return rb.read(frame, roles=rb.Roles(**{**roles, **more}))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("outcome", ["challenge", "review", "block"])
def test_the_rate_is_what_a_plain_loop_counts_at_every_cut(seed: int, outcome: str) -> None:
    frame, costs = frame_of(seed), Costs(review_catch=0.8, challenge_catch=0.5)
    limit = rb.programme_limit("mastercard-ecm", on="2026-04-01", card=CARD)
    sweep = swept(events_of(frame), score=None, rule_param=None, given=None, outcome=outcome, asof=None, two_cuts=False)
    study = replace(Study.of(sweep, costs), asked=(limit,))
    drawn = study.curve(study.windows.choose.mask)
    caught = {"challenge": 0.5, "review": 0.8, "block": 1.0}[outcome]
    rows = frame[study.windows.choose.mask].to_dict("records")
    wanted = []
    for cut in drawn.table.cuts:
        disputes = passed = 0.0
        for row in rows:
            if row["pay"] != "card":
                continue
            hit = row["risk"] >= cut
            passed += not (hit and outcome == "block")
            if row["source"] in ("chargeback", "fraud_report"):
                disputes += 1 - caught if hit else 1.0
        wanted.append(disputes / passed if passed else np.nan)
    assert drawn.at_limit(limit) == pytest.approx(wanted, nan_ok=True)


def test_a_tighter_limit_needs_a_lower_cut_and_is_kept() -> None:
    events = events_of(frame_of(3))
    dear = {"margin": 0.9, "insult_share": 1.0}  # so that without a limit few events are stopped
    loose = rb.calibrate(events, costs=dear, outcome="block")
    limit = rb.programme_limit("mastercard-hecm", on="2026-04-01", card=CARD, margin=0.9)
    tight = rb.calibrate(events, costs=dear, outcome="block", subject_to=limit)
    assert tight.threshold < loose.threshold
    assert any("dispute rate" in note.casefold() for note in tight.notes)


def test_the_door() -> None:
    events = events_of(frame_of(1))
    with pytest.raises(ParameterError, match="card share only"):
        rb.calibrate(events, subject_to=rb.at_most("dispute_rate", 0.01))
    with pytest.raises(ParameterError, match="No event has 'gold'"):
        rb.calibrate(events, subject_to=rb.at_most("dispute_rate", 0.01, where={"pay": "gold"}))
    limit = rb.programme_limit("mastercard-ecm", on="2026-04-01", card=CARD)
    with pytest.raises(DataError, match="label_source"):
        rb.calibrate(events.with_roles(label_source=None), subject_to=limit)
    with pytest.raises(DataError, match="too few card disputes"):
        rb.calibrate(events_of(frame_of(1, rows=300)), subject_to=limit)
    with pytest.raises(ParameterError, match="no limit in force"):
        rb.programme_limit("visa-vamp-merchant", on="2020-01-01")
    with pytest.raises(ParameterError, match="The day"):
        rb.programme_limit("visa-vamp-merchant", on="April")
    with pytest.raises(ParameterError, match="margin"):
        rb.programme_limit("mastercard-ecm", on="2026-01-01", margin=0)
    with pytest.raises(ParameterError, match="mastercard-ecm"):
        rb.programme_limit("mastercard-ec", on="2026-01-01")
