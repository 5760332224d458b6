"""The processes of a run: PostgreSQL, Redis, and servers that are deployed as the documentation says."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from urllib.request import urlopen

from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.serving import ROOT, Server, clean_environment
from tests.tools.bench import load, machine
from tests.tools.bench.samples import Samples
from tests.tools.bench.sessions import SETTINGS
from tests.tools.scale import database
from tests.tools.scale.options import Options

POSTGRES_OPTIONS = (
    "shared_buffers=1GB",
    "maintenance_work_mem=1GB",
    "max_wal_size=8GB",
    "wal_level=minimal",
    "max_wal_senders=0",
)
DAY = 86_400
READY_TIMEOUT = 300.0
POLL_INTERVAL = 0.02


class MeasuredServer(Server):
    """A Daphne with the project."""

    control: load.Control
    """Open once it is ready."""

    def __init__(self, site: Site, name: str, environ: Mapping[str, str]) -> None:
        application = "tests.tools.scale.application:application"
        super().__init__(application, site.environment | environ, site.directory / f"{name}.log")
        self.name = name

    @property
    def command(self) -> list[str]:
        return [*super().command, "--verbosity", "0"]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def ready(self, sessions: int) -> None:
        """Open the connection for commands, and wait until the store has all sessions."""
        # Its timer starts with the first request.
        await asyncio.to_thread(lambda: urlopen(self.url("/healthz"), timeout=READY_TIMEOUT).close())
        self.control = await load.Control.open(self.port)
        async with asyncio.timeout(READY_TIMEOUT):
            while await self.control.ask("live_sessions") < sessions:  # noqa: ASYNC110 - it happens elsewhere
                await asyncio.sleep(POLL_INTERVAL)


@dataclass
class Site:
    """What the rows of one run share."""

    options: Options
    directory: Path
    postgres: PostgresServer
    redis: RedisServer
    samples: Samples
    environment: Mapping[str, str]
    keys: Sequence[str] = ()
    watch_ids: Sequence[str] = ()

    def add(self, figure: str, variant: str, value: float) -> None:
        """Add a sample."""
        self.samples.add(figure, variant, self.options.sessions, value)

    @contextmanager
    def serving(self, *names: str, **environ: str) -> Iterator[Sequence[MeasuredServer]]:
        """Start servers; what is left of them is killed at the end."""
        servers = [MeasuredServer(self, name, environ) for name in names]
        try:
            for server in servers:
                server.start()
            yield servers
        finally:
            for server in servers:
                server.stop(SIGKILL)


@contextmanager
def set_up_site(options: Options, directory: Path) -> Iterator[Site]:
    """Start PostgreSQL and Redis, and fill the database."""
    postgres, redis = PostgresServer(*POSTGRES_OPTIONS), RedisServer(directory)
    listing = directory / "sessions.json"
    try:
        postgres.start()
        redis.start()
        environment = clean_environment(
            **SETTINGS
            | {
                "DJANGO_SETTINGS_MODULE": "tests.tools.scale.settings",
                "DATABASE_URL": postgres.database("scale"),
                "IDLEWATCH_RECORD_RETENTION": str(database.RETENTION_DAYS * DAY),
                "BENCH_APPLICATION": "product",
                "BENCH_SESSIONS": str(listing),
                "PYTHONPATH": str(ROOT),
            }
        )
        os.environ.update(environment)
        site = Site(options, directory, postgres, redis, Samples(), environment)
        _set_up_django()
        site.keys, site.watch_ids = database.fill(options.sessions, options.records)
        listing.write_text(json.dumps({"keys": site.keys, "watch_ids": site.watch_ids}))
        yield site
    finally:
        redis.stop()
        postgres.remove()


def _set_up_django() -> None:
    import django

    django.setup()


def processor_time(server: MeasuredServer | RedisServer | PostgresServer) -> float:
    """Return the seconds of processor time that a server took so far, its children too."""
    assert server.process is not None
    if isinstance(server, PostgresServer):
        return machine.family_seconds(server.process.pid)
    return machine.cpu_seconds(server.process.pid)
