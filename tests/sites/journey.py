"""The journey that each site's visitors make. Its steps are the columns of the table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

from tests.integration.server.visitors import FETCH
from tests.sites.device import CONFIG, Device, Guest, Place, Tab, until
from tests.sites.limits import GRACE, IDLE, WARN
from tests.sites.report import Report
from tests.sites.wire import Wire, WireTab

PAUSE = 0.2
SLACK = 6.0
"""Seconds by which a busy machine may be late."""


class Journey:
    """One visitor's way through a site."""

    def __init__(self, device: Device, report: Report) -> None:
        self.device = device
        self.row = device.row
        self.report = report
        self.tabs: list[Tab] = []
        self.old: Guest | None = None

    async def walk(self) -> None:
        for name, step in STEPS.items():
            with self.report.step(name):
                await step(self)

    async def sign_in(self) -> None:
        """The page leads to the sign-in, and that leads back."""
        await self.device.sign_in()

    async def two_tabs(self) -> None:
        """Two tabs of the page are connected."""
        self.tabs = [await self.device.open(), await self.device.open()]
        for tab in self.tabs:
            await tab.until("active")

    async def activity(self) -> None:
        """What the user does in one tab keeps both, without a request."""
        deadline = time.monotonic() + IDLE - WARN + 0.5
        await self.tabs[0].act()
        for tab in self.tabs:
            await tab.until("active")
            tab.warned = False
        while time.monotonic() < deadline:
            await self.tabs[0].act()
            await asyncio.sleep(PAUSE)
            for tab in self.tabs:
                await tab.phase()
        assert [tab.warned for tab in self.tabs] == [False, False]

    async def poll(self) -> None:
        """A script that asks the server again and again does not."""
        await self._poll_until("warned", IDLE - WARN + SLACK)

    async def warning(self) -> None:
        """Both tabs warn."""
        for tab in self.tabs:
            await tab.until("warned", 2.0)

    async def extend(self) -> None:
        """Staying in one tab clears both."""
        await self.tabs[1].extend()
        for tab in self.tabs:
            await tab.until("active")

    async def end(self) -> None:
        """Both tabs end, and lead to the sign-in, which says why and leads back."""
        self.old = Guest(self.row, self.device.server, await self.device.cookies())
        await self._poll_until("ended", IDLE + SLACK)
        places = [await tab.place() for tab in self.tabs]
        for place in places:
            self._is_turned_away(place)
        if self.row.sign_in.host is None:
            assert any(self.row.said["idle"] in place.text for place in places), places[0].text[:3000]

    async def old_cookie(self) -> None:
        """The cookie of the ended session opens nothing: no page, no script's request, no socket."""
        old = self.old
        assert old is not None
        cookies = dict(old.cookies)
        place, _ = await asyncio.to_thread(old.browse, self.row.outside(self.row.page))
        self._is_turned_away(place)
        for method in ("GET", "POST"):
            old.cookies = dict(cookies)
            own = {"Origin": self.device.server.origin, "X-CSRFToken": cookies.get(old.csrf_cookie, "")}
            answer = await asyncio.to_thread(old.ask, method, self.row.outside(self.row.api), FETCH | own)
            assert (answer.status, answer.headers["Idlewatch-Ended"]) == (401, "idle"), (method, answer)
        if self.row.wire:
            old.cookies = dict(cookies)
            tab = WireTab(Wire(self.row, self.device.server), await old.connect(url=self.socket))
            await until(tab.reading.done, "The socket of the ended session is closed")
            assert (tab.state["phase"], tab.socket.close_code) == ("ended", 4401)

    async def again(self) -> None:
        """Signing in there leads back to the page."""
        await self.device.sign_in()
        if self.row.sign_in.host is not None:
            assert self.row.said["idle"] in await self.device.text()

    async def closed(self) -> None:
        """Closing the browser ends the session after the grace, even if its cookies come back."""
        await self.device.open()
        await self.device.close()
        await asyncio.sleep(GRACE + 1.5)
        place = await self.device.visit()
        if self.device.tells_closing:
            self._is_turned_away(place)
            assert self.row.sign_in.host or self.row.said["closed"] in place.text, place.text[:3000]
        else:
            assert place.path == self.row.outside(self.row.page), place.url

    @property
    def socket(self) -> str:
        """The address of a socket that names no page."""
        return self.device.server.socket_url(self.row.outside("/ws/idlewatch/tab/"))

    async def _poll_until(self, phase: str, within: float) -> None:
        deadline = time.monotonic() + within
        while {await tab.phase() for tab in self.tabs} != {phase}:
            assert time.monotonic() < deadline, f"The tabs are not {phase} within {within:g} s"
            await self.device.poll()
            await asyncio.sleep(PAUSE)

    def _is_turned_away(self, place: Place) -> None:
        """Check that an ended session was led to the sign-in and from there back, or saw what visitors see."""
        page, sign_in = self.row.outside(self.row.page), self.row.outside(self.row.sign_in.path)
        if self.row.public and place.path == page:
            assert CONFIG.search(place.text) is None, "the page of a visitor has a client"
            return
        assert place.path == sign_in, f"The ended session is led to {place.url}"
        wanted = parse_qs(urlsplit(place.url).query).get("next")
        if self.row.sign_in.host is not None:
            assert urlsplit(place.url).hostname == self.row.sign_in.host, place.url
            page = self.device.server.url(page)
        assert wanted == [page] or self.row.link, place.url


STEPS: dict[str, Callable[[Journey], Awaitable[None]]] = {
    "sign in": Journey.sign_in,
    "two tabs": Journey.two_tabs,
    "activity keeps": Journey.activity,
    "a poll does not": Journey.poll,
    "warning in both": Journey.warning,
    "extend in one": Journey.extend,
    "end, reason, `next`": Journey.end,
    "old cookie refused": Journey.old_cookie,
    "sign in again": Journey.again,
    "closed browser ended": Journey.closed,
}
