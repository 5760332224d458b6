"""The effect of each store operation on a session: pure functions that every store calls."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from msgspec.structs import replace

from idlewatch.core.activity import Activity, Reason
from idlewatch.core.events import Acted, Event, Reported, Requested, SignedIn
from idlewatch.core.policy import Phase, Policy, Verdict
from idlewatch.core.reducer import applied
from idlewatch.store.values import Watched

Replacement = Callable[[Watched, Watched, float], Watched]
"""What `restarted` and `transferred` are: the present session, the one that replaces parts of it, and `now`."""

_ACTIVE, _WARNED, _ENDED = Phase
CHECK_FRACTION = 0.75
"""The part of `checkpoint` after which a session is checked and checkpointed: a check may be late by the rest."""
CHECK_BATCHES = 20
"""The parts of that time at whose ends sessions are checked, so that those of one part are checked together: a batch
takes as long by itself as the rows of fifty sessions."""
RECHECK_INTERVAL = 5.0
"""Seconds until a session that looked lost is checked again: longer than a request takes to save it."""


def opened(watched: Watched, now: float) -> Watched:
    """Return a session with its first version, above any that a lost store gave it."""
    return replace(watched, version=max(watched.version, version_at(now)))


def restarted(present: Watched, watched: Watched, now: float) -> Watched:
    """Return a session with its clocks restarted by a sign-in with the key and the limits of `watched`."""
    activity = applied(SignedIn(), present.activity, present.policy, now)
    if activity.ended is None:
        return _next(present, activity, now, policy=watched.policy, key=watched.key)
    return _with_activity(present, activity, now)


def transferred(present: Watched, watched: Watched, now: float) -> Watched:
    """Return a session with the user, the key and the limits of `watched`; its clocks go on, and an end stays."""
    if present.verdict(now).phase is Phase.ENDED:
        return ended(present, Reason.LOST, now)
    return _next(present, present.activity, now, user=watched.user, policy=watched.policy, key=watched.key)


def ended(present: Watched, reason: Reason | None, now: float, *, limits_first: bool = True) -> Watched:
    """Return a session as it ended: by a limit before `now`, if such limits come first, or else for `reason` if any."""
    verdict = present.verdict(now)
    if limits_first and verdict.phase is Phase.ENDED:
        activity = present.activity.finished(verdict.reason or reason or Reason.LOST, verdict.ends_at)
        return _with_activity(present, activity, now)
    return present if reason is None else _with_activity(present, present.activity.finished(reason, now), now)


def tombstone(watch_id: str, reason: Reason | None, now: float) -> Watched:
    """Return a session of which nothing is known but that it ended, as lost unless there is another reason."""
    activity = Activity(logged_in_at=now, active=now).finished(reason or Reason.LOST, now)
    return opened(Watched(id=watch_id, user="", policy=Policy(), activity=activity), now)


def settled(claimed: Watched, verdict: Verdict, now: float) -> Watched:
    """Return a session whose tabs are to be told its verdict at `now`; an end becomes final, a warning is counted."""
    activity, phase = claimed.activity, verdict.shown.phase
    if phase is _ENDED:
        activity = activity.finished(verdict.reason or Reason.LOST, verdict.ends_at)
    elif phase is _WARNED and claimed.shown.phase is _ACTIVE:
        activity = replace(activity, warnings=activity.warnings + 1)
    return _next(claimed, activity, now, shown=verdict.shown, unfinished=False)


def after(event: Event, present: Watched, now: float) -> Watched:
    """Return a session after an event; the same one where it changed nothing.

    Raises:
        HoldRefused, TooManyTabs: as the event does.
    """
    return credited(present, now, now, event) if type(event) is Requested else _after(event, present, now)


def _after(event: Event, present: Watched, now: float) -> Watched:
    activity = applied(event, present.activity, present.policy, now)
    if isinstance(event, Reported) and activity.ended is None:
        # Always a new version: pages may show a state that the store did not know.
        return _next(present, activity, now)
    return _with_activity(present, activity, now)


def credited(present: Watched, moment: float, now: float, event: Event | None = None) -> Watched:
    """Return a session after activity at `moment`, which is not later than `now`: what becomes of it by `event`.

    That is `Acted` at this moment, unless it is given. Nearly always nothing but the moment changes, which takes a
    fifth of the calls.
    """
    activity, policy = present.activity, present.policy
    absolute = policy.absolute_timeout
    if (
        now < activity.active + policy.idle_timeout - policy.warn_before
        and (absolute is None or now < activity.logged_in_at + absolute)
        and activity.held_since is None
        and activity.closed_at is None
        and activity.ended is None
    ):
        if moment <= activity.active:
            return present
        version = max(present.version + 1, int(now * 1000))
        return replace(present, activity=replace(activity, active=moment), version=version)
    return _after(event or Acted(now - moment), present, now)


def first_check_at(watched: Watched, now: float) -> float:
    """Return when a session that is opened at `now` is to be checked first (epoch seconds).

    One that goes on from its record is opened together with all others, after a restart or in a store that was emptied:
    its id spreads the checks over the interval between two of them.
    """
    interval = watched.policy.checkpoint * CHECK_FRACTION
    is_resumed = watched.activity.logged_in_at + interval <= now
    return _in_batch(now + interval * (crc32(watched.id.encode()) / 2**32 if is_resumed else 1.0), interval)


def next_check_at(policy: Policy, now: float, *, is_doubted: bool = False) -> float:
    """Return when a session is to be checked next (epoch seconds); a doubt is resolved sooner, by itself."""
    interval = policy.checkpoint * CHECK_FRACTION
    return now + min(RECHECK_INTERVAL, interval) if is_doubted else _in_batch(now + interval, interval)


def _in_batch(moment: float, interval: float) -> float:
    """Return the last moment until this one at which sessions with the same interval are checked."""
    part = interval / CHECK_BATCHES
    return moment // part * part


def _with_activity(present: Watched, activity: Activity, now: float) -> Watched:
    return present if activity == present.activity else _next(present, activity, now)


def _next(present: Watched, activity: Activity, now: float, **changes: object) -> Watched:
    # Above what a page was told meanwhile from the record, in the store's place.
    version = max(present.version + 1, version_at(now))
    return replace(present, activity=activity, version=version, **changes)


def version_at(now: float) -> int:
    """Return the lowest version that a change at `now` may get: milliseconds, so that a lost store is never ahead."""
    return int(now * 1000)
