"""A process that is buried, and answers that are lost: nothing outlives its process, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from idlewatch.core.activity import Reason
from idlewatch.core.events import Event, Requested, TabOpened, TabsCounted
from idlewatch.store.values import Due, Watched
from tests.support.redis_server import shared_redis
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.proxy import Proxy
from tests.unit.store.redis.sessions import LEASE, NOW, WARNING, session, sha_of

WRITE, SETTLE, TOUCH = map(sha_of, ("write", "settle", "touch"))


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(shared_redis().port) as proxy:
        yield proxy


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
    async def test_leaves_a_tab_counted_once(
        self, proxy: Proxy, make: MakeStore, is_async: bool, is_overtaken: bool
    ) -> None:
        store, direct = make(proxy.url), make()
        direct.sessions.open(session(), NOW)

        await store.ping()
        overtake = partial(direct.sessions.apply, "w1", Requested(), NOW + 2)
        proxy.lose_answer(WRITE, then=overtake if is_overtaken else lambda: None)
        event = TabOpened("p1", 50)
        apply, aapply = store.sessions.apply, store.sessions.aapply
        opened = await aapply("w1", event, NOW + 1) if is_async else apply("w1", event, NOW + 1)
        assert proxy.lost == 1
        assert opened is not None
        assert opened == direct.sessions.get("w1")
        assert opened.activity.tabs == {"p1": 1}
        assert opened.activity.active == (NOW + 2 if is_overtaken else NOW)

    async def test_leaves_an_open_a_touch_an_end_and_a_settlement_done_once(
        self, proxy: Proxy, make: MakeStore
    ) -> None:
        store, direct = make(proxy.url), make()
        proxy.lose_answer(WRITE)
        opened = await store.sessions.aopen(session(), NOW)
        assert opened == direct.sessions.get("w1")
        proxy.lose_answer(TOUCH)
        touched = await store.sessions.aapply("w1", Requested(), NOW + 5)
        assert touched is not None
        assert touched.activity.active == NOW + 5
        (claimed,) = await store.queue.claim(Due.PUSH, WARNING + 5, 10, LEASE)
        proxy.lose_answer(SETTLE)
        (settled,) = await store.queue.settle([claimed], WARNING + 5)
        assert settled is not None
        assert settled.activity.warnings == 1
        assert settled == direct.sessions.get("w1")
        proxy.lose_answer(WRITE)
        ended = await store.sessions.aend("w1", Reason.LOGOUT, WARNING + 6)
        assert ended == direct.sessions.get("w1")
        assert ended.version > settled.version
        assert proxy.lost == 4
        await store.statistics.take_sample(WARNING + 6, 15.0, 3600.0)
        assert [each.ended for each in await store.statistics.samples()] == [1]

    async def test_wakes_those_who_sleep_in_this_process(self, proxy: Proxy, make: MakeStore) -> None:
        calls: list[str] = []
        store = make(proxy.url)
        store.queue.on_due_sooner(Due.PUSH, lambda: calls.append("sooner"))
        assert await store.queue.next_due(Due.PUSH) is None
        proxy.lose_answer(WRITE)
        await store.sessions.aopen(session(), NOW)
        assert proxy.lost == 1
        assert calls
