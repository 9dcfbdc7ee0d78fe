"""What is said at a terminal: each command is one call of the library."""

from riskbench.cli.entry import main

__all__ = ["main"]
