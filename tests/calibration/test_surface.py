"""A surface says, for every setting at once, what simulating that setting would say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.calibration.surface.cells import CHOOSE, REPORT, cells_of, grounded, measure
from riskbench.data.labels import FRAUD, GOOD, label_state
from riskbench.errors import InfeasibleError, ParameterError, RuleError
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


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
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


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
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


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event_sets, st.sampled_from([*SHAPES, *SEVERAL]), st.sampled_from([{}, {"ID": {"limit": 2.0}}]))
def test_every_setting_of_one_parameter_equals_its_simulation(events, shape, regions):
    book = book_of(shape, priority=20, outcome="review", regions=regions)
    check_every_cell(book, dataset_of(events), ("S.limit",), GRID[:1])


def ridge(rows: int = 12_000, seed: int = 5) -> rb.Dataset:
    """Fraud where the amount is high and the device young; two regions, one with more of it."""
    rng = np.random.default_rng(seed)
    amount, age = rng.lognormal(4, 1, rows).round(2), rng.geometric(0.05, rows)
    far = rng.random(rows) < 0.4
    risk = 0.004 + 0.5 * (amount > np.where(far, 60, 150)) * (age < 8)
    frame = pd.DataFrame(
        {
            "id": range(rows),
            "amount": amount,
            "age": age,
            "land": np.where(far, "far", "near"),
            "fraud": (rng.random(rows) < risk).astype(int),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows) * 900, unit="s"),
        }
    )
    return rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount", region="land"))


RIDGE = rb.RuleBook(
    name="ridge",
    domain="transactions",
    rules=(
        rb.Rule(
            id="S",
            when="amount > :limit AND age < :days",
            outcome="block",
            status="live",
            params={"limit": Param(400, min=1, max=900), "days": Param(3, min=0, max=60)},
        ),
    ),
)


def test_the_chosen_setting_lies_inside_the_plateau_and_its_book_does_what_the_table_says():
    events = ridge()
    found = rb.surface(RIDGE, events, params=("S.limit", "S.days"), grid=24, by="region")
    table = found.frame()
    assert {400.0, 3.0} <= {*table["first"], *table["second"]}
    inside = table[table["on_plateau"]]
    chosen = table[(table["first"] == found.chosen[0]) & (table["second"] == found.chosen[1])].iloc[0]
    assert bool(chosen["on_plateau"])
    assert chosen["depth"] >= inside[inside["net_value"] >= inside["net_value"].max()]["depth"].iloc[0]
    assert 30 < found.best[0] < 200
    assert 5 <= found.best[1] <= 12
    book = found.apply()
    assert book.rule("S").values() == {"limit": found.chosen[0], "days": found.chosen[1]}
    later = found.frame("settings_later")
    row = later[(later["first"] == found.chosen[0]) & (later["second"] == found.chosen[1])].iloc[0]
    hits = rb.simulate(book, events).hits.bits.mask(0)
    window = found.provenance["windows"]["report"].split(" to before ")
    times = events.column("time").values
    inside_later = (times >= pd.Timestamp(window[0]).value // 1000) & (times < pd.Timestamp(window[1]).value // 1000)
    assert row["alerts"] == int((hits & inside_later).sum())
    regions = found.frame("regions").set_index("region")
    assert regions.loc["far", "own_first"] < regions.loc["near", "own_first"]
    assert set(regions["status"]) <= {"own cut pays", "no difference shown"}
    # A setting of its own is chosen on the first window, so on the later one it may lose.
    assert (regions["lower"] <= regions["uniform_cost"]).all()


def test_the_difference_to_today_rests_on_the_events_that_change():
    events = ridge(4_000)
    found = rb.surface(RIDGE, events, params=("S.limit", "S.days"), grid=([100, 400], [3, 8]))
    table = found.frame().set_index(["first", "second"])
    same = table.loc[(400.0, 3.0)]
    assert same["added_net_value"] == same["added_lower"] == same["added_upper"] == 0
    window = found.provenance["windows"]["choose"].split(" to before ")
    times = events.column("time").values
    rows = (times >= pd.Timestamp(window[0]).value // 1000) & (times < pd.Timestamp(window[1]).value // 1000)
    amount, age = events.column("amount").values, events.column("age").values
    fraud = events.column("fraud").values == 1
    costs = Costs()
    differ = rows & ((amount > 100) & (age < 8)) & ~((amount > 400) & (age < 3))
    worths = np.where(fraud, amount, -amount * 0.1 * costs.good_cost("stop"))[differ]
    moved = table.loc[(100.0, 8.0)]
    assert moved["added_net_value"] == pytest.approx(worths.sum())
    half = 1.959963984540054 * np.sqrt((worths**2).sum())
    assert moved["added_upper"] - moved["added_net_value"] == pytest.approx(half)


def test_limits_are_kept_and_what_cannot_be_kept_is_said():
    events = ridge(4_000)
    free = rb.surface(RIDGE, events, params=("S.limit", "S.days"), grid=12)
    tight = rb.surface(RIDGE, events, params=("S.limit", "S.days"), grid=12, subject_to=rb.at_most("alert_rate", 0.02))
    table = tight.frame()
    chosen = table[(table["first"] == tight.chosen[0]) & (table["second"] == tight.chosen[1])].iloc[0]
    assert chosen["alert_rate"] <= 0.02
    assert free.frame()["feasible"].all()
    assert not table["feasible"].all()
    assert not table.loc[~table["feasible"], "on_plateau"].any()
    with pytest.raises(InfeasibleError) as wrong:
        rb.surface(RIDGE, events, params=("S.limit", "S.days"), grid=12, subject_to=rb.at_least("precision", 0.999))
    assert {"S.limit", "S.days", "precision"} <= set(wrong.value.nearest_point)


def test_a_rule_that_is_no_use_is_not_sold_as_one():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": range(3_000),
            "amount": rng.lognormal(3, 1, 3_000).round(2),
            "age": rng.integers(0, 50, 3_000),
            "fraud": (rng.random(3_000) < 0.02).astype(int),
        }
    )
    events = rb.read(frame, roles=rb.Roles(id="id", label="fraud", amount="amount"))
    found = rb.surface(RIDGE, events, params=("S.limit", "S.days"), grid=15)
    held = found.frame("windows").set_index(["point", "window"])
    assert held.loc[("chosen", "report"), "added_lower"] <= 0


@pytest.mark.parametrize(
    ("params", "options", "error", "words"),
    [
        (("S.limit", "S.limit"), {}, ParameterError, "two different"),
        (("S.limit", "S.days", "S.limit"), {}, ParameterError, "one parameter or two"),
        (("S.limt", "S.days"), {}, ParameterError, "limit"),
        (("S.limit", "S.days"), {"grid": ([1, 2],)}, ParameterError, "one list"),
        (("S.limit", "S.days"), {"grid": ([1, 2], ["a"])}, ParameterError, "numbers"),
        (("S.limit", "S.days"), {"grid": ([1, 5_000], [1])}, ParameterError, "outside"),
        (("S.limit", "S.days"), {"grid": 1}, ParameterError, "2 to 200"),
        (("S.limit", "S.days"), {"by": "age"}, ParameterError, "region"),
    ],
)
def test_wrong_use_is_answered(params, options, error, words):
    with pytest.raises(error, match=words):
        rb.surface(RIDGE, ridge(500), params=params, **options)


def test_two_parameters_in_one_condition_are_answered():
    rule = RIDGE.rule("S")
    book = RIDGE.with_rule(rb.Rule(id="S", when="amount BETWEEN :days AND :limit", outcome="block", params=rule.params))
    with pytest.raises(RuleError, match="both parameters"):
        rb.surface(book, ridge(500), params=("S.limit", "S.days"))


def regional(frame: pd.DataFrame, **regions: dict) -> tuple[rb.RuleBook, rb.Dataset]:
    rule = rb.Rule(
        "S", "amount > :limit AND age < :days", "review", status="draft", regions=regions,
        params={"limit": Param(20.0), "days": Param(10.0)},
    )  # fmt: skip
    book = rb.RuleBook(name="b", domain="transactions", rules=(rule,))
    return book, rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount", region="land"))


def chances(rows: int = 3_000, *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": range(rows),
            "at": pd.date_range("2026-01-01", periods=rows, freq="30min"),
            "amount": rng.lognormal(3, 1, rows).round(2),
            "age": rng.integers(0, 50, rows),
            "land": rng.choice(["ID", "MY"], rows),
            "fraud": (rng.random(rows) < 0.02).astype(int),
        }
    )


def test_a_parameter_that_every_region_replaces_is_said_to_change_nothing():
    book, events = regional(chances(), ID={"limit": 9.0}, MY={"limit": 30.0})
    found = rb.surface(book, events, params=("S.limit", "S.days"), grid=6)
    said = "S.limit changes nothing here: every event's region has a value of its own"
    assert found.notes[0] == f"{said}."
    assert any(said in fact.note for fact in found.headline())
    settings_ = found.settings.groupby("second")["net_value"].nunique()
    assert (settings_ == 1).all()
    assert any("counts as live here whatever its status" in fact.note for fact in found.headline())
    beside = rb.brittleness(book.with_status("S", "live"), events, rule_param="S.limit")
    assert beside.headline()[0].note.startswith("it changes nothing here: every event's region")
    assert beside.notes[0] == f"{said}."
    one, events = regional(chances(), ID={"limit": 9.0})
    moved = rb.surface(one, events, params=("S.limit", "S.days"), grid=6)
    assert not any("changes nothing" in note for note in moved.notes)


@pytest.mark.parametrize("seed", range(4))
def test_todays_setting_is_kept_where_no_other_is_shown_to_be_better_or_the_chosen_one_is_worse_later(seed):
    book, events = regional(chances(seed=seed))
    found = rb.surface(book.with_status("S", "live"), events, params=("S.limit", "S.days"), grid=8)
    at = found.frame("windows").set_index(["point", "window"])["net_value"]
    same = bool(found.plateau.set_index("point").loc["today's values", "on_plateau"])
    worse = at["chosen", "report"] < at["today's values", "report"]
    first = found.headline()[0]
    assert str(first.value).startswith("Keep today's setting") == (same or worse)
    if same:
        assert "no other setting is shown to be better" in first.note
    elif worse:
        assert "worse on the later window" in first.note
