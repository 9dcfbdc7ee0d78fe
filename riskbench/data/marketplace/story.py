"""What happens on the marketplace, told once and in one order; each chapter when first asked for."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

import numpy as np

from riskbench.data.dataset import Dataset
from riskbench.data.marketplace import datasets as shown
from riskbench.data.marketplace import joined
from riskbench.data.marketplace.affiliation import commissions
from riskbench.data.marketplace.applications import Judged, applications, onboarding
from riskbench.data.marketplace.campaigns import Frame, World
from riskbench.data.marketplace.kyc import attempts, checked
from riskbench.data.marketplace.orders import all_orders, world
from riskbench.data.marketplace.people import Ints, Rng
from riskbench.data.marketplace.raid import attack
from riskbench.data.marketplace.region import region as region_of
from riskbench.data.marketplace.transactions import Checkout, checkout
from riskbench.data.roles import Domain


class Story:
    """All that happens, each chapter with a chance of its own.

    What comes on top (a raid, and the honest crowd of its days) is drawn and judged apart from the rest, so that
    every other event is the same with it and without it.
    """

    def __init__(self, codes: tuple[str, ...], orders: int, seed: int, raid: datetime | None = None) -> None:
        self.regions = [region_of(code) for code in codes]
        shares = np.array([region.share for region in self.regions])
        self.seed = seed
        self.raid = raid
        self.held: World = world(self.rng(1), self.regions, _parts(shares, orders))
        self._usual, self._usual_rings = all_orders(self.rng(2), self.held)
        self.orders, self.rings = self._usual, self._usual_rings
        if raid is not None:
            rows, first = len(self._usual["no"]), len(self._usual_rings["orders"])
            self._more, more_rings = attack(self.rng(9), self.held, raid, rows=rows, first_ring=first)
            self._order = joined.order_of(self._usual, self._more)
            self.orders = joined.frames(self._usual, self._more, self._order)
            self.rings = {name: np.concatenate([held, more_rings[name]]) for name, held in self._usual_rings.items()}

    def rng(self, chapter: int) -> Rng:
        """Return a chapter's own source of chance."""
        return np.random.default_rng([self.seed, chapter])

    @cached_property
    def _usual_checkout(self) -> Checkout:
        return checkout(self.rng(3), self.held, self._usual)

    @cached_property
    def _more_checkout(self) -> Checkout:
        return checkout(self.rng(10), self.held, self._more)

    @cached_property
    def checkout(self) -> Checkout:
        """What happened to the orders."""
        if self.raid is None:
            return self._usual_checkout
        return joined.checkouts(self._usual_checkout, self._more_checkout, self._order)

    @cached_property
    def applied(self) -> Frame:
        """The applications, before they are decided."""
        return applications(self.rng(4), self.held, self._usual_rings)

    @cached_property
    def onboarding(self) -> Judged:
        """What happened to the applications."""
        return onboarding(self.rng(5), self.held, self.applied)

    @cached_property
    def kyc(self) -> Judged:
        """What happened to the KYC attempts."""
        return checked(self.rng(7), self.held, attempts(self.rng(6), self.held, self.applied))

    @cached_property
    def affiliation(self) -> Judged:
        """What happened to the commissions."""
        usual = commissions(self.rng(8), self.held, self._usual, self._usual_checkout)
        if self.raid is None:
            return usual
        more = commissions(self.rng(11), self.held, self._more, self._more_checkout, earlier=usual)
        return joined.judged(usual, more)

    def judged(self) -> dict[Domain, Judged]:
        """Return what happened in the domains beside the orders."""
        return {"kyc": self.kyc, "onboarding": self.onboarding, "affiliation": self.affiliation}

    def dataset(self, domain: Domain) -> Dataset:
        """Return one domain as an analyst sees it."""
        if domain == "transactions":
            return shown.transactions(self.held, self.orders, self.checkout)
        if domain == "kyc":
            return shown.kyc(self.held, self.kyc)
        if domain == "onboarding":
            return shown.onboarding(self.held, self.onboarding)
        return shown.affiliation(self.held, self.affiliation)


def _parts(shares: np.ndarray, orders: int) -> Ints:
    """Return whole numbers in proportion to shares that add up to the orders."""
    exact = shares / shares.sum() * orders
    parts = np.floor(exact).astype(np.int64)
    parts[np.argsort(parts - exact, kind="stable")[: orders - int(parts.sum())]] += 1
    return parts
