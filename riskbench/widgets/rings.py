"""Who hangs together, and by what? One ring after the other, with its picture, its members and who it could else be."""

from __future__ import annotations

from html import escape
from typing import Any, ClassVar

import pandas as pd
import traitlets

from riskbench.display import html
from riskbench.display.steps import MOST_STEPS, Steps
from riskbench.errors import ParameterError
from riskbench.incidents.entities import Entities
from riskbench.incidents.ring import Ring, numbered, ring_of
from riskbench.widgets.panel import Panel

#: So many characters of what a ring is made of stand in the list to pick from.
_WORDS = 70
_STEPS = ("ring", "suspicious", "members", "events", "money", "frauds", "fraud_share", "share_elsewhere")


class RingViewer(Panel):
    """The rings of an investigation, one at a time: picture, members, shared links, and honest look-alikes.

    Attributes
    ----------
    value : int or None
        The number of the ring that is shown, the suspicious first; None where there is none.
    result : Ring
        That ring.
    members : DataFrame
        Its members with their full ids, for code; pages show ids masked.
    """

    title: ClassVar[str] = "Ring viewer"

    #: None is checked like any other value; `traitlets.Any` would let it through.
    value: Any = traitlets.TraitType(None)

    def __init__(self, entities: Entities) -> None:
        super().__init__()
        if not isinstance(entities, Entities):
            raise ParameterError(
                "A ring viewer takes an answer on entities",
                got=type(entities).__name__,
                hint="rb.investigate(...).entities is one",
            )
        self._entities = entities
        self._numbers: list[int] = [int(number) for number in entities.rings["ring"]] if len(entities.rings) else []
        self._held: dict[int | None, Ring] = {}
        self._seen: dict[int | None, str] = {}
        self._quiet = False
        self._make()
        self.set_trait("value", self._numbers[0] if self._numbers else None)
        self._show()

    @property
    def result(self) -> Ring:
        """The ring that is shown."""
        return self._ring(self.value)

    @property
    def members(self) -> pd.DataFrame:
        """Who and what belongs to the ring, with full ids."""
        return self.result.frame("members")

    @traitlets.validate("value")  # type: ignore[untyped-decorator]
    def _checked(self, proposal: Any) -> int | None:
        number = proposal["value"]
        return None if number is None and not self._numbers else numbered(self._entities.rings, number)

    @traitlets.observe("value")  # type: ignore[untyped-decorator]
    def _changed(self, _: object) -> None:
        self._tell("")
        self._show()

    def _ring(self, number: int | None) -> Ring:
        if number not in self._held:
            held = self._entities
            self._held[number] = ring_of(
                held.rings, held.members, held.edges,
                number=number, source=held, currency=held.currency, time_zone=held.time_zone,
            )  # fmt: skip
        return self._held[number]

    def _make(self) -> None:
        import ipywidgets

        options = [(_named(row), int(row["ring"])) for row in self._entities.rings.to_dict("records")]
        self.pick = ipywidgets.Dropdown(
            options=options, description="ring", style={"description_width": "initial"}, layout={"width": "40em"}
        )
        self.earlier = ipywidgets.Button(description="◀", tooltip="the ring before", layout={"width": "3em"})
        self.further = ipywidgets.Button(description="▶", tooltip="the next ring", layout={"width": "3em"})
        self._view = ipywidgets.HTML()
        self.pick.observe(self._guard(self._picked), names="value")
        self.earlier.on_click(self._guard(lambda _: self._step(-1)))
        self.further.on_click(self._guard(lambda _: self._step(1)))
        self._compose(
            ipywidgets.HTML(html.heading(self.title) + html.facts(self._entities.headline())),
            ipywidgets.HBox([self.pick, self.earlier, self.further], layout={"flex_flow": "row wrap"}),
            self._view,
            ipywidgets.HTML(self._listed()),
        )

    def _listed(self) -> str:
        """Return all rings as a folded table, ids masked."""
        caption, frame = self._entities.pages.get("rings", ("", pd.DataFrame()))
        if not len(frame):
            return ""
        rows = html.table(frame, rows=MOST_STEPS)
        return (
            f'<details style="{html.INK}"><summary style="cursor:pointer">{escape(caption)}</summary>{rows}</details>'
        )

    def _picked(self, change: Any) -> None:
        if not self._quiet and change["new"] is not None:
            self.value = change["new"]

    def _step(self, by: int) -> None:
        at = self._numbers.index(self.value) + by if self._numbers else 0
        if 0 <= at < len(self._numbers):
            self.value = self._numbers[at]

    def _show(self) -> None:
        self._quiet = True
        try:
            if self._numbers:
                self.pick.value = self.value
        finally:
            self._quiet = False
        at = self._numbers.index(self.value) if self._numbers else 0
        self.pick.disabled = not self._numbers
        self.earlier.disabled, self.further.disabled = at == 0, at >= len(self._numbers) - 1
        if self.value not in self._seen:
            self._seen[self.value] = self.result._repr_html_()
        self._view.value = self._seen[self.value]

    def _steps(self) -> Steps | None:
        if len(self._numbers) < 2:
            return None
        rings = self._entities.rings.head(MOST_STEPS)
        table = rings[list(_STEPS)].rename(columns={"frauds": "frauds_told"})
        table = table.assign(who=rings["evidence"], told=rings["told"], before=rings["kind"]).reset_index(drop=True)
        table["suspicious"] = table["suspicious"].astype(bool)
        at = self._numbers.index(self.value)
        return Steps(label="Ring, the suspicious first", table=table, at=min(at, len(table) - 1))


def ring_viewer(entities: Entities) -> RingViewer:
    """Return a panel that shows the rings of an investigation one at a time.

    Use it to look before anybody is judged: who is linked by what, how the ring fares, and which honest people
    would look the same. Dense is not fraud; a ring is called suspicious only where it bears more fraud than chance
    allows. Pages show ids masked; `.members` has them in full, for code.

    Parameters
    ----------
    entities : Entities
        The answer of `rb.investigate(...).entities`.

    Returns
    -------
    RingViewer
        `.value` the ring's number, `.result` the `Ring`, `.members` its members, `.observe(handler, names="value")`
        tells of each change.

    Raises
    ------
    ParameterError
        When it is no answer on entities.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> placed = pd.date_range("2026-03-01", periods=8, freq="3h")
    >>> events = rb.read(
    ...     pd.DataFrame({"id": range(8), "at": placed, "buyer": list("abcdefgh"), "device": [*"xxxx", *"1234"]}),
    ...     roles=rb.Roles(id="id", time="at", entities=("buyer", "device")),
    ... )
    >>> found = rb.investigate(rb.Incident("2026-03-01", "2026-03-02"), events)
    >>> viewer = rb.ring_viewer(found.entities)
    >>> viewer.value, viewer.members["entity"].tolist()
    (1, ['a', 'b', 'c', 'd', 'x'])
    """
    return RingViewer(entities)


def _named(row: dict[Any, Any]) -> str:
    words = str(row["evidence"]) or f"{int(row['members']):,} accounts"
    mark = "suspicious: " if row["suspicious"] else ""
    text = f"{int(row['ring'])}. {mark}{words}"
    return text if len(text) <= _WORDS else f"{text[: _WORDS - 1]}…"
