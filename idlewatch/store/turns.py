"""The order in which the threads of a process work on one session.

If writers of one session raced each other, each would retry after every success of another: N² steps for N events.
Nothing is kept of a session for which no thread waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class Turns:
    """Lets one thread at a time work on each session. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._turns: dict[str, tuple[Lock, int]] = {}
        """The lock of each session, and how many threads hold it or wait for it."""

    def __len__(self) -> int:
        return len(self._turns)

    @contextmanager
    def taking(self, watch_id: str) -> Iterator[None]:
        """Wait until no other thread works on the session; until the end of the block, others wait."""
        with self._lock:
            turn, users = self._turns.get(watch_id) or (Lock(), 0)
            self._turns[watch_id] = turn, users + 1
        try:
            with turn:
                yield
        finally:
            with self._lock:
                users = self._turns[watch_id][1] - 1
                if users:
                    self._turns[watch_id] = turn, users
                else:
                    del self._turns[watch_id]
