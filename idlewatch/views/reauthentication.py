"""Proof that the user of a session is present: a recent sign-in, or the password (ASVS 7.5.2)."""

from __future__ import annotations

import logging

from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from idlewatch.http.request_state import state_of
from idlewatch.monitor import django_sessions, records
from idlewatch.monitor import service as monitor
from idlewatch.process import now
from idlewatch.signals import event_log

SIGN_IN_VALIDITY = 300.0
"""Seconds after a sign-in in which no password is asked for."""
MAX_ATTEMPTS = 5
"""Wrong passwords within `ATTEMPTS_PERIOD`; after them only a new sign-in counts."""
ATTEMPTS_PERIOD = 900.0
"""Seconds."""


def has_just_signed_in(request: HttpRequest) -> bool:
    """Return whether the user signed in to this session within `SIGN_IN_VALIDITY`."""
    signed_in = request.session.get(django_sessions.SIGNED_IN_KEY)
    # A time in the future was written before the clock was set back.
    return signed_in is not None and 0 <= now() - signed_in < SIGN_IN_VALIDITY


def can_try_password(request: HttpRequest, user: AbstractBaseUser) -> bool:
    """Return whether the user has a password and attempts left."""
    return (
        user.has_usable_password()
        and records.failed_attempts(_watch_id(request), ATTEMPTS_PERIOD, now()) < MAX_ATTEMPTS
    )


@sensitive_variables("password")
def check_password(request: HttpRequest, user: AbstractBaseUser) -> str | Promise | None:
    """Check the password in a form. Return None if it is right, else the error: empty if the form has no password."""
    if not can_try_password(request, user):
        return ""
    password = request.POST.get("password")
    if password is None:
        return ""
    if not password:
        return _("Enter your password.")
    watch_id = _watch_id(request)
    if not records.count_attempt(watch_id, MAX_ATTEMPTS, ATTEMPTS_PERIOD, now()):
        return ""
    authenticated = authenticate(request, username=user.get_username(), password=password)
    if authenticated is None or authenticated.pk != user.pk:
        event_log.log_event("wrong_password", level=logging.WARNING, watch_id=watch_id, user=str(user.pk))
        return _("Incorrect password.")
    records.reset_attempts(watch_id)
    _follow_upgraded_hash(request, authenticated)
    return None


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
