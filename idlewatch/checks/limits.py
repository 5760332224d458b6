"""The limits: each by itself, then together."""

from __future__ import annotations

from django.core.checks import Error, Warning  # noqa: A004 - Django's own names

from idlewatch.checks.registry import Found, of_key, of_site, policy, refused, written
from idlewatch.conf.settings import conf, fitted, limit, place

SHORTEST_WARNING = 20.0
"""Seconds a user has at least for a simple action that extends the limit (WCAG 2.2.1)."""

SHORTEST_GRACE = 5.0
"""Seconds below which a reload on a slow network looks like a closed browser."""


@of_key("IDLE_TIMEOUT")
def idle_timeout(value: object) -> Found:
    """Say that the idle limit is no span."""
    if message := _refused("IDLE_TIMEOUT", value):
        yield Error(message, hint="900 ends a session after 15 minutes without activity.", id="idlewatch.E003")


@of_key("WARN_BEFORE")
def warn_before(value: object) -> Found:
    """Say that the time of the warning is no span."""
    if message := _refused("WARN_BEFORE", value):
        yield Error(message, hint="120 warns two minutes before the end.", id="idlewatch.E004")


@of_key("ABSOLUTE_TIMEOUT")
def absolute_timeout(value: object) -> Found:
    """Say that the absolute limit is no span."""
    if message := _refused("ABSOLUTE_TIMEOUT", value):
        hint = "43200 ends a session 12 hours after login; None sets no such limit."
        yield Error(message, hint=hint, id="idlewatch.E006")


@of_key("CLOSE_GRACE")
def close_grace(value: object) -> Found:
    """Say that the grace after a closed browser is no span."""
    if message := _refused("CLOSE_GRACE", value):
        hint = "300 ends a session five minutes after its last tab was closed; None ends nothing by that."
        yield Error(message, hint=hint, id="idlewatch.E007")


@of_key("HOLD_LIMIT")
def hold_limit(value: object) -> Found:
    """Say that the longest hold is no span."""
    if message := _refused("HOLD_LIMIT", value):
        hint = "7200 lets an upload or a video keep the idle clock still for two hours; 0 refuses holds."
        yield Error(message, hint=hint, id="idlewatch.E008")


@of_key("HEARTBEAT")
def heartbeat(value: object) -> Found:
    """Say that the heartbeat is no span."""
    if message := _refused("HEARTBEAT", value):
        yield Error(message, hint="15 lets a page report activity every 15 seconds.", id="idlewatch.E009")


@of_key("ACTIVITY_EXTENDS_WARNING")
def activity_extends_warning(value: object) -> Found:
    """Say that this is neither yes nor no."""
    if message := _refused("ACTIVITY_EXTENDS_WARNING", value):
        hint = "True lets activity during the warning extend the session, without a click on the dialog."
        yield Error(message, hint=hint, id="idlewatch.E010")


@of_key("CHECKPOINT")
def checkpoint(_: object) -> Found:
    """Say that the staleness of the record is no span."""
    if message := refused(lambda: conf.checkpoint, "CHECKPOINT"):
        hint = "60 writes the last activity to the database once a minute."
        yield Error(message, hint=hint, id="idlewatch.E011")


@of_key("DRAFT_AGE")
def draft_age(_: object) -> Found:
    """Say that the age of drafts is no span."""
    if message := refused(lambda: conf.draft_age, "DRAFT_AGE"):
        hint = "86400 keeps what was typed and not sent for a day; 0 keeps none."
        yield Error(message, hint=hint, id="idlewatch.E037")


@of_site()
def warning_fits() -> Found:
    """Say that the warning would come before the session does."""
    limits = policy()
    if limits is None or limits.warn_before < limits.idle_timeout:
        return
    expected = f"expected less than {place('IDLE_TIMEOUT')}, which is {limits.idle_timeout:g}."
    if "WARN_BEFORE" in written():
        message = f"{place('WARN_BEFORE')} is {limits.warn_before:g} s; {expected}"
        yield Error(message, hint="Shorten the one or lengthen the other.", id="idlewatch.E005")
    else:
        message = f"{place('WARN_BEFORE')} is unset, and its default is {limits.warn_before:g} s; {expected}"
        hint = f"Set it. Until then the warning comes {fitted(limits).warn_before:g} s before the end."
        yield Warning(message, hint=hint, id="idlewatch.W001")


@of_site()
def warning_is_long_enough() -> Found:
    """Say that the warning is shorter than the accessibility guidelines ask for."""
    limits = policy()
    if limits is not None and limits.warn_before < SHORTEST_WARNING:
        message = f"{place('WARN_BEFORE')} is {limits.warn_before:g} s; expected {SHORTEST_WARNING:g} s or more."
        hint = "WCAG 2.2.1 (level A) gives users 20 seconds at least to extend a time limit."
        yield Warning(message, hint=hint, id="idlewatch.W002")


@of_site()
def heartbeat_fits() -> Found:
    """Say that pages report more seldom than the warning comes."""
    limits = policy()
    if limits is None or limits.warn_before >= limits.idle_timeout:
        return
    unwarned = limits.idle_timeout - limits.warn_before
    if limits.heartbeat >= unwarned:
        message = (
            f"{place('HEARTBEAT')} is {limits.heartbeat:g} s; expected less than {unwarned:g} s, the time between "
            f"activity and the warning ({place('IDLE_TIMEOUT')} less {place('WARN_BEFORE')})."
        )
        hint = f"Shorten it. Until then pages report every {unwarned / 2:g} s."
        yield Warning(message, hint=hint, id="idlewatch.W003")


@of_site()
def absolute_limit_fits() -> Found:
    """Say that the absolute limit leaves the idle limit nothing to do."""
    limits = policy()
    if limits is None or limits.absolute_timeout is None or limits.absolute_timeout >= limits.idle_timeout:
        return
    message = (
        f"{place('ABSOLUTE_TIMEOUT')} is {limits.absolute_timeout:g} s; expected at least {place('IDLE_TIMEOUT')}, "
        f"which is {limits.idle_timeout:g} s."
    )
    hint = "Every session ends by the absolute limit, which nobody can extend, before it can be idle for long enough."
    yield Warning(message, hint=hint, id="idlewatch.W004")


@of_site()
def grace_outlasts_a_reload() -> Found:
    """Say that a reload could end the session."""
    limits = policy()
    if limits is not None and limits.close_grace is not None and limits.close_grace < SHORTEST_GRACE:
        message = f"{place('CLOSE_GRACE')} is {limits.close_grace:g} s; expected {SHORTEST_GRACE:g} s or more, or None."
        hint = "A reload looks like a closed browser until the new page has connected: on slow networks, seconds."
        yield Warning(message, hint=hint, id="idlewatch.W005")


def _refused(key: str, value: object) -> str | None:
    return refused(lambda: limit(key, value, place(key)), key)
