"""How is one rule moved by hand? A switch, an outcome, a priority, and a control for each of its parameters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from riskbench.display import html
from riskbench.display.wording import private, visible
from riskbench.rules.param import Param, ParamValue, is_number, listed_value, number
from riskbench.rules.rule import Rule
from riskbench.rules.settings import spaced_settings

#: A slider has so many places at most.
PLACES = 101
#: Numbers beyond this are not exact in a browser's number box.
_EXACT = 2.0**53

#: Called with the rule, what of it was moved, and where to.
Moved = Callable[[Rule, str, object], None]


class RuleRow:
    """The controls of one rule.

    Attributes
    ----------
    live, outcome, priority : widgets
        Whether it decides, what, and in which order.
    params : mapping of str to ParamControl
        One control a parameter.
    box : widget
        All of it.
    """

    def __init__(self, rule: Rule, outcomes: Sequence[str], moved: Moved) -> None:
        import ipywidgets

        self.rule, self._moved, self._quiet = rule, moved, False
        tight = {"description_width": "initial"}
        self.label = ipywidgets.HTML(layout={"flex": "1 1 18em"})
        self.live = ipywidgets.Checkbox(
            description="live", tooltip=f"{rule.id} decides", indent=False, layout={"width": "5em"}
        )
        self.outcome = ipywidgets.Dropdown(
            options=list(outcomes), description="outcome", tooltip=f"outcome of {rule.id}", style=tight,
            layout={"width": "13em"},
        )  # fmt: skip
        self.priority = ipywidgets.IntText(
            description="priority", tooltip=f"priority of {rule.id}, the smallest decides first", style=tight,
            layout={"width": "10em"},
        )  # fmt: skip
        self.params = {name: ParamControl(rule, name, held, self._param) for name, held in rule.params.items()}
        for part, control in (("live", self.live), ("outcome", self.outcome), ("priority", self.priority)):
            control.observe(self._told(part), names="value")
        first = ipywidgets.HBox(
            [self.label, self.live, self.outcome, self.priority], layout={"flex_flow": "row wrap", "width": "100%"}
        )
        below = [control.box for control in self.params.values()]
        second = [ipywidgets.HBox(below, layout={"flex_flow": "row wrap", "padding": "0 0 0 1.2em"})] if below else []
        self.box = ipywidgets.VBox([first, *second], layout={"border_top": html.LINE, "padding": "4px 0"})

    def show(self, edits: Mapping[str, Any], told: str) -> None:
        """Set the controls to what edits say, without telling anybody; only what differs is touched."""
        rule, self._quiet = self.rule, True
        try:
            own = edits["params"].get(rule.id, {})
            self.live.value = (rule.status == "live" or rule.id in edits["on"]) and rule.id not in edits["off"]
            self.outcome.value = edits["outcomes"].get(rule.id, rule.outcome)
            self.priority.value = edits["priorities"].get(rule.id, rule.priority)
            for name, control in self.params.items():
                control.show(own.get(name, listed_value(rule.params[name].default)))
            self.label.value = _label(rule, told, changed=any(rule.id in part for part in edits.values()))
        finally:
            self._quiet = False

    def _told(self, part: str) -> Callable[[Any], None]:
        def handler(change: Any) -> None:
            if not self._quiet:
                self._moved(self.rule, part, change["new"])

        return handler

    def _param(self, name: str, value: object) -> None:
        if not self._quiet:
            self._moved(self.rule, "params", (name, value))


class ParamControl:
    """The control of one parameter: a box, and a slider where it has both bounds; other kinds are typed.

    A number is typed exactly or dragged to readable settings; a list is typed as JSON.
    """

    def __init__(self, rule: Rule, name: str, param: Param, moved: Callable[[str, object], None]) -> None:
        import ipywidgets

        self.name, self.param, self._moved, self._busy = name, param, moved, False
        said = f"{name} ({param.unit})" if param.unit else name
        about = {"description": said[:60], "tooltip": f"{name} of {rule.id}: {param.range}"}
        style = {"description_width": "initial"}
        self.slider: Any = None
        self.settings: list[float] = []
        default = param.default
        if isinstance(default, bool):
            self.box_ = ipywidgets.Checkbox(**about, indent=False)
        elif is_number(default) and abs(default) < _EXACT:  # type: ignore[arg-type]
            self.box_ = ipywidgets.FloatText(**about, style=style, layout={"width": "auto"})
            self.settings = settings_of(param)
        else:
            self.box_ = ipywidgets.Text(**about, style=style, continuous_update=False, layout={"width": "30em"})
        parts = [self.box_]
        if len(self.settings) > 1:
            self.slider = ipywidgets.SelectionSlider(
                options=[(number(value), value) for value in self.settings], readout=False, continuous_update=False,
                tooltip=f"{name} of {rule.id}: {param.range}", layout={"width": "14em"},
            )  # fmt: skip
            self.slider.observe(self._dragged, names="value")
            parts.append(self.slider)
        self.box_.observe(self._typed, names="value")
        self.box: Any = ipywidgets.HBox(parts)

    def show(self, value: Any) -> None:
        """Set the control to a value, without telling anybody."""
        self._busy = True
        try:
            self.box_.value = value if isinstance(value, bool) or self._numeric else self._text(value)
            if self.slider is not None:
                self.slider.index = int(np.argmin(np.abs(np.array(self.settings) - float(value))))
        finally:
            self._busy = False

    @property
    def _numeric(self) -> bool:
        return type(self.box_).__name__ == "FloatText"

    def _text(self, value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def _dragged(self, change: Any) -> None:
        if not self._busy:
            self._moved(self.name, like(self.param.default, change["new"]))

    def _typed(self, change: Any) -> None:
        if self._busy:
            return
        value = change["new"]
        if isinstance(value, str) and not isinstance(self.param.default, str):
            try:
                value = json.loads(value)
            except ValueError:
                # What is no JSON is handed on as it is: the parameter says what it allows.
                value = change["new"]
        self._moved(self.name, like(self.param.default, value))


def settings_of(param: Param) -> list[float]:
    """Return the places of a parameter's slider: readable values between its bounds, today's among them.

    >>> settings_of(Param(3, min=1, max=5))
    [1.0, 2.0, 3.0, 4.0, 5.0]
    >>> settings_of(Param(3, min=1))
    []
    """
    if param.min is None or param.max is None or max(abs(param.min), abs(param.max)) >= _EXACT:
        return []
    whole = all(isinstance(end, int) for end in (param.default, param.min, param.max))
    if whole and param.max - param.min < PLACES:
        return [float(value) for value in range(int(param.min), int(param.max) + 1)]
    found = spaced_settings(param, size=PLACES)
    return np.unique(np.rint(found) if whole else found).tolist()


def like(default: ParamValue, value: object) -> object:
    """Return a number as a whole one where the default is whole and nothing is lost.

    >>> like(4, 5.0), like(4, 5.5), like(4.0, 5.0)
    (5, 5.5, 5.0)
    """
    whole = isinstance(default, int) and not isinstance(default, bool)
    return int(value) if whole and isinstance(value, float) and value.is_integer() else value


def _label(rule: Rule, told: str, *, changed: bool) -> str:
    mark = ' <span style="font-weight:600">(edited)</span>' if changed else ""
    title = f'<div style="{html.SOFT};font-size:90%">{escape(private(visible(rule.title)))}</div>' if rule.title else ""
    return (
        f'<div style="{html.INK};line-height:1.3"><b>{escape(visible(rule.id))}</b> ({rule.status}){mark}{title}'
        f'<div style="{html.SOFT};font-size:90%">{escape(told)}</div></div>'
    )
