"""What of a notebook can be shown at all? Anybody may have written it: each part gets the type that it should have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_MOST_CELLS, _MOST_OUTPUTS = 5_000, 2_000
#: The most characters of one text; what is longer is told, not shown.
_LARGEST = 20_000_000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOO_LONG = "An output of more than 20 MB is not shown."


def sound(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """Return a notebook whose cells and outputs have the parts that they should have; what has not is left out.

    >>> sound({"cells": [{"cell_type": "code", "source": ["a", 1], "outputs": "x"}, 7]})["cells"]
    [{'cell_type': 'code', 'id': 'c0', 'metadata': {}, 'source': 'a1', 'outputs': [], 'execution_count': None}]
    """
    cells, metadata = notebook.get("cells"), notebook.get("metadata")
    told = cells[:_MOST_CELLS] if isinstance(cells, list) else []
    held = [_cell(cell, number) for number, cell in enumerate(told) if isinstance(cell, Mapping)]
    names = [cell["id"] for cell in held]
    if len(set(names)) < len(names):
        for number, cell in enumerate(held):
            cell["id"] = f"c{number}"
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": _about(metadata) if isinstance(metadata, Mapping) else {},
        "cells": held,
    }


def _about(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return a notebook's own metadata: its language and kernel as texts or not at all, and what tools say of it."""
    told = dict(metadata)
    for part, needed in (("language_info", ("name",)), ("kernelspec", ("name", "display_name"))):
        value = told.pop(part, None)
        if isinstance(value, Mapping) and all(isinstance(value.get(name), str) for name in needed):
            told[part] = {str(name): held for name, held in value.items() if isinstance(held, str)}
    return told


def _cell(cell: Mapping[str, Any], number: int) -> dict[str, Any]:
    kind = cell.get("cell_type")
    kind = kind if kind in ("markdown", "code", "raw") else "raw"
    held = cell["metadata"] if isinstance(cell.get("metadata"), Mapping) else {}
    metadata = {name: value for name, value in held.items() if name == "tags" or str(name).startswith("riskbench")}
    if "tags" in metadata:
        tags = metadata["tags"]
        metadata["tags"] = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    named = cell.get("id")
    named = named if isinstance(named, str) and _NAME.fullmatch(named) else f"c{number}"
    told: dict[str, Any] = {"cell_type": kind, "id": named, "metadata": metadata, "source": _text(cell.get("source"))}
    if kind == "code":
        outputs, count = cell.get("outputs"), cell.get("execution_count")
        printed = outputs[:_MOST_OUTPUTS] if isinstance(outputs, list) else []
        told["outputs"] = [made for output in printed if (made := _output(output)) is not None]
        told["execution_count"] = count if isinstance(count, int) and not isinstance(count, bool) else None
    return told


def _output(output: Any) -> dict[str, Any] | None:
    if not isinstance(output, Mapping):
        return None
    kind = output.get("output_type")
    if kind == "stream":
        name = output.get("name") if output.get("name") in ("stdout", "stderr") else "stdout"
        return {"output_type": kind, "name": name, "text": _text(output.get("text"))}
    if kind == "error":
        lines = output.get("traceback")
        return {
            "output_type": kind,
            "ename": _text(output.get("ename")),
            "evalue": _text(output.get("evalue")),
            "traceback": [_text(line) for line in lines] if isinstance(lines, list) else [],
        }
    if kind not in ("execute_result", "display_data"):
        return None
    data, metadata = output.get("data"), output.get("metadata")
    told: dict[str, Any] = {
        "output_type": kind,
        "metadata": {str(name): dict(value) for name, value in metadata.items() if isinstance(value, Mapping)}
        if isinstance(metadata, Mapping)
        else {},
        "data": {str(name): _part(str(name), value) for name, value in data.items()}
        if isinstance(data, Mapping)
        else {},
    }
    if kind == "execute_result":
        count = output.get("execution_count")
        told["execution_count"] = count if isinstance(count, int) and not isinstance(count, bool) else None
    return told


def _part(kind: str, value: Any) -> Any:
    return value if kind.endswith("json") else _text(value)


def _text(value: Any) -> str:
    held = "".join(map(str, value)) if isinstance(value, list) else str(value) if value is not None else ""
    held = held.encode("utf-8", "replace").decode("utf-8")  # half a letter cannot be written
    return held if len(held) <= _LARGEST else _TOO_LONG
