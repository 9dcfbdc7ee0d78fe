"""Checks: each fires on its made-up case and on nothing else, and has its page."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.data.checks import CHECKS, Checks, check
from riskbench.data.leakage import ranking
from riskbench.errors import ParameterError

PAGES = Path(__file__).parents[2] / "docs" / "checks"
CODES = [one.code for one in CHECKS]

ROLES = {
    "id": "order",
    "time": "placed",
    "label": "fraud",
    "label_time": "told",
    "amount": "total",
    "measures": {"loss": "loss", "margin": "margin"},
    "currency": "ccy",
    "score": "score",
    "outcome": "action",
    "region": "region",
    "entities": ["buyer"],
    "let_through": "let",
    "decision_point": "checkout",
    "dispute_channel": "paid",
    "no_dispute": ["cod"],
}
OPTIONS = {"known_at": {"device": "checkout", "opened": "application"}, "caused_by": "cause"}


def clean(rows: int = 3000, seed: int = 3) -> pd.DataFrame:
    """Events on which every check is applicable and none finds anything."""
    rng = np.random.default_rng(seed)
    fraud = rng.random(rows) < 0.1
    placed = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows) * 60, unit="s")
    amount = np.round(rng.gamma(2.0, 20.0, rows) + 30 * fraud, 2)
    return pd.DataFrame(
        {
            "order": [f"o{place}" for place in range(rows)],
            "placed": placed,
            "fraud": fraud.astype(int),
            "told": placed + pd.to_timedelta(rng.integers(1, 600, rows), unit="s"),
            "total": amount,
            "loss": np.where(fraud, amount, 0.0),
            "margin": np.round(amount * 0.1 - 1, 2),
            "ccy": "USD",
            "score": np.clip(rng.normal(fraud * 1.8, 1.0), -5, 5),  # an honest AUC of about 0.9
            "action": np.where(rng.random(rows) < 0.05, "review", "approve"),
            "region": np.where(rng.random(rows) < 0.4, "NO", "ID"),
            "buyer": rng.integers(0, 900, rows),
            "let": np.round(rng.random(rows), 3),
            "device": rng.choice(["ios", "android", "web"], rows),
            "orders_1h": rng.poisson(1 + 3 * fraud),  # an honest velocity feature
            "opened": placed - pd.to_timedelta(rng.integers(1, 400, rows), unit="D"),
            "joined": placed - pd.to_timedelta(rng.integers(1, 4000, rows), unit="h"),
            "cause": np.where(fraud, "chargeback", "silence"),
            "paid": np.where(np.arange(rows) % 3, "card", "cod"),
        }
    )


def look(frame: pd.DataFrame, *, roles: dict[str, object] | None = None, **options: object) -> Checks:
    read = {**OPTIONS, **{key: options.pop(key) for key in ("known_at", "caused_by", "domain") if key in options}}
    return check(rb.read(frame, roles=roles or ROLES, **read), **{"asof": "2026-06-01", "book": ["TX-001"], **options})


def found(checks: Checks) -> dict[str, str]:
    return dict(zip(checks.frame()["code"], checks.frame()["severity"], strict=True))


def test_one_page_a_code_and_one_code_a_page() -> None:
    assert len(set(CODES)) == len(CODES)
    assert {path.stem for path in PAGES.glob("*.md")} == set(CODES)
    for one in CHECKS:
        text = (PAGES / f"{one.code}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {one.code}: {one.title}\n")
        assert f"Severity: {one.severity}:" in text
        for part in ("## What it means", "## Why it matters", "## Example", "## What to do"):
            assert part in text


@pytest.mark.parametrize("code", CODES)
def test_the_example_of_a_page_is_what_comes_out(code: str) -> None:
    """Each page's example is run: it is a case on which the check fires."""
    text = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    block = text.partition("```python\n")[2].partition("```")[0]
    example = doctest.DocTestParser().get_doctest(block, {}, code, None, 0)
    assert code in block
    assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example).failed == 0
    assert len(example.examples) >= 5


def test_all_checks_pass_on_clean_events() -> None:
    checks = look(clean())
    answers = checks.frame("all").set_index("code")
    assert checks.frame().empty
    assert (answers["answer"] == "passed").all(), answers[answers["answer"] != "passed"]
    assert checks.ok
    assert set(checks.leaks) == {"told", "loss", "cause"}  # known after the verdict by their roles


def broken(frame: pd.DataFrame, column: str, value: object, rows: object = slice(0, 3)) -> pd.DataFrame:
    changed = frame.copy()
    changed[column] = changed[column].astype(object)
    changed.loc[changed.index[rows], column] = value
    return changed.infer_objects()


