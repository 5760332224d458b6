"""Checks of Django's session settings."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings
from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.core.exceptions import ImproperlyConfigured

from idlewatch.checks.registry import Messages, check, policy
from idlewatch.conf.declaration import place
from idlewatch.conf.settings import conf

ENGINES_WITH_A_TABLE = ("django.contrib.sessions.backends.db", "django.contrib.sessions.backends.cached_db")


@check()
def apps_are_installed() -> Messages:
    """Check that the apps of Django which idlewatch needs are installed."""
    needed = ["django.contrib.auth"]
    if conf.session_engine in ENGINES_WITH_A_TABLE:
        needed.append("django.contrib.sessions")
    for app in needed:
        if not apps.is_installed(app):
            message = f"INSTALLED_APPS lacks {app!r}; expected it there."
            yield Error(message, hint="idlewatch watches the sessions of signed-in users.", id="idlewatch.E025")


@check()
def times_are_aware() -> Messages:
    """Check that records can be written."""
    if not settings.USE_TZ:
        hint = "Records have aware times; without time zones they can't be written, and users can't sign in."
        yield Error("USE_TZ is False; expected True.", hint=hint, id="idlewatch.E041")


@check()
def cookie_outlasts_the_limits() -> Messages:
    """Check that Django drops no session before it ends."""
    limits, age = policy(), settings.SESSION_COOKIE_AGE
    if limits is None or not isinstance(age, int | float):
        return
    longest, name = limits.absolute_timeout, place("ABSOLUTE_TIMEOUT")
    if longest is None:
        longest, name = limits.idle_timeout + limits.hold_limit, f"{place('IDLE_TIMEOUT')} plus {place('HOLD_LIMIT')}"
    if age < longest:
        message = f"SESSION_COOKIE_AGE is {age:.15g} s; expected at least {name}, which is {longest:.15g} s."
        hint = "Django drops a session this long after login, whatever its user does. The default is 1209600."
        yield Error(message, hint=hint, id="idlewatch.E026")


@check()
def records_outlast_the_cookie() -> Messages:
    """Check that a browser that comes back with the cookie of a session finds the record."""
    retention, age = _record_retention(), settings.SESSION_COOKIE_AGE
    if retention is not None and isinstance(age, int | float) and retention < age:
        expected = f"expected at least SESSION_COOKIE_AGE, {age:.15g} s"
        message = f"{place('RECORD_RETENTION')} is {retention:.15g} s; {expected}."
        hint = "Until then a browser may come back with the cookie of a session, and its record tells why it ended."
        yield Error(message, hint=hint, id="idlewatch.E064")


def _record_retention() -> float | None:
    try:
        return conf.record_retention
    except ImproperlyConfigured:
        # That is reported by the check of the setting.
        return None


@check()
def cookie_ends_with_the_browser() -> Messages:
    """Check that browsers drop session cookies when they are closed."""
    if not settings.SESSION_EXPIRE_AT_BROWSER_CLOSE:
        message = f"SESSION_EXPIRE_AT_BROWSER_CLOSE is {settings.SESSION_EXPIRE_AT_BROWSER_CLOSE!r}; expected True."
        hint = "Without it, browsers keep the cookie of a session that did not start with a login until it expires."
        yield Warning(message, hint=hint, id="idlewatch.W007")


@check()
def sessions_are_saved_when_changed() -> Messages:
    """Check that requests write no session without need."""
    if settings.SESSION_SAVE_EVERY_REQUEST:
        message = f"SESSION_SAVE_EVERY_REQUEST is {settings.SESSION_SAVE_EVERY_REQUEST!r}; expected False."
        hint = "idlewatch keeps the time of activity itself. Saving whole sessions loses changes of parallel requests."
        yield Warning(message, hint=hint, id="idlewatch.W008")
