"""Where does a run lie? A folder named by what was asked, replaced in one step and by a better one only."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from riskbench.config import redact_all
from riskbench.errors import PlaybookError
from riskbench.runner import bundle
from riskbench.store import Owner, Status

RECORD = "run.json"
#: Seconds after which a folder that nobody owns is left over.
_SETTLED = 10.0
_ONE_AT_A_TIME = threading.Lock()


def folder_name(playbook: str, values: Mapping[str, Any]) -> str:
    """Return the name of a run folder: playbook, domain, region, and a short hash of the parameters.

    The domain is left out where it is transactions.

    >>> folder_name("threshold_calibration", {"region": "../ID"})[:-9]
    'threshold_calibration-ID'
    """
    domain = str(values.get("domain") or "transactions")
    parts = [_plain(playbook)[:60], *([] if domain == "transactions" else [_plain(domain)[:40] or "domain"])]
    parts.append(_plain(str(values.get("region") or "all"))[:40] or "region")
    whole = json.dumps([playbook, redact_all(dict(values))], sort_keys=True, ensure_ascii=False, default=str)
    return "-".join([*parts, hashlib.sha256(whole.encode()).hexdigest()[:8]])


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")


def place(folder: Path, target: Path, status: Status) -> Path:
    """Move a finished run folder to its place and return it; a good one makes way for a good one only."""
    held = bundle.read_json(target / RECORD) or {}
    if status != "done" and isinstance(held, dict) and held.get("status") == "done":
        target = target.with_name(f"{target.name}-{status}")
    folder.chmod(0o777 & ~_umask())
    old = target.with_name(f".old-{folder.name.removeprefix('.run-')}-{target.name}")
    for _ in range(20):
        with contextlib.suppress(FileNotFoundError):
            os.replace(target, old)  # noqa: PTH105
        try:
            os.replace(folder, target)  # noqa: PTH105
        except OSError:
            remove(old)  # another run with the same parameters was faster; the newest stays
            time.sleep(0.05)
            continue
        remove(old)
        return target
    raise PlaybookError(f"The run folder {target} cannot be replaced", hint="does another program hold it?")


def sweep(out: Path, *, moment: float | None = None) -> None:
    """Clear away what killed runs have left: half-done folders go, a good folder caught between goes back.

    Who owns a half-done folder stands in it, as another store may hold its ledger.
    """
    moment = time.time() if moment is None else moment
    for folder in out.glob(".run-*"):
        held = (bundle.read_json(folder / RECORD) or {}).get("owner")
        dead = Owner(**held).gone if held else moment - _changed(folder) > _SETTLED
        if dead:
            remove(folder)
    for old in out.glob(".old-*"):
        named = re.fullmatch(r"\.old-\d{8}-[0-9a-f]{8}-(.+)", old.name)
        if named is None or moment - _changed(old) <= _SETTLED:
            continue
        if (out / named[1]).exists():
            remove(old)
        else:
            with contextlib.suppress(OSError):
                os.replace(old, out / named[1])  # noqa: PTH105


def _umask() -> int:
    """Return the umask, which can be read by setting it only: one thread at a time, or it is lost."""
    with _ONE_AT_A_TIME:
        held = os.umask(0o022)
        os.umask(held)
        return held


def _changed(path: Path) -> float:
    try:
        return path.stat().st_ctime
    except OSError:
        return math.inf


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
