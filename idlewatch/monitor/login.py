"""The start of a watched session, by a sign-in or when a request finds it signed in already, and its change of user."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, router, transaction
from django.http import HttpRequest
from msgspec import to_builtins
from msgspec.structs import replace

from idlewatch.conf import conf
from idlewatch.core.activity import Activity, Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.policy import Phase, Policy, stricter
from idlewatch.core.probes import is_probe
from idlewatch.exceptions import Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import accounts, checkpoints, django_sessions, impersonation, record_keys, records, stores
from idlewatch.monitor import service as monitor
from idlewatch.monitor.peer import sign_in_address_of, user_agent_of
from idlewatch.signals import announce, transactions
from idlewatch.store import transitions
from idlewatch.store.values import SessionKey, Watched


def sign_in(request: HttpRequest, user: AbstractBaseUser, now: float) -> Watched:
    """Watch the session in which `user` just signed in; if it is theirs already, restart its clocks under its id.

    The clocks of a probe never restart: a sign-in over one begins a session of its own.
    """
    watch_id: str | None = request.session.get(django_sessions.WATCH_KEY)
    if watch_id and not is_probe(watch_id):
        # Where it can't be determined whether that is over, what begins is a session of its own.
        with suppress(Undecided):
            restarted = _restart(watch_id, request, user, now)
            if restarted is not None:
                return restarted
    watched = _new_watch(secrets.token_urlsafe(16), request, user, now)
    _record(watched, request, user, now).save(force_insert=True)
    opened = _open(watched, now)
    transactions.once_recorded(lambda: _replace_oldest(user, now))
    return opened


def _restart(watch_id: str, request: HttpRequest, user: AbstractBaseUser, now: float) -> Watched | None:
    """Restart the clocks of a session; return None if it is over, or another user's."""
    present = monitor.look(watch_id, now)
    if present is None or present.user != accounts.primary_key(user) or present.verdict(now).phase is Phase.ENDED:
        return None
    watched = _new_watch(present.id, request, user, now)
    restarted = stores.current().sessions.restart(watched, now)
    if restarted.verdict(now).phase is Phase.ENDED:
        return None
    records.restart(restarted, now)
    record_keys.rebind(restarted.id, watched.key, django_sessions.auth_digest_of(request.session))
    return restarted


def adopt(request: HttpRequest, actors: impersonation.Actors, now: float) -> Watched:
    """Watch a session that was signed in before idlewatch was installed.

    Its id is derived from its key, so that the replay of an ended session finds it ended.
    """
    watch_id = django_sessions.derived_watch(request.session.session_key or "")
    present = monitor.look(watch_id, now)
    if present is not None:
        return present
    users = accounts.by_primary_key(actors)
    user = users.get(actors.user) or cast("AbstractBaseUser", request.user)
    watched, database = _new_watch(watch_id, request, user, now), router.db_for_write(WatchedSession)
    record = _record(watched, request, user, now)
    if actors.is_impersonated and (operator := users.get(actors.operator)) is not None:
        record.impersonator_id, record.impersonator_name = operator.pk, records.name_of(operator)
        record.impersonator_digest = accounts.auth_digest_of(operator)
    try:
        with transaction.atomic(using=database):
            record.save(force_insert=True, using=database)
    except IntegrityError:
        # Another first request of the same session was faster.
        return monitor.look(watch_id, now) or stores.current().sessions.open(watched, now)
    return _open(watched, now)


