"""Durations in words."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MINUTE, HOUR, DAY = 60, 3600, 86400


def in_words(seconds: float) -> str:
    """Return a duration in words, in the active language: “2 hours, 5 minutes”."""
    rest = round(seconds)
    days, rest = divmod(rest, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    units = [
        ngettext("%(count)d day", "%(count)d days", days) % {"count": days} if days else "",
        ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours} if hours else "",
        ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes} if minutes else "",
        ngettext("%(count)d second", "%(count)d seconds", rest) % {"count": rest} if rest else "",
    ]
    parts = [part for part in units if part]
    if len(parts) > 1:
        # The seconds of a day are noise. Translators: the two largest parts of a duration, as in “2 hours, 5 minutes”.
        return _("%(first)s, %(second)s") % {"first": parts[0], "second": parts[1]}
    return parts[0] if parts else ngettext("%(count)d second", "%(count)d seconds", 0) % {"count": 0}
