"""The use cases: what happens to a watched session, whoever it is that asks. `beginning` has how one begins.

Everything here writes to the store; nothing here tells a tab. `timer` does that, from what it finds due.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.core.events import Event
from idlewatch.core.policy import Phase
from idlewatch.exceptions import StoreUnavailable, Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import accounts, django_sessions, records
from idlewatch.monitor.clock_sync import ClockSync
from idlewatch.monitor.fallback import FallbackStore
from idlewatch.monitor.outage import Outage
from idlewatch.monitor.recovery import Recovery
from idlewatch.process import Lane, Process, current_process, in_thread
from idlewatch.signals import announce
from idlewatch.store.base import Store
from idlewatch.store.values import Watched


class OpenedStore(NamedTuple):
    """The store of a process."""

    store: Store
    recovery: Recovery | None
    """What reports to a shared store what it missed; None where the store belongs to this process."""

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def store() -> Store:
    """Return the current process's store: see `store_of`."""
    return store_of(current_process())


def store_of(process: Process) -> Store:
    """Return the store of a process, opened when it is first asked for.

    The `sessions` of a shared one are judged by the records while it is away: see `FallbackStore`.
    """
    return process.part(open_store).store


def recovery_of(process: Process) -> Recovery | None:
    """Return what reports to a shared store what it missed; None where the store belongs to this process."""
    return process.part(open_store).recovery


def open_store(process: Process) -> OpenedStore:
    """Open the store that the setting `STORE` describes."""
    configured = conf.store
    backend = import_string(configured["BACKEND"])
    if not (isinstance(backend, type) and issubclass(backend, Store)):
        raise ImproperlyConfigured(f"IDLEWATCH['STORE']['BACKEND'] is {configured['BACKEND']!r}; expected a Store.")
    made: Store = backend(configured.get("LOCATION"), configured.get("OPTIONS", {}))
    if not made.shared:
        return OpenedStore(made, None)
    # While it is away, this process's own clock will do.
    with suppress(StoreUnavailable):
        process.part(ClockSync).follow(made.presence)
    return OpenedStore(made, add_fallback(process, made))


def add_fallback(process: Process, made: Store) -> Recovery:
    """Put the records in the place of a shared store's sessions while it is away; return what recovers it."""
    sessions, outage = made.sessions, Outage(process.clock, made.presence.read_created_at)
    made.on_outage(outage.note)
    made.sessions = fallback = FallbackStore(process, sessions, outage)
    return Recovery(process, sessions, fallback, outage)


def look(watch_id: str, now: float, event: Event | None = None) -> Watched | None:
    """Return a watch, after `event` if there is one; None if there is no such watch.

    What the store does not know is resumed from its record first.

    Raises:
        HoldRefused, TooManyTabs: as the event does.
        Undecided: the store is away, or just back, and nobody can tell whether the session lives.
    """
    sessions = store().sessions
    watched = sessions.get(watch_id) if event is None else sessions.apply(watch_id, event, now)
    if watched is None and (watched := resume(watch_id, now)) is not None and event is not None:
        watched = sessions.apply(watch_id, event, now)
    return watched


def look_at_all(watches: Sequence[str], now: float) -> Sequence[Watched | None]:
    """Return these watches, in their order, as `look` does.

    Raises:
        Undecided: nobody can tell of one of them.
    """
    found = store().sessions.get_many(watches)
    return [watched or resume(watch_id, now) for watch_id, watched in zip(watches, found, strict=True)]


async def alook(watch_id: str, now: float, event: Event | None = None) -> Watched | None:
    """Twin of `look`.

    Raises:
        StoreUnavailable: what the user did waits until the store is back.
    """
    sessions = store().sessions
    watched = await sessions.aget(watch_id) if event is None else await sessions.aapply(watch_id, event, now)
    if watched is None and (watched := await in_thread(Lane.DATABASE, resume, watch_id, now)) and event is not None:
        watched = await sessions.aapply(watch_id, event, now)
    return watched


def resume(watch_id: str, now: float) -> Watched | None:
    """Take a watch from its record into the store, which does not know it; None if there is no record."""
    record = WatchedSession.objects.find(watch_id)
    return None if record is None else store().sessions.open(records.watched_of(record, now), now)


def rebind(watch_id: str, session: SessionBase) -> None:
    """Follow a session to its new key and auth hash."""
    key = django_sessions.key_of(session)
    if key is not None and not session.exists(key):
        # A request that read the session before it was given another key: who came later has told of that.
        return
    records.rebind(watch_id, key, django_sessions.auth_digest_of(session))
    if key is not None:
        store().sessions.bind(watch_id, key)


