"""What can an analyst move with the mouse, and what stays of it on a page?"""

from riskbench.widgets.panel import Panel

__all__ = ["Panel"]
