"""Classification of requests: a navigation, activity of the user, a poll, a call of the page's client."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.views import LogoutView
from django.core.signals import setting_changed
from django.http import HttpRequest
from django.urls import (
    NoReverseMatch,
    Resolver404,
    ResolverMatch,
    URLPattern,
    URLResolver,
    get_resolver,
    get_script_prefix,
    get_urlconf,
    resolve,
    reverse,
)
from django.urls.resolvers import RoutePattern
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language

from idlewatch.conf import conf
from idlewatch.decorators import Mark, mark_of, marked
from idlewatch.decorators import needs_session as needs_session_of
from idlewatch.http.site_urls import full_path_of, path_of

ADMIN_NAMESPACE = "admin"
"""The application namespace in the URLs of every admin site."""
_SIGN_OUT = re.compile(r"(\w+[-_])?(log|sign)[-_]?out")
"""Names of URLs that sign out: `logout` in the admin and here, `account_logout` in allauth."""
CLIENT_ENDPOINTS = ("idlewatch:state", "idlewatch:message", "idlewatch:page", "idlewatch:drafts")
_ENDINGS = tuple(f"{name.partition(':')[2]}/" for name in CLIENT_ENDPOINTS)
"""How their paths end, whatever they are included below: each has its name as its path."""
# Headers are read from `META`: `request.headers` is made of all of them, and every request is classified.
BACKGROUND_HEADERS = ("HTTP_HX_REQUEST", "HTTP_X_REQUESTED_WITH", "HTTP_SEC_PURPOSE")
HANDSHAKE_HEADERS = ("HTTP_SEC_WEBSOCKET_KEY", "HTTP_SEC_WEBSOCKET_VERSION")
"""Headers of a WebSocket handshake that reach the application also where a proxy drops `Upgrade`."""
_TELLING_HEADERS = (*BACKGROUND_HEADERS, *HANDSHAKE_HEADERS, "HTTP_UPGRADE")
"""Without any of them, as most navigations come, a request is neither a background request nor a handshake."""
Route = tuple[Any, ...]
"""The patterns of a URL, below the slash that begins every path."""
FRAMES = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})


def is_navigation(request: HttpRequest) -> bool:
    """Return whether the browser fetches a page that the user asked for.

    Without fetch metadata (plain HTTP off localhost, old browsers), `Accept` decides.
    """
    headers: dict[str, str] = request.META
    if not headers.keys().isdisjoint(_TELLING_HEADERS) and (
        not headers.keys().isdisjoint(BACKGROUND_HEADERS) or _is_handshake(headers)
    ):
        return False
    mode = headers.get("HTTP_SEC_FETCH_MODE")
    if mode is not None:
        return mode == "navigate"
    accept = headers.get("HTTP_ACCEPT")
    return accept is None or "text/html" in accept.lower()


def is_seen(request: HttpRequest) -> bool:
    """Return whether the user will see the response: a navigation, or a link that htmx boosts."""
    if request.method not in {"GET", "POST"}:
        return False
    return is_navigation(request) or _is_boosted(request)


def fills_a_frame(request: HttpRequest) -> bool:
    """Return whether the response of a navigation fills a frame in a page, and not the tab."""
    return request.META.get("HTTP_SEC_FETCH_DEST") in FRAMES


def is_script_of_page(request: HttpRequest) -> bool:
    """Return whether a script of a page of this site sent the request, and that page stays, as far as browsers tell."""
    headers: dict[str, str] = request.META
    mode = headers.get("HTTP_SEC_FETCH_MODE")
    return headers.get("HTTP_SEC_FETCH_SITE") == "same-origin" and mode not in {None, "navigate"}


def follows_external_login(request: HttpRequest) -> bool:
    """Return whether a request that signs a user in comes from the login page of another site, as in single sign-on.

    OAuth redirects back, which is a GET; SAML posts a form.
    """
    return request.method == "GET" or request.META.get("HTTP_SEC_FETCH_SITE") in {"cross-site", "same-site"}


def may_show_a_page(request: HttpRequest) -> bool:
    """Return whether the response may be a page, also for a script that swaps pages, as Turbo and Unpoly do."""
    if is_navigation(request) or _is_boosted(request):
        return True
    accept: str = request.META.get("HTTP_ACCEPT", "")
    return "text/html" in accept.lower()


def counts(request: HttpRequest, navigates: bool) -> bool:
    """Return whether a request is activity of its user; `navigates`: whether it is a navigation."""
    mark = _mark(request)
    headers: dict[str, str] = request.META
    if mark is Mark.PASSIVE or headers.get("HTTP_IDLEWATCH_PASSIVE") == "1" or is_client_endpoint(request):
        return False
    if not navigates and _is_handshake(headers):
        return False
    paths = conf.passive_paths
    if paths is not None and paths.search(request.path_info) is not None:
        return False
    if navigates or mark is Mark.ACTIVE:
        return True
    return conf.count_background_requests and "HTTP_SEC_PURPOSE" not in request.META


def _is_handshake(headers: Mapping[str, str]) -> bool:
    """Return whether a request is a WebSocket handshake, which a WSGI server passes on as a GET."""
    return not headers.keys().isdisjoint(HANDSHAKE_HEADERS) or "websocket" in headers.get("HTTP_UPGRADE", "").lower()


def _is_boosted(request: HttpRequest) -> bool:
    """Return whether htmx fetches a page for a link that it boosts."""
    boosted: str | None = request.META.get("HTTP_HX_BOOSTED")
    return boosted == "true"


def is_client_endpoint(request: HttpRequest) -> bool:
    """Return whether a request goes to an endpoint of the browser client: state, message, page, drafts."""
    if not request.path.endswith(_ENDINGS):
        # Nearly all requests: what `reverse` depends on takes longer to ask for.
        return False
    return path_of(request) in paths_of(request, CLIENT_ENDPOINTS)


def paths_of(request: HttpRequest, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths of the URLs with these names, without those that the site does not have."""
    urlconf = getattr(request, "urlconf", None) or get_urlconf()
    return _paths_of(names, urlconf, get_script_prefix(), get_language())


