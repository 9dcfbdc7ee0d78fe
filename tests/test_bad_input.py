"""What goes wrong says so once, clearly: what was wrong, what was got, what is allowed, what to try."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.errors import ColumnNotFoundError, DataError, InfeasibleError, ParameterError, RiskbenchError, RuleError

BOOK = """
book: small
domain: transactions
rules:
  - {id: TX-1, when: "amount > :limit", params: {limit: {default: 50, min: 1, max: 500}}, outcome: review, status: live}
"""


def frame(rows: int = 400, *, fraud: float = 0.2, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = (rng.random(rows) < fraud).astype(int)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 80 * 86_400, rows)), unit="s"),
            "amount": rng.lognormal(3.5, 1, rows).round(2),
            "region": rng.choice(["ID", "NO", "BR"], rows),
            "score": np.clip(0.3 * label + rng.random(rows) * 0.7, 0, 1),
            "fraud": label,
        }
    )


ROLES = {"id": "id", "time": "at", "amount": "amount", "label": "fraud", "region": "region", "score": "score"}


def read(table: pd.DataFrame, **roles: str) -> rb.Dataset:
    return rb.read(table, roles={**ROLES, **roles})


def test_unknown_column_names_the_nearest():
    with pytest.raises(ColumnNotFoundError) as wrong:
        read(frame(), amount="amuont")
    assert "'amuont'" in str(wrong.value)
    assert "did you mean 'amount'" in str(wrong.value)


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("amuont > 5", "did you mean"),
        ("amount >", "^"),
        ("amount > 'much'", "^"),
        ("amount", "^"),
        ("region > 5", "^"),
        ("amount > :limti", "limti"),
        ("read_csv('secrets.csv') > 1", "read_csv"),
        ("amount > (SELECT 1)", "^"),
        ("getenv('HOME') = 'x'", "getenv"),
        ("amount > 1; DROP TABLE events", "^"),
        ("random() > 0.5", "random"),
    ],
)
def test_a_wrong_rule_points_at_the_place(when, told):
    book_error: RiskbenchError | None = None
    try:
        book = rb.RuleBook(
            name="b", rules=(rb.Rule(id="TX-9", when=when, outcome="review", status="live"),), domain="transactions"
        )
        rb.simulate(book, read(frame()))
    except RuleError as error:
        book_error = error
    assert book_error is not None, "the rule was taken"
    assert told in str(book_error)
    assert "TX-9" in str(book_error)


@pytest.mark.parametrize("content", ["", "\n\n", "\x00\x01"])
def test_empty_or_broken_file(content, tmp_path):
    for name in ("events.csv", "events.jsonl", "events.parquet"):
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(DataError) as wrong:
            rb.read(path, roles=ROLES)
        assert name in str(wrong.value)


def test_missing_file_and_empty_glob(tmp_path):
    (tmp_path / "orders.csv").write_text("id\n1\n")
    with pytest.raises(DataError, match=r"orders\.csv"):
        rb.read(tmp_path / "order.csv", roles={"id": "id"})
    with pytest.raises(DataError):
        rb.read(str(tmp_path / "*.parquet"), roles={"id": "id"})


def test_no_events_zero_frauds_all_frauds():
    for table in (frame().head(0), frame(fraud=0.0), frame(fraud=1.1)):
        with pytest.raises(DataError) as wrong:
            rb.calibrate(read(table))
        assert str(wrong.value).strip()
        found = rb.simulate(rb.RuleBook.from_yaml(BOOK), read(table))
        assert found._repr_html_()


def test_a_region_without_events_is_no_fault_of_the_book():
    book = rb.RuleBook.from_yaml(BOOK.replace("status: live", 'status: live, regions: {"TH": {limit: 5}}'))
    with_override, without = (
        rb.simulate(b, read(frame())).frame()["hits"].tolist() for b in (book, rb.RuleBook.from_yaml(BOOK))
    )
    assert with_override == without


def test_missing_scores_are_never_hit_and_said():
    table = frame()
    table.loc[table.index % 3 == 0, "score"] = np.nan
    calibration = rb.calibrate(read(table))
    everyone = calibration.frame("curve")["alerts"].max()
    assert everyone <= table["score"].notna().sum()
    assert any("score" in note for note in calibration.notes)


def test_doubled_and_missing_ids_are_found():
    table = frame()
    table["id"] = table["id"].astype(float)
    table.loc[5, "id"] = 4
    table.loc[9, "id"] = np.nan
    found = rb.check(read(table)).frame()
    assert found["title"].str.contains("id", case=False).any()
    assert (found["severity"] == "error").any()


def test_infeasible_limits_name_the_nearest_point():
    with pytest.raises(InfeasibleError) as wrong:
        rb.calibrate(read(frame()), subject_to=[rb.at_least("recall", 0.99), rb.at_most("alert_rate", 0.01)])
    assert wrong.value.nearest_point
    assert "recall" in str(wrong.value)


def test_wrong_options_of_verbs():
    data = read(frame())
    with pytest.raises(ParameterError, match="review_rate"):
        rb.at_most("reviewrate", 0.1)
    with pytest.raises(ParameterError, match="0\\.\\.1"):
        rb.at_most("review_rate", 3)
    with pytest.raises(ParameterError, match="margin"):
        rb.Costs.from_mapping({"margn": 0.1})
    with pytest.raises(RiskbenchError, match="TX-1"):
        rb.calibrate(data, rule_param="TX-1.limt", given=rb.RuleBook.from_yaml(BOOK))
    with pytest.raises(RiskbenchError):
        rb.calibrate(data, score="scor")


def command(*arguments: str, cwd) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "riskbench", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("run", "threshold_calibration", "-p", "max_review_rate=lots"), 2, "max_review_rate"),
        (("run", "threshold_calibration", "-p", "max_review_rate=7"), 2, "max_review_rate"),
        (("run", "threshold_calibration", "-p", "regoin=ID"), 2, "region"),
        (("run", "threshold_calibraton"), 2, "threshold_calibration"),
        (("rules", "check", "book.yaml"), 1, "^"),
        (("rules", "check", "nowhere.yaml"), 2, "nowhere.yaml"),
    ],
)
def test_the_command_line_refuses_with_one_message(arguments, code, told, tmp_path):
    (tmp_path / "book.yaml").write_text(BOOK.replace("amount > :limit", "amount >> :limit AND"))
    ended = command(*arguments, cwd=tmp_path)
    said = ended.stdout + ended.stderr
    assert ended.returncode == code, said
    assert told in said
    assert "Traceback" not in said
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").glob("*/notebook.ipynb"))
