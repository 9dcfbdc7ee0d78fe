"""What is a run whose playbook leaves its process after the call that finishes it, or before?"""

from __future__ import annotations

import json

import pytest
from watched import ROLES, Place

import riskbench as rb


@pytest.mark.parametrize(
    ("cell", "status"),
    [("import sys; sys.exit(0)", "done"), ("import sys; sys.exit(3)", "failed"), ("import os; os._exit(0)", "failed")],
)
def test_a_cell_that_leaves_after_the_end(place: Place, cell, status):
    """After `run.finish` the answer is whole: leaving with 0 does not undo it, with anything else it does."""
    path = place.root / "playbooks" / "watch.ipynb"
    held = json.loads(path.read_text("utf-8"))
    held["cells"].append({**held["cells"][-1], "id": "last", "source": cell})
    path.write_text(json.dumps(held), encoding="utf-8")
    ended = rb.run(path, {"source": "data/events.csv", "roles": ROLES, "book": "book.yaml"}, out=place.root / "left")
    assert ended.status == status, ended.message
    assert bool(ended.headline) is (status == "done")
    assert (ended.folder / "results.json").is_file() is (status == "done")
