"""The stores by themselves: what a session takes, and what a touch on Redis takes beside plain scripts.

`python -m tests.tools.bench.rows.stores NAME SESSIONS`, in the environment of a run, prints the samples of one store.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import redis
from redis import asyncio as redis_async

from idlewatch.core.activity import Activity
from idlewatch.core.events import Acted
from idlewatch.core.policy import Policy
from idlewatch.store.base import Store
from idlewatch.store.memory import MemoryStore
from idlewatch.store.redis import RedisStore
from idlewatch.store.values import SessionKey, Watched
from tests.tools.bench import goals, machine
from tests.tools.bench.rows.middleware import SCRIPT
from tests.tools.bench.servers import Run, print_sample, run_program

ROWS = ("10", "11")
QUICK_SESSIONS, FULL_SESSIONS = (10_000,), (10_000, 100_000, 1_000_000)
GROWTH = "touch, 1,000,000 sessions over 10,000"
REPEATS = 7
ALONE = 200
"""Touches in a repeat, one after the other."""
TOGETHER, GROUPS = 100, 10
BATCH_SIZE = 500


async def measure(run: Run) -> None:
    """Measure both stores at each size."""
    for sessions in QUICK_SESSIONS if run.options.quick else FULL_SESSIONS:
        if "11" in run.options.rows:
            run_program(run, "tests.tools.bench.rows.stores", goals.MEMORY, str(sessions))
        run_program(run, "tests.tools.bench.rows.stores", goals.REDIS, str(sessions))
    few, many = (
        run.samples.summary("touch, alone", goals.REDIS, sessions) for sessions in (FULL_SESSIONS[0], FULL_SESSIONS[-1])
    )
    if few and many:
        run.samples.add(GROWTH, goals.REDIS, FULL_SESSIONS[-1], many.median / few.median)


async def main(name: str, count: str) -> None:
    """Fill a store, and touch its sessions."""
    url, sessions = os.environ["BENCH_REDIS_URL"], int(count)
    store: Store = RedisStore(url) if name == goals.REDIS else MemoryStore()
    client = redis.Redis.from_url(url)
    try:
        # Scripts and connections are none of the sessions' own.
        await store.sessions.aopen(next(_watched(1, time.time())), time.time())
        before = _used(name, client)
        watch_ids = await _fill(store, sessions)
        print_sample("bytes per session", name, sessions, (_used(name, client) - before) / sessions)
        if name == goals.REDIS:
            await Touches(store, client, url, watch_ids).measure()
    finally:
        await store.aclose()
        store.close()
        client.close()


def _watched(count: int, now: float) -> Iterator[Watched]:
    policy = Policy()
    for number in range(count):
        # As sessions differ.
        activity = Activity(logged_in_at=now - 5 - number % 1000 / 1000, active=now - number % 1000 / 1000)
        key = SessionKey(secrets.token_hex(16))
        yield Watched(id=secrets.token_urlsafe(16), user=str(number), key=key, policy=policy, activity=activity)


async def _fill(store: Store, count: int) -> list[str]:
    now, watch_ids = time.time(), list[str]()
    batch = list[Watched]()
    for watched in _watched(count, now):
        batch.append(watched)
        watch_ids.append(watched.id)
        if len(batch) == BATCH_SIZE or len(watch_ids) == count:
            await asyncio.gather(*(store.sessions.aopen(each, now) for each in batch))
            batch.clear()
    return watch_ids


def _used(name: str, client: redis.Redis) -> int:
    gc.collect()
    return int(client.info("memory")["used_memory"]) if name == goals.REDIS else machine.resident_bytes(os.getpid())


class Touches:
    """Touches of a store on Redis, and plain scripts beside them: alone, and a hundred together."""

    def __init__(self, store: Store, client: redis.Redis, url: str, watch_ids: list[str]) -> None:
        self._sessions = store.sessions
        self._client = client
        self._plain = redis_async.Redis.from_url(url)
        self._digest = str(client.script_load(SCRIPT))
        self._watch_ids = watch_ids
        self._figures = (
            ("touch, alone", goals.REDIS, self._touch_alone, ALONE),
            ("touch, alone", goals.EVALSHA, self._run_alone, ALONE),
            ("touch, 100 together", goals.REDIS, self._touch_together, TOGETHER * GROUPS),
            ("touch, 100 together", goals.PIPELINE, self._run_together, TOGETHER * GROUPS),
        )

    async def measure(self) -> None:
        """Print what they take, in turn."""
        for _, _, work, count in self._figures:
            await _microseconds(work, count)
        for _ in range(REPEATS):
            for figure, variant, work, count in self._figures:
                print_sample(figure, variant, len(self._watch_ids), await _microseconds(work, count))
        await self._plain.aclose()

    async def _touch_alone(self) -> None:
        for watch_id in random.sample(self._watch_ids, ALONE):
            self._sessions.apply(watch_id, Acted(), time.time())

    async def _run_alone(self) -> None:
        for watch_id in random.sample(self._watch_ids, ALONE):
            self._client.evalsha(*self._arguments(watch_id))

    async def _touch_together(self) -> None:
        for _ in range(GROUPS):
            chosen = random.sample(self._watch_ids, TOGETHER)
            await asyncio.gather(*(self._sessions.aapply(each, Acted(), time.time()) for each in chosen))

    async def _run_together(self) -> None:
        for _ in range(GROUPS):
            pipeline = self._plain.pipeline(transaction=False)
            for watch_id in random.sample(self._watch_ids, TOGETHER):
                pipeline.evalsha(*self._arguments(watch_id))
            await pipeline.execute()

    def _arguments(self, watch_id: str) -> tuple[Any, ...]:
        return self._digest, 2, f"bench:{watch_id}", "bench:due", time.time(), time.time(), watch_id


async def _microseconds(work: Callable[[], Awaitable[None]], count: int) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) / count * 1e6


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
