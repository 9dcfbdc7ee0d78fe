"""A surface says, for every setting at once, what simulating that setting would say."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.calibration.surface_cells import CHOOSE, REPORT, cells_of, grounded, measure
from riskbench.data.labels import FRAUD, GOOD, label_state
from riskbench.metrics.costs import Costs, worth
from riskbench.metrics.lattice import states
from riskbench.rules.param import Param
from riskbench.rules.plane import plane

SHAPES = [
    "amount > :limit AND age < :days",
    "amount >= :limit AND age <= :days AND country = 'ID'",
    "amount > :limit OR age < :days",
    "NOT (amount < :limit AND age >= :days)",
    "(country = 'ID' OR amount > :limit) AND NOT age > :days",
    "amount > :limit AND (age < :days OR country IS NULL)",
    ":limit < amount AND :days >= age",
    "country = 'BR' AND amount > :limit OR age < :days AND NOT amount > 7",
    "amount > :limit AND amount < :days",
    "items >= :limit AND items < :days",
    "NOT amount = :limit AND age < :days",
    "amount * 2 > :limit AND age < :days",
    "amount > 2 * :limit OR abs(age - :days) < 2",
    "amount BETWEEN :limit AND 9 AND age IN (1, :days)",
    "amount > 5 AND amount > :limit AND NOT age < :days",
]
#: One parameter in several conditions, and one that works both ways.
SEVERAL = [
    "amount > :limit AND age < :days AND items < :limit",
    "country = 'ID' AND amount > :limit OR country = 'BR' AND NOT amount > :limit",
    "amount - age BETWEEN -:limit AND :limit",
]
NUMBERS = st.none() | st.integers(0, 12).map(float) | st.sampled_from([5.0, 5.0, 0.5, 1e12])
event_sets = st.lists(
    st.fixed_dictionaries(
        {
            "amount": NUMBERS,
            "age": NUMBERS,
            "items": st.none() | st.sampled_from([0, 1, 5, 5, 2**53 + 1, 2**60]),
            "country": st.sampled_from([None, "ID", "BR"]),
            "fraud": st.sampled_from([None, 0, 0, 1]),
            "again": st.booleans(),
        }
    ),
    min_size=1,
    max_size=24,
)


def dataset_of(events: list[dict]) -> rb.Dataset:
    events = [event for event in events for _ in range(1 + event["again"])]
    # One known fraud and one known good event, so that there is something to choose on.
    events = [*events, *({"amount": 3.0, "age": 3.0, "items": 3, "country": "ID", "fraud": f} for f in (0, 1))]
    frame = pd.DataFrame(
        {
            "id": range(len(events)),
            "amount": pd.array([e["amount"] for e in events], dtype="Float64"),
            "age": pd.array([e["age"] for e in events], dtype="Float64"),
            "items": pd.array([e["items"] for e in events], dtype="Int64"),
            "country": pd.array([e["country"] for e in events], dtype="string"),
            "fraud": pd.array([e["fraud"] for e in events], dtype="Int8"),
            "worth": [100.25 * (1 + n % 7) for n in range(len(events))],
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(len(events))[::-1] % 9, unit="D"),
        }
    )
    roles = rb.Roles(id="id", time="at", label="fraud", amount="worth", region="country", currency="BRL")
    return rb.read(frame, roles=roles)


def book_of(
    shape: str, *, priority: int, outcome: str, status: str = "live", regions: dict | None = None
) -> rb.RuleBook:
    swept = {"limit": 5.0, "days": Param(3.0, min=0, max=20)}
    return rb.RuleBook(
        name="swept",
        domain="transactions",
        rules=(
            rb.Rule(id="A", when="amount > 8", outcome="challenge", priority=10, status="live"),
            rb.Rule(
                id="S",
                when=shape,
                outcome=outcome,
                priority=priority,
                params=swept,
                regions=regions or {},
                status=status,
            ),
            rb.Rule(id="B", when="country = 'BR'", outcome="block", priority=30, status="live"),
            rb.Rule(
                id="T",
                when="age >= :old OR items < :few",
                outcome="block",
                priority=20,
                status="live",
                params={"old": 6.0, "few": 2},
            ),
            rb.Rule(id="D", when="amount > 0", outcome="block", priority=1),
        ),
    )


GRID = ([0.0, 5.0, 5.5], [3.0, 4.5, 13.0])


def brute(dataset: rb.Dataset, levels: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return counts and money in minor units by class and level, one event at a time."""
    state, money = label_state(dataset).state, worth(dataset)
    counts, sums = np.zeros((3, 4), np.int64), np.zeros((3, 4), np.int64)
    for row in np.flatnonzero(rows):
        kind = {GOOD: 0, FRAUD: 1}.get(int(state[row]), 2)
        counts[kind, levels[row]] += 1
        sums[kind, levels[row]] += (int(money.margin[row]), int(money.loss[row]), 0)[kind]
    return counts, sums


