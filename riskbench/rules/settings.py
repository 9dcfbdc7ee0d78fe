"""Which settings of a parameter are worth looking at? Readable values spread over events and over frauds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskbench.rules.param import Param

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def spread_settings(values: Floats, frauds: Mask, spec: Param, *, size: int, whole: bool = False) -> Floats:
    """Return at most `size` settings within a parameter's bounds, ascending; today's is always among them.

    Half follow the quantiles of the events, half those of the known frauds, rounded to three digits so that they
    can stand in a rule. Where there are fewer distinct values than settings, every one is there.

    Parameters
    ----------
    values : ndarray of float64
        The quantity that is compared; NaN where it is missing.
    frauds : ndarray of bool
        Which of the events are known frauds.
    spec : Param
        The parameter.
    size : int, 2 or more
        How many settings at most.
    whole : bool
        Whether only whole numbers make sense.

    Examples
    --------
    >>> spread_settings(np.arange(10.0), np.zeros(10, bool), Param(4, min=2, max=7), size=50).tolist()
    [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    """
    today = float(spec.default)  # type: ignore[arg-type]
    low = -np.inf if spec.min is None else float(spec.min)
    high = np.inf if spec.max is None else float(spec.max)
    kept = np.isfinite(values) & (values >= low) & (values <= high)
    inside, caught = np.sort(values[kept]), np.sort(values[kept & frauds])
    if not len(inside):
        return np.unique([today, *(bound for bound in (low, high) if np.isfinite(bound))])
    few = np.unique(inside)
    if len(few) < size:
        return np.union1d(few, [today])
    found = np.array([today])
    many = size
    while len(found) < size and many <= 16 * size:
        picked = [_evenly(inside, many // 2), _evenly(caught if len(caught) else inside, many - many // 2)]
        found = np.unique(np.clip(readable(np.concatenate(picked), whole=whole), low, high))
        many *= 2
    if len(found) >= size:
        found = found[np.unique(np.linspace(0, len(found) - 1, size - 1).astype(np.intp))]
    return np.union1d(found, [today])


def spaced_settings(spec: Param, *, size: int) -> Floats:
    """Return settings spread evenly between a parameter's bounds, by ratio where they span more than a hundredfold.

    >>> spaced_settings(Param(2, min=0, max=4), size=5).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    today = float(spec.default)  # type: ignore[arg-type]
    near = sorted((today / 8, today * 8)) if today else [-1.0, 1.0]
    low = near[0] if spec.min is None else float(spec.min)
    high = near[1] if spec.max is None else float(spec.max)
    ratio = low > 0 and high / low > 100
    found = np.geomspace(low, high, size) if ratio else np.linspace(low, high, size)
    inner = readable(found[1:-1], whole=False)
    made = np.unique(np.clip(np.concatenate([[low], inner, [high]]), low, high))
    if len(made) >= size and today not in made:
        made = np.delete(made, 1 + int(np.argmin(np.abs(made[1:-1] - today)))) if len(made) > 2 else made[:1]
    return np.union1d(made, [today])


def readable(values: Floats, *, whole: bool, digits: int = 3) -> Floats:
    """Return numbers rounded to a few digits, as people write them.

    >>> readable(np.array([0.123456, 98765.0, 0.0]), whole=False).tolist()
    [0.123, 98800.0, 0.0]
    """
    size = np.floor(np.log10(np.where(values == 0, 1.0, np.abs(values))))
    step = digits - 1 - size
    up, down = 10.0 ** np.maximum(step, 0.0), 10.0 ** np.maximum(-step, 0.0)
    found = np.where(step >= 0, np.rint(values * up) / up, np.rint(values / down) * down)
    return np.asarray(np.rint(found) if whole else found) + 0.0


def _evenly(ordered: Floats, many: int) -> Floats:
    """Return quantiles that are values of the events themselves."""
    return ordered[np.linspace(0, len(ordered) - 1, max(many, 1)).astype(np.intp)]
