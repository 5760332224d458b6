"""The search for the sessions of a page: the store orders them by deadline, the database by what does not change.

If a query needs both, the side with few candidates names them, and the other filters and orders them. If neither has
few, the side with the order is scanned window by window until the page is full: many match, so that is soon. No search
reads more than `MAX_WINDOWS` windows, however many sessions there are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from idlewatch.core.policy import Phase
from idlewatch.live.candidates import Candidates, find_candidates
from idlewatch.live.query import Query
from idlewatch.managers import WatchedSessionQuerySet
from idlewatch.models import WatchedSession
from idlewatch.monitor import stores
from idlewatch.process import Lane, in_thread
from idlewatch.store.listing import deadline_of
from idlewatch.store.values import Census, Listing, Watched

NEXT = 100
"""Sessions after a page that may be shown next."""
WINDOW_SIZE = 1000
"""Candidates that are examined together."""
MAX_WINDOWS = 25
"""Windows that one search examines."""
SORT_FIELDS = {"user": "username", "started": "started", "seen": "last_active"}
"""The fields by which the database orders: it has an index for each."""

T = TypeVar("T")


class Results(NamedTuple):
    """The sessions of a page."""

    total: int
    page: int
    watch_ids: Sequence[str]
    bounded: bool = False
    """Whether there were more candidates than a search examines: the total is not known."""
    sessions: Sequence[Watched] | None = None
    """The sessions, if the store was read anyway."""


class Window(NamedTuple):
    """The matches of one window."""

    watch_ids: Sequence[str]
    is_last: bool


def last_page(total: int, size: int) -> int:
    """Return the number of the last page; an empty table has one."""
    return max(1, -(-total // size))


async def find(query: Query, census: Census) -> Results:
    """Find the sessions of a page; a page beyond the last is the last."""
    return await Search(query).run(census)


async def find_next(query: Query) -> Sequence[Watched]:
    """Find the sessions that follow a page, and move up as the users of those on it act; none in another order."""
    if query.terms or not query.is_by_deadline:
        return ()
    listing = await _list(query, query.page * query.size, NEXT)
    return listing.sessions


class Search:
    """One search for the sessions of a page."""

    def __init__(self, query: Query) -> None:
        self._query = query

    async def run(self, census: Census) -> Results:
        """Return the results."""
        query = self._query
        if query.is_by_deadline and not query.terms:
            return await self._by_store()
        candidates = await find_candidates(query, census, WINDOW_SIZE)
        if query.is_by_deadline:
            return await self._by_deadline(candidates)
        if query.is_by_activity and candidates.included is not None:
            return self._page(sorted(await self._search_among(candidates.included), key=_activity_key))
        if candidates.included is None and candidates.excluded is None:
            return await self._scan(None if query.terms else candidates.total, self._database_window)
        return await in_thread(Lane.SEARCH, self._by_database, candidates)

    async def _by_store(self) -> Results:
        """Let the store do it all."""
        query = self._query
        listing = await _list(self._query, (query.page - 1) * query.size, query.size)
        page = min(query.page, last_page(listing.total, query.size))
        if page != query.page:
            listing = await _list(self._query, (page - 1) * query.size, query.size)
        return Results(listing.total, page, _ids(listing.sessions), sessions=listing.sessions)

    async def _by_deadline(self, candidates: Candidates) -> Results:
        """Let the database search, and the store order."""
        if candidates.included is not None:
            return self._page(await self._search_among(candidates.included))
        found = await in_thread(Lane.SEARCH, _slice, self._rows(), 0, WINDOW_SIZE + 1)
        if len(found) <= WINDOW_SIZE:
            return self._page(sorted(await self._filter(found), key=_deadline_key))
        total = None if self._query.is_filtered else await in_thread(Lane.SEARCH, self._rows().count)
        return await self._scan(total, self._store_window)

    def _by_database(self, candidates: Candidates) -> Results:
        """Let the database order, and search."""
        query, rows = self._query, self._sorted_rows()
        if candidates.included is not None:
            rows = rows.filter(pk__in=_ids(candidates.included))
        elif candidates.excluded:
            rows = rows.exclude(pk__in=candidates.excluded)
        total = rows.count() if query.terms else candidates.total
        page = min(query.page, last_page(total, query.size))
        return Results(total, page, _slice(rows, (page - 1) * query.size, query.size))

    async def _scan(self, total: int | None, read: Callable[[int], Awaitable[Window]]) -> Results:
        """Scan window by window: until the page is full if the total is known, else all of them."""
        query = self._query
        page = query.page if total is None else min(query.page, last_page(total, query.size))
        # A session that moves in the meantime may be read twice.
        matches: dict[str, None] = {}
        for number in range(MAX_WINDOWS):
            window = await read(number)
            matches |= dict.fromkeys(window.watch_ids)
            if window.is_last:
                return self._page_of_ids(list(matches))
            if total is not None and len(matches) >= page * query.size:
                return Results(total, page, list(matches)[(page - 1) * query.size : page * query.size])
        return self._page_of_ids(list(matches), bounded=True)

    async def _store_window(self, number: int) -> Window:
        """Read a window in the order of the store, and let the database search in it."""
        offset = number * WINDOW_SIZE
        listing = await _list(self._query, offset, WINDOW_SIZE)
        matches = await self._search_among(listing.sessions)
        return Window(_ids(matches), is_last=offset + WINDOW_SIZE >= listing.total)

    async def _database_window(self, number: int) -> Window:
        """Read a window in the order of the database, and let the store filter it."""
        found = await in_thread(Lane.SEARCH, _slice, self._sorted_rows(), number * WINDOW_SIZE, WINDOW_SIZE)
        return Window(_ids(await self._filter(found)), is_last=len(found) < WINDOW_SIZE)

    async def _search_among(self, sessions: Sequence[Watched]) -> Sequence[Watched]:
        """Return those in which the terms are found, in the same order."""
        if not self._query.terms:
            return sessions
        found = await in_thread(Lane.SEARCH, _all_ids, self._rows().filter(pk__in=_ids(sessions)))
        return [watched for watched in sessions if watched.id in found]

    async def _filter(self, watch_ids: Sequence[str]) -> list[Watched]:
        """Return those that match the query's phase and connection."""
        sessions = await stores.current().sessions.aget_many(watch_ids)
        return [watched for watched in sessions if watched is not None and self._query.matches(watched)]

    def _rows(self) -> WatchedSessionQuerySet:
        return WatchedSession.objects.live().matching(self._query.terms)

    def _sorted_rows(self) -> WatchedSessionQuerySet:
        sort = self._query.sort
        sign = "-" if sort.is_descending else ""
        # None of them has ended; named here all the same, for an index of PostgreSQL to be in this order.
        return self._rows().order_by(f"{sign}ended", f"{sign}{SORT_FIELDS[sort.column]}", f"{sign}pk")

    def _page(self, ascending: Sequence[Watched]) -> Results:
        ids = _ids(ascending)
        return self._page_of_ids(ids[::-1] if self._query.sort.is_descending else ids)

    def _page_of_ids(self, watch_ids: Sequence[str], *, bounded: bool = False) -> Results:
        size = self._query.size
        page = min(self._query.page, last_page(len(watch_ids), size))
        return Results(len(watch_ids), page, watch_ids[(page - 1) * size : page * size], bounded)


async def _list(query: Query, offset: int, limit: int) -> Listing:
    statistics = stores.current().statistics
    return await statistics.list(query.phase, query.connected, offset, limit, reverse=query.sort.is_descending)


def _deadline_key(watched: Watched) -> tuple[bool, float, str]:
    return watched.shown.phase is not Phase.WARNED, deadline_of(watched), watched.id


def _activity_key(watched: Watched) -> tuple[float, str]:
    return watched.activity.active, watched.id


def _ids(sessions: Iterable[Watched]) -> list[str]:
    return [watched.id for watched in sessions]


def _slice(rows: WatchedSessionQuerySet, offset: int, limit: int) -> Sequence[str]:
    return list(rows.values_list("pk", flat=True)[offset : offset + limit])


def _all_ids(rows: WatchedSessionQuerySet) -> set[str]:
    return set(rows.values_list("pk", flat=True))
