"""Does diff tell what lies between two real runs, and nothing that does not?"""

from __future__ import annotations

import shutil
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from watched import MOVED_BOOK, Place, events

import riskbench as rb
from riskbench import cli
from riskbench.errors import ParameterError, PlaybookError
from riskbench.privacy import key_file, key_near
from riskbench.runner import shares, today
from riskbench.runner.apart import compared
from riskbench.runner.deltas import deltas, table


@pytest.fixture(autouse=True)
def no_extra_run(monkeypatch):
    """Refuse mixed cases: these changes can be told without one."""
    monkeypatch.setattr(today, "carried_out", lambda *_, **__: pytest.fail("it ran a case"))


def parts(found: rb.RunDiff, fact: str) -> dict[str, float]:
    own = found.parts[found.parts["fact"] == fact]
    return dict(zip(own["part"], own["change"], strict=True))


def test_a_run_and_itself_and_the_same_run_again(place: Place):
    again = place.run(out=place.root / "runs2")
    for other in (place.first, again):
        found = rb.diff_runs(place.first, other)
        assert found.same, found.headline()
        assert found.factors == ()
        assert [str(fact) for fact in found.headline()] == ["The two runs are: the same"]
        assert set(found.facts["how"]) == {"the same"}
        assert found.facts["change"].dropna().eq(0).all()
        assert found.summary[["gained", "lost", "changed"]].to_numpy().sum() == 0
        assert not len(found.parameters)
        assert not len(found.rules)
        assert found.runs == 0


def test_one_thing_alone_takes_the_whole_change(place: Place):
    weighed = place.run(weight=2.0)
    found = rb.diff_runs(place.first, weighed)
    assert found.factors == ("parameters",)
    assert found.parameters.to_numpy().tolist() == [["weight", "parameters", "1.0", "2.0"]]
    assert parts(found, "Weighted") == {"parameters": 89.0}
    assert parts(found, "Alerts") == {"parameters": 0.0}
    assert found.facts.set_index("fact").loc["Weighted", "how"] == "as if independent, on the same events"
    assert not len(found.rows)

    (place.root / "book.yaml").write_text(MOVED_BOOK, encoding="utf-8")
    ruled = place.run(out=place.root / "runs2")
    found = rb.diff_runs(place.first, ruled)
    assert found.factors == ("rules",)
    assert not len(found.parameters), "the path is the same, what stands there is not"
    assert found.rules["rule"].to_list() == ["W-1", "W-3"]
    assert found.rules["change"].to_list() == ["changed", "gained"]
    change = float(found.facts.set_index("fact").loc["Alerts", "change"])
    assert change > 0
    assert parts(found, "Alerts") == {"rules": change}
    rules = found.rows[found.rows["table"] == "rules"]
    assert {tuple(row) for row in rules[["entry", "change"]].to_numpy()} == {("W-1", "changed"), ("W-3", "gained")}

    back = rb.diff_runs(ruled, place.first)
    assert parts(back, "Alerts") == {"rules": -change}
    assert set(back.rows[back.rows["table"] == "rules"]["change"]) == {"changed", "lost"}


def test_data_edited_in_place_is_gone_for_a_mixed_case(place: Place):
    frame = events(400)
    frame.loc[frame["buyer"] == 5, "buyer"] = 77
    frame = frame.iloc[:390]
    frame.to_csv(place.root / "data" / "events.csv", index=False)
    moved = place.run(out=place.root / "runs2")
    found = rb.diff_runs(place.first, moved)
    assert found.factors == ("data",)
    data = found.data.set_index("what")
    assert data.loc["events", ["before", "after"]].to_list() == ["400", "390"]
    assert not data.loc["fingerprint", "same"]
    assert set(parts(found, "Alerts")) == {"data"}, "nothing else differs, so the old data is not needed"
    people = found.rows[found.rows["table"] == "members"].set_index("entry")["change"].to_dict()
    assert people["77"] == "gained"
    assert people["5"] == "lost"
    assert set(found.rows.loc[found.rows["table"] == "members", "column"]) == {"buyer"}

    both = place.run(out=place.root / "runs2", weight=3.0)
    found = rb.diff_runs(place.first, both)
    assert found.factors == ("data", "parameters")
    assert not len(found.parts)
    assert "The data of the run before is not there any more" in found.why
    assert any("not measurable" in note for note in found.notes)
    asked = rb.diff_runs(place.first, both, explain=False)
    assert asked.why == ""
    assert not len(asked.parts)


