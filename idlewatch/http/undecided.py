"""Requests whose session cannot be judged right now: which get 503, and which are served."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from idlewatch.exceptions import StoreElsewhere, Undecided
from idlewatch.http.classification import is_sign_out, needs_session
from idlewatch.http.request_session import keep_cookie, session_of, set_session_aside
from idlewatch.http.responses import undecided_response
from idlewatch.monitor import django_sessions


def refuse(request: HttpRequest, error: Undecided) -> HttpResponseBase | None:
    """Return 503, or None if the view may run all the same.

    A request that concerns no session is served as a visitor's. Signing out works without the memory store, too: this
    process closes the record, and the process that owns the store notices.
    """
    if not needs_session(request):
        set_session_aside(request)
        return None
    if isinstance(error, StoreElsewhere):
        if is_sign_out(request):
            return None
        keep_cookie(request)
    return undecided_response(request, error)


def refuse_after_view(request: HttpRequest, error: Undecided) -> HttpResponseBase | None:
    """Return 503 in place of a view's response, or None if that may be sent.

    It replaces the response of a view that signed the user in, or that was to sign the user out and did not.
    """
    if not isinstance(error, StoreElsewhere) or not needs_session(request):
        return None
    if is_sign_out(request) and django_sessions.user_of(session_of(request)) is None:
        return None
    keep_cookie(request)
    return undecided_response(request, error)
