"""Which share of traffic does a rule decide at each stage of its launch, and which units are in it?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from riskbench.data.dataset import Dataset
from riskbench.errors import ParameterError, RuleError, listed, nearest
from riskbench.rules.book import RuleBook
from riskbench.rules.doors import a_text, several

#: The column that tells which units are in a share of traffic, and its number of equal parts.
BUCKET, BUCKETS = "launch_bucket", 10_000
#: How a stage is written.
SPELLING = '"shadow", a share of traffic above 0 and below 1, or "live", growing'


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a launch.

    Attributes
    ----------
    name : str
        shadow, "10 %" and so on, or live.
    share : float, 0..1
        The share of traffic that the rule decides: 0 in shadow, 1 when live.
    """

    name: str
    share: float

    @property
    def buckets(self) -> int:
        """How many of the parts of traffic the rule decides."""
        return round(self.share * BUCKETS)


def stage_of(step: object) -> Stage:
    """Return the stage that a step means: "shadow", "live", 0.1, "0.1" or "10 %".

    Raises
    ------
    ParameterError
        When it means none.
    """
    word = step.strip().casefold() if isinstance(step, str) else step
    if isinstance(word, str) and word in ("shadow", "live"):
        return Stage(word, float(word == "live"))
    share: float | None = None
    if isinstance(word, int | float) and not isinstance(word, bool):
        share = float(word) if -1 < word < 2 else None
    elif isinstance(word, str):
        try:
            share = float(word.removesuffix("%").strip()) / (100 if word.endswith("%") else 1)
        except ValueError:
            share = None
    if share is None or not 1 / BUCKETS <= share < 1:
        raise ParameterError("That is not a stage of a launch", got=repr(step)[:80], allowed=SPELLING)
    whole = round(share * BUCKETS) / BUCKETS
    return Stage(f"{100 * whole:g} %", whole)


def stages_of(steps: Iterable[object]) -> tuple[Stage, ...]:
    """Return the stages that steps mean.

    Raises
    ------
    ParameterError
        When there are none, or one does not reach further than the one before.
    """
    each = several(steps, name="steps", what="the list of the stages of a launch", alone=(), allowed=SPELLING)
    found = tuple(stage_of(step) for step in each)
    shares = [stage.share for stage in found]
    if not found or shares != sorted(set(shares)):
        raise ParameterError(
            "Each step of a launch reaches further than the one before",
            got=listed([stage.name for stage in found]),
            allowed=SPELLING,
        )
    return found


def stage_among(stage: object, stages: Sequence[Stage]) -> Stage:
    """Return one stage of a plan.

    Raises
    ------
    ParameterError
        When the plan has none such.
    """
    try:
        wanted: Stage | None = stage_of(stage)
    except ParameterError:
        wanted = None
    if wanted is None or wanted not in stages:
        raise ParameterError(
            f"The plan has no stage {str(stage)[:80]!r}", allowed=listed([held.name for held in stages])
        )
    return wanted


def bucket(unit: str, key: str) -> int:
    """Return the part of traffic, 0 to 9,999, that a unit belongs to.

    The first eight hexadecimal digits of SHA-256 over the key, a colon and the unit, modulo 10,000: the same in
    every system that knows SHA-256, for ever. A unit stays in its part, and parts of two keys are independent.

    >>> bucket("B-1", "TX-010"), bucket("B-1", "TX-011")
    (3343, 1315)
    """
    return int(hashlib.sha256(f"{key}:{unit}".encode()).hexdigest()[:8], 16) % BUCKETS


def with_buckets(dataset: Dataset, *, unit: str, key: str) -> Dataset:
    """Return the events with the column `launch_bucket`; missing where the unit is missing."""
    codes, names = dataset.segment(unit)
    parts = np.array([bucket(name, key) for name in names] or [0], dtype=np.int64)
    present = dataset.column(unit).present
    return dataset.with_columns({BUCKET: pa.array(parts[codes], mask=~present)})


def decided(dataset: Dataset, stage: Stage, *, unit: str, key: str) -> npt.NDArray[np.bool_]:
    """Return which events the rule decides at a stage."""
    if stage.share in (0.0, 1.0):
        return np.full(dataset.rows, stage.share == 1.0)
    column = with_buckets(dataset, unit=unit, key=key).column(BUCKET)
    return np.asarray(column.present & (column.values < stage.buckets))


def staged(book: RuleBook, rule_id: str, stage: Stage) -> RuleBook:
    """Return the book as it stands in a stage: the rule in shadow, live on a share of traffic, or live."""
    if stage.share == 0:
        return book.with_status(rule_id, "shadow")
    if stage.share == 1:
        return book.with_status(rule_id, "live")
    rule = book.rule(rule_id)
    return book.with_rule(replace(rule, when=f"({rule.when}) AND {BUCKET} < {stage.buckets}", status="live"))


def candidate(book: RuleBook, rule_id: str | None) -> str:
    """Return the id of the rule to launch: the one named, else the book's first draft, else its first in shadow.

    Raises
    ------
    ParameterError
        When there is no such rule, or it is live or retired already.
    RuleError
        When none is named and the book has no draft and no rule in shadow.
    """
    a_text(rule_id, name="rule")
    if rule_id is not None:
        known = {rule.id: rule for rule in book.rules}
        waiting = listed([rule.id for rule in book.rules if rule.status in ("draft", "shadow")])
        if rule_id not in known:
            close = nearest(str(rule_id), known)
            hint = f"did you mean {close!r}?" if close else None
            raise ParameterError(
                f"The parameter 'rule' names {str(rule_id)[:60]!r}: there is no such rule in the book",
                allowed=waiting,
                hint=hint,
            )
        rule = known[rule_id]
        if rule.status in ("live", "retired"):
            raise ParameterError(
                f"The parameter 'rule' names {rule.id}, which is {rule.status}",
                allowed=f"a draft or a shadow rule: {waiting}",
                hint="name one of these, or launch a draft of it under an id of its own",
            )
        return rule.id
    for status in ("draft", "shadow"):
        for rule in book.rules:
            if rule.status == status:
                return rule.id
    raise RuleError(
        "The book has no rule to launch",
        got=listed([f"{rule.id} {rule.status}" for rule in book.rules]),
        allowed="a rule with the status draft or shadow",
    )
