"""What rule book does a calibration propose?"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from riskbench.calibration.segments import paying
from riskbench.data.outcomes import ladder
from riskbench.errors import ParameterError
from riskbench.rules.book import RuleBook
from riskbench.rules.param import Param
from riskbench.rules.rule import Rule

if TYPE_CHECKING:
    from riskbench.calibration.calibration import Calibration


def applied(
    held: Calibration, book: RuleBook | None, *, per_segment: bool = False, cut: float | None = None
) -> RuleBook:
    """Return the book with the calibration's cut in place, or another one; two cuts move where review starts."""
    if cut is not None:
        held = replace(held, threshold=cut, threshold_review=None if held.threshold_review is None else cut)
    if per_segment and held.by != "region":
        raise ParameterError(
            "Only regions can have values of their own in a rule book", got=f"by={held.by!r}", allowed='by="region"'
        )
    if held.rule_param is not None:
        if book is None:
            raise ParameterError("There is no rule book to change", hint="hand one over: .apply(book)")
        return _moved(held, book, per_segment=per_segment)
    base = book if book is not None else RuleBook(name=f"cut-{_slug(held.name)}", domain=held.domain)
    for old in earlier(base, held.name):
        base = base.without(old.id)
    for rule in _rules(held, base, per_segment=per_segment):
        base = base.with_rule(rule)
    return base


def earlier(book: RuleBook, score: str) -> tuple[Rule, ...]:
    """Return the rules that an earlier calibration of this score has put into a book.

    Scores of other names may share an id, so the column that a rule cuts counts, and nothing else in it.
    """
    stop = ladder(book.domain).first("stop")
    ids = [f"{stem}{tail}" for stem in _stems(score) for tail in ("", f"-{stop}")]
    return tuple(rule for rule in book.rules if rule.id in ids and rule.columns == (score,))


def own_cuts(held: Calibration) -> dict[str, float]:
    """Return the cut of each segment whose own cut pays; none where there is no common cut to differ from."""
    return paying(held.segments) if math.isfinite(held.threshold) else {}


def _moved(held: Calibration, book: RuleBook, *, per_segment: bool) -> RuleBook:
    rule_id, _, param = str(held.rule_param).partition(".")
    rule = book.rule(rule_id)
    regions = {region: {k: v for k, v in own.items() if k != param} for region, own in rule.regions.items()}
    if not math.isfinite(held.threshold):
        new = replace(rule, status="retired")
    else:
        if per_segment:
            for region, cut in own_cuts(held).items():
                regions[region] = {**regions.get(region, {}), param: _value(cut)}
        spec = replace(rule.params[param], default=_value(held.threshold))
        held_regions = {region: own for region, own in regions.items() if own}
        # The curve counts the rule as live: a cut of a draft or shadow rule is a proposal to switch it on.
        new = replace(rule, params={**rule.params, param: spec}, regions=held_regions, status="live")
    return book.with_rule(new)


def _rules(held: Calibration, book: RuleBook, *, per_segment: bool) -> list[Rule]:
    if not math.isfinite(held.threshold):
        return []
    last = max((rule.priority for rule in book.rules), default=0) // 10 * 10 + 10
    name = '"' + held.name.replace('"', '""') + '"'
    source = str(held.provenance.get("dataset", ""))[:12]
    regions = {region: {"cut": _value(cut)} for region, cut in own_cuts(held).items()} if per_segment else {}
    steps = ladder(held.domain)
    parts = [("", held.outcome, held.threshold, last + 1, regions)]
    if held.threshold_block is not None and held.threshold_review is not None:
        stop = steps.first("stop")
        parts = [(f"-{stop}", stop, held.threshold_block, last, {})]
        if held.threshold_review < held.threshold_block or regions:
            parts.append(("", held.outcome, held.threshold_review, last + 1, regions))
    plain, unlike = _stems(held.name)
    taken = {rule.id for rule in book.rules}
    stem = plain if _slug(held.name) == held.name and not any(plain + part[0] in taken for part in parts) else unlike
    return [
        Rule(
            id=f"{stem}{tail}",
            when=f"{name} {held.op} :cut",
            outcome=outcome,
            params={"cut": Param(_value(cut))},
            priority=priority,
            regions=own,
            status="live",
            title=f"{held.name} {held.op} cut: {outcome}",
            references=(f"calibrated on {held.window}; dataset {source}",),
        )
        for tail, outcome, cut, priority, own in parts
        if math.isfinite(cut)
    ]


def _stems(score: str) -> tuple[str, str]:
    """Return the id of a score's cut, and the one that no score of another name shares."""
    own = hashlib.sha256(score.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"CUT-{_slug(score)}", f"CUT-{_slug(score)[:50]}-{own}"


def _slug(name: str) -> str:
    return re.sub(r"[\s.:,/\\\x00-\x1f\x7f]+", "_", name)[:60] or "score"


def _value(cut: float) -> int | float:
    """Return a cut as it stands in a book: whole numbers without a point."""
    return int(cut) if float(cut).is_integer() and abs(cut) < 2**53 else float(cut)
