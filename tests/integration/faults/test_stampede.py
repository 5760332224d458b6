"""Two thousand tabs that come back at once."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter

import pytest

from tests.integration.faults.people import Person
from tests.integration.server.visitors import Tab
from tests.integration.site import Site

TABS = 2000
EACH = 25
"""Tabs of a session: half of what it may have, since one that gives up a handshake may still count."""
WITHIN = 60.0


@pytest.mark.timeout(300)
async def test_two_thousand_tabs_that_come_back_at_once_after_a_restart_all_find_their_session(make_site):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    site: Site = make_site(IDLEWATCH_IDLE_TIMEOUT="300", IDLEWATCH_WARN_BEFORE="60")
    people = [Person(site, f"person{number}", number % 2) for number in range(TABS // EACH)]
    gate = asyncio.Semaphore(100)

    async def open_tab(person: Person) -> Tab:
        deadline = time.monotonic() + WITHIN
        while True:
            try:
                async with gate:
                    return await person.open_tab(open_timeout=20)
            except OSError:
                # The server does not listen yet.
                assert time.monotonic() < deadline
                await asyncio.sleep(0.2)

    async def open_all() -> list[Tab]:
        return list(await asyncio.gather(*(open_tab(person) for person in people for _ in range(EACH))))

    tabs = await open_all()
    gone = asyncio.gather(*(tab.rest() for tab in tabs))
    for web in site.webs:
        assert await asyncio.to_thread(web.stop) == 0
    codes = Counter(code for _, code in await gone)
    assert codes == {4503: TABS}
    started = time.monotonic()
    back = asyncio.create_task(open_all())
    for web in site.webs:
        await asyncio.to_thread(web.start)
    tabs = await back
    assert time.monotonic() - started < WITHIN
    assert {tab.first["phase"] for tab in tabs} == {"active"}
    for person in people[:4]:
        assert await person.ask_for() == 200
    await asyncio.gather(*(tab.socket.close(4000) for tab in tabs))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    site.assert_sound()
