"""Keeps the live pages of a process up to date: one reader for all of them, once a second while any page is open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Mapping
from functools import partial

from django.db import Error as DatabaseError
from django.utils import translation

from idlewatch.core.protocol import Close
from idlewatch.exceptions import StoreUnavailable, Undecided
from idlewatch.live.authorization import AccessGuard
from idlewatch.live.frames import Snapshot
from idlewatch.live.query import Query
from idlewatch.live.readings import Readings
from idlewatch.live.rows import NO_FIELDS, RecordFieldsCache, Row, row_of
from idlewatch.live.search import Results, find_next, last_page
from idlewatch.live.search_cache import SearchCache
from idlewatch.live.subscriber import Subscriber
from idlewatch.live.summary import Summaries, Summary
from idlewatch.monitor import stores
from idlewatch.process import Lane, PerLoop, Process
from idlewatch.runtime.fan_out import FanOut, Sends
from idlewatch.store.values import Census

logger = logging.getLogger("idlewatch")

ROUND_INTERVAL = 1.0
"""Seconds between two rounds."""
READ_TIMEOUT = 5.0
"""Seconds after which a page is sent that the sessions cannot be read."""
SEND_TIMEOUT = 2.0
"""Seconds in which a page takes a frame, where a server's send waits for the client to read, or is closed."""
EXPECTED_ERRORS = (StoreUnavailable, Undecided, DatabaseError, TimeoutError)
"""Raised while store or database are unavailable, or do not answer."""


