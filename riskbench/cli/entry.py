"""The command line: each command is one call of the library, with an exit code that tells how it ended."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

import typer

from riskbench.cli import books, catalogue, incidents, pages, runs, trust, workspace  # noqa: F401 each registers its commands
from riskbench.cli.app import app, fail
from riskbench.errors import RiskbenchError


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong use, 3 infeasible, 130 interrupted."""
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)  # what follows is for another program
    debug = "--debug" in sys.argv[:end]
    arguments = [argument for argument in sys.argv[1:end] if argument != "--debug"] + sys.argv[end:]
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        code = app(arguments, standalone_mode=False)
    except RiskbenchError as error:
        if debug:
            raise
        fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        fail("Interrupted.", 130)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
    except Exception as error:
        if debug:
            raise
        _unexpected(error)
    raise SystemExit(code if isinstance(code, int) else 0)


def _unexpected(error: Exception) -> NoReturn:
    if isinstance(error, typer.Exit):
        raise SystemExit(error.exit_code)
    if isinstance(error, typer.Abort):
        fail("Interrupted.", 130)
    show = getattr(error, "show", None)
    if callable(show):  # a usage error of the command line itself
        show()
        raise SystemExit(getattr(error, "exit_code", 2))
    from riskbench.config import redact

    fail(f"Something unexpected went wrong: {type(error).__name__}: {redact(str(error))}\n(--debug shows the trace)", 1)


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt
