"""The live sessions that a query's phase and connection leave, as far as they are few enough to name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from idlewatch.core.policy import Phase
from idlewatch.live.query import Query
from idlewatch.monitor import stores
from idlewatch.store.values import Census, Watched


class Candidates(NamedTuple):
    """The live sessions that pass a query's filter."""

    total: int
    included: Sequence[Watched] | None = None
    """The candidates, by deadline; None if they are too many, or not needed."""
    excluded: Collection[str] | None = ()
    """The ids of the other live sessions; None if these are too many as well."""


async def find_candidates(query: Query, census: Census, limit: int) -> Candidates:
    """Return the candidates of a query, which are named if they, or all others, are `limit` at most."""
    live = census.active + census.warned
    total = await _count(query, census) if query.is_filtered else live
    if total <= limit and (query.is_filtered or query.is_by_activity):
        return Candidates(*await stores.current().statistics.list(query.phase, query.connected, 0, limit))
    if not query.is_filtered:
        return Candidates(live)
    if live - total > limit:
        return Candidates(total, excluded=None)
    excluded: set[str] = set()
    if query.phase is not None:
        other = Phase.WARNED if query.phase is Phase.ACTIVE else Phase.ACTIVE
        excluded |= await _ids(other, None, limit)
    if query.connected is not None:
        excluded |= await _ids(None, not query.connected, limit)
    return Candidates(total, excluded=excluded)


async def _count(query: Query, census: Census) -> int:
    """Return the number of candidates; the census has it if there is only one filter."""
    if query.connected is None:
        return census.warned if query.phase is Phase.WARNED else census.active
    if query.phase is None:
        live = census.active + census.warned
        return census.connected if query.connected else live - census.connected
    return (await stores.current().statistics.list(query.phase, query.connected, 0, 1)).total


async def _ids(phase: Phase | None, connected: bool | None, limit: int) -> set[str]:
    listing = await stores.current().statistics.list(phase, connected, 0, limit)
    return {watched.id for watched in listing.sessions}
