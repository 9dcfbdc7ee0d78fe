"""How far are the card schemes' limits, and what do appeals say about the decisions?"""

from riskbench.metrics.disputes.appeals import Appeals, appeals
from riskbench.metrics.disputes.programmes import DisputeProgrammes, dispute_programmes, programme_limit

__all__ = [
    "Appeals",
    "DisputeProgrammes",
    "appeals",
    "dispute_programmes",
    "programme_limit",
]
