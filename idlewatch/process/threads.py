"""The one way from an event loop to a thread."""

from __future__ import annotations

import asyncio
import time
from asyncio import CancelledError
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from enum import Enum
from functools import partial
from threading import Barrier, Lock
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.core import mail
from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from idlewatch.process.per_loop import PerLoop

P = ParamSpec("P")
T = TypeVar("T")


class Lane(Enum):
    """Where a function runs, and so what it may hold up."""

    REQUEST = "request"
    """In Django's thread, on the connections that the request has: they stay open."""
    DATABASE = "database"
    """What sockets ask. It may wait for a transaction of the project, and then holds up only some of the others."""
    TIMER = "timer"
    """The timer's database work: it may write hundreds of records, or call code of the project."""
    LEASE = "lease"
    """The lease on the memory store: no other work may delay it."""
    LIVE = "live"
    """What the live pages ask by primary key: it must be answered within the second."""
    SEARCH = "live-search"
    """What they search: it may take as long as it likes, and holds up only other searches."""
    WAITING = "waiting"
    """What waits in a thread, without the database."""


SIZES = {Lane.DATABASE: 16, Lane.TIMER: 4, Lane.LEASE: 1, Lane.LIVE: 2, Lane.SEARCH: 1, Lane.WAITING: 2}
"""How many threads a lane has at most; each has a connection to the database of its own."""
STEADY = (Lane.TIMER, Lane.LEASE, Lane.LIVE, Lane.SEARCH)
"""They work every second, the last two while a live page is open, on few threads: to connect each time would cost more
than what they ask."""
CONNECTION_AGE = 60.0
"""Seconds for which they use a connection, where `CONN_MAX_AGE` is 0."""
BUSY_THREADS = 2
"""Threads of `DATABASE` that work at once: more of them would delay the event loop, and get no more done."""
STUCK_AFTER = 0.1
"""Seconds after which a thread counts as one that waits, for a lock or the database, and lets another one work."""


class Threads:
    """Runs functions in threads, which are made when they are first needed.

    None of them is Django's, which has one thread for all sockets: a view or consumer of the project may hold it up.
    """

    def __init__(self, entered: Callable[[], AbstractContextManager[None]]) -> None:
        self._entered = entered
        self._lock = Lock()
        self._executors: dict[Lane, ThreadPoolExecutor] = {}
        self._is_tied: WeakKeyDictionary[asyncio.AbstractEventLoop, bool] = WeakKeyDictionary()
        self._turns = PerLoop(partial(asyncio.Semaphore, BUSY_THREADS))

    async def run(self, lane: Lane, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a thread, and return what it returns; the current process is the same there."""
        with self._entered():
            if lane is Lane.REQUEST:
                return await sync_to_async(function)(*args, **kwargs)
            work = partial(function, *args, **kwargs)
            if lane is not Lane.WAITING:
                work = partial(_on_usable_connections, work, keeps=lane in STEADY and not in_tests())
                if await self._is_tied_to_django():
                    return await sync_to_async(work)()
            hop = sync_to_async(work, thread_sensitive=False, executor=self._executor(lane))
            return await (self._in_turn(hop) if lane is Lane.DATABASE else hop())

    async def _in_turn(self, hop: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async with self._turns.current():
            task = asyncio.ensure_future(hop())
            try:
                await asyncio.wait({task}, timeout=STUCK_AFTER)
            except CancelledError:
                task.cancel()
                raise
        return await task

    def close(self) -> None:
        """End the threads, when they have done what they were given."""
        with self._lock:
            executors, self._executors = list(self._executors.values()), {}
        for executor in executors:
            _end(executor)
            executor.shutdown()

    def rest(self, lane: Lane) -> None:
        """End the threads of a lane that has no more work for a while, as `close` does, without waiting for that."""
        with self._lock:
            executor = self._executors.pop(lane, None)
        if executor is not None:
            _end(executor)
            executor.shutdown(wait=False)

    def _executor(self, lane: Lane) -> ThreadPoolExecutor:
        with self._lock:
            if lane not in self._executors:
                self._executors[lane] = ThreadPoolExecutor(SIZES[lane], f"idlewatch-{lane.value}")
            return self._executors[lane]

    async def _is_tied_to_django(self) -> bool:
        """Return whether the database is to be reached by Django's thread alone, as in a project's `TestCase`."""
        if not in_tests():
            return False
        loop = asyncio.get_running_loop()
        if loop not in self._is_tied:
            self._is_tied[loop] = await sync_to_async(_are_connections_tied)()
        return self._is_tied[loop]


def _end(executor: ThreadPoolExecutor) -> None:
    """Have each thread close its connections after what it was given."""
    if executor._threads:
        # Where some are busy, a thread that was not needed yet takes the place of another.
        together = Barrier(executor._max_workers)
        for _ in range(executor._max_workers):
            executor.submit(_close_connections, together)


def in_tests() -> bool:
    """Return whether Django's test environment is set up: it alone has an outbox."""
    return hasattr(mail, "outbox")


def _on_usable_connections(work: Callable[[], T], *, keeps: bool = False) -> T:
    if any(connection.in_atomic_block for connection in connections.all(initialized_only=True)):
        # It is a test's transaction: closing the connection would take it away.
        return work()
    close_old_connections()
    began = time.monotonic()
    try:
        return work()
    finally:
        if keeps:
            _keep_connections(began)
        close_old_connections()


def _keep_connections(since: float) -> None:
    """Keep those that were opened since a moment and would be closed at once, but leave a pool its own."""
    for connection in connections.all(initialized_only=True):
        is_pooled = connection.settings_dict["OPTIONS"].get("pool")
        if not is_pooled and connection.close_at is not None and since <= connection.close_at <= time.monotonic():
            connection.close_at += CONNECTION_AGE
            # The database may have been restarted when it is used next.
            connection.health_check_enabled = True  # type: ignore[attr-defined]


def _close_connections(together: Barrier) -> None:
    # So that each thread does it once.
    together.wait()
    connections.close_all()


def _are_connections_tied() -> bool:
    return any(_is_tied(connection) for connection in connections.all())


def _is_tied(connection: BaseDatabaseWrapper) -> bool:
    """Return whether another thread's connection would not see the same data, or be locked out."""
    in_memory = connection.vendor == "sqlite" and connection.is_in_memory_db()  # type: ignore[attr-defined]
    return connection.in_atomic_block or in_memory
