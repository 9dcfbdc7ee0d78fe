"""Which input column does each transformed column come from?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Owners = list[frozenset[int]]

#: Transformers that keep every column in its place.
_KEEPS = {"OneToOneFeatureMixin"}
#: Transformers without that mark that do so too.
_KEEPS_TOO = {"FrozenEstimator", "FunctionTransformer"}


def owners(transformer: Any, given: Owners, names: Sequence[str]) -> Owners:
    """Return, for each column that a fitted transformer gives out, the input columns it depends on.

    One-hot columns depend on one input, standardised ones too; what is not known to keep columns apart
    (principal components, polynomials) is taken to mix all that it is given, so a mistake is never silent.

    Parameters
    ----------
    transformer : object
        A fitted transformer of scikit-learn, `"passthrough"` or `"drop"`.
    given : list of frozenset of int
        The input columns that each column handed in depends on.
    names : sequence of str
        The names of the columns handed in.
    """
    if transformer is None or (isinstance(transformer, str) and transformer == "passthrough"):
        return given
    if isinstance(transformer, str):
        return []
    kinds = {cls.__name__ for cls in type(transformer).__mro__}
    if "Pipeline" in kinds:
        for _, step in transformer.steps:
            out = owners(step, given, names)
            given, names = out, called(step, len(out))
        return given
    if "ColumnTransformer" in kinds:
        return _by_column(transformer, given, names)
    if "OneHotEncoder" in kinds:
        counts = transformer._n_features_outs  # noqa: SLF001
        return [own for own, count in zip(given, counts, strict=True) for _ in range(count)]
    if "SimpleImputer" in kinds:
        return _imputed(transformer, given)
    if hasattr(transformer, "get_support"):
        return [own for own, kept in zip(given, transformer.get_support(), strict=True) if kept]
    if kinds & _KEEPS and not hasattr(transformer, "indicator_"):
        return given
    if type(transformer).__name__ in _KEEPS_TOO and getattr(transformer, "func", None) is None:
        return given
    everything = frozenset().union(*given) if given else frozenset()
    return [everything] * _width(transformer, len(given))


def _by_column(transformer: Any, given: Owners, names: Sequence[str]) -> Owners:
    width = max((part.stop for part in transformer.output_indices_.values()), default=0)
    out: Owners = [frozenset()] * width
    place = {name: i for i, name in enumerate(names)}
    for label, step, chosen in transformer.transformers_:
        part = transformer.output_indices_.get(label, slice(0, 0))
        if part.stop == part.start:
            continue
        if isinstance(chosen, str):
            picked = [place[chosen]]
        elif isinstance(chosen, slice):
            picked = list(range(len(names)))[chosen]
        else:
            held = np.asarray(chosen)
            if held.dtype == bool:
                picked = [int(i) for i in np.flatnonzero(held)]
            else:
                picked = [place[c] if isinstance(c, str) else int(c) for c in held.tolist()]
        inner = owners(step, [given[i] for i in picked], [names[i] for i in picked])
        if len(inner) != part.stop - part.start:
            inner = [frozenset().union(*(given[i] for i in picked))] * (part.stop - part.start)
        out[part] = inner
    return out


def _imputed(transformer: Any, given: Owners) -> Owners:
    kept = given
    if not getattr(transformer, "keep_empty_features", False):
        statistics = transformer.statistics_
        empty = [isinstance(value, float) and value != value for value in statistics.tolist()]  # noqa: PLR0124
        kept = [own for own, gone in zip(given, empty, strict=True) if not gone]
    indicator = getattr(transformer, "indicator_", None)
    return kept if indicator is None else kept + [given[int(i)] for i in indicator.features_]


def called(step: Any, width: int) -> list[str]:
    """Return what a fitted step calls the columns that it gives out."""
    if not hasattr(step, "get_feature_names_out"):
        return [f"x{i}" for i in range(width)]
    try:
        found = [str(name) for name in step.get_feature_names_out()]
    except (ValueError, AttributeError):
        found = []
    return found if len(found) == width else [f"x{i}" for i in range(width)]


def _width(transformer: Any, given: int) -> int:
    found = getattr(transformer, "_n_features_out", None)
    if isinstance(found, int | np.integer):
        return int(found)
    try:
        return len(transformer.get_feature_names_out())
    except (ValueError, AttributeError, TypeError):
        return given
