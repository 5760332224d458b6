"""Open tabs: what it takes to open one, what each keeps, and what a process with many of them does."""

from __future__ import annotations

import asyncio
import time

from tests.tools.bench import load, machine
from tests.tools.bench.servers import BARE, CALM_SECONDS, MEMORY, REDIS, RESTARTED, USUAL, MeasuredServer, Run, served

OPENING, WATCHING = frozenset({"1", "2"}), frozenset({"6", "9"})
ROWS = ("1", "2", "6", "9")
HEARTBEAT_INTERVAL = 15.0
PAUSE = 0.002


async def measure(run: Run) -> None:
    """Open the tabs of each variant in turn, on processes that are new in each repeat."""
    opened = [BARE, USUAL, MEMORY, RESTARTED, REDIS] if run.options.rows & OPENING else [BARE, MEMORY]
    for repeat in range(run.options.repeats):
        shift = repeat % len(opened)
        async with served(run, [*opened[shift:], *opened[:shift]]) as servers:
            for server in servers:
                await _measure(run, server)
                server.stop()


async def _measure(run: Run, server: MeasuredServer) -> None:
    name, before = server.variant.name, machine.resident_bytes(server.pid)
    tabs = list[load.Tab]()
    for size in run.options.sizes:
        keys = run.keys[len(tabs) : size]
        used = machine.cpu_seconds(server.pid)
        tabs += await load.open_tabs(server.port, keys)
        await asyncio.sleep(CALM_SECONDS)
        run.samples.add("opening a tab", name, size, (machine.cpu_seconds(server.pid) - used) / len(keys) * 1e6)
        run.samples.add("memory per tab", name, size, (machine.resident_bytes(server.pid) - before) / size)
    if run.options.rows & WATCHING and server.variant in (BARE, MEMORY):
        await _watch(run, server, tabs)
    _require_open(tabs, name)
    load.close(tabs)


async def _watch(run: Run, server: MeasuredServer, tabs: list[load.Tab]) -> None:
    """Take the share of a core that the process uses, with tabs that rest and with tabs whose users are active."""
    name, window = server.variant.name, run.options.window
    used = machine.cpu_seconds(server.pid)
    await asyncio.sleep(window)
    run.samples.add("idle", name, len(tabs), (machine.cpu_seconds(server.pid) - used) / window * 100)

    used, began, sent = machine.cpu_seconds(server.pid), time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < window:
        while sent < elapsed * len(tabs) / HEARTBEAT_INTERVAL:
            tabs[sent % len(tabs)].transport.write(load.HEARTBEAT)
            sent += 1
        await asyncio.sleep(PAUSE)
    share = (machine.cpu_seconds(server.pid) - used) / elapsed
    run.samples.add("a heartbeat each 15 s", name, len(tabs), share * 100)
    run.samples.add("per tab and second", name, len(tabs), share / len(tabs) * 1e6)


def _require_open(tabs: list[load.Tab], name: str) -> None:
    if lost := sum(not tab.is_open for tab in tabs):
        raise RuntimeError(f"{name}: the server closed {lost} of {len(tabs)} tabs; expected none.")
