"""What is each rule worth, given all the others? One page: what can go, what pays, what could be made live."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from riskbench.display import Fact, Result, number, result
from riskbench.display.chart import BLUE, GREY, ORANGE, style
from riskbench.metrics.costs import Costs
from riskbench.rules.appraisal.credit import credit
from riskbench.rules.appraisal.leave_one_out import leave_one_out_regions, marginal, unlabelled
from riskbench.rules.appraisal.overlap import overlap
from riskbench.rules.appraisal.redundancy import contradictions, redundancy
from riskbench.rules.appraisal.retirement import FREE, LEVEL, Judged, judged, retirement, together, too_few
from riskbench.rules.appraisal.what_if import said
from riskbench.rules.doors import wanted
from riskbench.rules.moves import moves
from riskbench.rules.simulation import Simulation
from riskbench.rules.standing import Standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Bars in the picture, and rules named in a fact's remark.
_BARS, _NAMED = 15, 6
_COLOURS = {"keeps": BLUE, "costs more than it saves": ORANGE}


@result
class Appraisal(Result):
    """What each live rule is worth, given all the others.

    Attributes
    ----------
    rules : DataFrame
        One row a live rule, the most valuable first: rule, outcome, verdict, decides; added_net_value (what it adds
        to the others: the net value that its removal would cost, with interval), first_net_value (of the events that
        it decides, against no book), shapley_net_value (its fair share of what the book earns), q, n (the events
        whose outcome it changes), unlabelled (those of them without a verdict).
    retire : DataFrame
        The retirement list: those whose removal costs least first.
    together : DataFrame
        What removing several rules at once changes.
    marginal : DataFrame
        One row a draft or shadow rule: what making it live would change.
    net_value : float or None
        Net value of the live book against no book, in major units; events without an amount count as one.
    """

    kind: ClassVar[str] = "appraisal"
    title: ClassVar[str] = "What each rule is worth, given all the others"
    main: ClassVar[str] = "rules"
    repr_rows: ClassVar[int] = 20
    repr_tables: ClassVar[tuple[str, ...]] = ("retire",)
    next_step: ClassVar[str] = (
        '.frame("retire"), "together", "marginal", "credit", "overlap", "contradictions", "redundancy", "regions", '
        '"unlabelled"; '
        "simulation.what_if(off=[...]) tries a change"
    )
    repr_columns: ClassVar[tuple[str, ...]] = (
        "rule",
        "outcome",
        "verdict",
        "decides",
        "added_net_value",
        "added_net_value_lower",
        "added_net_value_upper",
        "first_net_value",
        "shapley_net_value",
        "n",
        "unlabelled",
    )

    rules: pd.DataFrame
    retire: pd.DataFrame
    together: pd.DataFrame
    marginal: pd.DataFrame
    net_value: float | None
    net_value_lower: float | None
    net_value_upper: float | None
    decided: int
    currency: str
    money: bool
    counted: str = ""
    window: str = ""
    few: str = ""

    def headline(self) -> tuple[Fact, ...]:
        """Return how many rules can go, what is not shown to pay, and what the book and its best draft are worth."""
        live = len(self.rules)
        if not live:
            return (Fact("Live rules", 0, "count", note="no rule of the book is live"),)
        free = self.retire[self.retire["goes"].notna()].sort_values("goes")["rule"].tolist()
        name, note = "Can go without any change", ", ".join(filter(None, [_names(free), self.few]))
        none = self.few and not free
        facts = [Fact(name, None if none else f"{len(free)} of {live}", "text", note=note)]
        for word, name in (
            ("costs more than it saves", "Cost more than they save"),
            ("not shown to pay", "Not shown to pay"),
        ):
            picked = self.retire.loc[self.retire["verdict"] == word, "rule"].tolist()
            facts.append(Fact(name, len(picked), "count", n=live, note=_names(picked)))
        freed = self.together.iloc[-1].to_dict()
        if freed["flips"]:
            facts.append(
                self._money("If all of these go", freed, f"frees {-int(freed['reviews']):,} reviews", sign=True)
            )
        book = {f"net_value{end}": getattr(self, f"net_value{end}") for end in ("", "_lower", "_upper")}
        facts.append(
            self._money("The live rules together", {**book, "flips": self.decided}, "net value, against no rule")
        )
        pays = self.marginal[self.marginal["net_value_lower"] > 0]
        if len(pays):
            best = pays.nlargest(1, "net_value").to_dict("records")[0]
            facts.append(self._money(f"Making {best['rule']} live", best, self._trial(str(best["status"])), sign=True))
        return tuple(facts[:6])

    def _trial(self, status: str) -> str:
        return f"{status}; on all events{self.window and ' ' + self.window}; a launch plan judges on the last third"

    def _money(self, name: str, row: Mapping[Any, Any], note: str, *, sign: bool = False) -> Fact:
        told = [row[f"net_value{end}"] for end in ("", "_lower", "_upper")]
        if told[0] is None or told[0] != told[0]:
            return Fact(name, None, note="no event concerned has a verdict")
        value, lower, upper = (float(end) for end in told)
        return Fact(
            name,
            value,
            "money" if self.money else "number",
            lower=lower,
            upper=upper,
            n=int(row["flips"]),
            currency=self.currency if self.money else "",
            note=note if self.money else f"{self.counted}; {note}",
            signed=sign,
        )

    @property
    def drawable(self) -> bool:
        """Whether any rule's worth is measurable."""
        return len(self._shown) > 0

    @property
    def _shown(self) -> pd.DataFrame:
        """The rules whose removal would change something that can be measured: the best and the worst of many."""
        known = self.rules[self.rules["added_net_value"].notna() & (self.rules["n"] > 0)]
        return pd.concat([known.head(_BARS - _BARS // 2), known.tail(_BARS // 2)]) if len(known) > _BARS else known

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of rules."""
        return 1.5 + 0.3 * len(self._shown)

    def _draw(self, ax: Axes) -> None:
        shown = self._shown.iloc[::-1]
        place = np.arange(len(shown))
        worth, lower, upper = (shown[f"added_net_value{end}"].to_numpy() for end in ("", "_lower", "_upper"))
        largest = float(np.abs([lower, upper, worth]).max(initial=0.0))
        scale, letter = next(((s, t) for s, t in ((1e9, "B"), (1e6, "M"), (1e3, "k")) if largest >= 10 * s), (1.0, ""))
        colours = [_COLOURS.get(verdict, GREY) for verdict in shown["verdict"]]
        ax.barh(place, worth / scale, height=0.6, color=colours, alpha=0.85)
        ax.hlines(place, lower / scale, upper / scale, color="black", linewidth=1.2)
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_yticks(place, [_short(rule) for rule in shown["rule"]])
        ax.margins(x=0.06, y=0.02)
        unit = f"{letter} {self.currency}".strip() if self.money else self.counted
        style(
            ax,
            title="What each rule adds to the others, 95 % interval\n(blue: pays; grey: not shown; orange: costs)",
            x=f"net value that its removal would cost ({unit})",
            y="",
        )


def appraise(simulation: Simulation, *, costs: Costs | Mapping[str, float] | None = None) -> Appraisal:
    """Return what each live rule is worth, given all the others.

    Use it to clean up a book: which rules can go without any change, which are not shown to pay, which draft would
    pay if it were live. Read `added_net_value` as what the book would lose without the rule; a rule whose events
    others would catch as well adds little, however good it looks alone.

    Parameters
    ----------
    simulation : Simulation
        The book on events.
    costs : Costs or mapping, optional
        Other costs than those of the simulation.

    Returns
    -------
    Appraisal
        Table `rules`; tables `retire`, `together`, `marginal`; on request `credit`, `overlap`, `contradictions`,
        `redundancy`, `regions`, `unlabelled` (why the events that a rule's removal moves have no verdict).

    Raises
    ------
    ParameterError
        For a cost that does not exist or is out of range.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> events = rb.read(
    ...     pd.DataFrame({"id": [1, 2, 3], "amount": [10.0, 700.0, 900.0], "fraud": [0, 0, 1]}),
    ...     roles=rb.Roles(id="id", amount="amount", label="fraud"),
    ... )
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: amount > 500, outcome: review, status: live}
    ...   - {id: TX-2, when: amount > 600, outcome: review, status: live}
    ...   - {id: TX-3, when: amount > 950, outcome: block, status: live}
    ... ''')
    >>> rb.appraise(rb.simulate(book, events)).frame("retire")[["rule", "verdict", "goes"]]
       rule         verdict  goes
    0  TX-2        shadowed     1
    1  TX-1       redundant  <NA>
    2  TX-3  not measurable  <NA>
    """
    wanted(simulation, "Simulation", name="simulation")
    begun = time.perf_counter()
    standing = simulation.standing if costs is None else Standing(simulation.hits, Costs.from_mapping(costs))
    told = judged(standing)
    retire, shared = retirement(standing, told), credit(standing)
    lot, waiting = together(standing, told), marginal(standing)
    net, lower, upper = _book(standing)
    held = standing.held
    return Appraisal(
        rules=_rules(standing, told, shared),
        retire=retire,
        together=lot,
        marginal=waiting,
        net_value=net,
        net_value_lower=lower,
        net_value_upper=upper,
        decided=int(standing.decisions.sum()),
        currency=held.dataset.currency.code,
        money=held.worth.money,
        counted="events" if held.worth.margin_weight(standing.costs) == 1 else "weighted events",
        window=_window(standing),
        few=too_few(standing),
        lazy={
            "credit": partial(credit, standing),
            "overlap": partial(overlap, held),
            "contradictions": partial(contradictions, standing),
            "redundancy": partial(redundancy, standing),
            "regions": partial(leave_one_out_regions, standing),
            "unlabelled": partial(unlabelled, standing),
        },
        pages={"retire": ("Retirement list: what could go, the least lost first", _listed(retire))},
        notes=_notes(standing, told, lot),
        provenance={
            "dataset": held.dataset.fingerprint,
            "book": held.book.hash,
            "label_recipe": held.labels.recipe,
            "parameters": {
                "costs": standing.costs.to_dict(),
                "asof": str(held.asof) if held.asof is not None else None,
            },
            "sql": {rule.id: rule.when for rule in held.book.rules},
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _listed(retire: pd.DataFrame) -> pd.DataFrame:
    """Return the retirement list as its page shows it: without the rules that pay."""
    frame = retire.loc[retire["verdict"] != "keeps", ["rule", "verdict", "why", "goes", "reviews_freed"]]
    return frame.rename(columns={"goes": "step_without_any_change"})


def _rules(standing: Standing, told: Judged, shared: pd.DataFrame) -> pd.DataFrame:
    live = np.flatnonzero(standing.setting.live)
    changes = told.changes
    frame = pd.DataFrame(
        {
            "rule": standing.ids[live],
            "outcome": [standing.held.book.rules[k].outcome for k in live],
            "verdict": told.verdict[live],
            "decides": standing.decisions[live],
            # 0.0 - x and not -x: no change is 0, never -0.
            "added_net_value": 0.0 - changes["net_value"][live].astype(np.float64),
            "added_net_value_lower": 0.0 - changes["net_value_upper"][live].astype(np.float64),
            "added_net_value_upper": 0.0 - changes["net_value_lower"][live].astype(np.float64),
            "first_net_value": shared["first_net_value"].to_numpy(),
            "first_net_value_lower": shared["first_net_value_lower"].to_numpy(),
            "first_net_value_upper": shared["first_net_value_upper"].to_numpy(),
            "shapley_net_value": shared["shapley_net_value"].to_numpy(),
            "shapley_net_value_lower": shared["shapley_net_value_lower"].to_numpy(),
            "shapley_net_value_upper": shared["shapley_net_value_upper"].to_numpy(),
            "q": told.q[live],
            "n": changes["flips"][live],
            "unlabelled": changes["unlabelled"][live],
        }
    )
    return frame.sort_values("added_net_value", ascending=False, kind="stable", ignore_index=True)


def _book(standing: Standing) -> tuple[float | None, float | None, float | None]:
    """Return the net value of the live book against no book, with its interval."""
    levels = standing.levels
    if not levels.count[1:, :2].sum():
        return None, None, None
    now = standing.decided.level
    made = moves(standing.table.cells, np.zeros_like(now), now, levels=len(standing.effects))
    every = now[standing.table.pattern]
    nothing = np.zeros_like(every)
    spread = standing.together(np.flatnonzero(every), was=nothing, now=every)
    told = standing.changes(made, together=spread.all)
    return tuple(float(told[f"net_value{end}"][0]) for end in ("", "_lower", "_upper"))  # type: ignore[return-value]


def _notes(standing: Standing, told: Judged, lot: pd.DataFrame) -> tuple[str, ...]:
    held = standing.held
    days, few = _window(standing), too_few(standing)
    events = f"{held.bits.rows:,} events{days and ', ' + days}"
    bound = f" No hit in so many means a rate below {number(3 / held.bits.rows, 'share')}." if held.bits.rows else ""
    notes = [f"On all {events}.{f' A rule without a hit is not called dead: {few}.' if few else bound}"]
    notes.append(f"Labels: {held.labels.recipe}.")
    verdict = told.verdict
    free, safe = int(np.isin(verdict, FREE).sum()), len(told.order)
    if safe < free:
        changed = int(lot.iloc[1]["flips"])
        notes.append(
            f"{free} rules could each go alone, but only {safe} together: they cover each other. Removing all {free} "
            f"changes the outcome of {changed:,} events."
        )
    tested = int(np.isfinite(told.q).sum())
    if tested > 1:
        notes.append(
            f"{tested} rules are judged at once: by chance alone about {tested * 0.025:.1f} of them would look as if "
            f"they cost more than they save. Only those with q at or below {LEVEL:g} are called so."
        )
    flips, dark = (int(told.changes[name].sum()) for name in ("flips", "unlabelled"))
    if dark:
        notes.append(
            f"{dark:,} of the {flips:,} events that some removal would move have no verdict and are in no figure of "
            "fraud, good or value; a blocked event has none, so a rule that blocks may be worth more than it shows."
        )
    if not standing.table.compresses:
        notes.append(
            f"The events fall into {len(standing.table):,} distinct sets of rules, more than a third of their number: "
            "answers are exact, but take longer."
        )
    if not standing.setting.live.any():
        notes.append("No rule of the book is live: nothing is decided.")
    notes.append(said(standing))
    return tuple(notes)


def _window(standing: Standing) -> str:
    span = standing.held.dataset.span
    return f"{span[0]:%Y-%m-%d} to {span[1]:%Y-%m-%d}" if span else ""


def _names(rules: list[str]) -> str:
    more = f" and {len(rules) - _NAMED} more" if len(rules) > _NAMED else ""
    return ", ".join(rules[:_NAMED]) + more


def _short(rule: str) -> str:
    return rule if len(rule) <= 24 else f"{rule[:23]}…"
