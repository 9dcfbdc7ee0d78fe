"""Why was one event decided as it was: every rule, every condition, what was asked, what was there, how far off?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.outcomes import ladder
from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREY, style
from riskbench.engine.leaves import Joined, Leaf, leaves, taken_apart
from riskbench.rules.asked import Asked, asked, hidden_columns
from riskbench.rules.book import RuleBook
from riskbench.rules.doors import book_and_events
from riskbench.rules.found import found_event
from riskbench.rules.hits import acting, apply, deciding_order, prepared
from riskbench.rules.rule import Rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_DRAWN = 12


@result
class EventExplanation(Result):
    """Every rule of a book held against one event.

    Attributes
    ----------
    rules : DataFrame
        One row a rule; the one that decides first, then the live ones that hit in the order in which they would
        decide, then the others that hit, then those that came nearest: rule, outcome, status, priority, hits (yes, no,
        unknown: a value is missing), decides, pre_empted (a live rule that hits and does not decide), failing (the
        conditions in its way, all of them), failing_conditions (how many), nearest_distance (in the column's unit,
        where one numeric condition alone is in the way), nearest_share (the same as a share of the cut; of several
        numeric conditions the largest; missing where one of them has no distance).
    conditions : DataFrame
        One row a condition, in the order of the book and of the text: rule, condition (as written), expected (with the
        values of the event's region, and "not" where it has to be false), actual, answer (pass, fail, unknown: does it
        come out as the rule needs it), holds (is it true by itself), distance, share, told (the distance in words).
    event : str
        The event's id.
    region : str
        Its region.
    outcome : str
        What the live rules decide.
    decided_by : str or None
        The rule that decides; None where no live rule hits.
    next_outcome, next_rule : str or None
        What would decide without it.
    """

    kind: ClassVar[str] = "event_explanation"
    title: ClassVar[str] = "Why this event was decided so"
    main: ClassVar[str] = "rules"
    repr_rows: ClassVar[int] = 60
    repr_columns: ClassVar[tuple[str, ...]] = (
        "rule",
        "outcome",
        "status",
        "hits",
        "decides",
        "failing",
        "nearest_distance",
        "nearest_share",
    )
    repr_tables: ClassVar[tuple[str, ...]] = ("conditions",)

    rules: pd.DataFrame
    conditions: pd.DataFrame
    event: str
    region: str
    outcome: str
    decided_by: str | None
    next_outcome: str
    next_rule: str | None

    def headline(self) -> tuple[Fact, ...]:
        """Return what was decided, by which rule, and what would be without it."""
        hit = self.rules[self.rules["hits"] == "yes"]
        over = self.rules.loc[self.rules["pre_empted"], "rule"].tolist()
        facts = [
            Fact("Outcome", self.outcome, "text", note="" if self.decided_by else "no live rule hits"),
            Fact("Decided by", self.decided_by or "no rule", "text"),
            Fact("Rules that hit", len(hit), "count", n=len(self.rules), note=f"of {len(self.rules):,}"),
        ]
        if self.decided_by:
            by = f"by {self.next_rule}" if self.next_rule else "no other live rule hits"
            facts.append(Fact("Without that rule", self.next_outcome, "text", note=by))
            facts.append(Fact("Live rules that it pre-empts", len(over), "count", note=", ".join(over[:4])))
        near = self.rules[(self.rules["hits"] != "yes") & self.rules["nearest_share"].notna()]
        if len(near):
            first = near.sort_values("nearest_share", kind="stable").iloc[0]
            share = float(first["nearest_share"])
            facts.append(Fact("Nearest that does not hit", str(first["rule"]), "text", note=f"{_percent(share)} off"))
        return tuple(facts)

    @property
    def _near(self) -> pd.DataFrame:
        held = self.rules[(self.rules["hits"] != "yes") & self.rules["nearest_share"].notna()]
        return held.sort_values("nearest_share", kind="stable").head(_MOST_DRAWN)

    @property
    def drawable(self) -> bool:
        """Whether any rule that does not hit has a distance."""
        return len(self._near) > 0

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of rules."""
        return 1.3 + 0.32 * len(self._near)

    @property
    def alt(self) -> str:
        """The picture in words."""
        told = [
            f"{rule} {_percent(share)}"
            for rule, share in zip(self._near["rule"], self._near["nearest_share"], strict=True)
        ]
        return f"How far the rules that do not hit are from hitting, as a share of the cut: {', '.join(told)}"

    def _draw(self, ax: Axes) -> None:
        near = self._near.iloc[::-1]
        share = 100 * near["nearest_share"].to_numpy(dtype=float)
        place = np.arange(len(near))
        colours = [BLUE if status == "live" else GREY for status in near["status"]]
        ax.barh(place, np.minimum(share, 100.0), color=colours, height=0.6)
        for at, value in enumerate(share.tolist()):
            ax.text(min(value, 100.0) + 1.5, at, _percent(value / 100), va="center", fontsize=9)
        ax.set_yticks(place, [str(rule)[:40] for rule in near["rule"]])
        ax.set_xlim(0, 118)
        style(
            ax,
            title="How far from hitting (grey: not live)",
            x="distance to the cut (% of the cut; over 100 cut off)",
            y="",
        )