@pytest.mark.parametrize(
    ("code", "severity", "column", "value", "rows"),
    [
        ("RB001", "error", "order", None, slice(0, 3)),
        ("RB002", "error", "order", "o5", slice(0, 3)),
        ("RB003", "warning", "placed", pd.NaT, slice(0, 3)),
        ("RB004", "warning", "placed", pd.Timestamp("2025-12-31"), slice(5, 6)),
        ("RB005", "error", "placed", pd.Timestamp("2027-01-01"), slice(-1, None)),
        ("RB007", "error", "told", pd.Timestamp("2025-01-01"), slice(0, 3)),
        ("RB009", "warning", "cause", "TX-001", slice(0, 3)),
        ("RB012", "error", "total", float("inf"), slice(0, 3)),
        ("RB013", "warning", "score", float("nan"), slice(0, 3)),
        ("RB014", "warning", "total", -1.0, slice(0, 3)),
        ("RB015", "warning", "total", 1.005, slice(0, 3)),
        ("RB016", "error", "ccy", "IDR", slice(0, 3)),
        ("RB016", "error", "ccy", "usd", slice(0, 3)),
        ("RB021", "error", "region", "False", slice(0, 3)),
        ("RB022", "warning", "region", None, slice(0, 3)),
        ("RB023", "error", "action", "maybe", slice(0, 3)),
        ("RB027", "error", "let", 2.0, slice(0, 3)),
        ("RB018", "error", "fraud", 0, slice(None)),
        ("RB018", "error", "fraud", 1, slice(None)),
        ("RB017", "error", "fraud", 2, slice(0, 3)),
        ("RB024", "info", "device", "web", slice(None)),
        ("RB028", "warning", "action", "block", slice(None)),
        ("RB029", "warning", "paid", "card", slice(None)),
    ],
)
def test_a_check_fires_on_its_fault(code: str, severity: str, column: str, value: object, rows: slice) -> None:
    checks = look(broken(clean(), column, value, rows))
    assert found(checks).get(code) == severity, checks.frame()
    row = checks.frame().set_index("code").loc[code]
    assert row["count"] > 0
    assert row["advice"]
    answers = checks.frame("all").set_index("code")
    assert answers.loc[code, "answer"] == "found"


def test_a_fault_fires_its_own_check_only() -> None:
    assert set(found(look(broken(clean(), "total", -1.0)))) == {"RB014"}
    assert set(found(look(broken(clean(), "region", None)))) == {"RB022"}
    assert set(found(look(broken(clean(), "cause", "TX-001")))) == {"RB009"}


def test_the_future_begins_at_now_else_at_the_asof_else_at_present() -> None:
    old, far = (pd.DataFrame({"id": [1], "t": [when]}) for when in ("2020-01-01", "2199-01-01"))
    assert "RB005" not in found(check(rb.read(old, roles={"id": "id", "time": "t"})))
    assert "RB005" in found(check(rb.read(far, roles={"id": "id", "time": "t"})))
    dataset = rb.read(clean(), roles=ROLES, **OPTIONS)
    assert found(check(dataset, asof="2026-01-02"))["RB005"] == "error"
    assert "RB005" not in found(check(dataset, asof="2026-01-02", now="2026-06-01"))
    assert found(check(dataset, now="2026-01-02"))["RB005"] == "error"
    with pytest.raises(ParameterError, match="not understood"):
        check(dataset, now="soon")


def test_unsorted_rows_are_a_remark_and_not_a_warning() -> None:
    assert found(look(clean().sample(frac=1.0, random_state=1))) == {"RB004": "info"}


def test_a_label_of_dates_counts_as_told_at_the_end_of_its_day() -> None:
    frame = clean()
    frame["told"] = frame["placed"].dt.normalize()
    assert "RB007" not in found(look(frame))
    frame["told"] -= pd.Timedelta(days=1)
    assert found(look(frame))["RB007"] == "error"


# Leakage -----------------------------------------------------------------------------------------------------


def leaky(kind: str, frame: pd.DataFrame) -> object:
    fraud, rng = frame["fraud"].to_numpy() == 1, np.random.default_rng(0)
    return {
        "copy": fraud,
        "inverse": 1 - frame["fraud"],
        "scenario": np.where(fraud, rng.integers(1, 4, len(fraud)), 0),
        "unordered codes": np.where(fraud, 5, rng.integers(0, 10, len(fraud)) // 5 * 9),
        "words": np.where(fraud, rng.choice(["ato", "ring"], len(fraud)), "none"),
        "noisy score": frame["fraud"] + rng.normal(0, 0.2, len(fraud)),
        "reason": np.where(fraud & (rng.random(len(fraud)) < 0.7), "10.4", None),
        "closed": frame["placed"] + pd.to_timedelta(np.where(fraud, -40, -2), unit="D"),
        "reviewed": np.where(fraud & (rng.random(len(fraud)) < 0.7), "confirmed", "open"),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["copy", "inverse", "scenario", "unordered codes", "words", "noisy score", "reason", "closed", "reviewed"],
)
def test_a_leak_is_found_and_named(kind: str) -> None:
    frame = clean()
    frame["extra"] = leaky(kind, frame)
    checks = look(frame)
    assert found(checks) == {"RB008": "error"}
    assert "extra" in checks.leaks
    assert checks.frame()["examples"].item().startswith("extra (")


def test_few_frauds_suffice_for_an_exact_copy_and_not_for_an_ordering() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"order": range(500), "fraud": [1] * 8 + [0] * 492})
    roles = {"id": "order", "label": "fraud"}
    frame["strong"] = frame["fraud"] * 3 + rng.random(500)
    assert check(rb.read(frame, roles=roles)).leaks == ()
    frame["copy"] = frame["fraud"].map({0: "no", 1: "yes"})
    assert check(rb.read(frame, roles=roles)).leaks == ("copy",)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 2.2))
