"""How can a reader move an answer where no kernel is? As precomputed steps, which a page turns into a slider."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from riskbench.display import html

if TYPE_CHECKING:
    import pandas as pd

#: The most steps that go with an answer.
MOST_STEPS = 101
#: What marks them in HTML: a page's one script turns what bears it into a slider; without it, it is a folded table.
MARK = "riskbench-steps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """An answer at each of up to 101 settings of one control.

    Attributes
    ----------
    label : str
        What the control sets, with its unit.
    table : DataFrame
        One row a setting, the setting in the first column, the answer in the others.
    at : int
        The row that the answer is shown at.
    """

    label: str
    table: pd.DataFrame
    at: int = 0

    def html(self) -> str:
        """Return the steps as a folded table that a page's script turns into a slider."""
        rows = html.table(self.table, rows=MOST_STEPS)
        name = escape(self.label, quote=True)
        return (
            f'<details class="{MARK}" data-label="{name}" data-at="{int(self.at)}">'
            f"<summary>{name}: {len(self.table)} settings, worked out beforehand</summary>{rows}</details>"
        )
