"""How the marketplace looks to an analyst: one dataset a domain, with its roles and what each column knows when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.marketplace import applications as applied
from riskbench.data.marketplace import kyc as checks
from riskbench.data.marketplace.applications import Judged
from riskbench.data.marketplace.campaigns import Frame, World
from riskbench.data.marketplace.people import CATEGORIES
from riskbench.data.marketplace.policy import Decided
from riskbench.data.marketplace.region import PAYMENTS, Region
from riskbench.data.marketplace.transactions import Checkout
from riskbench.data.marketplace.verdicts import SOURCES, Labels
from riskbench.data.marketplace.words import coded, entity, event_ids, id_words, network, numbers, times
from riskbench.data.outcomes import ladder
from riskbench.data.roles import Domain, Roles
from riskbench.engine.columns import Column
from riskbench.engine.table import Table

#: Columns that come with a verdict, and must not be used to decide.
LABEL_SIDE = ("fraud", "label_time", "label_source", "caused_by", "loss")

#: When the marketplace was looked at: after its last event in every time zone.
TAKEN_AT = "2026-11-17"

#: Salts and prefixes of the ids of each kind of entity.
ENTITIES: Mapping[str, tuple[str, int]] = {
    "buyer": ("B", 11),
    "seller": ("S", 13),
    "creator": ("C", 17),
    "device": ("D", 19),
    "address": ("A", 23),
    "instrument": ("I", 29),
    "document": ("N", 31),
    "face": ("F", 37),
    "bank": ("K", 41),
    "owner": ("P", 43),
    "agency": ("G", 47),
}
EVENT_PREFIX: Mapping[Domain, tuple[str, int]] = {
    "transactions": ("O", 53),
    "kyc": ("V", 59),
    "onboarding": ("L", 61),
    "affiliation": ("M", 67),
}


def of_kind(kind: str, held: npt.NDArray[np.int64], *, valid: npt.NDArray[np.bool_] | None = None) -> Column:
    """Return entity numbers of a kind as ids."""
    prefix, salt = ENTITIES[kind]
    return entity(held, prefix, salt, valid=valid)


def reporting_currency(regions: Sequence[Region]) -> str:
    """Return the region's currency, or USD for several."""
    return regions[0].currency if len(regions) == 1 else "USD"


def places(held: World, region: npt.NDArray[np.int64], city: npt.NDArray[np.int64]) -> dict[str, Column]:
    """Return the columns region and city."""
    names = [name for r in held.regions for name in r.cities]
    return {"region": coded(region, [r.code for r in held.regions]), "city": coded(city, names)}


def judged(domain: Domain, decided: Decided, labels: Labels, loss: npt.NDArray[np.float64]) -> dict[str, Column]:
    """Return the columns of history: outcome, let-through chance, and the verdict with its side columns."""
    is_fraud, heard = labels.fraud == 1, labels.time > 0
    return {
        "outcome": coded(decided.outcome, ladder(domain).names),
        "let_through_p": numbers(decided.let_through),
        "fraud": numbers(np.maximum(labels.fraud, 0), valid=labels.fraud >= 0),
        "label_time": times(labels.time, valid=heard),
        "label_source": coded(np.maximum(labels.source, 0), SOURCES, valid=heard),
        "caused_by": coded(np.maximum(labels.rule, 0), decided.rules, valid=heard & (labels.rule >= 0)),
        "loss": numbers(np.where(is_fraud, loss, 0.0), valid=is_fraud),
    }


def recipe(*sources: str, window: float) -> str:
    """Return the label recipe in words."""
    return (
        f"latest verdict of {', '.join(sources)}; an overturned appeal wins over all, fraud over good; "
        f"silence is good after {window:g} days; no verdict where history stopped the event"
    )


def mature_after(regions: Sequence[Region]) -> float:
    """Return the days after which silence counts as good: of the slowest region by orders, for several the mean."""
    shares = np.array([r.share for r in regions])
    return float(np.ceil(np.average([r.mature_after for r in regions], weights=shares)))


