"""Operators: what ten live pages cost the server, by the number of sessions that they choose from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from tests.tools.bench import goals, load, machine, profiler, profiles
from tests.tools.bench.options import REPEATS
from tests.tools.bench.servers import MEMORY, MeasuredServer, Run, served, with_sessions
from tests.tools.bench.sessions import WARM_UP_TABS

ROWS = ("12",)
GROWTH = "ten live pages, over those at 100"
QUICK_SIZES, FULL_SIZES = (100, 1_000), (100, 1_000, 10_000, 100_000)
WINDOW, QUICK_WINDOW = 30, 2
"""Seconds in which a server is observed: pages read the names of those that they may show next each ten."""
PAGES = 10
ACTIVE = 10
"""Users who are active in each second: their rows leave the page, and others take their places."""
SPREAD = 2.0
"""Seconds over which the users were last active, so that the order of their sessions is known."""
SETTLING = 1.0
"""Seconds in which pages have got all that they show, or are gone."""
CALM = {"IDLEWATCH_CHECKPOINT": "31536000"}
"""Of the sessions, which keep the limits that they were opened with: none is checked meanwhile. Checks cost more than
the pages, and their cost grows with the sessions."""
SERVER = MEMORY._replace(environ={"BENCH_NO_SEARCHES": "1"})
"""It searches for no lost sessions: of 100,000, some thousand records are compared with the store each 15 s, with pages
or without, and that takes ten times as long as the pages do in a second."""


async def measure(run: Run) -> None:
    """Measure all sizes at once, each without the pages and with them in turn."""
    # Before the servers start: while this runs, nothing answers their pings.
    runs = {
        size: with_sessions(run, f"operators-{size}", size - WARM_UP_TABS, **CALM)
        for size in (QUICK_SIZES if run.options.quick else FULL_SIZES)
    }
    async with AsyncExitStack() as stack:
        servers = {}
        for size, own in runs.items():
            (servers[size],) = await stack.enter_async_context(served(own, (SERVER,)))
        await asyncio.sleep(SPREAD + 1)
        for server in servers.values():
            await server.control.ask(f"spread {SPREAD:g}")
        without_them = await _observe(run, list(servers.values()))
        for _ in range(REPEATS):
            async with _pages(list(servers.values())):
                with_them = await _observe(run, list(servers.values()))
            earlier, without_them = without_them, await _observe(run, list(servers.values()))
            # What a process does after its start becomes less with time: it is no cost of the pages.
            costs = [
                (cost - (before + after) / 2) * 1e3
                for cost, before, after in zip(with_them, earlier, without_them, strict=True)
            ]
            for size, cost in zip(servers, costs, strict=True):
                run.samples.add("ten live pages", goals.MEMORY, size, cost)
                if size > min(servers):
                    run.samples.add(GROWTH, goals.MEMORY, size, cost / costs[0])
        if run.options.profile:
            await _profile(run, [servers[min(servers)], servers[max(servers)]])


async def _profile(run: Run, servers: Sequence[MeasuredServer]) -> None:
    """Take a profile of servers with the pages, what they do without them included."""
    smallest = len(servers[0].run.sessions.keys)
    async with _pages(servers):
        costs = await _observe(run, servers)
        for server, cost in zip(servers, costs, strict=True):
            size = len(server.run.sessions.keys)
            with profiler.sampled(f"{GROWTH} {size}", server.pid, rate=profiler.OFTEN) as lines:
                await _observe(run, [server])
            names = {"variant": f"{size:,} sessions", "floor": f"{smallest:,} sessions"}
            total = {"total": cost * 1e3, "unit": goals.UNITS["ten live pages"]}
            run.profiles.add(profiles.of_stacks(lines, figures=[GROWTH], size=0, **names, **total))


@asynccontextmanager
async def _pages(servers: Sequence[MeasuredServer]) -> AsyncIterator[None]:
    """Open the pages of each server, each of which has to receive something before they are closed."""
    pages = [
        await load.LivePage.open(server.port, server.run.sessions.keys[-1]) for server in servers for _ in range(PAGES)
    ]
    await asyncio.sleep(SETTLING)
    seen = [page.frames for page in pages]
    yield
    if still := sum(page.frames == frames for page, frames in zip(pages, seen, strict=True)):
        raise RuntimeError(f"{still} of {len(pages)} live pages received no change; expected none.")
    load.close(pages)
    await asyncio.sleep(SETTLING)


async def _observe(run: Run, servers: Sequence[MeasuredServer]) -> list[float]:
    """Return the share of a core that each server uses while some users act."""
    before, began = [machine.cpu_seconds(server.pid) for server in servers], time.monotonic()
    for _ in range(QUICK_WINDOW if run.options.quick else WINDOW):
        await asyncio.gather(asyncio.sleep(1), *(server.control.ask(f"act {ACTIVE}") for server in servers))
    used = [machine.cpu_seconds(server.pid) for server in servers]
    # Longer than that, where a server is slow to answer.
    elapsed = time.monotonic() - began
    return [(after - earlier) / elapsed for after, earlier in zip(used, before, strict=True)]
