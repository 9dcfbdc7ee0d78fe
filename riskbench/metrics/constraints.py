"""What a cut must keep to: limits on the rates that a region cares for, and on what its people can do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from riskbench.errors import ParameterError, listed, nearest
from riskbench.metrics.queue.hours import open_minutes

Rate = Literal["alert_rate", "review_rate", "insult_rate", "approval_rate", "precision", "recall"]
RATES: tuple[Rate, ...] = get_args(Rate)
Side = Literal["at_most", "at_least"]

#: Limits on what reviewers, payouts and applicants bear: the side that can be limited, and the unit of the limit.
CAPACITIES: Mapping[str, tuple[Side, str]] = MappingProxyType(
    {
        "cases_per_hour": ("at_most", "cases"),
        "verify_within": ("at_least", "share"),
        "payout_hold_value": ("at_most", "money"),
        "appeal_overturn_rate": ("at_most", "share"),
        "dispute_rate": ("at_most", "share"),
        "new_seller_activation": ("at_least", "share"),
        "kyc_pass_rate": ("at_least", "share"),
    }
)

#: What each of them may be told beside its limit.
_OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cases_per_hour": ("queue", "language", "where", "staffed", "peak"),
        "verify_within": ("queue", "language", "where", "staffed", "hours", "reviewers", "minutes"),
        "payout_hold_value": ("where",),
        "appeal_overturn_rate": ("where", "appeal"),
        "dispute_rate": ("where",),
        "new_seller_activation": ("where", "activated"),
        "kyc_pass_rate": ("where", "unit"),
    }
)
#: What they are where nothing is said.
_UNSAID: Mapping[str, object] = MappingProxyType(
    {"staffed": "24x7", "peak": False, "hours": 24.0, "minutes": 5.0, "reviewers": None}
)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A limit on one rate.

    Attributes
    ----------
    rate : str
        alert_rate, review_rate, insult_rate, approval_rate, precision or recall; a `CapacityLimit` bears others.
    bound : float, 0..1
        The limit.
    side : {"at_most", "at_least"}
        Which side of the limit is allowed.
    """

    rate: Rate
    bound: float
    side: Side

    def __post_init__(self) -> None:
        if self.rate not in RATES:
            allowed = (*RATES, *CAPACITIES)
            close = nearest(str(self.rate), allowed)
            raise ParameterError(
                f"{self.rate!r} cannot be constrained",
                allowed=listed(allowed),
                hint=f"did you mean {close!r}?" if close else None,
            )
        if isinstance(self.bound, bool) or not isinstance(self.bound, int | float) or not 0 <= self.bound <= 1:
            raise ParameterError(f"The limit on {self.rate} is a share", got=repr(self.bound), allowed="0..1")

    def __str__(self) -> str:
        return f"{self.rate} {'at most' if self.side == 'at_most' else 'at least'} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class CapacityLimit(Constraint):
    """A limit on what reviewers can do, or on what a payout, an appeal or an applicant bears.

    Attributes
    ----------
    rate : str
        cases_per_hour, verify_within, payout_hold_value, appeal_overturn_rate, dispute_rate, new_seller_activation or
        kyc_pass_rate.
    bound : float
        The limit: cases, major units of money a week, or a share.
    side : {"at_most", "at_least"}
        Which side of the limit is allowed.
    where : tuple of (str, str)
        Columns and the value that an event must have in each to count.
    options : tuple of (str, object)
        Whatever else was said.
    """

    where: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, object], ...] = ()

    def __post_init__(self) -> None:
        side, unit = CAPACITIES[self.rate]
        if self.side != side:
            right = f'rb.{side}("{self.rate}", ...)'
            raise ParameterError(f"{self.rate} is limited on the other side", got=self.side, allowed=side, hint=right)
        top = 1.0 if unit == "share" else 1e15
        known = isinstance(self.bound, int | float) and not isinstance(self.bound, bool)
        if not known or not 0 <= self.bound <= top or not math.isfinite(self.bound):
            allowed = "0..1" if unit == "share" else "0 or more"
            raise ParameterError(f"The limit on {self.rate} is {_A[unit]}", got=repr(self.bound), allowed=allowed)

    def option(self, name: str) -> Any:
        """Return what was said under a name, or what is meant where nothing was."""
        return dict(self.options).get(name, _UNSAID.get(name))

    @property
    def name(self) -> str:
        """What is limited."""
        return str(self.rate)

    @property
    def unit(self) -> str:
        """What the limit is counted in: share, cases or money."""
        return CAPACITIES[self.rate][1]

    def __str__(self) -> str:
        of = " and ".join(f"{column} {value}" for column, value in self.where)
        return f"{Constraint.__str__(self)}{f' ({of})' if of else ''}"


