"""How late are labels told, and what do those told so far stand for?"""

from riskbench.metrics.maturity.curve import DelayCurve, delay_curve, delay_curves
from riskbench.metrics.maturity.weights import Matured, matured

__all__ = [
    "DelayCurve",
    "Matured",
    "delay_curve",
    "delay_curves",
    "matured",
]
