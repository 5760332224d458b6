"""The client: what a page has to load for it, and what it takes of the page's main thread, in a real Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import NamedTuple

import brotli
from playwright.async_api import Browser, CDPSession, async_playwright

from tests.support.browsing import FLAGS, executable
from tests.support.serving import ROOT, Server
from tests.tools.bench import goals
from tests.tools.bench.options import REPEATS
from tests.tools.bench.servers import MEMORY, MeasuredServer, Run, served

ROWS = ("14",)
BUILT = ("idlewatch.min.js", "idlewatch.min.css")
PAGES = {goals.WITH_CLIENT: "/bench/page/client/", goals.WITHOUT_CLIENT: "/bench/page/"}
MOVES = 120
"""Pointer movements in a repeat."""
LOADING = 2.0
"""Seconds in which a page loads and connects."""


async def measure(run: Run) -> None:
    """Move the pointer over a page with the client and one without it, and leave both alone, in turn."""
    files, window = {"STATIC_ROOT": str(run.directory / "static")}, run.options.window
    environment = run.sessions.environment(run.directory / "static.sqlite3") | files
    Server("", environment, run.directory / "static.log").manage("collectstatic", "--noinput", "--verbosity", "0")
    async with served(run, (MEMORY._replace(environ=files),)) as (server,), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))
        threads = [await _open(browser, server, path) for path in PAGES.values()]
        await asyncio.sleep(LOADING)
        await _move(threads)
        for _ in range(REPEATS):
            moved, rested = await _move(threads), await _rest(threads, window)
            for page, of_move, of_rest in zip(PAGES, moved, rested, strict=True):
                run.samples.add("page, per pointer move", page, 0, of_move.tasks)
                run.samples.add("page, idle, per second", page, 0, of_rest.tasks)
            run.samples.add("main thread per pointer move", goals.CLIENT, 0, moved[0].scripts)
            run.samples.add("main thread idle, per second", goals.CLIENT, 0, rested[0].tasks - rested[1].tasks)
            run.samples.add("compressed size", goals.CLIENT, 0, _compressed_size())
        await browser.close()


def _compressed_size() -> float:
    """Return the kilobytes of the client, compressed as the project's static files are."""
    contents = [(ROOT / "static" / "idlewatch" / name).read_bytes() for name in BUILT]
    return sum(len(brotli.compress(content)) for content in contents) / 1_000


async def _open(browser: Browser, server: MeasuredServer, path: str) -> MainThread:
    context = await browser.new_context()
    await context.add_cookies([{"name": "sessionid", "value": server.run.sessions.keys[0], "url": server.origin}])
    page = await context.new_page()
    await page.goto(server.url(path))
    session = await context.new_cdp_session(page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})
    return MainThread(session)


class Used(NamedTuple):
    """Processor time of a page's main thread: in all its tasks, and in scripts alone."""

    tasks: float
    scripts: float

    def __sub__(self, earlier: Used) -> Used:
        return Used(self.tasks - earlier.tasks, self.scripts - earlier.scripts)

    def per(self, count: float, unit: float) -> Used:
        """Return the time for each of `count`, in a unit of which a second has `unit`."""
        return Used(self.tasks / count * unit, self.scripts / count * unit)


class MainThread:
    """The main thread of a page."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session

    async def used(self) -> Used:
        """Return what it has used so far, in seconds."""
        metrics = (await self._session.send("Performance.getMetrics"))["metrics"]
        values = {metric["name"]: float(metric["value"]) for metric in metrics}
        return Used(values["TaskDuration"], values["ScriptDuration"])

    async def move_pointer(self) -> None:
        """Move the pointer, each time after the page has seen the last move."""
        for number in range(MOVES):
            place = {"x": 10 + number, "y": 20 + number % 50}
            await self._session.send("Input.dispatchMouseEvent", {"type": "mouseMoved", **place})


async def _move(threads: Sequence[MainThread]) -> list[Used]:
    """Return what each uses for a move, in microseconds."""
    moves = asyncio.gather(*(thread.move_pointer() for thread in threads))
    return [used.per(MOVES, 1e6) for used in await _during(threads, moves)]


async def _rest(threads: Sequence[MainThread], seconds: float) -> list[Used]:
    """Return what each uses in a second without input, in milliseconds."""
    return [used.per(seconds, 1e3) for used in await _during(threads, asyncio.sleep(seconds))]


async def _during(threads: Sequence[MainThread], work: Awaitable[object]) -> list[Used]:
    before = [await thread.used() for thread in threads]
    await work
    return [await thread.used() - earlier for thread, earlier in zip(threads, before, strict=True)]
