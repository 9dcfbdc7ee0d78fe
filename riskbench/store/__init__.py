"""What is kept between runs?"""

from riskbench.store.ledger import STATUSES, Entry, Ledger, Status, address, now
from riskbench.store.process import Owner

__all__ = ["STATUSES", "Entry", "Ledger", "Owner", "Status", "address", "now"]
