"""What do we decide, on what grounds, and what did we assume? The record of one calibration."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from riskbench.calibration.applied import own_cuts
from riskbench.calibration.calibration import Calibration
from riskbench.calibration.pages import (
    Page,
    a_week,
    assumptions_page,
    cuts_page,
    money_name,
    rules_page,
    told_apart,
    weekly_page,
)
from riskbench.calibration.record import doubt, grounds_of_record
from riskbench.calibration.segments import FEWEST_FRAUDS, INHERITS
from riskbench.calibration.words import pair_words
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
        Each cost, the cut when it is halved and doubled, and what the proposed cut would then give away over the
        window that it was chosen on: cost, value, source ("given", "default", or whose it is), cut_halved, cut_doubled,
        regret_halved, regret_doubled, reading.
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
    repr_rows: ClassVar[int] = 14
    repr_tables: ClassVar[tuple[str, ...]] = ("cuts", "rules", "assumptions", "unmeasured")

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
        title = "Change against today" if self.adopt else "Change if the cut shipped"
        style(ax, title=f"{title}, 95 % interval (grey: within chance)", x=f"events {a_week(per)}", y="")


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
    is within chance, and then today's cut stays. It stays too where most of the gain is inference: weights of late
    labels and of the few events that history let through at random, or events without any verdict.

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
    adopt, action, reason, short = _recommendation(calibration, _leak(calibration, checks))
    sentence = f"{action}: {reason}"
    cuts, assumptions = _cuts(calibration), _assumptions(calibration)
    return Decision(
        name=title or f"Decision on {calibration.name}",
        recommendation=sentence,
        adopt=adopt,
        cuts=cuts,
        weekly=_weekly(calibration).copy(),
        promise=calibration.promise.copy(),
        holdout=calibration.holdout.copy(),
        assumptions=assumptions,
        unmeasured=_unmeasured(calibration),
        rules=rules,
        swaps=_swaps(change),
        book=book,
        facts=_facts(calibration, action, short, adopt=adopt),
        pages=_pages(calibration, cuts, assumptions, rules, adopt=adopt),
        notes=(sentence, *_found(checks), *calibration.notes),
        grounds=grounds_of_record((calibration, change, today)),
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
        f"; {name} in {region} {value:,}" if isinstance(value, int | float) else f"; {name} in {region} {value}"
        for region, values in rule.regions.items()
        for name, value in values.items()
    ]
    return "".join([line.removesuffix(" ".join(rule.when.split())), rule.in_words(), *own])


def _recommendation(held: Calibration, leak: str | None) -> tuple[bool, str, str, str]:
    """Return whether to adopt the cut, what to do, why, and why in a few words."""
    row = _weekly(held).to_dict("records")[0]
    gain, low, high = float(row["change"]), float(row["lower"]), float(row["upper"])
    promise = held.holdout.to_dict("records")[0]
    unit: Unit = "money"
    per = " ".join(part for part in ("" if held.currency else held.counted, a_week(held.per)) if part)
    ends = " to ".join(number(end, unit, signed=True) for end in (low, high))
    worth = f"{number(gain, unit, currency=held.currency, signed=True)} {per} ({ends})"
    span = f"{number(low, unit, currency=held.currency, signed=True)} to {number(high, unit, signed=True)} {per}"
    keep = "Keep the live rules as they are" if held.today is None else f"Keep today's cut of {_short(held.today)}"
    same = held.today == held.threshold and held.threshold_block is None and not len(held.weekly_own) and not row["n"]
    reason = ""
    if leak is not None:
        why, reason = "a check calls what the cut rests on leakage", f"{leak}; every figure here is worthless until "
        reason += "that is settled."
    elif pd.isna(promise["observed"]):
        why = "the best cut was judged only on the events that chose it"
        reason = "the proposed cut was judged only on the events that chose it, so its gain is not shown."
    elif held.today is not None and same:
        why = "it is the best one"
    elif 0 < row["n"] < FEWEST_EVENTS:
        why = f"only {row['n']} later events would be treated differently, too few to tell"
    elif low > 0 and (unsure := doubt(held, int(row["n"]))) is not None:
        why, reason = unsure
    elif low > 0:
        kept = bool(promise["kept"])
        tail = "" if kept else " Its value came outside the promised range, though: find out why before it ships."
        return (
            True,
            _action(held),
            f"worth {worth} more than today on the later window.{tail}",
            f"the gain is above chance: {span}{'' if kept else '; it came outside the promised range'}",
        )
    elif high < 0:
        why = f"the proposed cut loses against today: {span}"
        reason = f"on the later window the proposed cut was worth {worth} against today."
    elif not row["n"] and math.isfinite(held.threshold):
        why = "the proposed cut would have changed nothing on the later window"
    elif not math.isfinite(held.threshold):
        bound = " that keeps to the limits" if held.reader.constraints else ""
        why = f"no cut of {held.name}{bound} is worth more than none"
    else:
        why, reason = f"the gain is within chance: {span}", f"the difference is within chance, {worth}."
    return False, keep, reason or f"{why}.", why


def recommended(held: Calibration, checks: Result | None = None) -> tuple[bool, str]:
    """Return whether the evidence is for the proposed cut, and why in a few words."""
    adopt, _, _, short = _recommendation(held, _leak(held, checks))
    return adopt, short


def _leak(held: Calibration, checks: Result | None) -> str | None:
    """Return why a column that the cut rests on gives the label away, if a check found so."""
    leaks = getattr(checks, "why", {})
    used = [held.name]
    if held.rule_param is not None and held.given is not None:
        used = list(held.given.rule(held.rule_param.partition(".")[0]).columns)
    return next((f"a check calls {name} leakage ({leaks[name]})" for name in used if name in leaks), None)


def _short(cut: float) -> str:
    """Return a cut as a page shows it."""
    return told_apart([cut])[0]


def _action(held: Calibration) -> str:
    cut = _short(held.threshold)
    if held.threshold_block is not None and held.threshold_review is not None:
        return f"Cut {held.name}: {pair_words(held.threshold_review, held.threshold_block)}"
    if not math.isfinite(held.threshold):
        return f"Retire the rule behind {held.name}"
    own = ", ".join(f"{_short(value)} in {name}" for name, value in _own(held).items())
    tail = f", and at {own}" if own else ""
    if held.today is None and held.rule_param is not None:
        return f"Switch on the rule of {held.name} at {cut}{tail}"
    if held.today is None:
        return f"Set a cut of {held.name} at {cut} ({held.outcome}){tail}"
    if held.threshold == held.today:
        return f"Keep {held.name} at {cut}{tail}"
    verb = "Raise" if held.threshold > held.today else "Lower"
    today, cut = told_apart([held.today, held.threshold])
    return f"{verb} {held.name} from {today} to {cut}{tail}"


def _own(held: Calibration) -> dict[str, float]:
    """Return the cuts that regions get of their own."""
    return own_cuts(held) if held.by == "region" else {}


def _cuts(held: Calibration) -> pd.DataFrame:
    today, own = math.nan if held.today is None else held.today, own_cuts(held)
    if not len(held.segments):
        rows = [("all", today, held.threshold, math.nan, "one cut for all", math.nan, math.nan, math.nan, 0, 0)]
    else:
        rows = [
            (
                row["segment"],
                today,
                own.get(str(row["segment"]), held.threshold),
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
        if not moves:
            reading = "the cut stays"
        else:
            most = number(worst / held.window_weeks, "money", currency=held.currency)
            most += "" if held.currency else f" {held.counted}"
            reading = f"the cut moves; keeping it gives away at most {most} {a_week(held.per)}"
        if double["capped"]:
            full = double["value"] == double["stated"]
            reading += "; doubling changes nothing: it is 1 already" if full else "; doubled, it is capped at 1"
        source = "given" if name in held.given_costs else held.assumptions.origins.get(str(name), "default")
        cuts, regrets = ([row[part] for row in (half, double)] for part in ("threshold", "regret"))
        rows.append((name, half["stated"], source, *cuts, *regrets, reading))
    columns = "cost value source cut_halved cut_doubled regret_halved regret_doubled reading".split()
    return pd.DataFrame(rows, columns=columns)


#: What a remark is about, by words in it.
_ABOUT = {
    "too young": "newest events",
    "No event lies": "the promise",
    "not measurable": "as the remark says",
    "are unlabelled": "unlabelled events",
    "have no value": "events without a value",
    "No money": "money",
    "not simulated": "reactions to the cut",
}


def _unmeasured(held: Calibration) -> pd.DataFrame:
    rows = [
        (row["measure"], f"The window to choose on holds no labelled event that {row['measure']} could rest on.")
        for row in held.holdout.to_dict("records")
        if pd.isna(row["value"])
    ]
    unseen = held.holdout[held.holdout["value"].notna() & held.holdout["observed"].isna()]
    if len(unseen) and held.holdout["observed"].isna().all():
        rows.append(("all measures, later window", "There is no later event to measure them on."))
    else:
        rows.extend(
            (f"{name}, later window", "There is no later event to measure it on.") for name in unseen["measure"]
        )
    rows.extend(
        (
            f"own cut of {row['segment']}",
            f"It has {row['frauds']} known frauds to choose on and needs at least {FEWEST_FRAUDS}; it gets the common "
            "cut."
            if row["frauds"] < FEWEST_FRAUDS
            else "No cut of its own keeps to the constraints; it gets the common cut.",
        )
        for row in held.segments.to_dict("records")
        if row["status"] == INHERITS
    )
    for note in held.notes:
        about = next((what for words, what in _ABOUT.items() if words in note), None)
        if about is not None:
            rows.append((about, note))
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


def _facts(held: Calibration, action: str, short: str, *, adopt: bool) -> tuple[Fact, ...]:
    unit: Unit = "money" if held.currency else "number"
    per = a_week(held.per)
    cut = held.headline()[0]
    facts = [Fact("Recommendation", action, "text", note=short)]
    facts.append(cut if adopt else replace(cut, name="Best cut found"))
    rows = {row["measure"]: row for row in _weekly(held).to_dict("records")}
    for measure in ("net value", "frauds alerted", "good customers alerted", "reviews"):
        row, money = rows[measure], measure == "net value"
        name = f"{measure.capitalize()} {per}, {'change' if adopt else 'if shipped'}"
        facts.append(
            Fact(
                money_name(name, held.currency, held.counted) if money else name,
                float(row["change"]),
                unit if money else "average",
                lower=float(row["lower"]),
                upper=float(row["upper"]),
                n=int(row["n"]),
                currency=held.currency if money else "",
                signed=True,
            )
        )
    return tuple(facts)


def _pages(
    held: Calibration, cuts: pd.DataFrame, assumptions: pd.DataFrame, rules: pd.DataFrame, *, adopt: bool
) -> dict[str, Page]:
    shipped = "" if adopt else ", if the cut shipped (not recommended)"
    proposed = "proposed" if adopt else "if shipped"
    counted, per = held.counted, held.per
    judged = "the window that chose it" if held.holdout["observed"].isna().all() else "the later window"
    moved = [held.threshold, held.threshold_block, held.today, *_own(held).values()]
    return {
        "weekly": weekly_page(
            _weekly(held), counted=counted, per=per, judged=judged, proposed=proposed, shipped=shipped
        ),
        "cuts": cuts_page(cuts, counted=counted, per=per, length=held.judged_weeks, proposed=proposed, shipped=shipped),
        "rules": rules_page(rules, [cut for cut in moved if cut is not None], shipped=shipped),
        "assumptions": assumptions_page(
            assumptions,
            currency=held.currency,
            counted=counted,
            per=per,
            window=held.window,
            length=held.window_weeks,
        ),
    }
