"""Who was asked to prove who they are: attempts of sellers, creators and buyers, with papers and faces reused."""

from __future__ import annotations

import numpy as np

from riskbench.data.marketplace.applications import Judged, account_labels, money_of
from riskbench.data.marketplace.campaigns import Frame, World, ring_ip
from riskbench.data.marketplace.orders import earlier
from riskbench.data.marketplace.people import Ints, Rng
from riskbench.data.marketplace.policy import PastRule, decide, score
from riskbench.data.marketplace.region import DAY, HOUR, SECOND

SUBJECTS = ("seller", "creator", "buyer")
DOCUMENTS = ("national_id", "passport", "driving_licence", "residence_permit")

#: At least this many accounts beside the applicants'.
FEWEST = 4_500
#: The score from which history rejects.
REJECT_AT = 0.90
#: What an attempt is: honest; a desk where many are helped; two who look alike; one person with two accounts;
#: papers and faces used again and again; a hired person. The first four are honest.
KINDS = ("", "helper_desk", "lookalike_face", "second_account", "document_reuse", "mule_account")
_DESK, _TWIN, _SECOND, _REUSE, _MULE = 1, 2, 3, 4, 5
_SOURCES = {_REUSE: {"investigation": 0.6, "ban": 0.4}, _MULE: {"ban": 0.6, "investigation": 0.25, "complaint": 0.15}}


def _accounts(rng: Rng, held: World, applied: Frame) -> Frame:
    """Return one row an account that is checked, in no order: subject, number, region, first moment, kind."""
    sellers = len(applied["seller"])
    share = held.counts / held.counts.sum()
    more = np.rint(np.maximum(held.counts / 14, FEWEST * share)).astype(np.int64)
    region = np.repeat(np.arange(len(more)), more)
    subject = np.where(rng.random(len(region)) < 0.22, 1, 2)
    moment = held.clock.draw(rng, region)
    buyer = held.buyers.pick(rng, region, moment, fresh=0.3)
    creator = held.ids.take("creator", len(region)) + np.arange(len(region))
    kind = np.searchsorted(np.cumsum([0.825, 0.065, 0.02, 0.03, 0.036]), rng.random(len(region)), side="right")
    # A bad account is one that was made for it, not an old customer's.
    made = held.ids.take("buyer", len(region)) + np.arange(len(region))
    buyer = np.where(kind >= _REUSE, made, buyer)
    of_seller = np.where(applied["kind"] == 6, _REUSE, 0)
    of_seller = np.where((applied["kind"] == 1) & (rng.random(sellers) < 0.6), _DESK, of_seller)
    return {
        "subject": np.concatenate([np.zeros(sellers, np.int64), subject]),
        "account": np.concatenate([applied["seller"], np.where(subject == 1, creator, buyer)]),
        "application": np.concatenate([np.arange(sellers), np.full(len(region), -1)]),
        "group": np.concatenate([applied["group"], np.full(len(region), -1)]),
        "region": np.concatenate([applied["region"], region]),
        "city": np.concatenate([applied["city"], held.buyers.city[held.buyers.pick(rng, region, moment)]]),
        "moment": np.concatenate([applied["moment"] - 2 * HOUR, moment]),
        "kind": np.concatenate([of_seller, kind]),
        "attempts": np.concatenate([applied["attempts"], rng.geometric(np.where(kind >= _REUSE, 0.66, 0.82))]),
        "device": np.concatenate([applied["device"], np.full(len(region), -1)]),
        "expected": np.concatenate([applied["expected"].astype(float), np.exp(rng.normal(1.6, 0.7, len(region)))]),
    }


def _ring_of(rng: Rng, held: World, frame: Frame) -> Ints:
    """Return each account's ring (or desk, or pair of twins), members close in time."""
    group = np.where(frame["group"] >= 0, frame["group"], -1)
    top = int(group.max(initial=0)) + 1
    for kind, per, days in ((_DESK, 16.0, 60.0), (_TWIN, 2.0, 120.0), (_SECOND, 2.0, 60.0), (_REUSE, 5.0, 10.0)):
        for code in range(len(held.regions)):
            rows = np.flatnonzero((frame["kind"] == kind) & (frame["region"] == code) & (frame["application"] < 0))
            if not len(rows):
                continue
            number = max(1, round(len(rows) / per))
            member = rng.integers(0, number, len(rows))
            group[rows] = top + member
            top += number
            begin = held.clock.draw(rng, np.full(number, code))[member]
            moved = begin + (rng.exponential(days / 3, len(rows)) * DAY).astype(np.int64)
            late = moved >= held.clock.end[code]
            moved[late] = begin[late] - (rng.random(int(late.sum())) * DAY).astype(np.int64)
            frame["moment"][rows] = np.maximum(moved, held.clock.start[code]) // SECOND * SECOND
    alone = group < 0
    group[alone] = top + np.arange(int(alone.sum()))
    return group


