"""What Django's sessions have to be like."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings
from django.core.checks import Error, Warning  # noqa: A004 - Django's own names

from idlewatch.checks.registry import Found, of_site, policy
from idlewatch.conf.settings import conf, place

ENGINES_WITH_A_TABLE = ("django.contrib.sessions.backends.db", "django.contrib.sessions.backends.cached_db")


@of_site()
def apps_are_installed() -> Found:
    """Say which of Django's apps is missing."""
    needed = ["django.contrib.auth"]
    if conf.session_engine in ENGINES_WITH_A_TABLE:
        needed.append("django.contrib.sessions")
    for app in needed:
        if not apps.is_installed(app):
            message = f"INSTALLED_APPS has no {app!r}; expected it there."
            yield Error(message, hint="idlewatch watches the sessions of signed-in users.", id="idlewatch.E025")


@of_site()
def times_are_aware() -> Found:
    """Say that the database would not take the times of the records."""
    if not settings.USE_TZ:
        hint = "The records have their times in UTC; without it they can't be written, and nobody can sign in."
        yield Error("USE_TZ is False; expected True.", hint=hint, id="idlewatch.E041")


@of_site()
def cookie_outlives_the_limits() -> Found:
    """Say that Django would drop a session that has not ended."""
    limits, age = policy(), settings.SESSION_COOKIE_AGE
    if limits is None or not isinstance(age, int | float):
        return
    longest, name = limits.absolute_timeout, place("ABSOLUTE_TIMEOUT")
    if longest is None:
        longest, name = limits.idle_timeout + limits.hold_limit, f"{place('IDLE_TIMEOUT')} plus {place('HOLD_LIMIT')}"
    if age < longest:
        message = f"SESSION_COOKIE_AGE is {age:g} s; expected at least {name}, which is {longest:g} s."
        hint = "Django drops the session that long after login, whatever its user does. The default is 1209600."
        yield Error(message, hint=hint, id="idlewatch.E026")


@of_site()
def cookie_ends_with_the_browser() -> Found:
    """Say that session cookies would be kept when the browser is closed."""
    if not settings.SESSION_EXPIRE_AT_BROWSER_CLOSE:
        message = f"SESSION_EXPIRE_AT_BROWSER_CLOSE is {settings.SESSION_EXPIRE_AT_BROWSER_CLOSE!r}; expected True."
        hint = "Browsers keep the cookies of sessions that began elsewhere than at a login until they expire."
        yield Warning(message, hint=hint, id="idlewatch.W007")


@of_site()
def sessions_are_saved_when_changed() -> Found:
    """Say that every request writes a session for nothing."""
    if settings.SESSION_SAVE_EVERY_REQUEST:
        message = f"SESSION_SAVE_EVERY_REQUEST is {settings.SESSION_SAVE_EVERY_REQUEST!r}; expected False."
        hint = (
            "idlewatch keeps the time of activity itself; saving whole sessions loses what parallel requests changed."
        )
        yield Warning(message, hint=hint, id="idlewatch.W008")
