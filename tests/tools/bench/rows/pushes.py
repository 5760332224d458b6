"""Pushes: what is due at once, and what is due over ten seconds, until the frames are in the browsers."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

from tests.tools.bench import goals, load
from tests.tools.bench.servers import MEMORY, REDIS, MeasuredServer, Run, Variant, served
from tests.tools.bench.sessions import make_sessions

ROWS = ("4", "5")
IDLE, WARN = 60.0, 40.0
LIMITS = {"IDLEWATCH_IDLE_TIMEOUT": f"{IDLE:g}", "IDLEWATCH_WARN_BEFORE": f"{WARN:g}"}
SPAN = 10.0
"""Seconds over which deadlines are spread."""
KEEP_INTERVAL = 3.0
"""At which the sessions are kept from their warning until all tabs are open."""
POLL_INTERVAL = 0.02
SETTLING = 1.0
FRAME_TIMEOUT = 60.0
"""Seconds after the last deadline."""
SERVED = ((MEMORY, 1, goals.DIRECT), (REDIS, 2, goals.DIRECT_BY_TWO))
"""Each store, by how many processes, and the floor on their sockets."""


async def measure(run: Run) -> None:
    """Let sessions come due with each store in turn, on processes that are new in each repeat."""
    directory = run.directory / "pushes"
    directory.mkdir()
    for _ in range(run.options.repeats):
        for variant, processes, floor in SERVED:
            own = replace(run, sessions=make_sessions(directory, run.options.tabs, **LIMITS))
            await _measure(own, variant, processes, floor)


async def _measure(run: Run, variant: Variant, processes: int, floor: str) -> None:
    variants = [
        variant._replace(name=f"{variant.name} {number}", environ={"BENCH_CAPTURE": "1"}) for number in range(processes)
    ]
    async with served(run, variants, share_database=True) as servers:
        pushes = Pushes(run, servers)
        await pushes.open_tabs()
        direct = await pushes.direct()
        warned, extended = await pushes.warned_at_once(), await pushes.extended_at_once()
        for figure, total in (("warned at once", warned), ("extended at once", extended)):
            run.samples.add(figure, floor, run.options.tabs, direct * 1e3)
            run.samples.add(figure, variant.name, run.options.tabs, total * 1e3)
        for phase, delays in (await pushes.spread()).items():
            cuts = statistics.quantiles(delays, n=100)
            run.samples.add(f"{phase}, p50", variant.name, run.options.tabs, cuts[49] * 1e3)
            run.samples.add(f"{phase}, p99", variant.name, run.options.tabs, cuts[98] * 1e3)


class Pushes:
    """Tabs on some processes, and when the frames arrived in them."""

    def __init__(self, run: Run, servers: Sequence[MeasuredServer]) -> None:
        self._servers = servers
        self._keys = run.keys
        self._sessions = len(run.sessions.keys)
        self._awaited = b""
        self._arrived: dict[str, float] = {}

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
            await asyncio.wait([opening], timeout=KEEP_INTERVAL)
        await opening

    async def direct(self) -> float:
        """Return the seconds that the floor takes: the same frames, sent by a loop over the sockets."""
        self._await("direct")
        begun = await asyncio.gather(*(server.control.ask("direct") for server in self._servers))
        await self._until_arrived()
        return max(self._arrived.values()) - min(begun)

    async def warned_at_once(self) -> float:
        """Return the seconds from a deadline that all sessions share until the last frame."""
        begun = await self._ask("touch")
        await asyncio.sleep(SETTLING)
        self._await("warned")
        await self._until_arrived()
        return max(self._arrived.values()) - (begun + IDLE - WARN)

    async def extended_at_once(self) -> float:
        """Return the seconds in which all warned sessions are extended and their tabs receive it."""
        self._await("active")
        begun = await self._ask("extend")
        await self._until_arrived()
        return max(self._arrived.values()) - begun

    async def spread(self) -> dict[str, list[float]]:
        """Return the seconds from each deadline to its frame, for warnings and ends that come over ten seconds."""
        # No user was active later than the moments that are reported next.
        await asyncio.sleep(SPAN + 2 * SETTLING)
        first = await self._ask(f"spread {SPAN:g}")
        delays = {}
        for phase, after in (("warned", IDLE - WARN), ("ended", IDLE)):
            self._await(phase)
            await self._until_arrived()
            delays[phase] = [
                self._arrived[key] - (first + SPAN * place / self._sessions + after)
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
        async with asyncio.timeout(IDLE + SPAN + FRAME_TIMEOUT):
            while len(self._arrived) < len(self._keys):  # noqa: ASYNC110 - it happens elsewhere
                await asyncio.sleep(POLL_INTERVAL)
