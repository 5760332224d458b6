"""One session in the memory store, and when it is due."""

from __future__ import annotations

from idlewatch.store.transitions import first_check_at
from idlewatch.store.values import Due, Watched


class Entry:
    """One session, and what is claimed, settled and recorded of it."""

    __slots__ = ("check_at", "claimed", "doubted", "leased", "queued", "recorded", "settled", "watched")

    def __init__(self, watched: Watched, now: float) -> None:
        self.watched = watched
        self.check_at = first_check_at(watched, now)
        self.leased: dict[Due, float] = {}
        """Until when each kind is claimed."""
        self.queued: dict[Due, float] = {}
        """Its moment in the queue of each kind: never later than it is due."""
        self.settled: int | None = None
        """The version at which a verdict was settled that is not confirmed yet."""
        self.claimed = watched.version
        """The version at which its push was claimed last: the lease belongs to who has this version or a later one."""
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
