"""The sessions that an operator selected, by their ids or by a query, without those that are excluded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser

from idlewatch.admin.messages import Action, CountMessage
from idlewatch.managers import WatchedSessionQuerySet
from idlewatch.models import WatchedSession
from idlewatch.monitor import records
from idlewatch.monitor import service as monitor

MAX_BATCH = 200
"""Sessions that one call acts on."""
MAX_CANDIDATES = 1000
"""Sessions of which one call asks the store: few may match."""


class Batch(NamedTuple):
    """Sessions to act on, and where to continue."""

    rows: Sequence[WatchedSession]
    cursor: str | None
    """None if there are no more."""


class Counts(NamedTuple):
    """What an action would affect."""

    sessions: int
    users: int
    own: int
    """The operator's own sessions that were selected and are excluded."""


class Selection:
    """What an operator selected. To end sessions never includes the one in which the operator works.

    A query never includes any session of the operator.
    """

    def __init__(self, message: CountMessage, user: AbstractBaseUser, watch_id: str | None, now: float) -> None:
        self._query = message.query
        self._watches = message.watches or ()
        self._is_message = message.action is Action.NOTICE
        self._user = user
        self._watch_id = watch_id
        """The session in which the operator works."""
        self._now = now
        self.before = now if message.before is None else min(message.before, now)
        """Sessions that began later (epoch seconds) are excluded."""

    def count(self) -> Counts:
        """Return what an action would affect."""
        return Counts(*self._count(self._without_own(self._selected())), self.count_own())

    def count_own(self) -> int:
        """Return how many of the operator's own sessions were selected and are excluded."""
        if self._query is not None:
            return self._count(self._selected().filter(user=self._user.pk))[0]
        if self._watch_id is None or self._is_message:
            return 0
        return int(self._is_own_selected(self._watch_id))

    def batch(self, cursor: str) -> Batch:
        """Return the sessions to act on next.

        Raises:
            ValueError: the cursor does not belong to this action.
        """
        rows = self._without_own(self._selected()).after(cursor)
        candidates = list(rows[: MAX_CANDIDATES if self._needs_store else MAX_BATCH])
        matching = self._matching([row.pk for row in candidates])
        found = [row for row in candidates if row.pk in matching]
        last = found[MAX_BATCH - 1] if len(found) > MAX_BATCH else candidates[-1] if candidates else None
        has_more = last is not None and rows.after(last.pk).exists()
        return Batch(found[:MAX_BATCH], last.pk if last is not None and has_more else None)

    def _is_own_selected(self, watch_id: str) -> bool:
        return self._selected().filter(pk=watch_id).exists()

    @property
    def _needs_store(self) -> bool:
        return self._query is not None and self._query.needs_store

    def _in_time(self) -> WatchedSessionQuerySet:
        """Return the live sessions that did not begin too late."""
        return _rows().live().started_until(self.before)

    def _selected(self) -> WatchedSessionQuerySet:
        """Return the live sessions that were selected, as far as the records can tell."""
        if self._query is None:
            return _rows().live().filter(pk__in=self._watches)
        return self._in_time().matching(self._query.search.split())

    def _without_own(self, rows: WatchedSessionQuerySet) -> WatchedSessionQuerySet:
        """Exclude the operator's own sessions: all from a query, the current one from ids."""
        if self._query is not None:
            return rows.exclude(user=self._user.pk)
        if self._is_message or self._watch_id is None:
            return rows
        return rows.exclude(pk=self._watch_id)

    def _matching(self, watch_ids: Sequence[str]) -> set[str]:
        """Return which sessions match the query's phase and connection, for which it asks the store if necessary.

        Raises:
            Undecided: the state of one of them cannot be determined right now.
        """
        query = self._query
        if query is None or not query.needs_store:
            return set(watch_ids)
        known = monitor.look_at_all(watch_ids, self._now)
        return {watched.id for watched in known if watched is not None and query.matches(watched)}

    def _count(self, rows: WatchedSessionQuerySet) -> tuple[int, int]:
        """Return the number of sessions and of their users."""
        if not self._needs_store:
            return rows.count(), rows.order_by().values("user").distinct().count()
        owners = [user for _, user in self._owners(rows)]
        return len(owners), len(set(owners))

    def _owners(self, rows: WatchedSessionQuerySet) -> Iterator[tuple[str, Any]]:
        """Yield the sessions that match, and their users, without holding all of them in memory."""
        pairs = rows.values_list("pk", "user_id").iterator(chunk_size=records.BATCH_SIZE)
        while batch := list(islice(pairs, records.BATCH_SIZE)):
            matching = self._matching([watch_id for watch_id, _ in batch])
            yield from ((watch_id, user) for watch_id, user in batch if watch_id in matching)


def _rows() -> WatchedSessionQuerySet:
    # What names a session in the admin's log, and no more.
    return WatchedSession.objects.only("pk", "user_id", "username", "started")
