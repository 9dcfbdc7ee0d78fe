"""How does a workspace begin, and what does it add to every run?"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riskbench.config import settings
from riskbench.errors import ConfigError, ParameterError, listed, nearest
from riskbench.runner.catalogue import Playbook, catalogue
from riskbench.runner.places import shipped_folder
from riskbench.runner.samples import write_events

_TEMPLATES = Path(__file__).parent / "templates" / "workspace"
#: The playbook that a workspace gets a copy of, and what the copy is called.
_SHIPPED, _OWN = "threshold_calibration", "my_calibration"
#: Settings of JupyterLab that a workspace keeps: no calls home, and widgets that are still there when reopened.
LAB = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyter-widgets/jupyterlab-manager/plugin.jupyterlab-settings": {"saveState": True},
}
LAB_SETTINGS = Path(".jupyter", "lab", "user-settings")
_PATHS = ("book", "source", "model")
#: So many that a cut pays in them; about a megabyte.
_ORDERS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A workspace that was made.

    Attributes
    ----------
    folder : Path
        Where it is.
    written, kept : tuple of str
        The files that are new, and those that were there and were left alone.
    """

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...] = ()


def new_workspace(folder: str | Path, *, fill: bool = False) -> Workspace:
    """Make a workspace that works at once: settings, rule books, a playbook and a notebook of one's own, and data.

    It is made aside and put in its place in one step. No file is ever overwritten.

    Parameters
    ----------
    folder : str or Path
        A folder that is not there yet, or is empty.
    fill : bool
        Into a folder that holds something: add what is missing, and leave the rest alone.

    Raises
    ------
    ParameterError
        When the folder cannot be made or written, is a file, or holds something.
    """
    told = str(folder)
    if not told.strip() or not told.isprintable():
        raise ParameterError("A folder's name is one line of printable letters", got=repr(told[:80]))
    try:
        target = Path(os.path.abspath(Path(told).expanduser()))  # noqa: PTH100 a link is followed once it is there
        if target.exists() and not target.is_dir():
            raise ParameterError(f"{told[:200]!r} is a file, and a workspace is a folder", hint="name a new folder")
        held = sorted(path.name for path in target.iterdir()) if target.exists() else []
        if held and not fill:
            raise ParameterError(
                f"The folder {told[:200]!r} is not empty, and nothing in it is overwritten",
                got=listed(held, most=6),
                hint="name a new folder, or add what is missing with --fill",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".riskbench-new-", dir=target if target.exists() else target.parent))
    except OSError as error:
        raise ParameterError(f"The folder {told[:200]!r} cannot be written: {error.strerror}") from None
    try:
        _fill(made, name=target.name)
        files = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
        if not target.exists():
            made.chmod(0o777 & ~_umask())
            made.rename(target)
            return Workspace(folder=target, written=tuple(files))
        return _move(made, target, files)
    except OSError as error:
        raise ParameterError(f"The folder {told[:200]!r} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _umask() -> int:
    held = os.umask(0o022)
    os.umask(held)
    return held


def _move(made: Path, target: Path, files: list[str]) -> Workspace:
    """Move files that are missing into a folder that is there; on a fault take back what was moved."""
    new: list[Path] = []
    kept = [name for name in files if os.path.lexists(target / name)]
    try:
        for name in files:
            new += _folders(target, Path(name).parent)
            if name not in kept:
                os.link(made / name, target / name)  # fails where a file is, so none is replaced
                new.append(target / name)
    except BaseException:
        for path in reversed(new):
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise
    return Workspace(folder=target, written=tuple(name for name in files if name not in kept), kept=tuple(kept))


def _folders(target: Path, below: Path) -> list[Path]:
    """Make the folders that are missing, and return them; never through a link that leads out of the workspace."""
    new = []
    for path in [target / part for part in reversed((below, *below.parents[:-1]))]:
        if not path.is_dir():
            path.mkdir()
            new.append(path)
        elif not path.resolve().is_relative_to(target.resolve()):
            raise ParameterError(f"{str(path)!r} leads out of the workspace", hint="remove that link")
    return new


def _fill(folder: Path, *, name: str) -> None:
    """Write a whole workspace into an empty folder."""
    shipped = shipped_folder()
    if shipped is None:
        raise ParameterError("The shipped playbooks are not here", hint="install riskbench again")
    for part in ("rules", "playbooks", "notebooks", "data"):
        (folder / part).mkdir()
    for source, place in (
        ("riskbench.toml", "riskbench.toml"),
        ("gitignore.txt", ".gitignore"),
        ("playbooks.md", "playbooks/README.md"),
        ("start.ipynb", "notebooks/start.ipynb"),
    ):
        (folder / place).write_bytes((_TEMPLATES / source).read_bytes())
    readme = (_TEMPLATES / "README.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text(readme.replace("{name}", name, 1), encoding="utf-8")
    for book in sorted((shipped / "books").glob("*.yaml")):
        (folder / "rules" / book.name).write_bytes(book.read_bytes())
    (folder / "playbooks" / f"{_OWN}.ipynb").write_text(_copy(shipped / f"{_SHIPPED}.ipynb"), encoding="utf-8")
    write_events(folder / "data", book="rules/transactions.yaml", beside="data", orders=_ORDERS, region="ID", seed=7)
    lab_settings(folder)


def _copy(path: Path) -> str:
    """Return the shipped playbook under the name of the workspace's own."""
    held = json.loads(path.read_text(encoding="utf-8"))
    held["metadata"]["riskbench"] |= {"id": _OWN, "title": "My calibration"}
    for cell in held["cells"]:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if cell["cell_type"] == "code":
            source = source.replace(f'rb.start("{_SHIPPED}"', f'rb.start("{_OWN}"')
        else:
            source = source.replace("# Threshold calibration\n", "# My calibration\n", 1)
        cell["source"] = source
    return json.dumps(held, ensure_ascii=False, indent=1) + "\n"


def lab_settings(folder: Path) -> Path:
    """Write the settings of JupyterLab that a workspace lacks, and return their folder."""
    root = folder / LAB_SETTINGS
    for name, held in LAB.items():
        path = root / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")
    return root


def with_defaults(playbook: Playbook, given: Mapping[str, object]) -> dict[str, object]:
    """Return given parameters laid over those that the workspace sets in `[defaults]`.

    Only what the playbook takes counts. A path is looked up from the workspace; `{domain}` in a text stands for the
    run's domain.

    Raises
    ------
    ConfigError
        When the workspace sets what no playbook takes.
    """
    here = settings()
    if not here.defaults or here.root is None:
        return dict(given)
    own = playbook.parameter("domain")
    domain = str(given.get("domain") or here.defaults.get("domain") or (own.default if own else "") or "transactions")
    found: dict[str, Any] = {}
    for name, value in here.defaults.items():
        parameter = playbook.parameter(name)
        if parameter is None:
            _known(name, here.root)
            continue
        told = value.replace("{domain}", domain) if isinstance(value, str) else value
        if parameter.format in _PATHS and isinstance(told, str) and _relative(told) and here.root != Path.cwd():
            told = str(here.root / told)
        found[name] = told
    return {**found, **given}


def _relative(text: str) -> bool:
    return text != "sample" and "://" not in text and not text.startswith("env:") and not Path(text).is_absolute()


def _known(name: str, root: Path) -> None:
    """Refuse a default that no playbook takes: it is a slip of the pen."""
    known = sorted({parameter.name for book in catalogue() for parameter in book.parameters})
    if name not in known:
        close = nearest(name, known)
        raise ConfigError(
            f"{root / 'riskbench.toml'} sets {name[:80]!r} in [defaults], which no playbook takes",
            allowed=listed(known, most=30),
            hint=f"did you mean {close!r}?" if close else None,
        )
