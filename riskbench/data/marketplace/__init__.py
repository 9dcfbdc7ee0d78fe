"""What would a marketplace look like whose truth is known?"""

from riskbench.data.marketplace.market import Marketplace, marketplace, sample
from riskbench.data.marketplace.payouts import runs

__all__ = ["Marketplace", "marketplace", "runs", "sample"]
