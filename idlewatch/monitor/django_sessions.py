"""Django's sessions, of any engine: keys, digests, and the entries of idlewatch in their data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from typing import Any, TypeVar

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends import db, signed_cookies
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.signals import setting_changed
from django.db import router
from django.db.models import Model
from django.utils import timezone
from django.utils.crypto import salted_hmac

from idlewatch.conf import conf
from idlewatch.exceptions import EngineUnavailable
from idlewatch.managers import among
from idlewatch.monitor.isolation import description_of
from idlewatch.monitor.row_locks import locked
from idlewatch.store.values import SessionKey

T = TypeVar("T", bound=str)

WATCH_KEY = "_idlewatch"
"""Key of the watch id in the session's data: it survives `cycle_key()`, and `flush()` deletes it."""
UNUSED_KEY = "idlewatchusesthiskeyfornosession"
"""The key of no session."""
MAX_KEY_LENGTH = 255
"""Characters that a session key has, at most; those of Django's engines have 32."""
SIGNED_IN_KEY = "_idlewatch_signed_in"
"""Key of the time of the last sign-in (epoch seconds); adopted sessions have none."""


@cache
def engine() -> type[SessionBase]:
    """Return the session class of the configured engine."""
    return import_module(conf.session_engine).SessionStore  # type: ignore[no-any-return]


def read_from_primary() -> None:
    """Have Django read sessions that are in the database where it writes them, whatever routers say of reads.

    A replica that lags does not have the session of a user who just signed in, and still has one that ended. Django's
    engines leave the choice to the routers, so it is made for them.
    """
    vars(router).setdefault("db_for_read", partial(_db_for_read, router.db_for_read))


def _db_for_read(by_routers: Callable[..., str], model: type[Model], **hints: Any) -> str:
    return router.db_for_write(model, **hints) if issubclass(model, AbstractBaseSession) else by_routers(model, **hints)


def read(keys: Iterable[str]) -> Mapping[str, SessionBase]:
    """Return sessions by their keys; with Django's engine `db` by one query, and only those that exist."""
    sessions = {key: engine()(key) for key in keys}
    if engine() is not db.SessionStore:
        return sessions
    rows = db.SessionStore().model.objects.filter(session_key__in=list(sessions), expire_date__gt=timezone.now())
    found = {}
    for key, data in rows.values_list("session_key", "session_data"):
        # A database may compare keys without regard to case.
        if key in sessions:
            found[key] = sessions[key]
            found[key]._session_cache = found[key].decode(data)  # type: ignore[attr-defined]
    return found


@cache
def keeps_keys() -> bool:
    """Return whether the engine stores sessions on the server; with signed cookies the key is the session itself."""
    return not issubclass(engine(), signed_cookies.SessionStore)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "SESSION_ENGINE":
        engine.cache_clear()
        keeps_keys.cache_clear()


setting_changed.connect(_forget, dispatch_uid="idlewatch.monitor.django_sessions")


def is_live(session: SessionBase, key: str) -> bool:
    """Return whether a session still exists that was opened by `key`.

    A visitor's may have no data: a site may know them, or their cart, by its key. The key alone does not tell: some
    engines keep that of a session that is gone, or make another.
    """
    return bool(session.keys()) or (session.session_key == key and session.exists(key))


def is_key(text: str) -> bool:
    """Return whether a text may be the key of a session of the configured engine."""
    return text.isascii() and len(text) <= MAX_KEY_LENGTH and engine()(text).session_key == text


def key_of(session: SessionBase) -> SessionKey | None:
    """Return the key of a session, or None if it must not be stored."""
    key = session.session_key if keeps_keys() else None
    return None if key is None else SessionKey(key)


def user_of(session: SessionBase) -> str | None:
    """Return the primary key, as a string, of the signed-in user."""
    user = session.get(SESSION_KEY)
    return None if user is None else str(user)


def auth_hash_of(session: SessionBase | Mapping[str, Any]) -> str:
    """Return the auth hash of a session, which may be given by its data; empty if it has none."""
    auth_hash: str = session.get(HASH_SESSION_KEY, "")
    return auth_hash


def auth_digest(auth_hash: str) -> str:
    """Return a digest of Django's session auth hash, to be stored in a record."""
    return hashlib.sha256(auth_hash.encode()).hexdigest()


def auth_digest_of(session: SessionBase) -> str:
    """Return the digest of a session's auth hash."""
    return auth_digest(auth_hash_of(session))


def digest(key: str | None) -> str:
    """Return the keyed digest of a session key, by which its record is found; empty for None."""
    return _keyed(key, conf.secrets[0]) if key else ""


def digests(key: str) -> list[str]:
    """Return the digests under `SECRET_KEY` and all its fallbacks."""
    return [_keyed(key, secret) for secret in conf.secrets]


def derived_watch(key: str) -> str:
    """Return the watch id of a session that was signed in before idlewatch was installed.

    Derived, not random: one of two concurrent first requests would lose a random one.
    """
    return salted_hmac("idlewatch.adopted", key, algorithm="sha256").hexdigest()[:32]


def delete(keys: Iterable[T]) -> Collection[T]:
    """Delete sessions; return the keys of those that a transaction of the project has locked, which are left alone.

    Raises:
        EngineUnavailable: the engine can do nothing now; any other error concerns one of these sessions alone.
    """
    store = engine()()
    wanted = list(keys)
    with _answering(store):
        left = _locked(store, wanted)
        free = [key for key in wanted if key not in left]
        if type(store) is db.SessionStore:
            store.model.objects.using(_database(store)).filter(among("session_key", free)).delete()
        else:
            for key in free:
                store.delete(key)
    return left


def _locked(store: SessionBase, keys: Collection[T]) -> Collection[T]:
    if not isinstance(store, db.SessionStore):
        return ()
    return locked(store.model.objects.using(_database(store)), keys, deletes=True)


def _database(store: db.SessionStore) -> str:
    return router.db_for_write(store.model)


def standing(keys: Iterable[str]) -> set[str]:
    """Return which of these sessions still exist.

    Raises:
        EngineUnavailable: the engine can do nothing now; any other error concerns one of these sessions alone.
    """
    wanted = list(keys)
    store = engine()()
    if type(store) is db.SessionStore:
        rows = store.model.objects.filter(among("session_key", wanted), expire_date__gt=timezone.now())
        return set(map(SessionKey, rows.values_list("session_key", flat=True)))
    with _answering(store):
        return {key for key in wanted if store.exists(key)}


@contextmanager
def _answering(store: SessionBase) -> Iterator[None]:
    """Distinguish an engine that is away from one that fails for one session, by a query for an unused key."""
    try:
        yield
    except Exception:
        try:
            store.exists(UNUSED_KEY)
        except Exception as error:  # noqa: BLE001 - what an engine raises is its own affair
            # Its text may quote a session key.
            raise EngineUnavailable(f"The engine of Django's sessions fails: {description_of(error)}.") from None
        raise


def _keyed(key: str, secret: str | bytes) -> str:
    return salted_hmac("idlewatch.session", key, secret=secret, algorithm="sha256").hexdigest()
