"""What stands in for a shared store that can't be reached: the records.

While it is away, requests are judged by the record and advance it, so that nobody is thrown out and nobody stays past
the limits; what sockets report waits in the backlog, and is written into the records once a round. When the store is
back, each process vouches to it for what the records tell, before anything is judged to have ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import ClassVar, TypeVar

from channels.db import database_sync_to_async
from django.db import Error as DatabaseError
from msgspec.structs import replace

from idlewatch.core.activity import Activity, Reason
from idlewatch.core.clock import now as read_clock
from idlewatch.core.events import (
    Acted,
    Event,
    Extended,
    Held,
    Released,
    Reported,
    Requested,
    SignedIn,
    TabsCounted,
    reported,
)
from idlewatch.core.policy import Phase, Verdict
from idlewatch.exceptions import StoreUnavailable, Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import records
from idlewatch.monitor.write_behind import ActivityBuffer
from idlewatch.store import transitions
from idlewatch.store.base import Census, Due, Listing, Reading, Renewal, Sample, Store, Watched

logger = logging.getLogger("idlewatch")

GRACE = 4.0
"""Seconds after the store's return in which other processes may still vouch: a round, a timeout, and more."""
OVERLAP = 5.0
"""Seconds by which the look at what was ended meanwhile reaches back: a transaction commits after it took the time."""
ACTIVITY = Acted | Requested | Extended | SignedIn | Held | Released
"""The events of which a record takes note; which tabs are open, each process tells anew when the store is back."""
NONE = (0, 0.0)
"""No tab, and nobody seen to act."""

T = TypeVar("T")


