"""Redis is replaced by an empty one, while users go on; until it has all sessions again, and a while after."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle

from idlewatch.monitor.records import BATCH_SIZE
from idlewatch.store.redis import RedisStore
from tests.tools.scale import goals
from tests.tools.scale.rows.ends import count_live
from tests.tools.scale.rows.upkeep import sent_from
from tests.tools.scale.site import POLL_INTERVAL, READY_TIMEOUT, MeasuredServer, Site

CALM_SECONDS = 10.0
AFTERWARDS = 10.0
"""Seconds in which what was judged wrongly would be recorded."""
RESUMED = "record_rows.read_live_rows"
REQUEST_INTERVAL = 0.05
SIGNED_IN, TURNED_AWAY, UNDECIDED = 200, 302, 503


async def measure(site: Site, servers: Sequence[MeasuredServer]) -> None:
    """Measure it."""
    # What ended just before is reported to Redis first.
    await asyncio.sleep(CALM_SECONDS)
    live = await asyncio.to_thread(count_live)
    resumed = [await sent_from(server, RESUMED) for server in servers]
    site.redis.stop()
    site.redis.start()
    began, store = time.monotonic(), RedisStore(site.redis.url)
    over = asyncio.Event()
    users = asyncio.create_task(_count_answers(site, servers, over))
    try:
        async with asyncio.timeout(READY_TIMEOUT):
            while sum((await store.statistics.census())[:2]) < live:  # noqa: ASYNC110 - it happens elsewhere
                await asyncio.sleep(POLL_INTERVAL)
        site.add("until the last session is back", goals.TWO_PROCESSES, time.monotonic() - began)
        await asyncio.sleep(AFTERWARDS)
    finally:
        over.set()
        await store.aclose()
        store.close()
    answers = await users
    site.add("wrong answers meanwhile", goals.TWO_PROCESSES, answers.wrong)
    site.add("answers with 503 meanwhile", goals.TWO_PROCESSES, answers.undecided)
    site.add("requests meanwhile", goals.TWO_PROCESSES, answers.requests)
    site.add("sessions that ended meanwhile", goals.TWO_PROCESSES, live - await asyncio.to_thread(count_live))
    each = [await sent_from(server, RESUMED) - before for server, before in zip(servers, resumed, strict=True)]
    # Each asks for a batch once; the last one may be smaller.
    site.add("batches resumed twice", goals.TWO_PROCESSES, max(sum(each) - live // BATCH_SIZE - 1, 0))
    site.add("share of the process that resumed less", goals.TWO_PROCESSES, min(each) / max(sum(each), 1) * 100)


@dataclass
class Answers:
    """What users were answered."""

    requests: int = 0
    wrong: int = 0
    undecided: int = 0
    """Those that told them to retry."""


async def _count_answers(site: Site, servers: Sequence[MeasuredServer], over: asyncio.Event) -> Answers:
    """Request pages, as users whose sessions live and as some whose sessions ended, until it is over."""
    answers, servers_in_turn = Answers(), cycle(servers)
    live, ended = site.keys[: -site.options.ends], site.keys[-site.options.ends :]
    while not over.is_set():
        for keys, expected in ((live, SIGNED_IN), (ended, TURNED_AWAY)):
            status = await asyncio.to_thread(_status, next(servers_in_turn).port, random.choice(keys))
            answers.requests += 1
            answers.undecided += status == UNDECIDED
            answers.wrong += status not in (expected, UNDECIDED)
        await asyncio.sleep(REQUEST_INTERVAL)
    return answers


def _status(port: int, key: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Cookie": f"sessionid={key}", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    try:
        connection.request("GET", "/", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()
