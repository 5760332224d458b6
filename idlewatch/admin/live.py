"""The live page: who is there now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import get_language, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from idlewatch import notify
from idlewatch.admin import actions
from idlewatch.core.protocol import LIVE_PATH
from idlewatch.http.i18n import direction_of_words, language_of_words
from idlewatch.http.request_state import state_of
from idlewatch.live.query import SIZES
from idlewatch.models import REASON_LABELS, Live
from idlewatch.permissions import END, VIEW

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Live]
else:
    _ModelAdmin = admin.ModelAdmin

ANY = "0"
"""Stands for the id of a record in the address that the page is given."""
PERIOD = 200
"""Numbers for which the page is told the plural. From a hundred on, the last two digits decide."""

STRINGS: dict[str, str | Promise] = {
    "active": _("Active"),
    "warned": _("Warned"),
    # Translators: {reason} is why the session is about to end, such as “inactivity”.
    "warned_for": _("Warned: {reason}"),
    # Translators: of a session; what stands where the time until its end would.
    "never": _("never"),
    # Translators: work that needs no input holds the session open, and has given no label of its own.
    "held": _("Held"),
    # Translators: beside the operator's own name.
    "you": _("you"),
    "gone": _("Ended"),
    "left": _("No longer on this page"),
    "present": _("This is your current session."),
    # Translators: {user} is a name, {started} a time.
    "select": _("Select the session of {user}, started {started}"),
    "record": _("Record of the session of {user}, started {started}"),
    "lost": _("The connection to the server was lost at {time}. Trying again…"),
    "unavailable": _("The server can’t read the sessions right now. This page shows them as of {time}."),
    "empty": _("No one is signed in right now."),
    "no_match": _("No live session matches."),
    "bounded": _("Too many sessions match to search all of them. Narrow the search or the filter."),
    # Translators: numbers of pages.
    "page": _("Page {page} of {pages}"),
    "all_unknown": _("Select all matching sessions"),
    # Translators: {total} is a number of sessions.
    "at_least": _("At least {total}"),
    "all_selected": _("All matching sessions are selected."),
    # Translators: {most} is a number of sessions.
    "most": _("At most {most} can be selected one by one."),
    "chart": _(
        # Translators: the numbers stand for sessions.
        "The last hour. Active: {active} now, {most_active} at most. Warned: {warned} now, {most_warned} at most. "
        "Ended: {ended}."
    ),
    "chart_empty": _("No data yet. The first numbers appear within half a minute."),
    "chart_ended": _("Ended per minute"),
    # Translators: of the sessions that an operator is about to act on; {user} is a name.
    "one_user": _("This affects one user: {user}."),
    "blank": _("Enter a message."),
    "characters": _("{count} of {limit} characters"),
    # Translators: how far an action is: 120 of 10,000.
    "progress": _("{done} of {total}"),
    # Translators: headings over how far an action is, and over what it has done.
    "title_ending": _("Ending…"),
    "title_sending": _("Sending…"),
    "title_done": _("Done"),
    "title_stopped": _("Stopped"),
    "title_unfinished": _("Not finished"),
    "stopping": _("Stopping…"),
    "stopped": _("Stopped."),
    "reached": _("The message reached {reached} of {open} open tabs."),
    "unreachable": _("The server can’t be reached."),
    "refused": _("The server refused the request. Reload the page."),
    "nothing": _("None of these sessions is live any longer."),
    "nothing_but_own": _("Only your own sessions are selected, and they are excluded."),
}
"""What the page says by itself; the rest of its words stand in the template."""

PLURALS: dict[str, tuple[str, str] | Any] = {
    "changes": ngettext_lazy("{n} change, show", "{n} changes, show", "n"),
    "selected": ngettext_lazy("{n} session selected", "{n} sessions selected", "n"),
    "all": ngettext_lazy("Select the {n} matching session", "Select all {n} matching sessions", "n"),
    "total": ngettext_lazy("{n} session", "{n} sessions", "n"),
    "end": ngettext_lazy("End {n} session?", "End {n} sessions?", "n"),
    "notice": ngettext_lazy("Send a message to {n} session?", "Send a message to {n} sessions?", "n"),
    # Translators: of the sessions that an operator is about to act on.
    "users": ngettext_lazy("This affects {n} user.", "This affects {n} users.", "n"),
    "own": ngettext_lazy("{n} of your own sessions is excluded.", "{n} of your own sessions are excluded.", "n"),
    "ended": ngettext_lazy("{n} session ended.", "{n} sessions ended.", "n"),
    "own_left": ngettext_lazy("{n} of your own sessions was excluded.", "{n} of your own sessions were excluded.", "n"),
}
"""Sentences about a number, in the forms that the language has for it."""


class LiveAdmin(_ModelAdmin):
    """Shows the live sessions, by a socket; nothing of them is in the page itself."""

    def get_urls(self) -> list[URLPattern]:
        """Return the address of the page, and those of what an operator does there."""
        page = self.admin_site.admin_view(self.changelist_view)
        return [path("", page, name="idlewatch_live_changelist"), *actions.urls(self)]

    def has_view_permission(self, request: HttpRequest, obj: Live | None = None) -> bool:
        """Tell whether somebody may watch; the records' permission says so."""
        return request.user.has_perm(VIEW)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Tell whether the page is listed."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tell that sessions are made by signing in alone."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Live | None = None) -> bool:
        """Tell that there is nothing to edit."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Live | None = None) -> bool:
        """Tell that sessions are ended, not deleted."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Answer with the page; what it shows comes by the socket."""
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
            "notice_length": notify.LONGEST,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/idlewatch/live.html", context)


