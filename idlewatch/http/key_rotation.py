"""Requests under way, one of which may rotate its session's key.

Between Django's `cycle_key()`, which deletes the old row, and the end of that request, when the record gets the new
key, the old key looks like that of a lost session. Therefore the record is marked first, for every process to see.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from django.contrib.sessions.backends.base import SessionBase

from idlewatch.monitor import django_sessions, records
from idlewatch.process import Lane, Process, current_process, in_thread


class RequestsUnderWay:
    """The sessions of the requests that a process is answering. Thread-safe."""

    def __init__(self, process: Process) -> None:
        self._lock = Lock()
        self._sessions: dict[str, list[SessionBase]] = {}
        """By the session key of the request's cookie."""

    @contextmanager
    def register(self, key: str, session: SessionBase) -> Iterator[None]:
        """Register a session while its request is answered."""
        with self._lock:
            self._sessions.setdefault(key, []).append(session)
        try:
            yield
        finally:
            with self._lock:
                left = [each for each in self._sessions[key] if each is not session]
                if left:
                    self._sessions[key] = left
                else:
                    del self._sessions[key]

    def is_shared(self, key: str, session: SessionBase) -> bool:
        """Return whether another request came with the same key."""
        with self._lock:
            return any(each is not session for each in self._sessions.get(key, ()))


@contextmanager
def under_way(session: SessionBase) -> Iterator[None]:
    """Register a session while its request is answered, and announce a rotation of its key."""
    key = session.session_key
    if key is None:
        yield
        return
    with current_process().part(RequestsUnderWay).register(key, session), _announcing_rotation(session):
        yield


def is_shared(key: str, session: SessionBase) -> bool:
    """Return whether another request under way came with the same key."""
    return current_process().part(RequestsUnderWay).is_shared(key, session)


@contextmanager
def _announcing_rotation(session: SessionBase) -> Iterator[None]:
    """Mark the record before the session's key is rotated: Django has no signal for it."""
    if not django_sessions.keeps_keys():
        yield
        return
    cycle_key, acycle_key = session.cycle_key, session.acycle_key

    def announce_and_cycle() -> None:
        watch_id = session.get(django_sessions.WATCH_KEY)
        if watch_id is not None:
            records.expect_rotation(watch_id)
        cycle_key()

    async def aannounce_and_cycle() -> None:
        watch_id = await session.aget(django_sessions.WATCH_KEY)
        if watch_id is not None:
            await in_thread(Lane.REQUEST, records.expect_rotation, watch_id)
        await acycle_key()

    vars(session).update(cycle_key=announce_and_cycle, acycle_key=aannounce_and_cycle)
    try:
        yield
    finally:
        del vars(session)["cycle_key"], vars(session)["acycle_key"]
