"""The records in Django's admin: to look at, search and export, never to edit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from idlewatch.admin import export
from idlewatch.admin.durations import in_words
from idlewatch.admin.filters import LiveFilter, UserFilter
from idlewatch.http.user_agents import device_of
from idlewatch.managers import SEARCH_FIELDS
from idlewatch.models import WatchedSession
from idlewatch.signals import event_log

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[WatchedSession]
else:
    _ModelAdmin = admin.ModelAdmin

NOTHING = "-"
"""What the admin shows for an empty value."""
LOGGED = 50
"""Entries of the admin's log that a record shows; its history has the rest."""
LIMITS: Mapping[str, Any] = {
    "idle_timeout": _("Idle timeout"),
    "warn_before": _("Warning before sign-out"),
    "absolute_timeout": _("Absolute timeout"),
    "close_grace": _("After the browser is closed"),
    "hold_limit": _("Held open while idle"),
    "heartbeat": _("Heartbeat interval"),
}
"""Those that an auditor asks for, in their order."""


def _shows_limit(name: str, label: Any) -> Callable[[WatchedSession], str]:  # noqa: ANN401 - a lazy text has no type
    @admin.display(description=label)
    def show(record: WatchedSession) -> str:
        return _limit(name, record.limits[name]) if name in record.limits else NOTHING

    # The admin makes a class of the field's element from it.
    show.__name__ = name
    return show


def _in_two_lines(moment: datetime) -> str:
    # The admin gives date and time one line together, and three of those would leave no room for the rest.
    parts = (date_format(timezone.localtime(moment), form) for form in ("DATE_FORMAT", "TIME_FORMAT"))
    return " ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)


LIMIT_FIELDS: Any = [_shows_limit(name, label) for name, label in LIMITS.items()]


FILTERED = frozenset({"reason", "started", LiveFilter.parameter_name, UserFilter.parameter_name})
"""What an address may filter by."""
FIELDS = frozenset({"pk", *(name for field in WatchedSession._meta.fields for name in (field.name, field.attname))})
PLAIN_LOOKUPS = frozenset({"", "exact", "isnull", "gte", "lt", "year", "month", "day"})
"""And how: a regular expression could keep the database busy for ever."""


