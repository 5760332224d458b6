"""The filters of the session history."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from idlewatch.admin import users
from idlewatch.models import LIVES, WatchedSession

REASON = "reason"
"""The field of the filter by reason."""


class CountedFilter(admin.SimpleListFilter):
    """A filter that counts by its conditions.

    Django would count by a subquery over all records, which does not finish on PostgreSQL with some 200,000.
    """

    def condition(self, value: str) -> Q:
        """Return the condition of a choice."""
        raise NotImplementedError

    def queryset(self, _request: HttpRequest, queryset: QuerySet[WatchedSession]) -> QuerySet[WatchedSession]:
        """Return the records of the choice."""
        value = self.value()
        return (
            queryset.filter(self.condition(value))
            if value in {choice for choice, _ in self.lookup_choices}
            else queryset
        )

    def get_facet_counts(self, pk_attname: str, _filtered: QuerySet[Any]) -> dict[str, Count]:
        """Return the counts of all choices."""
        choices = enumerate(self.lookup_choices)
        return {f"{place}__c": Count(pk_attname, filter=self.condition(value)) for place, (value, _) in choices}


class LiveFilter(CountedFilter):
    """Live sessions, or those that have ended."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, _request: HttpRequest, _model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, Any]]:
        """Return the choices."""
        return [("live", _("Live")), ("ended", _("Ended"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WatchedSession]) -> QuerySet[WatchedSession]:
        """Return the records of the choice; those that have a reason have ended, and an index finds them by that."""
        if request.GET.get(f"{REASON}__exact"):
            return queryset.none() if self.value() == "live" else queryset
        return super().queryset(request, queryset)

    def condition(self, value: str) -> Q:
        """Return the condition of a choice."""
        return LIVES if value == "live" else ~LIVES


class UserFilter(CountedFilter):
    """The sessions of one user, chosen by a link: there may be too many users to list."""

    title = _("user")
    parameter_name = "user"

    def lookups(self, _request: HttpRequest, _model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        """Return the user that the URL names; without one the filter is hidden."""
        value = self.value()
        return [(value, self._name_of(value))] if value else []

    def condition(self, value: str) -> Q:
        """Return the condition of a choice."""
        try:
            return Q(user=users.key_of(value))
        except ValidationError as error:
            raise IncorrectLookupParameters(error) from error

    def _name_of(self, value: str) -> str:
        try:
            user = get_user_model()._base_manager.filter(pk=users.key_of(value)).first()
        except ValidationError:
            return value
        return value if user is None else str(user.get_username())
