"""How firm is a rule's cut? What lies just beside it, whether events crowd under it, and what a step would change."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.brittleness.beside import (
    EVERYONE,
    NEAR,
    Beside,
    Row,
    band_rows,
    crowding,
    density_rows,
    step_rows,
)
from riskbench.calibration.brittleness.words import DENSITY, facts, pages, remarks, with_findings
from riskbench.calibration.idle import replaced
from riskbench.data.dataset import Dataset, micros
from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.outcomes import ladder
from riskbench.display import Fact, Result, result
from riskbench.errors import ParameterError, RuleError
from riskbench.metrics.bunching import Bunching
from riskbench.metrics.costs import Costs
from riskbench.metrics.price import price
from riskbench.rules.axis import named_param
from riskbench.rules.doors import book_and_events, moment
from riskbench.rules.hits import Hits, hits
from riskbench.rules.param import is_number
from riskbench.rules.sweep import sweep_param

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.rules.book import RuleBook

#: The bands beside a cut, as shares of it.
BANDS = (0.01, 0.02, 0.05, 0.10)


@result
class Brittleness(Result):
    """What lies beside the cuts of a book's rules, given the live rules.

    Attributes
    ----------
    params : DataFrame
        One row a parameter (and region): rule, param, region, op, cut, step; hits (events that the rule alone
        decides); near, near_of_hits, near_frauds, near_goods, near_fraud_share with near_lower and near_upper
        (within 5 % or one step on the safe side), further_fraud_share (10 to 50 % off), hit_fraud_share;
        crowd_observed, crowd_expected, crowd_excess with crowd_lower and crowd_upper, crowd_p, crowd_q (false
        discoveries controlled over all rows), crowd_events, crowd_why; looser_net and stricter_net (net value of
        one step) each with `_lower`, `_upper` and `_n`; finding.
    bands : DataFrame
        One row a parameter, region and band: events, of_hits (as a share of the hits it alone decides), frauds,
        goods, unlabelled, fraud_share with lower and upper (95 %).
    steps : DataFrame
        One step looser and one stricter: cut; events, frauds, goods and net_value with lower and upper (paired):
        change in what the rule decides, below 0 for fewer; n (events between the two cuts), p_value, q_value, why.
    density : DataFrame
        For one parameter: events and frauds by windows on both sides of the cut.
    """

    kind: ClassVar[str] = "brittleness"
    title: ClassVar[str] = "Brittleness of cuts"
    main: ClassVar[str] = "params"
    repr_tables: ClassVar[tuple[str, ...]] = ("bands", "steps")
    repr_rows: ClassVar[int] = 24
    next_step: ClassVar[str] = "rb.calibrate(..., rule_param=...) or rb.surface(..., params=...) for a better cut"

    params: pd.DataFrame
    bands: pd.DataFrame
    steps: pd.DataFrame
    density: pd.DataFrame
    name: str | None
    label: str
    cut: float | None
    expected: tuple[float, float, float] | None
    currency: str
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return where events crowd, what a step would change, and what lies just beside."""
        return self.facts

    @property
    def drawable(self) -> bool:
        """Whether there is one parameter with events around its cut."""
        return bool(len(self.density)) and int(self.density["events"].sum()) > 0

    def _draw(self, ax: Axes) -> None:
        from riskbench.calibration.brittleness.picture import draw_density

        draw_density(ax, self.density, label=self.label, cut=self.cut, expected=self.expected)


