"""What was a notebook asked? Its names as they stand after its parameters cell, however they were set."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from riskbench.errors import ParameterError
from riskbench.runner.parameters import Parameter, check_names

#: How papermill begins the cell that it injects.
_PAPERMILL = "# Parameters"
#: How papermill writes what is no number; each type refuses it in its own words.
_NO_NUMBER = frozenset({"float('nan')", "float('inf')", "float('-inf')"})
_NUMBERS = (ast.BinOp, ast.UnaryOp, ast.Constant, ast.operator, ast.unaryop)


def passed(parameters: Iterable[Parameter], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was passed: values unlike the default, or set by a cell that is not the parameters cell.

    Papermill and schedulers put a cell of their own right after the parameters cell: every name in it must be a
    parameter, and every value a literal. A scheduler writes the text that was typed into it as it is, so that a bare
    `2026-11-10` is a difference of numbers to Python: what was written counts, as it would at the command line.

    Raises
    ------
    ParameterError
        For an unknown name in an injected cell, a value that is no literal, or one of a wrong type.
    """
    parameters = tuple(parameters)
    held = namespace.get("In")
    cells = [str(source) for source in held] if isinstance(held, list) else []
    scheduled = _scheduled(cells)
    assigned: set[str] = set()
    for source in cells:
        targets = set(_assigned(source))
        if source.lstrip().startswith(_PAPERMILL) or source is scheduled:
            check_names(parameters, sorted(targets))
            _check_literals(source, typed=set(_typed(source)) if source is scheduled else set())
        assigned |= targets
    typed = {} if scheduled is None else _typed(scheduled)
    found = {}
    for parameter in parameters:
        name = parameter.name
        if name in namespace:
            given = typed.get(name, namespace[name])
            if parameter.shape.base in ("any", "list", "dict") and name in typed and _is_literal(given):
                given = namespace[name]
            if name in assigned or parameter.value(given) != parameter.value(parameter.default):
                found[name] = given
    return found


def _scheduled(cells: list[str]) -> str | None:
    """Return the cell that a scheduler injected: right after the parameters cell, names and values only."""
    declared = [place for place, source in enumerate(cells) if _declares(source)]
    if not declared or declared[-1] + 1 >= len(cells) - 1:  # the last cell is the one that runs
        return None
    after = cells[declared[-1] + 1]
    body = _body(after)
    plain = all(
        isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        for node in body
    )
    return after if body and plain and not after.lstrip().startswith(_PAPERMILL) else None


def _declares(source: str) -> bool:
    body = _body(source)
    return bool(body) and all(isinstance(node, ast.AnnAssign) for node in body)


def _assigned(source: str) -> dict[str, ast.expr]:
    """Return what a cell sets without declaring it, by name."""
    return {
        target.id: node.value
        for node in _body(source)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _check_literals(source: str, *, typed: set[str]) -> None:
    """Refuse an expression where a value is meant: Python would work it out without a word.

    Raises
    ------
    ParameterError
        For the first one; numbers that were typed are judged as text by the parameter's type.
    """
    for name, node in _assigned(source).items():
        text = ast.get_source_segment(source, node) or ""
        if name not in typed and text not in _NO_NUMBER and not _is_literal(text):
            raise ParameterError(
                f"The parameter {name!r} was set by an expression, and only a plain value is taken",
                got=text[:80],
                hint="put quotes around it if it is text",
            )


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return True


def _typed(source: str) -> dict[str, str]:
    """Return the numbers of a cell as they were written, sums and differences of them too."""
    return {
        name: ast.get_source_segment(source, node) or ""
        for name, node in _assigned(source).items()
        if all(isinstance(part, _NUMBERS) and _is_number(part) for part in ast.walk(node))
    }


def _is_number(part: ast.AST) -> bool:
    return not isinstance(part, ast.Constant) or (
        isinstance(part.value, int | float) and not isinstance(part.value, bool)
    )


def _body(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
