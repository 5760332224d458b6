"""The middleware's work after the view: it follows the session through the change, and reports an end."""

from __future__ import annotations

from contextlib import suppress
from threading import Event

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.csrf import CSRF_SESSION_KEY

from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.exceptions import Undecided
from idlewatch.http import credential_change
from idlewatch.http.admin_pages import insert_parts, is_to_be_completed
from idlewatch.http.caching import restrict_caches
from idlewatch.http.classification import is_client_endpoint
from idlewatch.http.login_views import is_login_page, turns_away
from idlewatch.http.request_session import cookie_of, keep_cookie, make_anonymous, restore_session
from idlewatch.http.request_state import RequestState, state_of
from idlewatch.http.requests_under_way import is_shared
from idlewatch.http.response_hooks import news_of, on_sent, set_headers
from idlewatch.http.responses import StateResponse, ended_response
from idlewatch.http.session_change import NO_CHANGE, SessionChange
from idlewatch.http.session_state import SessionState
from idlewatch.http.sign_in import leave_rotated, settle
from idlewatch.http.silent_sign_in import note_silent_sign_in
from idlewatch.http.undecided import refuse_after_view
from idlewatch.monitor import django_sessions, record_keys
from idlewatch.monitor import service as monitor
from idlewatch.process import now
from idlewatch.store.values import Watched

PAUSES = (0.05, 0.15, 0.3)
"""Seconds to wait, each before another look, for what another process has committed and not announced yet."""


def follow(
    request: HttpRequest, response: HttpResponseBase, state: RequestState, left: float | None = None
) -> HttpResponseBase:
    """Follow the session through what the view did to it; return the response, or the ended response in its place.

    `left`: when the view returned, if that is not a moment ago (epoch seconds).
    """
    response = _follow(request, response, state, state.process.clock.now() if left is None else left)
    if state.original is not None and state.original.is_deleted:
        # Not if the database fails meanwhile: after an error the browser still has this key.
        state.original.release()
    restrict_caches(request, response, state)
    return response


def has_changed_session(state: RequestState) -> bool:
    """Return whether the view has given the session another key or user, or is about to, or has ended it."""
    original, change = state.original, state.change
    is_replaced = original is not None and (original.commit is not None or original.is_announced)
    return is_replaced or change.signed_in or change.signed_out or change.is_deferred


def end_response(request: HttpRequest, refusal: HttpResponseBase | None = None) -> HttpResponseBase:
    """Return the ended response to a request whose session has ended, in the place of a view's `refusal` if any."""
    state = state_of(request)
    reason = state.session.reason or Reason.LOST
    state.ended_response = ended_response(request, reason, state.frame, refusal)
    return state.ended_response


def asks_nothing(request: HttpRequest, response: HttpResponseBase, state: RequestState, left: float) -> bool:
    """Return whether `follow` needs neither the database nor the store: after most views, whose pages are no news."""
    watched = state.admission.state.watched
    if watched is None or not _is_untouched(request, response, state):
        return False
    is_news = bool(news_of(request, response, state, watched, left))
    return not is_news and not is_to_be_completed(request, response, state)


def _follow(request: HttpRequest, response: HttpResponseBase, state: RequestState, left: float) -> HttpResponseBase:
    if state.admission.undecided is not None:
        refusal = refuse_after_view(request, state.admission.undecided)
        if refusal is not None:
            return refusal
    if is_to_be_completed(request, response, state):
        # Views of the admin that are the project's own may have rendered their page themselves.
        insert_parts(request, response)
    if _is_untouched(request, response, state):
        watched = state.admission.state.watched
        assert watched is not None, "it came with a live session"  # noqa: S101
        on_sent(request, response, state, watched, left)
        if state.page.notice:
            set_headers(request, response, state)
    else:
        # If undecided: the request was admitted, and its view has done its work.
        with suppress(Undecided):
            response = _follow_changes(request, response, state)
    if isinstance(response, StateResponse):
        response.age(now())
    return response


