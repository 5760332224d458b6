"""Those who use the site while faults are done to it: each notices what must not happen to them."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.integration.server.visitors import FETCH, NAVIGATION, Tab, Visitor
from tests.integration.site import IDLE, Site
from tests.support.serving import Server

PROBE = 2.5
"""Seconds after which an unanswered probe means that the process is gone."""
SLACK = 1.5
"""Seconds by which a busy machine may be late."""


class Person(Visitor):
    """A user with a browser, on any of the site's processes."""

    def __init__(self, site: Site, name: str, web: int = 0) -> None:
        self.site = site
        self.statuses: list[int] = []
        self.signed_in = time.monotonic()
        """When they asked for it: no later than the server saw it."""
        super().__init__(site.webs[web], name)
        self.name = name
        self.active = time.monotonic()
        """When they acted last, as far as they know: no earlier than the server saw it."""

    async def ask_for(self, path: str = "/", *, web: Server | None = None, counted: bool = True) -> int:
        """Ask a process that runs for a page; return the status, 0 without an answer."""
        if web is not None:
            self.server = web
        asked = time.monotonic()
        try:
            answer = await asyncio.to_thread(self.get, path, NAVIGATION if counted else FETCH)
        except OSError:
            return 0
        self.statuses.append(answer.status)
        assert answer.status < 500 or answer.status == 503, answer.text
        if counted and answer.status == 200:
            self.active = asked
        return answer.status

    def move(self) -> None:
        """Go to another process, as a proxy's next choice would be."""
        others = [web for web in self.webs if web is not self.server]
        self.server = random.choice(others or self.webs or self.site.webs)

    @property
    def webs(self) -> Sequence[Server]:
        return [web for web in self.site.webs if web.process is not None]


class Surfer(Person):
    """Asks for a page now and then, of whatever process, and has no tab open."""

    async def live(self, until: asyncio.Event, every: float = 1.0) -> None:
        self.timeout = 3.0
        while not until.is_set():
            for web in random.sample(self.webs, len(self.webs)):
                # A proxy asks another process where one does not answer, and a browser asks again after a 503.
                if await self.ask_for(web=web) not in {0, 503}:
                    break
            assert self.statuses[-1] in {200, 503}, (self.name, self.statuses)
            await asyncio.sleep(every)


class Writer(Person):
    """Types in a tab, which comes back whenever it is cut off, and sends no request."""

    def __init__(self, site: Site, name: str, web: int = 0) -> None:
        super().__init__(site, name, web)
        self.frames: list[dict[str, Any]] = []
        self.connects = 0

    async def live(self, until: asyncio.Event, every: float = 0.5) -> None:
        while not until.is_set():
            try:
                await self._write(until, every)
            except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                await asyncio.sleep(random.uniform(0.1, 0.5))
                self.move()

    async def _write(self, until: asyncio.Event, every: float) -> None:
        tab = Tab(await self.connect(open_timeout=3))
        self.connects += 1
        reader = asyncio.create_task(self._read(tab))
        heard = len(self.frames)
        asked: float | None = None
        try:
            while not until.is_set():
                self.active = time.monotonic()
                await tab.say("activity")
                if asked is None or len(self.frames) > heard:
                    heard, asked = len(self.frames), time.monotonic()
                    await tab.say("sync")
                elif time.monotonic() > asked + PROBE:
                    # As the client does: a process that does not answer is as good as gone.
                    tab.drop()
                    raise TimeoutError
                await asyncio.wait([reader], timeout=every)
                if reader.done():
                    await reader
        finally:
            reader.cancel()
            await asyncio.wait([reader])
            # As a browser that goes on: what follows is not the closing of the last tab.
            await tab.socket.close(4000)

    async def _read(self, tab: Tab) -> None:
        async for message in tab.socket:
            frame = json.loads(message)
            self.frames.append(frame)
            assert frame["phase"] != "ended", (self.name, frame)


class Watcher(Person):
    """Leaves a tab open and does nothing: is to be ended, told so, and not a moment too early."""

    async def live(self, reason: str = "idle") -> float:
        """Return when the tab was told of the end (monotonic seconds); it comes back if cut off."""
        while True:
            try:
                return await self._wait(reason)
            except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                await asyncio.sleep(0.3)
                self.move()

    async def _wait(self, reason: str) -> float:
        tab = Tab(await self.connect(open_timeout=3))
        try:
            while True:
                frame = await asyncio.wait_for(tab.frame(), IDLE * 3)
                if frame["type"] == "state" and frame["phase"] == "ended":
                    assert frame["reason"] == reason, frame
                    return time.monotonic()
        finally:
            tab.drop()


async def refused(person: Person) -> None:
    """Each process refuses a session that has ended; it may ask for a moment where it can't tell."""
    for web in person.webs:
        cookies = dict(person.cookies)
        status = await person.ask_for(web=web)
        assert status in {302, 401, 503, 0}, (person.name, status)
        person.cookies = cookies


async def gone_for_good(person: Person) -> None:
    """Each process refuses it, without a doubt."""
    for web in person.webs:
        cookies = dict(person.cookies)
        assert await person.ask_for(web=web) == 302, person.name
        person.cookies = cookies
