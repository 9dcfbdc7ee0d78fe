"""What a decision is worth: the costs that an analyst states, and each event's share in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.outcomes import LADDERS, Effect
from riskbench.errors import ParameterError, listed, nearest

Minor = npt.NDArray[np.int64]

#: Where a cost comes from that was stated.
GIVEN = "given"
#: The largest value of the costs that are no shares: beyond it a figure is a slip of the pen.
_LARGEST = {
    "future_orders": 1e4, "review_minutes": 1e4, "minute_cost": 1e9,
    "seller_value": 1e12, "creator_value": 1e12, "first_sale_days": 1e4,
}  # fmt: skip
#: Domains whose events are about an account, and the cost that says what a good one is worth.
ACCOUNTS: Mapping[str, str] = {"onboarding": "seller_value", "kyc": "seller_value", "affiliation": "creator_value"}
#: The days over which an account's value is counted.
VALUE_DAYS = 90
#: Fields that are no figure of their own.
_NOT_PLAIN = ("origins", "friction")
#: The effects that insult a good account.
_HARD: tuple[Effect, Effect] = ("stop", "review")
#: What each outcome of any ladder does, by its name.
_STEPS: Mapping[str, Effect] = {rung.name: rung.effect for steps in LADDERS.values() for rung in steps.rungs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The stated costs of letting fraud through and of troubling good customers.

    Use it to make a calibration's objective money. Each figure is an assumption and is printed as one.

    Parameters
    ----------
    loss_share : float, 0..1
        Share of a fraud's amount that is lost when it is let through. Not used where a loss is measured.
    margin : float, 0..1
        Share of a good event's amount that is earned. Not used where a margin is measured.
    insult_share : float, 0..1
        Share of good customers who leave when they are wrongly stopped or held for review.
    future_orders : float, 0..10,000
        Orders of the same margin that such a customer would still have placed.
    review_minutes : float, 0..10,000
        Minutes that one review takes.
    minute_cost : float, 0..1e9
        Cost of a reviewer's minute, in major units of the dataset's currency.
    review_catch : float, 0..1
        Share of reviewed frauds that the reviewer stops.
    challenge_catch : float, 0..1
        Share of frauds that fail a challenge.
    challenge_drop : float, 0..1
        Share of good customers who give up at a challenge.
    friction : mapping of str to float, 0..10,000
        By the name of an outcome (challenge, review, block), the margins of a good event that it costs, where that
        was measured; it takes the place of what the shares above say for a step of the same effect.
    seller_value : float, 0..1e12, optional
        What a good seller earns us in the first 90 days, in major units; None where it is not stated. Where it is, a
        good application (onboarding) or KYC attempt that is turned away costs all of it, one held for review
        `insult_share` of it, one limited `challenge_drop` of it, and later orders are not counted on top. Not used
        where a margin is measured, such as one by tier: that is then the account's value.
    creator_value : float, 0..1e12, optional
        The same of a creator: a good commission (affiliation) clawed back or held for review costs `insult_share` of
        it, one held `challenge_drop`. It takes the place of the commission's own margin.
    first_sale_days : float, 0..10,000, optional
        Days by which a review puts off a good new seller's first sale; each costs those who stay one 90th of the
        account's value. None where it is not stated.
    origins : mapping of str to str
        Where a cost comes from, in words, where it is neither given nor a default; pages print it.

    Examples
    --------
    >>> from riskbench import Costs
    >>> Costs().good_cost("stop")  # the order's margin, and a fifth of three later ones
    1.6
    """

    loss_share: float = 1.0
    margin: float = 0.10
    insult_share: float = 0.2
    future_orders: float = 3.0
    review_minutes: float = 5.0
    minute_cost: float = 0.5
    review_catch: float = 0.9
    challenge_catch: float = 0.6
    challenge_drop: float = 0.05
    friction: Mapping[str, float] = field(default_factory=dict, hash=False, repr=False)
    seller_value: float | None = field(default=None, repr=False)
    creator_value: float | None = field(default=None, repr=False)
    first_sale_days: float | None = field(default=None, repr=False)
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        _checked(self.friction)
        for name, value in self.to_dict().items():
            top = _LARGEST.get(name, 10_000.0 if name.startswith("friction.") else 1.0)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= top:
                raise ParameterError(
                    f"The cost {name!r} is out of range",
                    got=repr(value),
                    allowed=f"a number in 0..{top:,.0f}" if top != 1.0 else "a share in 0..1",
                )

    @classmethod
    def from_mapping(cls, costs: Mapping[str, float] | Costs | None) -> Costs:
        """Return costs from a plain mapping, as playbook parameters hand them over.

        Raises
        ------
        ParameterError
            For a cost that does not exist.
        """
        if costs is None:
            return cls()
        if isinstance(costs, Costs):
            return costs
        if not isinstance(costs, Mapping):
            raise ParameterError(
                "Costs are a mapping of names to numbers", got=repr(costs)[:80], allowed="Costs or dict"
            )
        known = [spec.name for spec in fields(cls) if spec.name != "origins"]
        for name in costs:
            if name not in known:
                close = nearest(str(name), known)
                raise ParameterError(
                    f"{name!r} is not a cost",
                    allowed=listed(known),
                    hint=f"did you mean {close!r}?" if close else None,
                )
        return cls(**costs, origins=dict.fromkeys(costs, GIVEN))  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, float]:
        """Return the costs by name: those that are stated, and `friction.<outcome>` of each measured step."""
        plain = {spec.name: getattr(self, spec.name) for spec in fields(self) if spec.name not in _NOT_PLAIN}
        steps = {f"friction.{name}": value for name, value in self.friction.items()}
        return {name: value for name, value in plain.items() if value is not None} | steps

    def told(self, currency: str = "", *, account: str = "") -> str:
        """Return the costs as one line, the money among them with its currency; `account` is what `Worth.told` says.

        A minute's cost at its default is said to be one, as half a unit is much in one currency and little in another.

        >>> Costs().told("IDR").partition("; ")[2]
        'a review costs IDR 2.50: 5 minutes at IDR 0.5, a default that nobody stated'
        """
        shares = {
            name: value for name, value in self.to_dict().items() if name not in ("review_minutes", "minute_cost")
        }
        told = ", ".join(f"{name} {value:g}" for name, value in shares.items())
        unit = f"{currency} " if currency else ""
        each = f"{unit}{self.review_minutes * self.minute_cost:,.2f}"
        minutes = f"{self.review_minutes:g} minutes at {unit}{self.minute_cost:g}"
        stated = self.minute_cost != Costs.__dataclass_fields__["minute_cost"].default or not currency
        origin = self.origins.get("minute_cost", GIVEN if stated else "a default that nobody stated")
        more = "".join(("" if origin == GIVEN else f", {origin}", account and f"; {account}"))
        return f"{told}; a review costs {each}: {minutes}{more}"

    def scaled(self, name: str, factor: float) -> Costs:
        """Return the costs with one of them multiplied, at most to its largest value."""
        step = name.removeprefix("friction.")
        if step != name:
            return replace(self, friction={**self.friction, step: min(1e4, self.friction[step] * factor)})
        value = getattr(self, name) * factor
        return replace(self, **{name: min(_LARGEST.get(name, 1.0), value)})

    def fraud_gain(self, effect: Effect) -> float:
        """Return the share of a fraud's loss that an outcome of this effect prevents."""
        return {"none": 0.0, "friction": self.challenge_catch, "review": self.review_catch, "stop": 1.0}[effect]

    def good_cost(self, effect: Effect, *, account: str = "") -> float:
        """Return the margins of a good event that an outcome of this effect costs.

        With `account` ("seller_value", "creator_value") the margin is the value of the account that the event is
        about, and what is returned the share of it that is lost: an account is lost once, and has no later orders.

        >>> Costs(seller_value=300.0, first_sale_days=9.0).good_cost("review", account="seller_value")
        0.28
        """
        for name, cost in self.friction.items():
            if _STEPS[name] == effect:
                return cost
        if account:
            late = min(1.0, (self.first_sale_days or 0.0) / VALUE_DAYS) if account == "seller_value" else 0.0
            return {
                "none": 0.0,
                "friction": self.challenge_drop,
                "review": self.insult_share + (1.0 - self.insult_share) * late,
                "stop": 1.0 if account == "seller_value" else self.insult_share,
            }[effect]
        lost_customer = 1.0 + self.future_orders
        return {
            "none": 0.0,
            "friction": self.challenge_drop,
            "review": self.insult_share * lost_customer,
            "stop": 1.0 + self.insult_share * self.future_orders,
        }[effect]

    def handling(self, effect: Effect) -> float:
        """Return what handling one event costs, in major units: only a review costs minutes."""
        return self.review_minutes * self.minute_cost if effect == "review" else 0.0


