"""Which rules hit the same events: the signature table, and pairs counted on it exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD, STATES
from riskbench.engine.sums import cell_counts, cell_squares, cell_sums
from riskbench.rules.hits import Hits


def _grouped(held: Hits) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp], npt.NDArray[np.uint64]]:
    """Return each hit event's group by (rules hit, label state, region, week), a first event of each, the events."""
    rng = np.random.default_rng(0x5161)
    marks = rng.integers(0, 2**63, size=max(1, len(held.bits)), dtype=np.uint64)
    print_ = np.zeros(held.bits.rows, dtype=np.uint64)
    for place in range(len(held.bits)):
        print_[held.bits.positions(place)] ^= marks[place]
    region, regions = held.dataset.regions
    week, weeks = held.dataset.weeks
    cell = (held.labels.state.astype(np.int64) * len(regions) + region) * len(weeks) + week
    order = np.lexsort((cell, print_))
    changed = np.ones(len(order), dtype=bool)
    changed[1:] = (print_[order][1:] != print_[order][:-1]) | (cell[order][1:] != cell[order][:-1])
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(changed) - 1
    return group, order[changed], print_


def signatures(held: Hits) -> pd.DataFrame:
    """Return the distinct (rules hit, label state, region, week) with n, sum and sum of squares of value.

    Every question about the whole set is exact on this table.
    """
    group, first, _ = _grouped(held)
    size = len(first)
    region, regions = held.dataset.regions
    week, weeks = held.dataset.weeks
    scale = held.scale
    members: list[list[str]] = [[] for _ in range(size)]
    place_of = {int(row): k for k, row in enumerate(first)}
    for place, rule in enumerate(held.book.rules):
        mask = held.bits.mask(place)
        for row in first[mask[first]]:
            members[place_of[int(row)]].append(rule.id)
    return pd.DataFrame(
        {
            "rules": [" ".join(ids) for ids in members],
            "label": [STATES[s] for s in held.labels.state[first]],
            "region": [regions[r] for r in region[first]],
            "week": [weeks[w] for w in week[first]],
            "n": cell_counts(group, size),
            "value": cell_sums(group, held.worth.value, size) / scale,
            "value_squares": cell_squares(group, held.worth.value, size) / scale**2,
        }
    )


def overlap(held: Hits) -> pd.DataFrame:
    """Return each pair of rules with the events that both hit.

    Columns: rule, other, hits, frauds, fraud_value (what both hit), share (of the first rule's hits).
    """
    from scipy.sparse import csr_array

    group, first, _ = _grouped(held)
    size, rules = len(first), held.book.rules
    lines = [np.flatnonzero(held.bits.mask(place)[first]) for place in range(len(rules))]
    starts = np.concatenate([[0], np.cumsum([len(line) for line in lines])])
    columns = np.concatenate(lines) if lines else np.zeros(0, dtype=np.intp)
    hit = csr_array((np.ones(len(columns), dtype=np.int64), columns, starts), shape=(len(rules), size))
    state = held.labels.state[first]
    counts = cell_counts(group, size)
    value = cell_sums(group, held.worth.value, size)

    def pairs(weights: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        weighted = hit.multiply(weights[None, :]).tocsr()
        return np.asarray((weighted @ hit.T).todense()).reshape(len(rules), len(rules))

    both, fraud, money = pairs(counts), pairs(counts * (state == FRAUD)), pairs(value * (state == FRAUD))
    a, b = np.triu_indices(len(rules), k=1)
    own = np.diag(both)
    with np.errstate(divide="ignore", invalid="ignore"):
        share, back = both[a, b] / own[a], both[a, b] / own[b]
    ids = np.array([rule.id for rule in rules], dtype=object)
    frame = pd.DataFrame(
        {
            "rule": ids[a],
            "other": ids[b],
            "hits": both[a, b],
            "frauds": fraud[a, b],
            "fraud_value": money[a, b] / held.scale,
            "share": share,
            "other_share": back,
        }
    )
    return frame[frame["hits"] > 0].sort_values(
        ["hits", "rule", "other"], ascending=[False, True, True], ignore_index=True
    )
