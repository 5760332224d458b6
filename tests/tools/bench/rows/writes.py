"""What is written into the database: for requests, for heartbeats, and by tabs that come back after a restart.

The records of active sessions are written by time, whatever their users send. So requests and heartbeats are counted
one after the other: those of one user, and those of twenty at the pace that a tab may keep. Together, what is written
for the twenty would be counted for as long as the requests of the one take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http.client import HTTPConnection

from tests.tools.bench import load
from tests.tools.bench.options import REPEATS
from tests.tools.bench.servers import CALM_SECONDS, MEMORY, REDIS, RESTARTED, MeasuredServer, Run, served

ROWS = ("8",)
TABS = 20
HEARTBEATS, QUICK_HEARTBEATS = 20, 10
"""Of each tab; it may send a hundred in ten seconds."""
HEARTBEAT_INTERVAL = 0.12
REQUESTS, QUICK_REQUESTS = 400, 200
REOPENED = 20
COUNTED = {"BENCH_COUNT_WRITES": "1"}


async def measure(run: Run) -> None:
    """Count them with both stores at once."""
    variants = [variant._replace(environ=COUNTED) for variant in (MEMORY, REDIS, RESTARTED)]
    async with served(run, variants) as (memory, redis, restarted):
        users = [Users(run, server, await load.open_tabs(server.port, run.keys[:TABS])) for server in (memory, redis)]
        await asyncio.sleep(CALM_SECONDS)
        for number in range(REPEATS):
            keys = run.keys[number * REOPENED : (number + 1) * REOPENED]
            await asyncio.gather(*(each.request() for each in users), _reopen(run, restarted, keys))
        for _ in range(REPEATS):
            await asyncio.gather(*(each.act() for each in users))


async def _reopen(run: Run, server: MeasuredServer, keys: Sequence[str]) -> None:
    before = await server.control.ask("writes")
    tabs = await load.open_tabs(server.port, keys)
    await asyncio.sleep(CALM_SECONDS)
    written = (await server.control.ask("writes") - before) / len(keys)
    run.samples.add("writes to reopen a tab", RESTARTED.name, 0, written)
    load.close(tabs)


class Users:
    """Users with a tab each, the first of whom requests pages."""

    def __init__(self, run: Run, server: MeasuredServer, tabs: Sequence[load.Tab]) -> None:
        self._run = run
        self._server = server
        self._tabs = tabs

    async def request(self) -> None:
        """Count what is written for a thousand requests of one user."""
        number = QUICK_REQUESTS if self._run.options.quick else REQUESTS
        requesting = partial(asyncio.to_thread, _request, self._server.port, self._tabs[0].key, number)
        await self._count("writes per 1,000 requests", number, requesting)

    async def act(self) -> None:
        """Count what is written for a thousand heartbeats of all users."""
        number = QUICK_HEARTBEATS if self._run.options.quick else HEARTBEATS
        await self._count("writes per 1,000 heartbeats", number * TABS, partial(self._send_heartbeats, number))

    async def _send_heartbeats(self, number: int) -> None:
        for _ in range(number):
            for tab in self._tabs:
                tab.transport.write(load.HEARTBEAT)
            await asyncio.sleep(HEARTBEAT_INTERVAL)

    async def _count(self, figure: str, number: int, work: Callable[[], Awaitable[None]]) -> None:
        before = await self._server.control.ask("writes")
        await work()
        written = (await self._server.control.ask("writes") - before) * 1_000 / number
        self._run.samples.add(figure, self._server.variant.name, 0, written)


def _request(port: int, key: str, number: int) -> None:
    connection = HTTPConnection("127.0.0.1", port)
    headers = {"Cookie": f"sessionid={key}", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for _ in range(number):
        connection.request("GET", "/bench/with-user/", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if body != b"ok":
            raise RuntimeError(f"A request was answered by {answer.status}, {body[:100]!r}; expected ok.")
    connection.close()
