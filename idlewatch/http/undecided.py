"""The response to a request whose session cannot be judged right now."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from idlewatch.exceptions import StoreElsewhere, Undecided
from idlewatch.http.classification import is_sign_out, needs_session
from idlewatch.http.request_session import keep_cookie, session_of, set_session_aside
from idlewatch.http.responses import undecided_response
from idlewatch.monitor import django_sessions


def refuse(request: HttpRequest, error: Undecided) -> HttpResponseBase | None:
    """Return 503, or None where the view may run all the same.

    What concerns no session is served as to a visitor. To sign out is possible in a process without the store, too: the
    record is closed there, and the process that owns the store sees that.
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
    """Return 503 in place of the view's response, or None where that may go out.

    It replaces what a view answered that was to sign the user out, and did not, or to sign the user in.
    """
    if not isinstance(error, StoreElsewhere) or not needs_session(request):
        return None
    if is_sign_out(request) and django_sessions.user_of(session_of(request)) is None:
        return None
    keep_cookie(request)
    return undecided_response(request, error)
