"""What an answer says of its session, and what it leaves for the next page."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from django.db import Error as DatabaseError
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from idlewatch.conf import conf
from idlewatch.core.clock import now
from idlewatch.core.events import PageShown, Requested
from idlewatch.exceptions import Undecided
from idlewatch.http.classification import shows_a_page
from idlewatch.http.request_watch import RequestWatch, watch_of
from idlewatch.http.responses import REASON_COOKIE, drop_reason, leave_reason
from idlewatch.monitor import records
from idlewatch.monitor import service as monitor


def follow_up(request: HttpRequest, response: HttpResponseBase) -> None:
    """Note what an answer says of the session, once the whole of it has been sent."""
    if isinstance(response, StreamingHttpResponse):
        # To wrap its content would keep a WSGI server from sending a file by itself; every server closes an answer.
        response._resource_closers.append(partial(note, request, response))  # type: ignore[attr-defined]
    else:
        note(request, response)


def note(request: HttpRequest, response: HttpResponseBase) -> None:
    """Count a long request once more, and note whether the page that is shown now carries the client."""
    watch = watch_of(request)
    watched, at = watch.watched, now()
    if watched is None:
        return
    # Where nobody can tell just now whether it lives, the answer is on its way all the same.
    with suppress(Undecided):
        if watch.counted and at - watch.arrived > watched.policy.heartbeat:
            monitor.look(watched.id, at, Requested())
        if shows_a_page(request) and fills_the_tab(response) and watch.carries_client != watched.activity.has_client:
            monitor.look(watched.id, at, PageShown(watch.carries_client))


def fills_the_tab(response: HttpResponseBase) -> bool:
    """Tell whether a navigation's answer replaces the page: no redirect, 204 or download does."""
    disposition = response.headers.get("Content-Disposition", "")
    return (
        response.status_code not in {204, 205}
        and not 300 <= response.status_code < 400
        and not disposition.lower().startswith("attachment")
    )


def tell(request: HttpRequest, response: HttpResponseBase) -> None:
    """Leave the reason of an end for the next page, until one has shown it."""
    watch = watch_of(request)
    if conf.clear_site_data and (watch.displaces or (watch.ended and _is_newest(request, watch))):
        response.headers.setdefault("Clear-Site-Data", '"storage"')
    if watch.notice_shown:
        # What one user was told must not be kept for another.
        patch_vary_headers(response, ["Cookie"])
        response.headers.setdefault("Cache-Control", "no-store")
    if watch.notice_shown or watch.signed_in:
        if REASON_COOKIE in request.COOKIES:
            drop_reason(response)
    elif watch.ended and not watch.signed_out and watch.reason is not None:
        leave_reason(request, response, watch.reason)


def _is_newest(request: HttpRequest, watch: RequestWatch) -> bool:
    """Tell whether no later sign-in is known in the browser whose session has ended: what is stored is its own then."""
    if watch.signed_in:
        return False
    key = request.COOKIES.get(conf.session_cookie_name)
    if not key:
        # The browser has another by now.
        return False
    with suppress(DatabaseError):
        return not records.was_succeeded(key)
    return True


def is_html(response: HttpResponseBase) -> bool:
    """Tell whether an answer is a page."""
    return response.headers.get("Content-Type", "").startswith("text/html")
