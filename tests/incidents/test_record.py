"""Does a record say what its history says, whatever was done and in whichever order?"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import create_engine, text

import riskbench as rb
from riskbench.errors import ParameterError, StoreError
from riskbench.incidents.casebook import ACTION_STATUSES, PURPOSES
from riskbench.incidents.history import SECTIONS, fold
from riskbench.incidents.lifecycle import STAGES, STATES, allowed, check_move, needs_reason, reopens, span_words
from riskbench.incidents.severity import SEVERITIES, assess
from riskbench.store import Ledger, address

#: The way through the states, written down apart from the code.
WAYS = {
    "detected": {"triaged", "dismissed"},
    "triaged": {"contained", "dismissed"},
    "contained": {"eradicated", "triaged"},
    "eradicated": {"resolved", "triaged"},
    "resolved": {"reviewed", "triaged"},
    "reviewed": {"triaged"},
    "dismissed": {"triaged"},
    "merged": set(),
}
TEXTS = st.text(min_size=1, max_size=40).filter(lambda said: said.strip() and said.isprintable())
WHO = st.sampled_from(["ana", "bo", "chi"])


@pytest.fixture
def book(tmp_path):
    with rb.open_casebook(str(tmp_path / "book.db")) as held:
        yield held


# -- the lifecycle -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("to", STATES)
def test_only_the_allowed_moves_are_made_and_the_error_names_them(state, to):
    assert set(allowed(state)) == WAYS[state]
    if to in WAYS[state]:
        assert check_move(state, to, reason="why") == to
        if to == "dismissed" or (to == "triaged" and state != "detected"):
            assert needs_reason(state, to)
            with pytest.raises(ParameterError, match="needs a reason"):
                check_move(state, to)
    else:
        with pytest.raises(ParameterError) as caught:
            check_move(state, to, reason="why")
        assert all(way in str(caught.value) for way in WAYS[state])


def test_a_misspelt_state_is_answered_with_the_nearest():
    with pytest.raises(ParameterError, match="'contained'"):
        check_move("triaged", "containd")


def test_opening_again_is_a_move_back_to_triage():
    assert [state for state in STATES if reopens(state, "triaged")] == [*STAGES[2:], "dismissed"]


class Lifecycle(RuleBasedStateMachine):
    """Analysts do what they like; a small model in plain Python says what must come of it."""

    @initialize()
    def start(self):
        self.book = rb.open_casebook("sqlite://")
        self.states, self.written, self.gone = {}, {}, {}
        self.open_("first", "ana")

    def teardown(self):
        if hasattr(self, "book"):
            self.book.close()

    @rule(title=TEXTS, who=WHO)
    def open_(self, title, who):
        if len(self.states) < 4:
            made = self.book.open(title, by=who, facts={"started": "2026-01-01", "detected": "2026-01-02"})
            assert made.id not in self.states
            self.states[made.id], self.written[made.id] = "detected", ["opened"]

    @rule(data=st.data(), to=st.sampled_from(STATES), who=WHO, reason=st.sampled_from(["", "because"]))
    def move(self, data, to, who, reason):
        name = data.draw(st.sampled_from(sorted(self.states)))
        state = self.states[name]
        fine = to in WAYS[state] and (reason or not needs_reason(state, to))
        if fine:
            assert self.book.move(name, to, by=who, reason=reason).state == to
            self.states[name] = to
            self.written[name].append("moved")
        else:
            with pytest.raises(ParameterError):
                self.book.move(name, to, by=who, reason=reason)

    @rule(
        data=st.data(), said=TEXTS, who=WHO, kind=st.sampled_from(["note", "decide", "assign", "write", "act", "rate"])
    )
    def say(self, data, said, who, kind):
        name = data.draw(st.sampled_from(sorted(self.states)))
        calls = {
            "note": ("noted", lambda: self.book.note(name, said, by=who)),
            "decide": ("decided", lambda: self.book.decide(name, said, by=who, reason=said)),
            "assign": ("assigned", lambda: self.book.assign(name, who, by=who)),
            "write": ("written", lambda: self.book.write(name, "summary", text=said, by=who)),
            "act": ("acted", lambda: self.book.act(name, said, by=who)),
            "rate": ("rated", lambda: self.book.rate(name, "high", by=who, reason=said)),
        }
        written, call = calls[kind]
        if self.states[name] == "merged":
            with pytest.raises(ParameterError, match="merged into"):
                call()
        else:
            call()
            self.written[name].append(written)

    @precondition(lambda self: len(getattr(self, "states", ())) > 1)
    @rule(data=st.data(), who=WHO)
    def merge(self, data, who):
        gone, stays = data.draw(st.lists(st.sampled_from(sorted(self.states)), min_size=2, max_size=2, unique=True))
        if "merged" in (self.states[gone], self.states[stays]):
            with pytest.raises(ParameterError, match="merged into"):
                self.book.merge(gone, stays, by=who)
            return
        survivor = self.book.merge(gone, stays, by=who)
        assert survivor.id == stays
        self.states[gone], self.gone[gone] = "merged", stays
        self.written[gone].append("merged")
        self.written[stays].append("absorbed")

    @invariant()
    def the_records_are_what_was_done(self):
        for name, state in getattr(self, "states", {}).items():
            record = self.book.record(name)
            assert record.state == state
            own = [row.kind for row in record.held.timeline if row.incident == name]
            assert own == self.written[name]
            family = {name} | {other for other in self.gone if self._survivor(other) == name or name == other}
            below = self._below(name)
            assert set(record.frame()["incident"]) == {name, *below} <= {*family, *below}
            assert len(record.frame()) == sum(len(self.written[other]) for other in (name, *below))
            reached = record.frame("stages").dropna(subset=["at"])["stage"].tolist()
            assert [stage for stage in reached if stage in STAGES] == list(
                STAGES[: len([s for s in reached if s in STAGES])]
            )
            assert (state in ("dismissed", "merged")) or reached[-1] == state

    @invariant()
    def reading_line_by_line_gives_the_same(self):
        if not hasattr(self, "book"):
            return
        held = self.book.journal.histories()
        for name, lines in held.items():
            whole = fold(name, held)
            for cut in range(1, len(lines)):
                part = fold(name, {**held, name: lines[:cut]})
                assert whole.timeline[: len(part.timeline)] == part.timeline
            again = fold(name, held)
            assert again == whole

    @invariant()
    def the_history_holds(self):
        if hasattr(self, "book"):
            assert self.book.verify().holds

    def _survivor(self, name):
        while name in self.gone:
            name = self.gone[name]
        return name

    def _below(self, name):
        direct = [other for other, stays in self.gone.items() if stays == name]
        return [found for other in direct for found in (other, *self._below(other))]


Lifecycle.TestCase.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLifecycle = Lifecycle.TestCase


# -- times ---------------------------------------------------------------------------------------------------


def test_times_to_detect_contain_and_resolve(book):
    facts = {"started": "2026-11-10T17:20Z", "region": "ID"}
    record = book.open("x", by="scan", facts=facts, when="2026-11-10T22:20Z")
    assert [str(fact) for fact in record.headline()[2:5]] == [
        "Time to detect: 5 h",
        "Time to contain: not yet",
        "Time to resolve: not yet",
    ]
    for state, when in (
        ("triaged", "2026-11-10T22:30Z"),
        ("contained", "2026-11-11T01:20Z"),
        ("eradicated", "2026-11-12T00:00Z"),
        ("resolved", "2026-11-13T22:20Z"),
    ):
        record = book.move(record, state, by="ana", when=when)
    assert record.seconds_to_contain == 3 * 3600
    assert record.seconds_to_resolve == 3 * 86_400
    assert record.frame("stages")["hours"].tolist()[:5] == [0.0, 0.17, 3.0, 25.67, 72.0]
    assert record.frame("stages")["local"][0] == "2026-11-11 05:20 (UTC+07:00)"
    assert not record.open


def test_an_unknown_start_is_said_and_not_made_up(book):
    record = book.open("x", by="ana")
    assert record.seconds_to_detect is None
    assert "not stated" in record.headline()[2].note


def test_a_detection_by_the_clock_of_the_data_does_not_stop_the_way_on(book):
    record = book.open("x", by="scan", facts={"detected": "2199-01-01"})
    record = book.move(record, "triaged", by="ana")
    assert record.frame("stages")["hours"].tolist()[:2] == [0.0, 0.0]


def test_opening_again_needs_a_reason_and_forgets_the_old_containment(book):
    record = book.open("x", by="ana", when="2026-01-01T00:00Z")
    book.move(record.id, "triaged", by="ana", when="2026-01-01T01:00Z")
    book.move(record.id, "contained", by="ana", when="2026-01-01T02:00Z")
    with pytest.raises(ParameterError, match="needs a reason"):
        book.move(record.id, "triaged", by="ana")
    record = book.move(record.id, "triaged", by="ana", reason="it came back", when="2026-01-02T00:00Z")
    assert record.seconds_to_contain is None
    assert any("opened again 1 times" in note for note in record.notes)
    record = book.move(record.id, "contained", by="ana", when="2026-01-02T05:00Z")
    assert record.seconds_to_contain == 29 * 3600
    assert "it came back" in " ".join(record.frame()["what"])


@pytest.mark.parametrize("when", ["2025-12-31T23:00Z", "2999-01-01", "x", "2026-02-30"])
def test_a_step_before_the_last_or_in_the_future_is_refused(book, when):
    record = book.open("x", by="ana", when="2026-01-01")
    with pytest.raises(ParameterError):
        book.move(record, "triaged", by="ana", when=when)
    assert book.record(record.id).state == "detected"


@pytest.mark.parametrize(("seconds", "told"), [(0, "under 1 min"), (3599, "59 min"), (3600, "1 h"), (172_800, "2 d")])
def test_spans_in_words(seconds, told):
    assert span_words(seconds) == told


# -- severity ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "severity"),
    [
        ({}, "high"),
        ({"running": False}, "high"),
        ({"people": 5, "running": False}, "low"),
        ({"people": 5}, "medium"),
        ({"people": 5, "running": True}, "medium"),
        ({"people": 100, "running": False}, "medium"),
        ({"people": 1_000, "running": False}, "high"),
        ({"people": 10_000, "running": False}, "critical"),
        ({"people": 10_000, "running": True}, "critical"),
        ({"exposed": 100.0, "running": False}, "high"),
        ({"exposed": 19.9, "weekly_appetite": 100.0, "running": False}, "low"),
        ({"exposed": 20.0, "weekly_appetite": 100.0, "running": False}, "medium"),
        ({"exposed": 100.0, "weekly_appetite": 100.0, "running": False}, "high"),
        ({"exposed": 500.0, "weekly_appetite": 100.0, "running": False}, "critical"),
        ({"people": 5, "regulator": True, "running": False}, "high"),
        ({"people": 5, "legal": True, "running": False}, "high"),
        ({"people": 10_000, "legal": True, "running": False}, "critical"),
    ],
)
def test_the_severity_rule(facts, severity):
    assert assess(facts)[0] == severity


def test_a_matter_for_the_regulator_that_nobody_stated_is_no_no():
    said = [
        assess(facts)[1].set_index("criterion").loc["regulator or legal", "stated"]
        for facts in ({}, {"regulator": False}, {"regulator": False, "legal": False}, {"legal": True})
    ]
    assert said == ["not stated", "not stated", "no", "legal"]


def test_more_of_anything_never_makes_it_milder():
    import itertools

    money, people = (0.0, 30.0, 150.0, 900.0), (0, 200, 2_000, 20_000)
    flags = list(itertools.product((False, True), repeat=2))

    def level(m, p, running, legal):
        facts = {"exposed": m, "weekly_appetite": 100.0, "people": p, "running": running, "legal": legal}
        return SEVERITIES.index(assess(facts)[0])

    for (m, m2), (p, p2), (f, f2) in itertools.product(
        itertools.combinations_with_replacement(money, 2),
        itertools.combinations_with_replacement(people, 2),
        [(a, b) for a in flags for b in flags if a[0] <= b[0] and a[1] <= b[1]],
    ):
        assert level(m, p, *f) <= level(m2, p2, *f2)


def test_a_region_brings_its_zone_currency_and_accepted_loss(book):
    record = book.open("x", by="ana", facts={"region": "ID", "exposed": 3e8, "weekly_value": 1e11, "running": False})
    assert record.time_zone == "Asia/Jakarta"
    assert record.severity == "high"  # 0.3 % of 1e11 is accepted: 3e8 is once that
    record = book.state(record, {"exposed": 2e9}, by="ana")
    assert record.severity == "critical"
    record = book.rate(record, "medium", by="bo", reason="the sum holds a test shop")
    assert record.severity == "medium"
    assert any("the rule says critical" in note for note in record.notes)


# -- owners, actions, links ----------------------------------------------------------------------------------


def test_owners_are_handed_over_and_kept(book):
    record = book.open("x", by="ana")
    assert record.owner == ""
    for owner in ("ana", "bo"):
        record = book.assign(record, owner, by="ana")
    record = book.assign(record, "chi", by="bo", role="communications")
    owners = record.frame("owners")
    assert record.owner == "bo"
    assert owners["owner"].tolist() == ["ana", "bo", "chi"]
    assert owners["until"].isna().tolist() == [False, True, True]


def test_a_decision_needs_a_reason_and_an_action_a_known_purpose(book):
    record = book.open("x", by="ana")
    with pytest.raises(ParameterError, match="reason"):
        book.decide(record, "hold", by="ana", reason=" ")
    with pytest.raises(ParameterError, match="contain"):
        book.act(record, "hold", by="ana", purpose="contian")
    record = book.decide(record, "hold", by="ana", reason="payout", alternatives=["ban"])
    assert record.frame("decisions")[["decision", "what", "reason", "alternatives"]].values.tolist() == [
        ["D1", "hold", "payout", "ban"]
    ]


def test_actions_go_their_way(book):
    record = book.open("x", by="ana")
    for purpose in PURPOSES:
        record = book.act(record, purpose, by="ana", purpose=purpose, owner="bo", due="2026-12-01T10:00+01:00")
    assert record.frame("actions")["action"].tolist() == ["A1", "A2", "A3", "A4", "A5"]
    for status in ACTION_STATUSES:
        record = book.progress(record, "A1", by="bo", status=status, note="n")
        assert record.frame("actions")["status"][0] == status
    with pytest.raises(ParameterError, match="A1, A2"):
        book.progress(record, "A", by="bo")
    with pytest.raises(ParameterError, match="reason"):
        book.progress(record, "A2", by="bo", status="dropped")


def test_runs_are_checked_where_there_is_a_ledger(tmp_path):
    path = str(tmp_path / "runs.db")
    with rb.open_casebook(path) as book:
        record = book.open("x", by="ana", facts={"runs": ["20260101-aa"]})
        assert record.frame("links")["detail"].tolist() == ["not checked: no ledger at hand"]
        with Ledger(path) as ledger:
            ledger.begin("20260102-bb", "incident_scan", {})
            ledger.end("20260102-bb", "done")
        record = book.link(record, by="ana", runs=["20260102"])
        assert record.frame("links")["name"].tolist() == ["20260101-aa", "20260102-bb"]
        with pytest.raises(StoreError, match="No run"):
            book.link(record, by="ana", runs=["20260109-zz"])
        assert len(book.record(record.id).frame("links")) == 2
    with rb.open_casebook(str(tmp_path / "book.db"), ledger=path) as other:
        record = other.open("y", by="ana", facts={"runs": ["20260102-bb"]})
        assert record.frame("links")["detail"].tolist() == ["in the ledger"]


def test_links_of_every_kind(book):
    record = book.open("x", by="ana")
    record = book.link(
        record,
        by="ana",
        rules=["TX-1"],
        book="9f3a",
        segments=[{"payment": "cod", "district": "EAST"}, "city = SUB"],
        columns={"device", "card"},
        rings=[{"id": "R1", "members": ["SEL-1234567"], "evidence": "one bank account"}],
        deadlines=[{"what": "payout run", "at": "2026-11-11T09:00+07:00"}],
    )
    links = record.frame("links")
    assert links["kind"].tolist() == ["rule", "segment", "segment", "column", "column", "ring"]
    assert links["name"].tolist()[1] == "district = EAST and payment = cod"
    assert record.frame("deadlines")["at"].tolist() == ["2026-11-11T02:00:00.000+00:00"]
    assert record.provenance["book"] == "9f3a"
    assert "SEL-1234567" not in record._repr_html_()


# -- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "facts",
    [
        {"expsed": 1.0},
        {"exposed": -1.0},
        {"exposed": float("inf")},
        {"exposed": "1"},
        {"exposed": True},
        {"people": 1.5},
        {"running": "yes"},
        {"started": "tomorrow"},
        {"currency": "XXY"},
        {"time_zone": "Mars/Olympus"},
        {"region": "\x00"},
        {"loss_appetite": 2.0},
        {"segments": "a = b"},
        {"segments": [{}]},
        {"rings": [{"members": []}]},
        {"rings": [{"id": "R", "leader": "x"}]},
        {"deadlines": [{"what": "x"}]},
        {"rules": ["x"] * 501},
        ["region"],
    ],
    ids=str,
)
def test_a_wrong_fact_is_refused_and_nothing_is_written(book, facts):
    with pytest.raises(ParameterError):
        book.open("x", by="ana", facts=facts)
    assert book.journal.incidents() == ()


def test_a_misspelt_fact_is_answered_with_the_nearest(book):
    with pytest.raises(ParameterError, match="'exposed'"):
        book.open("x", by="ana", facts={"expsed": 1.0})


@pytest.mark.parametrize("wrong", ["", " \n\t", "\u202e\u200b", "x" * 161, 7, None])
def test_a_title_is_a_short_text(book, wrong):
    with pytest.raises(ParameterError):
        book.open(wrong, by="ana")


def test_a_missing_fact_is_left_out(book):
    nan = float("nan")
    assert book.open("x", by="a", facts={"exposed": None, "people": nan}).held.facts == {}


# -- two at once ---------------------------------------------------------------------------------------------


def test_who_moves_on_what_somebody_else_has_moved_is_told_so(book):
    record = book.open("x", by="ana")
    book.move(record, "triaged", by="bo")
    with pytest.raises(StoreError, match="moved since you read it") as caught:
        book.move(record, "dismissed", by="ana", reason="noise")
    assert "by bo" in str(caught.value)
    assert book.record(record.id).state == "triaged"
    assert book.move(book.record(record.id), "dismissed", by="ana", reason="noise").state == "dismissed"


def test_a_note_never_stands_in_the_way_of_a_move(book):
    record = book.open("x", by="ana")
    book.note(record, "seen", by="bo")
    assert book.move(record, "triaged", by="ana").state == "triaged"


def test_one_of_two_equal_moves_wins(tmp_path):
    path = str(tmp_path / "book.db")
    with rb.open_casebook(path) as book:
        name = book.open("x", by="ana").id

    def move(who: str) -> str:
        with rb.open_casebook(path) as held:
            try:
                return held.move(name, "triaged", by=who).state
            except ParameterError as error:
                return error.what

    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(move, "abcd"))
    assert ends.count("triaged") == 1
    assert all("does not become" in end for end in ends if end != "triaged")
    with rb.open_casebook(path) as book:
        assert [row.kind for row in book.record(name).held.timeline] == ["opened", "moved"]


def test_two_who_merge_crosswise_do_not_both_win(tmp_path):
    path = str(tmp_path / "book.db")
    with rb.open_casebook(path) as book:
        names = [book.open(title, by="ana").id for title in "xy"]

    def merge(turn: int) -> bool:
        with rb.open_casebook(path) as held:
            try:
                held.merge(names[turn], names[1 - turn], by="ana")
            except ParameterError:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(merge, range(2))) == [False, True]


# -- merging -------------------------------------------------------------------------------------------------


def test_both_histories_are_read_from_the_survivor(book):
    first = book.open("first", by="ana", facts={"started": "2026-01-02", "rules": ["TX-1"]}, when="2026-01-03")
    second = book.open("second", by="bo", facts={"started": "2026-01-01", "people": 7}, when="2026-01-02T12:00Z")
    book.note(second, "from the second", by="bo")
    book.act(first, "own", by="ana")
    book.act(second, "others'", by="bo")
    book.put_right(
        second, [{"remedy": "refund", "role": "buyer", "subject": "BUY-1", "amount": 5, "currency": "BRL"}], by="bo"
    )
    record = book.merge(second, first, by="ana", reason="same shops")
    assert record.id == first.id
    assert "from the second" in record.frame()["what"].tolist()
    assert record.seconds_to_detect == 1.5 * 86_400
    assert record.held.facts["people"] == 7
    assert record.frame("actions")["action"].tolist() == ["A1", "INC-0002 A1"]
    assert len(record.remedies().frame()) == 1
    record = book.progress(record, "INC-0002 A1", by="ana")
    assert record.frame("actions")["status"].tolist() == ["open", "done"]
    record = book.act(record, "third", by="ana")
    assert record.frame("actions")["action"].tolist() == ["A1", "INC-0002 A1", "A2"]
    gone = book.record(second.id)
    assert (gone.state, gone.open) == ("merged", False)
    assert gone.frame("links")["name"].tolist()[-1] == first.id
    with pytest.raises(ParameterError, match="merged into INC-0001"):
        book.note(second, "late", by="bo")
    with pytest.raises(ParameterError, match="itself"):
        book.merge(first, first, by="ana")


def test_a_chain_of_merges_is_read_to_its_end(book):
    names = [book.open(title, by="ana").id for title in ("a", "b", "c")]
    book.merge(names[0], names[1], by="ana")
    record = book.merge(names[1], names[2], by="ana")
    assert set(record.frame()["incident"]) == set(names)
    assert record.held.duplicates == [names[1], names[0]]


# -- tampering and lists -------------------------------------------------------------------------------------


def test_a_changed_history_is_told_and_one_unreadable_line_does_not_hide_the_rest(tmp_path):
    path = str(tmp_path / "book.db")
    with rb.open_casebook(path) as book:
        first = book.open("kept", by="ana", facts={"region": "ID"})
        second = book.open("spoiled", by="ana")
        heads = {record.id: record.provenance["parameters"]["head"] for record in (first, second)}
        assert book.verify(heads=heads).holds
        engine = create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            connection.execute(text("drop trigger riskbench_incident_events_update"))
            connection.execute(text("drop trigger riskbench_incident_events_delete"))
            connection.execute(text("update riskbench_incident_events set actor = 'eve' where incident = 1"))
            connection.execute(text("update riskbench_incident_events set body = '[]' where incident = 2"))
        assert "was changed" in book.record(first.id).notes[0]
        assert book.verify(first.id).faults["incident"].tolist() == [first.id]
        with pytest.raises(StoreError, match="changed outside"):
            book.note(first, "x", by="ana")
        with pytest.raises(StoreError, match="makes no sense"):
            book.record(second.id)
        listed = book.incidents()
        assert listed.frame()["incident"].tolist() == [first.id]
        assert "INC-0002" in listed.notes[0]
        with engine.begin() as connection:
            connection.execute(text("delete from riskbench_incident_events where incident = 2"))
        engine.dispose()
        assert "gone" in book.verify(heads=heads).faults["what"].tolist()[-1]


def test_an_unknown_incident_is_answered_with_what_the_casebook_holds(book):
    with pytest.raises(StoreError, match="the casebook is empty"):
        book.record("INC-9999")
    book.open("x", by="ana")
    with pytest.raises(StoreError, match="There is no incident INC-9999") as caught:
        book.record("INC-9999")
    assert "empty" not in str(caught.value)
    assert "INC-0001" in str(caught.value)


def test_the_list_puts_the_open_and_the_severe_first(book):
    calm = book.open("calm", by="ana", facts={"people": 1, "running": False, "region": "BR"})
    bad = book.open("bad", by="ana", facts={"people": 90_000, "region": "ID"})
    over = book.open("over", by="ana", facts={"people": 90_000, "region": "ID"})
    book.move(over, "dismissed", by="ana", reason="a test")
    assert book.incidents().frame()["incident"].tolist() == [bad.id, calm.id, over.id]
    assert book.incidents(state="open", region="ID").frame()["incident"].tolist() == [bad.id]
    assert book.incidents(state="merged").frame().empty
    with pytest.raises(ParameterError, match="'open'"):
        book.incidents(state="opne")


def test_every_section_can_be_written_and_the_newest_counts(book):
    record = book.open("x", by="ana")
    for section in SECTIONS:
        book.write(record, section, text="old", by="ana")
        record = book.write(record, section, text=f"new {section}", by="bo")
    assert record.held.sections == {section: f"new {section}" for section in SECTIONS}
    with pytest.raises(ParameterError, match="'lessons'"):
        book.write(record, "lesson", text="x", by="ana")


@pytest.mark.postgres
def test_the_whole_way_on_a_server(postgres):
    name = f"book_{secrets.token_hex(4)}"
    engine = create_engine(address(postgres.url()), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    engine.dispose()
    with rb.open_casebook(postgres.url(database=name)) as book:
        assert postgres.password not in repr(book)
        record = book.open("Café 店 \U0001f600", by="ana", facts={"region": "BR", "people": 7}, when="2026-01-01")
        other = book.open("the same", by="bo")
        for state in STAGES[1:]:
            record = book.move(record, state, by="ana")
        row = {"remedy": "refund", "role": "buyer", "subject": "BUY-1", "what": "x", "amount": 1.5, "currency": "BRL"}
        record = book.put_right(record, [row], by="ana")
        record = book.merge(other, record, by="ana")
        assert (record.name, record.state) == ("Café 店 \U0001f600", "reviewed")
        assert record.remedies().frame()["amount"].tolist() == [1.5]
        assert book.verify().holds
        assert book.verify().guarded
        assert book.similar(record).frame().empty


def test_the_page_is_short_local_and_names_no_seller():
    with rb.open_casebook("sqlite://") as book:
        held = book.open("a raid", by="ana", facts={
            "region": "ID", "columns": ["seller_id"], "segments": ["city BDG and seller_id SQ7ZNKX0F"],
            "deadlines": [{"what": "payout run", "at": "2026-11-18T02:20Z"}],
        })  # fmt: skip
        held = book.write(held, "summary", text="it was so", by="ana")
        held = book.write(held, "lessons", text="and so", by="ana")
        held = book.act(held, "hold the payees", by="ana", purpose="contain", due="2026-11-18T02:20Z")
        record = book.act(held, "ask the shop", by="ana", purpose="prevent", owner="ben")
    page = record._repr_html_()
    assert "SQ7ZNKX0F" not in page
    assert "seller_id SQ7…0F" in page
    assert "wrote summary, lessons" in page
    assert "18 Nov 09:20" in page.replace("\N{NO-BREAK SPACE}", " ")
    assert "+00:00" not in page
    assert "nan" not in page.lower().replace(">", " ").replace("<", " ").split()
    due, owners = (list(record.pages["actions"][1][name]) for name in ("due", "owner"))
    assert (due[1], owners) == ("–", ["nobody yet", "ben"])
    assert "SQ7ZNKX0F" in " ".join(record.frame("links")["name"])
