"""How a watch looks after what a store is asked to do: every store writes these, each in its own way."""

from __future__ import annotations

from msgspec.structs import replace

from idlewatch.core.activity import Activity, Reason
from idlewatch.core.events import Event, Reported, SignedIn, applied
from idlewatch.core.policy import Phase, Policy, Verdict
from idlewatch.store.base import Watched


def opened(watched: Watched, now: float) -> Watched:
    """Return a watch with its first version, above any that a store which was lost had given it."""
    return replace(watched, version=max(watched.version, version_at(now)))


def restarted(present: Watched, watched: Watched, now: float) -> Watched:
    """Return a watch with its clocks started anew, by a sign-in with the key and the limits of `watched`."""
    activity = applied(SignedIn(), present.activity, present.policy, now)
    if activity.ended is None:
        return _next(present, activity, now, policy=watched.policy, key=watched.key)
    return _with_activity(present, activity, now)


def ended(present: Watched, reason: Reason, now: float) -> Watched:
    """Return a watch as it ended: by the clock before `now`, or else for `reason`."""
    verdict = present.verdict(now)
    if verdict.phase is Phase.ENDED:
        return _with_activity(present, present.activity.finished(verdict.reason or reason, verdict.ends_at), now)
    return _with_activity(present, present.activity.finished(reason, now), now)


def unknown(watch_id: str, now: float) -> Watched:
    """Return a watch of which nothing is known, for a tombstone."""
    return opened(Watched(id=watch_id, user="", policy=Policy(), activity=Activity(logged_in_at=now, active=now)), now)


def settled(claimed: Watched, verdict: Verdict, now: float) -> Watched:
    """Return a watch whose tabs are to be told a verdict; an end becomes final, a warning is counted."""
    activity = claimed.activity
    if verdict.phase is Phase.ENDED:
        activity = activity.finished(verdict.reason or Reason.LOST, verdict.ends_at)
    elif verdict.phase is Phase.WARNED and claimed.shown.phase is Phase.ACTIVE:
        activity = replace(activity, warnings=activity.warnings + 1)
    return _next(claimed, activity, now, shown=verdict.shown, unpublished=False)


def after(event: Event, present: Watched, now: float) -> Watched:
    """Return a watch after an event; the same one where it changed nothing.

    Raises:
        HoldRefused, TooManyTabs: as the event does.
    """
    activity = applied(event, present.activity, present.policy, now)
    if isinstance(event, Reported) and activity.ended is None:
        # A new version whatever it says: pages may have been told a state that the store did not know.
        return _next(present, activity, now)
    return _with_activity(present, activity, now)


def _with_activity(present: Watched, activity: Activity, now: float) -> Watched:
    return present if activity == present.activity else _next(present, activity, now)


def _next(present: Watched, activity: Activity, now: float, **changes: object) -> Watched:
    # Above whatever a page was told meanwhile by a record, in the store's place.
    version = max(present.version + 1, version_at(now))
    return replace(present, activity=activity, version=version, **changes)


def version_at(now: float) -> int:
    """Return the version of what nobody has numbered yet: the moment in milliseconds, so that it always grows."""
    return int(now * 1000)
