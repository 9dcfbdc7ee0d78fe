"""Does a panel live through a run: is its twin in the stored notebook, the same on every run, and on a plain page?"""

from __future__ import annotations

import json
import re
import subprocess
import sys

import house
import nbformat
import pytest

EVENTS = (
    "import numpy as np, pandas as pd, riskbench as rb\n"
    "rng = np.random.default_rng(7)\n"
    "fraud = rng.random(3000) < 0.05\n"
    "frame = pd.DataFrame({'id': np.arange(3000), 'fraud': fraud.astype(int), 'amount': 100.0,\n"
    "    'kind': rng.choice(['a', 'b', '<b>c</b>'], 3000),\n"
    "    'risk': np.round(np.clip(rng.normal(0.3 + 0.4 * fraud, 0.15), 0, 1), 2),\n"
    "    'at': pd.Timestamp('2026-01-01') + pd.to_timedelta(np.arange(3000) // 40, unit='D')})\n"
    "events = rb.read(frame, roles=rb.Roles(id='id', time='at', label='fraud', amount='amount', score='risk'))"
)
CELLS = (
    EVENTS,
    "panel = rb.threshold_panel(rb.calibrate(events))\npanel",
    "panel.slider.value = 3\npanel",
    "segments = rb.segment_explorer(events, by='kind')\nsegments",
)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A notebook with panels, run by bare papermill."""
    folder = tmp_path_factory.mktemp("panels")
    held = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    held.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(held, folder / "source.ipynb")
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--log-level", "ERROR"]
    done = subprocess.run(
        [*command, str(folder / "source.ipynb"), str(folder / "run.ipynb")],
        capture_output=True, text=True, check=False, timeout=240, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "run.ipynb"


def test_the_stored_outputs_hold_the_twin_and_no_output_widget(executed):
    cells = json.loads(executed.read_text("utf-8"))["cells"]
    for cell in cells[1:]:
        (output,) = cell["outputs"]
        held = {kind: "".join(text) if isinstance(text, list) else text for kind, text in output["data"].items()}
        assert {"text/html", "text/plain", "image/png", "application/vnd.jupyter.widget-view+json"} == set(held)
        assert re.search(r'<img alt="[^"]{20,}" src="data:image/png', held["text/html"])
        assert '<details class="riskbench-steps"' in held["text/html"]
        assert "<script" not in held["text/html"]
        assert "<b>c" not in held["text/html"]
        assert "<style" not in held["text/html"]
        assert "OutputModel" not in json.dumps(output)
    told = ["".join(cell["outputs"][0]["data"]["text/plain"]) for cell in cells[1:]]
    assert told[0] != told[1], "the dragged cut is another"


def test_a_reader_without_widgets_sees_the_twin(executed):
    """What shows no widget, as an untrusted notebook or a plain page does, takes the next kind that it knows."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    held = nbformat.read(executed, as_version=4)
    for cell in held.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    settings = Config({"HTMLExporter": {"mathjax_url": "", "require_js_url": "", "mermaid_js_url": ""}})
    text, _ = HTMLExporter(config=settings).from_notebook_node(held)
    assert text.count('class="riskbench-steps"') == 3
    assert text.count("data:image/png;base64") >= 3


@pytest.mark.slow
def test_it_is_the_same_when_it_is_run_again(executed):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(house.ROOT)]
    flags = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=120"]
    done = subprocess.run(
        [*command, *flags, str(executed)], cwd=house.ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(CELLS)} passed" in done.stdout
