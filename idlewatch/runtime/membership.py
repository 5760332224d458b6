"""Membership of a process in its store: it owns a store in memory, and is a member of a shared one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from django.db import DatabaseError

from idlewatch.core.events import TabsCounted
from idlewatch.exceptions import StoreElsewhere, StoreUnavailable
from idlewatch.monitor import history, resumption, revalidation, stores
from idlewatch.monitor.clock_sync import ClockSync
from idlewatch.monitor.isolation import isolated
from idlewatch.monitor.recovery import Recovery
from idlewatch.monitor.resumption import COMMIT_OVERLAP
from idlewatch.monitor.store_lease import StoreLease
from idlewatch.process import Lane, Process
from idlewatch.runtime.hub import Hubs
from idlewatch.store.base import SessionStore, Store

logger = logging.getLogger("idlewatch")

PROCESS_LEASE = 10.0
"""Seconds after which a process that gave no sign of life has lost its tabs."""
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
            await resumption.resume_all(self._threads, self._store.sessions, now)
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


def _take_over(since: float, now: float) -> None:
    for record in resumption.closed_since(since):
        with isolated("end by its record", record.pk):
            revalidation.take_over(record, now)
