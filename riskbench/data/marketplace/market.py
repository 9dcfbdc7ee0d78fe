"""The synthetic marketplace: four linked domains with a known truth, the same for the same seed."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from riskbench.data.dataset import Dataset
from riskbench.data.marketplace import datasets as shown
from riskbench.data.marketplace.affiliation import commissions
from riskbench.data.marketplace.applications import Judged, applications, onboarding
from riskbench.data.marketplace.campaigns import Frame, World
from riskbench.data.marketplace.kyc import attempts, checked
from riskbench.data.marketplace.orders import all_orders, world
from riskbench.data.marketplace.people import Rng
from riskbench.data.marketplace.region import CODES
from riskbench.data.marketplace.region import region as region_of
from riskbench.data.marketplace.transactions import Checkout, checkout
from riskbench.data.roles import DOMAINS, Domain
from riskbench.errors import ParameterError, listed, nearest

#: A sample of the affiliation domain is drawn from at least this many orders, so that it can be calibrated on.
FEWEST_FOR_AFFILIATION = 40_000
MOST_ORDERS = 20_000_000


class Story:
    """All that happens, told once and in one order; each chapter when first asked for."""

    def __init__(self, codes: tuple[str, ...], orders: int, seed: int) -> None:
        self.regions = [region_of(code) for code in codes]
        shares = np.array([region.share for region in self.regions])
        self.seed = seed
        self.held: World = world(self._rng(1), self.regions, _parts(shares, orders))
        self.orders, self.rings = all_orders(self._rng(2), self.held)

    def _rng(self, chapter: int) -> Rng:
        return np.random.default_rng([self.seed, chapter])

    @cached_property
    def checkout(self) -> Checkout:
        """What happened to the orders."""
        return checkout(self._rng(3), self.held, self.orders)

    @cached_property
    def applied(self) -> Frame:
        """The applications, before they are decided."""
        return applications(self._rng(4), self.held, self.rings)

    @cached_property
    def onboarding(self) -> Judged:
        """What happened to the applications."""
        return onboarding(self._rng(5), self.held, self.applied)

    @cached_property
    def kyc(self) -> Judged:
        """What happened to the KYC attempts."""
        return checked(self._rng(7), self.held, attempts(self._rng(6), self.held, self.applied))

    @cached_property
    def affiliation(self) -> Judged:
        """What happened to the commissions."""
        return commissions(self._rng(8), self.held, self.orders, self.checkout)

    def dataset(self, domain: Domain) -> Dataset:
        """Return one domain as an analyst sees it."""
        if domain == "transactions":
            return shown.transactions(self.held, self.orders, self.checkout)
        if domain == "kyc":
            return shown.kyc(self.held, self.kyc)
        if domain == "onboarding":
            return shown.onboarding(self.held, self.onboarding)
        return shown.affiliation(self.held, self.affiliation)


def _parts(shares: np.ndarray, orders: int) -> np.ndarray:
    """Return whole numbers in proportion to shares that add up to the orders."""
    exact = shares / shares.sum() * orders
    parts = np.floor(exact).astype(np.int64)
    parts[np.argsort(parts - exact, kind="stable")[: orders - int(parts.sum())]] += 1
    return parts


def sample(
    domain: Domain = "transactions", region: str | None = "ID", *, orders: int = 50_000, seed: int = 7
) -> Dataset:
    """Return the events of one domain of the synthetic marketplace."""
    _valid(orders, seed)
    if domain not in DOMAINS:
        close = nearest(str(domain), DOMAINS)
        raise ParameterError(
            f"{domain!r} is not a domain", allowed=listed(DOMAINS), hint=f"did you mean {close!r}?" if close else None
        )
    if domain == "affiliation":
        orders = max(orders, FEWEST_FOR_AFFILIATION)
    return Story(CODES if region is None else (region,), orders, seed).dataset(domain)


def _valid(orders: int, seed: int) -> None:
    for name, value, low, high in (("orders", orders, 500, MOST_ORDERS), ("seed", seed, 0, 2**63 - 1)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
            raise ParameterError(
                f"The number {name!r} is out of range", got=repr(value), allowed=f"a whole number in {low:,}..{high:,}"
            )
