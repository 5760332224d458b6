"""What the Redis store costs: round trips, bytes on the way, memory."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from idlewatch.core.events import Acted, Event, Extended, Held, Polled, Released, Requested, TabOpened
from idlewatch.exceptions import TooManyTabs
from idlewatch.process import current_process
from idlewatch.store.base import CHANGE_BATCH
from idlewatch.store.batches import MAX_BATCH
from idlewatch.store.redis import RedisStore
from idlewatch.store.redis.commands import Command
from idlewatch.store.values import Due, Touch, Watched
from tests.support.redis_server import RedisServer, calm, shared_redis
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.proxy import Proxy
from tests.unit.store.redis.sessions import LEASE, NOW, POLICY, WARNING, live_through, session, until

KIB = 1024


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(shared_redis().port) as proxy:
        yield proxy


class TestATouch:
    @pytest.mark.parametrize("event", [Acted(ago=0.5), Requested()])
    @pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
    async def test_is_one_round_trip_of_less_than_a_kib_each_way(
        self, make: MakeStore, proxy: Proxy, event: Event, is_async: bool
    ) -> None:
        store, watch_id = make(proxy.url), secrets.token_urlsafe(16)
        for at in (NOW + 10, NOW + 11):
            proxy.forget()
            if is_async:
                await store.sessions.aopen(session(watch_id), NOW)
                touched = await store.sessions.aapply(watch_id, event, at)
            else:
                store.sessions.open(session(watch_id), NOW)
                touched = store.sessions.apply(watch_id, event, at)
        # The first time, it found the store and its scripts.
        assert touched is not None
        assert touched.activity.active >= NOW + 10
        assert len(proxy.asked) == len(proxy.answered) == 2, "the open, which found the session, and the touch"
        sent, received = len(proxy.asked[1]), len(proxy.answered[1])
        print(f"a touch sends {sent} bytes and receives {received}")
        assert sent < KIB
        assert received < KIB


class TestOneSessionThatManyWrite:
    """One signed-in client may have 50 tabs, and each may send ten messages a second."""

    TABS = 50
    EVENTS = (
        pytest.param([Extended()] * TABS, id="extend"),
        pytest.param([Held(f"h{n % 32}", "x" * 120) for n in range(TABS)], id="hold"),
        pytest.param([Held("h"), *[Acted()] * TABS], id="activity while it is held"),
        pytest.param([Held("h"), *[Released("h")] * TABS], id="release"),
        pytest.param([TabOpened("p1", TABS)] * TABS, id="tabs that open"),
        pytest.param([Polled()] * TABS, id="polls"),
    )

    @pytest.mark.parametrize("events", EVENTS)
    async def test_costs_an_event_loop_no_more_than_a_few_commands(
        self, store: RedisStore, monkeypatch: pytest.MonkeyPatch, events: list[Event]
    ) -> None:
        await store.sessions.aopen(session(), NOW)
        names: list[str] = []
        call = store._client.acall

        async def counted(command: Command) -> object:
            names.append(command.name)
            return await call(command)

        monkeypatch.setattr(store._client, "acall", counted)
        await asyncio.gather(*(store.sessions.aapply("w1", event, NOW + 1) for event in events))
        assert len([name for name in names if name != "touch"]) <= 6

    async def test_costs_threads_one_write_for_each(self, store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
        store.sessions.open(session(), NOW)
        writes, call = [], store._client.call

        def counted(command: Command) -> object:
            writes.append(command.name == "write")
            return call(command)

        monkeypatch.setattr(store._client, "call", counted)
        threads = 8
        start = Barrier(threads)

        def extend(_: int) -> None:
            start.wait(5)
            for _ in range(10):
                store.sessions.apply("w1", Extended(), NOW + 1)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(extend, range(threads)))
        assert sum(writes) == threads * 10
        assert len(store.sessions._turns) == 0

    async def test_refuses_by_itself_what_is_refused(self, store: RedisStore) -> None:
        await store.sessions.aopen(session(), NOW)
        opening = (store.sessions.aapply("w1", TabOpened("p1", 3), NOW) for _ in range(5))
        results = await asyncio.gather(*opening, return_exceptions=True)
        assert [type(each) for each in results] == [Watched] * 3 + [TooManyTabs] * 2
        assert results[0] == results[2] == store.sessions.get("w1")


class TestATurnOfTheEventLoop:
    async def test_sends_all_its_heartbeats_at_once(
        self, make: MakeStore, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = make(proxy.url)
        watches = [f"w{index}" for index in range(200)]
        await asyncio.gather(*(store.sessions.aopen(session(watch_id), NOW) for watch_id in watches))
        await store.sessions.aapply("w0", Acted(), NOW + 1)
        sent = 0
        pipeline = store._client._pipelines[asyncio.get_running_loop()]
        send = pipeline._send_turn

        async def counted(turn: list) -> None:
            nonlocal sent
            sent += 1
            await send(turn)

        monkeypatch.setattr(pipeline, "_send_turn", counted)
        proxy.forget()
        moments = [NOW + 10 + index / 1000 for index in range(len(watches))]
        touched = await asyncio.gather(
            *(store.sessions.aapply(watch_id, Acted(), at) for watch_id, at in zip(watches, moments, strict=True))
        )
        assert [each and (each.id, each.activity.active) for each in touched] == list(
            zip(watches, moments, strict=True)
        )
        assert sent == 1
        # As many chunks as the kernel made of some 50 KiB, not one for each heartbeat.
        assert len(proxy.asked) < 20

    async def test_asks_in_order(self, store: RedisStore) -> None:
        await store.sessions.aopen(session(), NOW)
        await store.sessions.aapply("w1", Acted(), NOW)
        assert not await store.queue.claim(Due.PUSH, NOW, 10, LEASE)
        claim = (Due.PUSH, WARNING, 10, LEASE)
        _, claimed = await asyncio.gather(
            store.sessions.aapply("w1", Requested(), WARNING - 1), store.queue.claim(*claim)
        )
        assert not claimed
        later = (Due.PUSH, WARNING + POLICY.idle_timeout, 10, LEASE)
        claimed, touched = await asyncio.gather(
            store.queue.claim(*later), store.sessions.aapply("w1", Requested(), WARNING)
        )
        assert [each.activity.active for each in claimed] == [WARNING - 1]
        assert touched is not None
        assert touched.activity.active == WARNING

    async def test_may_ask_more_than_fits_in_one_pipeline(self, store: RedisStore) -> None:
        opened = await asyncio.gather(*(store.sessions.aopen(session(f"w{index}"), NOW) for index in range(1200)))
        assert [each.id for each in opened] == [f"w{index}" for index in range(1200)]

    async def test_serves_the_others_where_one_caller_goes_away(self, store: RedisStore) -> None:
        store.sessions.open(session(), NOW)
        leaving, staying = (asyncio.create_task(store.sessions.aapply("w1", Acted(), NOW + 5)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        touched = await staying
        assert touched is not None
        assert touched.activity.active == NOW + 5


class TestHeartbeatsTogether:
    PROCESS = "p1"

    async def test_are_one_call_whose_answer_has_no_rows(self, make: MakeStore, proxy: Proxy) -> None:
        store = make(proxy.url)
        touches = [Touch(f"w{index}", NOW + 10 + index / 1000, NOW + 11) for index in range(CHANGE_BATCH)]
        for touch in touches:
            await store.sessions.aopen(session(touch.watch_id), NOW)
            await store.sessions.aapply(touch.watch_id, TabOpened(self.PROCESS, 5), NOW)
        await store.sessions.acredit([], self.PROCESS)
        await store.sessions.acredit([Touch("w0", NOW + 1, NOW + 1)], self.PROCESS)
        proxy.forget()
        assert not await store.sessions.acredit(touches, self.PROCESS)
        assert sum(map(len, proxy.answered)) < 10
        found = await store.sessions.aget_many([touch.watch_id for touch in touches])
        assert [each and each.activity.active for each in found] == [touch.moment for touch in touches]
        assert {each and each.version for each in found} == {int((NOW + 11) * 1000)}
        assert not await store.queue.claim(Due.PUSH, WARNING, 10, LEASE)

    async def test_leave_alone_what_python_decides(self, store: RedisStore) -> None:
        for watch_id in ("plain", "held", "without a tab", "due"):
            await store.sessions.aopen(session(watch_id), NOW)
            if watch_id != "without a tab":
                await store.sessions.aapply(watch_id, TabOpened(self.PROCESS, 5), NOW)
        await store.sessions.aapply("held", Held("upload"), NOW + 1)
        watches = ("plain", "held", "without a tab", "unknown")
        touches = [*(Touch(each, NOW + 10, NOW + 11) for each in watches), Touch("due", NOW + 10, WARNING)]
        assert await store.sessions.acredit(touches, self.PROCESS) == {1, 2, 3, 4}
        found = await store.sessions.aget_many(["plain", "held", "due"])
        assert [each and each.activity.active for each in found] == [NOW + 10, NOW, NOW]


@pytest.mark.server
async def test_a_batch_of_the_timer_is_one_call_for_each_step(make: MakeStore, server: RedisServer) -> None:
    store = make(server.url)
    # It loads the scripts.
    await live_through(store)
    store.clear()
    calm(server.url, store._client.prefix)
    await asyncio.gather(*(store.sessions.aopen(session(f"w{index}"), NOW) for index in range(CHANGE_BATCH)))
    with server.client() as client:
        client.config_resetstat()
        claimed = await store.queue.claim(Due.PUSH, WARNING, CHANGE_BATCH, LEASE)
        settled = [each for each in await store.queue.settle(claimed, WARNING) if each]
        await store.queue.confirm(Due.PUSH, settled, WARNING)
        calls = client.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert len(settled) == CHANGE_BATCH
    assert calls == 3


@pytest.mark.server
async def test_changes_of_many_sessions_that_come_together_are_one_call_to_read_and_one_to_write(
    make: MakeStore, server: RedisServer
) -> None:
    store = make(server.url)
    # It loads the scripts.
    await live_through(store)
    store.clear()
    watch_ids = [f"w{index}" for index in range(MAX_BATCH)]
    await asyncio.gather(*(store.sessions.aopen(session(watch_id), NOW) for watch_id in watch_ids))
    with server.client() as client:
        client.config_resetstat()
        extended = await asyncio.gather(*(store.sessions.aapply(each, Extended(), NOW + 1) for each in watch_ids))
        calls = client.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert [each.id for each in extended if each and each.activity.extensions] == watch_ids
    assert calls == 2


@pytest.mark.server
async def test_a_session_takes_less_than_a_kib_of_memory(make: MakeStore, server: RedisServer) -> None:
    # Just over a power of two: the hash tables of Redis are at their emptiest.
    sessions = 2100
    # As a site has them: moments that are no whole seconds, and a process by its name.
    at, process = NOW + 0.123456, current_process().name
    store = make(server.url, PREFIX="{idlewatch}:")
    await live_through(store)
    await store.aclose()
    store.close()
    with server.client() as client:
        for start in range(0, sessions, 300):
            watches = [secrets.token_urlsafe(16) for _ in range(start, start + 300)]
            await asyncio.gather(*(store.sessions.aopen(session(watch_id, at=at), at) for watch_id in watches))
            for event in (TabOpened(process, 50), Held("upload", "Uploading 3 files"), Acted()):
                await asyncio.gather(*(store.sessions.aapply(watch_id, event, at + 1) for watch_id in watches))
        await store.aclose()

        def per_session() -> float:
            # Not all that Redis uses, of which the buffers of connections come and go.
            keys = sum(client.memory_usage(key, samples=0) or 0 for key in list(client.scan_iter(count=1000)))
            tables = client.memory_stats()["db.0"]
            return (keys + tables["overhead.hashtable.main"] + tables["overhead.hashtable.expires"]) / sessions

        # Redis moves to a larger table little by little, and keeps both until then.
        until(lambda: per_session() < KIB)
        row = client.memory_usage(f"{{idlewatch}}:watch:{watches[0]}")
        print(f"a session takes {per_session():.0f} bytes, {row} of them its row")
        assert row < per_session()
