"""The cache in which Django's sessions are kept, where they are: all processes have to share it."""

from __future__ import annotations

import secrets
from contextlib import suppress

from django.conf import settings
from django.contrib.sessions.backends import cache, cached_db
from django.core.cache import BaseCache, caches

from idlewatch.monitor.django_sessions import engine

ENTRY_LIFETIME = 60
"""Seconds for which an entry stays."""


def session_cache() -> BaseCache | None:
    """Return the cache in which sessions are kept; None where they are in none."""
    is_cached = issubclass(engine(), cache.SessionStore | cached_db.SessionStore)
    return caches[settings.SESSION_CACHE_ALIAS] if is_cached else None


def has_database() -> bool:
    """Return whether sessions that a cache lacks are found in the database."""
    return issubclass(engine(), cached_db.SessionStore)


def put(nonce: str) -> None:
    """Put an entry into it, for another process to find; it may fail."""
    with suppress(Exception):
        if (found := session_cache()) is not None:
            found.set(_key(nonce), nonce, ENTRY_LIFETIME)


def keeps() -> bool:
    """Return whether it keeps what is put there.

    Raises:
        Exception: it fails, in a way of its own.
    """
    found, nonce = session_cache(), secrets.token_hex(8)
    if found is None:
        return True
    found.set(_key(nonce), nonce, ENTRY_LIFETIME)
    is_kept: bool = found.get(_key(nonce)) == nonce
    found.delete(_key(nonce))
    return is_kept


def has(nonce: str) -> bool | None:
    """Return whether it has the entry that another process put there; None where sessions are in no cache."""
    try:
        found = session_cache()
        return None if found is None else found.get(_key(nonce)) == nonce
    except Exception:  # noqa: BLE001 - what a cache raises is its own affair
        return False


def _key(nonce: str) -> str:
    return f"idlewatch.doctor.{nonce}"
