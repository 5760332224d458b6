"""The store of one process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from idlewatch.store.base import Store
from idlewatch.store.memory.ledger import Ledger
from idlewatch.store.memory.presence import MemoryPresence
from idlewatch.store.memory.queue import MemoryQueue
from idlewatch.store.memory.sessions import MemorySessions
from idlewatch.store.memory.statistics import MemoryStatistics


class MemoryStore(Store):
    """Keeps everything in this process; `LOCATION` and `OPTIONS` mean nothing here."""

    shared: ClassVar[bool] = False

    def __init__(self, location: str | None = None, options: Mapping[str, object] | None = None) -> None:
        super().__init__(location, options or {})
        self._ledger = ledger = Ledger()
        self.sessions = MemorySessions(ledger)
        self.queue = MemoryQueue(ledger)
        self.presence = self._presence = MemoryPresence(ledger, self.sessions)
        self.statistics = self._statistics = MemoryStatistics(ledger)

    def clear(self) -> None:
        with self._ledger.lock:
            self._ledger.clear()
            self._presence.clear()
            self._statistics.clear()
