"""The limits of a session, as fields of its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from idlewatch.admin.durations import in_words
from idlewatch.models import WatchedSession

NOTHING = "-"
"""Shown for an empty value."""
LIMITS: Mapping[str, Any] = {
    "idle_timeout": _("Idle timeout"),
    "warn_before": _("Warning before sign-out"),
    "absolute_timeout": _("Absolute timeout"),
    "close_grace": _("After the browser is closed"),
    "hold_limit": _("Held open while idle"),
    "heartbeat": _("Heartbeat interval"),
}
"""The limits that an auditor asks for, in the order shown."""


def _limit_field(name: str, label: Any) -> Callable[[WatchedSession], str]:  # noqa: ANN401 - a lazy text has no type
    @admin.display(description=label)
    def show(record: WatchedSession) -> str:
        limits = record.limits if isinstance(record.limits, dict) else {}
        return _limit(name, limits[name]) if name in limits else NOTHING

    # The admin derives a CSS class from the name.
    show.__name__ = name
    return show


LIMIT_FIELDS: Any = [_limit_field(name, label) for name, label in LIMITS.items()]


def _limit(name: str, value: object) -> str:
    if value is None:
        return gettext("never") if name == "close_grace" else gettext("no limit")
    if not isinstance(value, int | float):
        # It was written by hand.
        return str(value)
    # Translators: value of a limit that is 0.
    return in_words(value) if value or name != "hold_limit" else gettext("not allowed")
