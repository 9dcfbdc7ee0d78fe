"""What the engine's tests share: one locked-down connection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from riskbench.engine.duck import Session, session


@pytest.fixture(scope="session")
def duck() -> Iterator[Session]:
    with session(threads=1) as opened:
        yield opened
