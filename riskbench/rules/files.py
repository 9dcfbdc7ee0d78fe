"""How is a rule book's file read and written? Small, whole, and never over somebody's work."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from riskbench.errors import DataError, RuleError
from riskbench.rules.document import MAX_BYTES

#: The mark that some editors put before UTF-8 text.
MARK = "\ufeff"

#: What tells a rule book, also one with mistakes, from any other file.
_BOOK = re.compile(r"^['\"]?(?:book|domain|rules)['\"]?\s*:|^\{.{0,40}\b(?:book|domain|rules)\b", re.MULTILINE)
#: So many characters of a file that is no rule book are shown.
_SHOWN = 40


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


def told_of(wrong: RuleError, text: str, path: str | Path) -> RuleError:
    """Return what is wrong with a book's file; of a file that is no rule book next to nothing is shown.

    A wrong path may lead to any file of the machine, and an error is read by more people than that file.

    Parameters
    ----------
    wrong : RuleError
        What reading its text raised.
    text : str
        The text.
    path : str or Path
        The file: only of one that ends in .yaml or .yml at most 40 characters are shown.
    """
    if _BOOK.search(text):
        return wrong
    hint = "a rule book begins with book: and domain:, and holds rules:"
    if Path(path).suffix.casefold() not in (".yaml", ".yml"):
        return RuleError("The file is no rule book", got=str(path), allowed="a file that ends in .yaml", hint=hint)
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    token = first.split()[0][:_SHOWN] if first else "nothing"
    return RuleError("The file is no rule book", got=f"{path}, which begins with {token!r}", hint=hint)


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
