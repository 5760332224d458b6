"""Many threads, event loops and processes on one Redis: no change is lost, and none is made twice."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from idlewatch.core.activity import Reason
from idlewatch.core.events import Event, Extended, Requested, TabOpened, TabsCounted
from idlewatch.exceptions import TooManyTabs
from idlewatch.store.redis import RedisStore
from idlewatch.store.values import Due, Watched
from tests.support.redis_server import shared_redis
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.proxy import Proxy
from tests.unit.store.redis.sessions import LEASE, NOW, WARNING, session, sha_of

WRITE, SETTLE, TOUCH = map(sha_of, ("write", "settle", "touch"))


async def test_threads_and_event_loops_lose_no_change(store: RedisStore) -> None:
    workers, times = 8, 100
    opened = store.sessions.open(session(), NOW)
    start = Barrier(workers)

    def from_a_thread() -> None:
        # All at one moment: changes that look alike are changes all the same.
        for _ in range(times):
            store.sessions.apply("w1", Extended(), NOW + 1)

    async def from_a_loop() -> None:
        for _ in range(times):
            await store.sessions.aapply("w1", Extended(), NOW + 1)
        await store.aclose()

    def work(index: int) -> None:
        start.wait()
        if index % 2:
            from_a_thread()
        else:
            asyncio.run(from_a_loop())

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    last = store.sessions.get("w1")
    assert last is not None
    assert last.activity.extensions == workers * times
    assert last.version >= opened.version + workers * times


@pytest.mark.rule("R17")
async def test_tabs_that_open_at_once_are_counted_each_and_no_more_than_allowed(make: MakeStore) -> None:
    stores = [make(), make()]
    stores[0].sessions.open(session(), NOW)
    opened = await asyncio.gather(
        *(store.sessions.aapply("w1", TabOpened("p1", 50), NOW + 1) for store in stores for _ in range(30)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, TooManyTabs) for each in opened) == 10
    last = stores[0].sessions.get("w1")
    assert last is not None
    assert last.activity.tabs == {"p1": 50}


async def test_what_a_process_counts_while_it_is_being_buried_does_not_outlive_it(
    make: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, other = make(), make()
    dead.sessions.open(session(), NOW)
    await dead.presence.renew("p1", NOW, LEASE)
    await dead.sessions.aapply("w1", TabOpened("p1", 50), NOW)
    reap = other.sessions.aapply

    async def reap_and_meet(watch_id: str, event: Event, now: float) -> Watched | None:
        reaped = await reap(watch_id, event, now)
        assert not (await dead.presence.renew("p1", now, LEASE)).known
        await dead.sessions.aapply(watch_id, TabsCounted("p1", 1), now)
        return reaped

    with monkeypatch.context() as patch:
        patch.setattr(other.sessions, "aapply", reap_and_meet)
        assert await other.presence.reap(NOW + LEASE) == ["p1"]
    back = NOW + LEASE + 1
    assert not (await dead.presence.renew("p1", back, LEASE)).known
    await dead.sessions.aapply("w1", TabsCounted("p1", 1), back)
    assert await other.presence.reap(back + LEASE) == ["p1"]
    last = other.sessions.get("w1")
    assert last is not None
    assert last.activity.tabs == {}


class TestAnAnswerThatIsLost:
    @pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
    @pytest.mark.parametrize("is_overtaken", [False, True], ids=["", "and_overtaken_by_a_touch"])
    async def test_leaves_a_tab_counted_once(self, make: MakeStore, is_async: bool, is_overtaken: bool) -> None:
        direct = make()
        direct.sessions.open(session(), NOW)

        def overtake() -> None:
            if is_overtaken:
                direct.sessions.apply("w1", Requested(), NOW + 2)

        with Proxy(shared_redis().port) as proxy:
            store = make(proxy.url)
            await store.ping()
            proxy.lose_answer(WRITE, then=overtake)
            event = TabOpened("p1", 50)
            opened = (
                await store.sessions.aapply("w1", event, NOW + 1)
                if is_async
                else store.sessions.apply("w1", event, NOW + 1)
            )
            assert proxy.lost == 1
            await store.aclose()
            store.close()
        assert opened is not None
        assert opened == direct.sessions.get("w1")
        assert opened.activity.tabs == {"p1": 1}
        assert opened.activity.active == (NOW + 2 if is_overtaken else NOW)

    async def test_leaves_an_open_an_end_and_a_settlement_done_once(self, make: MakeStore) -> None:
        direct = make()
        with Proxy(shared_redis().port) as proxy:
            store = make(proxy.url)
            proxy.lose_answer(WRITE)
            opened = await store.sessions.aopen(session(), NOW)
            assert opened == direct.sessions.get("w1")
            (claimed,) = await store.queue.claim(Due.PUSH, WARNING, 10, LEASE)
            proxy.lose_answer(SETTLE)
            (settled,) = await store.queue.settle([claimed], WARNING)
            assert settled is not None
            assert settled.activity.warnings == 1
            assert settled == direct.sessions.get("w1")
            proxy.lose_answer(WRITE)
            ended = await store.sessions.aend("w1", Reason.LOGOUT, WARNING + 1)
            assert ended == direct.sessions.get("w1")
            assert ended.version > settled.version
            assert proxy.lost == 3
            await store.aclose()
            store.close()

    async def test_leaves_a_touch_done(self, make: MakeStore) -> None:
        with Proxy(shared_redis().port) as proxy:
            store = make(proxy.url)
            await store.sessions.aopen(session(), NOW)
            proxy.lose_answer(TOUCH)
            touched = await store.sessions.aapply("w1", Requested(), NOW + 5)
            assert proxy.lost == 1
            await store.aclose()
            store.close()
        assert touched is not None
        assert touched.activity.active == NOW + 5

    async def test_wakes_those_who_sleep_in_this_process(self, make: MakeStore) -> None:
        calls: list[str] = []
        with Proxy(shared_redis().port) as proxy:
            store = make(proxy.url)
            store.queue.on_due_sooner(Due.PUSH, lambda: calls.append("sooner"))
            assert await store.queue.next_due(Due.PUSH) is None
            proxy.lose_answer(WRITE)
            await store.sessions.aopen(session(), NOW)
            assert proxy.lost == 1
            assert calls
            await store.aclose()
            store.close()
