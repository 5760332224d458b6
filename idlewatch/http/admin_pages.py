"""The client in pages of Django's admin, whichever of Django's blocks their theme has kept."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import get_script_prefix

from idlewatch.http.classification import ADMIN_NAMESPACE, is_seen, paths_of
from idlewatch.http.header_fields import fields_of, is_html
from idlewatch.http.request_state import RequestState, find_state
from idlewatch.http.response_hooks import replaces_page
from idlewatch.http.site_urls import path_of
from idlewatch.http.templates import render_template
from idlewatch.http.view_warnings import warn

TEMPLATE = "idlewatch/inserted.html"
END_OF_BODY = re.compile(rb"</body\s*>", re.IGNORECASE)
WHOLE_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*(?><!--.*?-->\s*)*+<(!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
"""How a page begins; HTML allows its end tags to be left out, and minifiers do."""
COMPRESSED = (
    "%s is a page of the admin that was compressed before IdleWatchMiddleware, so it lacks the client. Put the "
    "middleware that compresses, such as GZipMiddleware, before IdleWatchMiddleware in MIDDLEWARE."
)


def insert_client(request: HttpRequest, response: HttpResponseBase) -> None:
    """Insert the client or the notice at the end of a page of the admin that lacks it.

    Themes replace Django's templates, and no block is common to all of them. Fragments of pages and downloads stay as
    they are.
    """
    state = find_state(request)
    if state is not None and is_to_be_completed(request, response, state):
        insert_parts(request, response)


def insert_parts(request: HttpRequest, response: HttpResponseBase) -> None:
    """Do the work of `insert_client` for a response that is to be completed."""
    assert isinstance(response, HttpResponse), "others are not completed"  # noqa: S101
    if response.has_header("Content-Encoding"):
        warn(request, COMPRESSED)
        return
    content = response.content
    at = _end_of(content)
    if at is None:
        return
    parts = render_template(TEMPLATE, {"request": request}, request).encode(response.charset)
    response.content = content[:at] + parts + content[at:]
    if response.has_header("Content-Length"):
        response.headers["Content-Length"] = str(len(response.content))


def is_to_be_completed(request: HttpRequest, response: HttpResponseBase, state: RequestState) -> bool:
    """Return whether a response may be a page of the admin that lacks the client or the notice."""
    page = state.page
    # Not by `state.watch_id`, whose reader's response depends on the session: this one may not.
    if page.client if state.session.watch_id is not None else page.notice or state.unshown_reason is None:
        return False
    if not isinstance(response, HttpResponse) or not is_html(response):
        return False
    is_page = state.navigates and request.method == "GET"
    # For the tab, also where the browser fetches it before the user asks for it.
    if not is_page and not is_seen(request) and (request.method != "GET" or "HTTP_SEC_PURPOSE" not in request.META):
        return False
    return _may_be_whole(response) and replaces_page(response) and _is_of_admin(request)


def _may_be_whole(response: HttpResponse) -> bool:
    """Return whether a response may be more than a fragment: finding the page's owner takes longer."""
    content = response.content
    return bool(WHOLE_PAGE.match(content)) or b"</body" in content.lower() or "content-encoding" in fields_of(response)


def _end_of(content: bytes) -> int | None:
    """Return where the body of a page ends; None for a fragment."""
    ends = list(END_OF_BODY.finditer(content))
    if ends:
        return ends[-1].start()
    return len(content) if WHOLE_PAGE.match(content) else None


def _is_of_admin(request: HttpRequest) -> bool:
    """Return whether a page is one of an admin site, or lies below its start page, as a project's own reports do."""
    match = request.resolver_match
    if match is not None and ADMIN_NAMESPACE in match.app_names:
        return True
    return any(path_of(request).startswith(path) for path in _admin_paths(request) if path != get_script_prefix())


def _admin_paths(request: HttpRequest) -> Iterable[str]:
    if not apps.is_installed("django.contrib.admin"):
        return ()
    from django.contrib.admin.sites import all_sites  # noqa: PLC0415 - an app that may not be installed

    # A site may have no URLs.
    return paths_of(request, tuple(f"{site.name}:index" for site in all_sites))
