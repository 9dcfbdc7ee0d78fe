"""When things become known: the moments in the life of an account and its orders, in order."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from riskbench.data.roles import Domain

#: The moments at which decisions are taken, earliest first; a verdict comes after all of them.
MOMENTS = (
    "application",
    "kyc check",
    "profile change",
    "bank change",
    "owner change",
    "checkout",
    "pre-ship",
    "delivery",
    "return",
    "settlement",
    "commission payout",
    "verdict",
)

#: The moment at which a domain decides where no decision point is named.
DEFAULT_MOMENT: Mapping[Domain, str] = MappingProxyType(
    {
        "transactions": "checkout",
        "kyc": "kyc check",
        "onboarding": "application",
        "affiliation": "commission payout",
    }
)

_PLACE = {moment.replace("-", " "): place for place, moment in enumerate(MOMENTS)}
_PLACE |= {"preship": _PLACE["pre ship"], "payout": _PLACE["commission payout"], "kyc": _PLACE["kyc check"]}
_PLACE |= {"label": _PLACE["verdict"]}


def place_of(moment: str) -> int | None:
    """Return a moment's place in the order, None where it is no moment.

    >>> place_of("Pre-Ship") < place_of("delivery"), place_of("lunch")
    (True, None)
    """
    return _PLACE.get(" ".join(str(moment).replace("-", " ").replace("_", " ").casefold().split()))
