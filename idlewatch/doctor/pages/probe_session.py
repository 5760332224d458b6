"""Judgment on whether the site accepts the session of a probe."""

from __future__ import annotations

from collections.abc import Collection

from django.conf import settings

from idlewatch.core.activity import Reason
from idlewatch.doctor.clients.http_client import Answer
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped
from idlewatch.doctor.phrases import duration

TRIED, EXPECTED = "Session of a probe", "200, with the phase active"


PLACES = frozenset({"CACHES", "DATABASES", "DATABASE_ROUTERS", "SESSION_ENGINE"})
"""The settings that say where a session is kept."""


def judge_probe(answer: Answer, differing_settings: Collection[str] = ()) -> Finding:
    """Judge what the address of the state answers to the cookie of a new probe.

    `differing_settings`: those that the site has otherwise than this command, which is reported elsewhere.
    """
    frame = answer.json_object or {}
    phase = frame.get("phase")
    if answer.status == 200 and phase == "active":
        remaining = frame.get("remaining")
        left = f", {duration(remaining)} left" if isinstance(remaining, float) else ""
        return ok(Trial.PROBE, TRIED, f"200, {phase}{left}", EXPECTED)
    came = answer.summary if phase is None else f"{answer.summary}, {phase}, reason {frame.get('reason')}"
    if answer.status == 401 and not PLACES.isdisjoint(differing_settings):
        why = f"{came}, since the site keeps sessions elsewhere than this command (see same-settings)"
        return skipped(Trial.PROBE, TRIED, why, EXPECTED)
    return fault(Trial.PROBE, TRIED, came, EXPECTED, _why_refused(answer.status, phase, frame.get("reason")))


def _why_refused(status: int, phase: object, reason: object) -> str:
    if status == 503:
        return "The process that answered can't judge sessions: see store-owner and the log of the site."
    if status >= 500:
        return "The site fails at its own address: see its log, and the findings of system-checks."
    if status == 401 and phase == "ended" and reason is None:
        return (
            f"The cookie {settings.SESSION_COOKIE_NAME!r} did not arrive, since the proxy drops it or the site has "
            "another name for it; or the site looks for the session in another database than this command has."
        )
    if status == 401 and reason == Reason.LOST:
        return (
            f"The site does not find the session that was begun here: SESSION_ENGINE ({settings.SESSION_ENGINE}) "
            "keeps it in this process or on this machine alone (LocMemCache, files), the site has other settings or "
            "another database, or a router reads from a replica that lags."
        )
    if status == 401:
        return "The session ended before it was used: is the site's clock right, and does another app sign users out?"
    return (
        "Something in front of idlewatch answers at its address, such as a middleware that redirects all requests of "
        "users."
    )
