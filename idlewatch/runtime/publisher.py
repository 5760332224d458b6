"""The publisher of changes: settles them in the store, then sends them to the tabs of every process.

The timer alone uses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from channels.layers import get_channel_layer
from msgspec import Struct

from idlewatch import metrics
from idlewatch.core.policy import Phase, Verdict
from idlewatch.exceptions import LayerUnavailable
from idlewatch.monitor import stores, tab_counts
from idlewatch.monitor.isolation import AWAY, isolated, made_of_each
from idlewatch.process import Process
from idlewatch.runtime.bus import GROUP, LAYER_TIMEOUT
from idlewatch.runtime.changes import Change, aged, changes_of, message_of
from idlewatch.runtime.hub import Hub, Hubs
from idlewatch.signals import announce
from idlewatch.store.base import CHANGE_BATCH, SessionStore, Store
from idlewatch.store.values import Due, Watched

MISSED_BATCH = 500
"""Sessions that are read at once to find out which changes their tabs have missed."""

_WARNED, _ENDED = Phase.WARNED, Phase.ENDED


class Settled(Struct, frozen=True, gc=False):
    """A session whose tabs are to be notified, and of what."""

    before: Watched
    """As it was claimed."""
    after: Watched
    verdict: Verdict


class Publisher:
    """Publishes changes of phase, reason or `extendable`: each once, however many timers run."""

    def __init__(self, process: Process, hub: Hub) -> None:
        self._process = process
        self._clock = process.clock
        self._hub = hub
        self._hubs = process.part(Hubs)

    @property
    def _store(self) -> Store:
        return stores.store_of(self._process)

    async def send(self, settled: Sequence[Settled], now: float) -> None:
        """Send and confirm what was settled at `now`.

        Raises:
            StoreUnavailable, LayerUnavailable: it is published again when its claim lapses.
        """
        changes = changes_of([(each.after, each.verdict) for each in settled])
        shared = self._store.shared
        elsewhere = {each.after.id for each in settled if shared and self._may_be_elsewhere(each.after)}
        await self._send(changes, [change for change in changes if change.watch_id in elsewhere], now)
        _note_delays(settled, self._clock.now())
        await self._store.queue.confirm(Due.PUSH, [each.after for each in settled], now)

    def _may_be_elsewhere(self, watched: Watched) -> bool:
        """Return whether another process may have tabs of a session: one of which none is counted may have any."""
        tabs = watched.activity.tabs
        return not tabs or len(tabs) > 1 or self._process.name not in tabs

    async def tell_missed(self, sessions: SessionStore) -> None:
        """Notify the tabs of this process of changes that they missed: a layer may lose a message without an error.

        Correct the number of these tabs, too, where the store has another.
        """
        watch_ids = list(self._hubs.tabs())
        for start in range(0, len(watch_ids), MISSED_BATCH):
            found = await sessions.aget_many(watch_ids[start : start + MISSED_BATCH])
            # A failover to an old replica may have lost it.
            await tab_counts.correct(sessions, found, self._hubs.tabs(), self._process.name, self._clock.now())
            # Not of before: this may take long.
            now = self._clock.now()
            judged = [(watched, watched.verdict(now)) for watched in found if watched]
            # What is not settled yet may still change; it is published once it is settled.
            changes = changes_of([(watched, verdict) for watched, verdict in judged if verdict.shown == watched.shown])
            await self._hub.deliver([change for change in changes if not self._hub.has_told(change)])

    async def _send(self, changes: Sequence[Change], elsewhere: Sequence[Change], at: float) -> None:
        """Send changes, as they were at `at`, to the tabs of this process, then, in one message, to those of others."""
        if not changes:
            return
        await self._hub.deliver(aged(changes, self._clock.now() - at))
        layer = get_channel_layer() if elsewhere else None
        if layer is not None:
            try:
                # A layer may be configured to wait for as long as it takes; this lane must not.
                async with self._clock.timeout(LAYER_TIMEOUT):
                    await layer.group_send(GROUP, message_of(self._process.name, elsewhere, at))
            except Exception as error:
                raise LayerUnavailable from error

    async def settle(self, claimed: Sequence[Watched], now: float) -> Sequence[Settled]:
        """Settle what changed of claimed sessions; return those whose tabs are to be notified.

        Raises:
            StoreUnavailable: what was settled is published when its claim lapses.
        """
        changed: list[tuple[Watched, Verdict]] = []
        unchanged: list[Watched] = []
        settled: list[Settled] = []
        judged = made_of_each("push", claimed, lambda each: (each, each.verdict(now)), lambda each: each.id)
        for watched, verdict in judged:
            if verdict.shown != watched.shown:
                changed.append((watched, verdict))
            elif watched.unfinished:
                settled.append(Settled(watched, watched, verdict))
            else:
                unchanged.append(watched)
        metrics.LEASE_LAPSED.inc(len(settled))
        # Before anything is published, which may fail: there is nothing to publish of these.
        await self._store.queue.confirm(Due.PUSH, unchanged, now)
        steps = [changed[start : start + CHANGE_BATCH] for start in range(0, len(changed), CHANGE_BATCH)]
        failures, announced = [], list[tuple[Watched, Verdict]]()
        # Where the store fails in one, the others are announced: they are not settled again.
        for step, after in zip(steps, await self._settle_steps(steps, now), strict=True):
            if isinstance(after, BaseException):
                failures.append(after)
                continue
            for each, present in zip(step, after, strict=True):
                if present is None:
                    # Activity came first.
                    metrics.CHANGED_SINCE.inc()
                else:
                    announced.append(each)
                    settled.append(Settled(each[0], present, each[1]))
        if (recovery := stores.recovery_of(self._process)) is not None:
            recovery.note_ended(each.after for each in settled if each.verdict.shown.phase is _ENDED)
        _announce(announced, now)
        for failure in failures:
            raise failure
        return settled

    async def _settle_steps(
        self, steps: Sequence[Sequence[tuple[Watched, Verdict]]], now: float
    ) -> Sequence[Sequence[Watched | None] | BaseException]:
        """Settle the steps of a batch, which travel together; return what became of each, or its error."""
        if len(steps) != 1:
            settling = (self._settle_step(step, now) for step in steps)
            return await asyncio.gather(*settling, return_exceptions=True)
        # Nearly always: without a task, and two turns of the event loop.
        try:
            return [await self._settle_step(steps[0], now)]
        except Exception as error:  # noqa: BLE001 - the caller raises it
            return [error]

    async def _settle_step(self, step: Sequence[tuple[Watched, Verdict]], now: float) -> Sequence[Watched | None]:
        """Settle some sessions; if one makes the store fail, settle the others one by one."""
        try:
            return await self._store.queue.settle(
                [watched for watched, _ in step], now, [verdict for _, verdict in step]
            )
        except AWAY:
            raise
        except Exception:  # noqa: BLE001 - it is logged where the one that raises it is found
            settled: list[Watched | None] = []
            for watched, verdict in step:
                outcome: Sequence[Watched | None] = [None]
                with isolated("push", watched.id):
                    outcome = await self._store.queue.settle([watched], now, [verdict])
                settled += outcome
            return settled


def _announce(changes: Sequence[tuple[Watched, Verdict]], now: float) -> None:
    announce.count_changes(changes)
    if announce.is_followed():
        for watched, verdict in changes:
            with isolated("push", watched.id):
                announce.changed(watched, verdict, now)


def _note_delays(settled: Iterable[Settled], sent_at: float) -> None:
    """Measure how late tabs were notified of a warning or an end."""
    moments = [_due_at(each) for each in settled if each.after.activity.tabs]
    metrics.PUSH_DELAY.observe_all([max(sent_at - at, 0.0) for at in moments if at is not None])


def _due_at(settled: Settled) -> float | None:
    """Return when an end or a warning was due to be sent; other changes have no moment of their own."""
    before, verdict = settled.before, settled.verdict
    phase = verdict.shown.phase
    if phase is _ENDED:
        return verdict.ends_at
    if phase is not _WARNED or (before.shown.phase is _WARNED and not before.unfinished):
        return None
    return verdict.ends_at - settled.after.policy.warn_before
