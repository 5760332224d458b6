"""Checks of the position of the middleware."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.utils.module_loading import import_string

from idlewatch.checks.registry import Messages, check

IDLEWATCH = "idlewatch.middleware.IdleWatchMiddleware"
LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"
FLATPAGES = "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware"
NEEDED = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


@check()
def middleware_is_installed() -> Messages:
    """Check that requests pass through the middleware."""
    if position(IDLEWATCH) is None:
        message = f"MIDDLEWARE has no {IDLEWATCH!r}; expected it after {NEEDED[-1]!r}."
        yield Error(message, hint="Without it no session ends.", id="idlewatch.E022")


@check()
def middleware_follows_authentication() -> Messages:
    """Check that the middleware finds the request's session and user."""
    at = position(IDLEWATCH)
    if at is None:
        return
    for path in NEEDED:
        before = position_of_kind(path)
        if before is None or before > at:
            problem = f"no {path!r}" if before is None else f"{IDLEWATCH!r} before {path!r}"
            message = f"MIDDLEWARE has {problem}; expected {IDLEWATCH!r} after {path!r}."
            hint = "idlewatch needs the request's session and user."
            yield Error(message, hint=hint, id="idlewatch.E023")


@check()
def middleware_precedes_login_required() -> Messages:
    """Check that users learn the reason before they are redirected to sign in."""
    at, after = position(IDLEWATCH), position(LOGIN_REQUIRED)
    if at is not None and after is not None and at > after:
        message = f"MIDDLEWARE has {IDLEWATCH!r} after {LOGIN_REQUIRED!r}; expected it before."
        hint = "Otherwise users of an ended session are redirected to the login page without the reason."
        yield Error(message, hint=hint, id="idlewatch.E024")


@check()
def pages_are_rendered_behind_it() -> Messages:
    """Check that no page is rendered after the middleware has set the headers that keep it from caches."""
    at = position(IDLEWATCH)
    # Not by `position`, which would import the app.
    if at is not None and FLATPAGES in _entries()[:at]:
        message = f"MIDDLEWARE has {FLATPAGES!r} before {IDLEWATCH!r}; expected it after that."
        hint = (
            "Put it last, as Django's documentation has it. Otherwise caches may store its pages with a user's client."
        )
        yield Warning(message, hint=hint, id="idlewatch.W045")


def position(path: str) -> int | None:
    """Return the first position of a middleware, or of a subclass of it; None where there is none."""
    return next((at for at, entry in enumerate(_entries()) if _is(entry, path)), None)


def position_of_kind(path: str) -> int | None:
    """Return the first position of a middleware, or of one of a package that has its name and is no subclass of it."""
    name = path.rpartition(".")[2]
    named = (at for at, entry in enumerate(_entries()) if str(entry).rpartition(".")[2] == name)
    at = position(path)
    return next(named, None) if at is None else at


def _entries() -> Sequence[object]:
    middleware: object = settings.MIDDLEWARE
    return middleware if isinstance(middleware, list | tuple) else ()


def _is(entry: object, path: str) -> bool:
    if entry == path:
        return True
    try:
        imported, base = import_string(str(entry)), import_string(path)
    except Exception:  # noqa: BLE001 - Django itself reports a middleware that can't be loaded
        return False
    return isinstance(imported, type) and isinstance(base, type) and issubclass(imported, base)
