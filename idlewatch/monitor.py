"""The use cases: what happens to a watched session, whoever it is that asks.

Everything here writes to the store; nothing here tells a tab. `timer` does that, from what it finds due.
"""

from __future__ import annotations

import secrets
from functools import cache, partial
from threading import Lock

from channels.db import database_sync_to_async
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.module_loading import import_string
from msgspec import to_builtins

from idlewatch import accounts, records, sessions
from idlewatch.activity import Activity, Reason
from idlewatch.clock import as_datetime
from idlewatch.conf import conf
from idlewatch.events import Event
from idlewatch.models import WatchedSession
from idlewatch.peer import address_of, user_agent_of
from idlewatch.policy import Phase, Policy
from idlewatch.signals import session_ended, session_opened
from idlewatch.store.base import Store, Watched
from idlewatch.underway import is_rotating

_opening = Lock()


def store() -> Store:
    """Return this process's store, as the setting `STORE` describes it."""
    # Two first requests in two threads would otherwise get a store each.
    with _opening:
        return _store()


@cache
def _store() -> Store:
    configured = conf.store
    backend = import_string(configured["BACKEND"])
    if not (isinstance(backend, type) and issubclass(backend, Store)):
        raise ImproperlyConfigured(f"IDLEWATCH['STORE']['BACKEND'] is {configured['BACKEND']!r}; expected a Store.")
    return backend(configured.get("LOCATION"), configured.get("OPTIONS", {}))


def forget_store() -> None:
    """Close this process's store; the next use opens one anew."""
    with _opening:
        if _store.cache_info().currsize:
            _store().close()
            _store.cache_clear()


def sign_in(request: HttpRequest, user: AbstractBaseUser, now: float) -> Watched:
    """Watch the session in which `user` just signed in; the same user's clocks start anew, under the same id."""
    known: str | None = request.session.get(sessions.WATCH_KEY)
    present = look(known, now) if known else None
    if (
        present is not None
        and present.user == accounts.primary_key(user)
        and present.verdict(now).phase is not Phase.ENDED
    ):
        watched = _new_watch(present.id, request, user, now)
        restarted = store().restart(watched, now)
        if restarted.verdict(now).phase is not Phase.ENDED:
            records.restart(restarted, now)
            records.rebind(restarted.id, watched.key, sessions.auth_digest_of(request.session))
            return restarted
    watched = _new_watch(secrets.token_urlsafe(16), request, user, now)
    _record(watched, request, user, now).save(force_insert=True)
    opened = store().open(watched, now)
    _announce(opened)
    transaction.on_commit(lambda: _replace_oldest(user, now), robust=True)
    return opened


def adopt(request: HttpRequest, user: AbstractBaseUser, now: float) -> Watched:
    """Watch a session that was signed in before there was a watch.

    Its id is derived from its key, so that an ended one that is replayed is found ended.
    """
    watch = sessions.derived_watch(request.session.session_key or "")
    present = look(watch, now)
    if present is not None:
        return present
    watched = _new_watch(watch, request, user, now)
    try:
        with transaction.atomic():
            _record(watched, request, user, now).save(force_insert=True)
    except IntegrityError:
        # Another first request of the same session was a moment faster.
        return look(watch, now) or store().open(watched, now)
    opened = store().open(watched, now)
    _announce(opened)
    return opened


def _new_watch(watch: str, request: HttpRequest, user: AbstractBaseUser, now: float) -> Watched:
    return Watched(
        id=watch,
        user=accounts.primary_key(user),
        key=sessions.key_of(request.session),
        policy=_policy_for(user, request),
        activity=Activity(began=now, active=now),
    )


def _policy_for(user: AbstractBaseUser, request: HttpRequest) -> Policy:
    ask = conf.policy_callable
    return conf.policy if ask is None else conf.policy_with(ask(user, request))


def _record(watched: Watched, request: HttpRequest, user: AbstractBaseUser, now: float) -> WatchedSession:
    moment = as_datetime(now)
    rotated = request.COOKIES.get(conf.session_cookie_name) if watched.key else None
    return WatchedSession(
        id=watched.id,
        user_id=user.pk,
        username=user.get_username(),
        session_digest=sessions.digest(watched.key),
        previous_digest=sessions.digest(rotated) if rotated != watched.key else "",
        auth_digest=sessions.auth_digest_of(request.session),
        address=address_of(request),
        user_agent=user_agent_of(request),
        started=moment,
        signed_in=moment,
        limits=to_builtins(watched.policy),
        **records.progress_of(watched, now),
    )


def _announce(watched: Watched) -> None:
    # A sign-in that is rolled back never was.
    announce = partial(session_opened.send_robust, sender=WatchedSession, watch=watched.id, user=watched.user)
    transaction.on_commit(announce)


def _replace_oldest(user: AbstractBaseUser, now: float) -> None:
    """End the user's oldest sessions beyond `MAX_SESSIONS_PER_USER` (ASVS 7.1.2).

    Each sign-in commits its record before it counts, so the last of several at once sees them all; none that is
    among the newest has enough newer ones to be ended by anybody. So exactly the newest stay.
    """
    most = conf.max_sessions_per_user
    if most is None:
        return
    lives = [record for record in records.live(user) if not _is_over(record, now)]
    for record in lives[:-most]:
        end(record.id, Reason.REPLACED, now)


