"""The groups of live sessions on a Redis: what a listing costs, and what becomes of places without a session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, TabOpened
from idlewatch.core.policy import UNWARNED, Phase
from idlewatch.store.listing import GROUPS
from idlewatch.store.redis import RedisStore
from idlewatch.store.redis.commands import source_of
from idlewatch.store.values import Census, Due, Watched
from tests.support.redis_server import RedisServer, shared_redis
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.proxy import Proxy
from tests.unit.store.redis.sessions import LEASE, NOW, WARNING, session

LIMIT = 50
CONNECTED = "live:active:connected"
UNCONNECTED = "live:active:unconnected"


def lose(store: RedisStore, *keys: str) -> None:
    """Have Redis evict keys, as one that runs out of memory does."""
    with shared_redis().client() as client:
        assert client.delete(*(store._keys.other(key) for key in keys)) == len(keys)


def ranks(store: RedisStore, key: str) -> list[str]:
    with shared_redis().client() as client:
        return [watch_id.decode() for watch_id in client.zrange(store._keys.other(key), 0, -1)]


def test_scripts_and_python_number_the_groups_alike(store: RedisStore) -> None:
    names = ", ".join(f"'{store._keys.group(group).removeprefix(store._keys.other('live:'))}'" for group in GROUPS)
    assert f"local GROUPS = {{{names}}}" in source_of("list")


@pytest.mark.server
async def test_a_listing_and_a_census_cost_the_same_among_many_as_among_few(
    make: MakeStore, server: RedisServer
) -> None:
    costs = {}
    opened = 0
    # What a proxy to a Redis of the test's own counts, no other test did.
    with Proxy(server.port) as proxy, server.client() as client:
        store = make(proxy.url, socket_timeout=30)
        for many in (100, 3_000):
            for start in range(opened, many, 500):
                watches = range(start, min(start + 500, many))
                await asyncio.gather(
                    *(store.sessions.aopen(session(f"w{index:05}", at=NOW + index), NOW) for index in watches)
                )
                odd = [store.sessions.aapply(f"w{at:05}", TabOpened("p1", 50), NOW) for at in watches if at % 2]
                await asyncio.gather(*odd)
            opened = many
            # The first time, each loads its script.
            await store.statistics.list(None, None, 0, LIMIT)
            await store.statistics.census()
            client.config_resetstat()
            proxy.forget()
            listing = await store.statistics.list(None, None, many // 2, LIMIT)
            calls = {name: each["calls"] for name, each in client.info("commandstats").items()}
            assert listing.total == many
            assert [each.id for each in listing.sessions] == [f"w{many // 2 + index:05}" for index in range(LIMIT)]
            assert calls["cmdstat_evalsha"] == len(proxy.asked) == 1
            costs[many] = (sum(calls.values()), len(b"".join(proxy.asked)), len(b"".join(proxy.answered)))
            proxy.forget()
            assert await store.statistics.census() == Census(many, 0, many // 2)
            assert len(proxy.asked) == len(proxy.answered) == 1
    (few_calls, few_asked, few_answered), (many_calls, many_asked, many_answered) = costs.values()
    print(f"a page of {LIMIT} takes {few_calls} commands in one script among 100 sessions, {many_calls} among 3,000")
    # Two more for each halving: 1,500 are 50 five times doubled.
    assert many_calls <= few_calls + 2 * 5
    assert abs(many_asked - few_asked) < 16
    assert many_answered < few_answered * 1.1


class TestAPlaceWithoutASession:
    async def test_goes_when_it_is_listed(self, store: RedisStore) -> None:
        for watch_id in ("w1", "w2", "w3"):
            store.sessions.open(session(watch_id), NOW)
        lose(store, "watch:w2")
        listing = await store.statistics.list(None, None, 0, 100)
        assert (listing.total, [each.id for each in listing.sessions]) == (2, ["w1", "w3"])
        assert await store.statistics.census() == Census(2, 0, 0)

    @pytest.mark.parametrize(
        "meet",
        [
            pytest.param(lambda store, _: store.queue.claim(Due.PUSH, WARNING, 10, LEASE), id="push"),
            pytest.param(lambda store, _: store.queue.claim(Due.CHECK, WARNING, 10, LEASE), id="check"),
            pytest.param(lambda store, lost: store.queue.confirm(Due.CHECK, [lost], WARNING), id="confirm"),
            pytest.param(lambda store, _: store.sessions.aend("w1", Reason.REVOKED, WARNING), id="end"),
        ],
    )
    async def test_goes_when_it_is_met(
        self, store: RedisStore, meet: Callable[[RedisStore, Watched], Awaitable[object]]
    ) -> None:
        lost = store.sessions.open(session(), NOW)
        lose(store, "watch:w1")
        await meet(store, lost)
        assert await store.statistics.census() == Census(0, 0, 0)

    async def test_goes_when_the_session_is_resumed_into_another_group(self, store: RedisStore) -> None:
        store.sessions.open(session(), NOW)
        store.sessions.apply("w1", TabOpened("p1", 50), NOW)
        lose(store, "watch:w1")
        store.sessions.open(session(), NOW + 1)
        assert (ranks(store, CONNECTED), ranks(store, UNCONNECTED)) == ([], ["w1"])


class TestAGroupThatIsLost:
    async def test_is_filled_again_by_heartbeats(self, store: RedisStore) -> None:
        for watch_id in ("w1", "w2"):
            store.sessions.open(session(watch_id), NOW)
        lose(store, UNCONNECTED)
        assert (await store.statistics.list(None, None, 0, 100)).total == 0
        for watch_id in ("w1", "w2"):
            store.sessions.apply(watch_id, Acted(), NOW + 15)
        assert [each.id for each in (await store.statistics.list(None, None, 0, 100)).sessions] == ["w1", "w2"]
        with shared_redis().client() as client:
            assert client.ttl(store._keys.other(UNCONNECTED)) > 0

    async def test_that_had_one_told_of_its_warning_keeps_no_other_from_being_told(self, store: RedisStore) -> None:
        store.sessions.open(session(), NOW)
        lose(store, UNCONNECTED)
        (claimed,) = await store.queue.claim(Due.PUSH, WARNING, 10, LEASE)
        assert claimed.shown == UNWARNED
        (settled,) = await store.queue.settle([claimed], WARNING)
        assert settled is not None
        assert (await store.statistics.list(Phase.WARNED, None, 0, 10)).total == 1


MANY = 9_000
"""More values than Lua passes to a command at once."""


async def test_a_list_of_more_places_than_lua_can_pass_on_at_once_is_cleared_of_those_without_a_session(
    store: RedisStore,
) -> None:
    await store.sessions.aopen(session(), NOW)
    with shared_redis().client() as client:
        client.zadd(store._keys.other(UNCONNECTED), {f"lost{index}": NOW for index in range(MANY)})
    listing = await store.statistics.list(None, None, 0, 2 * MANY)
    assert (listing.total, [each.id for each in listing.sessions]) == (1, ["w1"])
    assert ranks(store, UNCONNECTED) == ["w1"]
