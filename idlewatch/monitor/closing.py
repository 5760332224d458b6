"""The closing of the records of sessions that ended in the store: the call that finds one open announces the end."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router, transaction

from idlewatch.managers import persistently
from idlewatch.models import WatchedSession
from idlewatch.monitor import records
from idlewatch.signals import announce
from idlewatch.store.values import Watched


def close(ended: Watched) -> None:
    """Close the record of a session that ended in the store, and announce the end if the record was open."""
    if records.close(ended.id, *records.end_of(ended), last=ended):
        announce_end(ended, None)


def close_all(ended: Sequence[Watched]) -> Collection[str]:
    """Close the records of sessions that ended in the store; return the ids of those that are locked by a transaction.

    A view that signs its user out and works on may lock one for a long time: the others do not wait for it.
    """
    database = router.db_for_write(WatchedSession)

    def close_batch() -> Collection[str]:
        with transaction.atomic(using=database):
            closed, locked = records.close_all(ended)
            for watched in closed:
                announce_end(watched, None)
            return locked

    return persistently(close_batch, database)


def close_again(ended: Watched) -> bool:
    """Close the record of a session whose end was announced before the database lost it; return whether it was open."""
    return records.close(ended.id, *records.end_of(ended), last=ended)


def announce_end(ended: Watched, by: AbstractBaseUser | None) -> None:
    """Announce the end of a session whose record this process has closed; `by`: the user who ended it, if known."""
    # If the end of the record is rolled back, the timer writes it again, and announces it then.
    announce.ended(ended, *records.end_of(ended), by)
