"""The limits of a session, and the verdict they give on its facts at a moment."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from idlewatch.core.activity import Activity, Reason


class Phase(StrEnum):
    """Where a session stands."""

    ACTIVE = "active"
    WARNED = "warned"
    ENDED = "ended"


class Policy(Struct, frozen=True):
    """The limits one session lives under, in seconds; resolved at sign-in and kept with its facts."""

    idle_timeout: float = 900.0
    """Without activity for this long, the session ends (ASVS 7.3.1)."""
    warn_before: float = 120.0
    """The warning comes this long before the end (WCAG 2.2.1 asks for 20 s at least)."""
    absolute_timeout: float | None = 43200.0
    """Ends the session this long after sign-in, whatever the activity (ASVS 7.3.2); None: never."""
    close_grace: float | None = 300.0
    """Ends the session this long after its last tab was closed; None: a closed browser ends nothing."""
    hold_limit: float = 7200.0
    """The longest that holds keep the idle clock still without activity; 0: holds are refused."""
    heartbeat: float = 15.0
    """How often, at most, a page reports activity."""
    activity_extends_warning: bool = False
    """Activity during the warning extends the session, without a click on the dialog."""
    checkpoint: float = 60.0
    """How stale the durable record of last activity may be."""


class Shown(NamedTuple):
    """What a page shows of a verdict; a change of it is worth a push."""

    phase: Phase
    reason: Reason | None
    extendable: bool


FRESH = Shown(Phase.ACTIVE, None, True)
"""What a page takes for granted when a session opens."""


class Verdict(NamedTuple):
    """What the limits say of the facts at one moment."""

    phase: Phase
    reason: Reason | None
    """Why it ended, or, while warned, why it is about to."""
    ends_at: float
    """Epoch seconds: when it ended, or when it will if nothing happens (`inf`: never)."""
    remaining: float
    """Seconds until the end if nothing happens; while held, at least the full idle limit lies ahead."""
    extendable: bool
    """False when the absolute limit is what is near."""
    held: bool
    """Holds keep the idle clock still just now."""
    next_at: float | None
    """Epoch seconds at which the verdict changes if nothing happens; None: never again."""

    @property
    def shown(self) -> Shown:
        """Return the part of the verdict that a page shows."""
        return Shown(self.phase, self.reason, self.extendable)


def fitted(policy: Policy) -> Policy:
    """Return a policy whose limits can work together, where some of them were set without regard to the others.

    A warning at least as long as the idle timeout would never go away, and a page that reports less often than the
    time before the warning would be warned while its user works.
    """
    idle = policy.idle_timeout
    warn = policy.warn_before if policy.warn_before < idle else idle / 2
    heartbeat = policy.heartbeat if policy.heartbeat < idle - warn else (idle - warn) / 2
    return replace(policy, warn_before=warn, heartbeat=heartbeat, checkpoint=min(policy.checkpoint, idle / 10))


def assess(activity: Activity, policy: Policy, now: float) -> Verdict:
    """Judge a session's facts at `now` (epoch seconds).

    Total: whatever the facts, there is one verdict. The limit that is reached first is the reason; at a tie the
    absolute limit, which can't be extended, then the closed browser.
    """
    if activity.ended is not None:
        return ended(activity.reason or Reason.LOST, activity.ended)
    hold_end = activity.hold_end(policy.hold_limit)
    held = now < hold_end
    idle_end = max(activity.active, hold_end) + policy.idle_timeout
    absolute_end = float("inf") if policy.absolute_timeout is None else activity.logged_in_at + policy.absolute_timeout
    closed_end = closes_at(activity, policy)

    limits = ((absolute_end, Reason.ABSOLUTE), (closed_end, Reason.CLOSED), (idle_end, Reason.IDLE))
    end, reason = min(limits, key=lambda limit: limit[0])
    if now >= end:
        return ended(reason, end)

    # The grace after a closed browser warns nobody: only the idle and the absolute limit have a warning.
    absolute_first = absolute_end <= idle_end
    warn_at = min(absolute_end, idle_end) - policy.warn_before
    shown_idle_end = max(activity.active, now if held else hold_end) + policy.idle_timeout
    remaining = min(absolute_end, closed_end, shown_idle_end) - now
    if now < warn_at:
        return Verdict(Phase.ACTIVE, None, end, remaining, True, held, min(warn_at, end))
    near = Reason.ABSOLUTE if absolute_first else Reason.IDLE
    return Verdict(Phase.WARNED, near, end, remaining, not absolute_first, held, end)


def closes_at(activity: Activity, policy: Policy) -> float:
    """Return when a closed browser ends the session (`inf`: it is not closed, or that ends nothing)."""
    if activity.closed_at is None or policy.close_grace is None:
        return float("inf")
    return activity.closed_at + policy.close_grace


def warned_from(activity: Activity, policy: Policy) -> float:
    """Return when the warned stretch of the idle limit begins, if nothing happens."""
    return max(activity.active, activity.hold_end(policy.hold_limit)) + policy.idle_timeout - policy.warn_before


def ended(reason: Reason | None, at: float) -> Verdict:
    """Return the verdict of a session that ended at `at` (epoch seconds); None: nobody knows why."""
    return Verdict(Phase.ENDED, reason, at, 0.0, False, False, None)
