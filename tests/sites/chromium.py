"""A real browser."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from playwright.async_api import Browser, BrowserContext, Error, Page, async_playwright

from tests.sites import limits
from tests.sites.device import Device, Place, Tab, until
from tests.sites.row import Row
from tests.support.browsing import FLAGS, executable
from tests.support.serving import Server

STAY = '[data-idlewatch-part="stay"]'
CONNECTED = "Boolean(window.idlewatch?.state) && !window.idlewatch.state.offline"
WITHOUT_SOCKETS = "delete window.WebSocket"


class Window(Tab):
    def __init__(self, row: Row, page: Page) -> None:
        self.row = row
        self.page = page
        self.moved = 0

    @property
    def is_at_sign_in(self) -> bool:
        return Place(self.page.url, "").path == self.row.outside(self.row.sign_in.path)

    async def phase(self) -> str:
        if self.is_at_sign_in:
            return "ended"
        phase = await ask(self.page, "window.idlewatch?.state?.phase")
        self.warned = self.warned or phase == "warned"
        return str(phase)

    async def act(self) -> None:
        self.moved += 1
        await self.page.mouse.move(100 + self.moved % 50, 200)

    async def extend(self) -> None:
        await self.page.locator(STAY).click()

    async def place(self) -> Place:
        with suppress(AssertionError):
            # The journey says where it is instead.
            await until(lambda: self.is_at_sign_in, "The ended tab is led to the sign-in")
        await self.page.wait_for_load_state("domcontentloaded")
        return Place(self.page.url, await self.page.content())


class Chromium(Device):
    def __init__(self, row: Row, server: Server, context: BrowserContext) -> None:
        super().__init__(row, server)
        self.context = context
        self.fresh: list[Page] = []
        """Tabs in which the user has signed in, and that are not counted as opened."""
        self.pages: list[Page] = []
        self.connected: set[Page] = set()
        """Tabs that have received something over a socket."""
        self.errors: list[str] = []
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)

    @property
    def tells_closing(self) -> bool:
        # Polls just stop.
        return self.row.closes and not self.row.polls

    async def ask_for(self, asked: Mapping[str, float]) -> None:
        """Have the next session live under these limits."""
        value = limits.cookie(dict(asked))
        await self.context.add_cookies([{"name": limits.COOKIE, "value": value, "domain": "127.0.0.1", "path": "/"}])

    async def sign_in(self) -> None:
        if self.pages:
            page = self.pages[0]
            # Both tabs were led to the sign-in at once. Where CSRF tokens are in the session, that of one was lost.
            await page.reload()
        else:
            page = await self._new(self.server.url(self.row.outside(self.row.page)))
            self.fresh.append(page)
            if self.row.public:
                await page.goto(self.sign_in_url)
        assert Place(page.url, "").path == self.row.outside(self.row.sign_in.path), page.url
        if self.row.sign_in.link is not None:
            async with page.expect_navigation():
                await page.locator(f'a[href*="{self.row.sign_in.link}"]').click()
        for fields in (self.row.sign_in.fields, *self.row.sign_in.then):
            await self._send(page, fields)
        await self._arrive(page)

    async def _send(self, page: Page, fields: Mapping[str, str]) -> None:
        """Fill in what is visible of a form, and send it."""
        first = next(iter(fields))
        form = page.locator("form").filter(has=page.locator(f'[name="{first}"]')).first
        for name, value in fields.items():
            field = form.locator(f'[name="{name}"]').first
            if await field.evaluate("field => field.tagName") == "SELECT":
                await field.select_option(value)
            elif await field.is_visible():
                await field.fill(value)
        async with page.expect_navigation():
            await form.evaluate("form => form.requestSubmit()")

    async def open(self) -> Window:
        page = self.fresh.pop() if self.fresh else await self._new(self.server.url(self.row.outside(self.row.page)))
        await self._arrive(page)
        if not self.row.polls:
            # One that is closed while it connects counts as lost.
            await until(lambda: page in self.connected, "The socket of the tab is answered")
        if self.row.link is not None:
            before = page.url
            await page.locator(self.row.link).first.click()
            await until(lambda: page.url != before, "The link is followed")
            await self._arrive(page)
        return Window(self.row, page)

    async def _new(self, url: str) -> Page:
        page = await self.context.new_page()
        self.pages.append(page)
        page.on("websocket", lambda socket: socket.on("framereceived", lambda _: self.connected.add(page)))
        await page.goto(url)
        return page

    async def poll(self) -> None:
        if not self.row.polls_itself:
            url = json.dumps(self.row.outside(self.row.api))
            await ask(self.pages[0], f"fetch({url}).then(response => response.status)")

    async def close(self) -> None:
        for page in self.pages:
            await page.close()
        self.pages.clear()
        self.fresh.clear()

    async def visit(self) -> Place:
        page = await self._new(self.server.url(self.row.outside(self.row.page)))
        if self.row.from_cache:
            return await Window(self.row, page).place()
        return Place(page.url, await page.content())

    async def cookies(self) -> dict[str, str]:
        url = self.server.url(self.row.outside(self.row.page))
        return {each["name"]: each["value"] for each in await self.context.cookies(url)}

    async def text(self) -> str:
        return await self.pages[0].content()

    async def _arrive(self, page: Page) -> None:
        wanted = self.row.outside(self.row.page)

        async def has_arrived() -> bool:
            return Place(page.url, "").path == wanted and bool(await ask(page, CONNECTED))

        try:
            await until(has_arrived, f"The client of {wanted} is connected")
        except AssertionError as error:
            raise AssertionError(f"{error}; at {page.url}, {self.errors}") from None


async def ask(page: Page, expression: str) -> object:
    """Return what an expression is worth in a page; None while the page is on its way elsewhere."""
    try:
        return await page.evaluate(expression)
    except Error:
        return None


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(shell=True), args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def visitor(row: Row, server: Server, browser: Browser) -> AsyncIterator[Chromium]:
    """Open a browser without cookies but the one that asks for limits."""
    context = await browser.new_context(locale="en")
    device = Chromium(row, server, context)
    await device.ask_for(limits.BRIEF)
    if row.polls and row.wire:
        await context.add_init_script(WITHOUT_SOCKETS)
    try:
        yield device
    finally:
        await context.close()
