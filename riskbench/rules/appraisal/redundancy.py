"""Which rules say the same, or the opposite, about the same events?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskbench.data.labels import FRAUD, GOOD
from riskbench.rules.appraisal.leave_one_out import deciding, removal, taking_over
from riskbench.rules.appraisal.overlap import pairs
from riskbench.rules.moves import moves
from riskbench.rules.signature import KINDS
from riskbench.rules.standing import Standing


def redundancy(standing: Standing) -> pd.DataFrame:
    """Return what is double, idle or covered in a book.

    Columns: finding, rule, other, events (that the finding is about), rule_hits, other_hits. The findings: equal hits,
    contained in (every hit of the rule is one of the other), dead (no hit), shadowed (a live rule that never
    decides; the other decides most of its hits), redundant (a live rule that decides, but whose removal changes no
    outcome; the other would decide most of its events).
    """
    counts, _ = pairs(standing.held)
    both, ids, hits = counts.sum(axis=2), standing.ids, standing.hits
    a, b = np.triu_indices(len(ids), k=1)
    joint = both[a, b]
    found: list[tuple[str, int, int, int]] = []
    for name, one, two, mask in (
        ("equal hits", a, b, (joint == hits[a]) & (joint == hits[b])),
        ("contained in", a, b, (joint == hits[a]) & (joint < hits[b])),
        ("contained in", b, a, (joint == hits[b]) & (joint < hits[a])),
    ):
        at = np.flatnonzero(mask & (joint > 0))
        found += [(name, int(one[k]), int(two[k]), int(joint[k])) for k in at]
    live, decides = standing.setting.live, standing.decisions
    flips = np.asarray(standing.changes(removal(standing))["flips"])
    shadow = np.flatnonzero(live & (hits > 0) & (decides == 0))
    double = np.flatnonzero(live & (decides > 0) & (flips == 0))
    found += [("dead", int(k), -1, 0) for k in np.flatnonzero(hits == 0)]
    for name, places, counted, events in (
        ("shadowed", shadow, deciding(standing) if len(shadow) else None, hits),
        ("redundant", double, taking_over(standing) if len(double) else None, decides),
    ):
        for k in places:
            assert counted is not None
            most = int(counted[k, :-1].argmax())
            found.append((name, int(k), most if counted[k, most] else -1, int(events[k])))
    return pd.DataFrame(
        {
            "finding": [name for name, *_ in found],
            "rule": [ids[k] for _, k, _, _ in found],
            "other": [ids[k] if k >= 0 else None for _, _, k, _ in found],
            "events": np.array([n for *_, n in found], dtype=np.int64),
            "rule_hits": np.array([hits[k] for _, k, _, _ in found], dtype=np.int64),
            "other_hits": pd.array([hits[k] if k >= 0 else None for _, _, k, _ in found], dtype="Int64"),
        }
    )


def contradictions(standing: Standing) -> pd.DataFrame:
    """Return the pairs of live rules that hit the same events with different outcomes, and which one wins.

    Columns: rule (decides), outcome, other, other_outcome, events, frauds, good, unlabelled, frauds_let_through
    (where the rule that decides is the milder), good_stopped (where it is the harsher and holds or stops them), their
    fraud_value and good_value (major units); and net_value with interval: the change if the other decided these
    events instead.
    """
    table, setting, decided = standing.table, standing.setting, standing.decided
    owner, level = table.owners, setting.level
    winner, other = decided.rule[owner], table.rules.astype(np.int64)
    differ = setting.live[other] & (winner >= 0) & (level[winner] != level[other])
    at = np.flatnonzero(differ)
    codes, group = np.unique(winner[at] * table.size + other[at], return_inverse=True)
    first, second = codes // table.size if len(codes) else codes, codes % table.size if len(codes) else codes
    picked = owner[at]
    made = moves(
        table.cells, level[first][group], level[second][group],
        levels=len(standing.effects), group=group, groups=len(codes), picked=picked,
    )  # fmt: skip
    columns = standing.changes(made)
    count = made.shaped(made.cells.count).astype(np.int64).sum(axis=(1, 2))
    value = made.shaped(made.cells.value).astype(np.int64).sum(axis=(1, 2)) / standing.held.scale
    hard = np.array([effect in ("review", "stop") for effect in standing.effects])
    milder = level[first] < level[second]
    harsher = ~milder & hard[level[first]]
    names = np.array(standing.steps.names, dtype=object)
    frame = pd.DataFrame(
        {
            "rule": standing.ids[first],
            "outcome": names[level[first]],
            "other": standing.ids[second],
            "other_outcome": names[level[second]],
            "events": count.sum(axis=1),
            "frauds": count[:, FRAUD],
            "good": count[:, GOOD],
            "unlabelled": count[:, KINDS - 1],
            "frauds_let_through": np.where(milder, count[:, FRAUD], 0),
            "good_stopped": np.where(harsher, count[:, GOOD], 0),
            "fraud_value": np.where(milder, value[:, FRAUD], 0.0),
            "good_value": np.where(harsher, value[:, GOOD], 0.0),
            **{name: columns[name] for name in ("net_value", "net_value_lower", "net_value_upper")},
        }
    )
    return frame.sort_values(["events", "rule", "other"], ascending=[False, True, True], ignore_index=True)
