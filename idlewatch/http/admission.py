"""The judgment on a request before its view runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from msgspec import Struct
from msgspec.structs import replace

from idlewatch import metrics
from idlewatch.core.activity import Reason
from idlewatch.core.events import Requested
from idlewatch.exceptions import Undecided
from idlewatch.http import credential_change
from idlewatch.http.classification import counts, is_seen
from idlewatch.http.request_session import cookie_of, has_session, keep_cookie
from idlewatch.http.session_state import NO_SESSION, SessionState
from idlewatch.monitor import django_sessions, login, stores
from idlewatch.monitor import service as monitor
from idlewatch.monitor.impersonation import actors_of, acts_alone
from idlewatch.store.values import Watched

logger = logging.getLogger("idlewatch")

REQUESTED = Requested()


class Admission(Struct, frozen=True):
    """What was judged of a request."""

    arrived: float
    """Epoch seconds."""
    state: SessionState = NO_SESSION
    counted: bool = False
    """The request is activity of its user."""
    auth_hash: str = ""
    """The auth hash in the session's data."""
    signed_in_at: float | None = None
    """When the user last signed in (epoch seconds); None for an adopted session."""
    offer: credential_change.Offer | None = None
    """The offer to end the user's other sessions, if no page has shown it yet."""
    rotated: str | None = None
    """The watch id of a live session with whose former key the request came."""
    undecided: Undecided | None = None
    """Why the session's state cannot be determined right now."""

    def __repr__(self) -> str:
        # The generated one would show the auth hash.
        return f"<Admission of {self.state}>"


def admit(request: HttpRequest, arrived: float, navigates: bool) -> Admission:
    """Judge a request that arrived at `arrived` (epoch seconds). It ends the session where a limit has passed.

    A request without a session loads none, and makes no store call. `navigates`: whether it is a navigation.
    """
    try:
        admission = _judge(request, arrived, navigates) if has_session(request) else Admission(arrived)
    except (Undecided, OperationalError, InterfaceError) as error:
        if not isinstance(error, Undecided):
            logger.error("The database failed (%s): a request was answered with 503.", error)  # noqa: TRY400
        metrics.JUDGED[metrics.UNDECIDED].inc()
        undecided = error if isinstance(error, Undecided) else Undecided(str(error))
        return Admission(arrived, undecided=undecided.with_traceback(None))
    verdict = admission.state.verdict
    metrics.JUDGED[metrics.ANONYMOUS if verdict is None else verdict.shown.phase].inc()
    return admission


def _judge(request: HttpRequest, arrived: float, navigates: bool) -> Admission:
    session = request.session
    # A copy of the dict: one made of its items takes three times as long.
    data = dict(session._session)  # type: ignore[attr-defined]
    watch_id = data.get(django_sessions.WATCH_KEY)
    if watch_id is None:
        actors = actors_of(data)
        if actors is None:
            return _find_lost(request, arrived)
        stores.require_store(arrived)
        if not request.user.is_authenticated:
            return Admission(arrived)
        if not django_sessions.keeps_keys():
            # A signed cookie from before the installation looks like one that is replayed after its end.
            return Admission(arrived, SessionState.lost(Reason.LOST, arrived))
        watch_id = session[django_sessions.WATCH_KEY] = login.adopt(request, actors, arrived).id
        session.set_expiry(0)
        data = dict(session.items())
    store, counted = stores.require_store(arrived), counts(request, navigates)
    watched = monitor.look(watch_id, arrived, REQUESTED if counted else None, store.sessions)
    state = SessionState.lost(Reason.LOST, arrived) if watched is None else _assess(request, data, watched, arrived)
    is_offered = credential_change.CHANGED_KEY in data and is_seen(request) and not state.is_ended
    offer = credential_change.find_offer(session, watch_id) if is_offered else None
    auth_hash, signed_in_at = data.get(HASH_SESSION_KEY, ""), data.get(django_sessions.SIGNED_IN_KEY)
    return Admission(arrived, state, counted, auth_hash, signed_in_at, offer)


def _assess(request: HttpRequest, data: Mapping[str, Any], watched: Watched, now: float) -> SessionState:
    session, watch_id = request.session, watched.id
    state, key = SessionState.at(watched, now), django_sessions.key_of(session)
    if not state.is_ended and watched.key == key and acts_alone(data, watched.user):
        # Nearly always.
        return state
    actors = actors_of(data)
    if not state.is_ended and actors is not None and watched.user != actors.user:
        # A store that was away may not know yet that an operator acts as another user.
        watched = login.switch(request, actors, watched, now) or watched
        state = SessionState.at(watched, now)
    if not state.is_ended and actors is not None and watched.user == actors.user:
        if watched.key != key:
            # While the store is away it has none, by its record; the request itself has not changed it.
            monitor.rebind(watch_id, session, is_own=False)
            return replace(state, watched=replace(watched, key=key))
        return state
    if not state.is_ended:
        # The data of the Django session belongs to another user: serve neither.
        return SessionState.at(monitor.end(watch_id, Reason.LOST, now), now)
    state = SessionState.at(monitor.finish(watch_id, now), now)
    if not state.is_ended:
        raise Undecided("Other processes report activity of the session; retry.")
    return state


def _find_lost(request: HttpRequest, now: float) -> Admission:
    """Admit a request whose cookie leads to no watched session: that may have ended, or have another key by now."""
    session, cookie = request.session, cookie_of(request)
    if session.session_key is not None:
        # Without a cookie, a middleware before has just made it.
        if not cookie or django_sessions.is_live(session, cookie):
            return Admission(now)
        # An expired or forged signed cookie keeps its key, and the engines of some packages keep that of a session that
        # is gone, or make another; flushed, it is deleted.
        session.flush()
    reason, rotated = monitor.why_gone(cookie, now)
    if rotated is not None:
        # The request was sent before the key was rotated.
        keep_cookie(request)
    return Admission(now, NO_SESSION if reason is None else SessionState.lost(reason, now), rotated=rotated)