class Reader:
    """Reads the results of each query once for all pages that have it, and sends them what changed."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._clock = process.clock
        self._subscribers: set[Subscriber] = set()
        self._guard = AccessGuard(process)
        self._fan_out = FanOut[Subscriber](process)
        self._tasks: list[asyncio.Task[None]] = []
        self._readings = Readings(process, self._read)
        self._searches = SearchCache(process)
        self._fields = RecordFieldsCache()
        self._summaries = Summaries(process)
        self._failing: set[Query] = set()
        """Queries whose last reading failed."""

    @property
    def is_running(self) -> bool:
        """Whether it reads."""
        return bool(self._tasks)

    def join(self, subscriber: Subscriber) -> None:
        """Keep a page up to date; the first one starts the reading."""
        self._subscribers.add(subscriber)
        self._guard.admit(subscriber)
        if not self._tasks:
            self._tasks = [self._process.start(work()) for work in (self._read_periodically, self._check_periodically)]

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a page; the last one stops the reading."""
        subscriber.is_closed = True
        self._subscribers.discard(subscriber)
        self._guard.release(subscriber)
        if not self._subscribers:
            for task in self._tasks:
                task.cancel()
            self._tasks = []
            self._readings.cancel(self._readings.queries)
            self._clear_caches()
            for lane in (Lane.LIVE, Lane.SEARCH):
                self._process.threads.rest(lane)

    def count_pages(self, watch_id: str) -> int:
        """Return how many live pages this session has open here."""
        return sum(subscriber.watch_id == watch_id for subscriber in self._subscribers)

    def read_now(self, subscriber: Subscriber) -> None:
        """Read the query of a page without waiting for the next round."""
        if subscriber.query is not None and subscriber in self._subscribers:
            self._readings.start(subscriber.query)

    def _clear_caches(self) -> None:
        self._searches, self._fields = SearchCache(self._process), RecordFieldsCache()
        self._summaries.clear()
        self._failing.clear()

    async def _read_periodically(self) -> None:
        while True:
            started_at = self._clock.ticks()
            try:
                await self._run_round()
            except Exception:
                # The pages are behind until the next round, no more.
                logger.exception("The live pages could not be updated.")
            await self._clock.sleep(max(0.0, started_at + ROUND_INTERVAL - self._clock.ticks()))

    async def _check_periodically(self) -> None:
        while True:
            await self._clock.sleep(ROUND_INTERVAL)
            try:
                await self._guard.check()
            except Exception:
                # A page that stays unconfirmed is closed by the reading.
                logger.exception("The operators' permissions could not be checked.")

    async def _run_round(self) -> None:
        for subscriber in self._guard.unconfirmed():
            subscriber.close(Close.GOING_AWAY)
        for subscriber in [each for each in self._subscribers if each.is_overdue(self._clock.ticks())]:
            subscriber.close(Close.TOO_SLOW)
        queries = self._queries()
        self._readings.cancel(set(self._readings.queries) - queries)
        self._searches.retain(queries)
        self._summaries.expire()
        for query in queries:
            self._readings.start(query)
        # A reading that takes longer delays no other page.
        await self._readings.wait(ROUND_INTERVAL)
        for query in self._readings.started_before(self._clock.ticks() - READ_TIMEOUT):
            await self._report_failure(query, TimeoutError())
        # At the end: a page that changes its query while nothing can be read meets the same failure.
        self._failing &= self._queries()

    def _queries(self) -> set[Query]:
        return {subscriber.query for subscriber in self._subscribers if subscriber.query is not None}

    async def _read(self, query: Query) -> None:
        try:
            summary = await self._summaries.get()
            results, rows = await self._read_rows(query, summary.census)
        except Exception as error:  # noqa: BLE001 - logged, and reported to the pages: the next round may succeed
            await self._report_failure(query, error)
            return
        self._failing.discard(query)
        await self._send(
            (each, each.show(_snapshot(each, summary, results, rows, query.size), self._clock.now()))
            for each in self._subscribers_of(query)
        )

    def _subscribers_of(self, query: Query) -> Iterator[Subscriber]:
        """Yield the pages with a query, which is compared late: sending to one may delay the next."""
        return (subscriber for subscriber in tuple(self._subscribers) if subscriber.query == query)

    async def _read_rows(self, query: Query, census: Census) -> tuple[Results, dict[str, Row]]:
        results = await self._searches.find(query, census)
        if (sessions := results.sessions) is None:
            known = await stores.store_of(self._process).sessions.aget_many(results.watch_ids)
            sessions = [watched for watched in known if watched is not None and query.matches(watched)]
            if query.is_by_activity:
                # The records only have it as of the checkpoint.
                sessions.sort(key=lambda each: (each.activity.active, each.id), reverse=query.sort.is_descending)
        fields = await self._fields.get(sessions, partial(find_next, query))
        now = self._clock.now()
        with translation.override(query.language):
            return results, {each.id: row_of(each, fields.get(each.id, NO_FIELDS), now) for each in sessions}

    async def _report_failure(self, query: Query, error: Exception) -> None:
        """Report to the pages with a query that it cannot be read; log the first failure until all succeed again."""
        if query not in self._queries():
            return
        if not self._failing:
            if isinstance(error, EXPECTED_ERRORS):
                logger.warning("The live pages can't be updated (%s).", type(error).__name__)
            else:
                logger.error("The live pages can't be updated.", exc_info=error)
        self._failing.add(query)
        await self._send((each, each.show_unavailable()) for each in self._subscribers_of(query))

    async def _send(self, frames: Sends[Subscriber]) -> None:
        await self._fan_out.send(((each, _safely(frame)) for each, frame in frames), SEND_TIMEOUT, _drop)


def _snapshot(
    subscriber: Subscriber, summary: Summary, results: Results, rows: Mapping[str, Row], size: int
) -> Snapshot:
    return Snapshot(
        query=subscriber.query_number,
        operator=subscriber.user,
        census=summary.census,
        total=results.total,
        bounded=results.bounded,
        page=results.page,
        pages=last_page(results.total, size),
        rows=rows,
        samples=summary.samples,
    )


async def _drop(subscriber: Subscriber) -> None:
    subscriber.close(Close.TOO_SLOW)


async def _safely(sending: Awaitable[None]) -> None:
    """Send to one page; a broken socket must not keep the frame from the others."""
    try:
        await sending
    except Exception:
        logger.exception("A live page could not be updated.")


def reader_of(process: Process) -> Reader:
    """Return the reader of a process on the running event loop."""
    return process.part(_readers).current()


def _readers(process: Process) -> PerLoop[Reader]:
    return PerLoop(partial(Reader, process))
