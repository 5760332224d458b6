"""Checkpoints: the progress of live sessions, written into their records."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import cache, partial
from typing import Any

import msgspec
from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from msgspec.structs import replace

from idlewatch.core.activity import Activity
from idlewatch.core.clock import as_datetime
from idlewatch.managers import persistently
from idlewatch.models import WatchedSession
from idlewatch.monitor.record_rows import Record, activity_in
from idlewatch.monitor.row_locks import locking
from idlewatch.store.values import Watched

MAX_ROWS = 500
"""Rows in one statement."""
LATEST = ("facts", "last_active")
COUNTERS = ("warnings", "extensions", "held_seconds")
"""The fields of a session's progress: those that are replaced, and those that only grow."""
ID = -2
"""The place of the watch id among the parameters of the statement that writes the progress."""


def checkpoint(rows: Iterable[Record], sessions: Mapping[str, Watched], now: float, *, last: bool = False) -> None:
    """Write each session's progress if it changed, as `write` does.

    `last`: the store is shutting down in good order, so nothing can follow what is written.
    """
    changed = {}
    for row in rows:
        watched = sessions[row.pk]
        if not _has_progress(row, watched, now, last=last):
            changed[row.pk] = progress_of(watched, now, last=last)
    write(changed)


def _has_progress(row: Record, watched: Watched, now: float, *, last: bool) -> bool:
    activity, hold_limit = watched.activity, watched.policy.hold_limit
    if (row.warnings, row.extensions, row.held_seconds, row.last_active) != (
        activity.warnings,
        activity.extensions,
        activity.held_seconds(now, hold_limit),
        as_datetime(activity.idle_from(now, hold_limit)),
    ):
        return False
    try:
        return activity_in(row) == _recorded(activity, last=last)
    except msgspec.DecodeError:
        return False


def advance(watched: Watched, now: float) -> None:
    """Write one session's progress, as `write` does."""
    write({watched.id: progress_of(watched, now)}, waits=True)


def write(progress: Mapping[str, Mapping[str, Any]], *, waits: bool = False) -> Collection[str]:
    """Write the progress of sessions, by watch id; a record that is closed, or ahead of it, stays as it is.

    Return the ids of those whose record a transaction of the project has locked: they are left out, unless it `waits`
    for them.

    The progress may be out of date, from a process that was stopped: so the statement checks each row, and counters
    never go back. All rows share one statement; the ORM would take half a millisecond of processor time for each.
    """
    database = router.db_for_write(WatchedSession)
    connection = connections[database]
    # In one order everywhere: two transactions must not wait for each other.
    rows = [parameters(watch_id, progress[watch_id], connection) for watch_id in sorted(progress)]
    left = set[str]()
    for start in range(0, len(rows), MAX_ROWS):
        batch = rows[start : start + MAX_ROWS]
        left.update(persistently(partial(_write_batch, batch, connection, waits=waits), database))
    return left


def _write_batch(batch: Sequence[Sequence[Any]], connection: BaseDatabaseWrapper, *, waits: bool) -> Collection[str]:
    transacting = nullcontext() if len(batch) == 1 else transaction.atomic(connection.alias, savepoint=False)
    locks = nullcontext(()) if waits else locking(WatchedSession.objects.all(), [row[ID] for row in batch])
    with transacting, locks as locked, connection.cursor() as cursor:
        if free := [row for row in batch if row[ID] not in locked]:
            cursor.executemany(statement(connection), free)
        return locked


def statement(connection: BaseDatabaseWrapper, also: Sequence[str] = ()) -> str:
    """Return the statement that writes the progress of a session, and other fields, unless its record is ahead."""
    quote, fields = connection.ops.quote_name, _fields()
    columns = {name: quote(field.column) for name, field in fields.items()}
    latest = [f"{columns[name]} = %s" for name in (*also, *LATEST)]
    counters = [
        f"{name} = CASE WHEN {name} < %s THEN %s ELSE {name} END" for name in map(columns.__getitem__, COUNTERS)
    ]
    condition = f"{columns['id']} = %s AND {columns['ended']} IS NULL AND {columns['last_active']} <= %s"
    table = quote(WatchedSession._meta.db_table)
    return f"UPDATE {table} SET {', '.join([*latest, *counters])} WHERE {condition}"  # noqa: S608 - no values in it


def parameters(
    watch_id: str, values: Mapping[str, Any], connection: BaseDatabaseWrapper, also: Sequence[str] = ()
) -> list[Any]:
    """Return the parameters of that statement."""
    fields = _fields()
    prepared = {name: fields[name].get_db_prep_save(value, connection) for name, value in values.items()}
    counters = [prepared[name] for name in COUNTERS for _ in range(2)]
    return [*(prepared[name] for name in (*also, *LATEST)), *counters, watch_id, prepared["last_active"]]


@cache
def _fields() -> Mapping[str, Any]:
    return {field.name: field for field in WatchedSession._meta.concrete_fields}


def progress_of(watched: Watched, now: float, *, last: bool = False) -> dict[str, Any]:
    """Return the progress fields of a record at `now` (epoch seconds)."""
    activity, hold_limit = watched.activity, watched.policy.hold_limit
    return {
        "facts": msgspec.to_builtins(_recorded(activity, last=last)),
        "last_active": as_datetime(activity.idle_from(now, hold_limit)),
        "warnings": activity.warnings,
        "extensions": activity.extensions,
        "held_seconds": activity.held_seconds(now, hold_limit),
    }


def _recorded(activity: Activity, *, last: bool) -> Activity:
    # After a crash, a browser that was closed at the checkpoint may be back: only an orderly shutdown records it.
    closed_at = activity.closed_at if last else None
    return replace(activity, tabs={}, closed_at=closed_at)
