"""The facts that all parts of the memory store share."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator
from threading import RLock

from msgspec.structs import replace

from idlewatch import metrics
from idlewatch.core.activity import Activity
from idlewatch.core.events import COUNTING, CREDITING, Event
from idlewatch.core.policy import UNWARNED
from idlewatch.store import transitions
from idlewatch.store.base import TOMBSTONE_TTL
from idlewatch.store.memory.entry import PUSH, RECORD, UNCLAIMED, Entry
from idlewatch.store.memory.index import Index
from idlewatch.store.memory.schedule import Schedule
from idlewatch.store.values import Due, Touch, Watched

MAX_WAITING = 500
"""Touches that wait to be credited, at most; the timer takes the lock each second."""


class Lock:
    """The lock of a ledger. Taking it credits what waited."""

    def __init__(self, lock: RLock, waiting: list[Touch], credit: Callable[[], None]) -> None:
        self._lock = lock
        self._waiting = waiting
        self._credit = credit

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._waiting:
            try:
                self._credit()
            except BaseException:
                self._lock.release()
                raise

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Ledger:
    """All sessions, their order and their moments. Callers hold `lock`."""

    def __init__(self) -> None:
        self._bare_lock = RLock()
        self._waiting: list[Touch] = []
        """Credited together, before anyone looks: one by one, between other work, they would take twice as long."""
        self.lock = Lock(self._bare_lock, self._waiting, self._credit_waiting)
        self.entries: dict[str, Entry] = {}
        self.index = Index(self._live)
        self.schedule = Schedule()
        self.ended = 0
        """How many ended since the latest sample."""
        self.served: defaultdict[str, set[str]] = defaultdict(set)
        """The sessions of which each process has tabs open."""
        self._forgettable: list[tuple[float, str]] = []

    def add(self, watched: Watched, now: float, *, is_written: bool = False) -> Watched:
        """Keep a new session; `is_written`: its record has its progress."""
        check_at = transitions.first_check_at(watched, now)
        entry = self.entries[watched.id] = Entry(watched, check_at, UNCLAIMED[not is_written])
        self.index.put(watched)
        for due in Due:
            self.queue(entry, due, now)
        return watched

    def collect(self, touch: Touch, process: str) -> bool:
        """Take in a touch, if it means no more; return whether it does. The caller need not hold `lock`."""
        with self._bare_lock:
            entry = self.entries.get(touch.watch_id)
            if entry is None or touch.now >= entry.push:
                return False
            watched = entry.watched
            if watched.shown != UNWARNED or process not in watched.activity.tabs:
                return False
            self._waiting.append(touch)
            if len(self._waiting) >= MAX_WAITING:
                self._credit_waiting()
            return True

    def _credit_waiting(self) -> None:
        waiting = self._waiting.copy()
        self._waiting.clear()
        entries = self.entries
        for watch_id, moment, now in waiting:
            if (entry := entries.get(watch_id)) is not None:
                self.change(entry, transitions.credited(entry.watched, moment, now), now, is_later=True)
        # They come from sockets alone.
        metrics.HEARTBEAT_BY_SOCKET.inc(len(waiting))

    def apply(self, watch_id: str, event: Event, now: float) -> Watched | None:
        """Change a session by an event; return it, or None if it is unknown. The caller need not hold `lock`.

        Raises:
            HoldRefused, TooManyTabs: as the event does.
        """
        # As `lock` does it, by two calls less: every request of a signed-in user gets here.
        with self._bare_lock:
            if self._waiting:
                self._credit_waiting()
            entry = self.entries.get(watch_id)
            if entry is None:
                return None
            watched = entry.watched
            if isinstance(event, CREDITING):
                is_later = watched.shown == UNWARNED
                return self.change(entry, transitions.after(event, watched, now), now, is_later=is_later)
            watched = self.change(entry, transitions.after(event, watched, now), now)
            if isinstance(event, COUNTING):
                self.note_served(event.process, watched)
            return watched

    def change(
        self, entry: Entry, watched: Watched, now: float, *, is_later: bool = False, next_at: float | None = None
    ) -> Watched:
        """Replace the facts of a session: the one way in which they change.

        `is_later`: whether what its tabs show changes later than before, if anything, so that its moment stands.
        `next_at`: when it changes, if the caller knows.
        """
        former = entry.watched
        if watched is not former:
            entry.watched = watched
            if not entry.claims.unwritten and _makes_progress(former.activity, watched.activity):
                entry.note(unwritten=True)
            self.index.put(watched, former)
            # When it is to be checked does not depend on its facts.
            if watched.activity.ended is not None:
                self.ended += former.activity.ended is None
                self.queue(entry, RECORD, now)
            elif is_later:
                return watched
            self.queue_at(entry, PUSH, entry.due_at(PUSH, now) if next_at is None else next_at)
        return watched

    def queue(self, entry: Entry, due: Due, now: float) -> None:
        """Queue a session for one kind, unless it is queued for as early a moment."""
        self.queue_at(entry, due, entry.due_at(due, now))

    def queue_at(self, entry: Entry, due: Due, at: float) -> None:
        """Queue a session for one kind at a moment, unless it is queued for as early a one."""
        if at < entry.queued_at(due):
            entry.put_in_queue(due, at)
            self.schedule.push(due, at, entry.watched.id)

    def take_back(self, due: Due, now: float) -> None:
        """Queue what was claimed, and is not confirmed although its lease has lapsed."""
        for watch_id in self.schedule.pop_lapsed(due, now):
            entry = self.entries.get(watch_id)
            if entry is not None and entry.is_claimed(due):
                self.queue(entry, due, now)

    def note_served(self, process: str, watched: Watched) -> None:
        """Note whether a process has tabs of a session open."""
        if process in watched.activity.tabs:
            self.served[process].add(watched.id)
        elif process in self.served:
            self.served[process].discard(watched.id)
            if not self.served[process]:
                del self.served[process]

    def forget_later(self, watch_id: str, now: float) -> None:
        """Drop the tombstone of a recorded end once no request can have missed the record."""
        heapq.heappush(self._forgettable, (now + TOMBSTONE_TTL, watch_id))

    def forget(self, now: float) -> None:
        """Drop the tombstones whose time has come."""
        while self._forgettable and self._forgettable[0][0] <= now:
            _, watch_id = heapq.heappop(self._forgettable)
            del self.entries[watch_id]
            for served in self.served.values():
                served.discard(watch_id)

    def clear(self) -> None:
        """Forget everything but the listeners."""
        self.entries.clear()
        self.index = Index(self._live)
        self.schedule.clear()
        self.ended = 0
        self.served.clear()
        self._forgettable.clear()

    def _live(self) -> Iterator[Watched]:
        return (entry.watched for entry in self.entries.values() if not entry.ended)


def _makes_progress(former: Activity, activity: Activity) -> bool:
    """Return whether a change is one that the record is to have: it has no tabs, nor what they show."""
    # Nearly all are activity.
    return former.active != activity.active or replace(activity, tabs=former.tabs) != former
