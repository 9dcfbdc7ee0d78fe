"""The synthetic marketplace: four linked domains with a known truth, the same for the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.doors import a_choice, text_or_none
from riskbench.data.marketplace import tables as made
from riskbench.data.marketplace.appeals import SUBJECTS, Acted, appeals
from riskbench.data.marketplace.incidents import INCIDENT, flat, incidents
from riskbench.data.marketplace.payouts import paid
from riskbench.data.marketplace.raid import RAID_AT, moment
from riskbench.data.marketplace.region import CODES
from riskbench.data.marketplace.schema import EMPTY, empty
from riskbench.data.marketplace.story import Story
from riskbench.data.marketplace.writing import write
from riskbench.data.roles import DOMAINS, Domain
from riskbench.engine.table import Table
from riskbench.errors import ParameterError, listed

#: A sample of the affiliation domain is drawn from at least this many orders, so that it can be calibrated on.
FEWEST_FOR_AFFILIATION = 40_000
MOST_ORDERS = 20_000_000


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Marketplace:
    """A marketplace whose truth is known: what analysts see, and what really happened.

    Make one with `riskbench.marketplace`. Score an estimator by running it on `datasets`, which hold only what
    was known, and comparing with `truth`, which stands apart.

    Attributes
    ----------
    regions : tuple of str
        The regions it spans.
    orders, seed : int
        What it was made from: equal arguments, equal bytes.
    raid : str or None
        When the raid of each region begins, local time.
    datasets : mapping of str to Dataset
        The events of each domain, with roles.
    tables : mapping of str to Table
        Every table of the marketplace; `.frame()` gives it to pandas. Those without life yet are empty and typed.
    labels : DataFrame
        Every single verdict: subject, domain, source, time, verdict, caused_by, loss.
    truth : DataFrame
        Each event of a scheme or of an honest look-alike: event_id, domain, scheme, ring, fraud, look_alike,
        loss. An event that is not in it was honest.
    schemes : DataFrame
        Each ring of the orders: scheme, start, end, members, decision point, what is lost, who tells.
    incidents : DataFrame
        Each region's raid: incident, scheme, region, starts_at, ends_at, segments (columns and the values that are
        true of it), share (of its orders for which each is), creators, sellers, buyers, events (ids of its
        orders), orders, loss.
    appeals : DataFrame
        Every appeal: event_id, domain, action, rule, acted_at, filed_at, decided_at, verdict.
    posts, reviews : DataFrame
        Community posts and order reviews (empty for now).
    """

    regions: tuple[str, ...]
    orders: int
    seed: int
    raid: str | None
    story: Story = field(repr=False)

    @cached_property
    def datasets(self) -> Mapping[str, Dataset]:
        """The events of each domain, with roles."""
        return MappingProxyType({domain: self.story.dataset(domain) for domain in DOMAINS})

    @cached_property
    def labels(self) -> pd.DataFrame:
        """Every single verdict known at the end of the data."""
        return self._told.frame()

    @cached_property
    def truth(self) -> pd.DataFrame:
        """What each event of a scheme or look-alike really was."""
        return self._apart["truth"].frame()

    @cached_property
    def schemes(self) -> pd.DataFrame:
        """Each ring of the orders."""
        return self._apart["schemes"].frame()

    @cached_property
    def incidents(self) -> pd.DataFrame:
        """Each region's raid, to score an investigation against."""
        return pd.DataFrame(self._raids, columns=list(INCIDENT))

    @cached_property
    def _raids(self) -> list[dict[str, object]]:
        story = self.story
        return incidents(story.held, story.orders, story.rings, story.checkout, story.raid)

    @cached_property
    def _told(self) -> Table:
        story = self.story
        lots = {
            domain: (held.frame, held.told, held.decided.rules, held.loss) for domain, held in story.judged().items()
        }
        pay = story.checkout
        return made.labels({"transactions": (story.orders, pay.told, pay.decided.rules, pay.loss), **lots})

    @cached_property
    def _apart(self) -> Mapping[str, Table]:
        """What really happened, which no dataset holds."""
        story = self.story
        return {
            "truth": made.truth(story.orders, story.checkout, story.judged()),
            "schemes": made.schemes(story.held, story.orders, story.rings),
            "incidents": flat(self._raids),
        }

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """Every table of the marketplace, by name."""
        story, sets = self.story, self.datasets
        decided = {domain: held.decided for domain, held in story.judged().items()}
        lots = {"transactions": story.checkout.decided, **decided}
        frauds = {"transactions": story.checkout.fraud, **{name: held.fraud for name, held in story.judged().items()}}
        of_events = {"orders": "transactions", "applications": "onboarding"}
        found = {
            **made.entities(story.held, story.orders, story.onboarding),
            **{name: made.without(sets[domain], *made.LEFT_OUT) for name, domain in of_events.items()},
            "kyc_attempts": made.with_numbers(sets["kyc"], story.held, story.kyc.frame),
            "commissions": made.without(sets["affiliation"], *made.LEFT_OUT),
            **made.money_moves(story.orders, story.checkout),
            **paid(story.rng(12), story.held, story.orders, made=story.checkout, earned=story.affiliation),
            "outcomes": made.outcomes({domain: (sets[domain], lots[domain]) for domain in DOMAINS}),
            "labels": self._told,
            **appeals(
                story.rng(13),
                {domain: Acted(sets[domain], lots[domain], frauds[domain]) for domain in DOMAINS},
            ),
            **{name: empty(columns) for name, columns in EMPTY.items()},
        }
        return MappingProxyType(found)

    @cached_property
    def appeals(self) -> pd.DataFrame:
        """Every appeal: event_id, domain, action, rule, acted_at, filed_at, decided_at, verdict."""
        domains = {subject: domain for domain, subject in SUBJECTS.items()}
        acted, filed = self.tables["enforcement"].frame(), self.tables["appeals"].frame()
        both = filed.merge(acted, on="action_id", how="left", validate="one_to_one")
        both["domain"] = both["subject_kind"].map(domains)
        names = {"subject_id": "event_id", "reason": "rule", "at": "acted_at"}
        wanted = ["event_id", "domain", "action", "rule", "acted_at", "filed_at", "decided_at", "verdict"]
        return both.rename(columns=names)[wanted]

    @property
    def posts(self) -> pd.DataFrame:
        """Community posts in local languages (empty for now)."""
        return self.tables["posts"].frame()

    @property
    def reviews(self) -> pd.DataFrame:
        """Reviews of orders (empty for now)."""
        return self.tables["reviews"].frame()

    def write(self, folder: str | Path) -> tuple[Path, ...]:
        """Write every domain, table and the truth as Parquet into a folder, and return the files.

        Each domain gets a folder with `events.parquet`, `roles.json` and a README; the other tables lie in
        `tables/`, the truth in `truth/`. Equal arguments of the marketplace give equal bytes.

        Raises
        ------
        DataError
            When the folder holds something already, or cannot be written.
        """
        made_from = f"orders={self.orders}, seed={self.seed}, regions={' '.join(self.regions)}, raid={self.raid}"
        return write(folder, datasets=self.datasets, tables=self.tables, truth=self._apart, made_from=made_from)

    def __repr__(self) -> str:
        rows = ", ".join(f"{domain} {held.rows:,}" for domain, held in self.datasets.items())
        return f"Marketplace({' '.join(self.regions)}: {rows}; seed {self.seed})"


