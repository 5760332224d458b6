"""Have sessions come and go on a real Redis, and print what they left behind.

Run it with `python -m tests.tools.soak [sessions]`.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from unittest.mock import patch

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, Held, TabClosed, TabOpened
from idlewatch.core.policy import Policy
from idlewatch.store.redis import RedisStore
from idlewatch.store.values import Due, Watched
from tests.support.facts import signed_in
from tests.support.redis_server import RedisServer

POLICY = Policy()
BATCH_SIZE = 500
LEASE = 10.0
SAMPLE_INTERVAL = 15.0
SAMPLE_RETENTION = 3600.0
START = 1_900_000_000.0
TOMBSTONE_TTL = 1.0
"""Real seconds, in place of ten minutes."""


async def come_and_go(store: RedisStore, sessions: int) -> int:
    """Have that many sessions live and end, in turns, while one process serves their tabs; return the ends recorded."""
    recorded = 0
    with patch("idlewatch.store.redis.queue.TOMBSTONE_TTL", TOMBSTONE_TTL):
        for first in range(0, sessions, BATCH_SIZE):
            at = START + first
            await _live([secrets.token_urlsafe(16) for _ in range(first, min(first + BATCH_SIZE, sessions))], store, at)
            recorded += await _work(store, at + POLICY.idle_timeout)
    return recorded


async def _live(watches: list[str], store: RedisStore, at: float) -> None:
    async def each(do: Callable[[str], Coroutine[None, None, object]], step: int = 1, offset: int = 0) -> None:
        await asyncio.gather(*map(do, watches[offset::step]))

    def begun(watch: str) -> Watched:
        return Watched(id=watch, user="7", key=secrets.token_hex(16), policy=POLICY, activity=signed_in(at))

    await each(lambda watch: store.sessions.aopen(begun(watch), at))
    await each(lambda watch: store.sessions.aapply(watch, TabOpened("p1", 50), at))
    await each(lambda watch: store.sessions.aapply(watch, Acted(), at))
    await each(lambda watch: store.sessions.aapply(watch, Held("upload", "Uploading 3 files"), at), 4)
    # A third closes its browser, a third is signed out with a tab open, and the rest ends by the clock with one open.
    await each(lambda watch: store.sessions.aapply(watch, TabClosed("p1", closed=True), at), 3)
    await each(lambda watch: store.sessions.aend(watch, Reason.LOGOUT, at), 3, 1)
    # As the socket of a session that ended does.
    await each(lambda watch: store.sessions.aapply(watch, TabClosed("p1", closed=False), at), 3, 1)


async def _work(store: RedisStore, now: float) -> int:
    """Do what a timer does, records first: they may well be quicker than the push. Return the ends recorded."""
    recorded = 0
    await store.statistics.take_sample(now, SAMPLE_INTERVAL, SAMPLE_RETENTION)
    for later in (0.0, LEASE, POLICY.idle_timeout):
        checked = await store.queue.claim(Due.CHECK, now + later, 2 * BATCH_SIZE, LEASE)
        await store.queue.confirm(Due.CHECK, checked, now)
        recorded += await _record(store, now + later)
        claimed = await store.queue.claim(Due.PUSH, now + later, 2 * BATCH_SIZE, LEASE)
        settled = await store.queue.settle(claimed, now + later)
        await store.queue.confirm(Due.PUSH, [each for each in settled if each], now + later)
    recorded += await _record(store, now + POLICY.idle_timeout)
    await store.statistics.take_sample(now + SAMPLE_INTERVAL, SAMPLE_INTERVAL, SAMPLE_RETENTION)
    return recorded


async def _record(store: RedisStore, now: float) -> int:
    ended = await store.queue.claim(Due.RECORD, now, 2 * BATCH_SIZE, LEASE)
    await store.queue.confirm(Due.RECORD, ended, now)
    return len(ended)


async def main(sessions: int = 100_000) -> None:
    """Soak a Redis of its own."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory))
        server.start()
        # A machine that is busy with other things is no outage here.
        store = RedisStore(server.url, {"socket_timeout": 30})
        try:
            with server.client() as client:
                await store.ping()
                memory = client.info("memory")["used_memory"]
                begun = time.monotonic()
                recorded = await come_and_go(store, sessions)
                spent = time.monotonic() - begun
                await asyncio.sleep(TOMBSTONE_TTL + 1)
                # For an hour more it tells how many there were, and for a day since when it exists.
                left = [key for key in client.scan_iter(count=1000) if not key.endswith((b":samples", b":epoch"))]
                grown = client.info("memory")["used_memory"] - memory
        finally:
            await store.aclose()
            store.close()
            server.stop()
    print(f"{sessions} sessions, {recorded} ends in {spent:.0f} s; left: {left}, {grown / 1024:.0f} KiB")


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
