"""How does an incident stand, after all that happened? The fold of its history, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from riskbench.errors import StoreError
from riskbench.incidents.lifecycle import STAGES, STATES, State, reopens
from riskbench.store import Happening

#: The parts of a post-mortem that people write.
SECTIONS = (
    "summary",
    "public_summary",
    "trigger",
    "root_causes",
    "contributing",
    "detection",
    "defences",
    "resolution",
    "went_well",
    "went_wrong",
    "lucky",
    "lessons",
)


@dataclass(frozen=True, slots=True)
class Moment:
    """One row of the timeline: when it was so, when it was written, where, by whom, what kind, in words."""

    at: str
    recorded: str
    incident: str
    sequence: int
    actor: str
    kind: str
    what: str


@dataclass(slots=True)
class Standing:
    """How an incident stands: what the lines of its history add up to."""

    id: str
    name: str = ""
    state: State = "detected"
    facts: dict[str, Any] = field(default_factory=dict)
    #: When each stage was reached, and who said so; stages that were reopened are gone from here.
    stages: dict[State, tuple[str, str]] = field(default_factory=dict)
    moves: list[tuple[str, State]] = field(default_factory=list)
    reopened: int = 0
    owners: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    actions: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, bool] = field(default_factory=dict)
    rules: dict[tuple[str, str], None] = field(default_factory=dict)
    segments: dict[str, None] = field(default_factory=dict)
    columns: dict[str, None] = field(default_factory=dict)
    rings: dict[str, dict[str, Any]] = field(default_factory=dict)
    deadlines: dict[tuple[str, str], None] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)
    remedies: dict[tuple[str, str, str, str], dict[str, Any]] = field(default_factory=dict)
    rated: tuple[str, str, str] | None = None
    duplicates: list[str] = field(default_factory=list)
    merged_into: str | None = None
    timeline: list[Moment] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    head: str = ""

    @property
    def opened(self) -> str:
        """When it was written down first."""
        return self.timeline[0].recorded

    @property
    def steps(self) -> list[Moment]:
        """Its own way through the states, as written."""
        return [row for row in self.timeline if row.incident == self.id and row.kind in ("opened", "moved", "merged")]

    @property
    def ids(self) -> list[str]:
        """Every id of a buyer, seller, creator or ring member that is known here."""
        members = [member for ring in self.rings.values() for member in ring["members"]]
        return sorted({*members, *(subject for _, _, subject, _ in self.remedies)})

    def apply(self, line: Happening, others: Mapping[str, Sequence[Happening]]) -> None:
        """Let one line of the history take effect."""
        what = _APPLY[line.kind](self, line, others)
        when = str(line.body.get("when") or line.at)
        self.timeline.append(Moment(when, line.at, line.incident, line.sequence, line.actor, line.kind, what))
        if line.actor not in self.people:
            self.people.append(line.actor)
        self.head = line.head


def fold(incident: str, histories: Mapping[str, Sequence[Happening]]) -> Standing:
    """Return how an incident stands; `histories` also holds those that were merged into it.

    Raises
    ------
    StoreError
        When a line says what no line may say.
    """
    held = Standing(incident)
    for line in histories[incident]:
        try:
            held.apply(line, histories)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
            raise StoreError(
                f"The history of {incident} cannot be read: event {line.sequence} makes no sense",
                got=f"{line.kind[:40]!r} ({type(error).__name__})",
                hint="it was written by a newer riskbench, or changed outside of it",
            ) from None
    return held


def _because(what: str, reason: str | None) -> str:
    return f"{what}: {reason}" if reason else what


def _opened(held: Standing, line: Happening, others: Mapping[str, Sequence[Happening]]) -> str:
    held.name, held.state = line.body["title"], "detected"
    held.facts = dict(line.body["facts"])
    held.stages["detected"] = (held.facts.get("detected") or line.body["when"], line.actor)
    held.moves.append(("", "detected"))
    _linked(held, line, others)
    return f"opened: {held.name}"


def _noted(_: Standing, line: Happening, __: object) -> str:
    return str(line.body["text"])


def _moved(held: Standing, line: Happening, _: object) -> str:
    before, to, reason = held.state, line.body["to"], line.body.get("reason") or ""
    if to not in STATES:
        raise ValueError(to)
    if reopens(before, to):
        held.reopened += 1
        for later in (*STAGES[STAGES.index("triaged") + 1 :], "dismissed"):
            held.stages.pop(later, None)
    held.state = to
    held.moves.append((before, to))
    if not (to == "triaged" and "triaged" in held.stages):
        held.stages[to] = (line.body["when"], line.actor)
    return _because(f"{before} → {to}", reason)


def _assigned(held: Standing, line: Happening, _: object) -> str:
    role, owner = line.body["role"], line.body["owner"]
    before = next((row for row in reversed(held.owners) if row["role"] == role and row["until"] is None), None)
    if before is not None:
        before["until"] = line.body.get("when") or line.at
    at = line.body.get("when") or line.at
    held.owners.append({"role": role, "owner": owner, "at": at, "until": None, "by": line.actor})
    if owner not in held.people:
        held.people.append(owner)
    return f"{role}: {before['owner']} → {owner}" if before else f"{role}: {owner}"


def _decided(held: Standing, line: Happening, _: object) -> str:
    body = line.body
    held.decisions.append(
        {
            "decision": f"D{len(held.decisions) + 1}",
            "at": body.get("when") or line.at,
            "by": line.actor,
            "what": body["what"],
            "reason": body["reason"],
            "alternatives": list(body.get("alternatives") or ()),
        }
    )
    return f"decided: {body['what']}, because {body['reason']}"


def _acted(held: Standing, line: Happening, _: object) -> str:
    body = line.body
    number = f"A{1 + sum(not name.startswith('INC-') for name in held.actions)}"
    held.actions[number] = {
        "what": body["what"],
        "purpose": body["purpose"],
        "owner": body.get("owner"),
        "due": body.get("due"),
        "status": "open",
        "at": body.get("when") or line.at,
        "ended": None,
        "note": "",
    }
    if body.get("owner") and body["owner"] not in held.people:
        held.people.append(body["owner"])
    return f"action {number}: {body['what']}"


def _progressed(held: Standing, line: Happening, _: object) -> str:
    body = line.body
    action = held.actions[body["action"]]
    action["status"], action["note"] = body["status"], body.get("note") or ""
    action["ended"] = (body.get("when") or line.at) if body["status"] in ("done", "dropped") else None
    return _because(f"action {body['action']}: {body['status']}", body.get("note"))


def _linked(held: Standing, line: Happening, _: object) -> str:
    body = line.body
    for run in body.get("runs") or ():
        held.runs[run["id"]] = run["checked"]
    for rule in body.get("rules") or ():
        held.rules[body.get("book") or "", rule] = None
    held.segments.update(dict.fromkeys(body.get("segments") or ()))
    held.columns.update(dict.fromkeys(body.get("columns") or ()))
    held.rings.update({ring["id"]: ring for ring in body.get("rings") or ()})
    held.deadlines.update({(row["at"], row["what"]): None for row in body.get("deadlines") or ()})
    runs = [run["id"] for run in body.get("runs") or ()]
    rings = [f"{ring['id']} ({ring['size']} members)" for ring in body.get("rings") or ()]
    due = [f"{row['what']} by {row['at'][:16]}Z" for row in body.get("deadlines") or ()]
    parts = {"runs": runs, "rules": body.get("rules"), "segments": body.get("segments"), "columns": body.get("columns")}
    told = {**parts, "rings": rings, "deadlines": due}
    return "linked " + "; ".join(f"{name} {', '.join(items)}" for name, items in told.items() if items)


def _stated(held: Standing, line: Happening, _: object) -> str:
    facts = line.body["facts"]
    held.facts.update(facts)
    if "detected" in facts and "detected" in held.stages:
        held.stages["detected"] = (facts["detected"], line.actor)
    return "stated: " + ", ".join(f"{name} = {value}" for name, value in facts.items())


def _written(held: Standing, line: Happening, _: object) -> str:
    held.sections[line.body["section"]] = line.body["text"]
    return f"wrote {line.body['section'].replace('_', ' ')}"


def _listed(held: Standing, line: Happening, _: object) -> str:
    counts: dict[str, int] = {}
    for row in line.body["rows"]:
        key = (row["remedy"], row["role"], row["subject"], row["what"])
        held.remedies[key] = {**row, "at": line.at}
        told = f"{row['remedy']} {row['status']}"
        counts[told] = counts.get(told, 0) + 1
    return "listed " + ", ".join(f"{count} to {told}" for told, count in sorted(counts.items()))


def _rated(held: Standing, line: Happening, _: object) -> str:
    held.rated = (line.body["severity"], line.body["reason"], line.actor)
    return f"severity set to {line.body['severity']}: {line.body['reason']}"


def _merged(held: Standing, line: Happening, _: object) -> str:
    before, held.state, held.merged_into = held.state, "merged", line.body["into"]
    held.stages["merged"] = (line.at, line.actor)
    held.moves.append((before, "merged"))
    return _because(f"merged into {held.merged_into}", line.body.get("reason"))


def _absorbed(held: Standing, line: Happening, others: Mapping[str, Sequence[Happening]]) -> str:
    """Take over what a duplicate held; what stood here already stays."""
    other = fold(line.body["other"], others)
    held.facts = {**other.facts, **held.facts}
    for name, earlier in (("started", min), ("window_start", min), ("window_end", max)):
        both = [facts[name] for facts in (held.facts, other.facts) if facts.get(name)]
        if both:
            held.facts[name] = earlier(both)
    held.stages["detected"] = min(held.stages["detected"], other.stages["detected"])
    parts: tuple[tuple[dict[Any, Any], dict[Any, Any]], ...] = (
        (held.runs, other.runs),
        (held.rules, other.rules),
        (held.segments, other.segments),
        (held.columns, other.columns),
        (held.rings, other.rings),
        (held.deadlines, other.deadlines),
        (held.sections, other.sections),
        (held.remedies, other.remedies),
    )
    for mine, theirs in parts:
        for key, value in theirs.items():
            mine.setdefault(key, value)
    for name, action in other.actions.items():
        held.actions[name if name.startswith("INC-") else f"{other.id} {name}"] = dict(action)
    for decision in other.decisions:
        name = decision["decision"]
        held.decisions.append({**decision, "decision": name if name.startswith("INC-") else f"{other.id} {name}"})
    held.duplicates += [other.id, *other.duplicates]
    held.people += [name for name in other.people if name not in held.people]
    held.timeline += other.timeline
    return f"took over {other.id}: {other.name}"


_APPLY: dict[str, Callable[[Standing, Happening, Mapping[str, Sequence[Happening]]], str]] = {
    "opened": _opened,
    "noted": _noted,
    "moved": _moved,
    "assigned": _assigned,
    "decided": _decided,
    "acted": _acted,
    "progressed": _progressed,
    "linked": _linked,
    "stated": _stated,
    "written": _written,
    "listed": _listed,
    "rated": _rated,
    "merged": _merged,
    "absorbed": _absorbed,
}
