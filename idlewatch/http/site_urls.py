"""URLs of the site: below its script name, in the page's language, absolute for a login page of another origin."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import TooManyFieldsSent
from django.core.signals import setting_changed
from django.http import HttpRequest
from django.urls import get_script_prefix, get_urlconf
from django.utils.encoding import escape_uri_path
from django.utils.translation import get_language, get_supported_language_variant, override

from idlewatch.conf import conf

LANGUAGE_PARAMETER = "idlewatch-language"
"""The query parameter that carries the page's language in the client's URLs."""


def below_script_name(path: str) -> str:
    """Return the URL of a path that no URLconf has, such as a socket's."""
    return get_script_prefix().removesuffix("/") + path


def client_url(url: str) -> str:
    """Return a URL for the client of a page, with the page's language if the login page's URL depends on it."""
    language = get_language()
    if language is None or not is_language_prefix_patterns_used(get_urlconf() or settings.ROOT_URLCONF)[0]:
        return url
    return f"{url}?{LANGUAGE_PARAMETER}={language}"


def path_of(request: HttpRequest) -> str:
    """Return the path of a request as the browser sent it.

    Under ASGI, `request.path` lacks the script name if a proxy has cut it off.
    """
    return _missing_script_name(request) + request.path


def full_path_of(request: HttpRequest) -> str:
    """Return the path of a request with its query, as the browser sent it."""
    return escape_uri_path(_missing_script_name(request)) + request.get_full_path()


def page_language(request: HttpRequest) -> str | None:
    """Return the language of the page whose client sent a request; None if the URL names no language of the site."""
    try:
        named = request.GET.get(LANGUAGE_PARAMETER)
        return get_supported_language_variant(named) if named else None
    except (LookupError, TooManyFieldsSent):
        return None


def login_url_of(request: HttpRequest, language: str | None = None) -> str:
    """Return the URL of the login page, in the language of the page whose client sent a request.

    `language`: what to use for requests that name no language; None is the active one.
    """
    language = page_language(request) or language
    if language is None:
        return conf.login_url
    return _login_url(language, get_urlconf(), get_script_prefix())


@lru_cache(maxsize=256)
def _login_url(language: str, urlconf: str | None, script_prefix: str) -> str:
    # Cached by what it depends on: each handshake asks, and resolving it is slow.
    with override(language):
        return conf.login_url


def _forget(*, setting: str, **_: object) -> None:
    if setting in {"LOGIN_URL", "ROOT_URLCONF"}:
        _login_url.cache_clear()


setting_changed.connect(_forget, dispatch_uid="idlewatch.http.site_urls")


def is_cross_origin(request: HttpRequest, url: str) -> bool:
    """Return whether a URL has another origin than the request."""
    parts = urlsplit(url)
    origin = (parts.scheme or request.scheme, parts.netloc)
    return bool(parts.netloc) and origin != (request.scheme, request.get_host())


def login_url_with_next(request: HttpRequest, path: str, login_url: str | None = None) -> str:
    """Return the URL of a login page whose `next` leads back to a path of this site, query included.

    `login_url`: the page's URL, by default that of `LOGIN_URL`.
    """
    login_url = login_url or login_url_of(request)
    # Put together by hand: a path that begins with two slashes would be taken for another host's.
    page = f"{request.scheme}://{request.get_host()}{path}" if is_cross_origin(request, login_url) else path
    return redirect_to_login(page, login_url).url


def _missing_script_name(request: HttpRequest) -> str:
    name = str(request.META.get("SCRIPT_NAME", "")).removesuffix("/")
    return "" if request.path.startswith(f"{name}/") else name