def _checked(friction: Mapping[str, float]) -> None:
    if not isinstance(friction, Mapping):
        raise ParameterError("The friction maps an outcome to its cost", got=repr(friction)[:80])
    seen: dict[str, str] = {}
    for name in friction:
        if name not in _STEPS or _STEPS[name] == "none":
            allowed = [step for step, effect in _STEPS.items() if effect != "none"]
            close = nearest(str(name), allowed)
            raise ParameterError(
                f"{name!r} is not a step that troubles anybody",
                allowed=listed(allowed, most=12),
                hint=f"did you mean {close!r}?" if close else None,
            )
        other = seen.setdefault(_STEPS[name], name)
        if other != name:
            raise ParameterError(f"{other!r} and {name!r} are the same step of two ladders", hint="state one of them")


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """Each event's money, in integer minor units.

    Attributes
    ----------
    value : ndarray of int64 or None
        What "value" means in tables: the amount, else the loss of frauds and the margin of good events.
    loss : ndarray of int64
        What the event costs if it is fraud and let through; before `loss_share` where taken from the amount.
    margin : ndarray of int64
        What the event earns if it is good; before `margin` where taken from the amount.
    loss_measured, margin_measured : bool
        Whether they are measures of their own, so that the stated share does not apply.
    money : bool
        False when there is no money: then each event counts as one.
    account : str
        "seller_value" or "creator_value" where `margin` is the value of the account that the event is about.
    stated : float
        The stated value that `margin` was taken from, in major units; 0 where it was measured.
    """

    value: Minor
    loss: Minor
    margin: Minor
    loss_measured: bool
    margin_measured: bool
    money: bool
    account: str = ""
    stated: float = 0.0

    def loss_weight(self, costs: Costs) -> float:
        """Return the factor that turns `loss` into money lost."""
        return 1.0 if self.loss_measured else costs.loss_share

    def margin_weight(self, costs: Costs) -> float:
        """Return the factor that turns `margin` into money earned."""
        if self.stated:
            return float(getattr(costs, self.account) or 0.0) / self.stated
        return 1.0 if self.margin_measured else costs.margin

    def told(self, costs: Costs, currency: str = "") -> str:
        """Return what troubling a good account costs, and what of it is stated, in words; empty without accounts."""
        if not self.account:
            return ""
        seller = self.account == "seller_value"
        days = costs.first_sale_days if seller else None
        stop, review = (costs.good_cost(effect, account=self.account) for effect in _HARD)
        gone = "where it is turned away" if seller else "at a clawback"
        late = f" and sells {days:g} days later" if days else ""
        again = "" if seller else ", at each commission anew, so a creator troubled often counts too much"
        whole = f"{stop:.0%} of what the account earns in {VALUE_DAYS} days"
        lost = f"{whole} {gone}, {review:.0%} where held for review{late}"
        return f"a good {'seller' if seller else 'creator'} costs {lost}{again}; {self.source(costs, currency)}"

    def source(self, costs: Costs, currency: str = "") -> str:
        """Return where the value of an account comes from, in words; empty where events are about none."""
        if not self.account:
            return ""
        if not self.stated:
            return "what an account earns is in the data (margin)"
        origin = costs.origins.get(self.account, GIVEN)
        stated = f"{currency} {self.stated:,.2f}".strip()
        return f"what an account earns is {stated}, {'stated and not measured' if origin == GIVEN else origin}"


