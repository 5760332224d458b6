"""Recovery of the shared store, after an outage or a loss of data: this process reports what the store is missing.

Two things are owed to a store: what each process saw (its tabs, their users' last activity, and what waited meanwhile),
and, where the store lost data, what the records have, which one process resumes for all. Both are done in passes of
bounded length, one a round. The store itself lets nothing be settled until they are done: see `Presence.hold_back`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.db import Error as DatabaseError
from msgspec.structs import replace

from idlewatch.core.clock import as_datetime
from idlewatch.core.events import Reported, TabsCounted
from idlewatch.core.policy import Phase
from idlewatch.core.reducer import reported
from idlewatch.exceptions import Undecided
from idlewatch.managers import Place
from idlewatch.models import WatchedSession
from idlewatch.monitor import records
from idlewatch.monitor.fallback import is_behind
from idlewatch.monitor.isolation import isolated
from idlewatch.monitor.last_seen import report_of
from idlewatch.monitor.outage import Outage
from idlewatch.monitor.write_behind import credited
from idlewatch.process import Lane, Process
from idlewatch.store.base import Presence, SessionStore
from idlewatch.store.values import Renewal, Watched

COMMIT_OVERLAP = 5.0
"""Seconds by which the search for what ended meanwhile reaches back: a transaction commits after it took the time."""
PASS_DURATION = 0.5
"""Seconds after which a pass begins no further batch: the round has other work to do."""
MAX_SILENCE = 30.0
"""Seconds for which all processes wait, at most, for one that can't report, because of its database for example."""
MAX_COUNTS = 5
"""How often the tabs of one session are counted, at most: tabs that come and go must not delay the recovery."""

ReadTabs = Callable[[], Mapping[str, int]]
"""Returns how many tabs each session has in this process."""


@dataclass
class Resumption:
    """The progress of this process in resuming the records into a store."""

    created_at: float
    """When the store was created: this identifies it."""
    lost_from: float | None
    """From when on it may lack ends that the records have (epoch seconds); None: from then on it has nothing at all."""
    after: Place | None = None
    """The place of the last record that was resumed."""