def check_every_cell(book, dataset, params, grid):
    ground = grounded(dataset, "x", Costs())
    swept = plane(book, dataset, params, grid=grid)
    held = states(cells_of(swept, ground))
    windows = {CHOOSE: ground.windows.choose, REPORT: ground.windows.report}
    found = {group: measure(held.of(group), ground) for group in windows}
    for i, one in enumerate(swept.axes[0].values):
        for j, two in enumerate(swept.axes[1].values):
            moved = book
            for name, value in zip(params, (one, two), strict=False):
                rule, _, param = name.partition(".")
                moved = moved.with_params({rule: {param: float(value)}}).with_status(rule, "live")
            levels = rb.simulate(moved, dataset).hits.resolution.level
            assert swept.levels(i, j).tolist() == levels.tolist()
            for group, window in windows.items():
                counts, sums = brute(dataset, levels, window.mask)
                assert held.counts[group, i, j].tolist() == counts.tolist()
                assert held.money[group, i, j].tolist() == sums.tolist()
                assert found[group].alerts[i, j] == counts[:, 1:].sum()
                assert found[group].approved[i, j] == counts[:, :2].sum()
                assert held.caught[group, i, j] == sums[1, 1:].sum()
    assert swept.now.tolist() == rb.simulate(book, dataset).hits.resolution.level.tolist()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    event_sets,
    st.sampled_from(SHAPES),
    st.sampled_from([1, 20, 40]),
    st.sampled_from(["review", "approve", "block"]),
    st.sampled_from(["live", "draft"]),
    st.sampled_from([{}, {"ID": {"limit": 2.0}}, {"BR": {"days": 3.0, "limit": 5.0}, "ID": {"days": 1.0}}]),
)
def test_every_setting_of_one_rule_equals_its_simulation(events, shape, priority, outcome, status, regions):
    book = book_of(shape, priority=priority, outcome=outcome, status=status, regions=regions)
    check_every_cell(book, dataset_of(events), ("S.limit", "S.days"), GRID)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    event_sets,
    st.sampled_from(SHAPES),
    st.sampled_from([1, 20, 40]),
    st.sampled_from(["review", "approve", "block"]),
    st.sampled_from([{}, {"ID": {"limit": 2.0}, "BR": {"days": 1.0}}]),
    st.booleans(),
)
def test_every_setting_of_two_rules_equals_its_simulation(events, shape, priority, outcome, regions, swapped):
    book = book_of(shape, priority=priority, outcome=outcome, regions=regions)
    params, grid = ("S.limit", "T.old"), (GRID[0], [0.0, 6.0, 9.0])
    if swapped:
        params, grid = params[::-1], grid[::-1]
    check_every_cell(book, dataset_of(events), params, grid)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event_sets, st.sampled_from([*SHAPES, *SEVERAL]), st.sampled_from([{}, {"ID": {"limit": 2.0}}]))
def test_every_setting_of_one_parameter_equals_its_simulation(events, shape, regions):
    book = book_of(shape, priority=20, outcome="review", regions=regions)
    check_every_cell(book, dataset_of(events), ("S.limit",), GRID[:1])
