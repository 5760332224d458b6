"""A site of several processes on one Redis and one database."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg

from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.serving import ROOT, Server, clean_environment, migrated

IDLE, WARN, GRACE = 8.0, 2.0, 3.0
LIMITS = {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": WARN, "CLOSE_GRACE": GRACE, "HEARTBEAT": 0.5}
CORE = "channels_redis.core.RedisChannelLayer"
"""The channel layer that is not the project's own; `LAYER` in a process's environment chooses it."""
OUTCOMES = "SELECT username, CASE WHEN ended IS NULL THEN '' ELSE reason END FROM idlewatch_watchedsession"
OF_OTHERS = ("channels_redis", "listen_for_disconnect")
"""Logged by channels_redis in an outage, and by Django of a request that was under way when its server stopped."""


class Site:
    """Web processes, a timer, Redis, behind a proxy if it is to fail, and a database."""

    def __init__(
        self, directory: Path, redis: RedisServer, database: str, environ: Mapping[str, str], *, proxied: bool
    ) -> None:
        self.directory = directory
        self.redis = redis
        self.proxy = Proxy(redis.port)
        self.database = database
        limits = {f"IDLEWATCH_{key}": str(value) for key, value in LIMITS.items()}
        self.environ = clean_environment(
            DEBUG="1",
            DATABASE_URL=database,
            REDIS_URL=f"redis://127.0.0.1:{self.proxy.port}/0" if proxied else redis.url,
            DJANGO_SETTINGS_MODULE="tests.integration.faults.settings",
            **limits | dict(environ),
        )
        self.webs: list[Server] = []
        self._timer: subprocess.Popen[bytes] | None = None

    def add(self, **environ: str) -> Server:
        """Start one more web process, with what it finds in its environment."""
        log = self.directory / f"web{len(self.webs)}.log"
        web = Server("project.asgi:application", self.environ | environ, log)
        self.webs.append(web)
        web.start()
        return web

    def start_timer(self) -> None:
        with (self.directory / "timer.log").open("ab") as log:
            command = [sys.executable, "manage.py", "runtimer"]
            self._timer = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=log, stderr=log)

    def stop_timer(self, how: signal.Signals = signal.SIGTERM) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.send_signal(how)
            timer.wait(15)

    def stop(self) -> None:
        for web in self.webs:
            web.stop(signal.SIGKILL)
        self.stop_timer(signal.SIGKILL)

    @property
    def log(self) -> str:
        return "\n".join(path.read_text() for path in self.directory.glob("*.log") if path.name != "redis.log")

    def announced(self) -> Counter[tuple[str, str]]:
        """Return how often each end was announced, by watch and reason."""
        return Counter(re.findall(r"^announced (\S+) (\S+)$", self.log, re.MULTILINE))

    def outcomes(self) -> dict[str, str]:
        """Return the reason of each record that is closed, '' for one that is not, by user name."""
        if self.database.startswith("postgres"):
            with psycopg.connect(self.database) as session:
                return dict(session.execute(OUTCOMES).fetchall())
        with closing(sqlite3.connect(self.database.removeprefix("sqlite:///"), timeout=20)) as connection:
            return dict(connection.execute(OUTCOMES).fetchall())

    def assert_sound(self) -> None:
        """Check that no request failed, that each end was announced once, and that the logs are quiet otherwise."""
        log = self.log
        assert '" 500 ' not in log, log
        assert [line for line in failures(log) if not any(known in line for known in OF_OTHERS)] == [], log
        assert all(times == 1 for times in self.announced().values()), self.announced()


def failures(log: str) -> list[str]:
    """Return the lines of a log that a traceback follows."""
    found, latest = [], ""
    for line in log.splitlines():
        if re.match(r"\d{4}-\d\d-\d\d |future: ", line) or "exception was never retrieved" in line:
            latest = line
        elif line.startswith("Traceback") and latest not in found:
            found.append(latest)
    return found


def until(condition: Callable[[], object], within: float = 10.0) -> None:
    """Wait for a condition to be true."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"still false after {within:g} s"
        time.sleep(0.05)


@contextmanager
def running(
    directory: Path,
    *webs: Mapping[str, str],
    redis: Callable[[Path], RedisServer] = RedisServer,
    database: str | None = None,
    proxied: bool = False,
    **environ: str,
) -> Iterator[Site]:
    """Serve the tests' site from several processes, by default two; each has an environment of its own.

    `database` is the URL of an empty one, a copy of SQLite's by default.
    """
    redis_server = redis(directory)
    site = Site(
        directory,
        redis_server,
        database or f"sqlite:///{shutil.copy(migrated(), directory / 'db.sqlite3')}",
        environ,
        proxied=proxied,
    )
    if database is not None:
        Server("", site.environ, directory / "manage.log").manage("migrate", "--verbosity", "0")
    with ExitStack() as stack:
        stack.callback(redis_server.stop)
        redis_server.start()
        site.proxy.start()
        stack.callback(site.proxy.stop)
        stack.callback(site.stop)
        for web in webs or ({}, {}):
            site.add(**web)
        yield site
