"""Each site, from signing in to a closed browser."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.sites import outages
from tests.sites.chromium import Chromium, visitor
from tests.sites.journey import Journey
from tests.sites.report import Report
from tests.sites.row import Row
from tests.sites.rows import ROWS
from tests.sites.serving import Site, environment, prepare, served
from tests.sites.wire import Wire


def marked(row: Row) -> Any:
    """Return the row as a parameter, marked by what it needs."""
    marks = [pytest.mark.packages] if row.packages else []
    if row.rarely:
        marks.append(pytest.mark.rarely)
    return pytest.param(row, id=row.slug, marks=marks)


@pytest.mark.timeout(240)  # Migrations of a whole CMS, on a busy machine.
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("row", [marked(row) for row in ROWS])
async def test_journey(row: Row, engine: Browser, tmp_path: Path) -> None:
    report = Report(row)
    prepared: dict[str, Any] = {"checks": []}
    if row.refused is not None:
        prepared = prepare(environment(row, tmp_path))
        report.write(prepared)
        assert row.refused in str(prepared["checks"])
        return
    try:
        with served(row, tmp_path) as site:
            prepared = site.prepared
            try:
                await walk(site, engine, report)
            except BaseException:
                print(site.log[-8000:])
                raise
            assert (prepared["checks"], prepared["warned"]) == (list(row.complaints), [])
            assert '" 500 ' not in site.log
            assert "Internal Server Error" not in site.log
    finally:
        report.write(prepared)


async def walk(site: Site, engine: Browser, report: Report) -> None:
    """Have each kind of visitor make the journey, at once; then stop the server, if that is asked of it."""
    async with AsyncExitStack() as stack:
        browser: Chromium | None = None
        if site.row.browser:
            browser = await stack.enter_async_context(visitor(site.row, site.front, engine))
        walks = [Journey(browser, report).walk()] if browser is not None else []
        if site.row.neighbour and browser is not None:
            walks.append(stay_signed_in(site, browser))
        if site.row.wire:
            wire = Wire(site.row, site.front)
            stack.push_async_callback(wire.leave)
            walks.append(Journey(wire, report).walk())
            if site.row.outages:
                walks.append(outages.lose_network(site, report))
        done = await asyncio.gather(*walks, return_exceptions=True)
        failures = [each for each in done if isinstance(each, BaseException)]
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise BaseExceptionGroup("The visitors failed", failures)
        if site.row.outages:
            await outages.stop(site, report, browser)


async def stay_signed_in(site: Site, browser: Chromium) -> None:
    """Have the same browser use the neighbour: what happens on the one site ends nothing on the other."""
    neighbour = Chromium(replace(site.row, prefix=site.row.neighbour), site.front, browser.context)
    await neighbour.sign_in()
    tab = await neighbour.open()
    for _ in range(40):
        await tab.act()
        assert await tab.phase() == "active"
        await asyncio.sleep(0.25)
