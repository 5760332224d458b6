"""The effect of each event on the facts of a session: the only place where they change.

`applied` is a pure function of an event, the facts, the limits and `now`. No event revives a session that has ended,
and none moves the idle clock back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from msgspec.structs import replace

from idlewatch.core.activity import HOLD_TTL, NOTHING, Activity, Hold, Reason
from idlewatch.core.events import (
    Acted,
    Event,
    Extended,
    Held,
    PageMissed,
    PageShown,
    Polled,
    Released,
    Reported,
    Requested,
    SignedIn,
    TabClosed,
    TabOpened,
    TabsCounted,
)
from idlewatch.core.policy import Policy, assess, ends_at, warned_from
from idlewatch.exceptions import HoldRefused, TooManyTabs

POLL_TTL = 90.0
"""Seconds after a poll over HTTP for which the page counts as open: hidden pages poll once a minute."""
MAX_HOLDS = 32
"""Holds that a session may have at once; a page that starts more has a bug."""


def applied(event: Event, activity: Activity, policy: Policy, now: float) -> Activity:
    """Return the facts after `event` at `now` (epoch seconds); unchanged once the session has ended.

    The first event after a deadline makes the end final. Otherwise a later event, from a process whose clock is
    slightly behind, could revive a session that was refused before. Only `Reported` makes nothing final.

    Raises:
        HoldRefused: the session has been held for `HOLD_LIMIT`, or has too many holds.
        TooManyTabs: the session has as many tabs as the event allows.
    """
    if isinstance(event, Reported):
        # Other processes may still report later activity.
        return reported(event, activity, policy, now)
    if activity.ended is not None:
        return activity
    if now >= ends_at(activity, policy):
        verdict = assess(activity, policy, now)
        return activity.finished(verdict.reason or Reason.LOST, verdict.ends_at)
    return _EFFECTS.get(type(event), _refuse)(event, activity, policy, now)


def acted(activity: Activity, policy: Policy, moment: float, **changes: object) -> Activity:
    """Return the facts with activity credited to `moment`, from which `HOLD_LIMIT` runs again."""
    held_since = activity.held_since
    if not changes and (moment <= activity.active or held_since is None):
        # Nearly always.
        return activity if moment <= activity.active else replace(activity, active=moment)
    if held_since is not None and moment > held_since:
        held_since = moment if activity.held_until > moment else None
        # Add up what was held before the bound moves, so that seconds past the old bound never count. Activity that is
        # reported late may lie before the present hold.
        banked = max(moment, activity.held_from or moment)
        changes["held_before"] = activity.held_seconds(banked, policy.hold_limit)
        changes["held_from"] = None if held_since is None else banked
    return replace(activity, active=max(activity.active, moment), held_since=held_since, **changes)


Effect = TypeVar("Effect", bound=Callable[[Any, Activity, Policy, float], Activity])
_EFFECTS: dict[type[Event], Callable[[Any, Activity, Policy, float], Activity]] = {}
"""What each event does to the facts of a live session: `singledispatch` would take longer than most of them."""


def _refuse(event: object, activity: Activity, policy: Policy, now: float) -> Activity:
    raise TypeError(f"The event is {event!r}; expected one of idlewatch.core.events.")


def _of(event: type[Event]) -> Callable[[Effect], Effect]:
    def register(effect: Effect) -> Effect:
        _EFFECTS[event] = effect
        return effect

    return register


@_of(Acted)
def _(event: Acted, activity: Activity, policy: Policy, now: float) -> Activity:
    moment = min(now, now - event.ago)
    is_ignored = moment >= warned_from(activity, policy) and not policy.activity_extends_warning
    activity = _come_back(activity, moment)
    return activity if is_ignored else acted(activity, policy, moment)


@_of(Requested)
def _(event: Requested, activity: Activity, policy: Policy, now: float) -> Activity:
    return acted(_come_back(activity, now - event.duration), policy, now)


@_of(Extended)
def _(event: Extended, activity: Activity, policy: Policy, now: float) -> Activity:
    return acted(_come_back(activity, now), policy, now, extensions=activity.extensions + 1)


@_of(SignedIn)
def _(event: SignedIn, activity: Activity, policy: Policy, now: float) -> Activity:
    return acted(_come_back(activity, now), policy, now, logged_in_at=now)


@_of(Held)
def _(event: Held, activity: Activity, policy: Policy, now: float) -> Activity:
    held_since = now if activity.held_since is None else activity.held_since
    if policy.hold_limit <= 0:
        raise HoldRefused("Holds are turned off: HOLD_LIMIT is 0.")
    if now >= held_since + policy.hold_limit:
        raise HoldRefused(f"The session has been held for {policy.hold_limit:g} s without activity by the user.")
    holds = {key: hold for key, hold in activity.holds.items() if hold.until > now}
    if event.id not in holds and len(holds) >= MAX_HOLDS:
        raise HoldRefused(f"The session already has {MAX_HOLDS} holds, the maximum.")
    holds[event.id] = Hold(now + HOLD_TTL, event.label)
    activity = _come_back(activity, now)
    changed = replace(activity, holds=holds, held_since=held_since, held_until=max(activity.held_until, now + HOLD_TTL))
    if activity.held_from is None:
        return replace(changed, held_from=now)
    if now >= activity.hold_end(policy.hold_limit):
        return replace(changed, held_from=now, held_before=activity.held_seconds(now, policy.hold_limit))
    return changed


@_of(Released)
def _(event: Released, activity: Activity, policy: Policy, now: float) -> Activity:
    if event.id not in activity.holds:
        return activity
    holds = {key: hold for key, hold in activity.holds.items() if key != event.id and hold.until > now}
    last = max((hold.until for hold in holds.values()), default=now)
    return replace(activity, holds=holds, held_until=min(activity.held_until, last))


@_of(TabOpened)
def _(event: TabOpened, activity: Activity, policy: Policy, now: float) -> Activity:
    if activity.tab_count >= event.limit:
        raise TooManyTabs(f"The session already has {event.limit} tabs open, the maximum.")
    return replace(activity, tabs=_counted(activity, event.process, 1), closed_at=None, awaited_since=None)


@_of(TabClosed)
def _(event: TabClosed, activity: Activity, policy: Policy, now: float) -> Activity:
    if event.process not in activity.tabs:
        return activity
    changed = replace(activity, tabs=_counted(activity, event.process, -1))
    is_last = not changed.tabs and not _polls(activity, now) and not _is_back(activity, now)
    if event.closed and activity.has_client and is_last and policy.close_grace is not None:
        return replace(changed, closed_at=now)
    return changed


@_of(TabsCounted)
def _(event: TabsCounted, activity: Activity, policy: Policy, now: float) -> Activity:
    tabs = {**activity.tabs, event.process: event.count}
    tabs = {process: count for process, count in tabs.items() if count > 0}
    changed = replace(activity, tabs=tabs)
    return replace(changed, closed_at=None, awaited_since=None) if event.count else changed


@_of(PageShown)
def _(event: PageShown, activity: Activity, policy: Policy, now: float) -> Activity:
    return replace(activity, has_client=event.has_client, awaited_since=_awaited_since(event, activity, now))


@_of(PageMissed)
def _(event: PageMissed, activity: Activity, policy: Policy, now: float) -> Activity:
    return replace(activity, awaited_since=None)


@_of(Polled)
def _(event: Polled, activity: Activity, policy: Policy, now: float) -> Activity:
    return replace(activity, polled_at=now, closed_at=None, awaited_since=None)


def shows_another(event: PageShown, activity: Activity, now: float) -> bool:
    """Return whether a page changes the facts of a live session: most follow another one that has the client, too."""
    if event.has_client != activity.has_client:
        return True
    return activity.awaited_since != (_awaited_since(event, activity, now) if event.has_client else None)


def _awaited_since(event: PageShown, activity: Activity, now: float) -> float | None:
    if not event.has_client:
        return None
    if activity.awaited_since is None and not activity.tabs and not _polls(activity, now):
        return now
    return activity.awaited_since


def reported(event: Reported, activity: Activity, policy: Policy, now: float) -> Activity:
    """Return the facts with reported activity, even if a deadline has passed without it."""
    if activity.ended is not None:
        return activity
    moment = min(event.active, now)
    activity = _come_back(activity, float("inf") if event.is_open else moment)
    if moment > activity.active or event.logged_in_at > activity.logged_in_at:
        logged_in_at = max(activity.logged_in_at, min(event.logged_in_at, now))
        activity = acted(activity, policy, moment, logged_in_at=logged_in_at)
    held_until = min(event.held_until, now)
    if event.held_since is None or held_until <= max(activity.held_until, activity.active):
        return activity
    held_since = max(event.held_since, activity.active)
    held_from = held_since if activity.held_from is None else activity.held_from
    return replace(activity, held_until=held_until, held_since=held_since, held_from=held_from)


def _come_back(activity: Activity, moment: float) -> Activity:
    """Return the facts with the close of the browser undone, if it came before `moment`, when the user did something.

    An event that was received before the close and is written later proves nothing.
    """
    if activity.closed_at is None or moment <= activity.closed_at:
        return activity
    return replace(activity, closed_at=None)


def _is_back(activity: Activity, closed_at: float) -> bool:
    """Return whether the user did something after a close at `closed_at` that is written only now."""
    return activity.active > closed_at or activity.held_until > closed_at + HOLD_TTL


def _polls(activity: Activity, now: float) -> bool:
    """Return whether a page without a socket is open."""
    return activity.polled_at is not None and now < activity.polled_at + POLL_TTL


def _counted(activity: Activity, process: str, step: int) -> Mapping[str, int]:
    count = activity.tabs.get(process, 0) + step
    others = {other: tabs for other, tabs in activity.tabs.items() if other != process}
    if others:
        return {**others, process: count} if count > 0 else others
    return _alone(process, count) if count > 0 else NOTHING


@lru_cache(maxsize=1000)
def _alone(process: str, count: int) -> Mapping[str, int]:
    """Return the tabs of a session that one process alone serves; sessions with equal ones share the object."""
    return {process: count}
