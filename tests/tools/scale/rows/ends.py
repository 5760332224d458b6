"""A tenth of the sessions end by the clock, at one moment, until all of that is recorded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from msgspec.structs import replace

from idlewatch.core.policy import Policy
from idlewatch.models import WatchedSession
from idlewatch.monitor.records import BATCH_SIZE
from idlewatch.store.base import Store
from idlewatch.store.redis.keys import Keys
from idlewatch.store.redis.options import DEFAULT_PREFIX
from idlewatch.store.values import Watched
from tests.tools.scale import goals
from tests.tools.scale.site import Site

LEAD = 10.0
LEAD_EACH = 0.002
"""Seconds, and more for each, in which sessions are given their moment."""
POLL_INTERVAL = 0.05
TIMEOUT = 120.0


async def measure(site: Site, store: Store) -> None:
    """Measure it."""
    ended = ending(site)
    at = time.time() + LEAD + LEAD_EACH * len(ended)
    await _end_at(site, store, ended, at)
    if time.time() >= at:
        raise RuntimeError(f"{len(ended)} sessions got their moment too late: this machine is too busy.")
    await asyncio.sleep(at - time.time())
    async with asyncio.timeout(TIMEOUT):
        while await asyncio.to_thread(_count_closed, at) < len(ended):  # noqa: ASYNC110 - it happens elsewhere
            await asyncio.sleep(POLL_INTERVAL)
    site.add("until the last record", goals.TWO_PROCESSES, time.time() - at)


def ending(site: Site) -> Sequence[str]:
    """Return the sessions that end."""
    return site.watch_ids[-site.options.ends :]


def count_live() -> int:
    """Return how many records are of live sessions."""
    return WatchedSession.objects.live().count()


def _count_closed(at: float) -> int:
    """Return how many records were closed at that moment: to count the live ones would keep PostgreSQL busy."""
    return WatchedSession.objects.closed_since(at - 1).count()


async def _end_at(site: Site, store: Store, watch_ids: Sequence[str], at: float) -> None:
    """Give unused sessions the idle limit by which they end at that moment."""
    keys = Keys(DEFAULT_PREFIX)
    for start in range(0, len(watch_ids), BATCH_SIZE):
        batch = watch_ids[start : start + BATCH_SIZE]
        found = [watched for watched in await store.sessions.aget_many(batch) if watched is not None]
        ending = [replace(each, policy=_limits(each, at)) for each in found]
        with site.redis.client() as client:
            client.unlink(*map(keys.row, batch))
        await store.sessions.aopen_many(ending, time.time())


def _limits(watched: Watched, at: float) -> Policy:
    return replace(watched.policy, idle_timeout=at - watched.activity.active, warn_before=0.0)
