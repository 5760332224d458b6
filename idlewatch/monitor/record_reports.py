"""Reports of the records to a shared store that may lack what they have, by the calls that ask for a session.

The reports of `recovery` may still be to come, or never do: a worker of a task queue, for example, has no timer.
"""

from __future__ import annotations

from contextlib import suppress

from django.db import Error as DatabaseError
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.exceptions import HeldBack, Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import records
from idlewatch.monitor.isolation import AWAY, isolated
from idlewatch.monitor.last_seen import is_behind, report_of
from idlewatch.monitor.outage import Outage, is_over
from idlewatch.process import Process
from idlewatch.store.base import SessionStore
from idlewatch.store.values import Watched

CATCH_UP_LIMIT = 20
"""Sessions that a call reports beside its own where no timer does: each costs some round trips."""


class RecordReports:
    """Reports single records to a store, whose own `sessions` these are, while the store is in doubt."""

    def __init__(self, process: Process, sessions: SessionStore, outage: Outage) -> None:
        self._clock = process.clock
        self._sessions = sessions
        self._outage = outage

    def report(self, watch_id: str) -> None:
        """Report to the store what the record has, while the store may lack it.

        Raises:
            Undecided: the session seems to be over, and other processes may know of later activity.
        """
        if not self._outage.is_doubtful():
            return
        now = self._clock.now()
        try:
            self._report_record(watch_id, now)
            found = self._sessions.get(watch_id)
        except DatabaseError as error:
            # The records are away too. What the store has by itself is good, unless by that the session is over.
            found = self._sessions.get(watch_id)
            if found is None or is_over(found, now):
                raise Undecided from error
        else:
            self._catch_up(now)
        if found is not None and is_over(found, now):
            self._outage.require_decided(found, now)
            self._sessions.end(watch_id, None, now)

    def report_end(self, watch_id: str, reason: Reason | None) -> None:
        """Report as `report` does before an end for `reason`, or one by the clock where that is None.

        Before an end by the clock the record is asked also while the store is not in doubt.

        Raises:
            Undecided: as `report`, for an end by the clock: only that may wait.
        """
        try:
            self.report(watch_id)
        except Undecided:
            if reason is None:
                raise
        present, now = self._sessions.get(watch_id) if reason is None else None, self._clock.now()
        if present is not None and is_over(present, now):
            # Records that are away can't tell of anything later.
            with suppress(DatabaseError):
                for row in records.find_ahead([present], now):
                    watched = records.watched_of(row, now)
                    if not self._is_ended_by(watched, now):
                        self._sessions.apply(watch_id, report_of(watched.activity), now)

    def finish(self, watch_id: str) -> None:
        """End a session that is over by the clock, unless its record or another process knows of later activity.

        Raises:
            Undecided: other processes may still report.
        """
        try:
            self.report_end(watch_id, None)
            self._sessions.end(watch_id, None, self._clock.now())
        except HeldBack:
            self._outage.doubt()
            self.report(watch_id)

    def _catch_up(self, now: float) -> None:
        """Report sessions that the store missed where no timer does; the last of them ends the outage."""
        if self._outage.is_tended or not self._outage.is_away:
            return
        watch_ids = self._outage.take_missed(CATCH_UP_LIMIT)
        try:
            for watch_id in watch_ids:
                with isolated("report", watch_id):
                    self._report_record(watch_id, now)
        except AWAY:
            self._outage.note()
            self._outage.add_missed(watch_ids)
            return
        if self._outage.finish():
            self._outage.doubt()

    def _report_record(self, watch_id: str, now: float) -> None:
        record = WatchedSession.objects.find(watch_id)
        if record is None:
            return
        watched = self._outage.seen.added_to(records.watched_of(record, now), now)
        if self._is_ended_by(watched, now):
            return
        report = report_of(watched.activity)
        present = self._sessions.apply(watch_id, report, now)
        if present is None and is_behind(self._sessions.open(watched, now), watched):
            # Another process has opened it meanwhile, with older facts.
            present = self._sessions.apply(watch_id, report, now)
        if is_over(present, now):
            # A grace that ran out while no tab could be counted ends nothing under the user who asks.
            self._sessions.apply(watch_id, replace(report, is_open=True), now)

    def _is_ended_by(self, watched: Watched, now: float) -> bool:
        """End in the store a session that has ended by its record; return whether it has."""
        ended, reason = watched.activity.ended, watched.activity.reason
        if ended is not None:
            self._sessions.end(watched.id, reason or Reason.LOST, min(ended, now), limits_first=False)
        return ended is not None
