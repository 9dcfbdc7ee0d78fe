"""Do the reviewers keep up with what a cut sends them?"""

from riskbench.metrics.queue.queue import Queue, simulate_queue

__all__ = [
    "Queue",
    "simulate_queue",
]
