"""The periodic look at live sessions, in bulk: checkpoint them, and see that account and session still stand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.contrib.auth.base_user import AbstractBaseUser

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.models import WatchedSession
from idlewatch.monitor import accounts, django_sessions, records
from idlewatch.monitor import service as monitor
from idlewatch.monitor.fallback import word_of
from idlewatch.store.base import Watched


def examine(watches: Sequence[Watched], now: float) -> set[str]:
    """Checkpoint these watches and end those that stand no more; return those to look at again soon.

    A session whose row is gone, or whose auth hash no longer fits, may be in the middle of a request that gives it a
    new key or a new hash: it is doubted, and ends when it is found so twice.
    """
    by_id = {watched.id: watched for watched in watches}
    rows = {row.pk: row for row in records.find_all(by_id)}
    _take_over_ends(by_id, rows, now)
    live = [row for row in rows.values() if row.ended is None]
    _tell_ahead(live, by_id, now)
    records.checkpoint(live, by_id, now)

    users = accounts.by_primary_key(watched.user for watched in watches)
    standing = django_sessions.standing(watched.key for watched in watches if watched.key)
    again: set[str] = set()
    for row in live:
        watched = by_id[row.pk]
        reason, is_certain = _flaw(watched, row, users, standing)
        if reason is None:
            continue
        if is_certain or watched.doubted:
            monitor.end(row.pk, reason, now)
        else:
            again.add(row.pk)
    return again


def _take_over_ends(watches: Mapping[str, Watched], rows: Mapping[str, WatchedSession], now: float) -> None:
    """End in the store what a command ended in the records, and what has no record at all."""
    for watch_id in watches:
        row = rows.get(watch_id)
        if row is None:
            monitor.end(watch_id, Reason.LOST, now)
        elif row.ended is not None:
            take_over(row, now)


def _tell_ahead(rows: Iterable[WatchedSession], watches: Mapping[str, Watched], now: float) -> None:
    """Tell the store what the records know better: another process, or an earlier store, had the later word."""
    for row in rows:
        watched = watches[row.pk]
        if row.last_active > as_datetime(watched.activity.idle_from(now, watched.policy.hold_limit)):
            monitor.store().apply(row.pk, word_of(records.watched_of(row, now).activity), now)


def take_over(row: WatchedSession, now: float) -> None:
    """End in the store what has ended in the record."""
    if row.ended is not None:
        # The clock of the process that closed it may be ahead: by it, the limits might seem to have come first.
        monitor.store().end(row.pk, Reason(row.reason), min(row.ended.timestamp(), now))


def _flaw(
    watched: Watched, row: WatchedSession, users: Mapping[str, AbstractBaseUser], standing: Collection[str]
) -> tuple[Reason | None, bool]:
    """Return for what reason a session can't go on, if there is one, and whether that is certain at first sight."""
    user = users.get(watched.user)
    if user is None or not accounts.is_usable(user):
        return Reason.ACCOUNT, True
    if not accounts.vouches(user, row.auth_digest):
        return Reason.ACCOUNT, False
    # A key that the record does not have any more was rotated while the store was away, and has not lost its session.
    if watched.key and watched.key not in standing and row.session_digest in django_sessions.digests(watched.key):
        return Reason.LOST, False
    return None, False
