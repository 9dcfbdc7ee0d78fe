"""How is a loop that numpy cannot say made fast? By the one compiler that the house knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """Return a function compiled once, kept on disk, and run without the interpreter's lock."""
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)


def inner(function: Callable[..., Any]) -> Any:
    """Return a compiled function that only compiled ones call: quicker to compile, without a way in from Python."""
    return numba.njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


def merged(function: Callable[..., Any]) -> Any:
    """Return a compiled function that becomes part of its one caller: compiled once, not once for each of the two."""
    return numba.njit(nogil=True, error_model="numpy", inline="always")(function)
