"""The live page in Django's admin."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import get_language

from idlewatch import notify
from idlewatch.admin import actions
from idlewatch.admin.live_strings import STRINGS, plurals
from idlewatch.admin.read_only import ReadOnlyAdmin
from idlewatch.conf import conf
from idlewatch.core.protocol import LIVE_PATH
from idlewatch.http.i18n import ui_direction, ui_language
from idlewatch.http.request_state import state_of
from idlewatch.http.site_urls import below_script_name
from idlewatch.live.query import SIZES
from idlewatch.models import REASON_LABELS, Live
from idlewatch.permissions import END, VIEW

ID_PLACEHOLDER = "0"
"""Stands for the id of a record in the URL that the page gets."""


class LiveAdmin(ReadOnlyAdmin):
    """Shows the live sessions. The page itself has none: they come by its socket."""

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs of the page and of its actions."""
        page = self.admin_site.admin_view(self.changelist_view)
        return [path("", page, name="idlewatch_live_changelist"), *actions.urls(self)]

    def has_view_permission(self, request: HttpRequest, obj: Live | None = None) -> bool:
        """Return whether the user may view sessions."""
        return request.user.has_perm(VIEW)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the index lists the page."""
        return self.has_view_permission(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Return the page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        config = page_config(request, self.admin_site)
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(Live._meta.verbose_name_plural),
            "opts": Live._meta,
            "config": config,
            "config_json": json.dumps(config, cls=DjangoJSONEncoder),
            "sizes": SIZES,
            "notice_length": notify.MAX_NOTICE_LENGTH,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/idlewatch/live.html", context)


def page_config(request: HttpRequest, site: admin.AdminSite) -> dict[str, Any]:
    """Return the configuration of the page's script."""
    acts = request.user.has_perm(END)
    return {
        "socket": below_script_name(LIVE_PATH),
        "count": reverse(f"{site.name}:idlewatch_live_count") if acts else None,
        "act": reverse(f"{site.name}:idlewatch_live_act") if acts else None,
        "records": _url(site, "idlewatch_watchedsession_changelist"),
        "record": _url(site, "idlewatch_watchedsession_change", ID_PLACEHOLDER),
        "account": _account(request, site),
        "csrfHeader": conf.csrf_header,
        "present": state_of(request).watch_id,
        "language": ui_language(),
        "direction": ui_direction(),
        "zone": timezone.get_current_timezone_name(),
        "strings": STRINGS | {f"reason_{reason}": label for reason, label in REASON_LABELS.items()},
        "plurals": plurals(get_language() or ""),
    }


def _account(request: HttpRequest, site: admin.AdminSite) -> str | None:
    """Return the URL of the list of accounts, to be completed by a user name; None if the operator may not view it."""
    user = get_user_model()
    registered = site._registry.get(user)
    if registered is None or not registered.has_view_permission(request):
        return None
    url = _url(site, f"{user._meta.app_label}_{user._meta.model_name}_changelist")
    return None if url is None else f"{url}?{user.USERNAME_FIELD}__exact="


def _url(site: admin.AdminSite, name: str, *args: str) -> str | None:
    try:
        return reverse(f"{site.name}:{name}", args=args)
    except NoReverseMatch:
        # The project has registered an admin of its own in its place, or none.
        return None
