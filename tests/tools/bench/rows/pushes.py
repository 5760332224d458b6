"""Pushes: what is due at once, and what is due over some seconds, until the frames are in the browsers."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from typing import NamedTuple

from tests.tools.bench import goals, load, machine, profiler
from tests.tools.bench.servers import MEMORY, REDIS, MeasuredServer, Run, Variant, profiled, served
from tests.tools.bench.sessions import make_sessions

ROWS = ("4", "5")


class Times(NamedTuple):
    """The limits of the sessions, and the moments that follow from them, in seconds."""

    idle: float
    warn: float
    span: float
    """Over which deadlines are spread."""
    keep: float
    """Between the extensions that keep sessions from their warning until all tabs are open."""
    settling: float
    """In which the frames of what happened before have arrived."""
    lead: float = 0.0
    """By which the last activity lies in the future: the servers need that long to start."""

    @property
    def until_warned(self) -> float:
        return self.idle - self.warn


FULL = Times(idle=60.0, warn=40.0, span=10.0, keep=10.0, settling=1.0, lead=30.0)
QUICK = Times(idle=9.0, warn=7.0, span=1.0, keep=0.7, settling=0.3, lead=7.0)
POLL_INTERVAL = 0.02
FRAME_TIMEOUT = 60.0
"""Seconds after the last deadline."""
SERVED = ((MEMORY, 1, goals.DIRECT), (REDIS, 2, goals.DIRECT_BY_TWO))
"""Each store, by how many processes, and the floor on their sockets."""
WARNED, EXTENDED = "warned at once", "extended at once"
ATTACHING = 1.5
"""Seconds before a deadline at which a profile begins."""
PROFILED_SENDS = 5
"""Of the floor, which takes less time than others."""


async def measure(run: Run) -> None:
    """Let sessions come due with each store in turn.

    Where there are few, each repeat is a part of those that one process has; where there are many, it has new ones.
    """
    (run.directory / "pushes").mkdir()
    times = QUICK if run.options.quick else FULL
    rounds, parts = (run.options.repeats, 1) if run.options.has_many_tabs else (1, run.options.repeats)
    for _ in range(rounds):
        for variant, processes, floor in SERVED:
            async with _pushes(run, times, variant, processes) as pushes:
                await _measure(run, pushes, parts, variant, floor)
    if run.options.profile:
        for variant, processes, floor in SERVED:
            async with _pushes(run, times, variant, processes) as pushes:
                await _profile(run, pushes, variant, floor)


class Pushed(NamedTuple):
    """What it took to push frames, in seconds: until the last one has arrived, and of the processors."""

    seconds: float
    used: float
    redis: float
    """Of the processor time of Redis."""


@asynccontextmanager
async def _pushes(run: Run, times: Times, variant: Variant, processes: int) -> AsyncIterator[Pushes]:
    """Open the tabs of new sessions on new processes, and wait for the moment from which on activity counts."""
    limits = {"IDLEWATCH_IDLE_TIMEOUT": f"{times.idle:g}", "IDLEWATCH_WARN_BEFORE": f"{times.warn:g}"}
    sessions = make_sessions(run.directory / "pushes", run.options.tabs, lead=times.lead, **limits)
    began = time.monotonic() + times.lead
    run = replace(run, sessions=sessions)
    variants = [
        variant._replace(name=f"{variant.name} {number}", environ={"BENCH_CAPTURE": "1"}) for number in range(processes)
    ]
    async with served(run, variants, share_database=True) as servers:
        pushes = Pushes(run, times, servers)
        await pushes.open_tabs()
        # The last activity of the records lies in the future; until then no other counts.
        await asyncio.sleep(began - time.monotonic())
        yield pushes


async def _measure(run: Run, pushes: Pushes, parts: int, variant: Variant, floor: str) -> None:
    def add(figure: str, name: str, seconds: float) -> None:
        run.samples.add(figure, name, run.options.tabs, seconds * 1e3)

    for _ in range(parts):
        direct = await pushes.direct()
        for figure, pushed in ((WARNED, await pushes.warned_at_once()), (EXTENDED, await pushes.extended_at_once())):
            for name, taken in ((floor, direct), (variant.name, pushed)):
                add(figure, name, taken.seconds)
                add(f"{figure}, processor time", name, taken.used)
            if variant.has_redis:
                add(f"{figure}, Redis itself", variant.name, pushed.redis)
    for phase, delays, used in await pushes.spread():
        size = len(delays) // parts
        for start in range(0, size * parts, size):
            cuts = statistics.quantiles(delays[start : start + size], n=100)
            add(f"{phase}, p50", variant.name, cuts[49])
            add(f"{phase}, p99", variant.name, cuts[98])
        add(f"{phase} in turn, processor time", variant.name, used)


async def _profile(run: Run, pushes: Pushes, variant: Variant, floor: str) -> None:
    """Take a profile of each stretch, from the moment that is due until the last frame."""
    size = run.options.tabs

    def at_once(figure: str, name: str) -> AbstractContextManager[None]:
        beside = {"elapsed": figure, "Redis itself": f"{figure}, Redis itself"}
        shown = {"variant": name, "cost": f"{figure}, processor time", "beside": beside}
        return profiled(pushes.servers, [figure], size, floor, rate=profiler.OFTEN, **shown)

    def in_turn(phase: str) -> AbstractContextManager[None]:
        figures, cost = [f"{phase}, p99", f"{phase}, p50"], f"{phase} in turn, processor time"
        return profiled(pushes.servers, figures, size, floor, variant=variant.name, cost=cost)

    for figure in (WARNED, EXTENDED):
        # A profile takes a while to begin and to end, in which sessions would be warned, and end.
        await pushes.keep_active()
        with at_once(figure, floor):
            for _ in range(PROFILED_SENDS):
                await pushes.direct()
    await pushes.keep_active()
    await pushes.warned_at_once(at_once(WARNED, variant.name))
    await pushes.extended_at_once(at_once(EXTENDED, variant.name))
    await pushes.keep_active()
    await pushes.spread([in_turn("warned"), in_turn("ended")])


class Pushes:
    """Tabs on some processes, and when the frames arrived in them."""

    def __init__(self, run: Run, times: Times, servers: Sequence[MeasuredServer]) -> None:
        self.servers = servers
        self._times = times
        self._keys = run.keys
        self._sessions = len(run.sessions.keys)
        self._awaited = b""
        self._arrived: dict[str, float] = {}
        self._tabs: list[load.Tab] = []
        assert run.redis.process is not None
        self._redis = run.redis.process.pid

    async def open_tabs(self) -> None:
        """Open all tabs, in turn on each process, with sessions that are kept active meanwhile."""
        step = len(self.servers)
        opening = asyncio.gather(
            *(
                load.open_tabs(server.port, self._keys[number::step], self._on_text)
                for number, server in enumerate(self.servers)
            )
        )
        while not opening.done():
            await self._ask("extend")
            await asyncio.wait([opening], timeout=self._times.keep)
        self._tabs = [tab for tabs in await opening for tab in tabs]

    async def keep_active(self) -> None:
        """Extend all sessions, and wait until what their tabs are told of that has arrived."""
        await self._ask("extend")
        await asyncio.sleep(self._times.settling)

    async def direct(self) -> Pushed:
        """Return what the floor takes: the same frames, sent by a loop over the sockets."""
        self._await("direct")
        before = self._used()
        begun = await asyncio.gather(*(server.control.ask("direct") for server in self.servers))
        await self._until_arrived()
        return self._pushed(min(begun), before)

    async def warned_at_once(self, sampling: AbstractContextManager[object] | None = None) -> Pushed:
        """Return what it takes from a deadline that all sessions share until the last frame."""
        begun = await self._ask("touch")
        await asyncio.sleep(self._times.settling)
        self._await("warned")
        due = begun + self._times.until_warned
        return await self._arrive(due, sampling)

    async def extended_at_once(self, sampling: AbstractContextManager[object] | None = None) -> Pushed:
        """Return what it takes to extend all warned sessions until their tabs have received it."""
        self._await("active")
        with sampling or nullcontext():
            before = self._used()
            begun = await self._ask("extend")
            await self._until_arrived()
            return self._pushed(begun, before)

    async def spread(
        self, sampling: Sequence[AbstractContextManager[object]] = ()
    ) -> list[tuple[str, list[float], float]]:
        """Let warnings and ends come over ten seconds.

        Return each phase, with the seconds from each deadline to its frame, and the processor time of all.
        """
        # Earlier activity does not count: the moments that are reported next have to be later than the last.
        span = self._times.span
        await asyncio.sleep(span + 2 * self._times.settling)
        first = await self._ask(f"spread {span:g}")
        phases = []
        for number, (phase, after) in enumerate((("warned", self._times.until_warned), ("ended", self._times.idle))):
            self._await(phase)
            pushed = await self._arrive(first + after, sampling[number] if sampling else None)
            delays = [
                self._arrived[key] - (first + span * place / self._sessions + after)
                for place, key in enumerate(self._keys)
            ]
            phases.append((phase, delays, pushed.used))
        return phases

    async def _arrive(self, due: float, sampling: AbstractContextManager[object] | None) -> Pushed:
        """Wait from a moment until all frames have arrived; return what that took."""
        await asyncio.sleep(due - ATTACHING - time.monotonic())
        with sampling or nullcontext():
            await asyncio.sleep(due - time.monotonic())
            before = self._used()
            await self._until_arrived()
            return self._pushed(due, before)

    def _used(self) -> tuple[float, float]:
        """Return the processor time of the servers, and of Redis."""
        return sum(machine.cpu_seconds(server.pid) for server in self.servers), machine.cpu_seconds(self._redis)

    def _pushed(self, began: float, before: tuple[float, float]) -> Pushed:
        used, redis = self._used()
        return Pushed(max(self._arrived.values()) - began, used - before[0], redis - before[1])

    async def _ask(self, command: str) -> float:
        moment: float = await self.servers[0].control.ask(command)
        return moment

    def _await(self, phase: str) -> None:
        self._arrived.clear()
        self._awaited = f'"phase":"{phase}"'.encode()

    def _on_text(self, key: str, payload: bytes) -> None:
        if self._awaited and self._awaited in payload:
            self._arrived.setdefault(key, time.monotonic())

    async def _until_arrived(self) -> None:
        try:
            async with asyncio.timeout(self._times.idle + self._times.span + FRAME_TIMEOUT):
                while len(self._arrived) < len(self._keys):  # noqa: ASYNC110 - it happens elsewhere
                    await asyncio.sleep(POLL_INTERVAL)
        except TimeoutError as error:
            missing, closed = len(self._keys) - len(self._arrived), sum(not tab.is_open for tab in self._tabs)
            error.add_note(f"{missing} tabs did not receive {self._awaited.decode()}; {closed} are closed.")
            raise
