"""When the sessions of the memory store are due: a calendar of moments for each kind, and those who wait for the next.

A moment that moves later stays in its calendar, and is corrected when it comes up; only one that moves forward is
pushed. So a heartbeat leaves the calendars alone. What one claimant gets at once has one moment, at which its lease
lapses.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

from msgspec import Struct

from idlewatch.core.policy import NEVER
from idlewatch.store.values import Due


class _Moment(Struct, frozen=True, gc=False):
    """When a session is due: half the size of a tuple, and no garbage collection looks at it."""

    at: float
    watch_id: str


_at = attrgetter("at")


class _Second:
    """The moments of one second, in the order in which they came."""

    __slots__ = ("first_at", "moments")

    def __init__(self) -> None:
        self.first_at = NEVER
        self.moments: list[_Moment] = []

    def add(self, moment: _Moment) -> None:
        self.moments.append(moment)
        if moment.at < self.first_at:
            self.first_at = moment.at


class _Calendar:
    """Moments by the second, each sorted when it comes: popped from a heap, thousands at once would cost the most."""

    def __init__(self) -> None:
        self._sorted: list[_Moment] = []
        """Of the present second, the first one last."""
        self._present = float("-inf")
        self._added = _Second()
        """What came for the present second, or one before, since these were sorted."""
        self._later: dict[int, _Second] = {}
        self._order: list[int] = []
        """A heap of the later seconds."""

    def __len__(self) -> int:
        return sum(len(each.moments) for each in (self._added, *self._later.values())) + len(self._sorted)

    @property
    def next_at(self) -> float:
        """The first moment; `NEVER` if there is none."""
        at = self._added.first_at
        if self._sorted:
            return min(at, self._sorted[-1].at)
        return min(at, self._later[self._order[0]].first_at) if self._order else at

    def push(self, moment: _Moment) -> None:
        number = int(moment.at)
        if number <= self._present:
            self._added.add(moment)
            return
        second = self._later.get(number)
        if second is None:
            second = self._later[number] = _Second()
            heapq.heappush(self._order, number)
        second.add(moment)

    def pop_until(self, now: float) -> Iterator[_Moment]:
        while self.next_at <= now:
            self._sort_in(now)
            while self._sorted and self._sorted[-1].at <= now:
                yield self._sorted.pop()

    def _sort_in(self, now: float) -> None:
        added, self._added = self._added.moments, _Second()
        if not self._sorted and self._order and self._later[self._order[0]].first_at <= now:
            self._present = heapq.heappop(self._order)
            added += self._later.pop(int(self._present)).moments
        if added:
            self._sorted += added
            self._sorted.sort(key=_at, reverse=True)


class Schedule:
    """Moments by kind. Not thread-safe; listeners are called by the thread that schedules."""

    def __init__(self) -> None:
        self._answered: dict[Due, float] = {due: float("-inf") for due in Due}
        """What `next_at` returned last: its caller sleeps until then."""
        self._listeners: dict[Due, list[Callable[[], None]]] = {due: [] for due in Due}
        self.clear()

    def __len__(self) -> int:
        return sum(len(calendar) for calendar in self._calendars.values())

    def push(self, due: Due, at: float, watch_id: str) -> None:
        """Add a moment, and wake those who sleep longer than that."""
        self._calendars[due].push(_Moment(at, watch_id))
        self._wake(due, at)

    def lease(self, due: Due, until: float, watch_ids: Sequence[str]) -> None:
        """Note until when sessions are leased, and wake those who sleep longer than that."""
        heapq.heappush(self._leases[due], (until, watch_ids))
        self._wake(due, until)

    def pop_lapsed(self, due: Due, now: float) -> Iterator[str]:
        """Remove the leases that have lapsed, and yield the ids of their sessions."""
        leases = self._leases[due]
        while leases and leases[0][0] <= now:
            yield from heapq.heappop(leases)[1]

    def pop_until(self, due: Due, now: float) -> Iterator[_Moment]:
        """Remove and yield the moments that have come, the earliest first; those added meanwhile have to be later."""
        return self._calendars[due].pop_until(now)

    def next_at(self, due: Due) -> float | None:
        """Return the first moment; None if there is none."""
        at, leases = self._calendars[due].next_at, self._leases[due]
        self._answered[due] = at = min(at, leases[0][0]) if leases else at
        return None if at == NEVER else at

    def add_listener(self, due: Due, callback: Callable[[], None]) -> None:
        """Call `callback` when a moment comes before the one that `next_at` returned."""
        self._listeners[due].append(callback)

    def remove_listener(self, due: Due, callback: Callable[[], None]) -> None:
        """Undo `add_listener`."""
        self._listeners[due].remove(callback)

    def clear(self) -> None:
        """Remove all moments; the listeners stay."""
        self._calendars = {due: _Calendar() for due in Due}
        self._leases: dict[Due, list[tuple[float, Sequence[str]]]] = {due: [] for due in Due}
        """A heap for each kind."""

    def _wake(self, due: Due, at: float) -> None:
        if at < self._answered[due]:
            self._answered[due] = at
            for listener in self._listeners[due]:
                listener()
