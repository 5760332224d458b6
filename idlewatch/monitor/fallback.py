"""The sessions of a shared store, and the records in its place while it can't be reached.

Requests are judged by the record then, and advance it: no user is signed out by an outage, and none stays past the
limits. What sockets report waits in the activity buffer, and is written into the records once a round. When the store
is back, `recovery` reports to it what the records know, before any session is judged to have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import cast

from django.db import Error as DatabaseError
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, Event, Extended, Held, Released, Requested, SignedIn
from idlewatch.core.reducer import reported
from idlewatch.exceptions import HeldBack, HoldRefused, StoreUnavailable, Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import checkpoints, records
from idlewatch.monitor.isolation import AWAY, isolated
from idlewatch.monitor.last_seen import report_of
from idlewatch.monitor.outage import Outage, is_over
from idlewatch.process import Lane, Process
from idlewatch.store import transitions
from idlewatch.store.base import Presence, SessionStore
from idlewatch.store.turns import Batches
from idlewatch.store.values import Watched

RECORDED_EVENTS = Acted | Requested | Extended | SignedIn | Held | Released
"""The events that change a record. Each process reports which tabs are open when the store is back."""
CATCH_UP_LIMIT = 20
"""Sessions that a call reports beside its own where no timer does: each costs some round trips."""

Change = tuple[Event | None, float]
"""An event, if there is one, and when it happened (epoch seconds)."""
Outcomes = Sequence[Watched | Exception | None]
"""The session after each event, or why that was refused."""


class FallbackStore(SessionStore):
    """Wraps the sessions of a shared store. Raises `Undecided` where neither store nor record can judge."""

    def __init__(self, process: Process, sessions: SessionStore, presence: Presence, outage: Outage) -> None:
        self._clock = process.clock
        self._threads = process.threads
        self._sessions = sessions
        self._presence = presence
        self._outage = outage
        self._batches = Batches(self._aapply_in_doubt)

    def get(self, watch_id: str) -> Watched | None:
        try:
            self._report(watch_id)
            watched = self._sessions.get(watch_id)
            if is_over(watched, self._clock.now()) and self._is_held():
                self._report(watch_id)
                watched = self._sessions.get(watch_id)
        except StoreUnavailable:
            return self._judge(watch_id, None, self._clock.now())
        self._outage.note_seen(watched)
        return watched

    def get_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        if not self._outage.is_doubtful():
            with suppress(StoreUnavailable):
                return self._sessions.get_many(watch_ids)
        return [self.get(watch_id) for watch_id in watch_ids]

    def open(self, watched: Watched, now: float) -> Watched:
        # Its record may not have what this process saw.
        watched = self._with_seen(watched, now)
        try:
            opened = self._sessions.open(watched, now)
            if is_over(opened, now):
                self._is_held()
        except StoreUnavailable:
            self._outage.note_missed(watched.id)
            opened = transitions.opened(watched, now)
        self._decide(opened, now)
        return opened

    def restart(self, watched: Watched, now: float) -> Watched:
        try:
            self._report(watched.id)
            restarted = self._sessions.restart(watched, now)
        except StoreUnavailable:
            return self._replace(watched, now, transitions.restarted)
        self._outage.note_seen(restarted)
        return restarted

    def transfer(self, watched: Watched, now: float) -> Watched:
        try:
            self._report(watched.id)
            return self._sessions.transfer(watched, now)
        except StoreUnavailable:
            return self._replace(watched, now, transitions.transferred)

    def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        try:
            self._report(watch_id)
            try:
                watched = self._sessions.apply(watch_id, event, now)
            except HeldBack:
                self._outage.doubt()
                self._report(watch_id)
                watched = self._sessions.apply(watch_id, event, now)
        except StoreUnavailable:
            return self._judge(watch_id, event, now)
        self._outage.note_seen(watched)
        return watched

    def bind(self, watch_id: str, key: str) -> None:
        try:
            self._sessions.bind(watch_id, key)
        except StoreUnavailable:
            # The record has the new key's digest: the next request that comes with it binds it.
            self._outage.note_missed(watch_id)

    def end(self, watch_id: str, reason: Reason | None, now: float, *, limits_first: bool = True) -> Watched:
        try:
            self._report_end(watch_id, reason)
            return self._sessions.end(watch_id, reason, now, limits_first=limits_first)
        except StoreUnavailable:
            present = self._judge(watch_id, None, now)
            if present is None:
                return transitions.tombstone(watch_id, reason, now)
            return transitions.ended(present, reason, now)

    async def aget(self, watch_id: str) -> Watched | None:
        try:
            await self._areport(watch_id)
            watched = await self._sessions.aget(watch_id)
        except StoreUnavailable:
            return await self._threads.run(Lane.DATABASE, self._judge, watch_id, None, self._clock.now())
        if is_over(watched, self._clock.now()):
            # Rare; `get` finds out, in a thread, whether that is certain.
            return await self._threads.run(Lane.DATABASE, self.get, watch_id)
        self._outage.note_seen(watched)
        return watched

    async def aget_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        """Async version of `get_many`, by the store alone.

        Raises:
            StoreUnavailable: callers that ask for many sessions prefer an error to stale facts.
        """
        return await self._sessions.aget_many(watch_ids)

    async def aopen(self, watched: Watched, now: float) -> Watched:
        return await self._threads.run(Lane.DATABASE, self.open, watched, now)

    async def aapply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        """Async version of `apply`.

        Raises:
            StoreUnavailable: the activity waits in the buffer; the session was not judged.
        """
        if isinstance(event, Acted) and self._outage.is_tended:
            return await self._acredit(watch_id, event, now)
        if not self._outage.is_doubtful():
            with suppress(StoreUnavailable, HeldBack):
                watched = await self._sessions.aapply(watch_id, event, now)
                self._outage.note_seen(watched)
                return watched
        # What a session sends while the records are asked about it waits: one client must not keep the database busy.
        return await self._batches.add(watch_id, (event, now))

    async def _aapply_in_doubt(self, watch_id: str, changes: Sequence[Change]) -> Outcomes:
        """Apply events to a session of which the record may know more than the store, or while there is no store."""
        with suppress(StoreUnavailable):
            await self._areport(watch_id)
            outcomes = await self._aapply_all(watch_id, changes)
            if all(isinstance(outcome, HeldBack) for outcome in outcomes):
                self._outage.doubt()
                await self._areport(watch_id)
                outcomes = await self._aapply_all(watch_id, changes)
            return outcomes
        return await self._threads.run(Lane.DATABASE, self._judge_all, watch_id, changes)

    async def _aapply_all(self, watch_id: str, changes: Sequence[Change]) -> Outcomes:
        calls = (self._sessions.aapply(watch_id, event, now) for event, now in changes if event is not None)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        if any(isinstance(outcome, StoreUnavailable | asyncio.CancelledError) for outcome in outcomes):
            raise StoreUnavailable
        for outcome in outcomes:
            if isinstance(outcome, Watched):
                self._outage.note_seen(outcome)
        return cast("Outcomes", outcomes)

    async def aend(self, watch_id: str, reason: Reason | None, now: float, *, limits_first: bool = True) -> Watched:
        if reason is not None and not self._outage.is_doubtful():
            with suppress(StoreUnavailable):
                return await self._sessions.aend(watch_id, reason, now, limits_first=limits_first)
        end = partial(self.end, limits_first=limits_first)
        return await self._threads.run(Lane.DATABASE, end, watch_id, reason, now)

    def _replace(self, watched: Watched, now: float, change: transitions.Replacement) -> Watched:
        present = self._judge(watched.id, None, now)
        return transitions.opened(watched, now) if present is None else change(present, watched, now)

    async def _acredit(self, watch_id: str, event: Acted, now: float) -> Watched | None:
        """Credit what a socket reports; where that can't be done now, it waits, and the recovery reports it."""
        if not self._outage.must_wait(watch_id):
            with suppress(StoreUnavailable, HeldBack):
                watched = await self._sessions.aapply(watch_id, event, now)
                self._outage.note_seen(watched)
                if watched is not None or not self._outage.is_doubtful():
                    return watched
        # Before it is noted as missed: a recovery that finds the buffer empty ends the outage.
        self._outage.buffer.add(watch_id, min(now, now - event.ago))
        self._outage.add_missed([watch_id])
        raise StoreUnavailable

    def _report(self, watch_id: str) -> None:
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
            self._decide(found, now)
            self._sessions.end(watch_id, None, now)

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

    def _report_end(self, watch_id: str, reason: Reason | None) -> None:
        """Report as `_report` does before an end: only an end by the clock may wait."""
        try:
            self._report(watch_id)
        except Undecided:
            if reason is None:
                raise
        present, now = self._sessions.get(watch_id) if reason is None else None, self._clock.now()
        if present is not None and is_over(present, now):
            # Records that are away can't tell of anything later.
            with suppress(DatabaseError):
                for report in records.find_later([present], now).values():
                    self._sessions.apply(watch_id, report, now)

    async def _areport(self, watch_id: str) -> None:
        if self._outage.is_doubtful():
            await self._threads.run(Lane.DATABASE, self._report, watch_id)

    def _report_record(self, watch_id: str, now: float) -> None:
        record = WatchedSession.objects.find(watch_id)
        if record is None:
            return
        watched = self._watched_of(record, now)
        if watched.activity.ended is not None:
            reason, at = watched.activity.reason or Reason.LOST, min(watched.activity.ended, now)
            self._sessions.end(watch_id, reason, at, limits_first=False)
            return
        # A grace that ran out while no tab could be counted ends nothing under the user who asks.
        report = replace(report_of(watched.activity), is_open=True)
        if self._sessions.apply(watch_id, report, now) is None and is_behind(
            self._sessions.open(watched, now), watched
        ):
            # Another process has opened it meanwhile, with older facts.
            self._sessions.apply(watch_id, report, now)

    def _watched_of(self, record: WatchedSession, now: float) -> Watched:
        """Return the session of a record, with activity that this process saw, and the record may not have yet."""
        return self._with_seen(records.watched_of(record, now), now)

    def _with_seen(self, watched: Watched, now: float) -> Watched:
        seen = self._outage.seen.get(watched.id)
        return replace(watched, activity=reported(seen, watched.activity, watched.policy, now))

    def _is_held(self) -> bool:
        """Return whether the store holds back what the clock ends, which this process may not have noticed yet."""
        if self._outage.is_doubtful() or not self._presence.is_held(self._clock.now()):
            return False
        self._outage.doubt()
        return True

    def _decide(self, watched: Watched, now: float) -> None:
        """Refuse to judge a session as over by facts that may be out of date.

        Raises:
            Undecided: other processes may know of later activity.
        """
        if self._outage.is_undecided(watched, now):
            raise Undecided

    def _judge(self, watch_id: str, event: Event | None, now: float) -> Watched | None:
        """Apply an event to the facts that the record has, and judge by them."""
        (outcome,) = self._judge_all(watch_id, [(event, now)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _judge_all(self, watch_id: str, changes: Sequence[Change]) -> Outcomes:
        """Apply events in turn to the facts that the record has; return for each the session then, or its refusal."""
        self._outage.note_missed(watch_id)
        now = max(moment for _, moment in changes)
        try:
            record = WatchedSession.objects.find(watch_id)
            if record is None:
                return [None] * len(changes)
            # Above what pages have seen; what the store tells them later is above this.
            watched = transitions.opened(self._watched_of(record, now), now)
            # By now: while the store was waited for, another process may have ended it.
            self._decide(watched, max(now, self._clock.now()))
            changed, outcomes = _after_all(changes, watched)
            if changed is not watched and changed.activity.ended is None:
                checkpoints.advance(changed, now)
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


def is_behind(present: Watched, known: Watched) -> bool:
    """Return whether the store's facts of a live session are older than `known`."""
    has, knows = present.activity, known.activity
    facts = ((has.active, knows.active), (has.logged_in_at, knows.logged_in_at), (has.held_until, knows.held_until))
    return has.ended is None and any(less < more for less, more in facts)
