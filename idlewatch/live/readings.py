"""The queries that are being read: each once, however many pages have it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from idlewatch.live.query import Query
from idlewatch.process import Process


class Reading(NamedTuple):
    """A query that is being read, and since when."""

    task: asyncio.Task[None]
    started_at: float


class Readings:
    """The tasks that read queries."""

    def __init__(self, process: Process, read: Callable[[Query], Coroutine[Any, Any, None]]) -> None:
        self._process = process
        self._clock = process.clock
        self._read = read
        self._readings: dict[Query, Reading] = {}

    @property
    def queries(self) -> Collection[Query]:
        """The queries that are being read."""
        return self._readings.keys()

    def start(self, query: Query) -> None:
        """Read a query, unless it is being read: its results go to every page that has it then."""
        if query not in self._readings:
            task = self._process.start(self._read(query))
            self._readings[query] = Reading(task, self._clock.ticks())
            task.add_done_callback(partial(self._finish, query))

    def cancel(self, queries: Iterable[Query]) -> None:
        """Cancel the readings of these queries."""
        for query in list(queries):
            self._readings.pop(query).task.cancel()

    async def wait(self, timeout: float) -> None:  # noqa: ASYNC109 - by the process's clock
        """Wait until all readings are done, for `timeout` seconds at most."""
        if self._readings:
            with suppress(TimeoutError):
                async with self._clock.timeout(timeout):
                    await asyncio.wait({reading.task for reading in self._readings.values()})

    def started_before(self, ticks: float) -> list[Query]:
        """Return the queries whose reading started before that."""
        return [query for query, reading in self._readings.items() if reading.started_at < ticks]

    def _finish(self, query: Query, task: asyncio.Task[None]) -> None:
        reading = self._readings.get(query)
        if reading is not None and reading.task is task:
            del self._readings[query]