def marketplace(
    *, orders: int = 50_000, region: str | None = None, seed: int = 7, raid: str | None = RAID_AT
) -> Marketplace:
    """Return a synthetic marketplace: four linked domains, labels that arrive late, and a truth apart.

    Use it to try a way of working before real data is at hand, and to score an estimator against a known truth.
    All figures are dated assumptions of the region files, not measurements of any company.

    Parameters
    ----------
    orders : int, 500 or more
        Orders of the whole marketplace, 26 weeks long, those of a raid not counted; applications and KYC attempts
        follow in proportion, but there are always some thousands of each.
    region : str, optional
        One of ID, BR, VN, TH, PH, MY, MX, SG, TW, CO, PL, NO; money is then in its currency. None: all twelve,
        the largest with 45 % of the orders and the smallest with 0.2 %, money in USD.
    seed : int, 0 or more
        Equal seeds give equal bytes.
    raid : str, optional
        When one coordinated attack of a few creators begins in each region, as its local wall-clock time; about one
        order in 280 comes on top (at least some tens), and an honest crowd of the same days. None: no raid. All
        other events are the same with it and without it.

    Returns
    -------
    Marketplace
        `.datasets[domain]`, `.labels`, `.truth`, `.schemes`, `.incidents`, `.tables`.

    Raises
    ------
    ParameterError
        For an unknown region, a number out of range, or a raid outside the marketplace's days.

    Examples
    --------
    >>> from riskbench import marketplace
    >>> market = marketplace(orders=2000, region="BR", seed=1)
    >>> market.datasets["transactions"].currency.code
    'BRL'
    """
    _valid(orders, seed)
    text_or_none(region, name="region", allowed=f"one of {listed(CODES)}, or None for all")
    codes = CODES if region is None else (region,)
    story = Story(codes, int(orders), int(seed), None if raid is None else moment(raid))
    return Marketplace(regions=codes, orders=int(orders), seed=int(seed), raid=raid, story=story)


