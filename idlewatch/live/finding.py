"""Which sessions a page of the table shows: the store orders them by deadline, the database by what does not change.

Where a question is for both, the side with fewer candidates names them, and the other filters and orders them: exact as
long as one side has at most `WINDOW`. No answer reads more than that, however many sessions there are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeVar

from django.db.models import QuerySet

from idlewatch import monitor, records
from idlewatch.live.database import in_search
from idlewatch.live.query import Ask
from idlewatch.models import LIVES, WatchedSession
from idlewatch.policy import Phase
from idlewatch.store.base import Census, Listing, Watched
from idlewatch.store.groups import deadline_of, is_among

WINDOW = 1000
"""Candidates that are looked at, at most."""
COLUMNS = {"user": "username", "started": "started", "seen": "last_active"}
"""The fields by which the database orders: it has an index for each."""

T = TypeVar("T")


class Found(NamedTuple):
    """The sessions of a page."""

    total: int
    page: int
    watches: Sequence[str]
    bounded: bool = False
    """There were more candidates than are looked at."""
    known: Sequence[Watched] | None = None
    """The same as the store knows them, where it was the store that was asked."""


class Candidates(NamedTuple):
    """What is left of the live sessions by phase and connection."""

    total: int
    only: Sequence[str] | None = None
    """Those that are left, by deadline; None: too many to name."""
    without: Collection[str] | None = ()
    """Those that are not; None: too many to name as well."""


def last_page(total: int, size: int) -> int:
    """Return the number of the last page; an empty table has one."""
    return max(1, -(-total // size))


def is_by_deadline(ask: Ask) -> bool:
    """Tell whether the store has the order."""
    return ask.sort.column == "ends"


def is_by_store(ask: Ask) -> bool:
    """Tell whether the store alone has the answer."""
    return is_by_deadline(ask) and not ask.terms


def is_costly(ask: Ask) -> bool:
    """Tell whether more than the page is read to find it."""
    return bool(ask.terms) or (not is_by_deadline(ask) and (ask.phase, ask.connected) != (None, None))


def matches(ask: Ask, watched: Watched) -> bool:
    """Tell whether a session lives, in this phase and with or without a tab, as was asked for."""
    return is_among(watched, ask.phase, ask.connected)


async def find(ask: Ask, census: Census) -> Found:
    """Find the sessions of a page; one past the end gives the last."""
    if is_by_store(ask):
        return await _by_store(ask)
    candidates = await _candidates(ask, census)
    if is_by_deadline(ask):
        return await _searched_by_deadline(ask, candidates)
    if candidates.only is None and candidates.without is None:
        return await _by_window(ask)
    return await in_search(_by_database)(ask, candidates)


async def _by_store(ask: Ask) -> Found:
    listing = await _listed(ask, (ask.page - 1) * ask.size)
    page = min(ask.page, last_page(listing.total, ask.size))
    if page != ask.page:
        listing = await _listed(ask, (page - 1) * ask.size)
    return Found(listing.total, page, [watched.id for watched in listing.watches], known=listing.watches)


async def _listed(ask: Ask, offset: int) -> Listing:
    return await monitor.store().alist(ask.phase, ask.connected, offset, ask.size, last=ask.sort.is_down)


async def _candidates(ask: Ask, census: Census) -> Candidates:
    live = census.active + census.warned
    if ask.phase is None and ask.connected is None:
        return Candidates(live)
    total = await _count(ask, census)
    if total <= WINDOW:
        listing = await monitor.store().alist(ask.phase, ask.connected, 0, WINDOW)
        return Candidates(listing.total, [watched.id for watched in listing.watches])
    if live - total > WINDOW:
        return Candidates(total, without=None)
    without: set[str] = set()
    if ask.phase is not None:
        other = Phase.WARNED if ask.phase is Phase.ACTIVE else Phase.ACTIVE
        without |= await _named(other, None)
    if ask.connected is not None:
        without |= await _named(None, not ask.connected)
    return Candidates(total, without=without)


async def _count(ask: Ask, census: Census) -> int:
    """Count those that a filter leaves: the census has counted what one alone leaves."""
    if ask.connected is None:
        return census.warned if ask.phase is Phase.WARNED else census.active
    if ask.phase is None:
        live = census.active + census.warned
        return census.connected if ask.connected else live - census.connected
    return (await monitor.store().alist(ask.phase, ask.connected, 0, 1)).total


async def _named(phase: Phase | None, connected: bool | None) -> set[str]:
    listing = await monitor.store().alist(phase, connected, 0, WINDOW)
    return {watched.id for watched in listing.watches}


def _by_database(ask: Ask, candidates: Candidates) -> Found:
    """Have the database order them, and filter what is searched."""
    rows = _ordered(ask)
    if candidates.only is not None:
        rows = rows.filter(pk__in=candidates.only)
    elif candidates.without:
        rows = rows.exclude(pk__in=candidates.without)
    total = rows.count() if ask.terms else candidates.total
    page = min(ask.page, last_page(total, ask.size))
    return Found(total, page, list(_part(rows, page, ask.size)))


async def _by_window(ask: Ask) -> Found:
    """Look at the first in the database's order, and leave the filter to the store."""
    first = await in_search(_first)(_ordered(ask))
    left = [watched.id for watched in await _left(ask, first[:WINDOW])]
    return _page(ask, left, bounded=len(first) > WINDOW)


