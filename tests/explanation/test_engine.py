"""Is the compiled engine exact? Against enumeration over all sets, the plain oracle, and laws."""

from __future__ import annotations

import numpy as np
import pytest
from definition import enumerated
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.errors import DataError
from riskbench.explanation.engine import expected, margin, share_out
from riskbench.explanation.ensemble import NUMBER, SET, ZERO_MISSING, Ensemble, Tree, assemble
from riskbench.explanation.oracle import plain

EXACT = 1e-9
VALUES = np.array([np.nan, -1.5, -1.0, 0.0, 1e-36, 0.1, 0.3, 19.99, 20.0, 3.0, 1.0, 2.0])


def grown(rng: np.random.Generator, columns: int, depth: int) -> Tree:
    """A random tree with every kind of node; depths differ and columns come again on a path."""
    made: dict[str, list] = {n: [] for n in "feature threshold left right missing_left value cover kind".split()}
    sets: dict[int, list[int]] = {}

    def node(level: int, cover: float) -> int:
        at = len(made["feature"])
        for held in made.values():
            held.append(0)
        if level == depth or (level > 0 and rng.random() < 0.2):
            own = (-1, 0.0, -1, -1, 0, rng.normal(), cover, 0)
            kind = NUMBER
        else:
            kind = int(rng.choice([NUMBER, ZERO_MISSING, SET]))
            cut = float(rng.choice(VALUES[1:]))
            if kind == SET:
                sets[at] = sorted({*rng.choice(40, 5, replace=False).tolist(), 1, 3})
            part = rng.uniform(0.1, 0.9) if rng.random() < 0.9 else 0.0
            left, right = node(level + 1, cover * part), node(level + 1, cover * (1 - part))
            own = (int(rng.integers(columns)), cut, left, right, int(rng.integers(2)), 0.0, cover, kind)
        for name, value in zip(made, own, strict=True):
            made[name][at] = value
        return at

    node(0, 100.0)
    types = {"feature": np.int32, "left": np.int32, "right": np.int32, "missing_left": np.uint8, "kind": np.uint8}
    arrays = {name: np.array(held, dtype=types.get(name, np.float64)) for name, held in made.items()}
    return Tree(**arrays, sets=sets, set_right=bool(rng.integers(2)))


