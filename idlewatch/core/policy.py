"""The limits of a session, and the verdict that they give on its facts at a time."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from idlewatch.core.activity import Activity, Reason

NEVER = float("inf")
"""Stands for a moment that never comes."""


class Phase(StrEnum):
    """The phase of a session."""

    ACTIVE = "active"
    WARNED = "warned"
    ENDED = "ended"


class Policy(Struct, frozen=True, gc=False):
    """The limits of one session, in seconds; resolved at sign-in and kept with its facts."""

    idle_timeout: float = 900.0
    """A session without activity for this long ends (ASVS 7.3.1)."""
    warn_before: float = 120.0
    """The warning comes this long before the end (WCAG 2.2.1 asks for at least 20 s)."""
    absolute_timeout: float | None = 43200.0
    """A session ends this long after sign-in, whatever the activity (ASVS 7.3.2); None: never."""
    close_grace: float | None = 300.0
    """A session ends this long after its last tab was closed; None: a closed browser ends nothing."""
    hold_limit: float = 7200.0
    """Holds stop the idle clock for at most this long without activity; 0: holds are refused."""
    heartbeat: float = 15.0
    """A page reports activity at most this often."""
    activity_extends_warning: bool = False
    """Activity during the warning extends the session, without a click on the dialog."""
    checkpoint: float = 60.0
    """The durable record of last activity is at most this old."""


class Shown(NamedTuple):
    """The part of a verdict that a page shows; a change of it is pushed to the tabs."""

    phase: Phase
    reason: Reason | None
    extendable: bool


UNWARNED = Shown(Phase.ACTIVE, None, True)
"""What a page assumes when a session opens."""
_WARNED_OF_IDLE = Shown(Phase.WARNED, Reason.IDLE, True)
_WARNED_OF_ABSOLUTE = Shown(Phase.WARNED, Reason.ABSOLUTE, False)
_ENDED = {reason: Shown(Phase.ENDED, reason, False) for reason in (*Reason, None)}


class Verdict(Struct, frozen=True, gc=False):
    """The state of a session at one time, by its facts and its limits."""

    shown: Shown
    """The part of the verdict that a page shows."""
    ends_at: float
    """Epoch seconds at which it ended, or will end if nothing happens (`inf`: never)."""
    remaining: float
    """Seconds until the end if nothing happens; while held, the full idle timeout, capped by the other limits."""
    held: bool
    """Whether holds stop the idle clock at present."""
    next_at: float | None
    """Epoch seconds at which the verdict changes if nothing happens; None: never."""

    @property
    def phase(self) -> Phase:
        """The phase."""
        return self.shown.phase

    @property
    def reason(self) -> Reason | None:
        """Why it ended or, while warned, why it is about to end; None while active."""
        return self.shown.reason

    @property
    def extendable(self) -> bool:
        """False if the absolute timeout is the next to come."""
        return self.shown.extendable


def fitted(policy: Policy) -> Policy:
    """Return a policy whose limits can work together, where some of them were set without regard to the others.

    A warning at least as long as the idle timeout would never go away, and a page that reports less often than the
    time before the warning would be warned while its user works.
    """
    idle = policy.idle_timeout
    warn = policy.warn_before if policy.warn_before < idle else idle / 2
    heartbeat = policy.heartbeat if policy.heartbeat < idle - warn else (idle - warn) / 2
    return replace(policy, warn_before=warn, heartbeat=heartbeat, checkpoint=min(policy.checkpoint, idle / 10))


def stricter(first: Policy, second: Policy) -> Policy:
    """Return the stricter of two policies in each of their limits."""
    return fitted(
        Policy(
            idle_timeout=min(first.idle_timeout, second.idle_timeout),
            warn_before=max(first.warn_before, second.warn_before),
            absolute_timeout=_least(first.absolute_timeout, second.absolute_timeout),
            close_grace=_least(first.close_grace, second.close_grace),
            hold_limit=min(first.hold_limit, second.hold_limit),
            heartbeat=min(first.heartbeat, second.heartbeat),
            activity_extends_warning=first.activity_extends_warning and second.activity_extends_warning,
            checkpoint=min(first.checkpoint, second.checkpoint),
        )
    )


def _least(*limits: float | None) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)


def assess(activity: Activity, policy: Policy, now: float) -> Verdict:
    """Return the verdict on a session's facts at `now` (epoch seconds).

    Every combination of facts has one verdict. The reason is the limit that is reached first; at a tie the absolute
    timeout, which can't be extended, then the closed browser. For example, with the default limits a session without
    activity is warned after 780 seconds, and 20 seconds later has 100 left:

        >>> verdict = assess(Activity(logged_in_at=0.0, active=0.0), Policy(), now=800.0)
        >>> verdict.phase, verdict.reason, verdict.remaining
        (<Phase.WARNED: 'warned'>, <Reason.IDLE: 'idle'>, 100.0)
    """
    if activity.ended is not None:
        return ended(activity.reason or Reason.LOST, activity.ended)
    if activity.held_since is None and activity.closed_at is None:
        # Nearly always, and mostly without a warning.
        end = activity.active + policy.idle_timeout
        absolute = policy.absolute_timeout
        if absolute is not None and activity.logged_in_at + absolute < end:
            end = activity.logged_in_at + absolute
        warn_at = end - policy.warn_before
        if now < warn_at:
            return Verdict(UNWARNED, end, end - now, False, warn_at)
    absolute_end, closed_end, idle_end = _ends(activity, policy)
    end = min(absolute_end, closed_end, idle_end)
    if now >= end:
        if end == absolute_end:
            return ended(Reason.ABSOLUTE, end)
        return ended(Reason.CLOSED if end == closed_end else Reason.IDLE, end)

    held = activity.held_since is not None and now < activity.hold_end(policy.hold_limit)
    # Only the idle and the absolute timeout have a warning: after a closed browser no tab could show one.
    absolute_first = absolute_end <= idle_end
    warn_at = (absolute_end if absolute_first else idle_end) - policy.warn_before
    shown_end = min(absolute_end, closed_end, max(activity.active, now) + policy.idle_timeout) if held else end
    remaining = shown_end - now
    if now < warn_at:
        return Verdict(UNWARNED, end, remaining, held, min(warn_at, end))
    return Verdict(_WARNED_OF_ABSOLUTE if absolute_first else _WARNED_OF_IDLE, end, remaining, held, end)


def ends_at(activity: Activity, policy: Policy) -> float:
    """Return when a session ended, or ends if nothing happens (epoch seconds; `inf`: never)."""
    return min(_ends(activity, policy)) if activity.ended is None else activity.ended


def _ends(activity: Activity, policy: Policy) -> tuple[float, float, float]:
    """Return when the absolute timeout, a closed browser and the idle timeout end a live session."""
    absolute_end = NEVER if policy.absolute_timeout is None else activity.logged_in_at + policy.absolute_timeout
    idle_from = activity.active
    if activity.held_since is not None:
        idle_from = max(idle_from, activity.hold_end(policy.hold_limit))
    closed_end = NEVER if activity.closed_at is None else closes_at(activity, policy)
    return absolute_end, closed_end, idle_from + policy.idle_timeout


def closes_at(activity: Activity, policy: Policy) -> float:
    """Return when the closed browser ends the session (`inf`: it is not closed, or there is no such limit)."""
    if activity.closed_at is None or policy.close_grace is None:
        return NEVER
    return activity.closed_at + policy.close_grace


def warned_from(activity: Activity, policy: Policy) -> float:
    """Return when the warning of the idle timeout starts if nothing happens."""
    return max(activity.active, activity.hold_end(policy.hold_limit)) + policy.idle_timeout - policy.warn_before


def ended(reason: Reason | None, at: float) -> Verdict:
    """Return the verdict on a session that ended at `at` (epoch seconds); None stands for an unknown reason."""
    return Verdict(_ENDED[reason], at, 0.0, False, None)
