"""Pushes: what is due at once, and what is due over some seconds, until the frames are in the browsers."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from tests.tools.bench import goals, load
from tests.tools.bench.servers import MEMORY, REDIS, MeasuredServer, Run, Variant, served
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
QUICK = Times(idle=10.0, warn=7.5, span=1.0, keep=0.7, settling=0.3, lead=10.0)
POLL_INTERVAL = 0.02
FRAME_TIMEOUT = 60.0
"""Seconds after the last deadline."""
SERVED = ((MEMORY, 1, goals.DIRECT), (REDIS, 2, goals.DIRECT_BY_TWO))
"""Each store, by how many processes, and the floor on their sockets."""


async def measure(run: Run) -> None:
    """Let sessions come due with each store in turn.

    Where there are few, each repeat is a part of those that one process has; where there are many, it has new ones.
    """
    directory, times = run.directory / "pushes", QUICK if run.options.quick else FULL
    directory.mkdir()
    limits = {"IDLEWATCH_IDLE_TIMEOUT": f"{times.idle:g}", "IDLEWATCH_WARN_BEFORE": f"{times.warn:g}"}
    rounds, parts = (run.options.repeats, 1) if run.options.has_many_tabs else (1, run.options.repeats)
    for _ in range(rounds):
        for variant, processes, floor in SERVED:
            sessions = make_sessions(directory, run.options.tabs, lead=times.lead, **limits)
            began = time.monotonic() + times.lead
            await _measure(replace(run, sessions=sessions), times, parts, began, variant, processes, floor)


async def _measure(
    run: Run, times: Times, parts: int, began: float, variant: Variant, processes: int, floor: str
) -> None:
    def add(figure: str, name: str, seconds: float) -> None:
        run.samples.add(figure, name, run.options.tabs, seconds * 1e3)

    variants = [
        variant._replace(name=f"{variant.name} {number}", environ={"BENCH_CAPTURE": "1"}) for number in range(processes)
    ]
    async with served(run, variants, share_database=True) as servers:
        pushes = Pushes(run, times, servers)
        await pushes.open_tabs()
        # The last activity of the records lies in the future; until then no other counts.
        await asyncio.sleep(began - time.monotonic())
        for _ in range(parts):
            direct = await pushes.direct()
            warned, extended = await pushes.warned_at_once(), await pushes.extended_at_once()
            for figure, total in (("warned at once", warned), ("extended at once", extended)):
                add(figure, floor, direct)
                add(figure, variant.name, total)
        for phase, delays in (await pushes.spread()).items():
            size = len(delays) // parts
            for start in range(0, size * parts, size):
                cuts = statistics.quantiles(delays[start : start + size], n=100)
                add(f"{phase}, p50", variant.name, cuts[49])
                add(f"{phase}, p99", variant.name, cuts[98])


class Pushes:
    """Tabs on some processes, and when the frames arrived in them."""

    def __init__(self, run: Run, times: Times, servers: Sequence[MeasuredServer]) -> None:
        self._times = times
        self._servers = servers
        self._keys = run.keys
        self._sessions = len(run.sessions.keys)
        self._awaited = b""
        self._arrived: dict[str, float] = {}
        self._tabs: list[load.Tab] = []
        self._extended_at = 0.0

    async def open_tabs(self) -> None:
        """Open all tabs, in turn on each process, with sessions that are kept active meanwhile."""
        step = len(self._servers)
        opening = asyncio.gather(
            *(
                load.open_tabs(server.port, self._keys[number::step], self._on_text)
                for number, server in enumerate(self._servers)
            )
        )
        while not opening.done():
            await self._ask("extend")
            await asyncio.wait([opening], timeout=self._times.keep)
        self._tabs = [tab for tabs in await opening for tab in tabs]

    async def direct(self) -> float:
        """Return the seconds that the floor takes: the same frames, sent by a loop over the sockets."""
        self._await("direct")
        begun = await asyncio.gather(*(server.control.ask("direct") for server in self._servers))
        await self._until_arrived()
        return max(self._arrived.values()) - min(begun)

    async def warned_at_once(self) -> float:
        """Return the seconds from a deadline that all sessions share until the last frame."""
        begun = await self._ask("touch")
        await asyncio.sleep(self._times.settling)
        self._await("warned")
        await self._until_arrived()
        return max(self._arrived.values()) - (begun + self._times.until_warned)

    async def extended_at_once(self) -> float:
        """Return the seconds in which all warned sessions are extended and their tabs receive it."""
        self._await("active")
        self._extended_at = await self._ask("extend")
        await self._until_arrived()
        return max(self._arrived.values()) - self._extended_at

    async def spread(self) -> dict[str, list[float]]:
        """Return the seconds from each deadline to its frame, for warnings and ends that come over ten seconds."""
        # Earlier activity does not count: the moments that are reported next have to be later than the last.
        span = self._times.span
        await asyncio.sleep(span + 2 * self._times.settling)
        first = await self._ask(f"spread {span:g}")
        delays = {}
        for phase, after in (("warned", self._times.until_warned), ("ended", self._times.idle)):
            self._await(phase)
            await self._until_arrived()
            delays[phase] = [
                self._arrived[key] - (first + span * place / self._sessions + after)
                for place, key in enumerate(self._keys)
            ]
        return delays

    async def _ask(self, command: str) -> float:
        moment: float = await self._servers[0].control.ask(command)
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
