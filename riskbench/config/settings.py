"""What is in force: arguments first, then RISKBENCH_* in the environment, then riskbench.toml, then defaults."""

from __future__ import annotations

import datetime as dt
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from riskbench.errors import ConfigError, listed, nearest

FILE = "riskbench.toml"
#: Names the workspace, wherever one stands.
WORKSPACE = "RISKBENCH_WORKSPACE"
#: What `[run]` may say; `RISKBENCH_OUT`, `RISKBENCH_STORE` and `RISKBENCH_TIMEOUT` win over it.
_RUN = ("out", "store", "timeout")
_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where runs go, how long they may take, and what the workspace adds.

    Attributes
    ----------
    out : str
        The folder that run folders are written to.
    store : str or None
        The URL of the store; None for `riskbench.db` inside `out`.
    timeout : float or None
        Seconds that a run may take; None for no limit.
    playbooks : tuple of Path
        The workspace's folders of playbooks.
    defaults : mapping
        What playbooks take in this workspace where nothing else is said, by parameter.
    root : Path or None
        The workspace: the folder that holds riskbench.toml; None outside one.
    """

    out: str = "runs"
    store: str | None = None
    timeout: float | None = None
    playbooks: tuple[Path, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    root: Path | None = field(default=None, compare=False)

    def with_arguments(self, **given: object) -> Settings:
        """Return the settings with every argument that is not None put in place."""
        held = {spec.name: getattr(self, spec.name) for spec in fields(self)}
        return Settings(**{**held, **{name: value for name, value in given.items() if value is not None}})


def workspace(folder: str | Path = ".") -> Path | None:
    """Return the workspace that a folder lies in: the nearest one, upwards, that holds riskbench.toml.

    RISKBENCH_WORKSPACE wins. A folder further up counts only when its riskbench.toml is the user's own, so that nobody
    else's file in a shared place decides what is run.

    Raises
    ------
    ConfigError
        When RISKBENCH_WORKSPACE names no folder.
    """
    named = os.environ.get(WORKSPACE)
    try:
        if named:
            if not Path(named).is_dir():
                raise ConfigError(f"{WORKSPACE} names no folder", got=repr(named[:200]))
            return Path(named).resolve()
        here = Path(folder).resolve()
        if (here / FILE).is_file():
            return here
        return next((held for held in here.parents if _own(held / FILE)), None)
    except (OSError, ValueError):
        return None


def _own(path: Path) -> bool:
    user = getattr(os, "getuid", lambda: None)()
    return path.is_file() and (user is None or path.stat().st_uid == user)


def settings(folder: str | Path = ".") -> Settings:
    """Return the settings that hold in a folder.

    Raises
    ------
    ConfigError
        When riskbench.toml cannot be read, names an unknown setting, or a value is of a wrong type.
    """
    root = workspace(folder)
    path = (root or Path(folder)) / FILE
    held = _read(path) if root is not None else {}
    _known(held, ("run", "defaults"), f"{path} has an unknown table")
    tables = {name: held.get(name, {}) for name in ("run", "defaults")}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {name!r} is a table", got=repr(table)[:80], allowed=f"[{name}]")
    _known(tables["run"], (*_RUN, "playbooks"), f"{path} names an unknown setting in [run]")
    found: dict[str, Any] = {name: value for name, value in tables["run"].items() if name in _RUN}
    away = root is not None and root != Path(folder).resolve()
    for name in ("out", "store"):
        if found.get(name) is not None and not isinstance(found[name], str):
            raise ConfigError(f"The setting {name!r} is text", got=repr(found[name]))
    if away and root is not None:  # below the workspace: its own paths stay its own
        found["out"] = str(root / found.get("out", "runs"))
        if found.get("store") and "://" not in found["store"]:
            found["store"] = str(root / found["store"])
    found.update({name: text for name in _RUN if (text := os.environ.get(f"RISKBENCH_{name.upper()}"))})
    if found.get("timeout") is not None:
        try:
            found["timeout"] = float(str(found["timeout"]))
        except ValueError as error:
            raise ConfigError("The setting 'timeout' is a number of seconds", got=repr(found["timeout"])) from error
    playbooks = () if root is None else _folders(root, tables["run"].get("playbooks"), path)
    defaults = {name: _plain(value) for name, value in tables["defaults"].items()}
    return Settings(**found, playbooks=playbooks, defaults=defaults, root=root)


def _read(path: Path) -> dict[str, Any]:
    """Return what a settings file says; nothing when there is none."""
    try:
        if not path.is_file():
            return {}
        if path.stat().st_size > _LARGEST:
            raise ConfigError(f"{path} is too large for settings", got=f"{path.stat().st_size:,} bytes")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _known(names: Iterable[str], known: tuple[str, ...], what: str) -> None:
    for name in names:
        if name not in known:
            close = nearest(name, known)
            raise ConfigError(
                f"{what}: {name[:80]!r}",
                allowed=listed(known),
                hint=f"did you mean {close!r}?" if close else None,
            )


def _folders(root: Path, named: object, path: Path) -> tuple[Path, ...]:
    """Return the workspace's folders of playbooks: those named, which must be there; else `playbooks` if it is."""
    if named is None:
        usual = root / "playbooks"
        return (usual,) if usual.is_dir() else ()
    if not isinstance(named, list) or not all(isinstance(item, str) for item in named):
        raise ConfigError(f"{path}: 'playbooks' is a list of folders", got=repr(named)[:80], allowed='["playbooks"]')
    for item in named:
        if "\x00" in item or not (root / item).is_dir():
            raise ConfigError(
                f"{path} names a folder of playbooks that is not there", got=repr(item[:200]), allowed=f"in {root}"
            )
    return tuple((root / item).resolve() for item in named)


def _plain(value: object) -> object:
    """Return a TOML value as a parameter takes it: a date is ISO text."""
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
