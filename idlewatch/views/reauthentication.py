"""Proof that the user of a session is present: a recent sign-in, or what `REAUTHENTICATE` asks for (ASVS 7.5.2)."""

from __future__ import annotations

import logging
from typing import Any, cast

from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from idlewatch.conf import conf
from idlewatch.core.probes import is_probe
from idlewatch.decorators import outside_transactions
from idlewatch.http.i18n import ui_context
from idlewatch.http.reauthentication import PROVED_KEY, Password
from idlewatch.http.request_state import state_of
from idlewatch.http.sign_in import reauthenticated
from idlewatch.http.templates import template_response
from idlewatch.monitor import attempts, django_sessions
from idlewatch.monitor import service as monitor
from idlewatch.monitor.impersonation import is_impersonated
from idlewatch.process import now
from idlewatch.signals import event_log

SIGN_IN_VALIDITY = 300.0
"""Seconds after a sign-in or a reauthentication in which no other is asked for."""
MAX_ATTEMPTS = 5
"""Wrong passwords within `ATTEMPTS_PERIOD` after which only a new sign-in helps."""
ATTEMPTS_PERIOD = 900.0
"""Seconds."""
ROUNDING = 0.001
"""Seconds by which dates and numbers may differ."""


@outside_transactions
@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@csrf_protect
def reauthenticate(request: HttpRequest) -> HttpResponseBase:
    """Reauthenticate the user: here, or where the object of `REAUTHENTICATE` says. Then redirect to `next`."""
    after = safe_next(request) or conf.home_url
    error: str | Promise = ""
    if request.method == "POST":
        user = cast("AbstractBaseUser", request.user)
        failure = check_factors(request, user)
        if failure is None:
            at = now()
            request.session[PROVED_KEY] = at
            reauthenticated(request, user, at)
            return HttpResponseRedirect(after)
        error = failure
    context = confirmation(request, after)
    if context["elsewhere"] and request.method != "POST":
        return HttpResponseRedirect(context["elsewhere"])
    return template_response(request, "idlewatch/reauthenticate.html", ui_context() | context | {"error": error})


def accept_proof(request: HttpRequest) -> None:
    """Restart the clocks of a session if its user has reauthenticated since the sign-in."""
    if _has_new_proof(request):
        reauthenticated(request, cast("AbstractBaseUser", request.user), now())


def is_fresh(request: HttpRequest) -> bool:
    """Return whether the user signed in to this session, or reauthenticated, within `SIGN_IN_VALIDITY`."""
    if not _is_their_own(request):
        return False
    return _is_recent(request.session.get(django_sessions.SIGNED_IN_KEY)) or _has_new_proof(request)


def confirmation(request: HttpRequest, after: str) -> dict[str, Any]:
    """Return the context of a page on which the user reauthenticates, to be redirected to the URL `after` then."""
    user, method = cast("AbstractBaseUser", request.user), conf.reauthenticate
    is_locked = isinstance(method, Password) and not _has_attempts(request)
    is_possible = not is_locked and _is_their_own(request)
    url = method.url(request, after) if is_possible else None
    here = method if url is not None and isinstance(method, Password) else None
    return {
        "asks_password": here is not None and here.asks_password(user),
        "asks_code": here is not None and here.asks_code(user),
        "elsewhere": url if here is None else None,
        "locked": is_locked,
        "next": after,
    }


@sensitive_variables("password", "code")
def check_factors(request: HttpRequest, user: AbstractBaseUser) -> str | Promise | None:
    """Check password and one-time code in a form. Return None if they are right, else the error.

    The error is empty if the form has neither of them, or the user reauthenticates elsewhere.
    """
    method, asked = conf.reauthenticate, confirmation(request, "/")
    password, code = request.POST.get("password"), request.POST.get("code", "")
    if not isinstance(method, Password) or not (asked["asks_password"] or asked["asks_code"]):
        return ""
    if password is None and not code:
        return ""
    if asked["asks_password"] and not password:
        return _("Enter your password.")
    watch_id = _watch_id(request)
    if not attempts.count(watch_id, MAX_ATTEMPTS, ATTEMPTS_PERIOD, now()):
        return ""
    authenticated = _authenticate(request, user, password) if asked["asks_password"] else user
    if authenticated is None or (asked["asks_code"] and not method.accepts_code(request, user, code)):
        event_log.log_event("wrong_password", level=logging.WARNING, watch_id=watch_id, user=str(user.pk))
        return _("Incorrect password or one-time code.") if asked["asks_code"] else _("Incorrect password.")
    attempts.reset(watch_id)
    _follow_upgraded_hash(request, authenticated)
    return None


def safe_next(request: HttpRequest) -> str | None:
    """Return the URL in the parameter `next` of a form or a query; None if it is missing, or leads to another site."""
    url = request.POST.get("next") or request.GET.get("next")
    is_safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if is_safe else None


@sensitive_variables("password")
def _authenticate(request: HttpRequest, user: AbstractBaseUser, password: str | None) -> AbstractBaseUser | None:
    authenticated = authenticate(request, username=user.get_username(), password=password)
    return authenticated if authenticated is not None and authenticated.pk == user.pk else None


def _has_new_proof(request: HttpRequest) -> bool:
    """Return whether the user has reauthenticated after signing in to this session, and recently."""
    watched = state_of(request).session.watched
    if watched is None or not _is_their_own(request):
        return False
    proved = conf.reauthenticate.proved_at(request)
    at = None if proved is None else proved.timestamp()
    return _is_recent(at) and at is not None and at > watched.activity.logged_in_at + ROUNDING


def _is_their_own(request: HttpRequest) -> bool:
    """Return whether its user works in a session: not an operator who acts as the user, nor a probe of the site."""
    return not (is_impersonated(request.session) or is_probe(_watch_id(request)))


def _is_recent(at: float | None) -> bool:
    # A time in the future was written before the clock was set back.
    return at is not None and 0 <= now() - at < SIGN_IN_VALIDITY


def _has_attempts(request: HttpRequest) -> bool:
    return attempts.count_failed(_watch_id(request), ATTEMPTS_PERIOD, now()) < MAX_ATTEMPTS


def _follow_upgraded_hash(request: HttpRequest, user: AbstractBaseUser) -> None:
    """Keep the session valid if Django has replaced an outdated hash of the password."""
    if not hasattr(user, "get_session_auth_hash"):
        return
    auth_digest = django_sessions.auth_digest(user.get_session_auth_hash())
    if auth_digest != django_sessions.auth_digest_of(request.session):
        update_session_auth_hash(request, user)  # type: ignore[arg-type]
        monitor.rebind(request.session[django_sessions.WATCH_KEY], request.session)
        state_of(request).change.auth_digest = auth_digest


def _watch_id(request: HttpRequest) -> str:
    # The middleware watches every session of a signed-in user.
    return state_of(request).watch_id or ""
