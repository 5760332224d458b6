"""What becomes of sessions when Redis answers late, wrongly or not at all, and when it loses its data."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from tests.integration.faults.life import Fault, endure
from tests.integration.faults.people import Person, Watcher, gone_for_good
from tests.integration.site import Site
from tests.support.proxy import Way
from tests.support.redis_server import RedisServer

REVOKE = """
from idlewatch.monitor import service as monitor
from idlewatch.core.activity import Reason
from idlewatch.process import now
from idlewatch.models import WatchedSession
for name in ("watcher", "away"):
    monitor.end(WatchedSession.objects.get(username=name).pk, Reason.REVOKED, now())
"""


async def restart(site: Site) -> None:
    await asyncio.to_thread(site.redis.stop)
    await asyncio.sleep(3)
    await asyncio.to_thread(site.redis.start)


async def flush_everything(site: Site) -> None:
    with site.redis.client() as client:
        client.flushall()


async def flush_the_scripts(site: Site) -> None:
    for _ in range(10):
        with site.redis.client() as client:
            client.script_flush()
        await asyncio.sleep(0.5)


async def slow_down(site: Site) -> None:
    site.proxy.latency = 0.2
    await asyncio.sleep(10)
    site.proxy.latency = 0.0


async def break_connections(site: Site) -> None:
    for _ in range(4):
        site.proxy.set(Way.CUT)
        await asyncio.sleep(0.3)
        site.proxy.set(Way.PASS)
        await asyncio.sleep(1)


async def fail_over(site: Site) -> None:
    """Be read-only for a while."""
    with site.redis.client() as client:
        client.replicaof("127.0.0.1", 1)
        await asyncio.sleep(4)
        client.replicaof("NO", "ONE")


async def swallow_everything(site: Site) -> None:
    """Be out of reach for a minute, with a timer as a process of its own beside the web processes."""
    await asyncio.to_thread(site.start_timer)
    site.proxy.set(Way.HOLD)
    await asyncio.sleep(60)
    site.proxy.set(Way.PASS)


@pytest.mark.rule("R9")
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (restart, {"lost": True}),
        (flush_everything, {"lost": True}),
        (flush_the_scripts, {"told_within": 2.0}),
        (slow_down, {}),
        (break_connections, {}),
        (fail_over, {}),
        (swallow_everything, {}),
    ],
)
async def test_a_fault_of_redis_ends_no_active_session_and_has_no_idle_one_served(
    site: Site, fault: Fault, expected: dict[str, Any]
):
    await endure(site, fault, **expected)


async def test_a_redis_that_comes_back_with_its_data_loses_no_session(make_site):
    await endure(make_site(redis=partial(RedisServer, persistent=True)), restart)


@pytest.mark.rule("R9")
@pytest.mark.parametrize("persistent", [False, True], ids=["empty", "with its data"])
async def test_a_session_that_is_revoked_while_redis_is_away_stays_ended(make_site, persistent: bool):
    site: Site = make_site(redis=partial(RedisServer, persistent=persistent), IDLEWATCH_IDLE_TIMEOUT="120")
    watcher, away = Watcher(site, "watcher"), Person(site, "away", 1)
    waiting = asyncio.create_task(watcher.live(reason="revoked"))
    await asyncio.sleep(1)
    await asyncio.to_thread(site.redis.stop)
    await asyncio.to_thread(site.webs[0].manage, "shell", "-c", REVOKE)
    # By the record, while nothing else is there to ask.
    for person in (watcher, away):
        await gone_for_good(person)
    await asyncio.to_thread(site.redis.start)
    async with asyncio.timeout(10):
        await waiting
    for person in (watcher, away):
        await gone_for_good(person)
    assert site.outcomes() == {"watcher": "revoked", "away": "revoked"}
    site.assert_sound()