_A = {"share": "a share", "cases": "a number of cases", "money": "an amount of money a week, in major units"}


def plain(limits: tuple[Constraint, ...], *, what: str) -> None:
    """Raise an error where a limit is one on capacity, which `what` does not know.

    Raises
    ------
    ParameterError
        It names the rates that can be limited.
    """
    for limit in limits:
        if isinstance(limit, CapacityLimit):
            raise ParameterError(
                f"{limit.rate} cannot be limited in {what}",
                allowed=listed(RATES),
                hint="rb.calibrate(..., subject_to=[...]) knows it" if what != "a calibration" else None,
            )


def at_most(
    rate: str,
    bound: float,
    *,
    queue: str | None = None,
    language: str | None = None,
    where: Mapping[str, str] | None = None,
    staffed: str | None = None,
    peak: bool | None = None,
    appeal: str | None = None,
) -> Constraint:
    """Return the constraint that a rate, or what reviewers and payouts bear, stays at or under a limit.

    Use it in `subject_to`. Beside the rates alert_rate, review_rate, insult_rate, approval_rate, precision and recall:

    - cases_per_hour: cases sent to review for each hour in which reviewers are there, on average over all weeks; with
      `peak=True` those that come in the busiest hour of the week.
    - payout_hold_value: money held each week, in major units; commissions, or orders judged at settlement.
    - appeal_overturn_rate: overturned of all decided appeals among what is held or stopped.
    - dispute_rate: card disputes (chargebacks and fraud reports) of events let through, over card events not stopped;
      `rb.programme_limit` gives a scheme's limit as one.

    Parameters
    ----------
    rate : str
        What is limited.
    bound : float
        The limit: a share, cases an hour, or money a week.
    queue, language : str, optional
        Only cases with this value in the column `queue`, and in the column `language`.
    where : mapping of str to str, optional
        Only events with these values in these columns.
    staffed : str, optional
        When reviewers are there: "mon-fri 09:00-18:00"; by default "24x7". For cases_per_hour.
    peak : bool, optional
        Whether the busiest hour counts and not the average.
    appeal : str, optional
        The column that says how an appeal ended: "overturned" or "upheld", true or false, missing where none was
        decided. By default the label source says it.

    Raises
    ------
    ParameterError
        For what cannot be limited, a limit out of range, or an option that does not belong to it.

    Examples
    --------
    >>> from riskbench import at_most
    >>> print(at_most("review_rate", 0.02))
    review_rate at most 0.02
    >>> print(at_most("cases_per_hour", 40, queue="payments", language="id", staffed="mon-fri 09:00-18:00"))
    cases_per_hour at most 40 (queue payments and language id)
    """
    said = {"queue": queue, "language": language, "where": where, "staffed": staffed, "peak": peak, "appeal": appeal}
    return _limit(rate, bound, "at_most", said)


