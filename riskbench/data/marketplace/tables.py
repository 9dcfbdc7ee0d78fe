"""The marketplace as tables: who there is, what was ordered, paid, returned, decided and told; and the truth apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from riskbench.data.dataset import Dataset
from riskbench.data.marketplace import applications as applied
from riskbench.data.marketplace import kyc as checks
from riskbench.data.marketplace.applications import Judged
from riskbench.data.marketplace.campaigns import Frame, World
from riskbench.data.marketplace.datasets import EVENT_PREFIX, LABEL_SIDE, of_kind, places
from riskbench.data.marketplace.people import CATEGORIES
from riskbench.data.marketplace.policy import Decided
from riskbench.data.marketplace.region import DAY, PAYMENTS, SECOND
from riskbench.data.marketplace.schemes import ALL, NAMES
from riskbench.data.marketplace.transactions import Checkout
from riskbench.data.marketplace.verdicts import RETURNED, SOURCES, Told
from riskbench.data.marketplace.words import coded, event_ids, national_numbers, numbers, times
from riskbench.data.roles import DOMAINS, Domain
from riskbench.engine.columns import Column
from riskbench.engine.table import Table

Rows = npt.NDArray[np.intp]

#: Columns of a dataset that its table does not show: what was decided and told has tables of its own.
LEFT_OUT = (*LABEL_SIDE, "outcome", "let_through_p")


def event_words(domain: Domain, rows: npt.NDArray[np.int64], frame: Frame) -> Column:
    """Return the ids of some events of a domain, one word a row."""
    return event_ids(frame["no"][rows] if "no" in frame else rows, *EVENT_PREFIX[domain])


def first_rows(entity: npt.NDArray[np.int64]) -> Rows:
    """Return the first row of each entity, in order of the entities' numbers (negative ones are left out)."""
    distinct, rows = np.unique(entity, return_index=True)
    return rows[distinct >= 0]


def without(dataset: Dataset, *names: str) -> Table:
    """Return a dataset's table without some columns."""
    kept = [name for name in dataset.names if name not in names]
    return Table.from_columns(dataset.table.columns(kept))


def with_numbers(dataset: Dataset, held: World, frame: Frame) -> Table:
    """Return the KYC attempts with the national number that was shown, which no person can bear."""
    used, codes = np.unique(frame["document"], return_inverse=True)
    first = np.unique(frame["document"], return_index=True)[1]
    brazil = np.array([r.code == "BR" for r in held.regions])[frame["region"][first]]
    shown = national_numbers(used, brazil=brazil)
    number = shown.take(codes)
    return without(dataset, *LEFT_OUT).with_columns({"national_id": number})


