"""A process that is buried, and answers that are lost: nothing outlives its process, and nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from idlewatch.core.activity import Reason
from idlewatch.core.events import Event, Extended, Held, Released, Requested, TabOpened, TabsCounted
from idlewatch.exceptions import Undecided
from idlewatch.store import transitions
from idlewatch.store.redis import RedisStore
from idlewatch.store.redis.commands import Command
from idlewatch.store.redis.rows import MAX_TRIES, PAUSES, PROMPT_RACES, RESERVATION, Race
from idlewatch.store.values import Due, Watched
from tests.support.redis_server import shared_redis
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.proxy import Proxy
from tests.unit.store.redis.sessions import LEASE, NOW, WARNING, session, sha_of

WRITE, TOUCH = map(sha_of, ("write", "touch"))


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


class TestAChangeThatIsOvertaken:
    """Another process writes between the reading of a session and the writing of it."""

    @pytest.fixture
    def overtake(self, store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
        read = store.sessions._rows.get

        def overtake(happen: Callable[[], object]) -> None:
            def read_and_be_overtaken(watch_id: str) -> Any:
                present = yield from read(watch_id)
                happen()
                return present

            monkeypatch.setattr(store.sessions._rows, "get", read_and_be_overtaken)

        return overtake

    def test_is_made_to_what_the_other_wrote(self, store: RedisStore, make: MakeStore, overtake: Any) -> None:
        other = make()
        store.sessions.open(session(), NOW)
        overtake(lambda: other.sessions.apply("w1", TabOpened("p2", 50), NOW + 1))
        restarted = store.sessions.restart(session(key="another key"), NOW + 2)
        assert (restarted.key, restarted.activity.tabs) == ("another key", {"p2": 1})
        overtake(lambda: other.sessions.apply("w1", TabOpened("p3", 50), NOW + 3))
        ended = store.sessions.end("w1", Reason.LOGOUT, NOW + 4)
        assert (ended.activity.reason, ended.activity.tabs) == (Reason.LOGOUT, {"p2": 1, "p3": 1})
        assert other.sessions.get("w1") == ended

    def test_does_not_bring_back_what_redis_lost_but_an_end_is_kept(self, store: RedisStore, overtake: Any) -> None:
        store.sessions.open(session(), NOW)
        overtake(store.clear)
        assert store.sessions.apply("w1", TabOpened("p1", 50), NOW + 1) is None
        store.sessions.open(session(), NOW + 2)
        ended = store.sessions.end("w1", Reason.LOGOUT, NOW + 3)
        assert (ended.activity.reason, ended.user) == (Reason.LOGOUT, "")


async def test_of_changes_that_are_written_together_each_is_made_to_what_another_process_wrote_meanwhile(
    store: RedisStore, make: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, read = make(), store.sessions._rows.read_all
    for watch_id in ("w1", "w2"):
        store.sessions.open(session(watch_id), NOW)

    def read_and_be_overtaken(watch_ids: Any) -> Any:
        found = yield from read(watch_ids)
        other.sessions.apply("w1", TabOpened("p2", 50), NOW + 1)
        return found

    monkeypatch.setattr(store.sessions._rows, "read_all", read_and_be_overtaken)
    changes = [("w1", Extended()), ("w2", TabOpened("p1", 50)), ("w1", TabOpened("p1", 50)), ("unknown", Extended())]
    changed = await asyncio.gather(*(store.sessions.aapply(watch_id, event, NOW + 2) for watch_id, event in changes))
    tabs = [each and (each.activity.extensions, each.activity.tabs) for each in changed]
    assert tabs == [(1, {"p2": 1, "p1": 1}), (0, {"p1": 1}), (1, {"p2": 1, "p1": 1}), None]


async def test_events_of_two_tabs_keep_their_order_where_another_process_overtakes_the_first(
    store: RedisStore, make: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, read, later = make(), store.sessions._rows.read_all, list[asyncio.Task[Watched | None]]()
    store.sessions.open(session(), NOW)

    def read_and_be_overtaken(watch_ids: Any) -> Any:
        found = yield from read(watch_ids)
        if not later:
            other.sessions.apply("w1", Extended(), NOW + 1)
            later.append(asyncio.create_task(store.sessions.aapply("w1", Released("upload"), NOW + 3)))
        return found

    monkeypatch.setattr(store.sessions._rows, "read_all", read_and_be_overtaken)
    held = await store.sessions.aapply("w1", Held("upload", "Uploading 3 files"), NOW + 2)
    released = await later[0]
    assert held is not None
    assert released is not None
    assert (released.activity.extensions, dict(released.activity.holds)) == (1, {})
    assert store.sessions.get("w1") == released


class TestAChangeThatIsOvertakenAgainAndAgain:
    """Other processes never stop writing the session."""

    @pytest.fixture
    def overtaken(self, store: RedisStore, make: MakeStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Has another process write, or try to, whenever this one is about to; the commands that this one sends."""
        names: list[str] = []
        other, call = make(), store._client.call
        monkeypatch.setattr("idlewatch.store.redis.rows.MAX_TRIES", 1)

        def overtake(command: Command) -> object:
            names.append(command.name)
            if command.name == "write":
                # It gives up at once where it can't reserve the session.
                with suppress(Undecided):
                    other.sessions.apply("w1", Extended(), NOW + 1)
            return call(command)

        store.sessions.open(session(), NOW)
        monkeypatch.setattr(store._client, "call", overtake)
        return names

    @pytest.mark.parametrize("change", ["apply", "end", "restart"])
    def test_reserves_the_session_and_is_made(
        self, store: RedisStore, make: MakeStore, overtaken: list[str], change: str
    ) -> None:
        if change == "apply":
            written = store.sessions.apply("w1", TabOpened("p1", 50), NOW + 2)
        elif change == "end":
            written = store.sessions.end("w1", Reason.REVOKED, NOW + 2)
        else:
            written = store.sessions.restart(session(key="another key"), NOW + 2)
        assert overtaken == ["get", *["write"] * PROMPT_RACES, "reserve", "write"]
        other = make()
        assert written == other.sessions.get("w1")
        assert written is not None
        assert written.activity.extensions == PROMPT_RACES
        # It is free again, for mere activity too.
        if change != "end":
            touched = other.sessions.apply("w1", Requested(), NOW + 3)
            assert touched is not None
            assert touched.activity.active == NOW + 3

    def test_gives_up_where_another_has_reserved_it_and_mere_activity_too(
        self, store: RedisStore, make: MakeStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("idlewatch.store.redis.rows.PAUSES", (0.0, 0.0))
        monkeypatch.setattr("idlewatch.store.redis.rows.RESERVATION", 60_000)
        store.sessions.open(session(), NOW)
        other = make()
        other._client.run(other.sessions._rows.lose(race := Race(PROMPT_RACES), "w1", None))
        for event in (Extended(), Requested()):
            with pytest.raises(Undecided, match="at once"):
                store.sessions.apply("w1", event, NOW + 1)
        present = other.sessions.get("w1")
        assert present is not None
        new = transitions.after(Extended(), present, NOW + 2)
        done, _ = other._client.run(other.sessions._rows.write(present, new, NOW + 2, race))
        assert done
        assert store.sessions.apply("w1", Requested(), NOW + 3) == store.sessions.get("w1")

    @pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
    async def test_waits_no_longer_than_a_writer_that_died_may_have_reserved_it(
        self, store: RedisStore, make: MakeStore, monkeypatch: pytest.MonkeyPatch, is_async: bool
    ) -> None:
        assert (MAX_TRIES - PROMPT_RACES) * sum(PAUSES) / 2 > RESERVATION / 1000
        monkeypatch.setattr("idlewatch.store.redis.rows.RESERVATION", 1)
        store.sessions.open(session(), NOW)
        other = make()
        other._client.run(other.sessions._rows.lose(Race(PROMPT_RACES), "w1", None))
        monkeypatch.undo()
        apply, aapply = store.sessions.apply, store.sessions.aapply
        extended = await aapply("w1", Extended(), NOW + 1) if is_async else apply("w1", Extended(), NOW + 1)
        assert extended is not None
        assert extended.activity.extensions == 1


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
        proxy.lose_answer(WRITE)
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
