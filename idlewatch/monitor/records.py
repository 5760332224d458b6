"""The records in the database, read and written in the terms of the watch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

import msgspec
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import F, Q, QuerySet
from msgspec.structs import replace

from idlewatch.core.activity import Activity, Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.policy import FRESH, Phase, Policy, assess
from idlewatch.models import MAX_NAME, WatchedSession
from idlewatch.monitor.django_sessions import digest, digests
from idlewatch.store.base import Watched

SEARCHED = ("username", "address", "user_agent")
"""The fields that operators search."""
BATCH = 500
"""Rows in one statement."""
PROGRESS = ("facts", "last_active", "warnings", "extensions", "held_seconds")


def watched_of(record: WatchedSession, now: float) -> Watched:
    """Return what a store needs to resume from a record at `now` (epoch seconds).

    Tabs and holds announce themselves; what holds there were have kept the idle clock still until the checkpoint.
    """
    facts = msgspec.convert(record.facts, Activity)
    held_until = min(facts.held_until, record.last_active.timestamp())
    activity = replace(facts, tabs={}, holds={}, held_until=held_until)
    policy = msgspec.convert(record.limits, Policy)
    if record.ended is not None:
        activity = activity.finished(Reason(record.reason), record.ended.timestamp())
    verdict = assess(activity, policy, now)
    # An end that is on record was told; one that the clock brought meanwhile is still to be told and recorded.
    shown = FRESH if verdict.phase is Phase.ENDED and record.ended is None else verdict.shown
    return Watched(id=record.id, user=user_text(record), policy=policy, activity=activity, shown=shown)


def user_text(record: WatchedSession) -> str:
    """Return the user's primary key as Django's session writes it; empty once the account is gone."""
    return "" if record.user_id is None else str(record.user_id)


def find(watch_id: str) -> WatchedSession | None:
    """Return a record by its watch id."""
    return WatchedSession.objects.filter(pk=watch_id).first()


def find_by_key(key: str) -> WatchedSession | None:
    """Return the record of a session key that is, or lately was, in use."""
    candidates = digests(key)
    matches = Q(session_digest__in=candidates) | Q(previous_digest__in=candidates)
    return WatchedSession.objects.filter(matches).order_by("-started").first()


def was_rotated(record: WatchedSession, key: str) -> bool:
    """Tell whether a key is the one that the session had before its present one."""
    return record.previous_digest in digests(key)


def was_succeeded(key: str) -> bool:
    """Tell whether somebody signed in over a session with this key, to another."""
    rows = WatchedSession.objects.filter(previous_digest__in=digests(key))
    # A key that is merely expected to be replaced is both.
    return rows.exclude(session_digest=F("previous_digest")).exists()


def find_all(watches: Iterable[str]) -> Sequence[WatchedSession]:
    """Return the records of these watches."""
    return list(WatchedSession.objects.filter(pk__in=list(watches)))


def live(user: AbstractBaseUser) -> Sequence[WatchedSession]:
    """Return the records of a user's sessions that have not ended, the one signed in longest ago first."""
    return list(WatchedSession.objects.filter(user=user.pk, ended=None).order_by("signed_in", "pk"))


def count_others(user: str, watch_id: str, since: float) -> tuple[int, int]:
    """Count a user's other sessions: those that live, and those that a change of the account has ended since then.

    `user`: its primary key as text; `since`: epoch seconds.
    """
    rows = WatchedSession.objects.filter(user__pk=user).exclude(pk=watch_id)
    ended = rows.filter(ended__gte=as_datetime(since), reason=Reason.ACCOUNT.value)
    return rows.filter(ended=None).count(), ended.count()


def all_live() -> Iterable[WatchedSession]:
    """Return every record that has not ended, without holding them all in memory."""
    return WatchedSession.objects.filter(ended=None).iterator(chunk_size=BATCH)


def live_after(watch_id: str, signed_in_before: float) -> Sequence[WatchedSession]:
    """Return a batch of the records that have not ended, from the one after `watch` on in the order of their ids.

    `signed_in_before`: epoch seconds; a sign-in that is under way has its record first.
    """
    rows = WatchedSession.objects.filter(ended=None, pk__gt=watch_id, signed_in__lt=as_datetime(signed_in_before))
    return list(rows.order_by("pk")[:BATCH])


def matching(words: Iterable[str]) -> QuerySet[WatchedSession]:
    """Return the records that a search finds: each word is in one of the fields `SEARCHED`, or the id."""
    found = WatchedSession.objects.all()
    for word in words:
        found = found.filter(reduce(or_, (Q((f"{field}__icontains", word)) for field in SEARCHED), Q(pk=word)))
    return found


def revoked_by(user: Any, ends: Mapping[str, float]) -> set[str]:  # noqa: ANN401 - keys of users are of any type
    """Return which of these sessions a user, by primary key, has ended, at just these moments (epoch seconds).

    At another moment it was another request of theirs.
    """
    rows = WatchedSession.objects.filter(pk__in=list(ends), reason=Reason.REVOKED.value, ended_by=user)
    return {watch_id for watch_id, ended in rows.values_list("pk", "ended") if ended == as_datetime(ends[watch_id])}


