"""Write the course's outputs anew: `python docs/course.py [notebook ...]`. Read the difference before it is kept.

Each notebook is run from top to bottom in a kernel of its own. What is kept of an output is what a reader needs on
any host: text, tables and pictures, the same bytes each time. A widget's view and the values meant for programs are
left out; a result's picture stands once, within its page.
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

COURSE = Path(__file__).parents[1] / "notebooks"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
KEPT = ("text/html", "text/plain", "image/png")
#: As many colours as a chart's antialiased lines need to look the same.
_COLOURS = 48
_INLINE = re.compile(r"(?<=data:image/png;base64,)[A-Za-z0-9+/=]+")
_STYLE_BLOCK = re.compile(r"<style\b.*?</style>\s*", flags=re.DOTALL | re.IGNORECASE)


def executed(path: Path) -> Any:
    """Return a notebook with the outputs that its cells give now.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        When a cell fails.
    """
    from riskbench.runner.kernel import OwnKernelManager

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=300,
            kernel_manager_class=OwnKernelManager,
            store_widget_state=False,
            record_timing=False,
            resources={"metadata": {"path": folder}},
        ).execute()
    return notebook


def settled(notebook: Any) -> Any:
    """Return a notebook with its outputs as they are kept: no metadata of the run, small pictures.

    Raises
    ------
    ValueError
        When a cell writes a warning or an error.
    """
    notebook.metadata = {"kernelspec": dict(KERNEL), "language_info": {"name": "python"}}
    number = 0
    for cell in notebook.cells:
        cell.metadata = {name: value for name, value in cell.metadata.items() if name == "tags"}
        if cell.cell_type != "code":
            continue
        number += 1
        cell.execution_count = number
        cell.outputs = [_output(output, number) for output in cell.outputs]
    return notebook


def _output(output: Any, number: int) -> Any:
    if output.output_type == "stream" and output.name == "stdout":
        return output
    if output.output_type not in ("execute_result", "display_data"):
        raise ValueError(f"cell {number} writes {output.get('text', output.output_type)!r}")
    page = _STYLE_BLOCK.sub("", output.data.get("text/html", ""))
    data = {kind: output.data[kind] for kind in KEPT if kind in output.data}
    if page:
        data["text/html"] = _INLINE.sub(lambda found: _small(found[0]), page)
    if _INLINE.search(page):
        data.pop("image/png", None)
    elif "image/png" in data:
        data["image/png"] = _small(data["image/png"])
    output.data = data
    output.metadata = {}
    if output.output_type == "execute_result":
        output.execution_count = number
    return output


def _small(picture: str) -> str:
    """Return a PNG in base64 with a palette instead of every colour."""
    from PIL import Image

    held = Image.open(io.BytesIO(base64.b64decode(picture)))
    if held.mode == "P":
        return picture
    out = io.BytesIO()
    held.convert("RGB").quantize(colors=_COLOURS, dither=Image.Dither.NONE).save(out, format="PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode("ascii")


def render(path: Path) -> None:
    """Run a notebook and write it with its outputs in place of the old."""
    notebook = settled(executed(path))
    nbformat.validate(notebook)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    print(f"wrote {path.name}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    os.environ["PYTHONHASHSEED"] = "0"
    for chosen in [Path(name) for name in sys.argv[1:]] or sorted(COURSE.glob("*.ipynb")):
        render(chosen)
