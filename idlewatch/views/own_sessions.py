"""A user's own sessions: where they are signed in, and how they end the ones they don't know (ASVS 7.5.2)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime, now
from idlewatch.core.policy import Phase
from idlewatch.decorators import outside_transactions
from idlewatch.exceptions import Undecided
from idlewatch.http.i18n import direction_of_words, language_of_words
from idlewatch.http.request_state import state_of
from idlewatch.http.user_agents import device_of
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions, records
from idlewatch.monitor import service as monitor
from idlewatch.signals import event_log
from idlewatch.store.values import Watched

FRESH = 300.0
"""Seconds for which a sign-in vouches for its user."""
TRIES = 5
"""Wrong passwords in `TRIES_WITHIN` seconds, after which only a new sign-in vouches."""
TRIES_WITHIN = 900.0
SHOWN = 100
"""Sessions that are listed, at most; to end all others ends those, too, that are not."""
SAID_KEY = "_idlewatch_said"
"""Where it keeps what the next page is to say."""


class Row(NamedTuple):
    """One session, as its user sees it."""

    id: str
    device: str
    address: str
    started: datetime
    last_active: datetime
    is_this: bool
    """The user looks at it from here."""


class Wish(NamedTuple):
    """What the user wants to end."""

    field: str
    """The name of the form's field."""
    value: str
    row: Row | None
    """The session; None: all others."""


@outside_transactions
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@csrf_protect
def own_sessions(request: HttpRequest) -> HttpResponseBase:
    """List the sessions of the user who asks; end one of them, or all others."""
    if request.method == "POST":
        return _end(request)
    return _page(request, said=request.session.pop(SAID_KEY, None))


def _end(request: HttpRequest) -> HttpResponseBase:
    wish = _wish_of(request)
    if not isinstance(wish, Wish):
        return _back(request, wish)
    if not _vouches_by_sign_in(request):
        problem = _problem(request)
        if problem is not None:
            return _page(request, wish=wish, error=problem)
    return _back(request, _fulfil(request, wish))


def _wish_of(request: HttpRequest) -> Wish | str:
    """Return what the user wants to end, or why that can't be; of others' sessions no more is said than of none."""
    if request.POST.get("others"):
        return Wish("others", "1", None)
    wanted = request.POST.get("end", "")
    row = next((row for row in _rows(request) if row.id == wanted), None)
    if row is None:
        return gettext("There is no such session any more.")
    if row.is_this:
        return gettext("This is the session that you are in. To end it, log out.")
    return Wish("end", wanted, row)


def _fulfil(request: HttpRequest, wish: Wish) -> str:
    user, at = _user(request), now()
    if wish.row is not None:
        monitor.end(wish.row.id, Reason.REVOKED, at, by=user)
        return gettext("The session was ended.")
    others = {row.id: at for row in _rows(request) if not row.is_this}
    for other in others:
        monitor.end(other, Reason.REVOKED, at, by=user)
    # One that ended by itself meanwhile is none of these.
    count = len(records.revoked_by(user.pk, others))
    said = ngettext("%(count)d other session was ended.", "%(count)d other sessions were ended.", count)
    return said % {"count": count}


def _vouches_by_sign_in(request: HttpRequest) -> bool:
    """Tell whether the user signed in to this very session a moment ago."""
    signed_in = request.session.get(django_sessions.SIGNED_IN_KEY)
    # One that lies ahead was written before the clock was put back.
    return signed_in is not None and 0 <= now() - signed_in < FRESH


@sensitive_variables("password")
def _problem(request: HttpRequest) -> str | Promise | None:
    """Return why the password that came does not vouch for the user; None where it does. Empty: none was asked for."""
    if not _may_try(request):
        return ""
    password = request.POST.get("password")
    if password is None:
        return ""
    if not password:
        return _("Enter your password.")
    user, watch = _user(request), _watch(request)
    if not records.count_try(watch, TRIES, TRIES_WITHIN, now()):
        return ""
    found = authenticate(request, username=user.get_username(), password=password)
    if found is None or found.pk != user.pk:
        event_log.log_event("wrong_password", level=logging.WARNING, watch_id=watch, user=str(user.pk))
        return _("This is not your password.")
    records.forget_tries(watch)
    _follow_hash(request, found)
    return None


