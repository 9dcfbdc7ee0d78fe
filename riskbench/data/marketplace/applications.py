"""Who applied to sell: honest shops, agencies, ghosts and rings, and what the shops turned out to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskbench.data.marketplace.campaigns import Frame, World, ring_ip
from riskbench.data.marketplace.orders import recent
from riskbench.data.marketplace.people import Floats, Ints, Rng
from riskbench.data.marketplace.policy import Decided, Mask, PastRule, decide, score
from riskbench.data.marketplace.region import DAY, HOUR, SECOND
from riskbench.data.marketplace.schemes import NAMES
from riskbench.data.marketplace.verdicts import Labels, Told, delayed, medians, pick_sources, reviewed, settle, tell

BUSINESS = ("individual", "sole_trader", "company")
CHANNELS = ("organic", "field", "agency", "referral")

#: At least this many applications, so that a small marketplace can be calibrated on.
FEWEST = 6_000
#: The score from which history rejects.
REJECT_AT = 0.88

#: What an applicant is. The first four are honest.
KINDS = ("", "agency", "market_hall", "family_shops", "ghost_seller", "wash_live", "document_reuse")
_GHOST, _WASH, _REUSE = 4, 5, 6
_SOURCES = {
    _GHOST: {"ban": 0.35, "complaint": 0.45, "investigation": 0.20},
    _WASH: {"investigation": 0.7, "ban": 0.3},
    _REUSE: {"investigation": 0.5, "ban": 0.5},
}


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What happened to events of a domain whose subject is an account."""

    frame: Frame
    score: Floats
    decided: Decided
    labels: Labels
    told: Told
    fraud: Mask
    loss: Floats


