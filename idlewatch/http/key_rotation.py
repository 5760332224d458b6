"""Requests under way, one of which may rotate its session's key.

Between Django's `cycle_key()`, which deletes the old row, and the end of that request, when the record gets the new
key, the old key looks like that of a lost session. Therefore the record is marked first, for every process to see.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import SessionBase

from idlewatch.monitor import django_sessions, records

_lock = Lock()
_sessions: dict[str, list[SessionBase]] = {}
"""The sessions of the requests under way, by the key with which each came."""


@contextmanager
def under_way(session: SessionBase) -> Iterator[None]:
    """Register a session while its request is answered."""
    key = session.session_key
    if key is None:
        yield
        return
    with _lock:
        _sessions.setdefault(key, []).append(session)
    try:
        with _announcing_rotation(session):
            yield
    finally:
        with _lock:
            left = [each for each in _sessions[key] if each is not session]
            if left:
                _sessions[key] = left
            else:
                del _sessions[key]


def is_shared(key: str, session: SessionBase) -> bool:
    """Return whether another request under way came with the same key."""
    with _lock:
        return any(each is not session for each in _sessions.get(key, ()))


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
            await sync_to_async(records.expect_rotation)(watch_id)
        await acycle_key()

    vars(session).update(cycle_key=announce_and_cycle, acycle_key=aannounce_and_cycle)
    try:
        yield
    finally:
        del vars(session)["cycle_key"], vars(session)["acycle_key"]
