"""Which modules of its own does a playbook import, and what stands in them now?"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

#: Of so many modules the marks are kept, each of at most so many bytes.
_MOST, _LARGEST = 200, 5_000_000
_INSTALLED = ("site-packages", "dist-packages")
#: Stands for all modules beyond the most.
_MORE = "more modules"
_PLAYBOOK, _CWD = "playbook", "cwd"


def imported(modules: Mapping[str, Any] | None = None, *, notebook: str | None = None) -> dict[str, str | None]:
    """Return the hash of each module that was loaded and is neither installed, nor Python's own, nor riskbench.

    A file is named from the playbook's folder or the working folder where it lies below one of them. None stands for
    what cannot be read, and for those beyond the first 200.
    """
    places = _places(notebook, os.getcwd())  # noqa: PTH109 the text is compared
    found: dict[str, str | None] = {}
    for path in sorted(set(_files(sys.modules if modules is None else modules))):
        if len(found) == _MOST:
            found[_MORE] = None
            break
        found[_name(path, places)] = _mark(path)
    return found


def as_now(names: Iterable[str], *, notebook: str | None, cwd: str) -> dict[str, str | None]:
    """Return the hash of modules that `imported` has named, as they stand now."""
    places = _places(notebook, cwd)
    return {name: _mark(_path(name, places)) for name in names}


def moved(then: object, *, notebook: str | None, cwd: str) -> tuple[list[str], list[str]]:
    """Return which modules of a stamp say something else now, and which cannot be checked."""
    held = {str(name): mark for name, mark in then.items()} if isinstance(then, Mapping) else {}
    now = as_now(held, notebook=notebook, cwd=cwd)
    unknown = [name for name, mark in held.items() if mark is None or now[name] is None]
    return [name for name, mark in held.items() if name not in unknown and now[name] != mark], unknown


def _places(notebook: str | None, cwd: str) -> dict[str, str]:
    own = {} if not notebook else {_PLAYBOOK: str(Path(notebook).absolute().parent)}
    return {**own, _CWD: cwd}


def _files(modules: Mapping[str, Any]) -> Iterator[str]:
    paths = sysconfig.get_paths()
    ours = str(Path(__file__).parents[1])
    left = tuple(f"{place}{os.sep}" for place in {paths["stdlib"], paths["platstdlib"], ours})
    for name, module in list(modules.items()):
        file = getattr(module, "__file__", None)
        if name == "__main__" or not isinstance(file, str) or file.startswith("<"):
            continue
        path = os.path.abspath(file)  # noqa: PTH100 links stay as they were named
        if not path.startswith(left) and not set(_INSTALLED) & set(Path(path).parts):
            yield path


def _name(path: str, places: Mapping[str, str]) -> str:
    for place, folder in places.items():
        if path.startswith(f"{folder.rstrip(os.sep)}{os.sep}"):
            return f"{place}: {Path(path).relative_to(folder).as_posix()}"
    return path


def _path(name: str, places: Mapping[str, str]) -> str:
    place, colon, within = name.partition(": ")
    return str(Path(places[place]) / within) if colon and place in places else name


def _mark(path: str) -> str | None:
    try:
        if not Path(path).is_file() or Path(path).stat().st_size > _LARGEST:
            return None
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    except (OSError, ValueError):
        return None