def account_value(dataset: Dataset, costs: Costs | None) -> tuple[str, float]:
    """Return which cost prices the accounts that events are about, and its stated value, 0 where it is measured.

    The name is empty where events are about no account, or nothing is stated of it.
    """
    name = ACCOUNTS.get(dataset.domain, "")
    if costs is None or not name:
        return "", 0.0
    value, measures = getattr(costs, name), dataset.roles.measures
    seller = name == "seller_value"
    if seller and "margin" in measures:
        return (name, 0.0) if value is not None or costs.first_sale_days is not None else ("", 0.0)
    money = dataset.roles.amount is not None or "loss" in measures or "margin" in measures
    return (name, float(value)) if value is not None and money else ("", 0.0)


def worth(dataset: Dataset, costs: Costs | None = None) -> Worth:
    """Return each event's money from the roles amount, measures.loss and measures.margin.

    With costs that state what an account is worth, a good event of a domain that is about accounts has that at stake.
    """
    held = _worth(dataset)
    account, stated = account_value(dataset, costs)
    if not account:
        return held
    measured = account == "seller_value" and "margin" in dataset.roles.measures
    minor = round(stated * dataset.currency.scale)
    margin = held.margin if measured else np.full(dataset.rows, minor, dtype=np.int64)
    return replace(held, margin=margin, margin_measured=True, account=account, stated=stated)


def _worth(dataset: Dataset) -> Worth:
    measures = dataset.roles.measures
    amount = dataset.minor(dataset.roles.amount) if dataset.roles.amount else None
    loss = dataset.minor(measures["loss"]) if "loss" in measures else amount
    margin = dataset.minor(measures["margin"]) if "margin" in measures else amount
    if amount is None and loss is None and margin is None:
        ones = np.ones(dataset.rows, dtype=np.int64)
        return Worth(ones, ones, ones, loss_measured=False, margin_measured=False, money=False)
    zeros = np.zeros(dataset.rows, dtype=np.int64)
    loss = zeros if loss is None else loss
    margin = zeros if margin is None else margin
    return Worth(
        amount if amount is not None else np.maximum(loss, margin),
        loss,
        margin,
        loss_measured="loss" in measures,
        margin_measured="margin" in measures,
        money=True,
    )