def entities(held: World, orders: Frame, accounts: Judged) -> dict[str, Table]:
    """Return the people and things that took part in orders and applications."""
    buyer, device = first_rows(orders["buyer"]), first_rows(orders["device"])
    address, creator = first_rows(orders["address"]), first_rows(orders["creator"])
    frame = accounts.frame
    sellers = np.concatenate([orders["seller"], frame["seller"]])
    region = np.concatenate([orders["region"], frame["region"]])
    joined = np.concatenate([orders["seller_joined"], frame["moment"]])
    category = np.concatenate([orders["category"], frame["category"]])
    seller = first_rows(sellers)

    def where(rows: Rows) -> dict[str, Column]:
        return places(held, orders["region"][rows], orders["city"][rows])

    names = [r.code for r in held.regions]
    whole = SECOND
    return {
        "buyers": Table.from_columns(
            {
                "buyer_id": of_kind("buyer", orders["buyer"][buyer]),
                **where(buyer),
                "joined_at": times(orders["buyer_joined"][buyer] // whole * whole),
                "home_address_id": of_kind("address", orders["address"][buyer]),
                "first_device_id": of_kind("device", orders["device"][buyer]),
            }
        ),
        "devices": Table.from_columns(
            {
                "device_id": of_kind("device", orders["device"][device]),
                "region": where(device)["region"],
                "first_seen_at": times(orders["device_first"][device] // whole * whole),
            }
        ),
        "addresses": Table.from_columns(
            {"address_id": of_kind("address", orders["address"][address]), **where(address)}
        ),
        "sellers": Table.from_columns(
            {
                "seller_id": of_kind("seller", sellers[seller]),
                "region": coded(region[seller], names),
                "joined_at": times(joined[seller] // whole * whole),
                "category": coded(category[seller], CATEGORIES),
            }
        ),
        "creators": Table.from_columns(
            {
                "creator_id": of_kind("creator", orders["creator"][creator]),
                "region": where(creator)["region"],
                "joined_at": times(orders["creator_joined"][creator] // whole * whole),
            }
        ),
    }


def _places(no: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return each number's place among the numbers: rows on top of others leave the others' places alone."""
    place = np.empty(len(no), dtype=np.int64)
    place[np.argsort(no, kind="stable")] = np.arange(len(no))
    return place


def money_moves(orders: Frame, made: Checkout) -> dict[str, Table]:
    """Return payments, vouchers and returns of the orders."""
    every = np.arange(len(orders["moment"]))
    prepaid = orders["payment"] != PAYMENTS.index("cod")
    paid = made.completed
    used = np.flatnonzero(orders["voucher"] > 0)
    back = made.told.where(made.told.source == RETURNED)
    back = back.where(np.argsort(back.time, kind="stable"))  # type: ignore[arg-type]
    asked = np.maximum(back.time - 4 * DAY, orders["moment"][back.event] + DAY // 2)
    return {
        "payments": Table.from_columns(
            {
                "payment_id": event_ids(orders["no"], "Y", 71),
                "order_id": event_words("transactions", every, orders),
                "started_at": times(orders["moment"]),
                "method": coded(orders["payment"], PAYMENTS),
                "instrument_id": of_kind("instrument", orders["instrument"], valid=prepaid),
                "attempts": numbers(orders["attempts"]),
                "amount": numbers(np.round(orders["amount"] - orders["voucher"], 2)),
                "status": coded(np.where(paid, np.where(prepaid, 0, 1), 2), ("paid", "on_delivery", "cancelled")),
            }
        ),
        "vouchers": Table.from_columns(
            {
                "voucher_id": event_ids(_places(orders["no"][used]), "W", 73),
                "order_id": event_words("transactions", used, orders),
                "buyer_id": of_kind("buyer", orders["buyer"][used]),
                "redeemed_at": times(orders["moment"][used]),
                "value": numbers(orders["voucher"][used]),
                "kind": coded((orders["buyer_orders"][used] == 0).astype(np.int32), ("campaign", "newcomer")),
            }
        ),
        "returns": Table.from_columns(
            {
                "return_id": event_ids(len(back.event), "R", 79),
                "order_id": event_words("transactions", back.event, orders),
                "requested_at": times(np.minimum(asked, back.time) // SECOND * SECOND),
                "judged_at": times(back.time),
                "refund": numbers(np.where(back.verdict == 0, orders["amount"][back.event], 0.0)),
                "verdict": coded(back.verdict, ("accepted", "fraud")),
            }
        ),
    }


def _stacked(parts: Mapping[str, list[Column]]) -> Table:
    """Return columns joined end to end."""
    return Table.from_arrow(
        pa.table({name: pa.concat_arrays([_plain(column) for column in held]) for name, held in parts.items()})
    )


def _plain(column: Column) -> pa.Array:
    array = column.to_arrow()
    return array.dictionary_decode() if column.kind == "string" else array


def labels(lots: Mapping[Domain, tuple[Frame, Told, tuple[str, ...], npt.NDArray[np.float64]]]) -> Table:
    """Return all single verdicts of all domains: subject, domain, source, time, verdict, cause, loss."""
    parts: dict[str, list[Column]] = {}
    for domain, (frame, told, rules, loss) in lots.items():
        fraud = told.verdict == 1
        columns = {
            "subject": event_words(domain, told.event, frame),
            "domain": coded(np.full(len(fraud), DOMAINS.index(domain)), DOMAINS),
            "source": coded(told.source, SOURCES),
            "time": times(told.time),
            "verdict": coded(told.verdict, ("good", "fraud")),
            "caused_by": coded(np.maximum(told.rule, 0), rules, valid=told.rule >= 0),
            "loss": numbers(np.where(fraud, loss[told.event], 0.0), valid=fraud),
        }
        for name, column in columns.items():
            parts.setdefault(name, []).append(column)
    return _stacked(parts)


def outcomes(lots: Mapping[Domain, tuple[Dataset, Decided]]) -> Table:
    """Return what history decided of every event: the outcome, the rule, the chance of being let through."""
    parts: dict[str, list[Column]] = {}
    for domain, (dataset, decided) in lots.items():
        rows = dataset.rows
        columns = {
            "event_id": dataset.column(dataset.roles.id),
            "domain": coded(np.full(rows, DOMAINS.index(domain)), DOMAINS),
            "decided_at": dataset.column("time"),
            "outcome": dataset.column("outcome"),
            "rule": coded(np.maximum(decided.rule, 0), decided.rules, valid=decided.rule >= 0),
            "let_through_p": numbers(decided.let_through),
            "holdout": numbers(decided.holdout),
        }
        for name, column in columns.items():
            parts.setdefault(name, []).append(column)
    return _stacked(parts)


def truth(orders: Frame, made: Checkout, judged: Mapping[Domain, Judged]) -> Table:
    """Return what each event of a scheme or look-alike really was; every other event was honest."""
    parts: dict[str, list[Column]] = {}
    words = {"kyc": checks.KINDS, "onboarding": applied.KINDS}
    for domain in DOMAINS:
        frame = orders if domain == "transactions" else judged[domain].frame
        fraud = made.fraud if domain == "transactions" else judged[domain].fraud
        loss = made.loss if domain == "transactions" else judged[domain].loss
        kind = frame["scheme"] if domain in ("transactions", "affiliation") else frame["kind"]
        names = words.get(domain, NAMES)
        rows = np.flatnonzero(kind > 0)
        group = frame["ring" if "ring" in frame else "group"][rows]
        columns = {
            "event_id": event_words(domain, rows, frame),
            "domain": coded(np.full(len(rows), DOMAINS.index(domain)), DOMAINS),
            "scheme": coded(kind[rows], names),
            "ring": coded(np.unique(group, return_inverse=True)[1], [f"{domain}-{g}" for g in np.unique(group)]),
            "fraud": numbers(fraud[rows]),
            "look_alike": numbers(~fraud[rows]),
            "loss": numbers(loss[rows]),
        }
        for name, column in columns.items():
            parts.setdefault(name, []).append(column)
    return _stacked(parts)


def schemes(held: World, orders: Frame, rings: Frame) -> Table:
    """Return each ring of the orders: scheme, start, end, members, where it would be stopped, what is lost."""
    number = len(rings["orders"])
    ring, size = orders["ring"], np.int64(number + 1)
    inside = ring >= 0
    pairs = np.unique(orders["buyer"][inside] * size + ring[inside])
    members = np.bincount(pairs % size, minlength=number)
    kept = np.bincount(ring[inside], minlength=number)
    adapted = np.bincount(ring[inside], weights=orders["moved"][inside], minlength=number) > 0
    adapted |= rings["region"] != rings["home"]
    losses = ["" if not s.loss else " + ".join(s.loss) for s in ALL]
    sources = ["" if not s.sources else ", ".join(s.sources) for s in ALL]
    kind = rings["scheme"].astype(np.int64) - 1
    return Table.from_columns(
        {
            "ring": coded(np.arange(number), [f"transactions-{g}" for g in range(number)]),
            "scheme": coded(kind, [s.name for s in ALL]),
            "fraud": numbers(np.array([s.fraud for s in ALL])[kind]),
            "region": coded(rings["region"], [r.code for r in held.regions]),
            "home_region": coded(rings["home"], [r.code for r in held.regions]),
            "starts_at": times(rings["start"] // SECOND * SECOND),
            "ends_at": times(rings["end"] // SECOND * SECOND),
            "orders": numbers(kept),
            "members": numbers(members),
            "seller_id": of_kind("seller", rings["seller"]),
            "creator_id": of_kind("creator", rings["creator"], valid=rings["creator"] >= 0),
            "decision_point": coded(kind, [s.decision_point for s in ALL]),
            "loss_measure": coded(kind, losses),
            "label_sources": coded(kind, sources),
            "adapted": numbers(adapted),
        }
    )
