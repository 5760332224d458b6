"""The keys of records: by which one is found, and their rotation: a record has the present key and the one before."""

from __future__ import annotations

from django.db.models import F, Value

from idlewatch.models import WatchedSession
from idlewatch.monitor.django_sessions import digest, digests, is_key, keeps_keys
from idlewatch.monitor.record_rows import Record

UNKEYED = "unkeyed"
"""Stands for the digest of a key where there is none (signed cookies) while a new password is announced."""


def find_by_key(key: str) -> WatchedSession | None:
    """Return the latest record that has this session key, or had it before the last rotation.

    Anyone can ask, with a cookie that they made up: it is one lookup by index, and none for what can't be a key.
    """
    if not is_key(key):
        return None
    rows = WatchedSession.objects.by_key(digests(key)).values_list("started", "pk")
    _, watch_id = max(rows, default=(None, ""))
    return WatchedSession.objects.find(watch_id) if watch_id else None


def was_succeeded(key: str) -> bool:
    """Return whether a later sign-in replaced the session with this key."""
    rows = WatchedSession.objects.filter(previous_digest__in=digests(key))
    # While a rotation is expected, both digests are the same.
    return rows.exclude(session_digest=F("previous_digest")).exists()


def has_key(record: Record, key: str | None, auth_digest: str) -> bool:
    """Return whether a record has this key and auth hash."""
    return (record.session_digest, record.auth_digest) == (digest(key), auth_digest)


def was_rotated(record: WatchedSession, key: str) -> bool:
    """Return whether `key` is the one that the session had before its current one."""
    return record.previous_digest in digests(key)


def is_rotating(record: Record) -> bool:
    """Return whether a request that is under way has announced that it gives the session another key or password."""
    return record.previous_digest == (record.session_digest or UNKEYED)


def expect_rotation(watch_id: str) -> None:
    """Mark the session's key as about to be rotated: requests that still carry it are not signed out."""
    announced = F("session_digest") if keeps_keys() else Value(UNKEYED)
    WatchedSession.objects.live().filter(pk=watch_id).update(previous_digest=announced)


def rebind(watch_id: str, key: str | None, auth_digest: str, *, is_own: bool = True) -> bool:
    """Write the session's new key and auth hash, and keep the digest of the previous key; return whether it has it now.

    `is_own`: whether the caller's request gave it this key; if not, the key before a mere rotation is not bound again.
    """
    rows = WatchedSession.objects.filter(pk=watch_id)
    new = digest(key)
    present, others = rows.filter(session_digest=new), rows.exclude(session_digest=new)
    unchanged = present.filter(auth_digest=auth_digest)
    # If it is its own, another key may have been announced.
    announced = new or UNKEYED
    if (unchanged.exclude(previous_digest=announced) if is_own else unchanged).exists():
        return True
    # Both in one statement: by one alone, another request of the session would take its own copy for the present one.
    replaced = {"previous_digest": F("session_digest"), "session_digest": new, "auth_digest": auth_digest}
    if (others if is_own else others.exclude(previous_digest=new, auth_digest=auth_digest)).update(**replaced):
        return True
    if is_own:
        # It kept its key, although another was announced.
        present.filter(previous_digest=announced).update(previous_digest="")
    present.exclude(auth_digest=auth_digest).update(auth_digest=auth_digest)
    return is_own or present.exists()