def switch(
    request: HttpRequest, actors: impersonation.Actors, watched: Watched, now: float, *, is_release: bool = False
) -> Watched | None:
    """Continue a session in which the same person acts as another user, or no longer does.

    It keeps its clocks, and the stricter of both users' limits. Return None if another person has signed in.
    `is_release`: an operator who acted as a user was signed out and in by one request, which no sign-in page does.
    """
    record = WatchedSession.objects.find(watched.id)
    if record is None:
        return None
    people = accounts.keys_of(record)
    if actors.operator not in people and not is_release:
        return None
    # The last of them is the one who signed in.
    actors = impersonation.keep_operator(request.session, actors.user, people[-1])
    users = accounts.by_primary_key(actors)
    if len(users) < len(set(actors)):
        return None
    user, operator = users[actors.user], users[actors.operator]
    present = replace(
        watched,
        user=actors.user,
        key=django_sessions.key_of(request.session),
        policy=stricter(watched.policy, _policy_for(user, request)),
    )
    digest = record.impersonator_digest or accounts.auth_digest_of(operator)
    auth_digest = django_sessions.auth_digest_of(request.session)

    def transfer() -> Watched:
        transferred = stores.current().sessions.transfer(present, now)
        if transferred.verdict(now).phase is not Phase.ENDED:
            records.transfer(transferred, user, operator, digest)
            record_keys.rebind(transferred.id, present.key, auth_digest)
            announce.switched(transferred, actors.operator, now)
        if not actors.is_impersonated:
            # It counts for the operator's limit again.
            _replace_oldest(user, now)
        return transferred

    if transactions.is_open():
        # The view renders its page, and may still fail.
        transactions.once_recorded(transfer)
        return transitions.transferred(watched, present, now)
    return transfer()


def _open(watched: Watched, now: float) -> Watched:
    """Open a session in the store once its record is committed: before that, others would take it for lost."""
    opened = transitions.opened(watched, now)
    transactions.once_committed(lambda: stores.current().sessions.open(opened, now))
    announce.opened(opened)
    return opened


def _new_watch(watch_id: str, request: HttpRequest, user: AbstractBaseUser, now: float) -> Watched:
    return Watched(
        id=watch_id,
        user=accounts.primary_key(user),
        key=django_sessions.key_of(request.session),
        policy=_policy_for(user, request),
        activity=Activity(logged_in_at=now, active=now),
    )


def _policy_for(user: AbstractBaseUser, request: HttpRequest) -> Policy:
    ask = conf.policy_callable
    return conf.policy if ask is None else conf.policy_with(ask(user, request))


def _record(watched: Watched, request: HttpRequest, user: AbstractBaseUser, now: float) -> WatchedSession:
    moment = as_datetime(now)
    rotated = SessionKey(request.COOKIES.get(conf.session_cookie_name, "")) if watched.key else None
    return WatchedSession(
        id=watched.id,
        user_id=user.pk,
        username=records.name_of(user),
        session_digest=django_sessions.digest(watched.key),
        previous_digest=django_sessions.digest(rotated) if rotated != watched.key else "",
        auth_digest=django_sessions.auth_digest_of(request.session),
        address=sign_in_address_of(request, watched.user) if conf.keep_address else "",
        user_agent=user_agent_of(request) if conf.keep_user_agent else "",
        started=moment,
        signed_in=moment,
        limits=to_builtins(watched.policy),
        **checkpoints.progress_of(watched, now),
    )


def _replace_oldest(user: AbstractBaseUser, now: float) -> None:
    """End the user's oldest sessions beyond `MAX_SESSIONS_PER_USER` (ASVS 7.1.2).

    Each sign-in commits its record before it counts, so the last of several concurrent ones sees all of them, and none
    that is among the newest has enough newer ones to be ended. So exactly the newest remain. Probes are neither counted
    nor ended.
    """
    most = conf.max_sessions_per_user
    if most is None:
        return
    records_by_age = WatchedSession.objects.live().for_user(user.pk).without_impersonation().without_probes()
    live = [record for record in records_by_age.order_by("signed_in", "pk") if not _is_over(record, now)]
    monitor.end_all((record.id for record in live[:-most]), Reason.REPLACED, now)


def _is_over(record: WatchedSession, now: float) -> bool:
    try:
        watched = stores.current().sessions.get(record.id) or records.watched_of(record, now)
    except Undecided:
        # It may be live, so it counts.
        return False
    return watched.verdict(now).phase is Phase.ENDED
