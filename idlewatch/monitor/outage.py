"""The state of an outage of the shared store in this process, and what is still to report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from threading import Lock

from idlewatch.core.activity import Reason
from idlewatch.core.clock import Clock
from idlewatch.core.policy import Phase
from idlewatch.exceptions import Undecided
from idlewatch.monitor.last_seen import LastSeen
from idlewatch.monitor.write_behind import ActivityBuffer
from idlewatch.store.values import Watched

REPORT_GRACE = 4.0
"""Seconds after the store's return in which other processes may still report: a round, a timeout, and more."""


class Outage:
    """The state of an outage. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.buffer = ActivityBuffer()
        self.seen = LastSeen(clock)
        self.is_tended = False
        """Whether a timer reports what the store missed, and forgets what was seen: a task queue's worker has none."""
        self._lock = Lock()
        self._missed: dict[str, None] = {}
        """Sessions that are to be reported to the store, in order."""
        self._refused: dict[str, float] = {}
        """When users acted in what is the warned stretch by the store's facts, by watch id (epoch seconds)."""
        self._began_at: float | None = None
        self._failures = 0
        self._is_back = False
        self._doubtful_until = self._settle_after = float("-inf")

    @property
    def began_at(self) -> float | None:
        """When the outage began (epoch seconds); None while the store is available and has all reports."""
        return self._began_at

    @property
    def failures(self) -> int:
        """How many calls of the store have failed."""
        return self._failures

    @property
    def is_back(self) -> bool:
        """Whether the store answers again, and receives what it missed."""
        return self._is_back

    @property
    def settle_after(self) -> float:
        """Until when (epoch seconds) the store lets nothing be settled: other processes may still report activity."""
        return self._settle_after

    @property
    def is_away(self) -> bool:
        """Whether the store is away, or has to be told what it missed."""
        return self._began_at is not None or bool(self._missed)

    def is_doubtful(self) -> bool:
        """Return whether the records may know more than the store."""
        return self._began_at is not None or self._clock.now() < max(self._doubtful_until, self._settle_after)

    def is_undecided(self, watched: Watched, now: float) -> bool:
        """Return whether a session may only seem to be over: the records, or other processes, may have later activity.

        An end that lies further back than a record may be out of date is certain.
        """
        return self.is_doubtful() and is_over(watched, now) and _is_recent(watched, now)

    def require_decided(self, watched: Watched, now: float) -> None:
        """Check that a session is not over by facts that may be out of date.

        Raises:
            Undecided: it is; the records, or other processes, may know of later activity.
        """
        if self.is_undecided(watched, now):
            raise Undecided

    def must_wait(self, watch_id: str) -> bool:
        """Return whether activity of a session waits until the store has what it missed of it."""
        return (self._began_at is not None and not self._is_back) or watch_id in self._missed

    def note(self) -> None:
        """Note that the store could not be reached."""
        with self._lock:
            self._failures += 1
            self._is_back = False
            if self._began_at is None:
                self._began_at = self._clock.now()

    def note_back(self, failures: int) -> None:
        """Note that the store answers again, unless a call has failed since `failures` was read."""
        with self._lock:
            self._is_back = self._failures == failures

    def note_missed(self, watch_id: str) -> None:
        """Note that the store could not be reached, and that a session is to be reported to it."""
        self.note()
        self.add_missed([watch_id])

    def note_seen(self, watched: Watched | None) -> None:
        """Note what the store, or the record in its place, has of a session; it misses what it has lost of it."""
        if watched is None:
            return
        if self.seen.note(watched):
            self.add_missed([watched.id])
            if not self.is_tended:
                # The next calls report it, where no timer does.
                self.doubt()
        if not self.is_tended:
            self.seen.forget(self._clock.now(), keep=())

    def note_credit(self, watched: Watched | None, moment: float) -> None:
        """Note a session after activity at `moment`, with which it was credited unless it was warned by then.

        Where the store has lost data, that may only seem so: other processes may know of activity before that moment.
        """
        if self.is_tended and watched is not None and watched.activity.active < moment:
            self._refused[watched.id] = max(moment, self._refused.get(watched.id, moment))

    def take_refused(self) -> Mapping[str, float]:
        """Remove activity with which sessions were not credited; return it, by watch id, once all have reported."""
        if not self._refused or self.is_doubtful():
            return {}
        refused, self._refused = self._refused, {}
        return refused

    def add_missed(self, watch_ids: Iterable[str]) -> None:
        """Remember sessions that are to be reported to the store."""
        with self._lock:
            self._missed.update(dict.fromkeys(watch_ids))

    def keep_waiting(self, watch_id: str, moment: float) -> None:
        """Keep activity until the store can be told of it; the recovery reports it."""
        # Before it is noted as missed: a recovery that finds the buffer empty ends the outage.
        self.buffer.add(watch_id, moment)
        self.add_missed([watch_id])

    def count_missed(self) -> int:
        """Return how many sessions are to be reported."""
        return len(self._missed)

    def take_missed(self, limit: int) -> Sequence[str]:
        """Remove up to `limit` sessions from those that are to be reported, and return them."""
        with self._lock:
            taken = list(islice(self._missed, limit))
            for watch_id in taken:
                del self._missed[watch_id]
            return taken

    def finish(self) -> bool:
        """End the outage unless there is more to report by now; return whether it ended."""
        with self._lock:
            if self.buffer or self._missed:
                return False
            self._began_at, self._is_back = None, False
            return True

    def doubt(self) -> float:
        """Doubt the store for `REPORT_GRACE` seconds, in which other processes may report to it; return until when."""
        self._doubtful_until = self._clock.now() + REPORT_GRACE
        return self._doubtful_until

    def note_settle_after(self, moment: float) -> None:
        """Note until when the store lets nothing be settled (epoch seconds)."""
        self._settle_after = moment


def is_over(watched: Watched | None, now: float) -> bool:
    """Return whether a session is over by the clock, and its end is not final yet."""
    return watched is not None and watched.activity.ended is None and watched.verdict(now).phase is Phase.ENDED


def _is_recent(watched: Watched, now: float) -> bool:
    """Return whether activity that the record does not have yet may have come before the end."""
    verdict = watched.verdict(now)
    return verdict.reason is not Reason.ABSOLUTE and now < verdict.ends_at + watched.policy.checkpoint
