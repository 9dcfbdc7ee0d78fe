"""Who is approved, and who is not: by segment, new or returning, in history and by a book."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.doors import a_dataset
from riskbench.data.labels import GOOD, LabelState, has_verdict, label_state
from riskbench.data.outcomes import ladder
from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREY, ORANGE, style
from riskbench.errors import DataError, ParameterError, listed
from riskbench.metrics.costs import worth
from riskbench.metrics.discovery import q_values
from riskbench.metrics.growth.activity import Activity
from riskbench.metrics.selection import Inclusion, few_drawn_words, inclusion
from riskbench.rules.doors import listed_names
from riskbench.rules.growth.cells import gaps, shares
from riskbench.rules.growth.telling import drawn_note, grounds_of, rate_fact, rates_page, short
from riskbench.rules.simulation import Simulation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

HISTORY, BOOK = "history", "this book"
KINDS = ("all", "new", "returning")
#: A column of more values than this is no segment.
_MOST = 200
#: An account is new for so many days, where its age is known and its orders are not.
_YOUNG = 30.0


#: What a column that says who is new may say.
_NEW = dict.fromkeys(("new", "yes", "y", "true", "t", "1", "1.0", "first")).keys()
_OLD = dict.fromkeys(
    ("returning", "no", "n", "false", "f", "0", "0.0", "old", "existing", "known", "repeat", "(missing)")
).keys()


@result
class ApprovalRates(Result):
    """Who is approved: neither stopped nor reviewed.

    Attributes
    ----------
    rates : DataFrame
        One row a segment, kind of customer and decider: decided_by (history, this book), by, segment, customers (all,
        new, returning), events, approval_rate, value_approval_rate (of the money), good_approval_rate (of good
        events, those that history stopped put back by their let-through), each with `_lower` and `_upper` (95 %,
        clustered by customer), n_good, why (why the last is not measurable: then its ends are bounds).
    differences : DataFrame
        One row a segment and decider: new, returning, change (new less returning) with lower and upper, p, q (false
        discoveries over all segments of a decider), n.
    """

    kind: ClassVar[str] = "approval_rates"
    title: ClassVar[str] = "Who is approved"
    main: ClassVar[str] = "rates"
    next_step: ClassVar[str] = '.frame("differences"): new against returning customers'
    repr_rows: ClassVar[int] = 14

    rates: pd.DataFrame
    differences: pd.DataFrame
    currency: str
    entity: str | None

    @property
    def decider(self) -> str:
        """Whose decisions are answered for: the book's where there is one."""
        return BOOK if (self.rates["decided_by"] == BOOK).any() else HISTORY

    def headline(self) -> tuple[Fact, ...]:
        """Return the approval rate of all, of new and of returning customers, their difference, and of good ones."""
        rows = self.rates[(self.rates["by"] == "all") & (self.rates["decided_by"] == self.decider)]
        held = {str(row["customers"]): row for row in rows.to_dict("records")}
        facts = [rate_fact(f"Approval rate, {self.decider}", held["all"], "approval_rate", "events")]
        facts += [
            rate_fact(f"Of {kind} customers", held[kind], "approval_rate", "events")
            for kind in KINDS[1:]
            if kind in held
        ]
        gap = self.differences[(self.differences["by"] == "all") & (self.differences["decided_by"] == self.decider)]
        for row in gap.to_dict("records"):
            if not np.isnan(row["change"]):
                facts.append(Fact("New less returning", row["change"], "share", lower=row["lower"],
                                  upper=row["upper"], n=int(row["n"]), signed=True))  # fmt: skip
        facts.append(rate_fact("Of the money", held["all"], "value_approval_rate", "events"))
        facts.append(
            rate_fact("Of good events", held["all"], "good_approval_rate", "n_good", note=str(held["all"]["why"]))
        )
        return tuple(facts[:6])

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of segments."""
        return 1.3 + 0.34 * max(2, len(self._shown()))

    def _shown(self) -> pd.DataFrame:
        rows = self.rates[(self.rates["decided_by"] == self.decider) & (self.rates["customers"] == "all")]
        return pd.concat([rows.iloc[:1], rows.iloc[1:].nlargest(11, "events")])

    def _draw(self, ax: Axes) -> None:
        shown = self._shown()
        keys = list(zip(shown["by"], shown["segment"], strict=True))
        own = self.rates[self.rates["decided_by"] == self.decider]
        looks = {"all": (GREY, 0.0), "new": (ORANGE, -0.16), "returning": (BLUE, 0.16)}
        wanted = KINDS[1:] if (own["customers"] == "new").any() else KINDS[:1]
        for kind in wanted:
            colour, shift = looks[kind]
            rows = own[own["customers"] == kind].set_index(["by", "segment"])
            held = [rows.loc[key] if key in rows.index else None for key in keys]
            for place, row in enumerate(held):
                if row is None or not row["events"]:
                    continue
                low, at, high = (100 * float(row[f"approval_rate{end}"]) for end in ("_lower", "", "_upper"))
                ax.hlines(place + shift, low, high, color=colour, linewidth=2)
                ax.scatter([at], [place + shift], color=colour, zorder=3, label=kind if place == 0 else None)
        ax.set_yticks(
            range(len(keys)), [short(f"{by}: {name}" if by != "all" else "all") for by, name in keys], parse_math=False
        )
        ax.invert_yaxis()
        if len(wanted) > 1 and ax.get_legend_handles_labels()[0]:
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22 * 3.6 / self.height), ncols=2, frameon=False)
        style(ax, title=f"Approval rate of new and returning customers, {self.decider}", x="approved (%)", y="")


def approval_rates(
    decided: Simulation | Dataset,
    *,
    by: Iterable[str] | str | None = None,
    new: str | None = None,
    entity: str | None = None,
    asof: str | pd.Timestamp | None = None,
) -> ApprovalRates:
    """Return who is approved, by segment and by new or returning customer, in count, in money and of good events.

    Use it beside every figure of loss: what a rule refuses is not in them. Read the good approval rate as the share of
    honest events that pass; where history stopped events and let none through, it is only bounded.

    Parameters
    ----------
    decided : Simulation or Dataset
        With a simulation also what its book decides; with events what history did (the role `outcome`).
    by : sequence of str, optional
        Columns to break down by; by default the region and the role `segments`.
    new : str, optional
        A column that says who is new: true or false, yes or no, new or returning; by default the first event of the
        entity, that has no earlier order and no old account where the events tell (`buyer_orders`, `buyer_age_days`
        of `buyer_id`).
    entity : str, optional
        Whose events they are: by default the first of the role `entities`.
    asof : str or Timestamp, optional
        Only verdicts known by then count; a simulation has its own.

    Returns
    -------
    ApprovalRates
        Tables rates, differences.

    Raises
    ------
    DataError
        When nothing was decided: events without the role `outcome`; or a column has too many values.
    ParameterError
        When it is neither a simulation nor a dataset.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> frame = pd.DataFrame({"id": range(600), "buyer": [k % 300 for k in range(600)],
    ...     "at": pd.date_range("2026-01-01", periods=600, freq="h"), "fraud": 0,
    ...     "done": ["block" if k < 300 and k % 5 == 0 else "approve" for k in range(600)]})
    >>> events = rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", outcome="done", entities="buyer"))
    >>> found = rb.approval_rates(events)
    >>> found.frame()[["customers", "events", "approval_rate"]]
       customers  events  approval_rate
    0        all     600            0.9
    1        new     300            0.8
    2  returning     300            1.0
    """
    begun = time.perf_counter()
    if isinstance(decided, Simulation):
        events, labels, level = decided.hits.dataset, decided.hits.labels, decided.hits.resolution.level
        book = decided.hits.book.hash
    else:
        a_dataset(decided, name="decided")
        events, level, book = decided, None, None
        labels = label_state(events, asof=asof) if events.has("label") else None  # type: ignore[assignment]
    owner = _entity(events, entity)
    customer = np.arange(events.rows) if owner is None else _customers(events, owner)
    fresh, told = _new(events, owner, new)
    passes = np.array([rung.effect in ("none", "friction") for rung in ladder(events.domain).rungs])
    deciders: dict[str, Mask] = {}
    chosen = inclusion(events, labels) if labels is not None else None
    if events.has("outcome"):
        deciders[HISTORY] = _history(events, passes, chosen)
    if level is not None:
        deciders[BOOK] = passes[level]
    if not deciders:
        raise DataError("It is not known what was decided", hint="name the role 'outcome', or simulate a book")
    known = np.ones(events.rows, dtype=bool)
    if HISTORY in deciders:
        done, words = events.segment(str(events.roles.outcome))
        known = np.array([word != "(missing)" for word in words], dtype=bool)[done]
    rates, differences = [], []
    for decider, approved in deciders.items():
        rows = known if decider == HISTORY else np.ones(events.rows, dtype=bool)
        for column, codes, names in _splits(events, by):
            rates.append(_rates(events, decider, column, codes, names, approved, rows, customer, fresh, labels, chosen))
            if fresh is not None:
                differences.append(_gaps(decider, column, codes, names, approved, rows, customer, fresh))
    frame = pd.concat(rates, ignore_index=True)
    apart = _discovered(pd.concat(differences, ignore_index=True)) if differences else pd.DataFrame(columns=_GAPS)
    return ApprovalRates(
        rates=frame,
        differences=apart,
        currency=events.currency.code if events.roles.amount else "",
        entity=owner,
        pages={"rates": rates_page(frame, BOOK if BOOK in deciders else HISTORY)},
        notes=tuple(filter(None, (told, drawn_note(chosen)))),
        grounds=grounds_of(frame, chosen, labels, BOOK if BOOK in deciders else HISTORY),
        provenance={
            "dataset": events.fingerprint,
            "book": book,
            "label_recipe": labels.recipe if labels is not None else "no label given",
            "parameters": {
                "by": [column for column, *_ in _splits(events, by)], "new": new, "entity": owner,
                "asof": None if asof is None else str(asof),
            },
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )  # fmt: skip


_GAPS = "decided_by by segment new returning change lower upper p q n".split()


def _entity(events: Dataset, entity: str | None) -> str | None:
    if entity is not None:
        return events.resolve(entity)
    return events.roles.entities[0] if events.roles.entities else None


def _customers(events: Dataset, owner: str) -> Ints:
    """Return whose each event is; an event of nobody is its own."""
    codes, names = events.segment(owner)
    return np.where(events.column(owner).present, codes, len(names) + np.arange(events.rows)).astype(np.int64)


def _new(events: Dataset, owner: str | None, new: str | None) -> tuple[Mask | None, str]:
    """Return who is new, and how that was told."""
    if new is not None:
        codes, names = events.segment(new)
        said = [name.casefold().strip() for name in names]
        strange = [name for name, word in zip(names, said, strict=True) if word not in _NEW | _OLD]
        if strange:
            raise ParameterError(
                f"The column {new!r} does not say who is new",
                got=listed(strange),
                allowed=listed((*_NEW, *_OLD), most=20),
            )
        blank = int(np.isin(codes, [place for place, word in enumerate(said) if word == "(missing)"]).sum())
        lack = f" {blank:,} events where it says nothing count as returning." if blank else ""
        return np.array([word in _NEW for word in said], dtype=bool)[codes], f"New is who {new!r} says.{lack}"
    if owner is None or not events.has("time"):
        return None, "Who is new is not measurable: name the roles time and entities."
    time = events.column("time")
    codes = np.where(events.column(owner).present & time.present, events.segment(owner)[0].astype(np.int64), -1)
    when = time.values.astype(np.int64)
    seen = Activity.of(codes, when)  # type: ignore[arg-type]
    safe = np.maximum(codes, 0)
    first = int(when[time.present].min()) if time.present.any() else 0
    fresh = seen.count(safe, np.full(len(when), first), when) == 0
    fresh |= codes < 0
    stem = owner.removesuffix("_id")
    for name, most in ((f"{stem}_orders", 0.0), (f"{stem}_age_days", _YOUNG)):
        if name in events.names and events.kinds[name] in ("int", "float"):
            column = events.column(name)
            fresh &= ~column.present | (column.values <= most)
            return fresh, f"New: no earlier event of {owner}, and {name} at most {most:g}."
    return fresh, f"New: no earlier event of {owner} in the data, which may begin after a customer did."


def _history(events: Dataset, passes: Mask, chosen: Inclusion | None) -> Mask:
    """Return what history's rules approved: who was only let through at random was not."""
    steps = ladder(events.domain)
    codes, names = events.segment(str(events.roles.outcome))
    each = np.array([name != "(missing)" and bool(passes[steps.level(name)]) for name in names], dtype=bool)
    approved = each[codes]
    return approved if chosen is None else approved & ~chosen.drawn


