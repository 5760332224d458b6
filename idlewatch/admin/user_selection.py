"""All sessions of the users of whom an operator selected one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError

from idlewatch.admin import selection, users
from idlewatch.admin.selection import Batch, Counts, Selection
from idlewatch.managers import WatchedSessionQuerySet
from idlewatch.models import WatchedSession
from idlewatch.monitor import records


class UserSelection(Selection):
    """Every session of the selected users; a selected session stands for its user, even after it has ended."""

    def count(self) -> Counts:
        """Return what an action would affect."""
        users_selected = self._users()
        sessions = self._without_own(self._in_time())
        if not self._needs_store:
            selected = users_selected.order_by().values("user")
            return Counts(*self._count(sessions.filter(user__in=selected)), self.count_own())
        keys = list({user for _, user in self._owners(users_selected)})
        parts = (keys[start : start + records.BATCH_SIZE] for start in range(0, len(keys), records.BATCH_SIZE))
        return Counts(sum(sessions.filter(user__in=part).count() for part in parts), len(keys), self.count_own())

    def batch(self, cursor: str) -> Batch:
        """Return the next sessions, user by user in the order of keys: a user whose sessions all ended is skipped.

        Raises:
            ValueError: the cursor does not belong to this action.
        """
        first_user, last_id = _parse_cursor(cursor)
        found: list[WatchedSession] = []
        for user in self._users_from(first_user):
            rows = self._without_own(self._in_time()).filter(user=user).after(last_id if user == first_user else "")
            found += rows[: selection.MAX_BATCH - len(found)]
            if len(found) >= selection.MAX_BATCH:
                return Batch(found, f"{users.text_of(user)} {found[-1].pk}")
        return Batch(found, None)

    def _is_own_selected(self, watch_id: str) -> bool:
        is_selected = self._selected_ever().filter(user=self._user.pk).exists()
        return is_selected and self._in_time().filter(pk=watch_id).exists()

    def _users(self) -> WatchedSessionQuerySet:
        """Return one or more sessions of each selected user; a picked one of the operator stands for the others."""
        selected = self._selected_ever()
        selected = selected if self._query is None else self._without_own(selected)
        return selected.filter(user__isnull=False)

    def _selected_ever(self) -> WatchedSessionQuerySet:
        """Return what was selected; by ids also what has ended since."""
        if self._query is not None:
            return self._selected()
        return WatchedSession.objects.filter(pk__in=self._watches)

    def _users_from(self, first: Any) -> Iterator[Any]:  # noqa: ANN401 - keys of users are of any type
        """Yield the key of each selected user, from `first` on, if there is one."""
        selected = self._users().order_by("user_id", "pk")
        if first is not None:
            yield first
            selected = selected.filter(user_id__gt=first)
        previous = first
        for _, user in self._owners(selected):
            if user != previous:
                previous = user
                yield user


def _parse_cursor(cursor: str) -> tuple[Any, str]:
    """Return the user, and the last of their sessions, at which the previous batch stopped."""
    if not cursor:
        return None, ""
    # Watch ids have no space; that of a probe has a colon.
    user, _, watch_id = cursor.rpartition(" ")
    try:
        return users.key_of(user), watch_id
    except ValidationError as error:
        raise ValueError(f"Expected the cursor that the previous call answered, got {cursor!r}.") from error
