"""The HTTP face: every request is judged before its view runs, with a script in the page or without one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.csrf import CSRF_SESSION_KEY

from idlewatch import metrics
from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.core.clock import now
from idlewatch.core.events import Requested
from idlewatch.core.policy import Phase
from idlewatch.exceptions import Undecided
from idlewatch.http import credential_change
from idlewatch.http.classification import counts, is_client_endpoint, is_seen, needs_no_login
from idlewatch.http.credential_change import CHANGED_KEY
from idlewatch.http.key_rotation import is_shared, under_way
from idlewatch.http.request_watch import RequestWatch, current_watch, watch_of
from idlewatch.http.response_hooks import follow_up, is_html, tell
from idlewatch.http.responses import ended_response, turns_away, undecided_response
from idlewatch.monitor import django_sessions, login
from idlewatch.monitor import service as monitor

logger = logging.getLogger("idlewatch")


class IdleWatchMiddleware:
    """Ends what has to end before a view runs, and follows the session through what the view does to it."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._async = iscoroutinefunction(get_response)
        if self._async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Judge a request, have it answered, and follow up on the answer."""
        if self._async:
            return self.__acall__(request)
        response = self.enter(request)
        with answering(request):
            if response is None:
                response = cast("HttpResponseBase", self.get_response(request))
            return self.leave(request, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Twin of `__call__`. Sessions and records are sync, so the hooks run in Django's thread, where it has one."""
        response = await sync_to_async(self.enter)(request) if _has_cookie(request) else self.enter(request)
        with answering(request):
            if response is None:
                response = cast("HttpResponseBase", await self.get_response(request))
            if _has_cookie(request) or _session(request).accessed:
                return await sync_to_async(self.leave)(request, response)
            return self.leave(request, response)

    def enter(self, request: HttpRequest) -> HttpResponseBase | None:
        """Set `request.idlewatch`; return the ended response where no view may run."""
        _session(request)
        watch = RequestWatch(request, now())
        setattr(request, "idlewatch", watch)  # noqa: B010 - the type knows no such attribute
        if _has_cookie(request):
            try:
                self._judge(request, watch)
                if watch.watch_id is not None and is_seen(request):
                    watch.offer = credential_change.find(_session(request), watch.watch_id)
            except (Undecided, OperationalError, InterfaceError) as error:
                # Neither served nor ended: in a moment it is known which.
                if not isinstance(error, Undecided):
                    logger.error("The database does not answer (%s): a request was asked to wait.", error)  # noqa: TRY400
                watch.forget()
                metrics.JUDGED[metrics.UNDECIDED].inc()
                return undecided_response(request)
        metrics.JUDGED[watch.phase or metrics.ANONYMOUS].inc()
        if watch.ended:
            if apps.is_installed("idlewatch.drafts"):
                from idlewatch.drafts import rejected_forms  # noqa: PLC0415 - an app that may not be installed

                rejected_forms.store(request, watch)
            secret = _session(request).get(CSRF_SESSION_KEY)
            make_anonymous(request)
            if request.method not in {"GET", "HEAD"}:
                watch.is_answered = not is_client_endpoint(request)
                if not needs_no_login(request):
                    return respond(request)
                if secret is not None:
                    # With CSRF_USE_SESSIONS the form that signs in again vouches for itself by the flushed session.
                    _session(request)[CSRF_SESSION_KEY] = secret
        return None

    def _judge(self, request: HttpRequest, watch: RequestWatch) -> None:
        session = _session(request)
        known = session.get(django_sessions.WATCH_KEY)
        if known is None and django_sessions.user_of(session) is None:
            reason = find_stale(request, watch.arrived)
            if reason is not None:
                watch.lose(reason, watch.arrived)
            return
        if known is None:
            if not request.user.is_authenticated:
                return
            if not django_sessions.keeps_keys():
                # A signed cookie from before the watch looks like one that is replayed after its end.
                watch.lose(Reason.LOST, watch.arrived)
                return
            known = session[django_sessions.WATCH_KEY] = login.adopt(request, request.user, watch.arrived).id
            session.set_expiry(0)
        watch.counted = counts(request)
        watch.auth_digest = django_sessions.auth_digest_of(session)
        watched = monitor.look(known, watch.arrived, Requested() if watch.counted else None)
        if watched is None:
            watch.lose(Reason.LOST, watch.arrived)
            return
        if watched.user != django_sessions.user_of(session) and watched.verdict(watch.arrived).phase is not Phase.ENDED:
            # The session's data speaks of somebody else than the watch: serve neither.
            watched = monitor.end(known, Reason.LOST, watch.arrived)
        watch.follow(watched, watch.arrived)
        if watch.ended:
            watch.follow(monitor.finish(known, watch.arrived), watch.arrived)
        elif watched.key != django_sessions.key_of(session):
            monitor.rebind(known, session)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Answer for a view that asked how the session stands, when nobody can tell; a page's client asks again."""
        if isinstance(exception, DatabaseError) and is_client_endpoint(request):
            logger.error("The database failed (%s): a page was asked to wait.", exception)
            return undecided_response(request)
        return undecided_response(request) if isinstance(exception, Undecided) else None

    def leave(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Follow the session through what the view did to it, and tell the user of an end."""
        try:
            return self._leave(request, response)
        except Undecided:
            # It was admitted when it was judged, and the view has done what it does.
            return response

    def _leave(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        watch = watch_of(request)
        if _session(request).accessed:
            self._follow(request, response, watch)
        if turns_away(request, response):
            self._doubt(request, watch)
            if watch.ended and not watch.signed_out and not watch.is_answered:
                watch.notice_shown = False
                response = respond(request)
        if watch.watched is not None and is_html(response):
            # ASVS 14.3.2, also where the session ended meanwhile; a view that set the header knows better.
            response.headers.setdefault("Cache-Control", "no-store")
        tell(request, response)
        return response

    def _doubt(self, request: HttpRequest, watch: RequestWatch) -> None:
        """End a session for whose user a view found nobody: Django leaves it where the account was disabled."""
        if watch.watch_id is None or request.user.is_authenticated:
            return
        left = now()
        if monitor.lost_or_account(watch.watch_id) is Reason.ACCOUNT:
            watch.follow(monitor.end(watch.watch_id, Reason.ACCOUNT, left), left)
            make_anonymous(request)

    def _follow(self, request: HttpRequest, response: HttpResponseBase, watch: RequestWatch) -> None:
        session, left = _session(request), now()
        if watch.signed_in:
            # A login view may have set an expiry after it signed the user in.
            session.set_expiry(0)
        if watch.watch_id is None or watch.watched is None:
            return
        if watch.offer_shown:
            session.pop(CHANGED_KEY, None)
        if session.get(django_sessions.WATCH_KEY) != watch.watch_id:
            self._follow_loss(request, watch, watch.watch_id, left)
        elif watch.signed_in and (response.status_code >= 500 or not monitor.is_recorded(watch.watch_id)):
            # Django saves no session then, or the sign-in was rolled back: it never reaches the browser.
            monitor.end(watch.watch_id, Reason.LOST, left)
            make_anonymous(request)
            watch.forget()
        elif (session.modified or conf.session_always_saved) and monitor.has_ended(watch.watch_id, left):
            # It ended while the view ran; to save the session now would fail, or bring its cookie back.
            watch.follow(monitor.finish(watch.watch_id, left), left)
            make_anonymous(request)
        else:
            digest = django_sessions.auth_digest_of(session)
            if (django_sessions.key_of(session), digest) != (watch.watched.key, watch.auth_digest):
                monitor.rebind(watch.watch_id, session)
            if digest != watch.auth_digest:
                credential_change.note_new_password(session, watch.auth_digest, watch.arrived)
            follow_up(request, response)

    def _follow_loss(self, request: HttpRequest, watch: RequestWatch, known: str, left: float) -> None:
        """End a session that was flushed without a signal, by a view or because the password no longer fits it.

        Unless this request has but an old copy of it: that must not take the session from who changed the password.
        """
        came_with = request.COOKIES.get(conf.session_cookie_name, "")
        if monitor.has_moved_on(known, watch.auth_digest):
            keep_cookie(request)
            watch.forget()
            return
        reason = monitor.lost_or_account(known)
        if reason is Reason.ACCOUNT and is_shared(came_with, _session(request)):
            # The request that changes the password may be the other one; else the next check ends the session.
            keep_cookie(request)
            watch.lose(reason, left)
        else:
            watch.follow(monitor.end(known, reason, left), left)


@contextmanager
def answering(request: HttpRequest) -> Iterator[None]:
    """Make a request known, while it is answered, to what else happens to its session."""
    token = current_watch.set(watch_of(request))
    try:
        with under_way(_session(request)):
            yield
    finally:
        current_watch.reset(token)


def respond(request: HttpRequest) -> HttpResponseBase:
    """Return the ended response to a request whose session has ended."""
    watch = watch_of(request)
    return ended_response(request, watch.reason or Reason.LOST, watch.frame)


def make_anonymous(request: HttpRequest) -> None:
    """Make a request anonymous, whatever was cached on it: the session goes, and its cookie with it."""

    async def auser() -> AnonymousUser:
        return request.user  # type: ignore[return-value]

    _session(request).flush()
    request.user = AnonymousUser()
    request.auser = auser


def find_stale(request: HttpRequest, at: float) -> Reason | None:
    """Return why a session is gone whose cookie the browser still has; None for one that is nobody's."""
    session = _session(request)
    if session.session_key is not None:
        if not session.keys():
            # An expired or forged signed cookie keeps its key, as does data that no secret vouches for any more;
            # flushed, it is deleted.
            session.flush()
        return None
    reason, rotated = monitor.why_gone(request.COOKIES[conf.session_cookie_name], at)
    if rotated:
        # The request set out before the key was rotated.
        keep_cookie(request)
    return reason


def keep_cookie(request: HttpRequest) -> None:
    """Leave the browser the cookie it has by now: Django would delete it for the request's empty session."""
    request.COOKIES.pop(conf.session_cookie_name, None)


def _has_cookie(request: HttpRequest) -> bool:
    return bool(request.COOKIES.get(conf.session_cookie_name))


def _session(request: HttpRequest) -> SessionBase:
    try:
        return request.session
    except AttributeError as error:
        raise ImproperlyConfigured(
            "IdleWatchMiddleware found a request without a session; expected it in MIDDLEWARE after "
            "SessionMiddleware and AuthenticationMiddleware."
        ) from error
