"""What does each new rule do on later events, and which of them pay?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.metrics.intervals import wilson
from riskbench.rules.hits import apply
from riskbench.rules.mining.cover import Pick
from riskbench.rules.mining.field import Field
from riskbench.rules.mining.figures import Change, change, luck, with_rules
from riskbench.rules.mining.words import drafted
from riskbench.rules.rule import Rule

Mask = npt.NDArray[np.bool_]
Small = npt.NDArray[np.int8]

#: What becomes of a candidate.
PAYS, REPEATS, UNSURE = "pays", "repeats those above", "not sure"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A rule, where it hits, and what it changes."""

    rule: Rule
    level: int
    hit: Mask
    found: Change
    later: Change
    p: float


def candidates_of(field: Field, picks: list[Pick]) -> list[Candidate]:
    """Return conjunctions as drafts, with what each changes on both windows given the live book."""
    taken = {rule.id for rule in field.held.book.rules}
    rules: list[tuple[Rule, int]] = []
    for pick in picks:
        number = next(n for n in range(1, 10_000) if f"MINED-{n}" not in taken)
        rule = drafted(pick.pieces, f"MINED-{number}", field.steps.names[pick.level], field)
        if rule is not None:
            taken.add(rule.id)
            rules.append((rule, pick.level))
    if not rules:
        return []
    bits = apply([rule for rule, _ in rules], field.events)
    made = []
    for line, (rule, level) in enumerate(rules):
        hit = bits.mask(line)
        after = with_rules(field, [(hit, level)])
        found, later = (
            change(field, field.level, after, part) for part in (field.windows.choose.mask, field.windows.report.mask)
        )
        made.append(Candidate(rule, level, hit, found, later, luck(field, level, later, field.windows.report.mask)))
    return made


def judged(
    field: Field, candidates: list[Candidate], values: npt.NDArray[np.float64], q: float
) -> tuple[list[str], list[Change], Small]:
    """Return each candidate's verdict, what it adds to the paying ones above, and the decisions with those."""
    verdicts, added, level = [], [], field.level
    for one, value in zip(candidates, values, strict=True):
        after = np.where(one.hit & field.raised(one.level) & (level < one.level), np.int8(one.level), level)
        more = change(field, level, after, field.windows.report.mask)
        added.append(more)
        verdicts.append(UNSURE if value > q else PAYS if more.net > 0 else REPEATS)
        if verdicts[-1] == PAYS:
            level = after
    return verdicts, added, level


def framed(
    candidates: list[Candidate],
    values: npt.NDArray[np.float64],
    verdicts: list[str],
    added: list[Change],
    field: Field,
) -> pd.DataFrame:
    """Return one row a candidate."""
    later = [one.later for one in candidates]
    frauds, good = (np.array([getattr(c, name) for c in later], dtype=np.int64) for name in ("frauds", "good"))
    precision = wilson(frauds, frauds + good)
    return pd.DataFrame(
        {
            "rule": [one.rule.id for one in candidates],
            "condition": [one.rule.in_words() for one in candidates],
            "outcome": [one.rule.outcome for one in candidates],
            "terms": [one.rule.when.count(" AND ") + 1 for one in candidates],
            "verdict": verdicts,
            "found_frauds": [one.found.frauds for one in candidates],
            "found_good": [one.found.good for one in candidates],
            "found_value": [one.found.net for one in candidates],
            "hits": [int((one.hit & field.windows.report.mask).sum()) for one in candidates],
            "n": [len(c.rows) for c in later],
            "frauds": frauds,
            "good": good,
            "unlabelled": [c.unlabelled for c in later],
            "precision": precision[0],
            "precision_lower": precision[1],
            "precision_upper": precision[2],
            "net_value": [c.net for c in later],
            "net_value_lower": [c.lower for c in later],
            "net_value_upper": [c.upper for c in later],
            "p": [one.p for one in candidates],
            "q": values,
            "added_frauds": [c.frauds for c in added],
            "added_net_value": [c.net for c in added],
            "added_lower": [c.lower for c in added],
            "added_upper": [c.upper for c in added],
        }
    )
