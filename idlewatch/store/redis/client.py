"""Asks Redis, from threads and from event loops."""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from threading import Event, Lock
from typing import Any
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from msgspec import MsgspecError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from idlewatch import metrics
from idlewatch.exceptions import StoreUnavailable
from idlewatch.store.redis.breaker import CircuitBreaker
from idlewatch.store.redis.commands import Command, Pause, Steps, T, source_of
from idlewatch.store.redis.connection import KeptConnections
from idlewatch.store.redis.options import ConnectionOptions, close_async_client, close_client, probe
from idlewatch.store.redis.pipeline import Pipeline

logger = logging.getLogger("idlewatch")

MAX_UNREADABLE = 1000
"""Sessions whose rows could not be read that are remembered, so that each is logged once."""


class Client:
    """Runs commands and operations. Thread-safe; each event loop has connections of its own.

    Every call raises `StoreUnavailable` where Redis does not answer, or refuses; see `CircuitBreaker`.
    """

    def __init__(self, location: str | None, options: Mapping[str, Any]) -> None:
        self._options = ConnectionOptions(location, options)
        self.prefix = self._options.prefix
        self.name = secrets.token_hex(4)
        """By which it knows its own messages."""
        self._breaker = CircuitBreaker()
        self._unreadable: set[str] = set()
        """Sessions whose rows could not be read, and of which that was logged."""
        self._sync = self._options.make_client()
        self._kept = KeptConnections(self._sync)
        probe(self._sync)
        probe(self._options.make_async_client())
        self._lock = Lock()
        self._pipelines: WeakKeyDictionary[asyncio.AbstractEventLoop, Pipeline] = WeakKeyDictionary()

    def run(self, steps: Steps[T]) -> T:
        """Run an operation from a thread; return its result."""
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    Event().wait(step.seconds)
                    step = next(steps)
                else:
                    step = steps.send(self.call(step))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    async def arun(self, steps: Steps[T]) -> T:
        """Async version of `run`."""
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = next(steps)
                else:
                    step = steps.send(await self.acall(step))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def call(self, command: Command) -> Any:  # noqa: ANN401 - each command has an answer of its own
        """Run one command; return its answer."""
        with metrics.timed(command.name), self._breaker:
            words = command.words()
            try:
                return self._kept.execute(*words)
            except NoScriptError:
                # Redis was restarted, or its scripts were flushed.
                self._kept.execute("SCRIPT", "LOAD", source_of(command.name))
                return self._kept.execute(*words)

    async def acall(self, command: Command) -> Any:  # noqa: ANN401 - each command has an answer of its own
        """Async version of `call`; what one turn of the event loop asks travels together."""
        loop = asyncio.get_running_loop()
        pipeline = self._pipelines.get(loop)
        if pipeline is None:
            pipeline = Pipeline(self._options.make_async_client(), self._breaker)
            with self._lock:
                for closed in [each for each in self._pipelines if each.is_closed()]:
                    del self._pipelines[closed]
                self._pipelines[loop] = pipeline
            await pipeline.begin()
        with metrics.timed(command.name):
            return await pipeline.execute(command)

    def on_failure(self, callback: Callable[[], None]) -> None:
        """Call `callback`, from any thread, whenever Redis does not answer, or refuses."""
        self._breaker.on_failure(callback)

    def decoded(self, decode: Callable[[str, bytes], T], watch_id: str, row: bytes) -> T | None:
        """Decode the row of a session; return None, and log that once, if it can't be read."""
        try:
            return decode(watch_id, row)
        except (struct.error, MsgspecError, ValueError) as error:
            # Its text may quote the row.
            if watch_id not in self._unreadable:
                kind = type(error).__name__
                logger.error("The row of session %s in Redis can't be read (%s).", watch_id, kind)  # noqa: TRY400 - as said
                self._unreadable = {*list(self._unreadable)[-MAX_UNREADABLE:], watch_id}
            return None

    def decoded_of(self, decode: Callable[[str, bytes], T], found: Iterable[tuple[bytes, bytes]]) -> list[T]:
        """Decode ids and rows, and leave out what can't be read."""
        decoded = [self.decoded(decode, watch_id.decode(errors="replace"), row) for watch_id, row in found]
        return [each for each in decoded if each is not None]

    def find_keys(self) -> Iterator[bytes]:
        """Find every key of this store."""
        pattern = "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in self.prefix)
        self._kept.give_back()
        with self._breaker:
            yield from self._sync.scan_iter(f"{pattern}*", count=1000)

    def subscriber(self) -> redis.client.PubSub:
        """Return a subscriber with a connection of its own."""
        self._kept.give_back()
        subscriber: redis.client.PubSub = self._sync.pubsub(ignore_subscribe_messages=True)
        return subscriber

    @asynccontextmanager
    async def own_connection(self) -> AsyncIterator[redis.asyncio.Redis]:
        """Return a client of its own, for questions that Redis may refuse: they count as no outage."""
        asking = self._options.make_async_client()
        try:
            yield asking
        except (RedisError, OSError) as error:
            # The text of an error may hold what was sent.
            how = "rejected a command" if isinstance(error, ResponseError) else "does not answer"
            raise StoreUnavailable(f"Redis {how}: {type(error).__name__}.") from None
        finally:
            await close_async_client(asking)

    def close(self) -> None:
        """Close all connections."""
        close_client(self._sync)
        for loop, pipeline in list(self._pipelines.items()):
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(pipeline.close(), loop)
            elif not loop.is_closed():
                loop.run_until_complete(pipeline.close())
        self._pipelines.clear()

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        with self._lock:
            pipeline = self._pipelines.pop(asyncio.get_running_loop(), None)
        if pipeline is not None:
            await pipeline.close()
