"""Activity of users during an outage of the store: the latest of each session, until the records have it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from threading import Lock

from msgspec.structs import replace

from idlewatch.core.events import Acted, Reported
from idlewatch.core.reducer import applied, reported
from idlewatch.models import WatchedSession
from idlewatch.monitor import records

logger = logging.getLogger("idlewatch")

MAX_BUFFERED = 100_000
"""Sessions whose activity may wait: more than one process has sockets for."""


class ActivityBuffer:
    """Activity that the store does not know of. Thread-safe."""

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

    def flush(self, seen: Mapping[str, float]) -> None:
        """Write what waits into the records; what the database refuses goes on waiting.

        `seen`: when the users of this process's tabs were last seen to act (epoch seconds), by watch id.
        """
        with self._lock:
            waiting, self._waiting, self._is_full = self._waiting, {}, False
        try:
            watch_ids = list(waiting)
            for start in range(0, len(watch_ids), records.BATCH_SIZE):
                batch = watch_ids[start : start + records.BATCH_SIZE]
                for record in WatchedSession.objects.in_bulk(batch).values():
                    _advance(record, waiting[record.pk], seen.get(record.pk, 0.0))
        except BaseException:
            for watch_id, moment in waiting.items():
                self.add(watch_id, moment)
            raise


def _advance(record: WatchedSession, moment: float, seen: float) -> None:
    watched = records.watched_of(record, moment)
    # The record may be older than what the tabs here have seen the store admit: it would judge too soon.
    admitted = reported(Reported(seen), watched.activity, watched.policy, moment)
    activity = applied(Acted(), admitted, watched.policy, moment)
    if activity.ended is None and activity is not watched.activity:
        records.advance(replace(watched, activity=activity), moment)
