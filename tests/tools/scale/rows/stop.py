"""A process with a memory store stops in order: it alone knows how far the active sessions came."""

from __future__ import annotations

import asyncio
import time
from signal import SIGTERM

from idlewatch.core.clock import as_datetime
from idlewatch.models import WatchedSession
from tests.tools.scale import goals
from tests.tools.scale.rows.ends import count_live
from tests.tools.scale.site import Site


async def measure(site: Site) -> None:
    """Measure it."""
    active, live = site.options.active, await asyncio.to_thread(count_live)
    with site.serving("memory") as (server,):
        await server.ready(live)
        at = time.time()
        await server.control.ask(f"act {active}")
        began = time.monotonic()
        await asyncio.to_thread(server.stop, SIGTERM)
        site.add("until the process is gone", goals.ONE_PROCESS, time.monotonic() - began)
    left = await asyncio.to_thread(_count_older, site, at)
    site.add("activity that was not recorded", goals.ONE_PROCESS, left)


def _count_older(site: Site, at: float) -> int:
    watch_ids = list(site.watch_ids[: site.options.active])
    return WatchedSession.objects.filter(pk__in=watch_ids, last_active__lt=as_datetime(at)).count()
