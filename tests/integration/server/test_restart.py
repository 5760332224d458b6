from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.integration.server.visitors import FETCH, Tab, Visitor, story
from tests.support.serving import Server


async def tabs_of(visitor: Visitor, count: int) -> list[Tab]:
    return await asyncio.gather(*(one_of(visitor) for _ in range(count)))


async def one_of(visitor: Visitor) -> Tab:
    tab = Tab(await visitor.connect())
    tab.first = await tab.frame()
    return tab


@pytest.mark.rule("R9", "R26", "R40")
async def test_a_restart_sends_every_tab_back_and_resumes_each_session_where_it_stood(server: Server):
    visitors = [Visitor(server, name) for name in ("one", "two")]
    gone = Visitor(server, "three")
    for visitor in (*visitors, gone):
        visitor.get("/")
    stale = gone.cookie
    assert gone.post("/accounts/logout/").status == 302
    tabs = [tab for visitor in visitors for tab in await tabs_of(visitor, 25)]
    await tabs[0].ask("extend")
    await asyncio.sleep(1)

    ends = asyncio.gather(*(tab.rest() for tab in tabs))
    started = time.monotonic()
    assert await asyncio.to_thread(server.stop) == 0
    assert time.monotonic() - started < 5
    assert [(story(frames), code) for frames, code in await ends] == [([], 4503)] * 50

    server.start()
    # Longer than the grace of a closed browser: nothing armed it.
    await asyncio.sleep(1.5)
    for visitor in visitors:
        async with visitor.tab() as tab:
            assert tab.first["phase"] == "active"
            assert 880 < tab.first["remaining"] < 898.5
    async with gone.tab(stale) as tab:
        assert story([tab.first]) == [("ended", "logout")]
        assert await tab.rest() == ([], 4401)

    tab = await one_of(visitors[0])
    kept = visitors[0].get("/")
    assert kept.status == 200
    server.stop(signal.SIGKILL)
    server.start()
    await asyncio.sleep(1.5)
    async with visitors[0].tab() as tab, gone.tab(stale) as other:
        assert (story([tab.first]), story([other.first])) == ([("active", None)], [("ended", "logout")])
    log = server.log.read_text()
    assert "Traceback" not in log
    assert not [line for line in log.splitlines() if " ERROR " in line]


async def test_what_the_clock_ended_while_no_server_ran_has_ended(server: Server):
    quick, steady = Visitor(server, "quick"), Visitor(server, "steady")
    cookie = quick.cookie
    assert server.stop() == 0
    await asyncio.sleep(1)
    server.start()
    deadline = time.monotonic() + 3
    while (poll := quick.get("/demo/clock/", FETCH)).status == 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert poll.headers["Idlewatch-Ended"] == "idle"
    async with quick.tab(cookie) as tab:
        assert story([tab.first]) == [("ended", "idle")]
    assert steady.get("/").status == 200


@pytest.mark.rule("R26")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_handshake_just_before_the_end_does_no_harm(server: Server, how: signal.Signals):
    visitor = Visitor(server, "steady")
    tab = await one_of(visitor)
    late = [asyncio.create_task(visitor.connect()) for _ in range(10)]
    await asyncio.sleep(0.01)
    assert await asyncio.to_thread(server.stop, how) == 0
    # The goodbye may be lost while handshakes are under way; 1006 arms nothing either, and the page comes back.
    told, code = await tab.rest()
    assert (told, code in {4503, 1006}) == ([], True)
    for result in await asyncio.gather(*late, return_exceptions=True):
        if not isinstance(result, BaseException):
            frames, code = await Tab(result).rest()
            assert (set(story(frames)), code in {4503, 1006}) in [(set(), True), ({("active", None)}, True)]


@pytest.mark.rule("R9")
async def test_a_second_process_on_the_memory_store_is_not_ready_until_the_first_is_gone(
    server: Server, tmp_path: Path
):
    visitor, gone = Visitor(server, "steady"), Visitor(server, "other")
    visitor.get("/")
    gone.get("/")
    stale = gone.cookie
    gone.post("/accounts/logout/")
    assert ready(server) == {}
    second = Server(server.application, server.environ, tmp_path / "second.log")
    second.start()
    try:
        assert "belongs to another process" in ready(second)["timer"]
        assert "The memory store supports one process" in second.log.read_text()
        assert ready(server) == {}
        server.stop(signal.SIGKILL)
        deadline = time.monotonic() + 4
        while ready(second):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        visitor.server = gone.server = second
        async with visitor.tab() as tab, gone.tab(stale) as other:
            assert (story([tab.first]), story([other.first])) == ([("active", None)], [("ended", "logout")])
        assert second.log.read_text().count("The memory store supports one process") == 1
    finally:
        second.stop()


def ready(server: Server) -> dict[str, str]:
    """Return what keeps a process from its work."""
    deadline = time.monotonic() + 5
    while True:
        try:
            with urlopen(server.url("/readyz"), timeout=10) as response:
                problems: dict[str, str] = json.load(response)["problems"]
        except HTTPError as refused:
            problems = json.load(refused)["problems"]
        # The very first request starts the timer, which has to look first.
        if "has not looked yet" not in problems.get("timer", "") or time.monotonic() > deadline:
            return problems
        time.sleep(0.05)