async def _searched_by_deadline(ask: Ask, candidates: Candidates) -> Found:
    """Have the database search, and the store order."""
    if candidates.only is not None:
        named, bounded = candidates.only, False
    else:
        first = await in_search(_first)(_searched(ask))
        if len(first) <= WINDOW:
            left = sorted(await _left(ask, first), key=_by_deadline)
            return _page(ask, _turned(ask, [watched.id for watched in left]), bounded=False)
        # Those that end first are what matters: of them, the ones that match.
        listing = await monitor.store().alist(ask.phase, ask.connected, 0, WINDOW, last=ask.sort.is_down)
        named, bounded = _turned(ask, [watched.id for watched in listing.watches]), True
    found = await in_search(_matching)(_searched(ask).filter(pk__in=named))
    return _page(ask, _turned(ask, [watch for watch in named if watch in found]), bounded=bounded)


async def _left(ask: Ask, watches: Sequence[str]) -> list[Watched]:
    """Return those that the store knows to live as was asked for."""
    known = await monitor.store().aget_all(watches)
    return [watched for watched in known if watched is not None and matches(ask, watched)]


def _by_deadline(watched: Watched) -> tuple[bool, float, str]:
    return watched.shown.phase is not Phase.WARNED, deadline_of(watched), watched.id


def _turned(ask: Ask, watches: Sequence[T]) -> Sequence[T]:
    return watches[::-1] if ask.sort.is_down else watches


def _page(ask: Ask, watches: Sequence[str], *, bounded: bool) -> Found:
    page = min(ask.page, last_page(len(watches), ask.size))
    return Found(len(watches), page, watches[(page - 1) * ask.size : page * ask.size], bounded)


def _searched(ask: Ask) -> QuerySet[WatchedSession]:
    return records.matching(ask.terms).filter(LIVES)


def _ordered(ask: Ask) -> QuerySet[WatchedSession]:
    sign = "-" if ask.sort.is_down else ""
    return _searched(ask).order_by(f"{sign}{COLUMNS[ask.sort.column]}", f"{sign}pk")


def _part(rows: QuerySet[WatchedSession], page: int, size: int) -> QuerySet[WatchedSession, str]:
    return rows.values_list("pk", flat=True)[(page - 1) * size : page * size]


def _first(rows: QuerySet[WatchedSession]) -> Sequence[str]:
    """Return the first of them, and one more where there is."""
    return list(_part(rows, 1, WINDOW + 1))


def _matching(rows: QuerySet[WatchedSession]) -> set[str]:
    return set(rows.values_list("pk", flat=True))
