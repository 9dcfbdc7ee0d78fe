"""Are groups of people treated alike by the live rules? The verb and its answer."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from riskbench.display import Fact, Result, result
from riskbench.rules.doors import wanted
from riskbench.rules.fairness.groups import FOLDED, Grouping, asked_groups, grouping
from riskbench.rules.fairness.page import differences_page, draw_rates, grounds_of, groups_page, rules_page
from riskbench.rules.fairness.rates import FEWEST, HIGHER, LOWER, Treated, concluded, measured
from riskbench.rules.fairness.reads import readers
from riskbench.rules.simulation import Simulation

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@result
class Fairness(Result):
    """How the live rules treat each group of people, and how far from all others.

    Attributes
    ----------
    groups : DataFrame
        One row a group: column, group, events, good_events (left empty below five); insult_rate and approval_rate with
        `_lower` and `_upper` (95 %); insult_rate_least and insult_rate_most (whatever events without a verdict are);
        precision with interval; reading.
    differences : DataFrame
        One row a group and rate: column, group, rate, n, value, rest (the same rate of all others), difference with
        `_lower` and `_upper` (95 %, Newcombe), ratio, q_value (over all rows), reading, rule (which contributes most).
    gaps : DataFrame
        One row a group, rate and rule: in_group and in_rest (the share of events that this rule decides to review or
        stop), contribution; contributions add up to the difference.
    rules : DataFrame
        Rules that read a group's column: rule, status, column, how.
    """

    kind: ClassVar[str] = "fairness"
    title: ClassVar[str] = "How groups are treated"
    main: ClassVar[str] = "groups"
    next_step: ClassVar[str] = "rb.price_equality(calibration, by=column) says what equal rates would cost"
    repr_rows: ClassVar[int] = 20
    repr_tables: ClassVar[tuple[str, ...]] = ("differences", "rules")

    groups: pd.DataFrame
    differences: pd.DataFrame
    gaps: pd.DataFrame
    rules: pd.DataFrame
    asked: tuple[str, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return how many groups are treated otherwise, and the widest gap."""
        told = self.differences
        facts = []
        for rate, name in (("insult_rate", "insult rate"), ("approval_rate", "approval rate")):
            rows = told[(told["rate"] == rate) & told["difference"].notna()]
            shown = int(rows["reading"].isin([HIGHER, LOWER]).sum())
            facts.append(Fact(f"Groups with another {name}", shown, "count", note=f"of {len(rows)} measurable"))
            if len(rows):
                row = rows.iloc[int(np.argmax(rows["difference"].abs()))]
                facts.append(
                    Fact(
                        f"Widest gap in {name}",
                        float(row["difference"]),
                        "share",
                        lower=float(row["difference_lower"]),
                        upper=float(row["difference_upper"]),
                        signed=True,
                        note=f"{row['column']} {row['group']}"[:60],
                    )
                )
            else:
                facts.append(Fact(f"Widest gap in {name}", None, "share", note=f"fewer than {FEWEST} events a group"))
        live = self.rules[self.rules["status"] == "live"]["rule"].nunique()
        facts.append(Fact("Live rules that read a group's column", int(live), "count"))
        return tuple(facts)

    @property
    def drawable(self) -> bool:
        """Whether any group has an insult rate to show."""
        return bool(self.groups["insult_rate"].notna().any())

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of groups."""
        return 1.4 + 0.3 * min(20, max(2, int(self.groups["insult_rate"].notna().sum())))

    def _draw(self, ax: Axes) -> None:
        draw_rates(ax, self.groups)


def fairness(simulation: Simulation, *, by: str | Iterable[str] | None = None) -> Fairness:
    """Compare how the live rules treat groups of people: insults, approvals and precision, each against all others.

    Use it before a book goes live and whenever a cut moves. Read `differences`: a gap counts only where its interval
    holds no 0 and its q value is at most 5 %. A gap is no verdict on a rule: groups may differ in fraud; read the
    precision beside it. Good events that history stopped show no label, so insults of the past hide the insults of
    today: where a random part was let through, those stand for them; where not, `insult_rate_least` and
    `insult_rate_most` say how far it could be off.

    Parameters
    ----------
    simulation : Simulation
        What the rules do on events.
    by : str or sequence of str
        Columns, or conditions such as `"seller_age_days < 30"`; by default the role `groups`. Missing is a group.

    Returns
    -------
    Fairness
        Tables `groups`, `differences`, `gaps` and `rules`. A rate of fewer than 20 events is not measurable, counts
        below 5 are left out, and groups below 5 events stand together. Precision is told of events old enough for a
        verdict of either kind.

    Raises
    ------
    ParameterError
        When no group is named, or a column has more than 200 values.
    ColumnNotFoundError
        When a column is not there.
    RuleError
        When a condition cannot be read.

    Source: Newcombe, R. G. (1998), Statistics in Medicine 17, 873-890; Benjamini and Hochberg (1995), JRSS B 57,
    289-300.

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> row = np.arange(400)
    >>> frame = pd.DataFrame({"id": row, "amount": np.where(row % 4 == 0, 900.0, 20.0), "fraud": row % 40 == 0,
    ...     "land": np.where(row % 8 < 4, "ID", "BR")})
    >>> frame.loc[frame["land"].eq("BR") & (row % 16 == 4), "amount"] = 20.0
    >>> events = rb.read(frame, roles=rb.Roles(id="id", amount="amount", label="fraud"))
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: amount > 500, outcome: review, status: live}
    ... ''')
    >>> found = rb.fairness(rb.simulate(book, events), by="land")
    >>> found.frame()[["group", "events", "insult_rate", "approval_rate", "reading"]].round(3)
      group  events  insult_rate  approval_rate                          reading
    0    BR   200.0        0.125          0.875  insults lower, approvals higher
    1    ID   200.0        0.211          0.750  insults higher, approvals lower
    """
    wanted(simulation, "Simulation", name="simulation")
    begun = time.perf_counter()
    held = simulation.hits
    asked = asked_groups(by, held.dataset)
    groupings = [grouping(said, held.dataset) for said in asked]
    treated = Treated(held)
    parts = [measured(treated, one) for one in groupings]
    groups, differences, gaps = concluded(*([line for part in parts for line in part[at]] for at in range(3)))
    columns = [column for one in groupings for column in one.columns]
    rules = pd.DataFrame(readers(held.book, held.dataset, columns), columns=["rule", "status", "column", "how"])
    return Fairness(
        groups=groups,
        differences=differences,
        gaps=gaps,
        rules=rules,
        asked=asked,
        pages={
            "groups": groups_page(groups),
            "differences": differences_page(differences),
            "rules": rules_page(rules),
        },
        notes=_notes(treated, groupings, groups),
        grounds=grounds_of(treated, groups),
        provenance={
            **{key: simulation.provenance.get(key) for key in ("dataset", "book", "label_recipe")},
            "parameters": {"by": list(asked)},
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _notes(treated: Treated, groupings: list[Grouping], groups: pd.DataFrame) -> tuple[str, ...]:
    held = treated.held
    notes = [f"Labels: {held.labels.recipe}."]
    dark = int(np.count_nonzero(treated.unheard))
    if dark:
        notes.append(
            f"{dark:,} events have no verdict and none that stands for them; the insult rate lies between its two "
            "bounds, whatever they are."
        )
    if bool((treated.weight > 1).any()):
        notes.append("Good events let through at random stand for those like them that history stopped.")
    if (groups["group"] == FOLDED).any():
        notes.append("Groups of fewer than five events stand together, and counts below five are left out.")
    if treated.entity is not None:
        name = held.dataset.roles.entities[0]
        notes.append(f"Events of one {name} come together: intervals are as wide as that makes them.")
    said = [one.said for one in groupings if not one.by_column]
    if said:
        notes.append(f"Groups by condition: {'; '.join(said)}; unknown is a group of its own.")
    return tuple(notes)
