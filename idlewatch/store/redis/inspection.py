"""Inspects a Redis: how it is set up, and what the processes have in it of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import redis.asyncio
from redis.exceptions import ResponseError

from idlewatch.store.redis.keys import Keys
from idlewatch.store.values import StoreCondition

MIN_VERSION = 7
"""The major version of Redis that has all commands; every Valkey has them."""
RESUME_GRACE = 30.0
"""Seconds for which the scripts wait for a process that resumes the records, and has stopped (`is_holding_back`)."""

Facts = Mapping[str, Any]


async def inspect(client: redis.asyncio.Redis, keys: Keys) -> StoreCondition:
    """Return how Redis is set up, and how it does.

    Raises:
        RedisError, OSError: it does not answer, or refuses to read the keys of the store.
    """
    server, memory, persistence = [await _info(client, part) for part in ("server", "memory", "persistence")]
    seconds, microseconds = await client.time()
    correction = float(await client.get(keys.other("correction")) or 0.0)
    epoch = await cast("Any", client.hmget(keys.other("epoch"), ["created_at", "settle_after", "resuming_until"]))
    created_at, settle_after, resuming_until = [float(value) if value else None for value in epoch]
    leases = await client.zrange(keys.other("processes"), 0, -1, withscores=True)
    return StoreCondition(
        server=_name_of(server),
        is_supported=_is_supported(server),
        eviction=memory.get("maxmemory_policy"),
        memory_limit=memory.get("maxmemory"),
        is_logged=bool(persistence["aof_enabled"]) if "aof_enabled" in persistence else None,
        has_snapshots=await _has_snapshots(client),
        failed_writes=_failed_writes(persistence),
        now=seconds + microseconds / 1e6 + correction,
        correction=correction,
        created_at=created_at,
        is_resumed=settle_after is not None,
        settle_after=(resuming_until or 0.0) + RESUME_GRACE if settle_after is None else settle_after,
        leases={name.decode(): until for name, until in leases},
    )


async def _info(client: redis.asyncio.Redis, part: str) -> Facts:
    """Return a part of what Redis reports; empty where this user may not ask, or a service has no such command."""
    try:
        return cast("Facts", await client.info(part))
    except ResponseError:
        return {}


async def _has_snapshots(client: redis.asyncio.Redis) -> bool | None:
    try:
        found = await client.config_get("save")
    except ResponseError:
        return None
    return bool(found["save"]) if "save" in found else None


def _name_of(server: Facts) -> str:
    if "valkey_version" in server:
        return f"Valkey {server['valkey_version']}"
    return f"Redis {server['redis_version']}" if "redis_version" in server else "Redis"


def _is_supported(server: Facts) -> bool | None:
    if "valkey_version" in server:
        return True
    major = str(server.get("redis_version", "")).partition(".")[0]
    return int(major) >= MIN_VERSION if major.isdigit() else None


def _failed_writes(persistence: Facts) -> list[str]:
    states = {"log": "aof_last_write_status", "snapshot": "rdb_last_bgsave_status"}
    return [what for what, name in states.items() if persistence.get(name, "ok") != "ok"]
