"""Which incidents were like this one, and in what?"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import pandas as pd

from riskbench.display import Fact, Result, result
from riskbench.errors import ParameterError
from riskbench.incidents.history import Standing
from riskbench.incidents.record import record_of
from riskbench.incidents.wording import Scrubber

#: How much each side of an incident counts where this one has it; what it lacks is left out.
WEIGHTS = {"segment": 0.30, "setting": 0.25, "rule": 0.20, "evidence": 0.10, "word": 0.15}
_WORD = re.compile(r"\w+")
_STOP = frozenset(
    "the and for with from into that this was were are has have had not new all its per via who what when incident "
    "jump jumped rise rising spike high".split()
)


@result
class SimilarIncidents(Result):
    """The incidents that resemble one, the most similar first.

    Similarity lies between 0 and 1: the share of what this incident shows (segments, scheme, domain and region,
    rules, columns of evidence, words) that the other shows too, rare things counting more than common ones. It says
    where to look for what worked, and nothing about guilt.

    Attributes
    ----------
    incidents : DataFrame
        incident, name, similarity, why, state, severity, hours_to_contain, worked: the containing actions done.
    """

    kind: ClassVar[str] = "similar_incidents"
    title: ClassVar[str] = "Similar incidents"
    main: ClassVar[str] = "incidents"

    id: str
    incidents: pd.DataFrame

    def headline(self) -> tuple[Fact, ...]:
        """Return how many were found, and the nearest."""
        count = Fact("Similar incidents", len(self.incidents), "count", note=f"to {self.id}")
        if not len(self.incidents):
            return (count,)
        first = self.incidents.iloc[0]
        return (count, Fact("Nearest", str(first["incident"]), "text", note=str(first["why"])[:300]))


def similar(
    standing: Standing, others: Iterable[Standing], *, most: int = 5, notes: Sequence[str] = ()
) -> SimilarIncidents:
    """Return the incidents that share something with one, never itself or what was merged into another."""
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= 100:
        raise ParameterError("'most' is a whole number", got=repr(most)[:40], allowed="1 to 100")
    past = [other for other in others if other.id != standing.id and other.merged_into is None]
    mine, theirs = traits(standing), {other.id: traits(other) for other in past}
    rarity = _rarity([mine, *theirs.values()])
    found = []
    for other in past:
        value, why = likeness(mine, theirs[other.id], rarity)
        if value > 0:
            found.append((-value, other.id, other, value, why))
    rows = []
    for *_, other, value, why in sorted(found, key=lambda row: row[:2])[:most]:
        record, scrub = record_of(other), Scrubber([*other.ids, *standing.ids])
        seconds = record.seconds_to_contain
        worked = [
            scrub(action["what"])
            for action in other.actions.values()
            if action["purpose"] == "contain" and action["status"] == "done"
        ]
        hours = None if seconds is None else round(seconds / 3600, 1)
        row = (
            other.id,
            record.name,
            round(value, 3),
            scrub(why),
            other.state,
            record.severity,
            hours,
            "; ".join(worked),
        )
        rows.append(row)
    columns = ["incident", "name", "similarity", "why", "state", "severity", "hours_to_contain", "worked"]
    note = f"Compared with {len(past)} incidents by segments, setting, rules, columns of evidence and words."
    return SimilarIncidents(id=standing.id, incidents=pd.DataFrame(rows, columns=columns), notes=(note, *notes))


def traits(held: Standing) -> dict[str, frozenset[str]]:
    """Return what an incident shows, by side."""
    texts = " ".join([held.name, *(held.sections.get(name, "") for name in ("summary", "trigger", "root_causes"))])
    setting = ("scheme", "domain", "region", "measure", "decision_point")
    return {
        "segment": frozenset(part for segment in held.segments for part in segment.split(" and ")),
        "setting": frozenset(f"{name} {held.facts[name]}" for name in setting if held.facts.get(name)),
        "rule": frozenset(rule for _, rule in held.rules),
        "evidence": frozenset(held.columns),
        "word": words(texts),
    }


def words(text: str) -> frozenset[str]:
    """Return the words of a text that say something; scripts without blanks give pairs of letters.

    >>> sorted(words("The COD refusals, COD in 东雅加达"))
    ['cod', 'refusals', '东雅', '加达', '雅加']
    """
    found: set[str] = set()
    for word in _WORD.findall(text.casefold()):
        if any("\u0e00" <= letter <= "\u0eff" or letter >= "\u2e80" for letter in word):
            found |= {word[place : place + 2] for place in range(max(1, len(word) - 1))}
        elif len(word) > 2 and word not in _STOP and not word.isdigit():
            found.add(word)
    return frozenset(found)


def likeness(
    mine: Mapping[str, frozenset[str]], theirs: Mapping[str, frozenset[str]], rarity: Mapping[tuple[str, str], float]
) -> tuple[float, str]:
    """Return how alike two incidents are, 0 to 1, and in what.

    >>> one = {"segment": frozenset({"payment = cod"}), "setting": frozenset(), "rule": frozenset()}
    >>> likeness(one, one, {})
    (1.0, 'segment payment = cod')
    """
    weight = total = 0.0
    why = []
    for side, counts in WEIGHTS.items():
        own, other = mine.get(side, frozenset()), theirs.get(side, frozenset())
        if not own:
            continue
        weight += counts
        shared = sorted(own & other, key=lambda item: (-rarity.get((side, item), 1.0), item))
        both = math.fsum(rarity.get((side, item), 1.0) for item in shared)
        either = math.fsum(rarity.get((side, item), 1.0) for item in sorted(own | other))
        if not shared:
            continue
        total += counts * both / either
        named = f"{side} {', '.join(shared[:4])}" if side != "setting" else ", ".join(shared)
        why.append((counts * both / either, named))
    return (total / weight if weight else 0.0), "; ".join(
        text for _, text in sorted(why, key=lambda row: (-row[0], row[1]))
    )


def _rarity(held: Sequence[Mapping[str, frozenset[str]]]) -> dict[tuple[str, str], float]:
    """Return how much each trait says: the rarer among all incidents, the more."""
    seen = Counter((side, item) for one in held for side, items in one.items() for item in items)
    return {key: math.log1p(len(held) / count) for key, count in sorted(seen.items())}
