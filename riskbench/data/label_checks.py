"""The checks on labels: what tells too much, too early, too little, or comes from the rule itself."""

from __future__ import annotations

import numpy as np

from riskbench.data.finding import Case, Check, Finding, NotApplicable, names_found
from riskbench.data.labels import YOUNG, label_state, lost_methods, stopped
from riskbench.data.leakage import gives_away
from riskbench.data.moments import DEFAULT_MOMENT, place_of
from riskbench.data.verdicts import MADE
from riskbench.engine.columns import DAY
from riskbench.errors import RiskbenchError, nearest

#: Fewer frauds than this make intervals too wide to choose a cut by.
FEW_FRAUDS, FEW_FRAUDS_OF_REGION = 50, 10
_TAIL, _LONG_TAIL = 0.01, 0.10


def _unreadable(case: Case) -> Finding | None:
    if case.dataset.roles.label is None:
        raise NotApplicable("no column has the role 'label'")
    try:
        _ = case.labels
    except NotApplicable as why:
        return Finding(count=case.dataset.rows, examples=(str(why),))
    return None


def _early_labels(case: Case) -> Finding | None:
    time, told = case.role("time"), case.role("label_time")
    both = time.present & told.present
    # Labels that bear a date only are told at some time of that day.
    whole_days = bool((told.values[both] % DAY == 0).all())
    return case.rows_found(both & (told.values + (DAY - 1 if whole_days else 0) < time.values))


def post_verdict(case: Case) -> dict[str, str]:
    """Return the columns that declare themselves as known after the verdict, and why no model may learn from them."""
    roles = case.dataset.roles
    made = [one for name in MADE for one in (name, f"recipe_{name}") if one in case.dataset.table]
    why = {one: "it comes with the verdict" for one in made if one != roles.label}
    for one in ("loss", "recovered", "refund"):
        if one in roles.measures:
            why.setdefault(roles.measures[one], f"it is money known only after the event ({one})")
    if case.dataset.caused_by is not None:
        why.setdefault(case.dataset.caused_by, "it names what caused the verdict")
    if roles.label_time is not None:
        why.setdefault(roles.label_time, "it is when the verdict was told")
    if roles.label_source is not None:
        why.setdefault(roles.label_source, "it says who told the verdict")
    return why


def _leaks(case: Case) -> Finding | None:
    fraud, good = case.labels
    if fraud.sum() < 5 or good.sum() < 30:
        raise NotApplicable("there are too few frauds or good events to tell")
    roles = case.dataset.roles
    apart = {roles.id, roles.label, roles.time, roles.outcome, roles.currency, *roles.entities, *post_verdict(case)}
    since = case.role("time").values if roles.time is not None else None
    found: dict[str, str] = {}
    leaks: dict[str, str] = {}
    for name in case.dataset.names:
        if name in apart:
            continue
        how = gives_away(case.dataset.table.column(name), fraud, good, since=since)
        if how is not None:
            leaks[name] = f"it gives the label away: {how}"
            found[name] = f"{name} ({how})"
    return names_found(found.values(), leaks=leaks)


def _circular(case: Case) -> Finding | None:
    name = case.dataset.caused_by
    if name is None:
        raise NotApplicable("no column says what caused a verdict (caused_by=)")
    tested = set(case.book) | ({case.score} if case.score else set())
    if case.dataset.roles.score is not None:
        tested.add(case.dataset.roles.score)
    if not tested:
        raise NotApplicable("no rule and no score is under test (book=, score=)")
    codes, names = case.dataset.segment(name)
    guilty = [place for place, word in enumerate(names) if word in tested]
    rows = np.isin(codes, guilty)
    if case.dataset.roles.label is not None:
        rows &= case.dataset.table.column(case.dataset.roles.label).present
    return case.rows_found(rows)


def _too_late(case: Case) -> Finding | None:
    known_at = case.dataset.known_at
    if not known_at:
        raise NotApplicable("no column says when it becomes known (known_at=)")
    named = case.dataset.roles.decision_point
    if named is not None and named in case.dataset.table:
        words = [word for word in case.dataset.segment(named)[1] if word != "(missing)"]
    else:
        words = [named or DEFAULT_MOMENT[case.dataset.domain]]
    places = [place_of(word) for word in words]
    lost = [f"{word!r} is no moment" for word, place in zip(words, places, strict=True) if place is None]
    decided = min((place for place in places if place is not None), default=None)
    apart = {case.dataset.roles.label, case.dataset.roles.label_time, *post_verdict(case)}
    late: list[str] = []
    for column, moment in known_at.items():
        place = place_of(moment)
        if column in apart:
            continue
        if place is None:
            lost.append(f"{column} ({moment!r} is no moment)")
        elif decided is not None and place > decided:
            late.append(column)
    why = {one: f"it is not known before: {known_at[one]}" for one in late}
    return names_found([*(f"{one} (known at {known_at[one]})" for one in late), *lost], leaks=why)


