"""What would removing one rule, or making one live, change? Exact for every rule of a book at once."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.rules.decisions import IDLE, Setting
from riskbench.rules.moves import Moves, moves
from riskbench.rules.standing import Columns, Split, Standing, counted, table_of

Ints = npt.NDArray[np.int64]

#: The statuses of rules that may be made live.
WAITING = ("draft", "shadow")


def removal(standing: Standing, *, parts: Split | None = None) -> Moves:
    """Return the moves that taking each rule away alone would make; group k is rule k, or (rule, part)."""
    decided, size = standing.decided, standing.table.size
    cells, pattern = (
        (parts.cells, parts.pattern) if parts is not None else (standing.table.cells, np.arange(len(standing.table)))
    )
    width = len(parts.names) if parts is not None else 1
    picked = np.flatnonzero((decided.rule >= 0)[pattern])
    own = pattern[picked]
    group = decided.rule[own] * width + (parts.part[picked] if parts is not None else 0)
    return moves(
        cells, decided.level[own], decided.next_level[own],
        levels=len(standing.effects), group=group, groups=size * width, picked=picked,
    )  # fmt: skip


def removed(standing: Standing) -> Columns:
    """Return what taking each rule away alone changes, in the columns of a change, by rule."""
    decided, pattern = standing.decided, standing.table.pattern
    spread = standing.each_together(
        decided.rule[pattern], standing.table.size, was=decided.level[pattern], now=decided.next_level[pattern]
    )
    return standing.changes(removal(standing), together=spread)


def addition(standing: Standing) -> tuple[Moves, Ints]:
    """Return the moves that making each waiting rule live alone would make, and the decisions it takes from each.

    Returns
    -------
    tuple of (Moves, ndarray of int64, shape (rules, rules + 1))
        Group k is rule k; and how many events it would decide that each rule decides today (the last column:
        events that no rule decides).
    """
    table, decided, setting = standing.table, standing.decided, standing.setting
    rules = standing.held.book.rules
    waiting = np.array([rule.status in WAITING for rule in rules], dtype=bool)
    order = np.append(everyone(setting), IDLE)
    picked = np.flatnonzero(waiting[table.rules])
    rule, owner = table.rules[picked].astype(np.int64), np.searchsorted(table.starts, picked, side="right") - 1
    wins = order[rule] < order[decided.rule[owner]]
    rule, owner = rule[wins], owner[wins]
    held = moves(
        table.cells, decided.level[owner], setting.level[rule],
        levels=len(standing.effects), group=rule, groups=table.size, picked=owner,
    )  # fmt: skip
    counts = table.cells.count.sum(axis=1)[owner]
    lost = np.where(decided.rule[owner] < 0, table.size, decided.rule[owner])
    return held, _pairs(rule, lost, counts, table.size)


def _added_together(standing: Standing) -> npt.NDArray[np.float64]:
    """Return how much more making each waiting rule live varies because events come together."""
    table, decided, setting = standing.table, standing.decided, standing.setting
    found, order = np.ones(table.size), np.append(everyone(setting), IDLE)
    before = decided.level[table.pattern]
    for place, rule in enumerate(standing.held.book.rules):
        if rule.status not in WAITING:
            continue
        wins = np.zeros(len(table), dtype=bool)
        wins[table.owners[table.rules == place]] = True
        wins &= (order[place] < order[decided.rule]) & (decided.level != setting.level[place])
        rows = np.flatnonzero(wins[table.pattern])
        after = np.broadcast_to(setting.level[place], before.shape)
        found[place] = standing.together(rows, was=before, now=after).all
    return found


def everyone(setting: Setting) -> Ints:
    """Return each rule's place in the order of deciding, were all of them live."""
    return Setting(np.ones_like(setting.live), setting.priority, setting.level).rank


def taking_over(standing: Standing) -> Ints:
    """Return how many of each rule's decisions each other rule would take over; the last column: none would."""
    decided, size = standing.decided, standing.table.size
    own = np.flatnonzero(decided.rule >= 0)
    heir = np.where(decided.next_rule[own] < 0, size, decided.next_rule[own])
    return _pairs(decided.rule[own], heir, standing.table.cells.count.sum(axis=1)[own], size)


def deciding(standing: Standing) -> Ints:
    """Return how many of each rule's hits each rule decides; the last column: no rule does."""
    table = standing.table
    owner = table.owners
    winner = standing.decided.rule[owner]
    winner = np.where(winner < 0, table.size, winner)
    return _pairs(table.rules.astype(np.int64), winner, table.cells.count.sum(axis=1)[owner], table.size)