def forest(seed: int, *, columns: int, depth: int, trees: int = 4) -> tuple[Ensemble, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    made = assemble([grown(rng, columns, depth) for _ in range(trees)], columns=columns, scale="margin", offset=0.7)
    return made, rng.choice(VALUES, (12, columns)), rng.choice(VALUES, (17, columns))


def walked(ensemble: Ensemble, row: np.ndarray, known: set[int] | None = None, player=None) -> float:
    """Score one row node by node; features outside `known` follow the training weight (path-dependent)."""

    def below(node: int) -> float:
        column = int(ensemble.feature[node])
        if column < 0:
            return float(ensemble.value[node])
        a, b = int(ensemble.left[node]), int(ensemble.right[node])
        if known is not None and player[column] not in known:
            whole = ensemble.cover[node]
            return (ensemble.cover[a] * below(a) + ensemble.cover[b] * below(b)) / whole if whole > 0 else 0.0
        x, kind = row[column], ensemble.kind[node]
        if np.isnan(x) or (kind == ZERO_MISSING and abs(x) <= 1e-35):
            left = bool(ensemble.missing_left[node])
        elif kind == SET:
            start, words = ensemble.set_start[node], ensemble.set_words[node]
            inside = 0 <= x < 32 * words and bool(int(ensemble.bits[start + int(x) // 32]) >> (int(x) % 32) & 1)
            left = inside != bool(ensemble.set_right[node])
        else:
            left = x <= ensemble.threshold[node]
        return below(a if left else b)

    return ensemble.offset + sum(below(int(root)) for root in ensemble.roots)


def against(ensemble, row, reference, player):
    def value(known: set[int]) -> float:
        mine = np.isin(player, list(known))
        return float(np.mean([walked(ensemble, np.where(mine, row, other)) for other in reference]))

    return enumerated(value, int(player.max()) + 1)


@pytest.mark.parametrize("limit", [0, 3, 10])
@pytest.mark.parametrize("seed", range(4))
def test_values_are_those_of_the_definition(seed, limit):
    ensemble, rows, reference = forest(seed, columns=5, depth=5)
    player = np.arange(5)
    found = share_out(ensemble, rows, reference=reference, player=player, limit=limit)
    path = share_out(ensemble, rows, reference=None, player=player, limit=limit)
    for i in range(3):
        told = against(ensemble, rows[i], reference, player)
        assert np.abs(found.values[i] - told).max() < EXACT
        by_path = enumerated(lambda known, i=i: walked(ensemble, rows[i], known, player), 5)
        assert np.abs(path.values[i] - by_path).max() < EXACT
    assert found.base == pytest.approx(np.mean([walked(ensemble, r) for r in reference]), abs=EXACT)
    assert path.base == pytest.approx(walked(ensemble, rows[0], set(), player), abs=EXACT)


@pytest.mark.parametrize("limit", [0, 10])
def test_groups_are_players_of_the_definition(limit):
    ensemble, rows, reference = forest(9, columns=7, depth=6)
    player = np.array([0, 1, 0, 2, 2, 0, 3])
    found = share_out(ensemble, rows, reference=reference, player=player, limit=limit).values
    path = share_out(ensemble, rows, reference=None, player=player, limit=limit).values
    for i in range(3):
        assert np.abs(found[i] - against(ensemble, rows[i], reference, player)).max() < EXACT
        told = enumerated(lambda known, i=i: walked(ensemble, rows[i], known, player), 4)
        assert np.abs(path[i] - told).max() < EXACT


@pytest.mark.parametrize(("columns", "depth"), [(14, 12), (24, 14)])
def test_deep_paths_agree_with_the_oracle(columns, depth):
    ensemble, rows, reference = forest(1, columns=columns, depth=depth, trees=2)
    player = np.arange(columns)
    for other in (reference, None):
        found = share_out(ensemble, rows, reference=other, player=player).values
        told = np.array([plain(ensemble, row, other, player) for row in rows[:4]])
        assert np.abs(found[:4] - told).max() < EXACT


@given(seed=st.integers(0, 10_000), columns=st.integers(1, 6), depth=st.integers(0, 7), limit=st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_values_add_up_and_agree_with_the_oracle(seed, columns, depth, limit):
    ensemble, rows, reference = forest(seed, columns=columns, depth=depth)
    player = np.arange(columns)
    scores = np.array([walked(ensemble, row) for row in rows])
    assert np.abs(margin(ensemble, rows) - scores).max() < EXACT
    for other in (reference, None):
        found = share_out(ensemble, rows, reference=other, player=player, limit=limit)
        assert np.abs(found.base + found.values.sum(axis=1) - scores).max() < EXACT
        assert np.abs(found.values[0] - plain(ensemble, rows[0], other, player)).max() < EXACT


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_order_and_repeats_do_not_matter(seed):
    ensemble, rows, reference = forest(seed, columns=4, depth=5)
    player = np.arange(4)
    found = share_out(ensemble, rows, reference=reference, player=player)
    turned = share_out(ensemble, rows[::-1], reference=np.repeat(reference[::-1], 3, axis=0), player=player)
    assert np.abs(found.values - turned.values[::-1]).max() < EXACT
    assert found.base == pytest.approx(turned.base, abs=EXACT)


def test_a_row_compared_with_itself_owes_nothing():
    ensemble, rows, _ = forest(3, columns=6, depth=7)
    for row in rows:
        found = share_out(ensemble, row[None], reference=row[None], player=np.arange(6))
        assert np.abs(found.values).max() < EXACT


def test_an_unused_feature_gets_nothing_and_threads_change_nothing(monkeypatch):
    ensemble, rows, reference = forest(5, columns=4, depth=6, trees=9)
    wide, wide_reference = np.c_[rows, rows[:, 0]], np.c_[reference, reference[:, 1]]
    player = np.arange(5)
    found = []
    for count in ("1", "2"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", count)
        found.append(share_out(ensemble, wide, reference=wide_reference, player=player).values)
    assert np.array_equal(*found)
    assert not found[0][:, 4].any()


def test_trees_of_one_leaf_and_no_rows():
    leaf = np.full(1, -1, np.int32)
    one = Tree(
        leaf, np.zeros(1), leaf, leaf, np.zeros(1, np.uint8), np.array([2.0]), np.ones(1), np.zeros(1, np.uint8), {}
    )
    ensemble = assemble([one, one], columns=2, scale="margin", offset=1.0)
    found = share_out(ensemble, np.zeros((3, 2)), reference=np.zeros((2, 2)), player=np.arange(2))
    assert found.base == 5.0
    assert not found.values.any()
    assert expected(ensemble) == 5.0
    assert share_out(ensemble, np.zeros((0, 2)), reference=None, player=np.arange(2)).values.shape == (0, 2)


def test_a_path_of_too_many_players_is_refused():
    count = 80
    inner = np.arange(count, dtype=np.int32)
    none = np.full(count + 1, -1, np.int32)
    tree = Tree(
        feature=np.concatenate([inner, none]),
        threshold=np.zeros(2 * count + 1),
        left=np.concatenate([np.append(inner[1:], 2 * count), none]).astype(np.int32),
        right=np.concatenate([inner + count, none]).astype(np.int32),
        missing_left=np.zeros(2 * count + 1, np.uint8),
        value=np.ones(2 * count + 1),
        cover=np.ones(2 * count + 1),
        kind=np.zeros(2 * count + 1, np.uint8),
        sets={},
    )
    ensemble = assemble([tree], columns=count, scale="margin")
    with pytest.raises(DataError, match="60 players"):
        share_out(ensemble, np.zeros((1, count)), reference=None, player=np.arange(count))
