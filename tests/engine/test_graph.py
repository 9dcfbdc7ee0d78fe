"""Do components, dense blocks and paths hold against plain Python, and do their laws hold?"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.engine.graph import ONE, blocks, camouflage_weights, components, densest, distinct, path

NODES = 12
edges = st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), max_size=30)
#: No deadlines here: the first call compiles.
pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=20)


def ends(held: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    both = np.array(held, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


# -- components --------------------------------------------------------------------------------------------


def merged(held: list[tuple[int, int]], nodes: int) -> list[int]:
    """Merge sets, one edge after the other; number them by their smallest nodes."""
    groups = [{node} for node in range(nodes)]
    for a, b in held:
        first = next(group for group in groups if a in group)
        second = next(group for group in groups if b in group)
        if first is not second:
            groups.remove(second)
            first |= second
    order = sorted(groups, key=min)
    return [next(place for place, group in enumerate(order) if node in group) for node in range(nodes)]


@settings(deadline=None)
@given(edges)
def test_components_are_those_of_merged_sets(held):
    assert components(*ends(held), nodes=NODES).tolist() == merged(held, NODES)


@settings(deadline=None)
@given(edges, st.randoms(use_true_random=False))
def test_the_order_direction_and_number_of_edges_do_not_matter(held, random):
    other = [pair[:: random.choice([1, -1])] for pair in held + held]
    random.shuffle(other)
    assert components(*ends(other), nodes=NODES).tolist() == components(*ends(held), nodes=NODES).tolist()


@settings(deadline=None)
@given(edges, st.permutations(range(NODES)))
def test_renamed_nodes_hang_together_as_before(held, names):
    renamed = [(names[a], names[b]) for a, b in held]
    before, after = components(*ends(held), nodes=NODES), components(*ends(renamed), nodes=NODES)
    for a, b in combinations(range(NODES), 2):
        assert (before[a] == before[b]) == (after[names[a]] == after[names[b]])


def test_a_long_chain_is_one_component():
    steps = np.arange(200_000)
    assert components(steps, steps + 1, nodes=200_001).max() == 0
    assert components(steps[::-1].copy(), steps[::-1] + 1, nodes=200_001).max() == 0


def test_no_edges_and_no_nodes():
    nothing = np.zeros(0, np.int64)
    assert components(nothing, nothing, nodes=3).tolist() == [0, 1, 2]
    assert components(nothing, nothing, nodes=0).tolist() == []


# -- dense blocks ------------------------------------------------------------------------------------------


def density(held: set[tuple[int, int]], weight: dict[int, int], rows: set[int], columns: set[int]) -> float:
    inside = sum(weight[c] for r, c in held if r in rows and c in columns)
    return inside / ONE / max(1, len(rows) + len(columns))


def weights(held: list[tuple[int, int]]) -> dict[int, int]:
    c = distinct(*ends(held))[1]
    return dict(zip(c.tolist(), camouflage_weights(c, of=5).tolist(), strict=True))


def best_of_all(held: list[tuple[int, int]]) -> float:
    """Try every set of rows and columns."""
    once, weight, best = set(held), weights(held), 0.0
    nodes = [("r", r) for r in {r for r, _ in once}] + [("c", c) for c in {c for _, c in once}]
    for size in range(1, len(nodes) + 1):
        for chosen in combinations(nodes, size):
            rows, columns = ({n for side, n in chosen if side == which} for which in "rc")
            best = max(best, density(once, weight, rows, columns))
    return best


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_a_block_is_at_least_half_as_dense_as_the_densest_and_its_bound_holds(held):
    found, best = densest(*ends(held), sizes=(6, 5)), best_of_all(held)
    told = density(set(held), weights(held), set(found.rows.tolist()), set(found.columns.tolist()))
    assert found.density == pytest.approx(told)
    assert best / 2 <= found.density + 1e-12 <= best + 2e-12
    assert best <= found.bound + 1e-12
    assert found.bound <= 2 * found.density + 1e-12


@settings(deadline=None)
@given(pairs, st.randoms(use_true_random=False))
def test_neither_order_nor_duplicates_change_a_block(held, random):
    other = held + held[: len(held) // 2]
    random.shuffle(other)
    one, two = densest(*ends(held), sizes=(6, 5)), densest(*ends(other), sizes=(6, 5))
    assert (one.rows.tolist(), one.columns.tolist(), one.density, one.bound) == (
        two.rows.tolist(),
        two.columns.tolist(),
        two.density,
        two.bound,
    )


@settings(deadline=None)
@given(pairs, st.permutations(range(6)), st.permutations(range(5)))
def test_renaming_keeps_the_promise(held, row_names, column_names):
    renamed = [(row_names[r], column_names[c]) for r, c in held]
    one, two = densest(*ends(held), sizes=(6, 5)), densest(*ends(renamed), sizes=(6, 5))
    assert two.density >= max(one.density, one.bound / 2) / 2 - 1e-12
    assert max(one.density, two.density) <= min(one.bound, two.bound) + 1e-12


def test_priors_draw_the_block_to_what_is_suspected():
    held = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 3), (3, 2), (3, 3)]
    prior = np.zeros(9)
    prior[[2, 3]] = 0.5
    assert densest(*ends(held), sizes=(5, 4), prior=prior).rows.tolist() == [2, 3]
    lonely = np.zeros(9)
    lonely[4] = 5.0
    assert densest(*ends(held), sizes=(5, 4), prior=lonely).rows.tolist() == [4], "a node without an edge counts too"


def planted(seed: int) -> tuple[np.ndarray, np.ndarray, set[int]]:
    """A ring of 60 x 20 at half density in a heavy-tailed crowd, each member with ten popular columns beside."""
    rng = np.random.default_rng(seed)
    crowd = rng.integers(0, 6_000, 20_000), (rng.pareto(1.2, 20_000) * 20).astype(np.int64) % 3_000
    members, objects = rng.choice(6_000, 60, replace=False), rng.choice(3_000, 20, replace=False)
    inside = rng.random((60, 20)) < 0.5
    r, c = np.nonzero(inside)
    cover = np.repeat(members, 10), rng.choice(crowd[1], 600)
    return (
        np.concatenate([crowd[0], members[r], cover[0]]),
        np.concatenate([crowd[1], objects[c], cover[1]]),
        set(members.tolist()),
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_ring_with_camouflage_is_found(seed):
    rows, columns, members = planted(seed)
    found = set(densest(rows, columns, sizes=(6_000, 3_000)).rows.tolist())
    assert len(found & members) >= 0.95 * len(found)
    assert len(found & members) >= 0.85 * len(members)


def test_block_after_block_each_row_once():
    one = [(r, c) for r in range(4) for c in range(4)]
    two = [(r, c) for r in range(4, 7) for c in range(4, 7)]
    found = list(blocks(*ends([*one, *two, (7, 0)]), sizes=(9, 9)))
    assert [held.rows.tolist() for held in found[:2]] == [[0, 1, 2, 3], [4, 5, 6]]
    assert sum(len(held.rows) for held in found) == 8
    assert all(held.density > 0 for held in found)


def test_nothing_to_tie():
    nothing = np.zeros(0, np.int64)
    found = densest(nothing, nothing, sizes=(3, 3))
    assert (len(found.rows), len(found.columns), found.density, found.bound) == (0, 0, 0.0, 0.0)
    assert list(blocks(nothing, nothing, sizes=(3, 3))) == []


# -- paths -------------------------------------------------------------------------------------------------


def cheapest(held: list[tuple[int, int]], costs: list[float], first: int, last: int) -> float:
    """Relax every edge until nothing changes."""
    far = [float("inf")] * NODES
    far[first] = 0.0
    for _ in range(NODES):
        for (a, b), cost in zip(held, costs, strict=True):
            far[a], far[b] = min(far[a], far[b] + cost), min(far[b], far[a] + cost)
    return far[last]


@settings(deadline=None)
@given(edges, st.data())
def test_a_path_is_a_walk_and_the_cheapest_one(held, data):
    costs = data.draw(st.lists(st.sampled_from([0.5, 1.0, 2.0, 7.0]), min_size=len(held), max_size=len(held)))
    first, last = data.draw(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)))
    found = path(*ends(held), ends=(first, last), nodes=NODES, cost=np.array(costs))
    at = first
    for edge in found.tolist():
        a, b = held[edge]
        assert at in (a, b)
        at = b if at == a else a
    wanted = cheapest(held, costs, first, last)
    if len(found):
        assert at == last
    assert sum(costs[edge] for edge in found) == (0.0 if wanted == float("inf") else wanted)