def _splits(events: Dataset, by: Iterable[str] | str | None) -> list[tuple[str, Ints, list[str]]]:
    wanted = listed_names(by, name="by") if by is not None else ("region", *events.roles.segments)
    held = [("all", np.zeros(events.rows, dtype=np.int64), ["all"])]
    for name in dict.fromkeys(wanted):
        region = name == "region" and "region" not in events.names
        if by is None and name == "region" and events.roles.region is None:
            continue
        codes, names = events.regions if region else events.segment(name)
        if by is None and len(names) < 2:
            continue
        if len(names) > _MOST:
            if by is None:
                continue
            raise DataError(f"{name!r} has {len(names):,} values, too many for segments", allowed=f"at most {_MOST}")
        held.append((name, codes.astype(np.int64), list(names)))
    return held


def _rates(  # noqa: PLR0917
    events: Dataset, decider: str, column: str, codes: Ints, names: list[str], approved: Mask, rows: Mask,
    customer: Ints, fresh: Mask | None, labels: LabelState | None, chosen: Inclusion | None,
) -> pd.DataFrame:  # fmt: skip
    """Return the rates of one column's segments, of all, new and returning customers."""
    money = worth(events).value.astype(np.float64) if events.roles.amount else None
    parts = {"all": rows} if fresh is None else {"all": rows, "new": rows & fresh, "returning": rows & ~fresh}
    tables = []
    for kind, mask in parts.items():
        at = np.flatnonzero(mask)
        cell, who, done = codes[at], customer[at], approved[at].astype(np.float64)
        held = shares(cell, who, done, np.ones(len(at)), size=len(names))
        columns: dict[str, object] = {
            "decided_by": decider, "by": column, "segment": names, "customers": kind, "events": held.n,
            **_named("approval_rate", held.value, held.lower, held.upper),
        }  # fmt: skip
        blank = np.full(len(names), np.nan)
        if money is not None:
            paid = shares(cell, who, done, np.maximum(money[at], 0.0), size=len(names))
            columns |= _named("value_approval_rate", paid.value, paid.lower, paid.upper)
        else:
            columns |= _named("value_approval_rate", blank, blank, blank)
        columns |= _good(events, labels, chosen, at, cell, who, done, len(names))
        tables.append(pd.DataFrame(columns))
    frame = pd.concat(tables, ignore_index=True)
    order = np.argsort(np.tile(np.arange(len(names)), len(parts)), kind="stable")
    frame = frame.iloc[order]
    return frame[(frame["events"] > 0) | (frame["by"] == "all")].reset_index(drop=True)


