"""Print what an operator who watches costs a web process, beside the same process without one.

Run it with `python -m tests.tools.bench.operators [seconds]`: a Daphne with 10, 1,000 and 10,000 live sessions that
report activity every 15 s, on the memory store and on Redis. The cost is processor time per second, and how often
database and store are asked on the operators' behalf. Records are not written meanwhile: that comes in waves, and would
cover it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import websockets

from tests.support.redis_server import RedisServer
from tests.support.serving import Server, clean_environment
from tests.tools.bench.__main__ import used

SIZES = (10, 1000, 10_000)
SETTLE = 2.0
"""Seconds before each measurement."""
MAKE_OPERATOR = """
from django.conf import settings; from django.contrib.auth import get_user_model; from django.test import Client
get_user_model().objects.create_user("crowd"); user = get_user_model().objects.create_superuser("bench")
client = Client(); client.force_login(user); name = settings.SESSION_COOKIE_NAME
print(f"{name}={client.cookies[name].value}")
"""
NO_OPERATOR: tuple[int, dict[str, object]] = (0, {})
QUESTIONS = {
    "no operator": NO_OPERATOR,
    "one, by deadline": (1, {"sort": "ends"}),
    "one, by user": (1, {"sort": "user"}),
    "one, a search": (1, {"sort": "user", "search": "user0000 chrome"}),
    "ten, by deadline": (10, {"sort": "ends"}),
}


class Cost(NamedTuple):
    """What a second takes of the process."""

    cpu: float
    """Milliseconds."""
    sql: float
    store: float
    sent: float
    """Bytes to the operators."""


def fetch(server: Server, path: str) -> dict[str, int]:
    with urlopen(server.url(path), timeout=300) as answer:
        counts: dict[str, int] = json.load(answer)
        return counts


class Page:
    """A live page."""

    def __init__(self) -> None:
        self.received = 0

    async def watch(self, server: Server, cookie: str, question: dict[str, object]) -> None:
        """Work in what comes, until cancelled."""
        url, headers = server.socket_url("/ws/idlewatch/live/"), {"Cookie": cookie}
        async with websockets.connect(url, origin=server.origin, additional_headers=headers, max_size=None) as socket:
            await socket.send(json.dumps({"type": "watch", "query": 1, **question}))
            async for text in socket:
                self.received += len(text)
                await socket.send(json.dumps({"type": "seen", "frame": json.loads(text)["frame"]}))


async def measure(server: Server, cookie: str, operators: int, question: dict[str, object], seconds: float) -> Cost:
    """Return what a second takes while so many operators ask this."""
    assert server.process is not None
    pages = [Page() for _ in range(operators)]
    watching = [asyncio.create_task(page.watch(server, cookie, question)) for page in pages]
    await asyncio.sleep(SETTLE)
    before, (cpu_before, _) = await asyncio.to_thread(fetch, server, "/bench/counts/"), used(server.process.pid)
    received = sum(page.received for page in pages)
    await asyncio.sleep(seconds)
    after, (cpu, _) = await asyncio.to_thread(fetch, server, "/bench/counts/"), used(server.process.pid)
    sent = sum(page.received for page in pages) - received
    for task in watching:
        assert not task.done(), "an operator was sent away"
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    sql, store = (after.get(name, 0) - before.get(name, 0) for name in ("sql", "store"))
    return Cost((cpu - cpu_before) * 1000 / seconds, sql / seconds, store / seconds, sent / seconds)


def report(where: str, costs: Mapping[str, Cost], again: Cost) -> None:
    """Print each cost beside that without an operator."""
    idle = Cost(*(sum(each) / 2 for each in zip(costs["no operator"], again, strict=True)))
    for title, cost in costs.items():
        print(
            f"{where}  {title:17} {cost.cpu:7.1f} ms/s"
            f"  {cost.cpu - idle.cpu:+7.1f}  x{cost.cpu / max(idle.cpu, 1e-9):5.2f}"
            f"  {cost.sql - idle.sql:+6.2f} sql/s  {cost.store:5.2f} store/s  {cost.sent:7.0f} B/s",
            flush=True,
        )


def run(name: str, directory: Path, seconds: float, **environ: str) -> None:
    """Measure on one store."""
    directory.mkdir()
    database = f"sqlite:///{directory}/db.sqlite3"
    settings = clean_environment(DEBUG="0", SECURE="0", SECRET_KEY="bench", DATABASE_URL=database, **environ)
    server = Server("tests.tools.bench.crowd:application", settings | {"ALLOWED_HOSTS": "127.0.0.1"}, directory / "log")
    server.manage("migrate", "--verbosity", "0")
    cookie = server.manage("shell", "--verbosity", "0", "-c", MAKE_OPERATOR).strip()
    server.start()
    try:
        for size in SIZES:
            fetch(server, f"/bench/fill/{size}/")
            costs = {
                title: asyncio.run(measure(server, cookie, *question, seconds)) for title, question in QUESTIONS.items()
            }
            # The machine may have become slower, or quicker, meanwhile.
            again = asyncio.run(measure(server, cookie, *NO_OPERATOR, seconds))
            report(f"{name:7}{size:7} sessions", costs, again)
    finally:
        server.stop()


def main(seconds: float = 10.0) -> None:
    """Measure on either store."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        run("memory", directory / "memory", seconds)
        redis = RedisServer(directory)
        redis.start()
        try:
            run("redis", directory / "redis", seconds, REDIS_URL=redis.url)
        finally:
            redis.stop()


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
