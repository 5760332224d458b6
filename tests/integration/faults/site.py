"""A site of several processes on one Redis, to which faults are done."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.integration.faults.proxy import Proxy
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.serving import ROOT, Server, clean_environment

IDLE, WARN, GRACE = 8.0, 2.0, 3.0
LIMITS = {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": WARN, "CLOSE_GRACE": GRACE, "HEARTBEAT": 0.5}


class Site:
    """Web processes, a timer, Redis behind a proxy, and a database."""

    def __init__(
        self,
        directory: Path,
        migrated: Path,
        *,
        webs: int = 2,
        persistent: bool = False,
        postgres: PostgresServer | None = None,
        **environ: str,
    ) -> None:
        self.directory = directory
        self.postgres = postgres
        self.database = Path(shutil.copy(migrated, directory / "db.sqlite3"))
        self.redis = RedisServer(directory, persistent=persistent)
        self.proxy = Proxy(self.redis.port)
        self.environ = clean_environment(
            DEBUG="1",
            DATABASE_URL=f"sqlite:///{self.database}" if postgres is None else postgres.url(),
            REDIS_URL=f"redis://127.0.0.1:{self.proxy.port}/0",
            DJANGO_SETTINGS_MODULE="tests.integration.faults.settings",
            **{f"IDLEWATCH_{key}": str(value) for key, value in LIMITS.items()} | environ,
        )
        self.webs = [
            Server("project.asgi:application", self.environ, directory / f"web{number}.log") for number in range(webs)
        ]
        self._timer: subprocess.Popen[bytes] | None = None

    def start_timer(self) -> subprocess.Popen[bytes]:
        with (self.directory / "timer.log").open("ab") as log:
            command = [sys.executable, "manage.py", "runtimer"]
            self._timer = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=log, stderr=log)
        return self._timer

    def stop_timer(self, how: signal.Signals = signal.SIGTERM) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.send_signal(how)
            timer.wait(15)

    def log(self) -> str:
        return "\n".join(path.read_text() for path in self.directory.glob("*.log") if path.name != "redis.log")

    def announced(self) -> Counter[tuple[str, str]]:
        """Return how often each end was announced, by watch and reason."""
        return Counter(re.findall(r"^announced (\S+) (\S+)$", self.log(), re.MULTILINE))

    def records(self) -> dict[str, str]:
        """Return the reason of each record that is closed, '' for one that is not, by user name."""
        query = "SELECT username, CASE WHEN ended IS NULL THEN '' ELSE reason END FROM idlewatch_watchedsession"
        if self.postgres is not None:
            with psycopg.connect(self.postgres.url()) as session:
                return dict(session.execute(query).fetchall())
        with closing(sqlite3.connect(self.database, timeout=20)) as connection:
            return dict(connection.execute(query).fetchall())

    def assert_sound(self) -> None:
        """No request failed, each end was announced once, and no more than was to be said was said."""
        log = self.log()
        assert '" 500 ' not in log
        assert [line for line in told_by_traceback(log) if "channels_redis" not in line] == []
        assert all(times == 1 for times in self.announced().values()), self.announced()


def told_by_traceback(log: str) -> list[str]:
    """Return the lines of a log that a traceback follows."""
    found, latest = [], ""
    for line in log.splitlines():
        if re.match(r"\d{4}-\d\d-\d\d ", line) or "exception was never retrieved" in line:
            latest = line
        elif line.startswith("Traceback") and latest not in found:
            found.append(latest)
    return found


@contextmanager
def running(directory: Path, migrated: Path, *, on_postgres: bool = False, **options: Any) -> Iterator[Site]:
    """Serve the tests' site from several processes."""
    with ExitStack() as stack:
        postgres = PostgresServer() if on_postgres else None
        if postgres is not None:
            stack.callback(postgres.remove)
            postgres.start()
        site = Site(directory, migrated, postgres=postgres, **options)
        if postgres is not None:
            site.webs[0].manage("migrate", "--verbosity", "0")
        stack.callback(site.redis.stop)
        site.redis.start()
        site.proxy.start()
        stack.callback(site.proxy.stop)
        for web in site.webs:
            stack.callback(web.stop, signal.SIGKILL)
            web.start()
        stack.callback(site.stop_timer, signal.SIGKILL)
        yield site