def attempts(rng: Rng, held: World, applied: Frame) -> Frame:
    """Return all KYC attempts sorted by time, with what the check measured."""
    people = _accounts(rng, held, applied)
    group = _ring_of(rng, held, people)
    number, kind = len(group), people["kind"]
    ring = kind == _REUSE
    half = rng.integers(0, 3, number)
    groups = 3 * (int(group.max(initial=0)) + 1)
    take = held.ids.take
    base = {name: take(name, number + groups) for name in ("document", "face", "device", "network")}
    own, shared = np.arange(number), number + 3 * group
    reuses = ring & (rng.random(number) < 0.45)
    people["document"] = base["document"] + np.where(reuses | (kind == _SECOND), shared + half * ring, own)
    twin = (kind == _TWIN) | (kind == _SECOND) | ring & (rng.random(number) < 0.5)
    people["face"] = base["face"] + np.where(twin, shared + half * ring, own)
    together = (kind == _DESK) | ring & (rng.random(number) < 0.5)
    device = base["device"] + np.where(together, shared + half * ring, own)
    people["device"] = np.where(people["device"] >= 0, people["device"], device)
    people["network"] = base["network"] + np.where(together, shared, own)
    people["group"] = group
    row = np.repeat(np.arange(number), people["attempts"])
    frame = {name: values[row] for name, values in people.items()}
    size = len(row)
    frame["attempt_no"] = earlier(row) + 1
    wait = (rng.exponential(0.6, size) * HOUR).astype(np.int64)
    frame["moment"] = frame["moment"] - np.where(
        frame["application"] >= 0, (frame["attempts"] - frame["attempt_no"]) * HOUR // 2, 0
    )
    frame["moment"] += np.where(frame["application"] < 0, (frame["attempt_no"] - 1) * HOUR // 2, 0)
    frame["moment"] = (frame["moment"] + np.minimum(wait, HOUR // 3)) // SECOND * SECOND
    bad, reuse, mule = frame["kind"] >= _REUSE, frame["kind"] == _REUSE, frame["kind"] == _MULE
    nat = np.array([r.carrier_nat for r in held.regions])[frame["region"]]
    frame |= {
        "ip": ring_ip(frame["network"], frame["city"], rng.random(size) < nat * 0.7, rng),
        "document_type": np.searchsorted(np.cumsum([0.74, 0.10, 0.12]), rng.random(size), side="right"),
        "face_match": np.round(rng.beta(np.where(reuse, 8.0, np.where(mule, 12.0, 14.0)), 2.0), 3),
        "liveness": np.round(rng.beta(np.where(reuse, 5.5, np.where(mule, 10.0, 11.0)), 2.0), 3),
        "quality": np.round(rng.beta(np.where(reuse, 5.0, 6.5), 2.2), 3),
        "name_match": np.round(rng.beta(np.where(bad, 8.0, 14.0), 1.4), 3),
        "seconds": np.round(np.exp(rng.normal(np.where(bad, 4.5, 4.75), 0.6)), 1),
        "device_age": np.round(
            rng.exponential(np.where(reuse, 90.0, 200.0)) * (rng.random(size) < np.where(bad, 0.7, 0.85)), 2
        ),
    }
    inside = (frame["moment"] >= held.clock.start[frame["region"]]) & (
        frame["moment"] < held.clock.end[frame["region"]]
    )
    order = np.argsort(frame["moment"], kind="stable")
    order = order[inside[order]]
    frame = {name: values[order] for name, values in frame.items()}
    frame["device_accounts"] = others_before(frame["device"], frame["account"] * 3 + frame["subject"])
    return frame


def others_before(entity: Ints, member: Ints) -> Ints:
    """Return how many distinct other members were seen with the same entity in earlier rows.

    >>> others_before(np.array([1, 1, 1, 2]), np.array([5, 6, 5, 5])).tolist()
    [0, 1, 1, 0]
    """
    new = earlier(entity * (int(member.max(initial=0)) + 1) + member) == 0
    order = np.argsort(entity, kind="stable")
    grouped = np.concatenate([[0], np.cumsum(new[order])])[:-1]
    first = np.concatenate([[True], entity[order][1:] != entity[order][:-1]]) if len(entity) else np.zeros(0, bool)
    start = np.maximum.accumulate(np.where(first, np.arange(len(entity)), 0))
    before = np.empty(len(entity), dtype=np.int64)
    before[order] = grouped - grouped[start]
    return before - ~new


def checked(rng: Rng, held: World, frame: Frame) -> Judged:
    """Return scores, outcomes and verdicts of all attempts."""
    kind, region, rows = frame["kind"], frame["region"], len(frame["kind"])
    fraud = kind >= _REUSE
    frame["margin"] = money_of(held, region, frame["expected"], share=0.11)
    loss = np.where(fraud, money_of(held, region, np.exp(rng.normal(0.0, 0.8, rows)) * 9, share=1.0), 0.0)
    shift = np.array([0.0, 0.35, 0.3, 0.1, 1.15, 1.1])[kind]
    evidence = (
        2.2 * (0.87 - frame["face_match"])
        + 1.8 * (0.84 - frame["liveness"])
        + 0.7 * (0.75 - frame["quality"])
        + 0.10 * np.minimum(frame["device_accounts"], 6)
    )
    scores = score(rng, shift, evidence)
    papers = others_before(frame["document"], frame["account"] * 3 + frame["subject"])
    faces = others_before(frame["face"], frame["account"] * 3 + frame["subject"])
    rules = [
        PastRule("KY-001", "reject", 5, frame["liveness"] < 0.42, never_let_through=True),
        PastRule("KY-002", "reject", 6, frame["face_match"] < 0.52, never_let_through=True),
        PastRule("KY-003", "reject", 10, scores >= REJECT_AT),
        PastRule("KY-004", "review", 20, papers >= 1),
        PastRule("KY-005", "review", 25, faces >= 2),
        PastRule(
            "KY-006",
            "review",
            40,
            (frame["device_accounts"] >= 2) & (frame["device_age"] < 20) & (frame["liveness"] < 0.8),
        ),
        PastRule("KY-007", "step_up", 60, frame["liveness"] < 0.58),
    ]
    decided = decide(rng, "kyc", rules, rows)
    labels, told = account_labels(rng, held, frame, fraud, decided, sources=_SOURCES, slow=1.0, catch=0.6)
    return Judged(frame, scores, decided, labels, told, fraud, loss)