def _good(  # noqa: PLR0917
    events: Dataset,
    labels: LabelState | None,
    chosen: Inclusion | None,
    at: Ints,
    cell: Ints,
    who: Ints,
    done: Floats,
    size: int,
) -> dict[str, object]:
    """Return the share of good events that is approved; bounds where too few stand for those that history stopped."""
    blank = np.full(size, np.nan)
    if labels is None or chosen is None:
        why = ["no label"] * size
        return {**_named("good_approval_rate", blank, blank, blank), "n_good": np.zeros(size, np.int64), "why": why}
    own = np.full(events.rows, -1, dtype=np.int64)
    own[at] = cell
    bears = has_verdict(events, labels)[0]
    told_by = chosen.within_each(own, bears)
    few = np.bincount(cell[(told_by.never & ~chosen.never)[at]], minlength=size)
    seen = np.bincount(cell[(chosen.drawn & bears)[at]], minlength=size)
    good = labels.state[at] == GOOD
    weight = np.where(good, told_by.weight[at], 0.0)
    held = shares(cell, who, done, weight, size=size)
    never = told_by.never[at]
    mute = np.bincount(cell[never], minlength=size)
    least = shares(cell, who, np.where(never, 0.0, done), np.where(never, 1.0, weight), size=size)
    most = shares(cell, who, done, np.where(never, 1.0, weight), size=size)
    told = (mute == 0) & (held.n > 0)
    any_good = held.n > 0
    why = [
        ""
        if told[k]
        else few_drawn_words(int(few[k]), int(seen[k]), what="events")
        if any_good[k] and few[k]
        else f"history stopped {mute[k]:,} events that nobody let through"
        if any_good[k]
        else "no good event"
        for k in range(size)
    ]
    lower = np.where(told, held.lower, np.where(any_good, least.lower, np.nan))
    upper = np.where(told, held.upper, np.where(any_good, np.fmax(held.upper, most.upper), np.nan))
    columns = _named("good_approval_rate", np.where(told, held.value, np.nan), lower, upper)
    return {**columns, "n_good": held.n, "why": why}


