"""Membership of a process in its store: it owns a store in memory, and is a member of a shared one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from django.db import DatabaseError

from idlewatch.core.events import TabsCounted
from idlewatch.exceptions import StoreElsewhere, StoreUnavailable
from idlewatch.managers import Place
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions, history, records, revalidation, stores, tab_counts
from idlewatch.monitor import service as monitor
from idlewatch.monitor.clock_sync import ClockSync
from idlewatch.monitor.isolation import isolated
from idlewatch.monitor.recovery import Recovery
from idlewatch.monitor.resumption import COMMIT_OVERLAP, live_after
from idlewatch.monitor.row_locks import locked
from idlewatch.monitor.store_lease import StoreLease
from idlewatch.process import Lane, Process
from idlewatch.runtime.hub import Hubs
from idlewatch.store.base import SessionStore, Store
from idlewatch.store.values import Watched

logger = logging.getLogger("idlewatch")

PROCESS_LEASE = 10.0
"""Seconds after which a process that gave no sign of life has lost its tabs."""
END_GRACE = 60.0
"""Seconds after an end by which the record is closed and the end announced, unless the database was away."""
BATCHES_COMPARED = 5
"""Batches of records that are compared at once: 100,000 sessions while the store remembers an end."""
DOUBT_TIMEOUT = 2.0
"""Seconds that a push waits, at most, to find out whether the memory store still belongs to this process."""
SAMPLE_RETENTION = 3600.0
"""Seconds for which a sample is kept."""


class Membership:
    """The part of one process, renewed once a round before anything is judged."""

    def __init__(self, process: Process, tell_missed: Callable[[SessionStore], Awaitable[None]]) -> None:
        self._process = process
        self._threads = process.threads
        self._clock = process.clock
        self._clock_sync = process.part(ClockSync)
        self._lease = process.part(StoreLease)
        self._hubs = process.part(Hubs)
        self._tell_missed = tell_missed
        """Notifies the tabs of this process of changes that they missed."""
        self._records_seen: float | None = None
        self._compared: Place | None = None
        """The place of the last record that was looked up in the store."""
        self.lease_renewed_at = float("-inf")
        """When this process gave its latest sign of life, by the clock's ticks."""
        self._terms = 0
        """The term of the lease for which the sessions were resumed into the store."""
        self._is_reviewed = False
        """Whether flaws in the setup of the store were looked for, and logged."""
        self._has_lapsed = False
        """Whether the lease of some process had lapsed when this one renewed its own."""
        self.owns_store = False
        """Whether this process may act on the store: always, where it is shared."""

    @property
    def _store(self) -> Store:
        return stores.store_of(self._process)

    @property
    def refused(self) -> bool:
        """Whether the memory store belongs to another process."""
        return self._lease.owner is not None

    @property
    def holds_store(self) -> bool:
        """Whether this process may record what its store knows: a request may claim it before a round does."""
        return not self.refused and (self.owns_store or self._lease.is_held)

    async def is_certain(self, now: float) -> bool:
        """Return whether this process may judge now; ask the database only if the lease is in doubt."""
        if self._lease.is_doubtful:
            # A database that is away or slow for this process is so for the others, who need it to take the store.
            with suppress(DatabaseError, StoreElsewhere, TimeoutError):
                async with self._clock.timeout(DOUBT_TIMEOUT):
                    await self._threads.run(Lane.LEASE, self._lease.ensure, now)
        return not self.refused

    @property
    def settle_after(self) -> float:
        """Until when nothing is to be ended: other processes may still report activity of their sessions."""
        recovery = stores.recovery_of(self._process)
        return float("-inf") if recovery is None else recovery.settle_after

    @property
    def is_behind(self) -> bool:
        """Whether the next round is to follow at once: there is more to report to the store."""
        recovery = stores.recovery_of(self._process)
        return recovery is not None and recovery.is_behind

    async def renew(self, now: float) -> float:
        """Own the store, or take part in it; return the time, which a shared store may have corrected."""
        recovery = stores.recovery_of(self._process)
        if recovery is None:
            await self.renew_lease(now)
            if not self.refused:
                await self._own(now)
            return now
        try:
            await self._clock_sync.keep(self._store.presence)
            await self.renew_lease(self._clock.now())
            return await self._join(recovery)
        except StoreUnavailable:
            self._note_absence(recovery)
            await self._threads.run(Lane.TIMER, recovery.flush)
            raise

    async def renew_lease(self, now: float) -> None:
        """Renew the lease by which this process stays owner or member, and note what `renew` has to report then.

        The time it takes does not grow with the number of sessions.
        """
        self.lease_renewed_at = self._clock.ticks()
        recovery = stores.recovery_of(self._process)
        if recovery is None:
            if await self._threads.run(Lane.LEASE, self._lease.renew, now) is not None:
                self.owns_store = False
            return
        try:
            renewal = await self._store.presence.renew(self._process.name, now, PROCESS_LEASE)
            self._has_lapsed = renewal.has_lapsed
            recovery.note(renewal)
            await recovery.hold_back()
        except StoreUnavailable:
            # Also while a long round is under way, which has not noticed the outage.
            self._note_absence(recovery)
            raise

    async def keep_tabs(self, now: float) -> None:
        """Renew the lease on this process's tabs, count them again where it lapsed, and take back those of the dead."""
        store = self._store
        if not store.shared:
            renewal = await store.presence.renew(self._process.name, now, PROCESS_LEASE)
            self._has_lapsed = renewal.has_lapsed
            if not renewal.known:
                for watch_id, count in self._hubs.tabs().items():
                    await store.sessions.aapply(watch_id, TabsCounted(self._process.name, count), now)
        for process in await store.presence.reap(now) if self._has_lapsed else ():
            logger.warning("Process %s has not renewed its lease; its tabs no longer count.", process)

    async def correct_counts(self, sessions: SessionStore, found: Iterable[Watched | None], now: float) -> None:
        """Report the number of tabs here where the store has another: a failover to an old replica may have lost it."""
        await tab_counts.correct(sessions, found, self._hubs.tabs(), self._process.name, now)

    async def compare_records(self, now: float) -> None:
        """Compare the live records with the store: resume sessions that it lacks, repair its lists, close what ended.

        Sessions that it lacks began while it was away, in a process that was gone before it could report them, or with
        a commit whose answer was lost. One that is being opened just now may be resumed first: its next request binds
        its key. Records of ended sessions are open again after a failover to a replica of the database that did not
        have the end yet: once the store forgets it too, nothing else would keep these sessions from coming back.
        """
        for _ in range(BATCHES_COMPARED):
            await self._compare_batch(now)
            if self._compared is None:
                return

    async def _compare_batch(self, now: float) -> None:
        places = await self._threads.run(Lane.TIMER, live_after, self._compared)
        self._compared = places[-1] if len(places) == records.BATCH_SIZE else None
        watch_ids = [watch_id for _, watch_id in places]
        known = await self._store.sessions.aget_many(watch_ids)
        unknown = [watch_id for watch_id, watched in zip(watch_ids, known, strict=True) if watched is None]
        if unknown:
            await self._threads.run(Lane.TIMER, _resume, self._store.sessions, unknown, now)
        if repaired := await self._store.queue.repair([watched for watched in known if watched], now):
            logger.warning("The store had forgotten when %d sessions are due; they are due again.", repaired)
        reopened = [watched for watched in known if watched and _ended_before(watched, now - END_GRACE)]
        if reopened:
            await self._threads.run(Lane.TIMER, _close_again, reopened)

    async def give_up_tabs(self) -> None:
        """Take back the tabs that still count for this process: it is stopping, so they need not wait for its lease."""
        now = self._clock.now()
        await self._store.presence.renew(self._process.name, now, 0.0)
        if now >= self.settle_after:
            await self._store.presence.reap(now)

    async def release(self) -> None:
        """Give up the store in memory."""
        await self._threads.run(Lane.LEASE, self._lease.release)

    async def _join(self, recovery: Recovery) -> float:
        """Take part in the shared store, and report what it missed while it was away."""
        now = self._clock.now()
        if not self._is_reviewed:
            self._is_reviewed = True
            for flaw in await self._store.find_flaws():
                logger.warning(flaw)
        if await recovery.advance(self._hubs.tabs, now):
            # By the store itself: this process has just reported what it missed.
            await self._tell_missed(recovery.sessions)
        self.owns_store = not recovery.is_absent
        return now

    def _note_absence(self, recovery: Recovery) -> None:
        self.owns_store = False
        recovery.note_absence()

    async def _own(self, now: float) -> None:
        """Own the memory store: at first resume every session into it, then take over ends from the records."""
        terms = self._lease.terms
        if not self.owns_store or self._terms != terms:
            # Another process may have owned the store meanwhile, and written its facts into the records.
            await self._resume_all(now)
            await self._store.statistics.restore_samples(
                await self._threads.run(Lane.TIMER, history.kept, now - SAMPLE_RETENTION)
            )
            if self.refused:
                return
            self.owns_store, self._terms = True, terms
        since = (self._records_seen or now) - COMMIT_OVERLAP
        await self._threads.run(Lane.TIMER, _take_over, since, now)
        # Commands write by the machine's clock, which may have been set back since this process began.
        self._records_seen = min(now, self._clock.wall())

    async def _resume_all(self, now: float) -> None:
        """Resume every session from its record, batch by batch: between them other work gets its turn."""
        places = await self._threads.run(Lane.TIMER, live_after, None)
        while places:
            watch_ids = [watch_id for _, watch_id in places]
            await self._threads.run(Lane.TIMER, _resume, self._store.sessions, watch_ids, now)
            places = await self._threads.run(Lane.TIMER, live_after, places[-1])


def _ended_before(watched: Watched, moment: float) -> bool:
    return watched.activity.ended is not None and watched.activity.ended < moment


def _close_again(reopened: Sequence[Watched]) -> None:
    """Close records whose end the database has lost, and delete their Django sessions; the ends were announced."""
    left = locked(WatchedSession.objects.all(), [watched.id for watched in reopened])
    closed = []
    for watched in reopened:
        if watched.id not in left:
            with isolated("closing again", watched.id):
                if monitor.close_again(watched):
                    closed.append(watched)
                    django_sessions.delete([watched.key] if watched.key else [])
    if closed:
        logger.warning("The database had lost the end of %d sessions; they were closed again.", len(closed))


def _resume(sessions: SessionStore, watch_ids: Sequence[str], now: float) -> None:
    for record in records.read(WatchedSession.objects.live().filter(pk__in=watch_ids)):
        with isolated("resumption", record.pk):
            sessions.open(records.watched_of(record, now), now)


def _take_over(since: float, now: float) -> None:
    for record in records.read(WatchedSession.objects.closed_since(since).only("ended", "reason")):
        with isolated("end by its record", record.pk):
            revalidation.take_over(record, now)
