"""What is measured, as processes: Daphne with each application, alone on the first core."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGKILL
from typing import NamedTuple

from tests.support.redis_server import RedisServer
from tests.support.serving import Server
from tests.tools.bench import goals, load, machine, profiler, profiles
from tests.tools.bench.options import Options
from tests.tools.bench.profiles import Profiles
from tests.tools.bench.samples import Samples
from tests.tools.bench.sessions import WARM_UP_TABS, Sessions, make_sessions

RESUME_TIMEOUT = 120.0
POLL_INTERVAL = 0.2
CALM_SECONDS = 2.0
"""After which a server has done what follows its start, or many new tabs."""
LOGGED = 2_000
"""Characters that are shown of a log where something failed."""
PEER = "peer"
"""The application without sockets."""


def pinned(core: int) -> Sequence[str]:
    """Return the start of a command that runs on this core alone."""
    return ("taskset", "--cpu-list", str(core))


class Variant(NamedTuple):
    """One of the things that take turns in a row."""

    name: str
    application: str
    has_redis: bool = False
    knows_keys: bool = True
    """Whether its store knows the keys of the sessions, as it does after their sign-ins."""
    environ: Mapping[str, str] = {}
    core: int = machine.SERVER_CORE


BARE = Variant(goals.BARE, "bare")
USUAL = Variant(goals.USUAL, "usual")
MEMORY = Variant(goals.MEMORY, "product")
REDIS = Variant(goals.REDIS, "product", has_redis=True)
RESTARTED = Variant(goals.RESTARTED, "product", knows_keys=False)
SECURITY = Variant(goals.SECURITY, PEER, environ={"BENCH_SECURITY": "1"})


@dataclass(frozen=True)
class Run:
    """What the rows of one run share."""

    options: Options
    directory: Path
    redis: RedisServer
    sessions: Sessions
    samples: Samples
    profiles: Profiles

    @property
    def keys(self) -> Sequence[str]:
        """The session keys of the tabs that are measured."""
        return self.sessions.keys[: self.options.tabs]


def with_sessions(run: Run, name: str, count: int, **limits: str) -> Run:
    """Return a run with so many sessions of its own, beside those for warming up, in a directory of this name."""
    directory = run.directory / name
    directory.mkdir()
    return replace(run, directory=directory, sessions=make_sessions(directory, count, **limits))


class MeasuredServer(Server):
    """A Daphne with one variant's application."""

    control: load.Control
    """Open once it is warm."""

    def __init__(self, run: Run, variant: Variant) -> None:
        slug = variant.name.replace(" ", "-")
        environ = {
            **run.sessions.environment(run.directory / f"{slug}.sqlite3"),
            "BENCH_APPLICATION": variant.application,
        }
        if run.options.profile:
            environ["BENCH_PROFILE"] = "1"
        if variant.has_redis:
            environ["REDIS_URL"] = run.redis.url
        if variant is USUAL:
            environ["BENCH_CHANNEL_LAYER"] = run.redis.url
        environ |= variant.environ
        super().__init__("tests.tools.bench.applications:application", environ, run.directory / f"{slug}.log")
        self.run = run
        self.variant = variant

    @property
    def command(self) -> list[str]:
        # Daphne resets a handshake that takes longer than five seconds, as some may where a core is shared.
        patience = ["--websocket_connect_timeout", f"{load.HANDSHAKE_TIMEOUT:g}"]
        return [*pinned(self.variant.core), *super().command, *patience, "--verbosity", "0"]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def warm_up(self) -> None:
        """Have the process load what its first tabs need, and wait until its store has all sessions."""
        if self.variant.application != PEER:
            spare = self.run.sessions.keys[-WARM_UP_TABS:]
            load.close(await load.open_tabs(self.port, spare))
        self.control = await load.Control.open(self.port)
        if self.variant.application == "product":
            async with asyncio.timeout(RESUME_TIMEOUT):
                while await self.control.ask("live_sessions") < len(self.run.sessions.keys):  # noqa: ASYNC110 - it happens elsewhere
                    await asyncio.sleep(POLL_INTERVAL)
            if self.variant.knows_keys:
                await self.control.ask("bind_keys")


@asynccontextmanager
async def served(
    run: Run, variants: Iterable[Variant], *, share_database: bool = False
) -> AsyncIterator[Sequence[MeasuredServer]]:
    """Serve each variant by a process of its own, with an empty Redis; what is left of them is killed at the end."""
    with run.redis.client() as client:
        client.flushall()
    servers = [MeasuredServer(run, variant) for variant in variants]
    if share_database:
        for server in servers:
            server.environ["DATABASE_URL"] = servers[0].environ["DATABASE_URL"]
    try:
        for server in servers:
            server.start()
        for server in servers:
            await server.warm_up()
        await asyncio.sleep(CALM_SECONDS)
        yield servers
    except Exception as error:
        for server in servers:
            error.add_note(f"{server.variant.name} logged:\n{server.log.read_text()[-LOGGED:]}")
        raise
    finally:
        for server in servers:
            server.stop(SIGKILL)


@contextmanager
def profiled(
    servers: Sequence[MeasuredServer],
    figures: Sequence[str],
    size: int,
    floor: str,
    *,
    variant: str | None = None,
    cost: str | None = None,
    beside: Mapping[str, str] = {},
    rate: int = profiler.RATE,
) -> Iterator[None]:
    """Take a profile of a variant's servers for figures that were measured before; it stands beside that of a floor.

    `cost` is the figure that has the processor time, where others judge delays; `beside` names more figures to show.
    """
    run, name, cost = servers[0].run, variant or servers[0].variant.name, cost or figures[0]
    with profiler.sampled(f"{figures[0]} {name} {size}", *(server.pid for server in servers), rate=rate) as lines:
        yield
    measured = run.samples.summary(cost, name, size)
    if measured and lines:
        more = {label: run.samples.summary(figure, name, size) for label, figure in beside.items()}
        run.profiles.add(
            profiles.of_stacks(
                lines,
                figures=figures,
                variant=name,
                size=size,
                floor=floor,
                total=measured.median,
                unit=goals.UNITS[cost],
                beside={label: found.median for label, found in more.items() if found},
            )
        )
