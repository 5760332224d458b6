"""What a server is asked beside the journey: a lost network, and a stop."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from tests.sites.chromium import CONNECTED, Chromium, ask
from tests.sites.device import until
from tests.sites.limits import GRACE, STEADY
from tests.sites.report import Report
from tests.sites.serving import Site
from tests.sites.wire import Wire, WireTab

OUTAGES = ("lost network ends nothing", "a stop loses nothing", "tabs at a stop")
COMES_BACK = 20.0
STOP_TIMEOUT = 5.0
"""Seconds in which a server that stops at all has done so."""
CHECKPOINT = STEADY["IDLE_TIMEOUT"] / 10
"""Seconds of activity that a killed server may forget."""


async def lose_network(site: Site, report: Report) -> None:
    """A connection that ends without a word, by a reset or a FIN, ends no session."""
    with report.step(OUTAGES[0]):
        devices = [Wire(site.row, site.front, STEADY) for _ in range(2)]
        for device, vanish in zip(devices, (WireTab.reset, WireTab.finish), strict=True):
            await device.sign_in()
            tab = await device.open()
            await tab.until("active")
            await vanish(tab)
        await asyncio.sleep(GRACE + 1)
        for device in devices:
            assert (await device.visit()).path == site.row.outside(site.row.page)
            await device.leave()


async def stop(site: Site, report: Report, browser: Chromium | None) -> None:
    """A server that is stopped and started loses no activity, and its tabs come back."""
    with report.step(OUTAGES[1]):
        device = Wire(site.row, site.front, STEADY)
        await device.sign_in()
        tabs = [await device.open(), await device.open()]
        for tab in tabs:
            await tab.until("active")
        if browser is not None:
            await browser.close()
            # Where the server tells no closed browser, its session lives on.
            await browser.context.clear_cookies()
            await browser.ask_for(STEADY)
            await browser.sign_in()
            window = await browser.open()
        await asyncio.sleep(1.5)
        await tabs[0].act()
        acted = time.monotonic()
        await asyncio.sleep(0.3)
        if site.row.stops:
            await asyncio.to_thread(site.stop)
        else:
            await _outlast(site)
            report.note(OUTAGES[1], "no")
        await until(lambda: all(tab.reading.done() for tab in tabs), "The tabs are closed at the stop")
        report.note(OUTAGES[2], "/".join(sorted({str(tab.socket.close_code) for tab in tabs})))
        await asyncio.to_thread(site.start)
        back = await _reconnect(device, tabs[0].url)
        left = STEADY["IDLE_TIMEOUT"] - (time.monotonic() - acted)
        assert back.state["remaining"] > left - (0.75 if site.row.stops else CHECKPOINT), (back.state, left)
        if browser is not None:
            await until(lambda: ask(window.page, CONNECTED), "The page comes back", COMES_BACK)
        await device.leave()


async def _reconnect(device: Wire, url: str) -> WireTab:
    """Connect until the session is known: after a killed process it takes up to 15 s to own the memory store."""
    deadline = time.monotonic() + COMES_BACK
    while True:
        tab = await device.connect(url)
        with suppress(AssertionError):
            await tab.until("active", 3.0)
            return tab
        assert time.monotonic() < deadline, f"The tab is {await tab.phase()}, not active, within {COMES_BACK:g} s"


async def _outlast(site: Site) -> None:
    """Check that the server runs on after SIGTERM, and kill it, as supervisors do."""
    processes = [program.process for program in site.programs if program.process is not None]
    for process in processes:
        process.terminate()
    await asyncio.sleep(STOP_TIMEOUT)
    assert [process.poll() for process in processes] == [None] * len(processes), "the server stops after all"
    for program in site.programs:
        program.kill()
