"""What do events without a verdict hide? Weights from a random let-through, bounds where there is none."""

from riskbench.metrics.selection.bounds import Bounds, bounds
from riskbench.metrics.selection.inclusion import FEWEST_DRAWN, Inclusion, enough_drawn, few_drawn_words, inclusion
from riskbench.metrics.selection.ratio import share_of
from riskbench.metrics.selection.robust import expected_fraud, robust_total
from riskbench.metrics.selection.sensitivity import break_even, sensitivity, shifted
from riskbench.metrics.selection.weighted import weighted_total

__all__ = [
    "FEWEST_DRAWN",
    "Bounds",
    "Inclusion",
    "bounds",
    "break_even",
    "enough_drawn",
    "expected_fraud",
    "few_drawn_words",
    "inclusion",
    "robust_total",
    "sensitivity",
    "share_of",
    "shifted",
    "weighted_total",
]
