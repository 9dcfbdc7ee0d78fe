"""What do events without a verdict hide? Weights from a random let-through, bounds where there is none."""

from riskbench.metrics.selection.bounds import Bounds, bounds
from riskbench.metrics.selection.inclusion import Inclusion, inclusion
from riskbench.metrics.selection.ratio import share_of
from riskbench.metrics.selection.robust import expected_fraud, robust_total
from riskbench.metrics.selection.sensitivity import break_even, sensitivity, shifted
from riskbench.metrics.selection.weighted import weighted_total

__all__ = [
    "Bounds",
    "Inclusion",
    "bounds",
    "break_even",
    "expected_fraud",
    "inclusion",
    "robust_total",
    "sensitivity",
    "share_of",
    "shifted",
    "weighted_total",
]
