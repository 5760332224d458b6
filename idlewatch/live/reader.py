"""What keeps the live pages of a process up to date: one reader for all, once a second, while somebody watches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from contextvars import Context
from functools import partial
from typing import NamedTuple
from weakref import WeakKeyDictionary

from django.db import Error as DatabaseError
from django.utils import translation

from idlewatch import monitor
from idlewatch.clock import now
from idlewatch.exceptions import StoreUnavailable, Undecided
from idlewatch.live import finding
from idlewatch.live.finding import Found, find
from idlewatch.live.frames import Picture
from idlewatch.live.query import Ask
from idlewatch.live.rights import Doorkeeper
from idlewatch.live.rows import FACELESS, Faces, Row, row_of
from idlewatch.live.viewer import Viewer
from idlewatch.protocol import Close
from idlewatch.store.base import Census, Sample

logger = logging.getLogger("idlewatch")

ROUND = 1.0
"""Seconds between two looks."""
SEARCH = 2.0
"""Seconds for which the sessions stand that a search or a filter found: only what became of them is looked at."""
SAMPLING = 5.0
"""Seconds between looks for new samples, of which there are but a few a minute."""
LATE = 5.0
"""Seconds after which a page whose reading does not come to an end is told that nobody can be asked."""
HOUR = 3600.0
"""Seconds of samples that a page shows."""
EXPECTED = (StoreUnavailable, Undecided, DatabaseError, TimeoutError)
"""What is raised while store or database are away, or do not answer."""


class Moment(NamedTuple):
    """What all pages show alike."""

    census: Census
    samples: tuple[Sample, ...]


class Reading(NamedTuple):
    """What is being read, and since when."""

    task: asyncio.Task[None]
    at: float


class Search(NamedTuple):
    """What was found, and when."""

    found: Found
    at: float


class Reader:
    """Reads what is asked for, each thing once for all who ask it, and has each told what changed."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()
        self._doorkeeper = Doorkeeper()
        self._running: list[asyncio.Task[None]] = []
        self._readings: dict[Ask, Reading] = {}
        self._searches: dict[Ask, Search] = {}
        self._faces = Faces()
        self._moment: Moment | None = None
        self._taking = asyncio.Lock()
        self._samples: tuple[Sample, ...] = ()
        self._sampled_at = float("-inf")
        self._troubled: set[Ask] = set()
        """What could not be read the last time."""

    @property
    def runs(self) -> bool:
        """Whether it reads."""
        return bool(self._running)

    def join(self, viewer: Viewer) -> None:
        """Keep an operator's page up to date; the first starts the reading."""
        self._viewers.add(viewer)
        self._doorkeeper.admit(viewer)
        if not self._running:
            # A context of their own: that of the first socket would tie them to its thread.
            loop = asyncio.get_running_loop()
            self._running = [loop.create_task(work(), context=Context()) for work in (self._read_on, self._guard)]

    def leave(self, viewer: Viewer) -> None:
        """Know an operator no more; the last stops the reading."""
        viewer.is_gone = True
        self._viewers.discard(viewer)
        self._doorkeeper.release(viewer)
        if not self._viewers:
            for task in (*self._running, *(reading.task for reading in self._readings.values())):
                task.cancel()
            self._running, self._readings = [], {}
            self._forget()

    def answer(self, viewer: Viewer) -> None:
        """Read at once what an operator has just asked for."""
        if viewer.ask is not None and viewer in self._viewers:
            self._begin(viewer.ask)

    def _forget(self) -> None:
        self._searches.clear()
        self._troubled.clear()
        self._faces = Faces()
        self._moment, self._samples, self._sampled_at = None, (), float("-inf")

    async def _read_on(self) -> None:
        while True:
            started = _time()
            try:
                await self._go_round()
            except Exception:
                # The pages are behind until the next round, no more.
                logger.exception("The live pages could not be brought up to date.")
            await asyncio.sleep(max(0.0, started + ROUND - _time()))

    async def _guard(self) -> None:
        while True:
            await asyncio.sleep(ROUND)
            try:
                await self._doorkeeper.look()
            except Exception:
                # Who can't be vouched for is sent away by the reading.
                logger.exception("The operators' rights could not be looked at.")

    async def _go_round(self) -> None:
        for viewer in self._doorkeeper.doubted():
            await viewer.shut(Close.GOING_AWAY)
        for viewer in [each for each in self._viewers if each.is_slow(_time())]:
            await viewer.shut(Close.TOO_SLOW)
        asked = {viewer.ask for viewer in self._viewers if viewer.ask is not None}
        self._searches = {ask: search for ask, search in self._searches.items() if ask in asked}
        self._troubled &= asked
        self._moment = None
        for ask in asked:
            self._begin(ask)
        if self._readings:
            # One that takes longer holds up nobody else.
            await asyncio.wait({reading.task for reading in self._readings.values()}, timeout=ROUND)
        for ask in [ask for ask, reading in self._readings.items() if _time() - reading.at > LATE]:
            await self._miss(ask, TimeoutError())

    def _begin(self, ask: Ask) -> None:
        """Read something, unless it is being read: who asks for it when that is done is told."""
        if ask not in self._readings:
            task = asyncio.get_running_loop().create_task(self._read(ask), context=Context())
            self._readings[ask] = Reading(task, _time())
            task.add_done_callback(partial(self._finish, ask))

    def _finish(self, ask: Ask, task: asyncio.Task[None]) -> None:
        reading = self._readings.get(ask)
        if reading is not None and reading.task is task:
            del self._readings[ask]

    async def _read(self, ask: Ask) -> None:
        try:
            moment = await self._take()
            found, rows = await self._look(ask, moment.census)
        except Exception as error:  # noqa: BLE001 - logged, and the pages told: the next round may do better
            await self._miss(ask, error)
            return
        self._troubled.discard(ask)
        for viewer in self._asking(ask):
            await _safely(viewer.show(_picture(viewer, moment, found, rows, ask.size), now()))

    def _asking(self, ask: Ask) -> list[Viewer]:
        return [viewer for viewer in self._viewers if viewer.ask == ask]

    async def _take(self) -> Moment:
        """Return what all show alike, read once a round."""
        async with self._taking:
            if self._moment is None:
                census = await monitor.store().acensus()
                if _time() - self._sampled_at >= SAMPLING:
                    await self._sample()
                self._moment = Moment(census, self._samples)
            return self._moment

    async def _sample(self) -> None:
        # Anew where this fails: a store may come back without its samples.
        before, self._samples = self._samples, ()
        samples = (*before, *await monitor.store().asamples(before[-1].at if before else 0.0))
        self._samples = tuple(each for each in samples if each.at > samples[-1].at - HOUR)
        self._sampled_at = _time()

    async def _look(self, ask: Ask, census: Census) -> tuple[Found, dict[str, Row]]:
        found = await self._find(ask, census)
        if (known := found.known) is None:
            stand = await monitor.store().aget_all(found.watches)
            known = [each for each in stand if each is not None and finding.matches(ask, each)]
            if ask.sort.column == "seen":
                # The records know it only so far.
                known.sort(key=lambda each: (each.activity.active, each.id), reverse=ask.sort.is_down)
        faces = await self._faces.of(each.id for each in known)
        at = now()
        with translation.override(ask.language):
            return found, {each.id: row_of(each, faces.get(each.id, FACELESS), at) for each in known}

    async def _find(self, ask: Ask, census: Census) -> Found:
        if not finding.is_costly(ask):
            return await find(ask, census)
        search = self._searches.get(ask)
        if search is None or _time() - search.at >= SEARCH:
            search = self._searches[ask] = Search(await find(ask, census), _time())
        return search.found

    async def _miss(self, ask: Ask, error: Exception) -> None:
        """Tell who asks that nobody can be asked; log the first such trouble until all is well again."""
        if not self._troubled:
            if isinstance(error, EXPECTED):
                logger.warning("The live pages can't be brought up to date (%s).", type(error).__name__)
            else:
                logger.error("The live pages can't be brought up to date.", exc_info=error)
        self._troubled.add(ask)
        for viewer in self._asking(ask):
            await _safely(viewer.miss())


def _picture(viewer: Viewer, moment: Moment, found: Found, rows: Mapping[str, Row], size: int) -> Picture:
    return Picture(
        query=viewer.query,
        operator=viewer.user,
        census=moment.census,
        total=found.total,
        bounded=found.bounded,
        page=found.page,
        pages=finding.last_page(found.total, size),
        rows=rows,
        samples=moment.samples,
    )


async def _safely(telling: Awaitable[None]) -> None:
    """Tell one page; a broken socket must not keep the news from the others."""
    try:
        await telling
    except Exception:
        logger.exception("A live page could not be told what changed.")


def _time() -> float:
    return asyncio.get_running_loop().time()


_readers: WeakKeyDictionary[asyncio.AbstractEventLoop, Reader] = WeakKeyDictionary()


def reader() -> Reader:
    """Return the reader of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _readers.get(loop)
    if found is None:
        found = _readers[loop] = Reader()
    return found
