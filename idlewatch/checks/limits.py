"""Checks of the limits together: contradictions, and values that harm users."""

from __future__ import annotations

from django.core.checks import Error, Warning  # noqa: A004 - Django's own names

from idlewatch.checks.registry import Messages, check, policy, written
from idlewatch.conf.declaration import place
from idlewatch.core.policy import fitted

MIN_WARNING = 20.0
"""Seconds that a user has at least for a simple action that extends the limit (WCAG 2.2.1)."""

MIN_GRACE = 5.0
"""Seconds below which a reload on a slow network looks like a closed browser."""


@check()
def warning_fits() -> Messages:
    """Check that the warning is shorter than the idle timeout."""
    limits = policy()
    if limits is None or limits.warn_before < limits.idle_timeout:
        return
    expected = f"expected less than {place('IDLE_TIMEOUT')}, which is {limits.idle_timeout:g} s."
    if "WARN_BEFORE" in written():
        message = f"{place('WARN_BEFORE')} is {limits.warn_before:g} s; {expected}"
        yield Error(message, hint="Shorten the warning or lengthen the timeout.", id="idlewatch.E005")
    else:
        message = f"{place('WARN_BEFORE')} is unset, and its default is {limits.warn_before:g} s; {expected}"
        hint = f"Set it. Until then the warning comes {fitted(limits).warn_before:g} s before the end."
        yield Warning(message, hint=hint, id="idlewatch.W001")


@check()
def warning_is_long_enough() -> Messages:
    """Check that the warning is as long as the accessibility guidelines ask for."""
    limits = policy()
    if limits is not None and limits.warn_before < MIN_WARNING:
        message = f"{place('WARN_BEFORE')} is {limits.warn_before:g} s; expected {MIN_WARNING:g} s or more."
        hint = "WCAG 2.2.1 (level A) gives users at least 20 seconds to extend a time limit."
        yield Warning(message, hint=hint, id="idlewatch.W002")


@check()
def heartbeat_fits() -> Messages:
    """Check that pages report activity before the warning comes."""
    limits = policy()
    if limits is None or limits.warn_before >= limits.idle_timeout:
        return
    unwarned = limits.idle_timeout - limits.warn_before
    if limits.heartbeat >= unwarned:
        message = (
            f"{place('HEARTBEAT')} is {limits.heartbeat:g} s; expected less than {unwarned:g} s, the time between "
            f"activity and the warning ({place('IDLE_TIMEOUT')} minus {place('WARN_BEFORE')})."
        )
        hint = f"Shorten it. Until then pages report every {unwarned / 2:g} s."
        yield Warning(message, hint=hint, id="idlewatch.W003")


@check()
def absolute_timeout_fits() -> Messages:
    """Check that a session can be idle for long enough before its absolute timeout."""
    limits = policy()
    if limits is None or limits.absolute_timeout is None or limits.absolute_timeout >= limits.idle_timeout:
        return
    message = (
        f"{place('ABSOLUTE_TIMEOUT')} is {limits.absolute_timeout:g} s; expected at least {place('IDLE_TIMEOUT')}, "
        f"which is {limits.idle_timeout:g} s."
    )
    hint = "Every session ends by the absolute timeout, which users can't extend, before the idle timeout can."
    yield Warning(message, hint=hint, id="idlewatch.W004")


@check()
def grace_outlasts_a_reload() -> Messages:
    """Check that a reload can't end the session."""
    limits = policy()
    if limits is not None and limits.close_grace is not None and limits.close_grace < MIN_GRACE:
        message = f"{place('CLOSE_GRACE')} is {limits.close_grace:g} s; expected {MIN_GRACE:g} s or more, or None."
        hint = "A reload looks like a closed browser until the new page has connected: seconds on a slow network."
        yield Warning(message, hint=hint, id="idlewatch.W005")
