"""Which control fits a parameter, and is what it says right? Each field is checked as it is filled in."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from riskbench.config import redact, secrets_in
from riskbench.errors import ParameterError, RiskbenchError
from riskbench.runner.parameters import Parameter
from riskbench.runner.shape import as_text

#: What is checked when a field is left, not at every key: it looks at the disk.
_LOOKS_AT_DISK = frozenset({"source", "book", "model"})
_SOFT = "opacity:.8;font-size:90%;line-height:1.3"
_WIDE = {"width": "46em"}
_PLACEHOLDERS = {
    "moment": "2026-11-10 or 2026-11-10T14:00+07:00",
    "source": "a path, a glob, a database URL, env:NAME",
    "book": "a YAML file",
}


class Wiped:
    """What a form's value says of a password that was wiped: it fits no parameter, so that nothing runs without it."""

    def __repr__(self) -> str:
        return "a password, which was wiped"


WIPED = Wiped()


class Field:
    """One parameter in a form: its control, its help, and what is wrong with it.

    Attributes
    ----------
    parameter : Parameter
        What is asked.
    default : object
        The value when nothing is asked: the playbook's, the workspace's, or none with data of one's own.
    control : widget
        A checkbox for true or false, a list for choices, YAML text for lists and mappings, text for all else.
        Numbers are typed as text too: a number box would move a wrong number into the range without a word, and
        round whole numbers above 2**53.
    error, cause : str, RiskbenchError or None
        What is wrong with it, in words and as raised; empty and None when nothing is.
    refused : object
        What it said when it was wrong, as it was typed; a password is masked.
    row : widget
        All of it.
    """

    def __init__(self, parameter: Parameter, changed: Callable[[Field], None]) -> None:
        import ipywidgets

        self.parameter, self.error = parameter, ""
        self.refused: Any = None
        self.cause: RiskbenchError | None = None
        self.default: Any = parameter.default
        self.control = _control(parameter)
        self._said = ipywidgets.HTML(layout={"max_width": "28em"})
        about = ipywidgets.HTML(f'<div style="{_SOFT}">{escape(self.about)}</div>', layout=_WIDE)
        about.layout.margin = "0 0 0 11.5em"
        self.row = ipywidgets.VBox([ipywidgets.HBox([self.control, self._said]), about], layout={"margin": "0 0 6px 0"})
        self.control.observe(lambda _: changed(self), names="value")

    @property
    def about(self) -> str:
        """The help, with what is allowed where the type does not say it all."""
        parameter = self.parameter
        limited = parameter.minimum is not None or parameter.maximum is not None
        utc = "; UTC without an offset" if parameter.format == "moment" and "UTC" not in parameter.help else ""
        return f"{parameter.help}{f' ({parameter.limits})' if limited else ''}{utc}"

    @property
    def given(self) -> Any:
        """What the field says, as it stands."""
        return self.control.value

    def show(self, value: object) -> None:
        """Put a value into the field."""
        parameter = self.parameter
        self.control.value = value if _typed(parameter) else as_text(value, parameter.shape)

    def is_default(self) -> bool:
        """Whether the field stands as it stood at first."""
        return bool(
            self.given == (self.default if _typed(self.parameter) else as_text(self.default, self.parameter.shape))
        )

    def value(self) -> Any:
        """Return the checked value.

        Raises
        ------
        ParameterError
            When it does not fit, or holds a password, which is then wiped from the field.
        """
        given = self.refused = self.given
        if secrets_in(given):
            self.control.value = ""
            self.refused = WIPED
            raise ParameterError(
                f"The parameter {self.parameter.name!r} held a password, so it was wiped",
                hint="put the URL into an environment variable and write env:NAME",
            )
        if self.default is None and self.is_default():
            return None
        return self.parameter.value(given)

    def tell(self, error: RiskbenchError | None) -> None:
        """Show what is wrong beside the field; nothing when nothing is."""
        self.cause = error
        self.error = "" if error is None else redact(told(error, self.parameter.name))
        text = "<br>".join(escape(line) for line in self.error.splitlines())
        self._said.value = (
            f'<div role="alert" style="border-left:4px solid #b3261e;padding:0 8px;line-height:1.35">{text}</div>'
            if text
            else ""
        )


def told(error: RiskbenchError, name: str) -> str:
    """Return an error for the field beside which it stands: the parameter needs no naming there."""
    what = error.what.removeprefix(f"The parameter {name!r} ").removeprefix(f"The parameter {name!r}: ")
    lines = [what[:1].upper() + what[1:]]
    if error.allowed is not None:
        lines.append(f"Allowed: {error.allowed}")
    if error.hint:
        lines.append(f"Hint: {error.hint}")
    return "\n".join(lines)


def _typed(parameter: Parameter) -> bool:
    """Return whether the control holds values, not text."""
    return parameter.shape.base in {"bool", "literal"} or bool(parameter.choices)


def _control(parameter: Parameter) -> Any:
    import ipywidgets

    shape, name = parameter.shape, parameter.name
    look = {
        "description": name,
        "style": {"description_width": "11em"},
        "layout": {"width": "38em"},
        "tooltip": parameter.help,
    }
    if shape.base == "bool" and not shape.optional:
        look["style"] = {"description_width": "11em"}
        return ipywidgets.Checkbox(value=parameter.default, indent=True, **look)
    if _typed(parameter):
        options: list[tuple[str, object]] = [("none", None)] if shape.optional or parameter.sample_only else []
        held = (True, False) if shape.base == "bool" else parameter.choices or shape.choices
        options += [(str(choice).lower() if isinstance(choice, bool) else str(choice), choice) for choice in held]
        return ipywidgets.Dropdown(options=options, value=parameter.default, **look)
    text = as_text(parameter.default, shape)
    hint = _PLACEHOLDERS.get(parameter.format or "", "none" if shape.optional else "")
    live = parameter.format not in _LOOKS_AT_DISK
    if shape.base in {"list", "dict", "any"}:
        hint = {"list": '["a", "b"]', "dict": "name: value"}.get(shape.base, "")
        return ipywidgets.Textarea(value=text, placeholder=hint, rows=max(1, text.count("\n") + 1), **look)
    if parameter.sample_choices:
        known = [str(choice) for choice in parameter.sample_choices]
        return ipywidgets.Combobox(
            value=text, options=known, ensure_option=False, placeholder=hint, continuous_update=live, **look
        )
    return ipywidgets.Text(value=text, placeholder=hint, continuous_update=live, **look)
