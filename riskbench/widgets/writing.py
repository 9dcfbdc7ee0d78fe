"""How does a rule book leave a panel? As a YAML file in one folder, and never over another file unasked."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, Protocol

from riskbench.display import html
from riskbench.errors import DataError, ParameterError
from riskbench.rules.book import RuleBook


class Bookish(Protocol):
    """A panel that makes a rule book."""

    @property
    def book(self) -> RuleBook:
        """The rule book that the controls make."""

    def _guard(self, handler: Any) -> Any: ...


class BookWriter:
    """A path, a tick and a button, which write a panel's rule book.

    Parameters
    ----------
    panel : Panel
        What makes the book; errors are shown in it.
    folder : path, optional
        The folder that files stay in; by default the working folder.
    """

    def __init__(self, panel: Bookish, *, folder: str | Path | None = None) -> None:
        import ipywidgets

        if folder is not None and not isinstance(folder, str | Path):
            raise ParameterError("The folder of rule books is a path", got=repr(folder)[:80], allowed="text or Path")
        self._panel, self._folder = panel, folder
        self.path = ipywidgets.Text(
            placeholder="books/proposed.yaml", description="rule book", layout=ipywidgets.Layout(width="380px")
        )
        self.replace = ipywidgets.Checkbox(
            description="replace the file", indent=False, layout=ipywidgets.Layout(width="150px")
        )
        self.button = ipywidgets.Button(
            description="apply to a rule book",
            tooltip="write the rule book with this cut to a YAML file",
            layout=ipywidgets.Layout(width="auto"),
        )
        self.said = ipywidgets.HTML()
        self.button.on_click(panel._guard(self._clicked))  # noqa: SLF001 a part of the panel
        row = ipywidgets.HBox([self.path, self.replace, self.button], layout=ipywidgets.Layout(flex_flow="row wrap"))
        self.box = ipywidgets.VBox([row, self.said])

    def show(self) -> None:
        """Forget what was said of another book."""
        self.said.value = ""

    def write(self, name: str, *, replace: bool = False) -> Path:
        """Write the panel's rule book into the folder.

        Raises
        ------
        ParameterError
            When the path is no YAML file inside the folder.
        DataError
            When a file stands there and may not be replaced, or the file cannot be written.
        """
        path = self._inside(name)
        if path.exists() and not replace:
            raise DataError(
                f"A file stands there already: {name[:80]!r}", hint="tick 'replace the file', or name another"
            )
        return self._panel.book.save(path, overwrite=replace)

    def _inside(self, name: str) -> Path:
        text = name.strip()
        if not text or not text.lower().endswith((".yaml", ".yml")) or "\x00" in text:
            raise ParameterError(
                "A rule book is written to a YAML file", got=repr(text[:80]), allowed="a path that ends in .yaml"
            )
        folder = self._root()
        path = (folder / text).resolve()
        if not path.is_relative_to(folder):
            raise ParameterError(
                "A rule book stays in the working folder", got=repr(text[:80]), hint="a path below it: books/new.yaml"
            )
        if not path.parent.is_dir():
            raise ParameterError("There is no such folder", got=repr(str(Path(text).parent)[:80]))
        return path

    def _root(self) -> Path:
        return (Path.cwd() if self._folder is None else Path(self._folder)).resolve()

    def _clicked(self, _: object) -> None:
        self.said.value = ""
        path = self.write(self.path.value, replace=self.replace.value)
        self.replace.value = False
        where = path.relative_to(self._root())
        self.said.value = f'<div role="status" style="padding:4px 10px;{html.INK}">Written: {escape(str(where))}</div>'
