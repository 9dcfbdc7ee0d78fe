"""Which tables a marketplace has, and which columns each: those without life yet stand empty and typed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from riskbench.engine.columns import Column, Kind
from riskbench.engine.table import Table

_KINDS: Mapping[str, Kind] = {"s": "string", "t": "time", "f": "float", "i": "int", "b": "bool"}

#: Tables that have their place but no rows yet: name, and columns as name:kind.
EMPTY: Mapping[str, str] = {
    "bank_changes": "change_id:s seller_id:s changed_at:t old_bank_account_id:s new_bank_account_id:s device_id:s ip:s",
    "owner_changes": "change_id:s seller_id:s changed_at:t old_owner_id:s new_owner_id:s reason:s",
    "order_status": "order_id:s at:t status:s actor:s",
    "shipments": "shipment_id:s order_id:s carrier:s created_at:t weight_kg:f from_city:s to_city:s",
    "scans": "scan_id:s shipment_id:s at:t place:s event:s",
    "reserves": "reserve_id:s seller_id:s from_time:t until:t share:f balance:f reason:s",
    "clawbacks": "clawback_id:s commission_id:s at:t amount:f recovered:f reason:s",
    "live_sessions": "session_id:s creator_id:s seller_id:s started_at:t ended_at:t viewers:i",
    "reviews": "review_id:s order_id:s seller_id:s buyer_id:s written_at:t stars:i language:s text:s",
    "support_tickets": "ticket_id:s opened_at:t subject_id:s topic:s language:s text:s closed_at:t",
    "posts": "post_id:s posted_at:t region:s channel:s language:s author:s text:s",
}

#: Tables that hold rows.
FILLED = (
    "buyers",
    "devices",
    "addresses",
    "sellers",
    "creators",
    "applications",
    "kyc_attempts",
    "orders",
    "payments",
    "vouchers",
    "returns",
    "commissions",
    "settlements",
    "payouts",
    "outcomes",
    "labels",
    "enforcement",
    "appeals",
)


def empty(columns: str) -> Table:
    """Return a table without rows from its columns as `name:kind`, the kind by its first letter.

    >>> empty("post_id:s posted_at:t").kinds
    {'post_id': 'string', 'posted_at': 'time'}
    """
    made = {}
    for entry in columns.split():
        name, _, letter = entry.partition(":")
        kind = _KINDS[letter]
        held = np.dtype({"string": "i4", "time": "i8", "float": "f8", "int": "i8", "bool": "?"}[kind])
        words = pa.array([], pa.string()) if kind == "string" else None
        made[name] = Column(kind, np.zeros(0, dtype=held), None, words)
    return Table.from_columns(made)
