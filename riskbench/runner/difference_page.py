"""How does the difference of two runs stand on a page of its own?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from riskbench.display.page import Section, html_page
from riskbench.errors import RiskbenchError
from riskbench.privacy import Key, current_key, is_value, key_near, personal_kind, plain_name
from riskbench.runner.gate import passed
from riskbench.runner.sound import sound
from riskbench.runner.story import story_of
from riskbench.runner.veil import veiled

if TYPE_CHECKING:
    import pandas as pd

    from riskbench.runner.difference import RunDiff


def page_of(found: RunDiff, folder: Path | None) -> str:
    """Return the difference as self-contained HTML: the figures, what they are due to, then what moved.

    People and devices bear the pseudonyms that they bear on the pages of the run in the folder.

    Raises
    ------
    RefusedError
        When a detector still fires on the page.
    """
    key = (None if folder is None else key_near(folder)) or current_key()
    personal = _personal(folder)
    page = html_page(
        f"Two runs of {found.playbook.replace('_', ' ')}",
        list(_parts(found, _named(found.rows, personal, key))),
        about="difference of two runs",
        facts=found.headline(),
        foot=f"From run {found.before} to run {found.after}. {_cases(found.runs)}",
    )
    return passed(veiled(page, personal=personal, key=key))


def _personal(folder: Path | None) -> dict[str, str]:
    """Return the columns that name a person or a device, as the run's own notebook tells; none where it is gone."""
    try:
        held = json.loads((folder / "notebook.ipynb").read_text(encoding="utf-8")) if folder is not None else None
        return {} if held is None else dict(story_of(sound(held), name="run")[1].get("personal") or {})
    except (OSError, ValueError, RiskbenchError):
        return {}


def _named(rows: pd.DataFrame, personal: Mapping[str, str], key: Key) -> pd.DataFrame:
    """Return the rows that moved, with a pseudonym for each personal part of an entry of several columns."""
    if not len(rows):
        return rows
    kinds = {plain_name(name): kind for name, kind in personal.items()}

    def entry(columns: str, held: str) -> str:
        names, values = columns.split(", "), held.split(" · ")
        told = [kinds.get(plain_name(name)) or personal_kind(name) for name in names]
        if len(names) == 1 or not any(told):
            return held
        if len(names) != len(values):  # cut, or one of them holds the mark between them
            return key.pseudonym(held, next(kind for kind in told if kind))
        parts = zip(names, values, told, strict=True)
        return " · ".join(
            key.pseudonym(value, kind) if kind and is_value(value, name) else value for name, value, kind in parts
        )

    def what(text: str) -> str:
        for name in personal:
            shown = re.escape(name.replace("_", " "))
            text = re.sub(rf"(?<!\w){shown} [^;]+", f"{name.replace('_', ' ')} (hidden)", text)
        return text

    pairs = zip(rows["column"].astype(str), rows["entry"].astype(str), strict=True)
    return rows.assign(entry=[entry(*pair) for pair in pairs], what=[what(str(text)) for text in rows["what"]])


def _cases(runs: int) -> str:
    return f"{runs} mixed case{'' if runs == 1 else 's'} run to share the change out." if runs else ""


def _parts(found: RunDiff, rows: pd.DataFrame) -> Iterator[Section]:
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
        ("Rows gained, lost and changed", rows),
    )
    yield from (Section(name=name, table=frame) for name, frame in told if len(frame))
    if found.notes:
        yield Section(name="To be read with care", points=found.notes)
