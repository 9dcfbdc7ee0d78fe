"""Which new rules would catch the fraud that nothing catches, and which of them hold on later events?"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD
from riskbench.display import Fact, Result, result
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.constraints import Constraint
from riskbench.metrics.costs import Costs
from riskbench.metrics.discovery import q_values
from riskbench.metrics.intervals import wilson
from riskbench.rules.book import RuleBook
from riskbench.rules.doors import book_and_events, each_limit, listed_names, mapping, seeded, yes_or_no
from riskbench.rules.fairness.reads import group_notes
from riskbench.rules.mining.cover import Cover, picked
from riskbench.rules.mining.field import Field
from riskbench.rules.mining.figures import change, rates
from riskbench.rules.mining.page import draw_intervals, rules_page
from riskbench.rules.mining.table import PAYS, candidates_of, framed, judged
from riskbench.rules.mining.words import notes_of, ways
from riskbench.rules.rule import Rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Mask = npt.NDArray[np.bool_]
Small = npt.NDArray[np.int8]

#: A target of fewer frauds is not searched: a rule that hits them would be an anecdote.
FEWEST = 5


@result
class MinedRules(Result):
    """New rules for the fraud that the live rules let through, judged on events that they were not found on.

    Attributes
    ----------
    rules : DataFrame
        One row a candidate, in the order in which they were found: rule, condition, outcome, terms (conditions),
        verdict ("pays", "repeats those above", "not sure"); found_frauds, found_good, found_value: what it changes
        on the earlier events, flattered by the choice; then on the later ones: hits, n (events whose outcome it
        changes given the live book), frauds, good, unlabelled (of these), precision with lower and upper,
        net_value with lower and upper (95 %, paired), p, q (the rate of false discoveries at which it is called a
        finding); added_frauds, added_net_value with lower and upper: what it adds to the live book and the paying
        rules above it.
    book : RuleBook
        The book with the rules that pay added as drafts.
    limits : DataFrame
        The rates that were limited: rate, side, bound, earlier, later (with the rules that pay live).
    sought, later_sought : int
        Known frauds that the live rules let through, on the earlier and the later events.
    caught : int
        How many of the later ones the paying rules would catch together.
    net, net_lower, net_upper : float
        What the paying rules are worth together on the later events, given the live book.
    left_out : mapping
        Columns that no rule may read, and why.
    """

    kind: ClassVar[str] = "mined_rules"
    title: ClassVar[str] = "New rules for fraud that nothing catches"
    main: ClassVar[str] = "rules"
    next_step: ClassVar[str] = ".book holds the paying rules as drafts; simulate it, or make one shadow"
    repr_rows: ClassVar[int] = 12
    repr_columns: ClassVar[tuple[str, ...]] = (
        "rule", "condition", "outcome", "verdict", "n", "frauds", "good", "unlabelled", "precision",
        "net_value", "net_value_lower", "net_value_upper", "q", "added_net_value",
    )  # fmt: skip

    rules: pd.DataFrame
    book: RuleBook
    limits: pd.DataFrame
    sought: int
    later_sought: int
    caught: int
    net: float
    net_lower: float
    net_upper: float
    changed: int
    counted: str
    currency: str
    out_of_time: bool
    later: str
    left_out: Mapping[str, str]

    def headline(self) -> tuple[Fact, ...]:
        """Return what the rules that hold would catch, and what they are worth."""
        paying = int((self.rules["verdict"] == PAYS).sum())
        tried = f"of {len(self.rules)} tried on {self.later}" if len(self.rules) else "no condition pays where searched"
        facts = [Fact("New rules that pay", paying, "count", n=len(self.rules), note=tried)]
        if paying:
            low, high, share = _share(self.caught, self.later_sought)
            facts += [
                Fact(
                    "Net value of them together", self.net, "money" if self.currency else "number",
                    lower=self.net_lower, upper=self.net_upper, n=self.changed, currency=self.currency, signed=True,
                    note="" if self.currency else self.counted,
                ),
                Fact(
                    "Let-through frauds caught", share, "share", lower=low, upper=high, n=self.later_sought,
                    note=f"{self.caught:,} of {self.later_sought:,} on the later events",
                ),
            ]  # fmt: skip
        facts.append(Fact("Frauds that nothing catches", self.sought, "count", note="where rules were searched"))
        return tuple(facts)

    @property
    def drawable(self) -> bool:
        """Whether any candidate was tried."""
        return len(self.rules) > 0

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of candidates."""
        return 1.3 + 0.34 * min(12, max(1, len(self.rules)))

    def _draw(self, ax: Axes) -> None:
        shown = self.rules.head(12)
        draw_intervals(
            ax,
            shown,
            names=[f"{rule} ({n:,} events)" for rule, n in zip(shown["rule"], shown["n"], strict=True)],
            sure=(shown["verdict"] == PAYS).to_numpy(),
            counted=self.counted,
            money=bool(self.currency),
            title="Given the live book, on later events (grey: not sure)",
        )


