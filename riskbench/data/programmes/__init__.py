"""Which dispute programmes do card schemes run, and from which day does which limit hold?"""

from riskbench.data.programmes.programme import Programme, Threshold, read_programmes

__all__ = [
    "Programme",
    "Threshold",
    "read_programmes",
]
