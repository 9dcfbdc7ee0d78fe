"""Which events are looked at: those of the window, those they are compared with, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.labels import UNKNOWN, LabelState, label_state
from riskbench.data.outcomes import ladder
from riskbench.engine.bits import Bits
from riskbench.engine.columns import DAY
from riskbench.errors import DataError, ParameterError, RuleError
from riskbench.incidents.elapsed import elapsed
from riskbench.incidents.incident import Incident
from riskbench.metrics.costs import Costs, Worth, worth
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import Hits, acting, apply, prepared
from riskbench.rules.rule import Rule

Mask = npt.NDArray[np.bool_]

#: Parts of which no search reads the column in any case.
_NEVER_READ = ("id", "time", "label", "label_time", "label_source", "outcome", "let_through")


@dataclass(frozen=True, eq=False)
class Scope:
    """All that the questions of one investigation share.

    Attributes
    ----------
    incident : Incident
        What is investigated.
    dataset : Dataset
        The events up to the as-of moment, with the book's velocity features and the score in its role.
    book : RuleBook
        The rule book in force; an empty one when none was given.
    costs : Costs
        The stated costs.
    asof : int
        What was known by then counts (microseconds since 1970, UTC).
    current, baseline, after : ndarray of bool, shape (rows,)
        The events of the window, those they are compared with, and those after the window.
    seed : int
        Of every draw.
    notes : tuple of str
        What a reader must know of the windows.
    excluded : tuple of str
        Columns that nothing is looked for in.
    """

    incident: Incident
    dataset: Dataset
    book: RuleBook
    costs: Costs
    asof: int
    current: Mask
    baseline: Mask
    after: Mask
    seed: int = 0
    notes: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @cached_property
    def times(self) -> npt.NDArray[np.int64]:
        """Each event's time in microseconds since 1970, UTC."""
        return self.dataset.column("time").values.astype(np.int64)

    @cached_property
    def state(self) -> LabelState:
        """What was known of each event by the as-of moment; nothing where there is no label."""
        if self.dataset.roles.label is None:
            nothing = np.full(self.dataset.rows, UNKNOWN, dtype=np.int8)
            return LabelState(nothing, (0, 0, 0, 0, self.dataset.rows), None, None, "no label given")
        return label_state(self.dataset, asof=pd.Timestamp(self.asof, unit="us"))

    @cached_property
    def hits(self) -> Hits:
        """The book's hits on all events."""
        moment = pd.Timestamp(self.asof, unit="us")
        return Hits(self.book, self.dataset, apply(self.book.rules, self.dataset), moment)

    @cached_property
    def worth(self) -> Worth:
        """Each event's money."""
        return worth(self.dataset, self.costs)

    @property
    def days(self) -> tuple[float, float]:
        """The length of the window and of the baseline, in days."""
        start, end = self.incident.window
        first, last = self.reference
        return (min(end, self.asof) - start) / DAY, (last - first) / DAY

    @cached_property
    def reference(self) -> tuple[int, int]:
        """The baseline's window in microseconds since 1970, UTC; of a given one the part that the events cover."""
        given = self.incident.baseline
        if given is not None:
            held = self.times[self.dataset.column("time").present]
            first, last = int(held.min()), min(int(held.max()), self.asof) + 1
            start, end = micros(given[0]), micros(given[1])
            return (max(start, first), min(end, last)) if self.baseline.any() else (start, end)
        start, end = self.incident.window
        times = self.times[self.baseline]
        if len(times) and int(times.min()) >= end:
            return end, int(times.max()) + 1
        return (int(times.min()) if len(times) else start), start

    @property
    def provenance(self) -> dict[str, object]:
        """Where every number of the investigation comes from."""
        held = self.incident
        return {
            "dataset": self.dataset.fingerprint,
            "book": self.book.hash,
            "label_recipe": self.state.recipe,
            "parameters": {
                "start": held.start, "end": held.end, "baseline": list(held.baseline) if held.baseline else None,
                "where": held.where, "measure": held.measure, "asof": str(pd.Timestamp(self.asof, unit="us")),
                "exclude": list(self.excluded),
            },
            "seed": self.seed,
        }  # fmt: skip


