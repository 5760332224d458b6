"""When the users of a shared store were last seen to act by this process, for a store that loses its data."""

from __future__ import annotations

from collections.abc import Container, Sequence

from idlewatch.conf import conf
from idlewatch.store.values import Watched

MARGIN = 30.0
"""Seconds that a checkpoint may be late, because the database was away or the process that made it has died."""


class LastSeen:
    """The last activity of each session that this process has seen in the store: no record may have it yet.

    Thread-safe: each step is one of the dictionary's own.
    """

    def __init__(self) -> None:
        self._active: dict[str, float] = {}
        self._forgot_at = float("-inf")

    def note(self, watched: Watched | None) -> None:
        """Note when the user of a session acted last, as the store has it."""
        if watched is not None and watched.activity.active > self._active.get(watched.id, 0.0):
            self._active[watched.id] = watched.activity.active

    def at(self, watch_id: str) -> float:
        """Return when the user of a session was last seen to act (epoch seconds); 0 where that is not known."""
        return self._active.get(watch_id, 0.0)

    def watch_ids(self) -> Sequence[str]:
        """Return the sessions of which something is known."""
        return list(self._active)

    def forget(self, now: float, keep: Container[str]) -> None:
        """Forget what the records have by now, but for the sessions in `keep`: those with a tab here."""
        retention = 2 * conf.policy.checkpoint + MARGIN
        if now < self._forgot_at + MARGIN:
            return
        self._forgot_at = now
        for watch_id, active in list(self._active.items()):
            if active < now - retention and watch_id not in keep:
                self._active.pop(watch_id, None)
