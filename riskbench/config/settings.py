"""What is in force: arguments first, then RISKBENCH_* in the environment, then riskbench.toml, then defaults."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from riskbench.errors import ConfigError, listed, nearest

FILE = "riskbench.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where runs go and how long they may take.

    Attributes
    ----------
    out : str
        The folder that run folders are written to.
    store : str or None
        The URL of the store; None for `riskbench.db` inside `out`.
    timeout : float or None
        Seconds that a run may take; None for no limit.
    """

    out: str = "runs"
    store: str | None = None
    timeout: float | None = None

    def with_arguments(self, **given: object) -> Settings:
        """Return the settings with every argument that is not None put in place."""
        held = {spec.name: getattr(self, spec.name) for spec in fields(self)}
        return Settings(**{**held, **{name: value for name, value in given.items() if value is not None}})


def settings(folder: str | Path = ".") -> Settings:
    """Return the settings that hold in a folder.

    Raises
    ------
    ConfigError
        When riskbench.toml cannot be read, names an unknown setting, or a value is of a wrong type.
    """
    known = [spec.name for spec in fields(Settings)]
    found: dict[str, object] = {}
    path = Path(folder) / FILE
    if path.is_file():
        try:
            held = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        table = held.get("run", {})
        for name in table:
            if name not in known:
                close = nearest(name, known)
                raise ConfigError(
                    f"{path} names an unknown setting {name!r} in [run]",
                    allowed=listed(known),
                    hint=f"did you mean {close!r}?" if close else None,
                )
        found.update(table)
    found.update({name: text for name in known if (text := os.environ.get(f"RISKBENCH_{name.upper()}"))})
    if found.get("timeout") is not None:
        try:
            found["timeout"] = float(str(found["timeout"]))
        except ValueError as error:
            raise ConfigError("The setting 'timeout' is a number of seconds", got=repr(found["timeout"])) from error
    for name in ("out", "store"):
        if found.get(name) is not None and not isinstance(found[name], str):
            raise ConfigError(f"The setting {name!r} is text", got=repr(found[name]))
    return Settings(**found)  # type: ignore[arg-type]
