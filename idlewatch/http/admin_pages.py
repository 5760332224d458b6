"""The client in pages of Django's admin, whichever of Django's blocks their theme has kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, get_script_prefix, reverse

from idlewatch.http.classification import ADMIN_NAMESPACE, is_seen
from idlewatch.http.request_state import RequestState, find_state
from idlewatch.http.response_hooks import is_html
from idlewatch.http.site_urls import path_of

TEMPLATE = "idlewatch/inserted.html"
END_OF_BODY = re.compile(rb"</body\s*>", re.IGNORECASE)


def insert_client(request: HttpRequest, response: HttpResponseBase) -> None:
    """Insert the client or the notice at the end of a page of the admin that lacks it.

    Themes replace Django's templates, and no block is common to all of them. Fragments of pages stay as they are.
    """
    state = find_state(request)
    if state is None or not isinstance(response, HttpResponse) or not _lacks_parts(state):
        return
    if not is_html(response) or response.has_header("Content-Encoding") or not is_seen(request):
        return
    ends = list(END_OF_BODY.finditer(response.content))
    if ends and _is_of_admin(request):
        at = ends[-1].start()
        parts = render_to_string(TEMPLATE, {"request": request}, request).encode(response.charset)
        response.content = response.content[:at] + parts + response.content[at:]
        if response.has_header("Content-Length"):
            response.headers["Content-Length"] = str(len(response.content))


def _lacks_parts(state: RequestState) -> bool:
    # Not by `state.watch_id`, whose reader's response depends on the session: this one may not.
    if state.session.watch_id is not None:
        return not state.page.client
    return state.unshown_reason is not None and not state.page.notice


def _is_of_admin(request: HttpRequest) -> bool:
    """Return whether a page is one of an admin site, or lies below its start page, as a project's own reports do."""
    match = request.resolver_match
    if match is not None and ADMIN_NAMESPACE in match.app_names:
        return True
    return any(path_of(request).startswith(path) for path in _admin_paths() if path != get_script_prefix())


def _admin_paths() -> Iterator[str]:
    if not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.sites import all_sites  # noqa: PLC0415 - an app that may not be installed

    for site in all_sites:
        # A site may have no URLs.
        with suppress(NoReverseMatch):
            yield reverse(f"{site.name}:index")
