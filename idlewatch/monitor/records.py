"""The records in the database, read and written in terms of the store: what is more than a query of `managers`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, router
from django.db.models import Count, F, Q, QuerySet, Value
from django.db.models.functions import Greatest
from msgspec.structs import replace

from idlewatch.conf import conf
from idlewatch.core.activity import NOTHING, Activity, Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.policy import UNWARNED, Phase, Policy, assess
from idlewatch.managers import among
from idlewatch.models import LIVES, MAX_NAME, WatchedSession
from idlewatch.monitor import checkpoints
from idlewatch.monitor.checkpoints import COUNTERS
from idlewatch.monitor.isolation import AWAY, isolated, log_once
from idlewatch.monitor.record_rows import (
    AccountRow,
    LiveRow,
    Progress,
    RecordRow,
    Resumable,
    activity_in,
    in_parts,
    policy_in,
    read_live_rows,
    read_progress,
    read_rows,
)
from idlewatch.monitor.row_locks import skipping_locked
from idlewatch.store.values import Watched

T = TypeVar("T")

BATCH_SIZE = 500
"""Records read or written at once."""
END = ("ended", "reason")
"""The fields that a record gets when its session ends by itself, beside its progress."""


def watched_of(record: Resumable, now: float) -> Watched:
    """Return what a store needs to resume from a record at `now` (epoch seconds).

    Tabs and holds are reported again by the pages, none of which is awaited; the holds of the record stopped the idle
    clock until the checkpoint.
    """
    facts = _facts_in(record)
    held_until = min(facts.held_until, record.last_active.timestamp()) if facts.held_until else 0.0
    activity = replace(facts, tabs=NOTHING, holds=NOTHING, held_until=held_until, awaited_since=None)
    policy = _limits_in(record)
    if record.ended is not None:
        activity = activity.finished(reason_of(record), record.ended.timestamp())
    verdict = assess(activity, policy, now)
    # A recorded end was announced; one that the clock brought meanwhile is still to be announced and recorded.
    shown = UNWARNED if verdict.phase is Phase.ENDED and record.ended is None else verdict.shown
    return Watched(id=record.pk, user=user_text(record), policy=policy, activity=activity, shown=shown)


def reason_of(record: Resumable) -> Reason:
    """Return why a session ended: `lost` where the record names no reason, as one that was ended by hand."""
    try:
        return Reason(record.reason)
    except ValueError:
        log_once(f"reason of {record.pk}", f"The record of session {record.pk} has no known reason; it counts as lost.")
        return Reason.LOST


def _limits_in(record: Resumable) -> Policy:
    try:
        return policy_in(record)
    except msgspec.DecodeError as error:
        log_once(f"limits of {record.pk}", f"Session {record.pk} goes by the limits of the settings: {error}.")
        return conf.policy


def _facts_in(record: Resumable) -> Activity:
    try:
        return activity_in(record)
    except msgspec.DecodeError as error:
        log_once(f"facts of {record.pk}", f"Session {record.pk} goes by the fields of its record alone: {error}.")
        fields = WatchedSession.objects.only("signed_in", *COUNTERS).get(pk=record.pk)
        return Activity(
            logged_in_at=fields.signed_in.timestamp(),
            active=record.last_active.timestamp(),
            held_before=fields.held_seconds,
            warnings=fields.warnings,
            extensions=fields.extensions,
        )


def user_text(record: Resumable) -> str:
    """Return the user's primary key as Django's session writes it; empty if the account was deleted."""
    return "" if record.user_id is None else str(record.user_id)


def read(rows: QuerySet[WatchedSession]) -> list[RecordRow]:
    """Return these records; one that can't be read is left out, and logged once."""
    return _read(rows, read_rows)


def read_live(rows: QuerySet[WatchedSession]) -> list[LiveRow]:
    """Return what a store needs of these records, which are live; one that can't be read is left out, as above."""
    return _read(rows, read_live_rows)


def _read(rows: QuerySet[WatchedSession], read_all: Callable[[QuerySet[WatchedSession]], list[T]]) -> list[T]:
    try:
        return read_all(rows)
    except AWAY:
        raise
    except Exception:  # noqa: BLE001 - it is logged where the one that raises it is found
        found = list[T]()
        for watch_id in rows.values_list("pk", flat=True):
            with isolated("reading its record", watch_id):
                found += read_all(WatchedSession.objects.filter(pk=watch_id))
        return found


def is_ahead(row: Resumable | Progress | AccountRow, present: Watched, now: float) -> bool:
    """Return whether a record has later activity than a store has of its session."""
    return row.last_active > as_datetime(present.activity.idle_from(now, present.policy.hold_limit))


def find_ahead(sessions: Sequence[Watched], now: float) -> Sequence[RecordRow]:
    """Return the records of these sessions that have later activity than a store, or the end.

    A process that could not reach the store for a moment has judged by the records, and advanced or closed them.
    """
    known = {watched.id: watched for watched in sessions}
    progress = _read(WatchedSession.objects.filter(among("pk", known)), read_progress)
    ahead = [row.pk for row in progress if row.ended is not None or is_ahead(row, known[row.pk], now)]
    return in_parts(read, WatchedSession.objects.all(), ahead)


