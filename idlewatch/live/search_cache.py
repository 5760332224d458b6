"""Recent results of expensive searches, which are not repeated every second."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from idlewatch.live.query import Query
from idlewatch.live.search import Results, find
from idlewatch.process import Process
from idlewatch.store.values import Census

MAX_AGE = 2.0
"""Seconds for which results are reused; the state of the sessions in them is read every second all the same."""
AGE_FACTOR = 10
"""Results are reused for so many times as long as the search took: cheap ones are repeated every second."""


class CacheEntry(NamedTuple):
    """Results, and until when they are reused."""

    results: Results
    expires_at: float


class SearchCache:
    """Finds the sessions of pages, and reuses the results of expensive searches."""

    def __init__(self, process: Process) -> None:
        self._clock = process.clock
        self._entries: dict[Query, CacheEntry] = {}

    async def find(self, query: Query, census: Census) -> Results:
        """Return the sessions of a page, current or recent."""
        if not query.is_costly:
            return await find(query, census)
        entry, started_at = self._entries.get(query), self._clock.ticks()
        if entry is None or started_at >= entry.expires_at:
            results, done_at = await find(query, census), self._clock.ticks()
            age = min(MAX_AGE, AGE_FACTOR * (done_at - started_at))
            entry = self._entries[query] = CacheEntry(results, done_at + age)
        return entry.results

    def retain(self, queries: Collection[Query]) -> None:
        """Forget the results of all other queries."""
        self._entries = {query: entry for query, entry in self._entries.items() if query in queries}
