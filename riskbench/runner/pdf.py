"""How does a page become a PDF? Printed by Chromium, which reads the file alone and asks the network for nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from riskbench.errors import MissingDependencyError, ParameterError, PlaybookError

#: Names Chromium where it is not on the path.
CHROMIUM = "RISKBENCH_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "msedge")
_SECONDS = 120.0


def chromium() -> str:
    """Return the path of a Chromium.

    Raises
    ------
    MissingDependencyError
        When there is none.
    """
    named = os.environ.get(CHROMIUM)
    found = next((path for name in ((named,) if named else _NAMES) if (path := shutil.which(name))), None)
    if found is None:
        raise MissingDependencyError(
            "A PDF is printed by Chromium, and none is installed here",
            hint=f"install chromium or Chrome, or name its program in {CHROMIUM}; a browser's own print does the same",
        )
    return found


def print_page(page: str | Path, to: str | Path | None = None) -> Path:
    """Print a page to a PDF file, whole or not at all, and return the file.

    Use it to hand a page on where HTML is not wanted. Tables that unfold are printed unfolded.

    Parameters
    ----------
    page : str or Path
        The page: an HTML file.
    to : str or Path, optional
        The PDF; beside the page under its name when not given.

    Raises
    ------
    ParameterError
        When there is no such page, or the file cannot be written.
    MissingDependencyError
        When no Chromium is installed.
    PlaybookError
        When Chromium prints nothing.
    """
    page = Path(page)
    target = page.with_suffix(".pdf") if to is None else Path(to)
    if page.suffix.lower() not in (".html", ".htm") or not page.is_file():
        raise ParameterError("There is no such page", got=str(page), allowed="an HTML file")
    if target.suffix.lower() != ".pdf":
        raise ParameterError("A PDF's name ends so", got=target.name, allowed="a name that ends in .pdf")
    program = chromium()
    try:
        with tempfile.TemporaryDirectory(prefix=".pdf-", dir=target.parent) as scratch:
            made = Path(scratch) / "page.pdf"
            _print(program, page.resolve(), made.resolve())
            if not made.is_file() or made.stat().st_size < 100:
                raise PlaybookError("Chromium printed nothing", got=str(page), hint="does it start by itself?")
            made.replace(target)
    except OSError as error:
        raise ParameterError(f"The file {str(target)!r} cannot be written: {error.strerror}") from None
    return target


def _print(program: str, page: Path, made: Path) -> None:
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    command = [
        program,
        "--headless",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
        "--disable-extensions",
        "--disable-background-networking",
        "--disable-component-update",
        "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever a page asks for is nowhere
        "--no-pdf-header-footer",
        *(["--no-sandbox"] if root else []),
        f"--user-data-dir={made.parent / 'profile'}",
        f"--print-to-pdf={made}",
        page.as_uri(),
    ]
    try:
        subprocess.run(  # noqa: S603 the program is found by name, and what it reads is a file
            command, check=False, capture_output=True, timeout=_SECONDS, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise PlaybookError(f"Chromium did not print the page within {_SECONDS:g} seconds") from None
