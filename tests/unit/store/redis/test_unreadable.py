"""What lies in Redis in the place of a session: cut, garbled, of another release, of another program."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from idlewatch.core.activity import Reason
from idlewatch.core.events import Held, Requested, TabOpened
from idlewatch.store.redis import RedisStore
from idlewatch.store.redis.codec import HEAD, Head, row_of
from idlewatch.store.values import Due
from tests.support.redis_server import calm, redis_url
from tests.support.sockets import errors
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.sessions import END, LEASE, NOW, session

ROW, _ = row_of(session("w2", at=NOW - 3600), NOW)


def with_head(**numbers: float) -> bytes:
    return HEAD.pack(*Head(*HEAD.unpack_from(ROW))._replace(**numbers)) + ROW[HEAD.size :]


UNREADABLE: dict[str, bytes | dict[str, str]] = {
    "nothing": b"",
    "text": b"this is no row",
    "cut in its head": ROW[:50],
    "cut in its facts": ROW[:-5],
    "facts of another release": ROW.replace(b"active", b"dozing"),
    "no number": with_head(next_at=float("nan")),
    "infinite": with_head(version=float("inf")),
    "a group that there is not": with_head(group=9),
    "a key that is longer than the row": with_head(key_size=60_000),
    "no lifetime": with_head(ttl=-1.0),
    "noise": bytes(range(256)) * 2,
    "a hash": {"version": "1"},
}
assert ROW.count(b"active") == 1


@pytest.fixture
def store(make: MakeStore) -> RedisStore:
    """A store with three sessions, one of which is to be broken."""
    made = make(redis_url(), PREFIX="{unreadable}:")
    made.clear()
    calm(redis_url(), "{unreadable}:")
    for watch_id in ("w1", "w2", "w3"):
        made.sessions.open(session(watch_id), NOW)
    return made


@pytest.fixture
def break_it(store: RedisStore) -> Callable[[bytes | dict[str, str]], None]:
    def break_it(value: bytes | dict[str, str]) -> None:
        with redis.Redis.from_url(redis_url()) as client:
            client.delete("{unreadable}:watch:w2")
            if isinstance(value, bytes):
                client.set("{unreadable}:watch:w2", value)
            else:
                client.hset("{unreadable}:watch:w2", mapping=value)

    return break_it


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE)
class TestARowThatCannotBeRead:
    async def test_keeps_no_other_session_from_what_it_is_due_for(
        self, store: RedisStore, break_it: Callable[..., None], value: object, caplog: pytest.LogCaptureFixture
    ) -> None:
        break_it(value)
        for moment in (NOW + 60, NOW + 60 + LEASE):
            claimed = await store.queue.claim(Due.CHECK, moment, 10, LEASE)
            assert {each.id for each in claimed} == {"w1", "w3"}
        await store.queue.confirm(Due.CHECK, claimed, NOW + 60 + LEASE)
        claimed = await store.queue.claim(Due.PUSH, END, 10, LEASE)
        assert {each.id for each in claimed} == {"w1", "w3"}
        assert None not in await store.queue.settle(claimed, END)
        found = await store.statistics.list(None, None, 0, 10)
        assert [each.id for each in found.sessions] == []
        (line,) = errors(caplog)
        assert line.startswith("The row of session w2 in Redis can't be read (")

    async def test_that_breaks_while_it_is_claimed_keeps_no_other_from_being_settled(
        self, store: RedisStore, break_it: Callable[..., None], value: object
    ) -> None:
        claimed = await store.queue.claim(Due.PUSH, END, 10, LEASE)
        break_it(value)
        settled = await store.queue.settle(claimed, END)
        assert {each.id for each in settled if each} == {"w1", "w3"}
        await store.queue.confirm(Due.PUSH, claimed, END)
        ended = await store.queue.claim(Due.RECORD, END, 10, LEASE)
        break_it(value)
        await store.queue.confirm(Due.RECORD, ended, END)
        assert await store.queue.claim(Due.RECORD, END + LEASE, 10, LEASE) == []

    @pytest.mark.parametrize(
        "event", [Requested(), Held("upload"), TabOpened("p1", 50)], ids=lambda event: type(event).__name__
    )
    async def test_is_none_and_is_replaced_where_the_session_is_resumed(
        self, store: RedisStore, break_it: Callable[..., None], value: object, event: object
    ) -> None:
        break_it(value)
        assert [each and each.id for each in store.sessions.get_many(["w1", "w2", "w3"])] == ["w1", None, "w3"]
        assert store.sessions.apply("w2", event, NOW + 1) is None
        assert await store.sessions.aget("w2") is None
        await store.sessions.aopen(session("w2"), NOW + 2)
        assert (await store.sessions.aapply("w2", event, NOW + 3)) is not None
        claimed = await store.queue.claim(Due.CHECK, NOW + 62, 10, LEASE)
        assert {each.id for each in claimed} == {"w1", "w2", "w3"}

    async def test_that_is_there_when_the_session_is_opened_or_ended_is_replaced(
        self, store: RedisStore, break_it: Callable[..., None], value: object
    ) -> None:
        break_it(value)
        assert store.sessions.open(session("w2"), NOW + 2).activity.ended is None
        break_it(value)
        assert store.sessions.end("w2", Reason.LOGOUT, NOW + 3).activity.reason is Reason.LOGOUT
        known = await store.sessions.aget("w2")
        assert known is not None
        assert known.activity.reason is Reason.LOGOUT


@pytest.mark.parametrize("name", ["epoch", "correction", "ended"])
async def test_a_number_that_is_none_is_replaced(store: RedisStore, name: str) -> None:
    with redis.Redis.from_url(redis_url()) as client:
        if name == "epoch":
            client.hset("{unreadable}:epoch", mapping={"created_at": "yesterday", "settle_after": "tomorrow"})
        else:
            client.set(f"{{unreadable}}:{name}", "many")
    assert (await store.presence.renew("p1", NOW, LEASE)).created_at == (NOW if name == "epoch" else 0.0)
    reading = await store.presence.aread_time("p1")
    assert reading is not None
    assert await store.presence.correct_time(reading, 1.0)
    store.sessions.end("w1", Reason.LOGOUT, NOW)
    sample = await store.statistics.take_sample(NOW, 15.0, 3600.0)
    assert sample is not None
    assert sample.ended == 1
