"""The checks on events: ids, times, money, regions, columns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskbench.data.finding import MOST_EXAMPLES, Case, Check, Finding, NotApplicable, names_found
from riskbench.data.money import Currency, finer
from riskbench.data.outcomes import ladder
from riskbench.engine.columns import Mask
from riskbench.errors import ParameterError

_1990 = 631_152_000_000_000
#: Up to this share of steps back, rows are meant to be in order of time and some are not.
_STRAY_SHARE = 0.05


def _missing_ids(case: Case) -> Finding | None:
    return case.rows_found(~case.role("id").present)


def _doubled_ids(case: Case) -> Finding | None:
    column = case.role("id")
    rows = np.flatnonzero(column.present)
    _, place, counts = np.unique(column.values[rows], return_inverse=True, return_counts=True)
    again = rows[counts[place] > 1]
    if not len(again):
        return None
    _, first = np.unique(column.values[again], return_index=True)
    return Finding(count=len(again), examples=case.ids(again[np.sort(first)]))


def _missing_times(case: Case) -> Finding | None:
    return case.rows_found(~case.role("time").present)


def _time_backwards(case: Case) -> Finding | None:
    column = case.role("time")
    rows = np.flatnonzero(column.present)
    times = column.values[rows]
    back = rows[1:][times[1:] < times[:-1]]
    if not len(back):
        return None
    stray = len(back) <= max(1, _STRAY_SHARE * (len(rows) - 1))
    return Finding(count=len(back), examples=case.ids(back), severity="warning" if stray else "info")


def _future_times(case: Case) -> Finding | None:
    column = case.role("time")
    late = column.present & (column.values > case.now)
    if case.dataset.roles.label_time is not None and case.asof is None:
        told = case.role("label_time")
        late = late | (told.present & (told.values > case.now))
    return case.rows_found(late)


def _early_times(case: Case) -> Finding | None:
    column = case.role("time")
    return case.rows_found(column.present & (column.values < _1990))


def _later_moments(case: Case) -> Finding | None:
    column = case.role("time")
    roles = case.dataset.roles
    others = [
        name
        for name, kind in case.dataset.kinds.items()
        if kind == "time" and name not in (roles.time, roles.label_time) and name not in case.dataset.known_at
    ]
    if not others:
        raise NotApplicable("there is no other column of times, or known_at says when each is known")
    found = []
    for name in others:
        other = case.dataset.table.column(name)
        both = other.present & column.present
        if both.any() and np.count_nonzero(both & (other.values > column.values)) > np.count_nonzero(both) / 2:
            found.append(name)
    return names_found(found, leaks=dict.fromkeys(found, "it holds moments after the event"))


def _infinite(case: Case) -> Finding | None:
    named = {case.dataset.roles.score, *case.money}
    found, severe = [], False
    floats = [name for name, kind in case.dataset.kinds.items() if kind == "float"]
    if not floats:
        raise NotApplicable("there is no column of fractions")
    for name in floats:
        column = case.dataset.table.column(name)
        count = int(np.count_nonzero(np.isinf(column.values) & column.present))
        if count:
            found.append(f"{name} ({count:,})")
            severe |= name in named
    return names_found(found, severity="error" if severe else "warning")


def _missing_numbers(case: Case) -> Finding | None:
    roles = case.dataset.roles
    named = [one for one in (roles.amount, roles.score) if one is not None]
    if not named:
        raise NotApplicable("no column has the role 'amount' or 'score'")
    gaps = {name: case.dataset.table.column(name).missing for name in named}
    return names_found(f"{name} ({count:,})" for name, count in gaps.items() if count)


def _negative(case: Case) -> Finding | None:
    money = [name for name in case.money if name != case.dataset.roles.measures.get("margin")]
    if not money:
        raise NotApplicable("no column has the role 'amount' or a money measure")
    below = np.zeros(case.dataset.rows, dtype=bool)
    for name in money:
        column = case.dataset.table.column(name)
        below |= column.present & (column.values < 0)
    return case.rows_found(below)


def _codes(case: Case) -> tuple[np.ndarray, list[str]] | None:
    """Return the currency column as codes into words; None where the currency is named by the roles."""
    if case.dataset.roles.currency not in case.dataset.table:
        return None
    column = case.dataset.table.column(case.dataset.roles.currency)
    if column.kind != "string" or column.words is None:
        return np.zeros(case.dataset.rows, np.int32), [f"({column.kind})"]
    return np.where(column.present, column.values, -1), column.words.to_pylist()


def _too_fine(case: Case) -> Finding | None:
    if not case.money:
        raise NotApplicable("no column has the role 'amount' or a money measure")
    fine = np.zeros(case.dataset.rows, dtype=bool)
    codes = _codes(case)
    for name in case.money:
        column = case.dataset.table.column(name)
        if codes is None:
            fine |= finer(column, case.dataset.currency)
            continue
        for place, word in enumerate(codes[1]):
            try:
                currency = Currency.of(word)
            except ParameterError:
                continue
            fine |= (codes[0] == place) & finer(column, currency)
    return case.rows_found(fine)


def _currencies(case: Case) -> Finding | None:
    codes = _codes(case)
    if codes is None:
        raise NotApplicable(f"the currency is {case.dataset.roles.currency} for every event")
    held, counts = np.unique(codes[0][codes[0] >= 0], return_counts=True)
    words = [codes[1][int(code)] for code in held]
    wrong = []
    for word in words:
        try:
            Currency.of(word)
        except ParameterError:
            wrong.append(f"{word!r} (no ISO code)")
    if wrong:
        return names_found(wrong)
    order = np.argsort(-counts, kind="stable")
    return names_found(f"{words[i]} ({counts[i]:,})" for i in order) if len(words) > 1 else None


def _region_booleans(case: Case) -> Finding | None:
    column = case.role("region")
    if column.kind == "bool":
        return Finding(count=case.dataset.rows, examples=("True", "False"))
    if column.kind != "string" or column.words is None:
        return None
    words = column.words.to_pylist()
    odd = np.array([word.strip().casefold() in {"true", "false"} for word in words] or [False])
    rows: Mask = odd[column.values] & column.present
    count = int(np.count_nonzero(rows))
    return (
        Finding(count=count, examples=tuple(w for w, is_odd in zip(words, odd, strict=False) if is_odd))
        if count
        else None
    )


def _no_region(case: Case) -> Finding | None:
    return case.rows_found(~case.role("region").present)


def _outcomes(case: Case) -> Finding | None:
    case.role("outcome")
    codes, names = case.dataset.segment(str(case.dataset.roles.outcome))
    steps = ladder(case.dataset.domain)
    unknown = []
    for place, name in enumerate(names):
        try:
            if name != "(missing)":
                steps.level(name)
        except ParameterError:
            unknown.append(place)
    count = int(np.isin(codes, unknown).sum())
    return Finding(count=count, examples=tuple(names[i] for i in unknown[:MOST_EXAMPLES])) if unknown else None


def _let_through(case: Case) -> Finding | None:
    column = case.role("let_through")
    return case.rows_found(column.present & ((column.values < 0) | (column.values > 1)))


def _constant(case: Case) -> Finding | None:
    roles = case.dataset.roles
    apart = {roles.id, roles.label, roles.region, roles.currency, roles.decision_point}
    if case.dataset.rows < 2:
        raise NotApplicable("there are fewer than two events")
    found = []
    for name in case.dataset.names:
        if name in apart:
            continue
        column = case.dataset.table.column(name)
        if column.valid is not None and not column.valid.any():
            found.append(f"{name} (empty)")
        elif column.missing or not (column.values == column.values[0]).all():
            continue
        elif case.dataset.segment(name)[1] != (roles.currency,):
            found.append(name)
    return names_found(found)


def _same_but_for_case(case: Case) -> Finding | None:
    folded = pd.Series([name.casefold() for name in case.dataset.names])
    return names_found(np.array(case.dataset.names, dtype=object)[folded.duplicated(keep=False).to_numpy()])


IDS = (
    Check(
        code="RB001",
        title="Events without an id",
        severity="error",
        advice="Give every event an id; without one it cannot be named, joined or counted once.",
        look=_missing_ids,
    ),
    Check(
        code="RB002",
        title="Ids that stand more than once",
        severity="error",
        advice="Keep one row an event, or name the column that tells the rows apart; doubled rows count twice.",
        look=_doubled_ids,
    ),
)

TIMES = (
    Check(
        code="RB003",
        title="Events without a time",
        severity="warning",
        advice="Find out why they have none; they fall out of weeks, windows and velocity.",
        look=_missing_times,
    ),
    Check(
        code="RB004",
        title="Time goes backwards",
        severity="warning",
        advice="Check clocks and late arrivals; sort by time if the order of rows means something.",
        look=_time_backwards,
    ),
    Check(
        code="RB005",
        title="Times in the future",
        severity="error",
        advice="Check the time zone and the epoch unit; a verdict from the future would be used too early.",
        look=_future_times,
    ),
    Check(
        code="RB006",
        title="Times before 1990",
        severity="warning",
        advice="Check the epoch unit (seconds read as milliseconds end in January 1970) and default dates.",
        look=_early_times,
    ),
    Check(
        code="RB011",
        title="A column holds moments after the event",
        severity="warning",
        advice="Say in known_at= when it becomes known, or leave it out of rules; a score must not learn from it.",
        look=_later_moments,
    ),
)

MONEY = (
    Check(
        code="RB012",
        title="Infinite numbers",
        severity="error",
        advice="Mend the division or overflow that made them; sums and means are lost to one of them.",
        look=_infinite,
    ),
    Check(
        code="RB013",
        title="Amounts or scores are missing or NaN",
        severity="warning",
        advice="Find out why; a missing amount counts as no money, and no cut ever catches a missing score.",
        look=_missing_numbers,
    ),
    Check(
        code="RB014",
        title="Negative amounts",
        severity="warning",
        advice="Take refunds and cancellations out, or give them a column of their own (measures.refund).",
        look=_negative,
    ),
    Check(
        code="RB015",
        title="More decimals than the currency has",
        severity="warning",
        advice="Check the currency and the unit; in minor units these amounts are rounded half to even.",
        look=_too_fine,
    ),
    Check(
        code="RB016",
        title="Money in more than one currency, or in none",
        severity="error",
        advice="Give rates= when reading, or read one currency at a time; unlike money cannot be added.",
        look=_currencies,
    ),
)

COLUMNS = (
    Check(
        code="RB021",
        title="Region codes read as booleans",
        severity="error",
        advice="Quote region codes where they were written: NO is Norway, and YAML and CSV readers make it false.",
        look=_region_booleans,
    ),
    Check(
        code="RB022",
        title="Events without a region",
        severity="warning",
        advice="Fill them or expect a region (missing); NA, Namibia, is read as missing by many tools.",
        look=_no_region,
    ),
    Check(
        code="RB023",
        title="Outcomes that the domain does not know",
        severity="error",
        advice="Translate them to the domain's ladder; an unknown outcome may hide blocked events.",
        look=_outcomes,
    ),
    Check(
        code="RB024",
        title="Columns with one value only",
        severity="info",
        advice="Leave them out, or check the extract: a filter or a default may have emptied them.",
        look=_constant,
    ),
    Check(
        code="RB026",
        title="Columns that differ in upper and lower case only",
        severity="warning",
        advice="Rename one: rule texts do not tell them apart.",
        look=_same_but_for_case,
    ),
    Check(
        code="RB027",
        title="Inclusion probabilities outside 0 to 1",
        severity="error",
        advice="let_through is the probability with which the event was let through, not a flag or a percentage.",
        look=_let_through,
    ),
)

EVENT_CHECKS = (*IDS, *TIMES, *MONEY, *COLUMNS)
