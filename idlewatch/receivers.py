"""What Django tells of its users: they sign in and out, they change, they go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import transaction
from django.db.models.signals import post_save, pre_delete
from django.http import HttpRequest

from idlewatch.core.activity import Reason
from idlewatch.core.clock import now
from idlewatch.http.request_watch import RequestWatch, current_watch
from idlewatch.models import WatchedSession
from idlewatch.monitor import accounts, django_sessions, login
from idlewatch.monitor import service as monitor

ACCOUNT_FIELDS = frozenset({"password", "is_active"})


def signed_in(request: HttpRequest | None, user: AbstractBaseUser, **_: Any) -> None:
    """Watch the session of a user who just signed in; whoever had it before has signed out."""
    session = getattr(request, "session", None)
    if request is None or session is None or django_sessions.user_of(session) != accounts.primary_key(user):
        # A token was handed out, say: nobody signed in to the session.
        return
    at = now()
    if session.session_key is None:
        # Another user's session was flushed: saving assigns the new key.
        session.save()
    elif django_sessions.WATCH_KEY in session:
        # Django keeps the key where the same user signs in again; ASVS 7.2.4 wants a new one.
        session.cycle_key()
    watched = login.sign_in(request, user, at)
    session[django_sessions.WATCH_KEY] = watched.id
    session[django_sessions.SIGNED_IN_KEY] = at
    session.set_expiry(0)
    if apps.is_installed("idlewatch.drafts"):
        from idlewatch.drafts.rejected_forms import mark_session  # noqa: PLC0415 - an app that may not be installed

        mark_session(session, user, at)
    watch: RequestWatch | None = getattr(request, "idlewatch", None)
    if watch is not None:
        watch.displaces = watch.phase is not None and (watch.watched is None or watch.watched.user != watched.user)
        if watch.watch_id is not None and watch.watch_id != watched.id:
            monitor.end(watch.watch_id, Reason.LOGOUT, at)
        watch.follow(watched, at)
        watch.auth_digest = django_sessions.auth_digest_of(session)
        watch.signed_in = True


def signed_out(request: HttpRequest | None, **_: Any) -> None:
    """End the session of a user who signs out."""
    known = getattr(request, "session", {}).get(django_sessions.WATCH_KEY)
    if known is None:
        return
    at = now()
    ended = monitor.end(known, Reason.LOGOUT, at)
    watch: RequestWatch | None = getattr(request, "idlewatch", None)
    if watch is not None:
        watch.follow(ended, at)
        watch.signed_in = False
        watch.signed_out = True


def user_saved(
    instance: AbstractBaseUser, *, using: str, created: bool, update_fields: Iterable[str] | None = None, **_: Any
) -> None:
    """End the sessions for which a changed account does not stand any more, once the change is committed."""
    if not created and (update_fields is None or ACCOUNT_FIELDS & set(update_fields)):
        # Django names what fails, which a `partial` has no name for.
        transaction.on_commit(lambda: _end_unfounded(instance), using=using, robust=True)


def user_to_be_deleted(instance: AbstractBaseUser, *, using: str, **_: Any) -> None:
    """End the sessions of an account that goes, once it is gone."""
    watches = list(WatchedSession.objects.live().for_user(instance.pk).values_list("pk", flat=True))
    if watches:
        transaction.on_commit(lambda: _end_all(watches), using=using, robust=True)


def _end_unfounded(user: AbstractBaseUser) -> None:
    lives = list(WatchedSession.objects.live().for_user(user.pk))
    if accounts.is_usable(user):
        # The session in which the password is being changed gets its new auth hash by the end of its request.
        here = current_watch.get()
        present = None if here is None else here.watch_id
        lives = [each for each in lives if each.id != present and not accounts.has_auth_digest(user, each.auth_digest)]
    _end_all(record.id for record in lives)


def _end_all(watches: Iterable[str]) -> None:
    at = now()
    for watch in watches:
        monitor.end(watch, Reason.ACCOUNT, at)


user_logged_in.connect(signed_in, dispatch_uid="idlewatch.signed_in")
user_logged_out.connect(signed_out, dispatch_uid="idlewatch.signed_out")
for _model in apps.get_models():
    # A signal comes from the class that was saved: a proxy of the user model sends its own.
    if issubclass(_model, get_user_model()):
        post_save.connect(user_saved, sender=_model, dispatch_uid="idlewatch.user_saved")
        pre_delete.connect(user_to_be_deleted, sender=_model, dispatch_uid="idlewatch.user_to_be_deleted")