class FallbackStore(Store):
    """A shared store, and the records in its place while it is away."""

    shared: ClassVar[bool] = True

    def __init__(self, store: Store) -> None:
        super().__init__(store.location, store.options)
        self.store = store
        self._lock = Lock()
        self._buffer = ActivityBuffer()
        self._advanced: set[str] = set()
        """Watches of which the records know more than the store."""
        self._undecided: set[str] = set()
        """Watches that the store does not know, and of which nobody could tell whether they had ended."""
        self._away_since: float | None = None
        """Epoch seconds; None while the store is there, and knows what it missed."""
        self._settle_after = float("-inf")

    @property
    def is_away(self) -> bool:
        """Whether there is something to be made good: the store could not be reached, or was left in doubt."""
        return self._away_since is not None or (bool(self._undecided) and not self._is_doubtful())

    @property
    def settle_after(self) -> float:
        """Until when (epoch seconds) the timer ends nothing: others may still vouch for their sessions."""
        return self._settle_after

    def get(self, watch_id: str) -> Watched | None:
        try:
            self._report(watch_id)
            return self.store.get(watch_id)
        except StoreUnavailable:
            return self._judge(watch_id, None, read_clock())

    def open(self, watched: Watched, now: float) -> Watched:
        try:
            self._decide(watched, now)
            return self.store.open(watched, now)
        except StoreUnavailable:
            self._lose(watched.id)
            return transitions.opened(watched, now)

    def restart(self, watched: Watched, now: float) -> Watched:
        try:
            self._report(watched.id)
            return self.store.restart(watched, now)
        except StoreUnavailable:
            present = self._judge(watched.id, None, now)
            return transitions.opened(watched, now) if present is None else transitions.restarted(present, watched, now)

    def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        try:
            self._report(watch_id)
            return self.store.apply(watch_id, event, now)
        except StoreUnavailable:
            return self._judge(watch_id, event, now)

    def bind(self, watch_id: str, key: str) -> None:
        try:
            self.store.bind(watch_id, key)
        except StoreUnavailable:
            # The record has the new key's digest: the next request that comes with it binds it.
            self._lose(watch_id)

    def end(self, watch_id: str, reason: Reason, now: float) -> Watched:
        try:
            self._report(watch_id)
            return self.store.end(watch_id, reason, now)
        except StoreUnavailable:
            present = self._judge(watch_id, None, now)
            return transitions.ended(present or transitions.unknown(watch_id, now), reason, now)

    async def aget(self, watch_id: str) -> Watched | None:
        try:
            await self._areport(watch_id)
            return await self.store.aget(watch_id)
        except StoreUnavailable:
            return await database_sync_to_async(self._judge)(watch_id, None, read_clock())

    async def aopen(self, watched: Watched, now: float) -> Watched:
        try:
            await database_sync_to_async(self._decide)(watched, now)
            return await self.store.aopen(watched, now)
        except StoreUnavailable:
            self._lose(watched.id)
            return transitions.opened(watched, now)

    async def aapply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        """Twin of `apply`.

        Raises:
            StoreUnavailable: the activity waits here; how the session stands nobody asked.
        """
        if isinstance(event, Acted):
            return await self._acredit(watch_id, event, now)
        try:
            await self._areport(watch_id)
            return await self.store.aapply(watch_id, event, now)
        except StoreUnavailable:
            return await database_sync_to_async(self._judge)(watch_id, event, now)

    async def aend(self, watch_id: str, reason: Reason, now: float) -> Watched:
        try:
            await self._areport(watch_id)
            return await self.store.aend(watch_id, reason, now)
        except StoreUnavailable:
            return await database_sync_to_async(self.end)(watch_id, reason, now)

    async def aclaim(self, due: Due, now: float, limit: int, lease: float) -> Sequence[Watched]:
        return await self._noticing(self.store.aclaim(due, now, limit, lease))

    async def asettle(self, watched: Watched, verdict: Verdict, now: float) -> Watched | None:
        return await self._noticing(self.store.asettle(watched, verdict, now))

    async def aconfirm(
        self, due: Due, watched: Watched, now: float, next_at: float | None = None, *, doubted: bool = False
    ) -> None:
        await self._noticing(self.store.aconfirm(due, watched, now, next_at, doubted=doubted))

    async def anext_due(self, due: Due) -> float | None:
        return await self._noticing(self.store.anext_due(due))

    def on_due_sooner(self, due: Due, callback: Callable[[], None]) -> Callable[[], None]:
        return self.store.on_due_sooner(due, callback)

    async def arenew(self, process: str, now: float, lease: float) -> Renewal:
        return await self._noticing(self.store.arenew(process, now, lease))

    async def aresumed(self) -> None:
        await self.store.aresumed()

    async def areap(self, now: float) -> Sequence[str]:
        return await self._noticing(self.store.areap(now))

    async def aping(self) -> None:
        await self.store.aping()

    def get_all(self, watches: Sequence[str]) -> Sequence[Watched | None]:
        if self._is_doubtful():
            return super().get_all(watches)
        try:
            return self.store.get_all(watches)
        except StoreUnavailable:
            return super().get_all(watches)

    async def aget_all(self, watches: Sequence[str]) -> Sequence[Watched | None]:
        return await self._noticing(self.store.aget_all(watches))

    async def acensus(self) -> Census:
        return await self._noticing(self.store.acensus())

    async def alist(
        self, phase: Phase | None, connected: bool | None, offset: int, limit: int, *, last: bool = False
    ) -> Listing:
        return await self._noticing(self.store.alist(phase, connected, offset, limit, last=last))

    async def asample(self, now: float, every: float, keep: float) -> Sample | None:
        return await self._noticing(self.store.asample(now, every, keep))

    async def asamples(self, after: float = 0.0) -> Sequence[Sample]:
        return await self._noticing(self.store.asamples(after))

    def read_created_at(self) -> float | None:
        return self.store.read_created_at()

    def read_time(self, process: str) -> Reading | None:
        return self.store.read_time(process)

    async def aread_time(self, process: str) -> Reading | None:
        return await self._noticing(self.store.aread_time(process))

    async def acorrect_time(self, reading: Reading, by: float) -> None:
        await self.store.acorrect_time(reading, by)

    def clear(self) -> None:
        self.store.clear()

    async def aclose(self) -> None:
        await self.store.aclose()

    def close(self) -> None:
        self.store.close()

    def write_down(self, tabs: Mapping[str, tuple[int, float]] | None = None) -> None:
        """Write what waits here into the records; what the database refuses goes on waiting.

        `tabs`: how many a watch has here, and when its user was last seen to act.
        """
        self._buffer.write_down({watch_id: active for watch_id, (_, active) in (tabs or {}).items()})

    async def amake_good(
        self, tabs_here: Callable[[], Mapping[str, tuple[int, float]]], process: str, now: float
    ) -> None:
        """Tell the store what it missed: what the records know, and how far the tabs of this process have seen it come.

        `tabs_here`: tells how many tabs a watch has here, and when its user was last seen to act. They come and go.
        """
        since = self._away_since
        if since is not None:
            await database_sync_to_async(self._end_closed)(since - OVERLAP, now)
        if self._undecided and not self._is_doubtful():
            # Whoever knew better has had the time to say so.
            await database_sync_to_async(self._resume_undecided)(now)
        else:
            self._settle_after = read_clock() + GRACE
        watches = set(tabs_here())
        while True:
            await database_sync_to_async(self.write_down)(tabs_here())
            with self._lock:
                advanced, self._advanced = self._advanced, set()
            try:
                await self._atell_all(sorted(watches | advanced), tabs_here, process, now)
            except BaseException:
                with self._lock:
                    self._advanced |= advanced
                raise
            # What came meanwhile has waited, so that nothing was judged before the store had heard of what was missed.
            watches = set()
            with self._lock:
                if not self._buffer and not self._advanced:
                    self._away_since = None
                    break
        if since is not None:
            self._settle_after = read_clock() + GRACE

    async def _acredit(self, watch_id: str, event: Acted, now: float) -> Watched | None:
        """Credit what a socket reports; where that can't be done now, it waits."""
        try:
            if self._away_since is not None:
                raise StoreUnavailable  # noqa: TRY301 - as where the store says so
            return await self.store.aapply(watch_id, event, now)
        except StoreUnavailable:
            # First this: what waits keeps the store away until it was made good.
            self._buffer.add(watch_id, min(now, now - event.ago))
            self._lose(watch_id)
            raise

    def _lose(self, watch_id: str) -> None:
        with self._lock:
            self._miss()
            self._advanced.add(watch_id)

    def _miss(self) -> None:
        if self._away_since is None:
            self._away_since = read_clock()

    async def _noticing(self, answer: Awaitable[T]) -> T:
        """Notice an outage also where no session is concerned: others may have something to tell after it."""
        try:
            return await answer
        except StoreUnavailable:
            self._miss()
            raise

    def _is_doubtful(self) -> bool:
        return self._away_since is not None or read_clock() < self._settle_after

    def _report(self, watch_id: str) -> None:
        """Tell the store what the record knows, while it may not know it yet."""
        if not self._is_doubtful():
            return
        now = read_clock()
        try:
            self._tell(watch_id, now)
        except DatabaseError as error:
            # The records are away too. What the store has by itself is good, unless it says that the session is over.
            found = self.store.get(watch_id)
            if found is None or (found.activity.ended is None and found.verdict(now).phase is Phase.ENDED):
                raise Undecided from error

    async def _areport(self, watch_id: str) -> None:
        if self._is_doubtful():
            await database_sync_to_async(self._report)(watch_id)

    def _tell(self, watch_id: str, now: float) -> None:
        record = records.find(watch_id)
        if record is None:
            return
        watched = records.watched_of(record, now)
        if watched.activity.ended is not None:
            self.store.end(watch_id, watched.activity.reason or Reason.LOST, min(watched.activity.ended, now))
        elif self.store.apply(watch_id, word_of(watched.activity), now) is None:
            self.open(watched, now)

    async def _atell_all(
        self,
        watches: Sequence[str],
        tabs_here: Callable[[], Mapping[str, tuple[int, float]]],
        process: str,
        now: float,
    ) -> None:
        """Tell the store of many at once: until it knows, nobody is told of any change."""
        for start in range(0, len(watches), records.BATCH):
            batch = watches[start : start + records.BATCH]
            known = {record.pk: record for record in await database_sync_to_async(records.find_all)(batch)}
            tabs = tabs_here()
            stand = await asyncio.gather(
                *(self._atell(watch_id, known.get(watch_id), tabs.get(watch_id, NONE)[1], now) for watch_id in batch)
            )
            await self._count_right(stand, tabs_here, process, now)

    async def _count_right(
        self,
        stand: Sequence[Watched | None],
        tabs_here: Callable[[], Mapping[str, tuple[int, float]]],
        process: str,
        now: float,
    ) -> None:
        """Tell the store how many tabs there are here, until it has it right: they come and go meanwhile."""
        while True:
            # Counted as late as can be, and also where the last one closed while the store was away.
            tabs = tabs_here()
            miscounted = [
                (watched.id, count)
                for watched in stand
                # To count is to judge: what is over by the clock waits until everybody has vouched.
                if watched
                and watched.verdict(now).phase is not Phase.ENDED
                and watched.activity.tabs.get(process, 0) != (count := tabs.get(watched.id, NONE)[0])
            ]
            if not miscounted:
                return
            stand = await asyncio.gather(
                *(self.store.aapply(watch_id, TabsCounted(process, count), now) for watch_id, count in miscounted)
            )

    async def _atell(self, watch_id: str, record: WatchedSession | None, active: float, now: float) -> Watched | None:
        """Tell the store what the record knows of a watch, and what its tabs here have seen; return it as it stands."""
        word = Reported(active)
        watched = None if record is None else records.watched_of(record, now)
        if watched is not None and watched.activity.ended is not None:
            reason = watched.activity.reason or Reason.LOST
            return await self.store.aend(watch_id, reason, min(watched.activity.ended, now))
        if watched is not None:
            watched = replace(watched, activity=reported(word, watched.activity, watched.policy, now))
            word = word_of(watched.activity)
        stands = await self.store.aapply(watch_id, word, now)
        if stands is not None or watched is None:
            return stands
        if await database_sync_to_async(self._is_undecided)(watched, now):
            with self._lock:
                self._undecided.add(watch_id)
            return None
        return await self.store.aopen(watched, now)

    def _end_closed(self, since: float, now: float) -> None:
        """End in the store what was ended while it was away, by whomever: a command, say, that is there no more."""
        for record in records.closed_since(since):
            if record.ended is not None:
                self.store.end(record.pk, Reason(record.reason), min(record.ended.timestamp(), now))

    def _resume_undecided(self, now: float) -> None:
        with self._lock:
            undecided, self._undecided = self._undecided, set()
        for record in records.find_all(undecided):
            with suppress(Undecided):
                self.open(records.watched_of(record, now), now)

    def _decide(self, watched: Watched, now: float) -> None:
        """Refuse to call a session idle on the word of a record that may be older than the store was.

        Raises:
            Undecided: its end lies no longer ago than the record may be old, and others may know better.
        """
        if self._is_undecided(watched, now):
            with self._lock:
                self._undecided.add(watched.id)
            raise Undecided

    def _is_undecided(self, watched: Watched, now: float) -> bool:
        verdict = watched.verdict(now)
        is_idle = verdict.phase is Phase.ENDED and watched.activity.ended is None and verdict.reason is Reason.IDLE
        is_recent = now < verdict.ends_at + watched.policy.checkpoint
        return is_idle and is_recent and (self._is_doubtful() or self._is_new(now))

    def _is_new(self, now: float) -> bool:
        """Tell whether the store lost all it had a moment ago: others may not have told it yet what they know."""
        created_at = self.store.read_created_at()
        return created_at is None or now < created_at + GRACE

    def _judge(self, watch_id: str, event: Event | None, now: float) -> Watched | None:
        """Let an event change the facts as the record has them."""
        self._lose(watch_id)
        try:
            record = records.find(watch_id)
            if record is None:
                return None
            # Above what pages have seen; what the store tells them later is above this.
            watched = transitions.opened(records.watched_of(record, now), now)
            self._decide(watched, now)
            if not isinstance(event, ACTIVITY):
                return watched
            changed = transitions.after(event, watched, now)
            if changed is not watched and changed.activity.ended is None:
                records.advance(changed, now)
        except DatabaseError as error:
            # The records are away too.
            raise Undecided from error
        return changed


def word_of(activity: Activity) -> Reported:
    """Return the event that tells a store what a record knows."""
    return Reported(activity.active, activity.logged_in_at, activity.held_until, activity.held_since)
