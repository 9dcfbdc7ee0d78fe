"""How the marketplace looks to an analyst: one dataset a domain, with its roles and what each column knows when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.marketplace.campaigns import Frame, World
from riskbench.data.marketplace.people import CATEGORIES
from riskbench.data.marketplace.policy import Decided
from riskbench.data.marketplace.region import PAYMENTS, Region
from riskbench.data.marketplace.transactions import Checkout
from riskbench.data.marketplace.verdicts import SOURCES, Labels
from riskbench.data.marketplace.words import coded, entity, event_ids, network, numbers, times
from riskbench.data.outcomes import ladder
from riskbench.data.roles import Domain, Roles
from riskbench.engine.columns import Column
from riskbench.engine.table import Table

#: Columns that come with a verdict, and must not be used to decide.
LABEL_SIDE = ("fraud", "label_time", "label_source", "caused_by", "loss")

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
        notes=(*said, *notes),
    )


def transactions(held: World, orders: Frame, made: Checkout) -> Dataset:
    """Return the orders at checkout."""
    rows = len(orders["moment"])
    currency = reporting_currency(held.regions)
    prepaid = orders["payment"] != PAYMENTS.index("cod")
    columns = {
        "order_id": event_ids(rows, *EVENT_PREFIX["transactions"]),
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
