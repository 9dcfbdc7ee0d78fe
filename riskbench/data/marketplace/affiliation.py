"""What creators earned: a commission an order, when it is about to be paid out."""

from __future__ import annotations

import numpy as np

from riskbench.data.marketplace.applications import Judged
from riskbench.data.marketplace.campaigns import Frame, World
from riskbench.data.marketplace.orders import recent
from riskbench.data.marketplace.people import Ints, Rng
from riskbench.data.marketplace.policy import PastRule, decide
from riskbench.data.marketplace.region import DAY, HOUR, SECOND
from riskbench.data.marketplace.schemes import ALL, NAMES
from riskbench.data.marketplace.transactions import Checkout
from riskbench.data.marketplace.verdicts import OVERTURNED, Told, delayed, medians, pick_sources, reviewed, settle, tell

WASH, SELF, FANS, RAID, CROWD = (
    NAMES.index(name) for name in ("wash_live", "self_affiliation", "creator_fans", "creator_raid", "campaign_fans")
)


def commissions(rng: Rng, held: World, orders: Frame, made: Checkout, *, earlier: Judged | None = None) -> Judged:
    """Return the commissions of completed orders, what history did with them, and what was told of them.

    Parameters
    ----------
    rng : Generator
        The source of chance.
    held, orders, made : the world, the orders, and what happened to them.
    earlier : Judged, optional
        The commissions that these come on top of: the same creator has the same followers, and numbers go on.
    """
    rows = np.flatnonzero(made.completed & (orders["creator"] >= 0) & (orders["commission"] > 0))
    # A commission is earned with the delivery; the partners of a raid report theirs within hours.
    unit = np.where(orders["scheme"][rows] == RAID, HOUR, DAY)
    wait = ((2.0 + rng.gamma(3.0, 0.9, len(rows))) * unit).astype(np.int64)
    moment = (orders["moment"][rows] + wait) // SECOND * SECOND
    inside = moment < held.clock.end[orders["region"][rows]]
    rows, moment = rows[inside], moment[inside]
    order = np.argsort(moment, kind="stable")
    rows, moment = rows[order], moment[order]
    frame: Frame = {name: values[rows] for name, values in orders.items()} | {"moment": moment}
    frame["order"] = frame["no"]
    frame["no"] = np.arange(len(rows)) + (0 if earlier is None else len(earlier.fraud))
    kind, size = frame["scheme"], len(rows)
    raid = kind == RAID
    wash, own = (kind == WASH) | raid, kind == SELF
    fraud = wash | own
    fans = (kind == FANS) | (kind == CROWD)
    frame["followers"] = _followers(rng, orders, earlier)[frame["creator"]]
    click = np.where(wash, 5.9, np.where(own, 6.1, np.where(fans, 6.0, 6.8)))
    frame["click"] = np.round(np.exp(rng.normal(click, 1.2)), 1)
    near = np.where(wash, 0.20, np.where(own, 0.34, np.where(fans, 0.05, 0.028)))
    frame["same_network"] = rng.random(size) < near
    frame["creator_age"] = np.maximum(moment - frame["creator_joined"], 0) // DAY
    depth = frame["voucher"] / frame["amount"]
    pair = frame["creator"] * (int(frame["device"].max(initial=0)) + 1) + frame["device"]
    rules = [
        PastRule("AF-001", "review", 20, frame["same_network"] & (frame["click"] < 300)),
        PastRule("AF-002", "hold", 50, frame["live"] & (frame["buyer_age"] < 10) & (depth > 0.2)),
        PastRule("AF-003", "clawback", 10, frame["same_network"] & (depth > 0.22)),
        PastRule("AF-004", "review", 25, (recent(pair, moment, 7 * 24) >= 2) & (frame["buyer_age"] < 60)),
        PastRule("AF-005", "hold", 55, (frame["commission_rate"] >= 0.12) & (frame["seller_age"] < 60)),
    ]
    decided = decide(rng, "affiliation", rules, size)
    region = frame["region"]
    stopped = decided.outcome == 3
    in_review = np.flatnonzero(decided.outcome == 2)
    review, called = reviewed(
        rng, in_review, moment[in_review], fraud[in_review], decided.rule[in_review].astype(np.int64), catch=0.75
    )
    gone = np.zeros(size, dtype=bool)
    gone[in_review[called]] = True
    later = np.flatnonzero(fraud & ~raid & ~stopped & ~gone)
    known_order = made.labels.fraud[rows] == 1
    told_with = np.flatnonzero(raid & known_order & ~stopped & ~gone)
    of_order = rows[told_with]
    source = pick_sources(rng, kind[later], {NAMES.index(s.name): s.sources for s in ALL if s.sources})
    when = delayed(rng, moment[later], medians(held.regions)[region[later], source] * 0.9, spread=0.5)
    heard = rng.random(len(later)) < 0.8
    wrong = np.flatnonzero(~fraud & ~stopped & ~gone)
    wrong = wrong[rng.random(len(wrong)) < 0.0015]
    accused = delayed(rng, moment[wrong], medians(held.regions)[region[wrong], 5])
    back = rng.random(len(wrong)) < 0.5
    told = [
        review,
        tell(later[heard], source[heard], when[heard], 1),
        tell(
            told_with,
            made.labels.source[of_order].astype(np.int64),
            np.maximum(made.labels.time[of_order], moment[told_with]) + HOUR,
            1,
        ),
        tell(wrong, 5, accused, 1),
        tell(
            wrong[back],
            OVERTURNED,
            delayed(rng, accused[back], medians(held.regions)[region[wrong[back]], OVERTURNED]),
            0,
        ),
    ]
    labels, known = settle(Told.joined(told), size, held.clock.end[region], silent=stopped)
    lost = frame["commission"] + np.where(wash, frame["voucher"] + frame["shipping"], 0.5 * frame["voucher"])
    decimals = 0 if len(held.regions) == 1 and held.regions[0].step >= 1 else 2
    return Judged(frame, np.zeros(0), decided, labels, known, fraud, np.where(fraud, np.round(lost, decimals), 0.0))


def _followers(rng: Rng, orders: Frame, earlier: Judged | None) -> Ints:
    """Return how many follow each creator, rounded as a page shows it."""
    creators = int(orders["creator"].max(initial=0)) + 1
    followers = np.exp(rng.normal(8.4, 1.6, creators))
    digits = 10.0 ** (np.floor(np.log10(np.maximum(followers, 10.0))))
    followers = (np.rint(followers / digits) * digits).astype(np.int64)
    if earlier is not None:
        known = earlier.frame["creator"] < creators
        followers[earlier.frame["creator"][known]] = earlier.frame["followers"][known]
    return followers
