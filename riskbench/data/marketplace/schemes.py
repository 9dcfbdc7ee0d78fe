"""Which schemes defraud the marketplace, and which honest customs look like them: dated assumptions as data."""

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


_WHOLE = {"amount": 0.95, "shipping": 1.0}
_SUBSIDY = {"voucher": 1.0, "commission": 1.0, "shipping": 1.0}

SCHEMES: tuple[Scheme, ...] = (
    Scheme(
        name="wash_live",
        rate=0.01,
        ring=36,
        days=16,
        burst=2.5,
        per_account=2.6,
        per_device=2.6,
        per_ip=2.2,
        per_address=1.8,
        fresh=0.5,
        fresh_days=9,
        device_fresh=0.35,
        seller="accomplice",
        creator="accomplice",
        live=0.85,
        level=-0.1,
        spread=0.6,
        voucher=0.72,
        depth=0.20,
        loss=_SUBSIDY,
        sources={"investigation": 0.8, "ban": 0.2},
        told=0.74,
        shift=1.45,
        adapts={"live_wash": "age"},
        decision_point="settlement",
        cover=0.58,
    ),
    Scheme(
        name="self_affiliation",
        rate=0.015,
        ring=22,
        days=45,
        per_account=3.2,
        per_device=1.15,
        per_ip=1.5,
        fresh=0.3,
        fresh_days=30,
        device_fresh=0.3,
        seller="accomplice",
        creator="accomplice",
        live=0.15,
        loss={"commission": 1.0, "voucher": 0.5},
        sources={"investigation": 0.85, "ban": 0.15},
        told=0.76,
        shift=0.15,
        decision_point="commission payout",
        affiliate_only=True,
        cover=0.62,
    ),
    Scheme(
        name="voucher_farm",
        rate=0.0042,
        ring=52,
        days=9,
        burst=9.0,
        per_account=1.4,
        per_device=6.0,
        per_ip=4.0,
        per_address=4.0,
        per_instrument=1.6,
        fresh=0.78,
        fresh_days=2,
        device_fresh=0.5,
        level=-0.45,
        spread=0.5,
        voucher=0.93,
        depth=0.34,
        loss={"voucher": 1.0, "shipping": 1.0},
        sources={"investigation": 0.75, "ban": 0.25},
        told=0.8,
        slow=0.8,
        shift=1.9,
        adapts={"device_ring": "devices"},
    ),
    Scheme(
        name="cod_refusal",
        rate=0.0026,
        ring=24,
        days=6,
        burst=14.0,
        payments={"cod": 1.0},
        per_account=1.6,
        per_device=3.6,
        per_ip=4.0,
        per_address=2.6,
        fresh=0.7,
        fresh_days=3,
        seller="one",
        creator="none",
        level=0.25,
        loss={"shipping": 2.4},
        sources={"refused_delivery": 0.85, "complaint": 0.15},
        told=0.9,
        shift=1.6,
        decision_point="pre-ship",
        adapts={"device_ring": "devices"},
        cover=0.15,
    ),
    Scheme(
        name="ghost_seller",
        rate=0.0048,
        ring=40,
        days=12,
        payments={"ewallet": 4, "transfer": 3, "card": 2, "paylater": 1, "instant": 5, "boleto": 1},
        accounts="honest",
        seller="new",
        creator="any",
        level=0.35,
        spread=0.6,
        loss={"amount": 0.8},
        sources={"complaint": 0.8, "instant_dispute": 0.05, "ban": 0.15},
        told=0.9,
        slow=1.6,
        shift=1.0,
        decision_point="settlement",
        cover=0.5,
    ),
    Scheme(
        name="stolen_card",
        rate=0.0048,
        ring=30,
        days=4,
        burst=5.0,
        payments={"card": 1.0},
        per_account=2.0,
        per_device=3.5,
        per_ip=2.6,
        per_address=2.0,
        per_instrument=1.5,
        fresh=0.6,
        fresh_days=3,
        device_fresh=0.85,
        night=0.28,
        ip_match=0.62,
        retry=0.30,
        level=1.6,
        spread=0.75,
        voucher=0.25,
        loss=_WHOLE,
        sources={"chargeback": 1.0},
        told=0.9,
        shift=2.5,
        adapts={"amount_cut": "amount", "score_cut": "payment"},
    ),
    Scheme(
        name="card_testing",
        rate=0.0015,
        ring=24,
        days=2,
        burst=2.0,
        payments={"card": 1.0},
        per_account=4.5,
        per_device=3.0,
        per_ip=2.2,
        per_instrument=1.1,
        fresh=0.75,
        fresh_days=1.5,
        device_fresh=0.7,
        seller="one",
        creator="none",
        night=0.35,
        ip_match=0.6,
        retry=0.62,
        level=-1.5,
        spread=0.45,
        voucher=0.12,
        loss={"amount": 1.0, "shipping": 0.5},
        sources={"chargeback": 1.0},
        told=0.62,
        shift=2.3,
        cover=0.0,
    ),
    Scheme(
        name="shop_takeover",
        rate=0.0022,
        ring=30,
        days=5,
        payments={"ewallet": 4, "transfer": 3, "card": 2, "paylater": 1, "instant": 5, "boleto": 1},
        accounts="honest",
        seller="aged",
        creator="none",
        level=0.7,
        spread=0.5,
        loss={"amount": 0.75},
        sources={"complaint": 0.8, "investigation": 0.2},
        told=0.88,
        slow=1.3,
        shift=0.9,
        decision_point="profile/bank/owner change",
        cover=0.45,
    ),
    Scheme(
        name="empty_box",
        rate=0.0016,
        ring=14,
        days=40,
        per_account=3.5,
        per_device=1.1,
        per_address=1.5,
        fresh=0.25,
        fresh_days=20,
        level=1.0,
        spread=0.55,
        voucher=0.3,
        loss={"amount": 0.9, "shipping": 1.0},
        sources={"return_verdict": 0.9, "investigation": 0.1},
        told=0.75,
        shift=1.0,
        decision_point="return",
    ),
    Scheme(
        name="paylater_bustout",
        rate=0.0024,
        ring=20,
        days=8,
        burst=40.0,
        payments={"paylater": 1.0},
        per_account=4.0,
        per_device=1.8,
        per_address=1.3,
        fresh=0.5,
        fresh_days=60,
        device_fresh=0.65,
        level=1.4,
        spread=0.5,
        voucher=0.25,
        loss={"amount": 0.92},
        sources={"investigation": 1.0},
        told=0.92,
        slow=2.2,
        shift=1.4,
        adapts={"amount_cut": "amount"},
    ),
)

