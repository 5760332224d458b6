"""The HTTP face: every request is judged before its view runs, with a script in the page or without one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from idlewatch import monitor, sessions
from idlewatch.activity import Reason
from idlewatch.answers import follow_up, is_html, tell
from idlewatch.clock import now
from idlewatch.conf import conf
from idlewatch.events import Requested
from idlewatch.policy import Phase
from idlewatch.requests import counts, signs_in
from idlewatch.responses import ended_response, turns_away
from idlewatch.watching import RequestWatch, current_watch, watch_of


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
        if response is None:
            token = current_watch.set(watch_of(request).watch)
            try:
                response = cast("HttpResponseBase", self.get_response(request))
            finally:
                current_watch.reset(token)
        return self.leave(request, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Twin of `__call__`. Sessions and records are sync, so the hooks run in Django's thread, where it has one."""
        response = await sync_to_async(self.enter)(request) if _has_cookie(request) else self.enter(request)
        if response is None:
            token = current_watch.set(watch_of(request).watch)
            try:
                response = cast("HttpResponseBase", await self.get_response(request))
            finally:
                current_watch.reset(token)
        if _has_cookie(request) or _session(request).accessed:
            return await sync_to_async(self.leave)(request, response)
        return self.leave(request, response)

    # Before the view

    def enter(self, request: HttpRequest) -> HttpResponseBase | None:
        """Set `request.idlewatch`; return the ended response where no view may run."""
        _session(request)
        watch = RequestWatch(request, now())
        setattr(request, "idlewatch", watch)  # noqa: B010 - the type knows no such attribute
        if _has_cookie(request):
            self._judge(request, watch)
        if watch.ended:
            sign_out(request)
            if request.method not in {"GET", "HEAD"} and not signs_in(request):
                return respond(request)
        return None

    def _judge(self, request: HttpRequest, watch: RequestWatch) -> None:
        session = _session(request)
        known = session.get(sessions.WATCH_KEY)
        if known is None and sessions.user_of(session) is None:
            reason = find_stale(request, watch.arrived)
            if reason is not None:
                watch.lose(reason, watch.arrived)
            return
        if known is None:
            if not request.user.is_authenticated:
                return
            if not sessions.keeps_keys():
                # A signed cookie from before the watch looks like one that is replayed after its end.
                watch.lose(Reason.LOST, watch.arrived)
                return
            known = session[sessions.WATCH_KEY] = monitor.adopt(request, request.user, watch.arrived).id
            session.set_expiry(0)
        watch.counted = counts(request)
        watch.auth_digest = sessions.auth_digest_of(session)
        watched = monitor.look(known, watch.arrived, Requested() if watch.counted else None)
        if watched is None:
            watch.lose(Reason.LOST, watch.arrived)
            return
        if watched.user != sessions.user_of(session) and watched.verdict(watch.arrived).phase is not Phase.ENDED:
            # The session's data speaks of somebody else than the watch: serve neither.
            watched = monitor.end(known, Reason.LOST, watch.arrived)
        watch.follow(watched, watch.arrived)
        if watch.ended:
            watch.follow(monitor.finish(known, watch.arrived), watch.arrived)
        elif watched.key != sessions.key_of(session):
            monitor.rebind(known, session)

    # After the view

    def leave(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Follow the session through what the view did to it, and tell the user of an end."""
        watch = watch_of(request)
        if _session(request).accessed:
            self._follow(request, response, watch)
        if watch.ended and not watch.signed_out and turns_away(request, response):
            watch.notice_shown = False
            response = respond(request)
        if watch.watch is not None and is_html(response):
            # ASVS 14.3.2; a view that set the header knows better.
            response.headers.setdefault("Cache-Control", "no-store")
        tell(request, response)
        return response

    def _follow(self, request: HttpRequest, response: HttpResponseBase, watch: RequestWatch) -> None:
        session, left = _session(request), now()
        if watch.signed_in:
            # A login view may have set an expiry after it signed the user in.
            session.set_expiry(0)
        if watch.watch is None or watch.watched is None:
            return
        if session.get(sessions.WATCH_KEY) != watch.watch:
            # Flushed without a signal: by a view, or by Django because the password no longer fits.
            reason = monitor.lost_or_account(watch.watch, left)
            watch.follow(monitor.end(watch.watch, reason, left), left)
        elif session.modified and monitor.has_ended(watch.watch, left):
            # It ended while the view ran; to save the session now would bring its cookie back.
            watch.follow(monitor.finish(watch.watch, left), left)
            sign_out(request)
        else:
            if (sessions.key_of(session), sessions.auth_digest_of(session)) != (watch.watched.key, watch.auth_digest):
                monitor.rebind(watch.watch, session)
            follow_up(request, response)


def respond(request: HttpRequest) -> HttpResponseBase:
    """Return the ended response to a request whose session has ended."""
    watch = watch_of(request)
    return ended_response(request, watch.reason or Reason.LOST, watch.frame)


def sign_out(request: HttpRequest) -> None:
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
        if not sessions.keeps_keys() and not session.keys():
            # An expired or forged signed cookie keeps its key; flushed, it is deleted.
            session.flush()
        return None
    reason, rotated = monitor.why_gone(request.COOKIES[conf.session_cookie_name], at)
    if rotated:
        # The request set out before the key was rotated: hide its cookie, or Django would delete the new one.
        del request.COOKIES[conf.session_cookie_name]
    return reason


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
