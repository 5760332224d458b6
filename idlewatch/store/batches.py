"""The order in which an event loop works on one session, or on another key: what comes meanwhile is done together.

As with `Turns`, writers of one session do not race each other, and nothing is kept of a key for which nothing waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MAX_BATCH = 100
"""Items that are worked on together, at most."""


class Batches(Generic[T, R]):
    """Collects items by key, such as a watch id, in each event loop, while `work` is busy with the ones before.

    `work` takes a key and its items, and returns a result or an error for each item.
    """

    def __init__(
        self, work: Callable[[str, Sequence[T]], Awaitable[Sequence[R | Exception]]], most: int = MAX_BATCH
    ) -> None:
        self._work = work
        self._most = most
        self._waiting: dict[tuple[asyncio.AbstractEventLoop, str], list[tuple[T, asyncio.Future[R]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, key: str) -> bool:
        """Return whether an item waits under this key in the running event loop."""
        return (asyncio.get_running_loop(), key) in self._waiting

    async def add(self, key: str, item: T) -> R:
        """Wait until `work` has done an item; return its result, or raise its error."""
        return await self.put(key, item)

    def put(self, key: str, item: T) -> asyncio.Future[R]:
        """Add an item; return the future of its result. It keeps its place before those that are added later."""
        loop = asyncio.get_running_loop()
        place = loop, key
        result: asyncio.Future[R] = loop.create_future()
        if place in self._waiting:
            self._waiting[place].append((item, result))
        else:
            self._waiting[place] = [(item, result)]
            # A context of its own: that of one caller must not leak into work for the others.
            task = loop.create_task(self._do_all(place), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return result

    async def _do_all(self, place: tuple[asyncio.AbstractEventLoop, str]) -> None:
        try:
            while waiting := self._waiting[place]:
                batch, self._waiting[place] = waiting[: self._most], waiting[self._most :]
                await self._do(place[1], batch)
        finally:
            for _, result in self._waiting.pop(place):
                result.cancel()

    async def _do(self, key: str, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        outcomes: Sequence[R | Exception]
        try:
            outcomes = await self._work(key, [item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is passed to the callers
            outcomes = [error] * len(batch)
        except BaseException:
            for _, result in batch:
                result.cancel()
            raise
        for (_, result), outcome in zip(batch, outcomes, strict=True):
            if result.done():
                continue
            if isinstance(outcome, Exception):
                result.set_exception(outcome)
            else:
                result.set_result(outcome)
