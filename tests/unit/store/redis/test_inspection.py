"""What the Redis store tells of how it is set up, and of how it does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from idlewatch.exceptions import StoreUnavailable
from idlewatch.store.redis.inspection import _is_supported, _name_of
from idlewatch.store.values import StoreCondition
from tests.support.redis_server import RedisServer
from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.sessions import LEASE, running, until

pytestmark = pytest.mark.server

PERMITTED = ["+client", "+ping", "+get", "+hmget", "+zrange", "+time"]
"""What it takes to connect, and to read the store's own keys."""


async def condition_of(make: MakeStore, url: str, **options: object) -> StoreCondition:
    found = await make(url, **options).inspect()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--appendonly", "yes"], {"is_logged": True, "has_snapshots": False}),
        (["--save", "60 1"], {"is_logged": False, "has_snapshots": True}),
        ([], {"is_logged": False, "has_snapshots": False, "eviction": "noeviction", "memory_limit": 0}),
        (
            ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"],
            {"eviction": "allkeys-lru", "memory_limit": 100 * 2**20},
        ),
    ],
    ids=["log", "snapshots", "neither", "evicts"],
)
async def test_its_setup(make: MakeStore, tmp_path: Path, options: list[str], expected: dict[str, object]) -> None:
    with running(tmp_path, *options) as server:
        condition = await condition_of(make, server.url)
    assert {name: getattr(condition, name) for name in expected} == expected
    assert (condition.is_supported, condition.failed_writes) == (True, [])


async def test_what_a_user_may_not_ask_is_unknown_and_no_outage(make: MakeStore, server: RedisServer) -> None:
    with server.client() as client:
        client.acl_setuser("asker", enabled=True, passwords=["+pw"], keys=["*"], commands=PERMITTED)
    store, failures = make(f"redis://asker:pw@127.0.0.1:{server.port}/0"), []
    store.on_outage(lambda: failures.append("failed"))
    condition = await store.inspect()
    assert condition is not None
    assert (condition.is_supported, condition.eviction, condition.is_logged, condition.has_snapshots) == (None,) * 4
    assert failures == []


async def test_a_service_without_the_commands_is_unknown(make: MakeStore, tmp_path: Path) -> None:
    with running(tmp_path, "--rename-command", "INFO", "", "--rename-command", "CONFIG", "") as server:
        condition = await condition_of(make, server.url)
    assert (condition.server, condition.eviction, condition.has_snapshots) == ("Redis", None, None)


async def test_where_it_does_not_answer(make: MakeStore, server: RedisServer) -> None:
    store = make(f"redis://user:secret@127.0.0.1:{server.port}/0")
    server.stop()
    with pytest.raises(StoreUnavailable) as caught:
        await store.inspect()
    assert "secret" not in str(caught.value)


async def test_where_it_may_not_read_the_keys_of_the_store(make: MakeStore, server: RedisServer) -> None:
    with server.client() as client:
        client.acl_setuser("other", enabled=True, passwords=["+pw"], keys=["other:*"], commands=["+@all"])
    with pytest.raises(StoreUnavailable):
        await make(f"redis://other:pw@127.0.0.1:{server.port}/0").inspect()


class TestProcesses:
    async def test_have_leases_by_the_shared_time(self, make: MakeStore, server: RedisServer) -> None:
        store = make(server.url)
        reading = await store.presence.aread_time("p1")
        assert reading is not None
        await store.presence.correct_time(reading, 3600.0)
        now = reading.now + 3600.0
        await store.presence.renew("p1", now, LEASE)
        await store.presence.renew("dead", now, -1.0)
        condition = await condition_of(make, server.url)
        assert condition.correction == 3600.0
        assert condition.now == pytest.approx(now, abs=5.0)
        assert condition.leases.keys() == {"p1", "dead"}
        assert condition.living["p1"] == pytest.approx(LEASE, abs=5.0)
        assert condition.living.keys() == {"p1"}

    async def test_resume_the_records_into_a_new_store_before_anything_ends(
        self, make: MakeStore, server: RedisServer
    ) -> None:
        store = make(server.url)
        before = await condition_of(make, server.url)
        assert (before.created_at, before.is_resumed, before.is_holding_back) == (None, False, False)
        now = time.time()
        created_at = (await store.presence.renew("p1", now, LEASE)).created_at
        resuming = await condition_of(make, server.url)
        assert (resuming.created_at, resuming.is_resumed, resuming.is_holding_back) == (created_at, False, True)
        await store.presence.mark_resumed(created_at, now + 5)
        reporting = await condition_of(make, server.url)
        assert (reporting.is_resumed, reporting.settle_after, reporting.is_holding_back) == (True, now + 5, True)
        assert not replace(reporting, now=now + 10).is_holding_back

    async def test_are_read_without_a_change(self, make: MakeStore, server: RedisServer) -> None:
        store = make(server.url)
        await store.presence.renew("p1", time.time(), LEASE)
        with server.client() as client:
            before = {key: client.dump(key) for key in client.scan_iter()}
            await condition_of(make, server.url)
            assert {key: client.dump(key) for key in client.scan_iter()} == before


async def test_a_write_to_disk_that_failed(make: MakeStore, tmp_path: Path) -> None:
    with running(tmp_path, "--save", "3600 1000000") as server:
        with server.client() as client:
            client.set("x", 1)
            client.config_set("rdbcompression", "no")
            # A directory lies where the file is to be renamed to.
            (tmp_path / "dump.rdb").mkdir()
            client.bgsave()
            until(lambda: client.info("persistence")["rdb_last_bgsave_status"] != "ok")
        assert (await condition_of(make, server.url)).failed_writes == ["snapshot"]


@pytest.mark.parametrize(
    ("server", "name", "is_supported"),
    [
        ({"redis_version": "6.2.14"}, "Redis 6.2.14", False),
        ({"redis_version": "7.0.15"}, "Redis 7.0.15", True),
        ({"redis_version": "7.2.4", "valkey_version": "8.0.1"}, "Valkey 8.0.1", True),
        ({}, "Redis", None),
        ({"redis_version": "of a fork"}, "Redis of a fork", None),
    ],
)
def test_the_versions_of_both_products(server: dict[str, str], name: str, is_supported: bool | None) -> None:
    assert (_name_of(server), _is_supported(server)) == (name, is_supported)
