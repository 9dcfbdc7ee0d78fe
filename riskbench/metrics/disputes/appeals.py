"""Who was wrongly held or stopped, as far as appeals tell: how many appeal, win, wait, and what was frozen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.doors import a_dataset
from riskbench.data.outcomes import ladder
from riskbench.display import Fact, Grounds, Result, result
from riskbench.display.chart import BLUE, GREY, style
from riskbench.engine.columns import DAY
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError, listed, nearest
from riskbench.metrics.growth.survival import median_days
from riskbench.metrics.intervals import sum_interval, wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: What an appeal's verdict may say.
OVERTURNED, UPHELD = "overturned", "upheld"
#: Fewer decided appeals than this bear no rate.
FEWEST = 10
#: Fewer actions than this are told together, so that nobody is pointed at.
SMALL_CELL = 5


@result
class Appeals(Result):
    """What appeals say about the actions of the rules.

    Attributes
    ----------
    groups : DataFrame
        One row a value of each column of `by`, and one for all: by, group, actions, appealed, appeal_rate, decided,
        pending, overturned, overturn_rate, each rate with `_lower` and `_upper` (95 %); insult_floor_rate
        (overturned over actions: at least so many were wrong); days_median with ends (from filing to decision, pending
        appeals taken into account; from 10 dated appeals on), wrongly_frozen_value with ends (major units), frozen_days
        (value times days until it was freed, over that value), status.
    actions, appealed, overturned : int
        How many events were held or stopped, were appealed, and won.
    """

    kind: ClassVar[str] = "appeals"
    title: ClassVar[str] = "Appeals"
    main: ClassVar[str] = "groups"
    repr_rows: ClassVar[int] = 16
    repr_columns: ClassVar[tuple[str, ...]] = (
        "by",
        "group",
        "actions",
        "appeal_rate",
        "decided",
        "overturn_rate",
        "overturn_rate_lower",
        "overturn_rate_upper",
        "insult_floor_rate",
        "days_median",
        "wrongly_frozen_value",
        "status",
    )

    groups: pd.DataFrame
    actions: int
    appealed: int
    overturned: int
    currency: str
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return the share of appeals that win, what that says at least about insults, the days, and the money."""
        return self.facts

    @property
    def _drawn(self) -> pd.DataFrame:
        shown = self.groups[self.groups["overturn_rate"].notna()]
        return shown.nlargest(14, "actions").iloc[::-1]

    @property
    def drawable(self) -> bool:
        """Whether any group has a rate to show."""
        return len(self._drawn) > 0

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of groups."""
        return 1.2 + 0.32 * max(1, len(self._drawn))

    def _draw(self, ax: Axes) -> None:
        shown = self._drawn
        place, rate = np.arange(len(shown)), 100 * shown["overturn_rate"].to_numpy()
        colours = [BLUE if by == "all" else GREY for by in shown["by"]]
        ends = 100 * shown[["overturn_rate_lower", "overturn_rate_upper"]].to_numpy()
        ax.hlines(place, ends[:, 0], ends[:, 1], color=colours, linewidth=2)
        ax.scatter(rate, place, color=colours, zorder=3)
        names = [f"{group} ({decided:,})" for group, decided in zip(shown["group"], shown["decided"], strict=True)]
        ax.set_yticks(place, names, parse_math=False)
        ax.set_xlim(-2, 102)
        style(ax, title="Appeals that win, 95 % interval (decided appeals)", x="decided appeals that win (%)", y="")


def appeals(
    events: Dataset,
    filed: pd.DataFrame,
    *,
    by: Iterable[str] = (),
    asof: str | pd.Timestamp | None = None,
) -> Appeals:
    """Return what appeals say about who was wrongly held or stopped, by rule and market.

    Use it each month, and before a rule that stops is kept. An event that was held or stopped is an action. Read
    `insult_floor_rate` as: at least so many of the actions were wrong, for most who are wrongly stopped never appeal;
    it is a lower bound on the insult, never its size. Appeals that are not decided yet count in no rate, and in the
    days as what they have waited so far.

    Parameters
    ----------
    events : Dataset
        Events with the role outcome.
    filed : DataFrame
        One row an appeal: the event's id (under the name of the role id, or `event_id`), `verdict` (overturned, upheld
        or missing), and where known `filed_at`, `decided_at` (UTC) and further columns to break down by, such as
        `rule`. The last appeal of an event counts.
    by : iterable of str
        Columns of the events or of `filed` to break down by; by default the region, and `rule` where there is one.
        A column of `filed` tells of appealed actions only, so its appeal rate is not measurable.
    asof : str or Timestamp, optional
        Only actions, appeals and decisions up to then count (UTC).

    Returns
    -------
    Appeals
        Table `groups`.

    Raises
    ------
    DataError
        When there is no outcome, the appeals lack a column, or a verdict is none.
    ColumnNotFoundError
        When a column to break down by is in neither.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> events = rb.read(
    ...     pd.DataFrame({"id": range(200), "outcome": ["block"] * 100 + ["approve"] * 100, "amount": 10.0}),
    ...     roles=rb.Roles(id="id", outcome="outcome", amount="amount"),
    ... )
    >>> filed = pd.DataFrame({"id": range(20), "verdict": ["overturned"] * 12 + ["upheld"] * 8})
    >>> rb.appeals(events, filed).frame()[["actions", "appealed", "overturned", "overturn_rate", "insult_floor_rate"]]
       actions  appealed  overturned  overturn_rate  insult_floor_rate
    0      100        20          12            0.6               0.12

    Source: Kaplan, E. L. and Meier, P. (1958), JASA 53, 457-481, for the days with appeals still pending.
    """
    a_dataset(events)
    if not events.has("outcome"):
        raise DataError("There is no outcome, and so no action to appeal", hint="name the role 'outcome'")
    end = None if asof is None else micros(asof)
    acted = _acted(events, end)
    held = _filed(events, filed, end)
    row = pd.Series(np.arange(events.rows), index=events.column(events.roles.id).to_arrow().to_pandas().astype(str))
    row = row[~row.index.duplicated(keep="first")]
    place = row.reindex(held["id"])
    inside = place.notna().to_numpy()
    place_of = place[inside].to_numpy().astype(np.intp)
    kept = held[inside].reset_index(drop=True)
    on_action = acted[place_of]
    stray = int((~inside).sum() + (~on_action).sum())
    kept, place_of = kept[on_action].reset_index(drop=True), place_of[on_action]
    money = events.minor(events.roles.amount) / events.currency.scale if events.roles.amount else None
    state = _State(acted, place_of, kept, money, end)
    if isinstance(by, Mapping) or not isinstance(by, Iterable):
        raise ParameterError("`by` is a list of columns", got=repr(by)[:80])
    names = tuple(by) if not isinstance(by, str) else (by,)
    if not all(isinstance(one, str) for one in names):
        raise ParameterError("`by` is a list of columns", got=repr(names)[:80])
    if not names:
        names = (*(("region",) if events.roles.region else ()), *(("rule",) if "rule" in kept else ()))
    rows = [state.line("all", "all", acted, np.ones(len(kept), dtype=bool))]
    for name in names:
        rows += _split(events, state, name)
    groups = pd.DataFrame(rows, columns=_COLUMNS)
    whole = groups.iloc[0]
    code = events.currency.code if money is not None else ""
    return Appeals(
        groups=groups,
        actions=int(whole["actions"]),
        appealed=int(whole["appealed"]),
        overturned=int(whole["overturned"]),
        currency=code,
        facts=_facts(whole, code),
        grounds=_grounds(whole, asof),
        notes=_notes(events, whole, stray=stray, money=money is not None),
        provenance={
            "dataset": events.fingerprint,
            "parameters": {"by": list(names), "asof": None if asof is None else str(asof)},
        },
    )


_COLUMNS = (
    "by group actions appealed appeal_rate appeal_rate_lower appeal_rate_upper decided pending overturned "
    "overturn_rate overturn_rate_lower overturn_rate_upper insult_floor_rate insult_floor_rate_lower "
    "insult_floor_rate_upper days_median days_median_lower days_median_upper wrongly_frozen_value "
    "wrongly_frozen_value_lower wrongly_frozen_value_upper frozen_days status"
).split()


class _State:
    """The actions, and the appeals against them."""

    def __init__(
        self, acted: Mask, row: npt.NDArray[np.intp], kept: pd.DataFrame, money: Floats | None, end: int | None
    ) -> None:
        self.acted, self.row, self.kept, self.money = acted, row, kept, money
        verdict = kept["verdict"].to_numpy(dtype=object)
        self.decided = np.array([word in (OVERTURNED, UPHELD) for word in verdict], dtype=bool)
        self.won = np.array([word == OVERTURNED for word in verdict], dtype=bool)
        self.waited = _waited(kept, self.decided, end)

    def line(self, by: str, group: str, acted: Mask | None, mine: Mask) -> tuple[object, ...]:
        """Return one row; without the actions only what appeals themselves tell."""
        actions = None if acted is None else int(acted.sum())
        appealed, decided = int(mine.sum()), int((mine & self.decided).sum())
        won = int((mine & self.won).sum())
        nothing = (None, None, None)
        appeal = nothing if not actions else tuple(float(x) for x in wilson(appealed, actions))
        floor = nothing if not actions else tuple(float(x) for x in wilson(won, actions))
        overturn = nothing if decided < FEWEST else tuple(float(x) for x in wilson(won, decided))
        frozen: tuple[float | None, ...] = (*nothing, None)
        rows = self.row[mine & self.won]
        if self.money is not None:
            value = np.abs(self.money[rows])
            total = float(value.sum())
            low, high = (float(end) for end in sum_interval(total, float((value**2).sum())))
            days = self.waited[mine & self.won]
            known = np.isfinite(days)
            weight = float(value[known].sum())
            frozen = (total, max(0.0, low), high, float((value * days)[known].sum()) / weight if weight else None)
        status = "measured"
        if appealed == 0:
            status = "no appeal"
        elif decided < FEWEST:
            status = f"not measurable: {decided} decided, {FEWEST} needed"
        known = mine & np.isfinite(self.waited)
        days, done = self.waited[known], self.decided[known]
        median: tuple[float | None, ...] = nothing
        if len(days) >= FEWEST:
            median = median_days(days, done, np.unique(days[done]))
        return (
            by, group, actions, appealed, *appeal, decided, appealed - decided, won, *overturn, *floor, *median,
            *frozen, status,
        )  # fmt: skip


def _acted(events: Dataset, end: int | None) -> Mask:
    """Return which events were held or stopped."""
    steps = ladder(events.domain)
    codes, names = events.segment(str(events.roles.outcome))
    held = np.zeros(len(names), dtype=bool)
    for place, name in enumerate(names):
        if name != "(missing)":
            rung = steps.rungs[steps.level(name)]
            held[place] = rung.effect in ("review", "stop") or rung.name == "hold"
    acted: Mask = held[codes]
    if end is not None and events.has("time"):
        time = events.column("time")
        acted &= time.present & (time.values <= end)
    return acted


def _filed(events: Dataset, filed: pd.DataFrame, end: int | None) -> pd.DataFrame:
    """Return the appeals with a text id and known verdicts, one an event."""
    if not isinstance(filed, pd.DataFrame):
        raise ParameterError("The appeals come as a DataFrame", got=type(filed).__name__)
    known = next((name for name in (events.roles.id, "event_id") if name in filed), None)
    if known is None:
        raise DataError(
            "The appeals name no event",
            got=listed(filed.columns),
            allowed=f"a column {events.roles.id!r} or 'event_id'",
        )
    if "verdict" not in filed:
        raise DataError("The appeals have no verdict", got=listed(filed.columns), allowed="a column 'verdict'")
    held = filed.rename(columns={known: "id"}).copy()
    held = held[held["id"].notna()]
    held["id"] = held["id"].astype(str)
    for name in ("filed_at", "decided_at"):
        if name in held:
            held[name] = _times(held[name], name)
    said = held["verdict"].map(lambda word: None if pd.isna(word) else str(word).strip().casefold())
    wrong = sorted({str(word) for word in said.dropna() if word not in (OVERTURNED, UPHELD)})
    if wrong:
        close = nearest(wrong[0], (OVERTURNED, UPHELD))
        raise DataError(
            "An appeal's verdict is none",
            got=listed(wrong[:5]),
            allowed=f"{OVERTURNED}, {UPHELD} or missing",
            hint=f"did you mean {close!r}?" if close else None,
        )
    held["verdict"] = said
    if end is not None:
        stamp = pd.Timestamp(end, unit="us", tz="UTC")
        if "filed_at" in held:
            held = held[held["filed_at"].isna() | (held["filed_at"] <= stamp)]
        if "decided_at" in held:
            late = held["decided_at"] > stamp
            held.loc[late, "verdict"] = None
            held.loc[late, "decided_at"] = pd.NaT
    order = [name for name in ("filed_at", "decided_at") if name in held]
    if order:
        held = held.sort_values(order, kind="stable", na_position="first")
    return held.drop_duplicates("id", keep="last").sort_values("id", kind="stable").reset_index(drop=True)


def _times(column: pd.Series, name: str) -> pd.Series:
    try:
        return pd.to_datetime(column, utc=True)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"The appeals' {name} holds no times", got=str(column.dropna().iloc[:1].tolist())) from error


def _waited(kept: pd.DataFrame, decided: Mask, end: int | None) -> Floats:
    """Return the days from filing to decision, or to the as-of moment where it is pending; NaN where not known."""
    if "filed_at" not in kept or not len(kept):
        return np.full(len(kept), np.nan)
    filed = kept["filed_at"]
    done = kept["decided_at"] if "decided_at" in kept else pd.Series(pd.NaT, index=kept.index, dtype=filed.dtype)
    last = pd.Timestamp(end, unit="us", tz="UTC") if end is not None else max(filed.max(), done.max(), key=_known)
    until = done.where(pd.Series(decided, index=kept.index), last)
    days = (until - filed).dt.total_seconds() / (DAY / 1e6)
    return np.asarray(days.clip(lower=0.0), dtype=np.float64)


def _known(moment: pd.Timestamp) -> int:
    return -(2**62) if pd.isna(moment) else int(moment.value)


def _split(events: Dataset, state: _State, name: str) -> list[tuple[object, ...]]:
    """Return one row a value of a column; values with few actions stand together."""
    region = name == "region" and events.roles.region is not None and "region" not in events.names
    if region or name in events.table or name in events.roles.named():
        codes, words = events.regions if region else events.segment(name)
        counts = np.bincount(codes[state.acted], minlength=len(words))
        small = (counts > 0) & (counts < SMALL_CELL)
        lines = [
            state.line(name, words[place], state.acted & (codes == place), codes[state.row] == place)
            for place in np.flatnonzero((counts > 0) & ~small)
        ]
        if small.any():
            lines.append(
                state.line(name, "(few actions)", state.acted & small[codes], np.asarray(small[codes[state.row]]))
            )
        return lines
    if name in state.kept:
        words_ = state.kept[name].map(lambda word: "(missing)" if pd.isna(word) else str(word)).to_numpy(dtype=object)
        return [state.line(name, word, None, words_ == word) for word in sorted(set(words_))]
    raise ColumnNotFoundError.among(name, [*events.names, *(str(column) for column in state.kept.columns)])


def _facts(whole: pd.Series, code: str) -> tuple[Fact, ...]:
    def share(name: str, column: str, n: str, note: str) -> Fact:
        value = whole[column]
        if value is None or pd.isna(value):
            return Fact(name, None, "share", n=int(whole[n]), note=note)
        return Fact(
            name,
            float(value),
            "share",
            lower=float(whole[f"{column}_lower"]),
            upper=float(whole[f"{column}_upper"]),
            n=int(whole[n]),
            note=f"of {int(whole[n]):,} {n}",
        )

    facts = [
        share("Appeals that win", "overturn_rate", "decided", "too few decided appeals"),
        share("Actions known to be wrong, at least", "insult_floor_rate", "actions", "no action"),
        share("Actions appealed", "appeal_rate", "actions", "no action"),
    ]
    days = whole["days_median"]
    facts.append(
        Fact("Median days to a decision", None, "days", note="no dates, or too few decided")
        if days is None or pd.isna(days)
        else Fact(
            "Median days to a decision",
            float(days),
            "days",
            lower=_end(whole["days_median_lower"]),
            upper=_end(whole["days_median_upper"]),
            n=int(whole["appealed"]),
        )
    )
    if code and not pd.isna(whole["wrongly_frozen_value"]):
        facts.append(
            Fact(
                "Wrongly frozen, at least",
                float(whole["wrongly_frozen_value"]),
                "money",
                lower=float(whole["wrongly_frozen_value_lower"]),
                upper=float(whole["wrongly_frozen_value_upper"]),
                n=int(whole["overturned"]),
                currency=code,
            )
        )
    return tuple(facts)


def _end(value: float | None) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _grounds(whole: pd.Series, asof: str | pd.Timestamp | None) -> Grounds:
    pending = int(whole["pending"])
    return Grounds(
        measured=f"{int(whole['decided']):,} decided appeals against {int(whole['actions']):,} events held or stopped.",
        bounded="insults are at least the overturned appeals: who does not appeal is not counted.",
        not_measurable=f"{pending:,} appeals are pending{'' if asof is None else f' on {asof}'}." if pending else "",
    )


def _notes(events: Dataset, whole: pd.Series, *, stray: int, money: bool) -> tuple[str, ...]:
    notes = []
    if stray:
        notes.append(f"{stray:,} appeals are against no held or stopped event of this data, and are left out.")
    if not money:
        notes.append("No amount: what was wrongly frozen is not measurable.")
    if int(whole["decided"]) and pd.isna(whole["days_median"]):
        notes.append(
            "The appeals bear no dates, too few do, or fewer than half are decided: the days are not measurable."
        )
    return (*notes, *events.notes)
