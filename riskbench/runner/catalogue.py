"""Which playbooks are there, what does each answer, and what does it take?"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riskbench.errors import PlaybookError, listed, nearest
from riskbench.runner.parameters import Parameter, read_cell

#: Folders of further playbooks, separated as PATH is.
VARIABLE = "RISKBENCH_PLAYBOOKS"
_LARGEST = 20_000_000


@dataclass(frozen=True, kw_only=True)
class Playbook:
    """A playbook as the catalogue knows it.

    Attributes
    ----------
    id, title, question, owner, cadence : str
        What it is called, what it answers, who answers for it, how often it is meant to run.
    domain, inputs, produces : tuple of str
        Which domains it covers, what it reads, what it ends in.
    path : Path
        The notebook.
    parameters : tuple of Parameter
        What it may be asked.
    code_hash : str
        The hash of its code cells: equal code, equal hash.
    """

    id: str
    title: str
    question: str
    path: Path
    parameters: tuple[Parameter, ...]
    code_hash: str
    owner: str = ""
    cadence: str = ""
    domain: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    produces: tuple[str, ...] = ()

    def parameter(self, name: str) -> Parameter | None:
        """Return a parameter, or None."""
        return next((held for held in self.parameters if held.name == name), None)


def folders() -> tuple[Path, ...]:
    """Return the folders that playbooks are looked for in: those named, then the shipped one."""
    named = [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    shipped = shipped_folder()
    return tuple(folder for folder in (*named, shipped) if folder is not None and folder.is_dir())


def shipped_folder(package: Path | None = None) -> Path | None:
    """Return where the shipped playbooks lie: inside the package of a wheel, beside it in a checkout."""
    package = Path(__file__).parents[1] if package is None else package
    inside, beside = package / "playbooks", package.parent / "playbooks"
    if inside.is_dir():
        return inside
    checkout = (package.parent / "pyproject.toml").is_file()  # never a folder that merely lies in site-packages
    return beside if checkout and beside.is_dir() else None


def sample_book(domain: str) -> Path:
    """Return the shipped rule book of a domain.

    Raises
    ------
    PlaybookError
        When none is shipped.
    """
    folder = shipped_folder()
    books = {path.stem: path for path in (folder / "books").glob("*.yaml")} if folder else {}
    if domain not in books:
        raise PlaybookError(f"No rule book is shipped for the domain {domain!r}", allowed=listed(sorted(books)))
    return books[domain]


def catalogue() -> tuple[Playbook, ...]:
    """Return every playbook, by id; a named folder wins over the shipped one."""
    found: dict[str, Playbook] = {}
    for folder in folders():
        for path in sorted(folder.glob("*.ipynb")):
            book = read_playbook(path)
            found.setdefault(book.id, book)
    return tuple(found[name] for name in sorted(found))


def find(name: str | Path) -> Playbook:
    """Return a playbook by its id, or by the path of its notebook.

    Raises
    ------
    PlaybookError
        When there is none, or it cannot be read.
    """
    text = str(name)
    if text.endswith(".ipynb"):
        return read_playbook(Path(text))
    for folder in folders():
        for path in sorted(folder.glob("*.ipynb")):
            if path.stem == text:
                return read_playbook(path)
    known = catalogue()
    for book in known:
        if book.id == text:
            return book
    ids = [book.id for book in known]
    close = nearest(text, ids)
    raise PlaybookError(
        f"There is no playbook {text[:80]!r}",
        allowed=listed(ids),
        hint=f"did you mean {close!r}?" if close else "`riskbench playbooks` lists them",
    )


def read_playbook(path: Path) -> Playbook:
    """Return the playbook that a notebook holds.

    Raises
    ------
    PlaybookError
        When the file is not a notebook, or has not exactly one parameters cell.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise PlaybookError(f"{path} is too large for a playbook", got=f"{path.stat().st_size:,} bytes")
        held = json.loads(path.read_text(encoding="utf-8"))
        cells = [_cell(cell) for cell in held["cells"]]
        metadata = held["metadata"].get("riskbench", {})
    except OSError as error:
        raise PlaybookError(f"The playbook {str(path)!r} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PlaybookError(f"{path} is not a notebook", allowed="nbformat 4") from None
    tagged = [source for kind, source, tags in cells if kind == "code" and "parameters" in tags]
    if len(tagged) != 1:
        raise PlaybookError(f"{path} has {len(tagged)} cells tagged `parameters`", allowed="exactly one")
    code = "\x00".join(source for kind, source, _ in cells if kind == "code")
    return Playbook(
        id=str(metadata.get("id", path.stem)),
        title=str(metadata.get("title", path.stem.replace("_", " ").capitalize())),
        question=str(metadata.get("question", "")),
        owner=str(metadata.get("owner", "")),
        cadence=str(metadata.get("cadence", "")),
        domain=_texts(metadata.get("domain", ())),
        inputs=_texts(metadata.get("inputs", ())),
        produces=_texts(metadata.get("produces", ())),
        path=path.resolve(),
        parameters=read_cell(tagged[0], metadata.get("parameters")),
        code_hash=hashlib.sha256(code.encode()).hexdigest()[:16],
    )


def _cell(cell: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    source = cell["source"]
    return (
        cell["cell_type"],
        source if isinstance(source, str) else "".join(source),
        _texts(cell["metadata"].get("tags", ())),
    )


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()
