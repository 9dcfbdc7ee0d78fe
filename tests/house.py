"""What the tests of the house share: its files, its rooms, its imports."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import riskbench

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "riskbench"
SOURCES = tuple(sorted(PACKAGE.rglob("*.py")))
ROOMS = tuple(sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(path: Path) -> str:
    """Return the room that a source file stands in; a file on the ground floor is its own room."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of every import that runs, wherever it stands in the file."""
    tree = tree_of(path)
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@cache
def modules() -> tuple[ModuleType, ...]:
    """Import and return every module of the package."""
    found = pkgutil.walk_packages(riskbench.__path__, "riskbench.")
    return (riskbench, *(importlib.import_module(info.name) for info in found if not info.name.endswith("__main__")))


def public() -> dict[str, object]:
    return {name: getattr(riskbench, name) for name in riskbench.__all__ if name != "__version__"}
