"""The requests that this process is answering: one of them may be giving its session a new key.

Between Django's `cycle_key()`, which deletes the old row, and the end of that request, where the record learns of the
new key, the old one looks like a session that is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from django.contrib.sessions.backends.base import SessionBase

_lock = Lock()
_sessions: dict[str, list[SessionBase]] = {}
"""The sessions of the requests under way, by the key with which each came."""


@contextmanager
def under_way(session: SessionBase) -> Iterator[None]:
    """Know of a session while its request is answered."""
    key = session.session_key
    if key is None:
        yield
        return
    with _lock:
        _sessions.setdefault(key, []).append(session)
    try:
        yield
    finally:
        with _lock:
            left = [each for each in _sessions[key] if each is not session]
            if left:
                _sessions[key] = left
            else:
                del _sessions[key]


def is_shared(key: str, session: SessionBase) -> bool:
    """Tell whether another request under way came with the same key."""
    with _lock:
        return any(each is not session for each in _sessions.get(key, ()))


def is_rotating(key: str) -> bool:
    """Tell whether a request under way has given the session of this key another one."""
    with _lock:
        return any(session.session_key not in {None, key} for session in _sessions.get(key, ()))
