"""Where do playbooks come from, and in which order are those places asked?"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from riskbench.config import settings
from riskbench.errors import PlaybookError, RiskbenchError, listed

#: Folders of further playbooks, separated as PATH is.
VARIABLE = "RISKBENCH_PLAYBOOKS"
#: What a package declares to bring playbooks along: a name, and the package or module beside which they lie.
GROUP = "riskbench.playbooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One folder that playbooks are looked for in.

    Attributes
    ----------
    origin : str
        What it is called: `folder NAME`, `workspace`, `shipped` or `package NAME`.
    name : str
        The name that it is asked for by when it is broken.
    folder : Path or None
        The folder; None when there is none, and `error` says why.
    error : RiskbenchError or None
        Why it cannot be looked into.
    """

    origin: str
    name: str
    folder: Path | None = None
    error: RiskbenchError | None = None


def places() -> tuple[Place, ...]:
    """Return where playbooks are looked for; what stands first wins.

    Folders named by RISKBENCH_PLAYBOOKS, then the workspace's, then the shipped one, then packages by name: a person's
    own folder may replace a shipped playbook, a package may only add to them.

    Raises
    ------
    ConfigError
        When riskbench.toml is wrong, or names a folder that is not there.
    """
    found = [_named(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    found += [Place(origin="workspace", name=folder.name, folder=folder) for folder in settings().playbooks]
    shipped = shipped_folder()
    if shipped is not None:
        found.append(Place(origin="shipped", name="shipped", folder=shipped))
    held = []
    seen: set[Path] = set()
    for place in (*found, *_packages()):
        where = None if place.folder is None else place.folder.resolve()
        if where is None or where not in seen:
            held.append(place)
        if where is not None:
            seen.add(where)
    return tuple(held)


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


def _named(part: str) -> Place:
    folder = Path(part)
    try:
        there = folder.is_dir()
    except (OSError, ValueError):
        there = False
    if there:
        return Place(origin=f"folder {folder.name}", name=folder.name, folder=folder)
    error = PlaybookError(f"{VARIABLE} names a folder that is not there", got=repr(part[:200]))
    return Place(origin=f"folder {folder.name}", name=part, error=error)


def _packages() -> Iterator[Place]:
    """Yield the folders that installed packages declare, without running a line of them."""
    points = {(point.name, point.value): point for point in metadata.entry_points(group=GROUP)}
    for (name, value), point in sorted(points.items()):
        dist = getattr(point, "dist", None)
        origin = f"package {dist.name if dist is not None else name}"
        folder = _folder_of(value.partition(":")[0].partition("[")[0].strip())
        if folder is not None:
            yield Place(origin=origin, name=name, folder=folder)
        else:
            error = PlaybookError(
                f"The {origin} declares playbooks beside a module that is not there",
                got=f"{name} = {value[:100]!r}",
                hint=f"pip install --force-reinstall {origin.removeprefix('package ')}, or tell who made it",
            )
            yield Place(origin=origin, name=name, error=error)


def _folder_of(module: str) -> Path | None:
    """Return the folder of a package, or the one that a module lies in; None when there is none.

    Only the outermost name is looked up; what is below it is found as folders, as looking it up would run the package.
    """
    head, *rest = module.split(".")
    if not all(part.isidentifier() for part in (head, *rest)):
        return None
    try:
        spec = importlib.util.find_spec(head)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        return Path(spec.origin).parent if spec.origin and not rest and Path(spec.origin).is_file() else None
    for location in spec.submodule_search_locations:
        folder = Path(location, *rest)
        if folder.is_dir():
            return folder
        if rest and folder.with_suffix(".py").is_file():
            return folder.parent
    return None
