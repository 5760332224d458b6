"""The store: whether it can be made, and what it needs."""

from __future__ import annotations

from importlib.util import find_spec
from inspect import isabstract

from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from idlewatch.checks.registry import Found, of_key
from idlewatch.conf.settings import conf, place
from idlewatch.store.base import Store

REDIS_STORE = "idlewatch.store.redis."
INSTALL = 'pip install "idlewatch[redis]"'


@of_key("STORE")
def redis_is_installed(_: object) -> Found:
    """Say which package the Redis store needs."""
    if lacks_redis():
        message = f"{place('STORE')} is the one in Redis, and the package 'redis' is not installed; expected it to be."
        yield Error(message, hint=INSTALL, id="idlewatch.E030")


@of_key("STORE")
def store_can_be_made(_: object) -> Found:
    """Say what in `LOCATION` or `OPTIONS` keeps the store from being made; that Redis answers is not asked here."""
    backend = store_class()
    if backend is None:
        return
    try:
        backend(conf.store.get("LOCATION"), conf.store.get("OPTIONS") or {}).close()
    except Exception as error:  # noqa: BLE001 - whatever a store raises is a finding, not a crash
        # The text of any other error may hold what LOCATION holds: a password.
        why = str(error) if type(error) is ValueError and _is_redis_store() else f"It raises {type(error).__name__}."
        hint = "LOCATION and OPTIONS go to the store as they stand, as in CACHES."
        yield Error(f"{place('STORE')} can't be used. {why}", hint=hint, id="idlewatch.E031")


@of_key("STORE")
def redis_is_read_fast(_: object) -> Found:
    """Say that answers of Redis are parsed by Python alone."""
    if _is_redis_store() and not lacks_redis() and find_spec("hiredis") is None:
        message = (
            f"{place('STORE')} is the one in Redis, and the package 'hiredis' is not installed; expected it to be."
        )
        hint = f"Without it each answer costs more processor time. {INSTALL}"
        yield Warning(message, hint=hint, id="idlewatch.W019")


def lacks_redis() -> bool:
    """Tell whether the store is the one in Redis, and the package that it needs is not there."""
    return _is_redis_store() and find_spec("redis") is None


def store_class() -> type[Store] | None:
    """Return the store's class; None where another check reports why there is none."""
    try:
        found = import_string(conf.store["BACKEND"])
    except Exception:  # noqa: BLE001 - as that check does
        return None
    return found if isinstance(found, type) and issubclass(found, Store) and not isabstract(found) else None


def _is_redis_store() -> bool:
    try:
        return str(conf.store["BACKEND"]).startswith(REDIS_STORE)
    except ImproperlyConfigured:
        return False
