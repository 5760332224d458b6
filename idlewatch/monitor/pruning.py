"""Deletion of the records of sessions that ended long ago."""

from __future__ import annotations

from collections.abc import Iterator

from idlewatch.conf import conf
from idlewatch.core.clock import as_datetime
from idlewatch.managers import WatchedSessionQuerySet, among
from idlewatch.models import WatchedSession
from idlewatch.monitor import records


def sweep(now: float) -> bool:
    """Delete a batch of records older than `RECORD_RETENTION`, if it is set, but none that a cookie may still lead to.

    Return whether there was any.
    """
    if conf.record_retention is None:
        return False
    age = max(conf.record_retention, conf.session_cookie_age)
    return next(delete(ended_before(max(now - age, 0.0))), None) is not None


def ended_before(moment: float) -> WatchedSessionQuerySet:
    """Return the records of sessions that ended before a moment (epoch seconds)."""
    return WatchedSession.objects.ended().filter(ended__lt=as_datetime(moment))


def delete(rows: WatchedSessionQuerySet) -> Iterator[int]:
    """Delete records in small steps, between which waiting requests get the database; yield how many each deletes."""
    while batch := list(rows.order_by("ended").values_list("pk", flat=True)[: records.BATCH_SIZE]):
        gone, _ = rows.filter(among("pk", batch)).delete()
        yield gone
