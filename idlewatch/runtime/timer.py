"""The timer: finds what is due, tells the tabs, and does what follows. The only publisher.

It works in two lanes, so that a database that is slow or down delays no push: one tells the tabs, the other keeps the
records.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from idlewatch import metrics
from idlewatch.conf import conf
from idlewatch.core.clock import now as read_clock
from idlewatch.core.events import TabsCounted
from idlewatch.core.policy import Phase
from idlewatch.core.protocol import encode, state_frame
from idlewatch.exceptions import LayerUnavailable, StoreUnavailable, Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions, history, records, revalidation, store_lease
from idlewatch.monitor import service as monitor
from idlewatch.monitor.clock_sync import timekeeper
from idlewatch.monitor.outage import REPORT_GRACE
from idlewatch.monitor.recovery import Recovery
from idlewatch.process.identity import PROCESS
from idlewatch.runtime.bus import GROUP, SENT_WITHIN, message_of
from idlewatch.runtime.hub import Change, Hub, tabs_here
from idlewatch.signals import announce, dispatcher
from idlewatch.store.base import SessionStore, Store
from idlewatch.store.values import Due, Watched

logger = logging.getLogger("idlewatch")

BATCH_SIZE = 500
"""Sessions claimed at once."""
CLAIM_LEASE = 10.0
"""Seconds after which what was claimed and not confirmed falls to another timer."""
ROUND = 1.0
"""Seconds between rounds: the checks, the records that a command closed, the lease of this process."""
PROCESS_LEASE = 10.0
"""Seconds after which a process that gave no sign of life has lost its tabs."""
COMPARE = 15.0
"""Seconds between looks at what nobody reports: messages that a layer lost, sessions of which the store never heard."""
SETTLED = 60.0
"""Seconds after a sign-in by which the store has heard of it, unless it was away."""
SWEEP = 3600.0
"""Seconds between two runs of `SWEEPS`."""
SWEEPS: list[Callable[[float], None]] = []
"""Functions of `now` that delete what is too old; apps above this layer register theirs."""
SAMPLE = 15.0
"""Seconds between two samples of how many sessions live."""
KEPT = 3600.0
"""Seconds for which a sample is kept."""
OVERLAP = 5.0
"""Seconds by which each look at closed records reaches back: a transaction commits after it took the time."""


class Timer:
    """Ends what the clock ends, and publishes what changed. Any number may run; each change happens once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._round_at = float("-inf")
        self._records_seen: float | None = None
        self._compared_at = float("-inf")
        self._swept_at = float("-inf")
        self._compared = ""
        """The last record that was looked up in the store."""
        self._created_at: float | None = None
        """Since when the store is what it was when this process told it all it knew."""
        self._owes_records = self._owes_word = False
        """Whether the store is still to be told what the records know, and what this process has seen."""
        self._joined = False
        """Whether this process took part in the shared store before."""
        self.refused = False
        """Another process owns the store, and this one has said so."""
        self.owns_store = False
        """Whether this process may act on the store: always, where it is shared."""
        self.kept_at: float | None = None
        """Epoch seconds of the latest round that did all it had to."""

    @property
    def _store(self) -> Store:
        return monitor.store()

    @property
    def _settle_after(self) -> float:
        """Until when nothing is to be ended (epoch seconds): other processes may still report activity."""
        recovery = monitor.recovery()
        return float("-inf") if recovery is None else recovery.settle_after

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._lane(Due.PUSH, self.push))
            lanes.create_task(self._lane(Due.RECORD, self.keep))

    async def _lane(self, due: Due, work: Callable[[float], Awaitable[None]]) -> None:
        """Do some work whenever it is due, and once a round."""
        wake, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake_up() -> None:
            # A loop that was closed without ending its tasks must not fail whoever changed a session.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(wake.set)

        stop_listening = self._store.queue.on_due_sooner(due, wake_up)
        try:
            while True:
                due_at = None
                try:
                    with metrics.TICK.labels(due.value).time():
                        await work(read_clock())
                    due_at = await self._next_at(due)
                except StoreUnavailable:
                    # The store has said so itself, once.
                    pass
                except LayerUnavailable as error:
                    logger.warning("The channel layer took no message (%s).", type(error.__cause__).__name__)
                except Exception:
                    # What is due stays due, and is done when the database or the store is back.
                    logger.exception("The timer could not do all that was due.")
                await _rest(wake, due_at)
        finally:
            stop_listening()

    async def _next_at(self, due: Due) -> float | None:
        if not self.owns_store:
            return None
        at = await self._store.queue.next_due(due)
        return max(at, self._settle_after) if at is not None and due is Due.PUSH else at

    async def push(self, now: float) -> None:
        """Settle and publish each change of phase, reason or `extendable` that is due at `now`."""
        while self.owns_store and now >= self._settle_after:
            claimed = await self._store.queue.claim(Due.PUSH, now, BATCH_SIZE, CLAIM_LEASE)
            changes = await self._settle(claimed, now)
            await self._publish([change_of(settled, now) for _, settled in changes])
            _note_delays(changes)
            await self._store.queue.confirm(Due.PUSH, [settled for _, settled in changes], now)
            if len(claimed) < BATCH_SIZE:
                return

    async def _publish(self, changes: Sequence[Change]) -> None:
        """Tell the tabs of this process, then, in one message, those of all others."""
        if not changes:
            return
        await self._hub.deliver(changes)
        layer = get_channel_layer() if self._store.shared else None
        if layer is not None:
            # Where this fails, what was settled stays unconfirmed, and is published again when its lease lapses.
            try:
                # A layer is told to wait for as long as it takes; this lane must not.
                async with asyncio.timeout(SENT_WITHIN):
                    await layer.group_send(GROUP, message_of(changes))
            except Exception as error:
                raise LayerUnavailable from error

    async def _settle(self, claimed: Sequence[Watched], now: float) -> list[tuple[Watched, Watched]]:
        """Settle what changed; return the sessions whose tabs are to be told, as they were claimed and as they are."""
        changed = [watched for watched in claimed if watched.verdict(now).shown != watched.shown]
        changes = []
        for watched, settled in zip(changed, await self._store.queue.settle(changed, now), strict=True):
            if settled is None:
                # Activity came first.
                metrics.CHANGED_SINCE.inc()
            else:
                announce.changed(watched, watched.verdict(now), now)
                changes.append((watched, settled))
        unchanged = [watched for watched in claimed if watched.verdict(now).shown == watched.shown]
        unpublished = [watched for watched in unchanged if watched.unpublished]
        metrics.LEASE_LAPSED.inc(len(unpublished))
        # Before anything is published, which may fail: there is nothing to tell of these.
        await self._store.queue.confirm(Due.PUSH, [watched for watched in unchanged if not watched.unpublished], now)
        return [*changes, *((watched, watched) for watched in unpublished)]

    async def keep(self, now: float) -> None:
        """Keep a round where one is due, then record the ends that are due."""
        try:
            if now >= self._round_at:
                self._round_at = now + ROUND
                await self.round(now)
        finally:
            # Also where the round failed: what ended has ended.
            await self._record_ends(now)

    async def _record_ends(self, now: float) -> None:
        while self.owns_store:
            ended = await self._store.queue.claim(Due.RECORD, now, BATCH_SIZE, CLAIM_LEASE)
            if ended:
                await database_sync_to_async(_record)(ended)
                await self._store.queue.confirm(Due.RECORD, ended, now)
            if len(ended) < BATCH_SIZE:
                return

    async def round(self, now: float) -> None:
        """Do what is done once a round: own the store, look at records and sessions, keep the lease on the tabs."""
        dispatcher.report_slow()
        recovery = monitor.recovery()
        if recovery is None:
            await self._own(now)
        else:
            now = await self._join(recovery)
        if self.owns_store:
            if now >= self._settle_after:
                # To take tabs back is to judge: not before all processes have reported.
                await self._keep_tabs(now)
            await self._check(now)
            if self._store.shared and now >= self._compared_at + COMPARE:
                self._compared_at = now
                await self._tell_missed(self._store.sessions, now)
                await self._resume_unknown(now)
            self.kept_at = now
            metrics.LAST_ROUND.set_to_current_time()
            await self._sample(now)
            if now >= self._swept_at + SWEEP:
                for sweep in SWEEPS:
                    await database_sync_to_async(sweep)(now)
                self._swept_at = now

    async def _join(self, recovery: Recovery) -> float:
        """Take part in the shared store, and in its time; make good what it missed while it was away."""
        try:
            await timekeeper.keep(self._store.presence)
            now = read_clock()
            renewal = await self._store.presence.renew(PROCESS, now, PROCESS_LEASE)
        except StoreUnavailable:
            self.owns_store = False
            await database_sync_to_async(recovery.flush)(tabs_here())
            raise
        # Until it is done, it is owed: what fails on the way is tried again in the next round.
        self._owes_records |= renewal.resume
        self._owes_word |= recovery.is_away or renewal.created_at != self._created_at or not renewal.known
        if self._owes_records:
            await database_sync_to_async(_resume_all)(now)
            await self._store.presence.mark_resumed()
            self._owes_records = False
        if self._owes_word and (recovery.is_away or self._joined or now < renewal.created_at + REPORT_GRACE):
            await recovery.recover(tabs_here, PROCESS, now)
            # By the store itself: this process has just reported what it did not know.
            await self._tell_missed(recovery.sessions, now)
        self._owes_word, self._created_at = False, renewal.created_at
        self.owns_store = self._joined = True
        return now

    async def _tell_missed(self, sessions: SessionStore, now: float) -> None:
        """Tell the tabs of this process what they were not told: a layer may lose a message without an error."""
        watch_ids = list(tabs_here())
        for start in range(0, len(watch_ids), BATCH_SIZE):
            found = await sessions.aget_many(watch_ids[start : start + BATCH_SIZE])
            # What is not settled yet is the push lane's to tell: until then it may still turn out otherwise.
            settled = [watched for watched in found if watched and watched.verdict(now).shown == watched.shown]
            changes = [change_of(watched, now) for watched in settled]
            await self._hub.deliver([change for change in changes if not self._hub.has_told(change)])

    async def _resume_unknown(self, now: float) -> None:
        """Resume what the records have and the store does not, a batch at a time.

        It began while the store was away, at a process that was gone before it could say so.
        """
        rows = await database_sync_to_async(records.live_after)(self._compared, now - SETTLED)
        self._compared = rows[-1].pk if len(rows) == records.BATCH else ""
        known = await self._store.sessions.aget_many([row.pk for row in rows])
        unknown = [row for row, watched in zip(rows, known, strict=True) if watched is None]
        if unknown:
            await database_sync_to_async(_resume)(unknown, now)

    async def _own(self, now: float) -> None:
        """Own the memory store, resume every session into it at first, and see what others did to the records."""
        owner = await database_sync_to_async(store_lease.claim)(now)
        if owner is not None:
            if not self.refused:
                logger.error(
                    "The memory store belongs to one process, which is %s: this one has to stop, or STORE to be one "
                    "that is shared.",
                    owner,
                )
            self.owns_store, self.refused = False, True
            return
        if not self.owns_store:
            if self.refused:
                # Another process had the truth meanwhile, and wrote it into the records.
                self._store.clear()
                self.refused = False
            await database_sync_to_async(_resume_all)(now)
            await self._store.statistics.restore_samples(await database_sync_to_async(history.kept)(now - KEPT))
            self.owns_store = True
        await database_sync_to_async(_take_over)((self._records_seen or now) - OVERLAP, now)
        # Commands write by the machine's clock, which may have been set back since this process began.
        self._records_seen = min(now, time.time())

    async def _keep_tabs(self, now: float) -> None:
        """Say that this process lives; count its tabs again where it was taken for dead; bury those that are."""
        if not self._store.shared and not (await self._store.presence.renew(PROCESS, now, PROCESS_LEASE)).known:
            for watch_id, (count, _) in tabs_here().items():
                await self._store.sessions.aapply(watch_id, TabsCounted(PROCESS, count), now)
        for process in await self._store.presence.reap(now):
            logger.warning("Process %s gave no sign of life; its tabs are taken back.", process)

    async def _sample(self, now: float) -> None:
        """Have the store count its sessions, whichever process asks first."""
        sample = await self._store.statistics.take_sample(now, SAMPLE, KEPT)
        if sample is not None and not self._store.shared:
            await database_sync_to_async(history.keep)(sample, now - KEPT)

    async def _check(self, now: float) -> None:
        while True:
            claimed = await self._store.queue.claim(Due.CHECK, now, BATCH_SIZE, CLAIM_LEASE)
            if claimed:
                doubted = await database_sync_to_async(revalidation.examine)(claimed, now)
                await self._store.queue.confirm(Due.CHECK, claimed, now, doubted=doubted)
            if len(claimed) < BATCH_SIZE:
                return

    async def finish(self) -> None:
        """Write down what ended and how far every session came, and give up the store: the process is going away."""
        if not self.owns_store:
            return
        # Some ends, a closed browser's, can't be told from the records later.
        await self._record_ends(read_clock())
        if self._store.shared:
            # It knows how far every session came. What tabs are still counted here are gone: nobody has to wait for
            # the lease to learn that.
            now = read_clock()
            await self._store.presence.renew(PROCESS, now, 0.0)
            if now >= self._settle_after:
                await self._store.presence.reap(now)
            return
        # By then every check is due.
        for_ever = float("inf")
        while claimed := await self._store.queue.claim(Due.CHECK, for_ever, BATCH_SIZE, CLAIM_LEASE):
            await database_sync_to_async(_checkpoint)(claimed, read_clock())
        await database_sync_to_async(store_lease.release)()


