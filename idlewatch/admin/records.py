"""The session history in Django's admin: to view, search and export."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, ChangeList
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db import connections
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from idlewatch.admin import export
from idlewatch.admin.columns import RecordColumns
from idlewatch.admin.filters import LiveFilter, UserFilter
from idlewatch.admin.limits import LIMIT_FIELDS
from idlewatch.admin.read_only import ReadOnlyAdmin
from idlewatch.managers import SEARCH_FIELDS, among
from idlewatch.models import WatchedSession
from idlewatch.signals import event_log

MAX_COUNTED = 1_000
"""Records of a list that are counted, and paged through: an operator finds the others by a filter or a search."""
INDEXED_COLUMNS = ("started_at", "end")
"""The columns by which a long list is sorted: all of it is, for one page."""
MAX_FACETED = 5_000
"""Records beyond which the choices of filters show no counts: each count reads all that the other filters leave."""
LOG_LENGTH = 50
"""Entries of the admin log on the page of a record; its history has the rest."""
FILTER_FIELDS = frozenset({"reason", "started", LiveFilter.parameter_name, UserFilter.parameter_name})
"""The fields by which a URL may filter."""
FIELDS = frozenset({"pk", *(name for field in WatchedSession._meta.fields for name in (field.name, field.attname))})
PLAIN_LOOKUPS = frozenset({"", "exact", "isnull", "gte", "lt", "year", "month", "day"})
"""The lookups of those filters: a regular expression could keep the database busy forever."""


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages through the first records of a list: to count millions of them takes seconds."""

    @cached_property
    def count(self) -> int:
        """Return how many records there are, up to `MAX_COUNTED`."""
        rows: Any = self.object_list
        return int(rows.order_by()[:MAX_COUNTED].count())

    def page(self, number: int | str) -> Page[WatchedSession]:
        """Return a page: its ids are found in an index, and no record of the pages before is read."""
        number = self.validate_number(number)
        rows: Any = self.object_list
        ids = list(rows.values_list("pk", flat=True)[(number - 1) * self.per_page : number * self.per_page])
        return Page(rows.filter(among("pk", ids)), number, self)


class RecordList(ChangeList):
    """A list of records that a URL can't sort by a column without an index, if it is long."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Return the order, without one that has the database read and sort millions of records for one page."""
        if self.params.get(ORDER_VAR) and not self.query:
            shown = dict(enumerate(map(str, self.list_display)))
            columns = {shown.get(place) for place in self.get_ordering_field_columns()}
            if not columns.issubset(INDEXED_COLUMNS) and queryset.order_by()[:MAX_COUNTED].count() == MAX_COUNTED:
                del self.params[ORDER_VAR]
        return super().get_ordering(request, queryset)


class WatchedSessionAdmin(RecordColumns, ReadOnlyAdmin):
    """Shows the record of each session."""

    list_display = (
        "name",
        "device",
        "address",
        "started_at",
        "last_active_at",
        "end",
        "warnings",
        "extensions",
    )
    list_filter = (LiveFilter, "reason", ("started", admin.DateFieldListFilter), UserFilter)
    search_fields = (*SEARCH_FIELDS, "impersonator_name", "pk__exact")  # The id is what logs name a session by.
    search_help_text = _("User name, address or user agent")
    date_hierarchy = "started"
    ordering = ("-started", "-pk")
    list_per_page = 50
    paginator = CappedPaginator
    show_full_result_count = False  # It would count all records for each search.
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
        """Add the URL of the export, before the others: any word could be the id of a record."""
        view = self.admin_site.admin_view(self.export)
        return [path("export/", view, name="idlewatch_watchedsession_export"), *super().get_urls()]

    def get_readonly_fields(self, request: HttpRequest, obj: WatchedSession | None = None) -> list[str]:
        """Return every field."""
        return [name for _title, options in self.fieldsets for name in options["fields"]]  # type: ignore[misc]

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the order of the list: the one of an index, also for a state."""
        is_by_state = LiveFilter.parameter_name in request.GET and "reason__exact" not in request.GET
        return ("-ended", *self.ordering) if is_by_state else self.ordering

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the class of the list."""
        return RecordList

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Leave out the date hierarchy where it would read millions of records, or the database can't compute it.

        Searching once takes long enough, whether anything matches or not. MariaDB can't compute dates
        without time zone tables.
        """
        listed = super().get_changelist_instance(request)
        database = connections[listed.queryset.db]
        has_zones = database.features.has_zoneinfo_database
        can_compute_dates = has_zones or timezone.get_current_timezone_name() == database.timezone_name
        is_short = 0 < listed.result_count < MAX_COUNTED
        if not is_short:
            listed.sortable_by = INDEXED_COLUMNS
        if not is_short or listed.query or not can_compute_dates:
            listed.date_hierarchy = None
        if WatchedSession.objects.order_by()[:MAX_FACETED].count() == MAX_FACETED:
            listed.is_facets_optional = listed.add_facets = False
        return listed

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Return whether a URL may filter by this lookup: by others, digests could be guessed letter by letter."""
        name, _separator, how = lookup.partition("__")
        if name == UserFilter.parameter_name:
            # Only the filter itself, which validates the value.
            return not how
        # Django redirects to the list if there is no such field.
        return (name in FILTER_FIELDS and how in PLAIN_LOOKUPS) or name not in FIELDS

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Add the link to the export of the list."""
        parameters = request.GET.copy()
        parameters.pop(PAGE_VAR, None)
        url = reverse(f"{self.admin_site.name}:idlewatch_watchedsession_export")
        export_url = f"{url}?{parameters.urlencode()}" if parameters else url
        return super().changelist_view(request, {"export_url": export_url, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Add the entries of the admin log and, for a live session, the link to the live page."""
        content_type, watch_id = ContentType.objects.get_for_model(WatchedSession), unquote(object_id)
        entries = LogEntry.objects.filter(content_type=content_type, object_id=watch_id).select_related("user")
        extra = {"log_entries": entries.order_by("-action_time")[:LOG_LENGTH], "live_url": self._live_url(watch_id)}
        return super().change_view(request, object_id, form_url, {**extra, **(extra_context or {})})

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Return the records of the list, all its pages, as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        parameters = request.GET.copy()
        parameters.pop(PAGE_VAR, None)
        request.GET = parameters  # type: ignore[assignment]
        try:
            listed = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{reverse(f'{self.admin_site.name}:idlewatch_watchedsession_changelist')}?e=1")
        event_log.log_event("records_exported", user=str(request.user.pk), query=parameters.urlencode() or None)
        return export.response(request, listed, timezone.now())

    def _live_url(self, watch_id: str) -> str | None:
        """Return the URL of the live page, searched for a session; None if it is not live."""
        if not WatchedSession.objects.live().filter(pk=watch_id).exists():
            return None
        try:
            url = reverse(f"{self.admin_site.name}:idlewatch_live_changelist")
        except NoReverseMatch:
            return None
        return f"{url}?{urlencode({'q': watch_id})}"
