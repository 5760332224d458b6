"""The stores by themselves: what a session takes, and what a touch on Redis takes beside plain scripts.

In the environment of a run, `python -m tests.tools.bench.rows.stores weigh NAME SESSIONS` prints what they take in one
store, `… dissect NAME SESSIONS` what that consists of, and `… touch SESSIONS SESSIONS` what touches take in Redis at
these sizes.
"""

from __future__ import annotations

import asyncio
import gc
import linecache
import os
import random
import secrets
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from itertools import islice, product
from typing import Any

import redis
from redis import asyncio as redis_async

from idlewatch.core.activity import Activity
from idlewatch.core.events import Acted
from idlewatch.core.policy import Policy
from idlewatch.store.base import Store
from idlewatch.store.memory import MemoryStore
from idlewatch.store.redis import RedisStore
from idlewatch.store.redis.keys import Keys
from idlewatch.store.values import SessionKey, Touch, Watched
from tests.tools.bench import goals, machine, profiler, profiles
from tests.tools.bench.options import REPEATS
from tests.tools.bench.profiles import Profile
from tests.tools.bench.programs import print_profile, print_sample, run_program
from tests.tools.bench.rows.middleware import SCRIPT
from tests.tools.bench.servers import Run
from tests.tools.bench.stacks import owner_of_file

ROWS = ("10", "11")
HERE = "tests.tools.bench.rows.stores"
WEIGHED, QUICK_WEIGHED = (10_000, 100_000), (10_000,)
TOUCHED, QUICK_TOUCHED = (10_000, 100_000, 1_000_000), (10_000, 20_000)
"""Numbers of sessions, those of the goals among them."""
GROWTH = "touch, over that at 10,000"
ALONE_ON_REDIS = ("touch, alone", goals.REDIS)
ALONE = 200
"""Touches in a repeat, one after the other."""
TOGETHER, GROUPS = 100, 10
PROFILED_SECONDS = 4.0
FEW = 100
"""Sessions whose keys stay in the caches of a processor, as no site's with many sessions do."""
BATCH_SIZE = 500
PATIENT = {"socket_timeout": 60.0}
"""A store that is filled may answer late, as Redis does while its table of keys grows to the next size."""
PROCESS = "bench"
"""The process that has a tab of each session."""


async def measure(run: Run) -> None:
    """Weigh both stores at each size, and touch the sessions in Redis."""
    weighed, touched = (QUICK_WEIGHED, QUICK_TOUCHED) if run.options.quick else (WEIGHED, TOUCHED)
    if "11" in run.options.rows:
        for _, size, name in product(range(REPEATS), weighed, (goals.MEMORY, goals.REDIS)):
            run_program(run, HERE, "weigh", name, str(size))
        for name in (goals.MEMORY, goals.REDIS) if run.options.profile else ():
            run_program(run, HERE, "dissect", name, str(weighed[0]))
    if "10" in run.options.rows:
        run_program(run, HERE, "touch", *map(str, touched))


async def weigh(name: str, count: str) -> None:
    """Fill a store, and print how much memory each session takes."""
    async with _warm_store(name) as (store, client):
        before, sessions = _used(name, client), int(count)
        # The store alone keeps their ids.
        await _fill(store, _watch_ids(sessions))
        print_sample("bytes per session", name, sessions, (_used(name, client) - before) / sessions)


async def dissect(name: str, count: str) -> None:
    """Fill a store, and print what its memory consists of: by the lines that took it, or by the kinds of keys."""
    async with _warm_store(name) as (store, client):
        before, size = _used(name, client), int(count)
        tracemalloc.start()
        await _fill(store, _watch_ids(size))
        gc.collect()
        if name == goals.REDIS:
            parts = _by_key(client, size)
            parts["tables, and what is not counted to a key"] = (_used(name, client) - before) / size - parts.total()
        else:
            parts = _by_line(size)
        what = {"variant": name, "floor": name, "unit": "bytes", "what": "bytes a session"}
        print_profile(Profile(figures=["bytes per session"], size=size, total=parts.total(), parts=parts, **what))


@asynccontextmanager
async def _warm_store(name: str) -> AsyncIterator[tuple[Store, redis.Redis]]:
    """Open a store that has what belongs to no session: scripts, connections and the tasks of a batch."""
    url = os.environ["BENCH_REDIS_URL"]
    store: Store = RedisStore(url, PATIENT) if name == goals.REDIS else MemoryStore()
    with closing(redis.Redis.from_url(url)) as client:
        await _fill(store, _watch_ids(BATCH_SIZE))
        yield store, client
        await _close(store)


