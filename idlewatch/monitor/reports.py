"""Reports of sessions to a shared store that missed something of them: what this process and the records know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from msgspec.structs import replace

from idlewatch.core.events import Reported
from idlewatch.core.reducer import reported
from idlewatch.exceptions import Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import records, tab_counts
from idlewatch.monitor.isolation import isolated
from idlewatch.monitor.last_seen import NOTHING, is_behind, report_of
from idlewatch.monitor.outage import Outage
from idlewatch.monitor.record_rows import RecordRow, in_parts
from idlewatch.monitor.write_behind import credited
from idlewatch.process import Lane, Process
from idlewatch.store.base import SessionStore
from idlewatch.store.values import Watched

MAX_COUNTS = 5
"""How often the tabs of one session are counted, at most: tabs that come and go must not delay the recovery."""

ReadTabs = Callable[[], Mapping[str, int]]
"""Returns how many tabs each session has in this process."""
Rows = Mapping[str, RecordRow]
"""Records, by watch id."""


class Reports:
    """Reports sessions to a store, whose own `sessions` these are; `outage` has what this process knows of them."""

    def __init__(self, process: Process, sessions: SessionStore, outage: Outage) -> None:
        self._name = process.name
        self._threads = process.threads
        self._sessions = sessions
        self._outage = outage

    async def read(self, watch_ids: Sequence[str]) -> Rows:
        """Return the records of these sessions."""
        return await self._threads.run(Lane.TIMER, _read, watch_ids)

    async def send(self, watch_ids: Sequence[str], rows: Rows, read_tabs: ReadTabs, now: float) -> None:
        """Report what the records and this process know of these sessions, with activity that waited."""
        tabs, waiting = read_tabs(), self._outage.buffer.take(watch_ids)
        calls = (self._report(each, rows.get(each), waiting.get(each), now, is_open=each in tabs) for each in watch_ids)
        try:
            sessions: Sequence[Watched | None] = await asyncio.gather(*calls)
        except BaseException:
            self._outage.buffer.give_back(waiting)
            raise
        for _ in range(MAX_COUNTS):
            # Counted as late as possible, and also if the last one closed while the store was away.
            tabs = read_tabs()
            sessions = await tab_counts.correct(self._sessions, sessions, tabs, self._name, now)
            if not sessions:
                return

    async def send_without_records(self, watch_ids: Sequence[str], read_tabs: ReadTabs, now: float) -> None:
        """Report what this process knows of these sessions by itself.

        Activity that the store's facts don't admit goes on waiting: the records may know more.
        """
        tabs, left = read_tabs(), dict(self._outage.buffer.take(watch_ids))
        try:
            await asyncio.gather(*(self._report_seen(each, left, now, is_open=each in tabs) for each in watch_ids))
        finally:
            self._outage.buffer.give_back(left)

    async def end(self, rows: Sequence[RecordRow], now: float) -> None:
        """End in the store what was ended in the records meanwhile, also by a process that is gone."""
        for start in range(0, len(rows), records.BATCH_SIZE):
            await asyncio.gather(*(self._end(row, now) for row in rows[start : start + records.BATCH_SIZE]))

    async def send_record(self, row: RecordRow, now: float) -> None:
        """Report what a record has: the end, or activity."""
        with isolated("report", row.pk):
            if row.ended is not None:
                await self._end(row, now)
            else:
                await self._sessions.aapply(row.pk, report_of(records.watched_of(row, now).activity), now)

    async def _report(
        self, watch_id: str, row: RecordRow | None, moment: float | None, now: float, *, is_open: bool
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
        self, watch_id: str, row: RecordRow | None, moment: float | None, now: float, *, is_open: bool
    ) -> Watched | None:
        seen = self._outage.seen.get(watch_id, is_open=is_open)
        report = replace(seen, is_open=is_open)
        if row is None:
            return await self._sessions.aapply(watch_id, report, now)
        if row.ended is not None:
            return await self._end(row, now)
        watched = records.watched_of(row, now)
        watched = replace(watched, activity=reported(report, watched.activity, watched.policy, now))
        report = replace(report_of(watched.activity), is_open=is_open)
        present = await self._sessions.aapply(watch_id, report, now) or await self._sessions.aopen(watched, now)
        if is_behind(present, watched):
            # Another process has opened it meanwhile, with older facts.
            present = await self._sessions.aapply(watch_id, report, now) or present
        present = await self._end_seen(watch_id, now) or present
        if moment is None:
            return present
        after = await self._credit(present, moment, report, now)
        self._outage.note_credit(after, moment)
        return after

    async def _credit(self, present: Watched, moment: float, report: Reported, now: float) -> Watched | None:
        """Credit activity that waited; `report`: what the process knows of the session.

        It is judged by what other processes have reported, too: the record and this process may have older facts.
        """
        after = credited(present, moment, report)
        return await self._sessions.aapply(present.id, replace(report_of(after.activity), is_open=report.is_open), now)

    async def credit_refused(self, now: float) -> None:
        """Credit activity that was refused by facts that may have been out of date: all processes have reported now."""
        refused = dict(self._outage.take_refused())
        try:
            for watch_id, moment in list(refused.items()):
                with isolated("activity", watch_id), suppress(Undecided):
                    present = await self._sessions.aget(watch_id)
                    after = None if present is None else credited(present, moment, NOTHING)
                    if after is not None and after != present:
                        await self._sessions.aapply(watch_id, report_of(after.activity), now)
                del refused[watch_id]
        finally:
            # The store is away again.
            self._outage.buffer.give_back(refused)
            self._outage.add_missed(refused)

    async def _report_seen(self, watch_id: str, left: dict[str, float], now: float, *, is_open: bool) -> None:
        """Report what this process saw of a session; take its activity from `left` if it was credited."""
        with isolated("report", watch_id), suppress(Undecided):
            report = replace(self._outage.seen.get(watch_id, is_open=is_open), is_open=is_open)
            present, moment = await self._sessions.aapply(watch_id, report, now), left.get(watch_id)
            present = await self._end_seen(watch_id, now) or present
            if present is not None and moment is not None:
                present = await self._credit(present, moment, report, now)
                if present is not None and present.activity.active >= moment:
                    left.pop(watch_id, None)

    async def _end_seen(self, watch_id: str, now: float) -> Watched | None:
        """End a session in the store that this process saw end, since its pages may show that; return it."""
        end = self._outage.seen.end_of(watch_id)
        if end is None:
            return None
        reason, at = end
        return await self._sessions.aend(watch_id, reason, min(at, now), limits_first=False)

    async def _end(self, row: RecordRow, now: float) -> Watched | None:
        ended = None
        if row.ended is not None:
            at = min(row.ended.timestamp(), now)
            with isolated("end by its record", row.pk):
                ended = await self._sessions.aend(row.pk, records.reason_of(row), at, limits_first=False)
        return ended


def _read(watch_ids: Sequence[str]) -> Rows:
    return {row.pk: row for row in in_parts(records.read, WatchedSession.objects.all(), watch_ids)}
