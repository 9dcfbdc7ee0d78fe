"""Does every kind of result keep the one convention, also when the data is hostile?"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, is_dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory

import house
import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.display import Fact, Result, result
from riskbench.display.result import PROVENANCE
from riskbench.rules.param import Param

#: Results whose very answer is a dataset: the events with a new column.
GIVES_A_DATASET = {"baseline"}
#: Text that would run, break out of an attribute, or close a cell if it were not escaped.
HOSTILE = "<script>alert(1)</script><svg onload=x>\"'&</td>"


def _declared() -> list[str]:
    """Return `module:Class` of every class in the sources that is made a result."""
    return sorted(
        f"{'.'.join(path.relative_to(house.ROOT).with_suffix('').parts)}:{node.name}"
        for path in house.SOURCES
        for node in house.tree_of(path).body
        if isinstance(node, ast.ClassDef)
        and node.name != "Result"
        and ("result" in map(ast.unparse, node.decorator_list) or "Result" in map(ast.unparse, node.bases))
    )


def _kind(declared: str) -> type[Result]:
    module, name = declared.split(":")
    return getattr(importlib.import_module(module), name)


@pytest.fixture(params=_declared())
def kind(request) -> type[Result]:
    return _kind(request.param)


def test_no_kind_of_result_escapes_the_walk():
    house.modules()
    found, waiting = set(), [Result]
    while waiting:
        subs = waiting.pop().__subclasses__()
        found |= {sub for sub in subs if sub.__module__.startswith("riskbench.")}
        waiting += subs
    assert found == {_kind(declared) for declared in _declared()}


def test_a_kind_of_result_declares_itself(kind):
    assert is_dataclass(kind)
    assert kind.__dataclass_params__.frozen, "use @result"
    assert not kind.__dataclass_params__.eq, "use @result: frames do not compare"
    assert all(field.kw_only for field in fields(kind)), "use @result: facts are given by name"
    assert "kind" in vars(kind), "its own kind"
    assert re.fullmatch(r"[a-z][a-z_]*", kind.kind)
    assert kind.title != Result.title, "its own title"
    for name in ("__repr__", "_repr_html_", "_repr_mimebundle_", "to_dict", "frame", "plot"):
        assert getattr(kind, name) is getattr(Result, name), f"{name} comes from Result"
    assert inspect.getdoc(kind), "a docstring that names its tables and their units"


def test_a_kind_of_result_holds_no_events_and_no_producer(kind):
    if kind.kind in GIVES_A_DATASET:
        return
    held = {field.name: str(field.type) for field in fields(kind)}
    wrong = {
        name: held[name] for name in held if re.search(r"\b(Dataset|Table|Connection|DuckDB\w*|Engine)\b", held[name])
    }
    assert not wrong


def test_kinds_are_unique():
    names = [_kind(declared).kind for declared in _declared()]
    assert len(names) == len(set(names))


# -- specimens: what the verbs make of small, hostile data ------------------------------------------------


@result
class _Hostile(Result):
    kind = "hostile"
    title = HOSTILE
    main = "rows"
    rows: pd.DataFrame

    def headline(self) -> tuple[Fact, ...]:
        return (Fact(HOSTILE, HOSTILE, "text", note=HOSTILE), Fact("None", None, note=HOSTILE))


def _hostile() -> Result:
    frame = pd.DataFrame(
        {HOSTILE: [HOSTILE, None], "rate": [0.5, float("nan")], "at": [pd.Timestamp("2026-01-01")] * 2}
    )
    return _Hostile(rows=frame, notes=(HOSTILE,), provenance={HOSTILE: HOSTILE, "nan": float("nan")})


@cache
def _events() -> rb.Dataset:
    rng = np.random.default_rng(3)
    rows = 900
    score = rng.random(rows)
    placed = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 90 * 86_400, rows)), unit="s")
    frame = pd.DataFrame(
        {
            "order": [f"{HOSTILE}{row}" for row in range(rows)],
            "placed": placed,
            "amount": rng.integers(1, 900, rows).astype(float),
            "score": score,
            "fraud": (rng.random(rows) < score**4).astype(int),
            "land": rng.choice([HOSTILE, "NO", "ID"], rows),
            "buyer": rng.integers(0, 200, rows),
        }
    )
    frame["told"] = frame["placed"] + pd.Timedelta(days=2)
    roles = rb.Roles(
        id="order", time="placed", amount="amount", score="score", label="fraud", label_time="told", region="land"
    )
    return rb.read(frame, roles=roles, name=HOSTILE)


@cache
def _book() -> rb.RuleBook:
    return rb.RuleBook.from_yaml(
        """
        book: hostile
        domain: transactions
        rules:
          - {id: TX-1, title: '<script>alert(1)</script>', when: "amount > :limit", params: {limit: 700},
             outcome: review, priority: 10, status: live}
          - {id: TX-2, title: none, when: "land = '<script>'", outcome: block, priority: 20, status: live}
        """
    )


def _governed() -> rb.RuleBook:
    """Return the hostile book with lists and deviations whose words and values are hostile too."""
    book = _book().with_list(
        "soft", {"values": [HOSTILE, "NO"], "kind": "block", "column": "land", "outcome": "review"}
    )
    book = book.with_list("free", {"values": [7, 8, 9], "kind": "vip", "column": "buyer", "owner": HOSTILE})
    said = {"reason": HOSTILE, "approver": HOSTILE, "expires": "2027-01-31"}
    return book.with_deviation(rb.Deviation("TX-1", HOSTILE, params={"limit": 90}, **said))


def _quoted() -> str:
    return "'" + HOSTILE.replace("'", "''") + "'"


def _hostile_rules() -> rb.RuleBook:
    rules = (
        rb.Rule("<b>1", f"land = {_quoted()} OR buyer = 3 AND amount > 2000", "block", title=HOSTILE, status="live"),
        rb.Rule("B", f"land <> {_quoted()} AND score > 0.999", "review", status="live"),
    )
    return rb.RuleBook(name="hostile", domain="transactions", rules=rules)


def _comparison() -> Result:
    changed = _book().with_params({"TX-1": {"limit": 500}})
    return rb.compare(rb.simulate(_book(), _events()), rb.simulate(changed, _events()))


def _change_request() -> Result:
    changed = _book().with_params({"TX-1": {"limit": 500}})
    sides = (rb.simulate(book, _events()) for book in (_book(), changed))
    return rb.request_change(*sides, reason=HOSTILE, requested_by=HOSTILE, title=HOSTILE, chosen_on=HOSTILE)


def _grid() -> Result:
    from types import SimpleNamespace

    from riskbench.runner.grid import GridRun
    from riskbench.runner.overview import readable, rows_of, shared

    facts = (Fact(HOSTILE, 0.5, "share", lower=0.4, upper=0.6), Fact("Rule", HOSTILE, "text", note=HOSTILE))
    jobs = [SimpleNamespace(shown={"region": f"{HOSTILE}{place}", "status": [HOSTILE]}) for place in range(3)]
    ended = {
        0: rb.Run(id="a", playbook="x", status="done", headline=facts, seconds=1.0),
        1: rb.Run(id="b", playbook="x", status="done", headline=facts, seconds=1.0),
        2: rb.Run(id="c", playbook="x", status="failed", message=HOSTILE),
    }
    axes = ("region", "status")
    rows = rows_of(jobs, ended, axes, kept={0: ended[0]}, again={2: HOSTILE})
    told = {"overview": (HOSTILE, readable(rows, axes, ended))}
    return GridRun(
        playbook="x", overview=rows, axes=axes, runs=tuple(ended.values()), notes=shared(rows, axes), pages=told
    )


@cache
def _crowded() -> rb.Simulation:
    """Return a book with a rule of every verdict, and a draft."""
    text = """
        book: crowded
        domain: transactions
        rules:
          - {id: "<script>TX-1", when: amount > 700, outcome: review, priority: 10, status: live}
          - {id: TX-2, when: amount > 700, outcome: review, priority: 20, status: live}
          - {id: TX-3, when: amount > 800, outcome: block, priority: 30, status: live}
          - {id: TX-4, when: amount < 0, outcome: block, priority: 20, status: live}
          - {id: TX-5, when: score < 0.5 AND amount < 100, outcome: block, priority: 20, status: live}
          - {id: TX-6, when: score > 0.8, outcome: block, priority: 5, status: live}
          - {id: TX-7, when: score > 0.6, outcome: block, status: draft}
        """
    return rb.simulate(rb.RuleBook.from_yaml(text), _events())


def _catalogue() -> Result:
    from riskbench.runner.catalogue import Catalogue

    row = dict.fromkeys(("id", "title", "question", "domain", "owner", "cadence", "produces", "origin"), HOSTILE)
    gone = {"id": [HOSTILE], "origin": [HOSTILE], "file": [HOSTILE]}
    return Catalogue(
        playbooks=pd.DataFrame([{**row, "parameters": 3}]),
        shadowed=pd.DataFrame({**gone, "shadowed_by": [HOSTILE]}),
        unreadable=pd.DataFrame({**gone, "problem": [HOSTILE]}),
        asked=HOSTILE,
        near=HOSTILE,
        notes=(HOSTILE,),
    )


def _session() -> Result:
    from riskbench.runner.session import Session

    rows = pd.DataFrame({"name": ["source"], "value": [HOSTILE], "given": ["yes"], "help": [HOSTILE]})
    return Session(playbook=HOSTILE, values={"source": HOSTILE}, parameters=rows, notes=(HOSTILE,))


def _finished() -> Result:
    from riskbench.runner.session import Finished

    return Finished(playbook=HOSTILE, facts=(Fact(HOSTILE, HOSTILE, "text"),), results=1)


def _scored() -> Result:
    from riskbench.runner.session import Scored

    return Scored(said=HOSTILE)


def _stored() -> Result:
    from riskbench.runner import bundle

    with TemporaryDirectory() as folder:
        bundle.write(Path(folder), [_comparison()])
        (back,) = bundle.read(Path(folder)).values()
        for name in back.tables:
            back.frame(name)
        return back


def _inspection() -> Result:
    from riskbench.rules.inspection import inspect as inspect_book

    rule = "{id: TX-1, title: '" + HOSTILE.replace("'", "''") + "', when: \"amount > '<script>'\", outcome: blok}"
    return inspect_book(f"book: hostile\ndomain: transactions\nrules:\n  - {rule}\n", {"amount": "float"})


@cache
def _explained() -> rb.Explanation:
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame = _events().frame(["amount", "score", "fraud"]).rename(columns={"amount": HOSTILE})
    inputs = frame[[HOSTILE, "score"]]
    model = HistGradientBoostingClassifier(max_iter=5, early_stopping=False).fit(inputs, frame["fraud"])
    return rb.explain(model, inputs.iloc[:60], reference=inputs, reference_name=HOSTILE)


def _alert_shift() -> Result:
    frame = _events().frame(["amount", "score"]).rename(columns={"amount": HOSTILE})
    return rb.explain_alerts(
        lambda held: held[HOSTILE] > 500, frame.iloc[:90], reference=frame, pairs=200, current_name=HOSTILE,
        reference_name=HOSTILE,
    )  # fmt: skip


def _causes() -> Result:
    from riskbench.incidents.causes import why
    from riskbench.incidents.cluster import Cluster
    from riskbench.incidents.scope import scope_of

    frame = _events().frame().rename(columns={"amount": HOSTILE})
    named = rb.read(frame, roles=_events().roles.with_roles(amount=HOSTILE))
    scope = scope_of(rb.Incident("2026-03-01", "2026-04-01"), named)
    picked = np.flatnonzero(scope.current & (frame["score"] > 0.5).to_numpy())
    return why(scope, Cluster(picked, HOSTILE, None, "labels"), reference_name=HOSTILE)


@cache
def _suspected() -> tuple[object, object]:
    """Return a hostile scope and cluster: names of columns, words and rules that would break a page."""
    from riskbench.incidents.cluster import Cluster
    from riskbench.incidents.scope import scope_of

    events = _events()
    roles = events.roles.with_roles(entities=("buyer",), segments=("land",))
    named = rb.read(events.frame().rename(columns={"amount": HOSTILE}), roles=roles.with_roles(amount=HOSTILE))
    scope = scope_of(rb.Incident("2026-03-01", "2026-03-25", title=HOSTILE), named, book=_book())
    score = named.frame(["score"])["score"].to_numpy()
    rows = np.flatnonzero(scope.current & (score > 0.5))
    return scope, Cluster(rows, HOSTILE, None, "segments")


def _coverage() -> Result:
    from riskbench.incidents.coverage import coverage

    return coverage(*_suspected())


def _containment() -> Result:
    from riskbench.incidents.containment import contain

    return contain(*_suspected())


def _entities() -> Result:
    from riskbench.incidents.entities import who
    from riskbench.incidents.scope import scope_of

    rows = np.arange(900)
    frame = _events().frame().assign(device=[HOSTILE if n % 90 < 4 else f"d{n % 200}" for n in rows])
    frame["device"] = frame["device"].where(frame["placed"] > "2026-03-01", [f"d{n % 200}" for n in rows])
    frame["buyer"] = [f"{HOSTILE}{n % 200}" for n in rows]
    roles = _events().roles.with_roles(entities=("buyer", "device"))
    incident = rb.Incident("2026-03-01", "2026-03-15", title=HOSTILE)
    return who(scope_of(incident, rb.read(frame, roles=roles, name=HOSTILE)), links=("device",))


def _scanned() -> Result:
    """A burst of frauds in a hostile segment, and among hostile entities."""
    rng = np.random.default_rng(5)
    rows = 3000
    placed = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 60 * 86_400, rows)), unit="s")
    raid = (placed >= "2026-02-10") & (placed < "2026-02-11") & (rng.random(rows) < 0.8)
    frame = pd.DataFrame(
        {
            "order": np.arange(rows),
            "placed": placed,
            "amount": rng.integers(1, 900, rows).astype(float),
            HOSTILE: np.where(raid, HOSTILE, rng.choice(["a'b", "NO"], rows)),
            "device": np.where(raid & (rng.random(rows) < 0.5), HOSTILE, rng.integers(0, 500, rows).astype(str)),
            "fraud": (rng.random(rows) < np.where(raid, 0.9, 0.01)).astype(int),
        }
    )
    roles = rb.Roles(
        id="order", time="placed", amount="amount", label="fraud", segments=(HOSTILE,), entities=("device",)
    )
    return rb.scan(rb.read(frame, roles=roles, name=HOSTILE))


def _exposure() -> Result:
    from dataclasses import replace

    from riskbench.incidents.exposure import cost

    scope, cluster = _suspected()
    payees = np.array([f"{HOSTILE}{n % 60}" for n in range(scope.dataset.rows)])
    events = scope.dataset.with_columns({f"paid {HOSTILE}": payees})
    runs = ["2026-01-01", "2026-02-20", "2026-03-20", "2026-06-01T02:20+07:00"]
    payouts = {"payee": f"paid {HOSTILE}", "money": "amount", "runs": runs}
    return cost(replace(scope, dataset=events), cluster, payouts=payouts)


def _findings() -> Result:
    roles = _events().roles.with_roles(entities=("buyer",), segments=("land",))
    named = rb.read(_events().frame(), roles=roles, name=HOSTILE)
    return rb.investigate(rb.Incident("2026-03-01", "2026-03-20", title=HOSTILE), named, book=_book()).findings


def _segments() -> Result:
    from riskbench.incidents.incident import Incident
    from riskbench.incidents.measure import Measure
    from riskbench.incidents.scope import scope_of
    from riskbench.incidents.segments import where

    events = _events()
    codes, names = events.segment("land")
    scope = scope_of(Incident("2026-03-01", "2026-03-15"), events)
    struck = scope.current & (codes == names.index(HOSTILE))
    return where(scope, Measure(HOSTILE, HOSTILE, "share", struck.astype(np.int64), np.ones(events.rows)))


def _breakdown() -> Result:
    from riskbench.incidents.breakdown import Breaker
    from riskbench.incidents.dimensions import dimensions
    from riskbench.incidents.incident import Incident
    from riskbench.incidents.measure import measure_of
    from riskbench.incidents.scope import scope_of

    scope = scope_of(Incident("2026-03-01", "2026-03-15"), _events())
    return Breaker(scope, measure_of(scope, "fraud"))(dimensions(scope, columns=["land"])[0])


@cache
def _casebook() -> dict[str, Result]:
    """Return what a casebook with hostile incidents makes: each kind of result by its name."""
    with rb.open_casebook("sqlite://") as book:
        facts = {"scheme": HOSTILE, "people": 7, "rings": [{"id": HOSTILE, "members": [HOSTILE]}], "rules": [HOSTILE]}
        first, second = (book.open(HOSTILE, by=HOSTILE, facts={**facts, "segments": [HOSTILE]}) for _ in range(2))
        book.decide(first, HOSTILE, by=HOSTILE, reason=HOSTILE, alternatives=[HOSTILE])
        book.act(first, HOSTILE, by=HOSTILE, owner=HOSTILE, due="2026-01-01")
        row = {"remedy": "refund", "role": "buyer", "subject": HOSTILE, "what": HOSTILE}
        book.put_right(first, [row, {**row, "what": "paid", "amount": 1.5, "currency": "BRL"}], by=HOSTILE)
        record = book.write(first, "summary", text=HOSTILE, by=HOSTILE)
        return {
            "incident_record": record,
            "incident_list": book.incidents(),
            "incident_page": record.postmortem(),
            "remedy_list": record.remedies(show_ids=True),
            "similar_incidents": book.similar(second),
            "history_check": book.verify(heads={"7": HOSTILE}),
        }


@cache
def _launched() -> tuple[rb.LaunchPlan, Result]:
    """Return the plan and the verdict of a launch in a hostile book: titles, lists of entities and names."""
    events = rb.read(_events().frame(), roles=_events().roles.with_roles(entities=("land",)), name=HOSTILE)
    plan = rb.plan_launch(_book().with_status("TX-1", "draft"), events, steps=["shadow", 0.5, "live"])
    return plan, rb.judge_launch(plan, events, since="2026-02-01", stage=0.5)


def _let_past() -> rb.Dataset:
    """Return events of which history stopped a part and let some of those pass."""
    frame = _events().frame()
    rng = np.random.default_rng(5)
    p = np.where(frame["score"] > 0.5, 0.3, 1.0)
    passed = rng.random(len(frame)) < p
    frame = frame.assign(p=p, did=np.where(passed, "approve", "block"), fraud=frame["fraud"].where(passed))
    return rb.read(frame, roles=_events().roles.with_roles(let_through="p", outcome="did"), name=HOSTILE)


def _drift() -> rb.RuleDrift:
    return rb.watch_rules(rb.simulate(_book(), _events()))


def _timeline() -> Result:
    from riskbench.incidents.incident import Incident
    from riskbench.incidents.scope import scope_of
    from riskbench.incidents.timeline import when

    frame = _events().frame()
    frame["source"] = np.where(frame["fraud"] == 1, HOSTILE, None)
    events = rb.read(frame, roles=_events().roles.with_roles(label_source="source"), name=HOSTILE)
    calendar = pd.DataFrame({"name": [HOSTILE], "first": ["2026-03-02"], "last": ["2026-03-03"]})
    held = scope_of(Incident("2026-03-01", "2026-03-15", title=HOSTILE, measure=f"fraud:{HOSTILE}"), events)
    return when(held, calendar=calendar)


def _swept() -> rb.RuleBook:
    rule = rb.Rule(
        id="LOW",
        when="amount > :limit AND score >= :least",
        outcome="review",
        status="live",
        params={"limit": Param(100, unit=HOSTILE), "least": 0.6},
        regions={HOSTILE: {"limit": 50}},
    )
    return rb.RuleBook(name="swept", domain="transactions", rules=(rule,))


def _verified() -> Result:
    return rb.Verification(
        run=HOSTILE,
        playbook=HOSTILE,
        verdict="edited by hand",
        answers=pd.DataFrame({"question": ["edited by hand"], "answer": ["yes"], "why": [HOSTILE]}),
        files=pd.DataFrame({"file": [HOSTILE], "state": ["changed"]}),
        rules=pd.DataFrame({"rule": [HOSTILE], "change": [HOSTILE]}),
        numbers=pd.DataFrame({"fact": [HOSTILE], "then": [HOSTILE], "now": ["-"], "same": ["no"]}),
    )


def _run_diff() -> Result:
    from fractions import Fraction

    from riskbench.runner.deltas import deltas, in_words, lead, parts_in_words, table

    old = (Fact(HOSTILE, 3.0, "money", lower=1.0, upper=4.0, currency="IDR"), Fact("Said", HOSTILE, "text"))
    new = (Fact(HOSTILE, 9.0, "money", lower=8.0, upper=11.0, currency="IDR"), Fact("Said", None, note=HOSTILE))
    found = deltas(old, new, same_events=False)
    parts = {HOSTILE: {"data": Fraction(5), "rules": Fraction(1)}}
    told = pd.DataFrame({"what": [HOSTILE], "before": [HOSTILE], "after": ["none"], "same": [False]})
    return rb.RunDiff(
        before="20260101-00000000",
        after=HOSTILE,
        playbook=HOSTILE,
        factors=("data", "rules"),
        facts=table(found),
        parts=pd.DataFrame([(HOSTILE, "data", 5.0), (HOSTILE, "rules", 1.0)], columns=["fact", "part", "change"]),
        parameters=pd.DataFrame({"parameter": ["book"], "part": ["rules"], "before": [HOSTILE], "after": ["none"]}),
        data=told,
        rules=pd.DataFrame({"rule": [HOSTILE], "change": ["gained"], "what": [HOSTILE]}),
        cuts=pd.DataFrame({"segment": [HOSTILE], "before": [None], "after": [0.5], "change": [None]}).astype(
            {"before": float, "change": float}
        ),
        paired=pd.DataFrame(),
        summary=pd.DataFrame({"result": [HOSTILE], "table": ["rules"], "gained": [1], "lost": [0], "changed": [2]}),
        rows=pd.DataFrame({"result": [HOSTILE], "entry": [HOSTILE], "change": ["lost"], "what": [HOSTILE]}),
        lead=lead(found),
        pages={"facts": (HOSTILE, in_words(found)), "parts": (HOSTILE, parts_in_words(found, parts))},
        notes=(HOSTILE,),
    )


def _ledger_entry(number: int, status: str):
    from riskbench.store import Entry

    fact = {"name": HOSTILE, "value": HOSTILE, "unit": "text"}
    return Entry(
        id=f"r-{number}",
        playbook=HOSTILE,
        status=status,
        parameters={"region": HOSTILE, HOSTILE: {HOSTILE: number}},
        started=f"2026-01-0{number}T00:00:00",
        headline=(fact,),
        error=f"{HOSTILE}\n{HOSTILE}",
    )


def _run_summary() -> Result:
    from riskbench.widgets.runs import RunSummary

    return RunSummary.of_entry(_ledger_entry(1, "failed"))


def _runs_apart() -> Result:
    from riskbench.widgets.runs import RunsApart

    return RunsApart.of(_ledger_entry(1, "done"), _ledger_entry(2, "failed"), HOSTILE)


def _run_list() -> Result:
    from riskbench.store import Ledger

    with TemporaryDirectory() as folder:
        with Ledger(f"{folder}/riskbench.db") as ledger:
            ledger.begin("r-1", HOSTILE, {"region": HOSTILE})
            ledger.end("r-1", "failed", error=HOSTILE)
        return rb.run_browser(out=folder).result


def _asked_playbook():
    from riskbench.runner.parameters import read_cell
    from riskbench.runner.playbook import Playbook

    parameters = read_cell(f"text: str = {HOSTILE!r}  # {HOSTILE}\ncount: int = 5  # {HOSTILE}")
    told = {"title": HOSTILE, "question": HOSTILE, "owner": HOSTILE, "cadence": HOSTILE, "inputs": (HOSTILE,)}
    return Playbook(id="asked", path=Path("asked.ipynb"), parameters=parameters, code_hash="0", **told)


def _planned_run() -> Result:
    from riskbench.widgets.form import PlaybookForm

    form = PlaybookForm(_asked_playbook(), {})
    form.fields["count"].control.value = HOSTILE
    return form.result


def _playbook_card() -> Result:
    from riskbench.widgets.catalogue import PlaybookCard

    return PlaybookCard.of(_asked_playbook())


def _disputed() -> rb.Dataset:
    frame = _frame_of_disputes()
    roles = rb.Roles(
        id="id", time="at", label="fraud", label_time="told", label_source="source", outcome="outcome", amount="amount"
    )
    return rb.read(frame, roles=roles)


def _frame_of_disputes() -> pd.DataFrame:
    frame = pd.DataFrame({"id": [f"{HOSTILE}{row}" for row in range(400)], "payment_method": "card", "amount": 9.0})
    frame["at"] = pd.date_range("2026-06-15", periods=400, freq="6h")
    frame["fraud"] = (np.arange(400) % 20 == 0).astype(int)
    frame["told"] = (frame["at"] + pd.Timedelta(days=9)).where(frame["fraud"] == 1)
    frame["source"] = np.where(frame["fraud"] == 1, "chargeback", None)
    frame["outcome"] = np.where(np.arange(400) % 3 == 0, "review", "approve")
    return frame


def _not_measured() -> Result:
    from riskbench.errors import DataError
    from riskbench.runner.measured import measured

    def verb(_: object) -> Result:
        raise DataError(HOSTILE, hint=HOSTILE)

    verb.__name__ = HOSTILE
    return measured(verb, None, {})


def _appeals() -> Result:
    filed = pd.DataFrame({"id": [f"{HOSTILE}{row}" for row in range(0, 180, 3)], "rule": HOSTILE})
    filed["verdict"] = ["overturned", "upheld"] * 30
    filed["filed_at"] = pd.Timestamp("2026-10-01")
    filed["decided_at"] = pd.Timestamp("2026-10-04")
    return rb.appeals(_disputed(), filed)


def _troubled() -> rb.Dataset:
    """Return events of which history stopped some, with hostile names of what was done and where."""
    frame = _events().frame()
    frame["done"] = np.where(
        frame["amount"] % 7 == 0, "review", np.where(frame["amount"] % 11 == 0, "block", "approve")
    )
    return rb.read(frame, roles=_events().roles.with_roles(outcome="done", entities=("buyer",)), name=HOSTILE)


SPECIMENS: dict[str, Callable[[], Result]] = {
    "alert_shift": _alert_shift,
    "appeals": _appeals,
    "approval_rates": lambda: rb.approval_rates(rb.simulate(_book(), _troubled())),
    "appraisal": lambda: rb.appraise(_crowded()),
    "baseline": lambda: rb.score_baseline(_events()),
    "breakdown": _breakdown,
    "brittleness": lambda: rb.brittleness(_swept(), _events(), by="region"),
    "calibration": lambda: rb.calibrate(_events(), given=_book()),
    "candidate_rules": lambda: _explained().candidate_rules(np.arange(60) < 30),
    "case_clusters": lambda: _explained().clusters(k=2),
    "causes": _causes,
    "change_request": _change_request,
    "checks": lambda: rb.check(_events()),
    "cohort": lambda: _explained().cohort(np.arange(60) < 20, name=HOSTILE, rest=HOSTILE),
    "comparison": _comparison,
    "containment": _containment,
    "coverage": _coverage,
    "cut_reading": lambda: rb.calibrate(_events(), given=_book(), subject_to=rb.at_most("review_rate", 0.5)).at(0.4),
    "decision": lambda: rb.decide(rb.calibrate(_events(), given=_book()), title=HOSTILE),
    "deviations": lambda: rb.price_deviations(_governed(), _events()),
    "dispute_programmes": lambda: rb.dispute_programmes(_disputed()),
    "early_labels": lambda: rb.early_labels(_events(), by="region"),
    "entities": _entities,
    "explanation": _explained,
    "equality_price": lambda: rb.price_equality(rb.calibrate(_events(), given=_book()), by="land"),
    "event_score": lambda: _explained().event(3),
    "event_explanation": lambda: rb.explain_event(_hostile_rules(), _events(), id=f"{HOSTILE}7"),
    "exposure": _exposure,
    "fairness": lambda: rb.fairness(rb.simulate(_hostile_rules(), _events()), by=["land", "buyer < 30"]),
    "findings": _findings,
    "finished": _finished,
    "frontier": lambda: rb.frontier(rb.calibrate(_troubled(), given=_book())),
    "history_check": lambda: _casebook()["history_check"],
    "grid": _grid,
    "hostile": _hostile,
    "imported_rules": lambda: rb.import_rules(
        f"CASE WHEN {_quoted()} = land THEN {_quoted()} WHEN fraud > 0 THEN 'block' END"
    ),
    "incident_list": lambda: _casebook()["incident_list"],
    "incident_page": lambda: _casebook()["incident_page"],
    "incident_record": lambda: _casebook()["incident_record"],
    "inspection": _inspection,
    "insult_price": lambda: rb.insult_price(_troubled(), days=20, by="region", tiers=2),
    "list_audit": lambda: rb.audit_lists(_governed(), _events()),
    "launch_plan": lambda: _launched()[0],
    "let_through_plan": lambda: rb.plan_let_through(
        _hostile_rules(), _let_past(), never=f"land = {_quoted()} AND amount > 700"
    ),
    "launch_verdict": lambda: _launched()[1],
    "mined_exceptions": lambda: rb.mine_exceptions(_book(), _events(), rule="TX-1", asof="2026-06-01"),
    "maturity": lambda: rb.maturity(_events(), by=("region",), caught=np.arange(900) % 2 == 0),
    "mined_rules": lambda: rb.mine_rules(_book(), _events(), asof="2026-06-01", subject_to=rb.at_most("alert_rate", 1)),
    "not_measured": _not_measured,
    "optimisation": lambda: rb.optimise(
        _governed(), _events(), max_edits=2, subject_to=[rb.at_most("alert_rate", 0.9), rb.at_least("recall", 0.0)]
    ),
    "planned_run": _planned_run,
    "queue": lambda: rb.simulate_queue(
        _events(), reviewers=1, minutes=30, queue="region", replications=20, breach_cost=1.0
    ),
    "staffing": lambda: rb.staffing(_events(), minutes=30, queue="region", reviewers=[1, 2], replications=20),
    "playbook_card": _playbook_card,
    "pooled_cuts": lambda: rb.pool_cuts(rb.calibrate(_events(), given=_book())),
    "proof": lambda: rb.prove(
        _hostile_rules(),
        _events(),
        sql=f"CASE WHEN land <> {_quoted()} THEN 'block' WHEN amount > 500 THEN 'review' END",
    ),
    "remedy_list": lambda: _casebook()["remedy_list"],
    "ring": lambda: _entities().ring(1),
    "rule_drift": _drift,
    "rule_health": lambda: rb.diagnose_rules(_drift(), appraisal=rb.appraise(rb.simulate(_book(), _events()))),
    "run_diff": _run_diff,
    "run_list": _run_list,
    "run_summary": _run_summary,
    "runs_apart": _runs_apart,
    "scan": _scanned,
    "scored": _scored,
    "selective_labels": lambda: rb.selective_labels(rb.simulate(_hostile_rules(), _let_past())),
    "segments": _segments,
    "catalogue": _catalogue,
    "session": _session,
    "similar_incidents": lambda: _casebook()["similar_incidents"],
    "simulation": lambda: rb.simulate(_book(), _events()),
    "stored": _stored,
    "timeline": _timeline,
    "verification": _verified,
    "what_if": lambda: _crowded().what_if(off=["TX-6"], on=["TX-7"], outcomes={"TX-2": "block"}),
    "surface": lambda: rb.surface(_swept(), _events(), params=("LOW.limit", "LOW.least"), grid=8, by="region"),
}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend((name, value or "") for name, value in attrs)


@pytest.fixture(params=sorted(SPECIMENS), scope="module")
def specimen(request) -> Result:
    return SPECIMENS[request.param]()


def test_every_kind_has_a_specimen():
    assert {_kind(declared).kind for declared in _declared()} <= set(SPECIMENS), "add one to SPECIMENS"


def test_repr_is_one_line(specimen):
    assert repr(specimen).startswith(type(specimen).__name__ + "(")
    assert "\n" not in repr(specimen)


def test_headline_has_at_most_six_facts(specimen):
    facts = specimen.headline()
    assert len(facts) <= 6
    assert all(isinstance(fact, Fact) for fact in facts)
    assert not [fact for fact in facts if "nan" in fact.text.lower().split() or "None" in fact.text]


def test_html_survives_an_untrusted_page(specimen):
    seen = _Tags()
    seen.feed(specimen._repr_html_())
    assert not {"style", "script", "svg", "link", "iframe", "object", "embed", "form", "base", "meta"} & set(seen.tags)
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert not [
        value for name, value in seen.attributes if name in ("src", "href") and not value.startswith("data:image/png")
    ]
    assert ("alt" in dict(seen.attributes)) == ("img" in seen.tags)
    assert "nan" not in re.sub(r"data:image/png;base64,[^\"]*", "", specimen._repr_html_()).lower().split()


def test_showing_twice_gives_the_same(specimen):
    assert specimen._repr_mimebundle_() == specimen._repr_mimebundle_()
    text = json.dumps(specimen.to_dict(), allow_nan=False)
    assert json.loads(text)["kind"] == specimen.kind


def test_tables_are_tidy_copies(specimen):
    assert specimen.main in specimen.tables or not specimen.main
    for name in specimen.tables:
        frame = specimen.frame(name)
        assert isinstance(frame.columns, pd.Index)
        assert not isinstance(frame.columns, pd.MultiIndex)
        if specimen.kind != "hostile":
            assert [column for column in frame.columns if not re.fullmatch(r"[a-z][a-z0-9_]*", str(column))] == []
        frame["planted"] = 1
        assert "planted" not in specimen.frame(name).columns


def test_rates_and_money_have_a_line_in_the_glossary(specimen):
    rows = re.findall(r"^\| ([^|]+) \|", (house.ROOT / "docs" / "glossary.md").read_text(), flags=re.MULTILINE)
    words = {word.strip() for row in rows for word in row.split(" / ")}
    columns = {str(name) for table in specimen.tables for name in specimen.frame(table).columns}
    stems = {re.sub(r"_(lower|upper)$", "", name) for name in columns if specimen.kind != "hostile"}
    spoken = {
        stem.removeprefix("added_").removeprefix("kept_")
        for stem in stems
        if re.search(r"_rate$|_value$|^value_", stem)
    }
    assert not {stem.replace("_", " ") for stem in spoken - {"p_value", "value_squares"}} - words


def test_a_result_cannot_be_changed(specimen):
    with pytest.raises(FrozenInstanceError):
        specimen.notes = ()


def test_every_result_says_where_it_comes_from():
    roles = rb.Roles(id="id", amount="amount", label="fraud")
    events = rb.read(pd.DataFrame({"id": [1, 2, 3], "amount": [1.0, 7.0, 9.0], "fraud": [0, 0, 1]}), roles=roles)
    book = rb.RuleBook.from_yaml(
        "book: b\ndomain: transactions\nrules:\n  - {id: A, when: amount > 5, outcome: review, status: live}\n"
    )
    simulated = rb.simulate(book, events)
    compared = rb.compare(simulated, rb.simulate(book.without("A"), events))
    for held in (simulated, compared, rb.check(events)):
        assert set(PROVENANCE) <= set(held.provenance)
        assert held.provenance["dataset"] == events.fingerprint
        assert held.provenance["version"] == rb.__version__
    assert simulated.provenance["book"] == book.hash
    assert simulated.provenance["sql"] == {"A": "amount > 5"}
