"""Who does a rule book let through, and who not?"""

from riskbench.rules.growth.approval import ApprovalRates, approval_rates

__all__ = ["ApprovalRates", "approval_rates"]
