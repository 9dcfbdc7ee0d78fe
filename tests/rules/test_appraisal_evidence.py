"""Is a rule called free to go only where enough events were looked at, and are numbers told with their unit?"""

import pandas as pd
import pytest

import riskbench as rb

BOOK = rb.RuleBook.from_yaml("""
book: demo
domain: transactions
rules:
  - {id: A, when: x > 5, outcome: review, status: live}
  - {id: B, when: x > 999999, outcome: block, status: live}
  - {id: C, when: x > 3, outcome: review, status: draft}
""")


def appraised(rows, *, days=30.0, missing=False):
    frame = pd.DataFrame(
        {
            "id": range(rows),
            "x": [None if missing else float(n % 10) for n in range(rows)],
            "fraud": [int(n % 10 > 2) for n in range(rows)],
            "time": pd.Timestamp("2026-01-01", tz="UTC")
            + pd.to_timedelta([days * n / max(1, rows) for n in range(rows)], "D"),
        }
    ).astype({"x": "float64"})
    events = rb.read(frame, roles=rb.Roles(id="id", label="fraud", time="time"))
    return rb.appraise(rb.simulate(BOOK, events))


@pytest.mark.parametrize(
    ("rows", "days", "missing", "said"),
    [
        (1, 30, False, "only 1 events"),
        (500, 30, False, "only 500 events"),
        (999, 30, False, "only 999 events"),
        (2_000, 3, False, "only 3.0 days"),
        (2_000, 30, True, "x is missing in every event"),
        (2_000, 30, False, None),
    ],
)
def test_a_rule_without_a_hit_is_free_to_go_only_on_enough_events(rows, days, missing, said):
    found = appraised(rows, days=days, missing=missing)
    row = found.frame("retire").set_index("rule").loc["B"]
    first = found.headline()[0]
    if said is None:
        assert (row["verdict"], first.value) == ("dead", "1 of 2")
        assert "below 0.15" in row["why"]
        assert "below 0.15" in found.notes[0]
    else:
        assert row["verdict"] == "not measurable"
        assert said in row["why"]
        assert pd.isna(row["goes"])
        assert first.value in (None, "0 of 2")


def test_the_span_stands_in_the_first_note_and_units_beside_numbers():
    found = appraised(2_000)
    assert "2026-01-01 to 2026-01-30" in found.notes[0]
    cards = {fact.name: fact for fact in found.headline()}
    assert cards["The live rules together"].note.startswith("weighted events; ")
    assert "a launch plan judges on the last third" in cards["Making C live"].note
    assert "2026-01-01 to 2026-01-30" in cards["Making C live"].note
