"""The timer: finds what is due, has it published to the tabs, and does what follows.

It works in two lanes, so that a database that is slow or down delays no push: one tells the tabs, the other keeps the
records. A task of a round that has to wait delays none of the next ones.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from django.db import DatabaseError

from idlewatch import metrics
from idlewatch.exceptions import StoreUnavailable
from idlewatch.monitor import history, pruning, records, revalidation, stores
from idlewatch.monitor.isolation import AWAY
from idlewatch.monitor.outage import is_over
from idlewatch.monitor.reconciliation import Reconciliation
from idlewatch.monitor.record_rows import RecordRow
from idlewatch.process import Lane, Process
from idlewatch.runtime.due_work import RETRY_INTERVAL, DueWork
from idlewatch.runtime.ends import CLAIM_LEASE, Ends
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.membership import SAMPLE_RETENTION, Membership
from idlewatch.runtime.publisher import Publisher
from idlewatch.runtime.round_tasks import RoundTasks
from idlewatch.runtime.sending import Sending
from idlewatch.runtime.shutdown import write_progress
from idlewatch.signals.dispatcher import Dispatcher
from idlewatch.store.base import Store
from idlewatch.store.values import Due, Watched

logger = logging.getLogger("idlewatch")

BATCH_SIZE = 500
"""Sessions claimed at once."""
RECORDS_TIMEOUT = 0.5
"""Seconds that a push waits for the records, at most."""
PUSH_SPACING, SHARED_PUSH_SPACING = 0.002, 0.01
"""Seconds from one search for due pushes to the next, in memory and in a shared store, so that those that follow one
another closely go out together: a search costs more than a push. One that is alone goes out at once."""
RECORD_SPACING = 0.2
"""Seconds from one piece of work on the records to the next, so that many ends are recorded together: their statements
hold up the pushes."""
ROUND_INTERVAL = 1.0
"""Seconds between rounds: the checks, the records that a command closed, the lease of this process."""
LATE_AFTER = 2 * ROUND_INTERVAL
"""Seconds since the lease of this process was renewed after which a round counts as late."""
CHECK_TIMEOUT = 10.0
"""Seconds that checks wait, at most, while sessions are to be resumed: they would take half of the time of that."""
COMPARE_INTERVAL = 15.0
"""Seconds between searches for what was lost without an error: messages by a layer, sessions by the store, ends by
the database."""
SWEEP_INTERVAL = 3600.0
"""Seconds between two runs of `SWEEPS`."""
SWEEPS: list[Callable[[float], bool]] = [pruning.sweep]
"""Functions of `now` that delete a batch of what is too old, and return whether there was any; apps above this layer
register theirs."""
MAX_BATCHES = 100
"""Batches that one run of each deletes, at most: the process has other work to do, and the next run goes on."""
SAMPLE_INTERVAL = 15.0
"""Seconds between two samples of how many sessions live."""


class Timer:
    """Ends what the clock ends, and publishes what changed. Any number may run; each change happens once."""

    def __init__(self, process: Process, hub: Hub) -> None:
        self._process = process
        self._clock = process.clock
        self._threads = process.threads
        self._dispatcher = process.part(Dispatcher)
        self._hub = hub
        self.publisher = Publisher(process, hub)
        self.membership = Membership(process, self.publisher.tell_missed)
        self._ends = Ends(process, self.membership)
        self._reconciliation = Reconciliation(process)
        self._tasks = RoundTasks(process, ROUND_INTERVAL)
        self._round_at = float("-inf")
        self._checked_at = float("-inf")
        self._compared_at = float("-inf")
        self._swept_at = float("-inf")
        self._sampled_at = float("-inf")
        self.kept_at: float | None = None
        """Epoch seconds of the latest round that did all it had to."""

    @property
    def owns_store(self) -> bool:
        """Whether this process may act on the store: always, where it is shared."""
        return self.membership.owns_store and not self.membership.refused

    @property
    def _store(self) -> Store:
        return stores.store_of(self._process)

    async def run(self) -> None:
        """Work until cancelled."""
        spacing = SHARED_PUSH_SPACING if self._store.shared else PUSH_SPACING
        pushing = DueWork(self._process, Due.PUSH, partial(self.push, until_next=True), spacing, ROUND_INTERVAL)
        recording = DueWork(self._process, Due.RECORD, self.keep, RECORD_SPACING, ROUND_INTERVAL)
        try:
            async with asyncio.TaskGroup() as lanes:
                lanes.create_task(pushing.run())
                lanes.create_task(recording.run())
                lanes.create_task(self._keep_lease())
        finally:
            self._tasks.cancel()

    async def _keep_lease(self) -> None:
        """Renew the lease of this process also while a round takes long: it must not be taken for dead meanwhile."""
        while True:
            await self._clock.sleep(ROUND_INTERVAL)
            if self._clock.ticks() >= self.membership.lease_renewed_at + LATE_AFTER:
                try:
                    await self.membership.renew_lease(self._clock.now())
                except (StoreUnavailable, DatabaseError):
                    # The round logs it.
                    pass
                except Exception:
                    logger.exception("The lease of this process could not be renewed.")

    async def push(self, now: float, *, until_next: bool = False) -> float | None:
        """Settle and publish each change of phase, reason or `extendable` that is due at `now`, or meanwhile.

        `until_next`: the caller sleeps until the next one, and is to be woken if another is due sooner. Return when
        that is (epoch seconds); None if none is, or this process has to wait for a round.
        """
        began, at = self._clock.ticks(), now
        async with Sending(self.publisher) as sending:
            while True:
                is_last, next_at = await self._push_batch(at, sending, until_next)
                if is_last:
                    break
                # Countdowns of the next batch, of very many sessions, would otherwise be as old as this round.
                at = now + self._clock.ticks() - began
        return next_at

    async def _push_batch(self, now: float, sending: Sending, until_next: bool) -> tuple[bool, float | None]:
        """Settle and publish what is due of some sessions; return whether that was all, and when the next is due."""
        if (heartbeats := stores.heartbeats_of(self._process)) is not None:
            # They may put off what is due.
            await heartbeats.flush()
        if not self.owns_store or not await self.membership.is_certain(now):
            return True, None
        if now < self.membership.settle_after:
            return True, self.membership.settle_after
        queue, next_at = self._store.queue, None
        if until_next:
            claimed, next_at = await queue.claim_next(Due.PUSH, now, BATCH_SIZE, CLAIM_LEASE)
        else:
            claimed = await queue.claim(Due.PUSH, now, BATCH_SIZE, CLAIM_LEASE)
        is_last = len(claimed) < BATCH_SIZE
        if claimed:
            await self._ask_records(claimed, now)
            settled = await self.publisher.settle(claimed, now)
            if is_last or not self._store.shared:
                await sending.send(settled, now)
            else:
                # Others answer what is asked next, and this process is free meanwhile.
                await sending.begin(settled, now)
        return is_last or sending.has_failed, next_at

    async def _ask_records(self, claimed: Sequence[Watched], now: float) -> None:
        """Report to a shared store what the records have later of sessions that seem over: activity, or another end.

        Records that are away or slow delay the push for `RECORDS_TIMEOUT` at most.
        """
        recovery, over = stores.recovery_of(self._process), [watched for watched in claimed if is_over(watched, now)]
        if recovery is None or not over:
            return
        ahead: Sequence[RecordRow] = []
        with suppress(TimeoutError, DatabaseError):
            async with self._clock.timeout(RECORDS_TIMEOUT):
                ahead = await self._threads.run(Lane.TIMER, records.find_ahead, over, now)
        for row in ahead:
            await recovery.report(row, now)

    async def keep(self, now: float) -> float:
        """Keep a round where one is due, then record the ends that are due; return when the next of both is due."""
        try:
            if now >= self._round_at:
                self._round_at = now + ROUND_INTERVAL
                await self.round(now)
                if self.membership.is_behind:
                    self._round_at = now
        except Exception as error:
            if isinstance(error, StoreUnavailable):
                self._round_at = now + RETRY_INTERVAL
            # What ended has ended. Not where the round is cancelled: an error would take the place of that.
            await self._record(now)
            raise
        return min(await self._record(now), self._round_at)

    async def _record(self, now: float, bound: float = ROUND_INTERVAL) -> float:
        """Record the ends that are due, and begin no batch after `bound` seconds; return when the next one is."""
        due_at = await self._ends.next_due()
        if due_at <= now or "record" in self._tasks:
            # For a round at most: then the next one is due.
            await self._tasks.run("record", partial(self._ends.record, now, bound))
            due_at = await self._ends.next_due()
        return due_at

    async def round(self, now: float) -> None:
        """Do what is done once a round: own the store, look at records and sessions, keep the lease on the tabs."""
        self._dispatcher.report_slow()
        now = await self.membership.renew(now)
        if self.membership.refused:
            await self._hub.send_back()
        if self.owns_store:
            if now >= self.membership.settle_after:
                # Taking tabs back judges their sessions: not before all processes have reported.
                await self.membership.keep_tabs(now)
            if not self.membership.is_behind or now >= self._checked_at + CHECK_TIMEOUT:
                self._checked_at = now
                await self._tasks.run("check", partial(self._check, now))
            if now >= self._compared_at + COMPARE_INTERVAL:
                self._compared_at = now
                if self._store.shared:
                    await self.publisher.tell_missed(self._store.sessions)
                await self._tasks.run("compare", partial(self._reconciliation.advance, now))
            self.kept_at = now
            metrics.LAST_ROUND.set_to_current_time()
            await self._tasks.run("sample", partial(self._sample, now))
            if now >= self._swept_at + SWEEP_INTERVAL:
                await self._tasks.run("sweep", partial(self._sweep, now))

    async def _sweep(self, now: float) -> None:
        for sweep in SWEEPS:
            try:
                for _ in range(MAX_BATCHES):
                    # Each is a hop of its own: between two of them others get the database, and the process may stop.
                    if not await self._threads.run(Lane.TIMER, sweep, now):
                        break
            except AWAY:
                raise
            except Exception:
                # It is tried again with the other sweeps, not in the next round.
                logger.exception("What is too old could not be deleted.")
        self._swept_at = now

    async def _sample(self, now: float) -> None:
        """Take a sample of the live sessions, if no process has taken one in the last `SAMPLE_INTERVAL`."""
        if now < self._sampled_at + SAMPLE_INTERVAL:
            return
        sample = await self._store.statistics.take_sample(now, SAMPLE_INTERVAL, SAMPLE_RETENTION)
        self._sampled_at = now
        if sample is not None and not self._store.shared:
            await self._threads.run(Lane.TIMER, history.keep, sample, now - SAMPLE_RETENTION)

    async def _check(self, now: float) -> None:
        """Check the sessions that are due, for the length of a round at most: the rest is due in the next."""
        began = self._clock.ticks()
        while self.owns_store:
            claimed = await self._store.queue.claim(Due.CHECK, now, BATCH_SIZE, CLAIM_LEASE)
            if claimed:
                doubted = await self._threads.run(Lane.TIMER, revalidation.examine, claimed, now)
                # It may have waited for the transaction that did what is doubted: no second look follows at once.
                ended_at = now + self._clock.ticks() - began
                await self._store.queue.confirm(Due.CHECK, claimed, ended_at, doubted=doubted)
            if len(claimed) < BATCH_SIZE or self._clock.ticks() >= began + ROUND_INTERVAL:
                return
            # Many are due, and the lane of the records waits for this task: a batch of the ends has its turn.
            await self._record(max(now, self._clock.now()), 0.0)

    async def finish(self) -> None:
        """Write down what ended and how far every session came, and give up the store: the process is going away."""
        if not self.membership.holds_store:
            return
        if (heartbeats := stores.heartbeats_of(self._process)) is not None:
            await heartbeats.flush()
        try:
            # Some ends, a closed browser's, can't be told from the records later.
            await self._ends.record(self._clock.now())
        finally:
            if self._store.shared:
                # It has how far every session came.
                await self.membership.give_up_tabs()
            else:
                await write_progress(self._process)
                await self.membership.release()
