"""The one process that a memory store has, and what it serves."""

from __future__ import annotations

from collections.abc import Sequence

from idlewatch.core.events import TabsCounted
from idlewatch.store.base import Presence, SessionStore
from idlewatch.store.memory.ledger import Ledger
from idlewatch.store.values import Reading, Renewal, Share


class MemoryPresence(Presence):
    """Keeps leases in a dictionary; the process goes by its own clock."""

    def __init__(self, ledger: Ledger, sessions: SessionStore) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._leases: dict[str, float] = {}
        self._created_at: float | None = None

    async def renew(self, process: str, now: float, lease: float) -> Renewal:
        with self._ledger.lock:
            known = process in self._leases
            self._leases[process] = now + lease
            if self._created_at is None:
                self._created_at = now
            has_lapsed = any(until <= now for until in self._leases.values())
            return Renewal(known, False, self._created_at, float("-inf"), None, has_lapsed)

    async def keep_resuming(self, created_at: float, now: float) -> None:
        """Do nothing, as those below: the process that owns the store resumes it before it settles anything."""

    async def mark_resumed(self, created_at: float, settle_after: float) -> None:
        pass

    async def offer_parts(self, created_at: float, sharer: str, parts: Sequence[str], *, are_first: bool) -> None:
        pass

    async def take_part(
        self, created_at: float, now: float, *, sharer: str = "", done: str = "", takes: bool = True
    ) -> Share:
        return Share("", "", 0, 0)

    async def hold_back(self, created_at: float, settle_after: float) -> None:
        pass

    async def reap(self, now: float) -> Sequence[str]:
        with self._ledger.lock:
            dead = [process for process, until in self._leases.items() if until <= now]
            for process in dead:
                del self._leases[process]
                for watch_id in self._ledger.served.pop(process, ()):
                    self._sessions.apply(watch_id, TabsCounted(process, 0), now)
            return dead

    def is_holding_back(self, now: float) -> bool:
        return False

    def read_time(self, process: str) -> Reading | None:
        return None

    async def aread_time(self, process: str) -> Reading | None:
        return None

    async def correct_time(self, reading: Reading, by: float) -> bool:
        """Do nothing: there is no clock to share."""
        return False

    def clear(self) -> None:
        """Forget all processes. The caller holds the lock."""
        self._leases.clear()
        self._created_at = None
