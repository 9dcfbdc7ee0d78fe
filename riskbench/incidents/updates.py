"""What may which audience know about an incident? Each update holds that, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskbench.display import number
from riskbench.display.page import Section
from riskbench.errors import ParameterError, listed, nearest
from riskbench.incidents.facts import completed, local
from riskbench.incidents.page import IncidentPage, make_page
from riskbench.incidents.record import IncidentRecord
from riskbench.incidents.wording import Scrubber, is_program, spoken


@dataclass(frozen=True, slots=True)
class Audience:
    """Who reads an update, whether they belong to the company, and which blocks they may see.

    Attributes
    ----------
    title : str
        What the update is called.
    inside : bool
        Whether rule ids, segments and staff names may stand in texts.
    blocks : tuple of str
        The blocks, in order.
    """

    title: str
    inside: bool
    blocks: tuple[str, ...]


#: What each audience sees. Nobody sees an id of a buyer, seller, creator, device or ring member in an update.
AUDIENCES: dict[str, Audience] = {
    "leadership": Audience(
        "Update for leadership", True, ("status", "summary", "people", "money", "times", "decisions", "due", "remedies")
    ),
    "operations": Audience(
        "Update for operations", True, ("status", "summary", "where", "rules", "actions", "due", "remedies", "times")
    ),
    "finance": Audience("Update for finance", True, ("status", "money", "due", "remedies_money", "times")),
    "support": Audience("Update for customer support", True, ("status", "public", "say", "remedies")),
    "sellers": Audience("Information for sellers", False, ("public", "doing", "sellers")),
    "creators": Audience("Information for creators", False, ("public", "doing", "creators")),
    "buyers": Audience("Information for buyers", False, ("public", "doing", "buyers")),
    "regulator": Audience(
        "Information for the regulator",
        False,
        ("state", "public", "times", "people", "money", "remedies_money", "open"),
    ),
}

_DOING = {
    "detected": "We have seen something unusual and are looking into it.",
    "triaged": "We have confirmed the problem and are working to stop it.",
    "contained": "We have stopped it from spreading and are removing its cause.",
    "eradicated": "Its cause is removed. We are putting right what went wrong.",
    "resolved": "It is over, and what went wrong has been put right.",
    "reviewed": "It is over, and what went wrong has been put right.",
    "dismissed": "We have looked into it and found that there was no problem.",
    "merged": "We are handling it together with a related problem.",
}


def update(record: IncidentRecord, audience: str) -> IncidentPage:
    """Return the update on an incident for one audience.

    Parameters
    ----------
    record : IncidentRecord
        The incident.
    audience : str
        leadership, operations, finance, support, sellers, creators, buyers or regulator.

    Raises
    ------
    ParameterError
        When there is no such audience.
    """
    if audience not in AUDIENCES:
        close = nearest(str(audience), AUDIENCES)
        raise ParameterError(
            f"There is no audience {str(audience)[:40]!r}",
            allowed=listed(AUDIENCES),
            hint=f"did you mean {close!r}?" if close else None,
        )
    who, held = AUDIENCES[audience], record.held
    ids = [*held.ids, *held.rings]
    names = spoken({name: name if is_program(name) else "a colleague" for name in held.people})
    if not who.inside:
        ids += [*(rule for _, rule in held.rules), *held.segments, *held.columns, *held.runs]
    scrub = Scrubber(ids, names)
    parts = [part for block in who.blocks if (part := _BLOCKS[block](record, scrub)) is not None]
    heading = f"{record.id}: {scrub(held.name)}" if who.inside else f"{who.title}, reference {record.id}"
    foot = f"Reference {record.id}. For {audience} only; ids of people are left out."
    return make_page(heading, parts, about=who.title, foot=foot)


Told = Callable[[str], str]


def _status(record: IncidentRecord, _: Told) -> Section:
    running = "" if record.state not in ("detected", "triaged") else " It is not yet contained."
    return Section(name="Where it stands", texts=(f"Severity {record.severity}, {record.state}.{running}",))


def _state(record: IncidentRecord, _: Told) -> Section:
    return Section(name="Where it stands", texts=(_DOING[record.state],))


def _summary(record: IncidentRecord, told: Told) -> Section:
    text = record.held.sections.get("summary", "")
    return Section(name="What happened", texts=(told(text),), missing="write(id, 'summary', text=...)")


def _public(record: IncidentRecord, told: Told) -> Section:
    text = record.held.sections.get("public_summary", "")
    hint = "write(id, 'public_summary', text=...): what happened, without rules, figures, cuts or names"
    return Section(name="What happened", texts=(told(text),), missing=hint)


def _people(record: IncidentRecord, _: Told) -> Section:
    facts = completed(record.held.facts)
    named = [f"{number(facts[name], 'count')} {name}" for name in ("buyers", "sellers", "creators") if name in facts]
    total = facts.get("people")
    inner = f" ({', '.join(named)})" if named else ""
    text = "" if total is None else f"{number(total, 'count')} people affected{inner}."
    return Section(name="Who is affected", texts=(text,), missing="state(id, {'people': ...})")


def _money(record: IncidentRecord, _: Told) -> Section:
    facts = completed(record.held.facts)
    code = facts.get("currency") or ""
    words = {
        "lost": "Lost so far",
        "exposed": "Exposed",
        "exposed_per_day": "Exposed per day without containment",
        "freezable": "Can still be frozen",
        "prevented": "Prevented",
    }
    points = [f"{word}: {number(facts[name], 'money', currency=code)}" for name, word in words.items() if name in facts]
    return Section(name="Money", points=tuple(points), missing="state(id, {'lost': ..., 'exposed': ...})")


def _times(record: IncidentRecord, _: Told) -> Section:
    start = record.held.facts.get("started") or record.held.facts.get("window_start")
    rows = [("started", start), *((str(name), at) for name, (at, _) in record.held.stages.items())]
    points = [f"{name}: {local(at, record.time_zone)}, {at[:16].replace('T', ' ')} UTC" for name, at in rows if at]
    told = [str(fact) for fact in record.headline() if fact.name.startswith("Time to") and fact.value != "not yet"]
    return Section(name="Times", points=(*points, *told))


def _decisions(record: IncidentRecord, told: Told) -> Section:
    points = [f"{told(row['what'])}, because {told(row['reason'])}" for row in record.held.decisions]
    return Section(name="What was decided", points=tuple(points), texts=() if points else ("Nothing yet.",))


def _where(record: IncidentRecord, told: Told) -> Section:
    return Section(
        name="Where",
        points=tuple(told(segment) for segment in record.held.segments),
        missing="link(id, segments=[...])",
    )


def _rules(record: IncidentRecord, _: Told) -> Section:
    points = tuple(rule for _, rule in record.held.rules)
    return Section(name="Rules concerned", points=points, missing="link(id, rules=[...], book=...)")


def _actions(record: IncidentRecord, told: Told) -> Section:
    table = record.actions[["action", "what", "purpose", "status", "due"]].copy()
    table["what"] = [told(text) for text in table["what"]]
    return Section(name="Actions", table=table, texts=() if len(table) else ("None yet.",))


def _open(record: IncidentRecord, _: Told) -> Section:
    waiting = int(record.actions["status"].isin(["open", "doing"]).sum())
    unknown = [name for name in ("people", "lost", "started") if name not in completed(record.held.facts)]
    points = [f"{waiting} measures are under way." if waiting != 1 else "1 measure is under way."]
    points += [f"Not yet known: {name}." for name in unknown]
    return Section(name="What is still open", points=tuple(points))


def _due(record: IncidentRecord, told: Told) -> Section:
    points = [f"{told(row['what'])}: {row['local']}" for row in record.deadlines.to_dict("records")]
    return Section(name="Deadlines", points=tuple(points), texts=() if points else ("None is known.",))


def _remedies(record: IncidentRecord, _: Told, *, money: bool = False) -> Section:
    points = []
    for row in record.remedies().frame("totals").to_dict("records"):
        owed = row["amount"]
        known = money and not pd.isna(owed)
        paid = f", {number(owed, 'money', currency=row['currency'])}" if known else ""
        points.append(f"{row['remedy']}, {row['role']}s, {row['status']}: {row['people']}{paid}")
    return Section(name="Putting right", points=tuple(points), texts=() if points else ("Nobody is listed yet.",))


def _remedies_money(record: IncidentRecord, told: Told) -> Section:
    return _remedies(record, told, money=True)


def _say(record: IncidentRecord, _: Told) -> Section:
    return Section(
        name="What to say",
        texts=(_DOING[record.state],),
        points=("Do not name rules, limits, other customers or amounts.", "Pass on who says to be affected."),
    )


def _doing(record: IncidentRecord, _: Told) -> Section:
    return Section(name="What we do", texts=(_DOING[record.state],))


def _for(role: str) -> Callable[[IncidentRecord, Told], Section]:
    def section(record: IncidentRecord, _: Told) -> Section:
        listed_ = {row["remedy"] for row in record.held.remedies.values() if row["role"] == role}
        texts = []
        if "reverse" in listed_:
            texts.append("Where a measure hit you by mistake, we lift it; you need not do anything.")
        if "refund" in listed_:
            texts.append("Where you lost money by it, we pay it back and write to you.")
        return Section(name="What it means for you", texts=tuple(texts or ("If it concerns you, we write to you.",)))

    return section


_BLOCKS: dict[str, Callable[[IncidentRecord, Told], Any]] = {
    "status": _status,
    "state": _state,
    "summary": _summary,
    "public": _public,
    "people": _people,
    "money": _money,
    "times": _times,
    "decisions": _decisions,
    "where": _where,
    "rules": _rules,
    "actions": _actions,
    "open": _open,
    "due": _due,
    "remedies": _remedies,
    "remedies_money": _remedies_money,
    "say": _say,
    "doing": _doing,
    "sellers": _for("seller"),
    "creators": _for("creator"),
    "buyers": _for("buyer"),
}
