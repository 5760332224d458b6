"""The check that an account may still use its session (ASVS 7.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from secrets import token_bytes

from django.contrib.auth import get_backends, get_user_model
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import router, transaction
from django.db.models import BooleanField, Manager, Q, QuerySet

from idlewatch.conf import conf
from idlewatch.managers import among
from idlewatch.monitor.django_sessions import auth_digest
from idlewatch.monitor.record_rows import AccountRow, Record
from idlewatch.process import Process, current_process

MAX_MATCHES = 200_000
"""Passwords that are remembered; beyond that, all are forgotten."""
HASHES = ("get_session_auth_hash", "get_session_auth_fallback_hash", "_get_session_auth_hash")
"""The methods by which Django makes the auth hash of a session from nothing but the password."""


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


@cache
def _session_backends() -> Sequence[object]:
    try:
        return [backend for backend in get_backends() if _has_sessions(backend)]
    except ImproperlyConfigured:
        # There are none: the site signs users in by itself.
        return []


def _forget(*, setting: str, **_: object) -> None:
    if setting in {"AUTHENTICATION_BACKENDS", "AUTH_USER_MODEL"}:
        _session_backends.cache_clear()
        _is_judged_by_columns.cache_clear()


setting_changed.connect(_forget, dispatch_uid="idlewatch.monitor.accounts")


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
    is_match = digest in {auth_digest(each) for each in hashes}
    if is_match and _has_plain_hashes(type(user)):
        current_process().part(Matches).add(user.password, digest)
    return is_match


def _has_plain_hashes(model: type[AbstractBaseUser]) -> bool:
    """Return whether the auth hashes of a model's users are Django's own, which depend on the password alone."""
    return all(getattr(model, name, None) is getattr(AbstractBaseUser, name) for name in HASHES)


class Matches:
    """Remembers which passwords match a digest: an auth hash takes longer than the rest of a check. Thread-safe."""

    def __init__(self, _process: Process) -> None:
        self._key = token_bytes(16)
        self._known: set[bytes] = set()
        """Fingerprints of passwords with their digests."""

    def known(self, pairs: Mapping[str, tuple[str, str]]) -> set[str]:
        """Return the keys of those pairs of a password and a digest that are known to match."""
        fingerprint = self._fingerprints()
        return {key for key, (password, digest) in pairs.items() if fingerprint(password, digest) in self._known}

    def add(self, password: str, digest: str) -> None:
        """Note that a password matches a digest."""
        if len(self._known) >= MAX_MATCHES:
            self._known.clear()
        self._known.add(self._fingerprints()(password, digest))

    def _fingerprints(self) -> Callable[[str, str], bytes]:
        """Return what makes fingerprints under the present secret keys."""
        begun = blake2b(f"{conf.secrets} ".encode(), digest_size=16, key=self._key)

        def fingerprint(password: str, digest: str) -> bytes:
            hashing = begun.copy()
            hashing.update(f"{digest} {password}".encode())
            return hashing.digest()

        return fingerprint


def auth_digest_of(user: AbstractBaseUser) -> str:
    """Return the digest of the auth hash that a session of this user has."""
    return auth_digest(user.get_session_auth_hash()) if hasattr(user, "get_session_auth_hash") else auth_digest("")


def is_unchanged(user: AbstractBaseUser, record: Record) -> bool:
    """Return whether the password of a session's user, or of the operator who acts as that user, has not changed."""
    if record.impersonator_id == user.pk:
        return has_auth_digest(user, record.impersonator_digest)
    # Where only the requests have another user, Django's session has the auth hash of the operator.
    return record.auth_digest == record.impersonator_digest or has_auth_digest(user, record.auth_digest)


def may_continue(record: Record, users: Mapping[str, AbstractBaseUser]) -> tuple[bool, bool]:
    """Return whether all accounts behind a session may sign in, and whether their passwords have not changed.

    `users` has the accounts that exist, by their primary keys as strings.
    """
    found = [users.get(key) for key in keys_of(record)]
    people = [user for user in found if user is not None and is_usable(user)]
    return len(people) == len(found), all(is_unchanged(user, record) for user in people)


def find_sound(records: Sequence[Record | AccountRow]) -> Collection[str]:
    """Return the watch ids of sessions whose accounts certainly may continue, judged by two columns of their rows.

    The others have to be judged by `may_continue`, as all do where a project judges its accounts by more than Django's
    own model and backend do.
    """
    if not are_judged_by_columns():
        return ()
    single = {record.pk: record for record in records if not record.impersonator_name}
    # A Q, since not every user model has the column.
    rows = _accounts().filter(among("pk", {record.user_id for record in single.values()}), Q(("is_active", True)))
    passwords = dict(rows.values_list("pk", "password"))
    pairs = {
        watch_id: (passwords[record.user_id], record.auth_digest)
        for watch_id, record in single.items()
        if record.user_id in passwords
    }
    return current_process().part(Matches).known(pairs)


def are_judged_by_columns() -> bool:
    """Return whether `find_sound` finds any: whether two columns of an account may be enough to judge it."""
    return _is_judged_by_columns() and _has_plain_hashes(get_user_model())


@cache
def _is_judged_by_columns() -> bool:
    """Return whether being active is enough for a backend of the site, and accounts are so by a column."""
    backends = [type(backend) for backend in _session_backends()]
    judges = {getattr(backend, "user_can_authenticate", None) for backend in backends}
    fields = {field.name: field for field in get_user_model()._meta.concrete_fields}
    is_admitted = not backends or not judges.isdisjoint({None, ModelBackend.user_can_authenticate})
    return is_admitted and isinstance(fields.get("is_active"), BooleanField) and "password" in fields


def keys_of(record: Record) -> list[str]:
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
    return {primary_key(user): user for user in _accounts().filter(among("pk", wanted))} if wanted else {}


def _accounts() -> QuerySet[AbstractBaseUser]:
    model = get_user_model()
    return model._base_manager.using(router.db_for_write(model))