def scope_of(
    incident: Incident,
    dataset: Dataset,
    *,
    book: RuleBook | None = None,
    score: str | None = None,
    costs: Costs | None = None,
    asof: str | pd.Timestamp | None = None,
    exclude: Iterable[str] = (),
    seed: int = 0,
) -> Scope:
    """Return what one investigation looks at.

    Raises
    ------
    DataError
        When the events bear no time, or there is none in the window.
    RuleError
        When the book or the incident's condition does not fit the events.
    """
    if not dataset.has("time"):
        raise DataError("An incident needs events with a time", hint="name the role 'time'")
    known = book if book is not None else RuleBook(name="no book given", domain=dataset.domain)
    aside = set_aside(dataset, exclude)
    events = prepared(known, aside, asof=asof)
    events, delays = elapsed(events)
    if score is not None:
        events = events.with_roles(score=events.resolve(score))
    column = events.column("time")
    times = column.values.astype(np.int64)
    inside = column.present.copy()
    notes = list(delays)
    excluded = tuple(name for name in aside.known_at if name not in dataset.known_at)
    if excluded:
        notes.append(f"Nothing is looked for in {', '.join(excluded)}: left out on request, or as a leak.")
    if column.missing:
        notes.append(f"{column.missing:,} events bear no time and are left out.")
    if incident.where is not None:
        try:
            meets = matching(events, incident.where)
        except RuleError as error:
            raise RuleError(
                f"The incident's condition has a mistake: {error.sentence}",
                text=error.text, start=error.start, end=error.end, got=error.got, allowed=error.allowed,
                hint=error.hint,
            ) from None  # fmt: skip
        inside &= meets
        named = any(name.lower() in incident.where.lower() for name in events.roles.entities)
        said = "that meet the incident's condition" if named else f"with {incident.where}"
        notes.append(f"Only events {said} are investigated.")
    start, end = incident.window
    in_window = column.present & (times >= start) & (times < end)
    current = inside & in_window
    if not current.any():
        span = events.span
        raise DataError(
            "There are no events in the incident's window.",
            got=f"{incident.start} to {incident.end}" + (f", where {incident.where}" if incident.where else ""),
            allowed=f"the events span {span[0]:%Y-%m-%d %H:%M} to {span[1]:%Y-%m-%d %H:%M} UTC" if span else None,
            hint=(
                "no event of the window meets the condition: loosen it"
                if incident.where is not None and in_window.any()
                else "moments without a zone are UTC"
            ),
        )
    given = incident.baseline
    low, high = (micros(given[0]), micros(given[1])) if given is not None else (np.iinfo(np.int64).min, start)
    baseline = inside & (times >= low) & (times < high)
    after = inside & (times >= end)
    if given is None and not baseline.any() and after.any():
        baseline = after
        notes.append("There are no events before the window: it is compared with the time after it.")
    if not baseline.any():
        notes.append("There are no events outside the window: nothing can be compared.")
    last = int(times[column.present].max())
    moment = micros(asof) if asof is not None else last
    if asof is None and events.roles.label_time is not None:
        told = events.column("label_time")
        moment = max(moment, int(told.values[told.present].max()) if told.present.any() else last)
    return Scope(
        incident,
        events,
        acting(known, events, asof=pd.Timestamp(moment, unit="us")),
        costs or Costs(),
        moment,
        current,
        baseline,
        after,
        seed,
        tuple(notes),
        excluded,
    )


def set_aside(dataset: Dataset, columns: Iterable[str]) -> Dataset:
    """Return the dataset with some columns marked as known only with the verdict, so that no search reads them.

    They keep the parts that they play.

    Raises
    ------
    ColumnNotFoundError
        When there is no such column.
    ParameterError
        When the columns are no list of names.
    """
    if isinstance(columns, str):
        raise ParameterError("Columns to leave out are a list of names", got=repr(columns), hint=f"[{columns!r}]")
    parts = dataset.roles.columns()
    names = [name for name in map(dataset.resolve, columns) if parts.get(name) not in _NEVER_READ]
    return replace(dataset, known_at={**dataset.known_at, **dict.fromkeys(names, "verdict")}) if names else dataset


def matching(dataset: Dataset, condition: str) -> Mask:
    """Return which events meet a condition in the rule language; what is unknown does not.

    Raises
    ------
    RuleError
        When the condition cannot be read or does not fit the events.
    """
    rule = Rule("CONDITION", condition, ladder(dataset.domain).names[-1])
    bits: Bits = apply([rule], dataset)
    return bits.mask(0)
