"""Restrictions on caches: the browser's, shared ones on the way to it, and Django's own.

A page with the client, a notice or an offer belongs to one user, and no cache may store it. A visitor's copy of the
page may be stored, but must not be served to users who are signed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from idlewatch.http import django_cache
from idlewatch.http.classification import may_show_a_page
from idlewatch.http.header_fields import fields_of, is_html
from idlewatch.http.request_session import forget_headers
from idlewatch.http.request_state import RequestState, state_of
from idlewatch.http.responses import reason_cookie

CONDITIONS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE")
VALIDATORS = ETAG, LAST_MODIFIED = ("etag", "last-modified")
"""Headers by which a 304 would bring a page back after its session has ended."""
NO_STORE = ("Cache-Control", "no-store")
SHARED = frozenset({"public", "s-maxage"})
"""Directives of `Cache-Control` that let shared caches store a response for everyone."""
SHARED_HEADERS = re.compile(r"(.+-)?CDN-Cache-Control|Surrogate-Control|Edge-Control|X-Accel-Expires", re.IGNORECASE)
"""Headers that shared caches obey before `Cache-Control` (RFC 9213)."""
DIRECTIVE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')


def ignore_conditions(request: HttpRequest) -> None:
    """Make a request, which has some of `CONDITIONS`, unconditional where a 304 would bring back the wrong page.

    That is the visitor's page after the sign-in, and the user's after the end: views compute an `ETag` from what they
    show, not from who sees it.
    """
    if request.method not in {"GET", "HEAD"}:
        return
    state = state_of(request)
    is_users = state.session.watch_id is not None or state.unshown_reason is not None
    if state.session.is_ended or (is_users and may_show_a_page(request)):
        for name in CONDITIONS:
            request.META.pop(name, None)
        forget_headers(request)


def restrict_caches(request: HttpRequest, response: HttpResponseBase, state: RequestState) -> None:
    """Keep a user's page out of every cache, and let none serve a visitor's page to a user."""
    watched, is_page = state.session.watched is not None, is_html(response)
    # The tag may be in what is rendered while it is sent.
    streamed = is_page and isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse)
    # A response that deletes the cookie of an ended session, or brings the reason, is for one browser too.
    has_reason = bool(response.cookies) and reason_cookie() in response.cookies
    page = state.page
    is_personal = page.client or page.notice or page.offer or state.admission.state.is_ended or has_reason
    if is_personal or (watched and streamed):
        _make_private(response)
    elif watched and is_page:
        # ASVS 14.3.2, also where the session ended meanwhile; the view may have set another header.
        fields = fields_of(response)
        fields.setdefault("cache-control", NO_STORE)
        if state.navigates or may_show_a_page(request):
            fields.pop(ETAG, None)
            fields.pop(LAST_MODIFIED, None)
    elif page.withheld:
        django_cache.release(request)
    if page.varies or streamed:
        patch_vary_headers(response, ["Cookie"])


def _make_private(response: HttpResponseBase) -> None:
    directives = [directive.strip().lower() for directive in DIRECTIVE.findall(response.get("Cache-Control", ""))]
    names = {directive.partition("=")[0] for directive in directives if directive}
    if not names or names & SHARED:
        # What a view says of a page for everyone does not hold for this one. Some caches look for `private` alone.
        response.headers["Cache-Control"] = "no-store, private"
    elif "private" not in directives:
        response.headers["Cache-Control"] += ", private"
    _drop_headers(response, [*VALIDATORS, *filter(SHARED_HEADERS.fullmatch, response.headers)])


def _drop_headers(response: HttpResponseBase, names: Iterable[str]) -> None:
    for name in names:
        response.headers.pop(name, None)