def _by_key(client: redis.Redis, size: int) -> Counter[str]:
    """Return the bytes a session that each kind of key takes."""
    parts = Counter[str]()
    for key in client.scan_iter(count=BATCH_SIZE):
        *head, last = key.decode().split(":")
        kind = ":".join([*head, "…" if len(last) > len("unconnected") else last])
        parts[kind] += (client.memory_usage(key, samples=0) or 0) / size
    return parts


def _by_line(size: int) -> Counter[str]:
    """Return the bytes a session that each line of code holds, of which Python keeps account."""
    parts = Counter[str]()
    for statistic in tracemalloc.take_snapshot().statistics("lineno"):
        frame = statistic.traceback[0]
        text = linecache.getline(frame.filename, frame.lineno).strip().replace("|", "or")
        parts[f"{owner_of_file(frame.filename)}: `{text}`"] += statistic.size / size
    return parts


async def touch(*counts: str) -> None:
    """Fill a store of each size in one Redis, and print what touches take in each, in turn."""
    touches = [await Touches.of(number, int(count)) for number, count in enumerate(counts)]
    for each in touches:
        await each.measure()
    for _ in range(REPEATS):
        spent = [await each.measure() for each in touches]
        for each, figures in zip(touches, spent, strict=True):
            for (figure, variant), value in figures.items():
                print_sample(figure, variant, each.size, value)
            if each.size > touches[0].size:
                print_sample(GROWTH, goals.REDIS, each.size, figures[ALONE_ON_REDIS] / spent[0][ALONE_ON_REDIS])
    if profiler.permit_if_wanted():
        for each in touches:
            await each.profile()
    for each in touches:
        await each.close()


async def _close(store: Store) -> None:
    await store.aclose()
    store.close()


def _watch_ids(count: int) -> Iterator[str]:
    return (secrets.token_urlsafe(16) for _ in range(count))


def _watched(watch_ids: Iterable[str], now: float) -> Iterator[Watched]:
    policy = Policy()
    for number, watch_id in enumerate(watch_ids):
        # As sessions differ.
        activity = Activity(logged_in_at=now - 5 - number % 1000 / 1000, active=now - number % 1000 / 1000)
        key = SessionKey(secrets.token_hex(16))
        yield Watched(id=watch_id, user=str(number), key=key, policy=policy, activity=activity)


async def _fill(store: Store, watch_ids: Iterable[str]) -> None:
    """Open sessions, each by itself, as at a sign-in."""
    now = time.time()
    sessions = _watched(watch_ids, now)
    while batch := list(islice(sessions, BATCH_SIZE)):
        await asyncio.gather(*(store.sessions.aopen(each, now) for each in batch))


def _used(name: str, client: redis.Redis) -> int:
    gc.collect()
    return int(client.info("memory")["used_memory"]) if name == goals.REDIS else machine.resident_bytes(os.getpid())