def at_least(
    rate: str,
    bound: float,
    *,
    queue: str | None = None,
    language: str | None = None,
    where: Mapping[str, str] | None = None,
    hours: float | None = None,
    reviewers: int | None = None,
    minutes: float | None = None,
    staffed: str | None = None,
    activated: str | None = None,
    unit: str | None = None,
) -> Constraint:
    """Return the constraint that a rate, or what reviewers and applicants get, stays at or over a limit.

    Use it in `subject_to`. Beside the rates alert_rate, review_rate, insult_rate, approval_rate, precision and recall:

    - verify_within: the share of review cases verified within `hours`, given `reviewers` and `minutes`.
    - new_seller_activation: the share of good new sellers who are neither held for review nor turned away.
    - kyc_pass_rate: the share of KYC attempts that pass, or of accounts with one that does.

    Parameters
    ----------
    rate : str
        What is limited.
    bound : float, 0..1
        The limit.
    queue, language : str, optional
        Only cases with this value in the column `queue`, and in the column `language`.
    where : mapping of str to str, optional
        Only events with these values in these columns.
    hours : float, optional
        Verified within so many hours of the wall clock; by default 24.
    reviewers : int
        How many review these cases. Needed for verify_within.
    minutes : float, optional
        The mean minutes of a review; by default 5.
    staffed : str, optional
        When reviewers are there: "mon-fri 09:00-18:00"; by default "24x7".
    activated : str, optional
        The column that says whether a seller who may open becomes active; by default all do.
    unit : str, optional
        The column of who passes KYC, where several attempts are one account's; by default each attempt counts.

    Raises
    ------
    ParameterError
        For what cannot be limited, a limit out of range, or an option that does not belong to it.

    Examples
    --------
    >>> from riskbench import at_least
    >>> print(at_least("approval_rate", 0.97))
    approval_rate at least 0.97
    >>> print(at_least("verify_within", 0.95, hours=24, reviewers=3, minutes=6))
    verify_within at least 0.95
    """
    said = {
        "queue": queue,
        "language": language,
        "where": where,
        "hours": hours,
        "reviewers": reviewers,
        "minutes": minutes,
        "staffed": staffed,
        "activated": activated,
        "unit": unit,
    }
    return _limit(rate, bound, "at_least", said)


def _limit(rate: str, bound: float, side: Side, said: Mapping[str, object]) -> Constraint:
    if not isinstance(rate, str):
        raise ParameterError("What is limited is named", got=repr(rate)[:80], allowed=listed((*RATES, *CAPACITIES)))
    given = {name: value for name, value in said.items() if value is not None}
    allowed = _OPTIONS.get(rate, ())
    for name in given:
        if name not in allowed:
            others = [other for other, options in _OPTIONS.items() if name in options]
            raise ParameterError(
                f"{name}= does not belong to a limit on {rate}",
                allowed=listed(allowed),
                hint=f"it belongs to {listed(others)}" if rate not in others else None,
            )
    named = cast("Rate", rate)
    if rate not in CAPACITIES:
        return Constraint(named, bound, side)
    where = _where(given)
    options = {name: value for name, value in given.items() if name not in ("queue", "language", "where")}
    _checked(rate, options)
    return CapacityLimit(named, bound, side, where, tuple(sorted(options.items())))


def _where(given: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    more = given.get("where", {})
    if not isinstance(more, Mapping):
        raise ParameterError("where= maps a column to its value", got=repr(more), allowed='{"payment_method": "card"}')
    held = {str(column): str(value) for column, value in more.items()}
    return tuple((held | {name: str(given[name]) for name in ("queue", "language") if name in given}).items())


def _checked(rate: str, options: Mapping[str, object]) -> None:
    if "staffed" in options and not open_minutes(str(options["staffed"])).any():
        raise ParameterError("Nobody is ever there", got=repr(options["staffed"]))
    if not isinstance(options.get("peak", False), bool):
        raise ParameterError("peak is true or false", got=repr(options["peak"]))
    for name, top in (("hours", 8_760), ("minutes", 10_000)):
        value = options.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= top:
            raise ParameterError(f"{name}= is a number", got=repr(value), allowed=f"above 0, up to {top:,}")
    for name in ("appeal", "activated", "unit"):
        if not isinstance(options.get(name, ""), str):
            raise ParameterError(f"{name}= names a column", got=repr(options[name]))
    count = options.get("reviewers")
    if rate == "verify_within" and (isinstance(count, bool) or not isinstance(count, int) or not 0 < count <= 2_000):
        raise ParameterError(
            "verify_within needs to know how many review",
            got=repr(count),
            allowed="a whole number from 1 to 2,000",
            hint='rb.at_least("verify_within", 0.95, hours=24, reviewers=3, minutes=6)',
        )
