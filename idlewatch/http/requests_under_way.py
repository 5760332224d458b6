"""The requests that a process is answering: several may have come with one session."""

from __future__ import annotations

from contextlib import AbstractContextManager
from threading import Lock

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from idlewatch.http.key_rotation import OriginalSession
from idlewatch.http.request_state import current_state, state_of
from idlewatch.process import Process, current_process
from idlewatch.store.values import SessionKey


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


class Answering(AbstractContextManager[None]):
    """Registers a request while it is answered, for what else happens to its session meanwhile."""

    __slots__ = ("_key", "_requests", "_session", "_state", "_token")

    def __init__(self, request: HttpRequest) -> None:
        self._state, self._session = state_of(request), request.session
        session_key = self._session.session_key
        self._key = None if session_key is None else SessionKey(session_key)
        self._requests = under_way()

    def __enter__(self) -> None:
        state, session, key = self._state, self._session, self._key
        watch_id = state.admission.state.watch_id
        self._token = current_state.set(state)
        if key is not None:
            self._requests.add(key, session)
            if watch_id is not None:
                state.original = OriginalSession(session, key, watch_id)
                state.original.preserve()

    def __exit__(self, *_: object) -> None:
        if self._state.original is not None:
            self._state.original.leave()
        if self._key is not None:
            self._requests.remove(self._key, self._session)
        current_state.reset(self._token)
