"""How good is a decision, and how sure are we?"""

from riskbench.metrics.constraints import Constraint, at_least, at_most
from riskbench.metrics.costs import Costs, Worth, worth
from riskbench.metrics.intervals import ratio_interval, sum_interval, wilson

__all__ = ["Constraint", "Costs", "Worth", "at_least", "at_most", "ratio_interval", "sum_interval", "wilson", "worth"]
