"""The facts of sessions in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.events import Event
from idlewatch.store import transitions
from idlewatch.store.base import SessionStore
from idlewatch.store.memory.ledger import Ledger
from idlewatch.store.values import Touch, Watched


class MemorySessions(SessionStore):
    """Keeps the facts in a dictionary under one lock."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = ledger.lock

    def get(self, watch_id: str) -> Watched | None:
        with self._lock:
            entry = self._ledger.entries.get(watch_id)
            return None if entry is None else entry.watched

    def get_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        with self._lock:
            return [self.get(watch_id) for watch_id in watch_ids]

    def open(self, watched: Watched, now: float) -> Watched:
        return self._open(watched, now, is_written=False)

    def open_many(self, sessions: Sequence[Watched], now: float) -> Collection[str]:
        with self._lock:
            known = {watched.id for watched in sessions if watched.id in self._ledger.entries}
            for watched in sessions:
                self._open(watched, now, is_written=True)
        return known

    def restart(self, watched: Watched, now: float) -> Watched:
        return self._replace(watched, now, transitions.restarted)

    def transfer(self, watched: Watched, now: float) -> Watched:
        return self._replace(watched, now, transitions.transferred)

    def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        return self._ledger.apply(watch_id, event, now)

    def bind(self, watch_id: str, key: str) -> None:
        with self._lock:
            entry = self._ledger.entries.get(watch_id)
            if entry is not None:
                entry.watched = replace(entry.watched, key=key)

    def end(self, watch_id: str, reason: Reason | None, now: float, *, limits_first: bool = True) -> Watched:
        with self._lock:
            entry = self._ledger.entries.get(watch_id)
            if entry is None:
                return self._ledger.add(transitions.tombstone(watch_id, reason, now), now)
            ended = transitions.ended(entry.watched, reason, now, limits_first=limits_first)
            return self._ledger.change(entry, ended, now)

    async def aget(self, watch_id: str) -> Watched | None:
        return self.get(watch_id)

    async def aget_many(self, watch_ids: Sequence[str]) -> Sequence[Watched | None]:
        return self.get_many(watch_ids)

    async def aopen(self, watched: Watched, now: float) -> Watched:
        return self.open(watched, now)

    async def aopen_many(self, sessions: Sequence[Watched], now: float) -> Collection[str]:
        return self.open_many(sessions, now)

    async def aapply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        return self.apply(watch_id, event, now)

    def collect(self, touch: Touch, process: str) -> bool:
        return self._ledger.collect(touch, process)

    async def aend(self, watch_id: str, reason: Reason | None, now: float, *, limits_first: bool = True) -> Watched:
        return self.end(watch_id, reason, now, limits_first=limits_first)

    def _open(self, watched: Watched, now: float, *, is_written: bool) -> Watched:
        with self._lock:
            entry = self._ledger.entries.get(watched.id)
            if entry is not None:
                return entry.watched
            return self._ledger.add(transitions.opened(watched, now), now, is_written=is_written)

    def _replace(self, watched: Watched, now: float, change: transitions.Replacement) -> Watched:
        with self._lock:
            entry = self._ledger.entries.get(watched.id)
            if entry is None:
                return self.open(watched, now)
            return self._ledger.change(entry, change(entry.watched, watched, now), now)
