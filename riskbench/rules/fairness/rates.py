"""How is each group treated, how far from all others, and which rule makes the gap?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import BLOCKED, FRAUD, GOOD, YOUNG, has_verdict
from riskbench.data.outcomes import ladder
from riskbench.metrics.discovery import q_values
from riskbench.metrics.group_rates import Share, apart, share
from riskbench.metrics.selection import Inclusion, inclusion
from riskbench.rules.fairness.groups import FOLDED, SMALL, Grouping
from riskbench.rules.hits import Hits

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Line = dict[str, Any]
Lines = list[Line]

#: A rate of fewer events than this is not measurable.
FEWEST = 20
RATES = ("insult_rate", "approval_rate", "precision")
NOT_SHOWN, HIGHER, LOWER = "no difference shown", "higher than the rest", "lower than the rest"
FEW = "not measurable: too few events"

GROUP_COLUMNS = [
    "column", "group", "events", "good_events",
    *(f"{rate}{end}" for rate in ("insult_rate", "approval_rate") for end in ("", "_lower", "_upper")),
    "insult_rate_least", "insult_rate_most", "precision", "precision_lower", "precision_upper", "reading",
]  # fmt: skip
DIFFERENCE_COLUMNS = (
    "column group rate n value rest difference difference_lower difference_upper ratio q_value reading rule"
).split()
GAP_COLUMNS = "column group rate rule in_group in_rest contribution".split()


@dataclass(frozen=True, eq=False)
class Treated:
    """What live rules do to each event, and what is known of it.

    Attributes
    ----------
    held : Hits
        The hits of a book on events.
    """

    held: Hits

    @cached_property
    def effects(self) -> npt.NDArray[np.str_]:
        """The effect of each ladder level."""
        return np.array([rung.effect for rung in ladder(self.held.book.domain).rungs])

    @cached_property
    def hard(self) -> Mask:
        """Events that are reviewed or stopped."""
        return np.isin(self.effects, ["review", "stop"])[self.held.resolution.level]

    @cached_property
    def alerted(self) -> Mask:
        """Events with an outcome above the mildest."""
        return self.held.resolution.level > 0

    @cached_property
    def weight(self) -> Floats:
        """How many events each one with a verdict stands for: those like it that history stopped."""
        return np.asarray(self._included.weight, dtype=np.float64)

    @cached_property
    def _included(self) -> Inclusion:
        every = np.ones(self.held.dataset.rows, dtype=bool)
        bears = has_verdict(self.held.dataset, self.held.labels)[0]
        return inclusion(self.held.dataset, self.held.labels).within(every, bears)

    @cached_property
    def unheard(self) -> Mask:
        """Events that no other one stands for: never let through, without dispute channel, without verdict."""
        state = self.held.labels.state
        return np.asarray(self._included.never | ((state > BLOCKED) & (state != YOUNG)))

    @cached_property
    def ripe(self) -> Mask:
        """Events old enough for a verdict of either kind."""
        until = self.held.labels.mature_until
        if until is None or not self.held.dataset.has("time"):
            return np.ones(len(self.held.labels.state), dtype=bool)
        time = self.held.dataset.column("time")
        return np.asarray(time.present & (time.values < int(until.value // 1000)))

    @cached_property
    def entity(self) -> npt.NDArray[np.int64] | None:
        """Who acted, by the first entity column; below 0 where nobody is known."""
        names = self.held.dataset.roles.entities
        if not names:
            return None
        column = self.held.dataset.column(names[0])
        if column.kind == "float":
            return None
        values = column.values.astype(np.int64)
        return np.where(column.present, values - values.min(initial=0), -1)

    def base(self, rate: str) -> tuple[Mask, Mask, Floats]:
        """Return the events that a rate is a share of, those that count, and what each stands for."""
        state = self.held.labels.state
        if rate == "approval_rate":
            return np.ones(len(state), dtype=bool), ~self.hard, np.ones(len(state))
        if rate == "insult_rate":
            return state == GOOD, self.hard, self.weight
        known = (state == GOOD) | (state == FRAUD)
        return known & self.alerted & self.ripe, state == FRAUD, self.weight

    def share(self, rate: str, rows: Mask) -> Share:
        """Return a rate of some events."""
        whole, part, weight = self.base(rate)
        at = np.flatnonzero(whole & rows)
        return share(part[at], weight[at], None if self.entity is None else self.entity[at])

    def bounds(self, rows: Mask) -> tuple[float | None, float | None]:
        """Return the least and the most that an insult rate can be, whatever the events that nobody speaks for are."""
        whole, part, weight = self.base("insult_rate")
        good, hurt = whole & rows, whole & part & rows
        total, insults = float(weight[good].sum()), float(weight[hurt].sum())
        dark = self.unheard & rows
        hit, passed = float((dark & self.hard).sum()), float((dark & ~self.hard).sum())
        least = insults / (total + passed) if total + passed > 0 else None
        most = (insults + hit) / (total + hit) if total + hit > 0 else None
        return least, most


def measured(treated: Treated, grouping: Grouping) -> tuple[Lines, Lines, Lines]:
    """Return the groups' rates, their differences from all others, and each rule's part in each gap."""
    held = grouping.folded()
    state = treated.held.labels.state
    groups: Lines = []
    differences: Lines = []
    gaps: Lines = []
    for code, name in enumerate(held.names):
        inside = held.codes == code
        events, good = int(inside.sum()), int((inside & (state == GOOD)).sum())
        shown = events >= SMALL
        row: Line = {"column": held.said, "group": name, "events": events if shown else np.nan}
        row["good_events"] = good if good >= SMALL else np.nan
        for rate in RATES:
            own = treated.share(rate, inside)
            n = int((treated.base(rate)[0] & inside).sum())
            enough = n >= FEWEST and own.bearing >= SMALL
            ends = (own.value, own.lower, own.upper) if enough else (None, None, None)
            row |= dict(zip((rate, f"{rate}_lower", f"{rate}_upper"), ends, strict=True))
            line: Line = {"column": held.said, "group": name, "rate": rate, "n": n if n >= SMALL else np.nan}
            differences.append(line | _difference(treated, rate, inside, own if enough else None))
            if enough and rate != "precision" and name != FOLDED:
                gaps += _gap(treated, held.said, name, rate, inside)
        least, most = treated.bounds(inside) if good >= FEWEST else (None, None)
        row |= {"insult_rate_least": least, "insult_rate_most": most, "reading": ""}
        groups.append(row)
    return groups, differences, gaps


def _difference(treated: Treated, rate: str, inside: Mask, own: Share | None) -> Line:
    rest = treated.share(rate, ~inside)
    rest_n = int((treated.base(rate)[0] & ~inside).sum())
    if own is None or rest_n < FEWEST:
        return {"value": None if own is None else own.value, "reading": FEW, "rule": ""}
    told = apart(own, rest)
    return {
        "value": own.value,
        "rest": rest.value,
        "difference": told.difference,
        "difference_lower": told.lower,
        "difference_upper": told.upper,
        "ratio": told.ratio,
        "p": told.p,
        "reading": NOT_SHOWN,
        "rule": "",
    }


def _gap(treated: Treated, column: str, group: str, rate: str, inside: Mask) -> Lines:
    """Return how much of the gap between a group and all others comes from the events that each rule decides."""
    whole, _, weight = treated.base(rate)
    sign = -1.0 if rate == "approval_rate" else 1.0
    rules, hard = treated.held.resolution.rule, treated.hard
    lines: Lines = []
    sums = []
    for rows in (inside & whole, ~inside & whole):
        at = np.flatnonzero(rows & hard)
        total = float(weight[rows].sum())
        sums.append(
            np.bincount(rules[at], weight[at], minlength=len(treated.held.book.rules)) / total if total else None
        )
    if sums[0] is None or sums[1] is None:
        return []
    for place, rule in enumerate(treated.held.book.rules):
        mine, rest = float(sums[0][place]), float(sums[1][place])
        if mine or rest:
            lines.append(
                {
                    "column": column,
                    "group": group,
                    "rate": rate,
                    "rule": rule.id,
                    "in_group": mine,
                    "in_rest": rest,
                    "contribution": sign * (mine - rest),
                }
            )
    return lines


def concluded(groups: Lines, differences: Lines, gaps: Lines) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return groups, differences and gaps with q values over all tests, readings, and the rule behind each gap."""
    tested = [line for line in differences if line.get("p") is not None]
    behind: dict[tuple[str, str, str], Lines] = {}
    for gap in gaps:
        behind.setdefault((gap["column"], gap["group"], gap["rate"]), []).append(gap)
    for line, share_false in zip(tested, q_values([line["p"] for line in tested]), strict=True):
        difference = float(line["difference"])
        line["q_value"] = float(share_false)
        if share_false <= 0.05 and not line["difference_lower"] <= 0 <= line["difference_upper"]:
            line["reading"] = HIGHER if difference > 0 else LOWER
        own = behind.get((line["column"], line["group"], line["rate"]), [])
        most = max(own, key=lambda gap: float(gap["contribution"]) * difference, default=None)
        if most is not None and float(most["contribution"]) * difference > 0:
            line["rule"] = most["rule"]
    said = {(line["column"], line["group"], line["rate"]): str(line["reading"]) for line in differences}
    for row in groups:
        row["reading"] = _reading(*(said[row["column"], row["group"], rate] for rate in RATES[:2]))
    told = pd.DataFrame(differences, columns=DIFFERENCE_COLUMNS)
    for column in DIFFERENCE_COLUMNS[3:10]:
        told[column] = told[column].astype(np.float64)
    made = pd.DataFrame(groups, columns=GROUP_COLUMNS)
    for column in GROUP_COLUMNS[2:-1]:
        made[column] = made[column].astype(np.float64)
    return made, told, pd.DataFrame(gaps, columns=GAP_COLUMNS)


def _reading(insults: str, approvals: str) -> str:
    if insults == approvals == FEW:
        return FEW
    words = (("insults", insults), ("approvals", approvals))
    parts = [f"{word} {said.split()[0]}" for word, said in words if said in (HIGHER, LOWER)]
    parts += ["insults not measurable"] if insults == FEW else []
    return ", ".join(parts) or NOT_SHOWN
