"""The periodic check of live sessions, in bulk: checkpoint them, and check that account and session still exist."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from django.contrib.auth.base_user import AbstractBaseUser

from idlewatch import metrics
from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.events import PageMissed
from idlewatch.core.probes import is_probe
from idlewatch.exceptions import EngineUnavailable, Undecided
from idlewatch.managers import among
from idlewatch.models import WatchedSession
from idlewatch.monitor import accounts, checkpoints, django_sessions, record_keys, records, stores
from idlewatch.monitor import service as monitor
from idlewatch.monitor.isolation import log_once, work_through
from idlewatch.monitor.last_seen import report_of
from idlewatch.monitor.record_rows import Record, RecordRow, in_parts, read_account_rows, read_rows
from idlewatch.monitor.row_locks import locked
from idlewatch.process import now as clock_now
from idlewatch.signals.event_log import log_event
from idlewatch.store.values import Watched

MAX_DELAY = 2.0
"""Seconds after which an examination ends no session by facts that may be out of date."""
ROTATION_TIMEOUT = 300.0
"""Seconds after the last activity for which a request may still be giving its session another key or password."""
CONNECT_TIMEOUT = 30.0
"""Seconds within which a page with the client connects, over a socket or over HTTP."""


def examine(sessions: Sequence[Watched], now: float) -> set[str]:
    """Checkpoint these sessions and end those that are no longer valid; return those to examine again soon.

    A session whose auth hash does not match may be in the middle of a request that gives it a new one, and a row that
    is missing (the session, its record or its user) may not be committed yet, or may be missing in a database that just
    took over. The session is doubted then, which its next claim says (`unfinished`), and ends if a second examination
    finds the same: not while a request has announced another key, and works on or stands still.
    """
    again: set[str] = set()
    work_through(
        "check", {watched.id: watched for watched in sessions}, lambda batch: again.update(_examine(batch, now))
    )
    return again


def _examine(sessions: Sequence[Watched], now: float) -> set[str]:
    done = _examine_quickly(sessions, now)
    by_id = {watched.id: watched for watched in sessions if watched.id not in done}
    if not by_id:
        return set()
    rows = {row.pk: row for row in in_parts(read_rows, WatchedSession.objects.all(), by_id)}
    live = [row for row in rows.values() if row.ended is None]
    # Together with the records: what follows may wait for a transaction of the project that changes a password, until
    # just before that is announced.
    flaws = _flaws_of_accounts(live)
    again = _copy_ends(by_id, rows, now)
    # A record that is ahead of its session is one of those that differ: most do not.
    different = checkpoints.outdated(live, by_id, now)
    _report_ahead(different, by_id, now)
    left = checkpoints.write({row.pk: checkpoints.progress_of(by_id[row.pk], now) for row in different})
    stores.current().queue.note_written([by_id[row.pk] for row in live if row.pk not in left])

    def end(row: Record, reason: Reason, *, is_certain: bool) -> None:
        """End a session, at once or after a second examination."""
        watched = by_id[row.pk]
        # What was found late, behind a lock of the project perhaps, may have been replaced since the facts were read.
        is_doubt_over = watched.unfinished and not _is_rotating(row, watched, now) and clock_now() - now < MAX_DELAY
        is_due = is_certain or is_doubt_over
        if is_due and not locked(WatchedSession.objects.all(), [row.pk]):
            monitor.end(row.pk, reason, now)
        else:
            again.add(row.pk)

    for row in live:
        is_certain = flaws.get(row.pk)
        if is_certain is not None:
            end(row, Reason.ACCOUNT, is_certain=is_certain)
    # Afterwards: an engine that fails for a session must not keep it open for an account that may not use it.
    sound = [row for row in live if flaws.get(row.pk) is None]
    existing = _standing(by_id[row.pk] for row in sound)
    gone = [row.pk for row in sound if _is_lost(by_id[row.pk], row, existing)]
    # As they are now: a request may have given the session another key since its record was read.
    for row in in_parts(read_rows, WatchedSession.objects.all(), gone):
        if _is_lost(by_id[row.pk], row, existing):
            end(row, Reason.LOST, is_certain=False)
    # Once nothing has failed: each is logged.
    _report_silent_pages(live, by_id, now)
    return again


def _examine_quickly(sessions: Sequence[Watched], now: float) -> Collection[str]:
    """Examine those that need no more than a few columns, nearly all on the memory store; return their ids.

    Their records are live and were written by this process alone, none of them is ahead, and account and Django
    session stand. What they have in common with the others is that their progress is written, where there is any.
    """
    store = stores.current()
    if store.shared or not accounts.are_judged_by_columns():
        return ()
    written = {each.id for each in store.queue.written(sessions)}
    quiet = {each.id: each for each in sessions if _is_quiet(each, is_written=each.id in written)}
    if not quiet:
        return ()
    rows = read_account_rows(WatchedSession.objects.filter(among("pk", quiet)))
    sound = accounts.find_sound([row for row in rows if not records.is_ahead(row, quiet[row.pk], now)])
    existing = _standing(quiet[watch_id] for watch_id in sound)
    done = {watch_id for watch_id in sound if not (key := quiet[watch_id].key) or key in existing}
    changed = {watch_id: checkpoints.progress_of(quiet[watch_id], now) for watch_id in done - written}
    left = checkpoints.write(changed)
    store.queue.note_written([quiet[watch_id] for watch_id in changed if watch_id not in left])
    return done


def _is_quiet(watched: Watched, *, is_written: bool) -> bool:
    """Return whether nothing is doubted, awaited, or left out of the record until the shutdown."""
    activity = watched.activity
    return not watched.unfinished and activity.awaited_since is None and (is_written or activity.closed_at is None)


def _standing(sessions: Iterable[Watched]) -> Collection[str]:
    keys = [watched.key for watched in sessions if watched.key]
    try:
        return django_sessions.standing(keys) if keys else keys
    except EngineUnavailable as error:
        # Nothing is known of any of them.
        log_once("session engine", str(error))
        return keys


def _copy_ends(sessions: Mapping[str, Watched], rows: Mapping[str, RecordRow], now: float) -> set[str]:
    """End in the store what a command ended in the records, and what has no record; return what may yet get one."""
    again = set()
    for watch_id, watched in sessions.items():
        row = rows.get(watch_id)
        if row is not None:
            take_over(row, now)
        elif watched.unfinished:
            monitor.end(watch_id, Reason.LOST, now)
        else:
            again.add(watch_id)
    return again


def _report_ahead(rows: Iterable[Record], sessions: Mapping[str, Watched], now: float) -> None:
    """Report later activity of the records to the store: from another process, or an earlier store."""
    for row in rows:
        if records.is_ahead(row, sessions[row.pk], now):
            with suppress(Undecided):
                stores.current().sessions.apply(row.pk, report_of(records.watched_of(row, now).activity), now)


def _report_silent_pages(rows: Iterable[RecordRow], sessions: Mapping[str, Watched], now: float) -> None:
    """Report pages whose client has not connected: blocked by a policy or by CORS, or not found.

    Such a page neither warns nor hides its content at the end. Those of probes are loaded without a browser.
    """
    for row in rows:
        since = sessions[row.pk].activity.awaited_since
        if since is not None and now - since >= CONNECT_TIMEOUT and not is_probe(row.pk):
            metrics.SILENT_PAGES.inc()
            log_event(
                "page_silent",
                level=logging.WARNING,
                watch_id=row.pk,
                user=sessions[row.pk].user,
                shown=as_datetime(since),
            )
            with suppress(Undecided):
                stores.current().sessions.apply(row.pk, PageMissed(), now)


def take_over(row: Record, now: float) -> None:
    """End a session in the store if its record has ended."""
    if row.ended is not None:
        # The clock of the process that closed it may be ahead.
        at = min(row.ended.timestamp(), now)
        stores.current().sessions.end(row.pk, records.reason_of(row), at, limits_first=False)


def _flaws_of_accounts(rows: Sequence[RecordRow]) -> Mapping[str, bool | None]:
    """Return the flaws of the accounts that have to be judged one by one, by watch id."""
    sound = accounts.find_sound(rows)
    left = [row for row in rows if row.pk not in sound]
    users = accounts.by_primary_key(key for row in left for key in accounts.keys_of(row))
    return {row.pk: _flaw_of_account(row, users) for row in left}


def _flaw_of_account(row: Record, users: Mapping[str, AbstractBaseUser]) -> bool | None:
    """Return None if the accounts of a session may go on; otherwise whether one examination is enough to end it."""
    are_usable, are_unchanged = accounts.may_continue(row, users)
    if are_usable and are_unchanged:
        return None
    is_missing = any(key and key not in users for key in accounts.keys_of(row))
    return not are_usable and not is_missing


def _is_rotating(row: Record, watched: Watched, now: float) -> bool:
    """Return whether a request is giving a session another key; one that has died is waited for as long as any."""
    return record_keys.is_rotating(row) and now < watched.activity.active + ROTATION_TIMEOUT


def _is_lost(watched: Watched, row: Record, existing: Collection[str]) -> bool:
    """Return whether the Django session of a record is gone."""
    key = watched.key
    if not key or key in existing:
        return False
    # A key that the record no longer has was rotated while the store was unavailable: its session still exists.
    return row.session_digest in django_sessions.digests(key)
