"""Hooks that run on every response: what it reports to the store, and what it leaves in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from idlewatch.conf import conf
from idlewatch.core.events import PageShown, Requested
from idlewatch.core.reducer import shows_another
from idlewatch.exceptions import Undecided
from idlewatch.http.classification import fills_a_frame, follows_external_login, is_script_of_page
from idlewatch.http.header_fields import is_html
from idlewatch.http.request_session import cookie_of
from idlewatch.http.request_state import RequestState
from idlewatch.http.responses import drop_reason, leave_reason, read_reason, reason_cookie
from idlewatch.http.view_warnings import warn
from idlewatch.monitor import record_keys
from idlewatch.monitor import service as monitor
from idlewatch.process import Process, current_process, now
from idlewatch.store.values import Watched

_PAGE_WITH_CLIENT, _PAGE_WITHOUT_CLIENT = PageShown(has_client=True), PageShown(has_client=False)
CLIENT_ID = b"idlewatch-client"
"""The id by which the client finds its template in a page."""
CLIENT_REMOVED = (
    "%s rendered {%% idlewatch %%}, but its page lacks the client, and neither warns nor hides its content at the end. "
    "Something removed it, such as {%% compress %%} around the tag or a middleware that rewrites pages; or it was "
    "rendered for something else, such as an email."
)


def on_sent(
    request: HttpRequest, response: HttpResponseBase, state: RequestState, watched: Watched, left: float
) -> None:
    """Count a long request once more, and record whether the page that the tab shows now has the client.

    That is done when all of a response has been sent: at `left`, unless it is streamed (epoch seconds).
    """
    if isinstance(response, StreamingHttpResponse):
        # Wrapping its content would keep a WSGI server from sending a file by itself; every server closes a response.
        closers = response._resource_closers  # type: ignore[attr-defined]
        closers.append(partial(_record_closed, current_process(), request, response, state, watched))
        return
    for event in news_of(request, response, state, watched, left):
        _record(watched, event, left)


def _record_closed(
    process: Process, request: HttpRequest, response: HttpResponseBase, state: RequestState, watched: Watched
) -> None:
    # A WSGI server closes a response when the application has returned, and has left its process.
    with process.entered():
        at = now()
        for event in news_of(request, response, state, watched, at):
            _record(watched, event, at)


def _record(watched: Watched, event: Requested | PageShown, at: float) -> None:
    # The response is on its way, also if the session's state cannot be determined right now.
    with suppress(Undecided):
        monitor.look(watched.id, at, event)


def news_of(
    request: HttpRequest, response: HttpResponseBase, state: RequestState, watched: Watched, at: float
) -> Sequence[Requested | PageShown]:
    """Return what `on_sent` has to record at `at` (epoch seconds): of most responses, nothing.

    Most pages follow another one that has the client too, and are not worth a write.
    """
    news: Sequence[Requested | PageShown] = ()
    if state.navigates and not fills_a_frame(request):
        has_client = state.page.client and _carries_client(request, response)
        shown = _PAGE_WITH_CLIENT if has_client else _PAGE_WITHOUT_CLIENT
        if shows_another(shown, watched.activity, at) and replaces_page(response):
            news = (shown,)
    elif (
        state.change.signed_in and is_script_of_page(request) and shows_another(_PAGE_WITH_CLIENT, watched.activity, at)
    ):
        # A visitor's page has no client. It is to be loaded again; if it is not, that is reported like any silent page.
        news = (_PAGE_WITH_CLIENT,)
    admission = state.admission
    if admission.counted and at - admission.arrived > watched.policy.heartbeat:
        return (Requested(at - admission.arrived), *news)
    return news


def _carries_client(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether a page has the client that the tag rendered, possibly for an email or a PDF."""
    if not is_html(response):
        return False
    if not isinstance(response, HttpResponse) or response.has_header("Content-Encoding"):
        return True
    is_there = CLIENT_ID in response.content
    if not is_there and response.status_code < 400:
        warn(request, CLIENT_REMOVED)
    return is_there


def replaces_page(response: HttpResponseBase) -> bool:
    """Return whether the response to a navigation replaces the page: no redirect, 204 or download does."""
    status = response.status_code
    if status in {204, 205} or 300 <= status < 400:
        return False
    return not response.headers.get("Content-Disposition", "").lower().startswith("attachment")


def set_headers(request: HttpRequest, response: HttpResponseBase, state: RequestState) -> None:
    """Set the cookie with the reason of an end, until a page has shown it, and headers that protect the next user."""
    if conf.clear_site_data and _is_storage_stale(request, state):
        response.headers.setdefault("Clear-Site-Data", '"storage"')
    session = state.session
    user = None if session.watched is None else session.watched.user
    if state.page.notice or (state.change.signed_in and not _is_shown_after_sign_in(request, user)):
        if reason_cookie() in request.COOKIES:
            drop_reason(response)
    elif session.is_ended and not state.change.signed_out and (reason := session.reason) is not None:
        leave_reason(request, response, reason, user)


def _is_shown_after_sign_in(request: HttpRequest, user: str | None) -> bool:
    """Return whether the reason is still to be shown: the login page is another site's, or leads to one."""
    return follows_external_login(request) and read_reason(request, user) is not None


def _is_storage_stale(request: HttpRequest, state: RequestState) -> bool:
    """Return whether what pages have stored in the browser belongs to a user who has gone."""
    if state.change.displaced:
        return True
    return state.session.is_ended and not state.change.signed_in and _is_newest(request)


def _is_newest(request: HttpRequest) -> bool:
    """Return whether the session that has ended is the newest known one of its browser."""
    key = cookie_of(request)
    if not key:
        # The browser has another by now.
        return False
    with suppress(DatabaseError):
        return not record_keys.was_succeeded(key)
    return True
