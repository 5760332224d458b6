"""Sessions for the tests of what runs beside the requests: as a store and the records keep them, without a request."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from msgspec import to_builtins
from msgspec.structs import replace

from idlewatch.core.activity import Activity
from idlewatch.core.clock import as_datetime
from idlewatch.core.policy import Policy
from idlewatch.models import WatchedSession
from idlewatch.monitor import checkpoints, django_sessions, stores
from idlewatch.store.values import Watched
from tests.conftest import START

POLICY = Policy(
    idle_timeout=100,
    warn_before=20,
    absolute_timeout=1000,
    close_grace=30,
    hold_limit=300,
    heartbeat=5,
    checkpoint=10,
)


def keep(watch_id: str, *, user: str = "1", key: str | None = None, at: float = START, **limits: Any) -> Watched:
    """Put a session that began at `at` into the store, without a record."""
    policy = replace(POLICY, **limits)
    activity = Activity(logged_in_at=at, active=at)
    return stores.current().sessions.open(
        Watched(id=watch_id, user=user, key=key, policy=policy, activity=activity), at
    )


def known(watch_id: str) -> Watched:
    """Return a session as the store has it."""
    found = stores.current().sessions.get(watch_id)
    assert found is not None
    return found


def sign_in_many(
    count: int, *, name: str = "ada", at: float = START, prefix: str = "w", **limits: Any
) -> list[Watched]:
    """Sign a user in `count` times, in bulk: each with a session, a record and a watch.

    `prefix`: how their watch ids begin.
    """
    policy = replace(POLICY, **limits)
    user = User.objects.filter(username=name).first() or User.objects.create_user(name, password="pw")
    watched = []
    for _ in range(count):
        session = django_sessions.engine()()
        session[SESSION_KEY] = str(user.pk)
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        watch_id = session[django_sessions.WATCH_KEY] = f"{prefix}{session.session_key}"[:32]
        session.save()
        watched.append(keep(watch_id, user=str(user.pk), key=session.session_key, at=at, **limits))
    moment = as_datetime(at)
    WatchedSession.objects.bulk_create(
        WatchedSession(
            id=each.id,
            user=user,
            username=name,
            session_digest=django_sessions.digest(each.key),
            auth_digest=django_sessions.auth_digest(user.get_session_auth_hash()),
            started=moment,
            signed_in=moment,
            limits=to_builtins(policy),
            **checkpoints.progress_of(each, at),
        )
        for each in watched
    )
    return watched


def row(watched: Watched) -> WatchedSession:
    """Return the record of a session."""
    return WatchedSession.objects.get(pk=watched.id)


def checkpoint(watched: Watched, now: float, **facts: Any) -> Watched:
    """Write a session with other facts into its record; return it."""
    later = replace(watched, activity=replace(watched.activity, **facts))
    checkpoints.checkpoint([row(watched)], {watched.id: later}, now)
    return later


@sync_to_async
def asign_in(name: str = "ada", **options: Any) -> Watched:
    """Sign a user in once."""
    return sign_in_many(1, name=name, **options)[0]


@sync_to_async
def arecord(watch_id: str) -> WatchedSession:
    """Return a record."""
    return WatchedSession.objects.get(pk=watch_id)
