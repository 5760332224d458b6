"""Receivers of Django's signals: users sign in and out, and accounts are changed and deleted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.db import transaction
from django.db.models.signals import post_save, pre_delete, pre_save
from django.http import HttpRequest
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.exceptions import StoreElsewhere
from idlewatch.http.request_session import keep_cookie, make_anonymous
from idlewatch.http.request_state import attach_state, current_state, find_state
from idlewatch.http.sign_in import signed_in, signed_out
from idlewatch.models import WatchedSession
from idlewatch.monitor import accounts, django_sessions, stores
from idlewatch.monitor import service as monitor
from idlewatch.process import now

SHOWN = "_idlewatch_shown"
"""Attribute set on an account while it is saved, if the site's own manager showed it before."""
ACCOUNT_FIELDS = frozenset({"password", "is_active"})


def on_login(request: HttpRequest | None, user: AbstractBaseUser, **_: Any) -> None:
    """Watch the session of a user who just signed in; end the one of another user that it replaced.

    Raises:
        StoreElsewhere: another process owns the memory store; the middleware answers 503.
    """
    session = getattr(request, "session", None)
    if request is None or session is None or django_sessions.user_of(session) != accounts.primary_key(user):
        # The user did not sign in to the session: a token was issued, for example.
        return
    if not session.modified:
        # Nor here: `login()` writes into the session first. django-rest-knox sends the signal for each token.
        return
    if _is_for_app(request):
        # Nor to that of a browser: an app names its session by a token, which no later request shows.
        return
    at = now()
    try:
        stores.require_store(at, in_view=True)
    except StoreElsewhere as error:
        _refuse_sign_in(request, error, at)
        if not (isinstance(request, WSGIRequest | ASGIRequest) and request.resolver_match is None):
            raise
        # Another middleware has signed the user in, before any view was found: Django would answer 500 to the error.
        return
    signed_in(request, user, at)


def _is_for_app(request: HttpRequest) -> bool:
    """Return whether an app sent a request, by the headless API of django-allauth: it has a session of its own."""
    headless = getattr(getattr(request, "allauth", None), "headless", None)
    return getattr(headless, "client", None) == "app"


def _refuse_sign_in(request: HttpRequest, error: StoreElsewhere, at: float) -> None:
    """Undo a sign-in, and have the middleware answer 503, even if the view handles the error."""
    make_anonymous(request)
    keep_cookie(request)
    state = find_state(request) or attach_state(request, at)
    state.admission = replace(state.admission, undecided=error)


def on_login_failed(**_: Any) -> None:
    """Record that credentials were refused: what the view refuses is a sign-in, not the session."""
    # `authenticate()` may be called without the request.
    state = current_state.get()
    if state is not None:
        state.change.sign_in_failed = True


def on_logout(request: HttpRequest | None, **_: Any) -> None:
    """End the session of a user who signs out."""
    watch_id = getattr(request, "session", {}).get(django_sessions.WATCH_KEY)
    if request is None or watch_id is None:
        return
    signed_out(request, watch_id, now())


def before_user_saved(
    instance: AbstractBaseUser, *, using: str, update_fields: Iterable[str] | None = None, **_: Any
) -> None:
    """Note whether the site's own manager shows an account that is about to be changed."""
    is_sign_in = set(update_fields or ()) == {"last_login"}
    if not instance._state.adding and not is_sign_in and accounts.is_hidden(instance, using) is False:
        vars(instance)[SHOWN] = True


def before_new_password(instance: AbstractBaseUser, *, update_fields: Iterable[str] | None = None, **_: Any) -> None:
    """Announce that users change their password, before they do: the session has the new auth hash only afterwards.

    Another request of the same browser that finds the new password meanwhile must not end the session.
    """
    state = current_state.get()
    watched = None if state is None else state.present.watched
    if state is None or state.original is None or watched is None or watched.user != accounts.primary_key(instance):
        return
    is_password = update_fields is None or "password" in update_fields
    if is_password and not accounts.has_auth_digest(instance, state.auth_digest):
        state.original.announce()


def on_user_saved(
    instance: AbstractBaseUser, *, using: str, created: bool, update_fields: Iterable[str] | None = None, **_: Any
) -> None:
    """End the sessions that a changed account invalidates, once the change is committed."""
    if vars(instance).pop(SHOWN, False) and accounts.is_hidden(instance, using):
        # It was deleted softly. If it had been hidden before, as for another tenant, this would prove nothing.
        on_user_deletion(instance, using=using)
    elif not created and (update_fields is None or ACCOUNT_FIELDS & set(update_fields)):
        # Django logs the name of what fails; a `partial` has none.
        transaction.on_commit(lambda: _end_invalid(instance), using=using, robust=True)


def on_user_deletion(instance: AbstractBaseUser, *, using: str, **_: Any) -> None:
    """End the sessions of an account, once its deletion is committed."""
    watch_ids = list(WatchedSession.objects.live().used_by(instance.pk).values_list("pk", flat=True))
    if watch_ids:
        transaction.on_commit(lambda: monitor.end_all(watch_ids, Reason.ACCOUNT, now()), using=using, robust=True)


def _end_invalid(user: AbstractBaseUser) -> None:
    live = list(WatchedSession.objects.live().used_by(user.pk))
    if accounts.is_usable(user):
        # The session in which the password is being changed gets its new auth hash at the end of its request.
        answered = current_state.get()
        own = None if answered is None else answered.watch_id
        live = [each for each in live if each.id != own and not accounts.is_unchanged(user, each)]
    monitor.end_all((record.id for record in live), Reason.ACCOUNT, now())


user_logged_in.connect(on_login, dispatch_uid="idlewatch.on_login")
user_login_failed.connect(on_login_failed, dispatch_uid="idlewatch.on_login_failed")
user_logged_out.connect(on_logout, dispatch_uid="idlewatch.on_logout")
for _model in apps.get_models():
    # The sender is the class that was saved: a proxy of the user model sends its own signal.
    if issubclass(_model, get_user_model()):
        pre_save.connect(before_user_saved, sender=_model, dispatch_uid="idlewatch.before_user_saved")
        pre_save.connect(before_new_password, sender=_model, dispatch_uid="idlewatch.before_new_password")
        post_save.connect(on_user_saved, sender=_model, dispatch_uid="idlewatch.on_user_saved")
        pre_delete.connect(on_user_deletion, sender=_model, dispatch_uid="idlewatch.on_user_deletion")
