"""What does a run keep, so that it can be checked and repeated? Its book's text, and marks of all that it rests on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from riskbench.config import redact
from riskbench.errors import PlaybookError

INPUTS, BOOK = "inputs", "inputs/book.yaml"
#: What of the seal stands in the ledger too, so that a page handed over alone can be checked without its folder.
PAGES = ("run.json", "notebook.ipynb", "lead.html", "full.html", "results.json", BOOK)
#: The most bytes of one file of a run folder, and the most files.
LARGEST, MOST_FILES = 2_000_000_000, 2_000
#: The most bytes of a rule book that is kept.
_BOOK = 1_000_000


def keep_book(folder: Path | None, text: str | None) -> str | None:
    """Write a rule book's text as it was used into the run folder; return why not, or None.

    A text that holds what looks like a password is not kept.
    """
    if text is None or folder is None:
        return "there is no text" if text is None else "there is no run folder"
    if redact(text) != text:
        return "it holds what looks like a password"
    held = text.encode("utf-8", "surrogatepass")
    if len(held) > _BOOK:
        return f"it is larger than {_BOOK:,} bytes"
    (folder / INPUTS).mkdir(exist_ok=True)
    (folder / BOOK).write_bytes(held)
    return None


def seal(folder: Path, secrets: Iterable[str] = ()) -> dict[str, str]:
    """Return the hash of every file of a finished run folder but its record; a book that holds a secret goes."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = (folder / BOOK).read_text(encoding="utf-8")
        if redact(text, secrets) != text:
            (folder / BOOK).unlink()
            (folder / INPUTS).rmdir()
    return {name: digest(folder, name) for name in files(folder) if name != "run.json"}


def marks(folder: Path, sealed: Mapping[str, str], *, notebook: Path) -> dict[str, Any]:
    """Return what the ledger adds to a run's stamp: hashes of record and pages, and where it was started."""
    own = {name: sealed[name] for name in PAGES if name in sealed}
    return {
        "seal": {"run.json": digest(folder, "run.json"), **own},
        "at": {"cwd": str(Path.cwd()), "notebook": str(notebook)},
    }


def files(folder: Path) -> list[str]:
    """Return the files of a run folder by their path within it, sorted; hidden ones and their folders are left out.

    A link is named and not followed.
    """
    found: list[str] = []
    waiting = [""]
    while waiting and len(found) <= MOST_FILES:
        at = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(folder / at) as held:
            for entry in held:
                name = f"{at}{entry.name}"
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{name}/")
                else:
                    found.append(name)
    return sorted(found[:MOST_FILES])


def digest(folder: Path, name: str) -> str:
    """Return the SHA-256 of a file of a run folder.

    Raises
    ------
    PlaybookError
        When the name leaves the folder, or there is no such plain file.
    """
    with opened(folder, name) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content(folder: Path, name: str, *, most: int) -> bytes:
    """Return the bytes of a file of a run folder.

    Raises
    ------
    PlaybookError
        When the name leaves the folder, there is no such plain file, or it is too large.
    """
    with opened(folder, name, most=most) as stream:
        return bytes(stream.read(most + 1))[:most]


def opened(folder: Path, name: str, *, most: int = LARGEST) -> Any:
    """Open a plain file inside a folder: no link on the way, no device, no more bytes than `most`.

    Raises
    ------
    PlaybookError
        When it is anything else.
    """
    parts = PurePosixPath(name).parts
    if not parts or name != "/".join(parts) or set(parts) & {"..", "/", "."} or "\x00" in name or "\\" in name:
        raise PlaybookError("A run names a file outside of its folder", got=repr(name)[:120])
    path = folder
    try:
        for place, part in enumerate(parts):
            path = path / part
            kind = os.lstat(path).st_mode
            if not (stat.S_ISREG(kind) if place + 1 == len(parts) else stat.S_ISDIR(kind)):
                raise PlaybookError(f"{name[:120]} is no plain file", allowed="no link, no device")
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        stream = os.fdopen(os.open(path, flags), "rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it cannot be read"
        raise PlaybookError(f"{name[:120]} cannot be read: {reason}") from None
    size = os.fstat(stream.fileno()).st_size
    if size > most:
        stream.close()
        raise PlaybookError(f"{name[:120]} is too large", got=f"{size:,} bytes", allowed=f"up to {most:,}")
    return stream


def sources(package: Path | None = None) -> dict[str, str]:
    """Return a hash of the installed riskbench, room by room: its code and the files that it reads.

    >>> sorted(sources())[:4]
    ['(top)', 'calibration', 'cli', 'config']
    """
    package = Path(__file__).parents[1] if package is None else package
    rooms: dict[str, Any] = {}
    for path in sorted(package.rglob("*")):
        within = path.relative_to(package)
        if path.suffix not in (".py", ".yaml", ".json", ".j2", ".css", ".js") or within.parts[0] == "playbooks":
            continue
        room = within.parts[0] if len(within.parts) > 1 else "(top)"
        whole = rooms.setdefault(room, hashlib.sha256())
        whole.update(f"{within.as_posix()}\x00{path.stat().st_size}\x00".encode())
        whole.update(path.read_bytes())
    return {room: whole.hexdigest()[:16] for room, whole in rooms.items()}
