"""The check that an account may still use its session (ASVS 7.4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router

from idlewatch.monitor.django_sessions import auth_digest


def primary_key(user: AbstractBaseUser) -> str:
    """Return a user's primary key as Django's session writes it."""
    return user._meta.pk.value_to_string(user)


def is_usable(user: AbstractBaseUser | None) -> bool:
    """Return whether an account exists and may sign in."""
    return user is not None and user.is_active


def has_auth_digest(user: AbstractBaseUser, digest: str) -> bool:
    """Return whether `digest` still matches the user's session auth hash: the password has not changed."""
    if not hasattr(user, "get_session_auth_hash"):
        return True
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return digest in {auth_digest(each) for each in hashes}


def by_primary_key(keys: Iterable[str]) -> Mapping[str, AbstractBaseUser]:
    """Return the accounts that exist, by their primary keys as strings, from the primary database."""
    field = get_user_model()._meta.pk
    wanted = [field.to_python(key) for key in set(keys) if key]
    accounts = get_user_model()._default_manager.using(router.db_for_write(get_user_model()))
    return {primary_key(user): user for user in accounts.filter(pk__in=wanted)}
