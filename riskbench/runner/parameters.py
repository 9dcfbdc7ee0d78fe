"""What may a playbook be asked? Its parameters cell, read as a specification and held to at every door."""

from __future__ import annotations

import ast
import io
import keyword
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riskbench.errors import ParameterError, PlaybookError, RiskbenchError, listed, nearest
from riskbench.runner.formats import FORMATS, check_together, moment
from riskbench.runner.shape import Shape, coerce, shape_of
from riskbench.runner.written import LONGEST, structure, too_long


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a playbook.

    Attributes
    ----------
    name : str
        What it is called.
    shape : Shape
        Its type.
    default : object
        Its value when none is given.
    help : str
        What it is for.
    minimum, maximum : float or None
        The range of a number.
    choices : tuple
        The only values allowed; any when empty.
    format : str or None
        A further check by its name: moment, roles, costs, currency, source, book.
    sample_only : bool
        The default is meant for the embedded sample: with a `source` it is off (None) unless it is passed.
    sample_choices : tuple
        The only values that the embedded sample has; any when empty, and any with a `source`.
    """

    name: str
    shape: Shape
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()
    format: str | None = None
    sample_only: bool = False
    sample_choices: tuple[object, ...] = ()

    def value(self, given: object) -> Any:
        """Return a given value as this parameter's type, checked.

        Raises
        ------
        ParameterError
            When it is of a wrong type, out of range, or not understood.
        """
        try:
            if isinstance(given, list | tuple | Mapping) and (size := _size(given)) > LONGEST:
                raise too_long(self.name, size)
            made = coerce(given, self.shape, name=self.name)
        except ParameterError as error:
            if error.allowed != self.shape.text or self.limits == self.shape.text:
                raise
            raise ParameterError(error.what, got=error.got, allowed=self.limits, hint=error.hint) from None
        except RecursionError:
            raise ParameterError(f"The parameter {self.name!r} is nested too deep") from None
        if made is None:
            return None
        if isinstance(made, int | float) and not isinstance(made, bool):
            low = self.minimum is not None and made < self.minimum
            if low or (self.maximum is not None and made > self.maximum):
                raise ParameterError(f"The parameter {self.name!r} is out of range", got=made, allowed=self.limits)
        if self.choices and made not in self.choices:
            close = nearest(str(made), [str(choice) for choice in self.choices])
            raise ParameterError(
                f"The parameter {self.name!r} has a value that is not offered",
                got=repr(made),
                allowed=listed(self.choices),
                hint=f"did you mean {close!r}?" if close else None,
            )
        if self.format is not None:
            FORMATS[self.format](self.name, made)
        return moment(made) if self.format == "moment" else made

    @property
    def limits(self) -> str:
        """What is allowed, in words."""
        if self.choices:
            return listed(self.choices)
        if self.minimum is not None and self.maximum is not None:
            return f"{self.shape.text}, {self.minimum:,} to {self.maximum:,}"
        if self.minimum is not None:
            return f"{self.shape.text}, {self.minimum:,} or more"
        if self.maximum is not None:
            return f"{self.shape.text}, {self.maximum:,} or less"
        return self.shape.text


def _size(value: object) -> int:
    """Return how many characters a value holds."""
    if isinstance(value, Mapping):
        return sum(_size(key) + _size(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return len(value) if isinstance(value, str) else 1


def read_cell(source: str, rules: Mapping[str, Mapping[str, Any]] | None = None) -> tuple[Parameter, ...]:
    """Return the parameters that a parameters cell declares.

    Each line reads `name: type = literal  # help`. Read with `ast` and `tokenize`: unions, Literal, and a second
    `=` in the help are understood.

    Parameters
    ----------
    source : str
        The cell's code.
    rules : mapping, optional
        By parameter: min, max, choices, format, sample_only.

    Raises
    ------
    PlaybookError
        When the cell holds anything else, or a default breaks its own declaration.
    """
    try:
        tree = ast.parse(source)
        comments = {
            token.start[0]: token.string.removeprefix("#").strip()
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
    except (SyntaxError, tokenize.TokenError) as error:
        raise PlaybookError(f"The parameters cell is not Python: {error}") from error
    rules, found = dict(rules or {}), {}
    for node in tree.body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None):
            raise PlaybookError(
                f"Line {node.lineno} of the parameters cell declares no parameter.",
                got=ast.unparse(node)[:120],
                allowed="name: type = literal  # help",
            )
        name = node.target.id
        if name in found or name.startswith("_") or keyword.iskeyword(name):
            raise PlaybookError(f"The parameter {name!r} is declared twice or cannot be a name")
        try:
            default = ast.literal_eval(node.value)
        except ValueError:
            raise PlaybookError(f"The default of the parameter {name!r} is not a literal") from None
        text = " ".join(comments[line] for line in range(node.lineno, (node.end_lineno or 0) + 1) if line in comments)
        shape = shape_of(node.annotation, ast.unparse(node.annotation))
        found[name] = _parameter(name, shape, default, text, rules.pop(name, {}))
    if rules:
        raise PlaybookError(f"The playbook's metadata speaks of parameters that it has not: {listed(rules)}")
    return tuple(found.values())


def _parameter(name: str, shape: Shape, default: object, text: str, rule: Mapping[str, Any]) -> Parameter:
    known = {"min", "max", "choices", "format", "sample_only", "sample_choices"}
    if not isinstance(rule, Mapping) or set(rule) - known or rule.get("format") not in {None, *FORMATS}:
        raise PlaybookError(
            f"The metadata of the parameter {name!r} is not understood",
            got=str(rule),
            allowed=f"{listed(sorted(known))}; a format is one of {listed(FORMATS)}",
        )
    made = Parameter(
        name=name,
        shape=shape,
        default=default,
        help=text,
        minimum=rule.get("min"),
        maximum=rule.get("max"),
        choices=tuple(rule.get("choices", ())),
        format=rule.get("format"),
        sample_only=bool(rule.get("sample_only", False)),
        sample_choices=tuple(rule.get("sample_choices", ())),
    )
    try:
        made.value(default)
    except ParameterError as error:
        raise PlaybookError(
            f"The default of the parameter {name!r} breaks its own declaration: {error.what}"
        ) from error
    return made


def check_names(parameters: Iterable[Parameter], names: Iterable[str]) -> None:
    """Refuse names that are not declared: a runner injects names as they are, so a name is code.

    Raises
    ------
    ParameterError
        For the first unknown name.
    """
    known = [parameter.name for parameter in parameters]
    for name in names:
        if name not in known:
            close = nearest(str(name), known)
            raise ParameterError(
                f"There is no parameter {str(name)[:80]!r}",
                allowed=listed(known, most=30),
                hint=f"did you mean {close!r}?" if close else None,
            )


def given(parameters: Iterable[Parameter], passed: Mapping[str, object]) -> dict[str, Any]:
    """Return the passed values, each as its declared type.

    Raises
    ------
    ParameterError
        For an unknown name, a wrong type, or a value out of range.
    """
    parameters = tuple(parameters)
    check_names(parameters, passed)
    return {p.name: p.value(passed[p.name]) for p in parameters if p.name in passed}


def settle(parameters: Iterable[Parameter], passed: Mapping[str, object]) -> dict[str, Any]:
    """Return every parameter's value: what was passed, else the default.

    With a `source`, a default that is meant for the embedded sample is off (None).

    Raises
    ------
    ParameterError
        For an unknown name, a wrong type, a value out of range, one that the sample does not have, or a source
        without roles.
    """
    parameters = tuple(parameters)
    values = given(parameters, passed)
    own_data = values.get("source") is not None
    for parameter in parameters:
        if parameter.name not in values:
            off = own_data and parameter.sample_only
            values[parameter.name] = None if off else parameter.value(parameter.default)
        held = values[parameter.name]
        if not own_data and parameter.sample_choices and held is not None and held not in parameter.sample_choices:
            raise ParameterError(
                f"The sample has no {parameter.name} {held!r}",
                allowed=f"{listed(parameter.sample_choices)}; or name a source",
            )
    check_together({p.name: p.format for p in parameters if p.format is not None}, values)
    return {parameter.name: values[parameter.name] for parameter in parameters}


def from_command(pairs: Iterable[str], file: str | Path | None = None) -> dict[str, Any]:
    """Return parameters from `key=value` texts, laid over those of a YAML file.

    `roles.id=order_id` sets one entry of a mapping.

    Raises
    ------
    ParameterError
        When a text is no pair, is named twice, or the file cannot be read.
    """
    found: dict[str, Any] = {}
    if file is not None:
        try:
            held = structure(Path(file).read_text(encoding="utf-8-sig"), name=str(file))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise ParameterError(f"The parameter file {str(file)!r} cannot be read: {reason}") from None
        if held == "":
            held = {}
        if not isinstance(held, Mapping):
            raise ParameterError(f"{file}: a parameter file is a mapping", allowed="name: value, one a line")
        found.update(held)
    seen: set[str] = set()
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ParameterError("A parameter is written key=value", got=repr(pair[:80]), hint="-p region=BR")
        if name in seen:
            raise ParameterError(f"The parameter {name!r} is given twice")
        seen.add(name)
        head, dot, key = name.partition(".")
        if dot:
            inner = found.get(head, {})
            if isinstance(inner, str):
                inner = structure(inner, name=head)
            if not isinstance(inner, Mapping):
                raise ParameterError(f"The parameter {head!r} is not a mapping, so {name!r} has no place")
            found[head] = {**inner, key: _plain(text, name)}
        else:
            found[name] = text
    return found


def _plain(text: str, name: str) -> Any:
    """Return the text of a mapping's entry as YAML 1.2 reads it: numbers and lists are such, NO is text."""
    try:
        return structure(text, name=name) if text.strip() else text
    except RiskbenchError:
        return text
