"""What is a panel? Controls that move an answer, which stays behind as a picture where no kernel is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import wraps
from html import escape
from typing import Any, ClassVar

import traitlets

from riskbench.config import redact
from riskbench.display import Result
from riskbench.display.steps import Steps
from riskbench.errors import RiskbenchError

_VIEW = "application/vnd.jupyter.widget-view+json"


class Panel(traitlets.HasTraits):
    """The base of every widget: takes and returns the library's nouns, and bears its own static twin.

    A subclass makes its controls in `__init__` and hands them to `_compose`, sets `value` when they move, and says
    in `result` what the answer is at this value. `observe(handler, names="value")` tells of each change. What goes
    wrong in a control is shown inside the panel; `errors` holds the words.

    Attributes
    ----------
    value : object
        What the controls say now, as plain Python values.
    result : Result
        The answer at this value; its picture and words are the panel's static twin.
    errors : str
        What went wrong last, as plain text; empty when nothing did.
    """

    title: ClassVar[str] = "Panel"

    value: Any = traitlets.Any(allow_none=True)
    errors: Any = traitlets.Unicode("")

    def __init__(self) -> None:
        super().__init__()
        import ipywidgets

        self._open = True
        self._alert = ipywidgets.HTML()
        self.box: Any = ipywidgets.VBox([self._alert])

    @property
    @abstractmethod
    def result(self) -> Result:
        """The answer at this value."""

    def _steps(self) -> Steps | None:
        """Return the answer at other settings, for readers without a kernel; None when there are none."""
        return None

    def _compose(self, *parts: Any) -> None:
        """Set what the panel shows, from top to bottom; errors stand below."""
        self.box.children = (*parts, self._alert)

    def _guard(self, handler: Callable[..., object]) -> Callable[..., None]:
        """Return a handler whose errors are shown inside the panel; nothing of its own is lost by them."""

        @wraps(handler)
        def guarded(*given: object, **named: object) -> None:
            try:
                handler(*given, **named)
            except RiskbenchError as error:
                self._tell(str(error))
            except Exception as error:  # noqa: BLE001 a handler's errors go to a log that no analyst reads
                self._tell(f"Something unexpected went wrong: {type(error).__name__}: {error}")
            else:
                self._tell("")

        return guarded

    def _tell(self, text: str) -> None:
        self.errors = redact(text)
        lines = "<br>".join(escape(line) for line in self.errors.splitlines())
        self._alert.value = (
            f'<div role="alert" style="border-left:4px solid #b3261e;padding:4px 10px">{lines}</div>' if lines else ""
        )

    def close(self) -> None:
        """Free what the panel holds in the kernel and on the screen; its static twin stays."""
        for part in _within(self.box):
            part.close()
        self._open = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.result!r})"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        twin = self.result._repr_mimebundle_()
        steps = self._steps()
        held: dict[str, Any] = {kind: twin[kind] for kind in ("text/html", "image/png") if kind in twin}
        if steps is not None:
            held["text/html"] += steps.html()
        live = (self.box._repr_mimebundle_() or {}) if self._open else {}
        return {"text/plain": repr(self), **held, **{kind: live[kind] for kind in (_VIEW,) if kind in live}}


def _within(widget: Any) -> list[Any]:
    """Return a widget and every widget that it holds, its layout and style included."""
    import ipywidgets

    found: dict[int, Any] = {}
    waiting = [widget]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list | tuple):
            waiting.extend(one)
        elif isinstance(one, ipywidgets.Widget) and id(one) not in found:
            found[id(one)] = one
            waiting.extend(getattr(one, name) for name in one.keys)
    return list(found.values())
