"""What would a marketplace look like whose truth is known?"""

from riskbench.data.marketplace.market import sample

__all__ = ["sample"]
