"""What do we decide, on what grounds, and what did we assume? The record of one calibration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from riskbench.calibration.applied import own_cuts
from riskbench.calibration.calibration import Calibration
from riskbench.calibration.segments import FEWEST_FRAUDS, INHERITS, OWN
from riskbench.calibration.words import exactly, pair_words
from riskbench.display import Fact, Result, number, result
from riskbench.display.chart import BLUE, GREY, style
from riskbench.display.fact import Unit
from riskbench.errors import ParameterError, RiskbenchError
from riskbench.rules.book import RuleBook

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: A change that touches fewer later events than this is no evidence.
FEWEST_EVENTS = 10


@result
class Decision(Result):
    """The decision record of a calibration.

    Attributes
    ----------
    recommendation : str
        What to do, in one sentence.
    adopt : bool
        Whether the evidence is for the proposed cut: its gain on the later window lies above chance.
    cuts : DataFrame
        The proposed cut per region (or segment): segment, today, proposed, own_cut, status, uniform_cost, lower,
        upper, n, frauds.
    weekly : DataFrame
        What changes a week: measure, per, today, proposed, change, lower, upper (95 %, paired), n.
    promise, holdout : DataFrame
        What the cut promised on the choose window and what came later, in words and in numbers.
    assumptions : DataFrame
        Each stated cost, the cut when it is halved and doubled, and what the proposed cut would then give away:
        cost, stated, cut_halved, cut_doubled, regret_halved, regret_doubled, reading.
    unmeasured : DataFrame
        What is not measurable, and why: what, why.
    rules : DataFrame
        What changes in the rule book, one sentence a row: change.
    swaps : DataFrame
        From the comparison, where one was handed over: measure, before, after, difference, lower, upper, n.
    book : RuleBook or None
        The proposed rule book.
    """

    kind: ClassVar[str] = "decision"
    title: ClassVar[str] = "Decision record"
    main: ClassVar[str] = "weekly"
    next_step: ClassVar[str] = '.frame("cuts"), "promise", "assumptions", "unmeasured", "rules"; .book.to_yaml()'
    repr_columns: ClassVar[tuple[str, ...]] = ("measure", "per", "today", "proposed", "change", "lower", "upper", "n")
    repr_rows: ClassVar[int] = 14
    repr_tables: ClassVar[tuple[str, ...]] = ("cuts", "promise", "assumptions", "unmeasured", "rules")

    name: str
    recommendation: str
    adopt: bool
    cuts: pd.DataFrame
    weekly: pd.DataFrame
    promise: pd.DataFrame
    holdout: pd.DataFrame
    assumptions: pd.DataFrame
    unmeasured: pd.DataFrame
    rules: pd.DataFrame
    swaps: pd.DataFrame
    book: RuleBook | None
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return the recommendation, the cut, and what changes."""
        return self.facts

    def _draw(self, ax: Axes) -> None:
        shown = self.weekly[~self.weekly["measure"].isin(["net value", "loss prevented"])].iloc[::-1]
        place = np.arange(len(shown))
        change, low, high = (shown[name].to_numpy(dtype=np.float64) for name in ("change", "lower", "upper"))
        colours = [GREY if below <= 0 <= above else BLUE for below, above in zip(low, high, strict=True)]
        ax.hlines(place, low, high, color=colours, linewidth=2)
        ax.scatter(change, place, color=colours, zorder=3)
        ax.axvline(0, color=GREY, linewidth=0.8)
        ax.set_yticks(place, list(shown["measure"]))
        ax.margins(y=0.15)
        per = str(self.weekly["per"].iloc[0]) if len(self.weekly) else "week"
        style(ax, title="Change against today, 95 % interval (grey: within chance)", x=f"events a {per}", y="")


