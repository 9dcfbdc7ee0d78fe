"""Why did the model score these events so?"""

from riskbench.explanation.cohort import Cohort
from riskbench.explanation.explanation import Explanation, explain
from riskbench.explanation.inputs import Reference

__all__ = ["Cohort", "Explanation", "Reference", "explain"]
