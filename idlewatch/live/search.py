"""Which sessions a page of the table shows: the store orders them by deadline, the database by what does not change.

Where a question is for both, the side with few candidates names them, and the other filters and orders them. Where
neither has few, the side that has the order is looked through window by window until the page is full: many match, so
that is soon. No answer reads more than `WINDOWS` of them, however many sessions there are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from django.db.models import QuerySet

from idlewatch.core.policy import Phase
from idlewatch.live.query import Query
from idlewatch.models import WatchedSession
from idlewatch.monitor import service as monitor
from idlewatch.process import Lane, in_thread
from idlewatch.store.listing import deadline_of, is_among
from idlewatch.store.values import Census, Listing, Watched

WINDOW = 1000
"""Candidates that are looked at together."""
WINDOWS = 25
"""How many times as many are looked at for one answer, at most."""
COLUMNS = {"user": "username", "started": "started", "seen": "last_active"}
"""The fields by which the database orders: it has an index for each."""

T = TypeVar("T")


class Found(NamedTuple):
    """The sessions of a page."""

    total: int
    page: int
    watches: Sequence[str]
    bounded: bool = False
    """There are more candidates than are looked at: how many match is not known."""
    known: Sequence[Watched] | None = None
    """The same as the store knows them, where it was the store that was asked."""


class Candidates(NamedTuple):
    """What is left of the live sessions by phase and connection."""

    total: int
    only: Sequence[Watched] | None = None
    """Those that are left, by deadline; None: too many to name, or nobody needs the names."""
    without: Collection[str] | None = ()
    """Those that are not; None: too many to name as well."""


class Part(NamedTuple):
    """What is left of one window."""

    watches: Sequence[str]
    is_last: bool


def last_page(total: int, size: int) -> int:
    """Return the number of the last page; an empty table has one."""
    return max(1, -(-total // size))


def is_by_deadline(ask: Query) -> bool:
    """Tell whether the store has the order."""
    return ask.sort.column == "ends"


def is_by_activity(ask: Query) -> bool:
    """Tell whether the order is one that the store has no index for, and the records know only so far."""
    return ask.sort.column == "seen"


def is_by_store(ask: Query) -> bool:
    """Tell whether the store alone has the answer."""
    return is_by_deadline(ask) and not ask.terms


def is_costly(ask: Query) -> bool:
    """Tell whether more than the page is read to find it."""
    return bool(ask.terms) or is_by_activity(ask) or (not is_by_deadline(ask) and _is_filtered(ask))


def matches(ask: Query, watched: Watched) -> bool:
    """Tell whether a session lives, in this phase and with or without a tab, as was asked for."""
    return is_among(watched, ask.phase, ask.connected)


async def find(ask: Query, census: Census) -> Found:
    """Find the sessions of a page; one past the end gives the last."""
    if is_by_store(ask):
        return await _by_store(ask)
    candidates = await _candidates(ask, census)
    if is_by_deadline(ask):
        return await _searched_by_deadline(ask, candidates)
    if is_by_activity(ask) and candidates.only is not None:
        found = sorted(await _searched_among(ask, candidates.only), key=_by_activity)
        return _page(ask, _turned(ask, _ids(found)))
    if candidates.only is None and candidates.without is None:
        return await _through(ask, None if ask.terms else candidates.total, partial(_database_window, ask))
    return await in_thread(Lane.SEARCH, _by_database, ask, candidates)


async def _by_store(ask: Query) -> Found:
    listing = await _listed(ask, (ask.page - 1) * ask.size)
    page = min(ask.page, last_page(listing.total, ask.size))
    if page != ask.page:
        listing = await _listed(ask, (page - 1) * ask.size)
    return Found(listing.total, page, _ids(listing.sessions), known=listing.sessions)


async def _listed(ask: Query, offset: int) -> Listing:
    return await monitor.store().statistics.list(
        ask.phase, ask.connected, offset, ask.size, reverse=ask.sort.is_descending
    )


async def _candidates(ask: Query, census: Census) -> Candidates:
    live, filtered = census.active + census.warned, _is_filtered(ask)
    total = await _count(ask, census) if filtered else live
    if total <= WINDOW and (filtered or is_by_activity(ask)):
        return Candidates(*await monitor.store().statistics.list(ask.phase, ask.connected, 0, WINDOW))
    if not filtered:
        return Candidates(live)
    if live - total > WINDOW:
        return Candidates(total, without=None)
    without: set[str] = set()
    if ask.phase is not None:
        other = Phase.WARNED if ask.phase is Phase.ACTIVE else Phase.ACTIVE
        without |= await _named(other, None)
    if ask.connected is not None:
        without |= await _named(None, not ask.connected)
    return Candidates(total, without=without)


async def _count(ask: Query, census: Census) -> int:
    """Count those that a filter leaves: the census has counted what one alone leaves."""
    if ask.connected is None:
        return census.warned if ask.phase is Phase.WARNED else census.active
    if ask.phase is None:
        live = census.active + census.warned
        return census.connected if ask.connected else live - census.connected
    return (await monitor.store().statistics.list(ask.phase, ask.connected, 0, 1)).total


async def _named(phase: Phase | None, connected: bool | None) -> set[str]:
    listing = await monitor.store().statistics.list(phase, connected, 0, WINDOW)
    return set(_ids(listing.sessions))


def _by_database(ask: Query, candidates: Candidates) -> Found:
    """Have the database order them, and filter what is searched."""
    rows = _ordered(ask)
    if candidates.only is not None:
        rows = rows.filter(pk__in=_ids(candidates.only))
    elif candidates.without:
        rows = rows.exclude(pk__in=candidates.without)
    total = rows.count() if ask.terms else candidates.total
    page = min(ask.page, last_page(total, ask.size))
    return Found(total, page, _window(rows, (page - 1) * ask.size, ask.size))


async def _searched_by_deadline(ask: Query, candidates: Candidates) -> Found:
    """Have the database search, and the store order."""
    if candidates.only is not None:
        return _page(ask, _turned(ask, _ids(await _searched_among(ask, candidates.only))))
    first = await in_thread(Lane.SEARCH, _window, _searched(ask), 0, WINDOW + 1)
    if len(first) <= WINDOW:
        return _page(ask, _turned(ask, _ids(sorted(await _left(ask, first), key=_by_deadline))))
    total = None if _is_filtered(ask) else await in_thread(Lane.SEARCH, _searched(ask).count)
    return await _through(ask, total, partial(_store_window, ask))


async def _through(ask: Query, total: int | None, look: Callable[[int], Awaitable[Part]]) -> Found:
    """Look through window by window: until the page is full where the total is known, else through all."""
    page = ask.page if total is None else min(ask.page, last_page(total, ask.size))
    # What moves meanwhile may be met twice.
    left: dict[str, None] = {}
    for number in range(WINDOWS):
        part = await look(number)
        left |= dict.fromkeys(part.watches)
        if part.is_last:
            return _page(ask, list(left))
        if total is not None and len(left) >= page * ask.size:
            return Found(total, page, list(left)[(page - 1) * ask.size : page * ask.size])
    return _page(ask, list(left), bounded=True)


async def _store_window(ask: Query, number: int) -> Part:
    """Have the store order them, and the database search."""
    offset = number * WINDOW
    listing = await monitor.store().statistics.list(
        ask.phase, ask.connected, offset, WINDOW, reverse=ask.sort.is_descending
    )
    return Part(_ids(await _searched_among(ask, listing.sessions)), is_last=offset + WINDOW >= listing.total)


async def _database_window(ask: Query, number: int) -> Part:
    """Have the database order and search them, and leave the filter to the store."""
    watches = await in_thread(Lane.SEARCH, _window, _ordered(ask), number * WINDOW, WINDOW)
    return Part(_ids(await _left(ask, watches)), is_last=len(watches) < WINDOW)


async def _searched_among(ask: Query, watches: Sequence[Watched]) -> Sequence[Watched]:
    """Return those of them that match, in the same order."""
    if not ask.terms:
        return watches
    found = await in_thread(Lane.SEARCH, _matching, _searched(ask).filter(pk__in=_ids(watches)))
    return [watched for watched in watches if watched.id in found]


async def _left(ask: Query, watches: Sequence[str]) -> list[Watched]:
    """Return those that the store knows to live as was asked for."""
    known = await monitor.store().sessions.aget_many(watches)
    return [watched for watched in known if watched is not None and matches(ask, watched)]


def _by_deadline(watched: Watched) -> tuple[bool, float, str]:
    return watched.shown.phase is not Phase.WARNED, deadline_of(watched), watched.id


def _turned(ask: Query, watches: Sequence[T]) -> Sequence[T]:
    return watches[::-1] if ask.sort.is_descending else watches


def _by_activity(watched: Watched) -> tuple[float, str]:
    return watched.activity.active, watched.id


def _ids(watches: Iterable[Watched]) -> list[str]:
    return [watched.id for watched in watches]


def _is_filtered(ask: Query) -> bool:
    return (ask.phase, ask.connected) != (None, None)


def _page(ask: Query, watches: Sequence[str], *, bounded: bool = False) -> Found:
    page = min(ask.page, last_page(len(watches), ask.size))
    return Found(len(watches), page, watches[(page - 1) * ask.size : page * ask.size], bounded)


def _searched(ask: Query) -> QuerySet[WatchedSession]:
    return WatchedSession.objects.live().matching(ask.terms)


def _ordered(ask: Query) -> QuerySet[WatchedSession]:
    sign = "-" if ask.sort.is_descending else ""
    return _searched(ask).order_by(f"{sign}{COLUMNS[ask.sort.column]}", f"{sign}pk")


def _window(rows: QuerySet[WatchedSession], offset: int, limit: int) -> Sequence[str]:
    return list(rows.values_list("pk", flat=True)[offset : offset + limit])


def _matching(rows: QuerySet[WatchedSession]) -> set[str]:
    return set(rows.values_list("pk", flat=True))
