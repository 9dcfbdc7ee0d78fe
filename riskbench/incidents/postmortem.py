"""What happened, why, and what do we change? The post-mortem in the blameless form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from riskbench.display import Fact, number
from riskbench.display.page import Section
from riskbench.incidents.facts import completed, local
from riskbench.incidents.history import Standing
from riskbench.incidents.lifecycle import MEANING, STAGES
from riskbench.incidents.page import IncidentPage, make_page
from riskbench.incidents.record import IncidentRecord
from riskbench.incidents.wording import Scrubber, is_program, spoken

#: Kinds of events that a reader of the timeline needs; the rest are book-keeping.
_TOLD = ("opened", "moved", "decided", "acted", "progressed", "noted", "rated", "merged", "absorbed")
#: What each written section asks for.
ASKS = {
    "summary": "three sentences: what happened, to whom, how it ended",
    "trigger": "what set it off: a campaign, a release, a leaked list",
    "root_causes": "why it could happen: what in our rules, checks or product let it through",
    "contributing": "what made it worse or longer, without being the cause",
    "detection": "how it was seen, and what could have seen it earlier",
    "defences": "which rules hit, which just missed and by how much, what review did with it",
    "resolution": "what ended it, and how we know that it is over",
    "went_well": "what helped",
    "went_wrong": "what did not work as meant",
    "lucky": "what could as well have gone the other way",
    "lessons": "what we know now and did not know before",
}


def postmortem(record: IncidentRecord) -> IncidentPage:
    """Return the post-mortem of an incident: roles for names, ids masked, and what is still to be written."""
    held, roles = record.held, role_names(record.held)
    scrub = Scrubber(held.ids, spoken(roles))
    parts = [
        _written(held, "summary", "Summary", scrub),
        _impact(record),
        _timeline(record, roles, scrub),
        _detection(record, scrub),
        _written(held, "trigger", "Trigger", scrub),
        _written(held, "root_causes", "Root causes", scrub),
        _written(held, "contributing", "Contributing factors", scrub),
        _defences(record, scrub),
        _resolution(record, roles, scrub),
        _written(held, "went_well", "What went well", scrub),
        _written(held, "went_wrong", "What went wrong", scrub),
        _written(held, "lucky", "Where we were lucky", scrub),
        _putting_right(record),
        _actions(record, roles, scrub),
        _written(held, "lessons", "Lessons", scrub),
    ]
    facts = [fact for fact in record.headline() if fact.name not in ("Owner", record.id)]
    facts = [Fact("State", record.state, "text", note=MEANING[held.state]), *facts]
    left = sum(bool(part.gap) for part in parts)
    notes = [f"{left} sections are to be written." if left else "Every section has a text."]
    foot = (
        f"{record.id} · history {held.head[:24]} · times in {record.time_zone} · roles stand for names, "
        "owners of actions as they were given; ids of people are left out"
    )
    return make_page(
        f"Post-mortem {record.id}: {scrub(held.name)}",
        parts,
        about="post-mortem, blameless" + (", draft" if left else ""),
        facts=facts,
        foot=foot,
        notes=notes,
    )


def role_names(held: Standing) -> dict[str, str]:
    """Return what stands for each person who wrote or owned something: the role, or an analyst with a letter.

    A program that writes (its name begins with `riskbench`, or is `scan`) keeps its name.
    """
    actors = list(dict.fromkeys([*(row.actor for row in held.timeline), *(row["owner"] for row in held.owners)]))
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for row in held.owners:
        if row["owner"] not in names:
            counts[row["role"]] = counts.get(row["role"], 0) + 1
            number_ = counts[row["role"]]
            first = "the lead" if row["role"] == "lead" else row["role"]
            names[row["owner"]] = first if number_ == 1 else f"{row['role']} {number_}"
    plain = 0
    for actor in actors:
        if actor in names:
            continue
        if is_program(actor):
            names[actor] = actor
            continue
        letters, rest = "", plain
        while True:
            letters = chr(ord("A") + rest % 26) + letters
            rest = rest // 26 - 1
            if rest < 0:
                break
        names[actor], plain = f"analyst {letters}", plain + 1
    return names


def _written(held: Standing, section: str, heading: str, told: Callable[[str], str]) -> Section:
    return Section(name=heading, texts=(told(held.sections.get(section, "")),), missing=ASKS[section])


def _impact(record: IncidentRecord) -> Section:
    facts = completed(record.held.facts)
    code = facts.get("currency") or ""
    rows = [
        (word, number(facts[name], "money", currency=code))
        for name, word in (
            ("lost", "money lost"),
            ("exposed", "money exposed"),
            ("prevented", "money prevented"),
            ("freezable", "money that could be frozen"),
        )
        if name in facts
    ]
    rows += [
        (f"{name} affected", number(facts[name], "count"))
        for name in ("people", "buyers", "sellers", "creators")
        if name in facts
    ]
    rows += [(f"{name}", number(facts[name], "count")) for name in ("events", "alerted") if name in facts]
    rows += [(name, str(facts[name])) for name in ("region", "domain", "scheme") if name in facts]
    for row in record.criteria.to_dict("records"):
        says = "" if row["says"] == "–" else f" ({row['says']})"
        rows.append((f"severity: {row['criterion']}", f"{row['stated']}{says}"))
    lacks = [name for name in ("lost", "people") if name not in facts]
    return Section(
        name="Impact",
        table=pd.DataFrame(rows, columns=["what", "how much"]),
        missing=f"state {' and '.join(lacks)}" if lacks else "",
        draft=bool(lacks),
    )


def _timeline(record: IncidentRecord, roles: dict[str, str], told: Callable[[str], str]) -> Section:
    rows = [
        (row["local"], roles.get(row["actor"], "an analyst"), told(row["what"]))
        for row in record.timeline.to_dict("records")
        if row["kind"] in _TOLD
    ]
    start = record.held.facts.get("started") or record.held.facts.get("window_start")
    if record.held.facts.get("started"):
        rows.insert(0, (local(record.held.facts["started"], record.time_zone), "the data", "it started"))
    table = pd.DataFrame(rows, columns=["when", "who", "what"])
    return Section(
        name="Timeline",
        table=table,
        missing="" if start else "state when it started: without it nobody knows how long it ran unseen",
        draft=not start,
    )


def _detection(record: IncidentRecord, told: Callable[[str], str]) -> Section:
    source = record.held.facts.get("source")
    seen = next(fact for fact in record.headline() if fact.name == "Time to detect")
    texts = [f"Seen by: {told(source)}." if source else "", f"{seen}.", told(record.held.sections.get("detection", ""))]
    draft = not record.held.sections.get("detection")
    return Section(name="Detection", texts=tuple(texts), missing=ASKS["detection"], draft=draft)


def _defences(record: IncidentRecord, told: Callable[[str], str]) -> Section:
    section = _written(record.held, "defences", "What our defences saw", told)
    points = tuple(f"rule {rule}" + (f" of book {book[:16]}" if book else "") for book, rule in record.held.rules)
    return replace(section, points=points, draft=not section.texts[0])


def _resolution(record: IncidentRecord, roles: dict[str, str], told: Callable[[str], str]) -> Section:
    rows = [
        (
            row["decision"],
            roles.get(row["by"], "an analyst"),
            told(row["what"]),
            told(row["reason"]),
            "; ".join(map(told, row["alternatives"])),
        )
        for row in record.held.decisions
    ]
    section = _written(record.held, "resolution", "Decisions and resolution", told)
    table = pd.DataFrame(rows, columns=["decision", "who", "what", "why", "not chosen"])
    reached = [stage for stage in STAGES if stage in record.held.stages]
    left = [stage for stage in STAGES[1:5] if stage not in reached]
    missing = section.missing if not section.texts[0] else f"it is not yet {left[0]}" if left else ""
    return replace(section, table=table, missing=missing, draft=bool(missing))


def _putting_right(record: IncidentRecord) -> Section:
    totals = record.remedies().frame("totals")
    ask = "list who was wrongly acted on and which victims are to be refunded: put_right(...); or write that nobody was"
    return Section(name="Putting right", table=totals, missing=ask)


def _actions(record: IncidentRecord, roles: dict[str, str], told: Callable[[str], str]) -> Section:
    table = record.actions[["action", "what", "purpose", "owner", "due", "status"]].copy()
    table["what"] = [told(text) for text in table["what"]]
    table["owner"] = [None if owner is None else roles.get(owner, owner) for owner in table["owner"]]
    waiting = [row for row in record.held.actions.values() if row["status"] in ("open", "doing")]
    gaps = []
    if not any(row["purpose"] == "prevent" for row in record.held.actions.values()):
        gaps.append("an action that prevents the next one")
    if any(not row["owner"] or not row["due"] for row in waiting):
        gaps.append("an owner and a due time for every open action")
    return Section(name="Action items", table=table, missing=" and ".join(gaps), draft=bool(gaps))
