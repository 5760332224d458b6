"""Which sessions an operator means, by their ids or by what they have in common, and which of those are left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError

from idlewatch.admin import users
from idlewatch.admin.messages import Action, CountMessage
from idlewatch.managers import WatchedSessionQuerySet
from idlewatch.models import WatchedSession
from idlewatch.monitor import records
from idlewatch.monitor import service as monitor

LIMIT = 200
"""Sessions that one call acts on, at most."""
LOOKED_AT = 1000
"""Sessions of which one call asks the store, at most: few may match."""

Records = WatchedSessionQuerySet


class Batch(NamedTuple):
    """Sessions to act on, and where to go on."""

    rows: Sequence[WatchedSession]
    cursor: str | None
    """None: there are no more."""


class Counted(NamedTuple):
    """What an action would concern."""

    sessions: int
    users: int
    own: int
    """Sessions of the operator's own that were selected and are left alone."""


class Selection:
    """What an operator selected: what they mean to end never is the session in which they do so.

    Where they ask for all that match, no session of theirs is meant at all.
    """

    def __init__(self, message: CountMessage, user: AbstractBaseUser, watch_id: str | None, now: float) -> None:
        self._message = message
        self._query = message.query
        self._user = user
        self._watch_id = watch_id
        """The session in which the operator acts."""
        self._now = now
        self.before = now if message.before is None else min(message.before, now)
        """Epoch seconds."""

    def count(self) -> Counted:
        """Count what would be acted on."""
        by_user = self._message.action is Action.END_USERS
        counted = self._count_of_users() if by_user else self._count_of(self._left(self._selected()))
        return Counted(*counted, self.count_own())

    def count_own(self) -> int:
        """Count what was selected and is left alone."""
        if self._query is not None:
            return self._count_of(self._selected().filter(user=self._user.pk))[0]
        if self._watch_id is None or self._message.action is Action.NOTICE:
            return 0
        if self._message.action is Action.END_USERS:
            is_selected = self._any_selected().filter(user=self._user.pk).exists()
            return int(is_selected and self._begun().filter(pk=self._watch_id).exists())
        return int(self._selected().filter(pk=self._watch_id).exists())

    def batch(self, cursor: str) -> Batch:
        """Return what to act on next.

        Raises:
            ValueError: the cursor is none of this action's.
        """
        if self._message.action is Action.END_USERS:
            return self._batch_of_users(cursor)
        rows = self._left(self._selected()).after(cursor)
        looked_at = list(rows[: LOOKED_AT if self._asks else LIMIT])
        meant = self._meant([row.pk for row in looked_at])
        found = [row for row in looked_at if row.pk in meant]
        last = found[LIMIT - 1] if len(found) > LIMIT else looked_at[-1] if looked_at else None
        more = last is not None and rows.filter(pk__gt=last.pk).exists()
        return Batch(found[:LIMIT], last.pk if last is not None and more else None)

    @property
    def _asks(self) -> bool:
        return self._query is not None and self._query.asks_the_store

    def _begun(self) -> Records:
        """Return the live sessions that began in time."""
        return _rows().live().started_until(self.before)

    def _selected(self) -> Records:
        """Return the live sessions that were selected, as far as the records can tell."""
        if self._query is None:
            return _rows().live().filter(pk__in=self._message.watches or ())
        return self._begun().matching(self._query.search.split())

    def _left(self, rows: Records) -> Records:
        """Take from some sessions those that are left alone."""
        if self._query is not None:
            return rows.exclude(user=self._user.pk)
        if self._message.action is Action.NOTICE or self._watch_id is None:
            return rows
        return rows.exclude(pk=self._watch_id)

    def _meant(self, watches: Sequence[str]) -> set[str]:
        """Ask the store, where that is needed, which sessions are in the phase and have the tabs that were asked for.

        Raises:
            Undecided: nobody can tell just now.
        """
        query = self._query
        if query is None or not query.asks_the_store:
            return set(watches)
        looked_at = monitor.look_at_all(watches, self._now)
        return {watched.id for watched in looked_at if watched is not None and query.means(watched)}

    def _count_of(self, rows: Records) -> tuple[int, int]:
        """Count sessions and their users."""
        if not self._asks:
            return rows.count(), rows.order_by().values("user").distinct().count()
        meant = [user for _, user in self._meant_ids(rows)]
        return len(meant), len(set(meant))

    def _meant_ids(self, rows: Records) -> Iterator[tuple[str, Any]]:
        """Name those sessions that are meant, and their users, without holding all of them in memory."""
        ids = _ids(rows)
        while batch := list(islice(ids, records.BATCH)):
            meant = self._meant([watch_id for watch_id, _ in batch])
            yield from ((watch_id, user) for watch_id, user in batch if watch_id in meant)

    def _count_of_users(self) -> tuple[int, int]:
        """Count the sessions of those users of whom one is selected."""
        selected = self._left_users(self._any_selected()).filter(user__isnull=False)
        sessions = self._left(self._begun())
        if not self._asks:
            return self._count_of(sessions.filter(user__in=selected.order_by().values("user")))
        found = list({user for _, user in self._meant_ids(selected)})
        parts = (found[start : start + records.BATCH] for start in range(0, len(found), records.BATCH))
        return sum(sessions.filter(user__in=part).count() for part in parts), len(found)

    def _left_users(self, rows: Records) -> Records:
        """As `_left`, but with the operator's present session where it was picked: it stands for its user's others."""
        return rows if self._query is None else self._left(rows)

    def _batch_of_users(self, cursor: str) -> Batch:
        """Go through the users in the order of their keys: a user of whom all is ended is not selected any more."""
        user, after = _place(cursor)
        found: list[WatchedSession] = []
        for each, is_first in self._users_from(user):
            rows = self._left(self._begun()).filter(user=each).order_by("pk")
            rows = rows.filter(pk__gt=after) if is_first and each == user else rows
            found += rows[: LIMIT - len(found)]
            if len(found) >= LIMIT:
                return Batch(found, f"{users.text_of(each)}:{found[-1].pk}")
        return Batch(found, None)

    def _users_from(self, user: object | None) -> Iterator[tuple[Any, bool]]:
        """Name each user who is selected, after the one at whom the call before stopped, and that one first."""
        if user is not None:
            yield user, True
        selected = self._left_users(self._any_selected()).filter(user__isnull=False).order_by("user_id", "pk")
        if user is not None:
            selected = selected.filter(user_id__gt=cast("Any", user))
        latest = user
        for _, each in self._meant_ids(selected):
            if each != latest:
                latest = each
                yield each, False

    def _any_selected(self) -> Records:
        """Return what was selected; by ids also what has ended since: it stands for its user all the same."""
        if self._query is not None:
            return self._selected()
        return _rows().filter(pk__in=self._message.watches or ())


def _rows() -> Records:
    # What names a session in the admin's log, and no more.
    return WatchedSession.objects.only("pk", "user_id", "username", "started")


def _ids(rows: Records) -> Iterator[tuple[str, Any]]:
    return rows.values_list("pk", "user_id").iterator(chunk_size=records.BATCH)


def _place(cursor: str) -> tuple[Any, str]:
    """Return the user, and the last of their sessions, at whom the call before stopped."""
    if not cursor:
        return None, ""
    user, _, watch_id = cursor.rpartition(":")
    try:
        return users.key_of(user), watch_id
    except ValidationError as error:
        raise ValueError(f"Expected the cursor that the call before answered, got {cursor!r}.") from error
