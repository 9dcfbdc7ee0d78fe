"""What is to be cut, and where does its cut stand today?"""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from riskbench.calibration.applied import earlier
from riskbench.data.dataset import Dataset
from riskbench.data.outcomes import ladder
from riskbench.errors import ParameterError
from riskbench.rules.book import RuleBook
from riskbench.rules.sweep import Sweep, sweep_param, sweep_score


def swept(
    dataset: Dataset,
    *,
    score: str | None,
    rule_param: str | None,
    given: RuleBook | None,
    outcome: str,
    asof: str | pd.Timestamp | None,
    two_cuts: bool,
) -> Sweep:
    """Return the sweep of a score or of a rule's parameter, given the live rules.

    A cut that an earlier calibration put into the book for the same score is taken out first, and is today's.

    Raises
    ------
    ParameterError
        When it is not clear what is to be cut.
    """
    if score is not None and rule_param is not None:
        raise ParameterError("Name a score or a rule's parameter, not both", got=f"{score!r} and {rule_param!r}")
    if rule_param is not None:
        if two_cuts:
            raise ParameterError("Two cuts need a score", got=f"rule_param={rule_param!r}")
        if given is None:
            raise ParameterError(f"{rule_param!r} is a parameter of a rule", hint="hand over its book as given=")
        return sweep_param(given, dataset, rule_param=rule_param, asof=asof)
    name = score if score is not None else dataset.roles.score
    if name is None:
        raise ParameterError(
            "There is nothing to cut", hint="name a score, the role 'score', or rule_param; or rb.score_baseline"
        )
    steps = ladder(dataset.domain)
    wanted = steps.first("review") if two_cuts or outcome == "review" else outcome
    if steps.level(wanted) == 0:
        raise ParameterError("A cut to the mildest outcome does nothing", got=repr(outcome), allowed=steps.names[1:])
    rest, default = given, None
    if given is not None:
        for rule in earlier(given, dataset.resolve(name)):
            rest = rest.without(rule.id) if rest is not None else None
            if rule.id.startswith("CUT-") and rule.outcome == wanted and rule.status == "live" and "cut" in rule.params:
                held = rule.params["cut"].default
                default = float(held) if isinstance(held, int | float) else None
    sweep = sweep_score(rest, dataset, score=dataset.resolve(name), outcome=wanted, asof=asof)
    return replace(sweep, default=default)


def today_cut(sweep: Sweep, given: RuleBook | None) -> float:
    """Return today's cut; the one that hits nobody where the cut is not live."""
    nobody = math.inf if sweep.op in (">=", ">") else -math.inf
    if sweep.default is None:
        return nobody
    rule_id = sweep.name.partition(".")[0]
    if given is not None and any(rule.id == rule_id and rule.status != "live" for rule in given.rules):
        return nobody
    return float(sweep.default)
