"""What lies between two runs of one playbook, and what is it due to?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, style
from riskbench.display.fact import Unit
from riskbench.display.fact import number as as_text
from riskbench.errors import ParameterError, PlaybookError, listed
from riskbench.runner.apart import compared, cuts_between, on_the_same_events, rules_between
from riskbench.runner.deltas import SAME, Delta, deltas, in_words, lead, parts_in_words, table
from riskbench.runner.kept import Kept, recall
from riskbench.runner.run import Run
from riskbench.runner.shares import Shares, factors_between, parameters_between, part_of, shared

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"data": BLUE, "rules": ORANGE, "parameters": GREEN, "code": PURPLE, "unexplained": RED}
_MARKS = ("name", "rows", "first", "last", "fingerprint", "label_recipe")
_WORDS = {"first": "first event", "last": "last event", "rows": "events", "label_recipe": "label"}
_MIXABLE = {"data", "rules", "parameters"}


@result
class RunDiff(Result):
    """What lies between two runs, made by `riskbench.diff_runs`.

    Attributes
    ----------
    before, after, playbook : str
        The two runs, and the playbook of both.
    factors : tuple of str
        In what they differ: data, rules, parameters, code.
    facts : DataFrame
        One row a fact of the headline: fact, unit, currency, before, after, change (after less before), lower, upper
        (95 % of the change), how (what the interval is, or why there is none).
    parts : DataFrame
        fact, part (data, rules, parameters, code), change: what each part adds; those of a fact add up to its change.
    parameters : DataFrame
        parameter, part, before, after: those that differ.
    data : DataFrame
        what, before, after, same: name, events, span, fingerprint, label, as-of.
    rules : DataFrame
        rule, change (gained, lost, changed), what.
    cuts : DataFrame
        segment, before, after, change: the chosen cuts of calibrations.
    paired : DataFrame
        measure, only_before, only_after, difference, lower, upper, p_value, n: where both runs propose a cut on the
        same events and rules, the events that only one of the two would alert.
    summary : DataFrame
        result, table, key, before, after (rows), gained, lost, changed: one row a table that both runs hold.
    rows : DataFrame
        result, table, column, entry, change, what: the rows themselves, at most 200 of a kind and table; entry is a
        value of the column, or of the columns, that tell rows apart.
    runs : int
        How many runs the sharing out took.
    why : str
        Why the change could not be shared out; empty when it was, or was not asked for.
    """

    kind: ClassVar[str] = "run_diff"
    title: ClassVar[str] = "What lies between two runs"
    main: ClassVar[str] = "facts"
    repr_rows: ClassVar[int] = 30
    repr_tables: ClassVar[tuple[str, ...]] = ("parts", "parameters", "rules", "cuts", "paired", "summary", "rows")

    before: str
    after: str
    playbook: str
    factors: tuple[str, ...]
    facts: pd.DataFrame
    parts: pd.DataFrame
    parameters: pd.DataFrame
    data: pd.DataFrame
    rules: pd.DataFrame
    cuts: pd.DataFrame
    paired: pd.DataFrame
    summary: pd.DataFrame
    rows: pd.DataFrame
    runs: int = 0
    why: str = ""
    lead: Delta | None = None
    _place: Path | None = None

    @property
    def same(self) -> bool:
        """Whether data, rules, parameters, every fact of the headline and every row compared are the same."""
        return not (set(self.factors) & _MIXABLE or len(self.rows)) and set(self.facts["how"]) <= {SAME}

    def headline(self) -> tuple[Fact, ...]:
        """Return whether they are the same, in what they differ, and what the first figure that moved is due to."""
        if self.same:
            note = "the code has moved" if "code" in self.factors else ""
            return (Fact("The two runs are", "the same", "text", note=note),)
        told = listed(map(self._named, self.factors)) if self.factors else "their results alone"
        found = [Fact("The two runs differ in", told, "text")]
        if self.lead is not None:
            found.append(self.lead.as_fact())
            for part, change in self._shares:
                money = self.lead.currency
                unit: Unit = "average" if self.lead.unit == "count" else self.lead.unit
                found.append(Fact(f"of it by {part}", change, unit, currency=money, signed=True))
        return tuple(found[:6])

    def _named(self, part: str) -> str:
        """Return a part with the parameters that make it differ."""
        names = self.parameters.loc[self.parameters["part"] == part, "parameter"]
        return f"{part} ({listed(names, most=4)})" if len(names) else part

    @property
    def _shares(self) -> list[tuple[str, float]]:
        """What each part adds to the leading figure."""
        own = self.parts if self.lead is None else self.parts[self.parts["fact"] == self.lead.fact]
        return [(str(part), float(change)) for part, change in zip(own["part"], own["change"], strict=True)]

    @property
    def alt(self) -> str:
        """The picture in words."""
        return f"{self.title}: run {self.before}, then run {self.after}. " + ". ".join(map(str, self.headline()))

    @property
    def drawable(self) -> bool:
        """Whether there is a figure that moved to draw."""
        return self.lead is not None and not self.same

    def _draw(self, ax: Axes) -> None:
        held = self.lead
        if held is None or isinstance(held.before, str) or isinstance(held.after, str):
            return
        first, last = float(held.before or 0), float(held.after or 0)
        bars, at = [("before", 0.0, first, GREY)], first
        for part, change in self._shares:
            bars.append((part, at, change, _COLOURS.get(part, GREY)))
            at += change
        bars.append(("after", 0.0, last, GREY))
        unit: Unit = "average" if held.unit == "count" else held.unit
        for place, (_, bottom, height, colour) in enumerate(bars):
            ax.bar(place, height, bottom=bottom, color=colour, width=0.62)
            inner = 0 < place < len(bars) - 1
            up, told = height >= 0, as_text(height, unit, signed=inner)
            beside = {"textcoords": "offset points", "ha": "center", "va": "bottom" if up else "top", "fontsize": 9}
            ax.annotate(told, (place, bottom + height), (0, 3 if up else -3), **beside)  # type: ignore[arg-type]
        ax.axhline(0, color="#444444", linewidth=0.8)
        hung = [bottom + height for _, bottom, height, _ in bars if height < 0]  # their figures stand below
        ends = [0.0, *(end for _, bottom, height, _ in bars for end in (bottom, bottom + height))]
        room = 0.14 * (max(ends) - min(ends)) or 1.0  # for the figures beside the bars
        ax.set_ylim(min([*ends, *(end - room for end in hung)]), max(ends) + room)
        ax.set_xticks(range(len(bars)), [label for label, *_ in bars])
        ax.yaxis.set_major_formatter(lambda value, _: as_text(value, unit))
        style(ax, title=_short(held.fact), x="", y=_axis(held))

    def page(self) -> str:
        """Return the difference as one self-contained HTML page, which names no buyer and no device."""
        from riskbench.runner.difference_page import page_of

        return page_of(self, self._place)


def _axis(held: Delta) -> str:
    units = {"share": "share", "money": held.currency or "money", "average": "on average", "number": "value"}
    return units.get(held.unit, held.unit)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def diff_runs(
    a: Run | str | Path,
    b: Run | str | Path,
    *,
    explain: bool = True,
    jobs: int = 2,
    out: str | Path = "runs",
    store: str | None = None,
) -> RunDiff:
    """Return what lies between two runs of one playbook: from `a`, the earlier, to `b`.

    Use it when a figure is not what it was, or a page is to replace another. Read `parts` first: how much of each
    figure's change is due to other data, other rules, other parameters or other code. Where more than one of them
    differs the mixed cases are run, at most six, in a folder apart, and each part is its mean effect over all orders in
    which they can be exchanged (Shapley), so that the parts add up exactly.

    The interval of a change takes the two estimates as independent, by squaring and adding their margins (Zou and
    Donner 2008). On the same events it is as a rule too wide: `paired` then tells what the same events say.

    Parameters
    ----------
    a, b : Run, str or Path
        The runs: id or the beginning of it, folder, or page.
    explain : bool
        Whether mixed cases are run to share the change out.
    jobs : int, 1 or 2
        How many of them run at once.
    out : str or Path
        The folder of the run folders.
    store : str, optional
        The URL of the store that keeps the ledger.

    Returns
    -------
    RunDiff
        `.same`, tables `facts`, `parts`, `parameters`, `data`, `rules`, `cuts`, `paired`, `summary`, `rows`.

    Raises
    ------
    RiskbenchError
        When there is no such run, or the two are of different playbooks.

    Examples
    --------
    >>> from pathlib import Path
    >>> from riskbench.display import Fact
    >>> from riskbench import diff_runs
    >>> import json, tempfile
    >>> folders = []
    >>> for letter, limit, alerts in (("a", 0.05, 120), ("b", 0.03, 80)):
    ...     folders.append(Path(tempfile.mkdtemp()))
    ...     record = {"id": f"20260102-0000000{letter}", "playbook": "watch", "status": "done"}
    ...     record |= {"parameters": {"limit": limit}, "headline": [Fact("Alerts", alerts, "count").to_dict()]}
    ...     _ = (folders[-1] / "run.json").write_text(json.dumps(record))
    >>> found = diff_runs(*folders, out=folders[0])
    >>> found
    RunDiff(The two runs differ in: parameters (limit); Alerts: change: -40; of it by parameters: -40)
    >>> found.frame("parameters")
      parameter        part before after
    0     limit  parameters   0.05  0.03
    """
    if isinstance(jobs, bool) or jobs not in (1, 2):
        raise ParameterError("Cases run one by one, or two at once", got=repr(jobs), allowed="jobs=1 or jobs=2")
    before, after = (recall(run, out=out, store=store) for run in (a, b))
    if before.playbook != after.playbook:
        raise PlaybookError(
            "The two runs are of different playbooks",
            got=f"{before.playbook[:80]} and {after.playbook[:80]}",
            hint="compare runs of one playbook; `riskbench runs` lists them",
        )
    factors = factors_between(before, after)
    found = deltas(before.facts, after.facts, same_events="data" not in factors)
    shares = shared(before, after, jobs=jobs) if explain else Shares()
    summary, rows = compared(before, after)
    parts = [(name, part, float(value)) for name, held in shares.parts.items() for part, value in held.items()]
    return RunDiff(
        before=before.id,
        after=after.id,
        playbook=after.playbook,
        factors=factors,
        facts=table(found),
        parts=pd.DataFrame(parts, columns=["fact", "part", "change"]),
        parameters=_parameters(before, after),
        data=_data(before, after),
        rules=rules_between(before.book, after.book),
        cuts=cuts_between(before, after),
        paired=_paired(before, after, factors),
        summary=summary,
        rows=rows,
        runs=shares.runs,
        why=shares.why,
        lead=lead(found),
        _place=after.folder,
        notes=tuple(_remarks(before, after, factors, shares, explain=explain)),
        pages={
            "facts": ("The headline", in_words(found)),
            "parts": ("What it is due to", parts_in_words(found, shares.parts)),
        },
        provenance={"dataset": after.mark("data").get("fingerprint"), "book": after.mark("book").get("hash")},
    )


def _remarks(before: Kept, after: Kept, factors: Sequence[str], shares: Shares, *, explain: bool) -> Iterator[str]:
    for kept, which in ((before, "before"), (after, "after")):
        if kept.status != "done":
            yield f"The run {which} ended as {kept.status or 'nobody knows what'}, without an answer."
        if kept.folder is None:
            yield f"Of the run {which} only the ledger is left: {kept.problem}."
        elif not kept.vouched:
            yield f"No ledger vouches for the folder of the run {which}; `riskbench verify` says more."
        if kept.mark("book").get("path") is not None and kept.book is None and "rules" in factors:
            yield f"The text of the rule book of the run {which} was not kept, so what its rules change is not told."
    if shares.why:
        yield f"What the change is due to is not measurable: {shares.why}."
    yield from (f"{name}: what its change is due to is {why}." for name, why in shares.open.items())
    mixed = len(set(factors) & _MIXABLE) > 1
    if mixed and not explain:
        yield "What the change is due to was not asked for."
    if mixed and explain and not shares.why:
        yield "A part is the mean of what it changes over all orders of exchange: arithmetic, without an interval."


def _parameters(before: Kept, after: Kept) -> pd.DataFrame:
    old, new = before.parameters, after.parameters
    rows = [
        (name, part_of(name, before, after) or "not read", _said(old.get(name)), _said(new.get(name)))
        for name in parameters_between(before, after)
    ]
    return pd.DataFrame(rows, columns=["parameter", "part", "before", "after"])


def _said(value: object) -> str:
    return "none" if value is None else str(value)[:200]


def _data(before: Kept, after: Kept) -> pd.DataFrame:
    old, new = before.mark("data"), after.mark("data")
    pairs = [(_WORDS.get(name, name), old.get(name), new.get(name)) for name in _MARKS]
    pairs.append(("labels known as of", before.parameters.get("asof") or "all", after.parameters.get("asof") or "all"))
    pairs.append(("score", before.stamp.get("score"), after.stamp.get("score")))
    rows = [(what, _mark(was), _mark(came), was == came) for what, was, came in pairs]
    return pd.DataFrame(rows, columns=["what", "before", "after", "same"])


def _mark(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) < 10**15 else "a huge number"
    text = "none" if value is None else str(value)
    return text[:16] if len(text) == 64 and text.isalnum() else text[:300]


def _paired(before: Kept, after: Kept, factors: Sequence[str]) -> pd.DataFrame:
    from riskbench.data.outcomes import ladder
    from riskbench.data.roles import DOMAINS

    domain = after.mark("data").get("domain")
    if {"data", "rules"} & set(factors) or domain not in DOMAINS:
        return on_the_same_events(None, None, lowest="")
    return on_the_same_events(before, after, lowest=ladder(domain).names[0])