def count_try(watch_id: str, most: int, within: float, now: float) -> bool:
    """Count that a password is tried; tell whether it may be: `most` times in `within` seconds.

    Counted before it is looked at, and in one statement: of many at once, no more than `most` get in.
    """
    rows = WatchedSession.objects.filter(pk=watch_id)
    is_over = Q(attempts_since=None) | Q(attempts_since__lte=as_datetime(now - within))
    rows.filter(is_over).update(failed_attempts=0, attempts_since=as_datetime(now))
    return rows.filter(failed_attempts__lt=most).update(failed_attempts=F("failed_attempts") + 1) == 1


def forget_tries(watch_id: str) -> None:
    """Count passwords anew: the user has shown that it is they."""
    WatchedSession.objects.filter(pk=watch_id).update(failed_attempts=0, attempts_since=None)


def tries(watch_id: str, within: float, now: float) -> int:
    """Return how many passwords were tried in vain, in `within` seconds."""
    since = as_datetime(now - within)
    row = (
        WatchedSession.objects.filter(pk=watch_id, attempts_since__gt=since)
        .values_list("failed_attempts", flat=True)
        .first()
    )
    return row or 0


def closed_since(moment: float) -> Sequence[WatchedSession]:
    """Return the records closed at `moment` (epoch seconds) or later."""
    return list(WatchedSession.objects.filter(ended__gte=as_datetime(moment)))


def close(
    watch_id: str, reason: Reason, at: float, by: AbstractBaseUser | None = None, last: Watched | None = None
) -> bool:
    """Close a record, with how far the watch came if that is known; of all who try, one is told True."""
    progress = {} if last is None else progress_of(last, at)
    rows = WatchedSession.objects.filter(pk=watch_id, ended=None)
    return rows.update(ended=as_datetime(at), reason=reason.value, **_ender(by), **progress) == 1


def correct(watch_id: str, reason: Reason, at: float) -> None:
    """Put the reason that came first in the store in place of the one that closed the record."""
    WatchedSession.objects.filter(pk=watch_id).update(ended=as_datetime(at), reason=reason.value, **_ender(None))


def _ender(by: AbstractBaseUser | None) -> dict[str, Any]:
    return {"ended_by": by, "ended_by_name": "" if by is None else name_of(by)}


def name_of(user: AbstractBaseUser) -> str:
    """Return a user's name as records keep it: a user model of the site's own may have longer names, or numbers."""
    return str(user.get_username())[:MAX_NAME]


def advance(watched: Watched, now: float) -> None:
    """Note how far a watch came, unless its record is ahead of that, or closed."""
    progress = progress_of(watched, now)
    rows = WatchedSession.objects.filter(pk=watched.id, ended=None, last_active__lte=progress["last_active"])
    rows.update(**progress)


def restart(watched: Watched, at: float) -> None:
    """Note that the clocks of a watch were started anew, under the limits of this sign-in."""
    anew = {
        "signed_in": as_datetime(at),
        "limits": msgspec.to_builtins(watched.policy),
        "failed_attempts": 0,
        "attempts_since": None,
    }
    WatchedSession.objects.filter(pk=watched.id, ended=None).update(**anew, **progress_of(watched, at))


def expect_rotation(watch_id: str) -> None:
    """Remember the session's key as one that is being replaced: whoever comes with it meanwhile has lost nothing."""
    WatchedSession.objects.filter(pk=watch_id, ended=None).update(previous_digest=F("session_digest"))


def rebind(watch_id: str, key: str | None, auth_digest: str) -> None:
    """Note the session's new key and auth hash, and remember the key before."""
    rows = WatchedSession.objects.filter(pk=watch_id)
    new = digest(key)
    rows.exclude(session_digest=new).update(previous_digest=F("session_digest"), session_digest=new)
    rows.exclude(auth_digest=auth_digest).update(auth_digest=auth_digest)


def checkpoint(
    rows: Sequence[WatchedSession], watches: Mapping[str, Watched], now: float, *, last: bool = False
) -> None:
    """Write down how far each watch came, where that changed; a record that is closed meanwhile stays as it is.

    `last`: the store goes away in good order, so that nothing can come after what is written.
    """
    changed = []
    for row in rows:
        progress = progress_of(watches[row.pk], now, last=last)
        if row.last_active > progress["last_active"]:
            # It was advanced while the store was away, which is still to hear of that.
            continue
        if any(getattr(row, field) != value for field, value in progress.items()):
            for field, value in progress.items():
                setattr(row, field, value)
            changed.append(row)
    WatchedSession.objects.filter(ended=None).bulk_update(changed, PROGRESS, batch_size=BATCH)


def progress_of(watched: Watched, now: float, *, last: bool = False) -> dict[str, Any]:
    """Return what a record notes of a watch at `now` (epoch seconds)."""
    activity, hold_limit = watched.activity, watched.policy.hold_limit
    return {
        "facts": _facts_of(activity, last=last),
        "last_active": as_datetime(activity.idle_from(now, hold_limit)),
        "warnings": activity.warnings,
        "extensions": activity.extensions,
        "held_seconds": activity.held_seconds(now, hold_limit),
    }


def _facts_of(activity: Activity, *, last: bool) -> object:
    # After a crash, a browser that was closed at the checkpoint may be back: only an orderly end may tell of it.
    closed_at = activity.closed_at if last else None
    return msgspec.to_builtins(replace(activity, tabs={}, closed_at=closed_at))
