"""What the store finds wrong with how Redis is set up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.store.redis.conftest import MakeStore
from tests.unit.store.redis.sessions import running

pytestmark = pytest.mark.server


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"], ["'volatile-lru'"]),
        (["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"], []),
        (["--maxmemory-policy", "allkeys-lru"], []),
        (["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--rename-command", "INFO", ""], []),
    ],
    ids=["evicts", "evicts nothing", "never full", "may not be asked"],
)
async def test_a_policy_that_drops_sessions(
    make: MakeStore, tmp_path: Path, options: list[str], found: list[str]
) -> None:
    with running(tmp_path, *options) as server:
        store, failures = make(server.url), []
        store.on_outage(lambda: failures.append("failed"))
        flaws = await store.find_flaws()
    assert len(flaws) == len(found)
    assert all(policy in flaw for policy, flaw in zip(found, flaws, strict=True))
    assert failures == []
