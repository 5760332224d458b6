"""Several processes on one Redis, each with a clock of its own where a test wants that."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.redis_server import RedisServer
from tests.support.serving import Server, clean_environment

IDLE, WARN = 6.0, 2.0
LIMITS = {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": WARN, "CLOSE_GRACE": 3, "HEARTBEAT": 0.5}
ONLY_THE_WALL = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
"""What counts elapsed time goes on as it does on a machine whose clock is set."""


def faketime() -> str:
    """Return libfaketime; without it the test fails, it is not skipped."""
    places = [Path("/usr/lib"), Path("/usr/local/lib")]
    for found in (path for place in places for path in sorted(place.glob("**/faketime/libfaketime.so.1"))):
        return str(found)
    raise RuntimeError("libfaketime was not found: run scripts/ensure-servers.")


def ahead_by(seconds: float) -> dict[str, str]:
    """Return the environment of a process on a host whose clock is ahead."""
    return {"LD_PRELOAD": faketime(), "FAKETIME": f"{seconds:+g}s", **ONLY_THE_WALL}


class SteppingRedis(RedisServer):
    """A Redis on a host whose clock can be set while it runs."""

    def start(self) -> None:
        self.step(0)
        # The C library's allocator: Redis's own asks for the time before libfaketime can tell it.
        libraries = f"{faketime()} {ctypes.util.find_library('c')}"
        clock = {"FAKETIME_TIMESTAMP_FILE": str(self._clock), "FAKETIME_NO_CACHE": "1", **ONLY_THE_WALL}
        with environment(LD_PRELOAD=libraries, **clock):
            super().start()

    @property
    def _clock(self) -> Path:
        return self.directory / "clock"

    def step(self, seconds: float) -> None:
        """Set its clock, to so much ahead of the true time."""
        new = self._clock.with_suffix(".new")
        new.write_text(f"{seconds:+g}s")
        # At once: a file half written would tell another time.
        new.rename(self._clock)


@contextmanager
def environment(**extra: str) -> Iterator[None]:
    """Have what is started meanwhile find this in its environment."""
    before = dict(os.environ)
    os.environ.update(extra)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Site:
    """Web processes on one Redis and one database."""

    def __init__(self, directory: Path, redis: RedisServer, database: str, settings: Mapping[str, str]) -> None:
        self.directory = directory
        self.redis = redis
        limits = {f"IDLEWATCH_{key}": str(value) for key, value in LIMITS.items()}
        where = {
            "DATABASE_URL": database,
            "REDIS_URL": redis.url,
            "DJANGO_SETTINGS_MODULE": "tests.integration.faults.settings",
        }
        self.environ = clean_environment(**{"DEBUG": "1"} | where | limits | dict(settings))
        self.webs: list[Server] = []

    def add(self, **environ: str) -> Server:
        """Start one more process."""
        log = self.directory / f"web{len(self.webs)}.log"
        web = Server("project.asgi:application", self.environ | environ, log)
        self.webs.append(web)
        web.start()
        return web

    def manage(self, *command: str) -> str:
        """Run one of the project's commands as the processes would."""
        return Server("", self.environ, self.directory / "manage.log").manage(*command)

    @property
    def log(self) -> str:
        return "".join(web.log.read_text() for web in self.webs)


@contextmanager
def several(
    directory: Path,
    migrated: Path,
    webs: Sequence[Mapping[str, str]] = ({}, {}),
    *,
    redis: Callable[[Path], RedisServer] = RedisServer,
    database: str | None = None,
    **settings: str,
) -> Iterator[Site]:
    """Serve the tests' site from several processes, each with what it finds in its environment."""
    if database is None:
        database = f"sqlite:///{shutil.copy(migrated, directory / 'db.sqlite3')}"
    server = redis(directory)
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        site = Site(directory, server, database, settings)
        stack.callback(lambda: [web.stop(signal.SIGKILL) for web in site.webs])
        for environ in webs:
            site.add(**environ)
        yield site