def decide(
    calibration: Calibration,
    *,
    today: Result | None = None,
    change: Result | None = None,
    checks: Result | None = None,
    title: str | None = None,
) -> Decision:
    """Write the decision record of a calibration: what to do, what it changes, and what was assumed.

    Use it as the last step. The recommendation rests on the later window alone: a gain whose interval holds 0
    is within chance, and then today's cut stays.

    Parameters
    ----------
    calibration : Calibration
        What `riskbench.calibrate` returned.
    today : Simulation, optional
        The live book as it stands, for its book hash.
    change : Comparison, optional
        Before against after, for the events that flip.
    checks : Checks, optional
        What was found in the data; serious findings become notes.
    title : str, optional
        What the record is called.

    Returns
    -------
    Decision
        Tables weekly, cuts, promise, assumptions, unmeasured, rules, swaps.

    Raises
    ------
    ParameterError
        When the first argument is no calibration.

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> rng = np.random.default_rng(7)
    >>> fraud = rng.random(4000) < 0.05
    >>> frame = pd.DataFrame({"id": np.arange(4000), "fraud": fraud.astype(int), "amount": 100.0,
    ...     "risk": np.round(np.clip(rng.normal(0.3 + 0.4 * fraud, 0.15), 0, 1), 2),
    ...     "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(4000) // 40, unit="D")})
    >>> events = rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount", score="risk"))
    >>> record = rb.decide(rb.calibrate(events))
    >>> record.adopt
    True
    >>> print(record.frame("rules")["change"].iloc[0][:15])
    CUT-risk: added
    """
    if not isinstance(calibration, Calibration):
        raise ParameterError("decide takes a calibration", got=type(calibration).__name__, hint="rb.calibrate(...)")
    book, rules = _book(calibration)
    adopt, action, reason = _recommendation(calibration, _leak(calibration, checks))
    sentence = f"{action}: {reason}"
    return Decision(
        name=title or f"Decision on {calibration.name}",
        recommendation=sentence,
        adopt=adopt,
        cuts=_cuts(calibration),
        weekly=_weekly(calibration).copy(),
        promise=calibration.promise.copy(),
        holdout=calibration.holdout.copy(),
        assumptions=_assumptions(calibration),
        unmeasured=_unmeasured(calibration),
        rules=rules,
        swaps=_swaps(change),
        book=book,
        facts=_facts(calibration, action),
        notes=(sentence, *_found(checks), *calibration.notes),
        provenance={
            **calibration.provenance,
            "title": title or f"Decision on {calibration.name}",
            "adopt": adopt,
            "book_today": today.provenance.get("book") if today is not None else calibration.provenance.get("book"),
            "book_proposed": None if book is None else book.hash,
        },
    )


def _weekly(held: Calibration) -> pd.DataFrame:
    """Return the weekly change of what is proposed: own cuts where they pay."""
    return held.weekly_own if len(held.weekly_own) else held.weekly


def _book(held: Calibration) -> tuple[RuleBook | None, pd.DataFrame]:
    try:
        book = held.apply(per_segment=held.by == "region")
    except RiskbenchError as error:
        return None, pd.DataFrame({"change": [f"No book to change: {error.what}"]})
    before = held.given if held.given is not None else RuleBook(name=book.name, domain=book.domain)
    lines = [_with_values(line, book) for line in before.diff(book)]
    return book, pd.DataFrame({"change": lines or ["Nothing changes."]})


def _with_values(line: str, book: RuleBook) -> str:
    """Return what changes in a book with the values of a new rule's parameters put in."""
    rule_id, added, _ = line.partition(": added (")
    rule = next((rule for rule in book.rules if added and rule.id == rule_id), None)
    if rule is None:
        return line
    own = [
        f"; {name} in {region} {exactly(value) if isinstance(value, int | float) else value}"
        for region, values in rule.regions.items()
        for name, value in values.items()
    ]
    return "".join([line.removesuffix(" ".join(rule.when.split())), rule.in_words(), *own])


def _recommendation(held: Calibration, leak: str | None) -> tuple[bool, str, str]:
    """Return whether to adopt the cut, what to do, and why."""
    row = _weekly(held).to_dict("records")[0]
    gain, low, high = float(row["change"]), float(row["lower"]), float(row["upper"])
    promise = held.holdout.to_dict("records")[0]
    unit: Unit = "money" if held.currency else "average"
    per = f"a {held.per}" if held.per == "week" else f"per {held.per}"
    worth = f"{number(gain, unit, currency=held.currency)} {per} ({number(low, unit)} to {number(high, unit)})"
    keep = "Keep the live rules as they are" if held.today is None else f"Keep today's cut of {exactly(held.today)}"
    if leak is not None:
        return False, keep, f"{leak}; every figure here is worthless until that is settled."
    if pd.isna(promise["observed"]):
        return False, keep, "the proposed cut was judged only on the events that chose it, so its gain is not shown."
    same = held.today == held.threshold and held.threshold_block is None and not len(held.weekly_own) and not row["n"]
    if held.today is not None and same:
        return False, keep, "it is the best one."
    if 0 < row["n"] < FEWEST_EVENTS:
        return False, keep, f"only {row['n']} later events would be treated differently, too few to tell."
    if low > 0:
        kept = "" if bool(promise["kept"]) else " Its promise was not kept, though: find out why before it ships."
        return True, _action(held), f"worth {worth} more than today on the later window.{kept}"
    if high < 0:
        return False, keep, f"on the later window the proposed cut was worth {worth} against today."
    if not row["n"] and math.isfinite(held.threshold):
        return False, keep, "the proposed cut would have changed nothing on the later window."
    if not math.isfinite(held.threshold):
        return False, keep, f"no cut of {held.name} is worth more than none."
    return False, keep, f"the difference is within chance, {worth}."


def _leak(held: Calibration, checks: Result | None) -> str | None:
    """Return why a column that the cut rests on gives the label away, if a check found so."""
    leaks = getattr(checks, "why", {})
    used = [held.name]
    if held.rule_param is not None and held.given is not None:
        used = list(held.given.rule(held.rule_param.partition(".")[0]).columns)
    return next((f"a check calls {name} leakage ({leaks[name]})" for name in used if name in leaks), None)


