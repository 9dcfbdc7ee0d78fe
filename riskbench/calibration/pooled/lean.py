"""How do small regions lean on all, and what does each region's curve look like then?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from riskbench.calibration.pooled.curves import Flows, steadied
from riskbench.metrics.pooling import Pooled, pooled

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Leant:
    """Each region's curve after all regions have been heard: net value per event, step by step.

    Attributes
    ----------
    cuts : ndarray of float64, shape (steps + 1,)
        The cuts, the strictest first.
    parts : tuple of Pooled
        What each step gains on frauds, and what it gives up on all other events.
    noise : ndarray of float64, shape (regions, steps)
        The sampling variance of each step.
    """

    cuts: Floats
    parts: tuple[Pooled, Pooled]
    noise: Floats

    @cached_property
    def mean(self) -> Floats:
        """The value per event that each step adds, shape (regions, steps)."""
        return self.parts[0].mean + self.parts[1].mean

    @cached_property
    def cov(self) -> Floats:
        """Its covariance, shape (regions, steps, steps)."""
        return self.parts[0].cov + self.parts[1].cov

    @property
    def spread(self) -> float:
        """The standard deviation between regions, as a share of what the common curve gains on frauds."""
        return float(np.hypot(self.parts[0].level, self.parts[0].local))

    def path(self, start: int, end: int) -> Floats:
        """Return the steps that lead from one cut to another, with their sign."""
        out = np.zeros(len(self.cuts) - 1)
        low, high = sorted((start, end))
        out[low:high] = 1.0 if end >= start else -1.0
        return out

    def gains(self, region: int, start: int) -> Floats:
        """Return the expected gain per event of a region at each cut, over one of the cuts."""
        net = np.concatenate([[0.0], np.cumsum(self.mean[region])])
        return np.asarray(net - net[start])

    def gain(self, region: int, start: int, end: int) -> tuple[float, float]:
        """Return the expected gain per event from one cut to another, and its standard deviation."""
        path = self.path(start, end)
        return float(path @ self.mean[region]), float(np.sqrt(max(path @ self.cov[region] @ path, 0.0)))

    def evidence(self, region: int, start: int, end: int) -> float:
        """Return the weight of a region's own evidence between two cuts, 0 to 1; else of the whole curve."""
        path = self.path(start, end) if start != end else np.ones(len(self.cuts) - 1)
        varied = float(path @ (self.parts[0].between + self.parts[1].between) @ path)
        noise = float((path**2 * self.noise[region]).sum())
        return varied / (varied + noise) if varied + noise > 0 else 0.0

    def draws(self, region: int, number: int, rng: np.random.Generator) -> Floats:
        """Return random curves of a region that agree with what is known, each (steps + 1) long."""
        values, vectors = np.linalg.eigh(self.cov[region])
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        steps = self.mean[region] + rng.standard_normal((number, len(values))) @ root.T
        return np.concatenate([np.zeros((number, 1)), np.cumsum(steps, axis=1)], axis=1)


def lean(held: Flows, frauds: float, *, about: Leant | None = None, group: Ints | None = None) -> Leant:
    """Return each region's curve leant on all regions', or on its group's.

    Frauds and all other events are leant apart: a region of few frauds often has many good customers, so what a cut
    costs is known there, and only what it gains is borrowed.

    Parameters
    ----------
    held : Flows
        What each region shows.
    frauds : float
        Known frauds of all regions.
    about : Leant, optional
        The groups' curves.
    group : ndarray of int, shape (regions,), optional
        The group of each region.
    """
    noise, scale = steadied(held, frauds)
    parts = []
    for flow in (0, 1):
        if about is None or group is None:
            parts.append(pooled(held.steps[flow], noise[flow], scale=scale[flow]))
            continue
        centre, unsure = about.parts[flow].mean[group], about.parts[flow].cov[group]
        apart = pooled(held.steps[flow] - centre, noise[flow], scale=scale[flow], about_cov=unsure)
        parts.append(Pooled(apart.mean + centre, apart.cov, apart.common, apart.between, apart.level, apart.local))
    return Leant(held.cuts, (parts[0], parts[1]), noise.sum(axis=0))
