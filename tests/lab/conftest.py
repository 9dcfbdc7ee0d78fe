"""What the tests in JupyterLab share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shots(tmp_path_factory) -> Path:
    """Where screenshots go: the folder that RISKBENCH_ARTIFACTS names, for somebody to look at."""
    named = os.environ.get("RISKBENCH_ARTIFACTS")
    folder = Path(named).resolve() if named else tmp_path_factory.mktemp("shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