def _action(held: Calibration) -> str:
    cut = exactly(held.threshold)
    if held.threshold_block is not None and held.threshold_review is not None:
        return f"Cut {held.name}: {pair_words(held.threshold_review, held.threshold_block)}"
    if not math.isfinite(held.threshold):
        return f"Retire the rule behind {held.name}"
    own = ", ".join(f"{value} in {name}" for name, value in own_cuts(held).items()) if held.by == "region" else ""
    tail = f", and at {own}" if own else ""
    if held.today is None and held.rule_param is not None:
        return f"Switch on the rule of {held.name} at {cut}{tail}"
    if held.today is None:
        return f"Set a cut of {held.name} at {cut} ({held.outcome}){tail}"
    if held.threshold == held.today:
        return f"Keep {held.name} at {cut}{tail}"
    verb = "Raise" if held.threshold > held.today else "Lower"
    return f"{verb} {held.name} from {exactly(held.today)} to {cut}{tail}"


def _cuts(held: Calibration) -> pd.DataFrame:
    today = math.nan if held.today is None else held.today
    if not len(held.segments):
        rows = [("all", today, held.threshold, math.nan, "one cut for all", math.nan, math.nan, math.nan, 0, 0)]
    else:
        rows = [
            (
                row["segment"],
                today,
                row["own_threshold"] if row["status"] == OWN else held.threshold,
                row["own_threshold"],
                row["status"],
                row["uniform_cost"],
                row["lower"],
                row["upper"],
                row["n"],
                row["frauds"],
            )
            for row in held.segments.to_dict("records")
        ]
    columns = "segment today proposed own_cut status uniform_cost lower upper n frauds".split()
    return pd.DataFrame(rows, columns=columns)


def _assumptions(held: Calibration) -> pd.DataFrame:
    """Return each cost on one row, with what halving and doubling it would do."""
    rows = []
    for name, group in held.costs.groupby("cost", sort=False):
        half, double = (group[group["change"] == word].to_dict("records")[0] for word in ("halved", "doubled"))
        moves = [row for row in (half, double) if row["threshold"] != held.threshold]
        worst = max(half["regret"], double["regret"])
        unit: Unit = "money" if held.currency else "number"
        if not moves:
            reading = "the cut stays"
        else:
            reading = f"the cut moves; keeping it gives away at most {number(worst, unit, currency=held.currency)}"
        if double["capped"]:
            full = double["value"] == double["stated"]
            reading += "; doubling changes nothing: it is 1 already" if full else "; doubled, it is capped at 1"
        rows.append(
            (name, half["stated"], half["threshold"], double["threshold"], half["regret"], double["regret"], reading)
        )
    columns = "cost stated cut_halved cut_doubled regret_halved regret_doubled reading".split()
    return pd.DataFrame(rows, columns=columns)


def _unmeasured(held: Calibration) -> pd.DataFrame:
    rows = []
    for row in held.holdout.to_dict("records"):
        if pd.isna(row["value"]):
            rows.append((row["measure"], "no labelled event of its kind in the window"))
        elif pd.isna(row["observed"]):
            rows.append((f"{row['measure']}, later window", "no later event to measure it on"))
    rows.extend(
        (f"own cut of {row['segment']}", f"{row['frauds']} known frauds to choose on; at least {FEWEST_FRAUDS} needed")
        for row in held.segments.to_dict("records")
        if row["status"] == INHERITS
    )
    words = ("not measurable", "are unlabelled", "No money", "too young", "Not simulated", "have no value")
    rows.extend(("as noted", note) for note in held.notes if any(word in note for word in words))
    return pd.DataFrame(rows, columns=["what", "why"])


def _swaps(change: Result | None) -> pd.DataFrame:
    if change is None or "changes" not in change.tables:
        return pd.DataFrame()
    return change.frame("changes")


def _found(checks: Result | None) -> list[str]:
    """Return the serious findings of the checks as remarks."""
    if checks is None:
        return []
    frame = checks.frame()
    if not {"code", "severity", "title"} <= set(frame.columns):
        return []
    serious = frame[frame["severity"].astype(str).isin(["error", "high", "serious", "warning"])]
    return [f"{row['code']}: {row['title']}." for row in serious.to_dict("records")]


def _facts(held: Calibration, action: str) -> tuple[Fact, ...]:
    unit: Unit = "money" if held.currency else "number"
    per = f"a {held.per}" if held.per == "week" else f"per {held.per}"
    facts = [Fact("Recommendation", action, "text"), held.headline()[0]]
    rows = {row["measure"]: row for row in _weekly(held).to_dict("records")}
    for measure in ("net value", "frauds alerted", "good customers alerted", "reviews"):
        row = rows[measure]
        facts.append(
            Fact(
                f"{measure.capitalize()} {per}, change",
                float(row["change"]),
                unit if measure == "net value" else "average",
                lower=float(row["lower"]),
                upper=float(row["upper"]),
                n=int(row["n"]),
                currency=held.currency if measure == "net value" else "",
            )
        )
    return tuple(facts)
