"""The synthetic marketplace: four linked domains with a known truth, the same for the same seed."""

from __future__ import annotations

import numpy as np

from riskbench.data.dataset import Dataset
from riskbench.data.marketplace.datasets import transactions
from riskbench.data.marketplace.orders import all_orders, world
from riskbench.data.marketplace.region import CODES
from riskbench.data.marketplace.region import region as region_of
from riskbench.data.marketplace.transactions import checkout
from riskbench.data.roles import Domain


def sample(
    domain: Domain = "transactions", region: str | None = "ID", *, orders: int = 50_000, seed: int = 7
) -> Dataset:
    """Return the events of one domain of the synthetic marketplace."""
    codes = CODES if region is None else (region,)
    regions = [region_of(code) for code in codes]
    shares = np.array([r.share for r in regions])
    counts = np.rint(shares / shares.sum() * orders).astype(np.int64)
    rng = np.random.default_rng([seed, 1])
    held = world(rng, regions, counts)
    frame, _ = all_orders(rng, held)
    return transactions(held, frame, checkout(np.random.default_rng([seed, 2]), held, frame))
