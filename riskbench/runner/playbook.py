"""What does one notebook say of itself: what it answers, what it takes, which steps it goes through?"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riskbench.errors import PlaybookError, RiskbenchError
from riskbench.runner.parameters import Parameter, read_cell

_LARGEST = 20_000_000
_PYTHON = ("", "python", "python3", "ipython")
#: The longest text of the metadata that is shown.
_LONGEST = 400
_ID = re.compile(r"\w[\w .-]{0,79}")
_HEADING = re.compile(r"^##\s+(.+?)\s*#*\s*$", re.MULTILINE)


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
    steps : tuple of str
        Its steps, as its headings say.
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
    steps: tuple[str, ...] = ()

    def parameter(self, name: str) -> Parameter | None:
        """Return a parameter, or None."""
        return next((held for held in self.parameters if held.name == name), None)


def read_playbook(path: Path) -> Playbook:
    """Return the playbook that a notebook holds.

    Raises
    ------
    PlaybookError
        When the file is not a notebook, or has not exactly one parameters cell.
    """
    try:
        if path.exists() and not path.is_file():
            raise PlaybookError(f"{path} is not a file")
        if path.stat().st_size > _LARGEST:
            raise PlaybookError(f"{path} is too large for a playbook", got=f"{path.stat().st_size:,} bytes")
        held = json.loads(path.read_text(encoding="utf-8"))
        if held["nbformat"] != 4:
            raise PlaybookError(
                f"{path} is a notebook of format {str(held['nbformat'])[:20]}",
                allowed="nbformat 4",
                hint=f"jupyter nbconvert --to notebook --inplace {path.name}",
            )
        cells = [_cell(cell) for cell in held["cells"]]
        language = _language(held["metadata"])
        if language.casefold() not in _PYTHON:
            raise PlaybookError(f"{path} is written for another language", got=_line(language)[:40], allowed="Python")
        metadata = held["metadata"].get("riskbench") or {}
        metadata.keys()
    except OSError as error:
        raise PlaybookError(f"The playbook {str(path)[:300]!r} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PlaybookError(f"{str(path)[:300]} is not a notebook", allowed="nbformat 4") from None
    tagged = [source for kind, source, tags in cells if kind == "code" and "parameters" in tags]
    if len(tagged) != 1:
        raise PlaybookError(f"{path} has {len(tagged)} cells tagged `parameters`", allowed="exactly one")
    name = _line(metadata.get("id", path.stem))
    if not _ID.fullmatch(name):
        raise PlaybookError(
            f"{path} has an id that cannot be a name", got=repr(name[:80]), allowed="letters, digits, _ and -"
        )
    try:
        parameters = read_cell(tagged[0], metadata.get("parameters"))
    except RiskbenchError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError):
        raise PlaybookError(f"{path}: its parameters cannot be read", allowed="name: type = literal  # help") from None
    code = "\x00".join(source for kind, source, _ in cells if kind == "code")
    texts = "\n\n".join(source for kind, source, _ in cells if kind == "markdown")
    return Playbook(
        id=name,
        title=_line(metadata.get("title", path.stem.replace("_", " ").capitalize())),
        question=_line(metadata.get("question", "")),
        owner=_line(metadata.get("owner", "")),
        cadence=_line(metadata.get("cadence", "")),
        domain=_lines(metadata.get("domain", ())),
        inputs=_lines(metadata.get("inputs", ())),
        produces=_lines(metadata.get("produces", ())),
        steps=tuple(_line(text) for text in _HEADING.findall(texts))[:100],
        path=path.resolve(),
        parameters=parameters,
        code_hash=hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()[:16],
    )


def named_id(path: Path) -> str:
    """Return the id that a notebook gives itself, whatever else is wrong with it; its file's name where it has none."""
    try:
        if path.is_file() and path.stat().st_size <= _LARGEST:
            name = _line(json.loads(path.read_text(encoding="utf-8"))["metadata"]["riskbench"]["id"])
            return name if _ID.fullmatch(name) else path.stem
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return path.stem


def _language(metadata: Mapping[str, Any]) -> str:
    """Return the language that a notebook says it is written in; none where it does not say."""
    named = (metadata.get("kernelspec") or {}).get("language") or (metadata.get("language_info") or {}).get("name")
    return str(named or "")


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


def _lines(value: object) -> tuple[str, ...]:
    return tuple(_line(text) for text in _texts(value)[:50])


def _line(value: object) -> str:
    """Return a text on one line, without what a terminal would obey."""
    text = " ".join(str(value).encode("utf-8", "replace").decode().split())
    text = "".join(letter for letter in text if letter.isprintable())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
