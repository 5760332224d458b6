"""The store of one process: a dictionary, and a heap of moments for each kind of due item.

A touch costs O(1): a moment that moves later stays in its heap, and is put right when it comes up; only one that moves
forward is pushed.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from threading import RLock
from typing import ClassVar

from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.events import Event, TabClosed, TabOpened, TabsCounted
from idlewatch.core.policy import Phase, Verdict
from idlewatch.store import transitions
from idlewatch.store.base import Census, Due, Listing, Renewal, Sample, Store, Watched
from idlewatch.store.memory.index import Index

TOMBSTONE_TTL = 600.0
"""Seconds for which an end is kept once its record is closed: longer than any request that read the record before."""


class _Entry:
    """One watch, and what is under way for it."""

    __slots__ = ("check_at", "claimed", "doubted", "leased", "queued", "recorded", "settled", "watched")

    def __init__(self, watched: Watched, now: float) -> None:
        self.watched = watched
        self.check_at = now + watched.policy.checkpoint / 2
        self.leased: dict[Due, float] = {}
        """Until when somebody has claimed it."""
        self.queued: dict[Due, float] = {}
        """Where it stands in the heap: never later than it is due."""
        self.settled: int | None = None
        """The version at which a verdict was settled that is not confirmed yet."""
        self.claimed = watched.version
        """The version at which its push was claimed last: the lease is of whoever holds this one or a later one."""
        self.recorded = False
        self.doubted = False

    @property
    def ended(self) -> bool:
        return self.watched.activity.ended is not None

    def due_at(self, due: Due, now: float) -> float | None:
        """Return when it is due; what is claimed is due again when the lease lapses."""
        if due is Due.PUSH:
            return self._push_at(now)
        if due is Due.RECORD:
            at = now if self.ended and not self.recorded else None
        else:
            at = None if self.ended else self.check_at
        return None if at is None else max(at, self.leased.get(due, at))

    def _push_at(self, now: float) -> float | None:
        lease = self.leased.get(Due.PUSH)
        is_settled = self.settled is not None and self.settled > self.claimed
        if lease is not None and now < lease and not is_settled:
            return lease
        verdict = self.watched.verdict(now)
        changes_at = now if verdict.shown != self.watched.shown else verdict.next_at
        if self.settled is None:
            return changes_at
        again_at = now if lease is None else lease
        return again_at if changes_at is None else min(again_at, changes_at)


class MemoryStore(Store):
    """Keeps everything in this process."""

    shared: ClassVar[bool] = False

    def __init__(self, location: str | None = None, options: Mapping[str, object] | None = None) -> None:
        super().__init__(location, options or {})
        self._lock = RLock()
        self._entries: dict[str, _Entry] = {}
        self._heaps: dict[Due, list[tuple[float, int, str]]] = {due: [] for due in Due}
        self._order = count()
        self._forgettable: list[tuple[float, str]] = []
        self._index = Index()
        self._samples: deque[Sample] = deque()
        self._ended = 0
        """How many ended since the latest sample."""
        self._leases: dict[str, float] = {}
        self._created_at: float | None = None
        self._served: defaultdict[str, set[str]] = defaultdict(set)
        self._told: dict[Due, float] = {due: float("-inf") for due in Due}
        """The answers that `anext_due` gave: who asked sleeps until then."""
        self._listeners: dict[Due, list[Callable[[], None]]] = {due: [] for due in Due}

    def get(self, watch_id: str) -> Watched | None:
        with self._lock:
            entry = self._entries.get(watch_id)
            return None if entry is None else entry.watched

    def open(self, watched: Watched, now: float) -> Watched:
        with self._lock:
            entry = self._entries.get(watched.id)
            return self._add(transitions.opened(watched, now), now) if entry is None else entry.watched

    def restart(self, watched: Watched, now: float) -> Watched:
        with self._lock:
            entry = self._entries.get(watched.id)
            if entry is None:
                return self.open(watched, now)
            return self._change(entry, transitions.restarted(entry.watched, watched, now), now)

    def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        with self._lock:
            entry = self._entries.get(watch_id)
            if entry is None:
                return None
            self._change(entry, transitions.after(event, entry.watched, now), now)
            if isinstance(event, TabOpened | TabClosed | TabsCounted):
                self._note_served(event.process, entry.watched)
            return entry.watched

    def bind(self, watch_id: str, key: str) -> None:
        with self._lock:
            entry = self._entries.get(watch_id)
            if entry is not None:
                entry.watched = replace(entry.watched, key=key)

    def end(self, watch_id: str, reason: Reason, now: float) -> Watched:
        with self._lock:
            entry = self._entries.get(watch_id)
            if entry is None:
                return self._add(transitions.ended(transitions.unknown(watch_id, now), reason, now), now)
            return self._change(entry, transitions.ended(entry.watched, reason, now), now)

    async def aget(self, watch_id: str) -> Watched | None:
        return self.get(watch_id)

    async def aopen(self, watched: Watched, now: float) -> Watched:
        return self.open(watched, now)

    async def aapply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        return self.apply(watch_id, event, now)

    async def aend(self, watch_id: str, reason: Reason, now: float) -> Watched:
        return self.end(watch_id, reason, now)

    async def aclaim(self, due: Due, now: float, limit: int, lease: float) -> Sequence[Watched]:
        claimed: list[Watched] = []
        with self._lock:
            self._forget(now)
            heap = self._heaps[due]
            while heap and heap[0][0] <= now and len(claimed) < limit:
                queued_at, _, watch_id = heapq.heappop(heap)
                entry = self._entries.get(watch_id)
                if entry is None or entry.queued.get(due) != queued_at:
                    continue
                del entry.queued[due]
                due_at = entry.due_at(due, now)
                if due_at is not None and due_at <= now:
                    entry.leased[due] = now + lease
                    if due is Due.PUSH:
                        entry.claimed = entry.watched.version
                    unpublished = entry.settled is not None
                    claimed.append(replace(entry.watched, unpublished=unpublished, doubted=entry.doubted))
                self._queue(entry, due, entry.due_at(due, now))
        return claimed

    async def asettle(self, watched: Watched, verdict: Verdict, now: float) -> Watched | None:
        with self._lock:
            entry = self._entries.get(watched.id)
            if entry is None:
                return None
            if entry.watched.version != watched.version:
                if watched.version >= entry.claimed:
                    entry.leased.pop(Due.PUSH, None)
                    self._schedule(entry, now)
                return None
            settled = transitions.settled(entry.watched, verdict, now)
            entry.settled = settled.version
            return self._change(entry, settled, now)

    async def aconfirm(
        self, due: Due, watched: Watched, now: float, next_at: float | None = None, *, doubted: bool = False
    ) -> None:
        with self._lock:
            entry = self._entries.get(watched.id)
            if entry is None:
                return
            if due is not Due.PUSH or watched.version >= entry.claimed:
                entry.leased.pop(due, None)
            if due is Due.PUSH and entry.settled is not None and watched.version >= entry.settled:
                entry.settled = None
            elif due is Due.RECORD and not entry.recorded:
                entry.recorded = True
                heapq.heappush(self._forgettable, (now + TOMBSTONE_TTL, watched.id))
            elif due is Due.CHECK and next_at is not None:
                entry.check_at, entry.doubted = next_at, doubted
            self._schedule(entry, now)

    async def anext_due(self, due: Due) -> float | None:
        with self._lock:
            heap = self._heaps[due]
            self._told[due] = heap[0][0] if heap else float("inf")
            return heap[0][0] if heap else None

    def on_due_sooner(self, due: Due, callback: Callable[[], None]) -> Callable[[], None]:
        with self._lock:
            self._listeners[due].append(callback)

        def stop() -> None:
            with self._lock:
                self._listeners[due].remove(callback)

        return stop

    async def arenew(self, process: str, now: float, lease: float) -> Renewal:
        with self._lock:
            known = process in self._leases
            self._leases[process] = now + lease
            if self._created_at is None:
                self._created_at = now
            return Renewal(known, resume=False, created_at=self._created_at)

    async def areap(self, now: float) -> Sequence[str]:
        with self._lock:
            dead = [process for process, until in self._leases.items() if until <= now]
            for process in dead:
                del self._leases[process]
                for watch_id in self._served.pop(process, ()):
                    self.apply(watch_id, TabsCounted(process, 0), now)
            return dead

    def read_created_at(self) -> float | None:
        return self._created_at

    async def aping(self) -> None:
        return None

    async def aget_all(self, watches: Sequence[str]) -> Sequence[Watched | None]:
        with self._lock:
            return [self.get(watch_id) for watch_id in watches]

    async def acensus(self) -> Census:
        with self._lock:
            return self._index.census()

    async def alist(
        self, phase: Phase | None, connected: bool | None, offset: int, limit: int, *, last: bool = False
    ) -> Listing:
        with self._lock:
            total, watches = self._index.page(phase, connected, offset, limit, last=last)
            return Listing(total, [self._entries[watch_id].watched for watch_id in watches])

    async def asample(self, now: float, every: float, keep: float) -> Sample | None:
        with self._lock:
            samples = self._samples
            while samples and samples[-1].at > now + every:
                samples.pop()
            if samples and now < samples[-1].at + every:
                return None
            census = self._index.census()
            sample = Sample(now, census.active, census.warned, self._ended)
            samples.append(sample)
            self._ended = 0
            while samples[0].at < now - keep:
                samples.popleft()
            return sample

    async def asamples(self, after: float = 0.0) -> Sequence[Sample]:
        with self._lock:
            return [sample for sample in self._samples if sample.at > after]

    async def arecall(self, samples: Sequence[Sample]) -> None:
        with self._lock:
            self._samples = deque(samples)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._index = Index()
            self._samples.clear()
            self._ended = 0
            self._forgettable.clear()
            self._leases.clear()
            self._created_at = None
            self._served.clear()
            for heap in self._heaps.values():
                heap.clear()

    def _add(self, watched: Watched, now: float) -> Watched:
        entry = self._entries[watched.id] = _Entry(watched, now)
        self._index.put(watched)
        self._schedule(entry, now)
        return watched

    def _change(self, entry: _Entry, watched: Watched, now: float) -> Watched:
        """Put new facts in place: the one way in which a watch changes."""
        if watched is not entry.watched:
            self._ended += watched.activity.ended is not None and not entry.ended
            entry.watched = watched
            self._index.put(watched)
            self._schedule(entry, now)
        return watched

    def _note_served(self, process: str, watched: Watched) -> None:
        if process in watched.activity.tabs:
            self._served[process].add(watched.id)
        elif process in self._served:
            self._served[process].discard(watched.id)
            if not self._served[process]:
                del self._served[process]

    def _schedule(self, entry: _Entry, now: float) -> None:
        for due in Due:
            self._queue(entry, due, entry.due_at(due, now))

    def _queue(self, entry: _Entry, due: Due, at: float | None) -> None:
        if at is None or at == float("inf"):
            return
        queued_at = entry.queued.get(due)
        if queued_at is not None and queued_at <= at:
            return
        entry.queued[due] = at
        heapq.heappush(self._heaps[due], (at, next(self._order), entry.watched.id))
        if at < self._told[due]:
            self._told[due] = at
            for listener in self._listeners[due]:
                listener()

    def _forget(self, now: float) -> None:
        """Drop tombstones that nobody can ask for any more."""
        while self._forgettable and self._forgettable[0][0] <= now:
            _, watch_id = heapq.heappop(self._forgettable)
            if self._entries.pop(watch_id, None) is not None:
                for served in self._served.values():
                    served.discard(watch_id)
