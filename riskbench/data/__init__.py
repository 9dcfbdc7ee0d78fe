"""What are the events, and can they be trusted?"""

from riskbench.data.dataset import Dataset
from riskbench.data.roles import Roles

__all__ = ["Dataset", "Roles"]
