"""What would a marketplace look like whose truth is known?"""

from riskbench.data.marketplace.market import Marketplace, marketplace, sample

__all__ = ["Marketplace", "marketplace", "sample"]
