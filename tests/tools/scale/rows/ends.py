"""A tenth of the sessions end by the clock, at one moment, until all of that is recorded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from msgspec.structs import replace

from idlewatch.core.policy import Policy
from idlewatch.models import WatchedSession
from idlewatch.store.base import Store
from tests.tools.scale import goals
from tests.tools.scale.site import Site

LEAD = 10.0
LEAD_EACH = 0.005
"""Seconds, and more for each, in which sessions are given their moment."""
POLL_INTERVAL = 0.05
TIMEOUT = 120.0


async def measure(site: Site, store: Store) -> None:
    """Measure it."""
    ended = ending(site)
    live = await asyncio.to_thread(count_live)
    at = time.time() + LEAD + LEAD_EACH * len(ended)
    await asyncio.to_thread(_end_at, store, ended, at)
    if time.time() >= at:
        raise RuntimeError(f"{len(ended)} sessions got their moment too late: this machine is too busy.")
    await asyncio.sleep(at - time.time())
    async with asyncio.timeout(TIMEOUT):
        while await asyncio.to_thread(count_live) > live - len(ended):  # noqa: ASYNC110 - it happens elsewhere
            await asyncio.sleep(POLL_INTERVAL)
    site.add("until the last record", goals.TWO_PROCESSES, time.time() - at)


def ending(site: Site) -> Sequence[str]:
    """Return the sessions that end."""
    return site.watch_ids[-site.options.ends :]


def count_live() -> int:
    """Return how many records are of live sessions."""
    return WatchedSession.objects.live().count()


def _end_at(store: Store, watch_ids: Sequence[str], at: float) -> None:
    for watched in store.sessions.get_many(watch_ids):
        assert watched is not None
        now = time.time()
        limits: Policy = replace(watched.policy, idle_timeout=at - now, warn_before=0.0)
        store.sessions.restart(replace(watched, policy=limits), now)
