"""A process is woken when another makes something due sooner than it expects."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from idlewatch.core.activity import Reason
from idlewatch.store.redis import RedisStore
from idlewatch.store.values import Due
from tests.support.redis_server import RedisServer, shared_redis
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.sessions import NOW, session, until


def listening(store: RedisStore, server: RedisServer | None = None) -> int:
    """Return how many processes listen to a store."""
    with (server or shared_redis()).client() as client:
        return client.pubsub_numsub(f"{store._client.prefix}sooner")[0][1]


def wakers() -> int:
    return [thread.name for thread in threading.enumerate()].count("idlewatch-wakeups")


def sleep_on(store: RedisStore, server: RedisServer | None = None) -> list[str]:
    """Have a store listen for pushes; return a list of its calls."""
    calls: list[str] = []
    store.queue.on_due_sooner(Due.PUSH, lambda: calls.append("sooner"))
    until(lambda: listening(store, server) == 1)
    return calls


async def test_what_another_process_writes_wakes_those_who_sleep_longer(make: MakeStore) -> None:
    writer, sleeper = make(), make()
    calls: list[Due] = []
    for due in Due:
        sleeper.queue.on_due_sooner(due, lambda due=due: calls.append(due))  # type: ignore[misc]
        assert await sleeper.queue.next_due(due) is None
    until(lambda: listening(sleeper) == 1)
    writer.sessions.open(session(), NOW)
    until(lambda: set(calls) == {Due.PUSH, Due.CHECK})
    calls.clear()
    await sleeper.queue.next_due(Due.PUSH)
    writer.sessions.open(session("w2"), NOW + 1)
    await writer.sessions.aend("w1", Reason.LOGOUT, NOW + 2)
    until(lambda: set(calls) >= {Due.PUSH, Due.RECORD})
    assert calls.count(Due.PUSH) == 1, "the second session is due later than the first, and wakes no one"


async def test_a_process_is_woken_by_its_own_writes_once_and_by_no_message_without_sense(make: MakeStore) -> None:
    store = make()
    calls = sleep_on(store)
    await store.queue.next_due(Due.PUSH)
    store.sessions.open(session(), NOW)
    assert calls == ["sooner"]
    # By now it was told of a later moment; its own message may well come after that.
    store._wakeups.note_next(Due.PUSH, None)
    channel = f"{store._client.prefix}sooner"
    with shared_redis().client() as client:
        for nonsense in ("", "nonsense", "another lunch 5", "another push soon", b"\xff \xff \xff"):
            client.publish(channel, nonsense)
        client.publish(channel, f"{store._client.name} push {NOW}")
        client.publish(channel, f"another push {NOW - 1}")
    until(lambda: len(calls) == 2)
    assert store._wakeups._next_at[Due.PUSH] == NOW - 1
    await asyncio.sleep(0.1)
    assert len(calls) == 2


async def test_what_becomes_due_while_the_answer_is_on_its_way_is_not_slept_through(
    make: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, sleeper = make(), make()
    calls = sleep_on(sleeper)
    ask = sleeper._client.acall

    async def overtaken(command: Any) -> Any:
        answer = await ask(command)
        writer.sessions.open(session(), NOW)
        await asyncio.sleep(0.2)
        return answer

    monkeypatch.setattr(sleeper._client, "acall", overtaken)
    assert await sleeper.queue.next_due(Due.PUSH) is None
    assert calls == ["sooner"]


@pytest.mark.server
async def test_outlives_a_restart_of_redis(
    make: MakeStore, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idlewatch.store.redis.pubsub.RECONNECT_DELAY", 0.05)
    writer, sleeper = make(server.url), make(server.url)
    calls = sleep_on(sleeper, server)
    server.stop()
    await asyncio.sleep(0.2)
    assert wakers() == 1
    server.start()
    until(lambda: listening(sleeper, server) == 1)
    assert await sleeper.queue.next_due(Due.PUSH) is None
    writer.sessions.open(session(), NOW)
    until(lambda: calls)


async def test_closing_ends_the_thread_and_the_subscription(make: MakeStore) -> None:
    store = make()
    assert wakers() == 0, "a process without a timer needs none"
    stop = store.queue.on_due_sooner(Due.PUSH, lambda: None)
    store.queue.on_due_sooner(Due.RECORD, lambda: None)
    until(lambda: listening(store) == 1)
    assert wakers() == 1
    stop()
    store.close()
    assert wakers() == 0
    until(lambda: listening(store) == 0)
    store.close()
