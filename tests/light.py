"""A playbook that loads next to nothing: it leaves what `finish` would, without the library's help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PARAMETERS = """
region: str = "ID"  # one region
seed: int = 1  # a seed
source: str | None = None  # a file
mode: str = "done"  # how to end
"""
ANSWER = """
import json, os, pathlib, zlib
value = zlib.crc32(f"{region}{seed}".encode()) % 1000
here = pathlib.Path(os.environ["RISKBENCH_RUN_FOLDER"])
fact = {"name": "Total", "value": value, "unit": "count", "lower": value - 1, "upper": value + 1}
(here / "results.json").write_text(json.dumps({"format": 1, "results": []}))
(here / "session.json").write_text(json.dumps({"finished": True, "headline": [fact]}))
"""


def written(cells: Sequence[tuple[str, str, Sequence[str]]], told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a notebook that has not run, from its cells (kind, source, tags) and what it tells the catalogue."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "riskbench": dict(told),
        },
        "cells": [
            {
                "cell_type": kind,
                "id": f"c{place}",
                "metadata": {"tags": list(tags)},
                "source": source,
                **({"execution_count": None, "outputs": []} if kind == "code" else {}),
            }
            for place, (kind, source, tags) in enumerate(cells)
        ],
    }


def light_notebook(answer: str = ANSWER) -> dict[str, Any]:
    """Return the notebook."""
    cells = [
        ("markdown", "# Light", ()),
        ("code", PARAMETERS.strip(), ("parameters",)),
        ("markdown", "## Add", ()),
        ("code", answer.strip(), ()),
    ]
    modes = {"mode": {"choices": ["done", "disk", "store", "stop"]}}
    return written(cells, {"id": "light", "title": "Light", "parameters": modes})
