"""How much is lost for how much is let through?"""

from riskbench.calibration.frontier.frontier import Frontier, FrontierPoint, frontier

__all__ = ["Frontier", "FrontierPoint", "frontier"]
