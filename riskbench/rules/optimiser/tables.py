"""How are suggested edits told? One row an edit, a set, a limit or a setting on the front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.metrics.constraints import Constraint
from riskbench.metrics.discovery import q_values
from riskbench.rules.optimiser.aim import Aim, weights
from riskbench.rules.optimiser.case import Ground, verdict
from riskbench.rules.optimiser.edit import KINDS, Edit, Kind
from riskbench.rules.optimiser.search import Options, Search, Stand

Ints = npt.NDArray[np.int64]

#: So many single edits are certified on the later window; fewer looks, sharper verdicts.
LISTED = 25
#: What is told of each change on the later window.
TOLD = (
    "net_value net_value_lower net_value_upper frauds frauds_lower frauds_upper insults insults_lower insults_upper "
    "reviews reviews_lower reviews_upper value_caught unlabelled"
).split()
_HAIR = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Single:
    """One edit of the present book, as it looks on the window to choose on.

    Attributes
    ----------
    edit : Edit
        What changes.
    stand : Stand
        How every rule stands then.
    gain : float
        Change in net value, in major units.
    broken : float
        By how much the limits are broken then.
    limits : str
        Which limit it helps or breaks.
    """

    edit: Edit
    stand: Stand
    gain: float
    broken: float
    limits: str


def singles(search: Search, options: Sequence[Options], ground: Ground, aim: Aim) -> list[Single]:
    """Return the best edit of each kind of each rule, where it gains or mends a limit; the best first."""
    present, broken0, value0 = search.stand, search.score()[0], -search.score()[1]
    before = search.totals
    found: list[tuple[tuple[float, float, int, int], Single]] = []
    for slot, all_of_it in enumerate(options):
        own = all_of_it.take(all_of_it.edits == 1)
        if not len(own):
            continue
        totals, live = search.trials(slot, own)
        broken, value = aim.broken(totals, live), aim.value(totals, live)
        kinds = _kinds(own, present, slot)
        for number in range(len(KINDS)):
            of_kind = np.flatnonzero(kinds == number)
            if not len(of_kind):
                continue
            place = of_kind[np.lexsort((of_kind, -value[of_kind], broken[of_kind]))[0]]
            gain = float(value[place] - value0)
            least = _HAIR * max(1.0, abs(value0))
            mends = bool(broken[place] < broken0 - _HAIR) and abs(gain) > least
            if gain <= least and not mends:
                continue
            stand = present.moved(slot, int(own.column[place]), int(own.priority[place]), int(own.level[place]))
            edit = ground.forms.edits(stand)[0][0]
            words = limit_words(aim, before, totals[place])
            key = (float(broken[place]), -float(value[place]), number, slot)
            found.append((key, Single(edit, stand, gain, float(broken[place]), words)))
    return [single for _, single in sorted(found, key=lambda one: one[0])]


def _kinds(own: Options, present: Stand, slot: int) -> Ints:
    """Return the place in `KINDS` of each option of one edit."""
    told: list[tuple[npt.NDArray[np.bool_], Kind]] = [
        (own.column < 0, "off"),
        (np.full(len(own), present.column[slot] < 0), "on"),
        (own.column != present.column[slot], "parameter"),
        (own.level != present.level[slot], "outcome"),
    ]
    return np.select([mask for mask, _ in told], [KINDS.index(kind) for _, kind in told], KINDS.index("priority"))


def limit_words(aim: Aim, before: Ints, after: Ints) -> str:
    """Return which limits a change helps or breaks; empty where it does neither."""
    found = []
    for limit in aim.limits:
        was, now = float(aim.breach(before, limit)), float(aim.breach(after, limit))
        if was == now:
            continue
        word = "mends" if now == 0 else "eases" if now < was else "breaks" if was == 0 else "worsens"
        by = f" (broken by {_points(now)})" if now > 0 else ""
        found.append(f"{word} {limit.rate}{by}")
    return ", ".join(found)


def edits_frame(held: Sequence[Single], ground: Ground, present: Stand) -> pd.DataFrame:
    """Return one row an edit: what it gained where it was chosen, and what it changes on the later window."""
    rows = [case(ground, present, single.stand) for single in held]
    p = np.array([np.nan if row["p"] is None else row["p"] for row in rows], dtype=np.float64)
    q = np.full(len(rows), np.nan)
    q[~np.isnan(p)] = q_values(p[~np.isnan(p)])
    frame = pd.DataFrame(
        {
            "rank": np.arange(1, len(held) + 1),
            "rule": pd.Series([single.edit.rule for single in held], dtype=object),
            "kind": pd.Series([single.edit.kind for single in held], dtype=object),
            "edit": pd.Series([str(single.edit) for single in held], dtype=object),
            "chosen_net_value": np.array([single.gain for single in held], dtype=np.float64),
            **_columns(rows),
            "limits": pd.Series([single.limits for single in held], dtype=object),
            "p": p,
            "q": q,
        }
    )
    frame["verdict"] = [_verdict(row, float(own)) for row, own in zip(rows, q, strict=True)]
    return frame


def case(ground: Ground, before: Stand, after: Stand) -> dict[str, float | None]:
    """Return what a change does on the later window; None for what is not measurable there."""
    held = ground.changes(before, after)
    made: dict[str, float | None] = {"n": int(held["flips"]), **{name: held[name] for name in TOLD}}
    known = held["flips"] > held["unlabelled"]
    if not ground.later.any() or (held["flips"] and not known):
        for name in TOLD:
            if name.startswith(("net", "frauds", "insults", "value")):
                made[name] = None
    made["p"] = ground.luck(before, after) if known else None
    return made


def _columns(rows: Sequence[dict[str, float | None]]) -> dict[str, npt.NDArray[np.float64] | Ints]:
    columns: dict[str, npt.NDArray[np.float64] | Ints] = {
        "n": np.array([row["n"] for row in rows], dtype=np.int64),
    }
    for name in TOLD:
        columns[name] = np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)
    return columns


def _verdict(row: dict[str, float | None], q: float) -> str:
    if row["n"] == 0:
        return "not shown"
    return verdict(row["net_value"], row["net_value_lower"], row["net_value_upper"], None if np.isnan(q) else q)


def set_frame(ground: Ground, aim: Aim, present: Stand, best: Stand) -> tuple[pd.DataFrame, str]:
    """Return the edits of a set in order, with what each adds given those before, and the verdict on all together.

    The edit that adds the most where the set was chosen comes first, then the one that adds the most given it; what
    changes a rule that is off comes after what makes it live.
    """
    left = list(ground.forms.edits(best))
    names, rows, chosen, alone = [], [], [], []
    stand, value = present, _value(ground, aim, present)
    base = value
    while left:
        waking = {edit.rule for edit, _ in left if edit.kind == "on"}
        tried = [
            (_value(ground, aim, step(stand)), -place)
            for place, (edit, step) in enumerate(left)
            if edit.kind == "on" or edit.rule not in waking
        ]
        place = -max(tried)[1]
        edit, step = left.pop(place)
        after = step(stand)
        own = _value(ground, aim, after)
        names.append(edit)
        chosen.append(own - value)
        rows.append(case(ground, stand, after))
        alone.append(case(ground, present, step(present))["net_value"])
        stand, value = after, own
    whole = case(ground, present, best)
    told = _verdict(whole, np.nan if whole["p"] is None else whole["p"])
    if names:
        rows.append(whole)
        chosen.append(value - base)
        alone.append(None)
    frame = pd.DataFrame(
        {
            "step": np.arange(1, len(rows) + 1),
            "rule": pd.Series([*(edit.rule for edit in names), *(["(all together)"] if names else [])], dtype=object),
            "kind": pd.Series([*(edit.kind for edit in names), *(["set"] if names else [])], dtype=object),
            "edit": pd.Series([*map(str, names), *(["all together"] if names else [])], dtype=object),
            "chosen_added_value": np.array(chosen, dtype=np.float64),
            "alone_value": np.array([np.nan if one is None else one for one in alone], dtype=np.float64),
            **{name.replace("net_value", "added_value"): column for name, column in _columns(rows).items()},
        }
    )
    return frame, told


def _value(ground: Ground, aim: Aim, stand: Stand) -> float:
    return float(aim.value(weights(ground.totals(ground.choose, stand)), np.zeros(1, dtype=np.int64)))


def limits_frame(ground: Ground, aim: Aim, present: Stand, best: Stand) -> pd.DataFrame:
    """Return one row a limit: the rate today and proposed where it was chosen, and what is observed later."""
    before, after, same, later = (
        weights(ground.totals(cells, stand)) for cells in (ground.choose, ground.report) for stand in (present, best)
    )
    rows = []
    for limit in aim.limits:
        over = float(aim.breach(later, limit))
        rate = float(aim.rate(later, limit.rate))
        kept = "kept" if over == 0 else f"broken by {_points(over)}"
        was = float(aim.breach(same, limit))
        if over and was:
            kept += f" (today's book by {_points(was)})"
        rows.append(
            (
                limit.rate,
                _bound(limit),
                float(aim.rate(before, limit.rate)),
                float(aim.rate(after, limit.rate)),
                float(aim.rate(same, limit.rate)),
                rate,
                "not measurable" if np.isnan(rate) else kept,
            )
        )
    return pd.DataFrame(rows, columns=["measure", "limit", "today", "proposed", "today_later", "observed", "kept"])


def _points(share: float) -> str:
    return f"{100 * share:.2g} points"


def _bound(limit: Constraint) -> str:
    return f"{limit.side.replace('_', ' ')} {100 * limit.bound:g} %"


def front_frame(stands: Sequence[Stand], ground: Ground, aim: Aim, *, on_front: int, present: Stand) -> pd.DataFrame:
    """Return one row a setting, the first ones on the front, with what it does on both windows."""
    none = np.zeros(1, dtype=np.int64)
    rows = []
    for place, stand in enumerate(stands):
        kept = place < on_front
        edits = [str(edit) for edit, _ in ground.forms.edits(stand)]
        told: list[float] = []
        for cells in (ground.choose, ground.report):
            totals = weights(ground.totals(cells, stand))
            told += [*aim.three(totals).tolist(), float(aim.value(totals, none))]
        totals = weights(ground.totals(ground.choose, stand))
        fits = bool(aim.broken(totals, none) == 0)
        rows.append((stand.key == present.key, kept, len(edits), "; ".join(edits) or "as it is", *told, fits))
    names = "present on_front edits setting loss insults reviews net_value loss_later insults_later reviews_later"
    frame = pd.DataFrame(rows, columns=[*names.split(), "net_value_later", "keeps_limits"])
    frame = frame.astype(dict.fromkeys(("insults", "reviews", "insults_later", "reviews_later"), np.int64))
    frame.insert(0, "point", np.arange(1, len(frame) + 1))
    return frame
