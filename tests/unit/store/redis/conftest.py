"""Stores on a Redis that all share, or on one that a test may harm."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from idlewatch.store.redis import RedisStore
from tests.support.redis_server import RedisServer, calm, redis_url

MakeStore = Callable[..., RedisStore]


@pytest.fixture
async def make() -> AsyncIterator[MakeStore]:
    """Makes stores, on the shared Redis and with a prefix of the test's own unless told otherwise."""
    prefix = f"{{test-{secrets.token_hex(8)}}}:"
    made: list[RedisStore] = []

    def make(location: str | None = None, **options: object) -> RedisStore:
        if location is None:
            calm(redis_url(), str(options.get("PREFIX", prefix)))
        made.append(RedisStore(location or redis_url(), {"PREFIX": prefix, **options}))
        return made[-1]

    yield make
    for store in made:
        await store.aclose()
        store.close()


@pytest.fixture
def store(make: MakeStore) -> RedisStore:
    return make()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()
