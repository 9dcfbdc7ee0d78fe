"""What a scheme is made of, and what history launched against the schemes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: The day (from the first) on which history launched or tightened a rule.
LAUNCHES: Mapping[str, int] = {
    "device_ring": 49,  # 2026-07-06: many buyers on one device
    "live_wash": 77,  # 2026-08-03: young buyers in live sessions
    "amount_cut": 105,  # 2026-08-31: the limit for new devices goes down
    "score_cut": 119,  # 2026-09-14: the highest scores are stopped
}
#: The limit of the new-device rule in usual orders of the region, before and after the launch.
LIMIT_BEFORE, LIMIT_AFTER = 6.0, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How one scheme (or honest look-alike) behaves.

    Attributes
    ----------
    name : str
        Its word in the truth.
    fraud : bool
        False for an honest look-alike.
    rate : float
        Its share of all orders.
    ring, days : float
        Mean orders of one ring, and mean days that it runs.
    burst : float
        Hours of one session of a ring; 0 spreads over the whole days.
    surge : float
        Share of a ring's orders in the first hours after its start; 0 for rings without such a start.
    payments : mapping
        Weights of the payment methods; empty: the region's mix.
    accounts : {"own", "honest"}
        Whether the ring places orders itself or honest buyers do.
    per_account, per_device, per_address, per_ip, per_instrument : float
        Orders an account, accounts a device, address and ip, orders an instrument.
    fresh, fresh_days : float
        Share of accounts made for the purpose, and their mean age at the start.
    device_fresh : float
        Share of devices made for the purpose.
    seller : {"any", "one", "new", "aged", "accomplice"}
        From whom it buys: anybody, one honest seller, a new or old seller who is the fraudster, a partner.
    creator : {"none", "any", "accomplice"}
        Who earns the commission.
    live, night, ip_match, retry : float
        Chances of a live session, of small hours, of an IP in its own city, of one more payment attempt.
    level, spread : float
        Mean and spread of the log of the order against the region's usual one.
    voucher, depth : float
        Chance of a voucher, and its mean share of the order.
    season : tuple of int
        Days on which it starts; empty: any.
    loss : mapping
        What is lost: shares of amount, voucher, commission and shipping.
    sources : mapping
        Weights of the label sources that tell of it.
    told : float
        Chance that it is ever told.
    slow : float
        Factor on the source's usual delay.
    shift : float
        How far the historic model tells it from honest orders, in standard deviations.
    adapts : mapping
        Launches it answers to, and how.
    decision_point : str
        Where it would be stopped.
    affiliate_only : bool
        True when the order is good and only the commission is fraud.
    cover : float
        Share of a ring's orders that are honest trade of the same shop or creator.
    """

    name: str
    fraud: bool = True
    rate: float
    ring: float
    days: float
    burst: float = 0.0
    surge: float = 0.0
    payments: Mapping[str, float] = field(default_factory=dict)
    accounts: Literal["own", "honest"] = "own"
    per_account: float = 2.0
    per_device: float = 1.0
    per_address: float = 1.0
    per_ip: float = 1.0
    per_instrument: float = 3.0
    fresh: float = 0.5
    fresh_days: float = 6.0
    device_fresh: float = 0.5
    seller: Literal["any", "one", "new", "aged", "accomplice"] = "any"
    creator: Literal["none", "any", "accomplice"] = "any"
    live: float = 0.1
    night: float = 0.05
    ip_match: float = 0.93
    retry: float = 0.08
    level: float = 0.0
    spread: float = 0.75
    voucher: float = 0.35
    depth: float = 0.12
    season: tuple[int, ...] = ()
    loss: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, float] = field(default_factory=dict)
    told: float = 0.85
    slow: float = 1.0
    shift: float = 0.0
    adapts: Mapping[str, str] = field(default_factory=dict)
    decision_point: str = "checkout"
    affiliate_only: bool = False
    cover: float = 0.0
