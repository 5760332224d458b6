"""The memory store's order of live sessions.

Nothing is kept of it until it is read. From then on those that move are put in their places at the next reading, until
so many have moved that to sort all again is cheaper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import merge
from itertools import islice

from sortedcontainers import SortedList

from idlewatch.core.policy import Phase
from idlewatch.store.listing import GROUPS, Group, census_of, chosen, deadline_of, group_of
from idlewatch.store.values import Census, Watched

Place = tuple[float, str]
"""A deadline and the id of its session."""


class Index:
    """Keeps the groups of all live sessions, each in the order of the deadlines. Not thread-safe."""

    def __init__(self, live: Callable[[], Iterable[Watched]]) -> None:
        self._live = live
        """Returns all live sessions."""
        self._sizes = dict.fromkeys(GROUPS, 0)
        self._lists: dict[Group, SortedList[Place]] = {group: SortedList() for group in GROUPS}
        self._places: dict[str, tuple[Group, float]] = {}
        """The place of each in the lists."""
        self._moved: dict[str, Watched] | None = None
        """Those that are to be put in their places; None: all are to be sorted."""

    def put(self, watched: Watched, former: Watched | None = None) -> None:
        """Note the present state of a session, and its former one, if it was known."""
        # Most activity changes nothing that decides in which group a session is.
        if (
            former is None
            or former.shown is not watched.shown
            or former.activity.tabs is not watched.activity.tabs
            or former.activity.ended is not watched.activity.ended
        ):
            self._count(former, -1)
            self._count(watched, 1)
        if self._moved is None:
            return
        if watched.activity.ended is not None:
            # Nothing may stay behind, even if the order is never read again.
            self._moved.pop(watched.id, None)
            self._take_out(watched.id)
            return
        self._moved[watched.id] = watched
        if len(self._moved) * 4 > len(self._places):
            self._forget()

    def census(self) -> Census:
        """Count the live sessions."""
        return census_of(self._sizes)

    def page(
        self, phase: Phase | None, connected: bool | None, offset: int, limit: int, *, reverse: bool
    ) -> tuple[int, Sequence[str]]:
        """Return how many there are of these, and the ids at `offset`; `reverse` turns the whole list round."""
        self._catch_up()
        parts = [[self._lists[group] for group in groups] for groups in chosen(phase, connected)]
        total = sum(len(group) for part in parts for group in part)
        start, stop = (total - offset - limit, total - offset) if reverse else (offset, offset + limit)
        found: list[str] = []
        for part in parts:
            size = sum(map(len, part))
            found += _between(part, max(start, 0), min(stop, size))
            start, stop = start - size, stop - size
        return total, found[::-1] if reverse else found

    def _count(self, watched: Watched | None, step: int) -> None:
        group = None if watched is None else group_of(watched)
        if group is not None:
            self._sizes[group] += step

    def _forget(self) -> None:
        self._moved = None
        self._places.clear()
        self._lists = {group: SortedList() for group in GROUPS}

    def _take_out(self, watch_id: str) -> None:
        place = self._places.pop(watch_id, None)
        if place is not None:
            group, deadline = place
            self._lists[group].remove((deadline, watch_id))

    def _catch_up(self) -> None:
        moved, self._moved = self._moved, {}
        if moved is None:
            self._sort()
            return
        for watched in moved.values():
            place = _place_of(watched)
            if place != self._places.get(watched.id):
                self._take_out(watched.id)
                self._places[watched.id] = place
                self._lists[place[0]].add((place[1], watched.id))

    def _sort(self) -> None:
        places: dict[Group, list[Place]] = {group: [] for group in GROUPS}
        for watched in self._live():
            group, deadline = self._places[watched.id] = _place_of(watched)
            places[group].append((deadline, watched.id))
        self._lists = {group: SortedList(each) for group, each in places.items()}


def _place_of(watched: Watched) -> tuple[Group, float]:
    group = group_of(watched)
    assert group is not None, "it is live"  # noqa: S101
    return group, deadline_of(watched)


def _between(part: Sequence[SortedList[Place]], start: int, stop: int) -> list[str]:
    """Return the ids from `start` to before `stop` in the common order of one or two lists."""
    if start >= stop:
        return []
    starts = [start] if len(part) == 1 else _split(part[0], part[1], start)
    ahead = merge(*(each.islice(at, at + stop - start) for each, at in zip(part, starts, strict=True)))
    return [watch_id for _, watch_id in islice(ahead, stop - start)]


def _split(one: SortedList[Place], other: SortedList[Place], rank: int) -> tuple[int, int]:
    """Return how many of each list are among the first `rank` of both."""
    low, high = max(0, rank - len(other)), min(rank, len(one))
    while low < high:
        middle = (low + high) // 2
        if one[middle] < other[rank - 1 - middle]:
            low = middle + 1
        else:
            high = middle
    return low, rank - low