def _dataset(
    domain: Domain,
    held: World,
    columns: Mapping[str, Column],
    roles: Roles,
    *,
    window: float,
    text: str,
    notes: tuple[str, ...],
) -> Dataset:
    codes = [r.code for r in held.regions]
    where = codes[0] if len(codes) == 1 else "twelve regions"
    zone = held.regions[0].time_zone if len(codes) == 1 else "UTC"
    said = [f"synthetic marketplace ({where}): assumptions of {held.regions[0].as_of}, not measurements"]
    if len(codes) > 1:
        said.append("money of all regions is in USD; days and weeks are cut in UTC")
    return Dataset(
        table=Table.from_columns(columns),
        roles=roles,
        domain=domain,
        name=f"synthetic {domain}, {where}",
        time_zone=zone,
        label_recipe=text,
        mature_after=window,
        known_at=dict.fromkeys(LABEL_SIDE, "label"),
        caused_by="caused_by",
        taken_at=TAKEN_AT,
        notes=(*said, *notes),
    )


def transactions(held: World, orders: Frame, made: Checkout) -> Dataset:
    """Return the orders at checkout."""
    rows = len(orders["moment"])
    currency = reporting_currency(held.regions)
    prepaid = orders["payment"] != PAYMENTS.index("cod")
    columns = {
        "order_id": event_ids(orders["no"], *EVENT_PREFIX["transactions"]),
        "placed_at": times(orders["moment"]),
        **places(held, orders["region"], orders["city"]),
        "currency": coded(np.zeros(rows, dtype=np.int32), [currency]),
        "buyer_id": of_kind("buyer", orders["buyer"]),
        "seller_id": of_kind("seller", orders["seller"]),
        "creator_id": of_kind("creator", orders["creator"], valid=orders["creator"] >= 0),
        "device_id": of_kind("device", orders["device"]),
        "ip": network(orders["ip"]),
        "address_id": of_kind("address", orders["address"]),
        "instrument_id": of_kind("instrument", orders["instrument"], valid=prepaid),
        "payment_method": coded(orders["payment"], PAYMENTS),
        "category": coded(orders["category"], CATEGORIES),
        "is_live_session": numbers(orders["live"]),
        "items": numbers(orders["items"]),
        "amount": numbers(orders["amount"]),
        "amount_index": numbers(np.round(orders["index"], 3)),
        "voucher": numbers(orders["voucher"]),
        "shipping": numbers(orders["shipping"]),
        "commission": numbers(orders["commission"]),
        "hour_local": numbers(orders["hour"]),
        "buyer_age_days": numbers(orders["buyer_age"]),
        "buyer_orders": numbers(orders["buyer_orders"]),
        "device_age_days": numbers(orders["device_age"]),
        "seller_age_days": numbers(orders["seller_age"]),
        "payment_attempts": numbers(orders["attempts"]),
        "ip_city_match": numbers(orders["ip_match"], valid=~orders["nat"]),
        "model_score": numbers(made.score),
        **judged("transactions", made.decided, made.labels, made.loss),
    }
    roles = Roles(
        id="order_id",
        time="placed_at",
        label="fraud",
        label_time="label_time",
        label_source="label_source",
        amount="amount",
        measures={"loss": "loss", "subsidy": "voucher", "commission": "commission", "shipping": "shipping"},
        currency=currency,
        score="model_score",
        outcome="outcome",
        region="region",
        entities=("buyer_id", "seller_id", "creator_id", "device_id", "ip", "address_id", "instrument_id"),
        segments=("city", "payment_method", "category"),
        decision_point="checkout",
        let_through="let_through_p",
    )
    window = mature_after(held.regions)
    text = recipe(
        "chargeback",
        "instant-payment dispute",
        "complaint",
        "refused delivery",
        "return verdict",
        "investigation",
        "ban",
        window=window,
    )
    notes = (
        "an unconfirmed bank transfer has no dispute channel: no verdict",
        "loss is what a confirmed fraud costs if let through; wash orders lose voucher, commission and shipping",
    )
    return _dataset("transactions", held, columns, roles, window=window, text=text, notes=notes)


