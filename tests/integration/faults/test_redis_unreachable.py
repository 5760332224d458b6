"""A minute without Redis, with a timer as a process of its own beside the web processes."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.faults.life import endure
from tests.integration.site import Site
from tests.support.proxy import Way


@pytest.mark.timeout(240)
async def test_a_minute_without_redis_ends_no_active_session_and_serves_no_idle_one(site: Site):
    await asyncio.to_thread(site.start_timer)

    async def swallow(site: Site) -> None:
        site.proxy.set(Way.HOLD)
        await asyncio.sleep(60)
        site.proxy.set(Way.PASS)

    await endure(site, swallow)
