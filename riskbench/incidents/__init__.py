"""What happened: when, where, who, why was it missed, what would contain it, and what did it cost?"""

from riskbench.incidents.incident import Incident
from riskbench.incidents.scan import Scan, scan
from riskbench.incidents.scope import Scope

__all__ = ["Incident", "Scan", "Scope", "scan"]
