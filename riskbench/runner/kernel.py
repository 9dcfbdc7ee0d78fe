"""How does a notebook get executed here? By papermill, in a kernel of this very environment, over an encrypted line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_core.utils import run_sync

ENGINE = "riskbench"
#: Seconds that a kernel has to leave after its last cell, while the pages are made.
_LEAVE = 2.0


class OwnKernelManager(AsyncKernelManager):
    """A kernel of the interpreter that runs this: no kernelspec of the machine is asked, no line is in the clear."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "transport_encryption": "required"})

    @property
    def kernel_spec(self) -> KernelSpec:
        """Return this interpreter as a kernel, without the user's history."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(
            argv=[*command, "--HistoryManager.enabled=False"],
            display_name="Python 3",
            language="python",
            metadata={"supported_encryption": ["curve"]},
        )


class Execution:
    """One execution of a notebook: what it looks like so far, which cell runs, which process is the kernel.

    Parameters
    ----------
    tell : callable
        Called with this, the number of each code cell that starts, and the number of cells; of none when the kernel
        has been started.
    """

    def __init__(self, tell: Callable[[Execution, int, int], None]) -> None:
        self.tell = tell
        self.notebook: Any = None
        self.cell: int | None = None
        self.manager: Any = None
        self._asked: float | None = None

    @property
    def pid(self) -> int | None:
        """The kernel's process."""
        provisioner = getattr(self.manager, "provisioner", None)
        return getattr(provisioner, "pid", None)

    def interrupt(self) -> None:
        """Ask the kernel to stop what it does, as Ctrl-C would."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End the kernel and all that it started, at once."""
        self._signal(signal.SIGKILL)

    def ask_to_leave(self) -> None:
        """Ask the kernel to end, and go on; `see_off` sees to it that it has."""
        run_sync(self.manager.request_shutdown)()
        self._asked = time.monotonic()

    def see_off(self) -> None:
        """Wait a moment for a kernel that was asked to leave, and end it when it has not."""
        process = getattr(getattr(self.manager, "provisioner", None), "process", None)
        if process is None or process.poll() is not None:
            return
        if self._asked is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, self._asked + _LEAVE - time.monotonic()))
                return
        self.kill()
        process.wait()

    def _signal(self, number: int) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getpgid(self.pid) == self.pid:
                    os.killpg(self.pid, number)
                else:
                    os.kill(self.pid, number)

    def run(self, notebook: Path, parameters: Mapping[str, Any], cwd: Path) -> None:
        """Execute a notebook; whatever happens, `self.notebook` is what came of it, and `see_off` ends the kernel.

        Raises
        ------
        Exception
            What papermill raises: PapermillExecutionError for an error in a cell, DeadKernelError.
        """
        self.manager = OwnKernelManager(kernel_name="python3")
        with contextlib.chdir(cwd):
            run_sync(self.manager.start_kernel)()  # it loads its libraries while papermill is loaded here
        self.tell(self, 0, 0)
        try:
            import papermill
            from papermill.engines import papermill_engines

            papermill_engines.register(ENGINE, _engine(self))
            papermill.execute_notebook(
                str(notebook).replace("{", "{{").replace("}", "}}"),  # papermill fills in what stands in braces
                None,
                parameters=dict(parameters),
                engine_name=ENGINE,
                progress_bar=False,
                request_save_on_cell_execute=False,
                cwd=str(cwd),
                kernel_name="python3",
                language="python",
            )
            self.ask_to_leave()
        except BaseException:
            self.kill()
            raise


def _engine(execution: Execution) -> Any:
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> None:
            execution.notebook = nb_man.nb

            def started(cell_index: int, **_: Any) -> None:
                execution.cell = cell_index
                execution.tell(execution, cell_index, len(nb_man.nb.cells))

            client = PapermillNotebookClient(
                nb_man,
                timeout=None,
                startup_timeout=120,
                kernel_name=kernel_name,
                km=execution.manager,
                on_cell_execute=started,
                store_widget_state=False,
            )
            try:
                client.execute(cleanup_kc=False)
            finally:
                execution.notebook = nb_man.nb
                if client.kc is not None:
                    client.kc.stop_channels()

    return Engine
