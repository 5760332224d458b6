"""What keeps the live pages of a process up to date: one reader for all, once a second, while somebody watches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import NamedTuple
from weakref import WeakKeyDictionary

from django.db import Error as DatabaseError
from django.utils import translation

from idlewatch.core.protocol import Close
from idlewatch.exceptions import StoreUnavailable, Undecided
from idlewatch.live import search
from idlewatch.live.authorization import AccessGuard
from idlewatch.live.frames import Snapshot
from idlewatch.live.query import Query
from idlewatch.live.rows import FACELESS, RecordFieldsCache, Row, row_of
from idlewatch.live.search import Found
from idlewatch.live.search_cache import SearchCache
from idlewatch.live.subscriber import Subscriber
from idlewatch.live.summary import Summaries, Summary
from idlewatch.monitor import service as monitor
from idlewatch.process import Process
from idlewatch.store.values import Census

logger = logging.getLogger("idlewatch")

ROUND = 1.0
"""Seconds between two looks."""
LATE = 5.0
"""Seconds after which a page whose reading does not come to an end is told that nobody can be asked."""
EXPECTED = (StoreUnavailable, Undecided, DatabaseError, TimeoutError)
"""What is raised while store or database are away, or do not answer."""


class Reading(NamedTuple):
    """What is being read, and since when."""

    task: asyncio.Task[None]
    at: float


class Reader:
    """Reads what is asked for, each thing once for all who ask it, and has each told what changed."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._clock = process.clock
        self._viewers: set[Subscriber] = set()
        self._doorkeeper = AccessGuard(process)
        self._running: list[asyncio.Task[None]] = []
        self._readings: dict[Query, Reading] = {}
        self._telling: set[Query] = set()
        """What has been read: a page that is being told must not be left with half a frame."""
        self._searches = SearchCache(process)
        self._faces = RecordFieldsCache()
        self._moments = Summaries(process)
        self._troubled: set[Query] = set()
        """What could not be read the last time."""

    @property
    def runs(self) -> bool:
        """Whether it reads."""
        return bool(self._running)

    def join(self, viewer: Subscriber) -> None:
        """Keep an operator's page up to date; the first starts the reading."""
        self._viewers.add(viewer)
        self._doorkeeper.admit(viewer)
        if not self._running:
            self._running = [self._process.start(work()) for work in (self._read_on, self._guard)]

    def leave(self, viewer: Subscriber) -> None:
        """Know an operator no more; the last stops the reading."""
        viewer.is_gone = True
        self._viewers.discard(viewer)
        self._doorkeeper.release(viewer)
        if not self._viewers:
            for task in (*self._running, *(reading.task for reading in self._readings.values())):
                task.cancel()
            self._running, self._readings = [], {}
            self._forget()

    def pages_of(self, watch_id: str) -> int:
        """Return how many live pages this session has open here."""
        return sum(viewer.watch_id == watch_id for viewer in self._viewers)

    def answer(self, viewer: Subscriber) -> None:
        """Read at once what an operator has just asked for."""
        if viewer.ask is not None and viewer in self._viewers:
            self._begin(viewer.ask)

    def _forget(self) -> None:
        self._searches, self._faces = SearchCache(self._process), RecordFieldsCache()
        self._moments.forget()
        self._troubled.clear()

    async def _read_on(self) -> None:
        while True:
            started = self._clock.ticks()
            try:
                await self._go_round()
            except Exception:
                # The pages are behind until the next round, no more.
                logger.exception("The live pages could not be brought up to date.")
            await self._clock.sleep(max(0.0, started + ROUND - self._clock.ticks()))

    async def _guard(self) -> None:
        while True:
            await self._clock.sleep(ROUND)
            try:
                await self._doorkeeper.look()
            except Exception:
                # Who can't be vouched for is sent away by the reading.
                logger.exception("The operators' rights could not be looked at.")

    async def _go_round(self) -> None:
        for viewer in self._doorkeeper.doubted():
            viewer.shut(Close.GOING_AWAY)
        for viewer in [each for each in self._viewers if each.is_slow(self._clock.ticks())]:
            viewer.shut(Close.TOO_SLOW)
        asked = self._asked()
        self._abandon(self._readings.keys() - asked - self._telling)
        self._searches.keep(asked)
        self._moments.expire()
        for ask in asked:
            self._begin(ask)
        if self._readings:
            # One that takes longer holds up nobody else.
            with suppress(TimeoutError):
                async with self._clock.timeout(ROUND):
                    await asyncio.wait({reading.task for reading in self._readings.values()})
        for ask in [ask for ask, reading in self._readings.items() if self._clock.ticks() - reading.at > LATE]:
            await self._miss(ask, TimeoutError())
        # Last: who asks for something else while nothing can be read meets the same trouble.
        self._troubled &= self._asked()

    def _asked(self) -> set[Query]:
        return {viewer.ask for viewer in self._viewers if viewer.ask is not None}

    def _abandon(self, asks: Iterable[Query]) -> None:
        """Read no more what nobody asks for any more."""
        for ask in asks:
            self._readings.pop(ask).task.cancel()

    def _begin(self, ask: Query) -> None:
        """Read something, unless it is being read: who asks for it when that is done is told."""
        if ask not in self._readings:
            task = self._process.start(self._read(ask))
            self._readings[ask] = Reading(task, self._clock.ticks())
            task.add_done_callback(partial(self._finish, ask))

    def _finish(self, ask: Query, task: asyncio.Task[None]) -> None:
        reading = self._readings.get(ask)
        if reading is not None and reading.task is task:
            del self._readings[ask]

    async def _read(self, ask: Query) -> None:
        try:
            moment = await self._moments.take()
            found, rows = await self._look(ask, moment.census)
        except Exception as error:  # noqa: BLE001 - logged, and the pages told: the next round may do better
            await self._miss(ask, error)
            return
        self._troubled.discard(ask)
        self._telling.add(ask)
        try:
            for viewer in self._asking(ask):
                await _safely(viewer.show(_picture(viewer, moment, found, rows, ask.size), self._clock.now()))
        finally:
            self._telling.discard(ask)

    def _asking(self, ask: Query) -> Iterator[Subscriber]:
        """Find who asks for something, each when it is their turn: one that is told may keep the next waiting."""
        return (viewer for viewer in tuple(self._viewers) if viewer.ask == ask)

    async def _look(self, ask: Query, census: Census) -> tuple[Found, dict[str, Row]]:
        found = await self._searches.find(ask, census)
        if (known := found.known) is None:
            stand = await monitor.store_of(self._process).sessions.aget_many(found.watches)
            known = [each for each in stand if each is not None and search.matches(ask, each)]
            if ask.sort.column == "seen":
                # The records know it only so far.
                known.sort(key=lambda each: (each.activity.active, each.id), reverse=ask.sort.is_descending)
        faces = await self._faces.of(each.id for each in known)
        at = self._clock.now()
        with translation.override(ask.language):
            return found, {each.id: row_of(each, faces.get(each.id, FACELESS), at) for each in known}

    async def _miss(self, ask: Query, error: Exception) -> None:
        """Tell who asks that nobody can be asked; log the first such trouble until all is well again."""
        if ask not in self._asked():
            return
        if not self._troubled:
            if isinstance(error, EXPECTED):
                logger.warning("The live pages can't be brought up to date (%s).", type(error).__name__)
            else:
                logger.error("The live pages can't be brought up to date.", exc_info=error)
        self._troubled.add(ask)
        for viewer in self._asking(ask):
            await _safely(viewer.miss())


def _picture(viewer: Subscriber, moment: Summary, found: Found, rows: Mapping[str, Row], size: int) -> Snapshot:
    return Snapshot(
        query=viewer.query,
        operator=viewer.user,
        census=moment.census,
        total=found.total,
        bounded=found.bounded,
        page=found.page,
        pages=search.last_page(found.total, size),
        rows=rows,
        samples=moment.samples,
    )


async def _safely(telling: Awaitable[None]) -> None:
    """Tell one page; a broken socket must not keep the news from the others."""
    try:
        await telling
    except Exception:
        logger.exception("A live page could not be told what changed.")


class Readers:
    """The readers of a process, by their event loop."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._readers: WeakKeyDictionary[asyncio.AbstractEventLoop, Reader] = WeakKeyDictionary()

    def here(self) -> Reader:
        """Return the reader of the running event loop."""
        loop = asyncio.get_running_loop()
        found = self._readers.get(loop)
        if found is None:
            found = self._readers[loop] = Reader(self._process)
        return found


def reader_of(process: Process) -> Reader:
    """Return the reader of a process on the running event loop."""
    return process.part(Readers).here()
