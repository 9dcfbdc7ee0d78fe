"""Which exception removes a rule's false positives and loses no fraud, on later events too?"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, GOOD
from riskbench.display import Fact, Result, result
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.costs import Costs
from riskbench.metrics.discovery import q_values
from riskbench.rules.book import RuleBook
from riskbench.rules.doors import book_and_events, listed_names, mapping, seeded, yes_or_no
from riskbench.rules.mining.exceptions_search import carved, without
from riskbench.rules.mining.exceptions_table import HOLDS, framed, ordered, tried_on
from riskbench.rules.mining.field import Field
from riskbench.rules.mining.page import draw_intervals, exceptions_page
from riskbench.rules.mining.words import read_not, ways
from riskbench.rules.rule import Rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Mask = npt.NDArray[np.bool_]
Small = npt.NDArray[np.int8]

#: Good events that a carve-out must free, at least.
FEWEST = 5


@result
class MinedExceptions(Result):
    """Carve-outs from a rule that free good events and lose no fraud, checked on events they were not found on.

    Attributes
    ----------
    exceptions : DataFrame
        One row a carve-out, those that hold first, then by what they free where found: exception, condition, terms
        (conditions), verdict ("holds", "loses fraud", "not sure"); found_good, found_frauds, found_value: what it
        takes away on the earlier events, flattered by the choice; then on the later ones: freed (good hits of the
        rule taken away), freed_share (of all of them), lost (frauds taken away), lost_share (of the rule's frauds)
        with lost_share_upper (one-sided 95 %, exact), unlabelled, good_value (value of the freed good events), n
        (events whose outcome changes given the other live rules), net_value with lower and upper (95 %, paired),
        p, q.
    rule_id : str
        The rule.
    hits, frauds, good : int
        What the rule hits on the later events.
    found_hits, found_frauds, found_good : int
        The same on the earlier ones.
    """

    kind: ClassVar[str] = "mined_exceptions"
    title: ClassVar[str] = "Exceptions for a rule"
    main: ClassVar[str] = "exceptions"
    next_step: ClassVar[str] = ".rule(1) and .book(1) write the first exception into the rule"
    repr_columns: ClassVar[tuple[str, ...]] = (
        "exception", "condition", "verdict", "freed", "freed_share", "lost", "lost_share_upper", "unlabelled",
        "net_value", "net_value_lower", "net_value_upper", "q",
    )  # fmt: skip

    exceptions: pd.DataFrame
    rule_id: str
    hits: int
    frauds: int
    good: int
    found_hits: int
    found_frauds: int
    found_good: int
    counted: str
    currency: str
    later: str
    before: RuleBook
    books: tuple[RuleBook, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return what the best exception frees and risks."""
        rule = f"on {self.later}"
        base = [
            Fact("False positives of the rule", self.good, "count", n=self.good + self.frauds, note=rule),
            Fact("Frauds of the rule", self.frauds, "count", n=self.good + self.frauds, note=rule),
        ]
        if not self.found_good:
            note = f"{self.rule_id} hits no good event that is known"
            return (Fact("Exception", "nothing to carve out", "text", note=note), *base)
        if not len(self.exceptions):
            return (Fact("Exception", "no carve-out found that loses no fraud", "text"), *base)
        row = self.exceptions.iloc[0]
        if row["verdict"] != HOLDS:
            said = f"none of the {len(self.exceptions)} found holds on later events"
            return (Fact("Exception", said, "text"), *base)
        freed, lost = int(row["freed"]), int(row["lost"])
        return (
            Fact("Exception", str(row["condition"]), "text", note=f"{self.rule_id}, unless"),
            Fact("False positives removed", float(row["freed_share"]), "share", n=self.good, note=f"{freed:,} events"),
            Fact(
                "Frauds lost", lost, "count", n=self.frauds,
                note=f"of its frauds at most {100 * float(row['lost_share_upper']):.1f} % with 95 % confidence",
            ),
            Fact(
                "Net value", float(row["net_value"]), "money" if self.currency else "number",
                lower=float(row["net_value_lower"]), upper=float(row["net_value_upper"]), n=int(row["n"]),
                currency=self.currency, signed=True, note="" if self.currency else self.counted,
            ),
            *base,
        )  # fmt: skip

    def book(self, k: int = 1) -> RuleBook:
        """Return the book with the k-th exception of the table written into the rule.

        Raises
        ------
        ParameterError
            When the table has no such row.
        """
        if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= len(self.books):
            many = len(self.books)
            raise ParameterError(
                f"There is no exception {k!r}", allowed=f"1 to {many}" if many else "none: no carve-out was found"
            )
        return self.books[k - 1]

    def rule(self, k: int = 1) -> Rule:
        """Return the rule with the k-th exception of the table written in.

        Raises
        ------
        ParameterError
            When the table has no such row.
        """
        return self.book(k).rule(self.rule_id)

    @property
    def drawable(self) -> bool:
        """Whether any carve-out was found."""
        return len(self.exceptions) > 0

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of carve-outs."""
        return 1.3 + 0.34 * min(10, max(1, len(self.exceptions)))

    def _draw(self, ax: Axes) -> None:
        shown = self.exceptions.head(10)
        rows = zip(shown["exception"], shown["freed"], shown["lost"], strict=True)
        draw_intervals(
            ax,
            shown,
            names=[f"{name} ({freed:,} freed, {lost:,} lost)" for name, freed, lost in rows],
            sure=(shown["verdict"] == HOLDS).to_numpy(),
            counted=self.counted,
            money=bool(self.currency),
            title="On later events, given the other live rules",
        )


def mine_exceptions(
    book: RuleBook,
    dataset: Dataset,
    *,
    rule: str,
    costs: Costs | Mapping[str, float] | None = None,
    asof: str | pd.Timestamp | None = None,
    monotone: Mapping[str, int] | None = None,
    terms: int = 2,
    most: int = 8,
    exclude: Iterable[str] = (),
    lose: int = 0,
    share: bool = True,
    q: float = 0.05,
    seed: int = 0,
) -> MinedExceptions:
    """Find the smallest carve-outs that remove a rule's false positives while losing no fraud.

    Use it when a rule is right but hits good customers of one kind: an exception keeps the rule and lets them go.
    Carve-outs are found on the first two thirds of the span and checked on the rest. Read `lost` with
    `lost_share_upper`: no fraud lost among twenty is no proof of none among a thousand. A rule that is not live is
    judged as if it were.

    Parameters
    ----------
    book : RuleBook
        The rules in force.
    dataset : Dataset
        The events, with a label.
    rule : str
        The id of the rule.
    costs : Costs or mapping, optional
        The stated costs.
    asof : str or Timestamp, optional
        Only events and verdicts up to then count (UTC).
    monotone : mapping of str to int, optional
        Which way a cut of the exception may point: `{"buyer_orders": +1}` excepts those with many orders.
    terms : int, 1 to 5
        The most conditions in an exception.
    most : int, 1 to 50
        The most carve-outs that are checked on the later events.
    exclude : iterable of str
        Columns that must not be read.
    lose : int, 0 or more
        How many of the rule's frauds may be lost, on the earlier and on the later events alike.
    share : bool
        Whether counts of who shares a device, an address or another entity just before may be read.
    q : float, 0..1
        The rate of false discoveries.
    seed : int
        Of the split without time.

    Returns
    -------
    MinedExceptions
        Table `exceptions`, empty where the rule hits no known good event; `.rule(k)` and `.book(k)` write one in.
        Events at which a column of the exception is missing are still hit. Columns that `riskbench.check` calls
        leakage are not read, and named in the notes.

    Raises
    ------
    RuleError
        When the book has no such rule, or a rule does not fit the events' columns.
    DataError
        When there is no label, or the rule hits known good events but no known fraud on the earlier events.
    ParameterError
        When an option is out of range.

    Source: Clopper, C. J. and Pearson, E. S. (1934), The use of confidence or fiducial limits, Biometrika 26, 404-413.

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> rng = np.random.default_rng(0)
    >>> n = 6_000
    >>> frame = pd.DataFrame({"id": range(n), "at": pd.date_range("2026-01-01", periods=n, freq="10min")})
    >>> frame["amount"] = rng.integers(1, 100, n) * 1.0
    >>> frame["kind"] = rng.choice(["shop", "person"], n)
    >>> frame["fraud"] = ((frame["amount"] >= 50) & (frame["kind"] == "person") & (rng.random(n) < 0.4)).astype(int)
    >>> events = rb.read(frame, roles=rb.Roles(id="id", time="at", amount="amount", label="fraud"))
    >>> large = rb.Rule("TX-1", "amount >= :limit", "block", params={"limit": 50}, status="live")
    >>> book = rb.RuleBook(name="demo", domain="transactions", rules=(large,))
    >>> mined = rb.mine_exceptions(book, events, rule="TX-1")
    >>> mined.frame()[["condition", "verdict", "freed", "lost"]].head(1)
           condition verdict  freed  lost
    0  kind = 'shop'   holds    480     0
    >>> mined.rule().when
    "amount >= :limit AND (kind = 'shop') IS NOT TRUE"
    """
    book_and_events(book, dataset)
    seeded(seed)
    yes_or_no(share, name="share")
    mapping(monotone, name="monotone", allowed='{"amount": 1}')
    exclude = listed_names(exclude, name="exclude")
    begun = time.perf_counter()
    _checked(terms, most, lose, q)
    own = book.rule(rule)
    live = book if own.status == "live" else book.with_status(rule, "live")
    field = Field.of(live, dataset, costs=costs, asof=asof, exclude=tuple(exclude), share=share, seed=seed)
    place = [held.id for held in live.rules].index(rule)
    hit = field.held.bits.mask(place)
    windows = field.windows
    counts = [
        [int((hit & part & (field.kinds == kind)).sum()) for kind in (FRAUD, GOOD)]
        for part in (windows.choose.mask, windows.report.mask)
    ]
    frauds, good = counts[0]
    if not frauds and good:
        raise DataError(
            f"{rule} hits no known fraud in {windows.choose.words}: what an exception loses is not measurable.",
            hint="hand over more events, or retire the rule",
        )
    gone = without(field.held, place)
    everything = np.arange(len(hit))
    worth = np.zeros(len(hit))
    worth[everything] = field.price.each(field.kinds, field.stake, gone) - field.now
    way = ways(monotone, field)
    found = (
        carved(field, hit, worth, terms=terms, monotone=way, lose=lose, fewest=max(FEWEST, good // 100), most=most)
        if good
        else []
    )
    tried = tried_on(field, live.rule(rule), hit, gone, found)
    values = q_values([one.p for one in tried])
    frame = framed(field, tried, values, counts[1], lose=lose, q=q)
    order = ordered(frame)
    features = [{name: f.to_mapping() for name, f in field.shared.items() if name in tried[k].columns} for k in order]
    frame = frame.iloc[order].reset_index(drop=True)
    frame.insert(0, "exception", [f"E-{k}" for k in range(1, len(frame) + 1)])
    page = exceptions_page(
        frame, counted=field.counted, money=field.held.worth.money, frauds=counts[1][0], good=counts[1][1]
    )
    return MinedExceptions(
        exceptions=frame,
        pages={"exceptions": ("Carve-outs on later events, given the other live rules", page)} if len(frame) else {},
        rule_id=rule,
        hits=int((hit & windows.report.mask).sum()),
        frauds=counts[1][0],
        good=counts[1][1],
        found_hits=int((hit & windows.choose.mask).sum()),
        found_frauds=counts[0][0],
        found_good=counts[0][1],
        counted=field.counted,
        currency=field.held.dataset.currency.code if field.held.worth.money else "",
        later=windows.report.words,
        before=book,
        books=tuple(
            replace(book, features={**book.features, **extra}).with_rule(replace(tried[k].rule, status=own.status))
            for k, extra in zip(order, features, strict=True)
        ),
        notes=_notes(field, own, len(tried), counts, q=q),
        provenance={
            "dataset": field.held.dataset.fingerprint,
            "book": book.hash,
            "label_recipe": field.held.labels.recipe,
            "parameters": {
                "rule": rule, "costs": field.costs.to_dict(), "asof": str(asof) if asof is not None else None,
                "monotone": dict(monotone or {}), "terms": terms, "most": most, "exclude": list(exclude),
                "lose": lose, "share": share, "q": q,
            },
            "sql": {f"E-{n}": tried[k].rule.when for n, k in enumerate(order, start=1)},
            "seed": seed,
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )  # fmt: skip


def _checked(terms: int, most: int, lose: int, q: float) -> None:
    for name, value, low, high in (("terms", terms, 1, 5), ("most", most, 1, 50), ("lose", lose, 0, 10**9)):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ParameterError(f"{name!r} is a whole number", got=repr(value), allowed=f"{low} to {high:,}")
    if isinstance(q, bool) or not isinstance(q, int | float) or not 0 < q < 1:
        raise ParameterError("'q' is a rate of false discoveries", got=repr(q), allowed="above 0 and below 1")


def _notes(field: Field, rule: Rule, tried: int, counts: list[list[int]], *, q: float) -> tuple[str, ...]:
    windows = field.windows
    aside = "" if windows.out_of_time else " (not out of time)"
    found = f"Found on {windows.choose.words} ({counts[0][1]:,} good hits, {counts[0][0]:,} frauds)"
    rate = f"with a false-discovery rate of {q:.0%} over all {tried} tried"
    notes = [
        f"{found}; every figure but the found_ ones is of {windows.report.words}{aside}.",
        f"An exception holds when it loses no more frauds than allowed there and its net value is above 0 {rate}.",
    ]
    if not counts[0][1]:
        notes = [f"{rule.id} hits no good event that is known in {windows.choose.words}: nothing to carve out."]
    elif not tried:
        notes.append("No carve-out found that loses no fraud: the rule's false positives look like its frauds.")
    if not counts[1][0]:
        notes.append("The rule hits no known fraud on the later events: what an exception loses is not measurable.")
    if rule.status != "live":
        notes.append(f"{rule.id} is {rule.status}: it is judged as if it were live.")
    notes.append(f"Labels: {field.held.labels.recipe}.")
    return (*notes, *windows.notes, *read_not(field))
