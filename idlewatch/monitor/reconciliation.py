"""Reconciliation of the store and the records: what either has lost is repaired by what the other has."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import ceil

from idlewatch.managers import Place
from idlewatch.models import WatchedSession
from idlewatch.monitor import closing, django_sessions, records, resumption, stores
from idlewatch.monitor.isolation import isolated
from idlewatch.monitor.row_locks import locked
from idlewatch.process import Lane, Process
from idlewatch.store.values import Watched

logger = logging.getLogger("idlewatch")

END_GRACE = 60.0
"""Seconds after an end by which the record is closed and the end announced, unless the database was away."""
PASSES = 16
"""Passes in which all records are compared, at most: one every 15 seconds, so that a session that the store lost
is back within five minutes, and an end is compared while the store remembers it."""
MIN_BATCHES = 5
"""Batches of records that a pass compares, at least."""


class Reconciliation:
    """Compares the live records with the store, again and again from the first to the last, in passes."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._threads = process.threads
        self._compared: Place | None = None
        """The place of the last record that was looked up in the store; None before the first."""

    async def advance(self, now: float) -> None:
        """Compare the next records: resume sessions that the store lacks, repair its lists, close what ended.

        Sessions that it lacks began while it was away, in a process that was gone before it could report them, or with
        a commit whose answer was lost. One that is being opened just now may be resumed first: its next request binds
        its key. Records of ended sessions are open again after a failover to a replica of the database that did not
        have the end yet: once the store forgets it too, nothing else would keep these sessions from coming back.
        """
        # At each pass: a cycle may begin while the store is still empty.
        census = await stores.store_of(self._process).statistics.census()
        batches = ceil((census.active + census.warned) / records.BATCH_SIZE / PASSES) + 1
        for _ in range(max(MIN_BATCHES, batches)):
            await self._compare_batch(now)
            if self._compared is None:
                return

    async def _compare_batch(self, now: float) -> None:
        store = stores.store_of(self._process)
        watch_ids, self._compared = await self._threads.run(Lane.TIMER, resumption.live_after, self._compared)
        known = await store.sessions.aget_many(watch_ids)
        unknown = [watch_id for watch_id, watched in zip(watch_ids, known, strict=True) if watched is None]
        if unknown:
            await self._threads.run(Lane.TIMER, resumption.resume, store.sessions, unknown, now)
        if repaired := await store.queue.repair([watched for watched in known if watched], now):
            logger.warning("The store had forgotten when %d sessions are due; they are due again.", repaired)
        reopened = [watched for watched in known if watched and _ended_before(watched, now - END_GRACE)]
        if reopened:
            await self._threads.run(Lane.TIMER, _close_again, reopened)


def _ended_before(watched: Watched, moment: float) -> bool:
    return watched.activity.ended is not None and watched.activity.ended < moment


def _close_again(reopened: Sequence[Watched]) -> None:
    """Close records whose end the database has lost, and delete their Django sessions; the ends were announced."""
    left = locked(WatchedSession.objects.all(), [watched.id for watched in reopened])
    closed = []
    for watched in reopened:
        if watched.id not in left:
            with isolated("closing again", watched.id):
                if closing.close_again(watched):
                    closed.append(watched)
                    django_sessions.delete([watched.key] if watched.key else [])
    if closed:
        logger.warning("The database had lost the end of %d sessions; they were closed again.", len(closed))
