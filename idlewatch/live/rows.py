"""A session as a row of the table: what never changes from its record, the rest from the store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

from idlewatch.core.activity import Activity
from idlewatch.core.policy import Phase
from idlewatch.http.user_agents import device_name
from idlewatch.models import WatchedSession
from idlewatch.monitor.records import user_text
from idlewatch.process import Lane, in_thread
from idlewatch.store.values import Watched

FIELDS_CACHE_SIZE = 5000
"""Records of which a process caches the fields, the most recently used."""


class RecordFields(NamedTuple):
    """The fields of a session that change with its user alone."""

    owner: str
    """The primary key of the user, as a string."""
    user: str
    impersonator: str
    """The operator who acts as the user; empty without one."""
    user_agent: str
    address: str
    started: float
    """Epoch seconds."""


NO_FIELDS = RecordFields("", "", "", "", "", 0.0)
"""Of a session without a visible record: its sign-in is not committed yet."""


class Row(Struct, frozen=True):
    """A row of the table: all of a session that is ever sent."""

    id: str
    owner: str
    """The primary key of the user, as a string; only compared with the operator's, never sent."""
    user: str
    impersonator: str
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
        """Return the fields that are sent to this operator (a primary key)."""
        fields: dict[str, object] = {name: getattr(self, name) for name in SENT_FIELDS}
        return fields | {"mine": self.owner == operator}

    def changes_to(self, later: Row) -> dict[str, object]:
        """Return the fields that differ in a later row of the same owner."""
        return {name: value for name in SENT_FIELDS if (value := getattr(later, name)) != getattr(self, name)}


SENT_FIELDS = tuple(name for name in Row.__struct_fields__ if name != "owner")


def row_of(watched: Watched, record: RecordFields, now: float) -> Row:
    """Return the row of a live session, with its device in the active language."""
    activity, verdict = watched.activity, watched.verdict(now)
    warned = watched.shown.phase is Phase.WARNED
    return Row(
        id=watched.id,
        owner=watched.user,
        user=record.user,
        impersonator=record.impersonator,
        device=device_name(watched.id, record.user_agent),
        address=record.address,
        started=record.started or round(activity.logged_in_at, 3),
        seen=round(activity.active, 3),
        tabs=activity.tab_count,
        hold=_label_of(activity, now) if verdict.held else None,
        phase=watched.shown.phase,
        reason=watched.shown.reason if warned else None,
        ends=None if verdict.ends_at == float("inf") else round(verdict.ends_at, 3),
    )


def _label_of(activity: Activity, now: float) -> str:
    """Return the label of the hold that was started or renewed last."""
    holds = [hold for hold in activity.holds.values() if hold.until > now]
    return max(holds, key=lambda hold: hold.until).label if holds else ""


class RecordFieldsCache:
    """The record fields of the sessions that are shown: each is read from the database once for each of its users."""

    def __init__(self) -> None:
        self._fields: OrderedDict[str, RecordFields] = OrderedDict()

    async def get(
        self, sessions: Iterable[Watched], find_next: Callable[[], Awaitable[Iterable[Watched]]]
    ) -> Mapping[str, RecordFields]:
        """Return the fields of these sessions, without those that have no record yet.

        Where some have to be read, those that may be shown next are read with them: else each second has some to read.
        """
        owners = {watched.id: watched.user for watched in sessions}
        known = self._fields
        if missing := [each for each, owner in owners.items() if each not in known or known[each].owner != owner]:
            others = [each.id for each in await find_next() if each.id not in known and each.id not in owners]
            known.update(await in_thread(Lane.LIVE, read_fields, [*missing, *others]))
        fields = {}
        for watch_id in owners:
            if watch_id in self._fields:
                self._fields.move_to_end(watch_id)
                fields[watch_id] = self._fields[watch_id]
        while len(self._fields) > FIELDS_CACHE_SIZE:
            self._fields.popitem(last=False)
        return fields


def read_fields(watch_ids: Iterable[str]) -> dict[str, RecordFields]:
    """Read the fields of these sessions from their records."""
    rows = WatchedSession.objects.filter(pk__in=list(watch_ids))
    names = "pk", "user_id", "username", "impersonator_name", "user_agent", "address", "started"
    fields = {}
    for row in rows.values_list(*names, named=True):
        others = row.username, row.impersonator_name, row.user_agent, row.address, round(row.started.timestamp(), 3)
        fields[row.pk] = RecordFields(user_text(row), *others)
        # Cached by it: parsing a user agent takes a while, which this thread may.
        device_name(row.pk, row.user_agent)
    return fields
