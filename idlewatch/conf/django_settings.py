"""Django's own settings that idlewatch depends on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from django.conf import global_settings, settings
from django.http.request import HttpHeaders
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, get_script_prefix, is_valid_path

KEPT = frozenset({"ROOT_URLCONF", "SESSION_COOKIE_NAME", "SESSION_SAVE_EVERY_REQUEST"})
"""Settings that every request asks for: they are read once, and again when Django says that one has changed."""


class DjangoSettings:
    """Session, cookie and login settings of the project, read at each access but for `KEPT`."""

    @property
    def debug(self) -> bool:
        """Whether responses may explain themselves to developers."""
        return bool(settings.DEBUG)

    @property
    def static_path(self) -> str | None:
        """The path below which static files are; None if they have no path of their own here."""
        url = urlsplit(settings.STATIC_URL or "")
        return url.path if not url.netloc and url.path.strip("/") else None

    @cached_property
    def root_urlconf(self) -> str:
        """The module of the URLs of requests that have none of their own."""
        return settings.ROOT_URLCONF

    @cached_property
    def session_cookie_name(self) -> str:
        """The cookie that carries the session key."""
        return settings.SESSION_COOKIE_NAME

    @property
    def session_cookie_age(self) -> float:
        """Seconds for which a browser may come back with the cookie of a session."""
        return float(settings.SESSION_COOKIE_AGE)

    @property
    def session_engine(self) -> str:
        """The module of the session engine."""
        return settings.SESSION_ENGINE

    @cached_property
    def session_always_saved(self) -> bool:
        """Whether each response saves the session, even if its view did not change it."""
        return bool(settings.SESSION_SAVE_EVERY_REQUEST)

    @property
    def caches_all_pages(self) -> bool:
        """Whether Django's cache middleware keeps pages, not only `cache_page`."""
        return "django.middleware.cache.UpdateCacheMiddleware" in settings.MIDDLEWARE

    @property
    def cookie_options(self) -> dict[str, Any]:
        """Path, domain and SameSite of the session cookie, as arguments of `set_cookie`."""
        return {
            "path": settings.SESSION_COOKIE_PATH,
            "domain": settings.SESSION_COOKIE_DOMAIN,
            "samesite": settings.SESSION_COOKIE_SAMESITE,
        }

    @property
    def csrf_header(self) -> str:
        """The header in which scripts send the CSRF token; the setting is its key in `request.META`."""
        return HttpHeaders.parse_header_name(settings.CSRF_HEADER_NAME) or settings.CSRF_HEADER_NAME

    @property
    def cookies_secure(self) -> bool:
        """Whether browsers send the session cookie over HTTPS only."""
        return bool(settings.SESSION_COOKIE_SECURE)

    @property
    def secrets(self) -> Sequence[str | bytes]:
        """The secret key, then its fallbacks."""
        return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)

    @property
    def login_url(self) -> str:
        """The URL of the login page."""
        return resolve_url(settings.LOGIN_URL)

    @property
    def logout_redirect_url(self) -> str:
        """The URL to go to after signing out."""
        return resolve_url(settings.LOGOUT_REDIRECT_URL) if settings.LOGOUT_REDIRECT_URL else self.login_url

    @property
    def home_url(self) -> str:
        """The URL of the start page, where Django redirects after a login without `next`; else that of the site."""
        given = settings.LOGIN_REDIRECT_URL
        # A project whose logins all have a `next` may have no page at Django's default.
        if not given or (given == global_settings.LOGIN_REDIRECT_URL and not leads_to_a_page(given)):
            return get_script_prefix()
        try:
            return resolve_url(given)
        except NoReverseMatch:
            return get_script_prefix()


def leads_to_a_page(path: str) -> bool:
    """Return whether a path matches a URL of the site, which may lie below a script name."""
    prefix = get_script_prefix()
    return path.startswith(prefix) and bool(is_valid_path("/" + path.removeprefix(prefix)))
