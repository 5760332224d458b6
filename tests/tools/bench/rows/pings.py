"""The pings of django-session-security, by which it learns of activity without requests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from tests.tools.bench import goals, machine
from tests.tools.bench.options import REPEATS
from tests.tools.bench.servers import SECURITY, MeasuredServer, Run, served

ROWS = ("9",)
INTERVALS = {goals.PING: 15.0, goals.RARE_PING: 540.0}
"""Seconds between the pings of a tab."""
CONNECTIONS = 16
PINGS = 500
"""In a repeat."""
WARM_UP_PINGS = 100
REQUEST = (
    "GET /session_security/ping/?idleFor=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Requested-With: XMLHttpRequest\r\n"
    "Cookie: sessionid={key}\r\n\r\n"
)


async def measure(run: Run) -> None:
    """Measure what one takes on connections that stay, and what that is for each tab and second."""
    async with served(run, (SECURITY,)) as (server,):
        await _microseconds(server, run.sessions.keys[:WARM_UP_PINGS])
        for _ in range(REPEATS):
            spent = await _microseconds(server, run.sessions.keys[:PINGS])
            run.samples.add("a ping", goals.SECURITY, 0, spent)
            for variant, interval in INTERVALS.items():
                run.samples.add("per tab and second", variant, run.options.tabs, spent / interval)


async def _microseconds(server: MeasuredServer, keys: Sequence[str]) -> float:
    used = machine.cpu_seconds(server.pid)
    await asyncio.gather(*(_ping(server.port, keys[number::CONNECTIONS]) for number in range(CONNECTIONS)))
    return (machine.cpu_seconds(server.pid) - used) / len(keys) * 1e6


async def _ping(port: int, keys: Sequence[str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for key in keys:
        writer.write(REQUEST.format(key=key).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1])) if length else b""
        if not (head.startswith(b"HTTP/1.1 200") and body.isdigit()):
            raise RuntimeError(f"A ping was answered by {head[:100]!r}, {body[:100]!r}; expected a number of seconds.")
    writer.close()
