"""What becomes of sessions when Redis answers late, wrongly or not at all, and has its data when it is back."""

from __future__ import annotations

import asyncio
from functools import partial

from tests.integration.faults.life import endure
from tests.integration.site import Site
from tests.support.proxy import Way
from tests.support.redis_server import RedisServer


async def test_redis_that_is_killed_and_comes_back_with_its_data_loses_no_session(make_site):
    async def restart(site: Site) -> None:
        await asyncio.to_thread(site.redis.stop)
        await asyncio.sleep(3)
        await asyncio.to_thread(site.redis.start)

    await endure(make_site(redis=partial(RedisServer, persistent=True)), restart)


async def test_a_flush_of_the_scripts_is_not_noticed(site: Site):
    async def flush(site: Site) -> None:
        for _ in range(10):
            with site.redis.client() as client:
                client.script_flush()
            await asyncio.sleep(0.5)

    await endure(site, flush, told_within=2.0)


async def test_redis_that_is_slow_ends_no_session(site: Site):
    async def slow_down(site: Site) -> None:
        site.proxy.latency = 0.2
        await asyncio.sleep(10)
        site.proxy.latency = 0.0

    await endure(site, slow_down)


async def test_redis_whose_connections_break_ends_no_session(site: Site):
    async def drop(site: Site) -> None:
        for _ in range(4):
            site.proxy.set(Way.CUT)
            await asyncio.sleep(0.3)
            site.proxy.set(Way.PASS)
            await asyncio.sleep(1)

    await endure(site, drop)


async def test_a_redis_that_can_only_be_read_after_a_failover_ends_no_session(site: Site):
    async def fail_over(site: Site) -> None:
        with site.redis.client() as client:
            client.replicaof("127.0.0.1", 1)
            await asyncio.sleep(4)
            client.replicaof("NO", "ONE")

    await endure(site, fail_over)
