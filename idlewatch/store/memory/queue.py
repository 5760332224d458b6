"""The due sessions of the memory store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from msgspec.structs import replace

from idlewatch.core.policy import NEVER, Verdict
from idlewatch.store import transitions
from idlewatch.store.base import DueQueue
from idlewatch.store.memory.entry import PUSH, RECORD, Entry
from idlewatch.store.memory.ledger import Ledger
from idlewatch.store.values import Due, Watched


class MemoryQueue(DueQueue):
    """Hands out what is due by the heaps of the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = ledger.lock

    async def claim(self, due: Due, now: float, limit: int, lease: float) -> Sequence[Watched]:
        claimed: list[Watched] = []
        ledger, until = self._ledger, now + lease
        with self._lock:
            ledger.forget(now)
            ledger.take_back(due, now)
            moments = ledger.schedule.pop_until(due, now)
            while len(claimed) < limit and (moment := next(moments, None)):
                entry = ledger.entries.get(moment.watch_id)
                if entry is not None and entry.queued_at(due) == moment.at:
                    entry.put_in_queue(due, NEVER)
                    due_at = entry.due_at(due, now)
                    if due_at <= now:
                        claimed.append(_lease(entry, due, until))
                    else:
                        ledger.queue_at(entry, due, due_at)
            if claimed:
                ledger.schedule.lease(due, until, [watched.id for watched in claimed])
        return claimed

    async def settle(
        self, claimed: Sequence[Watched], now: float, verdicts: Sequence[Verdict] | None = None
    ) -> Sequence[Watched | None]:
        if verdicts is None:
            verdicts = [watched.verdict(now) for watched in claimed]
        with self._lock:
            return [self._settle(*judged, now) for judged in zip(claimed, verdicts, strict=True)]

    async def confirm(self, due: Due, claimed: Sequence[Watched], now: float, *, doubted: Collection[str] = ()) -> None:
        with self._lock:
            for watched in claimed:
                entry = self._ledger.entries.get(watched.id)
                if entry is not None:
                    self._confirm(entry, due, watched, now, is_doubted=watched.id in doubted)

    async def repair(self, sessions: Sequence[Watched], now: float) -> int:
        return 0

    def note_written(self, sessions: Sequence[Watched]) -> None:
        with self._lock:
            for watched in sessions:
                entry, activity = self._ledger.entries.get(watched.id), watched.activity
                # Holds make progress without a change, and a browser that was closed is only recorded at the shutdown:
                # where a session was resumed with it, its record has lost it now.
                is_final = not activity.holds and activity.closed_at is None
                if entry is not None and entry.watched.version == watched.version:
                    entry.note(unwritten=not is_final)

    def written(self, sessions: Sequence[Watched]) -> Sequence[Watched]:
        entries = self._ledger.entries
        with self._lock:
            found = ((watched, entries.get(watched.id)) for watched in sessions)
            return [watched for watched, entry in found if entry is not None and not entry.claims.unwritten]

    async def unwritten(self) -> Sequence[Watched]:
        with self._lock:
            return [each.watched for each in self._ledger.entries.values() if each.claims.unwritten and not each.ended]

    async def next_due(self, due: Due) -> float | None:
        with self._lock:
            return self._ledger.schedule.next_at(due)

    def on_due_sooner(self, due: Due, callback: Callable[[], None]) -> Callable[[], None]:
        schedule = self._ledger.schedule
        with self._lock:
            schedule.add_listener(due, callback)

        def stop() -> None:
            with self._lock:
                schedule.remove_listener(due, callback)

        return stop

    def _settle(self, watched: Watched, verdict: Verdict, now: float) -> Watched | None:
        entry = self._ledger.entries.get(watched.id)
        if entry is None:
            return None
        if entry.watched.version != watched.version:
            if watched.version >= entry.claims.claimed:
                entry.release(PUSH)
                self._ledger.queue(entry, PUSH, now)
            return None
        # It has the facts that were judged; its key may be another one.
        settled = transitions.settled(entry.watched, verdict, now)
        entry.note(settled=settled.version, unwritten=True)
        changes_at = NEVER if verdict.next_at is None else verdict.next_at
        # Where another has given the claim back, what is settled is due at once.
        next_at = None if entry.claims.push is None else changes_at
        return self._ledger.change(entry, settled, now, next_at=next_at)

    def _confirm(self, entry: Entry, due: Due, watched: Watched, now: float, *, is_doubted: bool) -> None:
        changes: dict[str, object] = {}
        claims = entry.claims
        settled = claims.settled if due is PUSH else None
        if settled is not None and watched.version >= settled:
            changes["settled"] = None
        elif due is RECORD and not claims.recorded:
            changes["recorded"] = True
            self._ledger.forget_later(watched.id, now)
        elif due is Due.CHECK:
            check_at = transitions.next_check_at(watched.policy, now, is_doubted=is_doubted)
            if check_at < entry.check_at:
                # It was checked later, by another claimant.
                return
            entry.check_at = check_at
            changes["doubted"] = is_doubted
        if due is not PUSH or watched.version >= claims.claimed:
            entry.release(due, **changes)
        elif changes:
            entry.note(**changes)
        if settled is None or not claims.claimed < settled <= watched.version:
            # Otherwise its moment is that of its next change, since it was settled.
            self._ledger.queue(entry, due, now)


def _lease(entry: Entry, due: Due, until: float) -> Watched:
    """Lease a session to the caller; return it as a claimant is to see it."""
    entry.lease(due, until)
    return replace(entry.watched, unfinished=True) if entry.is_unfinished(due) else entry.watched
