"""Recovery from an outage of the shared store: a process reports what the store missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.events import Reported, TabsCounted
from idlewatch.core.policy import Phase
from idlewatch.core.reducer import reported
from idlewatch.exceptions import Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import records
from idlewatch.monitor.fallback import FallbackStore, report_of
from idlewatch.monitor.outage import Outage
from idlewatch.process import Lane, Process
from idlewatch.store.base import SessionStore
from idlewatch.store.values import Watched

COMMIT_OVERLAP = 5.0
"""Seconds by which the search for what ended meanwhile reaches back: a transaction commits after it took the time."""
NO_TABS = (0, 0.0)
MAX_COUNTS = 5
"""How many times the tabs of one session are counted: one whose tabs come and go all the time holds up no recovery."""

ReadTabs = Callable[[], Mapping[str, tuple[int, float]]]
"""Returns how many tabs each session has in this process, and when its user was last seen to act (epoch seconds)."""


class Recovery:
    """Reports to a shared store what it missed; `sessions` are those of the store itself.

    The timer calls `recover` once a round while `is_away`, before it ends anything, and `flush` while the store stays
    away.
    """

    def __init__(self, process: Process, sessions: SessionStore, fallback: FallbackStore, outage: Outage) -> None:
        self.sessions = sessions
        self._threads = process.threads
        self._fallback = fallback
        self._outage = outage

    @property
    def is_away(self) -> bool:
        """Whether the store is away, or has to be told what it missed."""
        return self._outage.is_away

    @property
    def settle_after(self) -> float:
        """Until when (epoch seconds) the timer ends nothing: other processes may still report activity."""
        return self._outage.settle_after

    def flush(self, tabs: Mapping[str, tuple[int, float]] | None = None) -> None:
        """Write the activity that waits into the records; what the database refuses goes on waiting.

        `tabs`: as `ReadTabs` returns them.
        """
        self._outage.buffer.flush({watch_id: active for watch_id, (_, active) in (tabs or {}).items()})

    async def recover(self, read_tabs: ReadTabs, process: str, now: float) -> None:
        """Report to the store what the records hold, and the last activity seen by the tabs of this process.

        Raises:
            StoreUnavailable: the store is away again; the next call begins over.
        """
        began_at = self._outage.began_at
        if began_at is not None:
            await self._threads.run(Lane.TIMER, self._end_closed, began_at - COMMIT_OVERLAP, now)
        if undecided := self._outage.take_decidable():
            # The processes that knew more have had the time to report it.
            await self._threads.run(Lane.TIMER, self._open_undecided, undecided, now)
        else:
            self._outage.hold_back()
        watch_ids = set(read_tabs())
        while True:
            await self._threads.run(Lane.TIMER, self.flush, read_tabs())
            advanced = self._outage.take_advanced()
            try:
                await self._report_all(sorted(watch_ids | advanced), read_tabs, process, now)
            except BaseException:
                self._outage.return_advanced(advanced)
                raise
            # What came meanwhile has waited, so that nothing was judged before the store knew what it had missed.
            watch_ids = set()
            if self._outage.finish():
                break
        if began_at is not None:
            self._outage.hold_back()

    async def _report_all(self, watch_ids: Sequence[str], read_tabs: ReadTabs, process: str, now: float) -> None:
        for start in range(0, len(watch_ids), records.BATCH_SIZE):
            batch = watch_ids[start : start + records.BATCH_SIZE]
            known = await self._threads.run(Lane.TIMER, WatchedSession.objects.in_bulk, batch)
            tabs = read_tabs()
            sessions = await asyncio.gather(
                *(
                    self._report(watch_id, known.get(watch_id), tabs.get(watch_id, NO_TABS)[1], now)
                    for watch_id in batch
                )
            )
            await self._correct_counts(sessions, read_tabs, process, now)

    async def _report(self, watch_id: str, record: WatchedSession | None, active: float, now: float) -> Watched | None:
        """Report what the record and the tabs here know of a session; return it as it is then."""
        report = Reported(active, is_open=True)
        watched = None if record is None else records.watched_of(record, now)
        if watched is not None and watched.activity.ended is not None:
            reason = watched.activity.reason or Reason.LOST
            return await self.sessions.aend(watch_id, reason, min(watched.activity.ended, now))
        if watched is not None:
            watched = replace(watched, activity=reported(report, watched.activity, watched.policy, now))
            report = replace(report_of(watched.activity), is_open=True)
        present = await self.sessions.aapply(watch_id, report, now)
        if present is not None or watched is None:
            return present
        if await self._threads.run(Lane.TIMER, self._outage.is_undecided, watched, now):
            self._outage.add_undecided(watch_id)
            return None
        return await self.sessions.aopen(watched, now)

    async def _correct_counts(
        self, sessions: Sequence[Watched | None], read_tabs: ReadTabs, process: str, now: float
    ) -> None:
        """Report the tabs here, and again where some came or went meanwhile; the timer corrects what is left."""
        for _ in range(MAX_COUNTS):
            # Counted as late as can be, and also where the last one closed while the store was away.
            tabs = read_tabs()
            miscounted = [
                (watched.id, count)
                for watched in sessions
                # To count is to judge: what is over by the clock waits until all processes have reported.
                if watched
                and watched.verdict(now).phase is not Phase.ENDED
                and watched.activity.tabs.get(process, 0) != (count := tabs.get(watched.id, NO_TABS)[0])
            ]
            if not miscounted:
                return
            sessions = await asyncio.gather(
                *(self.sessions.aapply(watch_id, TabsCounted(process, count), now) for watch_id, count in miscounted)
            )

    def _end_closed(self, since: float, now: float) -> None:
        """End in the store what was ended while it was away, also by a process that is gone: a command, say."""
        for record in WatchedSession.objects.closed_since(since):
            assert record.ended is not None, "closed records alone are asked for"  # noqa: S101
            self.sessions.end(record.pk, Reason(record.reason), min(record.ended.timestamp(), now))

    def _open_undecided(self, watch_ids: set[str], now: float) -> None:
        for record in WatchedSession.objects.filter(pk__in=watch_ids):
            with suppress(Undecided):
                self._fallback.open(records.watched_of(record, now), now)
