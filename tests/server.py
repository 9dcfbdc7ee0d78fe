"""A PostgreSQL server that lives for one session of tests."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Server:
    """A throw-away PostgreSQL server."""

    port: int
    user: str
    password: str

    def url(self, *, password: str | None = None, database: str = "postgres", port: int | None = None) -> str:
        word = (password or self.password).replace("%", "%25").replace("@", "%40").replace("/", "%2F")
        return f"postgresql://{self.user}:{word}@127.0.0.1:{port or self.port}/{database}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres(program) -> Iterator[Server]:
    """Start a PostgreSQL server on a loopback port, as an unprivileged user, and stop it at the end."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    initdb = program("initdb", "postgresql", *(f"{one}/initdb" for one in found))
    pg_ctl = program("pg_ctl", "postgresql", *(f"{one}/pg_ctl" for one in found))
    prefix: list[str] = []
    if os.geteuid() == 0:
        user = next(one for one in ("postgres", "nobody") if one in {entry.pw_name for entry in pwd.getpwall()})
        prefix = [program("runuser", "util-linux"), "-u", user, "--"]
    # The server's user must be able to reach the folder, which pytest's own are closed to.
    folder = Path(tempfile.mkdtemp(prefix="rb-pg-"))
    server = Server(_free_port(), "analyst", "s3cr3t@pa/ss")
    secret = folder / "password"
    secret.write_text(server.password)
    if prefix:
        shutil.chown(folder, user)
        shutil.chown(secret, user)

    def run(*words: str) -> None:
        subprocess.run([*prefix, *words], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=120)

    try:
        run(
            *(initdb, "-D", str(folder / "data"), "-U", server.user, "--encoding=UTF8", "--locale=C", "--no-sync"),
            *("--auth=scram-sha-256", f"--pwfile={secret}"),
        )
        options = f"-p {server.port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run(pg_ctl, "-D", str(folder / "data"), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield server
        finally:
            run(pg_ctl, "-D", str(folder / "data"), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