@lru_cache(maxsize=256)
def _paths_of(names: tuple[str, ...], urlconf: str | None, script_prefix: str, language: str | None) -> tuple[str, ...]:
    # Cached by what `reverse` depends on, which is slow.
    paths = []
    for name in names:
        with suppress(NoReverseMatch):
            paths.append(reverse(name, urlconf))
    return tuple(paths)


def _mark(request: HttpRequest) -> Mark | None:
    """Return the mark of the view or of its URL name. The URL is resolved only if one with a mark may be meant."""
    resolver = get_resolver(getattr(request, "urlconf", None) or conf.root_urlconf)
    # Marks are set when their views are imported: loading the URL patterns does that.
    resolver.url_patterns  # noqa: B018
    if not marked and not conf.passive_url_names:
        return None
    path = request.path_info.removeprefix("/")
    beginnings, routes = _marked_routes(resolver, conf.passive_url_names)
    if not path.startswith(beginnings):
        # Nearly all requests.
        return None
    for route in routes:
        if _fits(route, path):
            match = match_of(request)
            if match is None:
                return None
            return Mark.PASSIVE if match.view_name in conf.passive_url_names else mark_of(match.func)
    return None


@lru_cache(maxsize=16)
def _marked_routes(resolver: URLResolver, passive_names: Container[str]) -> tuple[tuple[str, ...], Sequence[Route]]:
    """Return how paths to views with a mark begin, and the routes to these.

    Most sites have few, and resolving a URL may try all patterns.
    """
    found = _routes(resolver, (), ())
    routes = [route for route, name, view in found if view is None or name in passive_names or mark_of(view)]
    return tuple({_beginning_of(route) for route in routes}), routes


def _beginning_of(route: Route) -> str:
    """Return how all paths along a route begin; empty where the language or a regular expression decides."""
    first = route[0]
    if type(first) is not RoutePattern or first.converters:
        return ""
    text = first._route  # type: ignore[attr-defined]
    # A translated one is not a string yet.
    return text if type(text) is str else ""


def _routes(
    resolver: URLResolver, route: Route, namespaces: tuple[str | None, ...]
) -> Iterator[tuple[Route, str, Callable[..., object] | None]]:
    """Yield all routes with the names of their URLs and their views; None for what resolves in a way of its own."""
    for each in resolver.url_patterns:
        inner = (*route, each.pattern)
        if type(each) is URLResolver:
            yield from _routes(each, inner, (*namespaces, each.namespace))
        elif type(each) is URLPattern:
            yield inner, ":".join(filter(None, (*namespaces, each.name or each.lookup_str))), each.callback
        else:
            yield inner, "", None


def _fits(route: Route, path: str) -> bool:
    """Return whether a path may lead along a route."""
    for pattern in route:
        match = pattern.match(path)
        if match is None:
            return False
        path = match[0]
    return True


def _forget(*, setting: str, **_: object) -> None:
    if setting == "ROOT_URLCONF":
        _paths_of.cache_clear()


setting_changed.connect(_forget, dispatch_uid="idlewatch.http.classification")


def match_of(request: HttpRequest) -> ResolverMatch | None:
    """Resolve a request's URL; return None if it matches no pattern."""
    try:
        return resolve(request.path_info, getattr(request, "urlconf", None))
    except Resolver404:
        return None


def needs_session(request: HttpRequest) -> bool:
    """Return whether a request concerns its session: static files, health and metrics do not."""
    static = conf.static_path
    if static is not None and path_of(request).startswith(static):
        return False
    match = match_of(request)
    return match is None or needs_session_of(match.func)


def is_sign_out(request: HttpRequest) -> bool:
    """Return whether a request goes to a view that signs the user out, by its class or the name of its URL."""
    match = match_of(request)
    if match is None:
        return False
    view_class = getattr(match.func, "view_class", None)
    if isinstance(view_class, type) and issubclass(view_class, LogoutView):
        return True
    return _SIGN_OUT.fullmatch(match.url_name or "") is not None


def page_path_of(request: HttpRequest) -> str:
    """Return the path, with its query, of the page that the user is on: where to return after signing in again."""
    if is_navigation(request) and request.method in {"GET", "HEAD"}:
        return full_path_of(request)
    page = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    try:
        parts = urlsplit(page)
    except ValueError:
        return get_script_prefix()
    if (parts.scheme, parts.netloc) != (request.scheme, request.get_host()):
        return get_script_prefix()
    path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    # A path that begins with two slashes would be another host's.
    return path if url_has_allowed_host_and_scheme(path, allowed_hosts=None) else get_script_prefix()
