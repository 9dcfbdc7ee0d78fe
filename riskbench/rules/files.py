"""How is a rule book's file read and written? Small, whole, and never over somebody's work."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from riskbench.errors import DataError
from riskbench.rules.document import MAX_BYTES

#: The mark that some editors put before UTF-8 text.
MARK = "\ufeff"


def read_text(path: str | Path, *, mark: bool = False) -> str:
    """Return the text of a small file; with the mark that may stand before it when asked for.

    Raises
    ------
    DataError
        When there is none, or it is not UTF-8 text of at most a megabyte.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise DataError("There is no such rule book", got=str(path), allowed="a YAML file")
        with file.open("rb") as stream:
            held = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        raise DataError("The rule book cannot be opened", got=str(path)) from None
    if len(held) > MAX_BYTES:
        raise DataError("The rule book is too large", got=str(path), allowed=f"at most {MAX_BYTES:,} bytes")
    try:
        text = held.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError("The rule book is not UTF-8 text", got=str(path)) from None
    return text if mark else text.removeprefix(MARK)


def save_text(text: str, path: str | Path, *, known: str | None, overwrite: bool) -> Path:
    """Write a text beside the file, then put it in the file's place.

    Parameters
    ----------
    text : str
        What is written.
    path : str or Path
        The file.
    known : str or None
        The text that may be replaced without asking.
    overwrite : bool
        Whether any text may be replaced.

    Raises
    ------
    DataError
        When another text stands there, or the file cannot be written.
    """
    spare: str | None = None
    try:
        file = Path(os.path.realpath(path))
        held = text.encode("utf-8")
        if file.exists():
            said = file.read_bytes() if file.is_file() else None
            if said == held:
                return file
            if not overwrite and (said is None or known is None or said != known.encode("utf-8")):
                raise DataError(
                    "Another text stands in this file", got=str(path), hint="overwrite=True replaces what stands there"
                )
        handle, spare = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(held)
        if file.exists():
            shutil.copymode(file, spare)
        else:
            Path(spare).chmod(0o644)
        Path(spare).replace(file)
    except (OSError, ValueError):
        if spare is not None:
            with contextlib.suppress(OSError):
                Path(spare).unlink()
        raise DataError("The rule book cannot be written", got=str(path)) from None
    return file