@dataclass(frozen=True, slots=True)
class _Way:
    """What has to change for a rule to hit, the easiest way."""

    failing: tuple[int, ...]

    def cost(self, answers: Sequence[Asked]) -> tuple[int, bool, float]:
        shares = [answers[place].share for place in self.failing]
        known = [share for share in shares if share is not None]
        return len(self.failing), len(known) < len(shares), max(known, default=0.0)


def explain_event(
    book: RuleBook,
    dataset: Dataset,
    *,
    id: object,  # noqa: A002 - the role's own name
    asof: str | pd.Timestamp | None = None,
) -> EventExplanation:
    """Hold every rule of a book against one event: what each condition asked, what was there, and how far off it was.

    Use it when somebody asks why an order was blocked, or why it was not. The outcome is what `simulate` decides:
    live rules only, the smallest priority first. A condition under NOT passes when it is false. Values of ids and
    entities are not shown, only whether they match.

    Parameters
    ----------
    book : RuleBook
        The rules, whatever their status; velocity features are computed on the way, from all events.
    dataset : Dataset
        The events.
    id : text or number
        The event's id.
    asof : str or Timestamp, optional
        Only events up to then are there (UTC).

    Returns
    -------
    EventExplanation
        Tables `rules` and `conditions`.

    Raises
    ------
    ParameterError
        When no event, or more than one, has that id; names the nearest.
    RuleError
        When a rule does not fit the events' columns.

    Examples
    --------
    >>> import pandas as pd
    >>> import riskbench as rb
    >>> events = rb.read(pd.DataFrame({"id": ["a", "b"], "amount": [450.0, 900.0], "pay": ["cod", "card"]}),
    ...     roles=rb.Roles(id="id"))
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "amount > :limit", params: {limit: 500}, outcome: review, status: live}
    ...   - {id: TX-2, when: "amount > 400 AND pay = 'card'", outcome: block, priority: 5, status: live}
    ... ''')
    >>> told = rb.explain_event(book, events, id="a")
    >>> told.frame()[["rule", "hits", "failing", "nearest_distance", "nearest_share"]]
       rule hits       failing  nearest_distance  nearest_share
    0  TX-1   no  amount > 500              50.0            0.1
    1  TX-2   no  pay = 'card'               NaN            NaN
    >>> rb.explain_event(book, events, id="b")
    EventExplanation(Outcome: block; Decided by: TX-2; Rules that hit: 2; Without that rule: review; \
Live rules that it pre-empts: 1)
    """
    book_and_events(book, dataset)
    begun = time.perf_counter()
    events = prepared(book, dataset, asof=asof)
    book = acting(book, events, asof=asof)
    row, shown = found_event(dataset, events, id, asof=asof)
    one = events.take(np.array([row], dtype=np.intp))
    region = one.regions[1][0]
    secret = hidden_columns(book, events)
    shapes = [_shape(rule, one, region, secret) for rule in book.rules]
    held = [list(leaves(shape)) for shape in shapes]
    answers = asked([leaf for part in held for leaf in part], one, hidden=secret)
    bits = apply(book.rules, one)
    hit = [bool(bits.mask(place)[0]) for place in range(len(book.rules))]
    order = [place for place in deciding_order(book) if hit[place]]
    rules: list[tuple[tuple[Any, ...], dict[str, object]]] = []
    conditions: list[dict[str, object]] = []
    first = 0
    for place, (rule, shape) in enumerate(zip(book.rules, shapes, strict=True)):
        own = answers[first : first + len(held[place])]
        first += len(own)
        conditions += [{"rule": rule.id, **_condition(leaf, said)} for leaf, said in zip(held[place], own, strict=True)]
        key, line = _line(rule, shape, held[place], own, hit=hit[place], order=order, place=place)
        rules.append((key, line | {"failing": "off in this region"} if region in rule.off else line))
    steps = ladder(book.domain)
    decided = [book.rules[place] for place in order[:2]]
    return EventExplanation(
        rules=_rules([line for _, line in sorted(rules, key=lambda pair: pair[0])]),
        conditions=_conditions(conditions),
        event=shown,
        region=region,
        outcome=decided[0].outcome if decided else steps.names[0],
        decided_by=decided[0].id if decided else None,
        next_outcome=decided[1].outcome if len(decided) > 1 else steps.names[0],
        next_rule=decided[1].id if len(decided) > 1 else None,
        pages={"conditions": ("Every condition", _page(conditions))},
        notes=_notes(book, secret, conditions, answers),
        provenance={
            "dataset": dataset.fingerprint,
            "book": book.hash,
            "parameters": {"id": shown, "asof": str(asof) if asof is not None else None},
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _shape(rule: Rule, one: Dataset, region: str, secret: frozenset[str]) -> Leaf | Joined:
    params = {**rule.lists, **rule.values(region)}
    return taken_apart(rule.predicate, one.kinds, params=params, aliases=one.roles.named(), hidden=secret, rule=rule.id)


def _line(
    rule: Rule,
    shape: Leaf | Joined,
    held: Sequence[Leaf],
    answers: Sequence[Asked],
    *,
    hit: bool,
    order: Sequence[int],
    place: int,
) -> tuple[tuple[Any, ...], dict[str, object]]:
    """Return what is told of one rule, after its place in the table."""
    verdict, way = _verdict(shape, answers, [0])
    failing = [] if hit else [answers[at] for at in way.failing]
    texts = [] if hit else [_needed(held[at]) for at in way.failing]
    shares = [part.share for part in failing]
    whole = bool(shares) and all(share is not None for share in shares)
    share = max((part for part in shares if part is not None), default=None) if whole else None
    decides = bool(order) and order[0] == place
    rank = order.index(place) if place in order else len(order)
    line: dict[str, object] = {
        "rule": rule.id,
        "outcome": rule.outcome,
        "status": rule.status,
        "priority": rule.priority,
        "hits": "yes" if hit else "unknown" if verdict is None else "no",
        "decides": decides,
        "pre_empted": place in order and not decides,
        "failing": "; ".join(texts),
        "failing_conditions": len(texts),
        "nearest_distance": failing[0].distance if len(failing) == 1 else None,
        "nearest_share": share,
    }
    return (not hit, rank, len(texts), share is None, share or 0.0, place), line


def _verdict(shape: Leaf | Joined, answers: Sequence[Asked], at: list[int]) -> tuple[bool | None, _Way]:
    """Return whether a shape comes out as needed, and the easiest way in which it would; `at` counts the leaves."""
    if isinstance(shape, Leaf):
        place = at[0]
        at[0] += 1
        passed = answers[place].passed
        return passed, _Way(() if passed else (place,))
    parts = [_verdict(part, answers, at) for part in shape.parts]
    said = [verdict for verdict, _ in parts]
    if shape.every:
        verdict = False if False in said else None if None in said else True
        return verdict, _Way(tuple(place for _, way in parts for place in way.failing))
    verdict = True if True in said else None if None in said else False
    return verdict, min((way for _, way in parts), key=lambda way: way.cost(answers))


def _needed(leaf: Leaf) -> str:
    return leaf.text if leaf.needed else f"not {leaf.text}"


def _condition(leaf: Leaf, said: Asked) -> dict[str, object]:
    return {
        "condition": leaf.written,
        "expected": _needed(leaf),
        "actual": said.actual,
        "answer": "unknown" if said.passed is None else "pass" if said.passed else "fail",
        "holds": "unknown" if said.holds is None else "yes" if said.holds else "no",
        "distance": said.distance,
        "share": said.share,
        "told": said.told,
    }


def _rules(lines: list[dict[str, object]]) -> pd.DataFrame:
    columns = [
        "rule", "outcome", "status", "priority", "hits", "decides", "pre_empted", "failing", "failing_conditions",
        "nearest_distance", "nearest_share",
    ]  # fmt: skip
    frame = pd.DataFrame(lines, columns=columns)
    kinds = {"decides": bool, "pre_empted": bool, "nearest_distance": float, "nearest_share": float}
    return frame.astype(kinds)


def _conditions(lines: list[dict[str, object]]) -> pd.DataFrame:
    columns = ["rule", "condition", "expected", "actual", "answer", "holds", "distance", "share", "told"]
    return pd.DataFrame(lines, columns=columns).astype({"distance": float, "share": float})


def _page(lines: list[dict[str, object]]) -> pd.DataFrame:
    """Return the conditions as the page tells them."""
    told = []
    for line in lines:
        share = line["share"]
        far = f"{line['told']} ({_percent(share)} of the cut)" if isinstance(share, float) else line["told"]
        told.append((line["rule"], line["expected"], line["actual"], line["answer"], far))
    return pd.DataFrame(told, columns=["rule", "what the rule needs", "what was there", "answer", "how far off"])


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:,.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _notes(
    book: RuleBook, secret: frozenset[str], conditions: Sequence[object], answers: Sequence[Asked]
) -> tuple[str, ...]:
    notes = []
    if not book.rules:
        notes.append("The book holds no rule.")
    elif not book.live:
        notes.append("No rule of the book is live: nothing is decided.")
    if secret and any(answer.hidden for answer in answers):
        notes.append("Values of ids and entities are hidden; whether they match is told.")
    if any(answer.passed is None for answer in answers):
        notes.append("Unknown: a value is missing. A rule that is unknown does not hit.")
    if conditions:
        notes.append("A distance is in the column's own unit (times: seconds); its share is of the cut.")
    return tuple(notes)
