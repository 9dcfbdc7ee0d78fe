"""Which events does a book stop, which of them may never pass, and into which strata do the others fall?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.outcomes import ladder
from riskbench.display import number
from riskbench.engine.columns import DAY
from riskbench.errors import DataError, ParameterError, listed, nearest
from riskbench.metrics.intervals import wilson
from riskbench.metrics.selection import FEWEST_DRAWN
from riskbench.rules.hits import Hits
from riskbench.rules.selection.allotment import MOST, allotted, half_width
from riskbench.rules.selection.evidence import Evidence
from riskbench.rules.selection.never import banned

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Where value bands are cut: shares of the stopped events that may pass.
_CUTS = (0.5, 0.8, 0.95)
#: A precision that takes longer to be known is not planned for.
LONGEST = 104


def stopped_by(held: Hits) -> Mask:
    """Return which events the live rules stop."""
    stops = np.array([rung.effect == "stop" for rung in ladder(held.book.domain).rungs])
    return np.asarray(stops[held.resolution.level] & (held.resolution.rule >= 0))


def value_of(held: Hits) -> Floats:
    """Return each event's value in major units; 1 without money."""
    worth = held.worth
    return np.asarray(worth.value / (held.scale if worth.money else 1.0), dtype=np.float64)


def weeks_of(dataset: Dataset) -> float:
    """Return how many weeks the events span."""
    if dataset.span is None:
        raise DataError("A plan by the week needs times", hint="name the role 'time'")
    first, last = dataset.span
    return max((last - first).total_seconds() / (7 * DAY / 1e6), 1 / 7)


def stratified(held: Hits, evidence: Evidence | None, never: tuple[str, ...], cap: float | None) -> pd.DataFrame:
    """Return the stopped events that may pass, by rule and value band: how many, their value, their share of frauds.

    Columns: rule, band, above, up_to (missing: no end), total, risk, squares, expected_share, low, high.
    """
    open_ = stopped_by(held) & ~banned(held, never, cap, value_of(held))
    value = value_of(held)
    cuts = _readable(np.quantile(value[open_], _CUTS)) if open_.any() and held.worth.money else np.zeros(0)
    edges = np.concatenate(([0.0], cuts[cuts > 0], [np.inf]))
    lines = []
    for place, rule in enumerate(held.book.rules):
        own = open_ & (held.resolution.rule == place)
        if not own.any():
            continue
        share, low, high = _shares(held, evidence, place, own)
        for above, up_to in itertools.pairwise(edges.tolist()):
            rows = own & (value >= above) & (value < up_to)
            lines.append(
                {
                    "rule": rule.id,
                    "band": _band(above, up_to),
                    "above": above,
                    "up_to": up_to if np.isfinite(up_to) else np.nan,
                    "total": int(rows.sum()),
                    "risk": float(value[rows].sum()),
                    "squares": float((value[rows] ** 2).sum()),
                    "expected_share": share,
                    "low": low,
                    "high": high,
                }
            )
    columns = ["rule", "band", "above", "up_to", "total", "risk", "squares", "expected_share", "low", "high"]
    return pd.DataFrame(lines, columns=columns)


def _shares(held: Hits, evidence: Evidence | None, place: int, own: Mask) -> tuple[float, float, float]:
    """Return the share of frauds expected among a rule's stopped events, and between which ends it may lie."""
    if evidence is None:
        return 0.5, 0.0, 1.0
    hit = np.zeros(len(own), dtype=bool)
    hit[held.bits.positions(place)] = True
    seen = hit & evidence.labelled & evidence.verdict
    frauds, labelled = int((seen & evidence.fraud).sum()), int(seen.sum())
    share = (frauds + 0.5) / (labelled + 1)
    if labelled < FEWEST_DRAWN:
        return float(evidence.expected[own].mean()) if evidence.learnt else share, 0.0, 1.0
    _, low, high = wilson(frauds, labelled)
    return share, float(low), float(high)


def planned(
    strata: pd.DataFrame,
    *,
    span: float,
    weeks: int,
    precision: float,
    budget: float | None,
    chances: Mapping[str, float],
) -> pd.DataFrame:
    """Return the strata with their chance, what they let through a week and what that puts at risk."""
    names = list(dict.fromkeys(strata["rule"]))
    rule = np.array([names.index(name) for name in strata["rule"]], dtype=np.int64)
    events, risk = strata["total"].to_numpy(float) / span, strata["risk"].to_numpy(float) / span
    share = strata["expected_share"].to_numpy(float)
    fixed = np.array([chances.get(name, np.nan) for name in strata["rule"]], dtype=np.float64)
    free = np.isnan(fixed)
    spent = float((np.nan_to_num(fixed) * risk).sum())
    if budget is not None and spent > budget:
        raise ParameterError(
            "The stated chances put more at risk than the budget", got=f"{spent:,.0f} a week", allowed=f"{budget:,.0f}"
        )
    chance = np.where(free, 0.0, fixed)
    if free.any():
        chance[free] = allotted(
            events[free],
            risk[free],
            share[free],
            rule=rule[free],
            rules=len(names),
            within=precision * float(np.sqrt(weeks)),
            budget=None if budget is None else budget - spent,
        )
    # A band that was empty may fill later: it gets the smallest chance of its rule, as that of its dearest events.
    for name in names:
        own = strata["rule"].to_numpy() == name
        used = own & (chance > 0)
        if used.any():
            chance[own & (events == 0)] = chance[used].min()
    out = strata.assign(events=events, chance=chance, let_through=events * chance, at_risk=risk * chance)
    return out.assign(spread=strata["squares"].to_numpy(float) / span * chance * (1 - chance))


