"""Judgement of sessions by their records, while a shared store can't be reached."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import Error as DatabaseError

from idlewatch.core.events import Acted, Event, Extended, Held, Released, Requested, SignedIn
from idlewatch.exceptions import HoldRefused, Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import checkpoints, records
from idlewatch.monitor.outage import Outage, is_over
from idlewatch.process import Process
from idlewatch.store import transitions
from idlewatch.store.values import Watched

RECORDED_EVENTS = Acted | Requested | Extended | SignedIn | Held | Released
"""The events that change a record. Each process reports which tabs are open when the store is back."""

Change = tuple[Event | None, float]
"""An event, if there is one, and when it happened (epoch seconds)."""
Outcomes = Sequence[Watched | Exception | None]
"""The session after each event, or why that was refused."""


class RecordJudge:
    """Applies events to the facts that records have; they advance by it."""

    def __init__(self, process: Process, outage: Outage) -> None:
        self._clock = process.clock
        self._outage = outage

    def judge(self, watch_id: str, event: Event | None, now: float) -> Watched | None:
        """Apply an event, if there is one, to the facts that a record has; return the session then, or None.

        Raises:
            HoldRefused: as the event does.
            Undecided: the session seems to be over, and other processes may know of later activity; or the database is
                away too.
        """
        (outcome,) = self.judge_all(watch_id, [(event, now)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def judge_all(self, watch_id: str, changes: Sequence[Change]) -> Outcomes:
        """Apply events in turn to the facts that a record has; return for each the session then, or its refusal.

        The session is to be reported to the store then.

        Raises:
            Undecided: as for `judge`.
        """
        self._outage.note_missed(watch_id)
        now = max(moment for _, moment in changes)
        try:
            record = WatchedSession.objects.find(watch_id)
            if record is None:
                return [None] * len(changes)
            # Above what pages have seen; what the store tells them later is above this.
            watched = transitions.opened(self._outage.seen.added_to(records.watched_of(record, now), now), now)
            at = max(now, self._clock.now())
            self._outage.require_decided(watched, at)
            if is_over(watched, at) and not is_over(watched, now):
                # While the store was waited for, another process may have ended it.
                raise Undecided
            changed, outcomes = _after_all(changes, watched)
            if changed is not watched:
                if changed.activity.ended is None:
                    checkpoints.advance(changed, now)
                # Also its end, of which a page may be told: the store may have activity whose answer was lost.
                self._outage.note_seen(changed)
        except DatabaseError as error:
            # The records are away too.
            raise Undecided from error
        return outcomes


def _after_all(changes: Sequence[Change], watched: Watched) -> tuple[Watched, Outcomes]:
    outcomes: list[Watched | Exception] = []
    for event, moment in changes:
        try:
            if isinstance(event, RECORDED_EVENTS):
                watched = transitions.after(event, watched, moment)
            outcomes.append(watched)
        except HoldRefused as refusal:
            outcomes.append(refusal)
    return watched, outcomes