def affiliation(held: World, judged_: Judged) -> Dataset:
    """Return the commissions when they are about to be paid out."""
    frame, rows = judged_.frame, len(judged_.fraud)
    currency = reporting_currency(held.regions)
    columns = {
        "commission_id": event_ids(frame["no"], *EVENT_PREFIX["affiliation"]),
        "accrued_at": times(frame["moment"]),
        **places(held, frame["region"], frame["city"]),
        "currency": coded(np.zeros(rows, dtype=np.int32), [currency]),
        "order_id": event_ids(frame["order"], *EVENT_PREFIX["transactions"]),
        "creator_id": of_kind("creator", frame["creator"]),
        "seller_id": of_kind("seller", frame["seller"]),
        "buyer_id": of_kind("buyer", frame["buyer"]),
        "device_id": of_kind("device", frame["device"]),
        "ip": network(frame["ip"]),
        "category": coded(frame["category"], CATEGORIES),
        "payment_method": coded(frame["payment"], PAYMENTS),
        "is_live_session": numbers(frame["live"]),
        "order_amount": numbers(frame["amount"]),
        "amount": numbers(frame["commission"]),
        "commission_rate": numbers(frame["commission_rate"]),
        "voucher": numbers(frame["voucher"]),
        "shipping": numbers(frame["shipping"]),
        "click_to_order_s": numbers(frame["click"]),
        "creator_age_days": numbers(frame["creator_age"]),
        "creator_followers": numbers(frame["followers"]),
        "seller_age_days": numbers(frame["seller_age"]),
        "buyer_age_days": numbers(frame["buyer_age"]),
        "buyer_orders": numbers(frame["buyer_orders"]),
        "same_network": numbers(frame["same_network"]),
        **judged("affiliation", judged_.decided, judged_.labels, judged_.loss),
    }
    roles = Roles(
        id="commission_id",
        time="accrued_at",
        label="fraud",
        label_time="label_time",
        label_source="label_source",
        amount="amount",
        measures={"loss": "loss", "subsidy": "voucher", "shipping": "shipping"},
        currency=currency,
        outcome="outcome",
        region="region",
        entities=("creator_id", "seller_id", "buyer_id", "device_id", "ip"),
        segments=("city", "category", "payment_method"),
        decision_point="commission payout",
        let_through="let_through_p",
    )
    text = recipe("investigation", "ban", "verdict on the order", window=40)
    return _dataset(
        "affiliation",
        held,
        columns,
        roles,
        window=40.0,
        text=text,
        notes=("the amount is the commission; a wash order also loses its voucher and shipping",),
    )


def onboarding(held: World, judged_: Judged) -> Dataset:
    """Return the seller applications when they are decided."""
    frame, rows = judged_.frame, len(judged_.fraud)
    currency = reporting_currency(held.regions)
    columns = {
        "application_id": event_ids(rows, *EVENT_PREFIX["onboarding"]),
        "applied_at": times(frame["moment"]),
        **places(held, frame["region"], frame["city"]),
        "seller_id": of_kind("seller", frame["seller"]),
        "owner_id": of_kind("owner", frame["owner"]),
        "device_id": of_kind("device", frame["device"]),
        "ip": network(frame["ip"]),
        "bank_account_id": of_kind("bank", frame["bank"]),
        "address_id": of_kind("address", frame["address"]),
        "agency_id": of_kind("agency", frame["agency"], valid=frame["agency"] >= 0),
        "business_type": coded(frame["business"], applied.BUSINESS),
        "category": coded(frame["category"], CATEGORIES),
        "channel": coded(frame["channel"], applied.CHANNELS),
        "company_age_days": numbers(frame["company_age"]),
        "catalogue_size": numbers(frame["catalogue"]),
        "price_index": numbers(frame["price_index"]),
        "expected_orders": numbers(frame["expected"]),
        "own_domain_email": numbers(frame["domain_email"]),
        "documents_complete": numbers(frame["complete"]),
        "kyc_attempts": numbers(frame["attempts"]),
        "face_match": numbers(frame["face_match"]),
        "hours_to_complete": numbers(frame["hours"]),
        "margin": numbers(frame["margin"]),
        "model_score": numbers(judged_.score),
        **judged("onboarding", judged_.decided, judged_.labels, judged_.loss),
    }
    roles = Roles(
        id="application_id",
        time="applied_at",
        label="fraud",
        label_time="label_time",
        label_source="label_source",
        measures={"loss": "loss", "margin": "margin"},
        currency=currency,
        score="model_score",
        outcome="outcome",
        region="region",
        entities=("seller_id", "owner_id", "device_id", "ip", "bank_account_id", "address_id", "agency_id"),
        segments=("city", "category", "channel"),
        decision_point="application",
        let_through="let_through_p",
    )
    text = recipe("complaint", "investigation", "ban", window=60)
    notes = ("an application has no amount: its value is the expected margin less the loss within 60 days",)
    return _dataset("onboarding", held, columns, roles, window=60.0, text=text, notes=notes)


