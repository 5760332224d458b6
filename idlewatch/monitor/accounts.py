"""The check that an account may still use its session (ASVS 7.4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.contrib.auth import get_backends, get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router

from idlewatch.models import WatchedSession
from idlewatch.monitor.django_sessions import auth_digest


def primary_key(user: AbstractBaseUser) -> str:
    """Return a user's primary key as Django's session writes it."""
    return user._meta.pk.value_to_string(user)


def is_usable(user: AbstractBaseUser | None) -> bool:
    """Return whether an account exists and may sign in: it is active, or the site admits others too.

    Django's `AllowAllUsersModelBackend` does.
    """
    if user is None or user.is_active:
        return user is not None
    backends = [backend for backend in get_backends() if isinstance(backend, ModelBackend)]
    return any(backend.user_can_authenticate(user) for backend in backends)  # type: ignore[arg-type]


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


def by_primary_key(keys: Iterable[str]) -> Mapping[str, AbstractBaseUser]:
    """Return the accounts that exist, by their primary keys as strings, from the primary database."""
    field = get_user_model()._meta.pk
    wanted = [field.to_python(key) for key in set(keys) if key]
    accounts = get_user_model()._default_manager.using(router.db_for_write(get_user_model()))
    return {primary_key(user): user for user in accounts.filter(pk__in=wanted)}