def _is_untouched(request: HttpRequest, response: HttpResponseBase, state: RequestState) -> bool:
    """Return whether a view left a live session as it came, as most do: only its response is of interest then."""
    original, session = state.original, request.session
    if original is None or original.session is not session or response.status_code >= 300:
        # A redirect may begin a silent sign-in.
        return False
    is_changed = session.modified or original.commit or original.is_announced or state.change != NO_CHANGE
    return not is_changed and not (state.page.offer or conf.session_always_saved)


def _follow_changes(request: HttpRequest, response: HttpResponseBase, state: RequestState) -> HttpResponseBase:
    """Follow a session that a view may have changed, or that had ended; return the response, or the ended response."""
    if request.session.accessed:
        if _has_failed(request, response, state):
            _undo(request, state)
        elif state.original is not None and (state.change.is_deferred or _has_new_password(request, state)):
            # A request that found it standing would give the session back to its former user, or auth hash.
            state.original.release()
        left = now()
        settle(request, response, left)
        _follow_session(request, response, state, left)
    if turns_away(request, response) and state.session.phase is not None and response is not state.ended_response:
        _end_unusable_account(request, state)
        if state.session.is_ended and not state.change.signed_out and _is_replaceable(request, state):
            state.page.notice = False
            response = end_response(request, response)
    set_headers(request, response, state)
    return response


def _has_failed(request: HttpRequest, response: HttpResponseBase, state: RequestState) -> bool:
    """Return whether a view failed that gave the session another key or user: its session is not to be saved.

    After an error Django does not save it. If the transaction was rolled back, neither did the user sign in.
    """
    original = state.original
    if original is None or original.commit is None or state.present.watch_id != original.watch_id:
        return False
    if django_sessions.user_of(request.session) is None:
        # It was flushed: Django deletes the cookie, after an error too.
        return False
    return response.status_code >= 500 or original.commit.is_lost


def _has_new_password(request: HttpRequest, state: RequestState) -> bool:
    auth_hash = django_sessions.auth_hash_of(request.session)
    if auth_hash == state.admission.auth_hash and state.change.auth_digest is None:
        # Nearly always: no digest is needed.
        return False
    return django_sessions.auth_digest(auth_hash) != state.auth_digest


def _undo(request: HttpRequest, state: RequestState) -> None:
    """Undo what a failed view did to the session: the browser keeps the one with which the request came."""
    original = state.original
    assert original is not None, "a view replaced the session with which the request came"  # noqa: S101
    original.drop_successor()
    restore_session(request, original.key)
    session = request.session
    if django_sessions.user_of(session) is not None:
        # Where this request adopted the session, its data has not been saved yet.
        session.setdefault(django_sessions.WATCH_KEY, original.watch_id)
    state.change = SessionChange(sign_in_failed=True)
    monitor.rebind(original.watch_id, session)


def _is_replaceable(request: HttpRequest, state: RequestState) -> bool:
    """Return whether the ended response may go out in place of a refusal: not where the user is signing in.

    A login view refuses credentials, or redirects to another. A view that merely needs no login may do the same; but
    Django REST framework marks all its views so. There a failed sign-in shows it, or a session that the view began.
    """
    if is_client_endpoint(request):
        return True
    if is_login_page(request):
        return False
    if request.method in {"GET", "HEAD"} or not state.admission.state.is_ended:
        return True
    begun = set(request.session.keys()) - {CSRF_SESSION_KEY}
    return not (state.change.sign_in_failed or begun)


