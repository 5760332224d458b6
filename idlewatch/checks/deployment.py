"""Checks of `manage.py check --deploy`: where a project is looser than standards and common practice."""

from __future__ import annotations

import logging

from django.apps import apps
from django.conf import settings
from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.core.exceptions import ImproperlyConfigured

from idlewatch.checks.registry import Messages, check, policy
from idlewatch.conf.declaration import DOCUMENTATION, place
from idlewatch.conf.settings import LIMITS, conf
from idlewatch.core.baselines import BASELINES, Violation, violations

MAX_IDLE_TIMEOUT = 1800.0
"""Seconds of inactivity that OWASP advises at most for low-risk applications (15 to 30 minutes)."""

MAX_HOLD_LIMIT = 7200.0
"""Seconds that an unattended page may hold its session; long enough for most uploads and videos."""

MAX_ABSOLUTE_TIMEOUT = 86400.0
"""Seconds after which users sign in again (NIST SP 800-63B-4, AAL2)."""

MIN_DRAFT_AGE = 72000.0
"""Seconds that unsent input outlasts, or users are told of the limit (WCAG 2.2.6)."""

DEVIATION = "ASVS 7.1.1 asks you to document and justify such a deviation; then silence this check by its id."


@check(deploy=True)
def baseline_is_met() -> Messages:
    """Check that no limit is looser than the baseline."""
    limits = policy()
    try:
        baseline = BASELINES[conf.baseline] if conf.baseline else None
    except ImproperlyConfigured:
        return
    if limits is None or baseline is None:
        return
    for violation in violations(limits, baseline):
        most = f"{place('BASELINE')} {conf.baseline!r} allows at most {violation.most:g} s"
        message = f"{_describe(violation, limits.idle_timeout)}; {most}."
        hint = f"{baseline.source}; a hold counts as inactivity. Until this is fixed, new sessions are clamped to it."
        yield Error(message, hint=hint, id="idlewatch.E029")


@check(deploy=True)
def idle_timeout_is_common() -> Messages:
    """Check that the idle timeout is no longer than usual."""
    limits = policy()
    if limits is not None and limits.idle_timeout > MAX_IDLE_TIMEOUT:
        expected = f"at most {MAX_IDLE_TIMEOUT:g} s (30 minutes)"
        message = f"{place('IDLE_TIMEOUT')} is {limits.idle_timeout:g} s; expected {expected}."
        yield Warning(message, hint=DEVIATION, id="idlewatch.W014")


@check(deploy=True)
def hold_limit_is_common() -> Messages:
    """Check that an unattended page can hold its session no longer than usual."""
    limits = policy()
    if limits is not None and limits.hold_limit > MAX_HOLD_LIMIT:
        message = f"{place('HOLD_LIMIT')} is {limits.hold_limit:g} s; expected at most {MAX_HOLD_LIMIT:g} s (2 hours)."
        yield Warning(message, hint=DEVIATION, id="idlewatch.W015")


@check(deploy=True)
def absolute_timeout_is_common() -> Messages:
    """Check that users sign in at least as often as usual."""
    limits = policy()
    if limits is None or (limits.absolute_timeout is not None and limits.absolute_timeout <= MAX_ABSOLUTE_TIMEOUT):
        return
    expected = f"at most {MAX_ABSOLUTE_TIMEOUT:g} s (a day)"
    message = f"{place('ABSOLUTE_TIMEOUT')} is {_in_seconds(limits.absolute_timeout)}; expected {expected}."
    yield Warning(message, hint=DEVIATION, id="idlewatch.W016")


@check(deploy=True)
def drafts_outlast_a_day_away() -> Messages:
    """Check that drafts are kept as long as the accessibility guidelines ask for."""
    try:
        age = conf.draft_age
    except ImproperlyConfigured:
        return
    if apps.is_installed("idlewatch.drafts") and 0 < age <= MIN_DRAFT_AGE:
        expected = f"more than {MIN_DRAFT_AGE:g} s (20 hours), or 0"
        message = f"{place('DRAFT_AGE')} is {age:g} s; expected {expected}."
        hint = "WCAG 2.2.6 (level AAA) asks you to keep input for over 20 hours, or to tell users how soon it is lost."
        yield Warning(message, hint=hint, id="idlewatch.W021")


@check(deploy=True)
def events_are_logged() -> Messages:
    """Check that the events of sessions are logged."""
    if not logging.getLogger("idlewatch").isEnabledFor(logging.INFO):
        message = "The logger 'idlewatch' discards INFO, the level of its events; expected LOGGING to let it through."
        hint = (
            "ASVS 16.2 and 16.3 ask you to log how sessions start and end. The setting for it: "
            f"{DOCUMENTATION}/signals.md#the-log"
        )
        yield Warning(message, hint=hint, id="idlewatch.W024")


@check(deploy=True)
def cookie_stays_on_the_site() -> Messages:
    """Check that pages of other sites can't use the session."""
    same_site = settings.SESSION_COOKIE_SAMESITE
    if not same_site or str(same_site).lower() == "none":
        message = f"SESSION_COOKIE_SAMESITE is {same_site!r}; expected 'Lax' or 'Strict'."
        hint = "Otherwise browsers send the session cookie with requests of other sites' pages."
        yield Warning(message, hint=hint, id="idlewatch.W017")


@check(deploy=True)
def sessions_are_on_the_server() -> Messages:
    """Check that sessions are not kept in cookies."""
    if conf.session_engine == "django.contrib.sessions.backends.signed_cookies":
        message = f"SESSION_ENGINE is {conf.session_engine!r}; expected one that keeps sessions on the server."
        hint = (
            "For Django, a copied cookie stays valid after its session has ended: only idlewatch's record refuses it. "
            "Users who signed in before you installed idlewatch have to sign in again."
        )
        yield Warning(message, hint=hint, id="idlewatch.W018")


def _describe(violation: Violation, idle_timeout: float) -> str:
    key = next(key for key, limit in LIMITS.items() if limit.name == violation.limit)
    beside = f" beside {place('IDLE_TIMEOUT')} of {idle_timeout:g} s" if key == "HOLD_LIMIT" else ""
    return f"{place(key)} is {_in_seconds(violation.value)}{beside}"


def _in_seconds(limit: float | None) -> str:
    return "None" if limit is None else f"{limit:g} s"