def brittleness(
    book: RuleBook,
    dataset: Dataset,
    *,
    rule_param: str | None = None,
    band: float | Sequence[float] | None = None,
    costs: Costs | Mapping[str, float] | None = None,
    launch: str | pd.Timestamp | None = None,
    asof: str | pd.Timestamp | None = None,
    by: str | None = None,
) -> Brittleness:
    """Return how firm a rule's cut is, or every cut of every live rule.

    Use it before a cut is trusted and, weekly, to see which ones have been learnt. Many events just beside a cut
    mean that its last digit matters; a fraud share there as high as among the hits means that it lets fraud pass;
    a crowd just under it means that someone knows it.

    Parameters
    ----------
    book : RuleBook
        The live rules.
    dataset : Dataset
        Events, with a label where fraud shares and net value are asked for.
    rule_param : str, optional
        `RULE.parameter`; by default every numeric parameter of every live rule, one row each.
    band : float or sequence of float, 0..1, optional
        Bands beside the cut, as shares of it; by default 1, 2, 5 and 10 %.
    costs : Costs or mapping, optional
        What fraud, insults and reviews cost.
    launch : str or Timestamp, optional
        When the cut came into force: crowding is then held against the events before, which is the sharper test.
    asof : str or Timestamp, optional
        Only events and verdicts known by then count.
    by : {"region"}, optional
        Each region beside its own cut as well.

    Returns
    -------
    Brittleness
        Tables params, bands, steps, density.

    Raises
    ------
    ParameterError
        When there is no such rule or parameter, a band is no share, or there is no time to tell a launch by.

    Examples
    --------
    >>> import riskbench as rb
    >>> events = rb.sample("transactions", region="ID", orders=4_000, seed=7)
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: R, when: "model_score >= :cut", outcome: review, status: live, params: {cut: 0.4}}
    ... ''')
    >>> found = rb.brittleness(book, events, rule_param="R.cut")
    >>> found.frame("bands")["band"].tolist()
    ['1 %', '2 %', '5 %', '10 %', 'one step', 'further, 10 to 50 %', 'hit by it alone']
    """
    book_and_events(book, dataset)
    moment(launch, name="launch")
    begun = time.perf_counter()
    bands, stated = _bands(band), Costs.from_mapping(costs)
    if by not in (None, "region"):
        raise ParameterError("A cut can differ by region only", got=repr(by), allowed='None or "region"')
    if rule_param is not None:
        named_param(book, rule_param)
    held = hits(book, dataset, asof=asof).at(stated)
    before = None if launch is None else _before(held, launch)
    kinds = np.full(held.dataset.rows, 2, dtype=np.int8)
    kinds[held.labels.state == GOOD] = 0
    kinds[held.labels.state == FRAUD] = 1
    rows: list[Row] = []
    band_frames: list[Row] = []
    steps: list[Row] = []
    density: list[Row] = []
    names = [rule_param] if rule_param is not None else numeric_params(held.book)
    for name in names:
        for beside, region, failed in cuts_of(held, name, kinds=kinds, costs=stated, by=by):
            keys: Row = {"rule": name.partition(".")[0], "param": name.partition(".")[2], "region": region}
            if beside is None:
                rows.append(keys | {"finding": "not measurable", "crowd_why": failed})
                continue
            own_bands, own_steps = band_rows(beside, bands), step_rows(beside)
            crowd, basis = crowding(beside, before)
            rows.append(keys | _told(beside, own_bands, own_steps) | _crowd(crowd, basis))
            band_frames += [keys | row for row in own_bands if row["band"] != NEAR]
            steps += [keys | row for row in own_steps]
            if rule_param is not None and not density:
                density = density_rows(beside, everyone=basis == EVERYONE)
    reasons = {name: replaced(held.book, held.dataset, name) for name in dict.fromkeys(names)}
    unused = {name: why for name, why in reasons.items() if why}
    params, told_steps = with_findings(pd.DataFrame(rows), pd.DataFrame(steps))
    money = held.worth.money
    currency = held.dataset.currency.code if money else ""
    single = params.iloc[0] if rule_param is not None else None
    label, cut, expected = _drawn(book, rule_param, single)
    frame = pd.DataFrame(band_frames)
    return Brittleness(
        params=params,
        bands=frame,
        steps=told_steps,
        density=pd.DataFrame(density, columns=DENSITY),
        name=rule_param,
        label=label,
        cut=cut,
        expected=expected,
        currency=currency,
        facts=facts(params, told_steps, name=rule_param, currency=currency, money=money, unused=unused),
        pages=pages(params, frame, told_steps, currency=currency, by=by),
        notes=remarks(held, params, by=by, launch=launch, unused=unused),
        provenance={
            "dataset": held.dataset.fingerprint,
            "book": book.hash,
            "label_recipe": held.labels.recipe,
            "parameters": {
                "rule_param": rule_param,
                "bands": list(bands),
                "launch": None if launch is None else str(launch),
                "asof": None if asof is None else str(asof),
                "by": by,
                "costs": stated.to_dict(),
            },
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _bands(band: float | Sequence[float] | None) -> tuple[float, ...]:
    try:
        held = BANDS if band is None else tuple(np.atleast_1d(np.asarray(band, dtype=np.float64)).tolist())
    except (TypeError, ValueError):
        held = ()
    if not held or len(held) > 20 or not all(0 < share <= 1 for share in held):
        raise ParameterError("A band is a share of the cut", got=repr(band)[:200], allowed="more than 0, at most 1")
    return tuple(sorted(held))


def _before(held: Hits, launch: str | pd.Timestamp) -> npt.NDArray[np.bool_]:
    """Return the events before a moment."""
    if not held.dataset.has("time"):
        raise ParameterError("A launch needs times", hint="name the role 'time'")
    column = held.dataset.column("time")
    return np.asarray(column.present & (column.values < micros(launch)))


def numeric_params(book: RuleBook) -> list[str]:
    """Return every numeric parameter of every live rule."""
    return [
        f"{rule.id}.{name}" for rule in book.live for name, param in rule.params.items() if is_number(param.default)
    ]


def cuts_of(
    held: Hits, name: str, *, kinds: npt.NDArray[np.int8], costs: Costs, by: str | None
) -> list[tuple[Beside | None, str | None, str | None]]:
    """Return a parameter's cut with its events: where no region has its own, and one a region where asked for.

    Returns
    -------
    list of (Beside or None, region or None, why not or None)
    """
    rule, param, spec = named_param(held.book, name)
    try:
        sweep = sweep_param(held.book, held.dataset, rule_param=name, known=(held.book, held.bits))
    except RuleError as wrong:
        return [(None, None, wrong.what)]
    worth, steps = held.worth, ladder(held.book.domain)
    money = np.where(kinds == 1, worth.loss, np.where(kinds == 0, worth.margin, 0))
    scale = held.dataset.currency.scale if worth.money else 1
    worths = price(worth, costs, [rung.effect for rung in steps.rungs], scale=scale)
    seen = sweep.value[np.isfinite(sweep.value)]
    whole = bool(len(seen)) and bool((np.rint(seen) == seen).all()) and float(spec.default).is_integer()  # type: ignore[arg-type]
    codes, names = held.dataset.regions
    own = {region: values[param] for region, values in rule.regions.items() if param in values}
    apart = [names.index(region) for region in {*own, *rule.off} if region in names]
    common = ~np.isin(codes, apart)
    parts: list[tuple[str | None, float, npt.NDArray[np.bool_]]] = [(None, float(spec.default), common)]  # type: ignore[arg-type]
    if by is not None and len(names) > 1:
        for code, region in enumerate(names):
            parts.append((region, float(own.get(region, spec.default)), codes == code))  # type: ignore[arg-type]
    return [(Beside(sweep, cut, mask, kinds, money, worths, whole), region, None) for region, cut, mask in parts]


def _told(beside: Beside, bands: Sequence[Row], steps: Sequence[Row]) -> Row:
    named = {str(row["band"]): row for row in bands}
    near, further, hit = named[NEAR], bands[-2], bands[-1]
    row: Row = {"op": beside.sweep.op, "cut": beside.cut, "step": beside.step, "hits": hit["events"]}
    row |= {"near": near["events"], "near_of_hits": near["of_hits"], "near_frauds": near["frauds"]}
    row |= {"near_goods": near["goods"], "near_fraud_share": near["fraud_share"]}
    row |= {"near_lower": near["lower"], "near_upper": near["upper"]}
    row |= {"further_fraud_share": further["fraud_share"], "hit_fraud_share": hit["fraud_share"]}
    for step in steps:
        word = str(step["step"])
        row |= {f"{word}_net": step.get("net_value"), f"{word}_lower": step.get("lower")}
        row |= {f"{word}_upper": step.get("upper"), f"{word}_n": step.get("n")}
    return row


def _crowd(found: Bunching, basis: str) -> Row:
    return {
        "crowd_observed": found.observed,
        "crowd_expected": found.expected,
        "crowd_excess": found.excess,
        "crowd_lower": found.lower,
        "crowd_upper": found.upper,
        "crowd_p": found.p_value,
        "crowd_low": found.low,
        "crowd_high": found.high,
        "crowd_events": basis,
        "crowd_against": found.against,
        "crowd_why": found.why,
    }


def _drawn(
    book: RuleBook, name: str | None, row: pd.Series | None
) -> tuple[str, float | None, tuple[float, float, float] | None]:
    """Return the axis's label, the cut, and the window with the usual number in it."""
    if name is None or row is None or "cut" not in row or pd.isna(row["cut"]):
        return "", None, None
    _, _, spec = named_param(book, name)
    label = f"{name} ({spec.unit})" if spec.unit else name
    if pd.isna(row["crowd_expected"]):
        return label, float(row["cut"]), None
    return label, float(row["cut"]), (float(row["crowd_low"]), float(row["crowd_high"]), float(row["crowd_expected"]))
