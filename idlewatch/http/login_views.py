"""The views by which users sign in: which requests go to one, and which responses redirect to one."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch, Resolver404, ResolverMatch, get_script_prefix, resolve, reverse
from django.utils.translation import get_language, get_language_from_path, override

from idlewatch.conf import conf
from idlewatch.http.classification import ADMIN_NAMESPACE, match_of
from idlewatch.http.site_urls import is_cross_origin, login_url_of, login_url_with_next, path_of

REDIRECTS = frozenset({301, 302, 303, 307, 308})
LOGIN_VIEW = "LoginView"
"""The class name of the login view of Django, allauth and others; subclasses are login views too."""
_SIGN_IN = re.compile(r"(\w+[-_])?(log|sign)[-_]?in")
"""Names of URLs that sign in, such as those to which scripts send credentials."""


def is_login_page(request: HttpRequest) -> bool:
    """Return whether a request goes to a page where users sign in."""
    match = match_of(request)
    return _is_login_url(request) or (match is not None and _is_login_view(match))


def needs_no_login(request: HttpRequest) -> bool:
    """Return whether a request goes to a view that signs in, or to one that is marked `login_not_required`."""
    match = match_of(request)
    if is_login_page(request):
        return True
    if match is None:
        return False
    return getattr(match.func, "login_required", True) is False or bool(_SIGN_IN.fullmatch(match.url_name or ""))


def turns_away(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether a view asks the user to sign in: by 401, 403, or a redirect to where users sign in."""
    return response.status_code in {401, 403} or sign_in_redirect(request, response) is not None


def sign_in_redirect(request: HttpRequest, response: HttpResponseBase) -> str | None:
    """Return the URL to which a response redirects users to sign in; None if it does not.

    Such a URL is that of a login view, or any that carries the requested path in `next`, as a central login's does.
    """
    if response.status_code not in REDIRECTS:
        return None
    here, location = request.build_absolute_uri(), response.headers.get("Location", "")
    try:
        login_url = login_url_of(request)
        target, login = (urlsplit(urljoin(here, url)) for url in (location, login_url))
        if (target.netloc, target.path) == (login.netloc, login.path):
            return login_url
        is_here = target.netloc == urlsplit(here).netloc
        urlconf = getattr(request, "urlconf", None)
        is_login = _returns_to(request, target.query) or (is_here and leads_to_login(unquote(target.path), urlconf))
    except ValueError:
        # The view redirects to something that is no URL.
        return None
    if not is_login:
        return None
    return target._replace(scheme="", netloc="").geturl() if is_here else location


def login_url_after_end(request: HttpRequest, page: str, refusal: HttpResponseBase | None = None) -> str:
    """Return the URL where the user of an ended session signs in again; it leads back to a page, given by its path.

    That is where the `refusal` of a view redirects, the login page of the requested admin site, or `LOGIN_URL`.
    """
    redirect = None if refusal is None else sign_in_redirect(request, refusal)
    return login_url_with_next(request, page, redirect or _admin_login_of(request))


def _is_login_url(request: HttpRequest) -> bool:
    login = conf.login_url
    return path_of(request) == urlsplit(login).path and not is_cross_origin(request, login)


def _admin_login_of(request: HttpRequest) -> str | None:
    """Return the login page of the admin site that a request goes to; None if it goes elsewhere."""
    match = match_of(request)
    if match is None or match.app_name != ADMIN_NAMESPACE:
        return None
    try:
        return reverse(f"{ADMIN_NAMESPACE}:login", getattr(request, "urlconf", None), current_app=match.namespace)
    except NoReverseMatch:
        # An app of the project may have that name too.
        return None


def _is_login_view(match: ResolverMatch) -> bool:
    if (match.app_name, match.url_name) == (ADMIN_NAMESPACE, "login"):
        return True
    # Views of Django REST framework have `cls`, others `view_class`.
    view = getattr(match.func, "view_class", None) or getattr(match.func, "cls", None)
    return any(each.__name__ == LOGIN_VIEW for each in getattr(view, "__mro__", ()))


def leads_to_login(path: str, urlconf: str | None = None) -> bool:
    """Return whether a path of the site, below its script name, is that of a login view."""
    prefix = get_script_prefix()
    if not path.startswith(prefix):
        return False
    # The path may begin with another language than the request's (`i18n_patterns`).
    with override(get_language_from_path(path) or get_language()):
        try:
            match = resolve("/" + path.removeprefix(prefix), urlconf)
        except Resolver404:
            return False
    return _is_login_view(match)


def _returns_to(request: HttpRequest, query: str) -> bool:
    """Return whether a query leads back to the requested path after signing in."""
    values = parse_qs(query).get(REDIRECT_FIELD_NAME, ())
    return any(unquote(urlsplit(value).path) == path_of(request) for value in values)