def test_wrong_use_is_answered(place: Place, tmp_path, monkeypatch):
    with pytest.raises(ParameterError, match="two at once"):
        rb.diff_runs(place.first, place.first, jobs=3)
    other = place.out / "other"
    shutil.copytree(place.first, other)
    text = (other / "run.json").read_text("utf-8")
    (other / "run.json").write_text(
        text.replace('"watch"', '"count"').replace(place.record()["id"], "20260101-00000000"), encoding="utf-8"
    )
    with pytest.raises(PlaybookError, match="different playbooks"):
        rb.diff_runs(place.first, other)


def test_the_commands_say_it_in_short_and_exit_by_it(place: Place, monkeypatch, capsys):
    monkeypatch.setattr(cli.entry.signal, "signal", lambda *_: None)

    def told(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["riskbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        held = capsys.readouterr()
        return ended.value.code, held.out + held.err

    name = place.first.name
    assert told("verify", name)[0] == 0
    code, out = told("verify", place.record()["id"][:12], "--out", "runs")
    assert (code, out.splitlines()[0]) == (0, f"still true: run {place.record()['id']}, watch")
    assert told("diff", name, name)[0] == 0
    (place.root / "book.yaml").write_text(MOVED_BOOK, encoding="utf-8")
    code, out = told("verify", place.first / "lead.html")
    assert code == 1
    assert "rules moved" in out.splitlines()[0]
    assert "W-1  limit 400 -> 250" in out
    later = place.run(out=place.root / "runs2").folder
    page = place.root / "diff.html"
    code, out = told("diff", name, later, "--html", page, "--no-rerun")
    assert code == 1
    assert "Alerts" in out
    assert "W-3" in out
    text = page.read_text("utf-8")
    assert "http" not in text.replace("http-equiv", "")
    assert 'alt="What lies between two runs' in text
    assert ">W-3<" in text
    assert told("diff", name, "nosuch")[0] == 2
    assert told("verify", "nosuch")[0] == 2
    assert told("diff", name, later, "--html", place.root / "no" / "x.html")[0] == 2
    assert told("diff", name)[0] == 2
    assert shares.MOST_RUNS == 6


def test_a_diary_is_not_compared(monkeypatch):
    held = {"name": "r", "kind": "incident_record", "main": "timeline", "tables": {"timeline": "x"}}
    tables = {"incident_record": 0, "watch": 1}
    for kind, rows in tables.items():
        first, last = (
            SimpleNamespace(results=({**held, "kind": kind},), table=lambda *_, at=at: pd.DataFrame({"at": [at]}))
            for at in ("10:00", "10:01")
        )
        summary, told = compared(first, last)
        assert (len(summary), len(told)) == (rows, 2 * rows), "one row lost, one gained"


def test_a_page_names_no_buyer_and_the_table_does(tmp_path):
    first = pd.DataFrame({"entity": ["B1AAAA", "S1BBBB"], "column": ["buyer_id", "seller_id"], "events": [1, 2]})
    last = pd.DataFrame({"entity": ["B2CCCC", "S1BBBB"], "column": ["buyer_id", "seller_id"], "events": [3, 4]})
    held = {"name": "entities", "kind": "entities", "main": "members", "tables": {"members": "x"}}
    before, after = (SimpleNamespace(results=(held,), table=lambda *_, at=at: at) for at in (first, last))
    summary, rows = compared(before, after)
    assert rows[["column", "entry", "change"]].to_numpy().tolist() == [
        ["buyer_id", "B2CCCC", "gained"],
        ["buyer_id", "B1AAAA", "lost"],
        ["seller_id", "S1BBBB", "changed"],
    ]
    (tmp_path / "run").mkdir()
    key_file(tmp_path)
    empty = pd.DataFrame()
    found = rb.RunDiff(
        before="a",
        after="b",
        playbook="watch",
        factors=("data",),
        facts=table(deltas([], [], same_events=False)),
        parts=pd.DataFrame(columns=["fact", "part", "change"]),
        parameters=pd.DataFrame(columns=["parameter", "part", "before", "after"]),
        data=pd.DataFrame(columns=["what", "before", "after", "same"], dtype=bool),
        rules=empty,
        cuts=empty,
        paired=empty,
        summary=summary,
        rows=rows,
        pages={"facts": ("", empty), "parts": ("", empty)},
        _place=tmp_path / "run",
    )
    page = found.page()
    assert "B1AAAA" not in page
    assert "B2CCCC" not in page
    assert f">{key_near(tmp_path / 'run').pseudonym('B1AAAA', 'person')}<" in page, "as on the run's own pages"
    assert ">S1BBBB<" in page, "a seller must be traceable"
    assert page.count("Content-Security-Policy") == 1
    assert page == found.page()
