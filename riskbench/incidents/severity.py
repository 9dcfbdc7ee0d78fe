"""How bad is it, by which stated facts?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import pandas as pd

from riskbench.display import number

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

#: Money exposed as a multiple of what the region accepts to lose in a week: from here on at least this severe.
MONEY_STEPS = (0.2, 1.0, 5.0)
#: Buyers, sellers and creators affected: from here on at least this severe.
PEOPLE_STEPS = (100, 1_000, 10_000)

#: The rule as it is printed beside each result.
RULE = (
    "Severity is the worst of what is stated. Money exposed, as a multiple of the loss that the region accepts in a "
    "week: from 0.2 medium, from 1 high, from 5 critical. People affected: from 100 medium, from 1,000 high, from "
    "10,000 critical. Still running, or not known to have stopped: one step worse than money and people say. A "
    "regulator's or a legal matter: high at least. With neither money nor people stated: high until one is."
)


def assess(facts: Mapping[str, Any], *, stopped: bool = False) -> tuple[Severity, pd.DataFrame]:
    """Return the severity by the rule, and what each criterion said.

    Parameters
    ----------
    facts : mapping
        What is stated: exposed (major units), weekly_appetite (major units), people, running, regulator, legal.
    stopped : bool
        Whether the incident is contained, so that it no longer runs whatever was stated before.

    Returns
    -------
    tuple
        The severity, and a table: criterion, stated, says.

    Examples
    --------
    >>> severity, why = assess({"exposed": 300.0, "weekly_appetite": 200.0, "people": 40, "running": False})
    >>> severity
    'high'
    >>> print(why.to_string(index=False))
            criterion                                   stated     says
        money exposed 1.5 times the accepted loss of a week     high
      people affected                                       40      low
        still running                                       no        –
    regulator or legal                               not stated        –
    """
    rows: list[tuple[str, str, str]] = []
    exposed, appetite, people = (facts.get(name) for name in ("exposed", "weekly_appetite", "people"))
    levels: list[int] = []
    if exposed is None:
        rows.append(("money exposed", "not stated", "–"))
    elif not appetite:
        rows.append(("money exposed", f"{number(exposed, 'money')}, but no accepted loss to compare with", "–"))
    else:
        levels.append(_step(exposed / appetite, MONEY_STEPS))
        times = f"{number(exposed / appetite, 'average')} times the accepted loss of a week"
        rows.append(("money exposed", times, SEVERITIES[levels[-1]]))
    if people is None:
        rows.append(("people affected", "not stated", "–"))
    else:
        levels.append(_step(people, PEOPLE_STEPS))
        rows.append(("people affected", number(people, "count"), SEVERITIES[levels[-1]]))
    level = max(levels) if levels else SEVERITIES.index("high")
    running = not stopped and facts.get("running") is not False
    if running:
        said = "yes" if facts.get("running") else "not known to have stopped"
        level = min(level + 1, len(SEVERITIES) - 1) if levels else level
        rows.append(("still running", said, "one step worse" if levels else "–"))
    else:
        rows.append(("still running", "no", "–"))
    flags = [name for name in ("regulator", "legal") if facts.get(name)]
    if flags:
        level = max(level, SEVERITIES.index("high"))
    unsaid = any(facts.get(name) is None for name in ("regulator", "legal"))
    matter = " and ".join(flags) or ("not stated" if unsaid else "no")
    rows.append(("regulator or legal", matter, "high at least" if flags else "–"))
    if not levels:
        rows.append(("nothing to go by", "neither money nor people", "high until one is stated"))
    return SEVERITIES[level], pd.DataFrame(rows, columns=["criterion", "stated", "says"])


def reason(criteria: pd.DataFrame) -> str:
    """Return in words what decided the severity by the rule, from what each criterion said.

    >>> reason(assess({"exposed": 890.0, "weekly_appetite": 100.0, "people": 40, "running": False})[1])
    'money exposed: 8.9 times the accepted loss of a week'
    """
    rows = list(criteria[["criterion", "stated", "says"]].itertuples(index=False, name=None))
    told = [SEVERITIES.index(says) for _, _, says in rows if says in SEVERITIES]
    worst = max(told, default=-1)
    decided = [
        (name, stated)
        for name, stated, says in rows
        if (says in SEVERITIES and SEVERITIES.index(says) == worst)
        or says in ("high at least", "high until one is stated")
        or (says == "one step worse" and worst < len(SEVERITIES) - 1)
    ]
    return "; ".join(f"{name}: {stated}" for name, stated in decided) or "by the rule"


def _step(value: float, steps: tuple[float, ...]) -> int:
    return sum(value >= step for step in steps)
