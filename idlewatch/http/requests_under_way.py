"""The requests that a process is answering: several may have come with one session."""

from __future__ import annotations

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from idlewatch.http.key_rotation import OriginalSession
from idlewatch.http.request_state import RequestState, current_state
from idlewatch.process import Process, current_process
from idlewatch.store.values import SessionKey


class RequestsUnderWay(set["Answering"]):
    """The requests that a process is answering, if they came with a session. Thread-safe: each step is atomic."""

    def __init__(self, process: Process) -> None:
        super().__init__()

    def is_shared(self, key: str, session: SessionBase) -> bool:
        """Return whether another request came with the same key."""
        # Hardly ever asked, and there are as many as threads.
        return any(each.key == key and each.session is not session for each in self.copy())


def is_shared(key: str, session: SessionBase) -> bool:
    """Return whether another request under way came with the same key."""
    return current_process().part(RequestsUnderWay).is_shared(key, session)


class Answering:
    """Registers a request while it is answered, until `leave`, for what else happens to its session meanwhile."""

    __slots__ = ("_requests", "_state", "_token", "key", "session")

    def __init__(self, request: HttpRequest, state: RequestState) -> None:
        self._state, self.session = state, request.session
        key = self.session.session_key
        self.key = None if key is None else SessionKey(key)
        """The session key of the request's cookie."""
        self._requests = state.process.part(RequestsUnderWay)
        self._token = current_state.set(state)
        if self.key is not None:
            self._requests.add(self)
            watch_id = state.admission.state.watch_id
            if watch_id is not None:
                state.original = OriginalSession(self.session, self.key, watch_id)

    def leave(self) -> None:
        """Leave the session to itself again."""
        if self.key is not None:
            if self._state.original is not None:
                self._state.original.leave()
            self._requests.discard(self)
        current_state.reset(self._token)
