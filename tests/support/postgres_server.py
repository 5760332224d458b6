"""A real PostgreSQL for the tests: on a free port, in a directory of its own, and as slack with the disk as it goes."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.support.serving import free_port

STARTS_WITHIN = 20.0
STOPS_WITHIN = 15.0
ROLE = "idlewatch"
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=200")


def executable(name: str) -> str:
    """Return the path of a program of PostgreSQL; without it the test fails, it is not skipped."""
    # Debian keeps each version apart, and off the path.
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))[::-1]
    path = shutil.which(name) or shutil.which(name, path=os.pathsep.join(map(str, newest_first)))
    if path is None:
        raise RuntimeError(f"{name} was not found: run scripts/ensure-servers.")
    return path


def ordinary_user() -> dict[str, Any]:
    """Return what makes `subprocess` leave root, as whom PostgreSQL refuses to run."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


class PostgresServer:
    """One PostgreSQL; what it keeps outlives `stop` and `start`, `remove` takes it all away."""

    def __init__(self) -> None:
        self.port = free_port()
        # Not below pytest's directory, which is root's alone.
        self.directory = Path(tempfile.mkdtemp(prefix="idlewatch-postgres-"))
        self.process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")

    def url(self, name: str = "postgres") -> str:
        return f"postgres://{ROLE}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        data = self.directory / "data"
        if not data.exists():
            command = [executable("initdb"), "--pgdata", str(data), "--username", ROLE, "--auth", "trust"]
            self._run([*command, "--encoding", "UTF8", "--locale", "C", "--no-sync"])
        options = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *QUICK]
        command = [executable("postgres"), "-D", str(data), *(part for option in options for part in ("-c", option))]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd="/", stdout=log, stderr=log, **ordinary_user())
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop(signal.SIGQUIT)
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it, by SIGINT with its connections cut off in order, by SIGQUIT as in a crash."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            # Never SIGKILL: its children and its shared memory would stay.
            process.send_signal(signal.SIGQUIT)
            process.wait(STOPS_WITHIN)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def database(self, name: str) -> str:
        """Make an empty database; return its address."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    @property
    def _log(self) -> Path:
        return self.directory / "postgres.log"

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, **ordinary_user())
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    def _answers(self) -> bool:
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
