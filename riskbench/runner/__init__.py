"""How does a playbook become a run with pages that can be trusted?"""

from riskbench.runner.bundle import Stored
from riskbench.runner.catalogue import Catalogue, Playbook, catalogue, find, find_playbooks, sample_book
from riskbench.runner.parameters import Parameter, from_command, read_cell, settle
from riskbench.runner.run import Run, run
from riskbench.runner.session import Finished, Session, start

__all__ = [
    "Catalogue",
    "Finished",
    "Parameter",
    "Playbook",
    "Run",
    "Session",
    "Stored",
    "catalogue",
    "find",
    "find_playbooks",
    "from_command",
    "read_cell",
    "run",
    "sample_book",
    "settle",
    "start",
]
