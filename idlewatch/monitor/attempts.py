"""Attempts at a password by the user of a session, who reauthenticates."""

from __future__ import annotations

from django.db.models import F, Q

from idlewatch.core.clock import as_datetime
from idlewatch.models import WatchedSession


def count(watch_id: str, limit: int, period: float, now: float) -> bool:
    """Count an attempt at a password; return whether it may be made: `limit` of them in `period` seconds.

    Call it before the password is checked: it is one statement, so that of many concurrent attempts `limit` are made.
    """
    rows = WatchedSession.objects.filter(pk=watch_id)
    has_lapsed = Q(attempts_since=None) | Q(attempts_since__lte=as_datetime(now - period))
    rows.filter(has_lapsed).update(failed_attempts=0, attempts_since=as_datetime(now))
    return rows.filter(failed_attempts__lt=limit).update(failed_attempts=F("failed_attempts") + 1) == 1


def reset(watch_id: str) -> None:
    """Reset the failed-attempt counter after a successful check."""
    WatchedSession.objects.filter(pk=watch_id).update(failed_attempts=0, attempts_since=None)


def count_failed(watch_id: str, period: float, now: float) -> int:
    """Return the number of failed attempts in the current period of `period` seconds."""
    since = as_datetime(now - period)
    row = (
        WatchedSession.objects.filter(pk=watch_id, attempts_since__gt=since)
        .values_list("failed_attempts", flat=True)
        .first()
    )
    return row or 0
