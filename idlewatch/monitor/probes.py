"""Probes: sessions of a real account that `manage.py idlewatch doctor` begins without a sign-in, and ends again.

No password is asked for, and no signal is sent of their sign-in, warnings or end. They do not count against
`MAX_SESSIONS_PER_USER`, are in no metric of events, and touch nothing else of their user's, such as drafts. What makes
a session a probe is its watch id (`idlewatch.core.probes`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from msgspec import to_builtins
from msgspec.structs import replace

from idlewatch.conf import conf
from idlewatch.core.activity import Activity, Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.policy import Policy, fitted
from idlewatch.core.probes import DOCTOR_USER_AGENT, PROBE_LIFETIME, PROBE_PREFIX
from idlewatch.exceptions import IdleWatchError
from idlewatch.models import WatchedSession
from idlewatch.monitor import accounts, checkpoints, django_sessions, records
from idlewatch.monitor import service as monitor
from idlewatch.signals import announce
from idlewatch.store.values import Watched

END_GRACE = 30.0
"""Seconds after the end of a probe for which its record is left to the processes of the site."""


class NoBackend(IdleWatchError):
    """None of AUTHENTICATION_BACKENDS finds the account."""


class Probe(NamedTuple):
    """A probe. Its session is a secret: it is shown nowhere."""

    watch_id: str
    user: AbstractBaseUser
    session: SessionBase
    policy: Policy

    def __repr__(self) -> str:
        return f"<Probe {self.watch_id}>"

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookie by which a browser would have the session."""
        return {conf.session_cookie_name: self.session.session_key or ""}


def limits(*, idle_timeout: float, warn_before: float) -> Policy:
    """Return the limits of a probe, in seconds; it ends after `PROBE_LIFETIME`, and never by a closed browser."""
    return fitted(
        Policy(
            idle_timeout=idle_timeout,
            warn_before=warn_before,
            absolute_timeout=PROBE_LIFETIME,
            close_grace=None,
            hold_limit=0.0,
            heartbeat=1.0,
        )
    )


@contextmanager
def probing(user: AbstractBaseUser, policy: Policy, read_time: Callable[[], float]) -> Iterator[Probe]:
    """Begin a probe of an account, and end it, also where beginning it was interrupted; see `begin`."""
    probe = _prepare(user, policy)
    try:
        _write(probe, read_time())
        yield probe
    finally:
        end(probe, read_time())


def begin(user: AbstractBaseUser, policy: Policy, now: float) -> Probe:
    """Begin a probe of an account, at `now` (epoch seconds).

    Only the Django session and the record are written: the site resumes it from them at the first request. Both are
    over after `PROBE_LIFETIME`, also if the process that began it is gone, and no other one runs.

    Raises:
        NoBackend: no authentication backend of the site finds the account.
    """
    probe = _prepare(user, policy)
    _write(probe, now)
    return probe


def _prepare(user: AbstractBaseUser, policy: Policy) -> Probe:
    """Return a probe of which nothing is written yet."""
    backend = find_backend(user)
    if backend is None:
        raise NoBackend
    policy = replace(policy, absolute_timeout=min(policy.absolute_timeout or PROBE_LIFETIME, PROBE_LIFETIME))
    watch_id = PROBE_PREFIX + secrets.token_urlsafe(16)
    session = django_sessions.engine()()
    session[SESSION_KEY] = accounts.primary_key(user)
    session[BACKEND_SESSION_KEY] = backend
    if hasattr(user, "get_session_auth_hash"):
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[django_sessions.WATCH_KEY] = watch_id
    session.set_expiry(int(PROBE_LIFETIME))
    return Probe(watch_id, user, session, policy)


def _write(probe: Probe, now: float) -> None:
    user, session = probe.user, probe.session
    session.save()
    watched = Watched(
        id=probe.watch_id,
        user=accounts.primary_key(user),
        key=django_sessions.key_of(session),
        policy=probe.policy,
        activity=Activity(logged_in_at=now, active=now),
    )
    moment = as_datetime(now)
    WatchedSession(
        id=probe.watch_id,
        user_id=user.pk,
        username=records.name_of(user),
        session_digest=django_sessions.digest(watched.key),
        auth_digest=django_sessions.auth_digest_of(session),
        user_agent=DOCTOR_USER_AGENT,
        started=moment,
        signed_in=moment,
        limits=to_builtins(probe.policy),
        **checkpoints.progress_of(watched, now),
    ).save(force_insert=True)
    announce.opened(watched)


def end(probe: Probe, now: float) -> None:
    """End a probe, and delete its Django session."""
    try:
        monitor.end(probe.watch_id, Reason.LOGOUT, now)
    finally:
        if probe.session.session_key and django_sessions.keeps_keys():
            probe.session.delete(probe.session.session_key)


def end_overdue(now: float) -> None:
    """End probes whose doctor was killed, if no process of the site has done so, since none runs."""
    overdue = WatchedSession.objects.live().filter(
        pk__startswith=PROBE_PREFIX, started__lt=as_datetime(now - PROBE_LIFETIME - END_GRACE)
    )
    for watch_id, started in overdue.values_list("pk", "started"):
        monitor.end(watch_id, Reason.ABSOLUTE, started.timestamp() + PROBE_LIFETIME)


def find_backend(user: AbstractBaseUser) -> str | None:
    """Return the authentication backend that finds an account, by its dotted path; None if none does."""
    for path in settings.AUTHENTICATION_BACKENDS:
        get_user = getattr(load_backend(path), "get_user", None)
        if get_user is not None and get_user(user.pk) is not None:
            return str(path)
    return None
