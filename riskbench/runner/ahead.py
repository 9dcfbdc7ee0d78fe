"""What of a run's pages can be made while its kernel works? Each cell's outputs, as soon as the next one starts."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from riskbench.runner import bundle

#: A page of everything that needs loading first: words, code, a table.
_SMALL = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"language_info": {"name": "python", "pygments_lexer": "ipython3"}},
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "## a\n\n**b** `c`"},
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {},
            "source": "a = 1",
            "execution_count": 1,
            "outputs": [
                {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<p style='color:red'>1"}}
            ],
        },
    ],
}


class Ahead:
    """Makes ready, beside the kernel, what the pages need; what goes wrong here goes wrong, and is told, later.

    It leaves nothing but what is remembered of texts (what is clean, what is personal), so a page is the same
    without it.

    Parameters
    ----------
    folder : Path
        The run folder, where the session says which columns name a person.
    run : mapping
        The run.
    secrets : tuple of str
        What is masked.
    """

    def __init__(self, folder: Path, run: Mapping[str, Any], secrets: tuple[str, ...]) -> None:
        self._folder, self._run, self._secrets = folder, run, secrets
        self._waiting: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ready = 0

    def reached(self, cells: list[Any], number: int) -> None:
        """Take the cells before this one, which have ended."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._waiting.put(cells[self._ready : number])
        self._ready = number

    def rest(self) -> None:
        """Come to an end: nothing of this goes on beside the pages."""
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        seen: dict[str, set[str]] = {"lead.html": set(), "full.html": set()}
        with contextlib.suppress(Exception):
            self._load()
        while (cells := self._waiting.get()) is not None:
            with contextlib.suppress(Exception):
                self._take(cells, seen)

    def _load(self) -> None:
        from riskbench.runner.publication import publish

        publish(_SMALL, None, secrets=self._secrets, run=self._run, session={})

    def _take(self, cells: list[Any], seen: Mapping[str, set[str]]) -> None:
        from riskbench.runner.pages import clean_ahead, settle

        session = bundle.read_json(self._folder / "session.json") or {}
        held = {"cells": cells, "metadata": {}}
        clean_ahead(settle(held, None, secrets=self._secrets, run=self._run, session=session)["cells"], seen)
