"""How late are labels told, and what do those told so far stand for?"""

from riskbench.metrics.maturity.calendar import Pace, pace
from riskbench.metrics.maturity.curve import DelayCurve, delay_curve, delay_curves
from riskbench.metrics.maturity.ladder import Ladder, chain_ladder, triangle
from riskbench.metrics.maturity.parametric import DelayFit, delay_fit
from riskbench.metrics.maturity.weights import Matured, matured

__all__ = [
    "DelayCurve",
    "DelayFit",
    "Ladder",
    "Matured",
    "Pace",
    "chain_ladder",
    "delay_curve",
    "delay_curves",
    "delay_fit",
    "matured",
    "pace",
    "triangle",
]