class Recovery:
    """Reports to a shared store what it is missing; `sessions` are those of the store itself.

    The timer calls `note` after each renewal, and `advance` once a round, before it ends anything; while the store is
    away, `note_absence` and `flush`.
    """

    def __init__(self, process: Process, sessions: SessionStore, presence: Presence, outage: Outage) -> None:
        self.sessions = sessions
        self._clock = process.clock
        self._threads = process.threads
        self._presence = presence
        self._outage = outage
        self._created_at: float | None = None
        """When the store was created that this process takes part in."""
        self._resumption: Resumption | None = None
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

    def note(self, renewal: Renewal) -> None:
        """Note, from a renewal of the lease, what is owed to the store."""
        self._outage.is_tended = True
        self._outage.note_settle_after(renewal.settle_after)
        is_same = renewal.created_at == self._created_at
        if self._resumption is not None and self._resumption.created_at != renewal.created_at:
            self._resumption = None
        if renewal.resume and self._resumption is None:
            self._resumption = Resumption(renewal.created_at, renewal.lost_from)
        if not is_same and self._clock.now() < renewal.settle_after:
            self._owes_tabs = True
            self._hold_from_now()
        elif self._created_at is not None and not (is_same and renewal.known):
            self._owes_tabs = True
        self._created_at = renewal.created_at

    def note_absence(self) -> None:
        """Note that a renewal failed: each process has missed the store, and nothing is settled before all reported.

        Other processes judge by the records now, so what this one saw since the last checkpoints has to get there.
        """
        self._outage.is_tended = True
        if not self._is_absent:
            recent = self._outage.seen.recent()
            self._outage.buffer.give_back(recent)
            self._outage.add_missed(recent)
        self._is_absent = True
        self._hold_from_now()

    async def hold_back(self) -> None:
        """Make all processes wait for the reports of this one, for `MAX_SILENCE` at most while it can't report."""
        now = self._clock.now()
        if self._silent_until is None:
            self._silent_until = now + MAX_SILENCE
        if self._holds_back and now < self._silent_until:
            await self._hold_back()

    async def advance(self, read_tabs: ReadTabs, process: str, now: float) -> bool:
        """Report a part of what the store is missing; return whether this call completed the reports of this process.

        Raises:
            StoreUnavailable: the store is away again; the next call starts over.
            DatabaseError: the records are away; what this process knows by itself was reported.
        """
        self.is_behind = False
        self._outage.seen.forget(now, keep=read_tabs())
        if not self.is_away:
            self._is_absent = self._holds_back = False
            return False
        until = self._clock.now() + PASS_DURATION
        is_reported = self._lacks_records = False
        if self._outage.is_away or self._owes_tabs:
            try:
                is_reported = await self._report_pass(read_tabs, process, now, until)
            except DatabaseError:
                await self._report_without_records(read_tabs, now, until)
                raise
        if self._resumption is not None:
            await self._resume_pass(self._resumption, now, until)
        return is_reported

    async def _report_pass(self, read_tabs: ReadTabs, process: str, now: float, until: float) -> bool:
        if self._outage.began_at is not None and not self._outage.is_back:
            await self._begin_reports(self._outage.began_at - COMMIT_OVERLAP, now)
        if self._owes_tabs:
            self._owes_tabs = False
            self._outage.add_missed([*read_tabs(), *self._outage.seen.watch_ids()])
        if self._awaited is None:
            self._awaited = self._outage.count_missed()
        while watch_ids := self._outage.take_missed(records.BATCH_SIZE):
            try:
                await self._report_batch(watch_ids, read_tabs, process, now)
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
        closed = await self._threads.run(Lane.TIMER, _closed_since, ended_since)
        await self._hold_back()
        await self._end_closed(closed, now)
        self._is_absent = False
        self._outage.note_back(failures)

    async def _report_without_records(self, read_tabs: ReadTabs, now: float, until: float) -> None:
        """Report what this process knows by itself: other processes judge by what the store has.

        The sessions go on being missed, and activity that the store's facts don't admit goes on waiting: the records
        may know more.
        """
        if not self._holds_back:
            self._hold_from_now()
        await self.hold_back()
        for _ in range(0, self._outage.count_missed(), records.BATCH_SIZE):
            watch_ids = self._outage.take_missed(records.BATCH_SIZE)
            self._outage.add_missed(watch_ids)
            tabs, left = read_tabs(), dict(self._outage.buffer.take(watch_ids))
            try:
                await asyncio.gather(*(self._report_seen(each, left, now, is_open=each in tabs) for each in watch_ids))
            finally:
                self._outage.buffer.give_back(left)
            if self._clock.now() >= until:
                break
        self._lacks_records = True

    async def _report_seen(self, watch_id: str, left: dict[str, float], now: float, *, is_open: bool) -> None:
        """Report what this process saw of a session; take its activity from `left` if it was credited."""
        with isolated("report", watch_id), suppress(Undecided):
            report = replace(self._outage.seen.get(watch_id, is_open=is_open), is_open=is_open)
            present, moment = await self.sessions.aapply(watch_id, report, now), left.get(watch_id)
            if present is not None and moment is not None:
                present = await self._credit(present, moment, report, now)
                if present is not None and present.activity.active >= moment:
                    left.pop(watch_id, None)

    def _hold_from_now(self) -> None:
        self._holds_back, self._silent_until, self._awaited = True, None, None

    async def _hold_back(self) -> None:
        """Extend the time in which processes may report, before each batch of this one."""
        until = self._outage.doubt()
        if self._holds_back and self._created_at is not None:
            self._outage.note_settle_after(max(until, self._outage.settle_after))
            await self._presence.hold_back(self._created_at, until)

    async def _report_batch(self, watch_ids: Sequence[str], read_tabs: ReadTabs, process: str, now: float) -> None:
        rows = await self._threads.run(Lane.TIMER, _read_by_id, watch_ids)
        await self._hold_back()
        tabs, waiting = read_tabs(), self._outage.buffer.take(watch_ids)
        try:
            sessions = await asyncio.gather(
                *(
                    self._report(each, rows.get(each), waiting.get(each), now, is_open=each in tabs)
                    for each in watch_ids
                )
            )
        except BaseException:
            self._outage.buffer.give_back(waiting)
            raise
        await self._correct_counts(sessions, read_tabs, process, now)

    async def _report(
        self, watch_id: str, row: WatchedSession | None, moment: float | None, now: float, *, is_open: bool
    ) -> Watched | None:
        """Report what the record and this process know of a session; return it as it is then.

        `moment`: when its user acted last while the store was away; `is_open`: whether it has a tab here.
        """
        present = None
        with isolated("report", watch_id):
            try:
                present = await self._report_known(watch_id, row, moment, now, is_open=is_open)
            except Undecided:
                # Too many others write the session: the next pass tries again.
                self._outage.buffer.give_back({} if moment is None else {watch_id: moment})
                self._outage.add_missed([watch_id])
        return present

    async def _report_known(
        self, watch_id: str, row: WatchedSession | None, moment: float | None, now: float, *, is_open: bool
    ) -> Watched | None:
        seen = self._outage.seen.get(watch_id, is_open=is_open)
        report = replace(seen, is_open=is_open)
        if row is None:
            return await self.sessions.aapply(watch_id, report, now)
        if row.ended is not None:
            return await self._end(row, now)
        watched = records.watched_of(row, now)
        watched = replace(watched, activity=reported(report, watched.activity, watched.policy, now))
        report = replace(report_of(watched.activity), is_open=is_open)
        present = await self.sessions.aapply(watch_id, report, now) or await self.sessions.aopen(watched, now)
        if is_behind(present, watched):
            # Another process has opened it meanwhile, with older facts.
            present = await self.sessions.aapply(watch_id, report, now) or present
        return present if moment is None else await self._credit(present, moment, report, now)

    async def _credit(self, present: Watched, moment: float, report: Reported, now: float) -> Watched | None:
        """Credit activity that waited; `report`: what the process knows of the session.

        It is judged by what other processes have reported, too: the record and this process may have older facts.
        """
        after = credited(present, moment, report)
        return await self.sessions.aapply(present.id, replace(report_of(after.activity), is_open=report.is_open), now)

    async def _correct_counts(
        self, sessions: Sequence[Watched | None], read_tabs: ReadTabs, process: str, now: float
    ) -> None:
        """Report the number of tabs here, again if some came or went meanwhile; the timer corrects what is left."""
        for _ in range(MAX_COUNTS):
            # Counted as late as possible, and also if the last one closed while the store was away.
            tabs = read_tabs()
            miscounted = [
                (watched.id, count)
                for watched in sessions
                # Writing a count judges the session: what is over by the clock waits until all processes have reported.
                if watched
                and watched.verdict(now).phase is not Phase.ENDED
                and watched.activity.tabs.get(process, 0) != (count := tabs.get(watched.id, 0))
            ]
            if not miscounted:
                return
            sessions = await asyncio.gather(
                *(self._count(watch_id, process, count, now) for watch_id, count in miscounted)
            )

    async def _count(self, watch_id: str, process: str, count: int, now: float) -> Watched | None:
        with suppress(Undecided):
            return await self.sessions.aapply(watch_id, TabsCounted(process, count), now)
        return None

    async def _end_closed(self, rows: Sequence[WatchedSession], now: float) -> None:
        """End in the store what was ended in the records meanwhile, also by a process that is gone."""
        for start in range(0, len(rows), records.BATCH_SIZE):
            await asyncio.gather(*(self._end(row, now) for row in rows[start : start + records.BATCH_SIZE]))

    async def _end(self, row: WatchedSession, now: float) -> Watched | None:
        ended = None
        if row.ended is not None:
            at = min(row.ended.timestamp(), now)
            with isolated("end by its record", row.pk):
                ended = await self.sessions.aend(row.pk, records.reason_of(row), at, limits_first=False)
        return ended

    async def _resume_pass(self, resumption: Resumption, now: float, until: float) -> None:
        """Resume the next records; a renewal may replace this resumption by another one meanwhile."""
        if resumption.after is None and resumption.lost_from is not None:
            closed = await self._threads.run(Lane.TIMER, _closed_since, resumption.lost_from - COMMIT_OVERLAP)
            await self._end_closed(closed, now)
        while self._resumption is resumption:
            places = await self._threads.run(Lane.TIMER, live_after, resumption.after)
            await self._resume_batch([watch_id for _, watch_id in places], now)
            if len(places) < records.BATCH_SIZE:
                until = self._outage.doubt()
                await self._presence.mark_resumed(resumption.created_at, until)
                self._outage.note_settle_after(until)
                self._resumption = None if self._resumption is resumption else self._resumption
                return
            resumption.after = places[-1]
            await self._presence.keep_resuming(resumption.created_at, self._clock.now())
            if self._clock.now() >= until:
                self.is_behind = True
                return

    async def _resume_batch(self, watch_ids: Sequence[str], now: float) -> None:
        """Open sessions in the store from their records, and report later activity of those that it has."""
        rows = await self._threads.run(Lane.TIMER, _read, watch_ids)
        known = await self.sessions.aget_many([row.pk for row in rows])
        await asyncio.gather(*(self._resume(row, present, now) for row, present in zip(rows, known, strict=True)))

    async def _resume(self, row: WatchedSession, present: Watched | None, now: float) -> None:
        with isolated("resumption", row.pk):
            watched = records.watched_of(row, now)
            if present is None:
                await self.sessions.aopen(watched, now)
            elif _is_ahead(row, present, now):
                await self.sessions.aapply(row.pk, report_of(watched.activity), now)


def _is_ahead(row: WatchedSession, present: Watched, now: float) -> bool:
    """Return whether a record has later activity than the store."""
    return row.last_active > as_datetime(present.activity.idle_from(now, present.policy.hold_limit))


def live_after(place: Place | None) -> Sequence[Place]:
    """Return the places of the live records that follow one, up to a batch of them."""
    rows = WatchedSession.objects.live().started_after(place)
    return list(rows.values_list("started", "pk")[: records.BATCH_SIZE])


def _read(watch_ids: Sequence[str]) -> Sequence[WatchedSession]:
    return records.read(WatchedSession.objects.live().filter(pk__in=watch_ids).order_by("pk"))


def _read_by_id(watch_ids: Sequence[str]) -> Mapping[str, WatchedSession]:
    return {row.pk: row for row in records.read(WatchedSession.objects.filter(pk__in=watch_ids))}


def _closed_since(moment: float) -> Sequence[WatchedSession]:
    return records.read(WatchedSession.objects.closed_since(moment).only("ended", "reason"))
