"""The use cases of a watched session: look, end, rebind. `login` has the sign-in.

They write to the store and the records. Tabs are notified by the timer, from what is due in the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.events import Event
from idlewatch.core.policy import Phase
from idlewatch.exceptions import Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import accounts, closing, django_sessions, record_keys, records, stores
from idlewatch.monitor.store_lease import StoreLease
from idlewatch.process import Lane, current_process, in_thread
from idlewatch.signals import announce, transactions
from idlewatch.store import transitions
from idlewatch.store.base import SessionStore
from idlewatch.store.values import Touch, Watched


def look(watch_id: str, now: float, event: Event | None = None, sessions: SessionStore | None = None) -> Watched | None:
    """Return a session, after `event` if there is one; None if it is unknown.

    A session that the store does not have is resumed from its record first. `sessions`: those of the current process's
    store, if the caller has them.

    Raises:
        HoldRefused, TooManyTabs: as the event does.
        Undecided: the store is unavailable, or just back, and the session's state cannot be determined.
    """
    sessions = sessions or stores.current().sessions
    watched = sessions.get(watch_id) if event is None else sessions.apply(watch_id, event, now)
    if watched is None and (watched := resume(watch_id, now)) is not None and event is not None:
        watched = sessions.apply(watch_id, event, now)
    return watched


def look_at_all(watch_ids: Sequence[str], now: float) -> Sequence[Watched | None]:
    """Return these sessions, in their order, as `look` does.

    Raises:
        Undecided: the state of one of them cannot be determined.
    """
    known = stores.current().sessions.get_many(watch_ids)
    return [watched or resume(watch_id, now) for watch_id, watched in zip(watch_ids, known, strict=True)]


def look_at_bound(sessions: Mapping[str, SessionBase], now: float) -> Mapping[str, Watched]:
    """Return watched sessions, by their ids, that have the keys of these Django sessions.

    Where the store lacks one, or its key, and the record has that key and password, it is resumed and bound. Any other
    is left out.

    Raises:
        Undecided: the state of one of them cannot be determined.
    """
    store = stores.current().sessions
    found = {watched.id: watched for watched in store.get_many(list(sessions)) if watched is not None}
    keys = {watch_id: django_sessions.key_of(session) for watch_id, session in sessions.items()}
    unbound = [watch_id for watch_id, key in keys.items() if watch_id not in found or found[watch_id].key != key]
    for record in records.read(WatchedSession.objects.live().filter(pk__in=unbound)) if unbound else ():
        key = keys[record.pk]
        if record_keys.has_key(record, key, django_sessions.auth_digest_of(sessions[record.pk])):
            watched = found.get(record.pk) or store.open(records.watched_of(record, now), now)
            if key is not None:
                store.bind(record.pk, key)
            found[record.pk] = replace(watched, key=key)
    return {watch_id: watched for watch_id, watched in found.items() if watched.key == keys[watch_id]}


async def alook(watch_id: str, now: float, event: Event | None = None) -> Watched | None:
    """Async version of `look`.

    Raises:
        StoreUnavailable: the event has to wait until the store is back.
    """
    process = current_process()
    lease = process.part(StoreLease)
    if lease.is_doubtful:
        await in_thread(Lane.LEASE, stores.require_store, now)
    lease.check()
    sessions = stores.store_of(process).sessions
    watched = await sessions.aget(watch_id) if event is None else await sessions.aapply(watch_id, event, now)
    if watched is None and (watched := await in_thread(Lane.DATABASE, resume, watch_id, now)) and event is not None:
        watched = await sessions.aapply(watch_id, event, now)
    return watched


def collect(touch: Touch) -> bool:
    """Collect activity that a tab here reported, if the store takes it; return whether it does."""
    process = current_process()
    lease = process.part(StoreLease)
    if lease.is_doubtful or lease.owner is not None:
        return False
    return stores.store_of(process).sessions.collect(touch, process.name)


def resume(watch_id: str, now: float) -> Watched | None:
    """Open a session in the store from its record; return None if there is no record."""
    record = WatchedSession.objects.find(watch_id)
    return None if record is None else stores.current().sessions.open(records.watched_of(record, now), now)


def rebind(watch_id: str, session: SessionBase, *, is_own: bool = True) -> None:
    """Write a session's new key and auth hash to the record and the store.

    `is_own`: whether the caller's request gave it this key. Other requests may have come before it got its present one.
    """
    key = django_sessions.key_of(session)
    if key is not None and not session.exists(key):
        # This request read the session before another one rotated its key, and reported that.
        return
    is_bound = record_keys.rebind(watch_id, key, django_sessions.auth_digest_of(session), is_own=is_own)
    if key is not None and is_bound:
        stores.current().sessions.bind(watch_id, key)


def end(watch_id: str, reason: Reason, now: float, by: AbstractBaseUser | None = None) -> Watched:
    """End a session by request; return it as it ended.

    The record is closed first, so that a store that loses its data does not bring the session back. An earlier end, by
    the clock or by another request, keeps its reason. A process that does not own the memory store closes the record
    alone.

    In a transaction of the project it ends with the commit: before that no other process sees the record closed, and
    with it open a store that loses its data would bring the session back.
    """
    if transactions.is_open():
        transactions.once_recorded(lambda: _end(watch_id, reason, now, by))
        watched = _look_to_end(watch_id, now)
        if watched is None:
            return transitions.tombstone(watch_id, reason, now)
        return transitions.ended(watched, reason, now)
    return _end(watch_id, reason, now, by)


def _end(watch_id: str, reason: Reason, now: float, by: AbstractBaseUser | None) -> Watched:
    if _knows_only_record(watch_id):
        return _end_record(watch_id, reason, now, by)
    watched = _look_to_end(watch_id, now)
    if watched is not None and watched.verdict(now).phase is Phase.ENDED:
        watched = finish(watch_id, now)
        if watched.activity.ended is not None:
            return watched
    closed = records.close(watch_id, reason, now, by, watched)
    ended = stores.current().sessions.end(watch_id, reason, now)
    if closed:
        if ended.activity.reason is not reason:
            records.correct(watch_id, *records.end_of(ended))
        closing.announce_end(ended, by)
    return ended


def _look_to_end(watch_id: str, now: float) -> Watched | None:
    """Return a session that is to end; None also if its state cannot be determined, since it ends now anyway."""
    try:
        return look(watch_id, now)
    except Undecided:
        return None


def end_all(watch_ids: Iterable[str], reason: Reason, now: float) -> None:
    """End several sessions by request; if one can't be ended, end the others first, then raise its error."""
    errors = []
    for watch_id in watch_ids:
        try:
            end(watch_id, reason, now)
        except Exception as error:  # noqa: BLE001 - raised when the others have ended
            errors.append(error)
    if errors:
        raise errors[0]


