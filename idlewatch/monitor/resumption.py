"""Resumption of sessions from their records, in a store that has lost data or has none yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from idlewatch.managers import Place, among, beyond
from idlewatch.models import WatchedSession
from idlewatch.monitor import records
from idlewatch.monitor.isolation import AWAY, isolated, work_through
from idlewatch.monitor.last_seen import report_of
from idlewatch.monitor.record_rows import RecordRow
from idlewatch.monitor.reports import Reports
from idlewatch.process import Lane, Process, Threads
from idlewatch.store.base import Presence, SessionStore
from idlewatch.store.values import Renewal

CLOSED_ORDER = ("ended", "last_active", "pk")
"""The order of an index, in which the records that were closed are read."""
COMMIT_OVERLAP = 5.0
"""Seconds by which the search for what ended meanwhile reaches back: a transaction commits after it took the time."""


class Batch(NamedTuple):
    """Live records, in the order of their starts."""

    watch_ids: Sequence[str]
    place: Place | None
    """Where the next ones begin; None if these are the last."""


class Resumption:
    """Resumes the records into a shared store that has lost data, in passes: one process does it for all."""

    def __init__(self, process: Process, sessions: SessionStore, reports: Reports, renewal: Renewal) -> None:
        self.created_at = renewal.created_at
        """When the store was created: this identifies it."""
        self.is_complete = False
        self._clock = process.clock
        self._threads = process.threads
        self._sessions = sessions
        self._reports = reports
        self._lost_from = renewal.lost_from
        self._ahead: tuple[Sequence[RecordRow], Place | None] | None = None
        """The records that are next, and where those after them begin."""

    async def advance(self, presence: Presence, now: float, until: float) -> None:
        """Resume the next records; begin no further batch after `until`."""
        if self._ahead is None:
            if self._lost_from is not None:
                # It has an older copy of its data, and may lack ends.
                closed = await self._threads.run(Lane.TIMER, closed_since, self._lost_from - COMMIT_OVERLAP)
                await self._reports.end(closed, now)
            self._ahead = await self._read_after(None)
        while not self.is_complete:
            rows, place = self._ahead
            if place is None:
                await self._resume_batch(rows, now)
                self.is_complete = True
                return
            # The store opens these while the database reads the next.
            _, self._ahead = await asyncio.gather(self._resume_batch(rows, now), self._read_after(place))
            await presence.keep_resuming(self.created_at, self._clock.now())
            if self._clock.now() >= until:
                return

    async def _read_after(self, place: Place | None) -> tuple[Sequence[RecordRow], Place | None]:
        return await self._threads.run(Lane.TIMER, _read_after, place)

    async def _resume_batch(self, rows: Sequence[RecordRow], now: float) -> None:
        """Open sessions in the store from their records, and report later activity of those that it has."""
        found = list(zip(rows, await self._sessions.aget_many([row.pk for row in rows]), strict=True))
        await self._open([row for row, present in found if present is None], now)
        for row, present in found:
            if present is not None and records.is_ahead(row, present, now):
                with isolated("resumption", row.pk):
                    await self._sessions.aapply(row.pk, report_of(records.watched_of(row, now).activity), now)

    async def _open(self, rows: Sequence[RecordRow], now: float) -> None:
        try:
            await self._sessions.aopen_many([records.watched_of(row, now) for row in rows], now)
        except AWAY:
            raise
        except Exception:  # noqa: BLE001 - it is logged where the one that raises it is found
            for row in rows:
                with isolated("resumption", row.pk):
                    await self._sessions.aopen(records.watched_of(row, now), now)


async def resume_all(threads: Threads, sessions: SessionStore, now: float) -> None:
    """Resume every live session from its record, batch by batch: between them other work gets its turn."""
    batch = await threads.run(Lane.TIMER, live_after, None)
    await threads.run(Lane.TIMER, resume, sessions, batch.watch_ids, now)
    while batch.place is not None:
        batch = await threads.run(Lane.TIMER, live_after, batch.place)
        await threads.run(Lane.TIMER, resume, sessions, batch.watch_ids, now)


def resume(sessions: SessionStore, watch_ids: Sequence[str], now: float) -> None:
    """Open live sessions in a store from their records, unless it has them."""
    rows = {row.pk: row for row in _read(watch_ids)}
    work_through(
        "resumption", rows, lambda batch: sessions.open_many([records.watched_of(row, now) for row in batch], now)
    )


def live_after(place: Place | None) -> Batch:
    """Return the live records that follow a place, up to a batch of them."""
    rows = WatchedSession.objects.live().started_after(place)
    watch_ids = list(rows.values_list("pk", flat=True)[: records.BATCH_SIZE])
    if len(watch_ids) < records.BATCH_SIZE:
        return Batch(watch_ids, None)
    # Of the last one alone, unless it is deleted just now: to read all their times would take longer than all else.
    places = (WatchedSession.objects.filter(pk=each).values_list("started", "pk") for each in reversed(watch_ids))
    return Batch(watch_ids, next((found[0] for place in places if (found := list(place))), None))


def _read_after(place: Place | None) -> tuple[Sequence[RecordRow], Place | None]:
    batch = live_after(place)
    return _read(batch.watch_ids), batch.place


def _read(watch_ids: Sequence[str]) -> Sequence[RecordRow]:
    return records.read(WatchedSession.objects.live().filter(among("pk", watch_ids)))


def closed_since(moment: float) -> Sequence[RecordRow]:
    """Return the records that were closed since a moment, in batches: after a burst of ends they are many."""
    rows, found = WatchedSession.objects.closed_since(moment).order_by(*CLOSED_ORDER), list[RecordRow]()
    rest = rows
    while batch := records.read(rest[: records.BATCH_SIZE]):
        found += batch
        rest = rows.filter(beyond(CLOSED_ORDER, [getattr(batch[-1], name) for name in CLOSED_ORDER]))
    return found