def sample(
    domain: Domain = "transactions",
    region: str | None = "ID",
    *,
    orders: int = 50_000,
    seed: int = 7,
    raid: str | None = RAID_AT,
) -> Dataset:
    """Return the events of one domain of the synthetic marketplace, ready for every verb.

    Use it as the default source of a playbook, or to learn a verb. The label is what was told by the end of the
    data: the last weeks are unmatured, stopped events have no label, and some frauds are never told.

    Parameters
    ----------
    domain : {"transactions", "kyc", "onboarding", "affiliation"}
        Orders at checkout, KYC attempts, seller applications, or creators' commissions.
    region : str, optional
        One of the twelve regions; None for all of them, money in USD.
    orders : int, 500 or more
        Orders of the marketplace that the sample is drawn from; for affiliation at least 40,000.
    seed : int, 0 or more
        Equal seeds give equal bytes.
    raid : str, optional
        When one coordinated attack of a few creators begins in each region, as its local wall-clock time; about one
        order in 280 comes on top (at least some tens), and an honest crowd of the same days. None: no raid. All
        other events are the same with it and without it.

    Returns
    -------
    Dataset
        With roles, label recipe, maturity window and time zone.

    Raises
    ------
    ParameterError
        For an unknown domain or region, a number out of range, or a raid outside the marketplace's days.

    Examples
    --------
    >>> from riskbench import sample
    >>> sample(region="BR", orders=1000)
    Dataset(synthetic transactions, BR: transactions, 1,034 events, 36 columns, 2026-05-18 to 2026-11-16)
    """
    _valid(orders, seed)
    a_choice(domain, DOMAINS, what="domain")
    text_or_none(region, name="region", allowed=f"one of {listed(CODES)}, or None for all")
    if domain == "affiliation":
        orders = max(orders, FEWEST_FOR_AFFILIATION)
    codes = CODES if region is None else (region,)
    return Story(codes, int(orders), int(seed), None if raid is None else moment(raid)).dataset(domain)


def _valid(orders: int, seed: int) -> None:
    for name, value, low, high in (("orders", orders, 500, MOST_ORDERS), ("seed", seed, 0, 2**63 - 1)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
            raise ParameterError(
                f"The number {name!r} is out of range", got=repr(value), allowed=f"a whole number in {low:,}..{high:,}"
            )
