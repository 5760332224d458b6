"""The page of a user's own active sessions, on which they end those they don't recognize (ASVS 7.5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.policy import Phase
from idlewatch.core.probes import is_probe
from idlewatch.decorators import outside_transactions
from idlewatch.exceptions import Undecided
from idlewatch.http.i18n import ui_context
from idlewatch.http.request_state import state_of
from idlewatch.http.templates import template_response
from idlewatch.http.user_agents import device_name
from idlewatch.models import WatchedSession
from idlewatch.monitor import records, stores
from idlewatch.monitor import service as monitor
from idlewatch.monitor.impersonation import is_impersonated
from idlewatch.process import now
from idlewatch.store.values import Watched
from idlewatch.views.reauthentication import check_factors, confirmation, is_fresh

MAX_ROWS = 100
"""Sessions that are listed. “End all other sessions” ends the others, too."""
MESSAGE_KEY = "_idlewatch_message"
"""Key in the session's data of the message for the next page."""


class Row(NamedTuple):
    """One session, as its user sees it."""

    id: str
    device: str
    address: str
    started: datetime
    last_active: datetime
    is_current: bool
    """The user looks at the page in this session."""
    username: str
    """As whom the user acts in this session; empty: as themselves."""
    impersonator: str
    """Who acts as the user in this session; empty: the user."""
    is_probe: bool = False
    """The site is tested by this session."""


class Target(NamedTuple):
    """The sessions that the user asks to end."""

    field: str
    """The name of the form's field."""
    value: str
    row: Row | None
    """None: all others."""


@outside_transactions
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@csrf_protect
def own_sessions(request: HttpRequest) -> HttpResponseBase:
    """List the user's active sessions; end one of them, or all others."""
    if request.method == "POST":
        return _end(request)
    return _list_page(request)


def _end(request: HttpRequest) -> HttpResponseBase:
    target = _find_target(request)
    if not isinstance(target, Target):
        return _back_to_list(request, target)
    if is_impersonated(request.session):
        return _back_to_list(request, gettext("You can’t end sessions while you act as another user."))
    if not is_fresh(request):
        error = check_factors(request, _user(request))
        if error is not None:
            return _confirmation_page(request, target, error)
    return _back_to_list(request, _end_target(request, target))


def _find_target(request: HttpRequest) -> Target | str:
    """Return what the user asks to end, or the error. For another user's session it is that for an unknown one."""
    if request.POST.get("others"):
        return Target("others", "1", None)
    watch_id = request.POST.get("end", "")
    row = next((row for row in _rows(request) if row.id == watch_id), None)
    if row is None:
        return gettext("This session no longer exists.")
    if row.is_current:
        return gettext("This is your current session. To end it, sign out.")
    return Target("end", watch_id, row)


def _end_target(request: HttpRequest, target: Target) -> str:
    user, at = _user(request), now()
    if target.row is not None:
        monitor.end(target.row.id, Reason.REVOKED, at, by=user)
        return gettext("The session was ended.")
    others = {row.id: at for row in _rows(request) if not row.is_current}
    for watch_id in others:
        monitor.end(watch_id, Reason.REVOKED, at, by=user)
    # Those that ended by themselves meanwhile are not counted.
    count = len(records.revoked_by(user.pk, others))
    message = ngettext("%(count)d other session was ended.", "%(count)d other sessions were ended.", count)
    return message % {"count": count}


def _rows(request: HttpRequest) -> Sequence[Row]:
    """Return the user's live sessions, the current one first, then by last activity."""
    at = now()
    live = list(WatchedSession.objects.live().used_by(_user(request).pk))
    rows = [_row(request, record, watched, at) for record, watched in zip(live, _get_all(live, at), strict=True)]
    return sorted(filter(None, rows), key=lambda row: (row.is_current, row.last_active), reverse=True)


def _get_all(live: Sequence[WatchedSession], at: float) -> Sequence[Watched | None]:
    """Return the sessions from the store, by one call; None for each if their state cannot be determined right now."""
    try:
        stored = stores.current().sessions.get_many([record.id for record in live])
    except Undecided:
        return [None] * len(live)
    return [watched or records.watched_of(record, at) for record, watched in zip(live, stored, strict=True)]


def _row(request: HttpRequest, record: WatchedSession, watched: Watched | None, at: float) -> Row | None:
    """Return the row of a session; None if it has ended, and the record is not closed yet."""
    last_active = record.last_active
    if watched is not None:
        if watched.verdict(at).phase is Phase.ENDED:
            return None
        last_active = max(last_active, as_datetime(watched.activity.idle_from(at, watched.policy.hold_limit)))
    device = device_name(record.pk, record.user_agent) or gettext("Unknown device")
    is_own = record.user_id == _user(request).pk
    return Row(
        id=record.id,
        device=device,
        address=record.address,
        started=record.started,
        last_active=last_active,
        is_current=record.id == state_of(request).watch_id,
        username="" if is_own else record.username,
        impersonator=record.impersonator_name if is_own else "",
        is_probe=is_probe(record.id),
    )


def _list_page(request: HttpRequest) -> HttpResponseBase:
    rows = _rows(request)
    context = {
        "message": request.session.pop(MESSAGE_KEY, None),
        "rows": rows[:MAX_ROWS],
        "hidden": len(rows[MAX_ROWS:]),
        "others": sum(not row.is_current for row in rows),
    }
    return template_response(request, "idlewatch/sessions.html", ui_context() | context)


def _confirmation_page(request: HttpRequest, target: Target, error: str | Promise) -> HttpResponseBase:
    """Ask for the password. Like Django's own forms, one with a wrong password is shown again with status 200."""
    context = confirmation(request, reverse("idlewatch:sessions")) | {"target": target, "error": error}
    return template_response(request, "idlewatch/sessions.html", ui_context() | context)


def _back_to_list(request: HttpRequest, message: str) -> HttpResponseBase:
    request.session[MESSAGE_KEY] = message
    return redirect("idlewatch:sessions")


def _user(request: HttpRequest) -> AbstractBaseUser:
    return cast("AbstractBaseUser", request.user)
