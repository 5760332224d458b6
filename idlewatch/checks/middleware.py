"""Where the middleware stands."""

from __future__ import annotations

from django.conf import settings
from django.core.checks import Error
from django.utils.module_loading import import_string

from idlewatch.checks.registry import Found, of_site

IDLEWATCH = "idlewatch.middleware.IdleWatchMiddleware"
LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"
NEEDED = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


@of_site()
def middleware_is_there() -> Found:
    """Say that no request would be judged."""
    if position(IDLEWATCH) is None:
        message = f"MIDDLEWARE has no {IDLEWATCH!r}; expected it after {NEEDED[-1]!r}."
        yield Error(message, hint="Without it no session ends.", id="idlewatch.E022")


@of_site()
def middleware_knows_the_user() -> Found:
    """Say which middleware has to come first."""
    at = position(IDLEWATCH)
    if at is None:
        return
    for path in NEEDED:
        before = position(path)
        if before is None or before > at:
            stands = "no" if before is None else "it before"
            message = f"MIDDLEWARE has {stands} {path!r}; expected {IDLEWATCH!r} after that."
            hint = "The request's session and user have to be there when it is judged."
            yield Error(message, hint=hint, id="idlewatch.E023")


@of_site()
def middleware_precedes_login_required() -> Found:
    """Say that the reason of an end would be lost."""
    at, after = position(IDLEWATCH), position(LOGIN_REQUIRED)
    if at is not None and after is not None and at > after:
        message = f"MIDDLEWARE has {IDLEWATCH!r} after {LOGIN_REQUIRED!r}; expected it before that."
        hint = "Else users of an ended session are sent to the login page before they can be told why."
        yield Error(message, hint=hint, id="idlewatch.E024")


def position(path: str) -> int | None:
    """Return where a middleware, or a subclass of it, stands first; None where it does not."""
    middleware: object = settings.MIDDLEWARE
    if not isinstance(middleware, list | tuple):
        return None
    return next((at for at, entry in enumerate(middleware) if _is(entry, path)), None)


def _is(entry: object, path: str) -> bool:
    if entry == path:
        return True
    try:
        found, base = import_string(str(entry)), import_string(path)
    except Exception:  # noqa: BLE001 - Django itself reports a middleware that can't be loaded
        return False
    return isinstance(found, type) and isinstance(base, type) and issubclass(found, base)
