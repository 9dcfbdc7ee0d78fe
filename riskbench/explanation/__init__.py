"""Why did the model score these events so?"""

from riskbench.explanation.alerts import AlertShift, explain_alerts
from riskbench.explanation.candidates import CandidateRules
from riskbench.explanation.clusters import CaseClusters
from riskbench.explanation.cohort import Cohort
from riskbench.explanation.explanation import Explanation, explain
from riskbench.explanation.inputs import Reference

__all__ = [
    "AlertShift",
    "CandidateRules",
    "CaseClusters",
    "Cohort",
    "Explanation",
    "Reference",
    "explain",
    "explain_alerts",
]
