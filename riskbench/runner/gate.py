"""May a page be published? Only when no detector fires on it; what fires is told by kind and place, not by value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from riskbench.errors import ParameterError, RiskbenchError, listed
from riskbench.privacy import find, seen
from riskbench.runner.markup import INLINE, Attributes

_SKIPPED = frozenset(("src", "style", "class", "http-equiv"))
_LARGEST = 200_000_000


class RefusedError(RiskbenchError):
    """A page is not published, as a detector still fires on it."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a detector fires: what it found, and where it stands.

    Attributes
    ----------
    kind : str
        What was found: a card number, say.
    where : str
        The cell or the step, and whether it is a text or a picture's words.
    """

    kind: str
    where: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.where}"


class _Reader(HTMLParser):
    """Reads a page as lines of text, each with its place."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[tuple[str, str]] = []
        self._line: list[str] = []
        self._cells = 0
        self._step = ""
        self._heading: list[str] | None = None
        self._raw = False

    @property
    def place(self) -> str:
        """Where the reader is."""
        step = f"step “{self._step}”" if self._step else "the top of the page"
        return f"{step}, block {self._cells}" if self._cells else step

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        """Begin a line where the tag does; read its words."""
        if tag not in INLINE:
            self.end_line()
        self._raw = tag in ("script", "style")
        if tag == "section" and "cell" in (dict(attrs).get("class") or "").split():
            self._cells += 1
        if tag in ("h1", "h2", "h3"):
            self._heading = []
        self.lines += [
            (value, f"{self.place}, in the words of {'a picture' if tag == 'img' else f'a tag <{tag}>'}")
            for name, value in attrs
            if value and name not in _SKIPPED
        ]

    def handle_endtag(self, tag: str) -> None:
        """End a line where the tag does."""
        if tag in ("h1", "h2", "h3") and self._heading is not None:
            held, self._heading = " ".join("".join(self._heading).split()), None
            self.end_line()
            self._step = held[:60] if not find(seen(held)) else "(hidden)"
        elif tag not in INLINE:
            self.end_line()
        self._raw = False

    def handle_data(self, data: str) -> None:
        """Read a text."""
        if not self._raw:
            self._line.append(data)
            if self._heading is not None:
                self._heading.append(data)

    def handle_comment(self, data: str) -> None:
        """Read a comment too: whoever looks at the source sees it."""
        self.lines.append((data, f"{self.place}, in a comment"))

    def end_line(self) -> None:
        """Keep what was read as one line."""
        if self._line:
            self.lines.append(("".join(self._line), self.place))
            self._line = []


def check_page(html: str) -> tuple[Place, ...]:
    """Return where a detector fires on a finished page: in its texts, across tags, and in its words for pictures.

    >>> [str(place) for place in check_page("<h2>Who?</h2><p>card 4111 <b>1111</b> 1111 1111</p>")]
    ['card number in step “Who?”']
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.end_line()
    return _fired(reader.lines)


def passed(html: str) -> str:
    """Return a finished page as it is, when no detector fires on it.

    Raises
    ------
    RefusedError
        When one does; what it found is told by kind and place.
    """
    places = check_page(html)
    if places:
        raise RefusedError("The page is not published: personal details would stand on it", got=told(places))
    return html


def check_notebook(notebook: Mapping[str, Any]) -> tuple[Place, ...]:
    """Return where a detector fires in a notebook, all texts of which a reader may open."""
    lines: list[tuple[str, str]] = list(_texts(notebook.get("metadata"), "the notebook's metadata"))
    for number, cell in enumerate(notebook.get("cells", ()), start=1):
        where = f"cell {number}"
        for part, value in cell.items():
            if part == "outputs":
                for output in value:
                    lines += _of_output(output, where)
            elif part == "attachments":
                continue
            else:
                lines += _texts(value, f"{where}, its {part}")
    return _fired(lines)


def _of_output(output: Mapping[str, Any], where: str) -> Iterable[tuple[str, str]]:
    for part, value in output.items():
        if part != "data":
            yield from _texts(value, f"{where}, its output")
    for kind, value in (output.get("data") or {}).items():
        if kind.startswith("image/"):
            continue
        if kind == "text/html":
            reader = _Reader()
            reader.feed(_joined(value))
            reader.close()
            reader.end_line()
            yield from ((text, f"{where}, its output") for text, _ in reader.lines)
        else:
            yield from _texts(value, f"{where}, its output")


def _texts(value: Any, where: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, str):
        yield value, where
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name), where
            yield from _texts(inner, where)
    elif isinstance(value, list):
        if value and all(isinstance(inner, str) for inner in value):
            yield "".join(value), where
        for inner in value:
            yield from _texts(inner, where)


def _fired(lines: Iterable[tuple[str, str]]) -> tuple[Place, ...]:
    found = [Place(one.kind, where) for text, where in lines for one in find(seen(text))]
    return tuple(dict.fromkeys(found))


def check_file(path: str | Path) -> tuple[Place, ...]:
    """Return where a detector fires in a file: a page or a notebook.

    Raises
    ------
    ParameterError
        When it is neither, or cannot be read.
    """
    place = Path(path)
    try:
        if place.stat().st_size > _LARGEST:
            raise ParameterError("The file is too large to check", got=str(path), allowed=f"up to {_LARGEST:,} bytes")
        text = place.read_text(encoding="utf-8")
    except OSError as error:
        raise ParameterError(f"The file {str(path)!r} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ParameterError("The file is no text", got=str(path)) from None
    if place.suffix.lower() in (".html", ".htm"):
        return check_page(text)
    if place.suffix.lower() == ".md":
        return _fired((line, f"line {number}") for number, line in enumerate(text.splitlines(), start=1))
    if place.suffix.lower() != ".ipynb":
        raise ParameterError("What is checked is a page or a notebook", got=place.name, allowed=".html, .md or .ipynb")
    try:
        held = json.loads(text)
        return check_notebook(held)
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise ParameterError("The file is no notebook", got=str(path)) from None


def told(places: Iterable[Place]) -> str:
    """Return places as one text."""
    return listed(places, most=8)


def _joined(text: object) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)