def _gaps(  # noqa: PLR0917
    decider: str, column: str, codes: Ints, names: list[str], approved: Mask, rows: Mask, customer: Ints, fresh: Mask
) -> pd.DataFrame:
    at = np.flatnonzero(rows)
    held = gaps(codes[at], customer[at], approved[at].astype(np.float64), fresh[at], size=len(names))
    each = [
        np.bincount(codes[at][fresh[at] == kind], weights=approved[at][fresh[at] == kind], minlength=len(names))
        / np.maximum(np.bincount(codes[at][fresh[at] == kind], minlength=len(names)), 1)
        for kind in (True, False)
    ]
    return pd.DataFrame(
        {
            "decided_by": decider, "by": column, "segment": names, "new": each[0], "returning": each[1],
            "change": held.value, "lower": held.lower, "upper": held.upper, "p": held.p, "q": np.nan,
            "n": np.bincount(codes[at], minlength=len(names)),
        }
    )  # fmt: skip


def _discovered(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the differences with their q values: all segments of one decider are one family; the whole is its own."""
    for rows in frame[frame["by"] != "all"].groupby("decided_by").groups.values():
        asked = frame.loc[rows, "p"].dropna()
        frame.loc[asked.index, "q"] = q_values(asked.to_numpy())
    whole = frame["by"] == "all"
    frame.loc[whole, "q"] = frame.loc[whole, "p"]
    for name in ("new", "returning"):
        frame.loc[frame["change"].isna(), name] = np.nan
    return frame[_GAPS]


def _named(name: str, value: Floats, lower: Floats, upper: Floats) -> dict[str, Floats]:
    return {name: value, f"{name}_lower": lower, f"{name}_upper": upper}