def change_of(watched: Watched, now: float) -> Change:
    """Return what the tabs of a watch are to be told at `now`."""
    verdict = watched.verdict(now)
    frame = state_frame(verdict, watched.policy, watched.version, conf.login_url)
    return Change(watched.id, encode(frame), verdict.phase is Phase.ENDED, verdict.shown)


def _note_delays(changes: Iterable[tuple[Watched, Watched]]) -> None:
    """Measure how late tabs were told of a warning or an end."""
    told = read_clock()
    for before, after in changes:
        at = _due_at(before, after) if after.activity.tabs else None
        if at is not None:
            metrics.PUSH_DELAY.observe(max(told - at, 0.0))


def _due_at(before: Watched, after: Watched) -> float | None:
    """Return when the tabs were to be told of an end or a warning; other changes have no moment of their own."""
    if after.activity.ended is not None:
        return after.activity.ended
    if after.shown.phase is not Phase.WARNED or (before.shown.phase is Phase.WARNED and not before.unpublished):
        return None
    return after.verdict(after.activity.active).ends_at - after.policy.warn_before


def _record(ended: Sequence[Watched]) -> None:
    django_sessions.delete(watched.key for watched in ended if watched.key)
    for watched in ended:
        monitor.close_record(watched)


def _resume_all(now: float) -> None:
    _resume(records.all_live(), now)


def _resume(rows: Iterable[WatchedSession], now: float) -> None:
    for record in rows:
        # The store keeps in mind what is undecided, until whoever knows better has had the time to say so.
        with suppress(Undecided):
            monitor.store().sessions.open(records.watched_of(record, now), now)


def _take_over(since: float, now: float) -> None:
    for record in records.closed_since(since):
        revalidation.take_over(record, now)


def _checkpoint(watches: Iterable[Watched], now: float) -> None:
    by_id = {watched.id: watched for watched in watches}
    records.checkpoint(records.find_all(by_id), by_id, now, last=True)


async def _rest(wake: asyncio.Event, due_at: float | None) -> None:
    """Sleep until something is due, or becomes due sooner, for a round at most."""
    rest = ROUND if due_at is None else min(max(due_at - read_clock(), 0.0), ROUND)
    try:
        async with asyncio.timeout(rest):
            await wake.wait()
    except TimeoutError:
        pass
    wake.clear()
