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
"""Rows that are locked at once."""
STATEMENT_ROWS = 100
"""Rows in one statement: each has an entry in many indexes, and a statement is to take a few milliseconds."""
LATEST = ("facts", "last_active")
COUNTERS = ("warnings", "extensions", "held_seconds")
"""The fields of a session's progress: those that are replaced, and those that only grow."""


def checkpoint(
    rows: Iterable[Record], sessions: Mapping[str, Watched], now: float, *, last: bool = False
) -> Collection[str]:
    """Write each session's progress if it changed, and return what is left out, as `write` does.

    `last`: the store is shutting down in good order, so nothing can follow what is written.
    """
    left_behind = outdated(rows, sessions, now, last=last)
    return write({row.pk: progress_of(sessions[row.pk], now, last=last) for row in left_behind})


def outdated(
    rows: Iterable[Record], sessions: Mapping[str, Watched], now: float, *, last: bool = False
) -> Sequence[Record]:
    """Return the records that differ from what `checkpoint` would write into them."""
    return [row for row in rows if not _has_progress(row, sessions[row.pk], now, last=last)]


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
    # In one order everywhere: two transactions must not wait for each other.
    rows = [{"id": watch_id, **progress[watch_id]} for watch_id in sorted(progress)]
    left = set[str]()
    for start in range(0, len(rows), MAX_ROWS):
        batch = rows[start : start + MAX_ROWS]
        left.update(persistently(partial(_write_batch, batch, connections[database], waits=waits), database))
    return left


def _write_batch(
    batch: Sequence[Mapping[str, Any]], connection: BaseDatabaseWrapper, *, waits: bool
) -> Collection[str]:
    # To lock rows begins a transaction, where the database can skip those that are locked.
    is_locking = not waits and connection.features.has_select_for_update_skip_locked
    is_one = is_locking or len(batch) == 1
    transacting = nullcontext() if is_one else transaction.atomic(connection.alias, savepoint=False)
    locks = locking(WatchedSession.objects.all(), [row["id"] for row in batch]) if is_locking else nullcontext(())
    with transacting, locks as locked:
        if free := [row for row in batch if row["id"] not in locked]:
            execute(free, connection)
        return locked


def execute(rows: Sequence[Mapping[str, Any]], connection: BaseDatabaseWrapper, also: Sequence[str] = ()) -> None:
    """Write progress, and the fields in `also`, into records; one that is closed, or ahead of it, stays as it is.

    `rows`: for each record its id and the values to write, by field.
    """
    names = (*also, *LATEST, *COUNTERS, "id")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # One statement with one parameter: a plan, or a parameter, for each row would take longer than the row.
            written = [{name: row[name] for name in names} for row in rows]
            for start in range(0, len(written), STATEMENT_ROWS):
                text = msgspec.json.encode(written[start : start + STATEMENT_ROWS]).decode()
                cursor.execute(_statement_for_all(names, connection), [text])
        else:
            parameters = [_parameters(row, also, connection) for row in rows]
            cursor.executemany(_statement_for_each(also, connection), parameters)


def _statement_for_each(also: Sequence[str], connection: BaseDatabaseWrapper) -> str:
    columns, table = _columns(connection)
    latest = [f"{columns[name]} = %s" for name in (*also, *LATEST)]
    counters = [
        f"{name} = CASE WHEN {name} < %s THEN %s ELSE {name} END" for name in map(columns.__getitem__, COUNTERS)
    ]
    condition = f"{columns['id']} = %s AND {columns['ended']} IS NULL AND {columns['last_active']} <= %s"
    return f"UPDATE {table} SET {', '.join([*latest, *counters])} WHERE {condition}"  # noqa: S608 - no values in it


def _parameters(row: Mapping[str, Any], also: Sequence[str], connection: BaseDatabaseWrapper) -> list[Any]:
    # Most values are what the database takes, and the preparation of a field would take longer than the statement.
    prepared = {**row, "facts": msgspec.json.encode(row["facts"]).decode()}
    prepared["last_active"] = connection.ops.adapt_datetimefield_value(row["last_active"])
    for name in also:
        prepared[name] = _fields()[name].get_db_prep_save(row[name], connection)
    counters = [prepared[name] for name in COUNTERS for _ in range(2)]
    return [*(prepared[name] for name in (*also, *LATEST)), *counters, prepared["id"], prepared["last_active"]]


def _statement_for_all(names: Sequence[str], connection: BaseDatabaseWrapper) -> str:
    columns, table = _columns(connection)
    counters = [f"{columns[name]} = GREATEST({table}.{columns[name]}, new.{columns[name]})" for name in COUNTERS]
    latest = [f"{columns[name]} = new.{columns[name]}" for name in names if name not in (*COUNTERS, "id")]
    types = [f"{columns[name]} {_fields()[name].db_type(connection)}" for name in names]
    new = f"json_to_recordset(%s::json) AS new ({', '.join(types)})"
    condition = (
        f"{table}.{columns['id']} = new.{columns['id']} AND {table}.{columns['ended']} IS NULL"
        f" AND {table}.{columns['last_active']} <= new.{columns['last_active']}"
    )
    return f"UPDATE {table} SET {', '.join([*latest, *counters])} FROM {new} WHERE {condition}"  # noqa: S608 - as above


def _columns(connection: BaseDatabaseWrapper) -> tuple[Mapping[str, str], str]:
    quote = connection.ops.quote_name
    columns = {name: quote(field.column) for name, field in _fields().items()}
    return columns, quote(WatchedSession._meta.db_table)


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
    if not activity.tabs and closed_at is activity.closed_at:
        return activity
    return replace(activity, tabs={}, closed_at=closed_at)
