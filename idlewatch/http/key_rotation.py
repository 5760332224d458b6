"""The requests that this process is answering: one of them may be giving its session a new key.

Between Django's `cycle_key()`, which deletes the old row, and the end of that request, where the record learns of the
new key, the old one looks like a session that is lost. So the record is told before, for every process to see.
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
        """By the key with which each came."""

    @contextmanager
    def including(self, key: str, session: SessionBase) -> Iterator[None]:
        """Count a session while its request is answered."""
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
    """Have other requests find a session while its request is answered."""
    key = session.session_key
    if key is None:
        yield
        return
    with current_process().part(RequestsUnderWay).including(key, session), _telling_of_rotation(session):
        yield


def is_shared(key: str, session: SessionBase) -> bool:
    """Return whether another request under way came with the same key."""
    return current_process().part(RequestsUnderWay).is_shared(key, session)


@contextmanager
def _telling_of_rotation(session: SessionBase) -> Iterator[None]:
    """Have the record remember the key of a session before it is given another: Django has no signal for it."""
    if not django_sessions.keeps_keys():
        yield
        return
    cycle_key, acycle_key = session.cycle_key, session.acycle_key

    def tell_and_cycle() -> None:
        watch = session.get(django_sessions.WATCH_KEY)
        if watch is not None:
            records.expect_rotation(watch)
        cycle_key()

    async def atell_and_cycle() -> None:
        watch = await session.aget(django_sessions.WATCH_KEY)
        if watch is not None:
            await in_thread(Lane.REQUEST, records.expect_rotation, watch)
        await acycle_key()

    vars(session).update(cycle_key=tell_and_cycle, acycle_key=atell_and_cycle)
    try:
        yield
    finally:
        del vars(session)["cycle_key"], vars(session)["acycle_key"]