def end(watch_id: str, reason: Reason, now: float, by: AbstractBaseUser | None = None) -> Watched:
    """End a session because somebody asked for it; return it as it ended.

    The record is closed first, so that no store that loses its data brings the session back. An end by the clock that
    came before `now`, or any other, keeps its reason.
    """
    watched = _look_to_end(watch_id, now)
    if watched is not None and watched.verdict(now).phase is Phase.ENDED:
        return finish(watch_id, now)
    closed = records.close(watch_id, reason, now, by, watched)
    ended = store().sessions.end(watch_id, reason, now)
    if closed:
        if ended.activity.reason is not reason:
            records.correct(watch_id, *_end_of(ended))
        _announce_end(ended, by)
    return ended


def _look_to_end(watch_id: str, now: float) -> Watched | None:
    """Return a watch that is to end; None also where nobody can tell whether it has: then it ends now."""
    try:
        return look(watch_id, now)
    except Undecided:
        return None


async def aend(watch_id: str, reason: Reason, now: float, by: AbstractBaseUser | None = None) -> Watched:
    """Twin of `end`."""
    return await in_thread(Lane.DATABASE, end, watch_id, reason, now, by)


def end_by_record(watch_id: str, reason: Reason, now: float) -> bool:
    """End a session that another process has in its memory; return whether this ended it.

    That process takes the end over from the record, within a second. The record is behind by as much as `CHECKPOINT`:
    where the clock seems to have come first by it, the user may have acted since, and the session would live on.
    """
    record = WatchedSession.objects.find(watch_id)
    if record is None or not records.close(watch_id, reason, now):
        return False
    announce.ended(records.watched_of(record, now), reason, now, None)
    return True


def finish(watch_id: str, now: float) -> Watched:
    """Make an end by the clock final, in the store and in the record."""
    ended = store().sessions.end(watch_id, Reason.LOST, now)
    close_record(ended)
    return ended


def close_record(ended: Watched) -> None:
    """Close the record of a watch that ended in the store, and announce it if nobody has."""
    if records.close(ended.id, *_end_of(ended), last=ended):
        _announce_end(ended, None)


def is_recorded(watch_id: str) -> bool:
    """Tell whether a sign-in was committed."""
    return WatchedSession.objects.find(watch_id) is not None


def has_ended(watch_id: str, now: float) -> bool:
    """Tell whether a session that was live a moment ago has ended."""
    try:
        watched = look(watch_id, now)
    except Undecided:
        # It was admitted when it was judged; the next request is judged again.
        return False
    return watched is None or watched.verdict(now).phase is Phase.ENDED


def has_moved_on(watch_id: str, auth_digest: str) -> bool:
    """Tell whether a live session was given another auth hash than a request's copy of it has."""
    record = WatchedSession.objects.find(watch_id)
    return record is not None and record.ended is None and record.auth_digest != auth_digest


def why_gone(key: str, now: float) -> tuple[Reason | None, bool]:
    """Tell what became of a session that is gone, by its key, and whether the key was merely rotated.

    None for a key that was never watched. A record that is still open has lost its session.
    """
    record = records.find_by_key(key)
    if record is None:
        return None, False
    if record.ended is None and records.was_rotated(record, key):
        return None, True
    return end(record.id, Reason.LOST, now).activity.reason, False


def lost_or_account(watch_id: str) -> Reason:
    """Tell why a session's data is gone: Django flushes it, without a signal, when the password no longer fits."""
    record = WatchedSession.objects.find(watch_id)
    if record is None:
        return Reason.LOST
    user = accounts.by_primary_key([records.user_text(record)]).get(records.user_text(record))
    stands = user is not None and accounts.is_usable(user) and accounts.has_auth_digest(user, record.auth_digest)
    return Reason.LOST if stands else Reason.ACCOUNT


def _end_of(ended: Watched) -> tuple[Reason, float]:
    reason, at = ended.activity.reason, ended.activity.ended
    assert reason is not None and at is not None, f"{ended!r} has not ended"  # noqa: S101, PT018
    return reason, at


def _announce_end(ended: Watched, by: AbstractBaseUser | None) -> None:
    # Where the record's end is rolled back, the timer writes it down again, and announces it then.
    announce.ended(ended, *_end_of(ended), by)


def _reopen(*, setting: str, **_: object) -> None:
    if setting == "IDLEWATCH":
        current_process().discard(open_store)


setting_changed.connect(_reopen, dispatch_uid="idlewatch.monitor.service")
