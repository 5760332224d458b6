"""Growth: the heartbeats that one process takes, and two on both cores, beside what was free there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from tests.tools.bench import goals, load, machine
from tests.tools.bench.options import REPEATS
from tests.tools.bench.servers import REDIS, MeasuredServer, Run, served

ROWS = ("13",)
TABS = 1_000
"""Of each process, at most; they are of the same sessions."""
MAX_RATE = 9.0
"""Heartbeats of a tab in a second; it may send a hundred messages in ten."""
ANSWER_TIMEOUT = 30.0
POLL_INTERVAL = 0.005


async def measure(run: Run) -> None:
    """Let one process take all heartbeats that it can, and then two, in turn; the load and Redis share a core with one.

    What is free is what others leave of the cores; of that, throughput is to grow with the processes.
    """
    variants = [
        REDIS._replace(name=f"{REDIS.name} {core}", core=core) for core in (machine.SERVER_CORE, machine.LOAD_CORE)
    ]
    async with served(run, variants, share_database=True) as servers:
        tabs = [await load.open_tabs(server.port, run.keys[:TABS]) for server in servers]
        await _drive(servers, tabs, 1.0)
        for _ in range(REPEATS):
            one = await _drive(servers[:1], tabs, run.options.window)
            two = await _drive(servers, tabs, run.options.window)
            size = len(tabs[0])
            grown, free = two[0] / one[0], two[1] / one[1]
            run.samples.add("heartbeats a second, one process", goals.REDIS, size, one[0])
            run.samples.add("heartbeats a second, two processes", goals.REDIS, size, two[0])
            run.samples.add("two processes over one", goals.REDIS, size, grown)
            run.samples.add("free for two over one", goals.REDIS, size, free)
            run.samples.add("gained of what two cores give", goals.REDIS, size, grown / free)


async def _drive(
    servers: Sequence[MeasuredServer], tabs: Sequence[Sequence[load.Tab]], seconds: float
) -> tuple[float, float]:
    """Send each server as much as it takes; return the heartbeats a second, and the cores that were free for them."""
    streams = [Stream(server, own) for server, own in zip(servers, tabs, strict=False)]
    cores = [server.variant.core for server in servers]
    before, busy, began = _used(servers), machine.busy_seconds(cores), time.monotonic()
    received = await asyncio.gather(*(stream.send(began + seconds) for stream in streams))
    elapsed, used = time.monotonic() - began, _used(servers) - before
    others = machine.busy_seconds(cores) - busy - used
    await asyncio.gather(*(stream.drain() for stream in streams))
    return sum(received) / elapsed, len(cores) - others / elapsed


def _used(servers: Sequence[MeasuredServer]) -> float:
    return sum(machine.cpu_seconds(server.pid) for server in servers)


class Stream:
    """The heartbeats of one process's tabs."""

    def __init__(self, server: MeasuredServer, tabs: Sequence[load.Tab]) -> None:
        self._server = server
        self._tabs = tabs
        self._before = self._sent = self._received = 0

    async def send(self, until: float) -> int:
        """Have two heartbeats of each tab on their way, until a moment; return how many were received until then."""
        self._before, began = await self._server.control.ask("heartbeats"), time.monotonic()
        while (now := time.monotonic()) < until:
            if self._sent - self._received <= len(self._tabs) and self._sent <= MAX_RATE * len(self._tabs) * (
                now - began
            ):
                for tab in self._tabs:
                    tab.transport.write(load.HEARTBEAT)
                self._sent += len(self._tabs)
            await self._wait()
        return self._received

    async def drain(self) -> None:
        """Wait until all are received."""
        async with asyncio.timeout(ANSWER_TIMEOUT):
            while self._received < self._sent:
                await self._wait()

    async def _wait(self) -> None:
        await asyncio.sleep(POLL_INTERVAL)
        self._received = await self._server.control.ask("heartbeats") - self._before
