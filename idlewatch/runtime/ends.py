"""The ends of sessions that the store knows, and the records do not yet."""

from __future__ import annotations

from collections.abc import Sequence

from idlewatch.exceptions import EngineUnavailable
from idlewatch.monitor import closing, django_sessions, stores
from idlewatch.monitor.isolation import log_once, work_through
from idlewatch.process import Lane, Process, together
from idlewatch.runtime.membership import Membership
from idlewatch.store.base import DueQueue
from idlewatch.store.values import Due, Watched

BATCH_SIZE = 500
"""Ends claimed at once: all have to be recorded within the lease, although an engine may delete sessions one by one."""
CLAIM_LEASE = 10.0
"""Seconds after which what was claimed and not confirmed falls to another timer."""


class Ends:
    """Records ends: closes the records, and deletes the Django sessions."""

    def __init__(self, process: Process, membership: Membership) -> None:
        self._process = process
        self._clock = process.clock
        self._membership = membership

    @property
    def _queue(self) -> DueQueue:
        return stores.store_of(self._process).queue

    async def next_due(self) -> float:
        """Return when the next end is to be recorded (epoch seconds; `inf`: there is none)."""
        due_at = await self._queue.next_due(Due.RECORD) if self._membership.holds_store else None
        return float("inf") if due_at is None else due_at

    async def record(self, now: float, bound: float = float("inf")) -> None:
        """Record the ends that are due, for `bound` seconds at most: the rest comes after."""
        until = self._clock.ticks() + bound
        ended = await self._claim(now)
        work = [self._work(ended, now, until)]
        if len(ended) == BATCH_SIZE:
            # The database writes one batch while another is prepared.
            work.append(self._claim_and_work(now, until))
        await together(work)

    async def _claim_and_work(self, now: float, until: float) -> None:
        await self._work(await self._claim(now), now, until)

    async def _work(self, ended: Sequence[Watched], now: float, until: float) -> None:
        """Record these ends, then further batches; begin none after `until`."""
        while ended:
            failed = await self._process.threads.run(Lane.TIMER, _record, ended)
            recorded = [watched for watched in ended if watched.id not in failed]
            await self._queue.confirm(Due.RECORD, recorded, now)
            if len(ended) < BATCH_SIZE or self._clock.ticks() >= until:
                return
            ended = await self._claim(now)

    async def _claim(self, now: float) -> Sequence[Watched]:
        if not self._membership.holds_store:
            return []
        # With what has ended meanwhile: in a burst, sessions end while others are recorded.
        return await self._queue.claim(Due.RECORD, max(now, self._clock.now()), BATCH_SIZE, CLAIM_LEASE)


def _record(ended: Sequence[Watched]) -> set[str]:
    """Close the records of these sessions and delete the Django sessions; return the ids of those to do again.

    They failed, or a transaction of the project has locked their rows.
    """
    left = set[str]()

    def record(batch: Sequence[Watched]) -> None:
        # The record first: an engine that is away must not keep it open.
        left.update(closing.close_all(batch))
        keys = {watched.key: watched.id for watched in batch if watched.key and watched.id not in left}
        left.update(keys[key] for key in django_sessions.delete(keys))

    by_id = {watched.id: watched for watched in ended}
    try:
        return work_through("record of the end", by_id, record) | left
    except EngineUnavailable as error:
        log_once("session engine", str(error))
        return set(by_id)