async def aend(watch_id: str, reason: Reason, now: float, by: AbstractBaseUser | None = None) -> Watched:
    """Async version of `end`."""
    return await in_thread(Lane.DATABASE, end, watch_id, reason, now, by)


def leave(watch_id: str, now: float) -> None:
    """End a session that its user left by another sign-in.

    Where it can't be determined whether it is over already, the clock ends it: its tabs may know why it has ended.
    """
    with suppress(Undecided):
        watched = look(watch_id, now)
        if watched is None or watched.activity.ended is None:
            end(watch_id, Reason.LOGOUT, now)


def _knows_only_record(watch_id: str) -> bool:
    """Return whether the facts of a session are, if anywhere, in the memory of another process.

    A command, or a worker of a task queue, has a store of its own, in which nothing is.
    """
    process = current_process()
    own = stores.store_of(process)
    return not own.shared and not process.part(StoreLease).is_held and own.sessions.get(watch_id) is None


def _end_record(watch_id: str, reason: Reason, now: float, by: AbstractBaseUser | None) -> Watched:
    end_by_record(watch_id, reason, now, by)
    # It may have been closed before, or not exist.
    record = WatchedSession.objects.find(watch_id)
    if record is None:
        return transitions.tombstone(watch_id, reason, now)
    return transitions.ended(records.watched_of(record, now), reason, now)


def end_by_record(watch_id: str, reason: Reason, now: float, by: AbstractBaseUser | None = None) -> bool:
    """End a session that another process has in its memory; return whether this call ended it.

    That process copies the end from the record within a second. The record is up to `CHECKPOINT` seconds old: if the
    deadline has passed by it, the user may have acted since, so that the session would go on without this end.
    """
    record = WatchedSession.objects.find(watch_id)
    if record is None or not records.close(watch_id, reason, now, by):
        return False
    announce.ended(records.watched_of(record, now), reason, now, by)
    return True


def finish(watch_id: str, now: float) -> Watched:
    """Make the end of a session by its limits final in the store and the record; return the session.

    It goes on if it only seemed over: a store that lost its data may have got later activity since it was read.
    """
    watched = stores.current().sessions.end(watch_id, None, now)
    if watched.activity.ended is not None:
        closing.close(watched)
    return watched


def is_recorded(watch_id: str) -> bool:
    """Return whether a session has a committed record."""
    return WatchedSession.objects.find(watch_id) is not None


def has_ended(watch_id: str, now: float) -> bool:
    """Return whether a session that was live a moment ago has ended."""
    try:
        watched = look(watch_id, now)
    except Undecided:
        # The request was admitted; the next one is judged again.
        return False
    return watched is None or watched.verdict(now).phase is Phase.ENDED


def has_moved_on(watch_id: str, auth_digest: str, *, is_own: bool) -> bool:
    """Return whether a live session has, or is getting, another key or auth hash than a request's copy of it.

    `is_own`: it is this request that gives it another.
    """
    record = WatchedSession.objects.find(watch_id)
    if record is None or record.ended is not None:
        return False
    return record.auth_digest != auth_digest or (not is_own and record_keys.is_rotating(record))


def why_gone(key: str, now: float) -> tuple[Reason | None, str | None]:
    """Return why the session with this key ended, or the watch id of the live one whose key was merely replaced.

    Both are None for an unknown key. A record that is still open has lost its session, and is closed.

    Raises:
        StoreElsewhere: the record is open, and another process judges.
    """
    record = record_keys.find_by_key(key)
    if record is None:
        return None, None
    if record.ended is None and record_keys.was_rotated(record, key):
        return None, record.id
    if record.ended is None:
        stores.require_store(now)
        return end(record.id, Reason.LOST, now).activity.reason, None
    # A command may have ended it a moment ago, which the memory store of this process is yet to be told.
    return end(record.id, records.reason_of(record), now).activity.reason, None


def lost_or_account(watch_id: str) -> Reason:
    """Return why a session's data is gone: Django flushes it, without a signal, if the auth hash does not match."""
    record = WatchedSession.objects.find(watch_id)
    if record is None:
        return Reason.LOST
    is_valid = all(accounts.may_continue(record, accounts.by_primary_key(accounts.keys_of(record))))
    return Reason.LOST if is_valid else Reason.ACCOUNT
