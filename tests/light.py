"""A playbook that loads next to nothing: it leaves what `finish` would, without the library's help."""

from __future__ import annotations

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


def light_notebook(answer: str = ANSWER) -> dict[str, Any]:
    """Return the notebook."""
    held = [("markdown", "# Light"), ("code", PARAMETERS.strip()), ("markdown", "## Add"), ("code", answer.strip())]
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "riskbench": {
                "id": "light",
                "title": "Light",
                "parameters": {"mode": {"choices": ["done", "disk", "store", "stop"]}},
            },
        },
        "cells": [
            {
                "cell_type": kind,
                "id": f"c{place}",
                "metadata": {"tags": ["parameters"] if place == 1 else []},
                "source": source,
                **({"execution_count": None, "outputs": []} if kind == "code" else {}),
            }
            for place, (kind, source) in enumerate(held)
        ],
    }
