"""Handshakes that wait together: one hop to a thread reads their sessions, on one connection to the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.urls import NoReverseMatch
from msgspec import UnsetType

from idlewatch.conf import conf
from idlewatch.consumers.authentication import find_login_url, find_session
from idlewatch.core.activity import Reason
from idlewatch.http.request_session import cookie_of
from idlewatch.monitor import django_sessions, stores
from idlewatch.monitor import service as monitor
from idlewatch.monitor.impersonation import actors_of
from idlewatch.process import Lane, Process, current_process, in_thread, now
from idlewatch.store.batches import Batches
from idlewatch.store.values import Watched


class Handshakes:
    """Reads the sessions of a process's handshakes: those that come while others are read, together."""

    def __init__(self, process: Process) -> None:
        self._threads = process.threads
        self._batches: Batches[str, Watched | None] = Batches(self._read)

    async def read(self, key: str) -> Watched | None:
        """Return the watched session to which a session cookie leads; None if reading is not enough to tell."""
        # A database may refuse control characters: that would fail the others, too.
        return await self._batches.add("handshakes", key) if key and key.isprintable() else None

    async def _read(self, _: str, keys: Sequence[str]) -> Sequence[Watched | None]:
        found = await self._threads.run(Lane.DATABASE, _read_all, set(keys))
        return [found.get(key) for key in keys]


async def authenticate(request: HttpRequest) -> tuple[Watched | None, Reason | None, str | UnsetType]:
    """Return the session of a handshake, or the reason why there is none, if known, and the URL of the login page.

    Raises:
        DatabaseError, Undecided: the session's state cannot be determined right now.
    """
    key, reason = cookie_of(request), None
    watched = await current_process().part(Handshakes).read(key)
    if watched is None:
        # This may wait for a lock; it holds up no other handshake.
        watched, reason = await in_thread(Lane.DATABASE, find_session, key)
    return watched, reason, find_login_url(request)


def _read_all(keys: set[str]) -> Mapping[str, Watched]:
    with suppress(NoReverseMatch):
        # This may be what loads the URLconf: not in the event loop.
        _ = conf.login_url
    try:
        return find_sessions(keys)
    except Exception:  # noqa: BLE001 - it may concern only one of them, so each is then read by itself
        return {}


def find_sessions(keys: set[str]) -> Mapping[str, Watched]:
    """Return the watched sessions that reading alone finds, by the session keys in `keys`.

    The others (unknown or ended sessions, keys that are not recorded yet) are left to `find_session`.
    """
    at = now()
    signed_in = {key: session for key, session in django_sessions.read(keys).items() if _is_watched(session)}
    stores.require_store(at)
    by_id = {session[django_sessions.WATCH_KEY]: session for session in signed_in.values()}
    watched = monitor.look_at_bound(by_id, at)
    found = {key: watched.get(session[django_sessions.WATCH_KEY]) for key, session in signed_in.items()}
    return {key: each for key, each in found.items() if each is not None and _is_of(each, signed_in[key])}


def _is_watched(session: SessionBase) -> bool:
    return session.get(django_sessions.WATCH_KEY) is not None


def _is_of(watched: Watched, session: SessionBase) -> bool:
    actors = actors_of(session)
    return actors is not None and actors.user == watched.user and watched.key == django_sessions.key_of(session)
