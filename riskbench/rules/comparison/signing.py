"""Who decided what on a change request, and is what was signed what is shown?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from riskbench.config import redact
from riskbench.display.wording import LINE, TITLE, clean, private
from riskbench.errors import DataError, ParameterError, listed, nearest

if TYPE_CHECKING:
    from riskbench.rules.comparison.request import ChangeRequest

DECISIONS = ("approve", "reject", "revise")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedChange:
    """A reviewer's decision on a change request, bound to all that the request shows.

    It shows whether anything was altered, not who signed: anybody can write a name. Keep `seal` where the signer
    cannot change it.

    Attributes
    ----------
    request : str
        The checksum of the request.
    book_after : str
        The hash of the book that was decided on.
    reviewer, decision, note : str
        Who decided what, and a remark.
    at : str
        When, UTC.
    seal : str
        The hash of all of the above.
    """

    request: str
    book_after: str
    reviewer: str
    decision: str
    note: str
    at: str
    seal: str

    def verify(self, request: ChangeRequest) -> bool:
        """Return whether what was signed is what this request shows now, and the signature itself is whole."""
        return (
            self.seal == _seal(self.to_dict())
            and self.request == request.checksum
            and self.book_after == request.book_after
        )

    def to_dict(self) -> dict[str, str]:
        """Return the signature as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> SignedChange:
        """Return a signature from what `to_dict` gave, when it is whole.

        Raises
        ------
        DataError
            When it is no signature, or was altered.
        """
        names = [spec.name for spec in fields(cls)]
        if (
            not isinstance(told, Mapping)
            or sorted(map(str, told)) != sorted(names)
            or not all(isinstance(told[name], str) for name in names)
        ):
            raise DataError("This is no signature", allowed=listed(names))
        if told["seal"] != _seal(told):
            raise DataError("The signature was altered", got=_seal(told)[:12], allowed=told["seal"][:12])
        return cls(**told)

    def __str__(self) -> str:
        return f"{self.decision} by {self.reviewer} at {self.at}, of request {self.request[:12]}"


def sign(
    request: ChangeRequest, *, reviewer: str, decision: str, note: str, at: str | pd.Timestamp | None
) -> SignedChange:
    """Return a reviewer's decision on a request.

    Raises
    ------
    ParameterError
        For another decision, an empty name, or the approval of one's own request.
    """
    if not isinstance(decision, str) or decision not in DECISIONS:
        close = nearest(str(decision), DECISIONS)
        hint = f"did you mean {close!r}?" if close else None
        raise ParameterError("That is no decision", got=repr(decision)[:200], allowed=listed(DECISIONS), hint=hint)
    who = redact(clean(reviewer, "The reviewer", most=TITLE))
    if decision == "approve" and who.casefold() == request.requested_by.casefold():
        raise ParameterError("Nobody approves their own request", got=who, hint="let a second person sign")
    told = {
        "request": request.checksum,
        "book_after": request.book_after,
        "reviewer": who,
        "decision": decision,
        "note": private(clean(note, "The note", most=LINE, empty=True)),
        "at": _moment(at),
    }
    return SignedChange(**told, seal=_seal(told))


def _seal(told: Mapping[str, Any]) -> str:
    held = {name: value for name, value in told.items() if name != "seal"}
    text = json.dumps(held, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _moment(at: str | pd.Timestamp | None) -> str:
    if at is None:
        return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    try:
        moment = pd.Timestamp(at)
        moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
        told = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, TypeError, OverflowError):
        raise ParameterError("That is no moment", got=repr(at)[:200], allowed="2026-02-01T09:00Z") from None
    return told
