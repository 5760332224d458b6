"""Changes of sessions, as tabs are notified of them, and their form in a message to other processes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple, replace

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase, Shown, Verdict
from idlewatch.core.protocol import MIN_LAG, state_text
from idlewatch.core.protocol import aged as aged_frame
from idlewatch.monitor.isolation import made_of_each
from idlewatch.store.values import Watched

logger = logging.getLogger("idlewatch")

CHANGES = "idlewatch.changes"
"""The type of a message with changes."""
_ENDED = Phase.ENDED


class Change(Struct, frozen=True, gc=False):
    """A change of one session, as its tabs are notified of it."""

    watch_id: str
    frame: str
    ended: bool
    shown: Shown
    """What the frame shows, to find out whether the tabs were notified."""


def changes_of(judged: Sequence[tuple[Watched, Verdict]]) -> Sequence[Change]:
    """Return the changes that the tabs of sessions are to be notified of, each with the verdict on its session."""
    return made_of_each("push", judged, lambda each: change_of(*each), lambda each: each[0].id)


def change_of(watched: Watched, verdict: Verdict) -> Change:
    """Return the change that the tabs of a session are to be notified of by a verdict on it."""
    # Each tab adds the URL of the login page: it depends on the page.
    shown = verdict.shown
    return Change(watched.id, state_text(verdict, watched.policy, watched.version), shown.phase is _ENDED, shown)


def aged(changes: Sequence[Change], seconds: float) -> Sequence[Change]:
    """Return changes with their countdowns shortened by a delay, or they would end too late."""
    if seconds < MIN_LAG:
        return changes
    return [each if each.ended else replace(each, frame=aged_frame(each.frame, seconds)) for each in changes]


def message_of(process: str, changes: Sequence[Change], at: float) -> dict[str, object]:
    """Return the message by which a process publishes changes, as they were at `at` (epoch seconds)."""
    return {"type": CHANGES, "process": process, "at": at, "changes": [list(astuple(change)) for change in changes]}


def changes_in(items: Sequence[Sequence[Any]]) -> Sequence[Change]:
    """Return the changes in a message; one that this version does not understand keeps no other from the tabs."""
    changes = []
    for item in items:
        try:
            changes.append(change_from(item))
        except Exception as error:  # noqa: BLE001 - what another version sends may be anything
            logger.warning("A change in a message of type %r was dropped (%s).", CHANGES, type(error).__name__)
    return changes


def change_from(item: Sequence[Any]) -> Change:
    """Return a change from its form in a message."""
    watch_id, frame, ended, (phase, reason, extendable) = item
    shown = Shown(Phase(phase), None if reason is None else Reason(reason), extendable)
    return Change(watch_id, frame, ended, shown)
