from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path

import pytest

from tests.integration.server.visitors import FETCH, Tab, Visitor, story
from tests.integration.site import until
from tests.support.serving import Server


@pytest.mark.rule("R9", "R26", "R40")
async def test_a_restart_sends_every_tab_back_and_resumes_each_session_where_it_stood(server: Server):
    visitors = [Visitor(server, name) for name in ("one", "two")]
    gone = Visitor(server, "three")
    for visitor in (*visitors, gone):
        visitor.get("/")
    stale = gone.cookie
    assert gone.post("/accounts/logout/").status == 302
    tabs = [await visitor.open_tab() for visitor in visitors for _ in range(25)]
    await tabs[0].ask("extend")
    await asyncio.sleep(1)
    # It ends by the clock while no server runs, or soon afterwards.
    quick = Visitor(server, "quick")
    late = quick.cookie

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
    until(lambda: quick.get("/demo/clock/", FETCH).headers["Idlewatch-Ended"] == "idle", within=3)
    async with quick.tab(late) as tab:
        assert story([tab.first]) == [("ended", "idle")]

    await visitors[0].open_tab()
    server.stop(signal.SIGKILL)
    server.start()
    await asyncio.sleep(1.5)
    async with visitors[0].tab() as tab, gone.tab(stale) as other:
        assert story([tab.first, other.first]) == [("active", None), ("ended", "logout")]
    log = server.log.read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log


@pytest.mark.rule("R14", "R26")
async def test_a_stop_sends_the_live_page_back_and_others_do_not_get_it(server: Server):
    live = server.socket_url("/ws/idlewatch/live/")
    refused = await Visitor(server, "steady").connect(url=live)
    assert await Tab(refused).rest() == ([], 4403)
    watching = await Visitor(server, "operator").connect(url=live)
    stopping = asyncio.create_task(asyncio.to_thread(server.stop))
    assert await Tab(watching).rest() == ([], 4503)
    assert await stopping == 0


@pytest.mark.rule("R26")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_handshake_just_before_the_end_does_no_harm(server: Server, how: signal.Signals):
    visitor = Visitor(server, "steady")
    tab = await visitor.open_tab()
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
    stale = gone.cookie
    gone.post("/accounts/logout/")
    until(lambda: problems_of(server) == [])
    second = Server(server.application, server.environ, tmp_path / "second.log")
    second.start()
    try:
        until(lambda: "timer" in problems_of(second))
        assert problems_of(server) == []
        server.stop(signal.SIGKILL)
        until(lambda: problems_of(second) == [], within=4)
        visitor.server = gone.server = second
        async with visitor.tab() as tab, gone.tab(stale) as other:
            assert story([tab.first, other.first]) == [("active", None), ("ended", "logout")]
        assert second.log.read_text().count("The memory store supports one process") == 1
    finally:
        second.stop()


def problems_of(server: Server) -> list[str]:
    """Return the parts that keep a process from its work."""
    problems: list[str] = json.loads(Visitor(server).get("/readyz").text)["problems"]
    return problems
