"""What becomes of sessions when Redis loses its data, or what was done while it was away."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from tests.integration.faults.life import endure
from tests.integration.faults.people import Person, Watcher, gone_for_good
from tests.integration.site import Site
from tests.support.redis_server import RedisServer

REVOKE = """
from idlewatch.monitor import service as monitor
from idlewatch.core.activity import Reason
from idlewatch.process import now
from idlewatch.models import WatchedSession
monitor.end(WatchedSession.objects.get(username="{name}").pk, Reason.REVOKED, now())
"""


@pytest.mark.rule("R9")
async def test_redis_that_is_killed_and_comes_back_empty_loses_no_session(site: Site):
    async def restart(site: Site) -> None:
        await asyncio.to_thread(site.redis.stop)
        await asyncio.sleep(3)
        await asyncio.to_thread(site.redis.start)

    await endure(site, restart, lost=True)


async def test_a_flush_of_everything_loses_no_session(site: Site):
    async def flush(site: Site) -> None:
        with site.redis.client() as client:
            client.flushall()

    await endure(site, flush, lost=True)


@pytest.mark.rule("R9")
@pytest.mark.parametrize("persistent", [False, True], ids=["empty", "with its data"])
async def test_a_session_that_is_revoked_while_redis_is_away_stays_ended(make_site, persistent: bool):
    site: Site = make_site(redis=partial(RedisServer, persistent=persistent), IDLEWATCH_IDLE_TIMEOUT="120")
    watcher, away = Watcher(site, "watcher"), Person(site, "away", 1)
    waiting = asyncio.create_task(watcher.live(reason="revoked"))
    await asyncio.sleep(1)
    await asyncio.to_thread(site.redis.stop)
    for person in (watcher, away):
        await asyncio.to_thread(site.webs[0].manage, "shell", "-c", REVOKE.format(name=person.name))
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
