"""The requests that a process is answering: several may have come with one session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from django.contrib.sessions.backends.base import SessionBase

from idlewatch.process import Process, current_process
from idlewatch.store.values import SessionKey


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
    """Register a session while its request is answered."""
    if session.session_key is None:
        yield
        return
    key = SessionKey(session.session_key)
    with current_process().part(RequestsUnderWay).register(key, session):
        yield


def is_shared(key: str, session: SessionBase) -> bool:
    """Return whether another request under way came with the same key."""
    return current_process().part(RequestsUnderWay).is_shared(key, session)
