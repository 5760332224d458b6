"""What is wrong with the store, the channel layer and the database."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idlewatch.doctor.findings import Trial
from tests.integration.doctor.breakage import EVERYTHING_WITH_A_SESSION, SOCKETS, Base, Breakage

if TYPE_CHECKING:
    from tests.integration.doctor.sites import Running

LAYER = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


def _without_redis(right: dict[str, Any]) -> dict[str, Any]:
    settings = {name: value for name, value in right["IDLEWATCH"].items() if name != "STORE"}
    return {"IDLEWATCH": settings, "CHANNEL_LAYERS": LAYER}


def _replicated(right: dict[str, Any]) -> dict[str, Any]:
    primary = right["DATABASES"]["default"]
    replica = {**primary, "NAME": f"{primary['NAME']}.replica"}
    if not Path(replica["NAME"]).exists():
        shutil.copy(primary["NAME"], replica["NAME"])
    return {
        "DATABASES": {"default": primary, "replica": replica},
        "DATABASE_ROUTERS": ["tests.sites.replica.Router"],
    }


def _other_prefix(right: dict[str, Any]) -> dict[str, Any]:
    layer = right["CHANNEL_LAYERS"]["default"]
    if not os.environ.get("OTHER_PREFIX"):
        return {}
    return {"CHANNEL_LAYERS": {"default": {**layer, "CONFIG": {**layer["CONFIG"], "prefix": "other"}}}}


def _unapply(running: Running) -> None:
    """Let the newest migration count as not applied."""
    name = running.environ["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(name, timeout=20, isolation_level=None)) as connection:
        connection.execute(
            "DELETE FROM django_migrations WHERE id = (SELECT max(id) FROM django_migrations WHERE app = 'idlewatch')"
        )


def _copy_database(running: Running) -> None:
    name = running.environ["DATABASE_URL"].removeprefix("sqlite:///")
    shutil.copy(name, f"{name}.other")


def _stop_redis(running: Running) -> None:
    assert running.redis is not None
    running.redis.stop()


BREAKAGES = [
    Breakage(
        name="two processes on the memory store",
        base=Base.TWO,
        settings=_without_redis,
        faults={Trial.ANSWERING: "two workers on the memory store"},
        consequences=frozenset({Trial.READINESS}),
    ),
    Breakage(
        name="a Redis that evicts",
        redis={"maxmemory-policy": "allkeys-lru"},
        faults={Trial.REDIS_EVICTION: "noeviction"},
    ),
    Breakage(
        name="a Redis without persistence",
        redis={"appendonly": "no"},
        warnings={Trial.REDIS_PERSISTENCE: "appendonly"},
    ),
    Breakage(
        name="a channel layer in memory beside a shared store",
        base=Base.TWO,
        settings=lambda _: {"CHANNEL_LAYERS": LAYER},
        faults={Trial.CHECKS: "E032", Trial.LAYER_DELIVERY: "a channel layer of its own"},
        consequences=SOCKETS,
    ),
    Breakage(
        name="a process on another Redis",
        base=Base.TWO,
        second={"REDIS_URL": "{redis}/1"},
        faults={Trial.SAME_SETTINGS: "IDLEWATCH", Trial.LEASES: "another store"},
        consequences=SOCKETS | {Trial.LAYER_DELIVERY},
    ),
    Breakage(
        name="a channel layer with another prefix in one process",
        base=Base.TWO,
        settings=_other_prefix,
        second={"OTHER_PREFIX": "1"},
        faults={Trial.LAYER_DELIVERY: "another channel layer", Trial.SAME_SETTINGS: "CHANNEL_LAYERS"},
        consequences=SOCKETS,
    ),
    Breakage(
        name="a router that reads from a replica that lags",
        settings=_replicated,
        faults={Trial.ROUTER_READS: "replica"},
    ),
    Breakage(
        name="a migration that is not applied",
        once_running=_unapply,
        faults={Trial.MIGRATIONS: "migrate"},
    ),
    Breakage(
        name="another database than the processes have",
        once_running=_copy_database,
        doctor={"DATABASE_URL": "sqlite:///{database}.other"},
        faults={Trial.SAME_SETTINGS: "DATABASES"},
        consequences=EVERYTHING_WITH_A_SESSION,
    ),
    Breakage(
        name="a Redis that is down",
        once_running=_stop_redis,
        faults={Trial.STORE: "Redis", Trial.READINESS: "store"},
        consequences=frozenset({Trial.TIMER, Trial.LAYER}) | SOCKETS,
    ),
    Breakage(
        name="sessions in a cache of each process",
        base=Base.TWO,
        settings=lambda _: {"SESSION_ENGINE": "django.contrib.sessions.backends.cache"},
        faults={Trial.CHECKS: "E035", Trial.CACHE: "sessions of its own"},
        consequences=EVERYTHING_WITH_A_SESSION,
    ),
]
