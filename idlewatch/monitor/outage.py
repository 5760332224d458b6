"""The state of an outage of the shared store in this process, and what is still to report."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from idlewatch.core.activity import Reason
from idlewatch.core.clock import Clock
from idlewatch.core.policy import Phase, Verdict
from idlewatch.monitor.write_behind import ActivityBuffer
from idlewatch.store.values import Watched

REPORT_GRACE = 4.0
"""Seconds after the store's return in which other processes may still report: a round, a timeout, and more."""


class Outage:
    """The state of an outage. Thread-safe.

    `read_created_at` returns since when the store exists (epoch seconds).
    """

    def __init__(self, clock: Clock, read_created_at: Callable[[], float | None]) -> None:
        self._clock = clock
        self.buffer = ActivityBuffer()
        self._read_created_at = read_created_at
        self._lock = Lock()
        self._advanced: set[str] = set()
        """Sessions of which the records know more than the store."""
        self._undecided: set[str] = set()
        """Sessions unknown to the store that may have ended, by records that may be out of date."""
        self._began_at: float | None = None
        self._settle_after = float("-inf")

    @property
    def began_at(self) -> float | None:
        """When the outage began (epoch seconds); None while the store is there, and has all reports."""
        return self._began_at

    @property
    def settle_after(self) -> float:
        """Until when (epoch seconds) the timer ends nothing: other processes may still report activity."""
        return self._settle_after

    @property
    def is_away(self) -> bool:
        """Whether the store is away, or has to be told what it missed."""
        return self._began_at is not None or (bool(self._undecided) and not self.is_doubtful())

    def is_doubtful(self) -> bool:
        """Return whether the records may know more than the store."""
        return self._began_at is not None or self._clock.now() < self._settle_after

    def note(self) -> None:
        """Note that the store could not be reached."""
        if self._began_at is None:
            self._began_at = self._clock.now()

    def note_missed(self, watch_id: str) -> None:
        """Note that the store missed something of a session."""
        with self._lock:
            self.note()
            self._advanced.add(watch_id)

    def hold_back(self) -> None:
        """Give other processes the time to report before anything is settled."""
        self._settle_after = self._clock.now() + REPORT_GRACE

    def take_advanced(self) -> set[str]:
        """Return the sessions of which the store missed something, and forget them."""
        with self._lock:
            advanced, self._advanced = self._advanced, set()
            return advanced

    def return_advanced(self, watch_ids: set[str]) -> None:
        """Undo `take_advanced`, where the report failed."""
        with self._lock:
            self._advanced |= watch_ids

    def finish(self) -> bool:
        """End the outage, unless there is more to report by now; return whether it ended."""
        with self._lock:
            if self.buffer or self._advanced:
                return False
            self._began_at = None
            return True

    def add_undecided(self, watch_id: str) -> None:
        """Remember a session of which other processes may know more."""
        with self._lock:
            self._undecided.add(watch_id)

    def take_decidable(self) -> set[str]:
        """Return the undecided sessions, and forget them, once the other processes had the time to report."""
        if self.is_doubtful():
            return set()
        with self._lock:
            undecided, self._undecided = self._undecided, set()
            return undecided

    def is_undecided(self, watched: Watched, now: float) -> bool:
        """Return whether a session only seems to be idle, by a record that may be out of date.

        Its end lies no longer ago than the record may be old, and other processes may know of later activity.
        """
        verdict = watched.verdict(now)
        return _is_recently_idle(watched, verdict, now) and (self.is_doubtful() or self._is_new_store(now))

    def _is_new_store(self, now: float) -> bool:
        """Return whether the store lost everything a moment ago: the other processes may not have reported yet."""
        created_at = self._read_created_at()
        return created_at is None or now < created_at + REPORT_GRACE


def _is_recently_idle(watched: Watched, verdict: Verdict, now: float) -> bool:
    is_idle = verdict.phase is Phase.ENDED and watched.activity.ended is None and verdict.reason is Reason.IDLE
    return is_idle and now < verdict.ends_at + watched.policy.checkpoint
