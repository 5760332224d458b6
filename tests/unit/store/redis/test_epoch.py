"""A Redis that lost data: who resumes the records into it, and from when on the clock may end sessions in it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, Extended, Reported, Requested
from idlewatch.exceptions import HeldBack, StoreUnavailable
from idlewatch.store.redis import RedisStore
from idlewatch.store.redis.presence import PART_LEASE, RESUME_LEASE
from idlewatch.store.values import Due, Share
from tests.support.redis_server import RedisServer
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.sessions import END, LEASE, NOW, running, session

PREFIX = "{epoch}:"
pytestmark = pytest.mark.server


@pytest.fixture
def store(make: MakeStore, server: RedisServer) -> RedisStore:
    """A store that is empty, and that no process has seen yet."""
    return make(server.url, PREFIX=PREFIX)


class TestWhileItIsHeldBack:
    async def test_nothing_ends_by_the_clock_and_everything_else_happens(self, store: RedisStore) -> None:
        store.sessions.open(session(), NOW)
        assert await store.queue.claim(Due.PUSH, END, 10, LEASE) == []
        assert await store.queue.next_due(Due.PUSH) is None
        for event in (Requested(), Acted(), Extended()):
            with pytest.raises(HeldBack):
                store.sessions.apply("w1", event, END)
        reported = store.sessions.apply("w1", Reported(NOW + 100), END)
        assert reported is not None
        assert reported.activity.ended is None
        touched = store.sessions.apply("w1", Requested(), END)
        assert touched is not None
        assert touched.activity.active == END
        ended = store.sessions.end("w1", Reason.LOGOUT, END + 1)
        assert ended.activity.reason is Reason.LOGOUT

    async def test_what_was_claimed_before_is_not_settled(self, store: RedisStore) -> None:
        renewal = await store.presence.renew("p1", NOW, LEASE)
        await store.presence.mark_resumed(renewal.created_at, NOW)
        store.sessions.open(session(), NOW)
        claimed = await store.queue.claim(Due.PUSH, END, 10, LEASE)
        await store.presence.hold_back(renewal.created_at, END + 4)
        assert await store.queue.settle(claimed, END) == [None]
        assert await store.queue.claim(Due.PUSH, END + 3.9, 10, LEASE) == []
        assert [each.id for each in await store.queue.claim(Due.PUSH, END + 4, 10, LEASE)] == ["w1"]

    async def test_a_moment_by_a_clock_that_was_wrong_holds_nothing_up(self, store: RedisStore) -> None:
        renewal = await store.presence.renew("p1", NOW, LEASE)
        await store.presence.mark_resumed(renewal.created_at, NOW + 3600)
        assert not store.presence.is_holding_back(NOW)
        assert (await store.presence.renew("p1", NOW, LEASE)).settle_after <= NOW


class TestResuming:
    async def test_is_for_one_process_until_it_makes_no_progress(self, store: RedisStore) -> None:
        first = await store.presence.renew("p1", NOW, LEASE)
        assert (first.resume, first.settle_after, first.lost_from) == (True, math.inf, None)
        assert not (await store.presence.renew("p2", NOW + RESUME_LEASE - 1, LEASE)).resume
        await store.presence.keep_resuming(first.created_at, NOW + RESUME_LEASE - 1)
        assert not (await store.presence.renew("p2", NOW + 2 * RESUME_LEASE - 2, LEASE)).resume
        assert (await store.presence.renew("p2", NOW + 2 * RESUME_LEASE - 1, LEASE)).resume

    async def test_of_a_store_that_was_emptied_again_is_not_done(self, store: RedisStore) -> None:
        before = await store.presence.renew("p1", NOW, LEASE)
        store.clear()
        after = await store.presence.renew("p2", NOW + 1, LEASE)
        await store.presence.mark_resumed(before.created_at, NOW + 2)
        assert (after.resume, store.presence.is_holding_back(NOW + 3)) == (True, True)
        await store.presence.mark_resumed(after.created_at, NOW + 2)
        assert not store.presence.is_holding_back(NOW + 3)


class TestParts:
    async def test_are_taken_once_each_until_they_are_late(self, store: RedisStore) -> None:
        at = (await store.presence.renew("p1", NOW, LEASE)).created_at
        assert await store.presence.take_part(at, NOW) == Share("", "", 0, 0)
        await store.presence.offer_parts(at, "p1", ["a", "b"], are_first=True)
        first = await store.presence.take_part(at, NOW, sharer="p1")
        assert first == Share("p1", "a", 2, 0)
        assert await store.presence.take_part(at, NOW, done="a") == Share("p1", "b", 2, 1)
        assert await store.presence.take_part(at, NOW + PART_LEASE - 1) == Share("p1", "", 2, 1)
        assert await store.presence.take_part(at, NOW + PART_LEASE) == Share("p1", "b", 2, 1)
        assert await store.presence.take_part(at, NOW + 2 * PART_LEASE, done="b", takes=False) == Share("p1", "", 2, 2)

    async def test_are_added_to_those_that_are_under_way_or_take_their_place(self, store: RedisStore) -> None:
        at = (await store.presence.renew("p1", NOW, LEASE)).created_at
        await store.presence.offer_parts(at, "p1", ["a", "b"], are_first=True)
        await store.presence.take_part(at, NOW)
        await store.presence.offer_parts(at, "p1", ["a", "c"], are_first=False)
        assert (await store.presence.take_part(at, NOW)).offered == 3
        await store.presence.offer_parts(at, "p1", ["a"], are_first=True)
        assert await store.presence.take_part(at, NOW) == Share("p1", "a", 1, 0)
        await store.presence.offer_parts(at, "p2", ["d"], are_first=True)
        assert await store.presence.take_part(at, NOW) == Share("p2", "d", 1, 0)
        assert (await store.presence.take_part(at, NOW, sharer="p1", done="a")).done == 1

    async def test_of_a_store_that_was_emptied_or_is_an_older_copy_are_nothing_to_it(
        self, store: RedisStore, server: RedisServer
    ) -> None:
        before = (await store.presence.renew("p1", NOW, LEASE)).created_at
        await store.presence.offer_parts(before, "p1", ["a"], are_first=True)
        with server.client() as client:
            client.hset(f"{PREFIX}epoch", "lineage", "another")
        copied = (await store.presence.renew("p1", NOW + 1, LEASE)).created_at
        assert await store.presence.take_part(copied, NOW + 1) == Share("", "", 0, 0)
        await store.presence.offer_parts(before, "p1", ["b"], are_first=False)
        assert await store.presence.take_part(before, NOW + 1) == Share("", "", 0, 0)
        store.clear()
        await store.presence.offer_parts(copied, "p1", ["c"], are_first=False)
        emptied = (await store.presence.renew("p1", NOW + 2, LEASE)).created_at
        assert await store.presence.take_part(emptied, NOW + 2) == Share("", "", 0, 0)


class TestAnotherServer:
    async def test_is_asked_nothing_before_a_process_has_found_out(
        self, store: RedisStore, server: RedisServer
    ) -> None:
        renewal = await store.presence.renew("p1", NOW, LEASE)
        await store.presence.mark_resumed(renewal.created_at, NOW)
        watched = store.sessions.open(session(), NOW)
        with server.client() as client:
            client.hset(f"{PREFIX}epoch", "lineage", "of the one before")
        with pytest.raises(StoreUnavailable, match="FAILEDOVER"):
            store.sessions.get("w1")
        for ask in (
            store.sessions.aapply("w1", Acted(), NOW + 1),
            store.queue.claim(Due.PUSH, END, 10, LEASE),
            store.queue.settle([watched], END),
        ):
            with pytest.raises(StoreUnavailable, match="FAILEDOVER"):
                await ask
        found = await store.presence.renew("p2", NOW + 5, LEASE)
        assert (found.resume, found.created_at, found.lost_from) == (True, NOW + 5, NOW)
        assert store.sessions.get("w1") == watched

    async def test_is_known_by_what_it_lacks_where_the_name_of_its_data_may_not_be_asked(
        self, make: MakeStore, tmp_path: Path
    ) -> None:
        with running(tmp_path, "--user", "default", "on", "nopass", "~*", "&*", "+@all", "-info") as server:
            store = make(server.url, PREFIX=PREFIX)
            first = await store.presence.renew("p1", NOW, LEASE)
            await store.presence.mark_resumed(first.created_at, NOW)
            with server.client() as client:
                copy = client.dump(f"{PREFIX}epoch")
                assert not (await store.presence.renew("p1", NOW + 1, LEASE)).resume
                client.restore(f"{PREFIX}epoch", 0, copy, replace=True)
            found = await store.presence.renew("p1", NOW + 2, LEASE)
            assert (found.resume, found.created_at, found.lost_from) == (True, NOW + 2, NOW)
            assert not (await store.presence.renew("p1", NOW + 3, LEASE)).resume