def _follow_session(request: HttpRequest, response: HttpResponseBase, state: RequestState, left: float) -> None:
    session, change = request.session, state.change
    if change.signed_in or change.signed_out:
        _end_former(state, left)
    if change.signed_in:
        # A sign-in view may have set an expiry after it signed the user in.
        session.set_expiry(0)
    watched, watch_id = state.session.watched, state.session.watch_id
    if watched is None or watch_id is None:
        return
    if state.page.offer:
        session.pop(credential_change.CHANGED_KEY, None)
    if session.get(django_sessions.WATCH_KEY) != watch_id:
        _follow_loss(request, state, watch_id, left)
        return
    note_silent_sign_in(request, response)
    if change.signed_in and (response.status_code >= 500 or not monitor.is_recorded(watch_id)):
        # Django does not save the session after an error, and a sign-in that was rolled back has no record.
        monitor.end(watch_id, Reason.LOST, left)
        make_anonymous(request)
        change.discard()
    elif (session.modified or conf.session_always_saved) and (ended := _find_end(watch_id, left)):
        # It ended while the view ran; saving the session now would fail, or bring its cookie back.
        change.state = ended
        make_anonymous(request)
        if record_keys.was_succeeded(cookie_of(request)):
            # The browser has the cookie of a sign-in that came meanwhile.
            keep_cookie(request)
    else:
        if change.signed_in:
            leave_rotated(state, watched, left)
        _follow_credentials(request, state, watched)
        on_sent(request, response, state, watched, left)


def _find_end(watch_id: str, left: float) -> SessionState | None:
    """Return the end of a session that was live a moment ago; None if it has not ended."""
    if not monitor.has_ended(watch_id, left):
        return None
    state = SessionState.at(monitor.finish(watch_id, left), left)
    return state if state.is_ended else None


def _end_former(state: RequestState, left: float) -> None:
    """End the session that the user left, if the transaction in which the view did it was rolled back."""
    former = state.admission.state.watch_id
    if former is None or state.present.watch_id == former:
        return
    monitor.leave(former, left)


def _follow_credentials(request: HttpRequest, state: RequestState, watched: Watched) -> None:
    """Bind the session to its new key and auth hash."""
    session = request.session
    has_new_password = _has_new_password(request, state)
    is_announced = state.original is not None and state.original.is_announced
    if is_announced or has_new_password or django_sessions.key_of(session) != watched.key:
        monitor.rebind(watched.id, session)
    if has_new_password:
        credential_change.record_new_password(session, state.auth_digest, state.admission.arrived)


def _follow_loss(request: HttpRequest, state: RequestState, watch_id: str, left: float) -> None:
    """End a session that was flushed without a signal, by a view or because the password no longer fits it.

    A request that merely has an old copy of the session must not take it from the request that changed the password.
    """
    is_own = state.original is not None and state.original.is_announced
    if monitor.has_moved_on(watch_id, state.auth_digest, is_own=is_own):
        _leave_alone(request, state)
        return
    if state.change.token_signed_out:
        state.change.sign_out(SessionState.at(monitor.end(watch_id, Reason.LOGOUT, left), left))
        return
    key, reason = cookie_of(request), monitor.lost_or_account(watch_id)
    if reason is Reason.ACCOUNT and (is_shared(key, request.session) or _will_move_on(state, watch_id, is_own)):
        # Another request under way may be the one that changes the password; if not, the next check ends the session.
        _leave_alone(request, state)
    else:
        state.change.state = SessionState.at(monitor.end(watch_id, reason, left), left)


def _will_move_on(state: RequestState, watch_id: str, is_own: bool) -> bool:
    """Return whether another process announces within a moment that it is the session's own user who changed something.

    A new password is seen as soon as its transaction is committed, and announced by the next statement.
    """
    for seconds in PAUSES:
        Event().wait(seconds)
        if monitor.has_moved_on(watch_id, state.auth_digest, is_own=is_own):
            return True
    return False


def _leave_alone(request: HttpRequest, state: RequestState) -> None:
    keep_cookie(request)
    state.change.discard()


def _end_unusable_account(request: HttpRequest, state: RequestState) -> None:
    """End a session whose user a view could not load: Django keeps it when an account is disabled."""
    watch_id = state.session.watch_id
    if watch_id is None or request.user.is_authenticated:
        return
    left = now()
    if monitor.lost_or_account(watch_id) is Reason.ACCOUNT:
        state.change.state = SessionState.at(monitor.end(watch_id, Reason.ACCOUNT, left), left)
        make_anonymous(request)
