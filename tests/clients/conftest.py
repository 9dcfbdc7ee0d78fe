"""What the tests of other people's programs share: a playbook that lies somewhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from riskbench.runner.catalogue import find


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> Path:
    """A folder with one playbook and nothing else: no books, no data, no workspace."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(find("rule_health").path, folder)
    return folder