LOOKALIKES: tuple[Scheme, ...] = (
    Scheme(
        name="boarding_house",
        fraud=False,
        rate=0.012,
        ring=40,
        days=160,
        per_account=4.0,
        per_device=1.15,
        per_address=9.0,
        per_ip=9.0,
        fresh=0.25,
        fresh_days=40,
        device_fresh=0.25,
        level=-0.1,
        shift=0.35,
    ),
    Scheme(
        name="village_address",
        fraud=False,
        rate=0.009,
        ring=45,
        days=150,
        payments={"cod": 5, "ewallet": 1},
        per_account=2.6,
        per_device=1.7,
        per_address=14.0,
        per_ip=4.0,
        fresh=0.4,
        fresh_days=25,
        level=-0.05,
        shift=0.5,
    ),
    Scheme(
        name="reseller",
        fraud=False,
        rate=0.005,
        ring=24,
        days=6,
        burst=6.0,
        per_account=9.0,
        per_device=1.0,
        per_address=1.0,
        fresh=0.15,
        fresh_days=60,
        level=1.05,
        spread=0.6,
        voucher=0.55,
        depth=0.14,
        seller="one",
        season=(19, 50, 81, 112, 113, 144, 175, 176),
        shift=0.9,
    ),
    Scheme(
        name="flash_sale",
        fraud=False,
        rate=0.014,
        ring=70,
        days=1,
        burst=0.7,
        per_account=1.15,
        per_device=1.05,
        fresh=0.45,
        fresh_days=4,
        device_fresh=0.4,
        seller="one",
        creator="any",
        live=0.8,
        level=-0.25,
        spread=0.4,
        voucher=0.85,
        depth=0.24,
        shift=0.6,
    ),
    Scheme(
        name="festival_return",
        fraud=False,
        rate=0.005,
        ring=20,
        days=8,
        per_account=2.0,
        fresh=0.1,
        level=0.8,
        season=(9, 112, 113, 144, 145),
        shift=0.4,
    ),
    Scheme(
        name="family_device",
        fraud=False,
        rate=0.010,
        ring=14,
        days=120,
        per_account=4.0,
        per_device=2.6,
        per_address=2.6,
        per_ip=2.6,
        fresh=0.35,
        fresh_days=15,
        device_fresh=0.35,
        shift=0.3,
    ),
    Scheme(
        name="creator_fans",
        fraud=False,
        rate=0.008,
        ring=36,
        days=30,
        burst=2.5,
        per_account=2.2,
        fresh=0.45,
        fresh_days=8,
        device_fresh=0.3,
        seller="one",
        creator="any",
        live=0.8,
        voucher=0.6,
        depth=0.16,
        shift=0.6,
    ),
    Scheme(
        name="new_shop_promotion",
        fraud=False,
        rate=0.006,
        ring=30,
        days=14,
        accounts="honest",
        seller="any",
        creator="none",
        level=0.25,
        shift=0.5,
    ),
    Scheme(name="cover_trade", fraud=False, rate=0.0, ring=1, days=1, shift=0.25),
    Scheme(
        name="new_phone_gift",
        fraud=False,
        rate=0.003,
        ring=8,
        days=20,
        per_account=1.4,
        fresh=0.3,
        device_fresh=1.0,
        retry=0.2,
        level=1.1,
        spread=0.6,
        shift=0.8,
        ip_match=0.85,
    ),
)

ALL: tuple[Scheme, ...] = (*SCHEMES, *LOOKALIKES)
NAMES: tuple[str, ...] = ("", *(scheme.name for scheme in ALL))
