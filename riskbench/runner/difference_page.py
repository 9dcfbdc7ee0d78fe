"""How does the difference of two runs stand on a page of its own?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from riskbench.display.page import Section, html_page
from riskbench.privacy import key_near
from riskbench.runner.veil import veiled

if TYPE_CHECKING:
    import pandas as pd

    from riskbench.runner.difference import RunDiff


def page_of(found: RunDiff, folder: Path | None) -> str:
    """Return the difference as self-contained HTML: the figures, what they are due to, then what moved.

    People and devices bear the pseudonyms that they bear on the pages of the run in the folder.
    """
    page = html_page(
        f"Two runs of {found.playbook.replace('_', ' ')}",
        list(_parts(found)),
        about="difference of two runs",
        facts=found.headline(),
        foot=f"From run {found.before} to run {found.after}. {_cases(found.runs)}",
    )
    return veiled(page, personal={}, key=None if folder is None else key_near(folder))


def _cases(runs: int) -> str:
    return f"{runs} mixed case{'' if runs == 1 else 's'} run to share the change out." if runs else ""


def _parts(found: RunDiff) -> Iterator[Section]:
    yield Section(name="The headline, then and now", table=found.pages["facts"][1])
    if not found.same:
        due = found.pages["parts"][1]
        why = f"Not measurable: {found.why}." if found.why else "" if len(due) else "Not asked for."
        picture = {"picture": found.png(), "alt": found.alt} if found.drawable else {}
        yield Section(name="What the change is due to", texts=(why,), table=due, **picture)  # type: ignore[arg-type]
    data = found.data[~found.data["same"]].drop(columns="same")
    told: tuple[tuple[str, pd.DataFrame], ...] = (
        ("Parameters that differ", found.parameters),
        ("Data", data),
        ("Rules", found.rules),
        ("Cuts", found.cuts),
        ("On the same events", found.paired),
        ("Tables", found.summary[found.summary[["gained", "lost", "changed"]].sum(axis=1) > 0]),
        ("Rows gained, lost and changed", found.rows),
    )
    yield from (Section(name=name, table=frame) for name, frame in told if len(frame))
    if found.notes:
        yield Section(name="To be read with care", points=found.notes)
