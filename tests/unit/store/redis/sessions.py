"""Sessions as a site has them, for the tests of the Redis store."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redis.exceptions import RedisError

from idlewatch.core.activity import Reason
from idlewatch.core.events import Extended, Held, Requested, TabOpened, TabsCounted
from idlewatch.core.policy import Policy
from idlewatch.exceptions import StoreUnavailable
from idlewatch.store.base import Store
from idlewatch.store.redis.commands import source_of
from idlewatch.store.values import Due, Watched
from tests.support.facts import signed_in
from tests.support.redis_server import RedisServer

NOW = 1_900_000_000.0
POLICY = Policy()
WARNING = NOW + POLICY.idle_timeout - POLICY.warn_before
END = NOW + POLICY.idle_timeout
LEASE = 10.0


def session(watch_id: str = "w1", key: str | None = None, at: float = NOW) -> Watched:
    """Return a session as it begins, with a key as long as Django's."""
    key = key or secrets.token_hex(16)
    return Watched(id=watch_id, user="1048576", key=key, policy=POLICY, activity=signed_in(at))


def sha_of(script: str) -> bytes:
    """Return the name by which Redis knows a script."""
    return hashlib.sha1(source_of(script).encode(), usedforsecurity=False).hexdigest().encode()


@contextmanager
def running(directory: Path, *options: str) -> Iterator[RedisServer]:
    """Run a Redis with options of its own."""
    directory.mkdir(exist_ok=True)
    server = RedisServer(directory, *options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def until(met: Callable[[], object], within: float = 10.0) -> None:
    """Wait for something that another thread or process does; until then it may raise errors of Redis."""
    deadline = time.monotonic() + within
    while True:
        with suppress(RedisError, StoreUnavailable):
            if met():
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def recovered(store: Store) -> None:
    """Wait until a store answers again, through both faces."""
    async with asyncio.timeout(10):
        for ask in (lambda: asyncio.to_thread(store.sessions.get, "w1"), lambda: store.sessions.aget("w1")):
            while True:
                with suppress(StoreUnavailable):
                    await ask()
                    break
                await asyncio.sleep(0.05)


async def live_through(store: Store) -> None:
    """Have a session live and end, and each operation of the store do its part."""
    opened = await store.sessions.aopen(session(), NOW)
    assert store.sessions.get("w1") == opened
    store.sessions.bind("w1", "another key")
    assert (await store.sessions.aget("w1") or opened).key == "another key"
    renewal = await store.presence.renew("p1", NOW, LEASE)
    await store.presence.mark_resumed(renewal.created_at, NOW)
    store.sessions.apply("w1", TabOpened("p1", 50), NOW + 1)
    await store.sessions.aapply("w1", Held("upload", "Uploading 3 files"), NOW + 2)
    store.sessions.apply("w1", Requested(), NOW + 3)
    extended = await store.sessions.aapply("w1", Extended(), NOW + 4)
    assert extended is not None
    assert (extended.activity.tabs, extended.activity.active) == ({"p1": 1}, NOW + 4)
    assert await store.presence.reap(NOW + 2 * LEASE) == ["p1"]
    counted = await store.sessions.aapply("w1", TabsCounted("p2", 1), NOW + 3 * LEASE)
    assert counted is not None
    assert counted.activity.tabs == {"p2": 1}

    (checked,) = await store.queue.claim(Due.CHECK, NOW + 60, 10, LEASE)
    await store.queue.confirm(Due.CHECK, [checked], NOW + 60)
    (warned,) = await store.queue.claim(Due.PUSH, END, 10, LEASE)
    (settled,) = await store.queue.settle([warned], END)
    assert settled is not None
    await store.queue.confirm(Due.PUSH, [settled], END)
    ended = store.sessions.end("w1", Reason.REVOKED, END + 1)
    assert ended.activity.reason is Reason.REVOKED
    (recorded,) = await store.queue.claim(Due.RECORD, END + 1, 10, LEASE)
    await store.queue.confirm(Due.RECORD, [recorded], END + 1)
    assert (await store.sessions.aopen(session(), END + 2)).activity == ended.activity
    assert await store.queue.next_due(Due.RECORD) is None
    await store.ping()
