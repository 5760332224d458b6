"""Every store under its contract: add one to `STORES`, and the whole suite runs over it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Any

import pytest

from idlewatch.core.activity import Reason
from idlewatch.core.events import Event
from idlewatch.store.base import Store
from idlewatch.store.memory import MemoryStore
from idlewatch.store.redis import RedisStore
from idlewatch.store.values import Watched
from tests.support.redis_server import calm, redis_url


def redis_store() -> Store:
    prefix = f"{{test-{secrets.token_hex(8)}}}:"
    calm(redis_url(), prefix)
    return RedisStore(redis_url(), {"PREFIX": prefix})


STORES = [
    pytest.param(MemoryStore, id="memory"),
    pytest.param(redis_store, id="redis", marks=pytest.mark.redis),
]


class Face:
    """One face of a store: its sync operations, called from a thread as views call them, or their async twins."""

    def __init__(self, store: Store, *, is_async: bool) -> None:
        self.store = store
        self.is_async = is_async

    async def get(self, watch_id: str) -> Watched | None:
        return await self._call("get", watch_id)

    async def open(self, watched: Watched, now: float) -> Watched:
        return await self._call("open", watched, now)

    async def open_many(self, sessions: Sequence[Watched], now: float) -> Collection[str]:
        return await self._call("open_many", sessions, now)

    async def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        return await self._call("apply", watch_id, event, now)

    async def end(self, watch_id: str, reason: Reason | None, now: float) -> Watched:
        return await self._call("end", watch_id, reason, now)

    async def _call(self, name: str, *args: object) -> Any:
        if self.is_async:
            return await getattr(self.store.sessions, f"a{name}")(*args)
        return await asyncio.to_thread(getattr(self.store.sessions, name), *args)


@pytest.fixture(autouse=True)
def prompt_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a Redis store that is closed wait no half second for the thread that listens."""
    monkeypatch.setattr("idlewatch.store.redis.pubsub.POLL_TIMEOUT", 0.01)


@pytest.fixture(params=STORES)
def make_store(request: pytest.FixtureRequest) -> Callable[[], Store]:
    return request.param


@pytest.fixture
async def store(make_store: Callable[[], Store]) -> AsyncIterator[Store]:
    made = make_store()
    yield made
    await made.aclose()
    made.close()


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def face(store: Store, request: pytest.FixtureRequest) -> Face:
    return Face(store, is_async=request.param)
