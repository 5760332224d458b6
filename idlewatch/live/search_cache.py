"""What was found lately: a search that is dear is not made again for each second's look."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from idlewatch.live.query import Query
from idlewatch.live.search import Found, find, is_costly
from idlewatch.process import Process
from idlewatch.store.values import Census

LONGEST = 2.0
"""Seconds for which the sessions stand, at most, that a search or a filter found: only what became of them is looked at
meanwhile."""
TIMES = 10
"""They stand so many times as long as it took to find them: what is found in no time is found anew every second."""


class Search(NamedTuple):
    """What was found, and until when that stands."""

    found: Found
    until: float


class SearchCache:
    """Finds the sessions of pages, and remembers what was dear."""

    def __init__(self, process: Process) -> None:
        self._clock = process.clock
        self._known: dict[Query, Search] = {}

    async def find(self, ask: Query, census: Census) -> Found:
        """Return the sessions of a page, as they are or lately were."""
        if not is_costly(ask):
            return await find(ask, census)
        search, began = self._known.get(ask), self._clock.ticks()
        if search is None or began >= search.until:
            found, done = await find(ask, census), self._clock.ticks()
            search = self._known[ask] = Search(found, done + min(LONGEST, TIMES * (done - began)))
        return search.found

    def keep(self, asks: Collection[Query]) -> None:
        """Forget what none of these asks for."""
        self._known = {ask: search for ask, search in self._known.items() if ask in asks}
