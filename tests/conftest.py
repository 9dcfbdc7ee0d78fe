"""What the tests share: the public data, and programs that a test cannot do without."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from server import postgres  # noqa: F401 a fixture


def missing(reason: str) -> None:
    """Skip, or fail where the machine promised to have everything."""
    if os.environ.get("RISKBENCH_NO_SKIP") == "1":
        pytest.fail(f"RISKBENCH_NO_SKIP is set, and yet: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def without():
    """Return a function that skips for a reason, or fails where the machine promised to have everything."""
    return missing


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of public data sets, named by RISKBENCH_PUBLIC_DATA."""
    folder = os.environ.get("RISKBENCH_PUBLIC_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("RISKBENCH_PUBLIC_DATA does not name a folder of public data sets")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def program():
    """Return a function that finds a system program, or skips naming it and its package."""

    def find(name: str, package: str, *also: str) -> str:
        for candidate in (name, *also):
            found = shutil.which(candidate) or (candidate if Path(candidate).is_file() else None)
            if found:
                return found
        missing(f"the program {name} is not here (Debian package {package})")
        raise AssertionError

    return find


@pytest.fixture(scope="session")
def chromium(program):
    """A Chromium that tests can drive; one for the whole session, as the library that drives it allows no second."""
    from playwright.sync_api import sync_playwright

    found = program("chromium", "chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The audit's script: that named by RISKBENCH_AXE, or the one of the wheel."""
    named = os.environ.get("RISKBENCH_AXE")
    if named and Path(named).is_file():
        return named
    import axe_playwright_python

    return str(next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")))
