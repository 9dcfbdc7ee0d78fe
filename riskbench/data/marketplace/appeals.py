"""Who was acted against, who appealed, and what came of it: the enforcement and the appeals of all domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from riskbench.data.dataset import Dataset
from riskbench.data.marketplace.people import Rng
from riskbench.data.marketplace.policy import Decided
from riskbench.data.marketplace.region import DAY, HOUR, SECOND
from riskbench.data.marketplace.verdicts import delayed
from riskbench.data.marketplace.words import coded, event_ids, times
from riskbench.data.outcomes import ladder
from riskbench.data.roles import DOMAINS, Domain
from riskbench.engine.columns import Column
from riskbench.engine.table import Table

#: What an event of a domain is called as the subject of an action.
SUBJECTS: Mapping[Domain, str] = {
    "transactions": "order",
    "kyc": "attempt",
    "onboarding": "application",
    "affiliation": "commission",
}
#: The share of good and of fraudulent subjects that appeal, by what was done to them; and that win.
_APPEALS = {"stop": (0.34, 0.06), "review": (0.09, 0.02), "friction": (0.22, 0.05)}
_WINS = (0.78, 0.06)
#: Median days until an appeal is filed, and from then on until it is decided.
_FILED, _DECIDED = 1.2, 4.5


@dataclass(frozen=True, slots=True, eq=False)
class Acted:
    """One domain's events as they were decided, and which of them really were fraud."""

    dataset: Dataset
    decided: Decided
    fraud: npt.NDArray[np.bool_]


def appeals(rng: Rng, lots: Mapping[Domain, Acted]) -> dict[str, Table]:
    """Return the tables `enforcement` and `appeals`: every event held or stopped, and who asked for a new look.

    An appeal that is not decided by the end of the data has no verdict yet.
    """
    actions: dict[str, list[pa.Array]] = {}
    filed: dict[str, list[pa.Array]] = {}
    number = made = 0
    for domain in DOMAINS:
        lot = lots[domain]
        rungs = ladder(domain).rungs
        held = np.array([rung.effect in ("review", "stop") or rung.name == "hold" for rung in rungs])
        rows = np.flatnonzero(held[lot.decided.outcome])
        level, moment = lot.decided.outcome[rows], lot.dataset.column("time").values[rows]
        action = event_ids(np.arange(number, number + len(rows)), "E", 89)
        _add(
            actions,
            action_id=action,
            subject_id=lot.dataset.column(lot.dataset.roles.id).take(rows),
            subject_kind=coded(np.zeros(len(rows), dtype=np.int32), [SUBJECTS[domain]]),
            at=times(moment),
            action=coded(level, [rung.name for rung in rungs]),
            reason=coded(np.maximum(lot.decided.rule[rows], 0), lot.decided.rules),
            until=times(moment, valid=np.zeros(len(rows), dtype=bool)),
        )
        number += len(rows)
        chance = np.array([_APPEALS.get(rung.effect, (0.0, 0.0)) for rung in rungs])
        bad = lot.fraud[rows].astype(np.int64)
        end = _last(lot.dataset)
        asked_at = delayed(rng, moment, np.full(len(rows), _FILED), spread=0.8)
        answered = delayed(rng, asked_at, np.full(len(rows), _DECIDED), spread=0.7)
        wins = rng.random(len(rows)) < np.array(_WINS)[bad]
        asks = (rng.random(len(rows)) < chance[level, bad]) & (asked_at < end)
        told = answered[asks] < end
        _add(
            filed,
            appeal_id=event_ids(np.arange(made, made + int(asks.sum())), "A", 97),
            action_id=action.take(np.flatnonzero(asks)),
            filed_at=times(asked_at[asks] // SECOND * SECOND),
            decided_at=times(np.where(told, np.maximum(answered[asks], asked_at[asks] + HOUR), 0), valid=told),
            verdict=coded(wins[asks].astype(np.int32), ("upheld", "overturned"), valid=told),
        )
        made += int(asks.sum())
    return {"enforcement": _joined(actions), "appeals": _joined(filed)}


def _last(dataset: Dataset) -> int:
    ends = [column.values[column.present] for column in (dataset.column("time"), dataset.column("label_time"))]
    return max((int(end.max()) for end in ends if len(end)), default=DAY)


def _add(parts: dict[str, list[pa.Array]], **columns: Column) -> None:
    for name, column in columns.items():
        array = column.to_arrow()
        parts.setdefault(name, []).append(array.dictionary_decode() if column.kind == "string" else array)


def _joined(parts: Mapping[str, list[pa.Array]]) -> Table:
    return Table.from_arrow(pa.table({name: pa.concat_arrays(held) for name, held in parts.items()}))
