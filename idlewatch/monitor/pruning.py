"""Deletion of the records of sessions that ended long ago."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from idlewatch.conf import conf
from idlewatch.core.clock import as_datetime
from idlewatch.managers import WatchedSessionQuerySet, among
from idlewatch.models import WatchedSession
from idlewatch.monitor import records

MAX_BATCHES = 100
"""Batches that one sweep deletes, at most: the process has other work to do, and the next sweep goes on."""


def sweep(now: float) -> None:
    """Delete records older than `RECORD_RETENTION`, if it is set, but none that a cookie may still lead to."""
    if conf.record_retention is not None:
        age = max(conf.record_retention, conf.session_cookie_age)
        for _ in islice(delete(ended_before(now - age)), MAX_BATCHES):
            pass


def ended_before(moment: float) -> WatchedSessionQuerySet:
    """Return the records of sessions that ended before a moment (epoch seconds)."""
    return WatchedSession.objects.ended().filter(ended__lt=as_datetime(moment))


def delete(rows: WatchedSessionQuerySet) -> Iterator[int]:
    """Delete records in small steps, between which waiting requests get the database; yield how many each deletes."""
    while batch := list(rows.order_by("ended").values_list("pk", flat=True)[: records.BATCH_SIZE]):
        gone, _ = rows.filter(among("pk", batch)).delete()
        yield gone
