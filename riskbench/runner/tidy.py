"""How does a page read for somebody who hears it, or has no mouse? Headings in order, headers that say of what."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from riskbench.display.steps import MARK
from riskbench.privacy import Key
from riskbench.runner.markup import Attributes
from riskbench.runner.veil import Veil

_SCRIPT = Path(__file__).parent / "templates" / "riskbench" / "steps.js"
_STEPS = re.compile(rf'<details\b[^>]*\bclass="{MARK}"')
_HEADING = re.compile(r"h[1-6]\Z")
#: What a picture is said to be whose cell gave it no words.
_NO_WORDS = "No description has been provided for this image"


class Tidy(Veil):
    """Makes a page's headings follow one another, its headers say whether of a column or a row, and hides details."""

    def __init__(self, personal: Mapping[str, str], key: Key) -> None:
        super().__init__(personal, key)
        self._inside = False
        self._level, self._open = 1, list[str]()
        self._head, self._label = False, ""

    def start(self, name: str) -> str:
        """Return a heading's level: at most one below the heading before it."""
        self._inside |= name == "main"
        if not self._inside or not _HEADING.match(name):
            return name
        self._level = max(2, min(int(name[1]), self._level + 1))
        self._open.append(f"h{self._level}")
        return self._open[-1]

    def tag(self, name: str, attributes: Attributes) -> Attributes | None:
        """Say of what a header is, and let the keyboard reach what may be wider than the window."""
        told = super().tag(name, attributes)
        held = attributes if told is None else told
        if name in ("thead", "tbody"):
            self._head = name == "thead"
        if name == "th" and self._inside and "scope" not in dict(held):
            return [*held, ("scope", "col" if self._head else "row")]
        if name == "img" and "alt" not in dict(held):
            return [*held, ("alt", _NO_WORDS)]
        return told

    def end(self, name: str) -> str:
        """Return the level that a heading was given."""
        held = super().end(name)
        self._inside &= name != "main"
        if name == "thead":
            self._head = False
        return self._open.pop() if _HEADING.match(name) and self._open else held


def with_script(page: str) -> str:
    """Return a page with the script that turns steps into sliders, where it has any; nothing else may run in it."""
    if not _STEPS.search(page):
        return page
    script = _script()
    mark = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy, body = "base-uri 'none'", "</body>"
    head, found, rest = page.partition(policy)
    before, last, after = rest.rpartition(body)
    return f"{head}script-src 'sha256-{mark}'; {found}{before}<script>{script}</script>\n{last}{after}"


@cache
def _script() -> str:
    return _SCRIPT.read_text(encoding="utf-8").strip()
