"""Authentication of a socket: from its session cookie to its watched session, and where to sign in again."""

from __future__ import annotations

import logging

from django.http import HttpRequest
from django.urls import NoReverseMatch
from django.utils.translation import get_language_from_request
from msgspec import UNSET, UnsetType

from idlewatch.conf.declaration import DOCUMENTATION
from idlewatch.core.activity import Reason
from idlewatch.http.site_urls import login_url_of
from idlewatch.monitor import django_sessions, stores
from idlewatch.monitor import service as monitor
from idlewatch.monitor.impersonation import actors_of
from idlewatch.process import Process, current_process, now
from idlewatch.store.values import Watched

logger = logging.getLogger("idlewatch")


def find_session(key: str | None) -> tuple[Watched | None, Reason | None]:
    """Return the watched session that a session cookie leads to, or the reason why there is none, if known.

    The session alone is read: a user need not be loaded, and Django's own middleware for sockets would flush a session
    that was signed under a key among `SECRET_KEY_FALLBACKS`.
    """
    if not key or not key.isprintable():
        # No key has control characters, and PostgreSQL refuses one of them.
        return None, None
    at = now()
    session = django_sessions.engine()(key)
    watch_id, actors = session.get(django_sessions.WATCH_KEY), actors_of(session)
    if watch_id is not None or actors is not None:
        stores.require_store(at)
    if watch_id is None:
        is_live = django_sessions.is_live(session, key) or not django_sessions.keeps_keys()
        return None, None if is_live else _why_gone(key, at)
    watched = monitor.look(watch_id, at)
    if watched is None or actors is None or watched.user != actors.user:
        # A store that has nothing of a session but its end does not know whose it was.
        return None, Reason.LOST if watched is None else watched.activity.reason or Reason.LOST
    if watched.key != django_sessions.key_of(session):
        monitor.rebind(watch_id, session, is_own=False)
    return watched, None


def find_login_url(request: HttpRequest) -> str | UnsetType:
    """Return the URL of the login page for the page that opened a socket; UNSET if a socket can't determine it."""
    try:
        return login_url_of(request, get_language_from_request(request))
    except NoReverseMatch:
        # It is in a URLconf that a middleware sets for each request, which no socket passes.
        return UNSET


def _why_gone(key: str, at: float) -> Reason | None:
    reason, rotated = monitor.why_gone(key, at)
    if reason is None and rotated is None:
        current_process().part(UnknownSessions).note()
    return reason


class UnknownSessions:
    """Logs, once in a process, that a tab connected with an unknown session."""

    def __init__(self, _process: Process) -> None:
        self._is_logged = False

    def note(self) -> None:
        """Note such a tab."""
        if not self._is_logged:
            self._is_logged = True
            logger.warning(
                "A tab connected with a session cookie that matches no session and no record. If requests find its "
                "session, a middleware selects the database or schema for them; sockets pass no middleware. See %s",
                f"{DOCUMENTATION}/deployment.md#tenants",
            )
