"""Activity of users during an outage of the store: the latest of each session, until the records have it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from threading import Lock

from msgspec.structs import replace

from idlewatch.core.events import Acted, Reported
from idlewatch.core.reducer import applied, reported
from idlewatch.models import WatchedSession
from idlewatch.monitor import checkpoints, records
from idlewatch.monitor.isolation import work_through
from idlewatch.monitor.last_seen import LastSeen
from idlewatch.monitor.record_rows import RecordRow, in_parts
from idlewatch.store.values import Watched

logger = logging.getLogger("idlewatch")

MAX_BUFFERED = 100_000
"""Sessions whose activity may wait: more than one process has sockets for."""
FLUSH_LIMIT = 2 * records.BATCH_SIZE
"""Sessions that are written into the records at once: the next round goes on."""


class ActivityBuffer:
    """Activity that is still to be reported to the store. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[str, float] = {}
        """When the users acted last, by watch id."""
        self._is_full = False

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, watch_id: str, moment: float) -> None:
        """Add that a user acted at `moment` (epoch seconds); past `MAX_BUFFERED` sessions drop it, logging once."""
        with self._lock:
            if watch_id in self._waiting or len(self._waiting) < MAX_BUFFERED:
                self._waiting[watch_id] = max(moment, self._waiting.get(watch_id, moment))
                return
            if not self._is_full:
                logger.error("Activity of %d sessions waits for the store; that of others is dropped.", MAX_BUFFERED)
            self._is_full = True

    def take(self, watch_ids: Iterable[str]) -> Mapping[str, float]:
        """Remove the activity of these sessions; return when each user acted last, by watch id."""
        with self._lock:
            self._is_full = False
            return {watch_id: self._waiting.pop(watch_id) for watch_id in watch_ids if watch_id in self._waiting}

    def give_back(self, waiting: Mapping[str, float]) -> None:
        """Undo `take`, where what it returned could not be reported."""
        for watch_id, moment in waiting.items():
            self.add(watch_id, moment)

    def flush(self, seen: LastSeen) -> None:
        """Write what waits longest into the records; what the database refuses goes on waiting."""
        with self._lock:
            watch_ids = list(islice(self._waiting, FLUSH_LIMIT))
        waiting = self.take(watch_ids)

        def write(rows: Sequence[RecordRow]) -> None:
            advanced = ((row, _advanced(row, waiting[row.pk], seen.get(row.pk))) for row in rows)
            locked = checkpoints.write(
                {
                    row.pk: checkpoints.progress_of(after, waiting[row.pk])
                    for row, after in advanced
                    if after is not None
                }
            )
            self.give_back({watch_id: waiting[watch_id] for watch_id in locked})

        try:
            for start in range(0, len(watch_ids), records.BATCH_SIZE):
                batch = watch_ids[start : start + records.BATCH_SIZE]
                rows = in_parts(records.read, WatchedSession.objects.live(), batch)
                work_through("activity", {row.pk: row for row in rows}, write)
        except BaseException:
            self.give_back(waiting)
            raise


def credited(watched: Watched, moment: float, seen: Reported) -> Watched:
    """Return a session with activity credited at `moment`; unchanged if it was over by then.

    `seen`: what this process last saw of it. The record may be older, and would end the session too early.
    """
    admitted = reported(seen, watched.activity, watched.policy, moment)
    activity = applied(Acted(), admitted, watched.policy, moment)
    return watched if activity.ended is not None else replace(watched, activity=activity)


def _advanced(row: RecordRow, moment: float, seen: Reported) -> Watched | None:
    """Return the session of a record with activity credited to it; None where that changes nothing."""
    watched = records.watched_of(row, moment)
    after = credited(watched, moment, seen)
    return None if after.activity == watched.activity else after