def _share(part: int, whole: int) -> tuple[float | None, float | None, float | None]:
    if not whole:
        return None, None, None
    share, low, high = (float(x) for x in wilson(part, whole))
    return low, high, share


def mine_rules(
    book: RuleBook,
    dataset: Dataset,
    *,
    costs: Costs | Mapping[str, float] | None = None,
    asof: str | pd.Timestamp | None = None,
    outcome: str | None = None,
    monotone: Mapping[str, int] | None = None,
    terms: int = 3,
    most: int = 10,
    exclude: Iterable[str] = (),
    subject_to: Constraint | Iterable[Constraint] = (),
    share: bool = True,
    q: float = 0.05,
    seed: int = 0,
) -> MinedRules:
    """Find new rules for known fraud that the live rules let through, and say which hold on later events.

    Use it when frauds pass that no rule hits. Rules are found on the first two thirds of the span and judged on
    the rest; read the later figures only, and of those the rules that "pay": their `q` holds false discoveries
    down over all candidates that were tried. Everything is counted given the live book: an event that a live rule
    decides as harshly already changes nothing.

    Parameters
    ----------
    book : RuleBook
        The rules in force; without live rules everything is let through.
    dataset : Dataset
        The events, with a label.
    costs : Costs or mapping, optional
        The stated costs.
    asof : str or Timestamp, optional
        Only events and verdicts up to then count (UTC).
    outcome : str, optional
        What the rules decide; by default each rule gets the outcome that reviews or stops and is worth most where
        the rule is found. Friction is cheap enough to pay for nearly everybody, so it has to be asked for.
    monotone : mapping of str to int, optional
        Which way a cut may point: `{"amount": +1, "device_age_days": -1}` asks for large amounts and young devices.
    terms : int, 1 to 5
        The most conditions in a rule.
    most : int, 1 to 50
        The most rules that are tried on the later events.
    exclude : iterable of str
        Columns that must not be read.
    subject_to : Constraint or iterable of Constraint
        Limits on rates of the whole book with the new rules, kept on the earlier events: alert_rate, review_rate,
        insult_rate, approval_rate.
    share : bool
        Whether counts of who shares a device, an address or another entity just before may be read.
    q : float, 0..1
        The rate of false discoveries.
    seed : int
        Of the split without time, and of the lot that is drawn where there are very many events.

    Returns
    -------
    MinedRules
        Table `rules`: one row a candidate; `.book`: the book with the paying ones as drafts. Columns that
        `riskbench.check` calls leakage are not read, and named in the notes.

    Raises
    ------
    DataError
        When there is no label, no known fraud that is let through, or no column to read.
    ParameterError
        When an option is out of range, or `monotone` names what is no number or yes/no.
    RuleError
        When a rule of the book does not fit the events' columns.

    Source: beam search over subgroup descriptions as in Lavrac et al. (2004), Subgroup discovery with CN2-SD, JMLR
    5, one rule after the other; Benjamini and Hochberg (1995), JRSS B 57, 289-300.

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> rng = np.random.default_rng(0)
    >>> n = 6_000
    >>> frame = pd.DataFrame({"id": range(n), "at": pd.date_range("2026-01-01", periods=n, freq="10min")})
    >>> frame["pay"] = rng.choice(["cod", "card"], n)
    >>> frame["amount"] = rng.integers(1, 100, n) * 1.0
    >>> frame["fraud"] = ((frame["pay"] == "cod") & (frame["amount"] >= 90)).astype(int)
    >>> events = rb.read(frame, roles=rb.Roles(id="id", time="at", amount="amount", label="fraud"))
    >>> empty = rb.RuleBook(name="none", domain="transactions")
    >>> mined = rb.mine_rules(empty, events, outcome="block", monotone={"amount": +1})
    >>> mined.frame()[["condition", "verdict", "frauds", "good"]]
                         condition verdict  frauds  good
    0  pay = 'cod' AND amount >= 90    pays      88     0
    """
    book_and_events(book, dataset)
    seeded(seed)
    mapping(monotone, name="monotone", allowed='{"amount": 1}')
    exclude = listed_names(exclude, name="exclude")
    begun = time.perf_counter()
    yes_or_no(share, name="share")
    limits = each_limit(subject_to, name="subject_to")
    _checked(terms, most, q, limits)
    field = Field.of(book, dataset, costs=costs, asof=asof, exclude=tuple(exclude), share=share, seed=seed)
    levels = [field.steps.level(outcome)] if outcome is not None else _levels(field)
    if levels == [0]:
        raise ParameterError(
            "The mildest outcome changes nothing", got=outcome, allowed=", ".join(field.steps.names[1:])
        )
    cover = Cover(field, levels, terms=terms, monotone=ways(monotone, field), fewest=FEWEST, seed=seed)
    if cover.sought < FEWEST:
        raise DataError(
            f"Only {cover.sought} known frauds are let through in {field.windows.choose.words}: too few to search.",
            allowed=f"{FEWEST} or more",
            hint="hand over more events, or a later asof",
        )
    picks = picked(field, cover, most, limits)
    candidates = candidates_of(field, picks)
    values = q_values([one.p for one in candidates])
    verdicts, added, level = judged(field, candidates, values, q)
    windows = field.windows
    let = (field.kinds == FRAUD) & cover.let
    together = change(field, field.level, level, windows.report.mask)
    paying = [one.rule for one, verdict in zip(candidates, verdicts, strict=True) if verdict == PAYS]
    named = {name for rule in paying for name in rule.columns}
    features = {name: f.to_mapping() for name, f in field.shared.items() if name in named}
    found = [rates(field, level, part) for part in (windows.choose.mask, windows.report.mask)]
    frame, money = framed(candidates, values, verdicts, added, field), field.held.worth.money
    page = rules_page(frame, counted=field.counted, money=money)
    return MinedRules(
        rules=frame,
        pages={"rules": ("Candidates on the later events, given the live book", page)} if len(frame) else {},
        book=_with(book, paying, features),
        limits=pd.DataFrame(
            [(c.rate, c.side, c.bound, found[0][c.rate], found[1][c.rate]) for c in limits],
            columns=["rate", "side", "bound", "earlier", "later"],
        ),
        sought=cover.sought,
        later_sought=int((let & windows.report.mask).sum()),
        caught=int((let & windows.report.mask & (level > field.level)).sum()),
        net=together.net,
        net_lower=together.lower,
        net_upper=together.upper,
        changed=len(together.rows),
        counted=field.counted,
        currency=field.held.dataset.currency.code if field.held.worth.money else "",
        out_of_time=windows.out_of_time,
        later=windows.report.words,
        left_out=dict(field.left_out),
        notes=(
            *notes_of(field, cover, len(candidates), q=q),
            *group_notes(field.events, book=field.held.book, found=[one.rule for one in candidates]),
        ),
        provenance={
            "dataset": field.held.dataset.fingerprint,
            "book": book.hash,
            "label_recipe": field.held.labels.recipe,
            "parameters": {
                "costs": field.costs.to_dict(), "asof": str(asof) if asof is not None else None, "outcome": outcome,
                "monotone": dict(monotone or {}), "terms": terms, "most": most, "exclude": list(exclude),
                "subject_to": [str(limit) for limit in limits], "share": share, "q": q,
            },
            "sql": {one.rule.id: one.rule.when for one in candidates},
            "seed": seed,
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )  # fmt: skip


def _levels(field: Field) -> list[int]:
    return [level for level, effect in enumerate(field.effects) if effect in ("review", "stop")]


def _checked(terms: int, most: int, q: float, limits: tuple[Constraint, ...]) -> None:
    for name, value, low, high in (("terms", terms, 1, 5), ("most", most, 1, 50)):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ParameterError(f"{name!r} is a whole number", got=repr(value), allowed=f"{low} to {high}")
    if isinstance(q, bool) or not isinstance(q, int | float) or not 0 < q < 1:
        raise ParameterError("'q' is a rate of false discoveries", got=repr(q), allowed="above 0 and below 1")
    for limit in limits:
        if limit.rate not in ("alert_rate", "review_rate", "insult_rate", "approval_rate"):
            raise ParameterError(
                f"New rules cannot be held to {limit.rate}",
                allowed="alert_rate, review_rate, insult_rate, approval_rate",
            )


def _with(book: RuleBook, rules: list[Rule], features: Mapping[str, Mapping[str, object]]) -> RuleBook:
    from dataclasses import replace

    if not rules:
        return book
    return replace(book, rules=(*book.rules, *rules), features={**book.features, **features})
