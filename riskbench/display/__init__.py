"""How do results show themselves?"""

from riskbench.display.fact import NOT_MEASURABLE, Fact, number
from riskbench.display.grounds import Grounds
from riskbench.display.result import Result, json_safe, records, result

__all__ = ["NOT_MEASURABLE", "Fact", "Grounds", "Result", "json_safe", "number", "records", "result"]