def unlabelled(standing: Standing) -> pd.DataFrame:
    """Return why events that a rule's removal moves have no verdict: rule, n, unlabelled and its four reasons."""
    decided, pattern, size = standing.decided, standing.table.pattern, standing.table.size
    live = np.flatnonzero(standing.setting.live)
    own, was, now = decided.rule[pattern], decided.level[pattern], decided.next_level[pattern]
    columns = standing.unlabelled(own, size, was=was, now=now)
    flips = np.bincount(own[(own >= 0) & (was != now)], minlength=size)
    return table_of({"rule": standing.ids[live], "n": flips[live]}, columns, live)


def leave_one_out(standing: Standing) -> pd.DataFrame:
    """Return what removing each live rule would change, given all the others.

    Columns: rule, outcome, priority, hits, decides; next (the rule that takes over most of its decisions),
    next_events, to (the outcomes that its events would get); and the columns of a change, `flips` being n.
    """
    rules = standing.held.book.rules
    live = np.flatnonzero(standing.setting.live)
    made = removal(standing)
    columns = removed(standing)
    heirs = taking_over(standing)
    went = _flips(made).sum(axis=1)
    keys = {
        "rule": [rules[k].id for k in live],
        "outcome": [rules[k].outcome for k in live],
        "priority": [rules[k].priority for k in live],
        "hits": standing.hits[live],
        "decides": standing.decisions[live],
        **_mostly(heirs[live], standing.ids, "next"),
        "to": [counted(went[k], standing.steps.names) for k in live],
    }
    return table_of(keys, columns, live)


def marginal(standing: Standing) -> pd.DataFrame:
    """Return what making each draft or shadow rule live would change, at its own priority and outcome.

    Columns: rule, outcome, status, priority, hits, decides (what it would), instead_of (the rule from which it
    would take most decisions), instead_of_events, before (the outcomes that its events have today); and the
    columns of a change, `flips` being n.
    """
    rules = standing.held.book.rules
    waiting = np.array([k for k, rule in enumerate(rules) if rule.status in WAITING], dtype=np.intp)
    made, taken = addition(standing)
    columns = standing.changes(made, together=_added_together(standing))
    came = _flips(made).sum(axis=2)
    keys = {
        "rule": [rules[k].id for k in waiting],
        "outcome": [rules[k].outcome for k in waiting],
        "status": [rules[k].status for k in waiting],
        "priority": [rules[k].priority for k in waiting],
        "hits": standing.hits[waiting],
        "decides": taken.sum(axis=1)[waiting],
        **_mostly(taken[waiting], standing.ids, "instead_of"),
        "before": [counted(came[k], standing.steps.names) for k in waiting],
    }
    return table_of(keys, columns, waiting)


def leave_one_out_regions(standing: Standing) -> pd.DataFrame:
    """Return what removing each live rule would change in each region: rule, region, and the columns of a change."""
    parts = standing.regions
    live = np.flatnonzero(standing.setting.live)
    width, decided, pattern = len(parts.names), standing.decided, standing.table.pattern
    own = decided.rule[pattern].astype(np.int64)
    spread = standing.each_together(
        np.where(own < 0, -1, own * width + standing.held.dataset.regions[0]),
        standing.table.size * width,
        was=decided.level[pattern],
        now=decided.next_level[pattern],
    )
    columns = standing.changes(removal(standing, parts=parts), together=spread)
    rows = (live[:, None] * width + np.arange(width)).ravel()
    keys = {
        "rule": np.repeat(standing.ids[live], width),
        "region": np.tile(np.array(parts.names, dtype=object), len(live)),
    }
    return table_of(keys, columns, rows)


def _pairs(first: Ints, second: Ints, counts: Ints, size: int) -> Ints:
    codes = first * (size + 1) + second
    return np.bincount(codes, weights=counts, minlength=size * (size + 1)).astype(np.int64).reshape(size, size + 1)


def _flips(held: Moves) -> Ints:
    """Return how many events each group moves, by outcome before and after; those that stay are left out."""
    count = held.shaped(held.cells.count).astype(np.int64).sum(axis=3)
    return count * (1 - np.eye(held.levels, dtype=np.int64))


def _mostly(pairs: Ints, ids: npt.NDArray[np.object_], name: Literal["next", "instead_of"]) -> dict[str, object]:
    """Return the rule with the most events of each row, and how many; None where there is none."""
    named = pairs[:, :-1]
    if not named.shape[1]:
        return {name: np.zeros(0, dtype=object), f"{name}_events": np.zeros(0, dtype=np.int64)}
    most = named.argmax(axis=1)
    events = named[np.arange(len(named)), most]
    return {name: np.where(events > 0, ids[most], None), f"{name}_events": events}
