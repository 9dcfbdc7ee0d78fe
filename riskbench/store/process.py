"""Is the process that started a run still alive?"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that answers for a run: a number alone is used again after the process has died.

    Attributes
    ----------
    host : str
        The machine.
    pid : int
        The process's number.
    started : str
        When the process began, as the machine counts; empty where the machine does not say.
    """

    host: str
    pid: int
    started: str

    @classmethod
    def here(cls) -> Owner:
        """Return the process that asks."""
        return cls(socket.gethostname(), os.getpid(), _started(os.getpid()))

    @property
    def local(self) -> bool:
        """Whether it runs on this machine, so that it can be looked up."""
        return self.host == socket.gethostname()

    @property
    def gone(self) -> bool:
        """Whether the process is known to have ended; never true for one on another machine."""
        if not self.local:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        now = _started(self.pid)
        return bool(self.started and now != self.started)


def _started(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except (OSError, IndexError):
        return ""
    return "" if fields[0] == "Z" else f"{boot}:{fields[19]}"
