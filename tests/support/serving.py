"""Real servers for the tests: Daphne as a process of its own, on a free port, with a database of its own."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from random import SystemRandom
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 30.0
STOP_TIMEOUT = 15.0
PORTS = (11_000, 32_000)
"""From where to where: browsers refuse some of those below, and connections get some of those above."""
DEPLOYMENT = {"DEBUG", "SECURE", "SECRET_KEY", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "DATABASE_URL", "REDIS_URL"}


def clean_environment(**extra: str) -> dict[str, str]:
    """Return the environment without what a deployment or the tests' runner put there, and with what is given."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in DEPLOYMENT | {"DJANGO_SETTINGS_MODULE"} and not name.startswith("IDLEWATCH_")
    }
    return kept | {"PYTHONUNBUFFERED": "1"} | extra


def run_program(source: str, settings: str) -> Any:
    """Run a program under other settings, in a process of its own; return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env=clean_environment(DJANGO_SETTINGS_MODULE=settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def free_port() -> int:
    """Return a port that nothing listens on just now.

    It lies below those that systems give to connections: one of these could take it before the server does.
    """
    while True:
        port = SystemRandom().randrange(*PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def find_program(*names: str, remedy: str, path: str | None = None) -> str:
    """Return the path of the first of these that is installed; without one the test fails, it is not skipped."""
    found = next(filter(None, (shutil.which(name, path=path) for name in names)), None)
    if found is None:
        raise RuntimeError(f"{names[0]} was not found: {remedy}.")
    return found


class ServerProcess:
    """A server on a free port; `stop` and `start` restart it there."""

    last_signal = signal.SIGKILL
    """Ends it where it ignores another."""

    def __init__(self, log: Path, port: int | None = None) -> None:
        self.log = log
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self, command: Sequence[str], **options: Any) -> None:
        """Run a command, and wait until it accepts connections."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **options)
        deadline = time.monotonic() + START_TIMEOUT
        while not self.listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop(self.last_signal)
                raise RuntimeError(f"{' '.join(command)} did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.02)

    def listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int | None:
        """Send a signal, wait for the end, and return the exit code."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.send_signal(how)
        try:
            return process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.send_signal(self.last_signal)
            process.wait(STOP_TIMEOUT)
            raise


class Server(ServerProcess):
    """One Daphne, with a database that outlives it."""

    def __init__(
        self,
        application: str,
        environ: Mapping[str, str],
        log: Path,
        *,
        python: str = sys.executable,
        cwd: Path = ROOT,
    ) -> None:
        super().__init__(log)
        self.application = application
        self.environ = dict(environ)
        self.python = python
        self.cwd = cwd

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, path: str = "/") -> str:
        return f"{self.origin}{path}"

    def socket_url(self, path: str = "/ws/idlewatch/tab/") -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    @property
    def command(self) -> list[str]:
        return [self.python, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), self.application]

    def start(self) -> None:
        self.launch(self.command, cwd=self.cwd, env=self.environ)

    def manage(self, *command: str) -> str:
        """Run one of the project's commands in the server's environment; return what it printed."""
        done = subprocess.run(
            [self.python, "manage.py", *command],
            cwd=self.cwd,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


@contextmanager
def standing_still(*servers: Server) -> Iterator[None]:
    """Stop servers, and let them go on at the end.

    None of them stops with SQLite's lock in its hand: no other process could write until it went on.
    """
    processes = [server.process for server in servers if server.process is not None]
    assert len(processes) == len(servers)
    try:
        with ExitStack() as locks:
            for database in {server.environ["DATABASE_URL"] for server in servers}:
                if database.startswith("sqlite:///"):
                    connection = sqlite3.connect(database.removeprefix("sqlite:///"), timeout=20, isolation_level=None)
                    locks.enter_context(closing(connection)).execute("BEGIN IMMEDIATE")
            for process in processes:
                process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


@cache
def migrated() -> Path:
    """Return a database with the project's tables and nothing in them, to be copied."""
    directory = Path(tempfile.mkdtemp(prefix="idlewatch-migrated-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    database = directory / "db.sqlite3"
    environ = clean_environment(DEBUG="1", DATABASE_URL=f"sqlite:///{database}")
    Server("", environ, directory / "log").manage("migrate", "--verbosity", "0")
    return database


@contextmanager
def demo(directory: Path, **environ: str) -> Iterator[Server]:
    """Serve the deployable project with the demo's accounts; `environ` wins over the defaults.

    With `DEBUG=0` its static files are collected first, into the directory.
    """
    database = shutil.copy(migrated(), directory / "db.sqlite3")
    settings = {"DEBUG": "1", "DATABASE_URL": f"sqlite:///{database}"} | environ
    if settings["DEBUG"] == "0":
        settings = {
            "DJANGO_SETTINGS_MODULE": "tests.support.deployed",
            "STATIC_ROOT": str(directory / "static"),
            "SECRET_KEY": "for one test alone",
            "SECURE": "0",
        } | settings
    server = Server("project.asgi:application", clean_environment(**settings), directory / "daphne.log")
    if settings["DEBUG"] == "0":
        server.manage("collectstatic", "--noinput", "--verbosity", "0")
    server.environ["DEBUG"] = "1"
    server.manage("demo")
    server.environ["DEBUG"] = settings["DEBUG"]
    server.start()
    try:
        yield server
    finally:
        server.stop()
