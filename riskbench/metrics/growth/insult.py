"""What does it cost to trouble a good customer? Measured on what they did afterwards."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.doors import a_dataset
from riskbench.data.money import NO_CURRENCY
from riskbench.data.outcomes import ladder
from riskbench.display import Fact, Grounds, Result, result
from riskbench.display.chart import BLUE, GREEN, GREY, ORANGE, RED, style
from riskbench.display.fact import Unit, number
from riskbench.errors import ParameterError
from riskbench.metrics.costs import ACCOUNTS, VALUE_DAYS, Costs
from riskbench.metrics.growth.episodes import Episodes, checked_entity, episodes
from riskbench.metrics.growth.lifetime import lifetime_frame
from riskbench.metrics.growth.matched import Change, changes, match
from riskbench.metrics.growth.survival import still_without

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What is measured, and its unit on a page.
MEASURES = ("left", "later_orders", "later_margin")
#: All steps that hold or stop, taken together.
TROUBLED = "held or stopped"
#: The same against those that were let through at random: no selection is left.
AT_RANDOM = "held or stopped, against let through"
#: A column of more values than this is no segment.
_MOST = 200


@result
class InsultPrice(Result):
    """What wrongly troubling a good customer costs.

    Attributes
    ----------
    steps : DataFrame
        One row a step of the ladder and measure, and one for all that hold or stop (where enough were let through at
        random, also against these, which no selection bends): outcome, measure (left: the
        share without a further order in the window; later_orders; later_margin in major units), troubled, usual
        (the same of comparable customers who were not troubled), change, lower, upper (95 %, clustered by
        customer), naive (the plain difference), n, customers, controls, why, and reading: "upper end of the loss: N
        stopped events have no verdict" where such events are among the troubled.
    churn : DataFrame
        One row an outcome and day: outcome (also "not troubled", weighted to be alike), day, left_share with
        lower and upper (Kaplan-Meier), watched.
    segments : DataFrame
        The measures by the column `by`, for all that hold or stop; empty without it.
    tiers : DataFrame
        One row a tier of entities: tier, entities, first_sale_days with lower and upper (median, censored),
        sold_share, margin with lower and upper (mean an entity over the first window), n, why.
    days : int
        The window.
    entity : str
        Whose customers.
    account : str
        The cost that says what such an account is worth: seller_value, creator_value; empty for buyers.
    """

    kind: ClassVar[str] = "insult_price"
    title: ClassVar[str] = "What troubling a good customer costs"
    main: ClassVar[str] = "steps"
    next_step: ClassVar[str] = ".costs(costs) puts the measured values in place of the assumed ones"
    repr_rows: ClassVar[int] = 14
    repr_tables: ClassVar[tuple[str, ...]] = ("tiers",)

    steps: pd.DataFrame
    churn: pd.DataFrame
    segments: pd.DataFrame
    tiers: pd.DataFrame
    days: int
    entity: str
    currency: str
    margin_told: str
    stayed_orders: float | None
    mean_margin: float | None
    effects: Mapping[str, str]
    name: str
    account: str = ""

    def row(self, outcome: str, measure: str) -> dict[str, object]:
        """Return one measure of one step as a mapping; its change is None where it is not measurable."""
        held = self.steps[(self.steps["outcome"] == outcome) & (self.steps["measure"] == measure)]
        if not len(held):
            return {"change": None, "lower": None, "upper": None, "n": 0, "why": "nobody was troubled so"}
        return {str(name): _none(value) for name, value in held.iloc[0].to_dict().items()}

    @property
    def answer(self) -> str:
        """The rows that answer: against those let through at random where there are enough, else against their like."""
        return AT_RANDOM if (self.steps["outcome"] == AT_RANDOM).any() else TROUBLED

    def headline(self) -> tuple[Fact, ...]:
        """Return what being held or stopped changed, then what a challenge did."""
        facts = [
            self._fact("Good customers lost for being held or stopped", self.answer, "left", "share"),
            self._fact(f"Orders in {self.days} days", self.answer, "later_orders", "average"),
            self._fact(f"Margin in {self.days} days", self.answer, "later_margin", "money"),
        ]
        naive = self.row(TROUBLED, "left")
        if naive["change"] is not None:
            facts.append(Fact("The plain difference, which selection bends", naive["naive"], "share", signed=True))  # type: ignore[arg-type]
        mild = next((name for name, effect in self.effects.items() if effect == "friction"), None)
        if mild is not None:
            facts.append(self._fact(f"Lost at a {mild}", mild, "left", "share"))
        return tuple(facts)

    def _fact(self, name: str, outcome: str, measure: str, unit: str) -> Fact:
        row = self.row(outcome, measure)
        code = self.currency if unit == "money" else ""
        if row["change"] is None:
            return Fact(name, None, unit, currency=code, note=str(row["why"]))  # type: ignore[arg-type]
        return Fact(
            name, row["change"], unit, lower=row["lower"], upper=row["upper"], n=row["n"], currency=code, signed=True,  # type: ignore[arg-type]
            note=str(row["reading"]),
        )  # fmt: skip

    def costs(self, costs: Costs | Mapping[str, float] | None = None, *, per_step: bool = False) -> Costs:
        """Return costs with the measured values in place of the assumed ones, each naming where it comes from.

        `insult_share` becomes the share of good customers lost for being held or stopped, `future_orders` the orders
        that comparable customers who stayed placed in the window, `challenge_drop` the share lost at a challenge. A
        value below 0 counts as 0. What is not measurable stays as it was. Where the events are applications or
        commissions watched for 90 days, `seller_value` or `creator_value` becomes the later margin of their
        untroubled like; it counts for all alike, one by tier does as a margin measured in the data.

        Parameters
        ----------
        costs : Costs or mapping, optional
            The costs to change; by default the defaults.
        per_step : bool
            Also put what each step cost, in margins of a good event, into `friction`; it then takes the place of the
            three for that step.
        """
        stated = Costs.from_mapping(costs)
        changed: dict[str, float] = {}
        left = self.row(self.answer, "left")
        if left["change"] is not None and self.stayed_orders is not None:
            changed["insult_share"] = _clipped(left["change"], 1.0)
            changed["future_orders"] = _clipped(self.stayed_orders, 1e4)
        mild = next((name for name, effect in self.effects.items() if effect == "friction"), None)
        if mild is not None and self.row(mild, "left")["change"] is not None:
            changed["challenge_drop"] = _clipped(self.row(mild, "left")["change"], 1.0)
        usual = self.row(self.answer, "later_margin")
        if self.account and self.days == VALUE_DAYS and usual["change"] is not None:
            changed[self.account] = _clipped(usual["usual"], 1e12)
        source = f"measured over {self.days} days on {self.name}"
        origins = {**stated.origins, **dict.fromkeys(changed, source)}
        friction = dict(stated.friction)
        if per_step:
            own = {name: worth for name in self.effects if (worth := self.friction(name)) is not None}
            friction |= own
            origins |= dict.fromkeys((f"friction.{name}" for name in own), source)
        return replace(stated, **changed, friction=friction, origins=origins)

    def friction(self, outcome: str) -> float | None:
        """Return what a step costs with a good customer, in margins of one event; None where not measurable.

        The orders lost in the window; a step that stops also loses the order itself.
        """
        row = self.row(outcome, "later_orders")
        if row["change"] is None:
            return None
        return max(0.0, -float(row["change"])) + (1.0 if self.effects.get(outcome) == "stop" else 0.0)  # type: ignore[arg-type]

    def _draw(self, ax: Axes) -> None:
        colours = {"none": GREY, "friction": ORANGE, "review": BLUE, "stop": RED}
        ends = []
        for outcome, part in self.churn.groupby("outcome", sort=False):
            effect = "none" if outcome == "not troubled" else self.effects.get(str(outcome), "none")
            colour = colours.get(effect, GREEN)
            seen = part.dropna(subset=["left_share"])
            if not len(seen):
                continue
            ax.plot(seen["day"], 100 * seen["left_share"], color=colour, linewidth=2)
            ax.fill_between(seen["day"], 100 * seen["lower"], 100 * seen["upper"], color=colour, alpha=0.15, lw=0)
            ends.append((float(100 * seen["left_share"].iloc[-1]), str(outcome), colour))
        low = -1e9
        for height, name, colour in sorted(ends):
            low = max(height, low + 7)
            ax.annotate(name, (self.days, low), xytext=(5, 0), textcoords="offset points", color=colour, va="center",
                        annotation_clip=False)  # fmt: skip
        ax.set_ylim(0, max(103, low + 5))
        ax.set_xlim(0, self.days)
        style(ax, title="Customers who have not ordered again", x="days since the order", y="no further order (%)")


def insult_price(
    events: Dataset,
    *,
    entity: str | None = None,
    days: int = 90,
    by: str | None = None,
    tiers: str | int | None = None,
    asof: str | pd.Timestamp | None = None,
    activity: Dataset | None = None,
    costs: Costs | Mapping[str, float] | None = None,
) -> InsultPrice:
    """Measure what troubling a good customer costs: who leaves, and the orders and the margin that do not come.

    Use it before an insult share is guessed. Good customers who were challenged, held or stopped are set against
    good customers who were not and had the same orders, age, region, week and amount before; what was not seen
    before (why the rule suspected them) is not balanced. Read `change` as per troubled customer, and `naive` as what
    selection would have made of it.

    Parameters
    ----------
    events : Dataset
        Events with time, outcome and an entity; with a label, who is a known fraud is left out.
    entity : str, optional
        Whose events they are: by default the first of the role `entities`.
    days : int, 1..730
        How long each customer is watched. Shorter than what the data holds, as only whole windows are compared.
    by : str, optional
        A column to break the answer down by.
    tiers : str or int, optional
        A column, or into how many equal parts by later volume, for the lifetime value of sellers and creators.
    asof : str or Timestamp, optional
        Customers are watched, and verdicts known, until then.
    activity : Dataset, optional
        Where the entity's later activity shows, when not in the events themselves: orders of the seller who applied.
    costs : Costs or mapping, optional
        Their margin applies where the data measures none.

    Returns
    -------
    InsultPrice
        Tables steps, churn, segments, tiers.

    Raises
    ------
    DataError
        When time, outcome or entity is missing, or nobody is watched for so long.
    ParameterError
        When the window is no number of days, or `by` has too many values.

    Source: Kaplan and Meier (1958), JASA 53, 457-481; Abadie and Imbens (2011), JBES 29, 1-11.

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> rng = np.random.default_rng(8)
    >>> rows, gone, at = [], set(), pd.Timestamp("2026-01-01")
    >>> for day in range(120):
    ...     for buyer in rng.integers(0, 300, 30).tolist():
    ...         if buyer not in gone:
    ...             held = rng.random() < 0.1
    ...             gone |= {buyer} if held and rng.random() < 0.3 else set()
    ...             rows.append((at + pd.Timedelta(days=day), buyer, "review" if held else "approve", 10.0, 0))
    >>> frame = pd.DataFrame(rows, columns=["at", "buyer", "done", "amount", "fraud"])
    >>> frame["id"] = range(len(frame))
    >>> events = rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount", outcome="done",
    ...     entities=("buyer",)))
    >>> found = rb.insult_price(events, days=30)
    >>> row = found.row("review", "left")
    >>> row["lower"] < 0.3 < row["upper"]
    True
    >>> found.costs().origins["insult_share"]
    'measured over 30 days on events'
    """
    a_dataset(events, name="events")
    begun = time.perf_counter()
    later = events if activity is None else activity
    a_dataset(later, name="activity")
    if isinstance(days, bool) or not isinstance(days, int | np.integer) or not 1 <= int(days) <= 730:
        raise ParameterError("The window is a number of days", got=repr(days)[:80], allowed="1..730")
    stated = Costs.from_mapping(costs)
    column = checked_entity(events, later, entity)
    held = episodes(events, later, entity=column, days=int(days), asof=asof, costs=stated)
    rungs = ladder(held.dataset.domain).rungs
    effects = {rung.name: str(rung.effect) for rung in rungs if rung.effect != "none"}
    hard = [place for place, rung in enumerate(rungs) if rung.effect in ("review", "stop")]
    groups = {name: [place] for place, name in enumerate(ladder(held.dataset.domain).names) if place}
    steps = [
        {"outcome": name, **row}
        for name, levels in {TROUBLED: hard, **groups}.items()
        for row in _rows(_compared(held, np.isin(held.level, levels) & held.whole))
    ]
    drawn = _rows(_compared(held, np.isin(held.level, hard) & held.whole, control=held.drawn))
    if drawn[0]["why"] == "":
        steps = [{"outcome": AT_RANDOM, **row} for row in drawn] + steps
    members = {AT_RANDOM: hard, TROUBLED: hard, **groups}
    for line in steps:
        line["reading"] = _reading(held, members[str(line["outcome"])]) if line["why"] == "" else ""
    frame = pd.DataFrame(steps).astype(_FLOATS)
    stayed = held.whole & (held.level == 0) & (held.orders > 0)
    own = held.own[held.level == 0]
    told = "measured" if "margin" in later.roles.measures else f"{stated.margin:.0%} of the amount, as stated"
    return InsultPrice(
        steps=frame,
        churn=_churn(held, hard, int(days), groups),
        segments=_segments(held, hard, by),
        tiers=lifetime_frame(
            events,
            later,
            entity=column,
            tiers=tiers,
            days=int(days),
            end=held.end,
            costs=stated,
            wanted=tiers is not None or activity is not None,
        ),
        days=int(days),
        entity=column,
        currency=later.currency.code if later.roles.amount or later.roles.measures else "",
        margin_told=told,
        stayed_orders=_stayed(held, hard, stayed),
        mean_margin=float(own.mean()) if len(own) else None,
        effects=effects,
        name=events.name,
        account=ACCOUNTS.get(events.domain, ""),
        pages={"steps": _page(frame, int(days), later.currency.code)},
        notes=(*held.notes, *_remarks(held, hard, int(days))),
        grounds=_grounds(held, frame, hard, int(days), told),
        provenance={
            "dataset": events.fingerprint,
            "parameters": {
                "entity": column,
                "days": int(days),
                "by": by,
                "tiers": tiers,
                "asof": None if asof is None else str(asof),
                "activity": None if activity is None else activity.fingerprint,
            },
            "label_recipe": events.label_recipe,
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


_FLOATS = dict.fromkeys(("troubled", "usual", "change", "lower", "upper", "naive"), float)


def _compared(
    held: Episodes, treated: np.ndarray, among: np.ndarray | None = None, *, control: np.ndarray | None = None
) -> list[Change]:
    control = held.whole & (held.level == 0 if control is None else control)
    if among is not None:
        treated, control = treated & among, control & among
    left = (held.orders == 0).astype(np.float64)
    return changes(
        match(treated, control, held.levels), [left, held.orders, held.margin], alike=held.alike, cluster=held.entity
    )


def _rows(found: list[Change]) -> list[dict[str, object]]:
    names = ("troubled", "usual", "change", "lower", "upper", "naive", "n", "customers", "controls", "why")
    return [
        {"measure": measure, **{name: getattr(change, name) for name in names}}
        for measure, change in zip(MEASURES, found, strict=True)
    ]


def _stopped(held: Episodes, levels: list[int]) -> int:
    """Return how many of the troubled were stopped by history, so that none of them ever gets a verdict."""
    rungs = ladder(held.dataset.domain).rungs
    return int((np.isin(held.level, [k for k in levels if rungs[k].effect == "stop"]) & held.whole).sum())


def _reading(held: Episodes, levels: list[int]) -> str:
    """Return in which way a row may be wrong: frauds among stopped events do not come back and count as lost."""
    stopped = _stopped(held, levels)
    said = "1 stopped event has" if stopped == 1 else f"{stopped:,} stopped events have"
    return f"upper end of the loss: {said} no verdict" if stopped else ""


def _stayed(held: Episodes, hard: list[int], stayed: np.ndarray) -> float | None:
    """Return the mean orders of comparable customers who stayed."""
    found = match(np.isin(held.level, hard) & held.whole, held.whole & (held.level == 0), held.levels)
    weight = found.weight * stayed[found.control]
    return float((weight * held.orders[found.control]).sum() / weight.sum()) if weight.sum() > 0 else None


def _churn(held: Episodes, hard: list[int], days: int, groups: Mapping[str, list[int]]) -> pd.DataFrame:
    came = ~np.isnan(held.gap)
    watched = np.where(came, held.gap, held.followed)
    grid = np.unique(np.linspace(0, days, min(days, 45) + 1))
    parts = []
    quiet = held.level == 0
    alike = match(np.isin(held.level, hard), quiet, held.levels)
    weight = np.zeros(len(held.level))
    weight[alike.control] = alike.weight if alike.weight.sum() > 0 else 1.0
    lines = {"not troubled": weight} | {
        name: np.isin(held.level, levels).astype(np.float64) for name, levels in groups.items()
    }
    for name, each in lines.items():
        if not each.sum():
            continue
        share, low, high, seen = still_without(watched, came, grid, weight=each)
        columns = {"day": grid, "left_share": share, "lower": low, "upper": high, "watched": seen}
        parts.append(pd.DataFrame({"outcome": name, **columns}))
    return pd.concat(parts, ignore_index=True)


def _segments(held: Episodes, hard: list[int], by: str | None) -> pd.DataFrame:
    names = ["segment", "measure", *_FLOATS, "n", "customers", "controls", "why"]
    if by is None:
        return pd.DataFrame(columns=names)
    events = held.dataset
    if not isinstance(by, str):
        raise ParameterError("`by` is a column's name", got=repr(by)[:80])
    codes, words = events.regions if by == "region" else events.segment(by)
    if len(words) > _MOST:
        raise ParameterError(f"{by!r} has {len(words):,} values, too many for segments", allowed=f"at most {_MOST:,}")
    treated = np.isin(held.level, hard) & held.whole
    rows = [
        {"segment": word, **row}
        for place, word in enumerate(words)
        for row in _rows(_compared(held, treated, codes == place))
    ]
    return pd.DataFrame(rows, columns=names).astype(_FLOATS)


def _remarks(held: Episodes, hard: list[int], days: int) -> list[str]:
    treated = np.isin(held.level, hard) & held.whole
    found = match(treated, held.whole & (held.level == 0), held.levels)
    near, every = int((found.level == 0).sum()), int(treated.sum())
    alike = (
        f"Compared within equal orders before, age, region, week and amount: {near:,} of {every:,} held or stopped "
        f"found their like so, the others within wider bands, and {found.left_over:,} found none."
    )
    told = [
        alike,
        "Why a rule suspected them is not balanced: what it saw and these columns do not say stays in the difference.",
    ]
    short = int((~held.whole).sum())
    if short:
        told.append(f"{short:,} events are watched for less than {days} days: only in the picture, censored.")
    return told


def _grounds(held: Episodes, frame: pd.DataFrame, hard: list[int], days: int, margin: str) -> Grounds:
    main = frame[(frame["outcome"] == TROUBLED) & (frame["measure"] == "left")].iloc[0]
    customers, controls = int(main["customers"]), int(main["controls"])
    rungs = ladder(held.dataset.domain).rungs
    stops = [rung.name for rung in rungs if rung.effect == "stop"]
    stopped = _stopped(held, hard)
    said = "1 event" if stopped == 1 else f"{stopped:,} events"
    missing = frame[frame["why"] != ""]["outcome"].drop_duplicates().tolist()
    return Grounds(
        measured=f"What {customers:,} customers did in the {days} days after they were held or stopped.",
        estimated=f"What they would have done otherwise, from {controls:,} comparable events. Margin: {margin}.",
        bounded=f"{said} that history stopped ({stops[0]}) {'has' if stopped == 1 else 'have'} no verdict: frauds "
        "among them, who do not come back, make the loss look larger."
        if stopped
        else "",
        not_measurable=f"Too few for: {', '.join(missing)}." if missing else "",
    )


def _page(frame: pd.DataFrame, days: int, currency: str) -> tuple[str, pd.DataFrame]:
    """Return the steps in a reader's words: each number in its unit."""
    units: dict[str, Unit] = {"left": "share", "later_orders": "average", "later_margin": "money"}
    said = {"left": "no further order", "later_orders": "further orders", "later_margin": "margin on them"}
    rows = []
    for row in frame.to_dict("records"):
        unit, measured = units[row["measure"]], row["why"] == ""

        def told(name: str, *, signed: bool = False, row: dict = row, unit: Unit = unit) -> str:
            if unit == "average":
                return f"{row[name]:+.2f}" if signed else f"{row[name]:.2f}"
            return number(float(row[name]), unit, signed=signed)

        ends = f"{told('lower', signed=True)} to {told('upper', signed=True)}" if measured else row["why"]
        rows.append(
            {
                "step": row["outcome"],
                "what": said[row["measure"]],
                "troubled": told("troubled") if measured else "not measurable",
                "their like": told("usual") if measured else "",
                "change": told("change", signed=True) if measured else "",
                "95 % interval": ends,
                "plain difference": told("naive", signed=True) if measured else "",
                "events": int(row["n"]),
                "reading": row["reading"],
            }
        )
    money = f"; money in {currency}" if currency not in ("", NO_CURRENCY) else ""
    return f"In the {days} days after the event, a customer{money}", pd.DataFrame(rows)


def _clipped(value: object, top: float) -> float:
    return float(min(max(float(value), 0.0), top))  # type: ignore[arg-type]


def _none(value: object) -> object:
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124
