"""A real PostgreSQL for the tests: on a free port, in a directory of its own, without waiting for the disk."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.support.serving import ServerProcess, find_program

ROLE = "idlewatch"
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=200")


def executable(name: str) -> str:
    """Return the path of a program of PostgreSQL."""
    # Debian keeps each version apart, and off the path.
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))[::-1]
    path = os.pathsep.join([os.environ["PATH"], *map(str, newest_first)])
    return find_program(name, remedy="run scripts/ensure-servers", path=path)


def ordinary_user() -> dict[str, Any]:
    """Return what makes `subprocess` leave root, as whom PostgreSQL refuses to run."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


class PostgresServer(ServerProcess):
    """One PostgreSQL; what it keeps outlives `stop` and `start`, `remove` takes it all away."""

    last_signal = signal.SIGQUIT
    """Never SIGKILL: its children and its shared memory would stay."""

    def __init__(self, *options: str) -> None:
        # Not below pytest's directory, which is root's alone.
        self.directory = Path(tempfile.mkdtemp(prefix="idlewatch-postgres-"))
        super().__init__(self.directory / "postgres.log")
        self._options = options
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")

    def url(self, name: str = "postgres") -> str:
        return f"postgres://{ROLE}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        data = self.directory / "data"
        if not data.exists():
            command = [executable("initdb"), "--pgdata", str(data), "--username", ROLE, "--auth", "trust"]
            command += ["--encoding", "UTF8", "--locale", "C", "--no-sync"]
            subprocess.run(command, cwd="/", check=True, capture_output=True, **ordinary_user())
        options = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            *QUICK,
            *self._options,
        ]
        command = [executable("postgres"), "-D", str(data), *(part for option in options for part in ("-c", option))]
        self.launch(command, cwd="/", **ordinary_user())

    def stop(self, how: signal.Signals = signal.SIGINT) -> int | None:
        """End it, by SIGINT with its connections cut off in order, by SIGQUIT as in a crash."""
        with suppress(subprocess.TimeoutExpired):
            return super().stop(how)
        return None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def database(self, name: str) -> str:
        """Make an empty database; return its address."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def listens(self) -> bool:
        """Return whether it answers, too."""
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@cache
def shared_postgres() -> PostgresServer:
    """Return the PostgreSQL of this test process, for tests that do it no harm: each makes a database of its own."""
    server = PostgresServer()
    atexit.register(server.remove)
    server.start()
    return server
