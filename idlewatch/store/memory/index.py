"""The memory store's order of live sessions.

To move one costs nothing until the order is read: only then those that moved are put in their places.
"""

from __future__ import annotations

from collections.abc import Sequence
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

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}
        """The group of each live session."""
        self._sizes = dict.fromkeys(GROUPS, 0)
        self._lists: dict[Group, SortedList[Place]] = {group: SortedList() for group in GROUPS}
        self._places: dict[str, tuple[Group, float]] = {}
        """The place of each in the lists."""
        self._moved: dict[str, Watched] = {}
        """Those that are to be put in their places."""

    def put(self, watched: Watched) -> None:
        """Note the present state of a session."""
        group, former = group_of(watched), self._groups.get(watched.id)
        if group != former:
            self._regroup(watched.id, former, group)
        if group is not None:
            self._moved[watched.id] = watched

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

    def _regroup(self, watch_id: str, former: Group | None, group: Group | None) -> None:
        if former is not None:
            self._sizes[former] -= 1
        if group is not None:
            self._sizes[group] += 1
            self._groups[watch_id] = group
            return
        # It ended: nothing may stay behind, even if the order is never read.
        self._groups.pop(watch_id, None)
        self._moved.pop(watch_id, None)
        self._take_out(watch_id)

    def _take_out(self, watch_id: str) -> None:
        place = self._places.pop(watch_id, None)
        if place is not None:
            group, deadline = place
            self._lists[group].remove((deadline, watch_id))

    def _catch_up(self) -> None:
        moved, self._moved = self._moved, {}
        # To sort the lists again is cheaper than to move a good part of them.
        sorts = len(moved) * 4 > len(self._places)
        for watch_id, watched in moved.items():
            place = self._groups[watch_id], deadline_of(watched)
            if sorts:
                self._places[watch_id] = place
            elif place != self._places.get(watch_id):
                self._take_out(watch_id)
                self._places[watch_id] = place
                self._lists[place[0]].add((place[1], watch_id))
        if sorts:
            self._sort()

    def _sort(self) -> None:
        places: dict[Group, list[Place]] = {group: [] for group in GROUPS}
        for watch_id, (group, deadline) in self._places.items():
            places[group].append((deadline, watch_id))
        self._lists = {group: SortedList(each) for group, each in places.items()}


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