def _one_class(case: Case) -> Finding | None:
    fraud, good = case.labels
    counts = (int(fraud.sum()), int(good.sum()))
    if min(counts):
        return None
    said = "no event is labelled" if not max(counts) else "no fraud" if not counts[0] else "no good event"
    return Finding(count=max(counts), examples=(said,))


def _few_frauds(case: Case) -> Finding | None:
    fraud, good = case.labels
    count = int(fraud.sum())
    if not count or not good.any():
        raise NotApplicable("there is one class only")
    return Finding(count=count, examples=(f"{count:,} frauds",)) if count < FEW_FRAUDS else None


def _few_by_region(case: Case) -> Finding | None:
    fraud, _ = case.labels
    case.role("region")
    if not fraud.any():
        raise NotApplicable("there is no fraud")
    codes, names = case.dataset.regions
    counts = np.bincount(codes[fraud], minlength=len(names))
    named = np.array([name != "(missing)" for name in names])
    few = np.flatnonzero((counts < FEW_FRAUDS_OF_REGION) & named)
    order = few[np.argsort(counts[few], kind="stable")]
    return names_found(f"{names[place]} ({counts[place]})" for place in order)


def _young_tail(case: Case) -> Finding | None:
    case.role("label_time")
    time = case.role("time")
    _ = case.labels
    try:
        known = label_state(case.dataset, asof=None if case.asof is None else _stamp(case.asof))
    except RiskbenchError as error:
        raise NotApplicable(error.what) from error
    young = (known.state == YOUNG) & time.present
    share = float(young.sum() / max(1, case.dataset.rows))
    if share < _TAIL:
        return None
    since = np.datetime64(int(time.values[young].min()), "us").astype("datetime64[D]")
    days = known.mature_after or 0.0
    told = f"{share:.0%} of the events, from {since} on, are younger than {days:.0f} days"
    return Finding(count=int(young.sum()), examples=(told,), severity="warning" if share >= _LONG_TAIL else "info")


def _stamp(moment: int) -> str:
    return str(np.datetime64(moment, "us"))


def _silenced(case: Case) -> Finding | None:
    fraud, good = case.labels
    case.role("outcome")
    try:
        rows = stopped(case.dataset)
    except RiskbenchError as error:
        raise NotApplicable(error.what) from error
    return case.rows_found(rows & good & ~fraud)


def _lost_methods(case: Case) -> Finding | None:
    case.role("dispute_channel")
    lost = lost_methods(case.dataset)
    names = case.dataset.segment(str(case.dataset.roles.dispute_channel))[1]
    close = [nearest(one, [name for name in names if name != "(missing)"]) for one in lost]
    return names_found(f"{one} (did you mean {like}?)" if like else one for one, like in zip(lost, close, strict=True))


LABEL_CHECKS = (
    Check(
        code="RB007",
        title="Labels told before their event",
        severity="error",
        advice="Check time zones, clocks and the join; a label known before the event is not about it.",
        look=_early_labels,
    ),
    Check(
        code="RB008",
        title="A column gives the label away",
        severity="error",
        advice="Keep it out of rules and scores: it is filled from the verdict, or is the verdict by another name.",
        look=_leaks,
    ),
    Check(
        code="RB009",
        title="Verdicts caused by the rule or score under test",
        severity="warning",
        advice="Leave these verdicts out, or judge the rule on what others found: it would confirm itself.",
        look=_circular,
    ),
    Check(
        code="RB010",
        title="Columns not yet known at the decision point",
        severity="error",
        advice="Keep them out of rules and scores, or decide later; in production they would be empty.",
        look=_too_late,
    ),
    Check(
        code="RB017",
        title="The label cannot be read",
        severity="error",
        advice="Use 1, 0 and missing, or name fraud_values= and good_values= in the roles.",
        look=_unreadable,
    ),
    Check(
        code="RB018",
        title="One class only",
        severity="error",
        advice="Read events of both classes: without frauds, or without good events, nothing can be measured.",
        look=_one_class,
    ),
    Check(
        code="RB019",
        title="Too few frauds to measure with",
        severity="warning",
        advice="Take a longer span or more regions; until then read every interval before its number.",
        look=_few_frauds,
    ),
    Check(
        code="RB020",
        title="The latest events are too young to judge",
        severity="warning",
        advice="Judge rules on matured events: silence about these is not good news yet.",
        look=_young_tail,
    ),
    Check(
        code="RB025",
        title="Regions with too few frauds",
        severity="info",
        advice="Expect them to inherit the common cut; their own figures are not measurable.",
        look=_few_by_region,
    ),
    Check(
        code="RB028",
        title="Blocked events labelled good",
        severity="warning",
        advice="Check the recipe: an event that was stopped has no verdict, and its silence is not counted as good.",
        look=_silenced,
    ),
    Check(
        code="RB029",
        title="Values without a dispute channel that no event has",
        severity="warning",
        advice="Correct no_dispute= in the roles: until then silence about the events that were meant counts as good.",
        look=_lost_methods,
    ),
)