def _is_over(record: WatchedSession, now: float) -> bool:
    watched = store().get(record.id) or records.watched_of(record, now)
    return watched.verdict(now).phase is Phase.ENDED


def look(watch: str, now: float, event: Event | None = None) -> Watched | None:
    """Return a watch, after `event` if there is one; None if there is no such watch.

    What the store does not know is resumed from its record first.

    Raises:
        HoldRefused, TooManyTabs: as the event does.
    """
    watched = store().get(watch) if event is None else store().apply(watch, event, now)
    if watched is None and (watched := resume(watch, now)) is not None and event is not None:
        watched = store().apply(watch, event, now)
    return watched


async def alook(watch: str, now: float, event: Event | None = None) -> Watched | None:
    """Twin of `look`."""
    watched = await store().aget(watch) if event is None else await store().aapply(watch, event, now)
    if watched is None and (watched := await database_sync_to_async(resume)(watch, now)) and event is not None:
        watched = await store().aapply(watch, event, now)
    return watched


def resume(watch: str, now: float) -> Watched | None:
    """Take a watch from its record into the store, which does not know it; None if there is no record."""
    record = records.find(watch)
    return None if record is None else store().open(records.watched_of(record, now), now)


def rebind(watch: str, session: SessionBase) -> None:
    """Follow a session to its new key and auth hash."""
    key = sessions.key_of(session)
    records.rebind(watch, key, sessions.auth_digest_of(session))
    if key is not None:
        store().bind(watch, key)


def end(watch: str, reason: Reason, now: float, by: AbstractBaseUser | None = None) -> Watched:
    """End a session because somebody asked for it; return it as it ended.

    The record is closed first, so that no store that loses its data brings the session back. An end by the clock that
    came before `now`, or any other, keeps its reason.
    """
    watched = look(watch, now)
    if watched is not None and watched.verdict(now).phase is Phase.ENDED:
        return finish(watch, now)
    closed = records.close(watch, reason, now, by, watched)
    ended = store().end(watch, reason, now)
    if closed:
        if ended.activity.reason is not reason:
            records.correct(watch, *_end_of(ended))
        _announce_end(ended, by)
    return ended


async def aend(watch: str, reason: Reason, now: float, by: AbstractBaseUser | None = None) -> Watched:
    """Twin of `end`."""
    return await database_sync_to_async(end)(watch, reason, now, by)


def finish(watch: str, now: float) -> Watched:
    """Make an end by the clock final, in the store and in the record."""
    ended = store().end(watch, Reason.LOST, now)
    close_record(ended)
    return ended


def close_record(ended: Watched) -> None:
    """Close the record of a watch that ended in the store, and announce it if nobody has."""
    if records.close(ended.id, *_end_of(ended), last=ended):
        _announce_end(ended, None)


def is_recorded(watch: str) -> bool:
    """Tell whether a sign-in was committed."""
    return records.find(watch) is not None


def has_ended(watch: str, now: float) -> bool:
    """Tell whether a session that was live a moment ago has ended."""
    watched = look(watch, now)
    return watched is None or watched.verdict(now).phase is Phase.ENDED


def has_moved_on(watch: str, auth_digest: str) -> bool:
    """Tell whether a live session was given another auth hash than a request's copy of it has."""
    record = records.find(watch)
    return record is not None and record.ended is None and record.auth_digest != auth_digest


def why_gone(key: str, now: float) -> tuple[Reason | None, bool]:
    """Tell what became of a session that is gone, by its key, and whether the key was merely rotated.

    None for a key that was never watched. A record that is still open has lost its session.
    """
    # Before the record is read: a rotation that is through by then stands in it.
    if is_rotating(key):
        return None, True
    record = records.find_by_key(key)
    if record is None:
        return None, False
    if record.ended is None and records.was_rotated(record, key):
        return None, True
    return end(record.id, Reason.LOST, now).activity.reason, False


def lost_or_account(watch: str) -> Reason:
    """Tell why a session's data is gone: Django flushes it, without a signal, when the password no longer fits."""
    record = records.find(watch)
    if record is None:
        return Reason.LOST
    user = accounts.by_primary_key([records.user_text(record)]).get(records.user_text(record))
    stands = user is not None and accounts.is_usable(user) and accounts.vouches(user, record.auth_digest)
    return Reason.LOST if stands else Reason.ACCOUNT


def _end_of(ended: Watched) -> tuple[Reason, float]:
    reason, at = ended.activity.reason, ended.activity.ended
    assert reason is not None and at is not None, f"{ended!r} has not ended"  # noqa: S101, PT018
    return reason, at


def _announce_end(ended: Watched, by: AbstractBaseUser | None) -> None:
    # Where the record's end is rolled back, the timer writes it down again, and announces it then.
    reason, at = _end_of(ended)
    announce = partial(session_ended.send_robust, sender=WatchedSession, watch=ended.id, user=ended.user)
    transaction.on_commit(partial(announce, reason=reason, at=at, by=by))


def _forget(*, setting: str, **_: object) -> None:
    if setting == "IDLEWATCH":
        forget_store()


setting_changed.connect(_forget, dispatch_uid="idlewatch.monitor")
