"""A session as a line of the table: what does not change of it from its record, what does from the store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

from idlewatch.core.activity import Activity
from idlewatch.core.policy import Phase
from idlewatch.http.user_agents import device_of
from idlewatch.models import WatchedSession
from idlewatch.process import Lane, in_thread
from idlewatch.store.values import Watched

KEPT = 5000
"""Faces that a process remembers, those that were looked at last."""


class RecordFields(NamedTuple):
    """What never changes of a session."""

    user: str
    user_agent: str
    address: str
    started: float
    """Epoch seconds."""


FACELESS = RecordFields("", "", "", 0.0)
"""Of a session whose record can't be seen yet: the sign-in is not committed."""


class Row(Struct, frozen=True):
    """A line of the table; no more than this of a session is ever sent."""

    id: str
    owner: str
    """The primary key of its user, as text: told to nobody, but for whether it is the operator."""
    user: str
    device: str
    address: str
    started: float
    seen: float
    tabs: int
    hold: str | None
    phase: Phase
    reason: str | None
    ends: float | None

    def fields(self, operator: str) -> dict[str, object]:
        """Return what an operator is told, who is this user."""
        told: dict[str, object] = {name: getattr(self, name) for name in TOLD}
        return told | {"mine": self.owner == operator}

    def changes_to(self, later: Row) -> dict[str, object]:
        """Return what a later row says otherwise; whose session it is never changes."""
        return {name: value for name in TOLD if (value := getattr(later, name)) != getattr(self, name)}


TOLD = tuple(name for name in Row.__struct_fields__ if name != "owner")


def row_of(watched: Watched, face: RecordFields, now: float) -> Row:
    """Return a live session as a line, with its device in words of the active language."""
    activity, verdict = watched.activity, watched.verdict(now)
    warned = watched.shown.phase is Phase.WARNED
    return Row(
        id=watched.id,
        owner=watched.user,
        user=face.user,
        device=device_of(face.user_agent),
        address=face.address,
        started=face.started or round(activity.logged_in_at, 3),
        seen=round(activity.active, 3),
        tabs=activity.tab_count,
        hold=_label_of(activity, now) if verdict.held else None,
        phase=watched.shown.phase,
        reason=watched.shown.reason if warned else None,
        ends=None if verdict.ends_at == float("inf") else round(verdict.ends_at, 3),
    )


def _label_of(activity: Activity, now: float) -> str:
    """Return what the page calls its work; of several, that which was begun or renewed last."""
    holds = [hold for hold in activity.holds.values() if hold.until > now]
    return max(holds, key=lambda hold: hold.until).label if holds else ""


class RecordFieldsCache:
    """The faces of the sessions that are being looked at: each is asked of the database once."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, RecordFields] = OrderedDict()

    async def of(self, watches: Iterable[str]) -> Mapping[str, RecordFields]:
        """Return the faces of these sessions; one without a record has none, and is asked for again."""
        wanted = list(watches)
        if missing := [watch_id for watch_id in wanted if watch_id not in self._known]:
            self._known.update(await in_thread(Lane.LIVE, read_faces, missing))
        found = {}
        for watch_id in wanted:
            if watch_id in self._known:
                self._known.move_to_end(watch_id)
                found[watch_id] = self._known[watch_id]
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return found


def read_faces(watches: Iterable[str]) -> dict[str, RecordFields]:
    """Read the faces of these sessions from their records."""
    columns = "pk", "username", "user_agent", "address", "started"
    rows = WatchedSession.objects.filter(pk__in=list(watches)).values_list(*columns)
    found = {}
    for watch_id, user, agent, address, started in rows.values_list(
        "pk", "username", "user_agent", "address", "started"
    ):
        found[watch_id] = RecordFields(user, agent, address, round(started.timestamp(), 3))
        # Remembered from here on: the first look at a user agent takes a while, and this is a thread that may.
        device_of(agent)
    return found
