"""What does it cost to trouble good customers, and what are they worth?"""

from riskbench.metrics.growth.insult import InsultPrice, insult_price

__all__ = ["InsultPrice", "insult_price"]
