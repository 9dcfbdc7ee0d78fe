"""Which values of a parameter are worth trying? Those around the top of its exact curve, and a readable spread."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD
from riskbench.data.outcomes import ladder
from riskbench.engine.tree import atoms
from riskbench.errors import RiskbenchError
from riskbench.metrics.curve import TruthTable, truth_table
from riskbench.metrics.price import Price
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import variants
from riskbench.rules.optimiser.search import Stand, decided
from riskbench.rules.param import Param, is_number
from riskbench.rules.rule import Rule
from riskbench.rules.settings import readable, spaced_settings, spread_settings
from riskbench.rules.signature import Signatures
from riskbench.rules.sweep import sweep_param

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Values of a parameter beside those at the top of its curve.
SIZE = 12


def values_to_try(
    book: RuleBook, events: Dataset, *, table: Signatures, stand: Stand, rows: Mask,
    kinds: npt.NDArray[np.int8], stake: npt.NDArray[np.int64], price: Price, size: int = SIZE,
) -> dict[tuple[str, str], list[float]]:  # fmt: skip
    """Return, for each numeric parameter of a rule that is not retired, the values worth trying.

    Parameters
    ----------
    book, events : RuleBook, Dataset
        The book, and the events with its velocity features.
    table : Signatures
        The book's signatures, for what the other rules decide.
    stand : Stand
        How the book stands.
    rows : ndarray of bool
        The events to choose on; no other is looked at.
    kinds, stake : ndarray
        What is known of each event, and what is at stake in it.
    price : Price
        What each outcome is worth.
    size : int
        How many values at most, beside those at the top of the curve.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for slot, rule in enumerate(book.rules):
        if rule.status == "retired":
            continue
        for name, spec in rule.params.items():
            if not is_number(spec.default):
                continue
            alone = replace(book, rules=(replace(rule, status="live"),), source=None)
            whole, frauds = isinstance(spec.default, int), kinds[rows] == FRAUD
            try:
                sweep = sweep_param(alone, events, rule_param=f"{rule.id}.{name}")
            except RiskbenchError:
                tried = set(spaced_settings(spec, size=size).tolist())
                for value in _compared(rule, events, name):
                    tried |= set(spread_settings(value[rows], frauds, spec, size=size, whole=whole).tolist())
                found[rule.id, name] = sorted(tried)
                continue
            base, hit = _around(book, table, stand, slot)
            drawn = truth_table(
                sweep.value[rows],
                op=sweep.op,
                base=base[rows],
                hit=hit[rows],
                kinds=kinds[rows],
                money=stake[rows],
                levels=len(ladder(book.domain).rungs),
                always=sweep.always[rows],
                never=sweep.never[rows],
            )
            spread = spread_settings(sweep.value[rows], frauds, spec, size=size, whole=whole)
            found[rule.id, name] = sorted({*spread.tolist(), *_tops(drawn, price, spec)})
    return found


def _compared(rule: Rule, events: Dataset, name: str) -> list[Floats]:
    """Return the columns of numbers that a parameter is compared with, where no one curve tells its cuts."""
    nodes = variants(rule, events).values()
    names = {str(atom.column) for node in nodes for atom in atoms(node) if name in atom.params and atom.column}
    columns = [events.column(one) for one in sorted(names) if one in events.table]
    return [
        np.where(held.present, held.values, np.nan).astype(np.float64)
        for held in columns
        if held.kind in ("int", "float")
    ]


def _around(
    book: RuleBook, table: Signatures, stand: Stand, slot: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """Return the level of each event when a rule does not hit it, and when it does, given the other live rules."""
    slots = np.arange(len(book.rules))
    off = stand.moved(slot, -1, int(stand.priority[slot]), int(stand.level[slot]))
    winner, level = decided(table.starts, table.rules, slots, off)

    def key(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        order = np.lexsort((slots, -stand.level, stand.priority))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        return rank[places]

    ahead = (winner < 0) | (key(np.full(len(winner), slot)) < key(winner))
    hit = np.where(ahead, stand.level[slot], level)
    return level.astype(np.int8)[table.pattern], hit.astype(np.int8)[table.pattern]


def _tops(drawn: TruthTable, price: Price, spec: Param) -> list[float]:
    """Return readable cuts around the highest point of a curve, and of it without the present side of it."""
    net = net_of(drawn, price)
    cuts = drawn.cuts.copy()
    if len(cuts) > 1 and drawn.op in (">", "<"):
        apart = np.abs(np.diff(drawn.values))
        step = float(apart.min()) if len(apart) else max(1.0, abs(float(drawn.values[-1])))
        cuts[-1] = drawn.values[-1] + (-step if drawn.op == ">" else step)  # a hair further cannot be written down
    low = -np.inf if spec.min is None else float(spec.min)
    high = np.inf if spec.max is None else float(spec.max)
    within = (cuts >= low) & (cuts <= high) & np.isfinite(cuts)
    if not within.any():
        return []
    found = []
    for side in (within, within & (cuts < float(spec.default)), within & (cuts > float(spec.default))):  # type: ignore[arg-type]
        if side.any():
            top = cuts[int(np.argmax(np.where(side, net, -np.inf)))]
            for digits in (2, 3):
                found += readable(np.array([top]), whole=isinstance(spec.default, int), digits=digits).tolist()
    return [cut for cut in found if low <= cut <= high]


def net_of(drawn: TruthTable, price: Price) -> Floats:
    """Return the net value at every point of a truth table."""
    net = np.full(drawn.points, price.worth(drawn.fixed_counts, drawn.fixed_money))
    for row, (kind, before, after) in enumerate(drawn.moves):
        net += (price.slope[kind, after] - price.slope[kind, before]) * drawn.money[row]
        net -= (price.handling[after] - price.handling[before]) * drawn.counts[row]
    return net
