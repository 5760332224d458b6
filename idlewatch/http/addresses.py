"""URLs for pages and redirects: below the script name, in the page's language, absolute for a login elsewhere."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest
from django.urls import get_script_prefix, get_urlconf
from django.utils.encoding import escape_uri_path
from django.utils.translation import get_language, get_supported_language_variant, override

from idlewatch.conf import conf

LANGUAGE_PARAMETER = "idlewatch-language"
"""Query parameter with the page's language, in the client's URLs."""


def below_script_name(path: str) -> str:
    """Return the URL of a path that is in no URLconf."""
    return get_script_prefix().removesuffix("/") + path


def client_url(url: str) -> str:
    """Return a URL for the client of a page, with the page's language if the login page's URL depends on it."""
    language = get_language()
    if language is None or not is_language_prefix_patterns_used(get_urlconf() or settings.ROOT_URLCONF)[0]:
        return url
    return f"{url}?{LANGUAGE_PARAMETER}={language}"


def path_of(request: HttpRequest) -> str:
    """Return the path of a request, as the browser has it.

    Under ASGI, `request.path` lacks the script name if a proxy has cut that off.
    """
    return _missing_script_name(request) + request.path


def full_path_of(request: HttpRequest) -> str:
    """Return the path of a request with its query, as the browser has it."""
    return escape_uri_path(_missing_script_name(request)) + request.get_full_path()


def page_language(request: HttpRequest) -> str | None:
    """Return the language of the page whose client sent a request; None if its URL names none of the site's."""
    try:
        return get_supported_language_variant(request.GET.get(LANGUAGE_PARAMETER, ""))
    except (LookupError, TooManyFieldsSent):
        return None


def login_url_of(request: HttpRequest, language: str | None = None) -> str:
    """Return the URL of the login page in the language of the page whose client sent a request.

    `language`: that of other requests, by default the active one.
    """
    found = page_language(request) or language
    if found is None:
        return conf.login_url
    with override(found):
        return conf.login_url


def is_elsewhere(request: HttpRequest, url: str) -> bool:
    """Return whether a URL is one of another origin."""
    parts = urlsplit(url)
    origin = (parts.scheme or request.scheme, parts.netloc)
    return bool(parts.netloc) and origin != (request.scheme, request.get_host())


def to_login(request: HttpRequest, path: str, login: str | None = None) -> str:
    """Return the URL of a login page from which users come back to a path of this site, query included.

    `login`: the page's URL, by default that of `LOGIN_URL`.
    """
    login = login or login_url_of(request)
    # Put together by hand: a path that begins with two slashes would be taken for another host's.
    page = f"{request.scheme}://{request.get_host()}{path}" if is_elsewhere(request, login) else path
    return redirect_to_login(page, login).url


def _missing_script_name(request: HttpRequest) -> str:
    name = str(request.META.get("SCRIPT_NAME", "")).removesuffix("/")
    return "" if request.path.startswith(f"{name}/") else name
