"""The one way from an event loop to a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from enum import Enum
from functools import partial
from threading import Lock
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.core import mail
from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

P = ParamSpec("P")
T = TypeVar("T")


class Lane(Enum):
    """Where a function runs, and so what it may hold up."""

    REQUEST = "request"
    """In Django's thread, on the connections that the request has: they stay open."""
    DATABASE = "database"
    """In Django's thread, on connections that are closed where they are too old."""
    TIMER = "timer"
    """The timer's database work: it may write hundreds of records, and no slow view may delay it."""
    LIVE = "live"
    """What must be answered within the second: the lease of the process, and what the live pages ask by primary key."""
    SEARCH = "live-search"
    """What they search: it may take as long as it likes, and holds up only other searches."""
    WAITING = "waiting"
    """What waits in a thread, without the database."""


class Threads:
    """Runs functions in threads. `TIMER`, `LIVE` and `SEARCH` have a thread each, made when it is first needed."""

    def __init__(self, entered: Callable[[], AbstractContextManager[None]]) -> None:
        self._entered = entered
        self._lock = Lock()
        self._executors: dict[Lane, ThreadPoolExecutor] = {}
        self._is_tied: WeakKeyDictionary[asyncio.AbstractEventLoop, bool] = WeakKeyDictionary()

    async def run(self, lane: Lane, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a thread, and return what it returns; the current process is the same there."""
        with self._entered():
            if lane is Lane.REQUEST:
                return await sync_to_async(function)(*args, **kwargs)
            if lane is Lane.WAITING:
                return await asyncio.to_thread(function, *args, **kwargs)
            work = partial(_on_usable_connections, partial(function, *args, **kwargs))
            if lane is Lane.DATABASE or await self._is_tied_to_django():
                return await sync_to_async(work)()
            return await sync_to_async(work, thread_sensitive=False, executor=self._executor(lane))()

    def close(self) -> None:
        """End the threads, when they have done what they were given."""
        with self._lock:
            executors, self._executors = list(self._executors.values()), {}
        for executor in executors:
            executor.submit(connections.close_all)
            executor.shutdown()

    def _executor(self, lane: Lane) -> ThreadPoolExecutor:
        with self._lock:
            if lane not in self._executors:
                self._executors[lane] = ThreadPoolExecutor(1, f"idlewatch-{lane.value}")
            return self._executors[lane]

    async def _is_tied_to_django(self) -> bool:
        """Return whether the database is to be reached by Django's thread alone, as in a project's `TestCase`."""
        if not in_tests():
            return False
        loop = asyncio.get_running_loop()
        if loop not in self._is_tied:
            self._is_tied[loop] = await sync_to_async(_are_connections_tied)()
        return self._is_tied[loop]


def in_tests() -> bool:
    """Return whether Django's test environment is set up: it alone has an outbox."""
    return hasattr(mail, "outbox")


def _on_usable_connections(work: Callable[[], T]) -> T:
    if any(connection.in_atomic_block for connection in connections.all(initialized_only=True)):
        # It is a test's transaction: closing the connection would take it away.
        return work()
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()


def _are_connections_tied() -> bool:
    return any(_is_tied(connection) for connection in connections.all(initialized_only=True))


def _is_tied(connection: BaseDatabaseWrapper) -> bool:
    """Return whether another thread's connection would not see the same data, or be locked out."""
    in_memory = connection.vendor == "sqlite" and connection.is_in_memory_db()  # type: ignore[attr-defined]
    return connection.in_atomic_block or in_memory
