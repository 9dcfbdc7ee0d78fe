"""Do the reviewers keep up with what a cut sends them?"""

from riskbench.metrics.queue.queue import Queue, simulate_queue
from riskbench.metrics.queue.staffing import Staffing, staffing

__all__ = [
    "Queue",
    "Staffing",
    "simulate_queue",
    "staffing",
]