class Touches:
    """Touches of a store on Redis, and plain scripts beside them: alone, and a hundred together."""

    def __init__(self, store: Store, url: str, watch_ids: list[str]) -> None:
        self._store = store
        self._sessions = store.sessions
        self._client = redis.Redis.from_url(url, socket_timeout=PATIENT["socket_timeout"])
        self._plain = redis_async.Redis.from_url(url)
        self._digest = str(self._client.script_load(SCRIPT))
        self._watch_ids = watch_ids
        few = watch_ids[:FEW]
        self._figures = {
            ALONE_ON_REDIS: (self._touch_alone, ALONE),
            ("touch, alone", goals.EVALSHA): (partial(self._run_alone, watch_ids), ALONE),
            ("touch, alone", goals.EVALSHA_OF_FEW): (partial(self._run_alone, few), ALONE),
            ("touch, 100 together", goals.REDIS): (self._touch_together, TOGETHER * GROUPS),
            ("touch, 100 together", goals.PIPELINE): (partial(self._run_together, watch_ids), TOGETHER * GROUPS),
            ("touch, 100 together", goals.PIPELINE_OF_FEW): (partial(self._run_together, few), TOGETHER * GROUPS),
        }

    @classmethod
    async def of(cls, number: int, count: int) -> Touches:
        """Fill one database in Redis with so many sessions, and another with what the plain scripts write of each."""
        url, plain = (
            os.environ["BENCH_REDIS_URL"].removesuffix("/0") + f"/{index}" for index in (2 * number, 2 * number + 1)
        )
        prefix = f"{{bench-{number}}}:"
        store = RedisStore(url, {"PREFIX": prefix, **PATIENT})
        watch_ids, now = list(_watch_ids(count)), time.time()
        touches, sessions = cls(store, plain, watch_ids), _watched(watch_ids, now)
        with redis.Redis.from_url(url) as client:
            while batch := list(islice(sessions, BATCH_SIZE)):
                await store.sessions.aopen_many(batch, now)
                ids = [watched.id for watched in batch]
                client.sadd(Keys(prefix).served(PROCESS), *ids)
                touches.run_plainly(ids)
        return touches

    def run_plainly(self, watch_ids: Iterable[str]) -> None:
        """Run the plain script for each session."""
        pipeline = self._client.pipeline(transaction=False)
        for watch_id in watch_ids:
            pipeline.evalsha(*self._arguments(watch_id))
        pipeline.execute()

    @property
    def size(self) -> int:
        """How many sessions there are."""
        return len(self._watch_ids)

    async def measure(self) -> dict[tuple[str, str], float]:
        """Return the microseconds that one takes, by figure and variant."""
        return {key: await _microseconds(work, count) for key, (work, count) in self._figures.items()}

    async def profile(self) -> None:
        """Print the profile of each work, in this process: what Redis takes stands beside it."""
        for (figure, variant), (work, count) in self._figures.items():
            redis, used, began = self._redis_seconds(), time.process_time(), time.perf_counter()
            for _ in range(REPEATS):
                await work()
            took = {"total": time.process_time() - used, "elapsed": time.perf_counter() - began}
            took |= {"Redis itself": self._redis_seconds() - redis}
            each = {name: seconds / count / REPEATS * 1e6 for name, seconds in took.items()}
            with profiler.sampled(f"{figure} {variant} {self.size}", os.getpid()) as lines:
                until = time.monotonic() + PROFILED_SECONDS
                while time.monotonic() < until:
                    await work()
            floor = {"floor": goals.EVALSHA if figure == ALONE_ON_REDIS[0] else goals.PIPELINE, "unit": "µs"}
            total, rest = each.pop("total"), {"variant": variant, "size": self.size, **floor}
            print_profile(profiles.of_stacks(lines, figures=[figure], total=total, beside=each, **rest))

    def _redis_seconds(self) -> float:
        used = self._client.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    async def close(self) -> None:
        """Close all connections."""
        await _close(self._store)
        await self._plain.aclose()
        self._client.close()

    async def _touch_alone(self) -> None:
        for watch_id in random.sample(self._watch_ids, ALONE):
            self._sessions.apply(watch_id, Acted(), time.time())

    async def _run_alone(self, watch_ids: Sequence[str]) -> None:
        for watch_id in random.choices(watch_ids, k=ALONE):
            self._client.evalsha(*self._arguments(watch_id))

    async def _touch_together(self) -> None:
        # As the heartbeats of tabs, which wait for each other.
        for _ in range(GROUPS):
            now = time.time()
            touches = [Touch(each, now, now) for each in random.sample(self._watch_ids, TOGETHER)]
            if await self._sessions.acredit(touches, PROCESS):
                raise RuntimeError("Sessions with a tab need more than a touch; expected none to.")

    async def _run_together(self, watch_ids: Sequence[str]) -> None:
        for _ in range(GROUPS):
            pipeline = self._plain.pipeline(transaction=False)
            for watch_id in random.sample(watch_ids, TOGETHER):
                pipeline.evalsha(*self._arguments(watch_id))
            await pipeline.execute()

    def _arguments(self, watch_id: str) -> tuple[Any, ...]:
        return self._digest, 2, f"bench:{watch_id}", "bench:due", time.time(), time.time(), watch_id


async def _microseconds(work: Callable[[], Awaitable[None]], count: int) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) / count * 1e6


if __name__ == "__main__":
    asyncio.run({"weigh": weigh, "dissect": dissect, "touch": touch}[sys.argv[1]](*sys.argv[2:]))