def test_an_honest_feature_is_never_called_a_leak(seed: int, shift: float) -> None:
    """Up to a shift of 2.2 standard deviations (AUC 0.94) a feature is strong and honest."""
    rng = np.random.default_rng(seed)
    fraud = rng.random(4000) < 0.05
    frame = pd.DataFrame(
        {
            "order": range(4000),
            "fraud": fraud.astype(int),
            "score": rng.normal(fraud * shift, 1.0),
            "velocity": rng.poisson(1 + 2 * shift * fraud),
            "word": rng.choice(list("abcdefgh"), 4000),
            "flag": rng.random(4000) < 0.02 + 0.4 * fraud,
            "gaps": np.where(rng.random(4000) < 0.3, np.nan, rng.random(4000)),
        }
    )
    assert check(rb.read(frame, roles={"id": "order", "label": "fraud"})).leaks == ()


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_ranking_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    values, fraud = np.array([value for value, _ in rows]), np.array([is_fraud for _, is_fraud in rows])
    pairs = [(a > b) + 0.5 * (a == b) for a in values[fraud] for b in values[~fraud]]
    assert ranking(values, fraud) == pytest.approx(sum(pairs) / len(pairs) if pairs else 0.5)


# Decision points and circles ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decision", "known", "late"),
    [
        ("checkout", "delivery", True),
        ("delivery", "delivery", False),
        ("return", "delivery", False),
        ("Pre-Ship", "pre_ship", False),
        (None, "return", True),
        (None, "checkout", False),
        ("checkout", "verdict", True),
    ],
)
def test_a_column_known_later_than_the_decision_is_found(decision: str | None, known: str, *, late: bool) -> None:
    checks = look(clean(), roles={**ROLES, "decision_point": decision}, known_at={"device": known})
    assert (found(checks).get("RB010") == "error") is late
    assert ("device" in checks.leaks) is late


def test_a_decision_point_that_is_a_column_takes_the_earliest_moment() -> None:
    frame = clean()
    frame["point"] = np.where(np.arange(len(frame)) % 2, "checkout", "delivery")
    roles = {**ROLES, "decision_point": "point"}
    assert "RB010" in found(look(frame, roles=roles, known_at={"device": "delivery"}))
    assert "RB010" not in found(look(frame, roles=roles, known_at={"device": "checkout"}))


def test_a_moment_that_is_none_is_told() -> None:
    checks = look(clean(), known_at={"device": "lunch"})
    assert "is no moment" in checks.frame()["examples"].item()


def test_onboarding_decides_at_the_application() -> None:
    frame = clean(300)[["order", "device"]]
    dataset = rb.read(frame, roles={"id": "order"}, domain="onboarding", known_at={"device": "kyc check"})
    assert "RB010" in found(check(dataset))


def test_a_moment_after_the_event_is_a_warning_until_it_is_declared() -> None:
    frame = clean()
    frame["shipped"] = frame["placed"] + pd.Timedelta(days=2)
    checks = look(frame)
    assert found(checks) == {"RB011": "warning"}
    assert "shipped" in checks.leaks
    assert "RB011" not in found(look(frame, known_at={"shipped": "checkout"}))


def test_the_score_under_test_is_circular_too_and_a_book_may_be_a_book() -> None:
    frame = broken(clean(), "cause", "score")
    assert "RB009" in found(look(frame, book=()))  # the role's name
    frame = broken(clean(), "cause", "model-7")
    assert "RB009" not in found(look(frame))
    assert "RB009" in found(look(frame, score="model-7"))

    class Rule:
        id = "TX-009"

    class Book:
        rules = (Rule(),)

    assert "RB009" in found(look(broken(clean(), "cause", "TX-009"), book=Book()))


# The rest ----------------------------------------------------------------------------------------------------


