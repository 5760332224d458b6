"""Open tabs: what it takes to open one, what each keeps, and what a process with many of them does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from signal import SIGKILL

from tests.tools.bench import load, machine, profiler
from tests.tools.bench.samples import Samples
from tests.tools.bench.servers import BARE, MEMORY, REDIS, RESTARTED, USUAL, MeasuredServer, Run, profiled, served

OPENING, WATCHING = frozenset({"1", "2"}), frozenset({"6", "9"})
ROWS = ("1", "2", "6", "9")
WATCHED = (BARE, MEMORY, REDIS)
"""Those that are observed while their tabs stay open."""
CALM_SECONDS = 0.5
"""In which a process finishes with what new tabs left it to do."""
PING_INTERVAL = 20.0
"""Seconds in which Daphne pings each tab once. A full run observes for as long: in half of that a process has by chance
many of its pings or hardly any, and they take more than all else."""
HEARTBEAT_INTERVAL = 15.0
PAUSE = 0.002
SETTLING = 0.2
"""Seconds in which a process finishes with the tabs that were opened."""
PROFILED_SECONDS, QUICK_PROFILED_SECONDS = 30.0, 5.0
"""In which an idle process is sampled: it is seen at work in a few of a hundred samples."""
PROFILED_WINDOWS = 2


async def measure(run: Run) -> None:
    """Open the tabs of each variant, on processes that are new in each round.

    Where there are few, all variants have theirs at once, and open a part of them in turn: each part is a repeat. Many
    would be too many files, so a variant opens all of its own while the others wait: each round is a repeat.
    """
    variants = [BARE, USUAL, MEMORY, RESTARTED, REDIS] if run.options.rows & OPENING else list(WATCHED)
    rounds, parts = (run.options.repeats, 1) if run.options.has_many_tabs else (1, run.options.repeats)
    for _ in range(rounds):
        async with served(run, variants) as servers:
            for group in ([server] for server in servers) if run.options.has_many_tabs else [servers]:
                await _measure(run, [OpenTabs(run, server) for server in group], parts)
                for server in group:
                    # In good order it would wait for an answer from each of its tabs.
                    server.stop(SIGKILL)
    if run.options.profile:
        async with served(run, [variant for variant in variants if variant is not USUAL]) as servers:
            for server in servers:
                await _profile(run, server)
                server.stop(SIGKILL)


async def _profile(run: Run, server: MeasuredServer) -> None:
    size, floor = run.options.tabs, BARE.name
    tabs = OpenTabs(replace(run, samples=Samples()), server)
    if run.options.rows & OPENING:
        with profiled([server], ["opening a tab"], size, floor):
            await tabs.open(run.keys, size)
    else:
        await tabs.open(run.keys, size)
    await asyncio.sleep(CALM_SECONDS)
    if run.options.rows & WATCHING and server.variant in WATCHED:
        with profiled([server], ["idle"], size, floor, rate=profiler.OFTEN):
            await asyncio.sleep(QUICK_PROFILED_SECONDS if run.options.quick else PROFILED_SECONDS)
        with profiled([server], ["a heartbeat each 15 s", "per tab and second"], size, floor):
            for _ in range(PROFILED_WINDOWS):
                await tabs.be_active()
    tabs.require_open()


async def _measure(run: Run, group: Sequence[OpenTabs], parts: int) -> None:
    opened = 0
    for size in run.options.sizes:
        for part in _parts(run.keys[opened:size], parts):
            for tabs in group:
                await tabs.open(part, size)
            await asyncio.sleep(CALM_SECONDS)
            for tabs in group:
                tabs.weigh(size)
                if parts > 1:
                    tabs.weigh_from_here()
        opened = size
    if run.options.rows & WATCHING:
        observed = [tabs for tabs in group if tabs.server.variant in WATCHED]
        for _ in range(parts):
            await asyncio.gather(*(tabs.rest() for tabs in observed))
            await asyncio.gather(*(tabs.be_active() for tabs in observed))
    for tabs in group:
        tabs.require_open()


def _parts(keys: Sequence[str], count: int) -> Iterator[Sequence[str]]:
    size = -(-len(keys) // count)
    return (keys[start : start + size] for start in range(0, len(keys), size))


class OpenTabs:
    """The tabs of one process."""

    def __init__(self, run: Run, server: MeasuredServer) -> None:
        self.server = server
        self._window = run.options.window if run.options.quick else PING_INTERVAL
        self._samples = run.samples
        self._redis = run.redis.process
        self._tabs: list[load.Tab] = []
        self.weigh_from_here()
        self._add("memory of a process", self._memory_before, 0)

    async def open(self, keys: Sequence[str], size: int) -> None:
        """Open more tabs, on the way to a size; take the processor time of each."""
        used = self._used()
        self._tabs += await load.open_tabs(self.server.port, keys)
        await asyncio.sleep(SETTLING)
        self._add("opening a tab", (self._used() - used) / len(keys) * 1e6, size)

    def weigh_from_here(self) -> None:
        """Weigh only the tabs that are opened later."""
        self._memory_before, self._tabs_before = machine.resident_bytes(self.server.pid), len(self._tabs)

    def weigh(self, size: int) -> None:
        """Take the memory of each tab."""
        grown = machine.resident_bytes(self.server.pid) - self._memory_before
        self._add("memory per tab", grown / (len(self._tabs) - self._tabs_before), size)

    async def rest(self) -> None:
        """Take the share of a core that the process uses while nothing happens."""
        used = self._used()
        await asyncio.sleep(self._window)
        self._add("idle", (self._used() - used) / self._window * 100)

    async def be_active(self) -> None:
        """Take the share of a core that it uses while the users of all tabs are active."""
        assert self._redis is not None
        used, redis_used, began, sent = self._used(), machine.cpu_seconds(self._redis.pid), time.monotonic(), 0
        while (elapsed := time.monotonic() - began) < self._window:
            while sent < elapsed * len(self._tabs) / HEARTBEAT_INTERVAL:
                self._tabs[sent % len(self._tabs)].transport.write(load.HEARTBEAT)
                sent += 1
            await asyncio.sleep(PAUSE)
        share = (self._used() - used) / elapsed
        self._add("a heartbeat each 15 s", share * 100)
        self._add("per tab and second", share / len(self._tabs) * 1e6)
        if self.server.variant is REDIS:
            redis_share = (machine.cpu_seconds(self._redis.pid) - redis_used) / elapsed
            self._add("Redis itself, per tab and second", redis_share / len(self._tabs) * 1e6)

    def require_open(self) -> None:
        """Fail if the server has closed a tab."""
        if lost := sum(not tab.is_open for tab in self._tabs):
            name = self.server.variant.name
            raise RuntimeError(f"{name}: the server closed {lost} of {len(self._tabs)} tabs; expected none.")

    def _used(self) -> float:
        return machine.cpu_seconds(self.server.pid)

    def _add(self, figure: str, value: float, size: int | None = None) -> None:
        self._samples.add(figure, self.server.variant.name, len(self._tabs) if size is None else size, value)
