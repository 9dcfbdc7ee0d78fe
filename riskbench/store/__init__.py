"""What is kept between runs?"""

from riskbench.store.connection import address, now
from riskbench.store.journal import Happening, Journal, incident_id, incident_number
from riskbench.store.ledger import STATUSES, Entry, Ledger, Status
from riskbench.store.process import Owner

__all__ = [
    "STATUSES",
    "Entry",
    "Happening",
    "Journal",
    "Ledger",
    "Owner",
    "Status",
    "address",
    "incident_id",
    "incident_number",
    "now",
]
