"""Checks of the store: it can be made, and its packages are installed."""

from __future__ import annotations

from importlib.util import find_spec
from inspect import isabstract

from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from idlewatch.checks.registry import Messages, check, problem_with
from idlewatch.conf.declaration import place
from idlewatch.conf.extras import Extra
from idlewatch.conf.settings import SETTINGS, conf
from idlewatch.store.base import Store

REDIS_STORE = "idlewatch.store.redis."


@check()
def redis_is_installed() -> Messages:
    """Check that the package which the Redis store needs is installed."""
    if _lacks_redis():
        message = f"{place('STORE')} is the Redis store, and the package 'redis' is not installed; expected it to be."
        yield Error(message, hint=Extra.REDIS.command, id="idlewatch.E030")


@check()
def backend_is_a_store() -> Messages:
    """Check that `BACKEND` leads to a store."""
    if _backend() is None or _lacks_redis():
        return  # Another check reports it.
    if problem := problem_with("STORE", _import_store):
        setting = SETTINGS["STORE"]
        yield Error(problem, hint=setting.hint, id=setting.check)


@check()
def store_can_be_made() -> Messages:
    """Check `LOCATION` and `OPTIONS`; that Redis answers is not checked here."""
    backend = store_class()
    if backend is None:
        return
    try:
        backend(conf.store.get("LOCATION"), conf.store.get("OPTIONS") or {}).close()
    except Exception as error:  # noqa: BLE001 - an exception in a store is a finding, not a crash
        # The text of any other error may show what LOCATION holds: a password.
        why = str(error) if type(error) is ValueError and _is_redis_store() else f"It raises {type(error).__name__}."
        hint = "LOCATION and OPTIONS go to the store unchanged, as in CACHES."
        yield Error(f"{place('STORE')} can't be used. {why}", hint=hint, id="idlewatch.E031")


@check()
def redis_is_read_fast() -> Messages:
    """Check that responses of Redis are parsed in C."""
    if _is_redis_store() and not _lacks_redis() and find_spec("hiredis") is None:
        message = f"{place('STORE')} is the Redis store, and the package 'hiredis' is not installed; expected it to be."
        hint = f"Without it each response costs more processor time. {Extra.REDIS.command}"
        yield Warning(message, hint=hint, id="idlewatch.W019")


def store_class() -> type[Store] | None:
    """Return the store's class; None if another check reports why there is none."""
    try:
        return _import_store()
    except Exception:  # noqa: BLE001 - as that check does
        return None


def _import_store() -> type[Store]:
    path = conf.store["BACKEND"]
    where = f"{place('STORE')}['BACKEND']"
    try:
        imported = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"{where} is {path!r}, which can't be imported ({error}).") from error
    if not (isinstance(imported, type) and issubclass(imported, Store)) or isabstract(imported):
        raise ImproperlyConfigured(f"{where} is {path!r}; expected a concrete subclass of idlewatch.store.base.Store.")
    return imported


def _lacks_redis() -> bool:
    return _is_redis_store() and find_spec("redis") is None


def _is_redis_store() -> bool:
    return str(_backend()).startswith(REDIS_STORE)


def _backend() -> str | None:
    try:
        return str(conf.store["BACKEND"])
    except ImproperlyConfigured:
        return None