def by_rule(
    held: Hits,
    strata: pd.DataFrame,
    never: tuple[str, ...],
    cap: float | None,
    *,
    span: float,
    weeks: int,
    precision: float,
) -> pd.DataFrame:
    """Return the plan's table of rules."""
    stopped, out = stopped_by(held), banned(held, never, cap, value_of(held))
    names = list(dict.fromkeys(strata["rule"]))
    rule = np.array([names.index(name) for name in strata["rule"]], dtype=np.int64)
    numbers = [strata[name].to_numpy(float) for name in ("events", "expected_share", "chance")]
    week = half_width(*numbers, rule=rule, rules=len(names)) if names else np.zeros(0)
    lines = []
    for place, held_rule in enumerate(held.book.rules):
        own = stopped & (held.resolution.rule == place)
        if not own.any():
            continue
        part = strata[strata["rule"] == held_rule.id]
        passes, risk = float(part["let_through"].sum()), float(part["at_risk"].sum())
        known = float(week[names.index(held_rule.id)]) if held_rule.id in names else np.inf
        after = max((known / precision) ** 2, FEWEST_DRAWN / passes) if passes > 0 and np.isfinite(known) else np.inf
        within = known / np.sqrt(weeks) if passes * weeks >= FEWEST_DRAWN else np.inf
        lines.append(
            {
                "rule": held_rule.id,
                "stopped": float(own.sum()) / span,
                "never": float((own & out).sum()) / span,
                "let_through": passes,
                "at_risk": risk,
                **{
                    f"loss{end}": float((part["at_risk"] * part[name]).sum())
                    for end, name in (("", "expected_share"), ("_lower", "low"), ("_upper", "high"))
                },
                "known_within": within if np.isfinite(within) else np.nan,
                "known_after": after if after <= LONGEST else np.nan,
                "reading": _reading(float((own & ~out).sum()), passes * weeks, after, weeks),
            }
        )
    columns = (
        "rule",
        "stopped",
        "never",
        "let_through",
        "at_risk",
        "loss",
        "loss_lower",
        "loss_upper",
        "known_within",
        "known_after",
        "reading",
    )
    return pd.DataFrame(lines, columns=list(columns)).sort_values(
        "stopped", ascending=False, kind="stable", ignore_index=True
    )


def _reading(open_: float, rows: float, after: float, weeks: int) -> str:
    if not open_:
        return "never let through: stays bounded"
    if after > LONGEST:
        return f"not known within {LONGEST} weeks: too few are stopped, or too little may pass"
    if rows < FEWEST_DRAWN or after > weeks:
        return f"known as well as asked after {np.ceil(after):.0f} weeks"
    return f"known as well as asked within {weeks} weeks"


def stated_chances(held: Hits, chances: Mapping[str, float] | None) -> dict[str, float]:
    """Return the chances that an analyst states, checked.

    Raises
    ------
    ParameterError
        For a rule that is not in the book, or a chance that is not above 0 and at most the most that may pass.
    """
    ids = [rule.id for rule in held.book.rules]
    out = {}
    for name, chance in (chances or {}).items():
        if name not in ids:
            close = nearest(str(name), ids)
            raise ParameterError(
                f"The book has no rule {name!r}",
                allowed=listed(ids),
                hint=f"did you mean {close!r}?" if close else None,
            )
        if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 < chance <= MOST:
            raise ParameterError(f"The chance of {name!r}", got=repr(chance)[:80], allowed=f"above 0, at most {MOST}")
        out[name] = float(chance)
    return out


def _readable(values: Floats) -> Floats:
    """Return ascending cuts with two significant digits."""
    held = values[values > 0]
    if not len(held):
        return np.zeros(0)
    unit = 10.0 ** (np.floor(np.log10(held)) - 1)
    return np.unique(np.round(held / unit) * unit)


def _band(above: float, up_to: float) -> str:
    if above <= 0 and not np.isfinite(up_to):
        return "any value"
    if above <= 0:
        return f"below {number(up_to)}"
    return f"{number(above)} and more" if not np.isfinite(up_to) else f"{number(above)} to {number(up_to)}"
