"""The store that any number of processes share: Redis 7 or later, or Valkey."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from idlewatch.store.base import Store
from idlewatch.store.redis.client import Client
from idlewatch.store.redis.commands import Command, script
from idlewatch.store.redis.inspection import inspect
from idlewatch.store.redis.keys import Keys
from idlewatch.store.redis.presence import RedisPresence
from idlewatch.store.redis.pubsub import WakeupListener
from idlewatch.store.redis.queue import RedisQueue
from idlewatch.store.redis.sessions import RedisSessions
from idlewatch.store.redis.statistics import RedisStatistics
from idlewatch.store.values import StoreCondition


class RedisStore(Store):
    """Keeps everything in Redis.

    `LOCATION` is a URL as redis-py takes it. `OPTIONS`: `PREFIX` of every key, with a hash tag; `SENTINELS`, a list of
    (host, port), `MASTER` and `SENTINEL_OPTIONS`; the rest goes to the connections.

    Raises:
        ValueError: an option does not fit.

    Example::

        RedisStore("redis://127.0.0.1:6379/0", {"PREFIX": "{my-site}:", "socket_timeout": 2.0})
    """

    shared: ClassVar[bool] = True

    def __init__(self, location: str | None = None, options: Mapping[str, object] | None = None) -> None:
        super().__init__(location, options or {})
        self._client = Client(location, self.options)
        self._keys = Keys(self._client.prefix)
        self._wakeups = WakeupListener(self._client)
        self.sessions = self._sessions = RedisSessions(self._client, self._wakeups)
        self.queue = RedisQueue(self._client, self._wakeups)
        self.presence = RedisPresence(self._client, self._sessions)
        self.statistics = RedisStatistics(self._client)

    def on_outage(self, callback: Callable[[], None]) -> None:
        self._client.on_failure(callback)

    def leave_ends(self) -> None:
        self._sessions.leave_ends()

    async def ping(self) -> None:
        # A write: a replica that is read only answers a mere ping.
        await self._client.acall(Command("SET", [self._keys.other("ping")], [1, "PX", 1000]))

    async def find_flaws(self) -> Sequence[str]:
        policy: bytes = await self._client.acall(script("eviction", [self._keys.other("epoch")]))
        if not policy:
            return []
        return [f"Redis may evict sessions: its maxmemory-policy is {policy.decode()!r}; expected 'noeviction'."]

    async def inspect(self) -> StoreCondition | None:
        async with self._client.own_connection() as connection:
            return await inspect(connection, self._keys)

    def clear(self) -> None:
        for key in self._client.find_keys():
            self._client.call(Command("UNLINK", [key.decode()]))

    async def aclose(self) -> None:
        await self._client.aclose()

    def close(self) -> None:
        self._wakeups.close()
        self._client.close()