def count_others(user: str, watch_id: str, since: float) -> tuple[int, int]:
    """Return how many other sessions of a user are live, and how many an account change has ended since then.

    `user`: the primary key as a string; `since`: epoch seconds.
    """
    changed = Q(ended__gte=as_datetime(since), reason=Reason.ACCOUNT.value)
    others = WatchedSession.objects.for_user(user).without_probes().exclude(pk=watch_id)
    # By conditions on counts: by one on rows, PostgreSQL may go through all that ended just now, of whatever user.
    counts = others.aggregate(live=Count("pk", filter=LIVES), changed=Count("pk", filter=changed))
    return counts["live"], counts["changed"]


def revoked_by(user: Any, ends: Mapping[str, float]) -> set[str]:  # noqa: ANN401 - keys of users are of any type
    """Return which of these sessions the user with this primary key ended at exactly these times (epoch seconds).

    A record with another time was closed by another request of the same user.
    """
    rows = WatchedSession.objects.revoked_by(user).filter(pk__in=list(ends))
    return {watch_id for watch_id, ended in rows.values_list("pk", "ended") if ended == as_datetime(ends[watch_id])}


def close(
    watch_id: str, reason: Reason, at: float, by: AbstractBaseUser | None = None, last: Watched | None = None
) -> bool:
    """Close a record, with its progress if `last` is known; return whether this call closed it.

    Of several concurrent calls, exactly one returns True.
    """
    rows = WatchedSession.objects.live().filter(pk=watch_id)
    return _update(rows, _end(reason, at, by), {} if last is None else checkpoints.progress_of(last, at))


def close_all(ended: Sequence[Watched]) -> tuple[Sequence[Watched], Collection[str]]:
    """Close the records of sessions that ended, with their progress, in a transaction of the caller.

    Return the sessions whose record was open, and the ids of those whose record another transaction has locked. They
    are written by one statement for all; the ORM would take half a millisecond of processor time for each.
    """
    rows = WatchedSession.objects.live().filter(among("pk", [watched.id for watched in ended]))
    connection = connections[router.db_for_write(WatchedSession)]
    own = skipping_locked(rows)
    if own is None:
        # Of what is read after a write, no other transaction changes anything.
        rows.update(reason=F("reason"))
    open_until = {row.pk: row.last_active for row in read_progress(rows if own is None else own)}
    locked: Collection[str] = ()
    if own is not None and len(open_until) < len(ended):
        locked = set(rows.values_list("pk", flat=True)) - open_until.keys()
    closed, written = [watched for watched in ended if watched.id in open_until], []
    for watched in closed:
        reason, at = end_of(watched)
        fields = {"id": watched.id, **_end(reason, at), **checkpoints.progress_of(watched, at)}
        if open_until[watched.id] > fields["last_active"]:
            # Its progress is ahead.
            close(watched.id, reason, at)
        else:
            written.append(fields)
    if written:
        checkpoints.execute(written, connection, END)
    return closed, locked


def end_of(ended: Watched) -> tuple[Reason, float]:
    """Return why and when (epoch seconds) a session ended."""
    reason, at = ended.activity.reason, ended.activity.ended
    assert reason is not None and at is not None, f"{ended!r} has not ended"  # noqa: S101, PT018
    return reason, at


def _end(reason: Reason, at: float, by: AbstractBaseUser | None = None) -> dict[str, Any]:
    return {
        "ended": as_datetime(at),
        "reason": reason.value,
        "ended_by": by,
        "ended_by_name": "" if by is None else name_of(by),
    }


def correct(watch_id: str, reason: Reason, at: float) -> None:
    """Replace the reason of a closed record with the one that came first in the store."""
    WatchedSession.objects.filter(pk=watch_id).update(**_end(reason, at))


def name_of(user: AbstractBaseUser) -> str:
    """Return the user name as records store it: a custom user model may have longer names, or numbers."""
    return str(user.get_username())[:MAX_NAME]


def _update(rows: QuerySet[WatchedSession], fields: dict[str, Any], progress: dict[str, Any]) -> bool:
    """Update a record, also its progress unless it is ahead of that; return whether there was one."""
    if not progress:
        return rows.update(**fields) == 1
    forward = progress | {name: Greatest(F(name), Value(progress[name])) for name in checkpoints.COUNTERS}
    is_updated = rows.filter(last_active__lte=progress["last_active"]).update(**fields, **forward)
    return is_updated == 1 or rows.update(**fields) == 1


def restart(watched: Watched, at: float) -> None:
    """Restart the clocks of a session, under the limits of the new sign-in, unless a later one has."""
    restarted = {
        "signed_in": as_datetime(at),
        "limits": msgspec.to_builtins(watched.policy),
        "failed_attempts": 0,
        "attempts_since": None,
    }
    rows = WatchedSession.objects.live().filter(pk=watched.id, signed_in__lte=as_datetime(at))
    _update(rows, restarted, checkpoints.progress_of(watched, at))


def transfer(watched: Watched, user: AbstractBaseUser, operator: AbstractBaseUser, digest: str) -> None:
    """Give a session its new user and limits, and the operator who acts as that user, if it is another.

    `digest`: of the operator's auth hash.
    """
    is_impersonated = user.pk != operator.pk
    WatchedSession.objects.live().filter(pk=watched.id).update(
        user_id=user.pk,
        username=name_of(user),
        limits=msgspec.to_builtins(watched.policy),
        impersonator_id=operator.pk if is_impersonated else None,
        impersonator_name=name_of(operator) if is_impersonated else "",
        impersonator_digest=digest if is_impersonated else "",
    )
