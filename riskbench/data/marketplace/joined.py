"""How what comes on top is put between the rest: rows in order of time, verdicts with the rows they speak of."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.data.marketplace.applications import Judged
from riskbench.data.marketplace.campaigns import Frame
from riskbench.data.marketplace.people import Ints
from riskbench.data.marketplace.policy import Decided
from riskbench.data.marketplace.transactions import Checkout
from riskbench.data.marketplace.verdicts import Labels, Told

Array = npt.NDArray[Any]


def order_of(one: Frame, more: Frame) -> Ints:
    """Return the order by time of the rows of two frames, one after the other."""
    return np.argsort(np.concatenate([one["moment"], more["moment"]]), kind="stable")


def frames(one: Frame, more: Frame, order: Ints) -> Frame:
    """Return two frames of the same columns as one."""
    return {name: np.concatenate([one[name], more[name]])[order] for name in one}


def checkouts(one: Checkout, more: Checkout, order: Ints) -> Checkout:
    """Return what happened to two lots of orders as one."""
    return Checkout(
        score=_together(one.score, more.score, order),
        decided=_decided(one.decided, more.decided, order),
        labels=_labels(one.labels, more.labels, order),
        told=_told(one.told, more.told, order, len(one.fraud)),
        loss=_together(one.loss, more.loss, order),
        fraud=_together(one.fraud, more.fraud, order),
        completed=_together(one.completed, more.completed, order),
    )


def judged(one: Judged, more: Judged) -> Judged:
    """Return what happened to two lots of a domain's events as one."""
    order = order_of(one.frame, more.frame)
    return Judged(
        frame=frames(one.frame, more.frame, order),
        score=one.score if not len(one.score) else _together(one.score, more.score, order),
        decided=_decided(one.decided, more.decided, order),
        labels=_labels(one.labels, more.labels, order),
        told=_told(one.told, more.told, order, len(one.fraud)),
        fraud=_together(one.fraud, more.fraud, order),
        loss=_together(one.loss, more.loss, order),
    )


def _together(one: Array, more: Array, order: Ints) -> Array:
    return np.concatenate([one, more])[order]


def _decided(one: Decided, more: Decided, order: Ints) -> Decided:
    return Decided(
        outcome=_together(one.outcome, more.outcome, order),
        rule=_together(one.rule, more.rule, order),
        rules=one.rules,
        let_through=_together(one.let_through, more.let_through, order),
        holdout=_together(one.holdout, more.holdout, order),
    )


def _labels(one: Labels, more: Labels, order: Ints) -> Labels:
    return Labels(*(_together(getattr(one, f.name), getattr(more, f.name), order) for f in fields(Labels)))


def _told(one: Told, more: Told, order: Ints, rows: int) -> Told:
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    held = Told.joined([replace(one, event=place[one.event]), replace(more, event=place[rows + more.event])])
    by_time = np.lexsort((held.event, held.time))
    return Told(*(getattr(held, f.name)[by_time] for f in fields(Told)))
