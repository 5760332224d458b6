"""The requests that a process is answering: several may have come with one session."""

from __future__ import annotations

from threading import Lock

from django.contrib.sessions.backends.base import SessionBase

from idlewatch.process import Process, current_process


class RequestsUnderWay:
    """The sessions of the requests that a process is answering. Thread-safe."""

    def __init__(self, process: Process) -> None:
        self._lock = Lock()
        self._sessions: dict[str, list[SessionBase]] = {}
        """By the session key of the request's cookie."""

    def add(self, key: str, session: SessionBase) -> None:
        """Add the session of a request that is about to be answered."""
        with self._lock:
            self._sessions.setdefault(key, []).append(session)

    def remove(self, key: str, session: SessionBase) -> None:
        """Remove the session of a request that was answered."""
        with self._lock:
            if len(self._sessions[key]) == 1:
                del self._sessions[key]
            else:
                self._sessions[key] = [each for each in self._sessions[key] if each is not session]

    def is_shared(self, key: str, session: SessionBase) -> bool:
        """Return whether another request came with the same key."""
        with self._lock:
            return any(each is not session for each in self._sessions.get(key, ()))


def under_way() -> RequestsUnderWay:
    """Return the requests that the current process is answering."""
    return current_process().part(RequestsUnderWay)


def is_shared(key: str, session: SessionBase) -> bool:
    """Return whether another request under way came with the same key."""
    return under_way().is_shared(key, session)
