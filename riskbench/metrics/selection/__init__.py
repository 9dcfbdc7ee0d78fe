"""What do events without a verdict hide? Weights from a random let-through, bounds where there is none."""

from riskbench.metrics.selection.inclusion import Inclusion, inclusion
from riskbench.metrics.selection.weighted import weighted_total

__all__ = [
    "Inclusion",
    "inclusion",
    "weighted_total",
]