def _applicants(rng: Rng, held: World, rings: Frame) -> Frame:
    """Return kind, group, region, moment and seller of each application, in no order."""
    clock, sellers = held.clock, held.sellers
    joined_in = np.flatnonzero(sellers.joined >= clock.start[sellers.region] + 3 * DAY)
    wash, ghost = NAMES.index("wash_live"), NAMES.index("ghost_seller")
    partners = np.isin(joined_in, rings["seller"][rings["scheme"] == wash])
    ring = np.flatnonzero(
        (rings["scheme"] == ghost) & (rings["seller_joined"] >= clock.start[rings["region"]] + 3 * DAY)
    )
    parts = [
        (np.where(partners, _WASH, 0), sellers.region[joined_in], sellers.joined[joined_in], joined_in),
        (
            np.full(len(ring), _GHOST, dtype=np.int64),
            rings["region"][ring],
            rings["seller_joined"][ring],
            rings["seller"][ring],
        ),
    ]
    known = [np.concatenate([part[i] for part in parts]) for i in range(4)]
    # A shop opens some hours after its application.
    known[2] = known[2] - (rng.exponential(20.0, len(known[0])) * HOUR).astype(np.int64) - HOUR
    share = held.counts / held.counts.sum()
    wanted = np.rint(np.maximum(held.counts / 12, FEWEST * share)).astype(np.int64)
    more = np.maximum(wanted - np.bincount(known[1], minlength=len(wanted)), 0)
    region = np.repeat(np.arange(len(wanted)), more)
    kind = np.searchsorted(np.cumsum([0.795, 0.075, 0.045, 0.03, 0.019, 0.010]), rng.random(len(region)), side="right")
    first = held.ids.take("seller", len(region))
    kind = np.concatenate([known[0], kind])
    region = np.concatenate([known[1], region])
    moment = np.concatenate([known[2], clock.draw(rng, region[len(known[1]) :])])
    seller = np.concatenate([known[3], first + np.arange(len(kind) - len(known[3]))])
    opened = np.arange(len(kind)) < len(known[0])
    return {"kind": kind, "region": region, "moment": moment // SECOND * SECOND, "seller": seller, "opened": opened}


def _groups(rng: Rng, held: World, frame: Frame) -> Ints:
    """Return each applicant's group (an agency, a ring, a market hall), pulling its members together in time."""
    size = len(frame["kind"])
    group = np.arange(size, dtype=np.int64)
    per = {1: 14.0, 2: 10.0, 3: 2.4, _REUSE: 6.0}
    days = {1: 90.0, 2: 70.0, 3: 60.0, _REUSE: 12.0}
    top = size
    for kind, mean in per.items():
        for code in range(len(held.regions)):
            rows = np.flatnonzero((frame["kind"] == kind) & (frame["region"] == code) & ~frame["opened"])
            if not len(rows):
                continue
            number = max(1, round(len(rows) / mean))
            member = rng.integers(0, number, len(rows))
            group[rows] = top + member
            top += number
            begin = held.clock.draw(rng, np.full(number, code))
            latest = held.clock.end[code] - HOUR
            shifted = begin[member] + (rng.exponential(days[kind] / 3, len(rows)) * DAY).astype(np.int64)
            late = shifted >= latest
            shifted[late] = begin[member][late] - (rng.random(int(late.sum())) * DAY).astype(np.int64)
            frame["moment"][rows] = np.maximum(shifted, held.clock.start[code]) // SECOND * SECOND
    return group


def applications(rng: Rng, held: World, rings: Frame) -> Frame:
    """Return all applications sorted by time, with what is known when they are decided."""
    frame = _applicants(rng, held, rings)
    group = _groups(rng, held, frame)
    size, kind, region = len(group), frame["kind"], frame["region"]
    number = held.ids.take
    own = np.arange(size)
    bad = kind >= _GHOST
    ring = kind == _REUSE
    split = rng.integers(0, 2, size)  # a ring has more than one of each
    # Who shares what: agencies a bank account and a network, halls an address, families a device, rings most.
    shares_bank = (kind == 1) & (rng.random(size) < 0.85) | ring & (rng.random(size) < 0.45)
    shares_device = (kind == 1) & (rng.random(size) < 0.6) | (kind == 3) | ring & (rng.random(size) < 0.55)
    shares_address = (kind == 2) | (kind == 3) | ring & (rng.random(size) < 0.3)
    shares_owner = (kind == 3) & (rng.random(size) < 0.5)
    groups = int(group.max()) + 1 if size else 0
    base = {
        name: number(name, size + 2 * groups) for name in ("bank", "owner", "device", "address", "network", "agency")
    }
    shared = {name: base[name] + size + 2 * group + np.where(ring, split, 0) for name in base}
    pool = np.array([r.carrier_nat for r in held.regions])[region]
    city = held.sellers.city[held.sellers.pick(rng, region, np.maximum(frame["moment"], held.clock.start[region]))]
    behind = rng.random(size) < pool * 0.6
    network = np.where((kind == 1) | (kind == 2) | ring & (split == 0), shared["network"], base["network"] + own)
    age = np.where(bad, rng.exponential(240.0, size), rng.exponential(520.0, size))
    age = np.where(rng.random(size) < np.where(bad, 0.45, 0.30), rng.exponential(12.0, size), age)
    expected = np.exp(rng.normal(np.where(bad, 3.9, 3.6), 1.0))
    frame |= {
        "group": group,
        "owner": np.where(shares_owner, shared["owner"], base["owner"] + own),
        "device": np.where(shares_device, shared["device"], base["device"] + own),
        "bank": np.where(shares_bank, shared["bank"], base["bank"] + own),
        "address": np.where(shares_address, shared["address"], base["address"] + own),
        "agency": np.where(
            rng.random(size) < np.where(kind == 1, 0.8, np.where(ring, 0.14, 0.0)), shared["agency"], -1
        ),
        "city": city,
        "ip": ring_ip(network, city, behind, rng),
        "business": np.searchsorted(np.cumsum([0.55, 0.30]), rng.random(size) * np.where(bad, 0.93, 1.0), side="right"),
        "category": np.searchsorted(
            np.cumsum([0.26, 0.17, 0.14, 0.16, 0.1, 0.07, 0.04]), rng.random(size), side="right"
        ),
        "company_age": np.round(age, 1),
        "catalogue": np.maximum(1, np.exp(rng.normal(np.where(bad, 2.75, 3.1), 1.05))).astype(np.int64),
        "price_index": np.round(
            np.exp(rng.normal(np.where(kind == _GHOST, -0.20, np.where(bad, -0.04, 0.0)), 0.21)), 3
        ),
        "expected": np.maximum(1, expected).astype(np.int64),
        "domain_email": rng.random(size) < np.where(bad, 0.11, 0.20),
        "complete": rng.random(size) < np.where(bad, 0.84, 0.92),
        "attempts": rng.geometric(np.where(bad, 0.66, 0.82)),
        "face_match": np.round(rng.beta(np.where(bad, 9.0, 13.0), np.where(bad, 2.1, 1.9)), 3),
        "hours": np.round(np.exp(rng.normal(np.where(bad, 2.3, 2.8), 1.1)), 2),
        "channel": np.where(
            kind == 1, 2, np.searchsorted(np.cumsum([0.66, 0.2, 0.03]), rng.random(size), side="right")
        ),
    }
    order = np.argsort(frame["moment"], kind="stable")
    return {name: values[order] for name, values in frame.items()}


def money_of(held: World, region: Ints, orders: Floats, *, share: float) -> Floats:
    """Return a share of so many usual orders, in the money of the marketplace, to two decimals or whole units."""
    usual = np.array([r.median_order / (r.per_usd if len(held.regions) > 1 else 1.0) for r in held.regions])
    values = orders * usual[region] * share
    return np.round(values, 0 if len(held.regions) == 1 and held.regions[0].step >= 1 else 2)


def onboarding(rng: Rng, held: World, frame: Frame) -> Judged:
    """Return scores, outcomes and verdicts of all applications."""
    kind, region, moment = frame["kind"], frame["region"], frame["moment"]
    rows = len(kind)
    fraud = kind >= _GHOST
    frame["margin"] = money_of(held, region, frame["expected"].astype(float), share=0.055 * 2)
    days = np.exp(rng.normal(0.0, 0.8, rows))
    loss = np.where(fraud, money_of(held, region, days * 28, share=1.0), 0.0)
    shift = np.array([0.0, 0.45, 0.3, 0.4, 1.35, 1.05, 1.7])[kind]
    evidence = (
        -0.9 * np.clip(np.log(frame["price_index"]), -0.8, 0.8)
        - 0.10 * np.log1p(frame["company_age"])
        + 0.25 * (frame["attempts"] - 1).clip(0, 3)
        + 0.35 * ~frame["complete"]
        + 2.0 * (0.88 - frame["face_match"])
        + 0.45
    )
    scores = score(rng, shift, evidence)
    for _ in range(12):  # a shop that opened had not been rejected
        again = frame["opened"] & (scores >= REJECT_AT)
        if not again.any():
            break
        scores[again] = score(rng, shift[again], evidence[again])
    scores[frame["opened"] & (scores >= REJECT_AT)] = 0.8
    banks, devices = recent(frame["bank"], moment, 30 * 24), recent(frame["device"], moment, 7 * 24)
    alone = frame["agency"] < 0
    rules = [
        PastRule("OB-001", "review", 20, (banks >= 1) & alone),
        PastRule("OB-002", "review", 30, (frame["price_index"] < 0.68) & (frame["company_age"] < 60)),
        PastRule("OB-003", "limit", 60, (frame["company_age"] < 14) & (frame["expected"] > 120)),
        PastRule("OB-004", "review", 25, (devices >= 2) & alone),
        PastRule("OB-005", "reject", 10, (scores >= REJECT_AT) & ~frame["opened"]),
        PastRule("OB-006", "review", 40, (frame["attempts"] >= 3) & (frame["face_match"] < 0.75)),
        PastRule(
            "OB-007",
            "reject",
            5,
            ~frame["complete"] & (frame["face_match"] < 0.68) & ~frame["opened"],
            never_let_through=True,
        ),
    ]
    decided = decide(rng, "onboarding", rules, rows)
    labels, told = account_labels(rng, held, frame, fraud, decided, sources=_SOURCES, slow=1.7, catch=0.6)
    return Judged(frame, scores, decided, labels, told, fraud, loss)


def account_labels(
    rng: Rng,
    held: World,
    frame: Frame,
    fraud: Mask,
    decided: Decided,
    *,
    sources: dict[int, dict[str, float]],
    slow: float,
    catch: float,
    told_share: float = 0.86,
) -> tuple[Labels, Told]:
    """Return the verdicts on accounts: reviewers first, bans and investigations later, some overturned."""
    rows, region, moment = len(fraud), frame["region"], frame["moment"]
    stopped = decided.outcome == 3
    in_review = np.flatnonzero(decided.outcome == 2)
    # A shop that opened had passed its review.
    caught = fraud[in_review] & ~frame["opened"][in_review] if "opened" in frame else fraud[in_review]
    review, called = reviewed(
        rng, in_review, moment[in_review], caught, decided.rule[in_review].astype(np.int64), catch=catch
    )
    gone = np.zeros(rows, dtype=bool)
    gone[in_review[called]] = True
    later = np.flatnonzero(fraud & ~stopped & ~gone)
    source = pick_sources(rng, frame["kind"][later], sources)
    when = delayed(rng, moment[later], medians(held.regions)[region[later], source] * slow, spread=0.5)
    heard = rng.random(len(later)) < told_share
    good = np.flatnonzero(~fraud & ~stopped & ~gone)
    wrong = good[rng.random(len(good)) < 0.004]
    banned = delayed(rng, moment[wrong], medians(held.regions)[region[wrong], 6])
    back = rng.random(len(wrong)) < 0.6
    overturned = delayed(rng, banned[back], medians(held.regions)[region[wrong[back]], 7])
    told = [
        review,
        tell(later[heard], source[heard], when[heard], 1),
        tell(wrong, 6, banned, 1),
        tell(wrong[back], 7, overturned, 0),
    ]
    labels, known = settle(Told.joined(told), rows, held.clock.end[region], silent=stopped)
    return labels, known
