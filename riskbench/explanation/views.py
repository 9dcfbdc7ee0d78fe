"""How is an explanation looked at as a whole? Importance, segments, probability, and shap's own form."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.errors import DataError, ParameterError
from riskbench.explanation.inputs import Reference
from riskbench.metrics.intervals import Z95

if TYPE_CHECKING:
    from riskbench.explanation.explanation import Explanation

Floats = npt.NDArray[np.float64]


def mean_interval(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the mean of each column with its 95 % interval; ends are NaN with fewer than two rows."""
    mean = values.mean(axis=0) if len(values) else np.full(values.shape[1], np.nan)
    if len(values) < 2:
        return mean, np.full(len(mean), np.nan), np.full(len(mean), np.nan)
    half = Z95 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return mean, mean - half, mean + half


def importance(values: Floats, features: Sequence[str]) -> pd.DataFrame:
    """Return what each feature adds on the whole, the largest first."""
    size, size_lower, size_upper = mean_interval(np.abs(values))
    mean, lower, upper = mean_interval(values)
    total = size.sum()
    frame = pd.DataFrame(
        {
            "feature": list(features),
            "mean_abs": size,
            "mean_abs_lower": np.maximum(size_lower, 0.0),
            "mean_abs_upper": size_upper,
            "mean": mean,
            "mean_lower": lower,
            "mean_upper": upper,
            "share": size / total if total > 0 else np.zeros(len(size)),
            "raises": (values > 0).mean(axis=0) if len(values) else np.full(values.shape[1], np.nan),
            "n": len(values),
        }
    )
    return frame.sort_values(["mean_abs", "feature"], ascending=[False, True], ignore_index=True)


def by_segment(values: Floats, features: Sequence[str], segment: Any) -> pd.DataFrame:
    """Return each feature's mean contribution in each segment."""
    held = pd.Series(np.asarray(segment, dtype=object)).fillna("(missing)").astype(str).to_numpy()
    if len(held) != len(values):
        raise ParameterError(f"A segment needs {len(values)} values", got=len(held))
    parts = []
    for name in sorted(set(held.tolist())):
        rows = values[held == name]
        mean, lower, upper = mean_interval(rows)
        part = {"segment": name, "feature": list(features), "mean": mean, "mean_lower": lower, "mean_upper": upper}
        parts.append(pd.DataFrame({**part, "mean_abs": np.abs(rows).mean(axis=0), "n": len(rows)}))
    return pd.concat(parts, ignore_index=True)


def as_probability(scores: Floats, scale: str) -> Floats:
    """Return scores as probabilities."""
    if scale == "probability":
        return scores
    if scale != "log-odds":
        raise DataError("The model's margin is no log-odds, so it has no probability", got=scale)
    return np.exp(-np.logaddexp(0.0, -scores))


def rescaled(values: Floats, base: float, scale: str) -> Floats:
    """Return log-odds values as shares of the change in probability."""
    if scale == "probability":
        return values
    total = values.sum(axis=1)
    low = float(as_probability(np.array([base]), scale)[0])
    high = as_probability(base + total, scale)
    flat = np.abs(total) < 1e-9
    slope = np.where(flat, low * (1 - low), (high - low) / np.where(flat, 1.0, total))
    return values * slope[:, None]


def to_shap(held: Explanation) -> Any:
    """Return shap's form of an explanation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # of matplotlib, on loading shap
        import shap

    data, shown = _shown(held)
    made = shap.Explanation(
        values=held.values.copy(),
        base_values=np.full(len(held.values), held.base),
        data=data,
        display_data=shown,
        feature_names=list(held.features),
    )
    made.riskbench = {
        "reference": {name: getattr(held.reference, name) for name in held.reference.__slots__},
        "scale": held.scale,
        "perturbation": held.perturbation,
        "model": held.model,
        "events": held.events.tolist(),
    }
    return made


def _shown(held: Explanation) -> tuple[Floats, npt.NDArray[np.object_]]:
    """Return the players' values as numbers (words by code, groups missing) and as they are shown."""
    data = np.full(held.values.shape, np.nan)
    shown = np.full(held.values.shape, "", dtype=object)
    if held.game is None:
        return data, shown
    frame = held.game.frame
    for place, name in enumerate(held.features):
        if name not in frame.columns:
            continue
        column = frame[name]
        shown[:, place] = column.astype(object).to_numpy()
        if pd.api.types.is_numeric_dtype(column.dtype):
            data[:, place] = column.to_numpy(np.float64)
        else:
            codes = pd.factorize(column, sort=True)[0].astype(np.float64)
            data[:, place] = np.where(codes < 0, np.nan, codes)
    return data, shown


def from_shap(held: Any, reference_name: str | None) -> dict[str, Any]:
    """Return the fields of an explanation made from shap's form."""
    values = np.asarray(getattr(held, "values", None), dtype=np.float64)
    base = np.asarray(getattr(held, "base_values", 0.0), dtype=np.float64)
    if values.ndim == 3:
        values = values[:, :, -1]
        base = base[..., -1] if base.ndim else base
    if values.ndim != 2 or not np.isfinite(values).all():
        raise DataError("A shap.Explanation of rows by features is needed.", got=f"shape {values.shape}")
    if base.size > 1 and np.ptp(base) > 1e-6 * max(1.0, float(np.abs(base).max())):
        raise DataError("The rows have different base values", hint="explain them against one reference")
    told = getattr(held, "riskbench", None) or {}
    names = getattr(held, "feature_names", None)
    features = tuple(str(n) for n in names) if names is not None else tuple(f"x{i}" for i in range(values.shape[1]))
    reference = Reference(**told["reference"]) if told else Reference(reference_name or "not told by shap")
    return {
        "values": values.copy(),
        "base": float(base.flat[0]) if base.size else 0.0,
        "features": features,
        "events": np.array(told.get("events", list(range(len(values)))), dtype=object),
        "reference": reference,
        "model": str(told.get("model", "not told by shap")),
        "scale": str(told.get("scale", "margin")),
        "perturbation": str(told.get("perturbation", "interventional")),
        "checked": None,
        "importance": importance(values, features),
        "notes": ("Taken over from shap: not checked by the oracle.",),
    }