def page_config(request: HttpRequest, site: admin.AdminSite) -> dict[str, Any]:
    """Return what the page's script has to know."""
    acts = request.user.has_perm(END)
    return {
        "socket": LIVE_PATH,
        "count": reverse(f"{site.name}:idlewatch_live_count") if acts else None,
        "act": reverse(f"{site.name}:idlewatch_live_act") if acts else None,
        "records": _address(site, "idlewatch_watchedsession_changelist"),
        "record": _address(site, "idlewatch_watchedsession_change", ANY),
        "account": _account(request, site),
        "present": state_of(request).session.watch_id,
        "language": language_of_words(),
        "direction": direction_of_words(),
        "zone": timezone.get_current_timezone_name(),
        "strings": STRINGS | {f"reason_{reason}": label for reason, label in REASON_LABELS.items()},
        "plurals": plurals(get_language() or ""),
    }


@lru_cache(maxsize=32)
def plurals(_language: str) -> Mapping[str, Mapping[str, object]]:
    """Return each sentence's forms, and which belongs to each number: rules of grammar stay in the catalogue."""
    return {name: _forms(sentence) for name, sentence in PLURALS.items()}


def _forms(sentence: Any) -> dict[str, object]:  # noqa: ANN401 - Django's lazy strings have no type of their own
    said = [str(sentence % {"n": number}) for number in range(PERIOD)]
    forms = list(dict.fromkeys(said))
    return {"forms": forms, "which": "".join(str(forms.index(each)) for each in said)}


def _account(request: HttpRequest, site: admin.AdminSite) -> str | None:
    """Return the start of the address at which the operator finds an account by its name; None: there is none."""
    user = get_user_model()
    registered = site._registry.get(user)
    if registered is None or not registered.has_view_permission(request):
        return None
    address = _address(site, f"{user._meta.app_label}_{user._meta.model_name}_changelist")
    return None if address is None else f"{address}?{user.USERNAME_FIELD}__exact="


def _address(site: admin.AdminSite, name: str, *args: str) -> str | None:
    try:
        return reverse(f"{site.name}:{name}", args=args)
    except NoReverseMatch:
        # The host has registered something of its own in its place, or nothing.
        return None
