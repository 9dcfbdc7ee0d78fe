"""Which settings are in force?"""

from riskbench.config.secrets import redact, redact_all, resolve, secrets_in
from riskbench.config.settings import Settings, settings, workspace

__all__ = ["Settings", "redact", "redact_all", "resolve", "secrets_in", "settings", "workspace"]
