"""When the sessions of the memory store are due: a heap of moments for each kind, and those who wait for the next.

A moment that moves later stays in its heap, and is corrected when it comes up; only one that moves forward is pushed.
So a heartbeat leaves the heaps alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

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
        self._answered: dict[Due, float] = {due: float("-inf") for due in Due}
        """What `next_at` returned last: its caller sleeps until then."""
        self._listeners: dict[Due, list[Callable[[], None]]] = {due: [] for due in Due}

    def __len__(self) -> int:
        return sum(len(heap) for heap in self._heaps.values())

    def push(self, due: Due, at: float, watch_id: str) -> None:
        """Add a moment, and wake those who sleep longer than that."""
        heapq.heappush(self._heaps[due], _Moment(at, watch_id))
        if at < self._answered[due]:
            self._answered[due] = at
            for listener in self._listeners[due]:
                listener()

    def pop_until(self, due: Due, now: float) -> Iterator[tuple[float, str]]:
        """Remove and yield the moments that have come, the earliest first, with the ids of their sessions."""
        heap = self._heaps[due]
        while heap and heap[0].at <= now:
            moment = heapq.heappop(heap)
            yield moment.at, moment.watch_id

    def next_at(self, due: Due) -> float | None:
        """Return the first moment; None if there is none."""
        heap = self._heaps[due]
        self._answered[due] = heap[0].at if heap else float("inf")
        return heap[0].at if heap else None

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
