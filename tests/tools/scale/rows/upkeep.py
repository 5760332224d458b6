"""What the processes do by themselves, while the users of a fifth of the sessions are active."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from django.db.models import Min

from idlewatch.core.events import Acted
from idlewatch.managers import among
from idlewatch.models import WatchedSession
from idlewatch.monitor.records import BATCH_SIZE
from idlewatch.store.base import Store
from tests.tools.scale import goals
from tests.tools.scale.site import MeasuredServer, Site, processor_time

ACT_INTERVAL = 15
"""Seconds in which each active user acts once, as pages report it."""
CALM_SECONDS = 40.0
"""After which every session was checked since the start: the first checks are as spread as all later ones."""
WINDOW = 60.0
SEARCHED = "resumption.live_after"


async def measure(site: Site, servers: Sequence[MeasuredServer], store: Store) -> None:
    """Measure it for a minute: every session is checked in it."""
    async with acting(store, site.watch_ids[: site.options.active]):
        await asyncio.sleep(CALM_SECONDS)
        measured = {goals.TWO_PROCESSES: servers, "Redis": (site.redis,), "PostgreSQL": (site.postgres,)}
        before = {name: sum(map(processor_time, each)) for name, each in measured.items()}
        searched, began = await _searched(servers), time.monotonic()
        await asyncio.sleep(WINDOW)
        seconds = time.monotonic() - began
        for name, each in measured.items():
            site.add("processor time", name, (sum(map(processor_time, each)) - before[name]) / seconds * 100)
        found = zip(await _searched(servers), searched, strict=True)
        cycles = [site.options.sessions / max(after - earlier, 1) * seconds for after, earlier in found]
        site.add("a cycle", goals.TWO_PROCESSES, max(cycles))
        site.add("lag of the records", goals.TWO_PROCESSES, await asyncio.to_thread(_lag, site))


@asynccontextmanager
async def acting(store: Store, watch_ids: Sequence[str]) -> AsyncIterator[None]:
    """Let users be active, as pages report it; this costs the processes nothing."""
    task = asyncio.create_task(_act(store, watch_ids))
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _act(store: Store, watch_ids: Sequence[str]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        for place in range(ACT_INTERVAL):
            until, part = loop.time() + 1, watch_ids[place::ACT_INTERVAL]
            for start in range(0, len(part), BATCH_SIZE):
                now, batch = time.time(), part[start : start + BATCH_SIZE]
                await asyncio.gather(*(store.sessions.aapply(each, Acted(), now) for each in batch))
            await asyncio.sleep(until - loop.time())


def _lag(site: Site) -> float:
    """Return by how many seconds the record of an active session is behind, at most."""
    active = WatchedSession.objects.filter(among("pk", site.watch_ids[: site.options.active]))
    oldest: datetime = active.aggregate(oldest=Min("last_active"))["oldest"]
    return time.time() - oldest.timestamp() - ACT_INTERVAL


async def _searched(servers: Sequence[MeasuredServer]) -> list[int]:
    """Return how many records each process looked up in the store so far, about."""
    return [await sent_from(server, SEARCHED) * BATCH_SIZE for server in servers]


async def sent_from(server: MeasuredServer, place: str) -> int:
    """Return how many statements a process has sent from one function so far."""
    return sum(count for sender, _, count in await server.control.ask("sent") if sender.endswith(place))
