"""Processes that go and come back while people work."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import suppress
from http.client import HTTPException

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.integration.deployment.site import Deployment
from tests.integration.deployment.visitors import Guest
from tests.integration.server.visitors import Tab
from tests.support.serving import ROOT

COMES_BACK = {1006, 4503}
"""The close codes after which a page opens its socket again."""
LONGER_THAN_THE_GRACE = 1.5
SPREAD = 5.0
"""Seconds over which pages come back."""
ASKING = 3
"""How many send requests at the same time."""
LEADS_ELSEWHERE = 4000
"""The close code of a page that starts a navigation: unlike a closed browser, it starts no grace."""


class Load:
    """People at work: tabs that come back as pages do, and requests without a pause."""

    def __init__(self, guests: list[Guest], tabs: int) -> None:
        self.guests = guests
        self.tabs = tabs
        self.closed: Counter[int | None] = Counter()
        self.refused: Counter[str] = Counter()
        self.answers: Counter[tuple[str, int]] = Counter()
        self.ended: list[dict[str, object]] = []
        self.open = 0
        self._over = asyncio.Event()

    async def run(self, work: asyncio.Task[None]) -> None:
        """Go on until the work is done, and all tabs are back."""
        people = [self._sit(random.choice(self.guests)) for _ in range(self.tabs)]
        requests = [each() for each in (self._look, self._ask) for _ in range(ASKING)]
        tasks = [asyncio.create_task(each) for each in (*people, *requests)]
        try:
            await work
            await self.all_open()
        finally:
            self._over.set()
            await asyncio.gather(*tasks)

    async def _sit(self, guest: Guest) -> None:
        """Keep one tab open."""
        while not self._over.is_set():
            started = time.monotonic()
            try:
                tab = Tab(await guest.connect())
            except (OSError, InvalidHandshake) as error:
                self.refused[f"socket, after {time.monotonic() - started:.0f} s: {error!r}"] += 1
            else:
                await self._stay(tab)
            await asyncio.sleep(SPREAD * random.random())

    async def _stay(self, tab: Tab) -> None:
        over = asyncio.create_task(self._over.wait())
        hearing = asyncio.create_task(self._hear(tab))
        await asyncio.wait({hearing, over}, return_when=asyncio.FIRST_COMPLETED)
        await tab.socket.close(LEADS_ELSEWHERE)
        await asyncio.gather(hearing)
        over.cancel()

    async def _hear(self, tab: Tab) -> None:
        up = False
        with suppress(ConnectionClosed):
            while True:
                frame = json.loads(await tab.socket.recv())
                self.open += not up
                up = True
                self.ended += [frame] if frame["phase"] == "ended" else []
        self.open -= up
        if not self._over.is_set():
            self.closed[tab.socket.close_code] += 1

    async def all_open(self) -> None:
        async with asyncio.timeout(30):
            while self.open < self.tabs:  # noqa: ASYNC110 - a hundred tasks count
                await asyncio.sleep(0.1)

    async def _look(self) -> None:
        while not self._over.is_set():
            guest = random.choice(self.guests)
            await self._count("GET", asyncio.to_thread(guest.get, "/"))

    async def _ask(self) -> None:
        while not self._over.is_set():
            guest, said = random.choice(self.guests), json.dumps({"type": "sync"})
            await self._count("POST", asyncio.to_thread(guest.post, "/idlewatch/message/", said))

    async def _count(self, method: str, asked: object) -> None:
        try:
            self.answers[method, (await asked).status] += 1  # type: ignore[misc]
        except (OSError, HTTPException) as error:
            self.refused[f"{method}: {error!r}"] += 1


@pytest.mark.rule("R26", "R40")
@pytest.mark.timeout(180)
async def test_a_rolling_restart_under_load_loses_no_session(deployment: Deployment):
    guests = [Guest(deployment, f"guest-{number}") for number in range(20)]
    for guest in guests:
        guest.get("/")
    load = Load(guests, tabs=100)

    async def roll() -> None:
        await load.all_open()
        for web in deployment.webs:
            assert await asyncio.to_thread(web.stop) == 0
            await asyncio.to_thread(web.start)

    await load.run(asyncio.create_task(roll()))
    assert load.ended == []
    # Each tab was on one of the two, which went one after the other.
    assert load.closed.total() >= load.tabs
    assert set(load.closed) <= COMES_BACK
    assert load.closed[4503] > 0.9 * load.closed.total()
    assert not load.refused
    assert load.answers["GET", 200] > 50
    # What a process had begun when it went can't be asked of another: no more than what was under way just then.
    assert load.answers.pop(("POST", 502), 0) <= ASKING * len(deployment.webs)
    assert set(load.answers) == {("GET", 200), ("POST", 200)}
    await asyncio.sleep(LONGER_THAN_THE_GRACE)
    for guest in guests:
        assert guest.get("/").status == 200
    assert "Internal Server Error" not in deployment.logs
    assert f'File "{ROOT / "idlewatch"}' not in deployment.logs
