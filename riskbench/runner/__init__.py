"""How does a playbook become a run with pages that can be trusted?"""

from riskbench.runner.bundle import Stored
from riskbench.runner.catalogue import Playbook, catalogue, find, sample_book
from riskbench.runner.parameters import Parameter, from_command, read_cell, settle
from riskbench.runner.run import Run, run
from riskbench.runner.session import Finished, Session, start

__all__ = [
    "Finished",
    "Parameter",
    "Playbook",
    "Run",
    "Session",
    "Stored",
    "catalogue",
    "find",
    "from_command",
    "read_cell",
    "run",
    "sample_book",
    "settle",
    "start",
]
