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


@pytest.fixture(scope="session")
def chromium(program):
    """A Chromium that a test can drive."""
    from playwright.sync_api import sync_playwright

    found = program("chromium", "chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()
