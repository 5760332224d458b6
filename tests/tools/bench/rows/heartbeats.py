"""Heartbeats: as many as the server takes, and at a steady rate."""

from __future__ import annotations

import asyncio
import time

from tests.tools.bench import load, machine
from tests.tools.bench.options import REPEATS
from tests.tools.bench.servers import BARE, MEMORY, REDIS, USUAL, MeasuredServer, Run, profiled, served, with_sessions

ROWS = ("3",)
LEAST_TABS, TABS = 250, 2_000
"""Whatever `TABS` is: a tab may send a hundred messages in ten seconds."""
ROUNDS, QUICK_ROUNDS = 10, 3
"""One heartbeat of each tab."""
RATE, SECONDS, QUICK_SECONDS = 1_000, 2.0, 0.5
POLL_INTERVAL, PAUSE = 0.005, 0.001
SETTLING = 0.2
"""Seconds in which a heartbeat that was received is credited."""
ANSWER_TIMEOUT = 30.0
SATURATED, PACED = "heartbeat, saturated", "heartbeat, 1,000/s"
PROFILED_ROUNDS, PROFILED_SECONDS, QUICK_PROFILED_SECONDS = 50, 20.0, 5.0
"""Few samples would tell little."""


async def measure(run: Run) -> None:
    """Have the tabs of each variant send heartbeats in turn; the processes stay."""
    count = min(max(run.options.tabs, LEAST_TABS), TABS)
    # Without the upkeep of sessions that have no tab.
    if run.options.tabs != count:
        run = with_sessions(run, "heartbeats", count)
    keys = run.sessions.keys[:count]
    rounds, seconds = (QUICK_ROUNDS, QUICK_SECONDS) if run.options.quick else (ROUNDS, SECONDS)
    async with served(run, (BARE, USUAL, MEMORY, REDIS)) as servers:
        tabs = [await load.open_tabs(server.port, keys) for server in servers]
        for server, own in zip(servers, tabs, strict=True):
            # The first heartbeats find no cache filled.
            await _saturate(server, own, rounds=2)
        for _ in range(REPEATS):
            for server, own in zip(servers, tabs, strict=True):
                name, size = server.variant.name, len(own)
                run.samples.add(SATURATED, name, size, await _saturate(server, own, rounds))
                run.samples.add(PACED, name, size, await _pace(server, own, seconds))
        if run.options.profile:
            for server, own in zip(servers, tabs, strict=True):
                if server.variant is not USUAL:
                    await _profile(server, own)
        for server, own in zip(servers, tabs, strict=True):
            if lost := sum(not tab.is_open for tab in own):
                raise RuntimeError(f"{server.variant.name}: the server closed {lost} tabs; expected none.")


async def _profile(server: MeasuredServer, tabs: list[load.Tab]) -> None:
    with profiled([server], [PACED], len(tabs), BARE.name):
        await _pace(server, tabs, QUICK_PROFILED_SECONDS if server.run.options.quick else PROFILED_SECONDS)
    with profiled([server], [SATURATED], len(tabs), BARE.name):
        await _saturate(server, tabs, PROFILED_ROUNDS)


async def _saturate(server: MeasuredServer, tabs: list[load.Tab], rounds: int) -> float:
    """Send rounds of heartbeats, with two on their way at most; return the microseconds that each took."""
    before, used = await server.control.ask("heartbeats"), machine.cpu_seconds(server.pid)
    for number in range(rounds):
        for tab in tabs:
            tab.transport.write(load.HEARTBEAT)
        await _wait_until_received(server, before + number * len(tabs))
    return await _microseconds(server, before, used, rounds * len(tabs))


async def _pace(server: MeasuredServer, tabs: list[load.Tab], seconds: float) -> float:
    """Send heartbeats at a steady rate; return the microseconds that each took."""
    before, used = await server.control.ask("heartbeats"), machine.cpu_seconds(server.pid)
    began, sent = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < seconds:
        while sent < elapsed * RATE:
            tabs[sent % len(tabs)].transport.write(load.HEARTBEAT)
            sent += 1
        await asyncio.sleep(PAUSE)
    return await _microseconds(server, before, used, sent)


async def _microseconds(server: MeasuredServer, before: int, used: float, sent: int) -> float:
    await _wait_until_received(server, before + sent)
    await asyncio.sleep(SETTLING)
    return (machine.cpu_seconds(server.pid) - used) / sent * 1e6


async def _wait_until_received(server: MeasuredServer, total: int) -> None:
    async with asyncio.timeout(ANSWER_TIMEOUT):
        while await server.control.ask("heartbeats") < total:  # noqa: ASYNC110 - it happens elsewhere
            await asyncio.sleep(POLL_INTERVAL)
