"""The queue in Redis of sessions whose users are active: their moments move when they come up, not at each touch."""

from __future__ import annotations

import asyncio

import pytest

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, TabOpened
from idlewatch.store.base import CHANGE_BATCH
from idlewatch.store.redis import RedisStore
from idlewatch.store.values import Due, Touch
from tests.support.redis_server import RedisServer, calm, shared_redis
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.sessions import LEASE, NOW, WARNING, session

PROCESS = "p1"


async def test_a_moment_that_moved_later_is_put_right_when_it_comes_up(store: RedisStore) -> None:
    await store.sessions.aopen(session(), NOW)
    for at in (10, 20):
        await store.sessions.aapply("w1", Acted(), NOW + at)
    assert await store.queue.next_due(Due.PUSH) == WARNING
    assert not await store.queue.claim(Due.PUSH, WARNING, 10, LEASE)
    assert await store.queue.next_due(Due.PUSH) == WARNING + 20
    (claimed,) = await store.queue.claim(Due.PUSH, WARNING + 20, 10, LEASE)
    assert claimed.id == "w1"


async def test_those_that_come_up_soon_are_put_right_as_well(store: RedisStore) -> None:
    watches = {f"w{index}": NOW + index for index in range(20)}
    for watch_id, at in watches.items():
        await store.sessions.aopen(session(watch_id, at=at), at)
    for watch_id in watches:
        await store.sessions.aapply(watch_id, Acted(), NOW + 60)
    assert not await store.queue.claim(Due.PUSH, WARNING, 100, LEASE)
    # Ten seconds' worth.
    assert await store.queue.next_due(Due.PUSH) == WARNING + 11
    assert not await store.queue.claim(Due.PUSH, WARNING + 11, 100, LEASE)
    assert await store.queue.next_due(Due.PUSH) == WARNING + 60


async def test_what_comes_up_soon_is_not_claimed_early(store: RedisStore) -> None:
    for index, watch_id in enumerate(("active", "idle")):
        await store.sessions.aopen(session(watch_id, at=NOW + index), NOW + index)
    await store.sessions.aapply("active", Acted(), NOW + 60)
    assert not await store.queue.claim(Due.PUSH, WARNING, 100, LEASE)
    (claimed,) = await store.queue.claim(Due.PUSH, WARNING + 1, 100, LEASE)
    assert claimed.id == "idle"


@pytest.mark.server
async def test_heartbeats_together_write_each_row_and_one_list(make: MakeStore, server: RedisServer) -> None:
    store = make(server.url)
    calm(server.url, store._client.prefix)
    touches = [Touch(f"w{index}", NOW + 10, NOW + 11) for index in range(CHANGE_BATCH)]
    await asyncio.gather(*(store.sessions.aopen(session(touch.watch_id), NOW) for touch in touches))
    await asyncio.gather(*(store.sessions.aapply(each.watch_id, TabOpened(PROCESS, 5), NOW) for each in touches))
    # It loads the script.
    await store.sessions.acredit([Touch("w0", NOW + 1, NOW + 1)], PROCESS)
    with server.client() as client:
        client.config_resetstat()
        assert not await store.sessions.acredit(touches, PROCESS)
        stats = client.info("commandstats")
    writes = {"cmdstat_setrange": CHANGE_BATCH, "cmdstat_zadd": 1}
    assert {name: stats[name]["calls"] for name in writes} == writes
    assert {"cmdstat_get", "cmdstat_zscore"}.isdisjoint(stats)


async def test_two_touches_of_a_session_in_one_call_credit_the_later_activity(store: RedisStore) -> None:
    await store.sessions.aopen(session(), NOW)
    await store.sessions.aapply("w1", TabOpened(PROCESS, 5), NOW)
    touches = [Touch("w1", NOW + 12, NOW + 13), Touch("w1", NOW + 10, NOW + 13)]
    assert not await store.sessions.acredit(touches, PROCESS)
    found = await store.sessions.aget("w1")
    assert found is not None
    assert found.activity.active == NOW + 12


@pytest.mark.parametrize("due", Due)
async def test_a_claim_of_more_than_lua_can_pass_on_at_once_clears_the_list_of_what_has_no_session(
    store: RedisStore, due: Due
) -> None:
    many = 9_000
    await store.sessions.aopen(session(), NOW)
    await store.sessions.aend("w1", Reason.REVOKED, NOW)
    with shared_redis().client() as client:
        client.zadd(store._keys.due(due), {f"lost{index}": NOW for index in range(many)})
        await store.queue.claim(due, NOW + 60, 2 * many, LEASE)
        assert client.zcard(store._keys.due(due)) == (due is not Due.CHECK)
