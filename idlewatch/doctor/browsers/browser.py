"""A Chromium that is driven as a user's browser, with the session of a probe. It needs the extra `browser`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from playwright.async_api import Browser, Error, Page, Playwright, async_playwright

from idlewatch.doctor.address import Address
from idlewatch.doctor.browsers.browser_problems import Problems
from idlewatch.doctor.browsers.browser_tab import BrowserFailed, Tab, first_line
from idlewatch.doctor.browsers.chromium import FLAGS, needs_no_sandbox
from idlewatch.doctor.site import Site
from idlewatch.monitor.probes import Probe

SAME_SITE = {"lax": "Lax", "none": "None", "strict": "Strict"}


@contextmanager
def launched(site: Site, program: Path) -> Iterator[Browser]:
    """Run a browser with an empty profile, and end it; raises `BrowserFailed`."""
    playwright = site.run(_start())
    try:
        chromium = playwright.chromium
        options: dict[str, Any] = {"args": list(FLAGS), "chromium_sandbox": not needs_no_sandbox()}
        try:
            browser = site.run(chromium.launch(executable_path=program, **options))
        except Error as error:
            raise BrowserFailed(first_line(error)) from None
        try:
            yield browser
        finally:
            with suppress(Exception):
                # Where a signal has ended it, nothing is left to close.
                site.run(browser.close())
    finally:
        with suppress(Exception):
            site.run(playwright.stop())


async def _start() -> Playwright:
    # Where a signal stops the run, what Playwright was waiting for fails, and no one is left to receive that.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    return await async_playwright().start()


def open_tab(site: Site, browser: Browser, probe: Probe) -> Tab:
    """Open a tab of a browser that has the cookie of a probe, and nothing else."""

    async def open_page() -> Page:
        context = await browser.new_context()
        cookies = [cookie_for(site.address, name, value) for name, value in probe.cookies.items()]
        await context.add_cookies(cast("Any", cookies))
        return await context.new_page()

    page = site.run(open_page())
    return Tab(site, page, Problems(page))


def cookie_for(address: Address, name: str, value: str) -> dict[str, Any]:
    """Return a session cookie for the host of an address alone, with the attributes that the settings give it.

    Under https it is `Secure` whatever they say: a page that leads to plain HTTP gets none.
    """
    cookie: dict[str, Any] = {
        "name": name,
        "value": value,
        "domain": address.host.strip("[]"),
        "path": settings.SESSION_COOKIE_PATH,
        "httpOnly": settings.SESSION_COOKIE_HTTPONLY,
        "secure": settings.SESSION_COOKIE_SECURE or address.scheme == "https",
    }
    if same_site := SAME_SITE.get(str(settings.SESSION_COOKIE_SAMESITE).lower()):
        cookie["sameSite"] = same_site
    return cookie
