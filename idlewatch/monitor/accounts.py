"""The check that an account may still use its session (ASVS 7.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from django.contrib.auth import get_backends, get_user_model
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.db.models import Manager

from idlewatch.models import WatchedSession
from idlewatch.monitor.django_sessions import auth_digest


def primary_key(user: AbstractBaseUser) -> str:
    """Return a user's primary key as Django's session writes it."""
    return user._meta.pk.value_to_string(user)


def is_usable(user: AbstractBaseUser | None) -> bool:
    """Return whether an account exists and a backend of the site admits it: by itself, or if it is active.

    A record does not name the backend of its session, so any one of them is enough. Their `get_user` is not called: it
    may depend on what a middleware sets for each request, such as a tenant, and all sessions would end.
    """
    if user is None:
        return False
    backends = _session_backends()
    return any(_admits(backend, user) for backend in backends) if backends else user.is_active


def _session_backends() -> Sequence[object]:
    try:
        return [backend for backend in get_backends() if _has_sessions(backend)]
    except ImproperlyConfigured:
        # There are none: the site signs users in by itself.
        return []


def _has_sessions(backend: object) -> bool:
    """Return whether users may be signed in by a backend: some have nothing but permissions."""
    return getattr(type(backend), "get_user", BaseBackend.get_user) is not BaseBackend.get_user


def _admits(backend: object, user: AbstractBaseUser) -> bool:
    judge: Callable[[AbstractBaseUser], bool] | None = getattr(backend, "user_can_authenticate", None)
    return user.is_active if judge is None else bool(judge(user))


def has_auth_digest(user: AbstractBaseUser, digest: str) -> bool:
    """Return whether `digest` still matches the user's session auth hash: the password has not changed."""
    if not hasattr(user, "get_session_auth_hash"):
        return True
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return digest in {auth_digest(each) for each in hashes}


def auth_digest_of(user: AbstractBaseUser) -> str:
    """Return the digest of the auth hash that a session of this user has."""
    return auth_digest(user.get_session_auth_hash()) if hasattr(user, "get_session_auth_hash") else auth_digest("")


def is_unchanged(user: AbstractBaseUser, record: WatchedSession) -> bool:
    """Return whether the password of a session's user, or of the operator who acts as that user, has not changed."""
    if record.impersonator_id == user.pk:
        return has_auth_digest(user, record.impersonator_digest)
    # Where only the requests have another user, Django's session has the auth hash of the operator.
    return record.auth_digest == record.impersonator_digest or has_auth_digest(user, record.auth_digest)


def may_continue(record: WatchedSession, users: Mapping[str, AbstractBaseUser]) -> tuple[bool, bool]:
    """Return whether all accounts behind a session may sign in, and whether their passwords have not changed.

    `users` has the accounts that exist, by their primary keys as strings.
    """
    found = [users.get(key) for key in keys_of(record)]
    people = [user for user in found if user is not None and is_usable(user)]
    return len(people) == len(found), all(is_unchanged(user, record) for user in people)


def keys_of(record: WatchedSession) -> list[str]:
    """Return the primary keys, as strings, of a session's user and of the operator who acts as that user.

    An account that was deleted has an empty one.
    """
    keys = [record.user_id, record.impersonator_id] if record.impersonator_name else [record.user_id]
    return ["" if key is None else str(key) for key in keys]


def is_hidden(user: AbstractBaseUser, using: str) -> bool | None:
    """Return whether the site's own manager hides an account right now; None if that can't be determined."""
    manager = type(user)._default_manager
    if type(manager).get_queryset is Manager.get_queryset:
        # It hides nothing.
        return False
    try:
        # A transaction of the site must survive what its manager does without what a middleware sets.
        with transaction.atomic(using=using):
            return not manager.using(using).filter(pk=user.pk).exists()
    except Exception:  # noqa: BLE001 - whatever the manager raises
        return None


def by_primary_key(keys: Iterable[str]) -> Mapping[str, AbstractBaseUser]:
    """Return the accounts that exist, by their primary keys as strings, from the primary database.

    Also those that the site's own manager hides: of another tenant than that of the moment, or deleted softly.
    """
    field = get_user_model()._meta.pk
    wanted = [field.to_python(key) for key in set(keys) if key]
    accounts = get_user_model()._base_manager.using(router.db_for_write(get_user_model()))
    return {primary_key(user): user for user in accounts.filter(pk__in=wanted)}