class WatchedSessionAdmin(_ModelAdmin):
    """Shows what happened to each session."""

    list_display = (
        "username",
        "device",
        "address",
        "started_at",
        "last_active_at",
        "end",
        "warnings",
        "extensions",
    )
    list_filter = (LiveFilter, "reason", ("started", admin.DateFieldListFilter), UserFilter)
    search_fields = (*SEARCH_FIELDS, "pk__exact")  # The id is what logs name a session by.
    search_help_text = _("User name, address or user agent")
    date_hierarchy = "started"
    ordering = ("-started", "-pk")
    list_per_page = 50
    show_full_result_count = False  # It would count all records for each search.
    actions = None
    fieldsets = (
        (None, {"fields": ("account", "device", "user_agent", "address", "session")}),
        (
            _("Timeline"),
            {"fields": ("started", "signed_in", "last_active", "duration", "warnings", "extensions", "held")},
        ),
        (pgettext_lazy("heading", "End"), {"fields": ("ended", "how_it_ended")}),
        (_("Limits"), {"fields": LIMIT_FIELDS}),
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the address of the export; it stands first, for any word could be the id of a record."""
        view = self.admin_site.admin_view(self.export)
        return [path("export/", view, name="idlewatch_watchedsession_export"), *super().get_urls()]

    def get_readonly_fields(self, request: HttpRequest, obj: WatchedSession | None = None) -> list[str]:
        """Return every field: a record is not edited."""
        return [name for _title, options in self.fieldsets for name in options["fields"]]  # type: ignore[misc]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tell that records are made by signing in alone."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: WatchedSession | None = None) -> bool:
        """Tell that they are not edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: WatchedSession | None = None) -> bool:
        """Tell that they are not deleted here: `prunesessions` does that."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Let an address filter as the page's own filters do: by others, digests could be guessed letter by letter."""
        name, _separator, how = lookup.partition("__")
        if name == UserFilter.parameter_name:
            # By the filter alone, which looks at the value first.
            return not how
        # What is no field at all, Django leads back to the list.
        return (name in FILTERED and how in PLAIN_LOOKUPS) or name not in FIELDS

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Add the link that exports what is listed."""
        asked = request.GET.copy()
        asked.pop(PAGE_VAR, None)
        url = reverse(f"{self.admin_site.name}:idlewatch_watchedsession_export")
        export_url = f"{url}?{asked.urlencode()}" if asked else url
        return super().changelist_view(request, {"export_url": export_url, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Add what the admin's log says of the record, and the way to the live page while it lives."""
        content_type, watch_id = ContentType.objects.get_for_model(WatchedSession), unquote(object_id)
        entries = LogEntry.objects.filter(content_type=content_type, object_id=watch_id).select_related("user")
        extra = {"log_entries": entries.order_by("-action_time")[:LOGGED], "live_url": self._live_url(watch_id)}
        return super().change_view(request, object_id, form_url, {**extra, **(extra_context or {})})

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with the records that the list would show, all pages of it, as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = request.GET.copy()
        asked.pop(PAGE_VAR, None)
        request.GET = asked  # type: ignore[assignment]
        try:
            listed = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{reverse(f'{self.admin_site.name}:idlewatch_watchedsession_changelist')}?e=1")
        event_log.log_event("records_exported", user=str(request.user.pk), query=asked.urlencode() or None)
        return export.response(request, listed, timezone.now())

    @admin.display(description=_("user name"))
    def account(self, record: WatchedSession) -> SafeString:
        """Return who it was, and where their other sessions are."""
        if record.user_id is None:
            return format_html("<bdi>{}</bdi>", record.username)
        url = reverse(f"{self.admin_site.name}:idlewatch_watchedsession_changelist")
        others = f"{url}?{urlencode({UserFilter.parameter_name: record.user_id})}"
        return format_html(
            '<bdi>{}</bdi> (<a href="{}">{}</a>)', record.username, others, gettext("all sessions of this user")
        )

    @admin.display(description=_("session"))
    def session(self, record: WatchedSession) -> str:
        """Return the id by which logs name it; no secret."""
        return record.pk

    @admin.display(description=_("device"))
    def device(self, record: WatchedSession) -> str:
        """Return browser and system."""
        return device_of(record.user_agent) or NOTHING

    @admin.display(description=_("started"), ordering="started")
    def started_at(self, record: WatchedSession) -> str:
        """Return when it began."""
        return _in_two_lines(record.started)

    @admin.display(description=_("last active"), ordering="last_active")
    def last_active_at(self, record: WatchedSession) -> str:
        """Return when the user was last active, as far as the record knows."""
        return _in_two_lines(record.last_active)

    @admin.display(description=_("ended"), ordering="ended", empty_value=NOTHING)
    def end(self, record: WatchedSession) -> SafeString | None:
        """Return when it ended, and why."""
        if record.ended is None:
            return None
        return format_html("{}<br>{}", _in_two_lines(record.ended), self.how_it_ended(record))

    @admin.display(description=_("reason"), ordering="reason")
    def how_it_ended(self, record: WatchedSession) -> str:
        """Return why it ended, and by whom where somebody ended it."""
        why = record.get_reason_display() or NOTHING
        return f"{why} ({record.ended_by_name})" if record.ended_by_name else why

    @admin.display(description=_("held"), ordering="held_seconds")
    def held(self, record: WatchedSession) -> str:
        """Return for how long work that needs no input held it open."""
        return in_words(record.held_seconds) if record.held_seconds else NOTHING

    @admin.display(description=_("duration"))
    def duration(self, record: WatchedSession) -> str:
        """Return for how long it lasted."""
        if record.ended is None:
            return NOTHING
        # Two hosts may have dated it, whose clocks differ.
        return in_words(max(0.0, (record.ended - record.started).total_seconds()))

    def _live_url(self, watch_id: str) -> str | None:
        """Return where to end a session that lives."""
        if not WatchedSession.objects.live().filter(pk=watch_id).exists():
            return None
        try:
            url = reverse(f"{self.admin_site.name}:idlewatch_live_changelist")
        except NoReverseMatch:
            return None
        return f"{url}?{urlencode({'q': watch_id})}"


def _limit(name: str, value: float | None) -> str:
    if value is None:
        return gettext("never") if name == "close_grace" else gettext("no limit")
    # Translators: of a limit of a session: what it allows is not allowed at all.
    return in_words(value) if value or name != "hold_limit" else gettext("not allowed")
