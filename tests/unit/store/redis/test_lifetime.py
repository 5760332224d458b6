"""What the Redis store leaves behind: nothing, in the end."""

from __future__ import annotations

import asyncio

import pytest

from idlewatch.core.activity import Reason
from idlewatch.core.events import Requested, TabOpened
from idlewatch.store.redis import RedisStore
from idlewatch.store.values import Due
from tests.support.redis_server import RedisServer, shared_redis
from tests.tools.soak import SAMPLE_RETENTION, TOMBSTONE_TTL, come_and_go
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.sessions import END, LEASE, NOW, POLICY, live_through, session, until

DAY = 86_400.0


def lifetimes(store: RedisStore) -> dict[str, float]:
    """Return the seconds that each key of a store has left; below zero: for ever."""
    with shared_redis().client() as client:
        found = list(client.scan_iter(match=f"{store._client.prefix}*", count=1000))
        return {key.decode().removeprefix(store._client.prefix): client.pttl(key) / 1000 for key in found}


class TestEveryKey:
    async def test_has_a_lifetime_whatever_happened(self, store: RedisStore) -> None:
        await live_through(store)
        store.sessions.open(session("w2"), NOW)
        store.sessions.apply("w2", TabOpened("p1", 50), NOW)
        store.sessions.end("unknown", Reason.LOGOUT, NOW)
        await store.presence.renew("p1", NOW, LEASE)
        await store.presence.mark_resumed(NOW, NOW)
        store.sessions.bind("w2", "another key")
        store.sessions.open(session("w3"), NOW)
        await store.statistics.take_sample(NOW, 15.0, 3600.0)
        store.sessions.end("w3", Reason.LOGOUT, NOW)
        assert await store.queue.claim(Due.PUSH, END, 10, LEASE)
        found = lifetimes(store)
        kinds = {"watch:w1", "watch:w2", "due:push", "due:record", "due:check", "served:p1", "processes", "epoch"}
        kinds |= {"live:active:connected", "samples", "ended"}
        assert kinds <= set(found)
        assert [key for key, left in found.items() if left <= 0] == []
        assert all(left <= END - NOW + POLICY.absolute_timeout + DAY for left in found.values())

    async def test_lives_as_long_as_the_session_may(self, store: RedisStore) -> None:
        store.sessions.open(session(), NOW)
        store.sessions.apply("w1", Requested(), NOW + 1)
        found = lifetimes(store)
        for key in ("watch:w1", "due:push", "due:check", "live:active:unconnected"):
            assert found[key] > POLICY.idle_timeout + DAY - 60

    async def test_of_a_list_is_renewed_by_activity_alone(self, store: RedisStore) -> None:
        store.sessions.open(session(), NOW)
        lists = ("due:push", "due:check", "live:active:unconnected")
        with shared_redis().client() as client:
            for key in lists:
                client.expire(store._client.prefix + key, 60)
        for after in range(600, 4200, 600):
            store.sessions.apply("w1", Requested(), NOW + after)
        assert all(lifetimes(store)[key] > POLICY.idle_timeout + DAY - 60 for key in lists)

    async def test_of_an_end_that_is_recorded_lives_until_no_request_can_have_missed_it(
        self, store: RedisStore
    ) -> None:
        store.sessions.open(session(), NOW)
        store.sessions.end("w1", Reason.LOGOUT, NOW)
        assert lifetimes(store)["watch:w1"] > DAY
        (recorded,) = await store.queue.claim(Due.RECORD, NOW, 10, LEASE)
        await store.queue.confirm(Due.RECORD, [recorded], NOW)
        assert 590 < lifetimes(store)["watch:w1"] <= 600
        # Its tabs are told later: by then it is no more worth than it was.
        (pushed,) = await store.queue.claim(Due.PUSH, NOW, 10, LEASE)
        (settled,) = await store.queue.settle([pushed], NOW)
        assert settled is not None
        await store.queue.confirm(Due.PUSH, [settled], NOW)
        assert 590 < lifetimes(store)["watch:w1"] <= 600


async def test_a_process_serves_no_session_that_ended_and_leaves_nothing_when_it_is_buried(store: RedisStore) -> None:
    for watch_id in ("w1", "w2"):
        store.sessions.open(session(watch_id), NOW)
        store.sessions.apply(watch_id, TabOpened(f"p-{watch_id}", 50), NOW)
    assert {"served:p-w1", "served:p-w2"} <= set(lifetimes(store))
    store.sessions.end("w1", Reason.LOGOUT, NOW)
    assert "served:p-w1" not in lifetimes(store)
    await store.presence.renew("p-w2", NOW, LEASE)
    assert await store.presence.reap(NOW + LEASE) == ["p-w2"]
    assert {"served:p-w2", "processes", "burials"}.isdisjoint(lifetimes(store))


@pytest.mark.server
async def test_six_hundred_sessions_leave_nothing(make: MakeStore, server: RedisServer) -> None:
    store = make(server.url)
    assert await come_and_go(store, 600) == 600
    with server.client() as client:
        # Tombstones, for an hour how many sessions there were, and for a day since when the store exists.
        kinds = {key.removeprefix(store._keys.other("").encode()).partition(b":")[0] for key in client.scan_iter()}
        assert kinds == {b"watch", b"samples", b"epoch"}
        await asyncio.sleep(TOMBSTONE_TTL)
        until(lambda: client.dbsize() == 2)
        assert 0 < client.ttl(store._keys.other("samples")) <= SAMPLE_RETENTION


async def test_forgets_its_own_keys_alone(make: MakeStore) -> None:
    # In a pattern of Redis, these mean something.
    store, other = make(PREFIX="{test-[ab]*?\\}:"), make(PREFIX="{test-axy\\}:")
    for each in (store, other):
        each.sessions.open(session(), NOW)
    store.clear()
    assert store.sessions.get("w1") is None
    assert other.sessions.get("w1") is not None
