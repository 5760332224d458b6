"""Sign-in, sign-out, reauthentication and impersonation in a view, and what follows for the session."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from idlewatch.core.activity import Reason
from idlewatch.core.probes import is_probe
from idlewatch.http.key_rotation import announce_rotation
from idlewatch.http.request_state import RequestState, find_state, state_of
from idlewatch.http.session_state import SessionState
from idlewatch.http.silent_sign_in import is_silent_sign_in
from idlewatch.models import WatchedSession
from idlewatch.monitor import accounts, django_sessions, impersonation, login
from idlewatch.monitor import service as monitor
from idlewatch.signals import transactions
from idlewatch.store import transitions
from idlewatch.store.values import Watched

after_sign_in: list[Callable[[SessionBase, AbstractBaseUser, float], None]] = []
"""Functions that apps add: called with the session in which a user has just signed in, the user and the time."""


def signed_in(request: HttpRequest, user: AbstractBaseUser, at: float) -> None:
    """Watch the session of a user who just signed in.

    Over a live session this waits for `settle`: packages for impersonation note what they do only afterwards, and a
    view that fails leaves the session as it was.
    """
    session, state = request.session, find_state(request)
    if state is not None and state.is_abandoned:
        # A sync view runs on after its client has gone. Django saves no session then, and no browser gets a new key.
        return
    if session.session_key is None:
        # Another user's session was flushed: saving assigns the new key.
        session.save()
    elif django_sessions.WATCH_KEY in session:
        # Django keeps the key where the same user signs in again; ASVS 7.2.4 asks for a new one.
        session.cycle_key()
    watched = None if state is None else state.present.watched
    if state is not None and watched is not None and not state.present.is_ended:
        if watched.user != accounts.primary_key(user) or impersonation.is_impersonated(session):
            _announce_rotation(state, watched.id)
            state.change.defer(user, at)
            return
        if is_silent_sign_in(request):
            # The session goes on with its clocks: its user has shown nothing.
            return
        restarted = SessionState.at(transitions.restarted(watched, watched, at), at)
        if not (restarted.is_ended or is_probe(watched.id)):
            state.change.restart(restarted, user, at)
            return
        # It ended since the request arrived, or is a probe: what follows is a session of its own.
    _open(request, user, at)


def signed_out(request: HttpRequest, watch_id: str, at: float) -> None:
    """End the session of a user who signs out; one of an operator who acts as another user by `settle`.

    To act as themselves again, some packages sign the operator out, and in.
    """
    state = find_state(request)
    if state is not None and state.watch_id == watch_id:
        if impersonation.is_impersonated(request.session):
            _announce_rotation(state, watch_id)
            state.change.defer(None, at)
            return
        if getattr(request, "auth", None) is not None:
            # Django REST framework and others set it for a token. django-rest-knox ends that, and leaves the session.
            state.change.token_signed_out = True
            return
    ended = monitor.end(watch_id, Reason.LOGOUT, at)
    if state is not None:
        state.change.sign_out(SessionState.at(ended, at))


def mark_impersonation(request: HttpRequest) -> None:
    """Record that the user who was signed in before now acts as the user who has just been signed in.

    Call it after `login(request, user)` in a view of your own for that. Signing the operator in again deletes this
    note with the rest of the session's data. django-hijack, django-impersonate, django-loginas and django-su need no
    call.

    Raises:
        ValueError: no user was signed in before, or the other has not been signed in yet.
    """
    state = state_of(request)
    watched = state.present.watched
    if watched is None:
        raise ValueError("The request came without a signed-in user; expected the operator who acts as another.")
    if not state.change.signed_in and django_sessions.user_of(request.session) == watched.user:
        # The login, which follows, would delete the note with the rest of the session's data.
        raise ValueError(
            "The operator is still signed in as themselves; expected login(request, user) before the call."
        )
    request.session[impersonation.IMPERSONATOR_KEY] = watched.user


def settle(request: HttpRequest, response: HttpResponseBase | None, at: float) -> None:
    """Resolve a deferred sign-in or sign-out, or a change of user without a signal, once the view has returned.

    `response`: None while the view still renders its page.
    """
    state, session = state_of(request), request.session
    change, watched = state.change, state.present.watched
    if watched is None or state.present.is_ended:
        return
    if change.is_restart:
        if response is not None and change.deferred_user is not None:
            _open(request, change.deferred_user, change.deferred_at)
        return
    if not (change.is_deferred or session.modified):
        return
    actors = impersonation.actors_of(session)
    if not change.is_deferred and (actors is None or actors.user == watched.user):
        return
    if response is None and state.original is not None:
        # Another request that came with it would give the session back to its former user.
        transactions.once_committed(state.original.release)
    switched = None
    if actors is not None:
        switched = login.switch(request, actors, watched, at, is_release=change.is_release)
    if switched is not None:
        _continue(request, state, SessionState.at(switched, at))
    elif change.is_deferred:
        _replace(request, state, watched.id)


def leave_rotated(state: RequestState, watched: Watched, at: float) -> None:
    """End the user's session whose former key the request of a sign-in brought: no browser has the present one."""
    rotated = state.admission.rotated
    if rotated is None or rotated == watched.id:
        return
    if WatchedSession.objects.live().for_user(watched.user).filter(pk=rotated).exists():
        monitor.leave(rotated, at)


def reauthenticated(request: HttpRequest, user: AbstractBaseUser, at: float) -> None:
    """Restart the clocks of a session whose user has reauthenticated, unless the client has gone."""
    if state_of(request).is_abandoned:
        return
    request.session.cycle_key()
    _open(request, user, at)


def _open(request: HttpRequest, user: AbstractBaseUser, at: float) -> None:
    session, state = request.session, find_state(request)
    watched = login.sign_in(request, user, at)
    _mark(request, watched.id, at)
    for mark_session in after_sign_in:
        mark_session(session, user, at)
    if state is not None:
        before = state.present
        if before.watch_id is not None and before.watch_id != watched.id:
            monitor.leave(before.watch_id, at)
        displaced = before.phase is not None and (before.watched is None or before.watched.user != watched.user)
        auth_digest = django_sessions.auth_digest_of(session)
        state.change.sign_in(SessionState.at(watched, at), auth_digest, displaced=displaced)


def _continue(request: HttpRequest, state: RequestState, session_state: SessionState) -> None:
    """Keep the session: the same person acts as another user, which is no sign-in."""
    session = request.session
    assert session_state.watched is not None, "a session that goes on has facts"  # noqa: S101
    _mark(request, session_state.watched.id, state.admission.signed_in_at)
    state.change.switch(session_state, django_sessions.auth_digest_of(session))


def _announce_rotation(state: RequestState, watch_id: str) -> None:
    if state.original is not None:
        state.original.announce()
    else:
        announce_rotation(watch_id)


def _replace(request: HttpRequest, state: RequestState, watch_id: str) -> None:
    """End the session of the former user, and watch that of the one who signed in over it, if there is one."""
    user, at = state.change.deferred_user, state.change.deferred_at
    ended = monitor.end(watch_id, Reason.LOGOUT, at)
    state.change.sign_out(SessionState.at(ended, at))
    if user is not None:
        _open(request, user, at)


def _mark(request: HttpRequest, watch_id: str, signed_in_at: float | None) -> None:
    """Store the watch id, and when the user signed in, in the session's data."""
    session = request.session
    session[django_sessions.WATCH_KEY] = watch_id
    if signed_in_at is not None:
        session[django_sessions.SIGNED_IN_KEY] = signed_in_at
    session.set_expiry(0)
