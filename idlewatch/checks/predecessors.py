"""Checks that no other package times sessions out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.conf import settings
from django.core.checks import Warning  # noqa: A004 - Django's own name
from django.utils.module_loading import import_string

from idlewatch.checks.registry import Messages, check


class Predecessor(NamedTuple):
    """A package that idlewatch replaces."""

    package: str
    """As it is installed."""
    module: str
    """Its app, and the start of the path of its middleware."""
    id: str


PREDECESSORS = (
    Predecessor("django-session-security", "session_security", id="idlewatch.W038"),
    Predecessor("django-auto-logout", "django_auto_logout", id="idlewatch.W039"),
    Predecessor("django-session-timeout", "django_session_timeout", id="idlewatch.W040"),
)


@check()
def nothing_else_ends_sessions() -> Messages:
    """Check that no predecessor is left in the settings."""
    for package, module, identifier in PREDECESSORS:
        for setting, entry in _entries():
            if _is_from(entry, module):
                message = f"{setting} has {entry!r}, of {package}; expected idlewatch alone to time sessions out."
                hint = (
                    "It signs users out by its own clock, without idlewatch's warning and whatever they do in a page, "
                    "and requests of scripts keep its sessions alive. Remove it, with its tags and URLs."
                )
                yield Warning(message, hint=hint, id=identifier)


def _entries() -> Iterator[tuple[str, str]]:
    for setting in ("INSTALLED_APPS", "MIDDLEWARE"):
        entries = getattr(settings, setting)
        yield from ((setting, str(entry)) for entry in (entries if isinstance(entries, list | tuple) else ()))


def _is_from(entry: str, module: str) -> bool:
    """Return whether an app or a middleware is from a package, or a subclass of one that is."""
    if entry.partition(".")[0] == module:
        return True
    try:
        imported = import_string(entry)
    except Exception:  # noqa: BLE001 - an app; Django itself reports a middleware that can't be loaded
        return False
    bases = imported.__mro__ if isinstance(imported, type) else ()
    return any(base.__module__.partition(".")[0] == module for base in bases)
