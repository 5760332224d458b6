"""A Redis that processes share, for a test to stop and start, with its data or without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from idlewatch.exceptions import StoreUnavailable, Undecided
from idlewatch.monitor import stores
from idlewatch.monitor.clock_sync import ClockSync
from idlewatch.process import Process
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.timer import Timer
from idlewatch.store.base import Presence
from idlewatch.store.redis import RedisStore
from idlewatch.store.values import Watched
from tests.conftest import Time
from tests.support.redis_server import RedisServer
from tests.support.watches import sign_in_many

PREFIX = "{outage}:"


async def keep_still(_: ClockSync, presence: Presence) -> None:
    """Ask the store for its time, as a timer does first, and go by the test's."""
    await presence.aread_time("any")


class Member:
    """One of the processes that share the store; what happens while it is entered happens in it."""

    def __init__(self, name: str, url: str, clock: Time) -> None:
        self.name = name
        self.clock = clock
        self.process = Process(name, clock.clock)
        self.store = RedisStore(url, {"PREFIX": PREFIX})
        opened = stores.add_fallback(self.process, self.store)
        assert opened.recovery is not None
        self.recovery = opened.recovery
        self.process.keep(stores.open_store, opened)
        self.hub = Hub(self.process)
        self.timer = Timer(self.process, self.hub)

    def entered(self) -> AbstractContextManager[object]:
        return self.process.entered()

    def sign_in(self, **limits: float) -> Watched:
        """Sign a user in at it."""
        with self.entered():
            return sign_in_many(1, **limits)[0]

    async def asign_in(self, **limits: float) -> Watched:
        """Twin of `sign_in`."""
        return await sync_to_async(self.sign_in)(**limits)

    async def around(self) -> None:
        """Let its timer go round once; what it can't do, it can't."""
        with self.entered():
            try:
                await self.timer.keep(self.clock.now)
                await self.timer.push(self.clock.now)
                await self.timer.keep(self.clock.now)
            except (StoreUnavailable, Undecided):
                # As its lanes do.
                pass
            finally:
                self.timer._round_at = float("-inf")

    def go_round(self) -> None:
        async_to_sync(self.around)()


class Outage:
    """Redis, which a test stops and starts, and the processes that share it."""

    def __init__(self, directory: Path, clock: Time, *, persistent: bool) -> None:
        self.redis = RedisServer(directory, persistent=persistent)
        self.clock = clock
        self.redis.start()
        self.made: list[Member] = []

    def process(self, name: str) -> Member:
        self.made.append(Member(name, self.redis.url, self.clock))
        return self.made[-1]

    async def around(self, seconds: float = 0.0) -> None:
        """Let every timer go round, second after second."""
        for _ in range(max(1, int(seconds))):
            if seconds:
                self.clock.pass_(1)
            for process in self.made:
                await process.around()

    def go_round(self, seconds: float = 0.0) -> None:
        async_to_sync(self.around)(seconds)

    def close(self) -> None:
        for process in self.made:
            process.process.close()
        self.redis.stop()


@contextmanager
def outage(directory: Path, clock: Time, *, persistent: bool) -> Iterator[Outage]:
    """Run a Redis; the test's clock decides, and every caller asks Redis, not only the first in a while."""
    made = Outage(directory, clock, persistent=persistent)
    with pytest.MonkeyPatch.context() as patch, closing(made):
        patch.setattr(ClockSync, "follow", lambda *_: None)
        patch.setattr(ClockSync, "keep", keep_still)
        patch.setattr("idlewatch.store.redis.breaker.RETRY_DELAY", 0.0)
        yield made