def kyc(held: World, judged_: Judged) -> Dataset:
    """Return the KYC attempts when they are decided."""
    frame, rows = judged_.frame, len(judged_.fraud)
    currency = reporting_currency(held.regions)
    prefix, salt = EVENT_PREFIX["onboarding"]
    of_seller = frame["application"] >= 0
    used, codes = np.unique(np.maximum(frame["application"], 0), return_inverse=True)
    columns = {
        "attempt_id": event_ids(rows, *EVENT_PREFIX["kyc"]),
        "attempted_at": times(frame["moment"]),
        **places(held, frame["region"], frame["city"]),
        "subject": coded(frame["subject"], checks.SUBJECTS),
        "account_id": _accounts(frame),
        "application_id": Column("string", codes.astype(np.int32), of_seller, id_words(used, prefix, salt)),
        "device_id": of_kind("device", frame["device"]),
        "ip": network(frame["ip"]),
        "document_id": of_kind("document", frame["document"]),
        "face_id": of_kind("face", frame["face"]),
        "document_type": coded(frame["document_type"], checks.DOCUMENTS),
        "attempt_no": numbers(frame["attempt_no"]),
        "face_match": numbers(frame["face_match"]),
        "liveness": numbers(frame["liveness"]),
        "document_quality": numbers(frame["quality"]),
        "name_match": numbers(frame["name_match"]),
        "seconds_taken": numbers(frame["seconds"]),
        "device_age_days": numbers(frame["device_age"]),
        "device_accounts": numbers(frame["device_accounts"]),
        "margin": numbers(frame["margin"]),
        "model_score": numbers(judged_.score),
        **judged("kyc", judged_.decided, judged_.labels, judged_.loss),
    }
    roles = Roles(
        id="attempt_id",
        time="attempted_at",
        label="fraud",
        label_time="label_time",
        label_source="label_source",
        measures={"loss": "loss", "margin": "margin"},
        currency=currency,
        score="model_score",
        outcome="outcome",
        region="region",
        entities=("account_id", "device_id", "ip", "document_id", "face_id"),
        segments=("city", "subject", "document_type"),
        decision_point="KYC check",
        let_through="let_through_p",
    )
    text = recipe("complaint", "investigation", "ban", window=45)
    notes = ("an attempt has no amount: its value is the account's expected margin less its loss",)
    return _dataset("kyc", held, columns, roles, window=45.0, text=text, notes=notes)


def _accounts(frame: Frame) -> Column:
    """Return sellers, creators and buyers as one id column."""
    codes = np.zeros(len(frame["subject"]), dtype=np.int32)
    words: list[str] = []
    for place, subject in enumerate(checks.SUBJECTS):
        rows = frame["subject"] == place
        held = of_kind(subject, frame["account"][rows])
        codes[rows] = held.values + len(words)
        assert held.words is not None
        words += held.words.to_pylist()
    order = sorted(range(len(words)), key=lambda at: words[at][1:])  # the kinds stand mixed
    rank = np.empty(len(words), dtype=np.int32)
    rank[order] = np.arange(len(words), dtype=np.int32)
    return coded(rank[codes], [words[at] for at in order])
