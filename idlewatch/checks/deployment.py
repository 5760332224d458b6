"""What `manage.py check --deploy` adds: where the site is looser than standards and common practice."""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.core.exceptions import ImproperlyConfigured

from idlewatch.checks.registry import Found, of_site, policy, refused
from idlewatch.conf.settings import POLICY_KEYS, conf, place
from idlewatch.core.baselines import BASELINES, Violation, violations

LONGEST_IDLE = 1800.0
"""Seconds of inactivity, at most, in the common advice for applications of modest risk (OWASP: 15 to 30 minutes)."""

LONGEST_HOLD = 7200.0
"""Seconds that an unattended page may keep its session, without which few uploads and videos would end."""

LONGEST_SESSION = 86400.0
"""Seconds between two logins (NIST SP 800-63B-4, AAL2)."""

SHORTEST_DRAFT = 72000.0
"""Seconds for longer than which what was typed is kept, or the user is to be told of the limit (WCAG 2.2.6)."""

DEVIATION = "ASVS 7.1.1 asks to document and justify such a deviation; then silence this check by its id."


@of_site(deploy=True)
def baseline_is_met() -> Found:
    """Say which limits are looser than the baseline."""
    limits = policy()
    try:
        baseline = BASELINES[conf.baseline] if conf.baseline else None
    except ImproperlyConfigured:
        return
    if limits is None or baseline is None:
        return
    for violation in violations(limits, baseline):
        what = _named(violation, limits.idle_timeout)
        message = f"{what}; {place('BASELINE')} {conf.baseline!r} allows at most {violation.most:g} s."
        hint = f"{baseline.source}; a hold counts as inactivity. New sessions are clamped to it until this is mended."
        yield Error(message, hint=hint, id="idlewatch.E029")


@of_site(deploy=True)
def idle_limit_is_common() -> Found:
    """Say that the idle limit is longer than usual."""
    limits = policy()
    if limits is not None and limits.idle_timeout > LONGEST_IDLE:
        message = (
            f"{place('IDLE_TIMEOUT')} is {limits.idle_timeout:g} s; expected at most {LONGEST_IDLE:g} s (30 minutes)."
        )
        yield Warning(message, hint=DEVIATION, id="idlewatch.W014")


@of_site(deploy=True)
def hold_limit_is_common() -> Found:
    """Say that an unattended page may keep its session for longer than usual."""
    limits = policy()
    if limits is not None and limits.hold_limit > LONGEST_HOLD:
        message = f"{place('HOLD_LIMIT')} is {limits.hold_limit:g} s; expected at most {LONGEST_HOLD:g} s (2 hours)."
        yield Warning(message, hint=DEVIATION, id="idlewatch.W015")


@of_site(deploy=True)
def absolute_limit_is_common() -> Found:
    """Say that users may go on without a login for longer than usual."""
    limits = policy()
    if limits is None or (limits.absolute_timeout is not None and limits.absolute_timeout <= LONGEST_SESSION):
        return
    got = "None" if limits.absolute_timeout is None else f"{limits.absolute_timeout:g} s"
    message = f"{place('ABSOLUTE_TIMEOUT')} is {got}; expected at most {LONGEST_SESSION:g} s (a day)."
    yield Warning(message, hint=DEVIATION, id="idlewatch.W016")


@of_site(deploy=True)
def drafts_outlast_a_day_away() -> Found:
    """Say that drafts go sooner than the accessibility guidelines ask for."""
    if refused(lambda: conf.draft_age, "DRAFT_AGE"):
        return
    if 0 < conf.draft_age <= SHORTEST_DRAFT:
        expected = f"more than {SHORTEST_DRAFT:g} s (20 hours), or 0"
        message = f"{place('DRAFT_AGE')} is {conf.draft_age:g} s; expected {expected}."
        hint = "WCAG 2.2.6 (level AAA) asks to keep it for more than 20 hours, or to tell users how soon it goes."
        yield Warning(message, hint=hint, id="idlewatch.W021")


@of_site(deploy=True)
def events_are_logged() -> Found:
    """Say that what happens to sessions is logged nowhere."""
    if not logging.getLogger("idlewatch").isEnabledFor(logging.INFO):
        message = "The logger 'idlewatch' takes no INFO; expected LOGGING to let it: its events are written nowhere."
        hint = "ASVS 16.2 and 16.3 ask to log how sessions begin and end; docs/signals.md shows the setting."
        yield Warning(message, hint=hint, id="idlewatch.W024")


@of_site(deploy=True)
def cookie_stays_on_the_site() -> Found:
    """Say that other sites' pages could use the session."""
    same_site = settings.SESSION_COOKIE_SAMESITE
    if not same_site or str(same_site).lower() == "none":
        message = f"SESSION_COOKIE_SAMESITE is {same_site!r}; expected 'Lax' or 'Strict'."
        hint = "Else browsers send the session's cookie with what other sites' pages ask for."
        yield Warning(message, hint=hint, id="idlewatch.W017")


@of_site(deploy=True)
def cookie_is_no_session() -> Found:
    """Say what signed cookies leave to the record."""
    if conf.session_engine == "django.contrib.sessions.backends.signed_cookies":
        message = f"SESSION_ENGINE is {conf.session_engine!r}; expected one that keeps sessions on the server."
        hint = (
            "A copied cookie stays valid for Django when its session has ended: idlewatch's record alone refuses it. "
            "A session from before idlewatch has to sign in again."
        )
        yield Warning(message, hint=hint, id="idlewatch.W018")


def _named(violation: Violation, idle_timeout: float) -> str:
    key = next(key for key, field in POLICY_KEYS.items() if field == violation.limit)
    got = "None" if violation.value is None else f"{violation.value:g} s"
    beside = f" beside {place('IDLE_TIMEOUT')} of {idle_timeout:g} s" if key == "HOLD_LIMIT" else ""
    return f"{place(key)} is {got}{beside}"
