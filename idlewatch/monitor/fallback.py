"""The sessions of a shared store, and the records in its place while it can't be reached.

Requests are judged by the record then, and advance it: no user is signed out by an outage, and none stays past the
limits. What sockets report waits in the activity buffer, and is written into the records once a round. When the store
is back, `recovery` reports to it what the records know, before any session is judged to have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar, cast

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, Event
from idlewatch.exceptions import HeldBack, StoreUnavailable
from idlewatch.monitor.heartbeats import Heartbeats
from idlewatch.monitor.outage import Outage, is_over
from idlewatch.monitor.record_judge import Change, Outcomes, RecordJudge
from idlewatch.monitor.record_reports import RecordReports
from idlewatch.process import Lane, PerLoop, Process
from idlewatch.store import transitions
from idlewatch.store.base import Presence, SessionStore
from idlewatch.store.batches import Batches
from idlewatch.store.values import Watched

T = TypeVar("T")


class FallbackStore(SessionStore):
    """Wraps the sessions of a shared store. Raises `Undecided` where neither store nor record can judge."""

    def __init__(
        self,
        process: Process,
        sessions: SessionStore,
        presence: Presence,
        outage: Outage,
        heartbeats: PerLoop[Heartbeats],
    ) -> None:
        self._clock = process.clock
        self._threads = process.threads
        self._sessions = sessions
        self._presence = presence
        self._outage = outage
        self._records = RecordJudge(process, outage)
        self._heartbeats = heartbeats
        self._reports = RecordReports(process, sessions, outage)
        self._batches = Batches(self._aapply_in_doubt)

    def get(self, watch_id: str) -> Watched | None:
        try:
            self._reports.report(watch_id)
            watched = self._sessions.get(watch_id)
            if is_over(watched, self._clock.now()) and self._notices_hold_back():
                self._reports.report(watch_id)
                watched = self._sessions.get(watch_id)
        except StoreUnavailable:
            return self._records.judge(watch_id, None, self._clock.now())
        self._outage.note_seen(watched)
        return watched

    def get_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        if not self._outage.is_doubtful():
            with suppress(StoreUnavailable):
                return self._sessions.get_many(watch_ids)
        return [self.get(watch_id) for watch_id in watch_ids]

    def open(self, watched: Watched, now: float) -> Watched:
        # Its record may not have what this process saw.
        watched = self._outage.seen.added_to(watched, now)
        try:
            opened = self._sessions.open(watched, now)
            if is_over(opened, now):
                self._notices_hold_back()
        except StoreUnavailable:
            self._outage.note_missed(watched.id)
            opened = transitions.opened(watched, now)
        self._outage.require_decided(opened, now)
        return opened

    def open_many(self, sessions: Sequence[Watched], now: float) -> Collection[str]:
        opened = {watched.id: self.open(watched, now) for watched in sessions}
        # A known one has the version that it had.
        return {
            watched.id for watched in sessions if opened[watched.id].version != transitions.opened(watched, now).version
        }

    def restart(self, watched: Watched, now: float) -> Watched:
        try:
            self._reports.report(watched.id)
            restarted = self._surely(watched.id, partial(self._sessions.restart, watched, now))
        except StoreUnavailable:
            return self._replace(watched, now, transitions.restarted)
        self._outage.note_seen(restarted)
        return restarted

    def transfer(self, watched: Watched, now: float) -> Watched:
        try:
            self._reports.report(watched.id)
            return self._surely(watched.id, partial(self._sessions.transfer, watched, now))
        except StoreUnavailable:
            return self._replace(watched, now, transitions.transferred)

    def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        try:
            if self._outage.is_doubtful():
                self._reports.report(watch_id)
            try:
                watched = self._sessions.apply(watch_id, event, now)
            except HeldBack:
                self._make_certain(watch_id)
                watched = self._sessions.apply(watch_id, event, now)
        except StoreUnavailable:
            return self._records.judge(watch_id, event, now)
        self._outage.note_seen(watched)
        if isinstance(event, Acted):
            self._outage.note_credit(watched, min(now, now - event.ago))
        return watched

    def bind(self, watch_id: str, key: str) -> None:
        try:
            self._sessions.bind(watch_id, key)
        except StoreUnavailable:
            # The record has the new key's digest: the next request that comes with it binds it.
            self._outage.note_missed(watch_id)

    def end(self, watch_id: str, reason: Reason | None, now: float, *, limits_first: bool = True) -> Watched:
        self._credit_waiting(watch_id)
        try:
            self._reports.report_end(watch_id, reason)
            return self._sessions.end(watch_id, reason, now, limits_first=limits_first)
        except StoreUnavailable:
            present = self._records.judge(watch_id, None, now)
            if present is None:
                return transitions.tombstone(watch_id, reason, now)
            ended = transitions.ended(present, reason, now)
            self._outage.note_seen(ended)
            return ended

    async def aget(self, watch_id: str) -> Watched | None:
        await self._heartbeats.current().settle(watch_id)
        try:
            await self._areport(watch_id)
            watched = await self._sessions.aget(watch_id)
        except StoreUnavailable:
            return await self._threads.run(Lane.DATABASE, self._records.judge, watch_id, None, self._clock.now())
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

    async def aopen_many(self, sessions: Sequence[Watched], now: float) -> Collection[str]:
        return await self._threads.run(Lane.DATABASE, self.open_many, sessions, now)

    async def aapply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        """Async version of `apply`.

        Raises:
            StoreUnavailable: the activity waits in the buffer; the session was not judged.
        """
        if isinstance(event, Acted) and self._outage.is_tended:
            return await self._acredit(watch_id, event, now)
        heartbeats = self._heartbeats.current()
        if not heartbeats.is_idle:
            await heartbeats.settle(watch_id)
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
            outcomes = list(await self._aapply_all(watch_id, changes))
            held = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, HeldBack)]
            if held:
                await self._threads.run(Lane.DATABASE, self._reports.finish, watch_id)
                again = await self._aapply_all(watch_id, [changes[index] for index in held])
                for index, outcome in zip(held, again, strict=True):
                    outcomes[index] = outcome
            return outcomes
        return await self._threads.run(Lane.DATABASE, self._records.judge_all, watch_id, changes)

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
        await self._heartbeats.current().settle(watch_id)
        if reason is not None and not self._outage.is_doubtful():
            with suppress(StoreUnavailable):
                return await self._sessions.aend(watch_id, reason, now, limits_first=limits_first)
        end = partial(self.end, limits_first=limits_first)
        return await self._threads.run(Lane.DATABASE, end, watch_id, reason, now)

    def _replace(self, watched: Watched, now: float, change: transitions.Replacement) -> Watched:
        present = self._records.judge(watched.id, None, now)
        return transitions.opened(watched, now) if present is None else change(present, watched, now)

    async def _acredit(self, watch_id: str, event: Acted, now: float) -> Watched | None:
        """Credit what a socket reports; where that can't be done now, it waits, and the recovery reports it."""
        moment = min(now, now - event.ago)
        if not self._outage.must_wait(watch_id):
            with suppress(StoreUnavailable, HeldBack):
                watched = await self._sessions.aapply(watch_id, event, now)
                self._outage.note_seen(watched)
                self._outage.note_credit(watched, moment)
                if watched is not None or not self._outage.is_doubtful():
                    return watched
        self._outage.keep_waiting(watch_id, moment)
        raise StoreUnavailable

    async def _areport(self, watch_id: str) -> None:
        if self._outage.is_doubtful():
            await self._threads.run(Lane.DATABASE, self._reports.report, watch_id)

    def _surely(self, watch_id: str, change: Callable[[], T]) -> T:
        """Change a session; one that is over by the clock, once it is certain whether it ends by that."""
        try:
            return change()
        except HeldBack:
            self._make_certain(watch_id)
            return change()

    def _make_certain(self, watch_id: str) -> None:
        """Make it certain whether a session that is over by the clock ends by that."""
        self._credit_waiting(watch_id)
        self._reports.finish(watch_id)

    def _credit_waiting(self, watch_id: str) -> None:
        """Credit what waits of a session before it is judged to end."""
        for heartbeats in self._heartbeats:
            heartbeats.credit(watch_id)

    def _notices_hold_back(self) -> bool:
        """Notice that the store holds back what the clock ends, and doubt it; return whether that is news."""
        if self._outage.is_doubtful() or not self._presence.is_holding_back(self._clock.now()):
            return False
        self._outage.doubt()
        return True
