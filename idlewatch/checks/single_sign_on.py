"""Checks of what signs users in without asking them: an end must not be followed by a new session by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Warning  # noqa: A004 - Django's own name
from django.urls import Resolver404, get_script_prefix, resolve, reverse

from idlewatch.checks.middleware import IDLEWATCH, position
from idlewatch.checks.registry import Messages, check
from idlewatch.conf import conf
from idlewatch.conf.declaration import DOCUMENTATION

REMOTE_USER = "django.contrib.auth.middleware.RemoteUserMiddleware"
SESSION_REFRESH = "mozilla_django_oidc.middleware.SessionRefresh"
FETCHED = ("idlewatch:state", "idlewatch:page", "idlewatch:drafts")
"""What a page's script requests by GET."""
PACKAGES = frozenset(
    {"mozilla_django_oidc", "social_django", "django_cas_ng", "djangosaml2", "django_saml2_auth", "django_auth_adfs"}
)
"""Packages whose login view redirects to the login of another site at once."""
HINT = (
    "A page whose session has ended goes to LOGIN_URL by itself. While the user is signed in there, that makes a new "
    "session, and the page is shown again while no one is there. Make LOGIN_URL a page of yours with a button that "
    f"leads there, or have users asked each time; then silence this. See {DOCUMENTATION}/deployment.md#single-sign-on"
)


@check()
def login_page_asks_the_user() -> Messages:
    """Check that a page whose session has ended does not sign in again by itself, at a login elsewhere."""
    view = _login_view()
    packages = {each.__module__.partition(".")[0] for each in getattr(view, "__mro__", (view,)) if each is not None}
    for package in sorted(PACKAGES & packages):
        message = f"LOGIN_URL is {settings.LOGIN_URL!r}, where {package} redirects to another site's login at once."
        yield Warning(message, hint=HINT, id="idlewatch.W050")


@check()
def requests_do_not_sign_in() -> Messages:
    """Check that the server does not sign each request in."""
    at = position(REMOTE_USER)
    if at is not None:
        entry = settings.MIDDLEWARE[at]
        message = f"MIDDLEWARE has {entry!r}, which signs in the user that the server names, without asking."
        yield Warning(message, hint=HINT, id="idlewatch.W051")


@check()
def silent_sign_ins_are_seen() -> Messages:
    """Check that the silent sign-ins of mozilla-django-oidc neither cut pages off nor restart clocks."""
    at, own = position(SESSION_REFRESH), position(IDLEWATCH)
    if at is None or own is None:
        return
    if at < own:
        message = f"MIDDLEWARE has {settings.MIDDLEWARE[at]!r} before {IDLEWATCH!r}; expected it after."
        hint = "Otherwise its silent sign-ins count as sign-ins by the user, and restart the absolute timeout."
        yield Warning(message, hint=hint, id="idlewatch.W053")
    if missing := ", ".join(map(repr, _redirected())):
        message = f"OIDC_EXEMPT_URLS lacks {missing}; expected it there."
        hint = "SessionRefresh redirects to the provider, where a page's script can't follow: the page seems offline."
        yield Warning(message, hint=hint, id="idlewatch.W052")


def _login_view() -> object:
    """Return the class or function of the view at `LOGIN_URL`; None if it is not found, or another site's."""
    try:
        parts = urlsplit(conf.login_url)
        if parts.netloc or not parts.path.startswith(get_script_prefix()):
            return None
        view = resolve("/" + parts.path.removeprefix(get_script_prefix())).func
    except Resolver404:
        return None
    except Exception:  # noqa: BLE001 - other checks report a LOGIN_URL or a URLconf that can't be used
        return None
    return getattr(view, "view_class", view)


def _redirected() -> Iterator[str]:
    """Yield the names of what pages fetch, where the middleware redirects it."""
    exempt = getattr(settings, "OIDC_EXEMPT_URLS", ())
    for name in FETCHED:
        path = _path_of(name)
        if path is None:
            continue
        if not any(each.match(path) if isinstance(each, re.Pattern) else each in {name, path} for each in exempt):
            yield name


def _path_of(name: str) -> str | None:
    try:
        return reverse(name)
    except Exception:  # noqa: BLE001 - drafts are not installed; other checks report a URLconf that can't be used
        return None
