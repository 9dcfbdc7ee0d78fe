"""Which files do a run's parameters name, and what stands in them now?"""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from riskbench.config import resolve
from riskbench.config.secrets import PREFIX
from riskbench.errors import ConfigError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{0,40}://")
_GLOB = re.compile(r"[*?\[]")
_LONGEST = 4096
#: What a file held when it was last read: by path, and by everything that changes when it does.
_READ: dict[tuple[str, int, int, int, int], str] = {}


def inputs_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mark of what each parameter's files hold now; None for what cannot be known without asking for it.

    A database, another URL or a folder is None. Parameters that name no file are left out.

    Examples
    --------
    >>> inputs_of({"region": "ID", "source": "postgresql://db/risk"})
    {'source': None}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        texts = tuple(_texts(value))
        if any(_URL.match(text) or _folder(text) for text in texts):
            found[name] = None
            continue
        files = sorted({path for text in texts for path in _files(text)})
        if files:
            found[name] = _mark(files)
    return found


def settled(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the marks that held from a run's beginning to its end; None for files that changed meanwhile."""
    return {name: before.get(name) if before.get(name) == after.get(name) else None for name in {**before, **after}}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if value.startswith(PREFIX):
            try:
                value = resolve(value)
            except ConfigError:
                return
        if 0 < len(value) <= _LONGEST:
            yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _folder(text: str) -> bool:
    """Whether a text names a folder by a path; a mere word may be a region's name too."""
    try:
        return ("/" in text or "\\" in text) and Path(text).is_dir()
    except (OSError, ValueError):
        return False


def _files(text: str) -> Iterator[Path]:
    try:
        path = Path(text)
        if path.is_file():
            yield path
        elif _GLOB.search(text):
            found = (Path(one) for one in glob.glob(text, recursive=True))  # noqa: PTH207
            yield from (held for held in found if held.is_file())
    except (OSError, ValueError):
        return


def _mark(files: list[Path]) -> dict[str, Any] | None:
    whole, size = hashlib.sha256(), 0
    for path in files:
        try:
            told = path.stat()
            key = (str(path.absolute()), told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino)
            if key not in _READ:
                with path.open("rb") as held:
                    _READ[key] = hashlib.file_digest(held, "sha256").hexdigest()
        except OSError:
            return None
        whole.update(f"{path.name}\0{_READ[key]}\0".encode())
        size += told.st_size
    return {"files": len(files), "bytes": size, "content": whole.hexdigest()[:32]}
