"""What is written into the database: by users who are active, and by tabs that come back after a restart."""

from __future__ import annotations

import asyncio
from http.client import HTTPConnection

from tests.tools.bench import load
from tests.tools.bench.servers import CALM_SECONDS, MEMORY, REDIS, RESTARTED, MeasuredServer, Run, served

ROWS = ("8",)
TABS = 20
HEARTBEATS = 50
"""Of each tab; it may send a hundred in ten seconds."""
HEARTBEAT_INTERVAL = 0.2
REQUESTS = 1_000
REOPENED = 100
COUNTED = {"BENCH_COUNT_WRITES": "1"}


async def measure(run: Run) -> None:
    """Count them with both stores."""
    variants = [variant._replace(environ=COUNTED) for variant in (MEMORY, REDIS, RESTARTED)]
    async with served(run, variants) as (memory, redis, restarted):
        for server in (memory, redis):
            await _be_active(run, server)
        before = await restarted.control.ask("writes")
        keys = run.keys[:REOPENED]
        tabs = await load.open_tabs(restarted.port, keys)
        await asyncio.sleep(CALM_SECONDS)
        written = (await restarted.control.ask("writes") - before) / len(keys)
        run.samples.add("writes to reopen a tab", RESTARTED.name, 0, written)
        load.close(tabs)


async def _be_active(run: Run, server: MeasuredServer) -> None:
    tabs = await load.open_tabs(server.port, run.keys[:TABS])
    await asyncio.sleep(CALM_SECONDS)
    before = await server.control.ask("writes")
    requests = asyncio.create_task(asyncio.to_thread(_request, server.port, run.keys[0]))
    for _ in range(HEARTBEATS):
        for tab in tabs:
            tab.transport.write(load.HEARTBEAT)
        await asyncio.sleep(HEARTBEAT_INTERVAL)
    await requests
    written = await server.control.ask("writes") - before
    run.samples.add("writes per 1,000 requests and heartbeats", server.variant.name, 0, written)
    load.close(tabs)


def _request(port: int, key: str) -> None:
    connection = HTTPConnection("127.0.0.1", port)
    headers = {"Cookie": f"sessionid={key}", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for _ in range(REQUESTS):
        connection.request("GET", "/bench/with-user/", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if body != b"ok":
            raise RuntimeError(f"A request was answered by {answer.status}, {body[:100]!r}; expected ok.")
    connection.close()