def test_the_young_tail_grows_from_a_remark_to_a_warning() -> None:
    frame = clean()
    for share, severity in ((0.05, "info"), (0.3, "warning")):
        cut = frame.copy()
        tail = cut.index[int(len(cut) * (1 - share)) :]
        cut["fraud"] = cut["fraud"].astype("Int64")
        cut.loc[tail, ["fraud"]] = pd.NA
        cut.loc[tail, ["told"]] = pd.NaT
        dataset = rb.read(cut, roles=ROLES, mature_after=1.5, **OPTIONS)
        assert found(check(dataset, asof="2026-01-03 03:00")).get("RB020") == severity


def test_few_frauds_in_all_and_by_region() -> None:
    frame = clean()
    frame.loc[frame.index[40:], "fraud"] = 0
    checks = look(frame)
    assert found(checks)["RB019"] == "warning"
    assert "RB025" in found(checks)


def test_columns_that_differ_in_case_only() -> None:
    frame = clean()
    frame["Device"] = "x" + frame["device"]
    assert found(look(frame)) == {"RB026": "warning"}


def test_with_an_id_alone_most_checks_have_nothing_to_look_at() -> None:
    checks = check(rb.read(pd.DataFrame({"id": [1, 2]}), roles={"id": "id"}))
    answers = checks.frame("all")
    assert checks.ok
    assert (answers.loc[answers["answer"] == "not applicable", "why"].str.len() > 5).all()
    assert {"RB001", "RB002", "RB024"} <= set(answers.loc[answers["answer"] == "passed", "code"])


def test_no_events_and_odd_columns_do_not_break_a_check() -> None:
    empty = check(rb.read(pd.DataFrame({"id": [], "x": []}), roles={"id": "id"}))
    assert (empty.frame("all")["why"] == "there are no events").all()
    odd = pd.DataFrame(
        {
            "id": ["a"] * 3,
            "t": pd.to_datetime([None, None, None]),
            "fraud": pd.array([None, None, None], dtype="Int64"),
            "x": [float("nan")] * 3,
            "region": [None] * 3,
            "<b>": [1, 2, 3],
        }
    )
    checks = check(rb.read(odd, roles={"id": "id", "time": "t", "label": "fraud", "amount": "x", "region": "region"}))
    assert {"RB002", "RB003", "RB013", "RB018", "RB022", "RB024"} <= set(found(checks))


def test_the_result_shows_itself_and_hides_values() -> None:
    frame = broken(clean(), "order", "o5")
    frame["<script>alert(1)</script>"] = frame["fraud"]
    frame["secret"] = "ann@example.org"
    checks = look(frame)
    page = checks._repr_html_()
    assert "<script>" not in page
    assert "ann@example.org" not in page + str(checks.to_dict())
    assert "Errors" in page
    assert len(checks.headline()) <= 6
    assert checks.tables == ("findings", "all")
    assert set(checks.frame().columns) == {"code", "severity", "title", "count", "examples", "advice"}
    assert checks.frame()["severity"].tolist() == sorted(checks.frame()["severity"])
    assert "\n" not in repr(checks)
    with pytest.raises(ParameterError):
        checks.frame("nope")


def test_long_ids_are_cut_and_at_most_five_are_shown() -> None:
    frame = pd.DataFrame({"id": ["x" * 500 + str(place // 2) for place in range(40)]})
    row = check(rb.read(frame, roles={"id": "id"})).frame().set_index("code").loc["RB002"]
    assert row["count"] == 40
    assert len(row["examples"]) <= 5 * 42


@pytest.mark.public
def test_the_scenario_of_the_handbook_data_is_a_leak(public_data: Path) -> None:
    roles = {
        "id": "TRANSACTION_ID",
        "time": "TX_DATETIME",
        "label": "TX_FRAUD",
        "amount": "TX_AMOUNT",
        "entities": ["CUSTOMER_ID", "TERMINAL_ID"],
    }
    checks = check(rb.read(public_data / "txn_fdh_2018q2.parquet", roles=roles))
    assert checks.leaks == ("TX_FRAUD_SCENARIO",)
    assert found(checks) == {"RB008": "error"}


@pytest.mark.public
def test_the_auctions_have_no_leak_by_name(public_data: Path) -> None:
    roles = {"id": "Record_ID", "label": "Class", "entities": ["Auction_ID", "Bidder_ID"]}
    assert check(rb.read(public_data / "auctions_shill_bidding.parquet", roles=roles)).ok


@pytest.mark.public
def test_every_public_file_reads_and_is_checked(public_data: Path) -> None:
    paths = sorted(public_data.glob("*.parquet"))
    assert paths
    for path in paths:
        import pyarrow.parquet as pq

        dataset = rb.read(path, roles={"id": pq.read_schema(path).names[0]})
        assert len(dataset.frame()) == dataset.rows == pq.read_metadata(path).num_rows
        assert not check(dataset).frame("all").empty
