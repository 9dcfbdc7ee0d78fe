"""The orders as a decision at checkout: the model's score, what history did, and what was told of them later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskbench.data.marketplace.campaigns import Frame, World
from riskbench.data.marketplace.orders import CARD, COD, recent
from riskbench.data.marketplace.people import Floats, Ints, Rng
from riskbench.data.marketplace.policy import Decided, Mask, PastRule, decide, score, since
from riskbench.data.marketplace.region import DAY, PAYMENTS
from riskbench.data.marketplace.scheme import LAUNCHES, LIMIT_AFTER, LIMIT_BEFORE
from riskbench.data.marketplace.schemes import ALL
from riskbench.data.marketplace.verdicts import (
    CHARGEBACK,
    COMPLAINT,
    DISPUTE,
    OVERTURNED,
    REFUSED,
    RETURNED,
    Labels,
    Told,
    delayed,
    medians,
    pick_sources,
    reviewed,
    settle,
    tell,
)

TRANSFER, INSTANT = PAYMENTS.index("transfer"), PAYMENTS.index("instant")


@dataclass(frozen=True, slots=True, eq=False)
class Checkout:
    """What happened to the orders."""

    score: Floats
    decided: Decided
    labels: Labels
    told: Told
    loss: Floats  # of every true fraud
    fraud: Mask
    completed: Mask  # neither stopped nor given up


def _by_scheme(values: list[float]) -> Floats:
    return np.array([0.0, *values])


def launched(held: World, orders: Frame, name: str) -> Mask:
    """Return where a launch of history had taken place."""
    return since(orders["moment"], held.clock.midnights[orders["region"], LAUNCHES[name]])


def past_rules(held: World, orders: Frame, scores: Floats) -> list[PastRule]:
    """Return the rules of the past with their hits; the shipped book resembles them."""
    moment, index = orders["moment"], orders["index"]
    new_device = orders["device_age"] < 2
    device_hour = recent(orders["device"], moment, 1)
    device_week = recent(orders["device"], moment, 7 * 24)
    own_week = recent(orders["device"] * (int(orders["buyer"].max()) + 1) + orders["buyer"], moment, 7 * 24)
    others = device_week - own_week
    address_day = recent(orders["address"], moment, 24)
    depth = orders["voucher"] / orders["amount"]
    cut = launched(held, orders, "amount_cut")
    limit = np.where(cut, LIMIT_AFTER, LIMIT_BEFORE)
    young = orders["buyer_age"] < 7
    card = orders["payment"] == CARD
    return [
        PastRule("TX-001", "review", 30, (index > limit) & new_device),
        PastRule("TX-002", "block", 10, card & (orders["attempts"] >= 4) & (index < 0.6)),
        PastRule("TX-003", "block", 12, card & (device_hour >= 2) & young, never_let_through=True),
        PastRule("TX-004", "challenge", 50, (others >= 3) & young, launched(held, orders, "device_ring")),
        PastRule("TX-005", "review", 35, (depth > 0.30) & young & (others >= 1)),
        PastRule("TX-006", "challenge", 55, (orders["payment"] == COD) & young & (address_day >= 2)),
        PastRule(
            "TX-007",
            "review",
            40,
            orders["live"] & (orders["creator"] >= 0) & young & (depth > 0.15) & (others >= 1),
            launched(held, orders, "live_wash"),
        ),
        PastRule("TX-008", "block", 20, scores >= 0.76, launched(held, orders, "score_cut")),
        PastRule("OLD-CUT", "block", 22, scores >= 0.86),
    ]


def checkout(rng: Rng, held: World, orders: Frame) -> Checkout:
    """Return scores, outcomes and verdicts of all orders."""
    rows, kind = len(orders["moment"]), orders["scheme"]
    is_fraud = np.array([False, *(s.fraud and not s.affiliate_only for s in ALL)])
    fraud = is_fraud[kind]
    shift = _by_scheme([s.shift for s in ALL])[kind]
    # The model ages: what it learned of frauds fades, and those who moved stand out less.
    late = np.clip((orders["moment"] - held.clock.start[orders["region"]]) / DAY - 100, 0, 100) / 100
    shift = shift * np.where(fraud, 1.0 - 0.18 * late, 1.0) * np.where(orders["moved"], 0.72, 1.0)
    shift = 1.25 * shift
    evidence = (
        0.16 * np.clip(np.log(orders["index"]), -2, 2.5)
        + 0.38 * (orders["device_age"] < 2)
        + 0.30 * (orders["buyer_age"] < 7)
        + 0.22 * (orders["attempts"] - 1).clip(0, 3)
        - 0.05 * np.log1p(orders["buyer_orders"])
    )
    scores = score(rng, shift, evidence)
    decided = decide(rng, "transactions", past_rules(held, orders, scores), rows)
    loss = exposure(held, orders)
    labels, told, completed = _labels(rng, held, orders, fraud, decided)
    return Checkout(scores, decided, labels, told, np.where(fraud, loss, 0.0), fraud, completed)


def exposure(held: World, orders: Frame) -> Floats:
    """Return what each order of a scheme costs when it is let through, in whole steps of the currency."""
    parts = {
        name: _by_scheme([s.loss.get(name, 0.0) for s in ALL])[orders["scheme"]] * orders[name]
        for name in ("amount", "voucher", "commission", "shipping")
    }
    decimals = 0 if held.regions[0].currency in ("IDR", "VND", "COP") and len(held.regions) == 1 else 2
    return np.round(sum(parts.values(), np.zeros(len(orders["scheme"]))), decimals)


def _labels(rng: Rng, held: World, orders: Frame, fraud: Mask, decided: Decided) -> tuple[Labels, Told, Mask]:
    rows, moment, region = len(fraud), orders["moment"], orders["region"]
    stopped, given_up = decided.outcome == 3, np.zeros(rows, dtype=bool)
    challenged = np.flatnonzero(decided.outcome == 1)
    given_up[challenged] = rng.random(len(challenged)) < np.where(fraud[challenged], 0.6, 0.05)
    in_review = np.flatnonzero(decided.outcome == 2)
    review, called = reviewed(
        rng, in_review, moment[in_review], fraud[in_review], decided.rule[in_review].astype(np.int64), catch=0.85
    )
    cancelled = np.zeros(rows, dtype=bool)
    cancelled[in_review[called]] = True
    open_ = ~stopped & ~given_up & ~cancelled
    told = [
        review,
        *_frauds_told(rng, held, orders, np.flatnonzero(fraud & open_)),
        *_goods_told(rng, held, orders, np.flatnonzero(~fraud & open_)),
    ]
    # A transfer has no dispute channel: it is good once the buyer confirms the receipt.
    unconfirmed = (orders["payment"] == TRANSFER) & (rng.random(rows) < 0.25)
    labels, known = settle(Told.joined(told), rows, held.clock.end[region], silent=stopped | given_up | unconfirmed)
    return labels, known, open_


def _frauds_told(rng: Rng, held: World, orders: Frame, rows: Ints) -> list[Told]:
    kind, region, payment = orders["scheme"][rows], orders["region"][rows], orders["payment"][rows]
    source = pick_sources(rng, kind, {code + 1: scheme.sources for code, scheme in enumerate(ALL) if scheme.sources})
    source = np.where((source == CHARGEBACK) & (payment != CARD), COMPLAINT, source)
    source = np.where((source == REFUSED) & (payment != COD), COMPLAINT, source)
    source = np.where((source == COMPLAINT) & (payment == INSTANT) & (rng.random(len(rows)) < 0.6), DISPUTE, source)
    source = np.where((source == COMPLAINT) & (payment == CARD) & (rng.random(len(rows)) < 0.4), CHARGEBACK, source)
    days = medians(held.regions)[region, source] * _by_scheme([s.slow for s in ALL])[kind]
    when = delayed(rng, orders["moment"][rows], days)
    heard = rng.random(len(rows)) < _by_scheme([s.told for s in ALL])[kind]
    return [tell(rows[heard], source[heard], when[heard], 1)]


def _goods_told(rng: Rng, held: World, orders: Frame, rows: Ints) -> list[Told]:
    """Return what is told about good orders: some in error and later overturned, some cleared."""
    region, payment, moment = orders["region"][rows], orders["payment"][rows], orders["moment"][rows]
    usual = medians(held.regions)
    chance = rng.random(len(rows))
    wrong = chance < 0.0007
    cleared = (chance > 0.0007) & (chance < 0.008)
    festival = np.array([False, *(s.name == "festival_return" for s in ALL)])[orders["scheme"][rows]]
    back = (rng.random(len(rows)) < np.where(festival, 0.5, 0.018)) & ~wrong & ~cleared
    refusal = np.array([r.refused_delivery for r in held.regions])[region]
    refused = (payment == COD) & (rng.random(len(rows)) < refusal) & ~wrong & ~cleared & ~back

    def after(mask: Mask, source: Ints | int) -> Ints:
        return delayed(rng, moment[mask], usual[region[mask], source])

    claim = np.where(payment[wrong] == CARD, CHARGEBACK, COMPLAINT)
    accused = after(wrong, claim)
    appeal = rng.random(len(accused)) < 0.4
    overturned = delayed(rng, accused[appeal], usual[region[wrong][appeal], OVERTURNED])
    return [
        tell(rows[wrong], claim, accused, 1),
        tell(rows[wrong][appeal], OVERTURNED, overturned, 0),
        tell(rows[cleared], COMPLAINT, after(cleared, COMPLAINT), 0),
        tell(rows[back], RETURNED, after(back, RETURNED), 0),
        tell(rows[refused], REFUSED, after(refused, REFUSED), 0),
    ]
