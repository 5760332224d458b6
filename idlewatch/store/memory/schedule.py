"""When the sessions of the memory store are due: a heap of moments for each kind, and those who wait for the next.

A moment that moves later stays in its heap, and is corrected when it comes up; only one that moves forward is pushed.
So a heartbeat leaves the heaps alone. What one claimant gets at once has one moment, at which
its lease lapses.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from idlewatch.store.values import Due


class _Moment(Struct, frozen=True, order=True, gc=False):
    """When a session is due: half the size of a tuple, and no garbage collection looks at it."""

    at: float
    watch_id: str


class Schedule:
    """Moments by kind. Not thread-safe; listeners are called by the thread that schedules."""

    def __init__(self) -> None:
        self._heaps: dict[Due, list[_Moment]] = {due: [] for due in Due}
        self._leases: dict[Due, list[tuple[float, Sequence[str]]]] = {due: [] for due in Due}
        """Heaps, too."""
        self._answered: dict[Due, float] = {due: float("-inf") for due in Due}
        """What `next_at` returned last: its caller sleeps until then."""
        self._listeners: dict[Due, list[Callable[[], None]]] = {due: [] for due in Due}

    def __len__(self) -> int:
        return sum(len(heap) for heap in self._heaps.values())

    def push(self, due: Due, at: float, watch_id: str) -> None:
        """Add a moment, and wake those who sleep longer than that."""
        heapq.heappush(self._heaps[due], _Moment(at, watch_id))
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

    def pop_until(self, due: Due, now: float) -> Iterator[tuple[float, str]]:
        """Remove and yield the moments that have come, the earliest first, with the ids of their sessions."""
        heap = self._heaps[due]
        while heap and heap[0].at <= now:
            moment = heapq.heappop(heap)
            yield moment.at, moment.watch_id

    def next_at(self, due: Due) -> float | None:
        """Return the first moment; None if there is none."""
        heap, leases = self._heaps[due], self._leases[due]
        at = min(heap[0].at if heap else float("inf"), leases[0][0] if leases else float("inf"))
        self._answered[due] = at
        return at if at < float("inf") else None

    def add_listener(self, due: Due, callback: Callable[[], None]) -> None:
        """Call `callback` when a moment comes before the one that `next_at` returned."""
        self._listeners[due].append(callback)

    def remove_listener(self, due: Due, callback: Callable[[], None]) -> None:
        """Undo `add_listener`."""
        self._listeners[due].remove(callback)

    def clear(self) -> None:
        """Remove all moments; the listeners stay."""
        for heap in self._heaps.values():
            heap.clear()
        for leases in self._leases.values():
            leases.clear()

    def _wake(self, due: Due, at: float) -> None:
        if at < self._answered[due]:
            self._answered[due] = at
            for listener in self._listeners[due]:
                listener()
