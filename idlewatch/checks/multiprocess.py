"""Checks of what several processes need: a shared store and, besides it, channel layer, sessions and database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import InMemoryChannelLayer
from django.conf import settings
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.utils.module_loading import import_string

from idlewatch.checks.registry import Messages, check
from idlewatch.checks.stores import REDIS_STORE, store_class
from idlewatch.conf.declaration import place
from idlewatch.conf.extras import Extra
from idlewatch.conf.settings import conf

CORE_LAYER = "channels_redis.core"
CACHED_ENGINES = ("django.contrib.sessions.backends.cache", "django.contrib.sessions.backends.cached_db")
MAX_READ_TIME = 5.0
"""Seconds that a single read of the core layer in Redis waits for a message."""
LAYER = (
    'For example {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [{"address": '
    '"redis://127.0.0.1:6379/0", "socket_timeout": None}]}}.'
)


@check()
def changes_reach_every_process() -> Messages:
    """Check that the channel layer reaches every process."""
    if not _is_shared():
        return
    path = _layer().get("BACKEND")
    if path is None:
        got = f"CHANNEL_LAYERS has no {DEFAULT_CHANNEL_LAYER!r}"
    elif _is_a(path, InMemoryChannelLayer):
        got = f"CHANNEL_LAYERS[{DEFAULT_CHANNEL_LAYER!r}] reaches only one process"
    else:
        return
    message = f"{got}, and several processes share {place('STORE')}; expected a layer that reaches every process."
    yield Error(message, hint=LAYER, id="idlewatch.E032")


@check()
def layer_can_be_imported() -> Messages:
    """Check that the channel layer is installed."""
    path = _layer().get("BACKEND")
    if not _is_shared() or path is None:
        return
    try:
        import_string(str(path))
    except Exception as error:  # noqa: BLE001 - an exception in the module is a finding, not a crash
        got = f"CHANNEL_LAYERS[{DEFAULT_CHANNEL_LAYER!r}]['BACKEND'] is {path!r}"
        message = f"{got}, which can't be imported: {type(error).__name__} ({error}); expected a channel layer."
        yield Error(message, hint=f"{LAYER} {Extra.REDIS.command}", id="idlewatch.E033")


@check()
def layer_survives_silence() -> Messages:
    """Check that the core layer keeps sockets that receive no message for some seconds (channels_redis#422)."""
    layer = _layer()
    if not _is_shared() or not _is_core_layer(layer.get("BACKEND")):
        return
    for number, limit in enumerate(_read_limits(layer)):
        if isinstance(limit, int | float) and limit <= MAX_READ_TIME:
            # The host itself may hold a password.
            where = f"CHANNEL_LAYERS[{DEFAULT_CHANNEL_LAYER!r}]['CONFIG']['hosts'][{number}]"
            message = f"{where} has a 'socket_timeout' of {limit:g} s, its own or redis-py's default; expected None."
            yield Error(message, hint=f"Otherwise silence counts as an outage. {LAYER}", id="idlewatch.E034")


@check()
def sessions_reach_every_process() -> Messages:
    """Check that the cache of the sessions is shared."""
    if not _is_shared() or conf.session_engine not in CACHED_ENGINES:
        return
    alias = settings.SESSION_CACHE_ALIAS
    caches = settings.CACHES if isinstance(settings.CACHES, Mapping) else {}
    cache = caches.get(alias) if isinstance(alias, str) else None
    if isinstance(cache, Mapping) and _is_a(cache.get("BACKEND"), LocMemCache, DummyCache):
        message = (
            f"SESSION_ENGINE is {conf.session_engine!r} on CACHES[{alias!r}], which each process has for itself, and "
            f"several processes share {place('STORE')}; expected a shared cache."
        )
        hint = "Name a cache in Redis or memcached in SESSION_CACHE_ALIAS, or keep the sessions in the database."
        yield Error(message, hint=hint, id="idlewatch.E035")


@check(deploy=True)
def store_is_shared() -> Messages:
    """Check that more than one process may be deployed."""
    backend = store_class()
    if backend is not None and not getattr(backend, "shared", True):
        message = f"{place('STORE')} is the memory store, which supports exactly one process; expected a shared store."
        hint = (
            "In a second process, users who are signed in get 503. With more than one worker or process, use the Redis "
            f"store: {{'BACKEND': '{REDIS_STORE}RedisStore', 'LOCATION': …}}. Silence this if there is exactly one."
        )
        yield Warning(message, hint=hint, id="idlewatch.W034")


@check(deploy=True)
def database_is_a_server() -> Messages:
    """Check that the processes can write at once, and run on more than one host."""
    databases = settings.DATABASES if isinstance(settings.DATABASES, Mapping) else {}
    default = databases.get("default")
    engine = default.get("ENGINE") if isinstance(default, Mapping) else None
    if _is_shared() and engine == "django.db.backends.sqlite3":
        message = f"DATABASES['default'] is SQLite, and several processes share {place('STORE')}; expected a server."
        hint = "SQLite is one file on one host with one writer at a time. Silence this if that is enough."
        yield Warning(message, hint=hint, id="idlewatch.W020")


def _is_shared() -> bool:
    backend = store_class()
    return backend is not None and getattr(backend, "shared", False)


def _layer() -> Mapping[str, object]:
    layers = getattr(settings, "CHANNEL_LAYERS", None)
    layer = layers.get(DEFAULT_CHANNEL_LAYER) if isinstance(layers, Mapping) else None
    return layer if isinstance(layer, Mapping) else {}


def _is_core_layer(path: object) -> bool:
    try:
        imported = import_string(str(path))
    except Exception:  # noqa: BLE001 - another check reports what can't be imported
        return False
    # By its name: only the store imports Redis. The pub/sub layer waits without a limit.
    return isinstance(imported, type) and any(each.__module__ == CORE_LAYER for each in imported.__mro__)


def _read_limits(layer: Mapping[str, object]) -> Iterator[object]:
    config = layer.get("CONFIG")
    hosts = config.get("hosts") if isinstance(config, Mapping) else None
    default = MAX_READ_TIME if _major_of("redis") >= 8 else None
    for host in hosts if isinstance(hosts, list | tuple) and hosts else [{}]:
        yield host.get("socket_timeout", default) if isinstance(host, Mapping) else default


def _major_of(package: str) -> int:
    try:
        return int(version(package).partition(".")[0])
    except (PackageNotFoundError, ValueError):
        return 0


def _is_a(path: object, *classes: type) -> bool:
    try:
        imported = import_string(str(path))
    except Exception:  # noqa: BLE001 - another check reports what can't be imported
        return False
    return isinstance(imported, type) and issubclass(imported, classes)