def _follow_hash(request: HttpRequest, user: AbstractBaseUser) -> None:
    """Keep the session where Django hashed the password anew, which it does whenever it sees one of an older kind."""
    digest = (
        django_sessions.auth_digest(user.get_session_auth_hash()) if hasattr(user, "get_session_auth_hash") else None
    )
    if digest is not None and digest != django_sessions.auth_digest_of(request.session):
        update_session_auth_hash(request, user)  # type: ignore[arg-type]
        monitor.rebind(request.session[django_sessions.WATCH_KEY], request.session)
        state_of(request).change.auth_digest = digest


def _may_try(request: HttpRequest) -> bool:
    """Tell whether a password would vouch: where there is none, or too many were wrong, only signing in again does."""
    return _user(request).has_usable_password() and records.tries(_watch(request), TRIES_WITHIN, now()) < TRIES


def _watch(request: HttpRequest) -> str:
    # Who is signed in is watched: the middleware saw to it.
    return state_of(request).session.watch_id or ""


def _rows(request: HttpRequest) -> Sequence[Row]:
    """Return the live sessions of a user, this one first, then the one last active first."""
    at, present = now(), state_of(request).session.watch_id
    live = list(WatchedSession.objects.live().for_user(_user(request).pk))
    rows = [_row(record, watched, at, present) for record, watched in zip(live, _known(live, at), strict=True)]
    found = [row for row in rows if row is not None]
    return sorted(found, key=lambda row: (row.is_this, row.last_active), reverse=True)


def _known(live: Sequence[WatchedSession], at: float) -> Sequence[Watched | None]:
    """Return the sessions as the store knows them, asked once for all; None for each where nobody can tell."""
    try:
        known = monitor.store().sessions.get_many([record.id for record in live])
    except Undecided:
        return [None] * len(live)
    return [watched or records.watched_of(record, at) for record, watched in zip(live, known, strict=True)]


def _row(record: WatchedSession, watched: Watched | None, at: float, present: str | None) -> Row | None:
    """Return what a user sees of a session; None where it has ended and nobody wrote it down yet."""
    last_active = record.last_active
    if watched is not None:
        if watched.verdict(at).phase is Phase.ENDED:
            return None
        last_active = max(last_active, as_datetime(watched.activity.idle_from(at, watched.policy.hold_limit)))
    device = device_of(record.user_agent) or gettext("Unknown device")
    return Row(record.id, device, record.address, record.started, last_active, record.id == present)


def _page(
    request: HttpRequest, *, said: str | None = None, wish: Wish | None = None, error: str | Promise = ""
) -> HttpResponse:
    context: dict[str, Any] = {"language": language_of_words(), "direction": direction_of_words()}
    if wish is not None:
        here = reverse("idlewatch:sessions")
        asks = _may_try(request)
        context |= {
            "wish": wish,
            "error": error,
            "asks": asks,
            "locked": not asks and _user(request).has_usable_password(),
            "sign_in": redirect_to_login(here, conf.login_url).url,
        }
    else:
        rows = _rows(request)
        context |= {
            "said": said,
            "rows": rows[:SHOWN],
            "hidden": len(rows[SHOWN:]),
            "others": sum(not row.is_this for row in rows),
        }
    # As Django's own forms do: a password that is wrong shows the form again, with 200.
    return render(request, "idlewatch/sessions.html", context)


def _back(request: HttpRequest, said: str) -> HttpResponseBase:
    request.session[SAID_KEY] = said
    return redirect("idlewatch:sessions")


def _user(request: HttpRequest) -> AbstractBaseUser:
    return cast("AbstractBaseUser", request.user)
