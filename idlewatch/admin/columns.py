"""The computed columns and fields of a record."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from idlewatch.admin.durations import in_words
from idlewatch.admin.filters import UserFilter
from idlewatch.admin.limits import NOTHING
from idlewatch.http.user_agents import device_name
from idlewatch.models import WatchedSession

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class RecordColumns(_ModelAdmin):
    """The columns of a record that are more than one of its fields."""

    @admin.display(description=_("user name"), ordering="username")
    def name(self, record: WatchedSession) -> SafeString:
        """Return the user name, and the operator who acts as the user, if there is one."""
        if not record.impersonator_name:
            return format_html("<bdi>{}</bdi>", record.username)
        by = gettext("impersonated by")
        return format_html("<bdi>{}</bdi> ({}: <bdi>{}</bdi>)", record.username, by, record.impersonator_name)

    @admin.display(description=_("user name"))
    def account(self, record: WatchedSession) -> SafeString:
        """Return the name, with a link to the user's other sessions."""
        name = self.name(record)
        if record.user_id is None:
            return name
        url = reverse(f"{self.admin_site.name}:idlewatch_watchedsession_changelist")
        others = f"{url}?{urlencode({UserFilter.parameter_name: record.user_id})}"
        return format_html('{} (<a href="{}">{}</a>)', name, others, gettext("all sessions of this user"))

    @admin.display(description=_("session"))
    def session(self, record: WatchedSession) -> str:
        """Return the id that the logs show; not a secret."""
        return record.pk

    @admin.display(description=_("device"))
    def device(self, record: WatchedSession) -> str:
        """Return browser and operating system."""
        return device_name(record.pk, record.user_agent) or NOTHING

    @admin.display(description=_("started"), ordering="started")
    def started_at(self, record: WatchedSession) -> str:
        """Return the time of the start."""
        return _in_two_lines(record.started)

    @admin.display(description=_("last active"), ordering="last_active")
    def last_active_at(self, record: WatchedSession) -> str:
        """Return the time of the last activity that the record has."""
        return _in_two_lines(record.last_active)

    @admin.display(description=_("ended"), ordering="ended", empty_value=NOTHING)
    def end(self, record: WatchedSession) -> SafeString | None:
        """Return the time and the reason of the end."""
        if record.ended is None:
            return None
        return format_html("{}<br>{}", _in_two_lines(record.ended), self.how_it_ended(record))

    @admin.display(description=_("reason"), ordering="reason")
    def how_it_ended(self, record: WatchedSession) -> str:
        """Return the reason of the end, and the user who ended it, if any."""
        why = record.get_reason_display() or NOTHING
        return f"{why} ({record.ended_by_name})" if record.ended_by_name else why

    @admin.display(description=_("held"), ordering="held_seconds")
    def held(self, record: WatchedSession) -> str:
        """Return how long holds kept the session open."""
        return in_words(record.held_seconds) if record.held_seconds else NOTHING

    @admin.display(description=_("duration"))
    def duration(self, record: WatchedSession) -> str:
        """Return the length of the session."""
        if record.ended is None:
            return NOTHING
        # Start and end may come from two hosts whose clocks differ.
        return in_words(max(0.0, (record.ended - record.started).total_seconds()))


def _in_two_lines(moment: datetime) -> str:
    # On one line, three columns of date and time would leave no room for the rest.
    parts = (date_format(timezone.localtime(moment), form) for form in ("DATE_FORMAT", "TIME_FORMAT"))
    return " ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)
