"""Recovery of the shared store, after an outage or a loss of data: this process reports what the store is missing.

Two things are owed to a store: what each process saw (its tabs, their users' last activity, and what waited meanwhile),
and, where the store lost data, what the records have, which all processes resume together, led by one. Both are done in
passes of bounded length, one a round. The store itself lets nothing be settled until they are done: see
`Presence.hold_back`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from django.db import Error as DatabaseError

from idlewatch.monitor import records
from idlewatch.monitor.outage import Outage
from idlewatch.monitor.record_rows import RecordRow
from idlewatch.monitor.reports import ReadTabs, Reports
from idlewatch.monitor.resumption import COMMIT_OVERLAP, Resumption, Worker, closed_since
from idlewatch.process import Lane, Process
from idlewatch.store.base import Presence, SessionStore
from idlewatch.store.values import Renewal, Watched

PASS_DURATION = 0.5
"""Seconds after which a pass begins no further batch: the round has other work to do."""
RECORDS_TIMEOUT = 5.0
"""Seconds that a report waits for the records, at most: a database that hangs is away, too."""
MAX_SILENCE = 30.0
"""Seconds for which all processes wait, at most, for one that can't report, because of its database for example."""


class Recovery:
    """Reports to a shared store what it is missing; `sessions` are those of the store itself.

    The timer calls `note` after each renewal, and `advance` once a round, before it ends anything; while the store is
    away, `note_absence` and `flush`.
    """

    def __init__(self, process: Process, sessions: SessionStore, presence: Presence, outage: Outage) -> None:
        self.sessions = sessions
        self._process = process
        self._reports = Reports(process, sessions, outage)
        self._clock = process.clock
        self._threads = process.threads
        self._presence = presence
        self._outage = outage
        self._created_at: float | None = None
        """When the store was created that this process takes part in."""
        self._resumption: Resumption | None = None
        self._is_resuming = False
        """Whether the records are being resumed into the store, by whatever process."""
        self._owes_tabs = False
        """Whether every tab here is to be reported."""
        self.is_behind = False
        """Whether the last pass has left something to the next for want of time."""
        self._is_absent = False
        self._holds_back = False
        """Whether all processes wait for the reports of this one: the store was away for a round, or lost data."""
        self._silent_until: float | None = None
        """Until when they wait for the first of these reports."""
        self._awaited: int | None = None
        """How many reports they still wait for; None before the first."""
        self._lacks_records = False
        """Whether the last reports were made without the records: what waits here has waited for a round at most."""

    @property
    def is_away(self) -> bool:
        """Whether the store is away, or has to be told what it missed."""
        return self._outage.is_away or self._owes_tabs or self._resumption is not None

    @property
    def is_absent(self) -> bool:
        """Whether the store was away at the last renewal, and has not been told so since."""
        return self._is_absent

    @property
    def settle_after(self) -> float:
        """Until when (epoch seconds) the timer ends nothing: activity is still to be reported, here or elsewhere."""
        is_waiting = self._outage.buffer and not self._lacks_records
        return float("inf") if is_waiting else self._outage.settle_after

    def flush(self) -> None:
        """Write the activity that waits into the records; what the database refuses goes on waiting."""
        self._outage.buffer.flush(self._outage.seen)

    def note_ended(self, ended: Iterable[Watched]) -> None:
        """Note sessions that have ended in the store: while it is away, so they are, though a record is open."""
        for watched in ended:
            self._outage.note_seen(watched)

    def note(self, renewal: Renewal) -> None:
        """Note, from a renewal of the lease, what is owed to the store."""
        self._outage.is_tended = True
        self._outage.note_settle_after(renewal.settle_after)
        is_same = renewal.created_at == self._created_at
        if self._resumption is not None and self._resumption.created_at != renewal.created_at:
            self._resumption = None
        if renewal.resume and self._resumption is None:
            self._resumption = Resumption(self._process, self.sessions, self._presence, self._reports, renewal)
        self._is_resuming = renewal.settle_after == float("inf")
        if not is_same and self._clock.now() < renewal.settle_after:
            self._owes_tabs = True
            self._begin_holding_back()
        elif self._created_at is not None and not (is_same and renewal.known):
            self._owes_tabs = True
        self._created_at = renewal.created_at

    def note_absence(self) -> None:
        """Note that a renewal failed: each process has missed the store, and nothing is settled before all reported.

        Other processes judge by the records now, so what this one saw since the last checkpoints has to get there.
        """
        self._outage.is_tended = True
        # A process that began meanwhile has noticed nothing yet: its store refused the call without asking Redis.
        self._outage.note()
        if not self._is_absent:
            recent = self._outage.seen.recent()
            self._outage.buffer.give_back(recent)
            self._outage.add_missed(recent)
        self._is_absent = True
        self._begin_holding_back()

    async def report(self, row: RecordRow, now: float) -> None:
        """Report to the store the end, or the later activity, that a record has."""
        await self._reports.send_record(row, now)

    async def hold_back(self) -> None:
        """Make all processes wait for the reports of this one, for `MAX_SILENCE` at most while it can't report."""
        now = self._clock.now()
        if self._silent_until is None:
            self._silent_until = now + MAX_SILENCE
        if self._holds_back and now < self._silent_until:
            await self._extend_grace()

    async def advance(self, read_tabs: ReadTabs, now: float) -> bool:
        """Report a part of what the store is missing; return whether this call completed the reports of this process.

        Raises:
            StoreUnavailable: the store is away again; the next call starts over.
            DatabaseError, TimeoutError: the records are away; what this process knows by itself was reported.
        """
        self.is_behind = False
        self._outage.seen.forget(now, keep=read_tabs())
        if not self.is_away:
            self._is_absent = self._holds_back = False
            await self._reports.credit_refused(now)
            await self._help(now)
            return False
        until = self._clock.now() + PASS_DURATION
        is_reported = self._lacks_records = False
        if self._outage.is_away or self._owes_tabs:
            try:
                is_reported = await self._report_pass(read_tabs, now, until)
            except (DatabaseError, TimeoutError):
                await self._report_without_records(read_tabs, now, until)
                raise
        if self._resumption is not None:
            await self._resume_pass(self._resumption, now, until)
        else:
            await self._help(now)
        return is_reported

    async def _help(self, now: float) -> None:
        """Resume some of the records that another process offers; where they are away, that one finds out."""
        if self._is_resuming and self._created_at is not None:
            worker = Worker(self._process, self.sessions, self._presence, self._created_at)
            with suppress(DatabaseError):
                share = await worker.work(now, self._clock.now() + PASS_DURATION)
                # None were offered yet where the other process has only just begun.
                self.is_behind |= share.done < share.offered or not share.offered

    async def _report_pass(self, read_tabs: ReadTabs, now: float, until: float) -> bool:
        if self._owes_tabs:
            # First: what this process saw is reported also while the records are away.
            self._owes_tabs = False
            self._outage.add_missed([*read_tabs(), *self._outage.seen.watch_ids()])
        if self._outage.began_at is not None and not self._outage.is_back:
            await self._begin_reports(self._outage.began_at - COMMIT_OVERLAP, now)
        if self._awaited is None:
            self._awaited = self._outage.count_missed()
        while watch_ids := self._outage.take_missed(records.BATCH_SIZE):
            try:
                async with self._clock.timeout(RECORDS_TIMEOUT):
                    rows = await self._reports.read(watch_ids)
                await self._extend_grace()
                await self._reports.send(watch_ids, rows, read_tabs, now)
            except BaseException:
                self._outage.add_missed(watch_ids)
                raise
            self._awaited -= len(watch_ids)
            # What is missed from now on, perhaps repeatedly, delays this process alone.
            self._holds_back &= self._awaited > 0
            if self._clock.now() >= until:
                self.is_behind = self._outage.is_away
                break
        if not self._outage.finish():
            return False
        self._holds_back = False
        return True

    async def _begin_reports(self, ended_since: float, now: float) -> None:
        """Begin to report after an outage: from now on, what the store has not missed goes directly to it."""
        failures = self._outage.failures
        async with self._clock.timeout(RECORDS_TIMEOUT):
            closed = await self._threads.run(Lane.TIMER, closed_since, ended_since)
        await self._extend_grace()
        await self._reports.end(closed, now)
        self._is_absent = False
        self._outage.note_back(failures)

    async def _report_without_records(self, read_tabs: ReadTabs, now: float, until: float) -> None:
        """Report what this process knows by itself: other processes judge by what the store has.

        The sessions go on being missed: the records may know more.
        """
        if not self._holds_back:
            self._begin_holding_back()
        await self.hold_back()
        for _ in range(0, self._outage.count_missed(), records.BATCH_SIZE):
            watch_ids = self._outage.take_missed(records.BATCH_SIZE)
            self._outage.add_missed(watch_ids)
            await self._reports.send_without_records(watch_ids, read_tabs, now)
            if self._clock.now() >= until:
                break
        self._lacks_records = True

    def _begin_holding_back(self) -> None:
        self._holds_back, self._silent_until, self._awaited = True, None, None

    async def _extend_grace(self) -> None:
        """Extend the time in which processes may report, before each batch of this one."""
        until = self._outage.doubt()
        if self._holds_back and self._created_at is not None:
            self._outage.note_settle_after(max(until, self._outage.settle_after))
            await self._presence.hold_back(self._created_at, until)

    async def _resume_pass(self, resumption: Resumption, now: float, until: float) -> None:
        await resumption.advance(now, until)
        if self._resumption is not resumption:
            # A renewal has replaced it meanwhile: the store lost its data again.
            return
        if resumption.is_complete:
            until = self._outage.doubt()
            await self._presence.mark_resumed(resumption.created_at, until)
            self._outage.note_settle_after(until)
            self._resumption = None
        else:
            self.is_behind = True
