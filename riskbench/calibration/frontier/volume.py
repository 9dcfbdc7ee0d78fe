"""Which gross merchandise value is meant: created, paid, delivered, or delivered and clean?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, LabelState
from riskbench.errors import DataError, ParameterError, listed, nearest

Mask = npt.NDArray[np.bool_]

#: The kinds of gross merchandise value, widest first.
KINDS = ("created", "paid", "delivered", "clean")
#: Columns that tell how an order went on.
STATUS = ("order_status", "status", "delivery_status", "payment_status")
_DELIVERED = {"delivered", "completed", "complete", "received", "done"}
_BACK = {"returned", "refunded", "return_requested"}
_PAID = {"paid", "captured", "settled", "processing", "packed", "shipped", "in_transit", "out_for_delivery"}
_CREATED = {
    "created", "placed", "pending", "unpaid", "authorised", "authorized", "cancelled", "canceled", "failed", "expired",
    "refused", "declined", "blocked", "lost", "(missing)",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Which events belong to a kind of gross merchandise value.

    Attributes
    ----------
    kind : str
        created, paid, delivered or clean.
    rows : ndarray of bool, or None
        The events; None where it is not measurable.
    told : str
        What defines it, or why it is not measurable.
    """

    kind: str
    rows: Mask | None
    told: str


def volumes(events: Dataset, labels: LabelState) -> dict[str, Volume]:
    """Return each kind of gross merchandise value of some events."""
    everything = np.ones(events.rows, dtype=bool)
    held = {"created": Volume("created", everything, "every event, whatever became of it")}
    spelt = {_plain(column): column for column in reversed(events.names) if events.kinds[column] == "string"}
    name = next((spelt[column] for column in STATUS if column in spelt), None)
    if name is None:
        why = f"no column tells how the order went on ({', '.join(STATUS)})"
        return held | {kind: Volume(kind, None, why) for kind in KINDS[1:]}
    codes, words = events.segment(name)
    said = [_plain(word) for word in words]
    known = _DELIVERED | _BACK | _PAID | _CREATED
    strange = [word for word, plain in zip(words, said, strict=True) if plain not in known]
    rest = f"; not understood and left out: {listed(strange, most=5)}" if strange else ""

    def of(*sets: set[str]) -> Mask:
        wanted = set().union(*sets)
        return np.array([word in wanted for word in said], dtype=bool)[codes]

    came = of(_DELIVERED)
    if of(_PAID, _DELIVERED, _BACK).any():
        held["paid"] = Volume("paid", of(_PAID, _DELIVERED, _BACK), f"{name} says paid or later{rest}")
    else:
        held["paid"] = Volume("paid", None, f"no word of {name} says that an order was paid")
    if not came.any():
        why = f"no word of {name} says that an order was delivered"
        return held | {kind: Volume(kind, None, why) for kind in KINDS[2:]}
    held["delivered"] = Volume("delivered", of(_DELIVERED, _BACK), f"{name} says delivered, also if sent back{rest}")
    refund = events.roles.measures.get("refund")
    back = events.minor(refund) > 0 if refund else np.zeros(events.rows, dtype=bool)
    money = " and nothing was paid back" if refund else ""
    held["clean"] = Volume(
        "clean",
        came & ~back & (labels.state != FRAUD),
        f"{name} says delivered, not sent back{money}, and no fraud is known{rest}",
    )
    return held


def _plain(word: str) -> str:
    return word.casefold().strip().replace(" ", "_").replace("-", "_")


def wanted_volume(held: dict[str, Volume], kind: object) -> Volume:
    """Return the kind that is asked for.

    Raises
    ------
    ParameterError
        When there is no such kind.
    DataError
        When the data do not tell it; says which kinds they do.
    """
    if kind not in KINDS:
        close = nearest(str(kind), KINDS)
        raise ParameterError(
            "That is no kind of gross merchandise value",
            got=repr(kind)[:80],
            allowed=listed(KINDS),
            hint=f"did you mean {close!r}?" if close else None,
        )
    found = held[str(kind)]
    if found.rows is None:
        measurable = [name for name, volume in held.items() if volume.rows is not None]
        raise DataError(
            f"The {kind} gross merchandise value is not measurable: {found.told}.", allowed=listed(measurable)
        )
    return found
