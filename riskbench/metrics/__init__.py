"""How good is a decision, and how sure are we?"""

from riskbench.metrics.constraints import Constraint, at_least, at_most
from riskbench.metrics.costs import Costs, Worth, worth
from riskbench.metrics.curve import TruthTable, truth_table
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.intervals import ratio_interval, sum_interval, wilson
from riskbench.metrics.maturity import DelayCurve, delay_curve, delay_curves
from riskbench.metrics.resample import Band, resample

__all__ = [
    "Band",
    "Constraint",
    "Costs",
    "DelayCurve",
    "Estimate",
    "TruthTable",
    "Worth",
    "at_least",
    "at_most",
    "delay_curve",
    "delay_curves",
    "ratio_interval",
    "resample",
    "sum_interval",
    "truth_table",
    "wilson",
    "worth",
]
