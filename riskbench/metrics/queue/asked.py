"""What is asked of a queue, checked at the door: minutes, service level, order, ageing, draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TypeVar, get_args

import numpy as np

from riskbench.errors import ParameterError, listed, nearest
from riskbench.metrics.costs import Costs
from riskbench.metrics.queue.cases import Cases
from riskbench.metrics.queue.hours import period_hours, said, whole
from riskbench.metrics.queue.names import keyed
from riskbench.metrics.queue.replay import Arrivals, Order, Plan, Spread

Word = TypeVar("Word", bound=str)

#: The longest stretch of weeks that is simulated, and the most replications.
MOST_WEEKS, MOST_REPLICATIONS = 520, 10_000
#: By default no longer than this.
_USUAL_WEEKS = 13
#: Below so many whole weeks the weeks themselves are too few to be drawn from.
FEW_BLOCKS = 4


def plan_of(
    cases: Cases,
    *,
    costs: Costs,
    minutes: object,
    spread: str,
    verify_within: str,
    expires_after: str | None,
    lost_per_hour: float,
    absence: float,
    order: str,
    arrivals: str,
    weeks: int | None,
    replications: int,
    seed: int,
) -> Plan:
    """Return what is simulated.

    Raises
    ------
    ParameterError
        For anything out of range.
    """
    return Plan(
        cases=cases,
        weeks=min(cases.blocks, _USUAL_WEEKS) if weeks is None else _whole("weeks", weeks, MOST_WEEKS),
        minutes=None if cases.minutes is not None else _means(minutes, cases.names, costs),
        spread=_one_of("spread", spread, get_args(Spread)),
        within=period_hours(verify_within, name="verify_within"),
        expires=float("inf") if expires_after is None else period_hours(expires_after, name="expires_after"),
        lost=_share("lost_per_hour", lost_per_hour),
        absence=_share("absence", absence, top=0.9),
        order=_one_of("order", order, get_args(Order)),
        arrivals=_one_of("arrivals", arrivals, get_args(Arrivals)),
        replications=_whole("replications", replications, MOST_REPLICATIONS, least=20),
        seed=_whole("seed", seed, 2**63, least=0),
    )


def _means(minutes: object, names: Sequence[str], costs: Costs) -> tuple[float, ...]:
    if minutes is None:
        return (_minutes(costs.review_minutes),) * len(names)
    if not isinstance(minutes, Mapping):
        return (_minutes(minutes),) * len(names)
    held = keyed(minutes, names, "minutes")
    return tuple(_minutes(held.get(name, costs.review_minutes)) for name in names)


def _minutes(given: object) -> float:
    number = real(given)
    if number is None or not 0 < number <= 10_000:
        raise ParameterError(
            "The minutes of a review are a number, or a column's name", got=said(given), allowed="above 0, up to 10,000"
        )
    return number


def _share(name: str, given: object, *, top: float = 1.0) -> float:
    number = real(given)
    if number is None or not 0 <= number <= top:
        raise ParameterError(f"{name} is a share", got=said(given), allowed=f"0..{top:g}")
    return number


def money(name: str, given: object) -> float:
    """Return an amount of money, 0 or more, in major units."""
    number = real(given)
    if number is None or not 0 <= number < 1e15:
        raise ParameterError(f"{name} is an amount of money", got=said(given), allowed="0 or more, in major units")
    return number


def real(given: object) -> float | None:
    """Return a number of any kind, None where it is none; true and false are none.

    >>> import numpy as np
    >>> real(np.float32(0.5)), real(np.int64(2)), real(True), real("1"), real(10**999)
    (0.5, 2.0, None, None, inf)
    """
    if isinstance(given, bool | np.bool_) or not isinstance(given, Real):
        return None
    try:
        return float(given)
    except OverflowError:
        return float("inf")


def _whole(name: str, given: object, top: int, *, least: int = 1) -> int:
    number = whole(given)
    if number is None or not least <= number <= top:
        raise ParameterError(f"{name} is a whole number", got=said(given), allowed=f"{least:,} to {top:,}")
    return number


def _one_of(name: str, given: str, allowed: Sequence[Word]) -> Word:
    for word in allowed:
        if isinstance(given, str) and word == given:
            return word
    close = nearest(said(given).strip("'"), allowed)
    raise ParameterError(
        f"{said(given)} is no {name}", allowed=listed(allowed), hint=f"did you mean {close!r}?" if close else None
    )
